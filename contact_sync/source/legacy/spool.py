"""A sheet as the child process tells it to the parent: its rows in a file, one JSON document a line, and what lies beside them.

A line is `[row number, how many rows are like it, cells]`; a cell is null, a text, true or false, a number, or a list that begins
with one of the marks below. Rows without any text are left out.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from contact_sync.i18n import _
from contact_sync.model import LAST_ROW, WIDEST

NUMBER = "n"
"""`[NUMBER, number, format]`: the format as in Excel, or the number of one of Excel's own."""
ERROR = "e"
"""`[ERROR, text]`"""
UNCALCULATED = "f"
"""`[UNCALCULATED]`: a formula without a value."""
MOMENT = "d"
"""`[MOMENT, a day or a day and time of ISO 8601]`"""
DURATION = "t"
"""`[DURATION, seconds]`"""

_MERGED = 100_000
_LINE = 32 << 20
_TOTAL = 1 << 30

ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A", 43: "#GETTING_DATA"}
"""Excel's numbers for what a cell shows when it fails."""


class RefusedError(Exception):
    """The workbook must not be read; the text is the rest of a sentence that begins with its name."""


@dataclass(slots=True)
class SpooledSheet:
    """A sheet. Rows and columns are counted from 1."""

    title: str
    visible: bool
    from_1904: bool = False
    """Whether days are counted from 1904, as old Macs do."""
    start: int = 0
    """Where its lines start in the file."""
    end: int = 0
    """Where they end."""
    last: dict[int, int] = field(default_factory=dict)
    """Column → the last row in which it holds anything."""
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)
    """First and last of each range."""
    hidden_rows: list[tuple[int, int]] = field(default_factory=list)
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Left, top, right, bottom."""
    silent: dict[int, int] = field(default_factory=dict)
    """Column → how many formulas show nothing there, where that may mean that they were never calculated."""

    def hide_row(self, first: int, last: int) -> None:
        """Note that these rows are hidden; they come in order."""
        if self.hidden_rows and self.hidden_rows[-1][1] == first - 1:
            first = self.hidden_rows.pop()[0]
        self.hidden_rows.append((first, last))

    def merge(self, left: int, top: int, right: int, bottom: int) -> None:
        """Note that these cells are one."""
        self.merged.append((left, top, min(right, WIDEST), min(bottom, LAST_ROW)))
        if len(self.merged) > _MERGED:
            raise RefusedError(_("has more than {limit} merged cells: unmerge them.", limit=_MERGED))

    def note_silent(self, column: int) -> None:
        """Note a formula that shows nothing."""
        self.silent[column] = self.silent.get(column, 0) + 1


class SpoolWriter:
    """Writes the rows of one sheet after the other. `write` takes bytes, and never a part of them."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._at = self._row = self._total = 0
        self.sheets: list[SpooledSheet] = []

    def begin(self, title: str, *, visible: bool) -> SpooledSheet:
        """Begin a sheet."""
        sheet = SpooledSheet(title, visible, start=self._at, end=self._at)
        self.sheets.append(sheet)
        self._row = 0
        return sheet

    def row(self, number: int, cells: Sequence[Any], repeat: int = 1) -> None:
        """Write a row, which `repeat` rows from `number` on are like, to the sheet that was begun last."""
        sheet = self.sheets[-1]
        if number <= self._row:
            raise RefusedError(_("has rows that are out of order at row {row}: save it as .xlsx.", row=number))
        self._row = number + repeat - 1
        width = 0
        for column, cell in enumerate(cells, 1):
            if not is_blank(cell):
                sheet.last[column] = number + repeat - 1
                width = column
        if not width:
            return
        line = json.dumps([number, repeat, cells[:width]], separators=(",", ":")).encode() + b"\n"
        self._total += len(line) * repeat
        if len(line) > _LINE or self._total > _TOTAL:
            raise RefusedError(_("contains too much text at row {row}: copy the contacts to a new workbook.", row=number))
        self._write(line)
        self._at = sheet.end = self._at + len(line)


def is_blank(cell: Any) -> bool:
    """Whether nothing is to be seen in a cell."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


def check_place(column: int, row: int) -> None:
    """Refuse a cell with something in it that stands where none of a table of contacts does."""
    if not (0 < column <= WIDEST and 0 < row <= LAST_ROW):
        raise RefusedError(
            _(
                "has content in row {row}, column {column}, far outside the table; {widest} columns are read: delete it.",
                row=row,
                column=column,
                widest=WIDEST,
            )
        )
