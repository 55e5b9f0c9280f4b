"""The workbook that comes back: what it shows, what it keeps, and that it can be fed in again."""

import datetime as dt
import io
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table
from python_calamine import CalamineWorkbook

from contact_sync.errors import SourceError, StorageError
from contact_sync.files.atomic import open_atomic
from contact_sync.i18n import set_language
from contact_sync.model import Batch, Layout, Line, Source
from contact_sync.packed import pack
from contact_sync.report import csv as report_csv
from contact_sync.report.csv import COLUMNS
from contact_sync.report.xlsx import cells, workbook
from contact_sync.report.xlsx.cells import RED, SIGNATURE
from contact_sync.source import SourceOptions, open_source

LATER = 4e9
READY = Line([], 0, "ready", "", "", "", 0, None, "", "")
HEAD = ["contactId", "firstname", "phoneNumber", "note"]
ROWS = [["C1", "Zoé", "0612345678", "a"], ["C2", "=1+1", "06", "b"], ["C3", "Léa", "0612345679", ""]]
BAD = Line([], 3, "invalid", "phone-unknown", "phoneNumber", "No such phone number exists.", 0, None, "", "")


@contextmanager
def opened(path: Path, **choices: Any) -> Iterator[Source]:
    """Lend the source in `path`."""
    with open_source(path, SourceOptions(**choices), clock=lambda: LATER) as source:
        yield source


def told(number: int, cells: Sequence[str], like: Line) -> Line:
    """What is told of a row."""
    return Line(list(cells), number, *like[2:])


def pages(source: Source, *bad: Line) -> tuple[list[Batch], int]:
    """The pages of a report that is told of the source, in which the bad rows are so; and how many rows they are."""
    known = {line.number: line for line in bad}
    made = [
        Batch(
            chunk.numbers,
            pack(chunk.rows),
            READY,
            {n: told(n, row, known[n]) for n, row in zip(chunk.numbers, chunk.rows, strict=True) if n in known},
        )
        for chunk in source.chunks()
    ]
    return made, sum(len(one.numbers) for one in made)


def give_back(path: Path, *bad: Line, place: Path | None = None, **choices: Any) -> tuple[Path, list[str]]:
    """The workbook that comes back for the source in `path`, and what is said of it."""
    with opened(path, **choices) as source:
        place = place or path.with_name(f"back{source.original.suffix if source.original else '.xlsx'}")
        made, rows = pages(source, *bad)
        with open_atomic(place, 0o600) as report:
            notes = workbook.write(report, source.original, source.layout, made, rows=rows)
    return place, notes


def content(path: Path, **choices: Any) -> list[tuple[int, list[str]]]:
    """The header and the numbered rows of a source."""
    with opened(path, **choices) as source:
        return [
            (0, source.columns),
            *(row for chunk in source.chunks() for row in zip(chunk.numbers, chunk.rows, strict=True)),
        ]


def texts(path: Path, **choices: Any) -> list[list[str]]:
    """The header and the rows of a source."""
    return [cells for _, cells in content(path, **choices)]


def own(path: Path, *rows: Sequence[Any], change: Callable[[Any], object] = lambda _: None) -> Path:
    """A workbook with one sheet of these rows, saved in `path`; every text is one."""
    book: Any = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Clients"
    for number, row in enumerate(rows, 1):
        for column, value in enumerate(row, 1):
            cell = sheet.cell(number, column, value)
            if isinstance(value, str):
                cell.data_type = "s"
    change(sheet)
    book.save(path)
    return path


def formulas(path: Path) -> dict[str, int]:
    """Part → how many formulas it holds."""
    with zipfile.ZipFile(path) as archive:
        counts = {name: len(re.findall(rb"<f[ >/]", archive.read(name))) for name in archive.namelist() if "worksheets/" in name}
    return {name: count for name, count in counts.items() if count}


def changed(path: Path, parts: dict[str, Callable[[bytes], bytes]]) -> None:
    """Pass parts of a zip archive through functions; of one that is not there, what is made of nothing."""
    stream = io.BytesIO()
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(stream, "w") as after:
        for name in before.namelist():
            after.writestr(name, parts.get(name, bytes)(before.read(name)))
        for name in parts.keys() - set(before.namelist()):
            after.writestr(name, parts[name](b""))
    path.write_bytes(stream.getvalue())


