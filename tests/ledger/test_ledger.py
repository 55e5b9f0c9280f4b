"""The ledger, on a real SQLite file: what was staged, what was confirmed, and what a stolen or torn file gives."""

import dataclasses
import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contact_sync.errors import SourceError, StorageError
from contact_sync.ledger import VERSION, Ledger
from contact_sync.ledger.digests import Fingerprints
from contact_sync.ledger.sqlite.database import _SCHEMA
from contact_sync.model import (
    FIELDS,
    ID,
    Block,
    Cause,
    Line,
    Outcome,
    OutputPaths,
    Pending,
    Result,
    Staged,
    Summary,
    Violation,
    lines_of,
)
from contact_sync.packed import pack
from contact_sync.rules.cells import normalise_id
from tests.setups import LAYOUT, REPORT, begin_run, file_size_limit

PRINTS = Fingerprints(bytes(32))
UNMEASURED = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
"""The environment of a process that is killed, lest it leave half a file of coverage behind."""

Payload = tuple[str | None, ...]
Open = Callable[..., Ledger]


def payload(**values: str) -> Payload:
    """A payload that carries these fields."""
    return tuple(values.get(field) for field in FIELDS)


def row(number: int, contact_id: str = "", outcome: Outcome | None = None, *violations: Violation, **values: Any) -> Staged:
    """A row with a story of its own; pending unless it has an outcome."""
    return Staged(number, contact_id or f"C{number}", payload(**(values or {"firstname": "Zoé"})), outcome, violations)


def block(*rows: Staged, plain: Sequence[int] = (), outcome: Outcome = Outcome.UNCHANGED) -> Block:
    """A chunk of these rows and of `plain` ones that share `outcome`, with cells that name the contact."""
    ids = dict.fromkeys(plain, "") | {row.number: row.contact_id for row in rows}
    numbers = sorted(ids)
    contact_ids = [ids[number] or f"C{number}" for number in numbers]
    return Block(numbers, contact_ids, [[contact_id, "é;'=\n"] for contact_id in contact_ids], outcome, list(rows))


def ended(pending: Pending, outcome: Outcome = Outcome.UPDATED, *violations: Violation, **more: Any) -> Result:
    """How a row that was sent ended."""
    result = Result(pending, outcome, violations, attempts=1, http_status=200, at="2026-01-02T03:04:05Z")
    return dataclasses.replace(result, **more)


@pytest.fixture
def where(tmp_path: Path) -> Path:
    """Where the ledger is."""
    return tmp_path / "account.sqlite3"


@pytest.fixture
def opened(where: Path) -> Iterator[Open]:
    """A function that opens the ledger, and begins a run unless told not to."""
    with ExitStack() as stack:
        count = 0

        def open_(*, begin: bool = True, keep: bool = True) -> Ledger:
            nonlocal count
            count += 1
            ledger = stack.enter_context(Ledger(where, PRINTS, "account"))
            if begin:
                begin_run(ledger, f"run-{count}", keep=keep)
            return ledger

        yield open_


def confirm(ledger: Ledger, number: int, contact_id: str, **values: Any) -> None:
    """Stage a row, send it, and have it confirmed."""
    ledger.stage(block(row(number, contact_id, **values)))
    (taken,) = ledger.take(number - 1)
    ledger.record(ended(taken))
    ledger.flush()


def in_place(ledger: Ledger, contact_id: str, **values: str) -> bool:
    """Whether these values are in place."""
    (answer,) = ledger.in_place([(contact_id, payload(**values))])
    return answer


# ---- staging and reading back


def test_staged_rows_come_back_in_order(opened: Open) -> None:
    """Every staged row comes back in the order of its number, its cells as they were, plain or not, from several chunks."""
    ledger = opened()
    numbers = [*range(2, 1001), *range(1002, 4003, 2)]
    for start in range(0, len(numbers), 700):
        part = numbers[start : start + 700]
        ledger.stage(block(*[row(number, "", Outcome.READY) for number in part if number % 3], plain=part))
    lines = list(lines_of(ledger.batches()))
    assert [line.number for line in lines] == numbers
    assert all(line.cells == [f"C{line.number}", "é;'=\n"] for line in lines)
    assert all(line.outcome == ("ready" if line.number % 3 else "unchanged") for line in lines)


def test_what_a_line_tells(opened: Open) -> None:
    """A line holds outcome, codes, fields without repetition, sentences, attempts, status, the API's code and the time."""
    ledger = opened()
    wrong = (
        Violation("id-length", ID),
        Violation("date-serial", "date"),
        Violation("date-calendar", "date"),
        Violation("hidden"),
    )
    ledger.stage(block(row(2), row(3, "", Outcome.INVALID, *wrong)))
    ledger.record(
        ended(ledger.take(-1)[0], Outcome.FAILED, Violation("api-throttled"), attempts=4, http_status=429, api_code="7")
    )
    ledger.flush()
    cells = "é;'=\n"
    sent, invalid = lines_of(ledger.batches())
    message = "The API asked for fewer requests: the next run sends the row again."
    assert sent == Line(["C2", cells], 2, "failed", "api-throttled", "", message, 4, 429, "7", "2026-01-02T03:04:05Z")
    told = " ".join(violation.message for violation in wrong)
    codes = "id-length,date-serial,date-calendar,hidden"
    assert invalid == Line(["C3", cells], 3, "invalid", codes, "contactId,date", told, 0, None, "", "")


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
    """Only what would be sent counts as emptied, in a dry run too."""
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
    for pending, attempts in zip(ledger.take(-1), (1, 4, 0), strict=True):
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
        Cause("invalid", "date-serial", "date", 3, 3, serial.message),
        Cause("invalid", "text-length", "firstname", 2, 2, long_.message),
    ]


def test_the_words_of_a_cause(opened: Open) -> None:
    """A cause is told in the words for its first row, whatever else is wrong with that row, and whenever that was found."""
    ledger = opened()
    serial, conflict = Violation("date-serial", "date"), Violation("duplicate-conflict", ID, {"rows": "2 and 4"})
    first, second = (Violation("text-length", "url", {"length": length, "limit": "255"}) for length in ("300", "301"))
    ledger.stage(block(row(2, "", Outcome.INVALID, serial, first), row(3, "", Outcome.INVALID, second)))
    ledger.stage(block(row(4, "", Outcome.INVALID, second), row(5, "", Outcome.INVALID, serial)))
    ledger.flag([(2, conflict), (4, conflict)])
    assert ledger.causes() == [
        Cause("invalid", "text-length", "url", 3, 2, first.message),
        Cause("invalid", "date-serial", "date", 2, 2, serial.message),
        Cause("invalid", "duplicate-conflict", ID, 2, 2, conflict.message),
    ]
    assert next(lines_of(ledger.batches())).message == f"{serial.message} {first.message} {conflict.message}"


def test_words_that_were_not_kept_apart(opened: Open) -> None:
    """What an earlier version wrote of a row is told as it wrote it, and its causes without words where it had several."""
    ledger = opened()
    serial, long_ = Violation("date-serial", "date"), Violation("text-length", "url", {"length": "300", "limit": "255"})
    ledger.stage(block(row(2, "", Outcome.INVALID, serial, long_), row(3, "", Outcome.INVALID, long_)))
    told = f"{serial.message} {long_.message}"
    ledger._db.execute("UPDATE row SET message = ? WHERE number = 2", (told,))
    assert [line.message for line in lines_of(ledger.batches())] == [told, long_.message]
    assert [(cause.code, cause.message) for cause in ledger.causes()] == [("text-length", ""), ("date-serial", "")]


