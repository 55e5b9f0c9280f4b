"""Excel workbooks: sheets, headers, hidden and merged cells, damage (spreadsheets.md A.8)."""

import datetime as dt
import io
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from openpyxl.chart import BarChart, Reference
from openpyxl.worksheet.datavalidation import DataValidation

from contact_sync.errors import ConfigError, SourceError
from contact_sync.source import SourceOptions, open_source
from contact_sync.source.xlsx import strings

from .reading import book_bytes, edit_parts, read, sheet, text, unzip, zip_parts

HEAD = ["contactId", "Prénom", "Nom", "Ville"]
SHEET = "xl/worksheets/sheet1.xml"
BOOK = "xl/workbook.xml"


def saved_by_excel(part: bytes) -> bytes:
    """Return a `workbook.xml` that does not ask for the calculation of formulas, as openpyxl has it do."""
    assert b' fullCalcOnLoad="1"' in part
    return part.replace(b' fullCalcOnLoad="1"', b"")


def build_book(**sheets: list[list[Any]]) -> Any:
    """Return a workbook with these sheets; `_` in a name becomes a space."""
    made: Any = Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        table = made.create_sheet(name.replace("_", " "))
        for row in rows:
            table.append(row)
    return made


def test_plain_workbook() -> None:
    """Text is read as it was typed, with the row number that Excel shows."""
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
    "with a phonetic reading": (b"<t>L</t><r><t>ea</t></r><rPh><t>rea</t></rPh>", "Lea"),
    "escaped": (b"<t>_x005F_x0041_ x005F_ _x005f_x005F__x0042_</t>", "_x0041_ x005F_ _x005F_B"),
}


@pytest.mark.parametrize(("inside", "expected"), SHARED.values(), ids=SHARED)
def test_shared_strings(inside: bytes, expected: str) -> None:
    """Strings that cells share, as Excel writes them, are read as they were typed."""
    texts = b"<si><t>contactId</t></si><si><t>Nom</t></si><si>%b</si>" % inside
    strings = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">%b</sst>' % texts

    def share(part: bytes) -> bytes:
        for index, inline in enumerate((b"A", b"B", b"C")):
            part = part.replace(b't="inlineStr"><is><t>%b</t></is>' % inline, b't="s"><v>%d</v>' % index)
        return part

    parts = {SHEET: share, "[Content_Types].xml": declare_strings}
    stream = io.BytesIO(edit_parts(sheet(["A", "B"], [1, "C"]), parts))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("xl/sharedStrings.xml", strings)
    assert read(stream.getvalue()).rows == [["1", expected]]


def declare_strings(types: bytes) -> bytes:
    """Return the content types of a workbook with shared strings among them."""
    kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    return types.replace(b"</Types>", b'<Override PartName="/xl/sharedStrings.xml" ContentType="%b" /></Types>' % kind)


def test_missing_shared_strings_are_accepted_when_unused() -> None:
    """Declared but missing shared strings do not matter when no cell uses one."""
    assert read(edit_parts(sheet(HEAD, ["1", "a"]), {"[Content_Types].xml": declare_strings})).rows == [["1", "a", "", ""]]


def test_x21_table_may_start_at_c4() -> None:
    """Titles above the table and blank columns to its left are skipped."""
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


def test_unnamed_column_with_text_is_copied() -> None:
    """A column without a name is copied when it contains text, also right of the header."""
    reading = read(sheet(["contactId", None, "Nom", None], ["1", None, "a", None, "rappeler"]))
    assert reading.source.columns == ["contactId", "Nom", ""]
    assert reading.source.letters == ["A", "C", "E"]
    assert reading.rows == [["1", "a", "rappeler"]]
    assert reading.source.findings[-1] == "Not sent, copied to the report: (no name)."


def test_x20_headers_may_be_numbers_and_dates() -> None:
    """Numbers and dates may be headers of columns that are not sent."""
    source = read(sheet(["contactId", "Nom", 2020, dt.date(2020, 6, 12)], ["1", "a", 5, 6])).source
    assert source.columns == ["contactId", "Nom", "2020", "2020-06-12"]


def test_x23_blank_rows_are_left_out() -> None:
    """Blank and only formatted rows are left out; rows far below them are read."""

    def change(table: Any) -> None:
        table["A3000"] = "9"
        table["B4000"] = " "
        table["C9000"].number_format = "0.00"

    reading = read(sheet(HEAD, ["1", "a"], [" ", "\u00a0"], ["2", "b"], change=change))
    assert reading.numbers == [2, 4, 3000]


