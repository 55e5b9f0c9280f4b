"""The printed output and the progress bars."""

import io
import json
import os
import threading
from pathlib import Path

import pytest

from contact_sync.cli.console import Console, Streams
from contact_sync.cli.progress import Progress
from contact_sync.errors import SourceError
from contact_sync.i18n import set_language
from contact_sync.model.report import Cause, PastRun, Summary
from contact_sync.model.row import Outcome, Pending, Result
from contact_sync.model.violation import Column

from .program import KEY, Recorder

FIRSTNAME = Column("Prénom", "B")
TOO_LONG = "has 33 characters, 32 at most: shorten it."


@pytest.fixture
def recorder() -> Recorder:
    """Return streams that record what is printed."""
    return Recorder()


@pytest.fixture
def console(recorder: Recorder) -> Console:
    """Return a console that masks the key."""
    console = Console(recorder.streams)
    console.secrets.append(KEY)
    return console


def summary(**values: object) -> Summary:
    """Return the summary of a run."""
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


def test_long_summary(console: Console, recorder: Recorder) -> None:
    """The summary has rows, findings, warnings, outcomes, causes with their column, reasons, requests and the report."""
    causes = [
        Cause("invalid", "text-length", "firstname", 2, 7, f"“Prénom” (column B) {TOO_LONG}", column=FIRSTNAME),
        Cause("invalid", "nothing-to-send", "", 1, 9, ""),
    ]
    made = summary(findings=["CSV with ;."], warnings=["It is open."], notes=["2 cells of phoneNumber: x."], causes=causes)
    made.reasons = ["The API is down."]
    assert console.print_summary(made) == 3
    out, err = recorder.read()
    assert out == ""
    assert err.splitlines() == [
        "contacts.csv: 3 rows.",
        "CSV with ;.",
        "Warning: It is open.",
        "2 cells of phoneNumber: x.",
        "",
        "       2 updated",
        "       1 invalid",
        "",
        f"2 rows (first: row 7): “Prénom” (column B) {TOO_LONG}",
        "row 9: The row has only a contactId: fill in a field, or delete the row.",
        "Stopped: The API is down.",
        "3 requests in 0.5 s (retries: 1).",
        "Report: contacts.results.csv",
    ]


def test_many_causes(console: Console, recorder: Recorder) -> None:
    """Only the most frequent causes are shown."""
    console.print_summary(summary(causes=[Cause("invalid", "date-serial", "date", 1, n, "") for n in range(2, 14)]))
    shown = recorder.read().err
    assert shown.count("date-serial") == 0
    assert shown.count("Excel's number for a day") == 10
    assert "and 2 more causes, in the report." in shown


def test_quiet(console: Console, recorder: Recorder) -> None:
    """With `quiet` nothing is printed for a run without problems, and a few lines otherwise."""
    console.quiet = True
    assert console.print_summary(summary(exit_code=0)) == 0
    assert recorder.read() == ("", "")
    assert console.print_summary(summary(exit_code=0, warnings=["The source has 5 rows."])) == 0
    assert "\nWarning: The source has 5 rows.\n" in recorder.read().err
    causes = [Cause("invalid", "date-serial", "date", 1, n, "") for n in range(2, 14)]
    assert console.print_summary(summary(causes=causes, reasons=["The API is down."])) == 3
    out, err = recorder.read()
    assert out == ""
    assert err.splitlines()[:2] == ["contact-sync: contacts.csv: 2 updated, 1 invalid.", "The API is down."]
    assert err.splitlines()[-1] == "Report: contacts.results.csv (exit code 3)"


@pytest.mark.parametrize(("warnings", "causes", "shown"), [(0, 3, 3), (0, 8, 8), (0, 9, 7), (2, 7, 5), (9, 1, 1), (20, 12, 2)])
def test_causes_of_a_mail(console: Console, recorder: Recorder, warnings: int, causes: int, shown: int) -> None:
    """A mail has as many causes as ten lines have room for, and the number of the others."""
    console.quiet = True
    found = [Cause("invalid", "date-serial", "date", 1, row, "") for row in range(causes)]
    console.print_summary(summary(causes=found, warnings=["It is open."] * warnings))
    err = recorder.read().err
    assert err.count("Excel's number for a day") == shown
    assert (f"and {causes - shown} more causes, in the report." in err) == (causes > shown)
    assert len(err.splitlines()) <= 10


@pytest.mark.parametrize("message", [f"“Prénom” (column B) {TOO_LONG}", ""])
@pytest.mark.parametrize("quiet", [False, True])
def test_sentence_of_a_cause(console: Console, recorder: Recorder, message: str, *, quiet: bool) -> None:
    """A cause has the message of its first row, a mail where the others have it, too; else it has the general sentence."""
    console.quiet = quiet
    console.print_summary(summary(causes=[Cause("invalid", "text-length", "firstname", 2, 7, message, column=FIRSTNAME)]))
    general = "“Prénom” (column B) has … characters, … at most: shorten it."
    assert f"2 rows (first: row 7): {message or general}" in recorder.read().err.splitlines()
    made = Cause("invalid", "text-length", "firstname", 2, 7, message, is_shared=False, column=FIRSTNAME)
    console.print_summary(summary(causes=[made]))
    assert f"2 rows (first: row 7): {general if quiet or not message else message}" in recorder.read().err.splitlines()