def test_flags_add_up(opened: Open) -> None:
    """A flag makes a row invalid and joins what was wrong with it before."""
    ledger = opened()
    ledger.stage(block(row(2), row(3, "", Outcome.INVALID, Violation("date-serial", "date")), row(4)))
    ledger.flag([(2, Violation("date-ambiguous", "date")), (3, Violation("id-length", ID))])
    lines = list(lines_of(ledger.batches()))[:2]
    assert [(line.outcome, line.code, line.fields) for line in lines] == [
        ("invalid", "date-ambiguous", "date"),
        ("invalid", "date-serial,id-length", "date,contactId"),
    ]
    assert lines[0].message == Violation("date-ambiguous", "date").message
    assert lines[1].message == f"{Violation('date-serial', 'date').message} {Violation('id-length', ID).message}"
    assert [pending.number for pending in ledger.take(-1)] == [4]


def test_settled_rows_are_not_sent(opened: Open) -> None:
    """A settled row has its new outcome and is not pending; an invalid one stays invalid."""
    ledger = opened()
    reason = Violation("duplicate-ignored", ID, {"row": "2"})
    ledger.stage(block(row(2), row(3), row(5, "", Outcome.INVALID, Violation("date-serial", "date")), plain=[4]))
    ledger.settle([(3, Outcome.DUPLICATE, reason), (4, Outcome.DUPLICATE, None), (5, Outcome.DUPLICATE, None)])
    assert [pending.number for pending in ledger.take(-1)] == [2]
    found = [(line.outcome, line.code) for line in list(lines_of(ledger.batches()))[1:]]
    assert found == [("duplicate", "duplicate-ignored"), ("duplicate", ""), ("invalid", "date-serial")]


def test_contact_ids(opened: Open) -> None:
    """The ids of rows are found, plain or not, in whatever order they are asked for and in whatever chunk they are."""
    ledger = opened()
    for start in range(2, 1300, 100):
        ledger.stage(block(row(start), row(start + 9, "twin"), plain=range(start, start + 100)))
    expected = {number: "twin" if number % 100 == 11 else f"C{number}" for number in range(2, 1302)}
    assert ledger.contact_ids(range(2, 1302)) == expected
    assert ledger.contact_ids([1301, 2, 700]) == {1301: "C1301", 2: "C2", 700: "C700"}
    assert ledger.contact_ids([]) == {}


# ---- rows that share the outcome of their chunk


def test_plain_rows(opened: Open) -> None:
    """Plain rows have the outcome of their chunk and nothing more to say, and are counted with the others."""
    ledger = opened()
    ledger.stage(block(row(3), row(4, "", Outcome.UNCHANGED), plain=[2, 5, 9]))
    ledger.stage(block(row(10, "", Outcome.UNCHANGED), plain=[11, 12], outcome=Outcome.READY))
    assert list(lines_of(ledger.batches()))[3] == Line(["C5", "é;'=\n"], 5, "unchanged", "", "", "", 0, None, "", "")
    found = [line.outcome for line in lines_of(ledger.batches())]
    assert found == ["unchanged", "", "unchanged", "unchanged", "unchanged", "unchanged", "ready", "ready"]
    assert ledger.outcomes() == {"unchanged": 5, "ready": 2, "": 1}
    assert [ledger.count(outcome) for outcome in (Outcome.UNCHANGED, Outcome.READY, None, Outcome.INVALID)] == [5, 2, 1, 0]
    assert [pending.number for pending in ledger.take(-1)] == [3]


def test_plain_rows_with_a_story_after_all(opened: Open) -> None:
    """A plain row that is flagged or settled is set apart with the outcome it had, and counted once."""
    ledger = opened()
    doubt, reason = Violation("date-ambiguous", "date"), Violation("duplicate-ignored", ID, {"row": "2"})
    ledger.stage(block(row(3), plain=range(2, 8)))
    ledger.stage(block(plain=range(8, 12), outcome=Outcome.READY))
    ledger.settle([(10, Outcome.DUPLICATE, reason), (4, Outcome.DUPLICATE, None), (3, Outcome.DUPLICATE, None)])
    ledger.flag([(11, doubt), (5, doubt), (10, doubt)])
    ledger.settle([(5, Outcome.DUPLICATE, None)])  # it stays invalid
    lines = {line.number: (line.outcome, line.code, line.fields) for line in lines_of(ledger.batches())}
    plain = dict.fromkeys((2, 6, 7), ("unchanged", "", "")) | dict.fromkeys((8, 9), ("ready", "", ""))
    assert lines == plain | {
        3: ("duplicate", "", ""),
        4: ("duplicate", "", ""),
        5: ("invalid", "date-ambiguous", "date"),
        10: ("invalid", "duplicate-ignored,date-ambiguous", "contactId,date"),
        11: ("invalid", "date-ambiguous", "date"),
    }
    assert list(lines) == list(range(2, 12))
    assert ledger.outcomes() == {"unchanged": 3, "duplicate": 2, "invalid": 3, "ready": 2}
    assert [ledger.count(outcome) for outcome in (Outcome.UNCHANGED, Outcome.READY, None, Outcome.INVALID)] == [3, 2, 0, 3]
    assert ledger.contact_ids([4, 5, 10]) == {4: "C4", 5: "C5", 10: "C10"}


def test_a_whole_chunk_is_flagged(opened: Open) -> None:
    """When every row of a chunk is flagged, twice over, none is left that has the outcome of the chunk."""
    ledger = opened()
    ledger.stage(block(plain=range(2, 1500)))
    ledger.stage(block(plain=[1500]))
    flags = [(number, Violation("date-ambiguous", "date")) for number in range(2, 1500)]
    ledger.flag(flags[::-1])
    ledger.flag([(2, Violation("id-length", ID)), (2, Violation("id-clear", ID))])
    assert ledger.outcomes() == {"invalid": 1498, "unchanged": 1}
    assert next(lines_of(ledger.batches())).code == "date-ambiguous,id-length,id-clear"
    assert [line.outcome for line in lines_of(ledger.batches())] == ["invalid"] * 1498 + ["unchanged"]


def test_nothing_to_flag_or_settle(opened: Open) -> None:
    """No flag and no settlement change nothing."""
    ledger = opened()
    ledger.stage(block(row(2), plain=[3]))
    ledger.flag([])
    ledger.settle([])
    assert ledger.outcomes() == {"unchanged": 1, "": 1}


def test_a_flag_that_cannot_be_written(opened: Open) -> None:
    """Rows are set apart together with their flag or not at all: afterwards each is counted once all the same."""
    ledger = opened()
    ledger.stage(block(plain=range(2, 6)))
    with pytest.raises(AttributeError):
        ledger.flag([(2, Violation("date-ambiguous", "date")), (3, None)])  # type: ignore[list-item]
    assert ledger.outcomes() == {"unchanged": 4}
    assert [line.outcome for line in lines_of(ledger.batches())] == ["unchanged"] * 4


def test_clears_of_ready_rows(opened: Open) -> None:
    """What ready rows would empty is counted, but not any more when they turn out to be invalid or duplicates."""
    ledger = opened()
    emptied: dict[str, Any] = {"firstname": "", "custom1": ""}
    ledger.stage(block(*[row(n, "", Outcome.READY, **emptied) for n in (3, 4, 5)], plain=range(2, 8), outcome=Outcome.READY))
    assert ledger.clears() == 6
    ledger.flag([(3, Violation("date-ambiguous", "date")), (7, Violation("date-ambiguous", "date"))])
    ledger.settle([(4, Outcome.DUPLICATE, None)])
    assert ledger.clears() == 2


def test_the_chunks_of_an_earlier_run(opened: Open) -> None:
    """A ledger that begins once more looks for rows in the chunks of the new run alone, and tells them as they are."""
    ledger = opened()
    ledger.stage(block(plain=[2, 3]))
    ledger.stage(block(row(900)))
    ledger.report_unsent_as(Violation("limit", detail={"limit": "0"}), ready=False)
    begin_run(ledger, "another")
    ledger.stage(block(row(7), plain=[5, 6]))
    ledger.flag([(6, Violation("date-ambiguous", "date"))])
    assert ledger.outcomes() == {"unchanged": 1, "invalid": 1, "": 1}


