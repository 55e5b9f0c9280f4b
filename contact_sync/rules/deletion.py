"""Rows that somebody has marked for deletion with words, in any column."""

from collections.abc import Mapping, Sequence

from contact_sync.i18n import _
from contact_sync.model.fields import ROW
from contact_sync.model.source import Chunk
from contact_sync.model.violation import Violation
from contact_sync.rules.cells import CUSTOM
from contact_sync.rules.words import bare

DELETED = "row-deleted"

_STEMS = ("suppr", "delete")
_IN_MARKS = (b"uppr", b"delete")  # what a text with a stem has when its ASCII letters are small: an s may be a long one
_WORDS = frozenset(("asupprimer", "supprimer", "supprime", "supprimee", "todelete", "tobedeleted", "delete", "deleted"))
_LONGEST = 30  # characters of a mark, with the signs around it
_MIN_USUAL = 3  # rows of a chunk: with fewer, "most of them" says nothing


class DeletionMarks:
    """A search for marked rows; a custom field that has such a word in most rows of a chunk has it as its value."""

    def __init__(self, mapping: Mapping[str, int], letters: Sequence[str]) -> None:
        self._fields = {position: field for field, position in mapping.items()}
        self._letters = letters
        self._usual: set[int] = set()  # positions of the custom fields in which such a word is a value

    def flag(self, chunk: Chunk, packed: bytes) -> None:
        """Add a flaw to each row with a mark: of the field that has it, or of the row where it is in another column.

        `packed` are its cells, packed.
        """
        text = packed.lower()
        if not any(mark in text for mark in _IN_MARKS):
            return
        for place, cells in enumerate(zip(*chunk.rows, strict=True)):
            field = self._fields.get(place, ROW)
            marked = [at for at, cell in enumerate(cells) if is_mark(cell)]
            if field in CUSTOM and len(marked) >= max(_MIN_USUAL, len(cells) / 2):
                self._usual.add(place)
            if place not in self._usual:
                for at in marked:
                    mark = _("column {letter}", letter=self._letters[place])
                    chunk.flaws.setdefault(at, []).append(Violation(DELETED, field, {"mark": mark}))


def is_mark(cell: str) -> bool:
    """Return True for a cell that says only that its row is to be deleted."""
    return len(cell) <= _LONGEST and any(stem in cell.casefold() for stem in _STEMS) and bare(cell) in _WORDS
