"""A run that was refused or stopped leaves a page, a workbook where its source is one, and a line in the history."""

import fcntl
import html
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pytest

from contact_sync.errors import StorageError
from contact_sync.sandbox.faults import Behaviour
from contact_sync.sandbox.server import Sandbox

from .program import KEY, Main, key_file, write


def workbook(*rows: tuple[str, ...], name: str = "contacts.xlsx", hidden: tuple[int, ...] = ()) -> Path:
    """Write a workbook that was last changed a minute ago."""
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    for number in hidden:
        book.worksheets[0].row_dimensions[number].hidden = True
    book.save(name)
    os.utime(name, (time.time() - 60,) * 2)
    return Path(name)


def page(name: str = "p.html") -> str:
    """Return the text of the page."""
    return Path(name).read_text(encoding="utf-8")


@dataclass
class Nights:
    """Runs of a file with a page, and the sandbox that they send to."""

    main: Main
    sandbox: Sandbox
    options: list[str]

    def __call__(self, source: str = "contacts.csv", *more: str) -> tuple[int, str]:
        """Run a file, and return the exit code and what was printed."""
        self.main.read()
        code = self.main("run", source, *self.options, "--rate", "0", "--page", "p.html", *more)
        return code, self.main.read().err

    @property
    def last_line(self) -> dict[str, object]:
        """The last run in the history."""
        self.main.read()
        assert self.main("history", *self.options, "--json") == 0
        found: dict[str, object] = json.loads(self.main.read().out)[0]
        return found


@pytest.fixture
def night(main: Main, served: tuple[Sandbox, list[str]]) -> Nights:
    """Return a function that runs a file."""
    return Nights(main, *served)


def broken_key_file() -> list[str]:
    """Return options with a key file that others can read."""
    return ["--api-key-file", str(key_file(mode=0o644))]


@pytest.mark.parametrize(
    ("rows", "header", "end"),
    [
        (["C1;Zoé"], "contactId;fisrtname", (4, "fisrtname")),
        ([], "contactId;firstname", (4, "has no data row")),
        (None, "", (4, "does not exist")),
    ],
)
def test_refused_night(night: Nights, rows: list[str] | None, header: str, end: tuple[int, str]) -> None:
    """A page that was asked for says why nothing was sent, in place of that of yesterday, and so does the history."""
    code, reason = end
    write("C000001;Zoé")
    assert night()[0] == 0
    assert "The one contact is in place." in page()
    before = night.last_line
    if rows is None:
        Path("contacts.csv").unlink()
    else:
        write(*rows, header=header)
    ended, err = night("contacts.csv")
    assert ended == code
    assert reason in err
    assert "Page: p.html" in err
    text = page()
    assert "<title>contacts.csv: Nothing was sent.</title>" in text
    assert "The one contact is in place." not in text
    assert reason in text
    line = night.last_line
    assert line != before
    assert (line["exit_code"], line["outcomes"]) == (code, {})
    assert reason in str(line["reason"])
    assert night.main("history", *night.options) == 0
    assert reason in night.main.read().out.splitlines()[0]


@pytest.mark.parametrize(
    ("options", "end"),
    [
        (lambda: ["--map", "x=custom1"], (2, "--map names a column", True)),
        (broken_key_file, (2, "can be read by others", False)),
        (lambda: ["--state-dir", "/dev/null/x"], (7, "cannot be used", False)),
        (lambda: ["--colour", "red"], (2, "No such option", False)),
        (lambda: ["--lang", "de"], (2, "is not one of", False)),
        (lambda: ["--config", "missing.toml"], (2, "missing.toml cannot be read", False)),
    ],
)
def test_night_that_could_not_start(night: Nights, options: Callable[[], list[str]], end: tuple[int, str, bool]) -> None:
    """A run that could not start keeps the workbook of the last one; where it knows its reports, they say why."""
    code, reason, in_history = end
    workbook(("contactId", "firstname"), ("C000001", "Zoé"))
    assert night("contacts.xlsx")[0] == 0
    before, last = {path.name: path.read_bytes() for path in Path().glob("*.*")}, night.last_line
    first, err = night("contacts.xlsx", *options())
    again, _err = night("contacts.xlsx", *options())
    assert first == again == code
    assert reason in err
    found = {path.name: path.read_bytes() for path in Path().glob("*.*") if path.name != "state"}
    notices, kept = found.keys() - before.keys(), {name for name in before if found[name] == before[name]}
    assert notices in [set(), {"contacts.results.notice.xlsx"}]
    assert before.keys() - kept == ({"p.html"} if notices else set())
    if notices:
        assert "Page: p.html" in err
        assert "contacts.xlsx: Nothing was sent." in page()
        assert reason in page()
    else:
        assert options()[0] in {"--colour", "--lang", "--config"}  # these are not understood, so neither is what comes after them
    assert (night.last_line != last) == in_history
    assert night("contacts.xlsx")[0] == 0
    assert not list(Path().glob("*.notice.*"))


def test_first_night_that_could_not_start(night: Nights) -> None:
    """Where there is no earlier page, the notice has its name, and the first run replaces it."""
    write("C000001;Zoé")
    assert night("contacts.csv", *broken_key_file())[0] == 2
    assert "can be read by others" in page()
    assert night()[0] == 0
    assert "The one contact is in place." in page()