@settings(max_examples=60)
@given(st.data())
def test_each_row_counts_once(data: st.DataObject) -> None:
    """However rows are staged, flagged and settled, each is told once, and `outcomes` and `count` agree with the lines."""
    numbers = sorted(data.draw(st.sets(st.integers(0, 30), min_size=1)))
    own = st.sampled_from([None, Outcome.READY, Outcome.UNCHANGED, Outcome.DUPLICATE])
    truth: dict[int, str] = {}
    with Ledger(None, PRINTS) as ledger:
        begin_run(ledger, keep=data.draw(st.booleans()))
        while rest := [number for number in numbers if number not in truth]:
            part = rest[: data.draw(st.integers(1, len(rest)))]
            shared = data.draw(st.sampled_from([Outcome.READY, Outcome.UNCHANGED]))
            apart = data.draw(st.dictionaries(st.sampled_from(part), own))
            ledger.stage(block(*[row(n, "", told) for n, told in apart.items()], plain=part, outcome=shared))
            truth |= dict.fromkeys(part, shared) | {number: told or "" for number, told in apart.items()}
        for _ in range(data.draw(st.integers(0, 3))):
            some = data.draw(st.lists(st.sampled_from(numbers)))
            if data.draw(st.booleans()):
                ledger.flag([(number, Violation("date-ambiguous", "date")) for number in some])
                truth |= dict.fromkeys(some, "invalid")
            else:
                ledger.settle([(number, Outcome.DUPLICATE, None) for number in some])
                truth |= {number: "duplicate" for number in some if truth[number] != "invalid"}
        lines = list(lines_of(ledger.batches()))
        assert [(line.number, line.outcome) for line in lines] == sorted(truth.items())
        assert [line.cells[0] for line in lines] == [f"C{number}" for number in numbers]
        assert ledger.outcomes() == Counter(truth.values())
        assert {outcome: ledger.count(outcome) for outcome in Outcome if ledger.count(outcome)} | {"": ledger.count(None)} == {
            "": 0,
            **Counter(truth.values()),
        }


def test_text_that_is_no_unicode(opened: Open, where: Path) -> None:
    """The name of a source, the API's code and a reason are kept although they are not valid Unicode."""
    with Ledger(where, PRINTS, "account") as ledger:
        begin_run(ledger, source=os.fsdecode(b"pr\xe9noms.csv"))
        ledger.stage(block(row(2), row(3), row(4)))
        ledger.record(
            ended(ledger.take(-1)[0], Outcome.REJECTED, Violation("api-number-taken", "phoneNumber"), api_code="\ud800")
        )
        ledger.flush()
        ledger.record(ended(ledger.take(-1)[0], Outcome.FAILED, Violation("api-throttled"), api_code="\ud801"))
        ledger.report_unsent_as(Violation("stopped", detail={"reason": "\udce9."}), ready=False)
        first, second, third = lines_of(ledger.batches())
        assert second.api_code == r"\ud801"
        assert first.api_code == r"\ud800"
        assert r"\udce9." in third.message


# ---- sending


def test_take_in_order_and_in_parts(opened: Open) -> None:
    """Pending rows are taken in order, a few hundred at a time, each once."""
    ledger = opened()
    ledger.stage(block(*[row(number, "", None if number % 3 else Outcome.UNCHANGED) for number in range(1, 2000)]))
    taken: list[int] = []
    while batch := ledger.take(taken[-1] if taken else -1):
        assert len(batch) <= 500
        taken += [pending.number for pending in batch]
    assert taken == [number for number in range(1, 2000) if number % 3]


def test_what_is_sent_of_a_row(opened: Open) -> None:
    """A pending row carries the fields it has, an emptied one as empty text, and no other."""
    ledger = opened()
    ledger.stage(block(row(2, firstname="Zoé", custom1="", phoneNumber="+33600000001")))
    (taken,) = ledger.take(-1)
    assert taken[:4] == (2, "C2", {"phoneNumber": "+33600000001", "firstname": "Zoé", "custom1": ""}, 0)


def test_failed_rows_are_taken_again(opened: Open) -> None:
    """The second pass takes the failed rows alone, and knows how often they were tried."""
    ledger = opened()
    ledger.stage(block(row(2), row(3)))
    first, second = ledger.take(-1)
    ledger.record(ended(first, Outcome.FAILED, Violation("api-unreachable"), attempts=4))
    ledger.record(ended(second))
    ledger.flush()
    assert [(pending.number, pending.attempts) for pending in ledger.take(-1, failed=True)] == [(2, 4)]


def test_confirmed_is_in_place(opened: Open) -> None:
    """What was confirmed is in place, field by field; another value, field or contact is not."""
    ledger = opened()
    confirm(ledger, 2, "C1", firstname="Zoé", lastname="Roux", custom1="")
    assert in_place(ledger, "C1", firstname="Zoé", lastname="Roux", custom1="")
    assert in_place(ledger, "C1", firstname="Zoé")
    assert in_place(ledger, "C1", custom1="")
    assert not in_place(ledger, "C1", firstname="Zoë")
    assert not in_place(ledger, "C1", firstname="Zoé", lastname="Roux", custom1="", custom2="")
    assert not in_place(ledger, "C1", lastname="Zoé")
    assert not in_place(ledger, "C2", firstname="Zoé")


def test_many_are_looked_up(opened: Open) -> None:
    """More contacts than one query takes are looked up, each with its own answer."""
    ledger = opened()
    ledger.stage(block(*[row(number) for number in range(1, 1201)]))
    after = -1
    while batch := ledger.take(after):
        after = batch[-1].number
        for pending in batch:
            ledger.record(ended(pending, Outcome.UPDATED if pending.number % 7 else Outcome.REJECTED))
    ledger.flush()
    asked = [(f"C{number}", payload(firstname="Zoé")) for number in range(1, 1301)]
    assert ledger.in_place(asked) == [number % 7 > 0 and number <= 1200 for number in range(1, 1301)]
    assert ledger.in_place([]) == []


def test_taking_withdraws_durably(opened: Open) -> None:
    """Before an attempt may leave, what was confirmed of the fields it carries is gone from the file itself."""
    first = opened()
    confirm(first, 2, "C1", firstname="Zoé", lastname="Roux")
    first.stage(block(row(3, "C1", firstname="Léa")))
    assert in_place(opened(begin=False), "C1", firstname="Zoé")
    first.take(2)
    second = opened(begin=False)
    assert not in_place(second, "C1", firstname="Zoé")
    assert not in_place(second, "C1", firstname="Zoé", lastname="Roux")
    assert in_place(second, "C1", lastname="Roux")


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.ALTERED, Outcome.REJECTED, None])
def test_back_to_what_was_confirmed(opened: Open, outcome: Outcome | None) -> None:
    """A, then B without a clean yes (or killed on its way), then A again: A is sent again, for B may be what is stored."""
    ledger = opened()
    confirm(ledger, 2, "C1", firstname="A")
    ledger.stage(block(row(3, "C1", firstname="B")))
    (taken,) = ledger.take(2)
    if outcome:
        ledger.record(ended(taken, outcome, Violation("echo-differs", "firstname")))
        ledger.flush()
    later = opened(begin=False)
    assert not in_place(later, "C1", firstname="A")
    assert not in_place(later, "C1", firstname="B")