def test_chunks_keep_row_numbers() -> None:
    """Rows keep their numbers across chunks."""
    reading = read(sheet(HEAD, *([str(n), "a"] for n in range(2500))))
    assert [row[0] for row in reading.rows] == [str(n) for n in range(2500)]
    assert reading.numbers == list(range(2, 2502))


def test_sheet_without_rows() -> None:
    """A sheet with only a header has no rows."""
    assert read(sheet(HEAD)).rows == []


def test_ragged_row_stays_flagged_in_a_report() -> None:
    """In a report saved as a workbook, rows that had too few or too many cells stay flagged."""
    reading = read(sheet([*HEAD, "sync_row"], ["1", "a", "b", "<?>", 2], ["2", "a", "b", "c", 3]))
    assert reading.flaws == {2: [("cells-moved", "")]}


def test_report_saved_as_a_workbook_is_unescaped() -> None:
    """A report that was saved as a workbook in Excel is read like the report itself."""
    reading = read(sheet([*HEAD, "sync_row", "sync_code"], ["1", "'=a", "''b", "c", 2, "x"]))
    assert reading.source.columns == HEAD
    assert reading.rows == [["1", "=a", "'b", "c"]]


def test_x12_sheet_with_a_header_is_chosen() -> None:
    """Sheets without a header and hidden sheets are ignored."""
    made = build_book(
        Lisez_moi=[["Bonjour"]], Liste=[HEAD, ["1", "a"]], Ancienne=[HEAD, ["2", "b"]], Listes=[["Paris"], ["Lyon"]]
    )
    made["Ancienne"].sheet_state = "veryHidden"
    reading = read(book_bytes(made))
    assert reading.rows == [["1", "a", "", ""]]
    assert reading.source.findings[0] == "Sheet “Liste”, header on row 1."


def test_x12d_chart_sheet_is_ignored() -> None:
    """A chart sheet is not a sheet of contacts."""
    made = build_book(Contacts=[HEAD, ["1", "a"]])
    chart = BarChart()
    chart.add_data(Reference(made["Contacts"], min_col=1, min_row=1, max_row=2))
    made.create_chartsheet("Graphique", 0).add_chart(chart)
    assert read(book_bytes(made)).rows == [["1", "a", "", ""]]


def test_dialog_sheet_is_ignored() -> None:
    """A sheet that is not a worksheet is ignored, even with a header."""
    made = book_bytes(build_book(Contacts=[HEAD, ["1", "a"]], Dialogue=[HEAD, ["2", "b"]]))
    kind = {
        "xl/_rels/workbook.xml.rels": lambda part: part.replace(
            b'relationships/worksheet" Target="/xl/worksheets/sheet2', b'relationships/dialogsheet" Target="/xl/worksheets/sheet2'
        )
    }
    assert read(edit_parts(made, kind)).rows == [["1", "a", "", ""]]


def test_configured_sheet_is_chosen() -> None:
    """--sheet chooses among several, and may name a hidden one."""
    made = build_book(Janvier=[HEAD, ["1", "a"]], Février=[HEAD, ["2", "b"]], Mars=[HEAD, ["3", "c"]])
    made["Mars"].sheet_state = "hidden"
    assert read(book_bytes(made), sheet="Février").rows == [["2", "b", "", ""]]
    assert read(book_bytes(made), sheet=" mars ").rows == [["3", "c", "", ""]]


def with_hidden_contacts() -> Any:
    """Return a workbook whose sheet of contacts is hidden behind a cover."""
    made = build_book(Accueil=[["Bonjour"]], Contacts=[HEAD, ["1", "a"]])
    made["Contacts"].sheet_state = "hidden"
    return made


