"""One run, end to end: real files, a real ledger, real HTTP to a sandbox."""

import asyncio
import csv
import errno
import gc
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlwt
from aiohttp import web

from contact_sync.errors import (
    AccessError,
    BusyError,
    ConfigError,
    ContactSyncError,
    Interrupted,
    MissingError,
    SourceError,
    StorageError,
    UnavailableError,
)
from contact_sync.files.lock import acquire
from contact_sync.files.snapshot import identity_of
from contact_sync.ledger.digests import installation
from contact_sync.ledger.sqlite import SqliteLedger
from contact_sync.ledger.sqlite.database import Database
from contact_sync.ledger.sqlite.reader import RunReader
from contact_sync.ledger.sqlite.writer import RunWriter
from contact_sync.model.fields import stamp
from contact_sync.model.report import Batch, Summary
from contact_sync.model.row import Outcome, Result
from contact_sync.packed import pack, unpack
from contact_sync.report.xlsx import workbook
from contact_sync.sandbox.faults import Behaviour
from contact_sync.sandbox.server import Sandbox
from contact_sync.settings import Settings
from contact_sync.source.header import CHUNK
from contact_sync.sync import run as module
from contact_sync.sync.budget import Budget
from contact_sync.sync.run import run
from contact_sync.sync.steps import exit_code
from tests.setups import edit, requires_root, unprivileged_user
from tests.source import reading, writing

KEY = "made-up-key-1234"
Serve = Callable[..., Sandbox]
Row = tuple[str, ...]

THREE: tuple[Row, ...] = (("C000001", "Zoé"), ("C000002", "Léa"), ("C000003", "Max"))


@dataclass
class Watcher:
    """A watcher that records the progress, and may call a function after each row."""

    rows: int = 0
    announced: list[int] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    then: Callable[[], object] = lambda: None
    while_loading: Callable[[], object] = lambda: None

    def loaded(self, rows: int) -> None:
        """Count rows that were loaded."""
        self.rows += rows
        self.while_loading()

    def paced(self, _pace: object) -> None:
        """Ignore the pace."""

    def sending(self, rows: int) -> None:
        """Record how many rows are to be sent."""
        self.announced.append(rows)

    def reading(self, rows: int) -> None:
        """Record how many contacts are to be read."""
        self.announced.append(rows)

    def sent(self, result: Result) -> None:
        """Record a row that was sent."""
        self.results.append(result)
        self.then()


@dataclass
class Workspace:
    """A folder with a source, and the sandbox that it is sent to."""

    folder: Path
    sandbox: Sandbox
    watcher: Watcher = field(default_factory=Watcher)

    @property
    def source(self) -> Path:
        """Path of the source."""
        return self.folder / "contacts.csv"

    @property
    def report(self) -> Path:
        """Path of the report."""
        return self.folder / "contacts.results.csv"

    def write(self, *rows: Row, header: Row = ("contactId", "firstname", "date")) -> None:
        """Write the source, a minute old."""
        with self.source.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=";").writerows([header, *([*row, *[""] * (len(header) - len(row))] for row in rows)])
        age(self.source)

    def settings(self, **options: Any) -> Settings:
        """Return the settings of a run."""
        return Settings.of(**self._options() | {"source": self.source, "report": self.report} | options)

    def run(self, **options: Any) -> Summary:
        """Run once."""
        return run(self.settings(**options), self.watcher)

    def run_within(self, budget: Budget, **options: Any) -> Summary:
        """Run once within the budget of a command."""
        given = {"source": self.source, "report": self.report} | options
        return run(Settings.of(**self._options() | given), self.watcher, budget)

    def retry(self, **options: Any) -> Summary:
        """Resume the last run."""
        return module.retry(Settings.of(**self._options() | options), self.watcher)

    def rewrite(self) -> Summary:
        """Write the last run's reports again."""
        return module.rewrite(Settings.of(**self._options()), self.watcher)

    def _options(self) -> dict[str, Any]:
        return {"key": KEY, "base_url": self.sandbox.base_url, "state_dir": self.folder / "state", "rate": 0}

    def lines(self) -> list[dict[str, str]]:
        """Return the lines of the report."""
        with self.report.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file, delimiter=";"))

    def outcomes(self) -> list[str]:
        """Return the outcomes in the report."""
        return [line["sync_outcome"] for line in self.lines()]


def age(path: Path) -> None:
    """Make a file a minute old, because a file that has just changed is watched until it is quiet."""
    os.utime(path, (time.time() - 60,) * 2)


@pytest.fixture
def workspace(tmp_path: Path, sandbox: Serve) -> Workspace:
    """Return a workspace with three rows to send."""
    workspace = Workspace(tmp_path, sandbox())
    workspace.write(*THREE)
    return workspace


def balanced(summary: Summary, workspace: Workspace) -> bool:
    """Return True when rows read = lines of the report = sum of the outcomes."""
    return summary.rows == len(workspace.lines()) == sum(summary.outcomes.values())


# ---- runs without problems


def test_workbook_by_content(workspace: Workspace) -> None:
    """A source that is a workbook by its content is returned as one; its name does not count."""
    csv_file, book = workspace.folder / "named.xlsx", workspace.folder / "named.csv"
    workspace.source.rename(csv_file)
    sheet = openpyxl.Workbook()
    for row in (("contactId", "firstname"), ("C000001", "Zoé")):
        sheet.active.append(row)  # type: ignore[union-attr]
    sheet.save(book)
    age(book)
    assert workspace.run(source=csv_file).outputs == {}
    assert workspace.run(source=book).outputs == {"workbook": workspace.folder / "contacts.results.xlsx"}


def test_missing_source(workspace: Workspace) -> None:
    """A missing source is a MissingError, with or without an earlier report."""
    for _ in range(2):
        with pytest.raises(MissingError, match="does not exist"):
            workspace.run(source=workspace.folder / "gone.csv")
        workspace.report.touch()


def test_identity_of_the_source(workspace: Workspace) -> None:
    """A summary identifies the file that was read, also when another has taken its name during the run."""
    before = identity_of(workspace.source)
    workspace.watcher.then = lambda: workspace.write(("C000004", "Éponine"))
    assert workspace.run().identity == before != identity_of(workspace.source)


def test_run(workspace: Workspace) -> None:
    """Every row is sent, confirmed and reported, and the summary adds up."""
    summary = workspace.run()
    assert (summary.exit_code, summary.outcomes, summary.requests, summary.retries) == (0, {"updated": 3}, 3, 0)
    assert balanced(summary, workspace)
    assert (summary.reasons, summary.warnings, summary.causes, summary.notes) == ([], [], [], [])
    assert (workspace.watcher.rows, workspace.watcher.announced, len(workspace.watcher.results)) == (3, [3], 3)
    first = workspace.lines()[0]
    assert first.pop("sync_at").endswith("Z")
    assert first.pop("sync_source_at").endswith("Z")
    assert first.pop("sync_checksum").startswith("x")
    assert list(first.values()) == ["C000001", "Zoé", "", "2", "updated", "", "", "", "1", "200", "200"]
    assert workspace.sandbox.store["C000001"]["firstname"] == "Zoé"