def test_two_sources_with_different_columns(opened: Open) -> None:
    """A source with other columns does not undo what an earlier one has confirmed."""
    ledger = opened()
    confirm(ledger, 2, "C1", firstname="Zoé", lastname="Roux")
    confirm(ledger, 3, "C1", phoneNumber="+33600000001")
    assert in_place(ledger, "C1", firstname="Zoé", lastname="Roux")
    assert in_place(ledger, "C1", phoneNumber="+33600000001")
    assert in_place(ledger, "C1", firstname="Zoé", phoneNumber="+33600000001")
    confirm(ledger, 4, "C1", lastname="Martin", custom1="x")
    assert in_place(ledger, "C1", firstname="Zoé", lastname="Martin", phoneNumber="+33600000001", custom1="x")
    assert not in_place(ledger, "C1", firstname="Zoé", lastname="Roux")


def test_results_are_written_in_groups(opened: Open) -> None:
    """Results become durable by themselves after a few hundred, the rest with `flush`; a kill loses no others."""
    ledger = opened()
    ledger.stage(block(*[row(number) for number in range(1, 601)]))
    for pending in [*ledger.take(-1), *ledger.take(500)]:
        ledger.record(ended(pending))
    asked = [(f"C{number}", payload(firstname="Zoé")) for number in range(1, 601)]
    assert sum(opened(begin=False).in_place(asked)) == 500
    assert opened(begin=False).count(Outcome.UPDATED) == 500
    ledger.flush()
    assert all(opened(begin=False).in_place(asked))


def test_no_more_than_asked_for(opened: Open) -> None:
    """No more rows are taken, and withdrawn, than are asked for."""
    ledger = opened()
    confirm(ledger, 2, "C1", firstname="A")
    confirm(ledger, 3, "C2", firstname="A")
    ledger.stage(block(row(4, "C1", firstname="B"), row(5, "C2", firstname="B"), *[row(number) for number in range(6, 1000)]))
    assert [pending.number for pending in ledger.take(3, 1)] == [4]
    assert [in_place(ledger, contact_id, firstname="A") for contact_id in ("C1", "C2")] == [False, True]
    assert [pending.number for pending in ledger.take(4, 3)] == [5, 6, 7]
    assert len(ledger.take(4, 900)) == len(ledger.take(4)) == 500


# ---- the end of a run


REST = Violation("stopped", detail={"reason": "Because."})


@pytest.mark.parametrize(("ready", "expected"), [(True, "unprocessed"), (False, "ready")])
def test_the_rest(opened: Open, *, ready: bool, expected: str) -> None:
    """Pending rows end unprocessed, with the reason; those that are ready, plain or not, only where a guard stopped the run."""
    ledger = opened()
    ledger.stage(block(row(2), row(3, "", Outcome.READY), row(4, "", Outcome.INVALID, Violation("hidden")), plain=[5]))
    ledger.stage(block(row(7), plain=[6, 8], outcome=Outcome.READY))
    ledger.report_unsent_as(REST, ready=ready)
    lines = list(lines_of(ledger.batches()))
    found = ["unprocessed", expected, "invalid", "unchanged", expected, "unprocessed", expected]
    assert [line.outcome for line in lines] == found
    assert ledger.outcomes() == Counter(found)
    told = {(line.code, line.fields, line.message) for line in lines if line.outcome == "unprocessed"}
    assert told == {("stopped", "", "The run stopped before this row. Because. The next complete run sends it.")}
    assert {line.code for line in lines if line.outcome in ("ready", "unchanged")} <= {""}


def test_the_end_writes_nothing(opened: Open) -> None:
    """How a run ended is told without a write: a ledger on a full disk tells it too, and others see no change."""
    ledger = opened()
    ledger.stage(block(row(2), row(3, "", Outcome.READY), plain=[4]))
    other = opened(begin=False)
    before = other._db.execute("PRAGMA data_version").fetchone()
    ledger._db.execute("PRAGMA query_only = ON")
    ledger.report_unsent_as(REST, ready=True)
    assert ledger.outcomes() == {"unprocessed": 2, "unchanged": 1}
    assert [line.code for line in lines_of(ledger.batches())] == ["stopped", "stopped", ""]
    assert other._db.execute("PRAGMA data_version").fetchone() == before
    assert [line.outcome for line in lines_of(other.batches())] == ["", "ready", "unchanged"]
    assert other.count(None) == 1


def test_a_run_taken_up_again(opened: Open, where: Path) -> None:
    """The last run comes back with all that was told of its rows; once it is resumed, those that failed are pending too."""
    ledger = opened()
    ledger.stage(block(*map(row, range(2, 7)), plain=[7]))
    assert not ledger.resume("run-1")
    ledger.release("run-1")
    for taken, outcome in zip(ledger.take(-1, 3), [Outcome.UPDATED, Outcome.FAILED, Outcome.REJECTED], strict=True):
        ledger.record(ended(taken, outcome, *[Violation("api-throttled")] * (outcome is not Outcome.UPDATED)))
    ledger.flush()
    ledger.report_unsent_as(REST, ready=False)
    summary = Summary("run-1", Path("contacts.csv"), REPORT, outcomes=ledger.outcomes(), seconds=19.8)
    ledger.finish(summary, "2026-01-02T04:00:00Z")
    before = list(lines_of(ledger.batches()))

    with Ledger(where, PRINTS, "account") as again:
        assert again.last() == "run-1"
        paths = OutputPaths(Path("contacts.csv").absolute(), REPORT.absolute(), None, None, 0o600)
        assert again.reopen("run-1") == (paths, LAYOUT, 19.8)
        assert list(lines_of(again.batches())) == before
        assert [line.message for line in before if line.code == "stopped"] == [REST.message] * 2
        assert [pending.number for pending in again.take(-1)] == [5, 6]
        assert [pending.number for pending in again.take(-1, failed=True)] == [3]
        assert again.pending() == 2
        assert again.resume("run-1")
        assert again.pending() == 3
        assert [pending.number for pending in again.take(-1)] == [3, 5, 6]
        assert [pending.number for pending in again.take(-1, failed=True)] == [3]


def test_a_run_that_was_killed(opened: Open, where: Path) -> None:
    """A run that could not say why it ended comes back as one that was stopped; what was ready in it stays so."""
    ledger = opened()
    ledger.stage(block(row(2), row(3, "", Outcome.READY)))
    with Ledger(where, PRINTS, "account") as again:
        again.reopen("run-1")
        assert [(line.outcome, line.code) for line in lines_of(again.batches())] == [("unprocessed", "stopped"), ("ready", "")]


def test_how_many_are_somebody_else(opened: Open) -> None:
    """Of the contacts that are known, those are counted that stay who they are, and those that change name and number at once."""
    ledger = opened()
    who = {"firstname": "A", "lastname": "B", "phoneNumber": "+33612345678"}
    for number in range(2, 7):
        confirm(ledger, number, f"C{number}", **who)
    begin_run(ledger, "night")
    other = {"firstname": "X", "lastname": "Y", "phoneNumber": "+33612345679"}
    changed = [who, who, who | {"lastname": "Y"}, who | {"lastname": "Z"}, other, other]
    rows = [(f"C{number}", payload(**values)) for number, values in enumerate(changed, 2)]
    assert ledger.in_place(rows[:5]) == [True, True, False, False, False]
    assert (ledger.same, ledger.identity_changes) == (4, 1)
    assert ledger.in_place([("C2", payload(**other)), ("C99", payload(**other))]) == [False, False]
    assert (ledger.same, ledger.identity_changes) == (4, 2)