def test_mail_says_what_is_new(console: Console, recorder: Recorder) -> None:
    """A mail says which problems are new, or that none is, and where report and page are, in ten lines."""
    console.quiet = True
    page = {"page": Path("contacts.results.html"), "workbook": Path("contacts.results.xlsx")}
    found = [
        Cause("invalid", "date-serial", "date", 5, 2, "", fresh=2),
        Cause("invalid", "date-serial", "date", 1, 3, "", fresh=1),
    ]
    old = [Cause("invalid", "date-calendar", "date", 1, row, "", fresh=0) for row in range(4, 24)]
    console.print_summary(summary(causes=[*found, *old], outputs=page))
    lines = recorder.read().err.splitlines()
    assert lines[1] == "3 problems are new since the last run."
    assert lines[2].startswith("5 rows (first: row 2), 2 of them new: This is Excel's number")
    assert lines[3].startswith("row 3, new: This is Excel's number")
    assert lines[-3:] == [
        "and 17 more causes, in the report.",
        "Workbook: contacts.results.xlsx",
        "Page: contacts.results.html (exit code 3)",
    ]
    assert len(lines) == 10
    console.print_summary(summary(causes=old[:1]))
    assert recorder.read().err.splitlines()[1] == "No problem is new since the last run."
    console.print_summary(summary(causes=[Cause("unprocessed", "limit", "", 1, 2, "")]))
    assert "new" not in recorder.read().err


def test_mail_in_french(console: Console, recorder: Recorder, french: None) -> None:
    """In French a narrow space is before the colon of a mail, and numbers have a comma."""
    console.quiet = True
    console.print_summary(summary())
    assert recorder.read().err.startswith("contact-sync: contacts.csv\u202f: 2 à jour (updated), 1 à corriger (invalid).\n")
    run = PastRun("r", "c.csv", "2026-01-02T03:04:05Z", "2026-01-02T03:05:05Z", 0, {"updated": 49}, 49, 0, 10.0)
    console.print_runs([run], ())
    assert recorder.read().out.endswith("  4,9/s\n")


def test_message_of_the_api(console: Console, recorder: Recorder) -> None:
    """The API's message about a row, which may repeat a cell, is only in the report."""
    message = "SMS Partner refused the row (code 99: Zoé is no name): correct the contact."
    console.print_summary(summary(causes=[Cause("rejected", "api-refused", "", 1, 7, message)]))
    assert "row 7: SMS Partner refused the row (code …: …): correct the contact." in recorder.read().err.splitlines()


def test_file_name_that_is_not_utf8(console: Console, recorder: Recorder) -> None:
    """The JSON object is valid UTF-8 although the name of a file is not."""
    console.as_json = True
    path = Path(os.fsdecode(b"pr\xe9noms.csv"))
    console.print_summary(summary(source=path))
    console.print_error(SourceError("No."), path)
    for line in recorder.read().out.splitlines():
        assert json.loads(line.encode().decode())["source"] == "pr\ufffdnoms.csv"


@pytest.mark.parametrize("quiet", [False, True])
def test_missing_report(console: Console, recorder: Recorder, *, quiet: bool) -> None:
    """A report that could not be written is not named."""
    console.quiet, console.as_json = quiet, True
    console.print_summary(summary(report=None, exit_code=7, requests=0))
    out, err = recorder.read()
    assert "Report" not in err
    assert "requests" not in err
    assert json.loads(out)["report"] is None


def test_json(console: Console, recorder: Recorder) -> None:
    """The JSON object has the contract's keys, in its order."""
    console.as_json = True
    console.print_summary(summary())
    out = recorder.read().out
    assert out == (
        '{"run": "20260102T030405Z-abcdef", "source": "contacts.csv", "rows": 3, "outcomes": {"updated": 2, "invalid": 1}, '
        '"requests": 3, "retries": 1, "seconds": 0.5, "report": "contacts.results.csv", "exit_code": 3, '
        '"workbook": null, "page": null, "codes": {}}\n'
    )


def test_json_of_reports_and_codes(console: Console, recorder: Recorder) -> None:
    """The JSON object names the other reports, and has the number of rows with each code."""
    console.as_json = True
    codes = [("text-length", "firstname", 2), ("id-total", "contactId", 1), ("text-length", "lastname", 3)]
    causes = [Cause("invalid", code, field, rows, 7, "") for code, field, rows in codes]
    console.print_summary(summary(causes=causes, outputs={"workbook": Path("w.xlsx"), "page": Path("p.html")}))
    document = recorder.read_json()
    assert (document["workbook"], document["page"]) == ("w.xlsx", "p.html")
    assert document["codes"] == {"text-length": 5, "id-total": 1}