def with_hidden_sheet_only() -> bytes:
    """Return a workbook with no visible sheet, which Excel would not save."""
    return edit_parts(sheet(HEAD, ["1"]), {"xl/workbook.xml": lambda part: part.replace(b'state="visible"', b'state="hidden"')})


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "two sheets of contacts": (
        lambda: book_bytes(build_book(A=[HEAD], B=[HEAD])),
        "several sheets of contacts, “A”, “B”: choose one with --sheet",
    ),
    "no header": (
        lambda: sheet(["Nom"], ["a"]),
        "sheet “Contacts”: none of the first 20 rows is a header with a contactId column; row 1 contains lastname.",
    ),
    "no header on any sheet": (
        lambda: book_bytes(build_book(A=[["Nom"]], B=[["x"]])),
        "none of the sheets “A”, “B” has a header",
    ),
    "X12c empty sheets": (lambda: book_bytes(build_book(Feuil1=[], Feuil2=[], Feuil3=[])), "contacts.xlsx is empty"),
    "one sheet with text": (
        lambda: book_bytes(build_book(Feuil1=[], Feuil2=[["x"]])),
        "sheet “Feuil2”: none of the first 20 rows",
    ),
    "contacts on a hidden sheet": (
        lambda: book_bytes(with_hidden_contacts()),
        "the contacts are on a hidden sheet, “Contacts”: show it, or choose it with --sheet",
    ),
    "no visible sheet": (with_hidden_sheet_only, "has no visible sheet"),
    "no column to send": (lambda: sheet(["contactId", "Ville"], ["1", "a"]), "no column to send"),
    "a typo": (
        lambda: sheet(["contactId", "Prénon"], ["1", "a"]),
        'row 1: column B “Prénon” is close to firstname: correct the header, or give --map "Prénon=firstname"',
    ),
    "two columns of one field": (
        lambda: sheet(["contactId", "Nom", "nom "], ["1", "a"]),
        "columns B “Nom” and C “nom” both mean lastname",
    ),
    "X09 merged header": (
        lambda: sheet(HEAD, ["1", "a"], change=lambda table: table.merge_cells("B1:C1")),
        "the header of “Prénom” is merged with other cells: unmerge it, and write the names of all columns in this row",
    ),
    "X15d a cell far to the right": (
        lambda: sheet(HEAD, ["1"], change=lambda table: table.cell(7, 300, "x")),
        "cell KN7 is far to the right",
    ),
    "X15d a cell in the last column": (
        lambda: sheet(HEAD, ["1"], change=lambda table: table.cell(1_048_576, 16_384, "x")),
        "cell XFD1048576 is far to the right",
    ),
    "X33 NULs instead of parts": (lambda: sheet(HEAD)[:4] + bytes(5000), "is damaged, or still being copied"),
}


@pytest.mark.parametrize(("content", "sentence"), REFUSED.values(), ids=REFUSED)
def test_ambiguous_workbook_is_refused(content: Callable[[], bytes], sentence: str) -> None:
    """A workbook that cannot be read with certainty is refused with one sentence that says where."""
    with pytest.raises(SourceError) as refusal:
        read(content(), "contacts.xlsx")
    assert sentence in str(refusal.value)


def test_header_too_far_down_is_refused() -> None:
    """A table that starts below the searched rows is refused with the number of searched rows."""
    with pytest.raises(SourceError, match=r"contacts.csv is empty in its first 20 rows, where the header must be"):
        read(sheet(*[[]] * 30, HEAD, ["1", "a"]))


def test_title_with_a_comma_is_not_a_quoted_line() -> None:
    """The advice on quoted lines is only for text files."""
    with pytest.raises(SourceError) as refusal:
        read(sheet(["Clients, 2020"], ["1", "a"]))
    assert "quoted" not in str(refusal.value)


def test_unknown_sheet_is_refused() -> None:
    """--sheet must name an existing sheet; the refusal lists them."""
    with pytest.raises(SourceError, match="has no sheet “Liste”, only “Contacts”"):
        read(sheet(HEAD), sheet="Liste")


def test_renames() -> None:
    """--map works as in a CSV file."""
    assert read(sheet(["N", "Nom"], ["1", "a"]), renames={"N": "contactId"}).rows == [["1", "a"]]
    with pytest.raises(ConfigError, match="--map names a column"):
        read(sheet(HEAD, ["1"]), renames={"N": "custom1"})


def hide_rows(table: Any) -> None:
    """Hide rows 3 and 4, of which the second is blank, and row 6."""
    table.row_dimensions[3].hidden = True
    table.row_dimensions[4].hidden = True
    table.row_dimensions[6].hidden = True


HIDDEN = sheet(HEAD, ["1", "a"], ["2", "b"], [], ["3", "c"], ["4", "d"], change=hide_rows)