def test_lost_results(opened: Open) -> None:
    """Rows whose results could not be made durable end failed, told as such with their attempts; the next run sends them."""
    ledger = opened()
    confirm(ledger, 2, "C3", firstname="A")
    begin_run(ledger, "night")
    ledger.stage(block(row(2), row(3, firstname="B"), row(4), row(5), plain=[6]))
    kept, *lost = ledger.take(-1)[:3]
    ledger.record(ended(kept, attempts=2))
    ledger.flush()
    ledger.record(ended(lost[0], attempts=3, api_code="200"))
    ledger.record(ended(lost[1], Outcome.FAILED, Violation("api-throttled"), attempts=1, http_status=429))
    ledger._db.execute("PRAGMA query_only = ON")
    with pytest.raises(StorageError, match="cannot be used"):
        ledger.flush()
    ledger.report_unsent_as(REST, ready=False)
    message = "The answer to this row could not be recorded: the next run sends it again."
    lines = list(lines_of(ledger.batches()))
    assert [line.outcome for line in lines] == ["updated", "failed", "failed", "unprocessed", "unchanged"]
    assert lines[1][1:] == (3, "failed", "not-recorded", "", message, 3, 200, "200", "2026-01-02T03:04:05Z")
    assert lines[1].cells == ["C3", "é;'=\n"]
    assert lines[2][3:8] == ("not-recorded", "", message, 1, 429)
    assert ledger.outcomes() == {"updated": 1, "unchanged": 1, "failed": 2, "unprocessed": 1}
    assert ledger.causes() == [
        Cause("failed", "not-recorded", "", 2, 3, message),
        Cause("unprocessed", REST.code, "", 1, 5, REST.message),
    ]
    assert ledger.attempts() == (6, 3)
    later = opened(begin=False)
    assert not in_place(later, "C3", firstname="A")
    assert not in_place(later, "C3", firstname="B")


def test_lost_results_of_the_second_pass(opened: Open) -> None:
    """A row whose second result is lost is failed as before, counted once, and what the first pass came to is not forgotten."""
    ledger = opened()
    ledger.stage(block(row(2), row(3), row(4)))
    for pending in ledger.take(-1):
        ledger.record(ended(pending, Outcome.FAILED, Violation("api-throttled"), attempts=4, http_status=429))
    ledger.flush()
    first, second, _ = ledger.take(-1, failed=True)
    ledger.record(ended(first, attempts=5))
    ledger.flush()
    ledger.record(ended(second, attempts=5))
    ledger._db.execute("PRAGMA query_only = ON")
    with pytest.raises(StorageError, match="cannot be used"):
        ledger.flush()
    ledger.report_unsent_as(REST, ready=False)
    told = [(line.outcome, line.code, line.attempts) for line in lines_of(ledger.batches())]
    assert told == [("updated", "", 5), ("failed", "not-recorded", 5), ("failed", "api-throttled", 4)]
    assert ledger.outcomes() == {"updated": 1, "failed": 2}
    causes = [(cause.code, cause.rows, cause.first) for cause in ledger.causes()]
    assert causes == [("not-recorded", 1, 3), ("api-throttled", 1, 4)]
    assert ledger.attempts() == (14, 11)


def test_a_lost_result_without_an_attempt(opened: Open) -> None:
    """A row that was never sent is no request and no retry, although its result is lost."""
    ledger = opened()
    ledger.stage(block(row(2)))
    ledger.record(ended(ledger.take(-1)[0], Outcome.FAILED, attempts=0))
    assert ledger.attempts() == (0, 0)


def test_results_that_find_room_after_all(opened: Open) -> None:
    """Results that were lost for a moment are written with the next ones, and no row is told to have failed."""
    ledger = opened()
    ledger.stage(block(row(2), row(3)))
    first, second = ledger.take(-1)
    ledger.record(ended(first))
    ledger._db.execute("PRAGMA query_only = ON")
    with pytest.raises(StorageError):
        ledger.flush()
    ledger._db.execute("PRAGMA query_only = OFF")
    ledger.record(ended(second))
    ledger.flush()
    ledger.report_unsent_as(REST, ready=False)
    assert ledger.outcomes() == {"updated": 2}
    assert ledger.attempts() == (2, 0)


def test_a_kill_before_the_flush(where: Path, opened: Open) -> None:
    """After kill -9 what was flushed is in place, and what was only recorded is pending again."""
    script = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from contact_sync.ledger.digests import Fingerprints
from contact_sync.ledger import Ledger
from contact_sync.model import Block, Layout, OutputPaths, Outcome, Result, Staged
from pathlib import Path
ledger = Ledger(Path({str(where)!r}), Fingerprints(bytes(32)), "account")
ledger.begin("run", OutputPaths(Path("contacts.csv"), Path("r.csv"), None, None, 0o600), "", Layout([], [], {{}}, ";"), keep=True)
rows = [Staged(n, f"C{{n}}", (None, "Zoé") + (None,) * 7, None) for n in (2, 3)]
ledger.stage(Block([2, 3], ["C2", "C3"], [[], []], Outcome.UNCHANGED, rows))
first, second = ledger.take(-1)
ledger.record(Result(first, Outcome.UPDATED))
ledger.flush()
ledger.record(Result(second, Outcome.UPDATED))
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False, env=UNMEASURED).returncode == -signal.SIGKILL
    ledger = opened(begin=False)
    assert in_place(ledger, "C2", firstname="Zoé")
    assert not in_place(ledger, "C3", firstname="Zoé")
    assert (ledger.count(Outcome.UPDATED), ledger.count(None)) == (1, 1)


# ---- runs


def test_a_run_takes_the_place_of_the_last_ones_rows(opened: Open, where: Path) -> None:
    """A new run begins without rows, keeps what was confirmed, and both runs stand in the history."""
    first = opened()
    confirm(first, 2, "C1", firstname="Zoé")
    first.finish(Summary("run-1", Path(), None, outcomes={"updated": 1}, exit_code=3), "2026-01-02T04:00:00Z")
    second = opened()
    assert list(lines_of(second.batches())) == []
    assert in_place(second, "C1", firstname="Zoé")
    assert second.runs(2) == [
        ("run-2", "contacts.csv", "2026-01-02T03:04:05Z", None, None, {}, 0, 0, 0),
        ("run-1", "contacts.csv", "2026-01-02T03:04:05Z", "2026-01-02T04:00:00Z", 3, {"updated": 1}, 0, 0, 0),
    ]
    assert second.runs(1) == second.runs(2)[:1]


def test_rows_that_cannot_all_be_staged(opened: Open, where: Path) -> None:
    """Until all rows of a run are staged, and where they never are, everybody finds the last run's; both runs are known."""
    first = opened()
    first.stage(block(row(2), row(3, "", Outcome.INVALID, Violation("date-serial", "date")), plain=[4]))
    first.release("run-1")
    ledger = opened(begin=False)
    before = list(lines_of(ledger.batches()))
    ledger.begin("run-2", OutputPaths(Path("other.csv"), REPORT, None, None, 0o600), "2026-01-03T03:04:05Z", LAYOUT, keep=True)

    def stage_some() -> None:
        with ledger.staging():
            ledger.stage(block(row(7), row(8)))
            ledger.flag([(8, Violation("date-ambiguous", "date"))])
            assert ledger.outcomes() == {"invalid": 1, "": 1}
            with Ledger(where, PRINTS, "account") as reader:
                assert (reader.last(), list(lines_of(reader.batches()))) == ("run-1", before)
            raise SourceError("The rest is damaged.")

    with pytest.raises(SourceError, match="damaged"):
        stage_some()
    ledger.finish(Summary("run-2", Path(), None, exit_code=4), "2026-01-03T04:00:00Z")
    with Ledger(where, PRINTS, "account") as later:
        assert (later.last(), list(lines_of(later.batches()))) == ("run-1", before)
        assert [(run.id, run.exit_code) for run in later.runs(9)] == [("run-2", 4), ("run-1", None)]
        assert later.resume("run-1")


def test_a_kill_while_rows_are_staged(where: Path, opened: Open) -> None:
    """After kill -9 in the middle of it the last run's rows are there as before, and the run is known to be interrupted."""
    ledger = opened()
    ledger.stage(block(row(2), plain=[3]))
    before = list(lines_of(ledger.batches()))
    script = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from contact_sync.ledger.digests import Fingerprints
