"""Runs under cron: little environment, closed or full streams, no terminal."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from contact_sync.sandbox.faults import Faults

from .workspace import Contact, RunResult, Workspace, assert_consistent, assert_refused, files_in, make_contacts, mode

INVOCATIONS = {
    "no environment at all": 'exec env -i "$0" "$@"',
    "C locale, no UTF-8 mode": 'LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 exec "$0" "$@" -v',
    "streams in ASCII": 'PYTHONIOENCODING=ascii exec "$0" "$@" -v',
    "stdin closed": 'exec "$0" "$@" <&-',
    "stdout closed": 'exec "$0" "$@" >&-',
    "stderr closed": 'exec "$0" "$@" -v 2>&-',
    "everything closed": 'exec "$0" "$@" -v <&- >&- 2>&-',
    "stdout full": 'exec "$0" "$@" >/dev/full',
    "stderr full": 'exec "$0" "$@" -v 2>/dev/full',
    "everything full": 'exec "$0" "$@" -v >/dev/full 2>/dev/full',
    "only the first line read": 'set -o pipefail; "$0" "$@" -v 2>&1 | head -1',
    "nothing read": 'set -o pipefail; "$0" "$@" -v 2>&1 | :',
    "umask 000": 'umask 000; exec "$0" "$@"',
}
"""Invocation → shell script that starts the program; `"$0" "$@"` is its command line."""


@pytest.mark.parametrize("invocation", INVOCATIONS)
def test_run_does_not_depend_on_its_environment(workspace: Workspace, invocation: str) -> None:
    """In every environment the same updates are made, with the same report and exit code."""
    workspace.export(make_contacts(4, invalid=1), "clients d'été.csv")
    key = str(workspace.key_file())
    result = workspace.start("--api-key-file", key, env={"PATH": "/usr/bin:/bin"}, shell=INVOCATIONS[invocation]).finish()
    whole = invocation not in {"only the first line read", "nothing read"}
    stdout = result.stdout if whole else b""
    outcomes = assert_consistent(workspace, RunResult(result.code, stdout, result.stderr, result.calls, result.at), 3)
    assert outcomes == {"updated": 3, "invalid": 1}
    assert result.sent == {"E00000": 1, "E00002": 1, "E00003": 1}
    assert list(workspace.lines()[0].items())[:4] == [
        ("contactId", "E00000"),
        ("Téléphone", "06 00 00 00 00"),
        ("Prénom", "Zoé"),
        ("Nom", "Dupré"),
    ]
    assert b"Traceback" not in result.stderr
    assert (b"3 updated" in result.stderr) == ("2>" not in INVOCATIONS[invocation])


@pytest.mark.parametrize("descriptor", [0, 1, 2])
def test_closed_stream_is_not_reused(workspace: Workspace, descriptor: int) -> None:
    """The descriptor of a closed stream is not reused for a file, which a stray print would write into."""
    workspace.export(make_contacts(20))
    running = workspace.start("--rate", "40", shell=f'exec "$0" "$@" {descriptor}>&-')
    running.wait_for(2)
    assert Path(f"/proc/{running.process.pid}/fd/{descriptor}").readlink() == Path(os.devnull)
    assert assert_consistent(workspace, running.finish(), 0) == {"updated": 20}


# ---- quiet


def test_quiet_success(workspace: Workspace) -> None:
    """With --quiet a successful run prints nothing, so that cron sends no mail."""
    workspace.export(make_contacts(10))
    for expected in ("updated", "unchanged"):
        result = workspace.start(shell='exec "$0" "${@/--json/--quiet}"').finish()
        assert (result.stdout, result.stderr) == (b"", b"")
        assert assert_consistent(workspace, result, 0) == {expected: 10}


def _many_mistakes(workspace: Workspace) -> int:
    rows = [
        ("", "0600000001"),
        ("E 1", "0600000002"),
        ("1.23E+15", "0600000003"),
        ("123456789012345000.0", "12"),
        ("Total", "06000000a4"),
        ("E2", "1.23E+10"),
        ("E3", "0600000005 / 0600000006"),
        ("E4", "#N/A"),
        ("E5", "<clear>"),
        ("E6", "01 99 00 00 01"),
        ("E7", "0600000008"),
        ("E7", "0600000009"),
    ]
    workspace.export([*make_contacts(30), *(Contact(contact_id, phone, "L" * 50, "Dupré") for contact_id, phone in rows)])
    return 3


def _only_invalid_rows(workspace: Workspace) -> int:
    workspace.export([*make_contacts(3, invalid=1), Contact("E9", "1", "", ""), Contact("E8", "2", "", "")])
    return 4


def _refused_key(workspace: Workspace) -> int:
    workspace.export(make_contacts(3))
    workspace.sandbox.key = "another"
    return 5


def _missing_source(workspace: Workspace) -> int:
    return 4


def _altered_rows(workspace: Workspace) -> int:
    workspace.export(make_contacts(3))
    workspace.sandbox.faults = Faults(altered=1)
    return 3


def _unusable_state_folder(workspace: Workspace) -> int:
    workspace.export(make_contacts(3))
    workspace.state.write_text("in the way", encoding="ascii")
    workspace.state.chmod(0o700)
    return 7


@pytest.mark.parametrize(
    "problem", [_many_mistakes, _only_invalid_rows, _refused_key, _missing_source, _altered_rows, _unusable_state_folder]
)
def test_quiet_problem(workspace: Workspace, problem: Callable[[Workspace], int]) -> None:
    """With --quiet a problem is reported in ten lines at most, without names and numbers, and nothing on stdout."""
    code = problem(workspace)
    result = workspace.call(*(part for part in workspace.command("--quiet")[1:] if part != "--json"))
    messages = result.stderr.decode()
    assert (result.code, result.stdout) == (code, b"")
    assert 1 <= len(messages.splitlines()) <= 10
    assert "Traceback" not in messages
    assert not [contact for contact in workspace.contacts if contact.phone in messages and len(contact.phone) > 6]
    assert not [contact for contact in workspace.contacts if contact.firstname and contact.firstname in messages]


# ---- no terminal


def test_no_progress_bar_without_a_terminal(workspace: Workspace) -> None:
    """Without a terminal there is no progress bar and no control character."""
    workspace.export(make_contacts(20))
    result = workspace.run()
    assert_consistent(workspace, result, 0)
    assert b"sending:" not in result.stderr
    assert not set(result.stderr) & (set(range(32)) - {ord("\n")})


# ---- permissions


def test_permissions_are_corrected(workspace: Workspace) -> None:
    """The next run makes a ledger and a report private that others could read."""
    workspace.export(make_contacts(5))
    assert_consistent(workspace, workspace.run(), 0)
    ledgers = [path for path in files_in(workspace.state) if ".sqlite3" in path.name]
    for path in (workspace.report, *ledgers):
        path.chmod(0o644)
    assert len(ledgers) >= 1
    assert assert_consistent(workspace, workspace.run(), 0) == {"unchanged": 5}  # which corrects the permissions


def test_report_mode(workspace: Workspace) -> None:
    """--report-mode 640 lets the group read the report, whatever the umask is."""
    workspace.export(make_contacts(2))
    result = workspace.start("--report-mode", "640", shell='umask 077; exec "$0" "$@"').finish()
    assert (result.code, mode(workspace.report)) == (0, 0o640)


@pytest.mark.parametrize("permissions", [0o644, 0o640])
def test_key_file_that_others_can_read(workspace: Workspace, permissions: int) -> None:
    """A key file that others can read is refused with exit 2 before anything is sent or written."""
    workspace.export(make_contacts(5))
    path: Path = workspace.key_file()
    path.chmod(permissions)
    del workspace.environment["CONTACT_SYNC_API_KEY"]
    result = workspace.run("--api-key-file", str(path))
    assert_refused(workspace, result, 2)
    assert b"chmod 600" in result.stderr
