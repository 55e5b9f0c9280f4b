"""The format in which the worker process passes sheets to its parent: rows in a file, metadata in its reply.

A line of the file is the JSON document `[row number, repeat count, cells, struck]`; a cell is null, a text, true or false, a
number, or a list that begins with one of the tags below, and `struck` has the positions of cells that are struck through. Rows
without text are left out.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from contact_sync.i18n import _
from contact_sync.model.fields import LAST_ROW, WIDEST

NUMBER = "n"  # [NUMBER, number, format]: the format as in Excel, or the number of a built-in one
SHOWN = "s"  # [SHOWN, number, text that it shows]; the text is empty where it is missing
ZERO = "z"  # [ZERO, format, text or null]: the 0 of a formula
ODD_TEXT = "o"  # [ODD_TEXT, text]: a text whose format adds to it or hides it
ERROR = "e"  # [ERROR, text]
UNCALCULATED = "f"  # [UNCALCULATED]: a formula without a value
MOMENT = "d"  # [MOMENT, a date or a date and time of ISO 8601, the text that it shows]
DURATION = "t"  # [DURATION, seconds]

NO_WIDTH, NO_HEIGHT = 128, 10  # half a character in 1/256, half a point in twips: less shows nothing

_MAX_MERGED = 100_000
_MAX_LINE = 32 << 20
_MAX_TOTAL = 1 << 30
_MAX_CELLS = 50_000_000  # with all repeats; a second reads 5 million
_GENERAL = ("General", "@", 0)
_ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A", 43: "#GETTING_DATA"}
"""Excel's error codes → their text."""


class RefusedError(Exception):
    """The workbook must not be read; the text is the rest of a sentence that begins with its name."""


@dataclass(slots=True)
class SpooledSheet:
    """A sheet. Rows and columns are counted from 1."""

    title: str
    is_visible: bool
    from_1904: bool = False  # True when days are counted from 1904, as in workbooks of old Macs
    start: int = 0  # the offset of its first line in the file; `end` is the one after its last line
    end: int = 0
    last: dict[int, int] = field(default_factory=dict)  # column → the last row in which it contains anything
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)  # first and last of each range
    hidden_rows: list[tuple[int, int]] = field(default_factory=list)
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)  # left, top, right, bottom
    empty_formulas: dict[int, int] = field(default_factory=dict)
    """Column → the number of its formulas with an empty value, where that may mean that they were never calculated."""

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "SpooledSheet":
        """Return the sheet of a JSON object, whose keys are texts even where they are columns."""
        counts = {name: {int(c): n for c, n in document[name].items()} for name in ("last", "empty_formulas")}
        return cls(**document | counts)

    def hide_rows(self, first: int, last: int) -> None:
        """Record that these rows are hidden; they come in order."""
        if self.hidden_rows and self.hidden_rows[-1][1] == first - 1:
            first = self.hidden_rows.pop()[0]
        self.hidden_rows.append((first, last))

    def merge(self, left: int, top: int, right: int, bottom: int) -> None:
        """Record that these cells are merged."""
        self.merged.append((left, top, min(right, WIDEST), min(bottom, LAST_ROW)))
        if len(self.merged) > _MAX_MERGED:
            raise RefusedError(_("has more than {limit} merged cells: unmerge them.", limit=_MAX_MERGED))

    def count_empty_formula(self, column: int) -> None:
        """Record a formula with an empty value."""
        self.empty_formulas[column] = self.empty_formulas.get(column, 0) + 1


class SpoolWriter:
    """Writes the rows of one sheet after the other. `write` takes bytes, and writes all of them."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._offset = self._row = self._total = self._cells = 0
        self.sheets: list[SpooledSheet] = []

    def begin(self, title: str, *, is_visible: bool) -> SpooledSheet:
        """Begin a sheet."""
        sheet = SpooledSheet(title, is_visible, start=self._offset, end=self._offset)
        self.sheets.append(sheet)
        self._row = 0
        return sheet

    def row(self, number: int, cells: Sequence[Any], repeat: int = 1, struck: Sequence[int] = ()) -> None:
        """Write the `repeat` identical rows from `number` on to the sheet that was begun last."""
        sheet = self.sheets[-1]
        if number <= self._row:
            raise RefusedError(_("has rows that are out of order at row {row}: save it as .xlsx.", row=number))
        self._row = number + repeat - 1
        width = 0
        for column, cell in enumerate(cells, 1):
            if not is_blank(cell):
                sheet.last[column] = self._row
                width = column
        if not width:
            return
        self._cells += width * repeat
        line = json.dumps([number, repeat, cells[:width], struck], separators=(",", ":")).encode() + b"\n"
        self._total += len(line) * repeat
        if len(line) > _MAX_LINE or self._total > _MAX_TOTAL or self._cells > _MAX_CELLS:
            raise RefusedError(_("contains too much text at row {row}: copy the contacts to a new workbook.", row=number))
        self._write(line)
        self._offset = sheet.end = self._offset + len(line)


def encode_number(value: float, number_format: str | int) -> Any:
    """Return the cell of a number in that format."""
    number = int(value) if value.is_integer() else value
    return number if number_format in _GENERAL else [NUMBER, number, number_format]


def encode_formula(cell: Any, shown: str | None = None) -> Any:
    """Return the cell of a formula's number, given as `encode_number` returns it."""
    number, number_format = (cell[1], cell[2]) if isinstance(cell, list) else (cell, "General")
    return cell if number else [ZERO, number_format, shown]


def encode_error(code: int) -> Any:
    """Return the cell of an error by its code in Excel."""
    return [ERROR, _ERRORS.get(code, "#?")]


def is_blank(cell: Any) -> bool:
    """Return True when a cell shows nothing."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


def check_place(column: int, row: int) -> None:
    """Refuse a cell with content where a table of contacts has none."""
    if not (0 < column <= WIDEST and 0 < row <= LAST_ROW):
        sentence = _(
            "has content in row {row}, column {column}, far outside the table; {widest} columns are read: delete it.",
            row=row,
            column=column,
            widest=WIDEST,
        )
        raise RefusedError(sentence)
