"""Excel workbooks: sheets, headers, hidden and merged cells, damage (spreadsheets.md A.8)."""

import datetime as dt
import io
import zipfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from openpyxl.chart import BarChart, Reference
from openpyxl.worksheet.datavalidation import DataValidation

from contact_sync.errors import ConfigError, SourceError

from .reading import edited, read, saved, sheet, text
from .writing import zipped

HEAD = ["contactId", "Prénom", "Nom", "Ville"]
SHEET = "xl/worksheets/sheet1.xml"


def book(**sheets: list[list[Any]]) -> Any:
    """Return a workbook with those sheets; `_` in a name stands for a space."""
    made: Any = Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        table = made.create_sheet(name.replace("_", " "))
        for row in rows:
            table.append(row)
    return made


def test_a_plain_workbook() -> None:
    """Text comes as it was typed, with the row that Excel shows."""
    reading = read(sheet(HEAD, ["001", "Léa", "N/A", "Paris"], ["002", "null", " x ", None]), "contacts.xlsx")
    assert reading.numbered == [(2, ["001", "Léa", "N/A", "Paris"]), (3, ["002", "null", " x ", ""])]
    assert reading.source.findings == [
        "Sheet “Contacts”, header on row 1.",
        "Columns recognised: contactId, Prénom → firstname, Nom → lastname.",
        "Not sent, copied to the report: Ville.",
    ]
    assert (reading.source.delimiter, reading.source.letters) == (";", ["A", "B", "C", "D"])
    assert not reading.flaws
    assert not reading.source.warnings


SHARED = {
    "several fonts": (b'<r><t>Le</t></r><r><rPr><b/></rPr><t xml:space="preserve">a </t></r>', "Lea "),
    "with their pronunciation": (b"<t>L</t><r><t>ea</t></r><rPh><t>rea</t></rPh>", "Lea"),
    "escaped": (b"<t>_x005F_x0041_ x005F_ _x005f_x005F__x0042_</t>", "_x0041_ x005F_ _x005F_B"),
}


@pytest.mark.parametrize(("inside", "expected"), SHARED.values(), ids=SHARED)
def test_shared_texts(inside: bytes, expected: str) -> None:
    """Texts that cells share, as Excel writes them, come as they were typed."""
    texts = b"<si><t>contactId</t></si><si><t>Nom</t></si><si>%b</si>" % inside
    strings = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">%b</sst>' % texts

    def share(part: bytes) -> bytes:
        for index, inline in enumerate((b"A", b"B", b"C")):
            part = part.replace(b't="inlineStr"><is><t>%b</t></is>' % inline, b't="s"><v>%d</v>' % index)
        return part

    parts = {SHEET: share, "[Content_Types].xml": promise_texts}
    stream = io.BytesIO(edited(sheet(["A", "B"], [1, "C"]), parts))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("xl/sharedStrings.xml", strings)
    assert read(stream.getvalue()).rows == [["1", expected]]


def promise_texts(types: bytes) -> bytes:
    """Return the types of a workbook's parts with shared texts among them."""
    kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    return types.replace(b"</Types>", b'<Override PartName="/xl/sharedStrings.xml" ContentType="%b" /></Types>' % kind)


def test_shared_texts_that_are_not_there() -> None:
    """A workbook that promises shared texts, and has no cell that needs one, is read."""
    assert read(edited(sheet(HEAD, ["1", "a"]), {"[Content_Types].xml": promise_texts})).rows == [["1", "a", "", ""]]


def test_x21_a_table_that_starts_at_c4() -> None:
    """Titles above and blank columns beside a table do not matter."""
    rows: list[list[str | None]] = [
        ["Contacts du CRM"],
        [],
        [],
        [None, None, *HEAD],
        [None, None, "1", "a", "b", "c"],
        [],
        [None, None, "2", "d", "e", "f"],
    ]
    reading = read(sheet(*rows))
    assert reading.source.columns == HEAD
    assert reading.source.letters == ["C", "D", "E", "F"]
    assert reading.numbered == [(5, ["1", "a", "b", "c"]), (7, ["2", "d", "e", "f"])]