@pytest.fixture
def clients(tmp_path: Path) -> Path:
    """The operator's own workbook."""
    return own(tmp_path / "clients.xlsx", HEAD, *ROWS)


# The operator's own workbook


def test_wrong_cells_are_red_and_say_why(clients: Path) -> None:
    """A wrong cell is red and has the message as a comment; what is told of a row stands right of the sheet."""
    back, notes = give_back(clients, BAD)
    sheet = openpyxl.load_workbook(back)["Clients"]
    assert notes == []
    assert [cell.coordinate for row in sheet.iter_rows() for cell in row if cell.fill.fgColor.rgb == RED] == ["C3"]
    assert sheet["C3"].comment.text == f"{SIGNATURE} {BAD.message}"
    assert sheet["C3"].comment.author == "contact-sync"
    assert [cell.value for cell in sheet[1][4:]] == list(COLUMNS)
    assert [cell.value for cell in sheet[3][4:]] == [3, "invalid", "phone-unknown", "phoneNumber", BAD.message, *[None] * 4]
    assert [cell.value for cell in sheet[2][4:]] == [2, "ready", *[None] * 7]
    assert sheet["F2"].fill.fgColor.rgb != sheet["F3"].fill.fgColor.rgb
    assert content(back) == content(clients)


def test_the_sheet_of_rows_to_fix(clients: Path) -> None:
    """The first sheet has the rows that need attention alone, each with the way to its cell."""
    book = openpyxl.load_workbook(give_back(clients, BAD)[0])
    assert book.sheetnames == ["To fix", "Clients"]
    sheet = book.worksheets[0]
    assert [cell.value for cell in sheet[2]] == [
        "Row", "Outcome", "Field", "What to do", "contactId", "Content of the cell",
    ]  # fmt: skip
    assert [[cell.value for cell in row] for row in sheet.iter_rows(min_row=3)] == [
        [3, "invalid", "phoneNumber", BAD.message, "C2", "06"]
    ]
    assert (sheet["A3"].hyperlink.ref, sheet["A3"].hyperlink.location) == ("A3", "'Clients'!C3")
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A3", "A2:F3")
    assert book.active is sheet
    assert not book["Clients"].sheet_view.tabSelected


def test_nothing_to_fix(clients: Path) -> None:
    """When no row needs attention, the first sheet says so."""
    sheet = openpyxl.load_workbook(give_back(clients)[0]).worksheets[0]
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [["No row needs attention."]]


def test_in_french(clients: Path, french: None) -> None:
    """The first sheet is in the language in use, and is not taken for the contacts."""
    back, _ = give_back(clients, BAD)
    set_language("en")
    book = openpyxl.load_workbook(back)
    assert book.sheetnames == ["À corriger", "Clients"]
    assert book.worksheets[0]["A2"].value == "Ligne"
    assert content(back) == content(clients)
    assert openpyxl.load_workbook(give_back(back, BAD)[0]).sheetnames == ["To fix", "Clients"]


def test_several_fields_and_none(tmp_path: Path) -> None:
    """Every field that a row is about is red; where it is about none that has a column, the way leads to the contactId."""
    path = own(tmp_path / "c.xlsx", HEAD, *ROWS)
    both = Line([], 2, "altered", "a,b", "contactId,phoneNumber,url", "Both.", 1, 200, "", "")
    none = Line([], 4, "rejected", "api-refused", "", "No.", 3, None, "", "")
    book = openpyxl.load_workbook(give_back(path, both, none)[0])
    sheet = book["Clients"]
    assert [cell.coordinate for row in sheet.iter_rows() for cell in row if cell.fill.fgColor.rgb == RED] == ["A2", "C2"]
    first, last = (book.worksheets[0][f"A{row}"].hyperlink.location for row in (3, 4))
    assert (first, last) == ("'Clients'!A2", "'Clients'!A4")
    assert book.worksheets[0]["F3"].value == "C1 · 0612345678"


