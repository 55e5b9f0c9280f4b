"""A rehearsal or a check is never taken for a real run, and replaces nothing of one."""

import json
import os
import re
import time
from pathlib import Path

import openpyxl
import pytest

from contact_sync.sandbox.server import Sandbox

from .program import Main, write

PURPOSES = [
    (("run", "--sandbox", "--rate", "0"), "rehearsal", "This is a rehearsal: nothing was sent to SMS Partner"),
    (("check",), "check", "This is a check: nothing was sent to SMS Partner."),
    (("run", "-n", "--account", "a", "--state-dir", "state"), "check", "This is a check: nothing was sent to SMS Partner."),
]


def outputs() -> dict[str, bytes]:
    """Return the reports in the folder with their content."""
    return {
        path.name: path.read_bytes() for path in Path().iterdir() if path.is_file() and path.suffix in {".xlsx", ".html", ".csv"}
    }


@pytest.mark.parametrize(("command", "word", "banner"), PURPOSES)
def test_a_real_run_keeps_its_reports(
    main: Main, served: tuple[Sandbox, list[str]], command: tuple[str, ...], word: str, banner: str
) -> None:
    """Nothing but a real run replaces the report, the workbook and the page of a real run, wherever they are."""
    _, options = served
    write("C000001;Zoé", ";Max")
    named = ("--workbook", "w.xlsx", "--page", "p.html")
    assert main("run", "contacts.csv", *options, "--rate", "0", *named) == 3
    assert main("run", "contacts.csv", *options, "--report", "r.csv", *named) == 3
    before = outputs()
    for more in (named, ("--report", "r.csv", *named), named):
        main.read()
        assert main(command[0], "contacts.csv", *command[1:], *more, "--json") == 3
        out, err = main.read()
        assert before.items() <= outputs().items()
        assert banner in err
        assert f"p.html may be of a real run and is kept; what this run writes is p.{word}.html." in err
        report = f"{'r' if '--report' in more else 'contacts'}.{word}.csv"
        found = json.loads(out)
        assert (found["report"], found["workbook"], found["page"]) == (report, f"w.{word}.xlsx", f"p.{word}.html")
        assert found.get("sandbox", False) == (word == "rehearsal")
    added = {f"contacts.{word}.csv", f"r.{word}.csv", f"w.{word}.xlsx", f"p.{word}.html"}
    assert outputs().keys() - before.keys() == added


@pytest.mark.parametrize(("command", "word", "banner"), PURPOSES)
def test_every_output_says_what_it_is(main: Main, command: tuple[str, ...], word: str, banner: str) -> None:
    """The page has a banner, also in its title, and the workbook one above the rows to fix; a mail has it as well."""
    write("C000001;Zoé", ";Max")
    assert main(command[0], "contacts.csv", *command[1:], "--workbook", "w.xlsx", "--page", "p.html", "-q") == 3
    assert banner in main.read().err
    page = Path("p.html").read_text(encoding="utf-8")
    assert f"<title>[{word}] contacts.csv: " in page
    assert re.search(f'<p class="banner">{re.escape(banner[:40])}', page)
    first = openpyxl.load_workbook("w.xlsx").worksheets[0]
    assert first.title == f"To fix ({word})"
    assert str(first["A1"].value).startswith(banner)
    assert first["A3"].value == "Row"
    assert (first.freeze_panes, first.auto_filter.ref) == ("A4", "A3:F4")


