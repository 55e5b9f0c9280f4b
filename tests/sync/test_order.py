"""The order of files: an older file never overwrites what a newer one has sent."""

import csv
import os
import shutil
import time
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest

from contact_sync.ledger.digests import pack
from contact_sync.sandbox.faults import Behaviour
from contact_sync.sandbox.server import Sandbox
from tests.setups import edit
from tests.sync.test_run import Serve, Workspace

HOUR = 3600
MONDAY, TUESDAY, WEDNESDAY = 72 * HOUR, 48 * HOUR, 24 * HOUR  # ages of files
SOON = 60


def written(
    folder: Path, name: str, age: float, *rows: tuple[str, ...], header: tuple[str, ...] = ("contactId", "firstname")
) -> Path:
    """Return a file that was written `age` seconds ago."""
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=";").writerows([header, *rows])
    return aged(path, age)


def aged(path: Path, age: float) -> Path:
    """Return a file after its time was set to `age` seconds ago."""
    os.utime(path, (time.time() - age,) * 2)
    return path


@pytest.fixture
def workspace(tmp_path: Path, sandbox: Serve) -> Workspace:
    """Return a workspace in which two files were sent, the older one first."""
    workspace = Workspace(tmp_path, sandbox())
    monday = written(tmp_path, "monday.csv", MONDAY, ("C000001", "Old"), ("C000002", "Léa"), ("C000003", "Max"))
    workspace.run(source=monday)
    shutil.copy(workspace.report, tmp_path / "monday.results.csv")
    workspace.run(source=written(tmp_path, "tuesday.csv", TUESDAY, ("C000001", "New"), ("C000002", "Léa")))
    return workspace


def stored(sandbox: Sandbox, number: int = 1) -> str:
    """Return the first name that the sandbox has for a contact."""
    return str(sandbox.store[f"C{number:06}"]["firstname"])


def test_an_old_file_does_not_win(workspace: Workspace) -> None:
    """A row that a newer file has overtaken is not sent; the others are sent or in place, and the exit code is 0."""
    summary = workspace.run(source=workspace.folder / "monday.csv")
    assert summary.outcomes == {"unchanged": 2, "unprocessed": 1}
    assert (summary.exit_code, summary.is_open) == (0, False)
    first = workspace.lines()[0]
    assert (first["sync_outcome"], first["sync_code"]) == ("unprocessed", "superseded")
    assert "sets firstname of this contact" in first["sync_message"]
    assert summary.warnings == ["1 row was overtaken by a newer file and is not sent: see the report."]
    assert stored(workspace.sandbox) == "New"


def test_an_old_file_is_sent_on_request(workspace: Workspace) -> None:
    """`--resend` sends an old file, whose values stay as old as they are: the newer file overtakes them again."""
    monday = workspace.folder / "monday.csv"
    assert workspace.run(source=monday, resend=True).outcomes == {"updated": 3}
    assert stored(workspace.sandbox) == "Old"
    assert workspace.run(source=workspace.folder / "tuesday.csv").outcomes == {"unchanged": 1, "updated": 1}


def test_resending_that_fails_does_not_make_its_own_file_old(workspace: Workspace) -> None:
    """Rows that were resent without success are sent by the next run of their file."""
    tuesday = workspace.folder / "tuesday.csv"
    workspace.sandbox.script["C000001"] = [Behaviour(status=500)] * 9
    assert workspace.run(source=tuesday, resend=True, attempts=1).outcomes["failed"] == 1
    del workspace.sandbox.script["C000001"]
    assert workspace.run(source=tuesday).outcomes == {"unchanged": 1, "updated": 1}


def test_an_old_report_fed_back(workspace: Workspace) -> None:
    """Monday's report, corrected in one cell on Wednesday, does not send the values that Tuesday's file has replaced."""
    report = workspace.folder / "monday.results.csv"
    corrected = aged(report, SOON).read_text(encoding="utf-8-sig").replace("Max", "Maxime")
    report.write_text(corrected, encoding="utf-8-sig", newline="")
    summary = workspace.run(source=aged(report, SOON))
    assert [line["sync_code"] for line in workspace.lines()] == ["superseded", "", ""]
    assert summary.outcomes == {"updated": 1, "unchanged": 1, "unprocessed": 1}
    assert (stored(workspace.sandbox), stored(workspace.sandbox, 3)) == ("New", "Maxime")
    assert {line["sync_source_at"] for line in workspace.lines()} >= {csv_ages(report)[0]}


