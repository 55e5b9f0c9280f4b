"""The world as cron knows it: hardly any environment, streams that are closed or full, nobody at a terminal."""

import fcntl
import os
import struct
import subprocess
import termios
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from contact_sync.sandbox.faults import Faults

from .workspace import PROGRAM, Contact, Finished, Workspace, assert_books, assert_refused, files_in, made_up, mode

Nightly = Callable[..., Workspace]

# How the program is called: `"$0" "$@"` is the command line of an ordinary run.
WORLDS = {
    "no environment at all": 'exec env -i "$0" "$@"',
    "nothing but PATH": 'exec env -i PATH=/usr/bin:/bin "$0" "$@"',
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


@pytest.mark.parametrize("world", WORLDS)
def test_the_same_night_everywhere(workspace: Workspace, world: str) -> None:
    """Whatever the environment, streams and umask are, the same updates are made, with the same report and exit code."""
    workspace.export(made_up(4, wrong=1), "clients d'été.csv")
    key = str(workspace.key_file())
    finished = workspace.run("--api-key-file", key, env={"PATH": "/usr/bin:/bin"}, shell=WORLDS[world])
    whole = world not in {"only the first line read", "nothing read"}
    stdout = finished.stdout if whole else b""
    outcomes = assert_books(workspace, Finished(finished.code, stdout, finished.stderr, finished.calls, finished.at), 3)
    assert outcomes == {"updated": 3, "invalid": 1}
    assert finished.sent == {"E00000": 1, "E00002": 1, "E00003": 1}
    assert list(workspace.lines()[0].items())[:4] == [
        ("contactId", "E00000"),
        ("Téléphone", "06 00 00 00 00"),
        ("Prénom", "Zoé"),
        ("Nom", "Dupré"),
    ]
    assert b"Traceback" not in finished.stderr
    assert (b"3 updated" in finished.stderr) == ("2>" not in WORLDS[world])


@pytest.mark.parametrize("descriptor", [0, 1, 2])
def test_a_closed_stream_is_nobody_elses(workspace: Workspace, descriptor: int) -> None:
    """What was closed is not given to a file of the program, which a stray print would then write into."""
    workspace.export(made_up(20))
    running = workspace.start("--rate", "40", shell=f'exec "$0" "$@" {descriptor}>&-')
    running.wait_for(2)
    assert Path(f"/proc/{running.process.pid}/fd/{descriptor}").readlink() == Path(os.devnull)
    assert assert_books(workspace, running.finish(), 0) == {"updated": 20}


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
@pytest.mark.parametrize(
    ("shell", "codes", "told"),
    [
        ('exec "$0" "$@" >/dev/full', {7}, b"contact-sync: The output cannot be written (No space left on device).\n"),
        ('exec "$0" "$@" >&-', {0}, b""),
        ('set -o pipefail; "$0" "$@" | :', {0, 1}, b""),  # 1 where the reader had gone before the help came: click's own
    ],
)
def test_nobody_reads_the_help(workspace: Workspace, arguments: list[str], shell: str, codes: set[int], told: bytes) -> None:
    """Help that cannot be written is no bug of the program: a full disk is told in one sentence, a lost reader not at all."""
    command = ["/bin/bash", "-c", shell, str(PROGRAM), *arguments]
    done = subprocess.run(command, env=workspace.environment, capture_output=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == (b"", told)
    assert done.returncode in codes


# ---- quiet


def test_quiet_success(workspace: Workspace) -> None:
    """With --quiet a night without trouble prints not one byte, so that cron sends no mail."""
    workspace.export(made_up(10))
    for expected in ("updated", "unchanged"):
        finished = _without_json(workspace, "--quiet")
        assert (finished.stdout, finished.stderr) == (b"", b"")
        assert assert_books(workspace, finished, 0) == {expected: 10}


def _without_json(workspace: Workspace, *options: str) -> Finished:
    command = [part for part in workspace.command(*options) if part != "--json"]
    before = len(workspace.served.calls)
    done = subprocess.run(command, env=workspace.environment, capture_output=True, check=False, timeout=60)
    return Finished(done.returncode, done.stdout, done.stderr, workspace.served.calls[before:], 0)


def _many_causes(workspace: Workspace) -> int:
    wrong = [
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
    workspace.export([*made_up(30), *(Contact(contact_id, phone, "L" * 50, "Dupré") for contact_id, phone in wrong)])
    return 3


def _nothing_but_wrong_rows(workspace: Workspace) -> int:
    workspace.export([*made_up(3, wrong=1), Contact("E9", "1", "", ""), Contact("E8", "2", "", "")])
    return 4


def _wrong_key(workspace: Workspace) -> int:
    workspace.export(made_up(3))
    workspace.served.key = "another"
    return 5


def _no_source(workspace: Workspace) -> int:
    return 4


def _rows_that_fail(workspace: Workspace) -> int:
    workspace.export(made_up(3))
    workspace.served.faults = Faults(altered=1)
    return 3


def _no_folder_for_the_state(workspace: Workspace) -> int:
    workspace.export(made_up(3))
    workspace.state.write_text("in the way", encoding="ascii")
    workspace.state.chmod(0o700)
    return 7


@pytest.mark.parametrize(
    "trouble", [_many_causes, _nothing_but_wrong_rows, _wrong_key, _no_source, _rows_that_fail, _no_folder_for_the_state]
)
def test_quiet_trouble(workspace: Workspace, trouble: Callable[[Workspace], int]) -> None:
    """With --quiet trouble is told in ten lines at most, which name no person and no number, and nothing on stdout."""
    code = trouble(workspace)
    finished = _without_json(workspace, "--quiet")
    said = finished.stderr.decode()
    assert (finished.code, finished.stdout) == (code, b"")
    assert 1 <= len(said.splitlines()) <= 10
    assert "Traceback" not in said
    assert not [contact for contact in workspace.contacts if contact.phone in said and len(contact.phone) > 6]
    assert not [contact for contact in workspace.contacts if contact.firstname and contact.firstname in said]


# ---- a terminal


def _on_a_terminal(workspace: Workspace, *options: str) -> tuple[int, bytes]:
    """Return the exit code, and what a terminal on stderr shows."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 25, 80, 0, 0))
    shown = bytearray()

    def watch() -> None:
        try:
            while read := os.read(ours, 4096):
                shown.extend(read)
        except OSError:  # the other side is closed
            pass

    watcher = threading.Thread(target=watch)
    watcher.start()
    running = workspace.start(*options, stderr=theirs)
    os.close(theirs)
    finished = running.finish()
    watcher.join(timeout=10)
    os.close(ours)
    return finished.code, bytes(shown)


def test_a_bar_on_a_terminal(workspace: Workspace) -> None:
    """On a terminal a progress bar shows the rows sent; with --quiet there is none there either."""
    workspace.export(made_up(20))
    code, shown = _on_a_terminal(workspace, "--rate", "20")
    assert code == 0
    assert b"sending:" in shown
    assert b"/20" in shown
    assert b"20 updated" in shown
    assert _on_a_terminal(workspace, "--quiet", "--resend") == (0, b"")


def test_no_bar_without_a_terminal(workspace: Workspace) -> None:
    """Without a terminal there is no progress bar, and no control character at all."""
    workspace.export(made_up(20))
    finished = workspace.run()
    assert_books(workspace, finished, 0)
    assert b"sending:" not in finished.stderr
    assert not set(finished.stderr) & (set(range(32)) - {ord("\n")})


# ---- permissions


def test_what_others_could_read_becomes_private(workspace: Workspace) -> None:
    """A ledger and a report that others could read are the user's alone after the next run."""
    workspace.export(made_up(5))
    assert_books(workspace, workspace.run(), 0)
    ledgers = [path for path in files_in(workspace.state) if ".sqlite3" in path.name]
    for path in (workspace.report, *ledgers):
        path.chmod(0o644)
    assert len(ledgers) >= 1
    assert assert_books(workspace, workspace.run(), 0) == {"unchanged": 5}  # which looks at the permissions


def test_a_report_for_others(workspace: Workspace) -> None:
    """--report-mode 640 lets the group read the report, whatever the umask is."""
    workspace.export(made_up(2))
    finished = workspace.run("--report-mode", "640", shell='umask 077; exec "$0" "$@"')
    assert (finished.code, mode(workspace.report)) == (0, 0o640)


@pytest.mark.parametrize("permissions", [0o644, 0o640])
def test_a_key_that_others_can_read(workspace: Workspace, permissions: int) -> None:
    """A key file that others can read is refused with exit 2 before anything is sent or written."""
    workspace.export(made_up(5))
    path: Path = workspace.key_file()
    path.chmod(permissions)
    del workspace.environment["CONTACT_SYNC_API_KEY"]
    finished = workspace.run("--api-key-file", str(path))
    assert_refused(workspace, finished, 2)
    assert b"chmod 600" in finished.stderr
