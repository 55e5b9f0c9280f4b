"""Sheets and shared strings that are read by regular expressions, compared with what expat makes of them."""

import io
import re
import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import openpyxl
import pytest
import xlsxwriter
from hypothesis import example, given
from hypothesis import strategies as st
from openpyxl.utils.datetime import WINDOWS_EPOCH

from contact_sync.source.cells import BLANK, Cell, TextRow, render
from contact_sync.source.worksheet import SheetMetadata
from contact_sync.source.xlsx import fast
from contact_sync.source.xlsx.parts import WorkbookContext, read_rows
from contact_sync.source.xlsx.scan import scan
from contact_sync.source.xlsx.strings import SharedStrings
from contact_sync.source.xlsx.styles import Styles

pytestmark = pytest.mark.unmeasured

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
TEXTS = ["Zoé", "", "O'Brien & fils", "_x000D_", "  x ", "0612345678", "a" * 300]
STYLES = Styles([0, "dd/mm/yyyy", '"C"000', '"<"@', 14, "h:mm"], frozenset({"4"}))

values = st.sampled_from(
    ["0", "-0", "0.0", "1", "2.5", "1E+3", "44000", "99", "x", "", "true", "#N/A", "Zoé", "_x0041_", "2020-01-02"]
)
styles = st.sampled_from(["", "", ' s="0"', ' s="1"', ' s="2"', ' s="3"', ' s="4"', ' s="5"'])
kinds = st.sampled_from(["", ' t="s"', ' t="n"', ' t="b"', ' t="e"', ' t="str"', ' t="inlineStr"', ' t="d"', ' t="odd"'])
formulas = st.sampled_from(
    ["", "", "", "<f>A1+1</f>", '<f t="shared" ref="A2:A9" si="0">A1</f>', '<f t="shared" si="0"/>', "<f/>"]
)
odd = st.sampled_from(
    [
        "<v>1</v><!-- </row> -->",
        "<v><![CDATA[1]]></v>",
        "<is><r><t>a</t></r><r><t>b</t></r><rPh><t>z</t></rPh></is>",
        "<v>&#65;&amp;</v>",
        "<v>a\r\nb</v>",
        "<v/>",
        "<?pi ?><v>1</v>",
        "<v>]]></v>",
        "<v>1</v><v>2</v>",
        "<v>1</x>",
        "<v>\x01</v>",
        "<f>\U0001f600</f><v>1</v>",
        "<extLst/>",
    ]
)


@st.composite
def cells(draw: st.DrawFn, number: int, column: int) -> str:
    """Draw a cell, mostly as programs write it."""
    place = f"{'ABCDEFGH'[column]}{number}"
    reference = draw(
        st.sampled_from([f' r="{place}"'] * 100 + ["", f' r="B{number}"', f' r="A{number + 1}"', f' r="IW{number}"'])
    )
    style, kind = draw(styles), draw(kinds)
    if not draw(st.integers(0, 4)):
        return f"<c{reference}{style}{draw(st.sampled_from(['/>', ' />', '></c>']))}"
    value = draw(st.sampled_from("0123456")) if kind == ' t="s"' and draw(st.integers(0, 30)) else draw(values)
    content = f"{draw(formulas)}<v>{value}</v>"
    if "inlineStr" in kind:
        space = draw(st.sampled_from(["", ' xml:space="preserve"']))
        content = f"<is><t{space}>{draw(values)}</t></is>"
    if not draw(st.integers(0, 100)):
        content = draw(odd)
    return f"<c{reference}{style}{kind}>{content}</c>"


