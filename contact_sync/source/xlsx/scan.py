"""A scan of a sheet's XML for its metadata, before its cells are read.

openpyxl drops rows that are out of order, and does not report hidden rows and merged cells.
"""

import re
from typing import IO, cast

from openpyxl.utils.cell import coordinate_to_tuple, range_boundaries
from openpyxl.xml.constants import SHEET_MAIN_NS

from contact_sync.errors import SourceError
from contact_sync.i18n import _
from contact_sync.model import LAST_ROW, WIDEST
from contact_sync.source.header import letter
from contact_sync.source.metadata import SheetMetadata
from contact_sync.source.xml import parse

_ROW, _CELL, _VALUE, _TEXT, _COLUMN, _MERGE = (f"{SHEET_MAIN_NS} {tag}" for tag in ("row", "c", "v", "t", "col", "mergeCell"))


def scan(part: IO[bytes], metadata: SheetMetadata) -> None:
    """Fill in `metadata`; raises `SourceError` for cells that are out of order, `expat.ExpatError` for broken XML."""
    parse(part, _Scanner(metadata))


class _Scanner:
    """The state of a scan; memory does not grow with the sheet."""

    def __init__(self, metadata: SheetMetadata) -> None:
        self._metadata = metadata
        self._row = self._column = 0
        self._has_text = self._is_inside_value = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == _CELL:
            self._start_cell(attributes)
        elif tag in (_VALUE, _TEXT):
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
        if tag in (_VALUE, _TEXT):
            self._is_inside_value = False
        elif tag == _CELL and self._has_text:
            self._end_cell_with_text()

    def _start_row(self, attributes: dict[str, str]) -> None:
        before = self._row
        self._row = int(float(attributes.get("r", before + 1)))
        self._column = 0
        if not before < self._row <= LAST_ROW:
            raise SourceError(
                _(
                    "{where}: its rows are out of order at row {row}: open it in Excel and save it again.",
                    where=self._metadata.where,
                    row=before,
                )
            )
        if _is_hidden(attributes, "ht"):
            self._metadata.hidden_rows[self._row] = 1

    def _start_cell(self, attributes: dict[str, str]) -> None:
        before = self._column
        row, self._column = coordinate_to_tuple(attributes["r"]) if "r" in attributes else (self._row, before + 1)
        if row != self._row or self._column <= before:
            raise SourceError(
                _(
                    "{where}: its cells are out of order at row {row}: open it in Excel and save it again.",
                    where=self._metadata.where,
                    row=self._row,
                )
            )
        self._has_text = False

    def _end_cell_with_text(self) -> None:
        metadata, row, column = self._metadata, self._row, self._column
        if column > WIDEST:
            raise SourceError(
                _(
                    "{where}: cell {column}{row} is far to the right of the table; {widest} columns are "
                    "read: delete its content.",
                    where=metadata.where,
                    column=letter(column - 1),
                    row=row,
                    widest=WIDEST,
                )
            )
        if row > metadata.header:
            metadata.used.add(column)


def _is_hidden(attributes: dict[str, str], extent: str) -> bool:
    return attributes.get("hidden") in ("1", "true") or re.fullmatch(r"0(\.0*)?", attributes.get(extent, "")) is not None
