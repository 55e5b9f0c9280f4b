"""The operator's own workbook marked up: its marks, its preserved content, and its use as the next source."""

import datetime as dt
import re
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.comments import Comment
from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table

from contact_sync.errors import SourceError, StorageError
from contact_sync.files.atomic import open_atomic
from contact_sync.i18n import set_language
from contact_sync.model.report import Line
from contact_sync.report import formats
from contact_sync.report.xlsx import sheets
from contact_sync.report.xlsx.sheets import COLUMNS, SIGNATURE
from tests.report.workbooks import (
    BAD,
    HEAD,
    RED,
    ROWS,
    batches_of,
    change_parts,
    content,
    context,
    csv_of,
    formulas,
    opened,
    returned,
    texts,
    workbook_of,
)
from tests.source.writing import WRITERS


def test_wrong_cells_are_red_with_a_comment(clients: Path) -> None:
    """A wrong cell is red with the message as a comment; the results of a row are to the right of the sheet."""
    back, notes = returned(clients, BAD)
    sheet = openpyxl.load_workbook(back)["Clients"]
    assert notes == []
    assert [cell.coordinate for row in sheet.iter_rows() for cell in row if cell.fill.fgColor.rgb == RED] == ["C3"]
    assert sheet["C3"].comment.text == f"{SIGNATURE} {BAD.message}"
    assert sheet["C3"].comment.author == "contact-sync"
    assert [cell.value for cell in sheet[1][4:]] == list(COLUMNS)
    assert [cell.value for cell in sheet[3][4:]] == [
        3,
        "invalid",
        "phone-unknown",
        "phoneNumber",
        BAD.message,
        *[None] * 5,
        ANY,
        None,
    ]
    assert [cell.value for cell in sheet[2][4:]] == [2, "ready", *[None] * 8, ANY, None]
    assert sheet["F2"].fill.fgColor.rgb != sheet["F3"].fill.fgColor.rgb
    assert content(back) == content(clients)


def test_only_rows_that_need_attention_are_coloured_throughout(clients: Path, tmp_path: Path) -> None:
    """An empty result is coloured in the row to correct; of the other rows only the results with a value are."""
    source = csv_of(tmp_path / "c.csv", [HEAD, *ROWS])
    for path in (clients, source):
        sheet = openpyxl.load_workbook(returned(path, BAD)[0]).worksheets[1]
        first = len(HEAD) + 1
        coloured = [[cell.fill.fill_type for cell in row] for row in sheet.iter_rows(2, 3, first, first + len(COLUMNS) - 2)]
        has_value = [cell.value is not None for cell in sheet[2][first - 1 : -1]]
        assert [kind == "solid" for kind in coloured[0]] == has_value
        assert has_value.count(True) == 3
        assert set(coloured[1]) == {"solid"}


def test_comment_has_only_the_mistake_of_its_cell(clients: Path) -> None:
    """Of several mistakes in a row, each wrong cell has only its own as a comment; the row's message has all."""
    about = {"phoneNumber": "No such number.", "firstname": "Too long."}
    line = BAD._replace(fields="phoneNumber,firstname", message="No such number. Too long.", sentences=about)
    sheet = openpyxl.load_workbook(returned(clients, line)[0])["Clients"]
    comments = [cell.comment.text for row in sheet.iter_rows() for cell in row if cell.comment]
    assert sorted(comments) == [f"{SIGNATURE} No such number.", f"{SIGNATURE} Too long."]
    assert sheet["I3"].value == line.message


def test_sheet_of_rows_to_fix(clients: Path) -> None:
    """The first sheet has only the rows that need attention, each with a link to its cell."""
    book = openpyxl.load_workbook(returned(clients, BAD)[0])
    assert book.sheetnames == ["To fix", "Clients"]
    sheet = book.worksheets[0]
    assert [cell.value for cell in sheet[2]] == [
        "Row", "Column", "Content of the cell", "What to do", "contactId", "Outcome",
    ]  # fmt: skip
    assert [[cell.value for cell in row] for row in sheet.iter_rows(min_row=3)] == [
        [3, "phoneNumber (C)", "06", BAD.message, "C2", "invalid"]
    ]
    assert (sheet["A3"].hyperlink.ref, sheet["A3"].hyperlink.location) == ("A3", "'Clients'!C3")
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A3", "A2:F3")
    assert book.active is sheet
    assert not book["Clients"].sheet_view.tabSelected