def test_a_column_without_a_name() -> None:
    """A column without a name is carried when it holds text, also right of the header."""
    reading = read(sheet(["contactId", None, "Nom", None], ["1", None, "a", None, "rappeler"]))
    assert reading.source.columns == ["contactId", "Nom", ""]
    assert reading.source.letters == ["A", "C", "E"]
    assert reading.rows == [["1", "a", "rappeler"]]
    assert reading.source.findings[-1] == "Not sent, copied to the report: (no name)."


def test_x20_headers_that_are_no_text() -> None:
    """Numbers and dates can be headers of columns that are not sent."""
    source = read(sheet(["contactId", "Nom", 2020, dt.date(2020, 6, 12)], ["1", "a", 5, 6])).source
    assert source.columns == ["contactId", "Nom", "2020", "2020-06-12"]


def test_x23_blank_rows() -> None:
    """Blank rows are left out, whatever was only formatted, and rows far below them are not."""

    def change(table: Any) -> None:
        table["A3000"] = "9"
        table["B4000"] = " "
        table["C9000"].number_format = "0.00"

    reading = read(sheet(HEAD, ["1", "a"], [" ", "\u00a0"], ["2", "b"], change=change))
    assert reading.numbers == [2, 4, 3000]


def test_many_chunks() -> None:
    """Rows keep their numbers over many chunks."""
    reading = read(sheet(HEAD, *([str(n), "a"] for n in range(2500))))
    assert [row[0] for row in reading.rows] == [str(n) for n in range(2500)]
    assert reading.numbers == list(range(2, 2502))


def test_header_only() -> None:
    """A sheet with nothing below its header has no rows."""
    assert read(sheet(HEAD)).rows == []


def test_a_marked_row_of_a_report() -> None:
    """A report saved as a workbook still tells the rows that had too few or too many cells."""
    reading = read(sheet([*HEAD, "sync_row"], ["1", "a", "b", "<?>", 2], ["2", "a", "b", "c", 3]))
    assert reading.flaws == {2: [("cells-moved", "")]}


def test_a_report_saved_as_a_workbook() -> None:
    """A report that was opened in Excel and saved is fed back in like the report itself."""
    reading = read(sheet([*HEAD, "sync_row", "sync_code"], ["1", "'=a", "''b", "c", 2, "x"]))
    assert reading.source.columns == HEAD
    assert reading.rows == [["1", "=a", "'b", "c"]]


def test_x12_the_sheet_with_a_header_is_taken() -> None:
    """Other sheets do not matter, nor those that are hidden."""
    made = book(Lisez_moi=[["Bonjour"]], Liste=[HEAD, ["1", "a"]], Ancienne=[HEAD, ["2", "b"]], Listes=[["Paris"], ["Lyon"]])
    made["Ancienne"].sheet_state = "veryHidden"
    reading = read(saved(made))
    assert reading.rows == [["1", "a", "", ""]]
    assert reading.source.findings[0] == "Sheet “Liste”, header on row 1."


def test_x12d_a_chart_sheet_first() -> None:
    """Chart sheets are no sheets of contacts."""
    made = book(Contacts=[HEAD, ["1", "a"]])
    chart = BarChart()
    chart.add_data(Reference(made["Contacts"], min_col=1, min_row=1, max_row=2))
    made.create_chartsheet("Graphique", 0).add_chart(chart)
    assert read(saved(made)).rows == [["1", "a", "", ""]]


def test_a_sheet_of_dialogs() -> None:
    """What is a sheet of another kind is none of contacts, whatever is in it."""
    made = saved(book(Contacts=[HEAD, ["1", "a"]], Dialogue=[HEAD, ["2", "b"]]))
    kind = {
        "xl/_rels/workbook.xml.rels": lambda part: part.replace(
            b'relationships/worksheet" Target="/xl/worksheets/sheet2', b'relationships/dialogsheet" Target="/xl/worksheets/sheet2'
        )
    }
    assert read(edited(made, kind)).rows == [["1", "a", "", ""]]


