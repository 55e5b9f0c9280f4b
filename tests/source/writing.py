"""Builders of small .ods, .xls and .xlsb workbooks, also of invalid ones that no office program would save."""

import struct
from collections.abc import Callable, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import xlwt

from .reading import book_bytes, sheet, text, zip_parts

HEAD = ["contactId", "Prénom", "custom1"]
_SPACES = {
    name: f"urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"
    for name in ("office", "table", "text", "style", "drawing", "manifest")
} | {"calcext": "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"}


def cell(value: str, kind: str = "string", inside: str = "", **attributes: Any) -> str:
    """Return an .ods cell that shows `value`; `_` in the name of an attribute becomes `-`, and its prefix is `table`."""
    named = "".join(f" table:{name.replace('_', '-')}={quoteattr(str(text))}" for name, text in attributes.items())
    return f"<table:table-cell office:value-type={quoteattr(kind)}{named}><text:p>{value}</text:p>{inside}</table:table-cell>"


def number(value: str, shown: str, kind: str = "float", **attributes: Any) -> str:
    """Return an .ods cell of a number."""
    return cell(shown, kind, **attributes).replace("office:", f'office:value="{value}" office:', 1)


def row(*cells: str, **attributes: Any) -> str:
    """Return an .ods row of texts, or of cells as XML."""
    named = "".join(f' table:{name.replace("_", "-")}="{text}"' for name, text in attributes.items())
    inside = "".join(one if one.startswith("<") else cell(_escape_text(one)) for one in cells)
    return f"<table:table-row{named}>{inside}</table:table-row>"


def _escape_text(text: str) -> str:
    """Return text as ODF writes it, with elements for white space."""
    escaped = escape(text).replace("\t", "<text:tab/>").replace("\n", "<text:line-break/>")
    return escaped.replace(" ", "<text:s/>")


def table(*rows: str, name: str = "Contacts", columns: str = "", style: str = "ta1") -> str:
    """Return an .ods sheet."""
    return f'<table:table table:name="{name}" table:style-name="{style}">{columns}{"".join(rows)}</table:table>'


def ods(*tables: str, styles: str = "", manifest: str = "", is_compressed: bool = True) -> bytes:
    """Return an .ods file of those sheets."""
    names = "".join(f' xmlns:{name}="{space}"' for name, space in _SPACES.items())
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content{names}><office:automatic-styles>{styles}'
        f"</office:automatic-styles><office:body><office:spreadsheet>{''.join(tables)}</office:spreadsheet></office:body>"
        "</office:document-content>"
    )
    return zip_parts(
        {
            "mimetype": b"application/vnd.oasis.opendocument.spreadsheet",
            "content.xml": content.encode(),
            "META-INF/manifest.xml": f"<manifest:manifest{names}>{manifest}</manifest:manifest>".encode(),
        },
        is_compressed=is_compressed,
    )


def xls(*rows: Sequence[Any], change: Callable[[Any], object] = lambda _: None) -> bytes:
    """Return an .xls file with one sheet of those rows; `change` is called with the sheet before it is saved."""
    book = xlwt.Workbook(encoding="utf-8")
    sheet = book.add_sheet("Contacts")
    for at, cells in enumerate(rows):
        for column, value in enumerate(cells):
            if value is not None:
                sheet.write(at, column, value)
    change(sheet)
    return book_bytes(book)


Record = tuple[int, bytes]


