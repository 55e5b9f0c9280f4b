"""`pull`."""

import csv
from pathlib import Path

import pytest

from contact_sync.sandbox.server import Sandbox

from .program import KEY, Main, config, key_file, write

Served = tuple[Sandbox, list[str]]


def test_pull(main: Main, served: Served) -> None:
    """The file is written with every contact, and the summary says how many there are."""
    sandbox, options = served
    assert main("pull", "-o", "contacts.csv", "--rate", "0", *options) == 0
    assert main.read() == ("", "contacts.csv: 4000 contacts (groups: 5).\n")
    with Path("contacts.csv").open(encoding="utf-8-sig", newline="") as file:
        assert {row["contactId"] for row in csv.DictReader(file, delimiter=";")} == set(sandbox.store)
    assert sandbox.requests == 0


def test_json_and_quiet(main: Main, served: Served) -> None:
    """`--json` is one object, and `--quiet` prints nothing when all is well."""
    _sandbox, options = served
    assert main("pull", "-o", "c.xlsx", "--group", "Clients", "--group", "6362", "--rate", "0", "--json", "-q", *options) == 0
    out, err = main.read()
    assert err == ""
    expected = '{"contacts": 1600, "groups": 2, "requests": 84, "missing": 0, "output": "c.xlsx", "exit_code": 0}\n'
    assert out == expected


def test_json_of_a_failed_pull(main: Main) -> None:
    """A pull that fails has the keys of a pull, and the reason."""
    assert main("pull", "-o", "c.csv", "--json") == 2
    document = main.read_json()
    assert document.pop("error").startswith("There is no API key")
    assert document == {"contacts": 0, "groups": 0, "requests": 0, "missing": 0, "output": None, "exit_code": 2}


def test_rehearsal(main: Main) -> None:
    """A rehearsal needs no key, and says that it is one."""
    assert main("pull", "-o", "c.csv", "--sandbox", "--rate", "0", "--group", "Clients", "--json") == 0
    output = main.read()
    assert output.err == "c.csv: 800 contacts (groups: 1).\nThis is a rehearsal: the contacts are made up.\n"
    assert '"sandbox": true' in output.out


def test_missing_contacts_are_reported(main: Main, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Contacts that may be missing are exit 3 and a sentence, also with `--quiet`; the file is written."""
    monkeypatch.setattr("contact_sync.sync.sweep.MAX_SWEEPS", 1)
    sandbox, options = served
    original = sandbox.store.page
    monkeypatch.setattr(sandbox.store, "page", lambda *place: [*(original(*place) or [])[:1], 801])
    assert main("pull", "-o", "c.csv", "--group", "Clients", "--rate", "0", "-q", *options) == 3
    assert "at least 1 contact may be missing. Pull again." in main.read().err
    assert Path("c.csv").exists()


def test_no_value_is_logged(main: Main, served: Served) -> None:
    """The log has no value of a contact and no key."""
    _sandbox, options = served
    assert main("pull", "-o", "c.csv", "--group", "Clients", "--rate", "0", "-v", "--log-file", "log", *options) == 0
    text = Path("log").read_text(encoding="utf-8") + main.read().err
    assert not any(value in text for value in ("Dupré", "+3360001", KEY))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-o", "contacts.ods"], "ends in .xlsx or .csv"),
        (["-o", "contacts"], "ends in .xlsx or .csv"),
        (["-o", "notes.csv"], "notes.csv, which is no pulled file"),
        (["-o", "key.csv", "--api-key-file", "key.csv"], "the key file"),
        (["-o", "c.csv", "--log-file", "c.csv"], "The log would overwrite c.csv"),
        (["-o", "state/x.csv", "--config", "state/x.csv"], "the config file"),
        (["-o", "c.csv"], "There is no API key"),
        (["-o", "c.csv", "--sandbox", "--base-url", "https://example.com"], "exclude each other"),
        ([], "Missing option '-o'"),
    ],
)
def test_refused_arguments(main: Main, arguments: list[str], sentence: str) -> None:
    """What cannot be meant is exit 2 with one sentence, and no file is changed."""
    write("C1;Zoé", name="notes.csv")
    key_file("key.csv")
    config("", "state/x.csv")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert main("pull", *arguments) == 2
    assert sentence in main.read().err
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


def test_earlier_pull_is_replaced(main: Main) -> None:
    """A pulled file is replaced by the next pull, also one that was edited, and an empty file is."""
    pull = ["pull", "-o", "c.csv", "--sandbox", "--rate", "0", "--group"]
    Path("c.csv").touch()
    assert main(*pull, "Clients") == 0
    Path("c.csv").write_text(Path("c.csv").read_text(encoding="utf-8-sig").replace("Martin", "Martine"), encoding="utf-8-sig")
    assert main(*pull, "Prospects") == 0
    text = Path("c.csv").read_text(encoding="utf-8-sig")
    assert "Martine" not in text
    assert ";Prospects;" in text


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_report_of_a_pulled_file_is_kept(main: Main, suffix: str) -> None:
    """The report of a pulled file, as CSV or workbook, is no pulled file."""
    options = ["--sandbox", "--rate", "0"]
    assert main("pull", "-o", f"c.{suffix}", "--group", "Clients", *options) == 0
    assert main("run", f"c.{suffix}", *options) == 0
    for report in Path().glob(f"c.*.{suffix}"):
        written = report.read_bytes()
        assert main("pull", "-o", str(report), "--group", "Clients", *options) == 2
        assert "which is no pulled file" in main.read().err
        assert report.read_bytes() == written
    assert list(Path().glob(f"c.*.{suffix}")) != []


@pytest.mark.parametrize("command", ["pull", "run"])
def test_progress_without_a_terminal(main: Main, command: str) -> None:
    """`--progress` prints lines on stderr also where that is no terminal, also with `--quiet`."""
    write(*(f"C{number};Zoé" for number in range(100)), name="source.csv")
    more = ["-o", "c.csv", "--group", "Clients"] if command == "pull" else ["source.csv"]
    assert main(command, *more, "--sandbox", "--rate", "20", "--progress", "0.05", "-q") == 0
    lines = main.read().err.splitlines()
    assert len(lines) > 2
    assert all(line.startswith(("loading: ", "sending: ")) and " rows" in line for line in lines)