def test_the_sheet_that_is_named() -> None:
    """--sheet chooses among several, and may name a hidden one."""
    made = book(Janvier=[HEAD, ["1", "a"]], Février=[HEAD, ["2", "b"]], Mars=[HEAD, ["3", "c"]])
    made["Mars"].sheet_state = "hidden"
    assert read(saved(made), sheet="Février").rows == [["2", "b", "", ""]]
    assert read(saved(made), sheet=" mars ").rows == [["3", "c", "", ""]]


def hidden_only() -> bytes:
    """Return a workbook with no visible sheet, which Excel would not save."""
    return edited(sheet(HEAD, ["1"]), {"xl/workbook.xml": lambda part: part.replace(b'state="visible"', b'state="hidden"')})


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "two sheets": (lambda: saved(book(A=[HEAD], B=[HEAD])), "several sheets of contacts, “A”, “B”: choose one with --sheet"),
    "no header": (
        lambda: sheet(["Nom"], ["a"]),
        "sheet “Contacts”: none of the first 20 rows is a header with a contactId column; row 1 contains “Nom”",
    ),
    "no header on any": (lambda: saved(book(A=[["Nom"]], B=[["x"]])), "none of the sheets “A”, “B” has a header"),
    "X12c empty": (lambda: saved(book(Feuil1=[], Feuil2=[], Feuil3=[])), "contacts.xlsx is empty"),
    "one sheet with text": (lambda: saved(book(Feuil1=[], Feuil2=[["x"]])), "sheet “Feuil2”: none of the first 20 rows"),
    "no visible sheet": (hidden_only, "has no visible sheet"),
    "no column to send": (lambda: sheet(["contactId", "Ville"], ["1", "a"]), "no column to send"),
    "a typo": (
        lambda: sheet(["contactId", "Prénon"], ["1", "a"]),
        'row 1: column B “Prénon” is close to firstname: correct the header, or give --map "Prénon=firstname"',
    ),
    "two of a field": (lambda: sheet(["contactId", "Nom", "nom "], ["1", "a"]), "columns B “Nom” and C “nom” both mean lastname"),
    "X09 merged header": (
        lambda: sheet(HEAD, ["1", "a"], change=lambda table: table.merge_cells("B1:C1")),
        "the header of firstname is merged with other cells",
    ),
    "X15d far right": (
        lambda: sheet(HEAD, ["1"], change=lambda table: table.cell(7, 300, "x")),
        "cell KN7 is far to the right",
    ),
    "X15d the last cell": (
        lambda: sheet(HEAD, ["1"], change=lambda table: table.cell(1_048_576, 16_384, "x")),
        "cell XFD1048576 is far to the right",
    ),
    "X33 NULs": (lambda: sheet(HEAD)[:4] + bytes(5000), "is damaged, or still being copied"),
}


@pytest.mark.parametrize(("content", "sentence"), REFUSED.values(), ids=REFUSED)
def test_refused(content: Callable[[], bytes], sentence: str) -> None:
    """What is not certain is refused with one sentence that says where."""
    with pytest.raises(SourceError) as refusal:
        read(content(), "contacts.xlsx")
    assert sentence in str(refusal.value)


def test_a_table_that_starts_too_far_down() -> None:
    """A sheet whose table starts below the rows that are searched is not called empty."""
    with pytest.raises(SourceError, match=r"contacts.csv is empty in its first 20 rows, where the header must be"):
        read(sheet(*[[]] * 30, HEAD, ["1", "a"]))


def test_a_title_with_a_comma() -> None:
    """A workbook has no lines that could be quoted as one cell."""
    with pytest.raises(SourceError) as refusal:
        read(sheet(["Clients, 2020"], ["1", "a"]))
    assert "quoted" not in str(refusal.value)


def test_a_sheet_that_is_not_there() -> None:
    """--sheet must name a sheet, and the others are told."""
    with pytest.raises(SourceError, match="has no sheet “Liste”, only “Contacts”"):
        read(sheet(HEAD), sheet="Liste")


