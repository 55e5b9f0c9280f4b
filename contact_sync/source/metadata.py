"""A sheet's metadata: columns in use, hidden rows and columns, merged cells, empty formulas."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import partial

from contact_sync.model import LAST_ROW

_row_flags = partial(bytearray, LAST_ROW + 1)


@dataclass(slots=True)
class SheetMetadata:
    """The metadata of one sheet. Rows and columns are counted from 1."""

    where: str
    """The sheet's name in errors."""
    fields: Collection[int]
    """The columns of the fields: the only ones for which merged cells are recorded."""
    header: int
    """The row of the header."""
    used: set[int] = field(default_factory=set)
    """The columns that contain anything below the header."""
    hidden_columns: set[int] = field(default_factory=set)
    hidden_rows: bytearray = field(default_factory=_row_flags)
    """1 at each row that is hidden or filtered out."""
    merged: dict[int, bytearray] = field(default_factory=lambda: defaultdict(_row_flags))
    """Column of a field → 1 at each row where the cell is part of merged cells."""
    empty_formulas: int = 0
    """The formulas in columns of fields whose value is empty, in a kind of file where that may mean "never calculated"."""

    def add_merged(self, left: int, top: int, right: int, bottom: int) -> None:
        """Record that these cells are merged."""
        for column in self.fields:
            if left <= column <= right:
                self.merged[column][top : bottom + 1] = b"\1" * (bottom + 1 - top)

    def is_merged(self, column: int, row: int) -> bool:
        """Return True when the cell is part of merged cells."""
        return column in self.merged and self.merged[column][row] == 1