def csv_ages(report: Path) -> list[str]:
    """Return the ages of the rows of a report."""
    with report.open(encoding="utf-8-sig", newline="") as file:
        return [line["sync_source_at"] for line in csv.DictReader(file, delimiter=";")]


def test_an_old_workbook_fed_back(tmp_path: Path, sandbox: Serve) -> None:
    """The same holds for a returned workbook, which is saved in the place of its source."""
    workspace = Workspace(tmp_path, sandbox())
    book = openpyxl.Workbook()
    for row in (("contactId", "firstname"), ("C000001", "Old"), ("C000002", "Léa")):
        book.active.append(row)  # type: ignore[union-attr]
    monday = tmp_path / "monday.xlsx"
    book.save(monday)
    workspace.run(source=aged(monday, MONDAY))
    workspace.run(source=written(tmp_path, "tuesday.csv", TUESDAY, ("C000001", "New")))
    returned = openpyxl.load_workbook(tmp_path / "contacts.results.xlsx")
    returned["Sheet"]["B3"] = "Léonie"
    returned.save(monday)
    assert workspace.run(source=aged(monday, SOON)).outcomes == {"updated": 1, "unprocessed": 1}
    assert (stored(workspace.sandbox), stored(workspace.sandbox, 2)) == ("New", "Léonie")


def test_columns_that_no_newer_file_has(workspace: Workspace) -> None:
    """Only the fields that a newer file has sent are overtaken: an older file with another column is sent."""
    older = written(workspace.folder, "dates.csv", MONDAY, ("C000001", "2020-12-31"), header=("contactId", "date"))
    assert workspace.run(source=older).outcomes == {"updated": 1}
    assert workspace.run(source=workspace.folder / "monday.csv").outcomes == {"unchanged": 2, "unprocessed": 1}


def test_a_newer_file_that_failed(workspace: Workspace) -> None:
    """A newer file that sent a row without an answer has overtaken the older one, too: what the server holds is not known."""
    newest = written(workspace.folder, "wednesday.csv", WEDNESDAY, ("C000003", "Maxence"))
    workspace.sandbox.script["C000003"] = [Behaviour(drop=True, applied=True)] * 9
    assert workspace.run(source=newest, attempts=1).outcomes == {"failed": 1}
    assert workspace.run(source=workspace.folder / "monday.csv").outcomes == {"unchanged": 1, "unprocessed": 2}
    assert stored(workspace.sandbox, 3) == "Maxence"


def test_a_row_that_failed_in_the_older_file(tmp_path: Path, sandbox: Serve) -> None:
    """A file that stays because a row failed is run again after a newer one: only the row that it alone has is sent."""
    workspace = Workspace(tmp_path, sandbox())
    monday = written(tmp_path, "monday.csv", MONDAY, ("C000001", "Old"), ("C000002", "Léa"))
    workspace.sandbox.script["C000002"] = [Behaviour(status=500)] * 2
    assert workspace.run(source=monday, attempts=1).outcomes == {"updated": 1, "failed": 1}
    workspace.run(source=written(tmp_path, "tuesday.csv", TUESDAY, ("C000001", "New")))
    assert workspace.run(source=monday).outcomes == {"updated": 1, "unprocessed": 1}
    assert (stored(workspace.sandbox), stored(workspace.sandbox, 2)) == ("New", "Léa")


def test_a_clock_that_was_ahead(workspace: Workspace) -> None:
    """A file from the future counts as written now, so that no file waits for its time to come."""
    future = written(workspace.folder, "future.csv", -7 * 24 * HOUR, ("C000001", "Future"))
    assert workspace.run(source=future).outcomes == {"updated": 1}
    today = written(workspace.folder, "today.csv", 0, ("C000001", "Today"))
    assert workspace.run(source=today).outcomes == {"updated": 1}


def test_resumed_rows_keep_their_age(tmp_path: Path, sandbox: Serve) -> None:
    """Rows that `retry` sends have the age of their source, not that of the retry."""
    workspace = Workspace(tmp_path, sandbox())
    workspace.sandbox.script["C000001"] = [Behaviour(status=500)] * 2
    workspace.run(source=written(tmp_path, "monday.csv", MONDAY, ("C000001", "Old")), attempts=1)
    assert workspace.retry().outcomes == {"updated": 1}
    assert workspace.run(source=written(tmp_path, "tuesday.csv", TUESDAY, ("C000001", "New"))).outcomes == {"updated": 1}
    assert workspace.run(source=tmp_path / "monday.csv").outcomes == {"unprocessed": 1}


