"""The current run read back: counts, causes and lines."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from contact_sync.ledger.sqlite import SqliteLedger
from contact_sync.model.fields import ID
from contact_sync.model.report import Cause, Line, Summary, lines_of
from contact_sync.model.row import Outcome, Staged
from contact_sync.model.source import Layout, OutputPaths
from contact_sync.model.violation import Violation, conflict_of
from tests.ledger.rows import PRINTS, REST, Open, block, ended, row
from tests.setups import LAYOUT, REPORT, begin_run


def test_columns_of_a_line(opened: Open) -> None:
    """A line has outcome, codes, fields without repetition, sentences, attempts, status, the API's code and the time."""
    ledger = opened()
    wrong = (
        Violation("id-length", ID),
        Violation("date-serial", "date"),
        Violation("date-calendar", "date"),
        Violation("hidden"),
    )
    ledger.stage(block(row(2), row(3, "", Outcome.INVALID, *wrong)))
    ledger.record(
        ended(ledger.claim(-1)[0], Outcome.FAILED, Violation("api-throttled"), attempts=4, http_status=429, api_code="7")
    )
    ledger.flush()
    cells = "é;'=\n"
    sent, invalid = lines_of(ledger.batches())
    message = "The API asked for fewer requests: the next run sends the row again."
    assert sent == Line(["C2", cells], 2, "failed", "api-throttled", "", message, 4, 429, "7", "2026-01-02T03:04:05Z")
    joined = " ".join(violation.sentence() for violation in wrong)
    codes = "id-length,date-serial,date-calendar,hidden"
    about = {ID: wrong[0].sentence(), "date": f"{wrong[1].sentence()} {wrong[2].sentence()}", "": wrong[3].sentence()}
    assert invalid == Line(["C3", cells], 3, "invalid", codes, "contactId,date", joined, 0, None, "", "", sentences=about)


def test_counts(opened: Open) -> None:
    """Outcomes, pending rows and rows with one code are counted."""
    ledger = opened()
    idle, damaged = Violation("nothing-to-send"), Violation("date-serial", "date")
    ledger.stage(block(row(2), row(3), row(4, "", Outcome.INVALID, idle), row(5, "", Outcome.INVALID, damaged)))
    ledger.stage(block(row(6, "", Outcome.UNCHANGED), row(7, "", Outcome.INVALID, idle, damaged)))
    assert ledger.count(None) == 2
    assert ledger.count(Outcome.INVALID) == 3
    assert ledger.count(Outcome.INVALID, without="nothing-to-send") == 2
    assert ledger.outcomes() == {"unchanged": 1, "invalid": 3, "": 2}
    ledger.report_unsent_as(Violation("limit", detail={"limit": "0"}), ready=False)
    assert ledger.outcomes() == {"unprocessed": 2, "invalid": 3, "unchanged": 1}


def test_clears(opened: Open) -> None:
    """Only cells of rows to send count as emptied, in a dry run too."""
    ledger = opened()
    emptied: dict[str, Any] = {"firstname": "", "lastname": "", "url": "http://example.com"}
    assert ledger.clears() == 0
    ledger.stage(block(row(2, **emptied), row(3, "", Outcome.READY, **emptied), row(4, "", Outcome.UNCHANGED, **emptied)))
    ledger.stage(block(row(5, "", Outcome.INVALID, Violation("date-serial", "date"), **emptied)))
    assert ledger.clears() == 4


def test_attempts(opened: Open) -> None:
    """All attempts are counted, and those after the first of a row as retries."""
    ledger = opened()
    assert ledger.attempts() == (0, 0)
    ledger.stage(block(row(2), row(3), row(4)))
    for pending, attempts in zip(ledger.claim(-1), (1, 4, 0), strict=True):
        ledger.record(ended(pending, Outcome.FAILED, Violation("api-unreachable"), attempts=attempts))
    ledger.flush()
    assert ledger.attempts() == (5, 3)


