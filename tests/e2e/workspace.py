"""A night: a source, a state folder and a served sandbox, and the program run on them as a process of its own."""

import csv
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
from typing import Any

import openpyxl

from contact_sync.model import Outcome
from contact_sync.sandbox.server import Call, Sandbox

PROGRAM = Path(sysconfig.get_path("scripts")) / "contact-sync"
KEY = "k3y-of-nobody-9f2c71"
"""Made up; it must be found in the requests and nowhere else."""

HEADER = ("contactId", "Téléphone", "Prénom", "Nom")
_FIRSTNAMES = ("Zoé", "Léa", "Inès", "Noël", "Chloé", "Hugo", "Anaïs", "Théo", "Maëlle", "Jean-Luc")
_LASTNAMES = ("Dupré", "Lefèvre", "Martin", "Nuñez", "D'Arcy", "Garçon", "Roux")
_TIMEOUT_S = 90  # seconds for anything; far more than it takes


def busiest_second(calls: Iterable[Call]) -> int:
    """Return how many of `calls` arrived within the second that holds the most of them."""
    times = [call.at for call in calls]
    return max(sum(first <= at < first + 1 for at in times) for first in times)


INTERNAL = {Outcome.READY}
"""Not an outcome of `run`."""


@dataclass(frozen=True)
class Contact:
    """A row of the source: somebody who does not exist."""

    contact_id: str
    phone: str
    firstname: str
    lastname: str

    @property
    def wrong(self) -> bool:
        """Whether it breaks a field rule."""
        return len(self.phone) < 10

    @property
    def stored(self) -> dict[str, str]:
        """What the API's store holds once the row is in place."""
        return {"phone": f"+33{self.phone.replace(' ', '')[1:]}", "firstname": self.firstname, "lastname": self.lastname}


def made_up(count: int, *, version: str = "", wrong: int = 0) -> list[Contact]:
    """Return `count` contacts, the last names marked with `version`; every second one is wrong until `wrong` of them are."""
    return [
        Contact(
            f"E{number:05}",
            "12"
            if number % 2 and number < 2 * wrong
            else f"06 00 0{number * 7 // 10000} {number * 7 // 100 % 100:02} {number * 7 % 100:02}",
            _FIRSTNAMES[number % len(_FIRSTNAMES)],
            f"{_LASTNAMES[number % len(_LASTNAMES)]}{version}",
        )
        for number in range(count)
    ]


def age(path: Path) -> None:
    """Make `path` look a minute old: one that was changed just now is watched for a while first."""
    then = time.time() - 60
    os.utime(path, (then, then))


def wait_until(condition: Callable[[], bool], *, seconds: float = _TIMEOUT_S) -> None:
    """Wait for `condition`, and fail when it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)


@dataclass(frozen=True)
class Finished:
    """How a run of the program ended."""

    code: int
    stdout: bytes
    stderr: bytes
    calls: list[Call]
    """What arrived at the sandbox meanwhile."""
    at: float
    """When it ended, in seconds of `time.monotonic`."""

    @property
    def told(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        document = json.loads(self.stdout)
        assert isinstance(document, dict)
        return document

    @property
    def sent(self) -> Counter[str]:
        """How often each contact arrived at the sandbox."""
        return Counter(call.contact_id for call in self.calls)


class Running:
    """The program in progress."""

    def __init__(self, process: "subprocess.Popen[bytes]", calls: list[Call]) -> None:
        self.process = process
        self._calls = calls
        self._before = len(calls)

    def signal(self, signum: signal.Signals) -> float:
        """Send `signum` and return when."""
        at = time.monotonic()
        self.process.send_signal(signum)
        return at

    def kill(self) -> float:
        """End it at once, as the kernel does when memory is short, and return when; nothing is asserted of it."""
        at = self.signal(signal.SIGKILL)
        self.process.communicate(timeout=_TIMEOUT_S)
        return at

    def arrived(self) -> list[Call]:
        """What has arrived at the sandbox since it was started."""
        return self._calls[self._before :]

    def wait_for(self, requests: int) -> None:
        """Wait until so many requests have arrived."""
        wait_until(lambda: len(self.arrived()) >= requests or self.process.poll() is not None)
        assert len(self.arrived()) >= requests, "it ended before"

    def finish(self) -> Finished:
        """Wait for its end."""
        stdout, stderr = self.process.communicate(timeout=_TIMEOUT_S)
        return Finished(self.process.returncode, stdout or b"", stderr or b"", self.arrived(), time.monotonic())


class Workspace:
    """A folder with a source, a state folder and a report, and the sandbox that the program sends to."""

    def __init__(self, folder: Path, served: Sandbox) -> None:
        self.folder = folder
        self.served = served
        self.source = folder / "contacts.csv"
        self.state = folder / "state"
        self.contacts: list[Contact] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "CONTACT_SYNC_API_KEY": KEY}
        self.environment["PYTHONDONTWRITEBYTECODE"] = "1"  # half a file of it, from a full disk, would hurt whoever comes next

    # ---- what is there

    @property
    def report(self) -> Path:
        """Where the program writes its report by default."""
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
        """Return a file that holds the key, readable by its owner alone."""
        path = self.folder.with_name(f"{self.folder.name}.key")
        path.touch(mode=0o600)
        path.write_text(f"{KEY}\n", encoding="ascii")
        return path

    def lines(self) -> list[dict[str, str]]:
        """The report, a dictionary a line."""
        with self.report.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file, delimiter=";", strict=True))

    def ended(self, *outcomes: Outcome) -> set[str]:
        """The contacts that, says the report, ended so."""
        return {line["contactId"] for line in self.lines() if line["sync_outcome"] in outcomes}

    def in_place(self, contact: Contact) -> bool:
        """Whether the server's store holds what the source says."""
        return contact.stored.items() <= self.served.store.get(contact.contact_id, {}).items()

    # ---- the program

    def command(self, *options: str) -> list[str]:
        """Return the command line of a run without a bound on the pace, unless `options` say otherwise."""
        usual = ["--base-url", self.served.base_url, "--state-dir", str(self.state), "--rate", "0", "--json"]
        return [str(PROGRAM), "run", str(self.source), *usual, *options]

    def start(self, *options: str, shell: str = "", env: Mapping[str, str] | None = None, **popen: Any) -> Running:
        """Start the program, by way of `shell` if given, whose `"$0" "$@"` is the command line."""
        command = self.command(*options)
        if shell:
            command = ["/bin/bash", "-c", shell, *command]
        environment = self.environment if env is None else env
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process: subprocess.Popen[bytes] = subprocess.Popen(command, env=environment, **streams | popen)
        self.processes.append(process)
        return Running(process, self.served.calls)

    def run(self, *options: str, **how: Any) -> Finished:
        """Run the program to its end."""
        return self.start(*options, **how).finish()