def test_nothing_to_fix(clients: Path) -> None:
    """When no row needs attention, the first sheet says so."""
    sheet = openpyxl.load_workbook(returned(clients)[0]).worksheets[0]
    assert [cell.value for row in sheet.iter_rows() for cell in row if cell.value] == ["No row needs attention."]


def test_in_french(clients: Path, french: None) -> None:
    """The first sheet is in the language in use, and is not read as contacts."""
    back, _ = returned(clients, BAD)
    set_language("en")
    book = openpyxl.load_workbook(back)
    assert book.sheetnames == ["À corriger", "Clients"]
    assert book.worksheets[0]["A2"].value == "Ligne"
    assert content(back) == content(clients)
    assert openpyxl.load_workbook(returned(back, BAD)[0]).sheetnames == ["To fix", "Clients"]


def test_rows_about_several_fields_and_about_none(tmp_path: Path) -> None:
    """Every field that a row is about is red; without a field that has a column, the link goes to the contactId."""
    path = workbook_of(tmp_path / "c.xlsx", HEAD, *ROWS)
    both = Line([], 2, "altered", "a,b", "contactId,phoneNumber,url", "Both.", 1, 200, "", "")
    none = Line([], 4, "rejected", "api-refused", "", "No.", 3, None, "", "")
    book = openpyxl.load_workbook(returned(path, both, none)[0])
    sheet = book["Clients"]
    assert [cell.coordinate for row in sheet.iter_rows() for cell in row if cell.fill.fgColor.rgb == RED] == ["A2", "C2"]
    first, last = (book.worksheets[0][f"A{row}"].hyperlink.location for row in (3, 4))
    assert (first, last) == ("'Clients'!A2", "'Clients'!A4")
    assert [cell.value for cell in book.worksheets[0][3][1:3]] == ["contactId (A)\nphoneNumber (C)", "C1\n0612345678"]
    assert [cell.value for cell in book.worksheets[0][4][1:3]] == [None, None]


def test_mark_for_deletion(tmp_path: Path) -> None:
    """A mark for deletion is a wrong cell, also in a column that is not sent: red, with the comment, and linked."""
    head, rows = [*HEAD, ""], [["C1", "Zoé", "06", "A SUPPRIMER", "supprimé"], ["C2", "Ana", "0612345678", "à vous", ""]]
    path = workbook_of(tmp_path / "c.xlsx", head, *rows)
    about = {"": "Marked.", "phoneNumber": "No such number."}
    both = Line([], 2, "invalid", "row-deleted,phone-unknown", "phoneNumber", "Marked. No.", 0, None, "", "", sentences=about)
    for place in (path, csv_of(tmp_path / "c.csv", [head, *rows])):
        back, _ = returned(place, both._replace(number=2), place=tmp_path / f"{place.suffix}.xlsx")
        book = openpyxl.load_workbook(back)
        sheet = book.worksheets[1]
        red = [cell for row in sheet.iter_rows() for cell in row if cell.fill.fgColor.rgb == RED]
        assert [cell.coordinate for cell in red] == ["C2", "D2", "E2"]
        comments = [cell.comment.text for cell in red if cell.comment]
        assert comments == [f"{SIGNATURE} {text}" for text in ("No such number.", "Marked.", "Marked.")]
        assert [cell.value for cell in book.worksheets[0][3][1:3]] == [
            "phoneNumber (C)\nnote (D)\n(E)",
            "06\nA SUPPRIMER\nsupprimé",
        ]
    only = both._replace(code="row-deleted", fields="", sentences={})
    book = openpyxl.load_workbook(returned(path, only)[0])
    assert book.worksheets[0]["A3"].hyperlink.location == "'Clients'!D2"
    assert book["Clients"]["D2"].comment.text == f"{SIGNATURE} Marked. No."


