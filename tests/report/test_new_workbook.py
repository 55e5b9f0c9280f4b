"""New workbooks: text that stays text, errors, and sources that are too large."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook
from xlsxwriter.packager import Packager

from contact_sync.errors import StorageError
from contact_sync.files.atomic import open_atomic
from contact_sync.model.report import Batch, Line, Summary
from contact_sync.model.source import Layout
from contact_sync.packed import pack
from contact_sync.report import formats
from contact_sync.report.formats import ReportContext
from contact_sync.report.xlsx import workbook
from contact_sync.report.xlsx.sheets import COLUMNS, SIGNATURE, WIDTHS
from tests.report.workbooks import (
    BAD,
    HEAD,
    READY,
    RED,
    ROWS,
    content,
    context,
    csv_of,
    formulas,
    line_of,
    returned,
    texts,
    workbook_of,
)


def test_a_new_workbook(tmp_path: Path) -> None:
    """A CSV source becomes a workbook of texts, with the same first sheet."""
    rows = [["007", "1e5", "+33612345678", "12/06/2020"], ["C2", "=1+1", "06", "@x"], ["C3", "#N/A", "TRUE", ""]]
    path = csv_of(tmp_path / "c.csv", [HEAD, *rows])
    back, notes = returned(path, BAD)
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


def test_look_of_a_new_workbook(tmp_path: Path) -> None:
    """A new workbook names its font, shows whole headers and messages, and says how to save a sheet in place of a CSV source."""
    with open_atomic(tmp_path / "back.xlsx", 0o600) as report:
        batch = Batch([3], pack([["C2", "Zoé", "NC", ""]]), READY, {3: line_of(3, ["C2", "Zoé", "NC", ""], BAD)})
        layout = Layout(HEAD, list("ABCD"), {"contactId": 0, "phoneNumber": 2}, ";")
        facts = Summary("run", Path("/srv/contacts.csv"), None, rows=1)
        formats.write("workbook", report, [batch], ReportContext(facts, layout))
    book = openpyxl.load_workbook(tmp_path / "back.xlsx")
    sheet = book["Contacts"]
    assert "and save it as CSV in place of contacts.csv: the next run takes it." in book["To fix"]["A1"].value
    assert [cell.value for cell in book["To fix"][3]] == [3, "phoneNumber (C)", "NC", BAD.message, "C2", "invalid"]
    assert {cell.font.name for one in book for row in one.iter_rows() for cell in row} == {"Arial"}
    assert all(width > len(name) + 1 for name, width in zip(COLUMNS, WIDTHS, strict=True))
    assert sheet["I2"].alignment.wrap_text


def test_a_new_workbook_as_source(tmp_path: Path) -> None:
    """A new workbook is marked up like the operator's own when it is the source of the next run."""
    first, _ = returned(csv_of(tmp_path / "c.csv", [HEAD, *ROWS]), BAD)
    second, notes = returned(first, place=tmp_path / "second.xlsx")
    assert notes == []
    assert content(second) == content(first)
    assert [cell.value for cell in openpyxl.load_workbook(second)["Contacts"][1]] == [*HEAD, *COLUMNS]


def test_a_blank_wrong_cell(tmp_path: Path) -> None:
    """A wrong cell may be blank."""
    missing = Line([], 2, "invalid", "id-missing", "contactId", "Fill it in.", 0, None, "", "")
    back, _ = returned(csv_of(tmp_path / "c.csv", [HEAD, ["", "Zoé", "06", "x"]]), missing)
    cell = openpyxl.load_workbook(back)["Contacts"]["A2"]
    assert (cell.value, cell.fill.fgColor.rgb, cell.comment.text) == (None, RED, f"{SIGNATURE} Fill it in.")


def test_hostile_text_of_the_api(clients: Path) -> None:
    """The text of the API neither runs as a formula nor breaks the workbook."""
    hostile = Line([], 3, "rejected", "=1", "phoneNumber", "=cmd|'x'\x00\ud800", 1, 400, "@SUM(1)", "")
    for source in (clients, csv_of(clients.with_name("c.csv"), [HEAD, *ROWS])):
        back, _ = returned(source, hostile, place=clients.with_name("hostile.xlsx"))
        assert formulas(back) == {}
        sheet = openpyxl.load_workbook(back).worksheets[1]
        assert sheet["C3"].comment.text == f"{SIGNATURE} =cmd|'x'\ufffd\ufffd"
        assert sheet["I3"].value == "=cmd|'x'_x0000__xd800_"


def test_a_cell_that_is_too_long(tmp_path: Path) -> None:
    """A cell longer than a spreadsheet allows is cut, with a note."""
    back, _ = returned(csv_of(tmp_path / "c.csv", [HEAD, ["C1", "x" * 40_000, "06", "_x0041_" * 6000]]))
    _, first, _, note = texts(back)[1]
    assert len(first) <= 32_767
    assert first.endswith("[cut here: a cell has 32,767 characters at most; the rest is in the source]")
    assert note.startswith("_x0041__x0041_")


