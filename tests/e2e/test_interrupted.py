"""Runs that are cut short, by a signal or without one, and two at a time."""

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
from contact_sync.sandbox.server import Behaviour, Faults

from .night import Night, Running, assert_books, assert_refused, later, made_up, show, wait_until

Nightly = Callable[..., Night]


# ---- kill -9


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.soak)])
def test_killed_again_and_again(night: Night, kills: int) -> None:
    """However often a run is killed, the next ones bring every contact to its new values and send hardly any row twice."""
    rate, workers, rows = 200, 8, 120 * kills
    # What starts in the 0.2 s in which a result may wait for the disk, and what is on its way before and after.
    most = rate * 0.2 + workers + 2
    night.export(made_up(rows))
    assert assert_books(night, night.run(), 0) == {"updated": rows}
    night.export(made_up(rows, version="-Petit"))
    chance = random.Random(kills)
    ends = [len(night.served.calls)]  # how many requests had arrived in all
    for number in range(kills):
        running = night.start("--rate", str(rate), "--workers", str(workers))
        if number % 5 == 4:
            time.sleep(chance.uniform(0, 1))  # while it starts, loads or stages
        else:
            running.wait_for(chance.randrange(70, 150))
        running.kill()
        ends.append(len(night.served.calls))
    last = night.run()
    outcomes = assert_books(night, last, 0)
    assert outcomes.keys() <= {"updated", "unchanged"}
    assert all(map(night.in_place, night.contacts))
    arrived = [call.contact_id for call in night.served.calls]
    assert set(arrived[ends[0] :]) == {contact.contact_id for contact in night.contacts}
    twice = [len({*arrived[start:end]} & {*arrived[end:]}) for start, end in pairwise(ends)]
    show(f"{kills} kills: of {rows} rows were sent again {twice}, {most:.0f} at most allowed")
    assert max(twice) <= most


def test_drafts_of_killed_runs_are_swept(night: Night) -> None:
    """What killed runs have left beside the report is gone after the next one, and never more than one file."""
    night.export(made_up(100))
    for _ in range(2):
        running = night.start("--rate", "20")
        running.wait_for(2)
        running.kill()
        left = {path.name for path in night.folder.iterdir()} - {night.source.name, night.state.name}
        assert left == {f".{night.report.name}.draft"}
    assert_books(night, night.run(), 0)
    assert {path.name for path in night.folder.iterdir()} == {night.source.name, night.report.name, night.state.name}


def test_an_update_whose_answer_was_lost_is_not_taken_for_undone(night: Night) -> None:
    """After A, a B that was killed in flight, and A again, A is sent: the store may hold B."""
    night.export(made_up(1, version="-A"))
    assert_books(night, night.run(), 0)
    night.export(made_up(1, version="-B"))
    night.served.script["E00000"] = [Behaviour(delay=0.5)]
    running = night.start()
    running.wait_for(1)
    running.kill()
    wait_until(lambda: night.in_place(night.contacts[0]))  # B was applied, and nobody is left to hear of it
    night.export(made_up(1, version="-A"))
    assert assert_books(night, night.run(), 0) == {"updated": 1}


# ---- signals


def _sending(night: Night) -> Running:
    night.served.faults = Faults(latency=0.1)
    running = night.start("--rate", "40")
    running.wait_for(20)
    return running


def _sending_as_fast_as_it_goes(night: Night) -> Running:
    night.served.faults = Faults(latency=0.1)
    running = night.start()
    running.wait_for(20)
    return running


def _hold(night: Night) -> Running:
    night.served.script["E00010"] = [Behaviour(status=429, headers={"Retry-After": "60"})]
    running = night.start()
    wait_until(lambda: any(call.status == 429 for call in running.arrived()))
    _wait_for_silence(running, 0.3)
    return running


def _backoff(night: Night) -> Running:
    for contact_id in ("E00010", "E00011"):
        night.served.script[contact_id] = [Behaviour(status=500)] * 9
    running = night.start("--workers", "2", "--attempts", "10")
    wait_until(lambda: sum(call.status == 500 for call in running.arrived()) >= 8)
    return running


def _probing(night: Night) -> Running:
    night.served.faults = Faults(errors=1)
    running = night.start()
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
def test_the_first_signal(night: Night, state: Callable[[Night], Running], signum: signal.Signals) -> None:
    """A signal ends a run of 1,000 rows in good order and soon, whatever it is waiting for; the next run sends the rest."""
    night.export(made_up(1000))
    running = state(night)
    at = running.signal(signum)
    stopped = running.finish()
    after = later(stopped.calls, at)
    show(f"{signum.name} while {state.__name__}: {stopped.at - at:.2f} s until the exit, {after} requests after it")
    outcomes = assert_books(night, stopped, 128 + signum)
    assert outcomes.keys() <= {"updated", "failed", "unprocessed"}
    assert outcomes["unprocessed"] > 900
    assert after <= 8
    assert stopped.at - at < 3
    done = night.ended(Outcome.UPDATED)
    night.served.faults, night.served.script = Faults(), {}
    rest = night.run()
    assert assert_books(night, rest, 0) == Counter(unchanged=len(done), updated=1000 - len(done))
    assert rest.sent == {contact.contact_id: 1 for contact in night.contacts if contact.contact_id not in done}


