"""A workspace: a folder with a source, a state folder and a served sandbox, on which the program runs."""

import csv
import io
import json
import os
import signal
import stat
import subprocess
import sysconfig
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from unittest import mock

import openpyxl

from contact_sync.cli.console import Streams
from contact_sync.cli.main import main
from contact_sync.model.row import Outcome
from contact_sync.sandbox.server import Call, Sandbox

PROGRAM = Path(sysconfig.get_path("scripts")) / "contact-sync"
KEY = "k3y-made-up-9f2c71"
"""Made up; only the requests may contain it."""

HEADER = ("contactId", "Téléphone", "Prénom", "Nom")
_FIRSTNAMES = ("Zoé", "Léa", "Inès", "Noël", "Chloé", "Hugo", "Anaïs", "Théo", "Maëlle", "Jean-Luc")
_LASTNAMES = ("Dupré", "Lefèvre", "Martin", "Nuñez", "D'Arcy", "Garçon", "Roux")
_TIMEOUT_S = 90  # for anything; far more than it takes


def busiest_second(calls: Iterable[Call]) -> int:
    """Return the largest number of `calls` that arrived within one second."""
    times = [call.at for call in calls]
    return max(sum(first <= at < first + 1 for at in times) for first in times)


@dataclass(frozen=True)
class Contact:
    """A row of the source, with fictional values."""

    contact_id: str
    phone: str
    firstname: str
    lastname: str

    @property
    def invalid(self) -> bool:
        """True when it breaks a field rule."""
        return len(self.phone) < 10

    @property
    def stored(self) -> dict[str, str]:
        """Fields of the contact in the API's store once the row is in place."""
        return {"phone": f"+33{self.phone.replace(' ', '')[1:]}", "firstname": self.firstname, "lastname": self.lastname}


def make_contacts(count: int, *, version: str = "", invalid: int = 0) -> list[Contact]:
    """Return `count` contacts, their last names followed by `version`; of the first ones, every second is invalid."""
    return [
        Contact(
            f"E{number:05}",
            "12"
            if number % 2 and number < 2 * invalid
            else f"06 00 0{number * 7 // 10000} {number * 7 // 100 % 100:02} {number * 7 % 100:02}",
            _FIRSTNAMES[number % len(_FIRSTNAMES)],
            f"{_LASTNAMES[number % len(_LASTNAMES)]}{version}",
        )
        for number in range(count)
    ]


def age(path: Path) -> None:
    """Make `path` a minute old: a recently changed file is watched first."""
    then = time.time() - 60
    os.utime(path, (then, then))


