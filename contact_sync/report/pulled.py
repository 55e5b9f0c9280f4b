"""A pulled file: every contact of an account, with its id and a base token, in the form that a run reads.

As CSV its cells are escaped like those of a report.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from contact_sync.files.atomic import AtomicFile
from contact_sync.model.fields import BASE_COLUMN, FIELDS, ID
from contact_sync.rules.formula import escape

COLUMNS = (ID, *FIELDS, "sync_group", "sync_stop", "sync_created", BASE_COLUMN)
EDITABLE = 1 + len(FIELDS)
"""Columns of the fields, with that of the id; those to their right are not read, but for the base token."""

WRITERS = {".csv": "contact_sync.report.pulled:write", ".xlsx": "contact_sync.report.xlsx.pulled:write"}
"""Suffix of a name → the function that writes such a file, as `module:name`."""

_BLOCK = 1 << 20
_OF_REPORT = b"sync_outcome"


def write(draft: AtomicFile, rows: Iterable[Sequence[str]], _advice: Sequence[str] = ()) -> None:
    """Write a header and the rows, in the order of `COLUMNS`. Raises OSError."""
    text = io.TextIOWrapper(draft.file, "utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text, delimiter=";")
    writer.writerow(COLUMNS)
    writer.writerows(list(map(escape, row)) for row in rows)
    text.detach()


def is_pulled(path: Path) -> bool:
    """Return True when a file is a pulled one, also after it was edited, or is empty. Raises OSError.

    The report of one has its columns too.
    """
    return contains_mark(path, BASE_COLUMN.encode()) and (not path.stat().st_size or not contains_mark(path, _OF_REPORT))


def contains_mark(path: Path, mark: bytes) -> bool:
    """Return True when a file, or a sheet of a workbook, has this mark near its beginning, or is empty. Raises OSError."""
    with path.open("rb") as file:
        beginning = file.read(_BLOCK)
    if not beginning or mark in beginning.replace(b"\0", b""):  # an office program may have saved it as UTF-16
        return True
    with suppress(zipfile.BadZipFile, NotImplementedError, RuntimeError), zipfile.ZipFile(path) as archive:
        parts = (part for part in archive.namelist() if part.startswith(("xl/sharedStrings", "xl/worksheets/sheet")))
        return any(_contains(archive, part, mark) for part in parts)
    return False


def _contains(archive: zipfile.ZipFile, name: str, mark: bytes) -> bool:
    with archive.open(name) as part:
        return mark in part.read(_BLOCK)