def test_a_given_path_is_used_again(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """A path that is free, empty, or of a rehearsal or a check is used as it is, and a real run takes it over."""
    _, options = served
    write("C000001;Zoé")
    Path("empty.csv").touch()
    for name in ("r.csv", "r.csv", "empty.csv"):
        assert main("check", "contacts.csv", "--report", name, "--json") == 0
        assert main.read_json()["report"] == name
    assert main("run", "contacts.csv", *options, "--report", "r.csv", "--rate", "0") == 0
    assert "updated" in Path("r.csv").read_text(encoding="utf-8-sig")
    assert not Path("r.check.csv").exists()


def test_an_edited_rehearsal_is_kept(main: Main) -> None:
    """What an operator has corrected in a given path is kept."""
    write("C000001;Zoé")
    assert main("check", "contacts.csv", "--report", "r.csv") == 0
    os.utime("r.csv", (1e9, 1e9))
    before = Path("r.csv").read_bytes()
    assert main("run", "contacts.csv", "--sandbox", "--report", "r.csv", "--rate", "0") == 0
    assert Path("r.csv").read_bytes() == before
    assert Path("r.rehearsal.csv").exists()


def test_a_report_set_apart_never_replaces_the_source(main: Main) -> None:
    """A report is not written over its source, whatever they are called."""
    source = write("C000001;Zoé", name="contacts.check.csv")
    Path("contacts.csv").write_text("sync_row")
    before = source.read_bytes()
    assert main("check", source, "--report", "contacts.csv") == 2
    assert "Two files would have the same name" in main.read().err
    assert source.read_bytes() == before


def test_retry_and_history_know_only_real_runs(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """Neither a rehearsal nor a check is in the history, and reports are written again for the last real run."""
    _, options = served
    write("C000001;Zoé", ";Max")
    assert main("run", "contacts.csv", *options, "--rate", "0") == 3
    main.read()
    assert main("history", *options, "--json") == 0
    before, real = main.read_json(), Path("contacts.results.csv").read_bytes()
    assert main("check", "contacts.csv") == 3
    assert main("run", "contacts.csv", "--sandbox", "--rate", "0") == 3
    main.read()
    assert main("history", *options, "--json") == 0
    assert main.read_json() == before
    assert main("report", *options) == 0
    assert Path("contacts.results.csv").read_bytes() == real
    assert "rehearsal" not in main.read().err


def test_rehearsal_is_fed_back_by_name(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """The corrected report of a rehearsal is run when it is named, and has reports of its own."""
    sandbox, options = served
    write("C000001;Zoé", ";Max")
    assert main("run", "contacts.csv", "--sandbox", "--rate", "0") == 3
    report = Path("contacts.rehearsal.csv")
    report.write_text(report.read_text(encoding="utf-8-sig").replace("\n;Max", "\nC000002;Max"), encoding="utf-8-sig")
    os.utime(report, (time.time() - 60,) * 2)
    assert main("run", report, *options, "--rate", "0") == 0
    assert sandbox.store["C000002"]["firstname"] == "Max"
    assert Path("contacts.rehearsal.results.csv").exists()


def test_inbox_does_not_take_a_rehearsal(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """A rehearsal of an inbox leaves reports that the real run moves with their file, and takes for none of its sources."""
    _, options = served
    Path("in").mkdir()
    write("C000001;Zoé", name="in/a.csv")
    assert main("run", "in", "--sandbox", "--rate", "0") == 0
    assert main("run", "in", "-n", *options) == 0
    assert {path.name for path in Path("in").iterdir()} == {"a.csv", "a.csv.rehearsal.csv", "a.csv.check.csv"}
    assert main("run", "in", *options, "--rate", "0") == 0
    assert [path.name for path in Path("in").iterdir()] == ["done"]
    ends = {path.name.partition("a.csv")[2] for path in Path("in/done").iterdir()}
    assert ends == {"", ".results.csv", ".rehearsal.csv", ".check.csv"}


def test_page_of_a_rehearsal_claims_nothing(main: Main) -> None:
    """The page of a rehearsal does not say that contacts are in place, but that they would be."""
    assert main("run", write("C000001;Zoé"), "--sandbox", "--rate", "0", "--page", "p.html") == 0
    text = Path("p.html").read_text(encoding="utf-8")
    assert "The one contact would be in place." in text
    assert "is in place" not in text