def test_look_of_the_sheet_of_rows_to_fix(tmp_path: Path) -> None:
    """The sheet names the file to replace and its fonts, shows whole messages, and prints on the width of a page."""
    long = Line([], 3, "invalid", "phone-unknown", "phoneNumber", "Write it. " * 20, 0, None, "", "")
    path = workbook_of(tmp_path / "c.xlsx", HEAD, *ROWS, change=lambda sheet: setattr(sheet.row_dimensions[3], "height", 15))
    book = openpyxl.load_workbook(returned(path, long)[0])
    sheet: Any = book.worksheets[0]
    assert "save this workbook in place of c.xlsx: the next run takes it." in sheet["A1"].value
    assert {cell.font.name for row in sheet.iter_rows() for cell in row if cell.value} == {"Calibri"}
    assert sheet.row_dimensions[3].height > 2 * sheet.row_dimensions[2].height
    assert sheet["D3"].alignment.wrap_text
    assert (sheet.page_setup.orientation, sheet.page_setup.fitToHeight, sheet.print_title_rows) == ("landscape", 0, "$2:$2")
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
    message = book["Clients"]["I3"]
    assert message.value.startswith("Write it.")
    assert message.alignment.wrap_text
    assert book["Clients"].row_dimensions[3].height > 45  # as high as the message needs


def decorate(sheet: Any) -> None:
    """Add formats, formulas, comments and other things that operators add to a sheet."""
    book = sheet.parent
    sheet.insert_rows(1, 2)
    sheet["A1"] = "Clients de Lyon"
    sheet.merge_cells("A1:F1")
    sheet["A4"].fill = PatternFill("solid", fgColor="FFFFFF00")
    sheet["B4"].font = Font(bold=True, color="FF00AA00")
    sheet["E3"], sheet["E4"], sheet["F3"] = "total", "=1+1", "jour"
    sheet["F4"] = dt.date(2020, 12, 31)
    sheet["F4"].number_format = "dd/mm/yyyy"
    sheet["F5"], sheet["F5"].number_format = 612345678, "dd/mm/yyyy"
    sheet["D4"].comment = Comment("À rappeler", "Jean")
    sheet["C5"].comment = Comment("Portable ?", "Jean")
    sheet["D5"] = CellRichText("a ", TextBlock(InlineFont(b=True), "gras"), " b")
    sheet.column_dimensions["B"].width = 33
    sheet.column_dimensions["D"].hidden = True
    sheet.column_dimensions["G"].hidden = True
    sheet.column_dimensions["G"].min, sheet.column_dimensions["G"].max = 7, 16384
    sheet.row_dimensions[4].height = 40
    sheet.freeze_panes = "A4"
    sheet.auto_filter.ref = "A3:F6"
    validation = DataValidation(type="list", formula1='"a,b"')
    validation.add("D4:D9")
    sheet.add_data_validation(validation)
    rule: Any = CellIsRule
    sheet.conditional_formatting.add("A4:A9", rule("equal", ["1"], fill=PatternFill(bgColor="FF00FF00")))
    sheet["C4"].hyperlink = "https://example.com/"
    book.create_sheet("Calculs")["A1"] = "=SUM(Clients!F4:F5)"
    hidden = book.create_sheet("Caché")
    hidden.sheet_state = "hidden"
    book.defined_names["Taux"] = DefinedName("Taux", attr_text="Calculs!$A$1")
    book["Calculs"].add_table(Table(displayName="T", ref="C1:D2"))
    book["Calculs"]["C1"], book["Calculs"]["D1"] = "x", "y"
    book.properties.title = "Mes clients"