def test_x10_hidden_rows_are_refused() -> None:
    """Hidden and filtered-out rows that have content are flagged, so that the workbook is refused."""
    reading = read(HIDDEN)
    assert reading.source.hidden == [3, 6]
    assert reading.flaws == {3: [("row-hidden", "")], 6: [("row-hidden", "")]}


def test_x10_hidden_rows_are_included() -> None:
    """--hidden include reads hidden rows like others."""
    reading = read(HIDDEN, hidden="include")
    assert (reading.numbers, reading.skipped) == ([2, 3, 5, 6], [])


def test_x10_hidden_rows_are_skipped() -> None:
    """--hidden skip marks the hidden rows as skipped, and loses none."""
    reading = read(HIDDEN, hidden="skip")
    assert (reading.numbers, reading.skipped) == ([2, 3, 5, 6], [3, 6])


def with_hidden_columns(*letters: str) -> bytes:
    """Return a workbook with hidden columns."""

    def change(table: Any) -> None:
        for letter in letters:
            table.column_dimensions[letter].hidden = True

    return sheet(HEAD, ["1", "a", "b", "c"], change=change)


def test_column_without_width() -> None:
    """A column of a field too narrow to show anything is hidden."""

    def change(table: Any) -> None:
        table.column_dimensions["B"].width = 0.4
        table.column_dimensions["C"].width = 0.6

    assert read(sheet(HEAD, ["1", "a", "b"], change=change), hidden="skip").source.mapping == {"contactId": 0, "lastname": 2}


def test_hidden_columns() -> None:
    """A hidden column of a field refuses the workbook, is sent, or is only copied, by --hidden."""
    with pytest.raises(SourceError, match="the columns of “contactId”, “Nom” are hidden"):
        read(with_hidden_columns("A", "C"))
    assert read(with_hidden_columns("A", "C"), hidden="include").source.mapping == {"contactId": 0, "firstname": 1, "lastname": 2}
    skipping = read(with_hidden_columns("A", "C"), hidden="skip").source
    assert skipping.mapping == {"contactId": 0, "firstname": 1}
    assert skipping.findings[-1] == "Not sent, copied to the report: Nom, Ville."
    with pytest.raises(SourceError, match="no column to send"):
        read(with_hidden_columns("B", "C"), hidden="skip")
    assert read(with_hidden_columns("D")).rows == [["1", "a", "b", "c"]]


def test_x09_merged_cells_are_flagged() -> None:
    """Rows with merged cells in a field are flagged; merged titles and other columns are accepted."""

    def change(table: Any) -> None:
        table.merge_cells("A1:D1")
        table.merge_cells("B3:B4")
        table.merge_cells("D4:D5")
        table.merge_cells("A7:D9")

    reading = read(sheet(["Contacts"], HEAD, ["1", "a", "b"], ["2", None, "c"], ["3", "d", "e", "f"], change=change))
    assert reading.numbers == [3, 4, 5]
    assert reading.flaws == {3: [("cell-merged", "firstname")], 4: [("cell-merged", "firstname")]}


def test_x07_uncalculated_formula_is_flagged() -> None:
    """A formula that was never calculated is flagged in a field, and its row is not blank."""
    reading = read(sheet(HEAD, ["1", "=UPPER(D2)", "b", "=A2"], [None, "=B2", None, None], [None, None, None, "=B2"]))
    assert reading.flaws == {2: [("cell-formula", "firstname")], 3: [("cell-formula", "firstname")]}
    assert reading.numbers == [2, 3]


def test_phonetic_reading_is_left_out() -> None:
    """The phonetic reading of a text is not part of it."""
    phonetic = {SHEET: lambda part: part.replace(b"<is><t>Lea</t></is>", b"<is><t>Lea</t><rPh><t>rea</t></rPh></is>")}
    assert read(edit_parts(sheet(HEAD, ["1", "Lea"]), phonetic)).rows == [["1", "Lea", "", ""]]


def test_value_of_a_formula_is_read() -> None:
    """The value of a formula is Excel's last result, also when that is empty."""
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

    assert read(edit_parts(before, {SHEET: calculated})).flaws == {2: [("cell-formula", "lastname")]}
    reading = read(edit_parts(before, {SHEET: calculated, BOOK: saved_by_excel}))
    assert reading.rows == [["1", "Léa", "", "c"]]
    assert not reading.flaws


