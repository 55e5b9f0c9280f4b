"""A plan as a file: the same lines in each format, inert, and in three colours."""

import csv
import re
from pathlib import Path

import openpyxl
import pytest

from contact_sync.files.atomic import open_atomic
from contact_sync.model.plan import Change, Effect, Kind, PlanSummary
from contact_sync.model.report import Summary
from contact_sync.model.violation import Column
from contact_sync.report.html import plan as html
from contact_sync.report.plan import COLUMNS, effect_of, is_plan, write
from contact_sync.report.xlsx import plan as xlsx
from contact_sync.rules.formula import unescape

CHANGES = [
    Change(2, "C1", "Zoé <b>", "lastname", Kind.OWN, Effect.SENT, "=1+1", "Dupré"),
    Change(2, "C1", "Zoé <b>", "custom1", Kind.OWN, Effect.SENT, "", "007"),
    Change(3, "C2", "", "firstname", Kind.CONFLICT, Effect.HELD, "<i>Eva</i>", "Léa\ud800"),
    Change(3, "C2", "", "custom4", Kind.FOREIGN, Effect.KEPT, None, "@x"),
    Change(9, "-C3", "", "custom4", Kind.OWN, Effect.HELD, "y", None),
]
PLAN = PlanSummary(
    Summary("r", Path("<contacts>.xlsx"), None),
    {"lastname": 1},
    1,
    1,
    1,
    0,
    0,
    0,
    4,
    0.8,
    lambda: iter(CHANGES),
    "ABCD-EFGH-JKMN",
)
VALUES = [("Dupré", "=1+1"), ("007", "(empty)"), ("Léa", "<i>Eva</i>"), ("@x", ""), ("(not read)", "y")]


def written(path: Path, writer: object) -> Path:
    """Write the plan."""
    with open_atomic(path, 0o600) as draft:
        writer(draft, iter(CHANGES), PLAN)  # type: ignore[operator]
        draft.commit()
    return path


def test_csv(tmp_path: Path) -> None:
    """A CSV file has a line for each change, escaped like a report."""
    path = written(tmp_path / "p.csv", write)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file, delimiter=";"))
    assert tuple(rows[0]) == COLUMNS
    assert rows[1][5] == "'=1+1"
    assert rows[5][1] == "'-C3"
    shown = [(unescape(row[4]).removesuffix("\\ud800"), unescape(row[5])) for row in rows[1:]]
    assert shown == VALUES
    assert {row[-1] for row in rows[1:]} == {"ABCD-EFGH-JKMN"}
    assert path.stat().st_mode & 0o777 == 0o600


def test_xlsx(tmp_path: Path) -> None:
    """A workbook has the same lines as text that is never a formula, and a colour for each kind of change."""
    book = openpyxl.load_workbook(written(tmp_path / "p.xlsx", xlsx.write))
    sheet, readme = book.worksheets
    rows = list(sheet.iter_rows(min_row=2))
    assert [cell.value for cell in sheet[1]] == list(COLUMNS)
    assert [(row[4].value, row[5].value) for row in rows][:2] == VALUES[:2]
    assert all(cell.data_type in "sn" for row in rows for cell in row)
    assert rows[0][5].quotePrefix
    fills = [{cell.fill.start_color.rgb[2:] for cell in row[:4]} for row in rows]
    assert fills == [{xlsx.FILLS[change.kind]} for change in CHANGES]
    assert (readme["A1"].value, readme["B1"].value) == ("ABCD-EFGH-JKMN", "<contacts>.xlsx")


def test_html_names_the_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page names each field by its column of the file, where it has another header."""
    monkeypatch.setattr(PLAN, "columns", {"lastname": Column("Nom", "C"), "firstname": Column("firstname", "B")})
    text = written(tmp_path / "p.html", html.write).read_text(encoding="utf-8")
    assert "“Nom” (column C)" in text
    assert ">lastname<" not in text
    assert ">firstname<" in text


def test_html(tmp_path: Path) -> None:
    """A page has the same lines, escaped; it needs no script, and its policy allows none."""
    text = written(tmp_path / "p.html", html.write).read_text(encoding="utf-8")
    rows = re.findall(r'<tr class="(\w+)" role="row">(.*)</tr>', text)
    assert [kind for kind, _cells in rows] == [change.kind for change in CHANGES]
    assert "&lt;i&gt;Eva&lt;/i&gt;</td>" in rows[2][1]
    assert "<title>Plan of &lt;contacts&gt;.xlsx</title>" in text
    assert "ABCD-EFGH-JKMN" in text
    assert "<script" not in text
    assert re.search(r"default-src 'none'; style-src 'sha256-[^']+'; base-uri", text)
    assert "prefers-color-scheme: dark" in text


@pytest.mark.parametrize("kind", ["csv", "xlsx", "html"])
def test_recognition(tmp_path: Path, kind: str) -> None:
    """A plan is recognised in each format, and any other file is not one."""
    writer = {"csv": write, "xlsx": xlsx.write, "html": html.write}[kind]
    assert is_plan(written(tmp_path / f"p.{kind}", writer))
    other = tmp_path / f"other.{kind}"
    other.write_text("<p>contactId;lastname", encoding="utf-8")
    assert not is_plan(other)


def test_every_effect_has_words() -> None:
    """Each kind with each effect is described differently where it means something else."""
    words = {
        effect_of(Change(2, "C1", "", "custom1", kind, effect, "x", "y"))
        for kind, effect in [(k, e) for k in (Kind.OWN, Kind.CONFLICT) for e in Effect if (k, e) != (Kind.OWN, Effect.KEPT)]
    }
    assert len(words) == 5
