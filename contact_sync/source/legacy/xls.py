"""Excel 97-2003 workbooks, by xlrd, which reports errors, formats, hidden rows and merged cells.

It does not report which cells are formulas, and reads a truncated file as a shorter one: for both, the records of each sheet are
walked once more. Its parsers of defined names, comments and links, which fail on some files, are disabled.
"""

import os
import struct
from collections import defaultdict
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any

import xlrd

from contact_sync.i18n import _
from contact_sync.source.legacy import spool
from contact_sync.source.number_format import keeps_text

_EOF = 0x0A
_SYSTEM_DATES = (14, 22)
_FORMULAS = (0x06, 0x206, 0x406)
_CALCULATE_ON_OPENING = 2  # a flag that libraries set, which cannot calculate
_NO_NUMBER = b"\xff\xff"  # the last two bytes of a result that is no number
_EMPTY = b"\x03", _NO_NUMBER  # the first and the last two bytes of an empty result, [MS-XLS] 2.5.133

_UNUSED = {
    xlrd.book.Book: ("names_epilogue",),
    xlrd.sheet.Sheet: ("handle_note", "handle_obj", "handle_txo", "handle_hlink", "handle_quicktip"),
}


def read(copy: FileIO, writer: spool.SpoolWriter) -> None:
    """Write all sheets with `writer`; raises anything that xlrd does on damage, `RefusedError` for a password."""
    for parser, methods in _UNUSED.items():  # xlrd has no option for that
        for method in methods:
            setattr(parser, method, lambda *_: None)
    with Path(os.devnull).open("w", encoding="utf-8") as null:
        try:
            book = xlrd.open_workbook(
                logfile=null,
                file_contents=copy.read(),
                formatting_info=True,
                on_demand=True,
                ragged_rows=True,
                ignore_workbook_corruption=True,  # sectors that two streams share; Excel does not look at them
            )
        except xlrd.XLRDError as error:
            if "encrypted" in str(error):
                raise spool.RefusedError(_("is protected by a password: save it without one.")) from error
            raise
        for index in range(book.nsheets):
            sheet = book.sheet_by_index(index)
            _write(book, sheet, writer.begin(sheet.name, is_visible=sheet.visibility == 0), writer, index)
            book.unload_sheet(index)


def _write(book: Any, sheet: Any, spooled: spool.SpooledSheet, writer: spool.SpoolWriter, index: int) -> None:
    zeros = defaultdict[int, dict[int, bool]](dict)  # row → columns of formulas whose result is 0, True if never calculated
    for body in _formulas(book.mem, book._sh_abs_posn[index]):  # noqa: SLF001 - xlrd has no public name for it
        row, column = struct.unpack_from("<HH", body)
        if (body[6:7], body[12:14]) == _EMPTY:
            spooled.count_empty_formula(column + 1)
        elif body[12:14] != _NO_NUMBER and struct.unpack_from("<d", body, 6) == (0,):
            zeros[row][column] = body[14] & _CALCULATE_ON_OPENING != 0
    spooled.from_1904 = book.datemode == 1
    for top, bottom, left, right in sheet.merged_cells:
        spooled.merge(left + 1, top + 1, right, bottom)
    spooled.hidden_columns = [
        (column + 1, column + 1) for column, layout in sheet.colinfo_map.items() if layout.hidden or layout.width < spool.NO_WIDTH
    ]
    for row, layout in sorted(sheet.rowinfo_map.items()):
        if layout.hidden or layout.height < spool.NO_HEIGHT:
            spooled.hide_rows(row + 1, row + 1)
    # The first is General under any name: old French programs called it Standard, which openpyxl takes for the format of a date.
    formats = [_format(book, style.format_key) for style in book.xf_list]
    strikes = [bool(book.font_list[style.font_index].struck_out) for style in book.xf_list]
    for row in range(sheet.nrows):
        kinds, values, styles = sheet.row_types(row), sheet.row_values(row), sheet._cell_xf_indexes[row]  # noqa: SLF001 - as above
        cells = [_encode(*cell, formats) for cell in zip(kinds, values, styles, strict=True)]
        for column, is_due in zeros.get(row, {}).items():
            cells[column] = [spool.UNCALCULATED] if is_due else spool.encode_formula(cells[column])
        writer.row(row + 1, cells, struck=[column for column, style in enumerate(styles) if strikes[style]])


def _format(book: Any, key: int) -> str | int:
    """Return a number format as text, or its number where it shows a date as the system of its reader does."""
    if key in _SYSTEM_DATES:
        return key
    return str(book.format_map[key].format_str) if key else "General"


def _encode(kind: int, value: Any, style: int, formats: list[str | int]) -> Any:
    match kind:
        case xlrd.XL_CELL_TEXT:
            return value if not value.strip() or keeps_text(str(formats[style])) else [spool.ODD_TEXT, value]
        case xlrd.XL_CELL_NUMBER | xlrd.XL_CELL_DATE:
            return spool.encode_number(value, formats[style])
        case xlrd.XL_CELL_BOOLEAN:
            return bool(value)
        case xlrd.XL_CELL_ERROR:
            return spool.encode_error(value)
    return None


def _formulas(stream: bytes, at: int) -> Iterator[bytes]:
    """Yield the body of each formula of the sheet at `at`, up to its end record; raises `EOFError` when it has none."""
    depth = 0
    while at + 4 <= len(stream):
        code, size = struct.unpack_from("<HH", stream, at)
        at += 4
        if at + size > len(stream):
            break
        if code in (0x809, 0x409, 0x209, 0x009):  # an embedded chart has its own begin and end records
            depth += 1
        elif code == _EOF:
            depth -= 1
            if depth == 0:
                return
        elif code in _FORMULAS:
            yield stream[at : at + size]
        at += size
    raise EOFError