def test_renames() -> None:
    """--map works on a sheet as in a CSV file."""
    assert read(sheet(["N", "Nom"], ["1", "a"]), renames={"N": "contactId"}).rows == [["1", "a"]]
    with pytest.raises(ConfigError, match="--map names a column"):
        read(sheet(HEAD, ["1"]), renames={"N": "custom1"})


def hide(table: Any) -> None:
    """Hide rows 3 and 4, of which the second is blank, and row 6."""
    table.row_dimensions[3].hidden = True
    table.row_dimensions[4].hidden = True
    table.row_dimensions[6].hidden = True


HIDDEN = sheet(HEAD, ["1", "a"], ["2", "b"], [], ["3", "c"], ["4", "d"], change=hide)


def test_x10_hidden_rows_are_refused() -> None:
    """Hidden and filtered-out rows refuse the workbook, which says how many hold something."""
    with pytest.raises(
        SourceError, match="hidden or filtered-out rows, 2 in all: show them, or choose --hidden include or --hidden skip"
    ):
        read(HIDDEN)


def test_x10_hidden_rows_included() -> None:
    """--hidden include reads hidden rows like others."""
    reading = read(HIDDEN, hidden="include")
    assert (reading.numbers, reading.skipped) == ([2, 3, 5, 6], [])


def test_x10_hidden_rows_skipped() -> None:
    """--hidden skip tells which rows were hidden, and loses none."""
    reading = read(HIDDEN, hidden="skip")
    assert (reading.numbers, reading.skipped) == ([2, 3, 5, 6], [3, 6])


def hide_columns(*letters: str) -> bytes:
    """Return a workbook with hidden columns."""

    def change(table: Any) -> None:
        for letter in letters:
            table.column_dimensions[letter].hidden = True

    return sheet(HEAD, ["1", "a", "b", "c"], change=change)


def test_hidden_columns() -> None:
    """A hidden column of a field refuses the workbook, is sent or is only carried, as --hidden says."""
    with pytest.raises(SourceError, match="the columns of contactId, lastname are hidden"):
        read(hide_columns("A", "C"))
    assert read(hide_columns("A", "C"), hidden="include").source.mapping == {"contactId": 0, "firstname": 1, "lastname": 2}
    skipping = read(hide_columns("A", "C"), hidden="skip").source
    assert skipping.mapping == {"contactId": 0, "firstname": 1}
    assert skipping.findings[-1] == "Not sent, copied to the report: Nom, Ville."
    with pytest.raises(SourceError, match="no column to send"):
        read(hide_columns("B", "C"), hidden="skip")
    assert read(hide_columns("D")).rows == [["1", "a", "b", "c"]]


def test_x09_merged_cells() -> None:
    """Rows with merged cells in a field are flagged; merged titles and other columns do not matter."""

    def change(table: Any) -> None:
        table.merge_cells("A1:D1")
        table.merge_cells("B3:B4")
        table.merge_cells("D4:D5")
        table.merge_cells("A7:D9")

    reading = read(sheet(["Contacts"], HEAD, ["1", "a", "b"], ["2", None, "c"], ["3", "d", "e", "f"], change=change))
    assert reading.numbers == [3, 4, 5]
    assert reading.flaws == {3: [("cell-merged", "firstname")], 4: [("cell-merged", "firstname")]}


def test_x07_formulas_without_a_value() -> None:
    """A formula that was never calculated is flagged in a field, and keeps its row from counting as blank."""
    reading = read(sheet(HEAD, ["1", "=UPPER(D2)", "b", "=A2"], [None, "=B2", None, None], [None, None, None, "=B2"]))
    assert reading.flaws == {2: [("cell-formula", "firstname")], 3: [("cell-formula", "firstname")]}
    assert reading.numbers == [2, 3]


def test_pronunciation_in_a_cell() -> None:
    """How a text in a cell is pronounced is no part of it."""
    phonetic = {SHEET: lambda part: part.replace(b"<is><t>Lea</t></is>", b"<is><t>Lea</t><rPh><t>rea</t></rPh></is>")}
    assert read(edited(sheet(HEAD, ["1", "Lea"]), phonetic)).rows == [["1", "Lea", "", ""]]