@pytest.mark.filterwarnings("ignore:Cell F5 is marked as a date")
def test_decoration_is_kept(tmp_path: Path) -> None:
    """Formats, widths, formulas, comments, rules, names and other sheets of the workbook are kept."""
    path = workbook_of(tmp_path / "clients.xlsx", HEAD, *ROWS, change=decorate)
    back, notes = returned(path, Line([], 5, *BAD[2:]))
    assert notes == []
    assert content(back) == content(path)
    book = openpyxl.load_workbook(back, rich_text=True)
    sheet = book["Clients"]
    assert book.sheetnames == ["To fix", "Clients", "Calculs", "Caché"]
    assert book["Caché"].sheet_state == "hidden"
    assert (book["Calculs"]["A1"].value, book["Calculs"].tables["T"].ref) == ("=SUM(Clients!F4:F5)", "C1:D2")
    assert book.defined_names["Taux"].value == "Calculs!$A$1"
    assert book.properties.title == "Mes clients"
    assert (sheet["A1"].value, [str(one) for one in sheet.merged_cells.ranges]) == ("Clients de Lyon", ["A1:F1"])
    assert sheet["A4"].fill.fgColor.rgb == "FFFFFF00"
    assert (sheet["B4"].font.b, sheet["B4"].font.color.rgb) == (True, "FF00AA00")
    assert (sheet["E4"].value, sheet["F4"].number_format) == ("=1+1", "dd/mm/yyyy")
    assert isinstance(sheet["D5"].value, CellRichText)
    assert str(sheet["D5"].value) == "a gras b"
    assert sheet["D4"].comment.text == "À rappeler"
    assert sheet["C5"].comment.text == f"Portable ?\n\n{SIGNATURE} {BAD.message}"
    assert sheet["C5"].comment.author == "Jean"
    assert (sheet.column_dimensions["B"].width, sheet.column_dimensions["D"].hidden) == (33, True)
    assert (sheet.row_dimensions[4].height, sheet.freeze_panes, sheet.auto_filter.ref) == (40, "A4", "A3:F6")
    assert [str(one.sqref) for one in sheet.data_validations.dataValidation] == ["D4:D9"]
    assert [str(one.sqref) for one in sheet.conditional_formatting] == ["A4:A9"]
    assert sheet["C4"].hyperlink.target == "https://example.com/"
    assert sheet["G3"].value == "sync_row"
    assert not any(sheet.column_dimensions[letter].hidden for letter in "GHIJKLMNOPQR")
    rest = sheet.column_dimensions["S"]
    assert (rest.min, rest.max, rest.hidden) == (19, 16384, True)
    with zipfile.ZipFile(back) as archive:
        assert b">612345678<" in archive.read("xl/worksheets/sheet2.xml")


def calculated(*results: tuple[str, str, str]) -> Callable[[bytes], bytes]:
    """Return a function that writes results of formulas, each with its cell and type, into the XML of a sheet."""

    def put(part: bytes) -> bytes:
        for place, kind, result in results:
            part, count = re.subn(
                rb'<c r="%b"([^>]*)>(<f.*?</f>)<v ?/>' % place.encode(),
                rb'<c r="%b"\1 t="%b">\2<v>%b</v>' % (place.encode(), kind.encode(), result.encode()),
                part,
            )
            assert count == 1
        return part

    return put


def test_formulas_keep_their_results(tmp_path: Path) -> None:
    """Formulas keep their results, so that the workbook can be a source before Excel has recalculated it."""
    rows: list[list[Any]] = [["C1", None, "0612345678"], ["C2", None, None], ["C3", "x", "06"]]

    def add(sheet: Any) -> None:
        sheet["B2"], sheet["B3"], sheet["C3"] = '=UPPER("é&<")', "=1/0", "=600000000+1"
        sheet.parent.create_sheet("Autre")["A1"] = "=1+1"
        sheet.parent.calculation.fullCalcOnLoad = False

    path = workbook_of(tmp_path / "c.xlsx", HEAD[:3], *rows, change=add)
    results = ("B2", "str", "É&amp;&lt;"), ("B3", "e", "#DIV/0!"), ("C3", "n", "600000001")
    change_parts(
        path, {"xl/worksheets/sheet1.xml": calculated(*results), "xl/worksheets/sheet2.xml": calculated(("A1", "n", "2"))}
    )
    back, _ = returned(path, Line([], 4, *BAD[2:]))
    assert content(back) == content(path)
    assert content(back)[1] == (2, ["C1", "É&<", "0612345678"])
    assert formulas(back) == {"xl/worksheets/sheet2.xml": 3, "xl/worksheets/sheet3.xml": 1}
    assert openpyxl.load_workbook(back, data_only=True)["Autre"]["A1"].value == 2
    assert openpyxl.load_workbook(back).calculation.fullCalcOnLoad


def test_formula_that_was_never_calculated_stays_so(tmp_path: Path) -> None:
    """The 0 of a formula that Excel has yet to calculate does not become its result."""
    rows: list[list[Any]] = [["C1", None, "0612345678"], ["C2", None, None], ["C3", "x", "06"]]

    def add(sheet: Any) -> None:
        sheet["B2"], sheet["B3"] = "=A1", "=A2"

    path = workbook_of(tmp_path / "c.xlsx", HEAD[:3], *rows, change=add)
    change_parts(path, {"xl/worksheets/sheet1.xml": calculated(("B2", "n", "0"), ("B3", "n", "5"))})
    back, _ = returned(path, Line([], 4, *BAD[2:]))
    results = openpyxl.load_workbook(back, data_only=True).worksheets[1]
    assert (results["B2"].value, results["B3"].value) == (None, 5)


