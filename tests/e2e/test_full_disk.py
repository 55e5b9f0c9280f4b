"""A disk that is full: what was not written is not claimed, and what was there stays."""

import resource
import shutil
import sqlite3
import subprocess
from collections import Counter
from contextlib import closing

import pytest

from contact_sync.model import Outcome

from .workspace import PROGRAM, Running, Workspace, assert_books, assert_refused, made_up, show


def _fill_disk(running: Running, size: int) -> None:
    """Let no file of the program grow beyond `size` bytes from now on."""
    _, hard = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (size, hard))


def test_no_room_for_the_rows(workspace: Workspace) -> None:
    """Without room to stage the rows the run ends with exit 7, sends nothing, and leaves the old report alone."""
    workspace.export(made_up(500))
    workspace.report.write_bytes(b"of an earlier night")
    for size in (0, 4_000, 60_000):
        running = workspace.start()
        _fill_disk(running, size)
        assert_refused(workspace, running.finish(), 7, report=b"of an earlier night")
    assert assert_books(workspace, workspace.run(), 0) == {"updated": 500}


@pytest.mark.parametrize("requests", [1, 100])
def test_no_room_for_the_results(workspace: Workspace, requests: int) -> None:
    """When the ledger takes no more results the run stops with exit 7; what was not written is sent again, and nothing else."""
    workspace.export(made_up(400))
    running = workspace.start("--rate", "200")
    running.wait_for(requests)
    (ledger,) = workspace.state.glob("*.sqlite3-wal")
    _fill_disk(running, ledger.stat().st_size)
    full = len(running.arrived())
    stopped = running.finish()
    assert stopped.code == 7
    assert stopped.told["requests"] == len(stopped.calls)
    assert sum(stopped.told["outcomes"].values()) == 400
    show(f"disk full after {full} requests: {len(stopped.calls) - full} more")
    assert len(stopped.calls) - full <= 200 * 0.5 + 8
    said = workspace.ended(Outcome.UPDATED, Outcome.UNCHANGED) if workspace.report.exists() else set()
    rest = workspace.run()
    outcomes = assert_books(workspace, rest, 0)
    assert outcomes.keys() <= {"updated", "unchanged"}
    assert not rest.sent.keys() & said, "what was reported as updated was not durable"
    assert rest.sent.keys() == {contact.contact_id for contact in workspace.contacts} - said
    assert len(rest.sent) >= 400 - full


@pytest.mark.parametrize("requests", [1, 100])
def test_no_room_in_the_ledger_alone(workspace: Workspace, requests: int) -> None:
    """A ledger that takes no more results still gives a whole report: each row that was sent is told to be updated, or lost."""
    workspace.export(made_up(1))
    assert_books(workspace, workspace.run(), 0)
    (ledger,) = workspace.state.glob("*.sqlite3")
    with closing(sqlite3.connect(ledger, isolation_level=None)) as reader:
        # As long as somebody reads an old state the ledger only grows, until it is larger than any report.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM confirmed").fetchone()
        workspace.export(made_up(1500))
        assert_books(workspace, workspace.run(), 0)
        workspace.export(made_up(400, version="-B"))
        running = workspace.start("--rate", "200")
        running.wait_for(requests)
        _fill_disk(running, ledger.with_name(f"{ledger.name}-wal").stat().st_size)
        stopped = running.finish()
    outcomes = assert_books(workspace, stopped, 7)
    assert outcomes.keys() <= {"updated", "failed", "unprocessed"}
    assert {line["contactId"] for line in workspace.lines() if line["sync_code"] == "not-recorded"} == workspace.ended(
        Outcome.FAILED
    )
    assert workspace.ended(Outcome.UPDATED, Outcome.FAILED) == stopped.sent.keys()
    assert outcomes["failed"] > 0
    rest = workspace.run()
    assert assert_books(workspace, rest, 0) == Counter(unchanged=outcomes["updated"], updated=400 - outcomes["updated"])


def test_no_room_for_the_report(workspace: Workspace) -> None:
    """Without room for the report nothing is sent: exit 7, and the old report stays whole."""
    disk = workspace.folder / "disk"
    disk.mkdir()
    probe = subprocess.run(["unshare", "-Urm", "mount", "-t", "tmpfs", "tmpfs", disk], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    workspace.export(made_up(1500))
    # The disk is the program's alone and gone with it, so what is on it at the end goes to stderr.
    shell = (
        f'mount -t tmpfs -o size=64k tmpfs {disk}; printf "of an earlier night" > {disk}/report.csv;'
        f' "$0" "$@" --report {disk}/report.csv; code=$?; ls -A {disk} >&2; cat {disk}/report.csv >&2; exit $code'
    )
    finished = workspace.run(shell=f'exec unshare -Urm bash -c \'{shell}\' "$0" "$@"')
    assert finished.code == 7
    assert finished.stderr.endswith(b"\nreport.csv\nof an earlier night")
    assert finished.told["outcomes"] == {"unprocessed": 1500}
    assert finished.calls == []
    assert assert_books(workspace, workspace.run(), 0) == {"updated": 1500}


def test_the_place_of_the_report_is_gone(workspace: Workspace) -> None:
    """When the folder of the report vanishes while rows are sent, exit 7 says so, and what was sent is not sent again."""
    workspace.export(made_up(100))
    place = workspace.folder / "reports"
    place.mkdir()
    running = workspace.start("--rate", "100", "--report", str(place / "report.csv"))
    running.wait_for(10)
    shutil.rmtree(place)
    finished = running.finish()
    assert finished.code == 7
    assert finished.told["outcomes"] == {"updated": 100}
    assert str(place).encode() in finished.stderr
    again = workspace.run()
    assert assert_books(workspace, again, 0) == {"unchanged": 100}
    assert again.calls == []


def test_a_check_without_room_for_its_report(workspace: Workspace) -> None:
    """A check whose report finds no room leaves the old one whole, and no draft beside it."""
    workspace.export(made_up(2000))
    workspace.report.write_bytes(b"of an earlier night")
    command = [str(PROGRAM), "check", str(workspace.source)]
    process = subprocess.Popen(command, env=workspace.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    workspace.processes.append(process)
    running = Running(process, workspace.served.calls)
    _fill_disk(running, workspace.source.stat().st_size + 1000)
    finished = running.finish()
    assert finished.code == 7
    assert workspace.report.read_bytes() == b"of an earlier night"
    assert {path.name for path in workspace.folder.iterdir()} == {workspace.source.name, workspace.report.name}
