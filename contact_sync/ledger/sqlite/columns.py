"""Values as the columns of the tables contain them."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from contact_sync import packed
from contact_sync.i18n import _
from contact_sync.model import Violation

GROUP = 500
"""Rows that are fetched or looked up together, and results that are committed together."""

SENTENCE_SEPARATOR = "\n"
"""Separates the sentences of a row. Each is one line: so are the API's own words (`envelope.quoted`)."""


def storable(text: str) -> str:
    """Return text as SQLite takes it, valid UTF-8; the name of a file and the API's own words may be anything."""
    return text.encode(errors="backslashreplace").decode()


def violation_columns(violations: Sequence[Violation]) -> tuple[str, str, str]:
    """Return codes, fields and sentences of a row's violations, each joined into one text, in the same order."""
    if not violations:
        return "", "", ""
    return (
        ",".join(v.code for v in violations),
        ",".join(v.field for v in violations),
        storable(SENTENCE_SEPARATOR.join(v.message for v in violations)),
    )


def pack_cells(cells: list[list[str]]) -> bytes:
    """Return rows of cells as the column `cells` of a block; a cell may contain half a surrogate pair."""
    return packed.pack(cells).encode(errors="surrogatepass")


def packed_text(cells: bytes) -> str:
    """Return the column `cells` of a block as `packed.unpack` takes it."""
    return cells.decode(errors="surrogatepass")


class Unsent(NamedTuple):
    """The reason why pending rows are read as `unprocessed`."""

    violation: Violation
    ready: bool
    """True when it applies to `ready` rows, too."""

    def column(self) -> str:
        """Return it as the column `rest` of a run."""
        return json.dumps([self.violation.code, self.violation.detail, self.ready])

    @classmethod
    def of(cls, column: str) -> "Unsent":
        """Return what `column` wrote; a run that was killed wrote nothing."""
        code, detail, ready = json.loads(column) if column else ("stopped", {"reason": _("It was interrupted.")}, False)
        return cls(Violation(code, detail=detail), ready)