def wait_until(condition: Callable[[], bool], *, seconds: float = _TIMEOUT_S) -> None:
    """Wait until `condition` is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timeout"
        time.sleep(0.005)


def call_program(
    arguments: Sequence[str], environment: Mapping[str, str], terminal: TextIO | None = None
) -> tuple[int, str, str]:
    """Call the program inside this process, with stderr on a `terminal` if given; return its exit code and what it prints."""
    stdout, stderr = io.StringIO(), io.StringIO()
    umask = os.umask(0o022)
    with mock.patch.dict(os.environ, environment, clear=True):
        code = main(arguments, streams=Streams(stdout, terminal or stderr))
    os.umask(umask)
    return code, stdout.getvalue(), stderr.getvalue()


@dataclass(frozen=True)
class RunResult:
    """Result of a run of the program."""

    code: int
    stdout: bytes
    stderr: bytes
    calls: list[Call]
    """Updates that arrived at the sandbox during the run."""
    at: float
    """End of the run, in seconds of `time.monotonic`."""

    @property
    def summary(self) -> dict[str, Any]:
        """The object printed by `--json`."""
        document = json.loads(self.stdout)
        assert isinstance(document, dict)
        return document

    @property
    def sent(self) -> Counter[str]:
        """Number of updates that arrived, by contactId."""
        return Counter(call.contact_id for call in self.calls)


class RunningProgram:
    """The program in progress."""

    def __init__(self, process: "subprocess.Popen[bytes]", calls: list[Call]) -> None:
        self.process = process
        self._calls = calls
        self._before = len(calls)

    def signal(self, signum: signal.Signals) -> float:
        """Send `signum` and return the time."""
        at = time.monotonic()
        self.process.send_signal(signum)
        return at

    def kill(self) -> float:
        """Kill the program as the kernel does when memory is short, and return the time."""
        at = self.signal(signal.SIGKILL)
        self.process.communicate(timeout=_TIMEOUT_S)
        return at

    def arrived(self) -> list[Call]:
        """Return the updates that have arrived at the sandbox since the start."""
        return self._calls[self._before :]

    def wait_for(self, requests: int) -> None:
        """Wait until `requests` updates have arrived."""
        wait_until(lambda: len(self.arrived()) >= requests or self.process.poll() is not None)
        assert len(self.arrived()) >= requests, "the program ended before"

    def finish(self) -> RunResult:
        """Wait for the end of the program."""
        stdout, stderr = self.process.communicate(timeout=_TIMEOUT_S)
        return RunResult(self.process.returncode, stdout or b"", stderr or b"", self.arrived(), time.monotonic())


class Workspace:
    """A folder with a source, a state folder and a report, and the sandbox to which the program sends."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.source = folder / "contacts.csv"
        self.state = folder / "state"
        self.contacts: list[Contact] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "CONTACT_SYNC_API_KEY": KEY}
        self.environment["PYTHONDONTWRITEBYTECODE"] = "1"  # a truncated file from a full disk would break later runs

    # ---- files

    @property
    def report(self) -> Path:
        """Default path of the report."""
        return self.source.with_name(f"{self.source.stem}.results.csv")

    def export(self, contacts: Sequence[Contact], name: str = "contacts.csv") -> None:
        """Write the source as a French office program does."""
        self.contacts = list(contacts)
        self.source = self.folder / name
        rows = [HEADER, *((c.contact_id, c.phone, c.firstname, c.lastname) for c in contacts)]
        if name.endswith(".xlsx"):
            book = openpyxl.Workbook()
            sheet = book.create_sheet("Contacts", 0)
            for row in rows:
                sheet.append(row)
            book.save(self.source)
        else:
            with self.source.open("w", encoding="cp1252", newline="") as file:
                csv.writer(file, delimiter=";").writerows(rows)
        age(self.source)

    def key_file(self) -> Path:
        """Return a private file with the key."""
        path = self.folder.with_name(f"{self.folder.name}.key")
        path.touch(mode=0o600)
        path.write_text(f"{KEY}\n", encoding="ascii")
        return path

    def lines(self) -> list[dict[str, str]]:
        """Return the report, a dictionary a line."""
        with self.report.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file, delimiter=";", strict=True))

    def contacts_with(self, *outcomes: Outcome) -> set[str]:
        """Return the contactIds whose outcome in the report is one of `outcomes`."""
        return {line["contactId"] for line in self.lines() if line["sync_outcome"] in outcomes}

    def in_place(self, contact: Contact) -> bool:
        """Return True when the store of the sandbox has the values of the source."""
        return contact.stored.items() <= self.sandbox.store.get(contact.contact_id, {}).items()

    # ---- the program

    def command(self, *options: str) -> list[str]:
        """Return the command line of a run without a rate limit, unless `options` set one."""
        defaults = ["--base-url", self.sandbox.base_url, "--state-dir", str(self.state), "--rate", "0", "--json"]
        return [str(PROGRAM), "run", str(self.source), *defaults, *options]

    def start(self, *options: str, shell: str = "", env: Mapping[str, str] | None = None, **popen: Any) -> RunningProgram:
        """Start the program, optionally from a `shell` script in which `"$0" "$@"` is the command line."""
        command = self.command(*options)
        if shell:
            command = ["/bin/bash", "-c", shell, *command]
        environment = self.environment if env is None else env
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process: subprocess.Popen[bytes] = subprocess.Popen(command, env=environment, **streams | popen)
        self.processes.append(process)
        return RunningProgram(process, self.sandbox.calls)

    def run(self, *options: str) -> RunResult:
        """Run the program to its end, inside this process."""
        return self.call(*self.command(*options)[1:])

    def call(self, *arguments: str, **env: str) -> RunResult:
        """Call the program with any command and more variables, inside this process: to start one takes ten times as long.

        Where the process matters (its streams, signals, limits, variables that Python reads), use `start`.

        """
        before = len(self.sandbox.calls)
        code, stdout, stderr = call_program(arguments, self.environment | env)
        return RunResult(code, stdout.encode(), stderr.encode(), self.sandbox.calls[before:], time.monotonic())