def furnish(sheet: Any) -> None:
    """Give a sheet what operators give theirs."""
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
def test_what_the_operator_made_is_kept(tmp_path: Path) -> None:
    """Formats, widths, formulas, comments, rules, names and other sheets of the workbook are what they were."""
    path = own(tmp_path / "clients.xlsx", HEAD, *ROWS, change=furnish)
    back, notes = give_back(path, Line([], 5, *BAD[2:]))
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
    assert not any(sheet.column_dimensions[letter].hidden for letter in "GHIJKLMNO")
    rest = sheet.column_dimensions["P"]
    assert (rest.min, rest.max, rest.hidden) == (16, 16384, True)
    with zipfile.ZipFile(back) as archive:
        assert b">612345678<" in archive.read("xl/worksheets/sheet2.xml")


def calculated(*results: tuple[str, str, str]) -> Callable[[bytes], bytes]:
    """A function that puts the results of formulas, each with its place and type, into the XML of a sheet."""

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


def test_formulas_keep_what_they_showed(tmp_path: Path) -> None:
    """A column of formulas can be fed in again before Excel has opened the workbook, which calculates them all anew."""
    rows: list[list[Any]] = [["C1", None, "0612345678"], ["C2", None, None], ["C3", "x", "06"]]

    def add(sheet: Any) -> None:
        sheet["B2"], sheet["B3"], sheet["C3"] = '=UPPER("é&<")', "=1/0", "=600000000+1"
        sheet.parent.create_sheet("Autre")["A1"] = "=1+1"
        sheet.parent.calculation.fullCalcOnLoad = False

    path = own(tmp_path / "c.xlsx", HEAD[:3], *rows, change=add)
    results = ("B2", "str", "É&amp;&lt;"), ("B3", "e", "#DIV/0!"), ("C3", "n", "600000001")
    changed(path, {"xl/worksheets/sheet1.xml": calculated(*results), "xl/worksheets/sheet2.xml": calculated(("A1", "n", "2"))})
    back, _ = give_back(path, Line([], 4, *BAD[2:]))
    assert content(back) == content(path)
    assert content(back)[1] == (2, ["C1", "É&<", "0612345678"])
    assert formulas(back) == {"xl/worksheets/sheet2.xml": 3, "xl/worksheets/sheet3.xml": 1}
    assert openpyxl.load_workbook(back, data_only=True)["Autre"]["A1"].value == 2
    assert openpyxl.load_workbook(back).calculation.fullCalcOnLoad


def test_corrected_and_fed_in(clients: Path) -> None:
    """A corrected row is clean: no red, no comment; and the columns and the sheet of ours are there once."""
    first, _ = give_back(clients, BAD)
    book = openpyxl.load_workbook(first)
    book["Clients"]["C3"] = "0612345670"
    book.save(first)
    wrong = Line([], 2, "rejected", "api-refused", "contactId", "Refused.", 1, 400, "12", "2026-01-01T00:00:00Z")
    second, _ = give_back(first, wrong, place=clients.with_name("second.xlsx"))
    book = openpyxl.load_workbook(second)
    sheet = book["Clients"]
    assert book.sheetnames == ["To fix", "Clients"]
    assert [cell.value for cell in sheet[1]] == [*HEAD, *COLUMNS]
    assert sheet["C3"].comment is None
    assert [cell.coordinate for row in sheet.iter_rows() for cell in row if cell.fill.fgColor.rgb == RED] == ["A2"]
    assert [cell.value for cell in sheet[2][4:]] == [2, *wrong[2:]]
    assert [cell.value for cell in sheet[3][4:]] == [3, "ready", *[None] * 7]
    assert texts(second)[2] == ["C2", "=1+1", "0612345670", "b"]


def test_a_comment_of_the_operator_survives_ours(tmp_path: Path) -> None:
    """When a cell is right again, what the operator had said of it stays."""

    def add(sheet: Any) -> None:
        sheet["C3"].comment = Comment("Portable ?", "Jean")

    first, _ = give_back(own(tmp_path / "c.xlsx", HEAD, *ROWS, change=add), BAD)
    second, _ = give_back(first, place=tmp_path / "second.xlsx")
    comment = openpyxl.load_workbook(second)["Clients"]["C3"].comment
    assert (comment.text, comment.author) == ("Portable ?", "Jean")


