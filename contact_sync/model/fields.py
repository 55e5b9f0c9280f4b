"""The fields of a contact, and the marks and limits of their columns in files."""

import os
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

ID = "contactId"  # names the contact; never sent inside `contact`

PHONE = "phoneNumber"

FIELDS = (PHONE, "firstname", "lastname", "date", "url", "custom1", "custom2", "custom3", "custom4")
"""The fields that can be sent, in the order of the API's page."""

NAMES = ("firstname", "lastname")


class Schema(NamedTuple):
    """The fields of a contact: code about all fields takes a schema, only code about one field names it."""

    id: str  # the field that names the contact
    fields: tuple[str, ...]  # those of a payload, in its order; without `id`

    @property
    def all_fields(self) -> tuple[str, ...]:
        """The id, then the fields of a payload."""
        return (self.id, *self.fields)


CONTACT = Schema(ID, FIELDS)

MOST_UNDO_DAYS = 7  # days that the values before a run are kept at most

ROW = ""  # the `field` of a violation that is about the row as a whole

BASE_COLUMN = "sync_base"
"""The column of a pulled file with the base token of each row: the one column of ours that is kept when a file is read."""


def stamp(moment: datetime) -> str:
    """Return a moment of UTC as ISO 8601 with Z."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def readable(name: str | Path) -> str:
    """Return the name of a file as valid Unicode, with replacements for undecodable bytes."""
    return os.fsencode(name).decode(errors="replace")


MARK = "<?>"  # marks a missing cell in a report, precedes surplus cells, and follows text that cannot be shown in full

TO_FIX = "contact_sync_to_fix"
"""The defined name that identifies the sheet of rows to correct in a returned workbook, even after it was renamed."""

VERBATIM = "sync_verbatim"
"""The header that a workbook of a run has in addition to a CSV report: its texts have no apostrophe before them."""

WIDEST, LAST_ROW = 256, 1_048_576
"""Most columns of a sheet that are read and written (a table of contacts has fewer), and the last row of a sheet."""


def sheet_of(place: str) -> str:
    """Return the title of the sheet that the reference of a defined name points to (`'Ops'' list'!$A$1`)."""
    return place.rpartition("!")[0].strip("'").replace("''", "'")