def other_address(workspace: Workspace) -> str:
    """Return another address of the sandbox: what is there is another account."""
    return workspace.sandbox.base_url.replace("127.0.0.1", "localhost")


NewWorkspace = Callable[..., Workspace]
"""Type of the fixture `new_workspace`."""


def assert_consistent(workspace: Workspace, result: RunResult, code: int, *, unseen: int = 0) -> Counter[str]:
    """Assert what is true of every run that writes a report, and return the number of rows by outcome.

    Each row of the source has exactly one outcome, in source order. A row is reported as in place only when the store of the
    sandbox has its values. Invalid rows were not sent. The counts of report, summary and sandbox agree. The key is nowhere, and
    no other user can read what was written. `unseen` requests were not updates, or did not reach the sandbox.

    """
    assert result.code == code, result.stderr.decode(errors="replace")
    _assert_private(workspace, result)
    lines = workspace.lines()
    assert [line["contactId"] for line in lines] == [contact.contact_id for contact in workspace.contacts]
    assert [int(line["sync_row"]) for line in lines] == list(range(2, len(workspace.contacts) + 2))
    for line, contact in zip(lines, workspace.contacts, strict=True):
        assert (line["sync_outcome"] == Outcome.INVALID) == contact.invalid
        if line["sync_outcome"] in (Outcome.UPDATED, Outcome.UNCHANGED):
            assert workspace.in_place(contact), f"{contact.contact_id} is reported as in place"
    outcomes = Counter(line["sync_outcome"] for line in lines)
    assert outcomes.keys() <= set(Outcome) - {Outcome.READY}
    assert not result.sent.keys() & {contact.contact_id for contact in workspace.contacts if contact.invalid}
    if result.stdout:
        summary = result.summary
        assert summary["outcomes"] == outcomes
        assert (summary["rows"], summary["exit_code"]) == (outcomes.total(), code)
        assert summary["requests"] == len(result.calls) + unseen
        # In a locale without é a name is passed as its bytes.
        assert [os.fsencode(summary[name]) for name in ("source", "report")] == [
            os.fsencode(workspace.source),
            os.fsencode(workspace.report),
        ]
    return outcomes


def assert_refused(workspace: Workspace, result: RunResult, code: int, *, report: bytes | None = None) -> None:
    """Assert what is true of every run that ends before it has anything to report: nothing sent, nothing written.

    `report` is the content that an earlier run wrote there.

    """
    assert result.code == code, result.stderr.decode(errors="replace")
    _assert_private(workspace, result, report=False)
    assert result.calls == []
    assert (workspace.report.read_bytes() if workspace.report.exists() else None) == report
    assert b"Traceback" not in result.stderr
    summary = result.summary
    assert (summary["rows"], summary["outcomes"], summary["requests"], summary["exit_code"]) == (0, {}, 0, code)


def _assert_private(workspace: Workspace, result: RunResult, *, report: bool = True) -> None:
    """Assert that the key is nowhere, and that only the user can read what was written."""
    written = [*files_in(workspace.state), *([workspace.report] if report else [])]
    assert [path for path in files_in(workspace.folder) if KEY.encode() in path.read_bytes()] == []
    assert KEY.encode() not in result.stdout + result.stderr
    assert [path for path in written if mode(path) != 0o600] == []
    assert not workspace.state.exists() or mode(workspace.state) == 0o700


def files_in(folder: Path) -> Iterable[Path]:
    """Return every file below `folder`."""
    return filter(Path.is_file, folder.rglob("*"))


def mode(path: Path) -> int:
    """Return the permissions of `path`."""
    return stat.S_IMODE(path.stat().st_mode)


def count_after(calls: Iterable[Call], at: float) -> int:
    """Return the number of `calls` that arrived after `at`."""
    return sum(call.at > at for call in calls)


def show(measured: str) -> None:
    """Print a measurement, visible with `pytest -s`."""
    print(f"\n    {measured}")  # noqa: T201 - for `pytest -s`