def test_causes(opened: Open) -> None:
    """Causes are counted by outcome, code and field, the most frequent first, each with its first row."""
    ledger = opened()
    serial, long_ = Violation("date-serial", "date"), Violation("text-length", "firstname", {"length": "33", "limit": "32"})
    longer = Violation("text-length", "firstname", {"length": "40", "limit": "32"})
    ledger.stage(block(row(2, "", Outcome.INVALID, long_), row(3, "", Outcome.INVALID, serial)))
    ledger.stage(block(row(4, "", Outcome.INVALID, serial, longer), row(5, "", Outcome.INVALID, serial), plain=[9]))
    assert ledger.causes() == [
        Cause("invalid", "date-serial", "date", 3, 3, serial.sentence()),
        Cause(
            "invalid",
            "text-length",
            "firstname",
            2,
            2,
            long_.sentence(),
            is_shared=False,
            column=LAYOUT.columns_of_fields.get("firstname"),
        ),
    ]


def test_message_of_a_cause(opened: Open) -> None:
    """A cause has the message of its first row, whatever else is wrong with that row, and whenever that was found."""
    ledger = opened()
    serial, conflict = Violation("date-serial", "date"), conflict_of([[2, 4]])
    first, second = (Violation("text-length", "url", {"length": length, "limit": "255"}) for length in ("300", "301"))
    ledger.stage(block(row(2, "", Outcome.INVALID, serial, first), row(3, "", Outcome.INVALID, second)))
    ledger.stage(block(row(4, "", Outcome.INVALID, second), row(5, "", Outcome.INVALID, serial)))
    ledger.flag_invalid([(2, conflict), (4, conflict)])
    assert ledger.causes() == [
        Cause("invalid", "text-length", "url", 3, 2, first.sentence(), is_shared=False),
        Cause("invalid", "date-serial", "date", 2, 2, serial.sentence()),
        Cause("invalid", "duplicate-conflict", ID, 2, 2, conflict.sentence(), column=LAYOUT.columns_of_fields[ID]),
    ]
    assert next(lines_of(ledger.batches())).message == f"{serial.sentence()} {first.sentence()} {conflict.sentence()}"


def test_messages_name_the_column(where: Path, opened: Open) -> None:
    """A message and a cause name the field by its column of the source, also those of a result, and when the run is reopened."""
    ledger, layout = opened(), Layout(["Identifiant contact", "Prénom\n"], ["A", "C"], LAYOUT.mapping, ";")
    ledger.begin_run("run-2", OutputPaths(Path("c.csv"), {"report": REPORT}), "2026-01-03T03:04:05Z", layout, keep=True)
    with ledger.staging():
        ledger.stage(block(row(2, "", Outcome.INVALID, Violation("id-missing", ID)), row(3), row(4)))
    ledger.release("run-2")
    ledger.flag_invalid([(4, Violation("text-length", "firstname", {"length": "33", "limit": "32"}))])
    (pending,) = ledger.claim(2)
    ledger.record(ended(pending, Outcome.ALTERED, Violation("superseded", detail={"fields": "firstname, url"})))
    ledger.flush()
    messages = [line.message for line in lines_of(ledger.batches())]
    assert messages[0].startswith("“Identifiant contact” (column A): There is no contactId")
    assert messages[1].startswith("A newer file sets “Prénom” (column C), url of this contact")
    assert messages[2] == "“Prénom” (column C) has 33 characters, 32 at most: shorten it."
    assert [line.fields for line in lines_of(ledger.batches())] == [ID, "", "firstname"]
    in_general = {cause.code: cause.in_general for cause in ledger.causes()}
    assert in_general["text-length"] == "“Prénom” (column C) has … characters, … at most: shorten it."
    with SqliteLedger(where, PRINTS, "account") as again:
        again.reopen_last()
        assert {cause.column.name for cause in again.causes() if cause.column} == {"Identifiant contact", "Prénom"}