def wide_string(text: str) -> bytes:
    """Return a text as in the records of an .xlsb."""
    encoded = text.encode("utf-16-le")
    return struct.pack("<I", len(encoded) // 2) + encoded


def cell_record(column: int, code: int, value: bytes, style: int = 0) -> Record:
    """Return the record of a cell."""
    return code, struct.pack("<II", column, style) + value


def row_records(at: int, *cells: Any, flags: int = 0) -> list[Record]:
    """Return the records of row `at`, counted from 0: texts, numbers, or records of cells."""
    records: list[Record] = [(0, struct.pack("<IIHBBBI", at, 0, 300, 0, flags, 0, 0))]
    for column, value in enumerate(cells):
        match value:
            case None:
                pass
            case str():
                records.append(cell_record(column, 6, wide_string(value)))
            case int() | float():
                records.append(cell_record(column, 5, struct.pack("<d", value)))
            case _:
                records.append(value)
    return records


def xlsb(
    *lines: list[Record],
    before: Sequence[Record] = (),
    after: Sequence[Record] = (),
    book: Sequence[Record] = (),
    texts: Sequence[str] = (),
    formats: Sequence[str | int] = (),
    struck: Sequence[int] = (),
) -> bytes:
    """Return an .xlsb file with one sheet of those lines, with shared `texts` and with cell styles of those `formats`.

    The styles with the numbers in `struck` strike their text through.
    """
    relations = ("worksheet", "worksheets/sheet1.bin"), ("styles", "styles.bin"), ("sharedStrings", "sharedStrings.bin")
    own = {name: 164 + index for index, name in enumerate(formats) if isinstance(name, str)}
    numbers = [name if isinstance(name, int) else own[name] for name in (0, *formats)]
    fonts: list[Record] = [(43, struct.pack("<HH20x", 220, flags)) for flags in (0, 8)]
    styles = [
        *fonts,
        (615, struct.pack("<I", len(own))),
        *((44, struct.pack("<H", code) + wide_string(name)) for name, code in own.items()),
    ]
    styles += [(47, struct.pack("<HH", 0, 99))]  # of a named style, which counts for nothing
    cells = [(47, struct.pack("<HHH10x", 0, code, style in struck)) for style, code in enumerate(numbers)]
    styles += [(617, struct.pack("<I", len(numbers))), *cells, (618, b"")]
    size = struct.pack("<IIII", 0, max(len(lines), 1) - 1, 0, 2)  # what a sheet says of its own size
    sheet = [
        (129, b""),
        (148, size),
        *before,
        (145, b""),
        *(record for records in lines for record in records),
        (146, b""),
        *after,
    ]
    return zip_parts(
        {
            "[Content_Types].xml": b"<Types/>",
            "xl/workbook.bin": _pack(
                [
                    *book,
                    (143, b""),
                    (156, struct.pack("<II", 0, 1) + wide_string("r0") + wide_string("Contacts")),
                    (144, b""),
                    (157, bytes(26)),
                    (132, b""),
                ]
            ),
            "xl/_rels/workbook.bin.rels": (
                '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
                + "".join(
                    f'<Relationship Id="r{index}" Target="{target}" '
                    f'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}"/>'
                    for index, (kind, target) in enumerate(relations)
                )
                + "</Relationships>"
            ).encode(),
            "xl/worksheets/sheet1.bin": _pack(sheet),
            "xl/styles.bin": _pack(styles),
            "xl/sharedStrings.bin": _pack(
                [
                    (159, struct.pack("<II", len(texts), len(texts))),
                    *((19, b"\0" + wide_string(text)) for text in texts),
                    (160, b""),
                ]
            ),
        }
    )


def _pack(records: Sequence[Record]) -> bytes:
    packed = bytearray()
    for code, body in records:
        packed += bytes([code]) if code < 0x80 else bytes([code & 0x7F | 0x80, code >> 7])
        size = len(body)
        while size > 0x7F:
            packed.append(size & 0x7F | 0x80)
            size >>= 7
        packed += bytes([size]) + body
    return bytes(packed)


WRITERS: dict[str, Callable[[Sequence[Sequence[str]]], bytes]] = {
    "csv": lambda rows: text(*map(";".join, rows)),
    "xlsx": lambda rows: sheet(*rows),
    "xls": lambda rows: xls(*rows),
    "xlsb": lambda rows: xlsb(*(row_records(at, *cells) for at, cells in enumerate(rows))),
    "ods": lambda rows: ods(table(*(row(*cells) for cells in rows))),
}
"""Kind of file → a function that writes rows of texts as one."""
