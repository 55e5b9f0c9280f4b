"""The parts of an .xlsx that contain cells: shared strings and sheets, in memory that does not grow with the sheet.

openpyxl reads them too, in three times the time, and keeps an element for every row and a string for every cell (measured: 260
bytes a row). The meaning of a number in its format is still openpyxl's.
"""

import re
from array import array
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import IO, cast
from xml.etree import ElementTree as ET

from openpyxl.utils.cell import column_index_from_string, coordinate_to_tuple, range_boundaries
from openpyxl.utils.datetime import from_ISO8601
from openpyxl.xml.constants import SHEET_MAIN_NS

from contact_sync.errors import SourceError
from contact_sync.model import LAST_ROW, WIDEST
from contact_sync.source.archive import parse, parse_blocks
from contact_sync.source.cells import BLANK, ERROR, UNCALCULATED, ZERO, Cell, decode_number, parse_format
from contact_sync.source.header import letter
from contact_sync.source.number_format import UNKNOWN, keeps_text
from contact_sync.source.sheets import SheetMetadata
from contact_sync.source.xlsx.styles import Styles

_ROW, _CELL, _FORMULA, _VALUE, _TEXT = (f"{SHEET_MAIN_NS} {tag}" for tag in ("row", "c", "f", "v", "t"))
_STRING, _PHONETIC, _COLUMN, _MERGE = (f"{SHEET_MAIN_NS} {tag}" for tag in ("si", "rPh", "col", "mergeCell"))
_VALUES = (_VALUE, _TEXT)
_ZEROS = frozenset(("0", "-0", "0.0"))
_BOOLEANS = {"1": True, "true": True, "0": False, "false": False}
_MAX_STRINGS = 256 << 20  # bytes
_LONG, _KEPT = 256, 64  # bytes of a long string, and how many of them are kept decoded


class SharedStrings:
    """The strings that cells refer to by number, collected in one buffer: a list of them would take five times the memory.

    A string is the text of its runs, without the phonetic reading of Japanese.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._ends = array("Q", [0])
        self._text = ""
        self._long: dict[int, str] = {}
        self._is_inside_text = self._is_phonetic = False

    def __getitem__(self, index: int) -> str:
        """Return the string with this number, counted from 0; raises `IndexError` where there is none."""
        if index < 0:
            raise IndexError(index)
        start, end = self._ends[index], self._ends[index + 1]
        if end - start < _LONG:
            return self._buffer[start:end].decode()
        if index not in self._long:  # cells that show it share one text
            if len(self._long) == _KEPT:
                self._long.clear()
            self._long[index] = self._buffer[start:end].decode()
        return self._long[index]

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        """Handle a start tag of `sharedStrings.xml`."""
        if tag == _TEXT:
            self._is_inside_text = not self._is_phonetic
        elif tag == _PHONETIC:
            self._is_phonetic = True

    def text(self, text: str) -> None:
        """Handle text of `sharedStrings.xml`."""
        if self._is_inside_text:
            self._text += text

    def end(self, tag: str) -> None:
        """Handle an end tag of `sharedStrings.xml`."""
        if tag == _TEXT:
            self._is_inside_text = False
        elif tag == _PHONETIC:
            self._is_phonetic = False
        elif tag == _STRING:
            self._buffer += self._text.encode()
            if len(self._buffer) > _MAX_STRINGS:
                raise SourceError(
                    "The workbook has more than {limit} MB of different texts: copy the contacts to a new workbook.",
                    limit=_MAX_STRINGS >> 20,
                )
            self._ends.append(len(self._buffer))
            self._text = ""


def read_totals(part: IO[bytes]) -> tuple[int, int, int, int] | None:
    """Return the cells of the totals rows of a table's XML as left, top, right and bottom; None when it has none."""
    table = ET.parse(part).getroot()  # noqa: S314 - `refuse_unsafe` has refused document types
    if not (count := int(table.get("totalsRowCount", "0"))):
        return None
    left, _top, right, bottom = cast("tuple[int, int, int, int]", range_boundaries(table.attrib["ref"]))
    return left, bottom - count + 1, right, bottom


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
        self.rows: list[tuple[int, list[Cell]]] = []
        self._decode, self._struck, self._width = context.cell, context.struck, width
        self._is_calculated = context.is_calculated
        self._blank_row = [BLANK] * width
        self._row: list[Cell] = []
        self._number = self._column = 0
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
            self._number = int(float(attributes.get("r", self._number + 1)))
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
            if self._text:
                cell = self._decode(self._kind, self._style, self._text)
                if self._style in self._struck:
                    cell = cell._replace(is_struck=True)
                self._row[self._column - 1] = self._mark_zero(cell) if self._has_formula else cell
            elif self._has_formula and not (self._kind == "str" and self._has_value and self._is_calculated):
                self._row[self._column - 1] = Cell(None, kind=UNCALCULATED)  # else the result is the empty text
        elif tag == _PHONETIC:
            self._is_phonetic = False
        elif tag == _ROW and self._row != self._blank_row:
            self.rows.append((self._number, self._row))

    def _mark_zero(self, cell: Cell) -> Cell:
        """Return the cell of a formula, which is marked where its result is 0."""
        if self._text not in _ZEROS or self._kind != "n":
            return cell
        return cell._replace(kind=ZERO) if self._is_calculated else Cell(None, kind=UNCALCULATED)