def test_lock_of_another_run(night: Nights) -> None:
    """A run that another one keeps from starting leaves the page alone, which the other one may have just written."""
    write("C000001;Zoé")
    assert night()[0] == 0
    before = page()
    with (Path("state") / next(path.name for path in Path("state").glob("*.lock"))).open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert night()[0] == 75
    assert page() == before
    assert "contacts.csv: Nothing was sent." in page("p.notice.html")


def test_json_of_a_refused_night(main: Main, night: Nights) -> None:
    """The object of a refusal names its run and its page."""
    write("C1;Zoé", header="contactId;fisrtname")
    assert main("run", "contacts.csv", *night.options, "--page", "p.html", "--json", "-q") == 4
    out, err = main.read()
    found = json.loads(out)
    assert (found["report"], found["page"], found["workbook"]) == (None, "p.html", None)
    assert found["run"] == night.last_line["id"]
    assert err.splitlines()[1:] == ["Page: p.html"]


@pytest.mark.parametrize("command", [("run", "--sandbox"), ("check",)])
def test_refused_rehearsal(main: Main, served: tuple[Sandbox, list[str]], command: tuple[str, ...]) -> None:
    """The notice of a rehearsal or a check keeps the page of a real run, and says what it is."""
    write("C000001;Zoé")
    assert main("run", "contacts.csv", *served[1], "--rate", "0", "--page", "p.html") == 0
    before = page()
    write("C1;Zoé", header="contactId;fisrtname")
    assert main(command[0], "contacts.csv", *command[1:], "--page", "p.html") == 4
    word = "check" if command[0] == "check" else "rehearsal"
    assert page() == before
    assert f"[{word}] contacts.csv: Nothing was sent." in page(f"p.{word}.html")


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [(Behaviour(status=401, code=10), 5), (Behaviour(status=503, body=b"down", content_type="text/plain"), 6)],
)
def test_stopped_night(night: Nights, behaviour: Behaviour, code: int) -> None:
    """When the key is refused or the API is down, page, workbook and history say so."""
    workbook(("contactId", "firstname"), ("C000001", "Zoé"))
    night.sandbox.script["C000001"] = [behaviour] * 9
    assert night("contacts.xlsx", "--attempts", "1", "--max-duration", "2")[0] == code
    assert night.last_line["exit_code"] == code
    said = str(night.last_line["reason"])
    assert said
    assert said in html.unescape(page())
    first = openpyxl.load_workbook("contacts.results.xlsx").worksheets[0]
    assert first["A1"].value == said


def test_refused_workbook(night: Nights) -> None:
    """A workbook that cannot be read as contacts has a workbook that says why, and names the file to correct."""
    workbook(("contactId", "fisrtname"), ("C1", "Zoé"))
    ended, err = night("contacts.xlsx")
    assert ended == 4
    assert "Workbook: contacts.results.xlsx" in err
    book = openpyxl.load_workbook("contacts.results.xlsx")
    assert book.sheetnames == ["To fix"]
    assert "fisrtname" in str(book.worksheets[0]["A1"].value)
    assert "correct contacts.xlsx itself" in str(book.worksheets[0]["A2"].value)
    assert not Path("contacts.results.csv").exists()
    assert night("contacts.xlsx", "--workbook", "none")[1].count("Workbook:") == 0


def test_hidden_rows_are_shown(night: Nights) -> None:
    """Hidden rows refuse the workbook, and its reports show which they are."""
    rows = [(f"C{number:06}", "Zoé") for number in range(1, 31)]
    workbook(("contactId", "firstname"), *rows, hidden=tuple(range(3, 30)))
    ended, err = night("contacts.xlsx")
    assert ended == 4
    assert "A filter hides 27 rows, or they were hidden by hand (rows 3, 4, 5, 6, 7 and 22 more)" in err
    assert err.count("hidden") == 3  # of which two are the names of options: it is said once
    assert "are invalid, more than" not in err
    lines = Path("contacts.results.csv").read_text(encoding="utf-8-sig").splitlines()
    assert [line.split(";")[2] for line in lines if "row-hidden" in line] == [str(number) for number in range(3, 30)]
    assert page().count("row-hidden") >= 27
    first = openpyxl.load_workbook("contacts.results.xlsx").worksheets[0]
    assert [first.cell(row, 1).value for row in range(4, 31)] == list(range(3, 30))
    assert night.sandbox.requests == 0
    assert night.last_line["exit_code"] == 4


def test_a_notice_replaces_nothing_else(main: Main, night: Nights) -> None:
    """A notice is never written over the source, whatever the options say."""
    before = write("C1;Zoé", header="contactId;fisrtname").read_bytes()
    assert main("run", "contacts.csv", "--sandbox", "--workbook", "contacts.csv") == 4
    assert Path("contacts.csv").read_bytes() == before
    assert "Workbook:" not in main.read().err
    main.env["CONTACT_SYNC_API_KEY"] = KEY
    assert night("contacts.csv", "--report-mode", "640")[0] == 4
    assert Path("p.html").stat().st_mode & 0o777 == 0o640


def test_rows_that_were_read_are_not_counted(main: Main, night: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the ledger fails after all rows were read, the page and the object of the run count none: they have no outcome."""

    def full(*_: object) -> None:
        raise StorageError("The disk is full.")

    monkeypatch.setattr("contact_sync.sync.steps.deviations", full)
    write("C000001;Zoé")
    assert main("run", "contacts.csv", *night.options, "--page", "p.html", "--json") == 7
    found = main.read_json()
    assert (found["rows"], found["outcomes"], found["page"]) == (0, {}, "p.html")
    assert "contacts.csv: Nothing was sent." in page()
    assert night.last_line["reason"] == "The disk is full."
