"""Runs: begun, replaced, reopened and remembered."""

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from contact_sync.errors import SourceError
from contact_sync.model.report import Summary, lines_of
from contact_sync.model.row import Outcome
from contact_sync.model.source import OutputPaths
from contact_sync.model.violation import Violation
from tests.ledger.rows import REST, UNMEASURED, Engine, Open, block, confirm, ended, in_place, row
from tests.setups import LAYOUT, REPORT, begin_run


def test_the_last_run_is_resumed(engine: Engine, opened: Open, where: Path) -> None:
    """The last run is reopened with the same lines; once it is resumed, its failed rows are pending too."""
    ledger = opened()
    ledger.stage(block(*map(row, range(2, 7)), plain=[7]))
    assert not ledger.resume_last()
    ledger.release("run-1")
    for taken, outcome in zip(ledger.claim(-1, 3), [Outcome.UPDATED, Outcome.FAILED, Outcome.REJECTED], strict=True):
        ledger.record(ended(taken, outcome, *[Violation("api-throttled")] * (outcome is not Outcome.UPDATED)))
    ledger.flush()
    ledger.report_unsent_as(REST, ready=False)
    summary = Summary("run-1", Path("contacts.csv"), REPORT, outcomes=ledger.outcomes(), seconds=19.8)
    ledger.finish_run(summary, "2026-01-02T04:00:00Z")
    before = list(lines_of(ledger.batches()))

    with engine(where) as again:
        assert again.last_run() == "run-1"
        paths = OutputPaths(Path("contacts.csv").absolute(), {"report": REPORT.absolute()}, 0o600)
        assert again.reopen_last() == (paths, LAYOUT, 19.8)
        assert list(lines_of(again.batches())) == before
        assert [line.message for line in before if line.code == "stopped"] == [REST.sentence()] * 2
        assert [pending.number for pending in again.claim(-1)] == [5, 6]
        assert [pending.number for pending in again.claim(-1, failed=True)] == [3]
        assert again.pending() == 2
        assert again.resume_last()
        assert again.pending() == 3
        assert [pending.number for pending in again.claim(-1)] == [3, 5, 6]
        assert [pending.number for pending in again.claim(-1, failed=True)] == [3]


def test_seconds_of_a_resumed_run(opened: Open, where: Path) -> None:
    """The seconds of a run and of its retries add up to tenths, as each of them has."""
    ledger = opened()
    ledger.stage(block(row(2)))
    for _ in range(3):
        ledger.finish_run(Summary("run-1", Path("contacts.csv"), REPORT, seconds=0.3), "2026-01-02T04:00:00Z")
    assert str(ledger.runs(1)[0].seconds) == "0.9"


def test_a_killed_run_is_reopened_as_stopped(engine: Engine, opened: Open, where: Path) -> None:
    """A run that was killed is reopened as one that was stopped; rows that were ready stay so."""
    ledger = opened()
    ledger.stage(block(row(2), row(3, "", Outcome.READY)))
    with engine(where) as again:
        again.reopen_last()
        assert [(line.outcome, line.code) for line in lines_of(again.batches())] == [("unprocessed", "stopped"), ("ready", "")]


def test_a_run_replaces_the_last_runs_rows(opened: Open, where: Path) -> None:
    """A new run begins without rows, keeps what was confirmed, and both runs are in the history."""
    first = opened()
    confirm(first, 2, "C1", firstname="Zoé")
    first.finish_run(Summary("run-1", Path(), None, outcomes={"updated": 1}, exit_code=3), "2026-01-02T04:00:00Z")
    second = opened()
    assert list(lines_of(second.batches())) == []
    assert in_place(second, "C1", firstname="Zoé")
    assert [run[:9] for run in second.runs(2)] == [
        ("run-2", "contacts.csv", "2026-01-02T03:04:05Z", None, None, {}, 0, 0, 0),
        ("run-1", "contacts.csv", "2026-01-02T03:04:05Z", "2026-01-02T04:00:00Z", 3, {"updated": 1}, 0, 0, 0),
    ]
    assert second.runs(1) == second.runs(2)[:1]


