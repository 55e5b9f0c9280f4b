"""What a run shows on a terminal, and of its progress without one."""

import fcntl
import os
import pty
import re
import struct
import termios
import threading
from dataclasses import dataclass

import pytest

from contact_sync.sandbox.faults import Behaviour

from .workspace import Workspace, call_program, make_contacts

GREEN, RED = "\x1b[32m", "\x1b[31m"
RETRY_AFTER = [Behaviour(status=429, headers={"Retry-After": "2"})]
THROTTLED = [Behaviour(status=429)]


@dataclass(frozen=True)
class Shown:
    """The exit code of a run, and its output on a terminal."""

    code: int
    text: str

    @property
    def states(self) -> list[str]:
        """The drawings of the bar, without colours."""
        return re.sub(r"\x1b\[[0-9]*m", "", self.text).split("\r")


def on_a_terminal(workspace: Workspace, *options: str, columns: int = 100, env: dict[str, str] | None = None) -> Shown:
    """Run the program with stderr on a terminal, and return what that showed."""
    terminal, stream = pty.openpty()
    fcntl.ioctl(stream, termios.TIOCSWINSZ, struct.pack("4H", 25, columns, 0, 0))
    shown = bytearray()

    def watch() -> None:
        try:
            while read := os.read(terminal, 4096):
                shown.extend(read)
        except OSError:  # the program has ended
            pass

    watcher = threading.Thread(target=watch)
    watcher.start()
    with os.fdopen(stream, "w") as shown_on:
        code, _, _ = call_program(workspace.command(*options)[1:], workspace.environment | (env or {}), shown_on)
    watcher.join(timeout=60)
    os.close(terminal)
    return Shown(code, shown.decode())


def test_bar_has_counts_and_pace(workspace: Workspace) -> None:
    """The bar counts rows that were updated, are wrong and are left, and has the pace; with --quiet there is none."""
    workspace.export(make_contacts(20))
    workspace.sandbox.script["E00000"] = [Behaviour(code=4)]
    shown = on_a_terminal(workspace, "--rate", "10")
    assert shown.code == 3
    bars = [
        found for state in shown.states if (found := re.match(r"sending: (\d+) updated, (\d+) wrong, (\d+) left, \S+/s ", state))
    ]
    assert all(sum(map(int, found.groups())) == 20 for found in bars)
    assert {found[2] for found in bars} == {"0", "1"}
    assert int(bars[-1][1]) > int(bars[0][1])
    assert "19 updated" in shown.text
    assert on_a_terminal(workspace, "--quiet", "--resend") == Shown(0, "")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (RETRY_AFTER, "held by Retry-After for 2 s"),
        (THROTTLED, r"the API answered 429 \(1 time\)"),
        (THROTTLED * 5, r"pace 19\.\d of 20/s, the API answered 429 \(\d times\)"),
    ],
)
def test_bar_says_why_it_is_slow(workspace: Workspace, script: list[Behaviour], reason: str) -> None:
    """The bar says that the API throttles, also while no row ends."""
    workspace.export(make_contacts(20))
    workspace.sandbox.script["E00003"] = list(script)
    shown = on_a_terminal(workspace, "--rate", "20", "--attempts", "6")
    assert shown.code == 0
    assert any(re.search(f"/s, {reason}", state) for state in shown.states)


def test_narrow_terminal(workspace: Workspace) -> None:
    """The bar stays on one line of a narrow terminal."""
    workspace.export(make_contacts(10))
    shown = on_a_terminal(workspace, "--rate", "20", columns=40)
    bars = [state for state in shown.states if state.startswith("sending")]
    assert bars
    assert max(len(state) for state in bars) <= 40


def test_colours(workspace: Workspace) -> None:
    """Counts and outcomes are green where all is well and red where not; NO_COLOR, a dumb terminal and a pipe have no colour."""
    workspace.export(make_contacts(6, invalid=1))
    shown = on_a_terminal(workspace, "--rate", "20")
    assert f"sending: {GREEN}" in shown.text
    assert f"{GREEN}       5 updated" in shown.text
    assert f"{RED}       1 invalid" in shown.text
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        plain = on_a_terminal(workspace, "--rate", "20", "--resend", env=env)
        assert "5 updated" in plain.text
        assert not re.search(r"\x1b\[[0-9]*m", plain.text)
    assert b"\x1b" not in workspace.run().stderr


def test_lines_without_a_terminal(workspace: Workspace) -> None:
    """Without a terminal --progress prints a line with the same counts every so many seconds."""
    workspace.export(make_contacts(20))
    workspace.sandbox.script["E00003"] = [Behaviour(code=4)]
    workspace.sandbox.script["E00005"] = list(RETRY_AFTER)
    result = workspace.run("--rate", "20", "--progress", "0.2")
    assert result.code == 3
    lines = re.findall(
        r"^sending: (\d+)/20 rows, (\d+) updated, (\d+) wrong, (\d+) left, \S+/s.*$", result.stderr.decode(), re.MULTILINE
    )
    assert lines
    for done, updated, wrong, left in lines:
        assert int(updated) + int(wrong) == int(done) == 20 - int(left)
    assert b"/s, held by Retry-After for 2 s\n" in result.stderr
    assert b"\x1b" not in result.stderr