def test_rows_that_wait_keep_their_height(clients: Path) -> None:
    """A row that only waits for the next run is as high as before: after a stop, most rows have the same long message."""
    waiting = Line([], 2, "unprocessed", "stopped", "", "The run stopped before this row. " * 9, 0, None, "", "")
    sheet = openpyxl.load_workbook(returned(clients, waiting, BAD)[0])["Clients"]
    assert [sheet.row_dimensions[row].height is None for row in (2, 3)] == [True, False]


def test_a_corrected_workbook_as_source(clients: Path) -> None:
    """A corrected row is neither red nor commented; the result columns and the sheet of rows to fix are not repeated."""
    first, _ = returned(clients, BAD)
    book = openpyxl.load_workbook(first)
    book["Clients"]["C3"] = "0612345670"
    book.save(first)
    wrong = Line([], 2, "rejected", "api-refused", "contactId", "Refused.", 1, 400, "12", "2026-01-01T00:00:00Z")
    second, _ = returned(first, wrong, place=clients.with_name("second.xlsx"))
    book = openpyxl.load_workbook(second)
    sheet = book["Clients"]
    assert book.sheetnames == ["To fix", "Clients"]
    assert [cell.value for cell in sheet[1]] == [*HEAD, *COLUMNS]
    assert sheet["C3"].comment is None
    assert [cell.coordinate for row in sheet.iter_rows() for cell in row if cell.fill.fgColor.rgb == RED] == ["A2"]
    assert [cell.value for cell in sheet[2][4:]] == [2, *wrong.results[1:-2], None, ANY, None]
    assert [cell.value for cell in sheet[3][4:]] == [3, "ready", *[None] * 8, ANY, None]
    assert texts(second)[2] == ["C2", "=1+1", "0612345670", "b"]


@pytest.mark.parametrize("kind", ["csv", "ods", "xls", "xlsx"])
def test_a_workbook_saved_in_another_format_as_source(tmp_path: Path, kind: str) -> None:
    """Apostrophes stay in a workbook that was saved as another kind of file, and go in a CSV report that was."""
    rows = [HEAD, ["C1", "'t Hooft", "0612345678", "'=1+1"]]
    back, _ = returned(workbook_of(tmp_path / "c.xlsx", *rows))
    shown = [[str(cell or "") for cell in row] for row in openpyxl.load_workbook(back)["Clients"].iter_rows(values_only=True)]
    saved = tmp_path / "saved"
    saved.write_bytes(WRITERS[kind](shown))
    assert texts(saved) == rows
    report = tmp_path / "report"
    report.write_bytes(WRITERS[kind]([[*HEAD, "sync_row"], ["C1", "''t Hooft", "0612345678", "''=1+1", "2"]]))
    assert texts(report) == rows


def test_operators_comment_is_restored(tmp_path: Path) -> None:
    """The operator's comment on a cell stays once the cell is correct."""

    def add(sheet: Any) -> None:
        sheet["C3"].comment = Comment("Portable ?", "Jean")

    first, _ = returned(workbook_of(tmp_path / "c.xlsx", HEAD, *ROWS, change=add), BAD)
    second, _ = returned(first, place=tmp_path / "second.xlsx")
    comment = openpyxl.load_workbook(second)["Clients"]["C3"].comment
    assert (comment.text, comment.author) == ("Portable ?", "Jean")


def test_a_comment_is_not_repeated(clients: Path) -> None:
    """A cell that stays wrong has the message only once."""
    first, _ = returned(clients, BAD)
    second, _ = returned(first, BAD, place=clients.with_name("second.xlsx"))
    assert openpyxl.load_workbook(second)["Clients"]["C3"].comment.text == f"{SIGNATURE} {BAD.message}"