def test_a_long_cell_of_surrogate_pairs(tmp_path: Path) -> None:
    """A character outside the basic plane counts twice, as in Excel, so that the note is not cut off."""
    back, _ = returned(csv_of(tmp_path / "c.csv", [HEAD, ["C1", "😀" * 20_000, "06", ""]]))
    first = texts(back)[1][1]
    assert len(first.encode("utf-16-le")) <= 2 * 32_767
    assert first.endswith("the rest is in the source]")


@pytest.mark.parametrize("text", ["<r>", "<r></r>", "<r><t>x</t></r>", "<r> a & b </r>", "<r>\x01_x0041_</r>"])
def test_text_that_looks_like_markup(tmp_path: Path, text: str) -> None:
    """Text between the tags of rich text is text: XlsxWriter by itself would write it as markup."""
    back, _ = returned(csv_of(tmp_path / "c.csv", [HEAD, ["C1", text, "06", ""]]))
    assert texts(back)[1][1] == text
    assert openpyxl.load_workbook(back)["Contacts"].max_column == len(HEAD) + len(COLUMNS)


def test_an_error_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the rows end in an error it is raised as it is, and no temporary file is left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def torn() -> Iterator[Batch]:
        yield Batch([2], pack([["C1", "Zoé"]]), READY, {})
        raise StorageError("torn")

    layout = Layout(["contactId", "firstname"], ["A", "B"], {"contactId": 0, "firstname": 1}, ";")
    with pytest.raises(StorageError, match="torn"), open_atomic(tmp_path / "back.xlsx", 0o600) as report:
        formats.write("workbook", report, torn(), context(layout, 1))
    assert list(tmp_path.iterdir()) == []


def test_a_full_temporary_folder(clients: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new workbook that finds no room for its rows is a StorageError, and nothing is left."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    path = csv_of(clients.with_name("c.csv"), [HEAD, *ROWS])
    monkeypatch.setattr(Packager, "_create_package", full)
    with pytest.raises(StorageError, match="No space left"):
        returned(path, BAD)
    assert sorted(path.name for path in clients.parent.iterdir()) == ["c.csv", "clients.xlsx"]


def new_workbook(rows: list[list[str]], names: list[str], *bad: Line) -> tuple[Path, list[str]]:
    """Write a new workbook of these rows, in a folder that the caller removes."""
    place = Path(tempfile.mkdtemp()) / "back.xlsx"
    numbers = list(range(2, 2 + len(rows)))
    others = {line.number: line_of(line.number, rows[line.number - 2], line) for line in bad}
    page = Batch(numbers, pack(rows), READY, others)
    mapping = {"contactId": 0, "firstname": 1}
    with open_atomic(place, 0o600) as report:
        notes = formats.write("workbook", report, [page], context(Layout(names, ["A", "B", "C"], mapping, ";"), len(rows)))
    return place, notes


CELLS = (
    st.text()
    | st.text("=+-@'_x0041\x00\x01\r\n\t \ud800\uffff", max_size=12)
    | st.sampled_from(["007", "1e5", "#N/A", "TRUE", "<?>"])
)


@pytest.mark.unmeasured
@settings(max_examples=settings().max_examples // 2)
@example([["C1", "_x0041\x01_", "\ud800"]])
@given(st.lists(st.lists(CELLS, min_size=2, max_size=2).map(lambda cells: ["C1", *cells]), min_size=1, max_size=6))
def test_any_text_round_trips(rows: list[list[str]]) -> None:
    """A new workbook of any texts has the same cells when it is read, and so has its marked-up copy; none is a formula."""
    place, _ = new_workbook(rows, ["contactId", "firstname", "x"], Line([], 2, *BAD[2:3], "c", "firstname", "m", 0, None, "", ""))
    expected = [(0, ["contactId", "firstname", "x"]), *((number, row) for number, row in enumerate(rows, 2))]
    assert content(place) == expected
    second, notes = returned(place, place=place.with_name("second.xlsx"))
    assert notes == []
    assert content(second) == expected
    assert formulas(place) == formulas(second) == {}
    for path in (place, second):
        path.unlink()
    place.parent.rmdir()


def test_large_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large source a new workbook has only the rows that need attention, and says how many it does not show."""
    monkeypatch.setattr(workbook, "LIMIT", 2)
    path = workbook_of(tmp_path / "c.xlsx", HEAD, *ROWS)
    few, notes = returned(path, BAD)
    assert notes == [
        "This workbook shows only the rows that need attention (1); the others are in the CSV report. Correct c.xlsx itself."
    ]
    assert content(few) == [(0, HEAD), (2, ROWS[1])]
    book = openpyxl.load_workbook(few)
    assert book["To fix"]["A1"].value == notes[0]
    assert (book["To fix"]["A3"].value, book["To fix"]["A3"].hyperlink.location) == (3, "'Contacts'!C2")
    assert book["Contacts"]["E2"].value == 3
    bad = [Line([], number, *BAD[2:]) for number in (2, 3, 4)]
    many, notes = returned(path, *bad)
    assert notes == [
        "This workbook shows the first 2 rows that need attention; 1 more are in the CSV report. Correct c.xlsx itself."
    ]
    assert texts(many) == [HEAD, *ROWS[:2]]
    none, notes = returned(path)
    assert notes == ["No row needs attention."]
    assert openpyxl.load_workbook(none)["Contacts"].max_row == 1
