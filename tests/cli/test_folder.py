"""A folder as the source of `run`."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from contact_sync.errors import StorageError
from contact_sync.files.lock import acquire
from contact_sync.sandbox.server import Sandbox
from contact_sync.settings import Settings
from contact_sync.sync import inbox
from contact_sync.sync.run import run as real_run

from .program import Main, config, write


def test_files_of_a_folder_are_run_and_moved(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """Each file of a folder is run and moved with its report; a folder has no report of its own."""
    _, options = served
    Path("in").mkdir()
    write("C000001;Zoé", name="in/a.csv")
    write("x;y", name="in/b.csv", header="one;two")
    assert main("run", "in", *options, "--rate", "0") == 4
    err = main.read().err
    assert re.search("in/a\\.csv was moved to in/done/\\d{8}T\\d{6}Z-a\\.csv\\.", err)
    assert re.search("in/b\\.csv was moved to in/failed/\\d{8}T\\d{6}Z-b\\.csv\\.", err)
    assert main("run", "in", *options) == 0
    assert "No file has arrived in in." in main.read().err
    assert main("run", "in", *options, "--expect-by", "00:00", "-q") == 0
    assert main("run", "in", *options, "--report", "r.csv") == 2
    assert "each file has its own reports" in main.read().err


def test_bug_with_one_file(main: Main, served: tuple[Sandbox, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that causes a bug stays, is reported, and does not keep the others from being run."""
    _, options = served
    Path("in").mkdir()
    write("C000001;Zoé", name="in/a.csv")
    write("C000002;Zoé", name="in/b.csv")

    def run(settings: Settings, *given: Any, **more: Any) -> Any:
        if settings.source.path.name == "a.csv":
            raise ValueError("no")
        return real_run(settings, *given, **more)

    monkeypatch.setattr("contact_sync.sync.run.run", run)
    assert main("run", "in", *options, "--rate", "0", "-q") == 1
    assert "A bug in contact-sync: ValueError." in main.read().err
    assert sorted(path.name for path in Path("in").iterdir()) == ["a.csv", "done"]


def test_file_replaced_during_its_run(main: Main, served: tuple[Sandbox, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that replaces the one in progress is reported, and sent by the next run; the first version has its own report."""
    sandbox, options = served
    Path("in").mkdir()
    path = write("C000001;Zoé", name="in/a.csv")

    def run(*given: Any, **more: Any) -> Any:
        summary = real_run(*given, **more)
        write("C000001;Max", name="new.csv").replace(path)
        return summary

    with monkeypatch.context() as patch:
        patch.setattr("contact_sync.sync.run.run", run)
        assert main("run", "in", *options, "--rate", "0", "-q") == 0
    assert (
        "in/a.csv changed during the run, or is still open in a program: it stays in the inbox for the next run"
        in main.read().err
    )
    assert [found.name for found in Path("in").iterdir() if found.is_file()] == ["a.csv"]
    (report,) = Path("in/done").iterdir()
    before = report.read_bytes()
    report.unlink()
    assert main("report", *options) == 0
    assert report.read_bytes() == before
    assert main("run", "in", *options, "--rate", "0", "-q") == 0
    assert sandbox.store["C000001"]["firstname"] == "Max"
    assert [found.name for found in Path("in").iterdir()] == ["done"]


def test_paths_after_the_move(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """Summary, mail and JSON name the reports at the place that they were moved to, and the place of the file."""
    _, options = served
    Path("in").mkdir()
    write("C000001;Zoé", ";Max", name="in/a.csv")
    write("C000001;Zoé", name="in/b.csv", header="one;two")
    assert main("run", "in", *options, "--rate", "0", "-q", "--json") == 4
    out, err = main.read()
    first, second = map(json.loads, out.splitlines())
    assert Path(first["moved_to"]).match("in/failed/*-a.csv")
    assert first["report"] == f"{first['moved_to']}.results.csv"
    assert Path(first["report"]).exists()
    assert f"Report: {first['report']} (exit code 3)" in err
    assert Path(second["moved_to"]).match("in/failed/*-b.csv")
    assert second["report"] is None


def test_paths_of_a_file_that_stays(main: Main) -> None:
    """In a rehearsal nothing is moved, and the paths are those in the folder."""
    Path("in").mkdir()
    write("C000001;Zoé", name="in/a.csv")
    assert main("run", "in", "--sandbox", "--rate", "0", "--json") == 0
    document = main.read_json()
    assert document["report"] == "in/a.csv.rehearsal.csv"
    assert "moved_to" not in document


def test_result_of_a_file_that_cannot_be_moved(
    main: Main, served: tuple[Sandbox, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result of a file is printed also where the move fails."""
    _, options = served
    Path("in").mkdir()
    write("C000001;Zoé", name="in/a.csv")

    def move(*_: Any, **__: Any) -> None:
        raise StorageError("It cannot be moved.")

    monkeypatch.setattr(inbox, "move", move)
    assert main("run", "in", *options, "--rate", "0") == 7
    err = main.read().err
    assert "       1 updated" in err
    assert "It cannot be moved." in err


@pytest.mark.parametrize("named", [".", ".."])
def test_folder_by_relative_name(main: Main, named: str) -> None:
    """A folder may be given as . or .."""
    Path("in").mkdir()
    os.chdir("in")
    assert main("run", named, "--sandbox", "-n", "--log-file", "n.log") == 0
    assert "bug" not in main.read().err


def test_file_is_moved_under_the_lock(main: Main, served: tuple[Sandbox, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """No other run gets the lock before the file was moved."""
    _, options = served
    Path("in").mkdir()
    write("C000001;Zoé", name="in/a.csv")
    real = inbox.move

    def move(*given: Any, **more: Any) -> Path | None:
        (lock,) = Path("state").glob("*.lock")
        assert acquire(lock) is None
        return real(*given, **more)

    monkeypatch.setattr(inbox, "move", move)
    assert main("run", "in", *options, "--rate", "0") == 0
    assert re.search("in/a\\.csv was moved to in/done/.*-a\\.csv\\.", main.read().err)


def test_expectation_of_a_file(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """--expect-by with a file is refused, and nothing is sent; in a config file it may stay, and with a folder it is of that."""
    sandbox, options = served
    path = write("C000001;Zoé")
    assert main("run", path, *options, "--expect-by", "00:00") == 2
    assert "--expect-by is about the files of a folder, and contacts.csv is a file: leave it out" in main.read().err
    main.env["CONTACT_SYNC_EXPECT_BY"] = "00:00"
    assert main("run", path, *options) == 2
    del main.env["CONTACT_SYNC_EXPECT_BY"]
    assert sandbox.requests == 0
    assert main("run", "missing", *options, "--expect-by", "00:00") == 4
    assert main("run", path, *options, "--rate", "0", "--config", config("expect-by = '00:00'")) == 0
    Path("in").mkdir()
    write("C000002;Léa", name="in/a.csv")
    assert main("run", path, "in", *options, "--rate", "0", "--expect-by", "00:00") == 0
