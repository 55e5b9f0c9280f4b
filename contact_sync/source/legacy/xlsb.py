"""Binary Excel workbooks, by their records ([MS-XLSB] 2.1.4): a number, a size and a body, in streams inside a zip archive.

Libraries return only the values, without errors, number formats (`00000`), hidden rows and merged cells.
"""

import io
import posixpath
import struct
import zipfile
from collections.abc import Callable, Iterator
from io import FileIO
from typing import IO, Any, cast
from xml.etree import ElementTree as ET

from contact_sync.i18n import _
from contact_sync.model.fields import WIDEST
from contact_sync.source.archive import Archive
from contact_sync.source.legacy import spool
from contact_sync.source.legacy.spool import SpooledSheet, SpoolWriter
from contact_sync.source.number_format import keeps_text

_ROW, _COLUMN, _SHARED, _FONT, _FORMAT, _STYLE, _SHEET, _WORKBOOK, _MERGED = 0, 60, 19, 43, 44, 47, 156, 153, 176
_ROWS, _END_ROWS, _STYLES, _END_STYLES = 145, 146, 617, 618
_BLOCK = 1 << 16
_STRIKE = 8  # a flag of a font
_SHORT = 11  # between the record numbers of a short cell, which follows the cell before it, and of a full one
_BLANK, _RK_CELL, _ERROR, _BOOLEAN, _REAL, _TEXT, _SHARED_TEXT = range(1, 8)
_FORMULA_TEXT, _FORMULA_NUMBER, _FORMULA_BOOLEAN, _FORMULA_ERROR = range(8, 12)
_RICH_TEXT = 62
_VALUE_OF_FORMULA = {_FORMULA_NUMBER: _REAL, _FORMULA_BOOLEAN: _BOOLEAN, _FORMULA_ERROR: _ERROR, _FORMULA_TEXT: _TEXT}
"""Record of a formula → the record whose body it begins with."""


def read(copy: FileIO, writer: SpoolWriter) -> None:
    """Write all sheets with `writer`.

    Raises anything that zipfile and struct do on damage, `RefusedError` for rows or cells that are out of order or out of range.
    """
    with Archive(copy) as archive:
        parts = _parts(archive)
        strings = [_text(body, 1)[0] for code, body in _records_of(archive, parts, "sharedStrings") if code == _SHARED]
        formats, strikes = _styles(archive, parts)
        from_1904 = False
        for code, body in _records(archive, "xl/workbook.bin"):
            if code == _WORKBOOK:
                from_1904 = bool(body[0] & 1)
            elif code == _SHEET:
                identity, at = _text(body, 8)
                title, _ = _text(body, at)
                kind, path = parts[identity]
                if kind.endswith("/worksheet"):
                    sheet = writer.begin(title, is_visible=struct.unpack_from("<I", body)[0] == 0)
                    sheet.from_1904 = from_1904
                    _SheetReader(sheet, writer, strings, formats, strikes).read(_records(archive, path))


def _parts(archive: zipfile.ZipFile) -> dict[str, tuple[str, str]]:
    """Return the id by which records refer to a part → its type and path."""
    tree = ET.fromstring(archive.read("xl/_rels/workbook.bin.rels"))  # noqa: S314 - `refuse_unsafe` has refused document types
    return {
        one.attrib["Id"]: (one.attrib["Type"], posixpath.normpath(posixpath.join("/xl", one.attrib["Target"])).lstrip("/"))
        for one in tree
    }


def _styles(archive: zipfile.ZipFile, parts: dict[str, tuple[str, str]]) -> tuple[list[str | int], list[bool]]:
    """Return the number format of each cell style, as text or the number of a built-in one, and if it strikes text through."""
    custom: dict[int, str] = {}
    fonts: list[bool] = []
    formats: list[str | int] = []
    strikes: list[bool] = []
    is_inside = False
    for code, body in _records_of(archive, parts, "styles"):
        if code == _FORMAT:
            custom[int.from_bytes(body[:2], "little")] = _text(body, 2)[0]
        elif code == _FONT:
            fonts.append(body[2] & _STRIKE != 0)
        elif code in (_STYLES, _END_STYLES):
            is_inside = code == _STYLES
        elif code == _STYLE and is_inside:
            number, font = struct.unpack_from("<2xHH", body)
            formats.append(custom.get(number, number))
            strikes.append(font < len(fonts) and fonts[font])
    return formats, strikes


def _records_of(archive: zipfile.ZipFile, parts: dict[str, tuple[str, str]], kind: str) -> Iterator[tuple[int, bytes]]:
    path = next((path for type_, path in parts.values() if type_.endswith(f"/{kind}")), None)
    return _records(archive, path) if path else iter(())


def _records(archive: zipfile.ZipFile, path: str) -> Iterator[tuple[int, bytes]]:
    with io.BufferedReader(cast("Any", archive.open(path)), _BLOCK) as part:
        while (code := _number(part, 2)) is not None:
            size = _number(part, 4) or 0
            body = part.read(size)
            if len(body) < size:
                raise EOFError
            yield code, body


