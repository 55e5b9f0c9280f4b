"""Workbooks of which a copy would lose something, so that a new one is written."""

import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.chart import BarChart, Reference

from tests.report.workbooks import BAD, HEAD, ROWS, change_parts, is_new, returned, texts, workbook_of


def chart(sheet: Any) -> None:
    """Add a chart to a sheet."""
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
def test_parts_that_a_copy_would_lose(clients: Path, part: str) -> None:
    """A workbook with a part that a copy would lose is not copied: a new one is written, with a note."""
    change_parts(clients, {part: lambda _: b"<x/>"})
    back, (note,) = returned(clients, BAD)
    assert f"({part.split('/')[part.startswith('xl/')]})" in note
    assert is_new(back)
    assert texts(back) == texts(clients)


def test_a_chart(tmp_path: Path) -> None:
    """A workbook with a chart is not copied."""
    back, (note,) = returned(workbook_of(tmp_path / "c.xlsx", HEAD, *ROWS, change=chart), BAD)
    assert note == "A copy of c.xlsx would lose parts of it (charts, drawings), so a new workbook was written instead."
    assert is_new(back)


def test_sparklines(clients: Path) -> None:
    """A workbook with an extension in a sheet is not copied."""
    sheet = "xl/worksheets/sheet1.xml"
    change_parts(clients, {sheet: lambda part: part.replace(b"</worksheet>", b'<extLst><ext uri="x"/></extLst></worksheet>')})
    back, (note,) = returned(clients)
    assert "(extLst)" in note
    assert is_new(back)


def test_empty_drawings(clients: Path) -> None:
    """A workbook exported by Google, with an empty drawing, is copied."""
    change_parts(clients, {"xl/drawings/drawing1.xml": lambda _: b'<wsDr xmlns="x"/>'})
    back, notes = returned(clients, BAD)
    assert notes == []
    assert openpyxl.load_workbook(back).sheetnames == ["To fix", "Clients"]


def test_form_controls(clients: Path) -> None:
    """A workbook with a form control is not copied."""
    change_parts(clients, {"xl/drawings/vmlDrawing1.vml": lambda _: b"<xml><x:FmlaMacro>Go</x:FmlaMacro></xml>"})
    back, (note,) = returned(clients)
    assert "(FmlaMacro)" in note
    assert is_new(back)


def test_escaped_underscores(tmp_path: Path) -> None:
    """A workbook with an escaped underscore, which openpyxl misreads, is not copied."""
    path = workbook_of(tmp_path / "c.xlsx", HEAD, ["C1", "_x005F_x0041_", "06", ""])
    back, (note,) = returned(path)
    assert "(x005F_)" in note
    assert is_new(back)
    assert texts(back) == texts(path) == [HEAD, ["C1", "_x0041_", "06", ""]]


def test_unreadable_by_openpyxl(clients: Path) -> None:
    """For a workbook that openpyxl cannot read a new one is written, whose content type matches the suffix .xlsm."""
    change_parts(clients, {"docProps/core.xml": lambda _: b"<broken"})
    back, (note,) = returned(clients, BAD, place=clients.with_name("back.xlsm"))
    assert note.startswith("clients.xlsx could not be copied")
    assert texts(back) == texts(clients)
    with zipfile.ZipFile(back) as archive:
        assert b"macroEnabled" in archive.read("[Content_Types].xml")


def test_no_room_for_the_result_columns(tmp_path: Path) -> None:
    """Columns beyond the widest sheet that can be read are not written: a new workbook has those that are sent."""
    head = ["contactId", *(f"x{n}" for n in range(250)), "firstname"]
    path = workbook_of(tmp_path / "c.xlsx", head, ["C1", *["x"] * 250, "Zoé"])
    back, notes = returned(path)
    assert notes == [
        "c.xlsx could not be copied completely, so a new workbook was written instead.",
        "There are too many columns that are not sent for this workbook: see the CSV report.",
    ]
    assert texts(back) == [["contactId", "firstname"], ["C1", "Zoé"]]
