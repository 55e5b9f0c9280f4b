"""Runs that are killed or interrupted, and two runs at a time."""

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

from contact_sync.model.row import Outcome
from contact_sync.sandbox.faults import Behaviour, Faults

from .workspace import (
    NewWorkspace,
    RunningProgram,
    Workspace,
    assert_consistent,
    assert_refused,
    count_after,
    make_contacts,
    other_address,
    show,
    wait_until,
)

# ---- kill -9


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.soak)])
def test_repeated_kills(workspace: Workspace, kills: int) -> None:
    """However often a run is killed, the next ones update every contact, and send few rows twice."""
    rate, workers, rows = 200, 8, 120 * kills
    # Results are written within 0.2 s; more requests are in flight before and after.
    most = rate * 0.2 + workers + 2
    workspace.export(make_contacts(rows))
    assert assert_consistent(workspace, workspace.run(), 0) == {"updated": rows}
    workspace.export(make_contacts(rows, version="-Petit"))
    rng = random.Random(kills)
    ends = [len(workspace.sandbox.calls)]  # number of requests so far
    for number in range(kills):
        running = workspace.start("--rate", str(rate), "--workers", str(workers))
        if number % 5 == 4:
            time.sleep(rng.uniform(0, 1))  # while it starts, loads or stages
        else:
            running.wait_for(rng.randrange(70, 150))
        running.kill()
        ends.append(len(workspace.sandbox.calls))
    last = workspace.run()
    outcomes = assert_consistent(workspace, last, 0)
    assert outcomes.keys() <= {"updated", "unchanged"}
    assert all(map(workspace.in_place, workspace.contacts))
    arrived = [call.contact_id for call in workspace.sandbox.calls]
    assert set(arrived[ends[0] :]) == {contact.contact_id for contact in workspace.contacts}
    twice = [len({*arrived[start:end]} & {*arrived[end:]}) for start, end in pairwise(ends)]
    show(f"{kills} kills: of {rows} rows, {twice} were sent again, at most {most:.0f} allowed")
    assert max(twice) <= most


def test_drafts_of_killed_runs_are_deleted(workspace: Workspace) -> None:
    """Killed runs leave at most one draft beside the report, and the next run deletes it."""
    workspace.export(make_contacts(100))
    for _ in range(2):
        running = workspace.start("--rate", "20")
        running.wait_for(2)
        running.kill()
        left = {path.name for path in workspace.folder.iterdir()} - {workspace.source.name, workspace.state.name}
        (draft,) = left
        assert draft.endswith(".draft")
    assert_consistent(workspace, workspace.run(), 0)
    assert {path.name for path in workspace.folder.iterdir()} == {
        workspace.source.name,
        workspace.report.name,
        workspace.state.name,
    }


def test_unconfirmed_update_invalidates_the_confirmed_state(workspace: Workspace) -> None:
    """After A, a B that was killed in flight, and A again, A is sent: the API may have stored B."""
    workspace.export(make_contacts(1, version="-A"))
    assert_consistent(workspace, workspace.run(), 0)
    workspace.export(make_contacts(1, version="-B"))
    workspace.sandbox.script["E00000"] = [Behaviour(delay=0.5)]
    running = workspace.start()
    running.wait_for(1)
    running.kill()
    wait_until(lambda: workspace.in_place(workspace.contacts[0]))  # B was applied after its sender was killed
    workspace.export(make_contacts(1, version="-A"))
    assert assert_consistent(workspace, workspace.run(), 0) == {"updated": 1}


# ---- signals

_SOON_S = 10
"""Limit of an exit that does not wait: the waits that a signal interrupts take 25 s and more."""


def _sending(workspace: Workspace) -> RunningProgram:
    workspace.sandbox.faults = Faults(latency=0.1)
    running = workspace.start("--rate", "40")
    running.wait_for(20)
    return running