def test_formulas_with_a_value() -> None:
    """A formula's value is what Excel calculated last, also when that is nothing."""
    before = sheet(HEAD, ["1", "=a", "=b", "c"])
    values = {
        b'<c r="B2"><f>a</f><v></v></c>': b'<c r="B2" t="str"><f>a</f><v>L\xc3\xa9a</v></c>',
        b'<c r="C2"><f>b</f><v></v></c>': b'<c r="C2" t="str"><f>b</f><v></v></c>',
    }

    def calculated(part: bytes) -> bytes:
        for old, new in values.items():
            assert old in part.replace(b"<v />", b"<v></v>")
            part = part.replace(b"<v />", b"<v></v>").replace(old, new)
        return part

    reading = read(edited(before, {SHEET: calculated}))
    assert reading.rows == [["1", "Léa", "", "c"]]
    assert not reading.flaws


def test_x15b_dimensions_that_lie() -> None:
    """What a program wrote as the size of the sheet is not believed."""
    content = edited(sheet(HEAD, ["1", "a", "b", "c"]), {SHEET: lambda part: part.replace(b'ref="A1:D2"', b'ref="A1"')})
    assert read(content).rows == [["1", "a", "b", "c"]]


def test_x15e_a_space_in_the_last_row() -> None:
    """A stray space a million rows down costs a moment and makes no row."""
    reading = read(sheet(HEAD, ["1", "a"], change=lambda table: table.cell(1_048_576, 1, " ")))
    assert reading.numbers == [2]


def test_x18_strict_open_xml() -> None:
    """The strict kind of .xlsx is named, since openpyxl sees no sheet in it."""
    strict = {
        "xl/workbook.xml": lambda part: part.replace(
            b"http://schemas.openxmlformats.org/spreadsheetml/2006/main", b"http://purl.oclc.org/ooxml/spreadsheetml/main"
        )
    }
    with pytest.raises(SourceError, match="is a Strict Open XML workbook"):
        read(edited(sheet(HEAD), strict))


def test_x44_openpyxl_is_silent(recwarn: pytest.WarningsRecorder) -> None:
    """What openpyxl does not support is no mail to ops."""

    def change(table: Any) -> None:
        validation = DataValidation(type="list", formula1='"a,b"')
        table.add_data_validation(validation)
        table["A2"].number_format = "yyyy-mm-dd"

    extension = b'<extLst><ext uri="{CCE6A557-97BC-4b89-ADB6-D9C93CAAB3DF}"/></extLst></worksheet>'
    content = edited(sheet(HEAD, [9e9, "a"], change=change), {SHEET: lambda part: part.replace(b"</worksheet>", extension)})
    reading = read(content)
    assert reading.flaws == {2: [("cell-error", "contactId")]}
    assert not recwarn.list