def _number(part: IO[bytes], most: int) -> int | None:
    """Read an integer of at most `most` bytes, 7 bits each; the last has its highest bit clear. Return None at the end."""
    number = 0
    for index in range(most):
        if not (byte := part.read(1)):
            return None
        number |= (byte[0] & 0x7F) << 7 * index
        if byte[0] < 0x80:  # noqa: PLR2004 - the highest bit
            break
    return number


def _text(body: bytes, at: int) -> tuple[str, int]:
    """Return the text at `at` and the offset of its end; a missing text has the length -1."""
    (length,) = struct.unpack_from("<i", body, at)
    end = at + 4 + 2 * max(length, 0)
    if end > len(body):
        raise EOFError
    return body[at + 4 : end].decode("utf-16-le"), end


class _SheetReader:
    """Reads the records of a sheet in one pass; memory does not grow with the sheet."""

    def __init__(
        self, sheet: SpooledSheet, writer: SpoolWriter, strings: list[str], formats: list[str | int], strikes: list[bool]
    ) -> None:
        self._sheet, self._writer = sheet, writer
        self._strings, self._formats = strings, formats
        self._odd = {style for style, one in enumerate(formats) if isinstance(one, str) and not keeps_text(one)}
        self._row = self._column = -1
        self._cells: list[Any] = []
        self._strikes = {style for style, one in enumerate(strikes) if one}
        self._struck: list[int] = []  # positions in the row
        self._decoders: dict[int, Callable[[bytes, int], Any]] = {
            _BLANK: lambda _, __: None,
            _RK_CELL: lambda body, style: spool.encode_number(_rk(body), self._format(style)),
            _ERROR: lambda body, _: spool.encode_error(body[0]),
            _BOOLEAN: lambda body, _: body[0] != 0,
            _REAL: lambda body, style: spool.encode_number(struct.unpack_from("<d", body)[0], self._format(style)),
            _TEXT: lambda body, style: self._text(_text(body, 0)[0], style),
            _SHARED_TEXT: lambda body, style: self._text(self._strings[struct.unpack_from("<I", body)[0]], style),
            _RICH_TEXT: lambda body, style: self._text(_text(body, 1)[0], style),
        }

    def read(self, records: Iterator[tuple[int, bytes]]) -> None:
        is_inside = is_complete = False
        for code, body in records:
            if code in (_ROWS, _END_ROWS):
                self._end_row()
                is_inside, is_complete = code == _ROWS, code == _END_ROWS
            elif is_inside:
                self._read_row_record(code, body)
            elif code == _COLUMN:
                first, last, width, _, flags = struct.unpack_from("<IIIIH", body)
                if flags & 1 or width < spool.NO_WIDTH:
                    self._sheet.hidden_columns.append((first + 1, min(last + 1, WIDEST)))
            elif code == _MERGED:
                top, bottom, left, right = struct.unpack_from("<IIII", body)
                self._sheet.merge(left + 1, top + 1, right + 1, bottom + 1)
        if not is_complete:
            raise EOFError

    def _read_row_record(self, code: int, body: bytes) -> None:
        if code == _ROW:
            self._end_row()
            row, height = struct.unpack_from("<I4xH", body)
            if row <= self._row:
                raise spool.RefusedError(_("has rows that are out of order at row {row}: save it as .xlsx.", row=row + 1))
            self._row, self._column = row, -1
            if body[11] & 0x10 or height < spool.NO_HEIGHT:
                self._sheet.hide_rows(row + 1, row + 1)
        elif code <= _FORMULA_ERROR or code == _RICH_TEXT:
            self._cell(code, struct.unpack_from("<I", body)[0], body[4:])
        elif code <= _SHARED_TEXT + _SHORT:
            self._cell(code - _SHORT, self._column + 1, body)

    def _cell(self, code: int, column: int, body: bytes) -> None:
        if column <= self._column:
            raise spool.RefusedError(_("has cells that are out of order at row {row}: save it as .xlsx.", row=self._row + 1))
        self._column = column
        style = int.from_bytes(body[:3], "little")
        value = self._decoders[_VALUE_OF_FORMULA.get(code, code)](body[4:], style)
        if value is None:
            return
        if style in self._strikes:
            self._struck.append(column)
        if code == _FORMULA_NUMBER:
            value = spool.encode_formula(value)
        if value == "" and code == _FORMULA_TEXT:
            self._sheet.count_empty_formula(column + 1)
        spool.check_place(column + 1, self._row + 1)
        self._cells += [None] * (column - len(self._cells))
        self._cells.append(value)

    def _end_row(self) -> None:
        if self._cells:
            self._writer.row(self._row + 1, self._cells, struck=self._struck)
        self._cells, self._struck = [], []

    def _text(self, text: str, style: int) -> Any:
        return [spool.ODD_TEXT, text] if style in self._odd and text.strip() else text

    def _format(self, style: int) -> str | int:
        return self._formats[style] if self._formats else 0


def _rk(body: bytes) -> float:
    """Return the number that is packed in 30 bits: the high bits of a float, or an integer; a flag says to divide it by 100."""
    (packed,) = struct.unpack_from("<i", body)
    value = float(packed >> 2) if packed & 2 else struct.unpack("<d", struct.pack("<xxxxi", packed & ~3))[0]
    return float(value / 100 if packed & 1 else value)