from contact_sync.ledger import Ledger
from contact_sync.model import Block, Layout, OutputPaths, Outcome
from pathlib import Path
ledger = Ledger(Path({str(where)!r}), Fingerprints(bytes(32)), "account")
ledger.begin("run-2", OutputPaths(Path("c.csv"), Path("r.csv"), None, None, 0o600), "9", Layout([], [], {{}}, ";"), keep=True)
with ledger.staging():
    for number in range(20):
        ledger.stage(Block([number], ["C1"], [["x" * 2_000_000]], Outcome.UNCHANGED, []))
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False, env=UNMEASURED).returncode == -signal.SIGKILL
    assert where.with_name(f"{where.name}-wal").stat().st_size > 20_000_000, "nothing of it was in the file"
    later = opened(begin=False)
    assert (later.last(), list(lines_of(later.batches()))) == ("run-1", before)
    assert [(run.id, run.finished) for run in later.runs(1)] == [("run-2", None)]


def test_earlier_nights(opened: Open) -> None:
    """The last runs of a source that were not stopped are told, newest first, whatever day is in its name."""
    ledger = opened(begin=False)
    for run, (source, exit_code, outcomes) in enumerate(
        (
            ("contacts-2026-01-02.csv", 0, {"updated": 7}),
            ("contacts-2026-01-03.csv", 3, {"unchanged": 5, "updated": 2, "invalid": 1, "duplicate": 1}),
            ("others.csv", 0, {"updated": 1}),
            ("contacts-2026-01-05.csv", 6, {"unprocessed": 7}),
            ("contacts-2026-01-06.csv", 3, {"altered": 1, "rejected": 2, "failed": 3, "unprocessed": 4}),
        )
    ):
        begin_run(ledger, f"run-{run}", source, f"2026-01-0{run}")
        ledger.finish(Summary(f"run-{run}", Path(), None, outcomes=outcomes, exit_code=exit_code), "")
    begin_run(ledger, "now", "contacts-2026-01-07.csv", "2026-01-07")
    assert ledger.workloads("contacts-2026-01-07.csv", 3) == [(10, 10), (9, 2), (7, 7)]
    assert ledger.workloads("contacts-2026-01-07.csv", 2) == [(10, 10), (9, 2)]
    assert ledger.workloads("contacts.csv", 3) == []


def test_a_dry_run_leaves_the_last_runs_rows(opened: Open, where: Path) -> None:
    """The rows of a run that sends nothing live beside the last run's, and are gone with it."""
    opened().stage(block(row(2)))
    dry = opened(keep=False)
    dry.stage(block(row(7, "", Outcome.READY)))
    assert [line.number for line in lines_of(dry.batches())] == [7]
    assert [pending.number for pending in opened(begin=False).take(-1)] == [2]
    with sqlite3.connect(where) as db:
        assert db.execute("SELECT count(*) FROM run").fetchone() == (1,)
    db.close()


def test_a_ledger_nobody_needs_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger without a path works, takes back what fails, and leaves no file."""
    monkeypatch.chdir(tmp_path)
    with Ledger(None, PRINTS) as ledger:
        begin_run(ledger)
        ledger.stage(block(row(2, "", Outcome.READY)))
        assert ledger.outcomes() == {"ready": 1}
        with pytest.raises(StorageError, match="UNIQUE"):
            ledger.stage(block(row(3), row(3)))
        assert ledger.outcomes() == {"ready": 1}
    assert list(tmp_path.iterdir()) == []


# ---- forgetting


def told_of(ledger: Ledger) -> dict[int, list[str]]:
    """What is still told of each row: its cells, or nothing where all are empty."""
    return {line.number: list(filter(None, line.cells)) for line in lines_of(ledger.batches())}


def of_cells(*rows: list[str], ids: Sequence[str] = ()) -> Block:
    """A chunk of invalid rows with these cells, from row 2 on; those without an id in `ids` have none for certain."""
    ids = [*ids, *[""] * (len(rows) - len(ids))]
    wrong = Violation("text-control", "firstname")
    staged = [Staged(number, contact_id, payload(), Outcome.INVALID, [wrong]) for number, contact_id in enumerate(ids, 2)]
    return Block([row.number for row in staged], ids, list(rows), Outcome.UNCHANGED, staged)


def test_in_how_many_places_somebody_was(opened: Open) -> None:
    """Forgetting counts what was confirmed, each night of the history, and each row of the last run."""
    ledger = opened()
    confirm(ledger, 2, "C1", firstname="A")
    begin_run(ledger, "second")
    confirm(ledger, 2, "C1", firstname="B")
    begin_run(ledger, "third")
    ledger.stage(block(row(2, "C1"), row(3, "C1"), row(4, "C2")))
    assert ledger.forget("C1", normalise_id) == 1 + 2 + 2
    assert ledger.forget("C1", normalise_id) == 0


def test_forgetting_while_somebody_looks(opened: Open, where: Path) -> None:
    """What is forgotten is gone from the folder at once, also while another process has the ledger open."""
    with closing(sqlite3.connect(where)) as another:
        ledger = opened()
        ledger.stage(block(row(2, "SOMEBODY")))
        another.execute("SELECT count(*) FROM run").fetchone()
        assert ledger.forget("SOMEBODY", normalise_id)
        assert [path.name for path in where.parent.iterdir() if b"SOMEBODY" in path.read_bytes()] == []


def test_forgetting_one_after_the_other(opened: Open) -> None:
    """Of a chunk one contact can be forgotten after the other."""
    ledger = opened()
    ledger.stage(of_cells(["C1", "Zoé"], ["C2", "Max"], ["C3", "Léa"], ids=["C1", "C2", "C3"]))
    assert [ledger.forget(contact, normalise_id) for contact in ("C1", "C3", "C1")] == [1, 1, 0]
    assert told_of(ledger) == {2: [], 3: ["C2", "Max"], 4: []}


def test_forgetting_nobody_else(opened: Open) -> None:
    """Another contact who has that id as a name, or as a part of theirs, is not forgotten, whether or not their id is certain."""
    ledger = opened()
    rows = [["C1", "Zoé"], ["C2", "C1"], ["C11", "Léa"], ["C 3", "C1"], ["", "C1"]]
    ledger.stage(of_cells(*rows, ids=["C1", "C2", "C11"]))
    assert ledger.forget("C1", normalise_id) == 1
    assert told_of(ledger) == {2: [], 3: rows[1], 4: rows[2], 5: rows[3], 6: rows[4][1:]}


@pytest.mark.parametrize("cell", ["C1", " C1 ", "C\u200b1", "\ufeffC1", "'C1", '="C1"', "C\uff11"])
def test_forgetting_a_row_whose_id_is_not_certain(opened: Open, where: Path, cell: str) -> None:
    """A row without a certain id is forgotten by what its cell of ids says, whatever stands around or between it."""
    ledger = opened()
    ledger.stage(of_cells(["C2", "Max"], [cell, "Zoé"], ids=["C2"]))
    assert ledger.forget("C1", normalise_id) == 1
    assert told_of(ledger) == {2: ["C2", "Max"], 3: []}
    assert "Zoé".encode() not in where.read_bytes()


def test_forgetting_a_row_whose_cells_have_moved(opened: Open) -> None:
    """Where cells have moved, any of them may be the id."""
    ledger = opened()
    ledger.stage(of_cells(["Zoé", "C1", "<?>"], ["Max", "C2 <?> more"], ["Léa", "C1"]))
    assert ledger.forget("C1", normalise_id) == 1
    assert told_of(ledger) == {2: [], 3: ["Max", "C2 <?> more"], 4: ["Léa", "C1"]}


# ---- the file


def test_the_file_is_private(opened: Open, where: Path) -> None:
    """The ledger and the files beside it are their owner's alone, whatever the umask."""
    os.umask(0)
    opened().stage(block(row(2)))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in where.parent.iterdir()}
    assert modes == dict.fromkeys([where.name, f"{where.name}-wal", f"{where.name}-shm"], 0o600)