BROKEN: dict[str, dict[str, Callable[[bytes], bytes]]] = {
    "a text before the first": {SHEET: lambda part: part.replace(b't="n"><v>5', b't="s"><v>-1')},
    "no XML": {SHEET: lambda part: part[: len(part) // 2]},
    "a text that is not there": {SHEET: lambda part: part.replace(b't="n"><v>5', b't="s"><v>99')},
    "a number that is none": {SHEET: lambda part: part.replace(b"<v>5<", b"<v>x<")},
    "no styles": {"xl/styles.xml": lambda _: b""},
    "not a workbook": {"xl/workbook.xml": lambda _: b"<x/>"},
    "no types": {"[Content_Types].xml": lambda _: b"<x/>"},
    "a format that is not there": {SHEET: lambda part: part.replace(b't="n"><v>5', b's="99"><v>5')},
    "rows that are no numbers": {SHEET: lambda part: part.replace(b'r="2"', b'r="x"')},
}


@pytest.mark.parametrize("parts", BROKEN.values(), ids=BROKEN)
def test_x33_damage(parts: dict[str, Callable[[bytes], bytes]]) -> None:
    """Whatever is broken inside, the workbook is refused as damaged."""
    with pytest.raises(SourceError, match=r"is damaged, or still being copied|has no visible sheet"):
        read(edited(sheet(HEAD, ["1", "a", "b", 5]), parts))


def test_damage_far_down() -> None:
    """Damage that shows only after many chunks is told too."""
    content = sheet(HEAD, *([str(n), "a", "b", n] for n in range(1500)))
    with pytest.raises(SourceError, match="sheet “Contacts” is damaged"):
        read(edited(content, {SHEET: lambda part: part.replace(b"<v>1400<", b"<v>x<")}))


@settings(max_examples=60)
@given(st.data())
def test_any_damage(data: st.DataObject) -> None:
    """A workbook with any bytes changed or cut off is read or refused in a sentence."""
    content = bytearray(PLAIN)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(len(content) // 2, len(content))) :]
    with suppress(SourceError):
        assert read(bytes(content)).source.columns


PLAIN = sheet(HEAD, ["1", "a"])

CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20)


@settings(max_examples=50)
@given(st.lists(st.lists(CELLS | st.sampled_from(["_x0041_", "x005F_", "_x005F_x0041_"]), min_size=4, max_size=4), max_size=5))
def test_any_table_comes_back(rows: list[list[str]]) -> None:
    """Any table of any text comes back the same, and each row with its number."""

    def change(table: Any) -> None:
        for number, row in enumerate(rows, 2):
            for column, cell in enumerate(row, 1):
                # Escaped as Excel does it; and not a formula, not an error.
                table.cell(number, column, cell.replace("_x", "_x005F_x")).data_type = "s"

    expected = [(number, row) for number, row in enumerate(rows, 2) if any(map(str.strip, row))]
    assert read(sheet(HEAD, change=change)).numbered == expected


def test_csv_named_xlsx() -> None:
    """A CSV file under a workbook's name is read for what it is."""
    assert read(text("contactId;nom", "1;a"), "contacts.xlsx").source.delimiter == ";"


def dated(table: Any) -> None:
    """Give the sheet an id with a format of its own and a day."""
    table["A2"], table["D2"] = 7, dt.date(2020, 6, 12)
    table["A2"].number_format = "000000"


ODD_STYLES: dict[str, Callable[[bytes], bytes]] = {
    "a fill": lambda part: part.replace(b"<fill><patternFill /></fill>", b"<fill/>"),
    "a cell style without a name": lambda part: part.replace(b'name="Normal"', b""),
    "a count by another name": lambda part: part.replace(b"<cellStyle ", b'<cellStyle surplus="1" '),
}


@pytest.mark.parametrize("change", ODD_STYLES.values(), ids=ODD_STYLES)
def test_styles_that_openpyxl_does_not_know(change: Callable[[bytes], bytes]) -> None:
    """What cells look like is no reason to refuse a workbook that Excel opens, nor to forget the formats of its numbers."""
    plain = sheet(HEAD, ["", "a", "b"], change=dated)
    odd = edited(plain, {"xl/styles.xml": change})
    assert odd != plain
    assert read(odd).rows == [["000007", "a", "b", "2020-06-12"]]


def test_no_styles_of_cells() -> None:
    """Without any style of a cell, numbers are shown as they are."""
    bare = b'<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><numFmts/></styleSheet>'
    assert read(edited(sheet(HEAD, [1, "a", 12.5]), {"xl/styles.xml": lambda _: bare})).rows == [["1", "a", "12.5", ""]]


@pytest.mark.parametrize("name", ["look.xml", "Styles.xml"])
def test_styles_under_another_name(name: str) -> None:
    """The formats of numbers are found where the workbook says that they are, or but for the case of a letter."""
    with zipfile.ZipFile(io.BytesIO(sheet(HEAD, ["", "a", "b"], change=dated))) as archive:
        parts = {one: archive.read(one) for one in archive.namelist()}
    parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(b"/xl/styles.xml", f"/xl/{name}".encode())
    parts["xl/look.xml" if name == "look.xml" else "xl/styles.xml"] = parts.pop("xl/styles.xml")
    assert read(zipped(parts)).rows == [["000007", "a", "b", "2020-06-12"]]