def causes_of_a_run(ledger: SqliteLedger, name: str, *rows: Staged, source: str = "c-1.csv", exit_code: int = 3) -> list[Cause]:
    """Return the causes of a run whose rows are invalid, as they are when it ends and as they are read again."""
    begin_run(ledger, name, source)
    with ledger.staging():
        ledger.stage(block(*rows))
    causes = ledger.causes()
    ledger.finish_run(Summary(name, Path(), None, outcomes={"invalid": len(rows)}, exit_code=exit_code), "2026-01-02T04:00:00Z")
    ledger.reopen_last()
    assert ledger.causes() == causes
    return causes


def test_problems_that_are_new_since_the_last_run(opened: Open) -> None:
    """Of each cause the rows are counted that did not have it in the last complete run of the source; those causes come first."""
    ledger = opened(begin=False)
    serial, url, missing = Violation("date-serial", "date"), Violation("url-email", "url"), Violation("id-missing", ID)

    def row_of(number: int, contact_id: str, *violations: Violation) -> Staged:
        return row(number, "x", Outcome.INVALID, *violations)._replace(contact_id=contact_id)

    first = causes_of_a_run(ledger, "run-1", row_of(2, "A", serial), row_of(3, "B", serial), row_of(4, "", missing))
    assert [cause.fresh for cause in first] == [None, None]
    causes_of_a_run(ledger, "run-2", row_of(2, "A", url), exit_code=6)
    causes_of_a_run(ledger, "run-3", row_of(2, "A", url), source="other.csv")
    moved = [row_of(5, "A", serial, url), row_of(6, "B", serial), row_of(7, "C", serial), row_of(8, "", missing)]
    found = causes_of_a_run(ledger, "run-4", *moved, row_of(9, "", missing), row_of(10, "", missing), source="c-27.csv")
    assert [(cause.code, cause.rows, cause.fresh) for cause in found] == [
        ("date-serial", 3, 1),
        ("id-missing", 3, 2),
        ("url-email", 1, 1),
    ]
    ledger.release("run-4")
    again = causes_of_a_run(ledger, "run-5", *moved)
    assert [(cause.code, cause.fresh) for cause in again] == [("date-serial", 0), ("url-email", 0), ("id-missing", 0)]
    last = causes_of_a_run(ledger, "run-6", *moved[1:], row_of(9, "D", url))
    assert [(cause.code, cause.fresh) for cause in last] == [("url-email", 1), ("date-serial", 0), ("id-missing", 0)]


def test_message_of_several_contacts_that_disagree(opened: Open) -> None:
    """The message of rows that disagree names those of every contact, or of the first few."""
    ledger = opened()
    ledger.stage(block(*(row(number, f"C{number % 7}", Outcome.INVALID) for number in range(2, 16))))
    ledger.flag_invalid([(number, conflict_of([[number, number + 7]])) for number in (2, 3, 9, 10)])
    (cause,) = ledger.causes()
    assert cause.message.startswith("Rows have the same contactId and different values (2 and 9; 3 and 10): correct one of")
    ledger.flag_invalid([(number, conflict_of([[4, 11]])) for number in (4, 5, 6, 7, 11, 12, 13, 14)])
    (cause,) = ledger.causes()
    assert "(2 and 9; 3 and 10; 4 and 11; 5 and 12; 6 and 13 and 1 more)" in cause.message


def test_messages_that_an_earlier_version_joined(opened: Open) -> None:
    """Messages that an earlier version joined are reported unchanged; a cause of a row with several of them has none."""
    ledger = opened()
    serial, long_ = Violation("date-serial", "date"), Violation("text-length", "url", {"length": "300", "limit": "255"})
    ledger.stage(block(row(2, "", Outcome.INVALID, serial, long_), row(3, "", Outcome.INVALID, long_)))
    joined = f"{serial.sentence()} {long_.sentence()}"
    ledger.database.connection.execute("UPDATE row SET message = ? WHERE number = 2", (joined,))
    assert [line.message for line in lines_of(ledger.batches())] == [joined, long_.sentence()]
    assert [(cause.code, cause.message) for cause in ledger.causes()] == [("text-length", ""), ("date-serial", "")]