def test_a_file_that_others_can_read(opened: Open, where: Path) -> None:
    """A ledger that others could read is taken away from them."""
    where.touch(mode=0o644)
    where.chmod(0o644)
    opened()
    assert stat.S_IMODE(where.stat().st_mode) == 0o600


def test_another_account(opened: Open, where: Path) -> None:
    """The ledger of another account is refused."""
    opened()
    with pytest.raises(StorageError, match=f"{where} belongs to another account: move it out of the state folder"):
        Ledger(where, PRINTS, "other")


def test_a_newer_version(opened: Open, where: Path) -> None:
    """A ledger that a newer version has written is refused, and not touched."""
    with opened() as newer:
        newer._db.execute("PRAGMA user_version = 99")
    content = where.read_bytes()
    with pytest.raises(StorageError, match=f"{where} was written by a newer contact-sync: install that version"):
        Ledger(where, PRINTS, "account")
    assert where.read_bytes() == content


def first_version(where: Path, confirmed: list[tuple[Any, ...]]) -> None:
    """Write a ledger as the first version of the program did."""
    db = sqlite3.connect(where)
    for statement in _SCHEMA[0]:
        db.execute(statement)
    db.execute("CREATE TABLE block (first INTEGER PRIMARY KEY)")
    db.execute("CREATE TABLE row (number INTEGER PRIMARY KEY)")
    db.execute("INSERT INTO meta VALUES ('account', 'account')")
    db.execute("INSERT INTO run VALUES ('old', 'contacts.csv', '2026-01-01T00:00:00Z', '2026-01-01T00:01:00Z', 0, '{}')")
    db.executemany("INSERT INTO confirmed VALUES (?, ?, ?)", confirmed)
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()


def test_two_that_take_a_ledger_over_at_once(tmp_path: Path) -> None:
    """Two processes that open a ledger of an earlier version at the same time both find it whole."""
    for trial in range(5):
        where = tmp_path / f"{trial}.sqlite3"
        first_version(where, [])
        both = threading.Barrier(2)

        def take_over(where: Path = where, both: threading.Barrier = both) -> list[str]:
            both.wait()
            with Ledger(where, PRINTS, "account") as ledger:
                return [run.id for run in ledger.runs(9)]

        with ThreadPoolExecutor(2) as pool:
            assert [future.result() for future in [pool.submit(take_over), pool.submit(take_over)]] == [["old"]] * 2


def test_several_that_make_a_ledger_at_once(tmp_path: Path) -> None:
    """Processes that come to an account without a ledger at the same time find one, and none is turned away."""

    def open_it(where: Path, together: threading.Barrier) -> str:
        together.wait()
        with Ledger(where, PRINTS, "account") as ledger:
            return ledger.last()

    with ThreadPoolExecutor(3) as pool:
        for trial in range(20):
            where, together = tmp_path / f"{trial}.sqlite3", threading.Barrier(3)
            assert [future.result() for future in [pool.submit(open_it, where, together) for _ in range(3)]] == [""] * 3


def test_a_ledger_of_the_first_version(opened: Open, where: Path) -> None:
    """A ledger that an earlier version wrote is taken over: what was confirmed stays, the rows of its last run go."""
    confirm(opened(), 2, "C1", firstname="Zoé")
    with sqlite3.connect(where) as db:
        before = db.execute("SELECT * FROM confirmed").fetchall()
    db.close()
    where.unlink()
    first_version(where, before)
    ledger = opened(begin=False)
    assert ledger.last() == ""
    assert [run.id for run in ledger.runs(9)] == ["old"]
    assert in_place(ledger, "C1", firstname="Zoé")
    with sqlite3.connect(where) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
    db.close()


def second_version(where: Path, stage: int) -> None:
    """Write a ledger as the second version did, whose last run has come so far: 0 = some rows, 1 = all staged, 2 = released."""
    db = sqlite3.connect(where)
    for statement in (*_SCHEMA[0], *_SCHEMA[1]):
        db.execute(statement)
    db.execute("INSERT INTO meta VALUES ('account', 'account'), ('rows', 'old')")
    paths = OutputPaths(Path("contacts.csv"), REPORT, None, None, 0o600).packed()
    db.execute(
        "INSERT INTO run (id, source, started, layout, places, staged) VALUES ('old', 'c.csv', '2026-01-01T00:00:00Z', ?, ?, ?)",
        (json.dumps(LAYOUT), paths, stage),
    )
    db.execute(
        "INSERT INTO block VALUES (2, '[2, 3]', '[\"C2\", \"C3\"]', ?, 'unchanged', 1)", (pack([["C2"], ["C3"]]).encode(),)
    )
    db.execute(
        "INSERT INTO row (number, contact_id, contact, clears, outcome, code, fields, message, attempts)"
        " VALUES (3, 'C3', '{}', 0, 'failed', 'api-throttled', '', 'Too many.', 4)"
    )
    db.execute("PRAGMA user_version = 2")
    db.commit()
    db.close()


@pytest.mark.parametrize(("stage", "resumed"), [(1, False), (2, True)])
def test_a_ledger_of_the_second_version(opened: Open, where: Path, stage: int, *, resumed: bool) -> None:
    """The last run in a ledger of an earlier version is told as it was, and taken up again if it ever came to send."""
    second_version(where, stage)
    ledger = opened(begin=False)
    assert ledger.last() == "old"
    assert ledger.reopen("old")[1] == LAYOUT
    told = [(line.number, line.cells, line.outcome, line.message) for line in lines_of(ledger.batches())]
    assert told == [(2, ["C2"], "unchanged", ""), (3, ["C3"], "failed", "Too many.")]
    assert ledger.resume("old") is resumed


def test_half_a_run_of_the_second_version(opened: Open, where: Path) -> None:
    """Of a run that an earlier version staged in part, and was killed, no row is left."""
    second_version(where, 0)
    ledger = opened(begin=False)
    assert ledger.last() == ""
    assert list(lines_of(ledger.batches())) == []
    assert ledger.outcomes() == {}
    assert [run.id for run in ledger.runs(9)] == ["old"]


def test_not_a_ledger(where: Path) -> None:
    """A file that is no database is refused, and left as it was."""
    where.write_text("contactId;firstname\n" * 100)
    with pytest.raises(StorageError, match=r"account\.sqlite3 cannot be used \(file is not a database\): check the disk"):
        Ledger(where, PRINTS, "account")
    assert where.read_text().startswith("contactId")


def test_somebody_elses_database(where: Path) -> None:
    """A database of another program is refused."""
    with sqlite3.connect(where) as db:
        db.execute("CREATE TABLE meta (other)")
    db.close()
    with pytest.raises(StorageError, match="table meta already exists"):
        Ledger(where, PRINTS, "account")