@st.composite
def sheets(draw: st.DrawFn) -> str:
    """Draw the XML of a sheet whose rows are alike and have exceptions."""
    rows = []
    number = 0
    for _ in range(draw(st.integers(0, 5))):
        wanted = draw(st.lists(st.integers(0, 7), min_size=1, max_size=4, unique=True).map(sorted))
        shape = [
            draw(cells(1, column)).replace('1" ', '{row}" ').replace('1"/', '{row}"/').replace('1">', '{row}">')
            for column in wanted
        ]
        attributes = draw(st.sampled_from(["", ' spans="1:8"', ' ht="0" customHeight="1"', ' hidden="1"', ' ht="15" x:a="é"']))
        for _ in range(draw(st.integers(1, 6))):
            number += draw(st.sampled_from([1] * 60 + [2] * 9 + [0, 1_048_576]))
            inside = "".join(shape).replace("{row}", str(number))
            if not draw(st.integers(0, 6)):
                inside = "".join(draw(cells(number, column)) for column in wanted)
            reference = draw(st.sampled_from([f' r="{number}"'] * 100 + ["", f' r="{number}.0"']))
            rows.append(f"<row{reference}{attributes}>{inside}</row>" if inside else f"<row{reference}{attributes}/>")
            rows.append(draw(st.sampled_from([""] * 100 + ["\n", "<!-- c -->", "<row/>", "</row>"])))
    columns = draw(st.sampled_from(["", '<cols><col min="2" max="3" width="9" hidden="1"/></cols>']))
    after = draw(
        st.sampled_from(['<mergeCells count="1"><mergeCell ref="A2:B3"/></mergeCells>'] * 30 + ["<broken>", "<row>", "x"])
    )
    start = draw(
        st.sampled_from([f"<worksheet {MAIN}"] * 6 + [f'<?xml version="1.0"?>\n<worksheet xmlns:a="b" {MAIN}', "<worksheet"])
    )
    return f'{start} xmlns:x="y">{columns}<sheetData>{"".join(rows)}</sheetData>{after}</worksheet>'


@contextmanager
def by_expat() -> Iterator[None]:
    """Recognise no sheet and no strings, so that expat reads them."""
    with patch.object(fast, "_HEAD", re.compile(rb"(?!)")), patch.object(fast, "_STRINGS_HEAD", re.compile(rb"(?!)")):
        yield