def test_second_run_sends_nothing(workspace: Workspace) -> None:
    """A second run finds everything in place; later only the edited row is sent; `resend` sends all rows again."""
    workspace.run()
    summary = workspace.run()
    assert (summary.exit_code, summary.outcomes, summary.requests) == (0, {"unchanged": 3}, 0)
    workspace.write(*THREE[:2], ("C000003", "Eve"))
    assert workspace.run().outcomes == {"unchanged": 2, "updated": 1}
    assert workspace.run(resend=True).outcomes == {"updated": 3}
    assert workspace.run().outcomes == {"unchanged": 3}
    assert len(workspace.sandbox.calls) == 3 + 0 + 1 + 3


def test_named_account(workspace: Workspace) -> None:
    """A rotated key keeps the ledger of an account with a name, and so does a run that leaves out the name of a known key."""
    assert workspace.run(account="shop", key="old").outcomes == {"updated": 3}
    assert workspace.run(account="shop", key="new").outcomes == {"unchanged": 3}
    assert workspace.run(key="new").outcomes == {"unchanged": 3}


def test_keys_of_one_account(workspace: Workspace) -> None:
    """A new key beside another ledger is asked about once, within the pace and counted; values of the other are not believed."""
    assert workspace.run(key="old-key").requests == 3
    workspace.write(("C000001", "Éponine"))
    summary = workspace.run(key="new-key", rate=5)
    assert (summary.outcomes, summary.requests) == ({"updated": 1}, 1 + 1)
    assert "give every run the same --account" in summary.warnings[0]
    workspace.write(*THREE)
    summary = workspace.run(key="old-key")
    assert (summary.outcomes, summary.requests) == ({"updated": 3}, 3 + 1)
    assert workspace.sandbox.store["C000001"]["firstname"] == "Zoé"
    assert (workspace.run(key="new-key").outcomes, workspace.run(key="old-key").requests) == ({"unchanged": 3}, 0)


def test_an_api_that_does_not_say_whose_the_key_is(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run continues when the API does not answer whose the key is, and believes nothing that may have been overwritten."""
    monkeypatch.setattr(Sandbox, "_me", lambda *_: web.Response(status=503, text="<h1>Oops</h1>"))
    workspace.run(key="old-key")
    workspace.run(key="new-key")
    summary = workspace.run(key="old-key")
    assert (summary.exit_code, summary.outcomes) == (0, {"updated": 3})
    assert "may be of the same account" in summary.warnings[0]


def test_a_ledger_that_another_program_has_locked(workspace: Workspace) -> None:
    """A signal ends the wait for a ledger that another program has locked."""
    workspace.run()
    (ledger,) = (workspace.folder / "state").glob("*.sqlite3")
    with closing(sqlite3.connect(ledger, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))
        timer.start()
        with pytest.raises(Interrupted):
            workspace.run()
        timer.join()


def test_a_dry_run(workspace: Workspace) -> None:
    """A dry run reports what is in place and what would be sent, sends nothing, and does not change the ledger."""
    workspace.run()
    workspace.write(*THREE[:2], ("C000003", "Eve"))
    before = len(workspace.sandbox.calls)
    for _ in range(2):
        summary = workspace.run(dry_run=True)
        assert summary.report  # beside that of the real run
        summary.report.replace(workspace.report)
        assert (summary.exit_code, workspace.outcomes()) == (0, ["unchanged", "unchanged", "ready"])
        assert balanced(summary, workspace)
    assert len(workspace.sandbox.calls) == before
    assert workspace.run().outcomes == {"unchanged": 2, "updated": 1}


def test_a_check(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check needs no key, network or ledger, and writes nothing but the report."""
    workspace.write(*THREE, ("C000004", "x" * 33))
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("there is no network"))
    summary = workspace.run(dry_run=True, remember=False, key="", base_url="", state_dir=workspace.folder / "never")
    assert (summary.exit_code, workspace.outcomes()) == (3, ["ready"] * 3 + ["invalid"])
    assert sorted(path.name for path in workspace.folder.iterdir()) == ["contacts.csv", "contacts.results.csv"]


def test_the_embedded_sandbox(workspace: Workspace) -> None:
    """A run against the embedded sandbox needs no key, network or ledger, and knows every contact of the source."""
    workspace.write(("anybody", "Zoé"))
    for _ in range(2):
        summary = workspace.run(sandbox=True, key="sandbox", base_url="https://example.com", state_dir=workspace.folder / "never")
        assert (summary.exit_code, summary.outcomes) == (0, {"updated": 1})
    assert workspace.sandbox.calls == []
    assert not (workspace.folder / "never").exists()


def test_a_limit(workspace: Workspace) -> None:
    """Rows over the limit end unprocessed, do not affect the exit code, and are sent by the next run."""
    summary = workspace.run(limit=2)
    assert (summary.exit_code, workspace.outcomes()) == (0, ["updated", "updated", "unprocessed"])
    assert workspace.lines()[2]["sync_code"] == "limit"
    assert "limit of 2 rows" in workspace.lines()[2]["sync_message"]
    assert workspace.watcher.announced == [2]
    assert workspace.run(limit=2).outcomes == {"unchanged": 2, "updated": 1}


def test_a_limit_of_rows_that_are_in_place(workspace: Workspace) -> None:
    """Rows that `--limit` leaves out of a `--resend` are still known to be in place."""
    workspace.run()
    assert workspace.run(resend=True, limit=1).outcomes == {"updated": 1, "unprocessed": 2}
    assert workspace.run().outcomes == {"unchanged": 3}