def test_values_that_a_newer_file_repeats(tmp_path: Path, sandbox: Serve) -> None:
    """A row that Tuesday's file has in place is not overwritten by Monday's report, whose phone number was corrected."""
    workspace = Workspace(tmp_path, sandbox())
    header = ("contactId", "firstname", "phoneNumber")
    sunday = ("C000001", "Bella", "0612345678")
    workspace.run(source=written(tmp_path, "sunday.csv", MONDAY + HOUR, sunday, header=header))
    monday = written(tmp_path, "monday.csv", MONDAY, ("C000001", "Anna", "12"), ("C000002", "Max", "12"), header=header)
    assert workspace.run(source=monday, max_invalid=100).outcomes == {"invalid": 2}
    shutil.copy(workspace.report, tmp_path / "monday.results.csv")
    tuesday = written(tmp_path, "tuesday.csv", TUESDAY, sunday, header=header)
    assert workspace.run(source=tuesday).outcomes == {"unchanged": 1}
    report = tmp_path / "monday.results.csv"
    corrected = report.read_text(encoding="utf-8-sig").replace(";12;", ";0687654321;", 1).replace(";12;", ";0687654322;", 1)
    report.write_text(corrected, encoding="utf-8-sig", newline="")
    assert workspace.run(source=aged(report, SOON)).outcomes == {"updated": 1, "conflict": 1}
    assert (stored(workspace.sandbox), stored(workspace.sandbox, 2)) == ("Bella", "Max")


def test_an_older_file_that_was_never_run(workspace: Workspace) -> None:
    """A file that lay aside does not overwrite what a newer one repeats; an older report of that one changes nothing about it."""
    aside = written(workspace.folder, "aside.csv", TUESDAY - HOUR, ("C000001", "Aside"), ("C000003", "Maxence"))
    again = written(workspace.folder, "wednesday.csv", WEDNESDAY, ("C000001", "New"))
    assert workspace.run(source=again).outcomes == {"unchanged": 1}
    assert workspace.run(source=workspace.folder / "tuesday.csv").outcomes == {"unchanged": 2}
    assert workspace.run(source=aside).outcomes == {"updated": 1, "unprocessed": 1}
    assert (stored(workspace.sandbox), stored(workspace.sandbox, 3)) == ("New", "Maxence")


def test_a_field_that_a_newer_file_leaves_blank(workspace: Workspace) -> None:
    """A blank cell says nothing about its field, row by row."""
    header = ("contactId", "firstname", "lastname")
    workspace.run(source=written(workspace.folder, "names.csv", TUESDAY - HOUR, ("C000002", "Léa", "Roux"), header=header))
    rows = (("C000001", "New", ""), ("C000002", "Léa", "Roux"))
    wednesday = written(workspace.folder, "wednesday.csv", WEDNESDAY, *rows, header=header)
    assert workspace.run(source=wednesday).outcomes == {"unchanged": 2}
    rows = (("C000001", "New", "Petit"), ("C000002", "Léa", "Petit"))
    older = written(workspace.folder, "older.csv", TUESDAY - 2 * HOUR, *rows, header=header)
    assert workspace.run(source=older).outcomes == {"updated": 1, "unprocessed": 1}


def test_a_refused_file_repeats_nothing(workspace: Workspace) -> None:
    """A newer file that a guard stopped may be damaged: what it has in place does not keep an older file from being sent."""
    rows = (("C000001", "New"), ("C000003", "Max"), ("", "Zoé"), ("", "Zoé"), ("", "Zoé"))
    newer = written(workspace.folder, "wednesday.csv", WEDNESDAY, *rows)
    assert workspace.run(source=newer).exit_code == 4
    older = written(workspace.folder, "older.csv", TUESDAY - HOUR, ("C000003", "Maxence"))
    assert workspace.run(source=older).outcomes == {"updated": 1}


