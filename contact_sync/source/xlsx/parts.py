"""The rows of a sheet of an .xlsx, and the meaning of its cells.

openpyxl reads them too, in several times the time, and keeps an element for every row and a string for every cell (measured: 260
bytes a row). The meaning of a number in its format is still openpyxl's.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import IO

from openpyxl.utils.cell import column_index_from_string
from openpyxl.utils.datetime import from_ISO8601
from openpyxl.xml.constants import SHEET_MAIN_NS

from contact_sync.source.cells import BLANK, ERROR, UNCALCULATED, ZERO, Cell, Row, TextRow, decode_number, parse_format
from contact_sync.source.number_format import UNKNOWN, keeps_text
from contact_sync.source.xlsx import fast
from contact_sync.source.xlsx.fast import CellShape
from contact_sync.source.xlsx.strings import SharedStrings
from contact_sync.source.xlsx.styles import Styles

_ROW, _CELL, _FORMULA, _VALUE, _TEXT, _PHONETIC = (f"{SHEET_MAIN_NS} {tag}" for tag in ("row", "c", "f", "v", "t", "rPh"))
_VALUES = (_VALUE, _TEXT)
_TEXTS = frozenset(("s", "str", "inlineStr"))  # kinds of cells whose value is text
_ZEROS = frozenset(("0", "-0", "0.0"))
_BOOLEANS = {"1": True, "true": True, "0": False, "false": False}


class WorkbookContext:
    """The parts of a workbook that its cells refer to."""

    def __init__(self, strings: SharedStrings, styles: Styles, epoch: datetime, *, is_calculated: bool) -> None:
        self.is_calculated = is_calculated  # False when a formula's 0 or empty text may stand for no result
        self.struck = styles.struck
        self._strings, self._formats, self._epoch = strings, styles.formats, epoch
        # Styles that add to a text or hide it.
        self._odd = {str(style) for style, one in enumerate(styles.formats) if not keeps_text(parse_format(one)[0])}

    def cell(self, kind: str, style: str, text: str) -> Cell:
        """Return the cell with the attributes `t` and `s` that contains `text`.

        A value that is none of its kind is an error. Raises `ValueError` or `IndexError` for a reference to something that does
        not exist.
        """
        try:
            if kind == "n":
                return decode_number(_parse_number(text), self._format(style), self._epoch)
            if kind == "b":
                return Cell(_BOOLEANS[text.strip().lower()])
            if kind == "d":
                return Cell(_parse_moment(text), parse_format(self._format(style))[0])
        except (KeyError, ValueError):
            return Cell("#VALUE!", kind=ERROR)
        if kind == "e":
            return Cell(text, kind=ERROR)
        if kind == "s":
            text = self._strings[int(text)]
        return Cell(text, UNKNOWN) if style in self._odd else Cell(text)

    def finished(self, kind: str, style: str, text: str, *, has_formula: bool, has_value: bool) -> Cell:
        """Return the cell with all that its style and its formula mean; raises as `cell` does."""
        if not text:
            # The result of a formula may be the empty text.
            is_result = not has_formula or (kind == "str" and has_value and self.is_calculated)
            return BLANK if is_result else Cell(None, kind=UNCALCULATED)
        cell = self.cell(kind, style, text)
        if style in self.struck:
            cell = cell._replace(is_struck=True)
        if has_formula and kind == "n" and text in _ZEROS:
            return cell._replace(kind=ZERO) if self.is_calculated else Cell(None, kind=UNCALCULATED)
        return cell

    def column(self, shape: CellShape, values: Sequence[str]) -> tuple[Sequence[str], dict[int, Cell]]:
        """Return the texts of cells of one shape, and by position those cells that are more than text; raises as `cell` does."""
        kind, style = shape.kind or "n", shape.style
        if kind in _TEXTS and "" not in values and style not in self._odd and style not in self.struck:
            texts = self._strings.texts(values) if kind == "s" else values
            return texts, {at: Cell(text) for at, text in enumerate(texts) if "_x" in text}
        formula = {"has_formula": shape.has_formula, "has_value": shape.has_value}
        cells = {text: self.finished(kind, style, text, **formula) for text in set(values)}
        return [""] * len(values), {at: cell for at, text in enumerate(values) if (cell := cells[text]) is not BLANK}

    def _format(self, style: str) -> str | int:
        return self._formats[int(style or 0)] if self._formats else 0


_parse_moment: Callable[[str], object] = from_ISO8601
_column = lru_cache(column_index_from_string)


def _parse_number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)


class _SheetHandler:
    def __init__(self, context: WorkbookContext, width: int) -> None:
        self.rows: list[tuple[int, Row]] = []
        self.number = 0
        self._context, self._width = context, width
        self._blank_row = [BLANK] * width
        self._row: list[Cell] = []
        self._column = 0
        self._kind = self._style = self._text = self._text_tag = ""
        self._has_formula = self._has_value = self._is_inside_text = self._is_phonetic = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == _CELL:
            self._column = _column(attributes["r"].rstrip("0123456789")) if "r" in attributes else self._column + 1
            self._kind, self._style = attributes.get("t", "n"), attributes.get("s", "")
            self._text_tag = _TEXT if self._kind == "inlineStr" else _VALUE
            self._text = ""
            self._has_formula = self._has_value = False
        elif tag == self._text_tag:
            self._has_value = True
            self._is_inside_text = not self._is_phonetic
        elif tag in _VALUES and (not self._text or (tag == _TEXT and self._kind == "inlineStr")):
            # Some programs write the value where the text belongs, or the text where the value belongs.
            self._text_tag, self._kind, self._text = tag, "inlineStr", ""
            self._is_inside_text = not self._is_phonetic
        elif tag == _FORMULA:
            self._has_formula = True
        elif tag == _PHONETIC:
            self._is_phonetic = True
        elif tag == _ROW:
            self.number = int(float(attributes.get("r", self.number + 1)))
            self._row, self._column = self._blank_row.copy(), 0

    def text(self, text: str) -> None:
        if self._is_inside_text:
            self._text += text

    def end(self, tag: str) -> None:
        if tag == self._text_tag:
            self._is_inside_text = False
        elif tag == _CELL:
            if self._column > self._width:
                return
            formula = {"has_formula": self._has_formula, "has_value": self._has_value}
            self._row[self._column - 1] = self._context.finished(self._kind, self._style, self._text, **formula)
        elif tag == _PHONETIC:
            self._is_phonetic = False
        elif tag == _ROW and self._row != self._blank_row:
            self.rows.append((self.number, self._row))

    def take(self, cells: tuple[CellShape, ...], rows: Sequence[fast.Row]) -> None:
        """Take in rows that are written alike, column by column."""
        blank = [""] * len(rows)
        table: list[Sequence[str]] = [blank] * self._width
        others: defaultdict[int, dict[int, Cell]] = defaultdict(dict)
        columns = iter(list(zip(*rows, strict=True))[2:])
        for cell in cells:
            values = next(columns) if cell.has_value else blank
            position = cell.column - 1
            if position < self._width and (cell.has_value or cell.has_formula):
                table[position], found = self._context.column(cell, values)
                for row, other in found.items():
                    others[row][position] = other
        for at, texts in enumerate(zip(*table, strict=True)):
            odd = others.get(at, {})
            if odd or any(texts):
                made = TextRow(texts, odd)
                is_plain = not any(cell.kind or cell.is_struck for cell in odd.values())
                self.rows.append((int(rows[at][0]), made if is_plain else made.cells()))


def read_rows(part: IO[bytes], context: WorkbookContext, width: int) -> Iterator[tuple[int, Row]]:
    """Yield the numbered rows of a sheet's XML that are not blank, each with its first `width` cells.

    Rows and cells must be in order (`scan`). Raises `expat.ExpatError` for broken XML, `ValueError`
    or `IndexError` for a cell that refers to something that does not exist.
    """
    handler = _SheetHandler(context, width)
    for _block in fast.parse_rows(part, handler):
        yield from handler.rows
        handler.rows.clear()
