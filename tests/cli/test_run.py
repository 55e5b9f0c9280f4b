"""`run` and `check`: output, exit codes and files."""

import json
import os
import stat
import time
from pathlib import Path

import pytest

from contact_sync.source import SourceOptions, open_source

from .program import Main, key_file, write


def test_output_of_a_run(main: Main) -> None:
    """A run prints its summary on stderr, and with --json one object on stdout."""
    write("C1;Zoé", f"C2;{'x' * 33}", "C3;Max")
    assert main("run", "contacts.csv", "--sandbox", "--rate", "0") == 3
    out, err = main.read()
    assert out == ""
    assert "2 updated" in err
    assert "row 3, “firstname” (column B): firstname has 33 characters, 32 at most" in err
    assert main("run", "contacts.csv", "--sandbox", "--rate", "0", "--json", "-q") == 3
    out, err = main.read()
    document = json.loads(out)
    contract = ["run", "source", "rows", "outcomes", "requests", "retries", "seconds", "report", "exit_code"]
    assert list(document) == [*contract, "workbook", "page", "codes", "sandbox"]
    assert document["outcomes"] == {"updated": 2, "invalid": 1}
    assert sum(document["outcomes"].values()) == document["rows"] == 3
    assert (document["source"], document["report"], document["requests"]) == ("contacts.csv", "contacts.rehearsal.csv", 2)
    assert "xxx" not in err
    assert len(err.splitlines()) == 4


def test_quiet(main: Main, capfd: pytest.CaptureFixture[str]) -> None:
    """With -q a successful run prints nothing, and a refusal is one sentence."""
    write("C1;Zoé", "C1;Zoé")
    assert main("run", "contacts.csv", "--sandbox", "--rate", "0", "-q") == 0
    assert main("check", "contacts.csv", "-q") == 0
    assert main.read() == ("", "")
    assert capfd.readouterr() == ("", "")
    write("C1;Zoé", header="contactId;fisrtname")
    assert main("run", "contacts.csv", "--sandbox", "-q") == 4
    out, err = main.read()
    assert out == ""
    assert (err.startswith("contact-sync: contacts.csv"), err.count("\n")) == (True, 1)


@pytest.mark.parametrize("command", ["run", "check"])
def test_file_name_of_255_bytes(main: Main, command: str) -> None:
    """A source whose name leaves no room for the name of its report gets a report with a shortened name."""
    name = f"{'n' * 251}.csv"
    sandbox = ["--sandbox"] if command == "run" else []
    assert main(command, name, *sandbox) == 4
    assert "does not exist" in main.read().err
    assert main(command, write("C1;Zoé", name=name), *sandbox) == 0
    (report,) = Path().glob(f"nnn*-*.{'check' if command == 'check' else 'rehearsal'}.csv")
    assert "updated" in report.read_text(encoding="utf-8-sig") or command == "check"
    assert main("check", name, "--report", "r.csv", "--workbook", "w.xlsx") == 0


@pytest.mark.parametrize("command", ["run", "check"])
def test_json_of_a_refusal(main: Main, command: str) -> None:
    """A refusal is also reported as JSON, with counts that add up."""
    assert main(command, "missing.csv", *(["--sandbox"] if command == "run" else []), "--json") == 4
    document = json.loads(main.read().out)
    assert (document["rows"], document["outcomes"], document["exit_code"], document["report"]) == (0, {}, 4, None)
    assert document["source"] == "missing.csv"
    assert "missing.csv does not exist" in document["error"]


def test_sandbox_key_is_not_masked(main: Main) -> None:
    """A rehearsal has no secret, so nothing in its output is masked."""
    write("C1;Zoé", name="sandbox.csv")
    assert main("run", "sandbox.csv", "--sandbox", "--rate", "0", "--json") == 0
    assert json.loads(main.read().out)["source"] == "sandbox.csv"


def test_bug_is_exit_1(main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug is exit 1 and a sentence, also as JSON; only -v prints the traceback."""

    def bug(*_: object) -> None:
        raise LookupError("inside")

    monkeypatch.setattr("contact_sync.sync.run.run", bug)
    assert main("check", "contacts.csv", "--json") == 1
    out, err = main.read()
    assert err == "contact-sync: A bug in contact-sync: LookupError. Run again with -v, and report what it prints.\n"
    assert json.loads(out)["exit_code"] == 1
    assert main("check", "contacts.csv", "-v") == 1
    assert "Traceback" in main.read().err


def test_ctrl_c_before_the_run(main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interruption before the run begins is exit 130."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("contact_sync.sync.run.run", interrupt)
    assert main("check", "contacts.csv") == 130


def test_report_over_the_source(main: Main) -> None:
    """A report that would overwrite the source is exit 2."""
    before = write("C1;Zoé").read_bytes()
    assert main("check", "contacts.csv", "--report", "contacts.csv") == 2
    assert "would overwrite the source" in main.read().err
    assert Path("contacts.csv").read_bytes() == before


def test_files_are_private(main: Main) -> None:
    """Files are private to the user whatever the umask, except that the report has the mode of --report-mode."""
    os.umask(0)
    write("C1;Zoé")
    key_file()
    assert main("run", "contacts.csv", "-n", "--api-key-file", "key", "--report-mode", "640", "--state-dir", "a/b", "-q") == 0
    assert os.umask(0) == 0o077
    assert stat.S_IMODE(Path("contacts.check.csv").stat().st_mode) == 0o640
    for path in (Path("a"), Path("a/b"), *Path("a/b").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_report_as_a_source(main: Main) -> None:
    """A report used as a source gives the same outcome for the same rows, including its apostrophes."""
    write("C1;Zoé;=1+1", "C2;'x;+33600000001", f"C3;{'x' * 33};@a", header="contactId;firstname;-note")
    os.utime("contacts.csv", (1e9, 1e9))  # long before its report
    assert main("check", "contacts.csv", "-q") == 3
    os.utime("contacts.check.csv", (time.time() - 60,) * 2)
    assert main("check", "contacts.check.csv", "-q") == 3
    first, second = (Path(name).read_text(encoding="utf-8-sig") for name in ("contacts.check.csv", "contacts.check.check.csv"))
    assert first == second
    with open_source(Path("contacts.check.csv"), SourceOptions()) as source:
        assert source.columns == ["contactId", "firstname", "-note"]
