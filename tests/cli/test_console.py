"""What people see."""

import io
import json
import os
import sys
from pathlib import Path

import pytest

from contact_sync.cli.console import Bars, Console
from contact_sync.errors import SourceError
from contact_sync.i18n import set_language
from contact_sync.model import Cause, Outcome, Pending, Result, Summary

KEY = "made-up-key-1234"


@pytest.fixture
def console() -> Console:
    """A console that knows the key."""
    console = Console()
    console.secrets.append(KEY)
    return console


def summary(**values: object) -> Summary:
    """What came of a run."""
    made = Summary(
        "20260102T030405Z-abcdef",
        Path("contacts.csv"),
        Path("contacts.results.csv"),
        3,
        {"updated": 2, "invalid": 1},
        3,
        1,
        0.5,
        3,
    )
    for name, value in values.items():
        setattr(made, name, value)
    return made


def test_at_length(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    """The summary tells rows, findings, warnings, outcomes, causes with their column, reasons, requests and the report."""
    causes = [
        Cause("invalid", "text-length", "firstname", 2, 7, "firstname has 33 characters, 32 at most: shorten it."),
        Cause("invalid", "nothing-to-send", "", 1, 9, ""),
    ]
    made = summary(
        findings=["CSV with ;."],
        warnings=["It is open."],
        notes=["2 cells of phoneNumber: x."],
        causes=causes,
        letters={"firstname": "B"},
    )
    made.reasons = ["The API is down."]
    assert console.conclude(made) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "contacts.csv: 3 rows.",
        "CSV with ;.",
        "Warning: It is open.",
        "2 cells of phoneNumber: x.",
        "",
        "       2 updated",
        "       1 invalid",
        "",
        "2 rows (first: row 7): firstname, column B: firstname has 33 characters, 32 at most: shorten it.",
        "row 9: The row has only a contactId: fill in a field, or delete the row.",
        "Stopped: The API is down.",
        "3 requests in 0.5 s (retries: 1).",
        "Report: contacts.results.csv",
    ]


