"""A full disk: nothing is reported that was not written, and existing files are not damaged."""

import resource
import shutil
import sqlite3
import subprocess
from collections import Counter
from contextlib import closing

import pytest

from contact_sync.model.row import Outcome

from .workspace import PROGRAM, RunningProgram, Workspace, assert_consistent, assert_refused, make_contacts, show


def _fill_disk(running: RunningProgram, size: int) -> None:
    """Limit every file of the program to `size` bytes from now on."""
    _, hard = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (size, hard))


def test_no_space_for_staging(workspace: Workspace) -> None:
    """Without space to stage the rows the run ends with exit 7, sends nothing, and does not change the old report."""
    workspace.export(make_contacts(300))
    workspace.report.write_bytes(b"of an earlier run")
    for size in (0, 4_000, 60_000):
        running = workspace.start()
        _fill_disk(running, size)
        assert_refused(workspace, running.finish(), 7, report=b"of an earlier run")
    assert assert_consistent(workspace, workspace.run(), 0) == {"updated": 300}


@pytest.mark.parametrize("requests", [1, 100])
def test_no_space_for_results(workspace: Workspace, requests: int) -> None:
    """When no more results can be recorded the run stops with exit 7; the next run sends exactly what was not recorded."""
    workspace.export(make_contacts(400))
    running = workspace.start("--rate", "200")
    running.wait_for(requests)
    (ledger,) = workspace.state.glob("*.sqlite3-wal")
    _fill_disk(running, ledger.stat().st_size)
    before = len(running.arrived())
    stopped = running.finish()
    assert stopped.code == 7
    assert stopped.summary["requests"] == len(stopped.calls)
    assert sum(stopped.summary["outcomes"].values()) == 400
    show(f"disk full after {before} requests: {len(stopped.calls) - before} more")
    assert len(stopped.calls) - before <= 200 * 0.5 + 8
    reported = workspace.contacts_with(Outcome.UPDATED, Outcome.UNCHANGED) if workspace.report.exists() else set()
    rest = workspace.run()
    outcomes = assert_consistent(workspace, rest, 0)
    assert outcomes.keys() <= {"updated", "unchanged"}
    assert not rest.sent.keys() & reported, "what was reported as updated was not durable"
    assert rest.sent.keys() == {contact.contact_id for contact in workspace.contacts} - reported
    assert len(rest.sent) >= 400 - before


@pytest.mark.parametrize("requests", [1, 100])
def test_no_space_in_the_ledger(workspace: Workspace, requests: int) -> None:
    """When only the ledger is full the report is complete: each row that was sent is updated, or failed as not recorded."""
    workspace.export(make_contacts(1))
    assert_consistent(workspace, workspace.run(), 0)
    (ledger,) = workspace.state.glob("*.sqlite3")
    with closing(sqlite3.connect(ledger, isolation_level=None)) as reader:
        # While a reader uses an old snapshot the ledger only grows, until it is larger than any report.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM confirmed").fetchone()
        workspace.export(make_contacts(500))
        assert_consistent(workspace, workspace.run(), 0)
        workspace.export(make_contacts(200, version="-B"))
        running = workspace.start("--rate", "200")
        running.wait_for(requests)
        _fill_disk(running, ledger.with_name(f"{ledger.name}-wal").stat().st_size)
        stopped = running.finish()
    outcomes = assert_consistent(workspace, stopped, 7)
    assert outcomes.keys() <= {"updated", "failed", "unprocessed"}
    assert {line["contactId"] for line in workspace.lines() if line["sync_code"] == "not-recorded"} == workspace.contacts_with(
        Outcome.FAILED
    )
    assert workspace.contacts_with(Outcome.UPDATED, Outcome.FAILED) == stopped.sent.keys()
    assert outcomes["failed"] > 0
    rest = workspace.run()
    assert assert_consistent(workspace, rest, 0) == Counter(unchanged=outcomes["updated"], updated=200 - outcomes["updated"])


def test_no_space_for_the_report(workspace: Workspace) -> None:
    """Without space for the report nothing is sent: exit 7, and the old report is not changed."""
    disk = workspace.folder / "disk"
    disk.mkdir()
    probe = subprocess.run(["unshare", "-Urm", "mount", "-t", "tmpfs", "tmpfs", disk], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("this machine does not allow mounting a small disk")
    workspace.export(make_contacts(400))
    # The disk exists only in the program's namespace, so its final content is printed to stderr.
    shell = (
        f'mount -t tmpfs -o size=16k tmpfs {disk}; printf "contactId;sync_row" > {disk}/report.csv;'
        f' "$0" "$@" --report {disk}/report.csv; code=$?; ls -A {disk} >&2; cat {disk}/report.csv >&2; exit $code'
    )
    result = workspace.start(shell=f'exec unshare -Urm bash -c \'{shell}\' "$0" "$@"').finish()
    assert result.code == 7
    assert result.stderr.endswith(b"\nreport.csv\ncontactId;sync_row")
    assert result.summary["outcomes"] == {"unprocessed": 400}
    assert result.calls == []
    assert assert_consistent(workspace, workspace.run(), 0) == {"updated": 400}


def test_folder_of_the_report_is_deleted(workspace: Workspace) -> None:
    """When the folder of the report is deleted during the run, exit 7, and what was sent is not sent again."""
    workspace.export(make_contacts(100))
    folder = workspace.folder / "reports"
    folder.mkdir()
    running = workspace.start("--rate", "100", "--report", str(folder / "report.csv"))
    running.wait_for(10)
    shutil.rmtree(folder)
    result = running.finish()
    assert result.code == 7
    assert result.summary["outcomes"] == {"updated": 100}
    assert str(folder).encode() in result.stderr
    again = workspace.run()
    assert assert_consistent(workspace, again, 0) == {"unchanged": 100}
    assert again.calls == []


def test_check_without_space_for_its_report(workspace: Workspace) -> None:
    """A check without space for its report does not change the old one, and leaves no draft."""
    workspace.export(make_contacts(2000))
    workspace.report.write_bytes(b"of an earlier run")
    command = [str(PROGRAM), "check", str(workspace.source)]
    process = subprocess.Popen(command, env=workspace.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    workspace.processes.append(process)
    running = RunningProgram(process, workspace.sandbox.calls)
    _fill_disk(running, workspace.source.stat().st_size + 1000)
    result = running.finish()
    assert result.code == 7
    assert workspace.report.read_bytes() == b"of an earlier run"
    assert {path.name for path in workspace.folder.iterdir()} == {workspace.source.name, workspace.report.name}
