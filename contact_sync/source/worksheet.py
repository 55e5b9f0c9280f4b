"""A worksheet, as the reader of each kind of workbook implements it."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import partial

from contact_sync.model.fields import LAST_ROW
from contact_sync.source.cells import Row

_row_flags = partial(bytearray, LAST_ROW + 1)


@dataclass(slots=True)
class SheetMetadata:
    """The metadata of one sheet. Rows and columns are counted from 1."""

    where: str  # the sheet's name in errors
    fields: Collection[int]  # the columns of the fields: the only ones for which merged cells are recorded
    header: int
    used: set[int] = field(default_factory=set)  # the columns that contain anything below the header
    hidden_columns: set[int] = field(default_factory=set)
    hidden_rows: bytearray = field(default_factory=_row_flags)  # 1 at each row that is hidden or filtered out
    merged: dict[int, bytearray] = field(default_factory=lambda: defaultdict(_row_flags))
    """Column of a field → 1 at each row where the cell is part of merged cells."""
    totals: set[int] = field(default_factory=set)  # the totals rows of a table of contacts
    empty_formulas: int = 0
    """The formulas in columns of fields whose value is empty, in a kind of file where that may mean "never calculated"."""

    def add_merged(self, left: int, top: int, right: int, bottom: int) -> None:
        """Record that these cells are merged."""
        for column in self.fields:
            if left <= column <= right:
                self.merged[column][top : bottom + 1] = b"\1" * (bottom + 1 - top)

    def add_totals(self, left: int, top: int, right: int, bottom: int) -> None:
        """Record that these cells are the totals rows of a table; one beside the contacts does not count."""
        if any(left <= column <= right for column in self.fields):
            self.totals.update(range(max(top, 1), min(bottom, LAST_ROW) + 1))

    def is_merged(self, column: int, row: int) -> bool:
        """Return True when the cell is part of merged cells."""
        return column in self.merged and self.merged[column][row] == 1


@dataclass(slots=True)
class Worksheet(ABC):
    """A worksheet, implemented by the reader of each kind of workbook. Both methods may raise any exception at damage."""

    title: str
    is_visible: bool

    @abstractmethod
    def rows(self, width: int, first: int, last: int) -> Iterator[tuple[int, Row]]:
        """Yield the rows from `first` to `last`, each with its number and `width` cells; blank rows may be left out."""

    @abstractmethod
    def describe(self, metadata: SheetMetadata) -> None:
        """Fill in `metadata`."""