def test_a_comment_is_not_repeated(clients: Path) -> None:
    """A cell that stays wrong has the message once."""
    first, _ = give_back(clients, BAD)
    second, _ = give_back(first, BAD, place=clients.with_name("second.xlsx"))
    assert openpyxl.load_workbook(second)["Clients"]["C3"].comment.text == f"{SIGNATURE} {BAD.message}"


def test_a_renamed_sheet_of_ours(clients: Path) -> None:
    """The sheet of rows to fix is known by whatever name it has by now, and a sheet of the operator with its name is kept."""
    back, _ = give_back(clients, BAD)
    book = openpyxl.load_workbook(back)
    book["To fix"].title = "L'été"
    book.defined_names["contact_sync_to_fix"].value = "'L''été'!$A$1"
    book.create_sheet("To fix")["A1"] = "mine"
    book.save(back)
    again = openpyxl.load_workbook(give_back(back, BAD, place=clients.with_name("again.xlsx"))[0])
    assert again.sheetnames == ["To fix1", "Clients", "To fix"]
    assert again["To fix"]["A1"].value == "mine"


def test_rows_to_fix_are_no_contacts(tmp_path: Path) -> None:
    """A row to fix that reads like a header does not make the choice of a sheet ambiguous, nor does a deleted sheet."""
    path = own(tmp_path / "c.xlsx", HEAD, ["contactId", "firstname", "0", ""], *ROWS)
    again = Line([], 2, "invalid", "header-again", "phoneNumber", "firstname", 0, None, "", "")
    back, _ = give_back(path, again)
    assert content(back) == content(path)
    with pytest.raises(SourceError, match="has no sheet “To fix”"):
        content(back, sheet="To fix")
    book = openpyxl.load_workbook(back)
    del book["To fix"]
    book.defined_names["contact_sync_to_fix"].value = "#REF!$A$1"
    book.save(back)
    assert content(back) == content(path)
    assert openpyxl.load_workbook(give_back(back)[0]).sheetnames == ["To fix", "Clients"]


def test_a_csv_report_saved_as_workbook(tmp_path: Path) -> None:
    """A report as CSV that was saved as a workbook has apostrophes, so that what comes back is a new workbook without them."""
    path = own(tmp_path / "c.xlsx", [*HEAD, "sync_row"], ["C1", "'=1+1", "06", "'x", 2])
    back, notes = give_back(path)
    assert notes == []
    assert texts(back) == texts(path) == [HEAD, ["C1", "=1+1", "06", "x"]]
    assert openpyxl.load_workbook(back).sheetnames == ["To fix", "Contacts"]


def test_apostrophes_of_the_operator(tmp_path: Path) -> None:
    """What begins with an apostrophe is not taken for what a CSV report has added."""
    path = own(tmp_path / "c.xlsx", [*HEAD[:3], "'ville"], ["C1", "'Zoé", "06", "''"])
    back, _ = give_back(path)
    assert content(back) == content(path)


def test_merged_cells(tmp_path: Path) -> None:
    """Of merged cells the first, which shows for all, is red, and red no more once it is right."""
    path = own(tmp_path / "c.xlsx", HEAD, *ROWS, change=lambda sheet: sheet.merge_cells("B2:B3"))
    both = [Line([], n, "invalid", "cell-merged", "firstname", "Unmerge.", 0, None, "", "") for n in (2, 3)]
    back, notes = give_back(path, *both)
    sheet = openpyxl.load_workbook(back)["Clients"]
    assert notes == []
    assert sheet["B2"].fill.fgColor.rgb == RED
    sheet = openpyxl.load_workbook(give_back(back, place=tmp_path / "b.xlsx")[0])["Clients"]
    assert sheet["B2"].fill.fgColor.rgb != RED
    assert [str(one) for one in sheet.merged_cells.ranges] == ["B2:B3"]