def test_a_clock_that_was_ahead_hides_no_newer_file(workspace: Workspace) -> None:
    """A value that was sent while the clock was ahead is protected by the newer file that repeats it."""
    (ledger,) = (workspace.folder / "state").glob("*.sqlite3")
    ahead = int(time.time() + MONDAY).to_bytes(8)
    edit(ledger, "UPDATE confirmed SET moments = ?", pack({"firstname": ahead}))
    newer = written(workspace.folder, "wednesday.csv", WEDNESDAY, ("C000001", "New"))
    assert workspace.run(source=newer).outcomes == {"unchanged": 1}
    older = written(workspace.folder, "older.csv", TUESDAY, ("C000001", "Old"))
    assert workspace.run(source=older).outcomes == {"unprocessed": 1}
    assert stored(workspace.sandbox) == "New"


def corrected(workspace: Workspace, value: str) -> Path:
    """Return Monday's report after one cell, which Tuesday's file has changed as well, was corrected in it on Wednesday."""
    report = workspace.folder / "monday.results.csv"
    text = report.read_text(encoding="utf-8-sig")
    report.write_text(text.replace("Old", value, 1), encoding="utf-8-sig", newline="")
    return aged(report, SOON)


def test_a_correction_of_what_a_newer_file_sets(workspace: Workspace) -> None:
    """A row of an old report that was edited after a newer file set the same field is a conflict, which an operator decides."""
    report = corrected(workspace, "Newest")
    summary = workspace.run(source=report)
    assert summary.outcomes == {"unchanged": 2, "conflict": 1}
    assert (summary.exit_code, stored(workspace.sandbox)) == (3, "New")
    line = workspace.lines()[0]
    assert line["sync_code"] == "edited-late"
    began = datetime.fromtimestamp((workspace.folder / "tuesday.csv").stat().st_mtime).astimezone()
    assert f"A newer file (tuesday.csv, {began:%Y-%m-%d, %H:%M}) sets firstname" in line["sync_message"]
    fed_back = workspace.folder / "again.csv"
    fed_back.write_text(
        workspace.report.read_text(encoding="utf-8-sig").replace(line["sync_source_at"], "", 1), encoding="utf-8-sig", newline=""
    )
    assert workspace.run(source=fed_back).outcomes == {"updated": 1, "unchanged": 2}
    assert stored(workspace.sandbox) == "Newest"


@pytest.mark.parametrize(("conflicts", "outcomes"), [("mine", {"updated": 1}), ("theirs", {"unprocessed": 1})])
def test_a_correction_decided_by_option(workspace: Workspace, conflicts: str, outcomes: dict[str, int]) -> None:
    """`--conflicts` decides for the whole file: `mine` sends edited rows, `theirs` leaves them out like those that were not."""
    summary = workspace.run(source=corrected(workspace, "Newest"), conflicts=conflicts)
    assert summary.outcomes == {"unchanged": 2, **outcomes}
    assert (summary.exit_code, stored(workspace.sandbox)) == (0, "Newest" if conflicts == "mine" else "New")


def test_a_correction_before_the_newer_file(workspace: Workspace) -> None:
    """A row that was edited before the newer file was written is old as a whole."""
    report = aged(corrected(workspace, "Older"), TUESDAY + HOUR)
    assert workspace.run(source=report).outcomes == {"unchanged": 2, "unprocessed": 1}
    assert workspace.run(source=report, conflicts="mine").outcomes == {"unchanged": 2, "unprocessed": 1}


def test_a_workbook_corrected_in_what_a_newer_file_sets(tmp_path: Path, sandbox: Serve) -> None:
    """The same holds for a returned workbook; what its other rows had is not sent again."""
    workspace = Workspace(tmp_path, sandbox())
    book = openpyxl.Workbook()
    for row in (("contactId", "firstname", "date"), ("C000001", "Old", 43831), ("C000002", "Léa", 43832)):
        book.active.append(row)  # type: ignore[union-attr]
    for cell in ("C2", "C3"):
        book.active[cell].number_format = "dd/mm/yyyy"  # type: ignore[index]
    monday = tmp_path / "monday.xlsx"
    book.save(monday)
    workspace.run(source=aged(monday, MONDAY))
    workspace.run(source=written(tmp_path, "tuesday.csv", TUESDAY, ("C000001", "New"), ("C000002", "Lia")))
    returned = openpyxl.load_workbook(tmp_path / "contacts.results.xlsx")
    returned["Sheet"]["B2"] = "Newest"
    returned.save(monday)
    workspace.run(source=aged(monday, SOON))
    assert [line["sync_code"] for line in workspace.lines()] == ["edited-late", "superseded"]
    assert (stored(workspace.sandbox), stored(workspace.sandbox, 2)) == ("New", "Lia")