def test_a_torn_file(opened: Open, where: Path) -> None:
    """A ledger that lost its end is an error with a sentence wherever that is noticed."""
    with Ledger(where, PRINTS, "account") as ledger:
        begin_run(ledger)
        ledger.stage(block(*[row(number) for number in range(1, 2000)]))
    os.truncate(where, where.stat().st_size // 2)
    with pytest.raises(StorageError, match="if the file is damaged, move it away"):  # noqa: PT012 - noticed early or late
        ledger = opened(begin=False)
        list(ledger.take(-1))
        list(lines_of(ledger.batches()))


def test_a_first_start_that_was_cut(where: Path, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger whose making was interrupted is made whole by the next run."""
    with monkeypatch.context() as patch:
        patch.setattr("contact_sync.ledger.sqlite.database._SCHEMA", (("CREATE TABLE meta (key TEXT, value TEXT)",), ("no SQL",)))
        with pytest.raises(StorageError):
            Ledger(where, PRINTS, "account")
    confirm(opened(), 2, "C1", firstname="Zoé")


def test_no_place_for_the_file(tmp_path: Path) -> None:
    """A ledger that cannot be made is an error with a sentence."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"account.sqlite3 cannot be opened \(Not a directory\): check the state folder"):
        Ledger(tmp_path / "file" / "account.sqlite3", PRINTS, "account")


def test_a_full_disk(opened: Open, where: Path) -> None:
    """When the disk is full a write fails with a sentence, confirms nothing, and can be made again when there is room."""
    ledger = opened()
    ledger.stage(block(*[row(number) for number in range(1, 401)]))
    taken = ledger.take(-1)
    for pending in taken:
        ledger.record(ended(pending))
    size = where.with_name(f"{where.name}-wal").stat().st_size
    with file_size_limit(size + 5000), pytest.raises(StorageError, match="cannot be used"):
        ledger.flush()
    assert opened(begin=False).count(Outcome.UPDATED) == 0
    ledger.flush()
    assert opened(begin=False).count(Outcome.UPDATED) == 400


def test_room_for_the_results(opened: Open, where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is nearly full is told before anything is sent; a ledger that nobody needs afterwards needs no room."""
    ledger = opened()
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10 << 20))
    ledger.check_room(10_000)
    with pytest.raises(StorageError, match=" is full: free some"):
        ledger.check_room(11_000)
    with Ledger(None, PRINTS) as temporary:
        temporary.check_room(11_000)
    monkeypatch.undo()
    shutil.rmtree(where.parent)
    with pytest.raises(StorageError, match=f"{where} cannot be reached .No such file or directory."):
        ledger.check_room(1)


def test_what_is_committed_is_on_the_disk(opened: Open) -> None:
    """A ledger that is kept outlives a loss of power: each commit waits for the disk."""
    (journal,), (synchronous,) = (opened()._db.execute(f"PRAGMA {name}").fetchone() for name in ("journal_mode", "synchronous"))
    assert (journal, synchronous) == ("wal", 2)


def test_cells_that_are_no_unicode(opened: Open) -> None:
    """A cell of which half a character is left is kept as it was read."""
    ledger = opened()
    ledger.stage(Block([2], ["C1"], [["C1", "\ud83d"]], Outcome.READY, []))
    assert [line.cells for line in lines_of(ledger.batches())] == [["C1", "\ud83d"]]


def test_a_failed_stage_leaves_nothing(opened: Open) -> None:
    """Rows are staged together or not at all, and the ledger goes on."""
    ledger = opened()
    with pytest.raises(StorageError, match="UNIQUE"):
        ledger.stage(block(row(2), row(2)))
    assert ledger.count(None) == 0
    ledger.stage(block(row(2)))
    assert ledger.count(None) == 1


def test_memory_stays_flat() -> None:
    """Staging many megabytes takes the memory of a few."""
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from contact_sync.ledger.digests import Fingerprints
from contact_sync.ledger import Ledger
from contact_sync.model import Block, Layout, OutputPaths, Outcome, Staged, lines_of
from pathlib import Path
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
with Ledger(None, Fingerprints(bytes(32))) as ledger:
    paths = OutputPaths(Path("contacts.csv"), Path("r.csv"), None, None, 0o600)
    ledger.begin("run", paths, "", Layout([], [], {{}}, ";"), keep=True)
    before = peak()  # of this program alone: what getrusage tells begins at its parent's
    for start in range(0, 40_000, 1000):
        numbers = list(range(start, start + 1000))
        rows = [Staged(n, f"C{{n}}", ("+33600000001",) + (None,) * 8, None) for n in numbers[::2]]
        ledger.stage(Block(numbers, [f"C{{n}}" for n in numbers], [[f"{{n:02000}}"] for n in numbers], Outcome.UNCHANGED, rows))
    sum(1 for _ in lines_of(ledger.batches()))
    print(peak() - before)
"""
    grown = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert int(grown) < 40_000  # kB, for 80 MB of text


# ---- whatever happens

CONTACTS = ("C1", "C2")
FEW = {"firstname": ("", "a", "b"), "lastname": ("a", "b")}


class Nights(RuleBasedStateMachine):
    """Nights of edits, yeses, silences, altered echoes, crashes and refusals, with the server's store as the truth."""

    @initialize()
    def begin(self) -> None:
        """Start with an empty store and an empty ledger."""
        self.folder = tempfile.TemporaryDirectory()
        self.where = Path(self.folder.name) / "account.sqlite3"
        self.store: dict[str, dict[str, str]] = {contact_id: {} for contact_id in CONTACTS}
        self.wanted: dict[str, dict[str, str]] = {contact_id: {"firstname": "a"} for contact_id in CONTACTS}
        self.runs = 0
        self.open()

    def open(self) -> None:
        """Open the ledger, as the next run does."""
        self.ledger = Ledger(self.where, PRINTS, "account")

    @rule(
        contact_id=st.sampled_from(CONTACTS),
        values=st.fixed_dictionaries({}, optional={name: st.sampled_from(options) for name, options in FEW.items()}),
    )
    def edit(self, contact_id: str, values: dict[str, str]) -> None:
        """Somebody edits the source, or exports it with other columns."""
        if values:
            self.wanted[contact_id] = values

    @rule(
        fate=st.sampled_from(
            ["yes", "applied without an answer", "lost", "altered", "refused", "killed", "killed after the yes"]
        ),
        resend=st.booleans(),
        flushed=st.booleans(),
    )
    def run(self, fate: str, *, resend: bool, flushed: bool) -> None:
        """A night: what is not in place is sent, and meets its fate."""
        self.runs += 1
        begin_run(self.ledger, f"run-{self.runs}")
        asked = [(contact_id, payload(**values)) for contact_id, values in self.wanted.items()]
        settled = [False] * len(asked) if resend else self.ledger.in_place(asked)
        rows = zip(asked, settled, strict=True)
        to_send = [
            Staged(number, contact_id, values, None) for number, ((contact_id, values), done) in enumerate(rows) if not done
        ]
        self.ledger.stage(block(*to_send, plain=range(len(asked))))
        for pending in self.ledger.take(-1):
            values = self.wanted[pending.contact_id]
            if fate not in {"lost", "refused", "killed"}:
                self.store[pending.contact_id] |= {
                    name: f"{value}!" if fate == "altered" else value for name, value in values.items()
                }
            if fate != "killed":
                outcome = {"yes": Outcome.UPDATED, "killed after the yes": Outcome.UPDATED, "altered": Outcome.ALTERED}.get(fate)
                self.ledger.record(Result(pending, outcome or Outcome.FAILED))
            if flushed:
                self.ledger.flush()
        if not fate.startswith("killed"):
            self.ledger.flush()
        if fate == "yes":
            assert all(self.ledger.in_place(asked))
        self.ledger._db.close()
        self.open()

    @invariant()
    def in_place_is_the_truth(self) -> None:
        """What the ledger takes to be in place, the server holds."""
        payloads = [
            {},
            *({"firstname": value} for value in FEW["firstname"]),
            *({"lastname": value} for value in FEW["lastname"]),
        ]
        payloads += [{"firstname": one, "lastname": other} for one in FEW["firstname"] for other in FEW["lastname"]]
        for contact_id, store in self.store.items():
            for values, answer in zip(
                payloads, self.ledger.in_place([(contact_id, payload(**values)) for values in payloads]), strict=True
            ):
                assert not answer or store | values == store

    def teardown(self) -> None:
        """Throw the ledger away."""
        self.ledger._db.close()
        self.folder.cleanup()


TestNights = Nights.TestCase
TestNights.settings = settings(max_examples=40, stateful_step_count=15)