@pytest.mark.filterwarnings("ignore:Cell F5 is marked as a date")
def test_macros(tmp_path: Path) -> None:
    """Macros are kept, and the name of the workbook says so; comments too, which they share a drawing with."""
    path = own(tmp_path / "c.xlsx", HEAD, *ROWS, change=furnish)

    def macro(types: bytes) -> bytes:
        return types.replace(
            b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
            b"application/vnd.ms-excel.sheet.macroEnabled.main+xml",
        )

    changed(path, {"[Content_Types].xml": macro, "xl/vbaProject.bin": lambda _: b"macros"})
    path = path.rename(tmp_path / "c.xlsm")
    back, notes = give_back(path, Line([], 5, *BAD[2:]))
    assert (back.suffix, notes) == (".xlsm", [])
    assert content(back) == content(path)
    second, _ = give_back(back, Line([], 5, *BAD[2:]), place=tmp_path / "second.xlsm")
    with zipfile.ZipFile(second) as archive:
        assert archive.read("xl/vbaProject.bin") == b"macros"
        assert b"macroEnabled" in archive.read("[Content_Types].xml")
        assert len(set(archive.namelist())) == len(archive.namelist())
    comments = openpyxl.load_workbook(second)["Clients"]
    assert (comments["D4"].comment.text, comments["C5"].comment.text.count(SIGNATURE)) == ("À rappeler", 1)


def test_the_calendar_of_1904(tmp_path: Path) -> None:
    """Days of a workbook that counts them from 1904 are kept."""

    def count(sheet: Any) -> None:
        sheet.parent.epoch = CALENDAR_MAC_1904
        sheet["D2"] = dt.date(2020, 12, 31)

    path = own(tmp_path / "c.xlsx", HEAD, *ROWS, change=count)
    back, _ = give_back(path)
    assert texts(back)[1][3] == "2020-12-31"


def test_the_sample(tmp_path: Path) -> None:
    """The sample data comes back as it was."""
    path = Path(__file__).parents[2] / "sample_data" / "contacts.xlsx"
    back, notes = give_back(path, Line([], 3, *BAD[2:]), place=tmp_path / "back.xlsx")
    assert notes == []
    assert content(back) == content(path)


