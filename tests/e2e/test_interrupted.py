"""Runs that are interrupted, by a signal or without one, and two at a time."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

import pytest

from contact_sync.model import Outcome
from contact_sync.sandbox.faults import Behaviour, Faults

from .workspace import Running, Workspace, assert_books, assert_refused, later, made_up, show, wait_until

Nightly = Callable[..., Workspace]


# ---- kill -9


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.soak)])
def test_killed_again_and_again(workspace: Workspace, kills: int) -> None:
    """However often a run is killed, the next ones bring every contact to its new values and send hardly any row twice."""
    rate, workers, rows = 200, 8, 120 * kills
    # What starts in the 0.2 s in which a result may wait for the disk, and what is on its way before and after.
    most = rate * 0.2 + workers + 2
    workspace.export(made_up(rows))
    assert assert_books(workspace, workspace.run(), 0) == {"updated": rows}
    workspace.export(made_up(rows, version="-Petit"))
    chance = random.Random(kills)
    ends = [len(workspace.served.calls)]  # how many requests had arrived in all
    for number in range(kills):
        running = workspace.start("--rate", str(rate), "--workers", str(workers))
        if number % 5 == 4:
            time.sleep(chance.uniform(0, 1))  # while it starts, loads or stages
        else:
            running.wait_for(chance.randrange(70, 150))
        running.kill()
        ends.append(len(workspace.served.calls))
    last = workspace.run()
    outcomes = assert_books(workspace, last, 0)
    assert outcomes.keys() <= {"updated", "unchanged"}
    assert all(map(workspace.in_place, workspace.contacts))
    arrived = [call.contact_id for call in workspace.served.calls]
    assert set(arrived[ends[0] :]) == {contact.contact_id for contact in workspace.contacts}
    twice = [len({*arrived[start:end]} & {*arrived[end:]}) for start, end in pairwise(ends)]
    show(f"{kills} kills: of {rows} rows were sent again {twice}, {most:.0f} at most allowed")
    assert max(twice) <= most


def test_drafts_of_killed_runs_are_swept(workspace: Workspace) -> None:
    """What killed runs have left beside the report is gone after the next one, and never more than one file."""
    workspace.export(made_up(100))
    for _ in range(2):
        running = workspace.start("--rate", "20")
        running.wait_for(2)
        running.kill()
        left = {path.name for path in workspace.folder.iterdir()} - {workspace.source.name, workspace.state.name}
        assert left == {f".{workspace.report.name}.draft"}
    assert_books(workspace, workspace.run(), 0)
    assert {path.name for path in workspace.folder.iterdir()} == {
        workspace.source.name,
        workspace.report.name,
        workspace.state.name,
    }


def test_an_update_whose_answer_was_lost_is_not_taken_for_undone(workspace: Workspace) -> None:
    """After A, a B that was killed in flight, and A again, A is sent: the store may hold B."""
    workspace.export(made_up(1, version="-A"))
    assert_books(workspace, workspace.run(), 0)
    workspace.export(made_up(1, version="-B"))
    workspace.served.script["E00000"] = [Behaviour(delay=0.5)]
    running = workspace.start()
    running.wait_for(1)
    running.kill()
    wait_until(lambda: workspace.in_place(workspace.contacts[0]))  # B was applied, and nobody is left to hear of it
    workspace.export(made_up(1, version="-A"))
    assert assert_books(workspace, workspace.run(), 0) == {"updated": 1}


# ---- signals


def _sending(workspace: Workspace) -> Running:
    workspace.served.faults = Faults(latency=0.1)
    running = workspace.start("--rate", "40")
    running.wait_for(20)
    return running


def _sending_as_fast_as_it_goes(workspace: Workspace) -> Running:
    workspace.served.faults = Faults(latency=0.1)
    running = workspace.start()
    running.wait_for(20)
    return running


def _hold(workspace: Workspace) -> Running:
    workspace.served.script["E00010"] = [Behaviour(status=429, headers={"Retry-After": "60"})]
    running = workspace.start()
    wait_until(lambda: any(call.status == 429 for call in running.arrived()))
    _wait_for_silence(running, 0.3)
    return running


def _backoff(workspace: Workspace) -> Running:
    for contact_id in ("E00010", "E00011"):
        workspace.served.script[contact_id] = [Behaviour(status=500)] * 9
    running = workspace.start("--workers", "2", "--attempts", "10")
    wait_until(lambda: sum(call.status == 500 for call in running.arrived()) >= 8)
    return running


def _probing(workspace: Workspace) -> Running:
    workspace.served.faults = Faults(errors=1)
    running = workspace.start()
    running.wait_for(20)
    _wait_for_silence(running, 0.5)
    return running


def _wait_for_silence(running: Running, seconds: float) -> None:
    wait_until(lambda: time.monotonic() - running.arrived()[-1].at > seconds)


@pytest.mark.parametrize(
    ("state", "signum"),
    [
        (_sending, signal.SIGTERM),
        (_sending_as_fast_as_it_goes, signal.SIGINT),
        (_hold, signal.SIGTERM),
        (_hold, signal.SIGINT),
        (_backoff, signal.SIGTERM),
        (_probing, signal.SIGINT),
    ],
)
def test_the_first_signal(workspace: Workspace, state: Callable[[Workspace], Running], signum: signal.Signals) -> None:
    """A signal ends a run of 1,000 rows in good order and soon, whatever it is waiting for; the next run sends the rest."""
    workspace.export(made_up(1000))
    running = state(workspace)
    at = running.signal(signum)
    stopped = running.finish()
    after = later(stopped.calls, at)
    show(f"{signum.name} while {state.__name__}: {stopped.at - at:.2f} s until the exit, {after} requests after it")
    outcomes = assert_books(workspace, stopped, 128 + signum)
    assert outcomes.keys() <= {"updated", "failed", "unprocessed"}
    assert outcomes["unprocessed"] > 900
    assert after <= 8
    assert stopped.at - at < 3
    done = workspace.ended(Outcome.UPDATED)
    workspace.served.faults, workspace.served.script = Faults(), {}
    rest = workspace.run()
    assert assert_books(workspace, rest, 0) == Counter(unchanged=len(done), updated=1000 - len(done))
    assert rest.sent == {contact.contact_id: 1 for contact in workspace.contacts if contact.contact_id not in done}


def test_the_second_signal(nightly: Nightly) -> None:
    """A second signal ends the run at once, without a report, and leaves a ledger that the next run works with."""
    workspace = nightly(faults=Faults(latency=30))
    workspace.export(made_up(100))
    # What is scripted knows no latency: the first 20 contacts are updated at once.
    workspace.served.script = {contact.contact_id: [Behaviour(delay=0.001)] for contact in workspace.contacts[:20]}
    running = workspace.start("--rate", "100")
    running.wait_for(28)
    time.sleep(0.5)
    running.signal(signal.SIGTERM)
    time.sleep(0.4)
    assert running.process.poll() is None, "it should still wait for what is in flight"
    at = running.signal(signal.SIGINT)
    stopped = running.finish()
    show(f"second signal: {stopped.at - at:.3f} s until the exit")
    assert stopped.code == 130
    assert stopped.at - at < 1
    assert len(stopped.calls) == 28
    assert not workspace.report.exists()
    workspace.served.faults = Faults()
    rest = workspace.run()
    assert assert_books(workspace, rest, 0) == {"unchanged": 20, "updated": 80}


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)])
def test_a_signal_while_the_program_starts(workspace: Workspace, signum: signal.Signals, code: int) -> None:
    """A signal before the run has begun ends it with nothing sent and nothing written, and does no harm."""
    workspace.export(made_up(10))
    key = workspace.folder.with_name("pipe")
    os.mkfifo(key, mode=0o600)
    del workspace.environment["CONTACT_SYNC_API_KEY"]
    running = workspace.start("--api-key-file", str(key))
    writers: list[int] = []

    def is_being_read() -> bool:
        with suppress(OSError):  # nobody has opened it to read
            writers.append(os.open(key, os.O_WRONLY | os.O_NONBLOCK))
        return bool(writers)

    wait_until(is_being_read)
    at = running.signal(signum)
    os.close(*writers)
    stopped = running.finish()
    assert stopped.code == code
    assert stopped.at - at < 3
    assert (stopped.calls, stopped.stdout, stopped.stderr.strip()) == ([], b"", b"")
    assert {path.name for path in workspace.folder.iterdir()} == {workspace.source.name}
    assert assert_books(workspace, workspace.run("--api-key-file", str(workspace.key_file())), 0) == {"updated": 10}


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_source_is_watched(workspace: Workspace, signum: signal.Signals) -> None:
    """A signal ends a run that waits for its source to be quiet, soon, with its own exit code and with nothing written."""
    workspace.export(made_up(10))
    done = threading.Event()

    def write() -> None:
        while not done.wait(0.3):
            os.utime(workspace.source)

    os.utime(workspace.source)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        running = workspace.start()
        wait_until(lambda: any(workspace.state.glob("*.lock")) if workspace.state.exists() else False)
        time.sleep(0.5)
        at = running.signal(signum)
        stopped = running.finish()
    finally:
        done.set()
        writer.join()
    show(f"{signum.name} while the source is watched: {stopped.at - at:.2f} s until the exit")
    assert_refused(workspace, stopped, 128 + signum)
    assert stopped.told["error"] == f"Interrupted ({signum.name})."
    assert stopped.at - at < 3
    workspace.export(made_up(10))
    assert assert_books(workspace, workspace.run(), 0) == {"updated": 10}


# ---- two at a time


def test_two_runs_at_once(workspace: Workspace) -> None:
    """A second run, of whatever source, leaves with exit 75 and sends nothing; after kill -9 of the first, the third goes on."""
    workspace.export(made_up(20), "others.csv")
    workspace.export(made_up(100))
    workspace.served.script["E00005"] = [Behaviour(status=429, headers={"Retry-After": "60"})]
    first = workspace.start()
    wait_until(lambda: any(call.status == 429 for call in first.arrived()))
    _wait_for_silence(first, 0.4)
    refused = workspace.run()
    assert_refused(workspace, refused, 75)
    assert str(first.process.pid).encode() in refused.stderr
    workspace.source = workspace.folder / "others.csv"
    assert_refused(workspace, workspace.run(), 75)
    workspace.source = workspace.folder / "contacts.csv"
    assert first.process.poll() is None
    first.kill()
    third = workspace.run()
    assert assert_books(workspace, third, 0).keys() == {"unchanged", "updated"}
    assert third.sent["E00005"] == 1


def test_two_runs_for_one_report(workspace: Workspace) -> None:
    """A run, of whatever account, for a report that another is writing leaves with exit 75, and the other goes on unharmed."""
    workspace.export(made_up(100))
    first = workspace.start("--rate", "100")
    first.wait_for(10)
    first.signal(signal.SIGSTOP)  # however long the other takes, this one is not done before it
    _wait_for_silence(first, 0.3)
    refused = workspace.run("--account", "other")
    assert_refused(workspace, refused, 75)
    assert str(workspace.report).encode() in refused.stderr
    first.signal(signal.SIGCONT)
    assert assert_books(workspace, first.finish(), 0) == {"updated": 100}
    assert assert_books(workspace, workspace.run("--account", "other"), 0) == {"updated": 100}


def test_a_link_in_the_place_of_the_draft(workspace: Workspace) -> None:
    """A link that somebody has put where the report is drafted is refused, and what it points at stays as it was."""
    workspace.export(made_up(5))
    valuable = workspace.folder / "valuable"
    valuable.write_bytes(b"valuable")
    link = workspace.report.with_name(f".{workspace.report.name}.draft")
    link.symlink_to(valuable)
    assert_refused(workspace, workspace.run(), 7)
    assert valuable.read_bytes() == b"valuable"
    link.unlink()
    assert assert_books(workspace, workspace.run(), 0) == {"updated": 5}