def test_clears_of_ready_rows(opened: Open) -> None:
    """Cells of ready rows count as emptied, unless they turn out to be invalid or duplicates."""
    ledger = opened()
    emptied: dict[str, Any] = {"firstname": "", "custom1": ""}
    ledger.stage(block(*[row(n, "", Outcome.READY, **emptied) for n in (3, 4, 5)], plain=range(2, 8), outcome=Outcome.READY))
    assert ledger.clears() == 6
    ledger.flag_invalid(
        [(3, Violation("date-ambiguous", "date", {"rows": ""})), (7, Violation("date-ambiguous", "date", {"rows": ""}))]
    )
    ledger.settle([(4, Outcome.DUPLICATE, None)])
    assert ledger.clears() == 2


def test_text_that_is_not_unicode(opened: Open, where: Path) -> None:
    """The name of a source, the API's code and a reason are kept although they are not valid Unicode."""
    with SqliteLedger(where, PRINTS, "account") as ledger:
        begin_run(ledger, source=os.fsdecode(b"pr\xe9noms.csv"))
        ledger.stage(block(row(2), row(3), row(4)))
        ledger.record(
            ended(ledger.claim(-1)[0], Outcome.REJECTED, Violation("api-number-taken", "phoneNumber"), api_code="\ud800")
        )
        ledger.flush()
        ledger.record(ended(ledger.claim(-1)[0], Outcome.FAILED, Violation("api-throttled"), api_code="\ud801"))
        ledger.report_unsent_as(Violation("stopped", detail={"reason": "\udce9."}), ready=False)
        first, second, third = lines_of(ledger.batches())
        assert second.api_code == r"\ud801"
        assert first.api_code == r"\ud800"
        assert r"\udce9." in third.message


@pytest.mark.parametrize(("ready", "expected"), [(True, "unprocessed"), (False, "ready")])
def test_pending_rows_are_reported_as_unprocessed(opened: Open, *, ready: bool, expected: str) -> None:
    """Pending rows end unprocessed with the reason; ready ones, plain or not, only when a guard stopped the run."""
    ledger = opened()
    ledger.stage(block(row(2), row(3, "", Outcome.READY), row(4, "", Outcome.INVALID, Violation("hidden")), plain=[5]))
    ledger.stage(block(row(7), plain=[6, 8], outcome=Outcome.READY))
    ledger.report_unsent_as(REST, ready=ready)
    lines = list(lines_of(ledger.batches()))
    found = ["unprocessed", expected, "invalid", "unchanged", expected, "unprocessed", expected]
    assert [line.outcome for line in lines] == found
    assert ledger.outcomes() == Counter(found)
    reasons = {(line.code, line.fields, line.message) for line in lines if line.outcome == "unprocessed"}
    assert reasons == {("stopped", "", "The run stopped before this row. Because. The next complete run sends it.")}
    assert {line.code for line in lines if line.outcome in ("ready", "unchanged")} <= {""}


def test_reporting_writes_nothing(opened: Open) -> None:
    """A run is reported without a write: a ledger on a full disk can be reported from, and other connections see no change."""
    ledger = opened()
    ledger.stage(block(row(2), row(3, "", Outcome.READY), plain=[4]))
    other = opened(begin=False)
    before = other.database.connection.execute("PRAGMA data_version").fetchone()
    ledger.database.connection.execute("PRAGMA query_only = ON")
    ledger.report_unsent_as(REST, ready=True)
    assert ledger.outcomes() == {"unprocessed": 2, "unchanged": 1}
    assert [line.code for line in lines_of(ledger.batches())] == ["stopped", "stopped", ""]
    assert other.database.connection.execute("PRAGMA data_version").fetchone() == before
    assert [line.outcome for line in lines_of(other.batches())] == ["", "ready", "unchanged"]
    assert other.count(None) == 1