def test_a_renamed_sheet_of_rows_to_fix(clients: Path) -> None:
    """The sheet of rows to fix is recognised under another title, and an operator's sheet with its title is kept."""
    back, _ = returned(clients, BAD)
    book = openpyxl.load_workbook(back)
    book["To fix"].title = "L'été"
    book.defined_names["contact_sync_to_fix"].value = "'L''été'!$A$1"
    book.create_sheet("To fix")["A1"] = "mine"
    book.save(back)
    again = openpyxl.load_workbook(returned(back, BAD, place=clients.with_name("again.xlsx"))[0])
    assert again.sheetnames == ["To fix1", "Clients", "To fix"]
    assert again["To fix"]["A1"].value == "mine"


def test_rows_to_fix_are_not_contacts(tmp_path: Path) -> None:
    """A row to fix that resembles a header does not make the choice of a sheet ambiguous, nor does a deleted sheet."""
    path = workbook_of(tmp_path / "c.xlsx", HEAD, ["contactId", "firstname", "0", ""], *ROWS)
    again = Line([], 2, "invalid", "header-again", "phoneNumber", "firstname", 0, None, "", "")
    back, _ = returned(path, again)
    assert content(back) == content(path)
    with pytest.raises(SourceError, match="has no sheet “To fix”"):
        content(back, sheet="To fix")
    book = openpyxl.load_workbook(back)
    del book["To fix"]
    book.defined_names["contact_sync_to_fix"].value = "#REF!$A$1"
    book.save(back)
    assert content(back) == content(path)
    assert openpyxl.load_workbook(returned(back)[0]).sheetnames == ["To fix", "Clients"]


def test_a_csv_report_saved_as_workbook(tmp_path: Path) -> None:
    """A CSV report that was saved as a workbook contains apostrophes; a new workbook without them is written."""
    path = workbook_of(tmp_path / "c.xlsx", [*HEAD, "sync_row"], ["C1", "'=1+1", "06", "''x", 2])
    back, notes = returned(path)
    assert notes == []
    assert texts(back) == texts(path) == [HEAD, ["C1", "=1+1", "06", "'x"]]
    assert openpyxl.load_workbook(back).sheetnames == ["To fix", "Contacts"]


def test_apostrophes_of_the_operator(tmp_path: Path) -> None:
    """An apostrophe at the start of an operator's cell is kept."""
    path = workbook_of(tmp_path / "c.xlsx", [*HEAD[:3], "'ville"], ["C1", "'Zoé", "06", "''"])
    back, _ = returned(path)
    assert content(back) == content(path)


def test_merged_cells(tmp_path: Path) -> None:
    """Of merged cells the first, which is the visible one, is red, and plain again once it is correct."""
    path = workbook_of(tmp_path / "c.xlsx", HEAD, *ROWS, change=lambda sheet: sheet.merge_cells("B2:B3"))
    both = [Line([], n, "invalid", "cell-merged", "firstname", "Unmerge.", 0, None, "", "") for n in (2, 3)]
    back, notes = returned(path, *both)
    sheet = openpyxl.load_workbook(back)["Clients"]
    assert notes == []
    assert sheet["B2"].fill.fgColor.rgb == RED
    sheet = openpyxl.load_workbook(returned(back, place=tmp_path / "b.xlsx")[0])["Clients"]
    assert sheet["B2"].fill.fgColor.rgb != RED
    assert [str(one) for one in sheet.merged_cells.ranges] == ["B2:B3"]


@pytest.mark.filterwarnings("ignore:Cell F5 is marked as a date")
def test_macros(tmp_path: Path) -> None:
    """Macros are kept, with the suffix .xlsm, and so are the comments in the same drawing."""
    path = workbook_of(tmp_path / "c.xlsx", HEAD, *ROWS, change=decorate)

    def macro(types: bytes) -> bytes:
        return types.replace(
            b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
            b"application/vnd.ms-excel.sheet.macroEnabled.main+xml",
        )

    change_parts(path, {"[Content_Types].xml": macro, "xl/vbaProject.bin": lambda _: b"macros"})
    path = path.rename(tmp_path / "c.xlsm")
    back, notes = returned(path, Line([], 5, *BAD[2:]))
    assert (back.suffix, notes) == (".xlsm", [])
    assert content(back) == content(path)
    second, _ = returned(back, Line([], 5, *BAD[2:]), place=tmp_path / "second.xlsm")
    with zipfile.ZipFile(second) as archive:
        assert archive.read("xl/vbaProject.bin") == b"macros"
        assert b"macroEnabled" in archive.read("[Content_Types].xml")
        assert len(set(archive.namelist())) == len(archive.namelist())
    comments = openpyxl.load_workbook(second)["Clients"]
    assert (comments["D4"].comment.text, comments["C5"].comment.text.count(SIGNATURE)) == ("À rappeler", 1)