def test_many_causes(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    """Of many causes the most frequent are shown."""
    console.conclude(summary(causes=[Cause("invalid", "date-serial", "date", 1, n, "") for n in range(2, 14)]))
    shown = capsys.readouterr().err
    assert shown.count("date-serial") == 0
    assert shown.count("Excel's number for a day") == 10
    assert "and 2 more causes, in the report." in shown


def test_quiet(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    """Quiet, nothing is said when all is well, and a few lines otherwise."""
    console.quiet = True
    assert console.conclude(summary(exit_code=0)) == 0
    assert capsys.readouterr() == ("", "")
    assert console.conclude(summary(exit_code=0, warnings=["The source has 5 rows."])) == 0
    assert "\nWarning: The source has 5 rows.\n" in capsys.readouterr().err
    causes = [Cause("invalid", "date-serial", "date", 1, n, "") for n in range(2, 14)]
    assert console.conclude(summary(causes=causes, reasons=["The API is down."])) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[:2] == ["contact-sync: contacts.csv: 2 updated, 1 invalid.", "The API is down."]
    assert err.splitlines()[-1] == "Report: contacts.results.csv (exit code 3)"
    assert len(err.splitlines()) == 6


@pytest.mark.parametrize("message", ["firstname has 33 characters, 32 at most: shorten it.", ""])
@pytest.mark.parametrize("quiet", [False, True])
def test_the_words_of_a_cause(console: Console, capsys: pytest.CaptureFixture[str], message: str, *, quiet: bool) -> None:
    """At length a cause is told in the words for its first row; in a mail, or where there are none, in those for any row."""
    console.quiet = quiet
    console.conclude(summary(causes=[Cause("invalid", "text-length", "firstname", 2, 7, message)], letters={"firstname": "B"}))
    general = "firstname has … characters, … at most: shorten it."
    told = f"2 rows (first: row 7): firstname, column B: {general if quiet or not message else message}"
    assert told in capsys.readouterr().err.splitlines()


def test_the_words_of_the_api(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    """What the API said of a row, which may repeat a cell, is left to the report."""
    said = "SMS Partner refused the row (code 99: Zoé is no name): correct the contact."
    console.conclude(summary(causes=[Cause("rejected", "api-refused", "", 1, 7, said)]))
    assert "row 7: SMS Partner refused the row (code …: …): correct the contact." in capsys.readouterr().err.splitlines()


def test_a_name_that_is_no_unicode(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON object is valid wherever it is read, although the name of a file is no UTF-8."""
    console.as_json = True
    path = Path(os.fsdecode(b"pr\xe9noms.csv"))
    console.conclude(summary(source=path))
    console.refuse(SourceError("No."), path)
    for line in capsys.readouterr().out.splitlines():
        assert json.loads(line.encode().decode())["source"] == "pr\ufffdnoms.csv"


@pytest.mark.parametrize("quiet", [False, True])
def test_no_report(console: Console, capsys: pytest.CaptureFixture[str], *, quiet: bool) -> None:
    """A report that could not be written is not named as if it stood there."""
    console.quiet, console.as_json = quiet, True
    console.conclude(summary(report=None, exit_code=7, requests=0))
    out, err = capsys.readouterr()
    assert "Report" not in err
    assert "requests" not in err
    assert json.loads(out)["report"] is None


def test_json(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON object has the contract's keys in its order, and adds up."""
    console.as_json = True
    console.conclude(summary())
    out = capsys.readouterr().out
    assert out == (
        '{"run": "20260102T030405Z-abcdef", "source": "contacts.csv", "rows": 3, "outcomes": {"updated": 2, "invalid": 1}, '
        '"requests": 3, "retries": 1, "seconds": 0.5, "report": "contacts.results.csv", "exit_code": 3}\n'
    )


def test_json_of_a_run_that_was_stopped(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    """Why a run was stopped is told as why it was refused, without the key."""
    console.as_json = True
    console.conclude(summary(exit_code=7, report=None, reasons=[f"The API is down ({KEY}).", "The disk is full."]))
    assert json.loads(capsys.readouterr().out)["error"] == "The API is down (***). The disk is full."


def test_a_refusal(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    """A refusal is told in one sentence, and as JSON that adds up too, without the key."""
    assert console.refuse(SourceError(f"No. {KEY}")) == 4
    assert capsys.readouterr() == ("", "contact-sync: No. ***\n")
    console.as_json = True
    assert console.refuse(SourceError(f"No. {KEY}"), Path("contacts.csv")) == 4
    told = json.loads(capsys.readouterr().out)
    nothing: dict[str, object] = {
        "run": None,
        "rows": 0,
        "outcomes": {},
        "requests": 0,
        "retries": 0,
        "seconds": 0.0,
        "report": None,
    }
    assert told == nothing | {"source": "contacts.csv", "exit_code": 4, "error": "No. ***"}


def test_without_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a key nothing is taken out."""
    Console().say("as it is")
    assert capsys.readouterr().err == "as it is\n"


class Full(io.StringIO):
    """A stream on a disk that is full."""

    def flush(self) -> None:
        """There is no room."""
        raise OSError(28, "No space left on device")


CLOSED = io.StringIO()
CLOSED.close()


@pytest.mark.parametrize("stream", [None, CLOSED, Full()], ids=["missing", "closed", "full"])
def test_nobody_listens(console: Console, monkeypatch: pytest.MonkeyPatch, stream: io.StringIO | None) -> None:
    """A stream that is missing, full or closed does not change what is returned."""
    console.as_json = True
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        patch.setattr(sys, "stderr", stream)
        codes = console.conclude(summary()), console.refuse(SourceError("No."))
    assert codes == (3, 4)


def test_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without stderr there is no progress, and no error."""
    monkeypatch.setattr(sys, "stderr", None)
    with Bars(shown=True) as bars:
        bars.loaded(1)
        bars.sending(1)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It says so."""
        return True


@pytest.mark.parametrize(
    ("stream", "shown", "drawn"), [(Terminal, True, True), (Terminal, False, False), (io.StringIO, True, False)]
)
def test_bars(stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch, *, shown: bool, drawn: bool) -> None:
    """Progress is drawn on a terminal only, first of loading and then of sending, unless it is not wanted."""
    written = stream()
    monkeypatch.setattr(sys, "stderr", written)
    with Bars(shown=shown) as bars:
        bars.loaded(2000)
        bars.sending(5)
        bars.sent(Result(Pending(2, "C1", {}, 0, b""), Outcome.UPDATED))
    assert ("loading" in written.getvalue()) is drawn
    assert ("sending" in written.getvalue()) is drawn
    assert ("/5" in written.getvalue()) is drawn
    assert written.getvalue() == "" or drawn


def test_bars_in_french(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress is told in the language of everything else."""
    written = Terminal()
    monkeypatch.setattr(sys, "stderr", written)
    set_language("fr")
    with Bars(shown=True) as bars:
        bars.loaded(2000)
        bars.sending(5)
    assert all(word in written.getvalue() for word in ("lecture: ", " lignes/s", "envoi: "))
    assert not any(word in written.getvalue() for word in ("loading", "rows", "sending"))