def test_hidden_rows(workspace: Workspace) -> None:
    """Skipped hidden rows end unprocessed and do not affect the exit code; refused hidden rows stop the run."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in (("contactId", "firstname"), *THREE):
        sheet.append(row)
    sheet.row_dimensions[3].hidden = True
    source = workspace.folder / "contacts.xlsx"
    book.save(source)
    age(source)
    summary = workspace.run(source=source, hidden="skip")
    assert (summary.exit_code, workspace.outcomes()) == (0, ["updated", "unprocessed", "updated"])
    summary = workspace.run(source=source)
    assert (summary.exit_code, workspace.outcomes()) == (4, ["unchanged", "invalid", "unchanged"])
    (reason,) = summary.reasons
    assert reason.startswith("A filter hides 1 row, or it was hidden by hand (row 3), so nothing is sent: clear the filter")
    first = openpyxl.load_workbook(summary.outputs["workbook"]).worksheets[0]
    assert [first["A1"].value, first["A4"].value] == [reason, 3]
    assert len(workspace.sandbox.calls) == 2
    assert workspace.run(source=source, hidden="include").outcomes == {"unchanged": 2, "updated": 1}


def test_two_columns_in_turn(workspace: Workspace) -> None:
    """Two sources with different columns do not undo each other: the second run of each sends nothing."""
    dates = [("C000001", "2020-12-31")]
    for expected in ("updated", "unchanged"):
        workspace.write(THREE[0])
        assert workspace.run().outcomes == {expected: 1}
        workspace.write(*dates, header=("contactId", "date"))
        assert workspace.run().outcomes == {expected: 1}


def test_file_name_that_is_not_utf8(workspace: Workspace) -> None:
    """A source whose name is not UTF-8 is run like any other."""
    source = workspace.folder / os.fsdecode(b"pr\xe9noms.csv")
    shutil.copy2(workspace.source, source)
    assert workspace.run(source=source).exit_code == 0


# ---- rows that need attention


def test_rows_that_need_attention(workspace: Workspace) -> None:
    """Each kind of bad row is reported in its line, and the exit code is 3."""
    workspace.write(*THREE, ("nobody", "Eve"), ("C000005", "x" * 33), ("C000006", "Noé"), ("C000001", "Zoé"), ("C000007", "Ève"))
    workspace.sandbox.script["C000002"] = [Behaviour(alter={"firstname": "L"})]
    workspace.sandbox.script["C000006"] = [Behaviour(status=500)] * 9
    summary = workspace.run(attempts=1)
    expected = ["updated", "altered", "updated", "rejected", "invalid", "failed", "duplicate", "updated"]
    assert (summary.exit_code, workspace.outcomes()) == (3, expected)
    assert balanced(summary, workspace)
    codes = ["", "echo-differs", "", "api-contact-unknown", "text-length", "api-error", "", ""]
    assert [line["sync_code"] for line in workspace.lines()] == codes
    assert (summary.requests, summary.retries) == (len(workspace.sandbox.calls), 1) == (7, 1)
    assert workspace.lines()[5]["sync_attempts"] == "2"
    assert {cause.code for cause in summary.causes} == set(filter(None, codes))


def test_unconfirmed_change_and_former_value(workspace: Workspace) -> None:
    """After an unconfirmed change that the API applied, the former value is sent again."""
    workspace.run()
    workspace.sandbox.script["C000001"] = [Behaviour(status=500, applied=True)] * 9
    workspace.write(("C000001", "Eve"), *THREE[1:])
    assert workspace.run(attempts=1).outcomes == {"failed": 1, "unchanged": 2}
    del workspace.sandbox.script["C000001"]
    workspace.write(*THREE)
    assert workspace.run().outcomes == {"updated": 1, "unchanged": 2}
    assert workspace.sandbox.store["C000001"]["firstname"] == "Zoé"


# ---- runs that are stopped


@pytest.mark.parametrize(("bad", "code"), [(2, 3), (3, 4)])
def test_too_many_invalid_rows(workspace: Workspace, bad: int, code: int) -> None:
    """More invalid rows than allowed: nothing is sent, the report is written, and valid rows are unprocessed."""
    workspace.write(*[(f"C00000{n}", "x" * 33 if n <= bad else "Zoé") for n in range(1, 5)])
    summary = workspace.run(max_invalid=50)
    assert summary.exit_code == code
    assert workspace.outcomes() == ["invalid"] * bad + ["updated" if code == 3 else "unprocessed"] * (4 - bad)
    assert balanced(summary, workspace)
    assert bool(workspace.sandbox.calls) is (code == 3)
    if code == 4:
        (reason,) = summary.reasons
        assert reason.startswith("3 of 4 rows are invalid, more than 50 %, so nothing is sent")
        assert "not counted" not in reason
        assert reason in workspace.lines()[3]["sync_message"]
        assert workspace.run(max_invalid=75).exit_code == 3


@pytest.mark.parametrize("word", ["NULL", "[object Object]"])
def test_column_of_words_for_no_value(workspace: Workspace, word: str) -> None:
    """A column that is NULL in most rows stops the run and is named in a warning; allowed, it is sent with the warning."""
    workspace.write(*[(f"C00000{n}", word if n <= 3 else "Zoé") for n in range(1, 5)])
    summary = workspace.run()
    assert (summary.exit_code, summary.outcomes) == (4, {"unprocessed": 4})
    assert not workspace.sandbox.calls
    (reason,) = summary.reasons
    assert reason.startswith("3 of 4 rows have a word for no value (such as NULL) in firstname, more than 50 %")
    (warning,) = summary.warnings
    assert f"3 of 4 rows have {word} in “firstname” (column B)" in warning
    allowed = workspace.run(max_invalid=75)
    assert (allowed.outcomes, allowed.warnings) == ({"updated": 4}, [warning])


@pytest.mark.parametrize("people", [["Null"], ["Zoé", "None"], ["Null", "Null", "Zoé", "Léa"]])
def test_people_called_null(workspace: Workspace, people: list[str]) -> None:
    """A lone Null or None is a name."""
    workspace.write(*[(f"C00000{n}", name) for n, name in enumerate(people, 1)])
    summary = workspace.run()
    assert (summary.exit_code, summary.outcomes, summary.warnings) == (0, {"updated": len(people)}, [])


def test_rows_with_nothing_to_send(workspace: Workspace) -> None:
    """Rows with nothing but a contactId are invalid, but do not count for the guard."""
    workspace.write(("C000001", "Zoé"), ("C000002",), ("C000003",), ("C000004",))
    summary = workspace.run()
    assert (summary.exit_code, summary.outcomes) == (3, {"updated": 1, "invalid": 3})


def test_rows_that_the_guard_does_not_count(workspace: Workspace) -> None:
    """The reason mentions the invalid rows that the guard does not count."""
    workspace.write(("C000001", "x" * 33), ("C000002", "x" * 33), ("C000003",), ("C000004", "Max"))
    summary = workspace.run(max_invalid=25)
    assert summary.outcomes == {"invalid": 3, "unprocessed": 1}
    (reason,) = summary.reasons
    assert reason.startswith("2 of 4 rows are invalid, more than 25 %")
    assert reason.endswith("(Rows with nothing but a contactId are not counted: 1.)")


@pytest.mark.parametrize(("allowed", "code"), [(2, 0), (1, 4)])
def test_too_many_cells_emptied(workspace: Workspace, allowed: int, code: int) -> None:
    """More cells emptied than allowed: nothing is sent, and the rows are unprocessed."""
    workspace.write(*THREE, ("C000005", "<clear>", "2020-12-31"), ("C000006", "<vider>"))
    summary = workspace.run(max_clears=allowed)
    assert summary.exit_code == code
    assert summary.outcomes == ({"unprocessed": 5} if code else {"updated": 5})
    assert bool(summary.reasons and "2 cells would empty a stored field, more than 1" in summary.reasons[0]) is bool(code)
    assert bool(workspace.sandbox.calls) is not bool(code)
    assert workspace.watcher.announced == ([] if code else [5])


def test_blank_cells_that_clear(workspace: Workspace) -> None:
    """Fields that blank cells would empty count, unless they are empty already."""
    workspace.write(*THREE)
    assert workspace.run(blank="clear", max_clears=2).exit_code == 4
    assert workspace.run(blank="clear", max_clears=3).exit_code == 0
    assert workspace.run(blank="clear", max_clears=0).outcomes == {"unchanged": 3}
    assert workspace.sandbox.store["C000001"]["date"] == ""


@pytest.mark.parametrize("remember", [True, False])
def test_a_guard_without_sending(workspace: Workspace, *, remember: bool) -> None:
    """A guard also stops a check and a dry run: no row is ready then."""
    workspace.write(*THREE, *[(f"D{n}", "x" * 33) for n in range(4)])
    summary = workspace.run(dry_run=True, remember=remember)
    assert (summary.exit_code, summary.outcomes) == (4, {"unprocessed": 3, "invalid": 4})
    assert balanced(summary, workspace)


def test_both_guards(workspace: Workspace) -> None:
    """A run that two guards stop has two reasons."""
    workspace.write(("C000001", "<clear>"), ("C000002", "x" * 33), ("C000003", "x" * 33))
    summary = workspace.run(max_clears=0)
    assert (summary.exit_code, len(summary.reasons)) == (4, 2)


PERSON = ("contactId", "phoneNumber", "firstname", "lastname")


def people(ids: Iterable[int], who: Iterable[int]) -> list[Row]:
    """Return contacts with these ids, each with the phone number and names of a person."""
    return [(f"C{one:06}", f"06000{other:05}", f"Zoé{other}", f"Petit{other}") for one, other in zip(ids, who, strict=True)]


def test_identity_changes(tmp_path: Path, sandbox: Serve) -> None:
    """Nothing is sent when most known contacts change their identity at once, also with `--resend`, unless that is allowed."""
    workspace = Workspace(tmp_path, sandbox(open_store=True))
    workspace.write(*people(range(30), range(30)), header=PERSON)
    assert workspace.run().outcomes == {"updated": 30}
    workspace.write(*people(range(30), reversed(range(30))), header=PERSON)
    for resend in (False, True):
        summary = workspace.run(resend=resend)
        assert (summary.exit_code, summary.requests, summary.outcomes) == (4, 0, {"unprocessed": 30})
        assert "30 of 30 known contacts change first name, last name and phone number at once" in summary.reasons[0]
    assert workspace.run(max_identity_changes=100).outcomes == {"updated": 30}


def test_few_identity_changes(tmp_path: Path, sandbox: Serve) -> None:
    """Half of the contacts, fewer than 20, new contacts, and changes of the name only are no reason to stop."""
    workspace = Workspace(tmp_path, sandbox(open_store=True))
    workspace.write(*people(range(30), range(30)), header=PERSON)
    assert workspace.run().exit_code == 0
    workspace.write(*people(range(60), [*range(15), *range(60, 75), *range(30, 60)]), header=PERSON)
    assert workspace.run().outcomes == {"updated": 45, "unchanged": 15}
    workspace.write(*people(range(19), range(40, 59)), header=PERSON)
    assert workspace.run().outcomes == {"updated": 19}
    workspace.write(*((*row[:2], "Léa", "Max") for row in people(range(30, 60), range(30, 60))), header=PERSON)
    assert workspace.run(max_identity_changes=0).outcomes == {"updated": 30}


def test_anomalies_are_warnings(tmp_path: Path, sandbox: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source with half of its rows, or with unusually many changes, is sent with a warning; `--resend` is not a change."""
    moments = count(1)
    monkeypatch.setattr("contact_sync.sync.opening.stamp", lambda _: f"2999-01-01T{next(moments):06}")
    workspace = Workspace(tmp_path, sandbox(open_store=True))
    contacts = people(range(60), range(0, 120, 2))
    workspace.write(*contacts, header=PERSON)
    for _ in range(9):
        assert workspace.run().warnings == []
    workspace.write(*contacts[:29], header=PERSON)
    summary = workspace.run()
    assert (summary.exit_code, summary.outcomes) == (0, {"unchanged": 29})
    assert summary.warnings == ["The source has 29 rows; the last 7 runs had 60: check that it is complete."]
    workspace.write(*((*row, "x") for row in contacts), header=(*PERSON, "custom1"))
    (warning,) = workspace.run(dry_run=True, report=workspace.folder / "check.csv").warnings
    assert warning.startswith("60 of 60 rows are new or changed; in the last 7 runs it was 0% at most")
    workspace.write(*contacts, header=PERSON)
    assert workspace.run(resend=True).warnings == []