def _sending_as_fast_as_it_goes(workspace: Workspace) -> RunningProgram:
    workspace.sandbox.faults = Faults(latency=0.1)
    running = workspace.start()
    running.wait_for(20)
    return running


def _pausing(workspace: Workspace) -> RunningProgram:
    workspace.sandbox.script["E00010"] = [Behaviour(status=429, headers={"Retry-After": "60"})]
    running = workspace.start()
    wait_until(lambda: any(call.status == 429 for call in running.arrived()))
    _wait_for_silence(running, 0.3)
    return running


def _backing_off(workspace: Workspace) -> RunningProgram:
    for contact_id in ("E00010", "E00011"):
        workspace.sandbox.script[contact_id] = [Behaviour(status=500)] * 9
    running = workspace.start("--workers", "2", "--attempts", "10")
    wait_until(lambda: sum(call.status == 500 for call in running.arrived()) >= 8)
    return running


def _probing(workspace: Workspace) -> RunningProgram:
    workspace.sandbox.faults = Faults(drops=1)
    running = workspace.start()
    running.wait_for(20)
    _wait_for_silence(running, 0.5)
    return running


def _wait_for_silence(running: RunningProgram, seconds: float) -> None:
    wait_until(lambda: time.monotonic() - running.arrived()[-1].at > seconds)


@pytest.mark.parametrize(
    ("state", "signum"),
    [
        (_sending, signal.SIGTERM),
        (_sending, signal.SIGHUP),
        (_sending_as_fast_as_it_goes, signal.SIGINT),
        (_pausing, signal.SIGTERM),
        (_pausing, signal.SIGINT),
        (_backing_off, signal.SIGTERM),
        (_probing, signal.SIGINT),
    ],
)
def test_first_signal(workspace: Workspace, state: Callable[[Workspace], RunningProgram], signum: signal.Signals) -> None:
    """A signal ends a run of 300 rows in order and soon, in every state; the next run sends the rest."""
    workspace.export(make_contacts(300))
    running = state(workspace)
    at = running.signal(signum)
    stopped = running.finish()
    after = count_after(stopped.calls, at)
    show(f"{signum.name} while {state.__name__}: {stopped.at - at:.2f} s until the exit, {after} requests after it")
    outcomes = assert_consistent(workspace, stopped, 130 if signum == signal.SIGINT else 143)
    assert f"({signum.name})" in stopped.stderr.decode()
    assert outcomes.keys() <= {"updated", "failed", "unprocessed"}
    assert outcomes["unprocessed"] > 200
    assert after <= 8
    assert stopped.at - at < _SOON_S
    done = workspace.contacts_with(Outcome.UPDATED)
    workspace.sandbox.faults, workspace.sandbox.script = Faults(), {}
    rest = workspace.run()
    assert assert_consistent(workspace, rest, 0) == Counter(unchanged=len(done), updated=300 - len(done))
    assert rest.sent == {contact.contact_id: 1 for contact in workspace.contacts if contact.contact_id not in done}