def test_the_second_signal(nightly: Nightly) -> None:
    """A second signal ends the run at once, without a report, and leaves a ledger that the next run works with."""
    night = nightly(faults=Faults(latency=30))
    night.export(made_up(100))
    # What is scripted knows no latency: the first 20 contacts are updated at once.
    night.served.script = {contact.contact_id: [Behaviour(delay=0.001)] for contact in night.contacts[:20]}
    running = night.start("--rate", "100")
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
    assert not night.report.exists()
    night.served.faults = Faults()
    rest = night.run()
    assert assert_books(night, rest, 0) == {"unchanged": 20, "updated": 80}


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)])
def test_a_signal_while_the_program_starts(night: Night, signum: signal.Signals, code: int) -> None:
    """A signal before the run has begun ends it with nothing sent and nothing written, and does no harm."""
    night.export(made_up(10))
    key = night.folder.with_name("pipe")
    os.mkfifo(key, mode=0o600)
    del night.environment["CONTACT_SYNC_API_KEY"]
    running = night.start("--api-key-file", str(key))
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
    assert {path.name for path in night.folder.iterdir()} == {night.source.name}
    assert assert_books(night, night.run("--api-key-file", str(night.key_file())), 0) == {"updated": 10}


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_source_is_watched(night: Night, signum: signal.Signals) -> None:
    """A signal ends a run that waits for its source to be quiet, soon, with its own exit code and with nothing written."""
    night.export(made_up(10))
    done = threading.Event()

    def write() -> None:
        while not done.wait(0.3):
            os.utime(night.source)

    os.utime(night.source)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        running = night.start()
        wait_until(lambda: any(night.state.glob("*.lock")) if night.state.exists() else False)
        time.sleep(0.5)
        at = running.signal(signum)
        stopped = running.finish()
    finally:
        done.set()
        writer.join()
    show(f"{signum.name} while the source is watched: {stopped.at - at:.2f} s until the exit")
    assert_refused(night, stopped, 128 + signum)
    assert stopped.told["error"] == f"Interrupted by {signum.name}."
    assert stopped.at - at < 3
    night.export(made_up(10))
    assert assert_books(night, night.run(), 0) == {"updated": 10}


# ---- two at a time


def test_two_runs_at_once(night: Night) -> None:
    """A second run, of whatever source, leaves with exit 75 and sends nothing; after kill -9 of the first, the third goes on."""
    night.export(made_up(20), "others.csv")
    night.export(made_up(100))
    night.served.script["E00005"] = [Behaviour(status=429, headers={"Retry-After": "60"})]
    first = night.start()
    wait_until(lambda: any(call.status == 429 for call in first.arrived()))
    _wait_for_silence(first, 0.4)
    refused = night.run()
    assert_refused(night, refused, 75)
    assert str(first.process.pid).encode() in refused.stderr
    night.source = night.folder / "others.csv"
    assert_refused(night, night.run(), 75)
    night.source = night.folder / "contacts.csv"
    assert first.process.poll() is None
    first.kill()
    third = night.run()
    assert assert_books(night, third, 0).keys() == {"unchanged", "updated"}
    assert third.sent["E00005"] == 1


def test_two_runs_for_one_report(night: Night) -> None:
    """A run, of whatever account, for a report that another is writing leaves with exit 75, and the other goes on unharmed."""
    night.export(made_up(100))
    first = night.start("--rate", "100")
    first.wait_for(10)
    first.signal(signal.SIGSTOP)  # however long the other takes, this one is not done before it
    _wait_for_silence(first, 0.3)
    refused = night.run("--account", "other")
    assert_refused(night, refused, 75)
    assert str(night.report).encode() in refused.stderr
    first.signal(signal.SIGCONT)
    assert assert_books(night, first.finish(), 0) == {"updated": 100}
    assert assert_books(night, night.run("--account", "other"), 0) == {"updated": 100}


def test_a_link_in_the_place_of_the_draft(night: Night) -> None:
    """A link that somebody has put where the report is drafted is refused, and what it points at stays as it was."""
    night.export(made_up(5))
    valuable = night.folder / "valuable"
    valuable.write_bytes(b"valuable")
    link = night.report.with_name(f".{night.report.name}.draft")
    link.symlink_to(valuable)
    assert_refused(night, night.run(), 7)
    assert valuable.read_bytes() == b"valuable"
    link.unlink()
    assert assert_books(night, night.run(), 0) == {"updated": 5}