def assert_books(workspace: Workspace, finished: Finished, code: int, *, unseen: int = 0) -> Counter[str]:
    """Assert what holds of every run that writes a report, whatever happened, and return how many rows ended in each outcome.

    Each row of the source has exactly one outcome, in source order; only rows whose payload the server's store holds are in
    place; wrong rows never left the house; the books balance; the key is nowhere; nobody else may read anything. So many as
    `unseen` requests were no updates, or never reached the sandbox.
    """
    assert finished.code == code, finished.stderr.decode(errors="replace")
    _assert_private(workspace, finished)
    lines = workspace.lines()
    assert [line["contactId"] for line in lines] == [contact.contact_id for contact in workspace.contacts]
    assert [int(line["sync_row"]) for line in lines] == list(range(2, len(workspace.contacts) + 2))
    for line, contact in zip(lines, workspace.contacts, strict=True):
        assert (line["sync_outcome"] == Outcome.INVALID) == contact.wrong
        if line["sync_outcome"] in (Outcome.UPDATED, Outcome.UNCHANGED):
            assert workspace.in_place(contact), f"{contact.contact_id} is said to be in place"
    outcomes = Counter(line["sync_outcome"] for line in lines)
    assert outcomes.keys() <= set(Outcome) - INTERNAL
    assert not finished.sent.keys() & {contact.contact_id for contact in workspace.contacts if contact.wrong}
    if finished.stdout:
        told = finished.told
        assert told["outcomes"] == outcomes
        assert (told["rows"], told["exit_code"]) == (outcomes.total(), code)
        assert told["requests"] == len(finished.calls) + unseen
        # Where the locale knows no é, a name travels as the bytes it is made of.
        assert [os.fsencode(told[name]) for name in ("source", "report")] == [
            os.fsencode(workspace.source),
            os.fsencode(workspace.report),
        ]
    return outcomes


def assert_refused(workspace: Workspace, finished: Finished, code: int, *, report: bytes | None = None) -> None:
    """Assert what holds of every run that ends before it has anything to report: nothing sent, nothing written.

    `report` is what an earlier run left there.
    """
    assert finished.code == code, finished.stderr.decode(errors="replace")
    _assert_private(workspace, finished, report=False)
    assert finished.calls == []
    assert (workspace.report.read_bytes() if workspace.report.exists() else None) == report
    assert b"Traceback" not in finished.stderr
    told = finished.told
    assert (told["rows"], told["outcomes"], told["requests"], told["exit_code"]) == (0, {}, 0, code)


def _assert_private(workspace: Workspace, finished: Finished, *, report: bool = True) -> None:
    """Assert that the key is nowhere, and that what the program wrote is its user's alone."""
    written = [*files_in(workspace.state), *([workspace.report] if report else [])]
    holding = [path for path in files_in(workspace.folder) if KEY.encode() in path.read_bytes()]
    assert holding == []
    assert KEY.encode() not in finished.stdout + finished.stderr
    assert [path for path in written if mode(path) != 0o600] == []
    assert not workspace.state.exists() or mode(workspace.state) == 0o700


def files_in(folder: Path) -> Iterable[Path]:
    """Every file in `folder`, however deep."""
    return filter(Path.is_file, folder.rglob("*"))


def mode(path: Path) -> int:
    """The permissions of `path`."""
    return stat.S_IMODE(path.stat().st_mode)


def later(calls: Iterable[Call], at: float) -> int:
    """How many of `calls` arrived after `at`."""
    return sum(call.at > at for call in calls)


def show(measured: str) -> None:
    """Print a measurement; `pytest -s` shows it."""
    print(f"\n    {measured}")  # noqa: T201 - this is what it is for
