"""A ledger that the first release wrote, in `files`: opened, compared with, read back and resumed.

Its first run confirmed five of six contacts; its second one, with an edited name and three more contacts, was killed after two
updates. `contacts.csv` is the source of the second run, and `report.csv` is what the first release reports of it.
"""

import csv
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from contact_sync.ledger.digests import installation
from contact_sync.ledger.sqlite import SqliteLedger
from contact_sync.model.fields import FIELDS
from contact_sync.model.report import lines_of
from contact_sync.model.row import Outcome, Result
from contact_sync.settings import Settings
from contact_sync.sync.run import run
from tests.ledger.rows import payload

FILES = Path(__file__).parent / "files"
ACCOUNT = "0cc363587e58a2f8"
FIRST, SECOND = "20261128T234835Z-4d72b08", "20261128T234836Z-781cc5e"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the state folder, with the source next to it."""
    for name in ("digest.key", f"{ACCOUNT}.sqlite3"):
        (tmp_path / "state").mkdir(exist_ok=True)
        shutil.copy(FILES / name, tmp_path / "state" / name)
    (tmp_path / "contacts.csv").write_text((FILES / "contacts.csv").read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


@pytest.fixture
def ledger(folder: Path) -> Iterator[SqliteLedger]:
    """Return the ledger, opened by this release."""
    state = folder / "state"
    with SqliteLedger(state / f"{ACCOUNT}.sqlite3", installation(state), ACCOUNT) as opened:
        yield opened


class Silent:
    """A watcher that ignores everything."""

    def loaded(self, rows: int) -> None:
        """Ignore the rows that were loaded."""

    def paced(self, _pace: object) -> None:
        """Ignore the pace."""

    def sending(self, rows: int) -> None:
        """Ignore the rows that will be sent."""

    def reading(self, rows: int) -> None:
        """Ignore the contacts that will be read."""

    def sent(self, result: Result) -> None:
        """Ignore the row that was sent."""


def outcomes(folder: Path, *, send: bool) -> dict[str, int]:
    """Run the source, against a port that does not answer, and return the outcomes."""
    source = folder / "contacts.csv"
    os.utime(source, (time.time() - 60,) * 2)
    account = {"key": "made-up-key-1234", "base_url": "http://127.0.0.1:8099/v1", "state_dir": folder / "state"}
    return run(Settings.of(source=source, report=folder / "report.csv", dry_run=not send, **account), Silent()).outcomes


def test_confirmed_rows_are_recognised(folder: Path) -> None:
    """A source has the same outcomes as with the first release, and exactly the rows that change afterwards are to be sent."""
    source = folder / "contacts.csv"
    assert outcomes(folder, send=False) == {"unchanged": 6, "invalid": 1, "ready": 2}
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace("Gaël", "Gaëlle"), encoding="utf-8")
    assert outcomes(folder, send=False) == {"unchanged": 5, "invalid": 1, "ready": 3}
    source.write_text("".join(text.splitlines(keepends=True)[:-2]), encoding="utf-8")
    assert outcomes(folder, send=True) == {"unchanged": 6, "invalid": 1}


def test_confirmed_fields_are_recognised(ledger: SqliteLedger) -> None:
    """Each field is recognised by itself, and whether a contact changes its identity."""
    asked = [
        ("C000001", payload(firstname="Zoé")),
        ("C000001", payload(custom1="Or", lastname="Roux")),
        ("C000001", payload(firstname="Zoé", custom2="Or")),
        ("C000003", payload(phoneNumber="+33612345623", firstname="Noé", lastname="Petite")),
        ("C000003", payload(phoneNumber="+33612345624", firstname="Noée", lastname="Petite")),
    ]
    assert ledger.compare(asked) == ([True, True, False, False, False], 1, 1)


def test_confirmed_rows_are_recognised_with_other_fields(folder: Path, ledger: SqliteLedger) -> None:
    """Fields may be reordered and added."""
    fields = ("email", *reversed(FIELDS))
    values = {"phoneNumber": "+33612345610", "firstname": "Zoé", "lastname": "Roux", "custom1": "Or"}
    rows = [("C000001", tuple(more.get(field) for field in fields)) for more in (values, {**values, "email": "z@example.com"})]
    with SqliteLedger(folder / "state" / f"{ACCOUNT}.sqlite3", installation(folder / "state"), ACCOUNT, fields=fields) as later:
        assert later.compare(rows).in_place == [True, False]


def test_history_survives(ledger: SqliteLedger) -> None:
    """Runs, and the events of a contact, are those of the first release."""
    assert [(past.id, past.exit_code, past.outcomes, past.requests) for past in ledger.runs(9)] == [
        (SECOND, None, {}, 0),
        (FIRST, 3, {"updated": 5, "invalid": 1}, 5),
    ]
    assert [(event.run, event.outcome, event.sent) for event in ledger.history("C000002")] == [
        (SECOND, "updated", "phoneNumber,firstname,lastname,date"),
        (FIRST, "updated", "phoneNumber,firstname,lastname,date"),
    ]
    assert [(event.run, event.code, event.fields) for event in ledger.history("C000005")] == [
        (SECOND, "date-calendar", "date"),
        (FIRST, "date-calendar", "date"),
    ]


def test_the_report_of_the_last_run_survives(ledger: SqliteLedger) -> None:
    """The last run is read as the first release reports it, except two columns and the sentence for rows that were not sent."""
    assert ledger.last_run() == SECOND
    paths, layout, seconds = ledger.reopen_last()
    assert (paths.source, paths.report.name, seconds) == (Path("/srv/contacts/contacts.csv"), "contacts.results.csv", 0)
    with (FILES / "report.csv").open(encoding="utf-8-sig", newline="") as file:
        header, *expected = csv.reader(file, delimiter=";")
    assert layout.columns == header[:6]
    lines = list(lines_of(ledger.batches()))
    ours_and_theirs = zip(
        ([*line.cells, *[str(value or "") for value in line.results[:-2]]] for line in lines), expected, strict=True
    )
    message = header.index("sync_message")
    for ours, theirs in ours_and_theirs:
        if ours[message - 2] == "stopped":
            assert (ours.pop(message)[:36], theirs.pop(message)[:36]) == ("The run stopped before this row. It ",) * 2
        assert ours == theirs


def test_an_unfinished_run_is_resumed(ledger: SqliteLedger) -> None:
    """The rows that were pending when the first release was killed are sent, confirmed and counted."""
    ledger.reopen_last()
    assert ledger.resume_last()
    assert ledger.pending() == 2
    claimed = ledger.claim(-1)
    loic = {"phoneNumber": "+33612345628", "firstname": "Loïc", "lastname": "Fournier", "date": "1992-12-12", "custom1": "Argent"}
    chloe = {"phoneNumber": "+33612345691", "firstname": "Chloé", "lastname": "Girard"}
    assert [row[:3] for row in claimed] == [(9, "C000008", loic), (10, "C000009", chloe)]
    for row in claimed:
        ledger.record(Result(row, Outcome.UPDATED, attempts=1))
    ledger.flush()
    assert ledger.outcomes() == {"updated": 4, "unchanged": 4, "invalid": 1}
    assert ledger.compare([("C000009", payload(firstname="Chloé"))]).in_place == [True]


def test_withdrawn_fields_of_a_migrated_contact(folder: Path, ledger: SqliteLedger) -> None:
    """A claim withdraws exactly the fields that it carries from what the first release confirmed."""
    ledger.reopen_last()
    with closing(ledger.database.connection.cursor()) as cursor:
        cursor.execute("UPDATE row SET outcome = NULL WHERE contact_id = 'C000002'")
        cursor.execute("UPDATE row SET contact = '{\"lastname\": \"Martin\"}' WHERE contact_id = 'C000002'")
    ledger.claim(-1, 1)
    asked = [payload(lastname="Martin-Roux"), payload(firstname="Léa", phoneNumber="+33612345647")]
    assert ledger.compare([("C000002", values) for values in asked]).in_place == [False, True]