def test_1904_calendar(tmp_path: Path) -> None:
    """Dates of a workbook with the 1904 calendar are kept."""

    def count(sheet: Any) -> None:
        sheet.parent.epoch = CALENDAR_MAC_1904
        sheet["D2"] = dt.date(2020, 12, 31)

    path = workbook_of(tmp_path / "c.xlsx", HEAD, *ROWS, change=count)
    back, _ = returned(path)
    assert texts(back)[1][3] == "2020-12-31"


def test_sample_data(tmp_path: Path) -> None:
    """The sample data is returned unchanged."""
    path = Path(__file__).parents[2] / "sample_data" / "contacts.xlsx"
    back, notes = returned(path, Line([], 3, *BAD[2:]), place=tmp_path / "back.xlsx")
    assert notes == []
    assert content(back) == content(path)


def test_limit_of_comments(clients: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All wrong cells are red, and only the first `COMMENTS` of them have a comment."""
    monkeypatch.setattr(sheets, "COMMENTS", 1)
    for source in (clients, csv_of(clients.with_name("c.csv"), [HEAD, *ROWS])):
        back, _ = returned(source, BAD, Line([], 4, *BAD[2:]), place=clients.with_name("back.xlsx"))
        sheet = openpyxl.load_workbook(back).worksheets[1]
        assert [sheet[place].fill.fgColor.rgb for place in ("C3", "C4")] == [RED, RED]
        assert (sheet["C3"].comment.text, sheet["C4"].comment) == (f"{SIGNATURE} {BAD.message}", None)


VALUES = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20)
    | st.text("=+-@'_x0041 ", max_size=12)
    | st.integers(-(10**14), 10**14)
    | st.floats(-1e300, 1e300)
    | st.booleans()
    | st.none()
    | st.dates(dt.date(1900, 3, 1), dt.date(2100, 1, 1))
    | st.datetimes(dt.datetime(1900, 3, 1), dt.datetime(2100, 1, 1))  # noqa: DTZ001 - as in a cell
)


@pytest.mark.unmeasured
@settings(max_examples=settings().max_examples // 2)
@given(
    st.lists(st.lists(VALUES, min_size=3, max_size=3), min_size=1, max_size=6),
    st.integers(0, 4),
    st.lists(st.integers(0, 5), max_size=3),
)
def test_any_workbook_round_trips(rows: list[list[Any]], above: int, wrong: list[int]) -> None:
    """The marked-up copy of any workbook has the same rows with the same numbers."""
    with tempfile.TemporaryDirectory() as folder:
        titles = [["Clients"]] * above
        path = workbook_of(Path(folder) / "c.xlsx", *titles, ["id", "prenom", "phone", "x"], *(["C", *row] for row in rows))
        before = content(path)
        bad = [Line([], above + 2 + n, *BAD[2:]) for n in wrong]
        back, notes = returned(path, *bad)
        assert notes == []
        assert content(back) == before
        second, _ = returned(back, place=Path(folder) / "second.xlsx")
        assert content(second) == before
        assert formulas(back) == formulas(second) == {}


def test_a_full_disk(clients: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workbook that cannot be written is a StorageError, and nothing is left."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(StorageError, match="No space left"):
        returned(clients, BAD)
    assert sorted(path.name for path in clients.parent.iterdir()) == ["clients.xlsx"]


def test_result_columns_equal_the_csv_report(clients: Path) -> None:
    """The results of a row are those of the CSV report."""
    rejected = Line([], 3, "rejected", "api-refused", "firstname", "Refused.", 2, 400, "15", "2026-01-02T03:04:05Z")
    with opened(clients) as source:
        made, _ = batches_of(source, rejected)
        with open_atomic(clients.with_name("c.csv"), 0o600) as report:
            formats.write("report", report, made, context(source.layout, 3))
    line = clients.with_name("c.csv").read_text(encoding="utf-8-sig").splitlines()[2].split(";")
    sheet = openpyxl.load_workbook(returned(clients, rejected)[0])["Clients"]
    assert [str(sheet[f"{get_column_letter(column)}3"].value or "") for column in range(1, 16)][4:] == line[4:]