def read_rows(part: IO[bytes], context: WorkbookContext, width: int) -> Iterator[tuple[int, list[Cell]]]:
    """Yield the numbered rows of a sheet's XML that are not blank, each with its first `width` cells.

    Rows and cells must be in order (`scan`). Raises `expat.ExpatError` for broken XML, `ValueError`
    or `IndexError` for a cell that refers to something that does not exist.
    """
    handler = _SheetHandler(context, width)
    for _block in parse_blocks(part, handler):
        yield from handler.rows
        handler.rows.clear()


def scan(part: IO[bytes], metadata: SheetMetadata) -> None:
    """Fill in `metadata`; raises `SourceError` for cells that are out of order, `expat.ExpatError` for broken XML."""
    parse(part, _SheetScanner(metadata))


class _SheetScanner:
    """The state of a scan. openpyxl drops rows that are out of order, and does not report hidden rows and merged cells."""

    def __init__(self, metadata: SheetMetadata) -> None:
        self._metadata = metadata
        self._row = self._column = 0
        self._has_text = self._is_inside_value = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == _CELL:
            self._start_cell(attributes)
        elif tag in _VALUES:
            self._is_inside_value = True
        elif tag == _ROW:
            self._start_row(attributes)
        elif tag == _COLUMN and _is_hidden(attributes, "width"):
            first, last = int(attributes["min"]), min(int(attributes["max"]), WIDEST)
            self._metadata.hidden_columns.update(range(first, last + 1))
        elif tag == _MERGE:
            self._metadata.add_merged(*cast("tuple[int, int, int, int]", range_boundaries(attributes["ref"])))

    def text(self, _text: str) -> None:
        self._has_text = self._has_text or self._is_inside_value

    def end(self, tag: str) -> None:
        if tag in _VALUES:
            self._is_inside_value = False
        elif tag == _CELL and self._has_text:
            self._end_cell_with_text()

    def _start_row(self, attributes: dict[str, str]) -> None:
        before = self._row
        self._row = int(float(attributes.get("r", before + 1)))
        self._column = 0
        if not before < self._row <= LAST_ROW:
            raise SourceError(
                "{where}: its rows are out of order at row {row}: open it in Excel and save it again.",
                where=self._metadata.where,
                row=before,
            )
        if _is_hidden(attributes, "ht"):
            self._metadata.hidden_rows[self._row] = 1

    def _start_cell(self, attributes: dict[str, str]) -> None:
        before = self._column
        row, self._column = coordinate_to_tuple(attributes["r"]) if "r" in attributes else (self._row, before + 1)
        if row != self._row or self._column <= before:
            raise SourceError(
                "{where}: its cells are out of order at row {row}: open it in Excel and save it again.",
                where=self._metadata.where,
                row=self._row,
            )
        self._has_text = False

    def _end_cell_with_text(self) -> None:
        metadata, row, column = self._metadata, self._row, self._column
        if column > WIDEST:
            raise SourceError(
                "{where}: cell {column}{row} is far to the right of the table; {widest} columns are read: delete its content.",
                where=metadata.where,
                column=letter(column - 1),
                row=row,
                widest=WIDEST,
            )
        if row > metadata.header:
            metadata.used.add(column)


def _is_hidden(attributes: dict[str, str], extent: str) -> bool:
    return attributes.get("hidden") in ("1", "true") or bool(re.match(r"0(\.[0-4]\d*)?$|.+[eE]-", attributes.get(extent, "")))