def test_staging_is_one_transaction(engine: Engine, opened: Open, where: Path) -> None:
    """Until all rows of a run are staged, and when they never are, readers find the last run's rows; both runs are known."""
    first = opened()
    first.stage(block(row(2), row(3, "", Outcome.INVALID, Violation("date-serial", "date")), plain=[4]))
    first.release("run-1")
    ledger = opened(begin=False)
    before = list(lines_of(ledger.batches()))
    ledger.begin_run(
        "run-2", OutputPaths(Path("other.csv"), {"report": REPORT}, 0o600), "2026-01-03T03:04:05Z", LAYOUT, keep=True
    )

    def stage_some() -> None:
        with ledger.staging():
            ledger.stage(block(row(7), row(8)))
            ledger.flag_invalid([(8, Violation("date-ambiguous", "date", {"rows": ""}))])
            assert ledger.outcomes() == {"invalid": 1, "": 1}
            with engine(where) as reader:
                assert (reader.last_run(), list(lines_of(reader.batches()))) == ("run-1", before)
            raise SourceError("The rest is damaged.")

    with pytest.raises(SourceError, match="damaged"):
        stage_some()
    ledger.finish_run(Summary("run-2", Path(), None, exit_code=4), "2026-01-03T04:00:00Z")
    with engine(where) as later:
        assert (later.last_run(), list(lines_of(later.batches()))) == ("run-1", before)
        assert [(run.id, run.exit_code) for run in later.runs(9)] == [("run-2", 4), ("run-1", None)]
        assert later.resume_last()


def test_a_kill_while_rows_are_staged(engine: Engine, where: Path, opened: Open) -> None:
    """After kill -9 while rows are staged the last run's rows are unchanged, and the run is known to be interrupted."""
    ledger = opened()
    ledger.stage(block(row(2), plain=[3]))
    before = list(lines_of(ledger.batches()))
    script = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from contact_sync.model.row import Block, Outcome
from contact_sync.model.source import Layout, OutputPaths
from contact_sync.packed import pack
from pathlib import Path
{engine.source(where)}
paths = OutputPaths(Path("c.csv"), {{"report": Path("r.csv")}}, 0o600)
ledger.begin_run("run-2", paths, "9", Layout([], [], {{}}, ";"), keep=True)
with ledger.staging():
    for number in range(20):
        ledger.stage(Block([number], ["C1"], pack([["x" * 2_000_000]]), Outcome.UNCHANGED, []))
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False, env=UNMEASURED).returncode == -signal.SIGKILL
    assert where.with_name(f"{where.name}-wal").stat().st_size > 20_000_000, "nothing of it was in the file"
    later = opened(begin=False)
    assert (later.last_run(), list(lines_of(later.batches()))) == ("run-1", before)
    assert [(run.id, run.finished) for run in later.runs(1)] == [("run-2", None)]


def test_workloads_of_earlier_runs(opened: Open) -> None:
    """The last runs of a source that were not stopped are found, the latest first, whatever date is in its name."""
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
        ledger.finish_run(Summary(f"run-{run}", Path(), None, outcomes=outcomes, exit_code=exit_code), "")
    begin_run(ledger, "now", "contacts-2026-01-07.csv", "2026-01-07")
    assert ledger.workloads("contacts-2026-01-07.csv", 3) == [(10, 10), (9, 2), (7, 7)]
    assert ledger.workloads("contacts-2026-01-07.csv", 2) == [(10, 10), (9, 2)]
    assert ledger.workloads("contacts.csv", 3) == []


def test_a_dry_run_leaves_the_last_runs_rows(opened: Open, where: Path) -> None:
    """The rows of a dry run hide the last run's, and are gone when the ledger is closed."""
    opened().stage(block(row(2)))
    dry = opened(keep=False)
    dry.stage(block(row(7, "", Outcome.READY)))
    assert [line.number for line in lines_of(dry.batches())] == [7]
    assert [pending.number for pending in opened(begin=False).claim(-1)] == [2]
    with sqlite3.connect(where) as db:
        assert db.execute("SELECT count(*) FROM run").fetchone() == (1,)
    db.close()
