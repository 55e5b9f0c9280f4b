"""Paths of reports: which are requested, how they are stored, and where they are after a move."""

import os
from pathlib import Path

import pytest

from contact_sync.model.source import OutputPaths
from contact_sync.settings import NOWHERE, ReportSettings
from contact_sync.sync.outputs import former_output_paths

FORMER = OutputPaths(Path("/in/c.csv"), {"report": Path("/in/r.csv"), "workbook": Path("/in/w.xlsx")}, 0o640)


@pytest.mark.parametrize(
    ("reports", "stored"),
    [
        ({"report": "/r.csv"}, b"/c.csv\0/r.csv\0\0"),
        ({"report": "/r.csv", "workbook": "/w.xlsx"}, b"/c.csv\0/r.csv\0/w.xlsx\0"),
        ({"report": "/r.csv", "page": "/p.html"}, b"/c.csv\0/r.csv\0\0/p.html"),
        ({"report": "/r.csv", "lines": "/a=b"}, b"/c.csv\0/r.csv\0\0\0lines=/a=b"),
        ({"report": "/\udce9"}, b"/c.csv\0/\xe9\0\0"),
    ],
)
def test_the_stored_form(reports: dict[str, str], stored: bytes) -> None:
    """Source, report, workbook and page have fixed positions, as in the first release; later formats follow with their names."""
    paths = OutputPaths(Path("/c.csv"), {name: Path(path) for name, path in reports.items()}, 0o644)
    assert paths.packed() == stored
    assert OutputPaths.unpacked(stored, 0o644) == paths


def test_stored_paths_are_absolute() -> None:
    """Relative paths are stored as absolute ones, because a later command may run in another folder."""
    packed = OutputPaths(Path("c.csv"), {"report": Path("r.csv")}).packed()
    assert packed == os.fsencode(f"{Path('c.csv').absolute()}\0{Path('r.csv').absolute()}\0\0")


def test_paths_after_a_move() -> None:
    """Reports that are named after the source are moved with it; others stay."""
    reports = {"report": Path("/in/c.csv.results.csv"), "workbook": Path("/in/c.csv.results-2.xlsx"), "page": Path("/out/p.html")}
    moved = OutputPaths(Path("/in/c.csv"), reports).moved(Path("/in/done/20260102-c.csv"))
    assert moved.source == Path("/in/done/20260102-c.csv")
    assert moved.reports == {
        "report": Path("/in/done/20260102-c.csv.results.csv"),
        "workbook": Path("/in/done/20260102-c.csv.results-2.xlsx"),
        "page": Path("/out/p.html"),
    }


def test_former_paths() -> None:
    """A run that is resumed writes its former reports, unless others are given; `none` leaves the workbook out."""
    assert former_output_paths(ReportSettings(), FORMER) == FORMER
    others = ReportSettings(path=Path("n.csv"), mode=0o600, outputs={"workbook": NOWHERE, "page": Path("p.html")})
    assert former_output_paths(others, FORMER) == (FORMER.source, {"report": Path("n.csv"), "page": Path("p.html")}, 0o600)