def attempted(call: Callable[[], Any]) -> Any:
    """Return what a call returns, or the class of what it raises, with the sentence where operators see it."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - they are compared
        return type(error).__name__, str(error) if type(error).__name__ == "SourceError" else ""


def rows_of(xml: bytes, width: int, *, is_calculated: bool) -> list[tuple[int, list[Cell], list[str]]]:
    """Return the rows with text, as cells and as they are shown."""
    strings = SharedStrings()
    strings.take(TEXTS)
    context = WorkbookContext(strings, STYLES, WINDOWS_EPOCH, is_calculated=is_calculated)
    found = []
    for number, row in read_rows(io.BytesIO(xml), context, width):
        shown = [BLANK if cell == Cell("") else cell for cell in (row.cells() if isinstance(row, TextRow) else row)]
        if any(cell != BLANK for cell in shown):
            texts = row.texts if isinstance(row, TextRow) else map(render, row)
            others = row.others if isinstance(row, TextRow) else {}
            found.append((number, shown, [render(others[at]) if at in others else text for at, text in enumerate(texts)]))
    return found


def metadata_of(xml: bytes) -> tuple[object, ...]:
    """Return what a scan finds, for fields in columns A and C and a header in row 2."""
    found = SheetMetadata("here", {1, 3}, 2)
    scan(io.BytesIO(xml), found)
    merged = {column: _places_of_ones(rows) for column, rows in found.merged.items()}
    return found.used, found.hidden_columns, _places_of_ones(found.hidden_rows), merged


def _places_of_ones(flags: bytearray) -> list[int]:
    """Return the rows with a flag; there are a million."""
    return [one.start() for one in re.finditer(b"\1", flags)]


def compare(xml: bytes, width: int = 5, *, is_calculated: bool = True) -> None:
    """Fail when the two ways differ in a cell, in what a scan finds, or in what they raise."""
    ways = []
    for way in (patch.object(fast, "_TRIED", 4), by_expat()):
        with way:
            ways.append(
                (attempted(lambda: rows_of(xml, width, is_calculated=is_calculated)), attempted(lambda: metadata_of(xml)))
            )
    assert ways[0] == ways[1]


@given(sheets(), st.sampled_from([64, 200, 1 << 16]), st.sampled_from([0, 3]), st.sampled_from([2, 5, 256]), st.booleans())
@example(f'<worksheet {MAIN}><sheetData><row r="1"><c r="A1" t="s"><v>1</v></c></row></sheetData></worksheet>', 64, 0, 2, True)
def test_any_sheet(xml: str, block: int, frequent: int, width: int, is_calculated: bool) -> None:
    """Whatever a sheet contains, both ways find the same cells, and refuse the same sheets."""
    with patch.object(fast, "_BLOCK", block), patch.object(fast, "_FREQUENT", frequent):
        compare(xml.encode(), width, is_calculated=is_calculated)


ONE, TWO = '<c r="A2"><v>1</v></c>', '<c r="B2" t="s"><v>1</v></c>'


@pytest.mark.parametrize(
    "rows",
    [
        f'<row r="2">{TWO}{ONE}</row>',
        f'<row r="2">{ONE}{ONE}</row>',
        f'<row r="3">{ONE}{TWO}</row>',
        f'<row r="2">{ONE}{TWO}</row><row r="1">{ONE}</row>',
        f'<row r="2">{ONE}</row><row>{ONE.replace("A2", "A3")}</row>',
        f'<row r="2">{ONE}</row><row><c><v>5</v></c></row>',
        f'<row r="2" ht="0">{ONE}</row>',
        f'<row r="2" hidden="true">{ONE}</row>',
        f'<row r="2">{ONE}<!-- </row> -->{TWO}</row>',
        f'<row r="2">{ONE}<c r="B2"><v></v></c><c r="C2"/><c r="D2" t="s"><v>3</v></c></row>',
        '<row r="2"><c r="A2" s="3" t="s"><v>0</v></c><c r="B2" s="4" t="s"><v>0</v></c></row>',
        '<row r="2"><c r="A2" t="inlineStr"><v>7</v></c><c r="B2"><is><t>x</t></is></c></row>',
        '<row r="2"><c r="A2" t="str"><f>B1</f><v></v></c><c r="B2"><f>B1</f><v>0</v></c><c r="C2"><f>B1</f></c></row>',
        '<row r="2"><c r="A2" t="s"><v>99</v></c></row>',
        '<row r="2"><c r="A2" t="s"><v>-1</v></c></row>',
        '<row r="2"><c r="XFE2"><v>1</v></c></row>',
        '<row r="2"><c r="A2" t="str"><v>a&#10;b</v></c></row>',
        '<row r="1048577"/>',
        '<row r="2"><c r="A2" t="str"><v>_x0041_</v></c><c r="B2" t="str"><f>B1</f><v>_x0041_</v></c></row>',
    ],
)
@pytest.mark.parametrize(("frequent", "block"), [(0, 1 << 16), (3, 1 << 16), (0, 150), (0, 70)])
def test_sheets_that_need_care(rows: str, frequent: int, block: int) -> None:
    """Rows and cells out of order, without a reference, without a value or with a strange one are read alike."""
    after = '<row r="4"><c r="A4" t="s"><v>0</v></c></row>'
    for is_calculated in (True, False):
        with patch.object(fast, "_FREQUENT", frequent), patch.object(fast, "_BLOCK", block):
            compare(f"<worksheet {MAIN}><sheetData>{rows}{after}</sheetData></worksheet>".encode(), is_calculated=is_calculated)


@given(
    st.lists(
        st.sampled_from(
            [
                "<si><t>Zoé</t></si>",
                '<si><t xml:space="preserve"> x </t></si>',
                "<si/>",
                "<si><t/></si>",
                "<si><t>a&amp;b</t></si>",
                "<si><r><t>a</t></r><r><t>b</t></r></si>",
                "<si><t>z</t><rPh><t>y</t></rPh></si>",
                "<!-- <si> -->",
                "\n",
                "<si><t>a\r\nb</t></si>",
                "<si><t>\U0001f600</t></si>",
                "</si>",
                "<t>c</t>",
            ]
        ),
        max_size=20,
    ),
    st.sampled_from([40, 1 << 16]),
)
def test_any_strings(strings: list[str], block: int) -> None:
    """Whatever the shared strings contain, both ways find the same."""
    xml = f"<sst {MAIN} count='9'>{''.join(strings)}</sst>".encode()

    def found() -> list[str]:
        shared = SharedStrings()
        fast.parse_strings(io.BytesIO(xml), shared)
        return [text for index in range(len(strings)) if isinstance(text := attempted(partial(shared.__getitem__, index)), str)]

    with patch.object(fast, "_BLOCK", block):
        one = attempted(found)
        with by_expat():
            assert attempted(found) == one


def parsed_bytes(part: bytes, parse: Callable[[io.BytesIO], object]) -> int:
    """Return the number of bytes of a part that expat gets, of a sheet or of shared strings."""
    parsed: list[int] = []

    def count(pieces: Iterable[bytes], _handler: object) -> Iterator[None]:
        parsed.append(sum(map(len, pieces)))
        yield

    with patch.object(fast, "parse_pieces", count):
        parse(io.BytesIO(part))
    return sum(parsed)


def parsed_of_sheet(part: bytes) -> int:
    """Return the number of bytes of a sheet that expat gets."""
    return parsed_bytes(part, lambda file: deque(fast.parse_rows(file, _Ignored()), 0))


def test_most_rows_need_no_parser() -> None:
    """One strange row in an ordinary sheet costs a block at most."""
    cells_of = '<c r="A{0}" s="1"><v>{0}</v></c><c r="B{0}" t="s"><v>0</v></c><c r="C{0}"/>'
    rows = [f'<row r="{n}" spans="1:3">{cells_of.format(n)}</row>' for n in range(1, 3000)]
    rows[1500] = '<row r="1501"><c r="A1501" t="inlineStr"><is><r><t>a</t></r></is></c></row>'
    xml = f"<worksheet {MAIN}><sheetData>{''.join(rows)}</sheetData></worksheet>".encode()
    assert parsed_of_sheet(xml) < 2 * fast._BLOCK
    compare(xml)


ROWS: list[list[object]] = [
    ["contactId", "Prénom", "Naissance", "Points"],
    *([f"C{n}", "Zoé", date(1980, 1, 1 + n % 28), n] for n in range(4000)),
]


def by_openpyxl(path: Path, *, write_only: bool) -> None:
    """Write the rows with openpyxl."""
    book = openpyxl.Workbook(write_only=write_only)
    sheet = book.create_sheet("Contacts") if write_only else book["Sheet"]
    for number, row in enumerate(ROWS):
        cells: list[object] = [*row, None if number % 3 else "x"]
        sheet.append(cells)
    book.save(path)


def by_xlsxwriter(path: Path) -> None:
    """Write the rows with XlsxWriter."""
    with xlsxwriter.Workbook(path, {"default_date_format": "dd/mm/yyyy"}) as book:
        sheet = book.add_worksheet("Contacts")
        for number, row in enumerate(ROWS):
            sheet.write_row(number, 0, row)


@pytest.mark.parametrize(
    "write",
    [partial(by_openpyxl, write_only=False), partial(by_openpyxl, write_only=True), by_xlsxwriter],
    ids=["openpyxl", "write-only", "XlsxWriter"],
)
def test_usual_workbooks_need_no_parser(tmp_path: Path, write: Callable[[Path], None]) -> None:
    """Of sheets and shared strings as libraries write them, expat gets only what is around the rows."""
    write(tmp_path / "book.xlsx")
    with zipfile.ZipFile(tmp_path / "book.xlsx") as archive:
        part = archive.read("xl/worksheets/sheet1.xml")
        assert parsed_of_sheet(part) < 2000 < len(part)
        compare(part)
        if "xl/sharedStrings.xml" in archive.namelist():
            strings = archive.read("xl/sharedStrings.xml")
            assert parsed_bytes(strings, lambda file: fast.parse_strings(file, _Ignored())) < 500 < len(strings)


class _Ignored:
    number = 0

    def take(self, *_: object) -> None:
        """Do nothing."""

    start = text = end = take


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_other_encodings(encoding: str) -> None:
    """A sheet in another encoding, or with a byte order mark, is read all the same."""
    declared = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>'
    row = '<row r="1"><c r="A1" t="str"><v>Zoé</v></c></row>'
    compare(f"{declared}<worksheet {MAIN}><sheetData>{row}</sheetData></worksheet>".encode(encoding))