def test_x15b_wrong_dimension_is_ignored() -> None:
    """The size of the sheet in the file is ignored."""
    content = edit_parts(sheet(HEAD, ["1", "a", "b", "c"]), {SHEET: lambda part: part.replace(b'ref="A1:D2"', b'ref="A1"')})
    assert read(content).rows == [["1", "a", "b", "c"]]


def test_x15e_space_in_the_last_row_is_ignored() -> None:
    """A stray space a million rows down is cheap and not a row."""
    reading = read(sheet(HEAD, ["1", "a"], change=lambda table: table.cell(1_048_576, 1, " ")))
    assert reading.numbers == [2]


def test_x18_strict_open_xml_is_refused() -> None:
    """A Strict Open XML workbook is refused by name, since openpyxl finds no sheet in it."""
    strict = {
        "xl/workbook.xml": lambda part: part.replace(
            b"http://schemas.openxmlformats.org/spreadsheetml/2006/main", b"http://purl.oclc.org/ooxml/spreadsheetml/main"
        )
    }
    with pytest.raises(SourceError, match="is a Strict Open XML workbook"):
        read(edit_parts(sheet(HEAD), strict))


def test_x44_warnings_of_openpyxl_are_silenced(recwarn: pytest.WarningsRecorder) -> None:
    """Features that openpyxl does not support cause no output, and so no mail from cron."""

    def change(table: Any) -> None:
        validation = DataValidation(type="list", formula1='"a,b"')
        table.add_data_validation(validation)
        table["A2"].number_format = "yyyy-mm-dd"

    extension = b'<extLst><ext uri="{CCE6A557-97BC-4b89-ADB6-D9C93CAAB3DF}"/></extLst></worksheet>'
    content = edit_parts(sheet(HEAD, [9e9, "a"], change=change), {SHEET: lambda part: part.replace(b"</worksheet>", extension)})
    reading = read(content)
    assert reading.flaws == {2: [("cell-error", "contactId")]}
    assert not recwarn.list


