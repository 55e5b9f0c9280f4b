"""The metadata of a sheet of an .xlsx: hidden rows and columns, merged cells, columns in use, totals rows of tables."""

import re
from collections.abc import Sequence
from typing import IO, cast
from xml.etree import ElementTree as ET

from openpyxl.utils.cell import coordinate_to_tuple, range_boundaries
from openpyxl.xml.constants import SHEET_MAIN_NS

from contact_sync.errors import SourceError
from contact_sync.model.fields import LAST_ROW, WIDEST
from contact_sync.source.header import letter
from contact_sync.source.worksheet import SheetMetadata
from contact_sync.source.xlsx.fast import CellShape, Row, parse_rows

_ROW, _CELL, _VALUE, _TEXT = (f"{SHEET_MAIN_NS} {tag}" for tag in ("row", "c", "v", "t"))
_COLUMN, _MERGE = (f"{SHEET_MAIN_NS} {tag}" for tag in ("col", "mergeCell"))
_VALUES = (_VALUE, _TEXT)
_ATTRIBUTE = re.compile(' ([^ =]+)="([^"]*)"')


def read_totals(part: IO[bytes]) -> tuple[int, int, int, int] | None:
    """Return the cells of the totals rows of a table's XML as left, top, right and bottom; None when it has none."""
    table = ET.parse(part).getroot()  # noqa: S314 - `refuse_unsafe` has refused document types
    if not (count := int(table.get("totalsRowCount", "0"))):
        return None
    left, _top, right, bottom = cast("tuple[int, int, int, int]", range_boundaries(table.attrib["ref"]))
    return left, bottom - count + 1, right, bottom


def scan(part: IO[bytes], metadata: SheetMetadata) -> None:
    """Fill in `metadata`; raises `SourceError` for cells that are out of order, `expat.ExpatError` for broken XML."""
    for _block in parse_rows(part, _SheetScanner(metadata)):
        pass


class _SheetScanner:
    """The state of a scan. openpyxl drops rows that are out of order, and does not report hidden rows and merged cells."""

    def __init__(self, metadata: SheetMetadata) -> None:
        self._metadata = metadata
        self.number = self._column = 0
        self._has_text = self._is_inside_value = False

    def take(self, cells: tuple[CellShape, ...], rows: Sequence[Row]) -> None:
        """Take in rows that are written alike, whose cells are in order."""
        for number, attributes, *_values in rows:
            self._begin_row(int(number))
            if 'hidden="' in attributes or ' ht="' in attributes:
                self._note_hidden(dict(_ATTRIBUTE.findall(attributes)))
        below = [row[2:] for row in rows if int(row[0]) > self._metadata.header]
        used = zip((cell.column for cell in cells if cell.has_value), zip(*below, strict=True), strict=False)
        self._metadata.used.update(column for column, values in used if any(values))

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
        self._begin_row(int(float(attributes.get("r", self.number + 1))))
        self._note_hidden(attributes)

    def _begin_row(self, number: int) -> None:
        before, self.number, self._column = self.number, number, 0
        if not before < number <= LAST_ROW:
            raise SourceError(
                "{where}: its rows are out of order at row {row}: open it in Excel and save it again.",
                where=self._metadata.where,
                row=before,
            )

    def _note_hidden(self, attributes: dict[str, str]) -> None:
        if _is_hidden(attributes, "ht"):
            self._metadata.hidden_rows[self.number] = 1

    def _start_cell(self, attributes: dict[str, str]) -> None:
        before = self._column
        row, self._column = coordinate_to_tuple(attributes["r"]) if "r" in attributes else (self.number, before + 1)
        if row != self.number or self._column <= before:
            raise SourceError(
                "{where}: its cells are out of order at row {row}: open it in Excel and save it again.",
                where=self._metadata.where,
                row=self.number,
            )
        self._has_text = False

    def _end_cell_with_text(self) -> None:
        metadata, row, column = self._metadata, self.number, self._column
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