def test_more_comments_than_anybody_reads(clients: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All wrong cells are red, and only the first so many have a comment."""
    monkeypatch.setattr(cells, "COMMENTS", 1)
    for source in (clients, table(clients.with_name("c.csv"), [HEAD, *ROWS])):
        back, _ = give_back(source, BAD, Line([], 4, *BAD[2:]), place=clients.with_name("back.xlsx"))
        sheet = openpyxl.load_workbook(back).worksheets[1]
        assert [sheet[place].fill.fgColor.rgb for place in ("C3", "C4")] == [RED, RED]
        assert (sheet["C3"].comment.text, sheet["C4"].comment) == (f"{SIGNATURE} {BAD.message}", None)


# What cannot come back


def is_new(back: Path) -> bool:
    """Whether a workbook is not the operator's own."""
    return openpyxl.load_workbook(back).sheetnames == ["To fix", "Contacts"]


def chart(sheet: Any) -> None:
    """Give a sheet a chart."""
    made: Any = BarChart()
    made.add_data(Reference(sheet, min_col=1, min_row=1, max_row=3))
    sheet.add_chart(made, "H1")


PARTS = {
    "pivot table": "xl/pivotTables/pivotTable1.xml",
    "image": "xl/media/image1.png",
    "slicer": "xl/slicers/slicer1.xml",
    "link": "xl/externalLinks/externalLink1.xml",
    "conversation": "xl/threadedComments/threadedComment1.xml",
    "button": "xl/ctrlProps/ctrlProp1.xml",
    "query": "xl/connections.xml",
    "signature": "_xmlsignatures/sig1.xml",
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_what_would_be_lost(clients: Path, part: str) -> None:
    """A workbook with something that its copy would lack is not copied: a new one is written, and says why."""
    changed(clients, {part: lambda _: b"<x/>"})
    back, (note,) = give_back(clients, BAD)
    assert f"({part.split('/')[part.startswith('xl/')]})" in note
    assert is_new(back)
    assert texts(back) == texts(clients)


def test_a_chart(tmp_path: Path) -> None:
    """A workbook with a chart is not copied."""
    back, (note,) = give_back(own(tmp_path / "c.xlsx", HEAD, *ROWS, change=chart), BAD)
    assert note == "A copy of c.xlsx would lose parts of it (charts, drawings), so a new workbook was written instead."
    assert is_new(back)


def test_sparklines(clients: Path) -> None:
    """A workbook with an extension in a sheet is not copied."""
    sheet = "xl/worksheets/sheet1.xml"
    changed(clients, {sheet: lambda part: part.replace(b"</worksheet>", b'<extLst><ext uri="x"/></extLst></worksheet>')})
    back, (note,) = give_back(clients)
    assert "(extLst)" in note
    assert is_new(back)


def test_drawings_of_nothing(clients: Path) -> None:
    """A workbook that Google has exported, with an empty drawing, is copied."""
    changed(clients, {"xl/drawings/drawing1.xml": lambda _: b'<wsDr xmlns="x"/>'})
    back, notes = give_back(clients, BAD)
    assert notes == []
    assert openpyxl.load_workbook(back).sheetnames == ["To fix", "Clients"]


def test_a_button_of_old(clients: Path) -> None:
    """A workbook with a button among its drawings is not copied."""
    changed(clients, {"xl/drawings/vmlDrawing1.vml": lambda _: b"<xml><x:FmlaMacro>Go</x:FmlaMacro></xml>"})
    back, (note,) = give_back(clients)
    assert "(FmlaMacro)" in note
    assert is_new(back)


def test_underscores(tmp_path: Path) -> None:
    """A text of which openpyxl would lose a part is not copied."""
    path = own(tmp_path / "c.xlsx", HEAD, ["C1", "_x005F_x0041_", "06", ""])
    back, (note,) = give_back(path)
    assert "(x005F_)" in note
    assert is_new(back)
    assert texts(back) == texts(path) == [HEAD, ["C1", "_x0041_", "06", ""]]


def test_what_openpyxl_cannot_read(clients: Path) -> None:
    """A workbook that openpyxl does not take as a whole comes back as a new one, which may have to have macros by its name."""
    changed(clients, {"docProps/core.xml": lambda _: b"<broken"})
    back, (note,) = give_back(clients, BAD, place=clients.with_name("back.xlsm"))
    assert note.startswith("clients.xlsx could not be copied")
    assert texts(back) == texts(clients)
    with zipfile.ZipFile(back) as archive:
        assert b"macroEnabled" in archive.read("[Content_Types].xml")


def test_no_room_on_the_right(tmp_path: Path) -> None:
    """Columns that could not be read again are not written: a new workbook has those that are sent."""
    head = ["contactId", *(f"x{n}" for n in range(250)), "firstname"]
    path = own(tmp_path / "c.xlsx", head, ["C1", *["x"] * 250, "Zoé"])
    back, notes = give_back(path)
    assert notes == [
        "c.xlsx could not be copied completely, so a new workbook was written instead.",
        "There are too many columns that are not sent for this workbook: see the CSV report.",
    ]
    assert texts(back) == [["contactId", "firstname"], ["C1", "Zoé"]]


# A new workbook


def table(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    """Those rows as CSV in `path`."""
    path.write_text("".join(";".join(row) + "\r\n" for row in rows), encoding="utf-8")
    return path


def test_a_new_workbook(tmp_path: Path) -> None:
    """A CSV source comes back as a workbook of texts, with the same first sheet."""
    rows = [["007", "1e5", "+33612345678", "12/06/2020"], ["C2", "=1+1", "06", "@x"], ["C3", "#N/A", "TRUE", ""]]
    path = table(tmp_path / "c.csv", [HEAD, *rows])
    back, notes = give_back(path, BAD)
    assert notes == []
    assert texts(back) == [HEAD, *rows]
    book = openpyxl.load_workbook(back)
    sheet = book["Contacts"]
    cells = [cell for row in sheet["A2:D4"] for cell in row if cell.value is not None]
    assert {(cell.data_type, cell.number_format) for cell in cells} == {("s", "@")}
    assert [cell.value for cell in cells if cell.quotePrefix] == ["+33612345678", "=1+1", "@x"]
    assert sheet["C3"].fill.fgColor.rgb == RED
    assert sheet["C3"].comment.text == f"{SIGNATURE} {BAD.message}"
    assert book["To fix"]["A3"].hyperlink.location == "'Contacts'!C3"
    assert [cell.value for cell in sheet[3][4:9]] == [3, "invalid", "phone-unknown", "phoneNumber", BAD.message]
    assert sheet.freeze_panes == "A2"
    assert sheet.column_dimensions["A"].number_format == "@"
    assert formulas(back) == {}
    assert CalamineWorkbook.from_path(back).get_sheet_by_name("Contacts").to_python()[1][:4] == rows[0]


def test_a_new_workbook_fed_in(tmp_path: Path) -> None:
    """A new workbook is from then on the operator's own."""
    first, _ = give_back(table(tmp_path / "c.csv", [HEAD, *ROWS]), BAD)
    second, notes = give_back(first, place=tmp_path / "second.xlsx")
    assert notes == []
    assert content(second) == content(first)
    assert [cell.value for cell in openpyxl.load_workbook(second)["Contacts"][1]] == [*HEAD, *COLUMNS]


def test_a_blank_wrong_cell(tmp_path: Path) -> None:
    """A wrong cell may be blank."""
    missing = Line([], 2, "invalid", "id-missing", "contactId", "Fill it in.", 0, None, "", "")
    back, _ = give_back(table(tmp_path / "c.csv", [HEAD, ["", "Zoé", "06", "x"]]), missing)
    cell = openpyxl.load_workbook(back)["Contacts"]["A2"]
    assert (cell.value, cell.fill.fgColor.rgb, cell.comment.text) == (None, RED, f"{SIGNATURE} Fill it in.")


def test_hostile_text_of_the_api(clients: Path) -> None:
    """What the API said cannot run, nor break the workbook."""
    hostile = Line([], 3, "rejected", "=1", "phoneNumber", "=cmd|'x'\x00\ud800", 1, 400, "@SUM(1)", "")
    for source in (clients, table(clients.with_name("c.csv"), [HEAD, *ROWS])):
        back, _ = give_back(source, hostile, place=clients.with_name("hostile.xlsx"))
        assert formulas(back) == {}
        sheet = openpyxl.load_workbook(back).worksheets[1]
        assert sheet["C3"].comment.text == f"{SIGNATURE} =cmd|'x'\ufffd\ufffd"
        assert sheet["I3"].value == "=cmd|'x'_x0000__xd800_"


def test_a_cell_that_is_too_long(tmp_path: Path) -> None:
    """A cell over what a spreadsheet holds is cut, with a note."""
    back, _ = give_back(table(tmp_path / "c.csv", [HEAD, ["C1", "x" * 40_000, "06", "_x0041_" * 6000]]))
    _, first, _, note = texts(back)[1]
    assert len(first) <= 32_767
    assert first.endswith("[cut here: a cell has 32,767 characters at most; the rest is in the source]")
    assert note.startswith("_x0041__x0041_")


def in_memory(rows: list[list[str]], names: list[str], *bad: Line, limit: int | None = None) -> tuple[Path, list[str]]:
    """A new workbook of those rows; its place is the caller's to remove."""
    place = Path(tempfile.mkdtemp()) / "back.xlsx"
    numbers = list(range(2, 2 + len(rows)))
    others = {line.number: told(line.number, rows[line.number - 2], line) for line in bad}
    page = Batch(numbers, pack(rows), READY, others)
    mapping = {"contactId": 0, "firstname": 1}
    with open_atomic(place, 0o600) as report:
        notes = workbook.write(report, None, Layout(names, [], mapping, ";"), [page], rows=limit or len(rows))
    return place, notes


CELLS = (
    st.text()
    | st.text("=+-@'_x0041\x00\x01\r\n\t \ud800\uffff", max_size=12)
    | st.sampled_from(["007", "1e5", "#N/A", "TRUE", "<?>"])
)


@settings(max_examples=50)
@example([["C1", "_x0041\x01_", "\ud800"]])
@given(st.lists(st.lists(CELLS, min_size=2, max_size=2).map(lambda cells: ["C1", *cells]), min_size=1, max_size=6))
def test_any_text_comes_back(rows: list[list[str]]) -> None:
    """A new workbook of whatever texts, loaded, has the same cells, and the one that comes back for it too; none is a formula."""
    place, _ = in_memory(rows, ["contactId", "firstname", "x"], Line([], 2, *BAD[2:3], "c", "firstname", "m", 0, None, "", ""))
    expected = [(0, ["contactId", "firstname", "x"]), *((number, row) for number, row in enumerate(rows, 2))]
    assert content(place) == expected
    second, notes = give_back(place, place=place.with_name("second.xlsx"))
    assert notes == []
    assert content(second) == expected
    assert formulas(place) == formulas(second) == {}
    for path in (place, second):
        path.unlink()
    place.parent.rmdir()


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


@settings(max_examples=50)
@given(
    st.lists(st.lists(VALUES, min_size=3, max_size=3), min_size=1, max_size=6),
    st.integers(0, 4),
    st.lists(st.integers(0, 5), max_size=3),
)
def test_any_workbook_comes_back(rows: list[list[Any]], above: int, wrong: list[int]) -> None:
    """Whatever is in the cells of the operator's workbook, the one that comes back has the same rows with the same numbers."""
    with tempfile.TemporaryDirectory() as folder:
        titles = [["Clients"]] * above
        path = own(Path(folder) / "c.xlsx", *titles, ["id", "prenom", "phone", "x"], *(["C", *row] for row in rows))
        before = content(path)
        bad = [Line([], above + 2 + n, *BAD[2:]) for n in wrong]
        back, notes = give_back(path, *bad)
        assert notes == []
        assert content(back) == before
        second, _ = give_back(back, place=Path(folder) / "second.xlsx")
        assert content(second) == before
        assert formulas(back) == formulas(second) == {}


# A source that is too large


def test_only_what_needs_attention(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large source a new workbook has the rows that need attention, and says how many do not fit."""
    monkeypatch.setattr(workbook, "LIMIT", 2)
    path = own(tmp_path / "c.xlsx", HEAD, *ROWS)
    few, notes = give_back(path, BAD)
    assert notes == ["This workbook shows only the rows that need attention (1); the others are in the CSV report."]
    assert content(few) == [(0, HEAD), (2, ROWS[1])]
    book = openpyxl.load_workbook(few)
    assert book["To fix"]["A1"].value == notes[0]
    assert (book["To fix"]["A3"].value, book["To fix"]["A3"].hyperlink.location) == (3, "'Contacts'!C2")
    assert book["Contacts"]["E2"].value == 3
    bad = [Line([], number, *BAD[2:]) for number in (2, 3, 4)]
    many, notes = give_back(path, *bad)
    assert notes == ["This workbook shows the first 2 rows that need attention; 1 more are in the CSV report."]
    assert texts(many) == [HEAD, *ROWS[:2]]
    none, notes = give_back(path)
    assert notes == ["No row needs attention."]
    assert openpyxl.load_workbook(none)["Contacts"].max_row == 1


def test_a_full_disk(clients: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workbook that cannot be written is a StorageError, and nothing is left."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(StorageError, match="No space left"):
        give_back(clients, BAD)
    assert sorted(path.name for path in clients.parent.iterdir()) == ["clients.xlsx"]


def test_the_columns_are_those_of_the_csv(clients: Path) -> None:
    """What is told of a row is what the CSV report tells."""
    rejected = Line([], 3, "rejected", "api-refused", "firstname", "Refused.", 2, 400, "15", "2026-01-02T03:04:05Z")
    with opened(clients) as source:
        made, _ = pages(source, rejected)
        with open_atomic(clients.with_name("c.csv"), 0o600) as report:
            report_csv.write(report, source.layout, made)
    line = clients.with_name("c.csv").read_text(encoding="utf-8-sig").splitlines()[2].split(";")
    sheet = openpyxl.load_workbook(give_back(clients, rejected)[0])["Clients"]
    assert [str(sheet[f"{get_column_letter(column)}3"].value or "") for column in range(1, 14)][4:] == line[4:]
