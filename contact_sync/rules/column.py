"""The reading of one column: of all its cells at once where a test of all of them succeeds, one by one elsewhere."""

from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from contact_sync.rules import cells as cell_rules
from contact_sync.rules.cells import Reading

_MOST_KEPT, _LONGEST_KEPT = 32_768, 40  # cells of a column, which the days of a century fit into, and their characters

Accept: TypeAlias = Callable[[Sequence[str]], Sequence[str] | None]
"""Returns the value to send for each cell, empty for a blank one; None when one of the cells may be irregular."""


class Column:
    """The reader of one field: of all cells at once with `accept`, one by one with `read` where that fails.

    Cells that repeat are read once, because a cell's text alone decides what it means.
    """

    def __init__(self, accept: Accept | None, read: Callable[[str], Reading], blank: str | None) -> None:
        self._accept = accept
        self._read = read
        self._blank = blank
        self._values: dict[str, str | None] = {}  # of cells that were read before, if they are short
        self._irregular: dict[str, Reading] = {}

    def read(self, cells: Sequence[str], skipped: Collection[int]) -> tuple[list[str | None], dict[int, Reading]]:
        """Return the value of each cell, and by position each reading with more to report; `skipped` cells have neither."""
        values: list[str | None] = []
        irregular: dict[int, Reading] = {}
        different = set(cells)  # this takes the hashes of the cells, which are kept and needed anyway
        if (self._accept is None or len(different) < len(cells) // 4) and self._learn(different.difference(self._values)):
            values += map(self._values.__getitem__, cells)
            if not self._irregular.keys().isdisjoint(different):
                irregular = {at: self._irregular[cell] for at, cell in enumerate(cells) if cell in self._irregular}
        else:
            self._fill(cells, values, irregular)
        for position in skipped:
            values[position] = None
            irregular.pop(position, None)
        return values, irregular

    def _learn(self, new: Collection[str]) -> bool:
        """Read `new` cells; return False where they are too many or too long to keep."""
        if max(map(len, new), default=0) > _LONGEST_KEPT:
            return False
        if len(self._values) > _MOST_KEPT:
            self._values, self._irregular = {}, {}
            return False
        cells, values, irregular = list(new), list[str | None](), dict[int, Reading]()
        self._fill(cells, values, irregular)
        self._values.update(zip(cells, values, strict=True))
        self._irregular.update((cells[at], reading) for at, reading in irregular.items())
        return True

    def _fill(self, cells: Sequence[str], values: list[str | None], irregular: dict[int, Reading]) -> None:
        if self._accept and (texts := self._accept(cells)) is not None:
            values += [text or self._blank for text in texts] if "" in texts else texts
        elif self._accept and len(cells) > 8:  # noqa: PLR2004 - so few are read faster than tested
            part = 16 if len(cells) > 128 else len(cells) // 8 + 1  # noqa: PLR2004 - where few are irregular, most of these are plain
            for start in range(0, len(cells), part):
                self._fill(cells[start : start + part], values, irregular)
        else:
            readings = list(map(self._read, cells))
            irregular.update(
                (at, one) for at, one in enumerate(readings, len(values)) if one.violation or one.note or one.ambiguous
            )
            values += [self._blank if reading is cell_rules.BLANK else reading.value for reading in readings]