def test_the_key_is_refused(workspace: Workspace) -> None:
    """A key that the API refuses stops the run after one request; the rest is unprocessed."""
    workspace.sandbox.key = "another"
    summary = workspace.run()
    assert (summary.exit_code, workspace.outcomes()) == (5, ["failed", "unprocessed", "unprocessed"])
    assert (summary.requests, len(workspace.sandbox.calls)) == (1, 1)
    assert balanced(summary, workspace)
    assert all(summary.reasons[0] in line["sync_message"] for line in workspace.lines()[1:])


def test_a_proxy_that_cannot_be_used(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unusable proxy is reported before the source is opened."""
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
    workspace.source.unlink()
    with pytest.raises(ConfigError, match="HTTPS_PROXY"):
        workspace.run(base_url="https://api.example/v1")


def test_the_time_budget(workspace: Workspace) -> None:
    """When the time budget is used up the rest is unprocessed, and the exit code is 6."""

    def use_up() -> None:
        loop: Any = asyncio.get_running_loop()
        loop.time = lambda: time.monotonic() + 3600

    workspace.watcher.then = use_up
    summary = workspace.run(rate=1, max_duration=3600)
    assert (summary.exit_code, workspace.outcomes()) == (6, ["updated", "unprocessed", "unprocessed"])
    workspace.watcher.then = lambda: None
    assert workspace.run().outcomes == {"unchanged": 1, "updated": 2}


def test_a_time_budget_that_loading_took(workspace: Workspace) -> None:
    """A budget that is used up before the first request sends nothing."""
    summary = workspace.run(max_duration=1e-9)
    assert (summary.exit_code, summary.outcomes) == (6, {"unprocessed": 3})
    assert workspace.sandbox.calls == []


def test_a_time_budget_that_nothing_needs(workspace: Workspace) -> None:
    """A time budget does not matter when there is nothing to send."""
    workspace.run()
    summary = workspace.run(max_duration=1e-9)
    assert (summary.exit_code, summary.outcomes) == (0, {"unchanged": 3})


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal(workspace: Workspace, signum: int, code: int) -> None:
    """A signal stops the run gracefully: the report is complete, the next run continues, and the old handler is restored."""
    before = signal.getsignal(signum)
    workspace.watcher.then = lambda: os.kill(os.getpid(), signum)
    summary = workspace.run(workers=1, rate=50)
    assert (summary.exit_code, workspace.outcomes()) == (code, ["updated", "unprocessed", "unprocessed"])
    assert summary.reasons == [f"Interrupted ({signal.Signals(signum).name})."]
    assert signal.getsignal(signum) == before
    workspace.watcher.then = lambda: None
    assert workspace.run().outcomes == {"unchanged": 1, "updated": 2}


def test_a_signal_while_loading(workspace: Workspace) -> None:
    """A signal before the first request sends nothing, and the report is complete."""
    workspace.watcher.while_loading = lambda: os.kill(os.getpid(), signal.SIGTERM)
    summary = workspace.run()
    assert (summary.exit_code, summary.outcomes) == (143, {"unprocessed": 3})
    assert workspace.sandbox.calls == []
    workspace.watcher.while_loading = lambda: None
    assert workspace.retry().outcomes == {"updated": 3}


def test_a_signal_while_a_large_source_is_loaded(workspace: Workspace) -> None:
    """A signal ends the loading of a large source: nothing is sent nor kept of it, and the earlier run and report stay."""
    workspace.write(*THREE)
    workspace.run(limit=1)
    before = workspace.report.read_bytes()
    loaded: list[None] = []

    def interrupt() -> None:
        loaded.append(None)
        os.kill(os.getpid(), signal.SIGTERM) if len(loaded) == 2 else None

    workspace.write(*((f"C1{number:05}", "Zoé", "") for number in range(10 * CHUNK)))
    workspace.watcher.while_loading = interrupt
    with pytest.raises(Interrupted, match=r"^Interrupted \(SIGTERM\)\.$") as stopped:
        workspace.run()
    assert (stopped.value.exit_code, len(loaded), len(workspace.sandbox.calls)) == (143, 2, 1)
    assert workspace.report.read_bytes() == before
    workspace.watcher.while_loading = lambda: None
    workspace.write(*THREE)
    assert workspace.run().outcomes == {"unchanged": 1, "updated": 2}


def test_a_signal_before_a_guard(workspace: Workspace) -> None:
    """A run that was interrupted and stopped by a guard cannot be resumed: the source has to be corrected."""
    workspace.write(*THREE, header=("contactId", "date", "firstname"))
    workspace.watcher.while_loading = lambda: os.kill(os.getpid(), signal.SIGTERM)
    summary = workspace.run()
    assert (summary.exit_code, summary.outcomes) == (4, {"invalid": 3})
    with pytest.raises(ConfigError, match="ended before anything was sent"):
        workspace.retry()


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_while_the_source_is_watched(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, signum: int, code: int
) -> None:
    """A signal ends a run that waits for its source to be quiet, with its own exit code and without a report."""
    os.utime(workspace.source)
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        assert not naps, "it went on waiting"
        naps.append(seconds)
        os.kill(os.getpid(), signum)

    monkeypatch.setattr("contact_sync.sync.run.time.sleep", sleep)
    with pytest.raises(Interrupted, match=rf"^Interrupted \({signal.Signals(signum).name}\)\.$") as stopped:
        workspace.run()
    assert stopped.value.exit_code == code
    assert len(naps) == 1
    assert workspace.sandbox.calls == []
    assert not workspace.report.exists()


@pytest.mark.parametrize("kind", ["csv", "xlsx", "ods"])
def test_a_signal_while_the_source_is_opened(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A signal ends the search for a header at once, in any loader, and is not taken for damage."""
    content = {
        "csv": b"contactId;nom\n1;a\n",
        "xlsx": reading.sheet(["contactId", "nom"], ["1", "a"]),
        "ods": writing.ods(writing.table(writing.row("contactId", "nom"), writing.row("1", "a"))),
    }[kind]
    workspace.source.write_bytes(content)
    os.utime(workspace.source, (1e9, 1e9))
    steps: list[str] = []

    def search(*_: object) -> dict[int, str]:
        steps.append("search")
        os.kill(os.getpid(), signal.SIGTERM)
        steps.append("went on")
        return {}

    monkeypatch.setattr("contact_sync.source.header.match_fields", search)
    with pytest.raises(Interrupted, match=r"^Interrupted \(SIGTERM\)\.$"):
        workspace.run()
    assert steps == ["search"]
    assert not workspace.report.exists()


def test_source_just_written_is_watched(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that has just been written is watched until it is quiet, and then run."""
    waits: list[float] = []
    real_sleep = time.sleep

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        real_sleep(seconds)

    monkeypatch.setattr("contact_sync.sync.run.time.sleep", sleep)
    written = time.time() - 1.5
    os.utime(workspace.source, (written, written))
    assert workspace.run().outcomes == {"updated": 3}
    assert time.time() - written >= 2
    assert sum(waits) < 1


def test_a_second_signal(workspace: Workspace) -> None:
    """The second signal ends the program immediately, with its exit code and without a report."""
    script = f"""
import os, signal, sys
from pathlib import Path
from contact_sync.sync.run import run
from contact_sync.settings import Settings
class Watcher:
    def loaded(self, rows):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        print("still here", flush=True)
source, report = Path({str(workspace.source)!r}), Path({str(workspace.report)!r})
run(Settings.of(source=source, report=report, dry_run=True, remember=False), Watcher())
"""
    root = Path(__file__).parents[2]
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}  # it does not end in good order
    done = subprocess.run([sys.executable, "-c", script], cwd=root, check=False, capture_output=True, text=True, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "")
    assert not workspace.report.exists()


# ---- sources that are refused


def test_a_refused_source(workspace: Workspace) -> None:
    """A source refused for its structure writes no report, sends nothing, and names the older report."""
    workspace.write(*THREE, header=("contactId", "fisrtname", "date"))
    with pytest.raises(SourceError, match="fisrtname") as refused:
        workspace.run()
    assert "earlier run" not in str(refused.value)
    assert not workspace.report.exists()
    workspace.write(*THREE)
    workspace.run()
    before = workspace.report.read_bytes()
    workspace.write(*THREE, header=("contactId", "fisrtname", "date"))
    with pytest.raises(SourceError, match=rf"fisrtname.*\(The report {workspace.report} is from an earlier run\.\)"):
        workspace.run()
    assert workspace.report.read_bytes() == before
    assert sorted(path.name for path in workspace.folder.iterdir()) == ["contacts.csv", "contacts.results.csv", "state"]


def test_a_source_that_turns_out_to_be_damaged(workspace: Workspace) -> None:
    """Damage found in the middle of a source stops the run before anything is sent, and does not affect the next run."""
    workspace.source.write_text('contactId;firstname\nC000001;Zoé\nC000002;"Léa\n', encoding="utf-8")
    age(workspace.source)
    with pytest.raises(SourceError, match="quote"):
        workspace.run()
    assert workspace.sandbox.calls == []
    workspace.write(*THREE)
    assert workspace.run().outcomes == {"updated": 3}


def test_lowered_pace_is_noted(workspace: Workspace) -> None:
    """A note says why the pace was lowered and how far; a 429 that changes nothing is only counted."""
    workspace.sandbox.script["C000002"] = [Behaviour(status=429)]
    summary = workspace.run(rate=10)
    assert (summary.notes, summary.rate, summary.throttled, summary.slowest) == ([], 10, 1, None)
    workspace.sandbox.script["C000002"] = [Behaviour(status=429)] * 4
    summary = workspace.run(rate=10, resend=True, attempts=5)
    assert summary.outcomes == {"updated": 3}
    assert summary.notes == ["The API answered 429 (4 times): the pace fell to 9.6 requests a second."]
    assert (summary.rate, summary.throttled) == (10, 4)
    assert summary.slowest == pytest.approx(9.6)


@pytest.mark.parametrize("content", ["", "C000004;Zoé\n" * 5000 + 'C000005;"Léa\n'])
def test_a_refused_source_leaves_the_last_run(workspace: Workspace, content: str) -> None:
    """An empty or damaged source does not replace the rows of the last run, but is in the history."""
    workspace.run(limit=1)
    report = workspace.report.read_bytes()
    workspace.source.write_text(f"contactId;firstname\n{content}", encoding="utf-8")
    age(workspace.source)
    with pytest.raises(SourceError):
        workspace.run()
    (path,) = (workspace.folder / "state").glob("*.sqlite3")
    with SqliteLedger(path, installation(path.parent), path.stem) as ledger:
        assert [(past.exit_code, past.outcomes) for past in ledger.runs(9)] == [(4, {}), (0, {"updated": 1, "unprocessed": 2})]
    workspace.report.unlink()
    workspace.rewrite()
    assert workspace.report.read_bytes() == report
    assert workspace.retry().outcomes == {"updated": 3}


@pytest.mark.parametrize("source", ["missing.csv", "missing/contacts.csv", ".", "contacts.csv/contacts.csv"])
def test_source_that_is_not_a_file(workspace: Workspace, source: str) -> None:
    """A source that does not exist is a refused source, also when the folder of its report does not exist either."""
    path = workspace.folder / source
    with pytest.raises(SourceError):
        workspace.run(source=path, report=path.parent / "missing.results.csv")


@requires_root
def test_a_folder_that_is_out_of_reach(workspace: Workspace) -> None:
    """A source in a folder that this user may not enter cannot be read now."""
    workspace.folder.chmod(0o700)
    state = workspace.folder.parent
    with unprivileged_user(), pytest.raises(BusyError, match="cannot be read"):
        workspace.run(dry_run=True, remember=False, state_dir=state)


def test_an_empty_source(workspace: Workspace) -> None:
    """A source without a data row is refused, or allowed and reported as such."""
    workspace.write()
    with pytest.raises(SourceError, match="has no data row: check the export, or allow it with --allow-empty"):
        workspace.run()
    summary = workspace.run(allow_empty=True)
    assert (summary.exit_code, summary.rows, summary.outcomes, workspace.lines()) == (0, 0, {}, [])


def test_unknown_region(workspace: Workspace) -> None:
    """A region without a numbering plan is a ConfigError before anything is changed: the last run can still be resumed."""
    workspace.run(limit=1)
    before = workspace.report.read_bytes()
    with pytest.raises(ConfigError, match="XX"):
        workspace.run(region="XX")
    assert workspace.report.read_bytes() == before
    assert workspace.retry().outcomes == {"updated": 3}


# ---- what cannot be read or written


def test_another_run(workspace: Workspace) -> None:
    """A run is refused while another run has the lock of the account; other accounts are not affected."""
    workspace.run()
    (path,) = (workspace.folder / "state").glob("*.lock")
    assert path.read_text() == f"{os.getpid()}\n"
    descriptor = acquire(path)
    assert descriptor is not None, "the former run still has it"
    os.write(descriptor, b"4000000000\n")
    with pytest.raises(BusyError, match=r"\(process 4000000000\): wait for it to end"):
        workspace.run()
    assert workspace.run(key="other-key").exit_code == 0
    workspace.sandbox.users["other-key"] = "other@example.com"
    os.close(descriptor)
    assert workspace.run().outcomes == {"unchanged": 3}
    assert path.read_text() == f"{os.getpid()}\n"


def test_a_run_in_a_run(workspace: Workspace) -> None:
    """Until the report of a run is in place, another run is refused, with the process id of the first."""
    refused: list[str] = []

    def another() -> None:
        with pytest.raises(BusyError) as error:
            Workspace(workspace.folder, workspace.sandbox).run(report=workspace.folder / "other.csv")
        refused.append(str(error.value))

    workspace.watcher.then = workspace.watcher.while_loading = another
    assert workspace.run().outcomes == {"updated": 3}
    sentence = f"Another run for this account is in progress (process {os.getpid()}): wait for it to end."
    assert refused == [sentence] * 4
    assert len(workspace.sandbox.calls) == 3


@pytest.mark.parametrize("content", [b"", b"\xff\xfe"])
def test_lock_without_a_process_id(workspace: Workspace, content: bytes) -> None:
    """A lock counts whatever its file contains."""
    workspace.run()
    (path,) = (workspace.folder / "state").glob("*.lock")
    descriptor = acquire(path)
    assert descriptor is not None
    os.write(descriptor, content)
    with pytest.raises(BusyError, match=r"in progress \(process .+\): wait"):
        workspace.run()
    os.close(descriptor)


def test_a_lock_that_cannot_be_written(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock whose file cannot be written is released."""
    fd = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr("contact_sync.files.lock.acquire", lambda _: fd)
    with pytest.raises(StorageError, match=r"The state folder .* cannot be used \(No space left on device\)"):
        workspace.run()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_another_run_for_the_same_report(workspace: Workspace) -> None:
    """A run is refused before anything is sent while a run of any account writes the same report."""
    refused: list[int] = []

    def another() -> None:
        with pytest.raises(BusyError, match=rf"Another run is writing {workspace.report}") as error:
            Workspace(workspace.folder, workspace.sandbox).run(key="other-key")
        refused.append(error.value.exit_code)

    workspace.watcher.while_loading = another
    summary = workspace.run()
    assert (summary.outcomes, refused) == ({"updated": 3}, [75])
    assert balanced(summary, workspace)
    assert len(workspace.sandbox.calls) == 3


def test_no_state_folder(workspace: Workspace) -> None:
    """A state folder that cannot be created, or with a damaged key, stops the run before anything is sent."""
    with pytest.raises(StorageError, match=r"The state folder .* cannot be used \(.*\): check --state-dir"):
        workspace.run(state_dir=workspace.source)
    (workspace.folder / "state").mkdir()
    (workspace.folder / "state" / "digest.key").write_bytes(b"short")
    with pytest.raises(StorageError, match="damaged"):
        workspace.run()
    assert workspace.sandbox.calls == []


def test_an_error_elsewhere_is_not_the_state_folders(workspace: Workspace) -> None:
    """An OSError of something else is not reported as one of the state folder."""

    def fail() -> None:
        raise OSError(5, "something else")

    workspace.watcher.while_loading = fail
    with pytest.raises(OSError, match="something else"):
        workspace.run()


def test_the_state_is_private(workspace: Workspace) -> None:
    """The state folder and its files are private, independent of the umask."""
    os.umask(0)
    workspace.run()
    state = workspace.folder / "state"
    assert {path.stat().st_mode & 0o077 for path in (state, *state.iterdir())} == {0}
    suffixes = [".json", ".key", ".lock", ".seal", ".sqlite3"]
    assert sorted(path.suffix for path in state.iterdir()) == suffixes


def test_report_that_cannot_be_written(workspace: Workspace) -> None:
    """A report that cannot be written stops the run before anything is sent."""
    with pytest.raises(StorageError, match="cannot be written"):
        workspace.run(report=workspace.folder / "missing" / "report.csv")
    assert workspace.sandbox.calls == []


def test_report_whose_folder_vanishes(workspace: Workspace) -> None:
    """A report that cannot be written at the end is exit 7; confirmed rows stay confirmed."""
    place = workspace.folder / "place"
    place.mkdir()
    workspace.watcher.then = lambda: shutil.rmtree(place, ignore_errors=True)
    summary = workspace.run(report=place / "report.csv")
    assert (summary.exit_code, summary.outcomes, summary.report) == (7, {"updated": 3}, None)
    assert "cannot be written" in summary.reasons[0]
    assert workspace.run().outcomes == {"unchanged": 3}


def test_a_disk_that_is_nearly_full(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent when the disk has no room for the results, and the report says so; without pending rows none is needed."""
    workspace.run()
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=4096))
    assert workspace.run().outcomes == {"unchanged": 3}
    summary = workspace.run(resend=True)
    assert (summary.exit_code, summary.requests, summary.outcomes) == (7, 0, {"unprocessed": 3})
    assert "full" in workspace.lines()[0]["sync_message"]


def test_damaged_ledger(workspace: Workspace) -> None:
    """A ledger that is damaged while rows are sent stops the sending."""
    workspace.write(*[(f"C{number:06}", "Zoé") for number in range(1, 61)])
    workspace.run(account="a")

    def tear() -> None:
        for path in (workspace.folder / "state").glob("*.sqlite3*"):
            path.write_bytes(b"not a database" * 1000)

    workspace.watcher.then = tear
    before = len(workspace.sandbox.calls)
    with pytest.raises(StorageError, match="cannot be used"):
        workspace.run(account="a", resend=True, workers=1, rate=20)
    assert len(workspace.sandbox.calls) - before < 60


def test_ledger_that_cannot_stage(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose rows cannot be staged has finished, with its exit code, and is not shown as interrupted."""

    def stage(*_: object) -> None:
        raise StorageError("full")

    monkeypatch.setattr(RunWriter, "stage", stage)
    with pytest.raises(StorageError, match="full"):
        workspace.run()
    (path,) = (workspace.folder / "state").glob("*.sqlite3")
    with SqliteLedger(path, installation(path.parent), path.stem) as ledger:
        assert [(past.exit_code, past.finished is None) for past in ledger.runs(9)] == [(7, False)]


def test_ledger_that_cannot_be_written_any_more(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that cannot be written any more is exit 7; report and number of requests are still complete."""

    @contextmanager
    def full(_: Database) -> Iterator[None]:
        raise StorageError("The ledger is full.")
        yield

    workspace.run(account="shop")
    workspace.write(*THREE[:2], ("C000003", "Eve"), ("C000004", "Léo"), ("C000005", "x" * 33))
    before = len(workspace.sandbox.calls)
    workspace.watcher.then = lambda: monkeypatch.setattr(Database, "transaction", full)
    summary = workspace.run(account="shop", workers=1, rate=1)
    monkeypatch.undo()
    workspace.watcher.then = lambda: None
    assert (summary.exit_code, summary.reasons) == (7, ["The ledger is full."])
    assert workspace.outcomes() == ["unchanged", "unchanged", "failed", "unprocessed", "invalid"]
    assert [line["sync_code"] for line in workspace.lines()] == ["", "", "not-recorded", "stopped", "text-length"]
    assert "The ledger is full." in workspace.lines()[3]["sync_message"]
    assert balanced(summary, workspace)
    assert (summary.requests, summary.retries) == (len(workspace.sandbox.calls) - before, 0) == (1, 0)
    assert workspace.run(account="shop").outcomes == {"unchanged": 2, "updated": 2, "invalid": 1}


def test_a_run_that_cannot_be_finished(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that fails when the run finishes is exit 7; confirmed rows stay confirmed."""

    def full(*_: object) -> None:
        raise StorageError("The ledger is full.")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteLedger, "finish_run", full)
        summary = workspace.run()
    assert (summary.exit_code, summary.reasons, summary.outcomes) == (7, ["The ledger is full."], {"updated": 3})
    assert balanced(summary, workspace)
    assert workspace.run().outcomes == {"unchanged": 3}


# ---- retention


def grow_old(ledger: Path, days: float) -> None:
    """Date the runs in a ledger back by a number of days."""
    then = stamp(datetime.now(UTC) - timedelta(days=days))
    edit(ledger, "UPDATE run SET started = ?", then)


def kept(workspace: Workspace) -> bytes:
    """Return the content of all files in the state folder."""
    return b"".join(path.read_bytes() for path in sorted((workspace.folder / "state").iterdir()))


def test_the_text_of_a_former_key(workspace: Workspace) -> None:
    """A run also deletes text older than seven days from the ledgers of other accounts; their history is kept."""
    workspace.run(key="old")
    (former,) = (workspace.folder / "state").glob("*.sqlite3")
    workspace.write(("C000004", "Éponine"))
    grow_old(former, days=6.9)
    workspace.run()
    assert "Zoé".encode() in kept(workspace)
    grow_old(former, days=7.1)
    workspace.run()
    assert "Zoé".encode() not in kept(workspace)
    assert "Éponine".encode() in kept(workspace)
    with SqliteLedger(former, installation(former.parent), former.stem) as ledger:
        assert [event.outcome for event in ledger.history("C000001")] == ["updated"]


@pytest.mark.parametrize("how", ["locked", "damaged", "newer", "gone", "of another program"])
def test_unavailable_ledger_of_another_account(workspace: Workspace, how: str) -> None:
    """A ledger of another account that is locked or unreadable is left unchanged, and the run continues."""
    workspace.run(key="old")
    (former,) = (workspace.folder / "state").glob("*.sqlite3")
    grow_old(former, days=30)
    lock = acquire(former.with_suffix(".lock")) if how == "locked" else None
    if how == "damaged":
        former.write_bytes(b"not a database" * 1000)
    elif how == "newer":
        with closing(sqlite3.connect(former)) as db:
            db.execute("PRAGMA user_version = 99")
    elif how == "gone":
        former.unlink()
    elif how == "of another program":
        former = former.with_name("notes.sqlite3")
        with closing(sqlite3.connect(former)) as db:
            db.execute("CREATE TABLE note (text)")
    before = former.exists() and former.read_bytes()
    files = {path.name for path in former.parent.iterdir()}
    assert workspace.run(account="new").outcomes == {"updated": 3}
    assert (former.exists() and former.read_bytes()) == before
    assert len({path.name for path in former.parent.iterdir()} - files) == 3, "there is more than a ledger, a lock and a seal"
    if lock:
        os.close(lock)


def test_locks_of_other_accounts_are_released(workspace: Workspace) -> None:
    """A run releases the locks of other accounts before it sends."""
    workspace.run(key="old")
    (lock,) = (workspace.folder / "state").glob("*.lock")
    workspace.watcher.then = lambda: os.close(acquire(lock) or pytest.fail("it is locked"))
    workspace.run()


# ---- the garbage collector


def test_the_garbage_collector(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The garbage collector is paused while rows are loaded and reported, but not while they are sent or after the run."""
    seen: list[bool] = []
    batches = RunReader.batches

    def look() -> None:
        seen.append(gc.isenabled())

    def reported(reader: RunReader) -> Iterator[Batch]:
        look()
        return batches(reader)

    monkeypatch.setattr(RunReader, "batches", reported)
    workspace.watcher.while_loading = workspace.watcher.then = look
    workspace.run()
    assert seen == [False, True, True, True, False]
    assert gc.isenabled()


def test_the_garbage_collector_after_a_refusal(workspace: Workspace) -> None:
    """The garbage collector is resumed when a source is refused."""
    workspace.source.write_text('contactId;firstname\nC000001;Zoé\nC000002;"Léa\n', encoding="utf-8")
    age(workspace.source)
    with pytest.raises(SourceError, match="quote"):
        workspace.run()
    assert gc.isenabled()


# ---- bugs


def test_a_bug_while_sending(workspace: Workspace) -> None:
    """A bug while sending is exit 1, and the report is still written."""

    def bug() -> None:
        raise ValueError(KEY)

    workspace.watcher.then = bug
    summary = workspace.run()
    assert summary.exit_code == 1
    assert balanced(summary, workspace)
    assert summary.reasons[0].startswith("A bug in contact-sync stopped the sending (ValueError")
    assert set(workspace.outcomes()) == {"updated", "unprocessed"}


def test_no_file_left_for_the_event_loop(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without a file left to begin the sending is told to raise its limit; every row is left for the next run."""

    def fail(sending: Coroutine[object, object, None]) -> None:
        sending.close()
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("contact_sync.sync.send.asyncio.run", fail)
    summary = workspace.run()
    assert (summary.exit_code, set(workspace.outcomes())) == (2, {"unprocessed"})
    assert balanced(summary, workspace)
    assert "raise the limit (ulimit -n " in summary.reasons[0]


def test_a_bug_in_a_report_format(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in one report format is exit 1 and named; the other reports are written, and the run is finished."""
    outputs = {"workbook": workspace.folder / "w.xlsx", "page": workspace.folder / "p.html"}
    monkeypatch.delattr(workbook, "write")
    summary = workspace.run(outputs=outputs)
    assert (summary.exit_code, summary.outcomes, summary.outputs) == (1, {"updated": 3}, {"page": outputs["page"]})
    assert summary.reasons == [f"A bug in contact-sync stopped the writing of {outputs['workbook']} (AttributeError): report it."]
    assert balanced(summary, workspace)
    assert summary.reasons[0] in outputs["page"].read_text(encoding="utf-8")
    assert not outputs["workbook"].exists()
    monkeypatch.undo()
    assert workspace.rewrite().outputs == outputs


def test_lost_line(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report with too few lines is a bug, reported with the counts."""
    pages = RunReader.batches

    def short(reader: RunReader) -> Iterator[Batch]:
        for page in pages(reader):
            yield page._replace(numbers=page.numbers[1:], cells=pack(unpack(page.cells)[1:]))

    monkeypatch.setattr(RunReader, "batches", short)
    summary = workspace.run()
    assert (summary.exit_code, summary.outcomes) == (1, {"updated": 3})
    assert summary.reasons == ["A bug in contact-sync lost count: 3 rows were read, 2 reported and 3 accounted for."]


def test_lost_row(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row without an outcome is a bug, also when the report could not be written."""
    monkeypatch.setattr(RunReader, "outcomes", lambda _: {"updated": 2})
    assert workspace.run().exit_code == 1
    place = workspace.folder / "place"
    place.mkdir()
    workspace.watcher.then = lambda: shutil.rmtree(place, ignore_errors=True)
    summary = workspace.run(resend=True, report=place / "report.csv")
    assert (summary.exit_code, len(summary.reasons)) == (1, 2)


@pytest.mark.parametrize(
    ("reasons", "outcomes", "code"),
    [
        ([], {}, 0),
        ([], {"updated", "unchanged", "duplicate", "ready", "unprocessed"}, 0),
        ([], {"altered"}, 3),
        ([], {"invalid"}, 3),
        ([], {"rejected"}, 3),
        ([], {"failed"}, 3),
        ([UnavailableError], {"failed"}, 6),
        ([UnavailableError, Interrupted], {"failed"}, 143),
        ([Interrupted, ConfigError], {"failed"}, 2),
        ([ConfigError, AccessError], {"failed"}, 5),
        ([AccessError, StorageError], {"failed"}, 7),
        ([StorageError, ContactSyncError], {"failed"}, 1),
        ([SourceError], {"invalid"}, 4),
        ([SourceError, StorageError], {"invalid"}, 7),
    ],
)
def test_precedence_of_exit_codes(reasons: list[type[ContactSyncError]], outcomes: set[str], code: int) -> None:
    """When several exit codes apply the first by precedence wins, independent of the order of events."""
    made = [Interrupted(signal.SIGTERM) if kind is Interrupted else kind("") for kind in reasons]
    found = {Outcome(outcome).value: 1 for outcome in outcomes}
    assert exit_code(made, found) == exit_code(made[::-1], found) == code


def test_blanks_that_are_not_certain(workspace: Workspace) -> None:
    """--blank clear is refused for a source in which a blank may be a formula that was never calculated."""
    book: Any = xlwt.Workbook()
    sheet = book.add_sheet("Contacts")
    for column, (name, value) in enumerate({"contactId": "C000001", "firstname": xlwt.Formula('UPPER("b")'), "url": ""}.items()):
        sheet.write(0, column, name)
        sheet.write(1, column, value)
    book.save(str(workspace.source))
    age(workspace.source)
    with pytest.raises(SourceError, match="an empty cell may be a formula that was never calculated, so --blank clear"):
        workspace.run(blank="clear")
    assert workspace.watcher.rows == 0
    assert workspace.run().outcomes == {"invalid": 1}
