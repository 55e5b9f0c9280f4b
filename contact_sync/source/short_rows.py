"""Rows with fewer cells than the header: which of them only lack their last, empty cells.

Excel writes a sheet in blocks of 16 rows, and leaves out the delimiters behind the last column that has any text in the block.
Other programs leave out the empty cells at the end of single rows. But a row that has lost a cell in the middle is short too, and
what follows the gap is in the wrong columns. A short row is complete when one of these shows that nothing has moved:

* Its block, counted from the first row of the file: all its rows, two or more, end in the same column, and one of them has text
  there. (One row is enough where the missing columns have neither a name nor any text, or after a whole block of this kind.)
* Its last text, which is a phone number, a date or an address in the column of one. A cell that was lost before it would have
  moved it. It proves nothing if other rows have such a value in a missing column.
* In a report that is fed back, an outcome in the column of outcomes, where only columns of the report are missing.

Neither counts where a cell of the row or of the block has a kind that its column cannot have, such as a phone number among names.
The last row of a file that does not end in a line break may be cut off, so it is never complete.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from contact_sync.model.fields import ID, PHONE
from contact_sync.model.row import Outcome
from contact_sync.source.kinds import kind_of

BLOCK = 16  # rows
_SAMPLED = 100
_OUTCOME = "sync_outcome"
_TEXTS = ("firstname", "lastname")
_TYPED = (PHONE, "date", "url")
_OUTCOMES = frozenset(Outcome)


class ShortRows:
    """The evidence on short rows below a header of these columns; `fields` are the fields by position.

    The columns at the positions `unused` have neither a name nor any text.
    """

    def __init__(self, columns: Sequence[str], fields: Mapping[int, str], unused: Collection[int]) -> None:
        self._width = len(columns)
        self._named = max((position + 1 for position, name in enumerate(columns) if name.strip()), default=0)
        self._used = max(position + 1 for position in range(self._width) if position not in unused)
        self._expected = fields
        names = [name.strip().casefold() for name in columns]
        self._outcome = names.index(_OUTCOME) if _OUTCOME in names else self._width
        self._kept = max(position + 1 for position, name in enumerate(names) if not name.startswith("sync_"))
        self._has_whole_block = False
        self._id = next(position for position, field in fields.items() if field == ID)

    def complete(self, rows: Sequence[Sequence[str]], place: int, *, below_header: bool) -> set[int]:
        """Return the positions of the short rows that are complete.

        `place` is that of the first row in its block. `below_header` is True when the header is in the same block.
        """
        found: set[int] = set()
        for block in _blocks(len(rows), place):
            short = [at for at in block if self._is_short(rows[at])]
            if not short:
                continue
            filled = [rows[at] for at in block if any(map(str.strip, rows[at]))]
            if self._ends_as_block(filled, has_header=below_header and block.start == 0):
                found.update(short)
            else:
                found.update(at for at in short if self._ends_in_kind(rows[at], rows))
        return found

    def _is_short(self, row: Sequence[str]) -> bool:
        return self._id < len(row) < self._width and bool(row[self._id].strip())

    def _ends_as_block(self, filled: Sequence[Sequence[str]], *, has_header: bool) -> bool:
        end = len(filled[0])
        if any(len(row) != end for row in filled) or any(map(self._has_moved, filled)):
            return False
        if has_header and end < self._named:  # which belongs to the block
            return False
        self._has_whole_block = self._has_whole_block or len(filled) == BLOCK
        return end >= self._used or ((len(filled) > 1 or self._has_whole_block) and any(row[-1].strip() for row in filled))

    def _ends_in_kind(self, row: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
        if len(row) > max(self._outcome, self._kept - 1):
            return row[self._outcome] in _OUTCOMES and not self._has_moved(row)
        last = max(position for position, cell in enumerate(row) if cell.strip())
        kind = self._expected.get(last, "")
        if kind not in _TYPED or kind_of(row[last]) != kind or self._has_moved(row):
            return False
        full = (other for other in rows if len(other) == self._width)
        return not any(
            kind_of(cell) == kind for other, _ in zip(full, range(_SAMPLED), strict=False) for cell in other[len(row) :]
        )

    def _has_moved(self, row: Sequence[str]) -> bool:
        """Return True when a cell has a kind that its column cannot have."""
        for position, cell in enumerate(row):
            expected = self._expected.get(position)
            if (expected in _TYPED or expected in _TEXTS) and (kind := kind_of(cell)) and kind != expected:
                return True
        return False


def _blocks(count: int, place: int) -> Iterator[range]:
    start = 0
    while start < count:
        end = min(start + BLOCK - (place + start) % BLOCK, count)
        yield range(start, end)
        start = end
