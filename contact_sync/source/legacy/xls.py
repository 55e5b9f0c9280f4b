"""Excel 97-2003 workbooks, by xlrd, which tells errors, formats, hidden rows and merged cells.

It does not tell which cells are formulas, and takes a file that is cut off for a shorter one: for both, the records of each sheet
are walked once more. Defined names, comments and links, over which it stumbles, are of no use here.
"""

import os
import struct
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any

import xlrd

from contact_sync.i18n import _
from contact_sync.source.legacy.spool import ERROR, ERRORS, NUMBER, RefusedError, SpooledSheet, SpoolWriter

_EOF = 0x0A
_FORMULAS = (0x06, 0x206, 0x406)
_SHOWS_NOTHING = b"\x03", b"\xff\xff"  # the first and the last two bytes of such a result, [MS-XLS] 2.5.133

_UNUSED = {
    xlrd.book.Book: ("names_epilogue",),
    xlrd.sheet.Sheet: ("handle_note", "handle_obj", "handle_txo", "handle_hlink", "handle_quicktip"),
}


def read(copy: FileIO, writer: SpoolWriter) -> None:
    """Write all sheets with `writer`; raises whatever xlrd does on damage, `RefusedError` for what must not be read."""
    for place, methods in _UNUSED.items():  # it has no option for that
        for method in methods:
            setattr(place, method, lambda *_: None)
    with Path(os.devnull).open("w", encoding="utf-8") as silence:
        try:
            book = xlrd.open_workbook(
                logfile=silence, file_contents=copy.read(), formatting_info=True, on_demand=True, ragged_rows=True
            )
        except xlrd.XLRDError as error:
            if "encrypted" in str(error):
                raise RefusedError(_("is protected by a password: save it without one.")) from error
            raise
        for index in range(book.nsheets):
            sheet = book.sheet_by_index(index)
            _write(book, sheet, writer.begin(sheet.name, visible=sheet.visibility == 0), writer, index)
            book.unload_sheet(index)


def _write(book: Any, sheet: Any, spooled: SpooledSheet, writer: SpoolWriter, index: int) -> None:
    for body in _formulas(book.mem, book._sh_abs_posn[index]):  # noqa: SLF001 - xlrd has no public name for it
        if body[6:7] == _SHOWS_NOTHING[0] and body[12:14] == _SHOWS_NOTHING[1]:
            spooled.note_silent(int.from_bytes(body[2:4], "little") + 1)
    spooled.from_1904 = book.datemode == 1
    for top, bottom, left, right in sheet.merged_cells:
        spooled.merge(left + 1, top + 1, right, bottom)
    spooled.hidden_columns = [
        (column + 1, column + 1) for column, about in sheet.colinfo_map.items() if about.hidden or not about.width
    ]
    for row, about in sorted(sheet.rowinfo_map.items()):
        if about.hidden or about.height == 0:
            spooled.hide_row(row + 1, row + 1)
    # The first is General, by whichever name: French programs of old called it Standard, which looks like a date's.
    formats = [book.format_map[style.format_key].format_str if style.format_key else "General" for style in book.xf_list]
    for row in range(sheet.nrows):
        kinds, values, styles = sheet.row_types(row), sheet.row_values(row), sheet._cell_xf_indexes[row]  # noqa: SLF001 - the same
        writer.row(row + 1, [_cell_of(*cell, formats) for cell in zip(kinds, values, styles, strict=True)])


def _cell_of(kind: int, value: Any, style: int, formats: list[str]) -> Any:
    """Return a cell as `contact_sync.source.legacy.spool` writes it."""
    match kind:
        case xlrd.XL_CELL_TEXT:
            return value
        case xlrd.XL_CELL_NUMBER | xlrd.XL_CELL_DATE:
            number = int(value) if value.is_integer() else value
            return number if formats[style] in ("General", "@") else [NUMBER, number, formats[style]]
        case xlrd.XL_CELL_BOOLEAN:
            return bool(value)
        case xlrd.XL_CELL_ERROR:
            return [ERROR, ERRORS.get(value, "#?")]
    return None


def _formulas(stream: bytes, at: int) -> Iterator[bytes]:
    """Yield the body of each formula of the sheet at `at`, to its end; raises `EOFError` where it has none."""
    depth = 0
    while at + 4 <= len(stream):
        code, size = struct.unpack_from("<HH", stream, at)
        at += 4
        if at + size > len(stream):
            break
        if code in (0x809, 0x409, 0x209, 0x009):  # a chart inside has its own beginning and end
            depth += 1
        elif code == _EOF:
            depth -= 1
            if depth == 0:
                return
        elif code in _FORMULAS:
            yield stream[at : at + size]
        at += size
    raise EOFError
