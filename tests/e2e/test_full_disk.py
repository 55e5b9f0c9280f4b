"""A disk that is full: what was not written is not claimed, and what was there stays."""

import resource
import shutil
import sqlite3
import subprocess
from collections import Counter
from contextlib import closing

import pytest

from contact_sync.model import Outcome

from .night import PROGRAM, Night, Running, assert_books, assert_refused, made_up, show


def _fill_disk(running: Running, size: int) -> None:
    """Let no file of the program grow beyond `size` bytes from now on."""
    _, hard = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (size, hard))


def test_no_room_for_the_rows(night: Night) -> None:
    """Without room to stage the rows the run ends with exit 7, sends nothing, and leaves the old report alone."""
    night.export(made_up(500))
    night.report.write_bytes(b"of an earlier night")
    for size in (0, 4_000, 60_000):
        running = night.start()
        _fill_disk(running, size)
        assert_refused(night, running.finish(), 7, report=b"of an earlier night")
    assert assert_books(night, night.run(), 0) == {"updated": 500}


@pytest.mark.parametrize("requests", [1, 100])
def test_no_room_for_the_results(night: Night, requests: int) -> None:
    """When the ledger takes no more results the run stops with exit 7; what was not written is sent again, and nothing else."""
    night.export(made_up(400))
    running = night.start("--rate", "200")
    running.wait_for(requests)
    (ledger,) = night.state.glob("*.sqlite3-wal")
    _fill_disk(running, ledger.stat().st_size)
    full = len(running.arrived())
    stopped = running.finish()
    assert stopped.code == 7
    assert stopped.told["requests"] == len(stopped.calls)
    assert sum(stopped.told["outcomes"].values()) == 400
    show(f"disk full after {full} requests: {len(stopped.calls) - full} more")
    assert len(stopped.calls) - full <= 200 * 0.5 + 8
    said = night.ended(Outcome.UPDATED, Outcome.UNCHANGED) if night.report.exists() else set()
    rest = night.run()
    outcomes = assert_books(night, rest, 0)
    assert outcomes.keys() <= {"updated", "unchanged"}
    assert not rest.sent.keys() & said, "what was reported as updated was not durable"
    assert rest.sent.keys() == {contact.contact_id for contact in night.contacts} - said
    assert len(rest.sent) >= 400 - full


@pytest.mark.parametrize("requests", [1, 100])
def test_no_room_in_the_ledger_alone(night: Night, requests: int) -> None:
    """A ledger that takes no more results still gives a whole report: each row that was sent is told to be updated, or lost."""
    night.export(made_up(1))
    assert_books(night, night.run(), 0)
    (ledger,) = night.state.glob("*.sqlite3")
    with closing(sqlite3.connect(ledger, isolation_level=None)) as reader:
        # As long as somebody reads an old state the ledger only grows, until it is larger than any report.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM confirmed").fetchone()
        night.export(made_up(1500))
        assert_books(night, night.run(), 0)
        night.export(made_up(400, version="-B"))
        running = night.start("--rate", "200")
        running.wait_for(requests)
        _fill_disk(running, ledger.with_name(f"{ledger.name}-wal").stat().st_size)
        stopped = running.finish()
    outcomes = assert_books(night, stopped, 7)
    assert outcomes.keys() <= {"updated", "failed", "unprocessed"}
    assert {line["contactId"] for line in night.lines() if line["sync_code"] == "not-recorded"} == night.ended(Outcome.FAILED)
    assert night.ended(Outcome.UPDATED, Outcome.FAILED) == stopped.sent.keys()
    assert outcomes["failed"] > 0
    rest = night.run()
    assert assert_books(night, rest, 0) == Counter(unchanged=outcomes["updated"], updated=400 - outcomes["updated"])


def test_no_room_for_the_report(night: Night) -> None:
    """Without room for the report nothing is sent: exit 7, and the old report stays whole."""
    disk = night.folder / "disk"
    disk.mkdir()
    probe = subprocess.run(["unshare", "-Urm", "mount", "-t", "tmpfs", "tmpfs", disk], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    night.export(made_up(1500))
    # The disk is the program's alone and gone with it, so what is on it at the end goes to stderr.
    shell = (
        f'mount -t tmpfs -o size=64k tmpfs {disk}; printf "of an earlier night" > {disk}/report.csv;'
        f' "$0" "$@" --report {disk}/report.csv; code=$?; ls -A {disk} >&2; cat {disk}/report.csv >&2; exit $code'
    )
    finished = night.run(shell=f'exec unshare -Urm bash -c \'{shell}\' "$0" "$@"')
    assert finished.code == 7
    assert finished.stderr.endswith(b"\nreport.csv\nof an earlier night")
    assert finished.told["outcomes"] == {"unprocessed": 1500}
    assert finished.calls == []
    assert assert_books(night, night.run(), 0) == {"updated": 1500}


def test_the_place_of_the_report_is_gone(night: Night) -> None:
    """When the folder of the report vanishes while rows are sent, exit 7 says so, and what was sent is not sent again."""
    night.export(made_up(100))
    place = night.folder / "reports"
    place.mkdir()
    running = night.start("--rate", "100", "--report", str(place / "report.csv"))
    running.wait_for(10)
    shutil.rmtree(place)
    finished = running.finish()
    assert finished.code == 7
    assert finished.told["outcomes"] == {"updated": 100}
    assert str(place).encode() in finished.stderr
    again = night.run()
    assert assert_books(night, again, 0) == {"unchanged": 100}
    assert again.calls == []


def test_a_check_without_room_for_its_report(night: Night) -> None:
    """A check whose report finds no room leaves the old one whole, and no draft beside it."""
    night.export(made_up(2000))
    night.report.write_bytes(b"of an earlier night")
    command = [str(PROGRAM), "check", str(night.source)]
    process = subprocess.Popen(command, env=night.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    night.processes.append(process)
    running = Running(process, night.served.calls)
    _fill_disk(running, night.source.stat().st_size + 1000)
    finished = running.finish()
    assert finished.code == 7
    assert night.report.read_bytes() == b"of an earlier night"
    assert {path.name for path in night.folder.iterdir()} == {night.source.name, night.report.name}
