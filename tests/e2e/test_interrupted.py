"""Runs that are cut short, by a signal or without one, and two at a time."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from contact_sync.model import Outcome
from contact_sync.sandbox import Behaviour, Faults

from .night import Night, Running, assert_books, assert_refused, later, made_up, show, wait_until

Nightly = Callable[..., Night]


# ---- kill -9


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.soak)])
def test_killed_again_and_again(night: Night, kills: int) -> None:
    """However often a run is killed, the next ones bring every contact to its new values and send hardly any row twice."""
    rate, workers, rows = 200, 8, 120 * kills
    night.export(made_up(rows))
    assert assert_books(night, night.run(), 0) == {"updated": rows}
    night.export(made_up(rows, version="-Petit"))
    chance = random.Random(kills)
    before = len(night.served.calls)
    killed: list[tuple[int, float]] = []  # how many requests had arrived in all, and when
    for number in range(kills):
        running = night.start("--rate", str(rate), "--workers", str(workers))
        if number % 5 == 4:
            time.sleep(chance.uniform(0, 1))  # while it starts, loads or stages
        else:
            running.wait_for(1)
            time.sleep(chance.uniform(0, 0.8))
        at = running.kill()
        killed.append((len(night.served.calls), at))
    last = night.run()
    outcomes = assert_books(night, last, 0)
    assert outcomes.keys() <= {"updated", "unchanged"}
    assert all(map(night.in_place, night.contacts))
    times = Counter(call.contact_id for call in night.served.calls[before:])
    twice = times.total() - len(times)
    ages = _ages_of_the_repeated(night, before, killed)
    show(f"{kills} kills: {rows} rows, {twice} sent twice, the oldest of them {max(ages, default=0):.3f} s before the kill")
    assert times.keys() == {contact.contact_id for contact in night.contacts}
    assert twice <= kills * (rate * 0.2 + workers)
    assert max(ages, default=0) < 0.6


def _ages_of_the_repeated(night: Night, before: int, killed: list[tuple[int, float]]) -> list[float]:
    """For each request that was made again after a kill, how long before the kill it had arrived."""
    ages = []
    start = before
    for end, at in killed:
        again = {call.contact_id for call in night.served.calls[end:]}
        ages += [at - call.at for call in night.served.calls[start:end] if call.contact_id in again]
        start = end
    return ages


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


def test_a_signal_while_the_program_starts(night: Night) -> None:
    """A signal before the run has begun ends it with nothing sent, and does no harm."""
    night.export(made_up(10))
    running = night.start()
    time.sleep(0.25)
    at = running.signal(signal.SIGTERM)
    stopped = running.finish()
    assert stopped.code in {143, -signal.SIGTERM}
    assert stopped.at - at < 3
    assert stopped.calls == []
    assert assert_books(night, night.run(), 0) == {"updated": 10}


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
    night.served.script["E00005"] = [Behaviour(delay=2)]
    first = night.start()
    wait_until(lambda: len(first.arrived()) == 100)
    refused = night.run("--account", "other")
    assert refused.calls == []
    assert_refused(night, refused, 75)
    assert str(night.report).encode() in refused.stderr
    assert first.process.poll() is None
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