def test_second_signal(new_workspace: NewWorkspace) -> None:
    """A second signal ends the run at once, without a report; the next run continues."""
    workspace = new_workspace(faults=Faults(latency=30))
    workspace.export(make_contacts(100))
    # Scripted behaviours replace the latency: the first 20 contacts are updated at once.
    workspace.sandbox.script = {contact.contact_id: [Behaviour(delay=0.001)] for contact in workspace.contacts[:20]}
    running = workspace.start("--rate", "100")
    running.wait_for(28)
    time.sleep(1)  # the results of the first 20 are recorded
    running.signal(signal.SIGTERM)
    time.sleep(1)
    assert running.process.poll() is None, "it should still wait for what is in flight"
    at = running.signal(signal.SIGINT)
    stopped = running.finish()
    show(f"second signal: {stopped.at - at:.3f} s until the exit")
    assert stopped.code == 130
    assert stopped.at - at < _SOON_S
    assert len(stopped.calls) == 28
    assert not workspace.report.exists()
    workspace.sandbox.faults = Faults()
    rest = workspace.run()
    assert assert_consistent(workspace, rest, 0) == {"unchanged": 20, "updated": 80}


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)])
def test_signal_during_startup(workspace: Workspace, signum: signal.Signals, code: int) -> None:
    """A signal before the run has begun ends it with nothing sent and nothing written."""
    workspace.export(make_contacts(10))
    key = workspace.folder.with_name("pipe")
    os.mkfifo(key, mode=0o600)
    del workspace.environment["CONTACT_SYNC_API_KEY"]
    running = workspace.start("--api-key-file", str(key))
    writers: list[int] = []

    def is_being_read() -> bool:
        with suppress(OSError):  # the program has not opened it yet
            writers.append(os.open(key, os.O_WRONLY | os.O_NONBLOCK))
        return bool(writers)

    wait_until(is_being_read)
    at = running.signal(signum)
    os.close(*writers)
    stopped = running.finish()
    assert stopped.code == code
    assert stopped.at - at < _SOON_S
    assert (stopped.calls, stopped.stdout, stopped.stderr.strip()) == ([], b"", b"")
    assert {path.name for path in workspace.folder.iterdir()} == {workspace.source.name}
    assert assert_consistent(workspace, workspace.run("--api-key-file", str(workspace.key_file())), 0) == {"updated": 10}


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signal_while_the_source_is_watched(workspace: Workspace, signum: signal.Signals) -> None:
    """A signal ends a run that waits for its source to be complete, with its exit code and nothing written."""
    workspace.export(make_contacts(10))
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
    assert stopped.summary["error"] == f"Interrupted ({signum.name})."
    assert stopped.stderr.decode() == f"contact-sync: Interrupted ({signum.name}).\n"
    assert stopped.at - at < _SOON_S
    workspace.export(make_contacts(10))
    assert assert_consistent(workspace, workspace.run(), 0) == {"updated": 10}


# ---- concurrent runs


def test_concurrent_runs(workspace: Workspace) -> None:
    """A second run, of any source, ends with exit 75 and sends nothing; after kill -9 of the first, the third continues."""
    workspace.export(make_contacts(20), "others.csv")
    workspace.export(make_contacts(100))
    workspace.sandbox.script["E00005"] = [Behaviour(status=429, headers={"Retry-After": "60"})]
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
    assert assert_consistent(workspace, third, 0).keys() == {"unchanged", "updated"}
    assert third.sent["E00005"] == 1


def test_concurrent_runs_with_one_report(workspace: Workspace) -> None:
    """A run of another account with the report of a run in progress ends with exit 75; the other is not affected."""
    workspace.export(make_contacts(100))
    first = workspace.start("--rate", "100")
    first.wait_for(10)
    first.signal(signal.SIGSTOP)  # so that it cannot end before the other
    _wait_for_silence(first, 0.3)
    refused = workspace.run("--base-url", other_address(workspace))
    assert_refused(workspace, refused, 75)
    assert str(workspace.report).encode() in refused.stderr
    first.signal(signal.SIGCONT)
    assert assert_consistent(workspace, first.finish(), 0) == {"updated": 100}
    assert assert_consistent(workspace, workspace.run("--base-url", other_address(workspace)), 0) == {"updated": 100}


def test_draft_is_not_written_through_a_link(workspace: Workspace) -> None:
    """A symbolic link at the name of a former draft is ignored, and its target is not changed."""
    workspace.export(make_contacts(5))
    valuable = workspace.folder / "valuable"
    valuable.write_bytes(b"valuable")
    running = workspace.start("--rate", "2")
    running.wait_for(1)
    running.kill()
    (draft,) = workspace.folder.glob(".*.draft")
    draft.unlink()
    draft.symlink_to(valuable)
    assert assert_consistent(workspace, workspace.run(), 0).keys() <= {"updated", "unchanged"}
    assert (draft.is_symlink(), valuable.read_bytes()) == (True, b"valuable")
