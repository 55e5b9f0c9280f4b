"""The log."""

import json
import logging
import re
import stat
import warnings
from pathlib import Path

import pytest

from .program import Main, write


def test_verbose_logs_ids_without_values(main: Main) -> None:
    """With -v there is a line for each row that was sent, with its id and without field values."""
    write("C000001;Zoé", "C000002;Léa")
    assert main("run", "contacts.csv", "--sandbox", "--rate", "0", "-v") == 0
    err = main.read().err
    assert " row=2 contact=C000001 outcome=updated" in err
    assert "Zoé" not in err
    assert main("run", "contacts.csv", "--sandbox", "--rate", "0") == 0
    assert "INFO" not in main.read().err


@pytest.mark.parametrize("place", ["source", "report", "workbook", "page"])
def test_log_over_another_file(main: Main, place: str) -> None:
    """A log that would overwrite the source or a report is refused before anything is written."""
    path = write("C1;Zoé")
    before = path.read_bytes()
    wanted = {"source": "contacts.csv", "report": "contacts.results.csv", "workbook": "w.xlsx", "page": "p.html"}[place]
    given = () if place in {"source", "report"} else (f"--{place}", wanted)
    Path("link").symlink_to(wanted)
    assert main("check", path, *given, "--log-file", "link") == 2
    assert f"The log would overwrite {wanted}: correct --log-file." in main.read().err
    assert {each.name for each in Path().iterdir()} == {"contacts.csv", "link"}
    assert path.read_bytes() == before


def test_log_file(main: Main) -> None:
    """A log file is appended to and private; one that cannot be written is exit 7."""
    write("C1;Zoé", "C2;Max")
    for form in ("text", "json"):
        assert main("run", "contacts.csv", "--sandbox", "--rate", "0", "-q", "--log-file", "n.log", "--log-format", form) == 0
    lines = Path("n.log").read_text(encoding="utf-8").splitlines()
    assert " row=2 contact=C1 outcome=updated" in lines[2]
    assert json.loads(lines[-1])["event"] == "run.finished"
    assert stat.S_IMODE(Path("n.log").stat().st_mode) == 0o600
    assert main.read() == ("", "")
    assert main("run", "contacts.csv", "--sandbox", "--log-file", "gone/n.log") == 7
    assert "cannot be written (No such file or directory): check --log-file" in main.read().err


def test_values_with_spaces_are_in_quotes(main: Main) -> None:
    """In text a value with a space, a quote or a line break is in quotes, on its line."""
    write("C1;Zoé", name='a "b"\nc.csv')
    assert main("run", 'a "b"\nc.csv', "--sandbox", "--rate", "0", "-q", "--log-file", "n.log") == 0
    assert r' source="a \"b\"\nc.csv" purpose=rehearsal' in Path("n.log").read_text(encoding="utf-8").splitlines()[0]


def test_bug_in_a_run(main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug ends its run with exit code 1 in the log."""

    def bug(*_: object, **__: object) -> None:
        raise ValueError

    monkeypatch.setattr("contact_sync.sync.run.load", bug)
    write("C1;Zoé")
    assert main("run", "contacts.csv", "--sandbox", "-q", "--log-file", "n.log") == 1
    assert " exit_code=1 " in Path("n.log").read_text(encoding="utf-8").partition("run.finished")[2]


@pytest.mark.parametrize("form", ["text", "json"])
def test_foreign_messages_are_reduced_to_type_and_place(main: Main, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Of exceptions, warnings and other libraries' messages only type and place are logged: the text may quote a value."""

    def bug(*_: object) -> None:
        logging.getLogger("library").error("of %s", "Zoé")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("Zoé", RuntimeWarning, stacklevel=1)
        cause = ExceptionGroup("Zoé", [LookupError("Zoé")])
        cause.__cause__ = cause  # as a library may leave it
        raise ValueError("Zoé") from cause

    monkeypatch.setattr("contact_sync.sync.run.run", bug)
    assert main("check", "contacts.csv", "-v", "--log-file", "n.log", "--log-format", form) == 1
    for text in (main.read().err, Path("n.log").read_text(encoding="utf-8")):
        assert "Zo" not in text
        assert text.index("LookupError") < text.index("ExceptionGroup") < text.index("ValueError")
        assert re.search(r"test_logging\.py:\d+ bug", text)
        assert re.search(r"RuntimeWarning at .*test_logging\.py:\d+", text)
        assert re.search(r"library.*test_logging\.py:\d+", text)