def test_json_of_a_stopped_run(console: Console, recorder: Recorder) -> None:
    """The reasons of a stopped run are its `error`, without the key."""
    console.as_json = True
    console.print_summary(summary(exit_code=7, report=None, reasons=[f"The API is down ({KEY}).", "The disk is full."]))
    assert recorder.read_json()["error"] == "The API is down (***). The disk is full."


def test_error(console: Console, recorder: Recorder) -> None:
    """An error is printed as one sentence, and as JSON with counts that add up, without the key."""
    assert console.print_error(SourceError(f"No. {KEY}")) == 4
    assert recorder.read() == ("", "contact-sync: No. ***\n")
    console.as_json = True
    assert console.print_error(SourceError(f"No. {KEY}"), Path("contacts.csv")) == 4
    document = recorder.read_json()
    nothing: dict[str, object] = {
        "run": None,
        "rows": 0,
        "outcomes": {},
        "requests": 0,
        "retries": 0,
        "seconds": 0.0,
        "report": None,
        "workbook": None,
        "page": None,
        "codes": {},
    }
    assert document == nothing | {"source": "contacts.csv", "exit_code": 4, "error": "No. ***"}


def test_no_secrets(recorder: Recorder) -> None:
    """Without secrets nothing is masked."""
    Console(recorder.streams).print_message("as it is")
    assert recorder.read().err == "as it is\n"


class Full(io.StringIO):
    """A stream on a full disk."""

    def flush(self) -> None:
        """Fail as a full disk does."""
        raise OSError(28, "No space left on device")


CLOSED = io.StringIO()
CLOSED.close()


@pytest.mark.parametrize("stream", [None, CLOSED, Full()], ids=["missing", "closed", "full"])
def test_unwritable_streams(stream: io.StringIO | None) -> None:
    """A stream that is missing, full or closed does not change the exit code."""
    console = Console(Streams(stream, stream))
    console.as_json = True
    assert (console.print_summary(summary()), console.print_error(SourceError("No."))) == (3, 4)


def test_progress_without_a_stream() -> None:
    """Without stderr there is no progress bar, and no error."""
    with Progress(None, shown=True) as bars:
        bars.loaded(1)
        bars.sending(1)


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


@pytest.mark.parametrize(
    ("stream", "shown", "drawn"), [(Terminal, True, True), (Terminal, False, False), (io.StringIO, True, False)]
)
def test_progress_bars(stream: type[io.StringIO], *, shown: bool, drawn: bool) -> None:
    """Progress bars are drawn only on a terminal, first for loading and then for sending, unless they are disabled."""
    written = stream()
    with Progress(written, shown=shown) as bars:
        bars.loaded(2000)
        bars.sending(5)
        bars.sent(Result(Pending(2, "C1", {}, 0, b""), Outcome.UPDATED))
    assert ("loading" in written.getvalue()) is drawn
    assert ("sending" in written.getvalue()) is drawn
    assert ("5 left" in written.getvalue()) is drawn
    assert written.getvalue() == "" or drawn


def test_progress_bars_in_french() -> None:
    """Progress bars are translated."""
    written = Terminal()
    set_language("fr")
    with Progress(written, shown=True) as bars:
        bars.loaded(2000)
        bars.sending(5)
    assert all(word in written.getvalue() for word in ("lecture: ", " lignes/s", "envoi\u202f: 0 à jour, 0 à corriger, reste 5"))
    assert not any(word in written.getvalue() for word in ("loading", "rows", "sending"))


def test_lines_of_progress() -> None:
    """With `every` a line says how far the run is, also where nothing has happened since, and there are no bars."""
    written, lines = Terminal(), list[str]()
    seen = threading.Event()

    def write(line: str) -> None:
        lines.append(line)
        seen.set()

    def wait_for(beginning: str) -> None:
        while not any(line.startswith(beginning) for line in lines):
            assert seen.wait(60)
            seen.clear()

    with Progress(written, shown=True, every=0.001, write=write) as progress:
        wait_for("loading: 0 rows")
        progress.loaded(2000)
        wait_for("loading: 2000 rows")
        progress.sending(5)
        progress.sent(Result(Pending(2, "C1", {}, 0, b""), Outcome.UPDATED))
        wait_for("sending: 1/5 rows, 1 updated, 0 wrong, 4 left, ")
        progress.sent(Result(Pending(3, "C2", {}, 0, b""), Outcome.FAILED))  # it is sent again
        progress.sent(Result(Pending(4, "C3", {}, 0, b""), Outcome.REJECTED))
        wait_for("sending: 2/5 rows, 1 updated, 1 wrong, 3 left, ")
        progress.reading(5)
        wait_for("reading: 0/5 rows, ")
    assert written.getvalue() == ""
