"""Rows on their way to the API: claimed, recorded and flushed."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from contact_sync.errors import StorageError
from contact_sync.ledger.sqlite import SqliteLedger
from contact_sync.model.report import Cause, lines_of
from contact_sync.model.row import Outcome
from contact_sync.model.violation import Violation
from tests.ledger.rows import PRINTS, REST, UNMEASURED, Engine, Open, block, confirm, ended, in_place, payload, row
from tests.setups import begin_run


def test_claims_are_in_order_and_in_parts(opened: Open) -> None:
    """Pending rows are claimed in order, a few hundred at a time, each once."""
    ledger = opened()
    ledger.stage(block(*[row(number, "", None if number % 3 else Outcome.UNCHANGED) for number in range(1, 2000)]))
    taken: list[int] = []
    while batch := ledger.claim(taken[-1] if taken else -1):
        assert len(batch) <= 500
        taken += [pending.number for pending in batch]
    assert taken == [number for number in range(1, 2000) if number % 3]


def test_fields_of_a_pending_row(opened: Open) -> None:
    """A pending row carries the fields it has, an emptied one as empty text, and no other."""
    ledger = opened()
    ledger.stage(block(row(2, firstname="Zoé", custom1="", phoneNumber="+33600000001")))
    (taken,) = ledger.claim(-1)
    assert taken[:4] == (2, "C2", {"phoneNumber": "+33600000001", "firstname": "Zoé", "custom1": ""}, 0)


def test_failed_rows_are_claimed_again(opened: Open) -> None:
    """The second pass claims only failed rows, with the number of their attempts."""
    ledger = opened()
    ledger.stage(block(row(2), row(3)))
    first, second = ledger.claim(-1)
    ledger.record(ended(first, Outcome.FAILED, Violation("api-unreachable"), attempts=4))
    ledger.record(ended(second))
    ledger.flush()
    assert [(pending.number, pending.attempts) for pending in ledger.claim(-1, failed=True)] == [(2, 4)]


def test_a_claim_withdraws_durably(opened: Open) -> None:
    """Before an attempt may leave, what was confirmed of the fields it carries is deleted from the file."""
    first = opened()
    confirm(first, 2, "C1", firstname="Zoé", lastname="Roux")
    first.stage(block(row(3, "C1", firstname="Léa")))
    assert in_place(opened(begin=False, read_only=True), "C1", firstname="Zoé")
    first.claim(2)
    second = opened(begin=False, read_only=True)
    assert not in_place(second, "C1", firstname="Zoé")
    assert not in_place(second, "C1", firstname="Zoé", lastname="Roux")
    assert in_place(second, "C1", lastname="Roux")


def test_results_are_flushed_in_groups(opened: Open) -> None:
    """Results become durable by themselves every few hundred, the rest with `flush`; a kill loses no others."""
    ledger = opened()
    ledger.stage(block(*[row(number) for number in range(1, 601)]))
    for pending in [*ledger.claim(-1), *ledger.claim(500)]:
        ledger.record(ended(pending))
    asked = [(f"C{number}", payload(firstname="Zoé")) for number in range(1, 601)]
    assert sum(opened(begin=False).compare(asked).in_place) == 500
    assert opened(begin=False).count(Outcome.UPDATED) == 500
    ledger.flush()
    assert all(opened(begin=False).compare(asked).in_place)


def test_a_claim_is_limited(opened: Open) -> None:
    """No more rows are claimed, and withdrawn, than `most`."""
    ledger = opened()
    confirm(ledger, 2, "C1", firstname="A")
    confirm(ledger, 3, "C2", firstname="A")
    ledger.stage(block(row(4, "C1", firstname="B"), row(5, "C2", firstname="B"), *[row(number) for number in range(6, 1000)]))
    assert [pending.number for pending in ledger.claim(3, 1)] == [4]
    assert [in_place(ledger, contact_id, firstname="A") for contact_id in ("C1", "C2")] == [False, True]
    assert [pending.number for pending in ledger.claim(4, 3)] == [5, 6, 7]
    assert len(ledger.claim(4, 900)) == len(ledger.claim(4)) == 500


def test_lost_results(opened: Open) -> None:
    """Rows whose results could not be made durable are reported as failed, with their attempts; the next run sends them."""
    ledger = opened()
    confirm(ledger, 2, "C3", firstname="A")
    begin_run(ledger, "another")
    ledger.stage(block(row(2), row(3, firstname="B"), row(4), row(5), plain=[6]))
    kept, *lost = ledger.claim(-1)[:3]
    ledger.record(ended(kept, attempts=2))
    ledger.flush()
    ledger.record(ended(lost[0], attempts=3, api_code="200"))
    ledger.record(ended(lost[1], Outcome.FAILED, Violation("api-throttled"), attempts=1, http_status=429))
    ledger.database.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StorageError, match="cannot be used"):
        ledger.flush()
    ledger.report_unsent_as(REST, ready=False)
    message = "The answer to this row could not be recorded: the next run sends it again."
    lines = list(lines_of(ledger.batches()))
    assert [line.outcome for line in lines] == ["updated", "failed", "failed", "unprocessed", "unchanged"]
    assert lines[1].results[:-1] == (3, "failed", "not-recorded", "", message, 3, 200, "200", "2026-01-02T03:04:05Z", "")
    assert lines[1].cells == ["C3", "é;'=\n"]
    assert lines[2][3:8] == ("not-recorded", "", message, 1, 429)
    assert ledger.outcomes() == {"updated": 1, "unchanged": 1, "failed": 2, "unprocessed": 1}
    assert ledger.causes() == [
        Cause("failed", "not-recorded", "", 2, 3, message),
        Cause("unprocessed", REST.code, "", 1, 5, REST.sentence()),
    ]
    assert ledger.attempts() == (6, 3)
    later = opened(begin=False)
    assert not in_place(later, "C3", firstname="A")
    assert not in_place(later, "C3", firstname="B")


def test_lost_results_of_the_second_pass(opened: Open) -> None:
    """A row whose second result is lost is failed as before and counted once; the attempts of the first pass are kept."""
    ledger = opened()
    ledger.stage(block(row(2), row(3), row(4)))
    for pending in ledger.claim(-1):
        ledger.record(ended(pending, Outcome.FAILED, Violation("api-throttled"), attempts=4, http_status=429))
    ledger.flush()
    first, second, _ = ledger.claim(-1, failed=True)
    ledger.record(ended(first, attempts=5))
    ledger.flush()
    ledger.record(ended(second, attempts=5))
    ledger.database.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StorageError, match="cannot be used"):
        ledger.flush()
    ledger.report_unsent_as(REST, ready=False)
    found = [(line.outcome, line.code, line.attempts) for line in lines_of(ledger.batches())]
    assert found == [("updated", "", 5), ("failed", "not-recorded", 5), ("failed", "api-throttled", 4)]
    assert ledger.outcomes() == {"updated": 1, "failed": 2}
    causes = [(cause.code, cause.rows, cause.first) for cause in ledger.causes()]
    assert causes == [("not-recorded", 1, 3), ("api-throttled", 1, 4)]
    assert ledger.attempts() == (14, 11)


def test_a_lost_result_without_an_attempt(opened: Open) -> None:
    """A row that was never sent is not a request and not a retry, although its result is lost."""
    ledger = opened()
    ledger.stage(block(row(2)))
    ledger.record(ended(ledger.claim(-1)[0], Outcome.FAILED, attempts=0))
    assert ledger.attempts() == (0, 0)


def test_results_are_flushed_after_a_failure(opened: Open) -> None:
    """Results that could not be written are written with the next ones, and no row is reported as failed."""
    ledger = opened()
    ledger.stage(block(row(2), row(3)))
    first, second = ledger.claim(-1)
    ledger.record(ended(first))
    ledger.database.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StorageError):
        ledger.flush()
    ledger.database.connection.execute("PRAGMA query_only = OFF")
    ledger.record(ended(second))
    ledger.flush()
    ledger.report_unsent_as(REST, ready=False)
    assert ledger.outcomes() == {"updated": 2}
    assert ledger.attempts() == (2, 0)


def test_a_kill_before_the_flush(engine: Engine, where: Path, opened: Open) -> None:
    """After kill -9 what was flushed is in place, and what was only recorded is pending again."""
    script = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from contact_sync.model.row import Block, Outcome, Result, Staged
from contact_sync.model.source import Layout, OutputPaths
from pathlib import Path
{engine.source(where)}
ledger.begin_run("run", OutputPaths(Path("c.csv"), {{"report": Path("r.csv")}}, 0o600), "", Layout([], [], {{}}, ";"), keep=True)
rows = [Staged(n, f"C{{n}}", (None, "Zoé") + (None,) * 7, None) for n in (2, 3)]
ledger.stage(Block([2, 3], ["C2", "C3"], b"\x1e\x1e", Outcome.UNCHANGED, rows))
first, second = ledger.claim(-1)
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


def test_room_for_the_results(opened: Open, where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A nearly full disk is detected before anything is sent; a temporary ledger needs no room."""
    ledger = opened()
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10 << 20))
    ledger.check_room(10_000)
    with pytest.raises(StorageError, match=" is full: free some"):
        ledger.check_room(11_000)
    with SqliteLedger(None, PRINTS) as temporary:
        temporary.check_room(11_000)
    monkeypatch.undo()
    shutil.rmtree(where.parent)
    with pytest.raises(StorageError, match=f"{where} cannot be reached .No such file or directory."):
        ledger.check_room(1)