BROKEN: dict[str, dict[str, Callable[[bytes], bytes]]] = {
    "a negative string number": {SHEET: lambda part: part.replace(b't="n"><v>5', b't="s"><v>-1')},
    "broken XML": {SHEET: lambda part: part[: len(part) // 2]},
    "a string that does not exist": {SHEET: lambda part: part.replace(b't="n"><v>5', b't="s"><v>99')},
    "an empty styles part": {"xl/styles.xml": lambda _: b""},
    "not a workbook": {"xl/workbook.xml": lambda _: b"<x/>"},
    "invalid content types": {"[Content_Types].xml": lambda _: b"<x/>"},
    "a style that does not exist": {SHEET: lambda part: part.replace(b't="n"><v>5', b's="99"><v>5')},
    "an invalid row number": {SHEET: lambda part: part.replace(b'r="2"', b'r="x"')},
}


@pytest.mark.parametrize("parts", BROKEN.values(), ids=BROKEN)
def test_x33_damage_is_refused(parts: dict[str, Callable[[bytes], bytes]]) -> None:
    """A workbook that is damaged inside is refused as damaged."""
    with pytest.raises(SourceError, match=r"is damaged, or still being copied|has no visible sheet"):
        read(edit_parts(sheet(HEAD, ["1", "a", "b", 5]), parts))


@pytest.mark.parametrize("value", [b't="d"><v>9999-99-99<', b't="n"><v>x<', b't="b"><v>maybe<'])
def test_invalid_value_is_flagged(value: bytes) -> None:
    """A value that is none of its kind is flagged, and refuses no file."""
    parts = {SHEET: lambda part: part.replace(b't="n"><v>5<', value)}
    assert read(edit_parts(sheet(["contactId", "nom", "date"], ["1", "a", 5]), parts)).flaws == {2: [("cell-error", "date")]}


def test_damage_far_down_is_refused() -> None:
    """Damage that is found only after many chunks is refused too."""
    content = sheet(HEAD, *([str(n), "a", "b", n] for n in range(1500)))
    with pytest.raises(SourceError, match="sheet “Contacts” is damaged"):
        read(edit_parts(content, {SHEET: lambda part: part.replace(b't="n"><v>1400<', b't="s"><v>99999<')}))


@settings(max_examples=60)
@given(st.data())
def test_any_damage_is_read_or_refused(data: st.DataObject) -> None:
    """A workbook with changed bytes, or truncated, is read or refused in a sentence."""
    content = bytearray(PLAIN)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(len(content) // 2, len(content))) :]
    with suppress(SourceError):
        assert read(bytes(content)).source.columns


PLAIN = sheet(HEAD, ["1", "a"])

CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20)


@pytest.mark.unmeasured
@settings(max_examples=50)
@given(st.lists(st.lists(CELLS | st.sampled_from(["_x0041_", "x005F_", "_x005F_x0041_"]), min_size=4, max_size=4), max_size=5))
def test_any_table_is_read_unchanged(rows: list[list[str]]) -> None:
    """Any table of any text is read unchanged, and each row with its number."""

    def change(table: Any) -> None:
        for number, row in enumerate(rows, 2):
            for column, cell in enumerate(row, 1):
                # Escaped as Excel does it; and not a formula, not an error.
                table.cell(number, column, cell.replace("_x", "_x005F_x")).data_type = "s"

    expected = [(number, row) for number, row in enumerate(rows, 2) if any(map(str.strip, row))]
    assert read(sheet(HEAD, change=change)).numbered == expected


def test_csv_named_xlsx() -> None:
    """A CSV file under a workbook's name is read as CSV."""
    assert read(text("contactId;nom", "1;a"), "contacts.xlsx").source.delimiter == ";"


def add_formats(table: Any) -> None:
    """Give the sheet an id with a custom format and a date."""
    table["A2"], table["D2"] = 7, dt.date(2020, 6, 12)
    table["A2"].number_format = "000000"


UNKNOWN_STYLES: dict[str, Callable[[bytes], bytes]] = {
    "an empty fill": lambda part: part.replace(b"<fill><patternFill /></fill>", b"<fill/>"),
    "a cell style without a name": lambda part: part.replace(b'name="Normal"', b""),
    "a cell style with an unknown attribute": lambda part: part.replace(b"<cellStyle ", b'<cellStyle surplus="1" '),
}


@pytest.mark.parametrize("change", UNKNOWN_STYLES.values(), ids=UNKNOWN_STYLES)
def test_unknown_styles_are_accepted(change: Callable[[bytes], bytes]) -> None:
    """Styles that openpyxl rejects neither refuse the workbook nor lose its number formats."""
    plain = sheet(HEAD, ["", "a", "b"], change=add_formats)
    changed = edit_parts(plain, {"xl/styles.xml": change})
    assert changed != plain
    assert read(changed).rows == [["000007", "a", "b", "2020-06-12"]]


def test_missing_cell_styles_mean_general() -> None:
    """Without cell styles, numbers have the General format."""
    bare = b'<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><numFmts/></styleSheet>'
    assert read(edit_parts(sheet(HEAD, [1, "a", 12.5]), {"xl/styles.xml": lambda _: bare})).rows == [["1", "a", "12.5", ""]]


@pytest.mark.parametrize("name", ["look.xml", "Styles.xml"])
def test_styles_part_is_found_under_another_name(name: str) -> None:
    """The styles are found where the workbook declares them, and under a name that differs by case."""
    parts = unzip(sheet(HEAD, ["", "a", "b"], change=add_formats))
    parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(b"/xl/styles.xml", f"/xl/{name}".encode())
    parts["xl/look.xml" if name == "look.xml" else "xl/styles.xml"] = parts.pop("xl/styles.xml")
    assert read(zip_parts(parts)).rows == [["000007", "a", "b", "2020-06-12"]]


def with_table(totals: int, columns: str = "A:D") -> bytes:
    """Return a workbook with a table over these columns, whose last rows are totals."""
    stream = io.BytesIO()
    left, right = columns.split(":")
    names = HEAD if left == "A" else ["W", "X", "Y", "Z"]
    with xlsxwriter.Workbook(stream) as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate([HEAD, ["1", "a", "b", "c"], ["2", "a", "b", "c"], ["3", "Nombre", "", ""]]):
            sheet.write_row(row, 0, cells)
        sheet.add_table(f"{left}1:{right}4", {"total_row": True, "columns": [{"header": name} for name in names]})
        sheet.write_row(3, 0, ["3", "Nombre"])
    return edit_parts(
        stream.getvalue(),
        {"xl/tables/table1.xml": lambda part: part.replace(b'totalsRowCount="1"', b'totalsRowCount="%d"' % totals)},
    )


def test_totals_row_of_a_table_is_flagged() -> None:
    """The rows that a table of contacts declares to be totals are flagged, whatever they contain."""
    reading = read(with_table(1))
    assert reading.flaws == {4: [("id-total", "contactId")]}
    assert reading.rows[2][0] == "3 <?>"
    assert read(with_table(2)).flaws == {3: [("id-total", "contactId")], 4: [("id-total", "contactId")]}
    assert not read(with_table(0)).flaws
    assert not read(with_table(1, "F:I")).flaws


def rename(content: bytes, change: Callable[[str], str]) -> bytes:
    """Return the zip archive with other names of its parts."""
    return zip_parts({change(name): part for name, part in unzip(content).items()})


UNUSUAL_NAMES: dict[str, Callable[[bytes], bytes]] = {
    "back slashes": lambda content: rename(content, lambda name: name.replace("/", "\\")),
    "a slash at the start": lambda content: rename(content, "/{}".format),
    "another case": lambda content: rename(content, lambda name: name.replace("xl/", "XL/").replace("workbook", "Workbook")),
    "back slashes in relationships": lambda content: edit_parts(
        content, {"xl/_rels/workbook.xml.rels": lambda part: part.replace(b"/xl/worksheets/", b"worksheets\\")}
    ),
}


@pytest.mark.parametrize("change", UNUSUAL_NAMES.values(), ids=UNUSUAL_NAMES)
def test_unusual_names_of_parts(change: Callable[[bytes], bytes]) -> None:
    """Parts are found as Excel finds them; openpyxl, which does not, is not to mark up such a workbook."""
    plain = sheet(HEAD, ["", "a", "b"], change=add_formats)
    changed = change(plain)
    assert changed != plain
    reading = read(changed)
    assert reading.rows == [["000007", "a", "b", "2020-06-12"]]
    assert read(plain).source.original
    assert reading.source.original is None


def shared(*rows: list[str]) -> bytes:
    """Return a workbook of those rows in which cells share their texts, as Excel saves it."""
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        table = book.add_worksheet("Contacts")
        for number, cells in enumerate(rows):
            table.write_row(number, 0, cells)
    return stream.getvalue()


def test_shared_texts_are_read_in_small_chunks(tmp_path: Path) -> None:
    """A long text that many cells show is kept once, and repeated only in chunks of a bounded size."""
    notes = ["é" * 30_000 + str(number) for number in range(4)]
    path = tmp_path / "contacts.xlsx"
    path.write_bytes(shared(["contactId", "nom", "a", "b", "c", "d"], *([f"C{number}", "x", *notes] for number in range(300))))
    with open_source(path, SourceOptions(), clock=lambda: 4e9) as source:
        sizes: list[int] = []
        texts: set[int] = set()
        for chunk in source.chunks():
            sizes.append(sum(len(cell) for row in chunk.rows for cell in row))
            texts.update(id(cell) for row in chunk.rows for cell in row if len(cell) > 1000)
            assert [row[2:] for row in chunk.rows] == [notes] * len(chunk.rows)
    assert len(texts) == len(notes)
    assert sum(sizes) > 36_000_000
    assert max(sizes) < 3_000_000


def test_too_many_different_texts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The texts of a workbook have a limit in all."""
    monkeypatch.setattr(strings, "_MAX_STRINGS", 1 << 20)
    content = shared(["contactId", "nom"], *([f"C{number}", f"{number}" * 1000] for number in range(500)))
    with pytest.raises(SourceError, match="has more than 1 MB of different texts: copy the contacts to a new workbook"):
        read(content, "contacts.xlsx")


def test_too_many_sheets_are_refused_at_once() -> None:
    """A workbook that declares a million sheets is refused before they are read."""
    declared = b'<sheet name="x" sheetId="1" r:id="rId1"/>' * 200_000 + b"</sheets>"
    content = edit_parts(sheet(["contactId", "nom"]), {"xl/workbook.xml": lambda part: part.replace(b"</sheets>", declared)})
    with pytest.raises(SourceError, match="has more than 50000 sheets, names and other definitions"):
        read(content, "contacts.xlsx")


def test_error_cell_with_any_text_is_not_repeated() -> None:
    """A text that a file gives the type of an error does not appear in a sentence."""

    def change(table: Any) -> None:
        table["B2"] = "Dupont"
        table["B2"].data_type = "e"

    reading = read(sheet(["contactId", "nom"], ["1", "a"], change=change), "contacts.xlsx")
    assert reading.flaws == {2: [("cell-error", "lastname")]}
    assert "Dupont" not in reading.messages[0]
