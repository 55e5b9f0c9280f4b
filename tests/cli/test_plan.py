"""`plan`, and `run --plan`."""

import csv
import io
import json
from pathlib import Path

import pytest

from contact_sync.sandbox.server import Sandbox

from .program import KEY, Main, key_file, write

Served = tuple[Sandbox, list[str]]


@pytest.fixture
def edited(main: Main, served: Served) -> Served:
    """Return an account of which a group was pulled into all.csv, and edited in two rows."""
    _sandbox, options = served
    options += ["--rate", "0"]
    assert main("pull", "-o", "all.csv", "--group", "Clients", *options) == 0
    with Path("all.csv").open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file, delimiter=";")
    rows[1][header.index("lastname")] = "Martin\x1b[2J"
    rows[2][header.index("lastname")] = "Durand"
    rows[2][header.index("custom1")] = "<clear>"
    lines = io.StringIO()
    csv.writer(lines, delimiter=";", lineterminator="\n").writerows([header, *rows])
    write(*lines.getvalue().splitlines()[1:], name="all.csv", header=";".join(header))
    main.read()
    return served


def test_plan(main: Main, edited: Served) -> None:
    """The summary goes to stderr, the changes to stdout, old → new; the plan is then run by its number."""
    sandbox, options = edited
    write("C000006;Éva", "C000011;Zoé", name="c.csv")
    assert main("plan", "c.csv", "--live", "-o", "p.html", *options) == 0
    out, err = main.read()
    assert out.splitlines() == ["row 2, C000006, firstname: Hugo → Éva", "row 3, C000011, firstname: Camille → Zoé"]
    assert "c.csv: a run would change 2 contacts.\n" in err
    assert "Fields: firstname 2." in err
    assert "All changes: p.html" in err
    number = err.split("run --plan ")[1].split()[0]
    assert "Éva" not in err
    assert sandbox.requests == 0
    written = number.lower().replace("-", " ").replace("0", "o")
    assert main("run", "c.csv", "--live", "--plan", written, *options) == 0
    assert sandbox.requests == 2
    assert main("run", "c.csv", "--live", "--plan", number, "--resend", *options) == 4
    assert "Rows that differ: 2 and 3." in main.read().err


def test_a_pulled_file(main: Main, edited: Served) -> None:
    """A mistake in a cell is shown with its row, and a control character of a cell does not reach the terminal."""
    _sandbox, options = edited
    assert main("plan", "all.csv", *options) == 0
    out, err = main.read()
    assert "row 3, “lastname” (column D)" in err
    assert "\x1b" not in out + err
    assert "row 4, C000011, custom1: 0000010 → (empty) (is emptied)" in out or "custom1: 0000010 → (empty)" in out


def test_json(main: Main, edited: Served) -> None:
    """`--json` is one object with the documented keys; old is the value that SMS Partner has now."""
    _sandbox, options = edited
    assert main("plan", "all.csv", "--json", "-q", *options) == 0
    found = main.read_json()
    assert {name: found[name] for name in ("contacts", "fields", "conflicts", "emptied", "requests", "invalid", "exit_code")} == {
        "contacts": 1,
        "fields": {"lastname": 1, "custom1": 1},
        "conflicts": 0,
        "emptied": 1,
        "requests": 3,
        "invalid": 1,
        "exit_code": 0,
    }
    assert found["changes"] == [
        {
            "row": 4,
            "contactId": "C000011",
            "field": "lastname",
            "old": "Łukasiewicz",
            "new": "Durand",
            "theirs": None,
            "effect": "sent",
        },
        {"row": 4, "contactId": "C000011", "field": "custom1", "old": "0000010", "new": "", "theirs": None, "effect": "sent"},
    ]
    assert len(found["plan"]) == 14


def test_offline(main: Main, edited: Served) -> None:
    """Offline, a pulled file needs neither a key nor a network, and shows no old values."""
    del main.env["CONTACT_SYNC_API_KEY"]
    assert main("plan", "all.csv", "--offline", "--json", "--state-dir", "state", "--base-url", "http://127.0.0.1:9/v1") == 0
    found = main.read_json()
    assert (found["plan"], [change["old"] for change in found["changes"]]) == (None, [None, None])
    assert main("plan", "all.csv", "--state-dir", "state") == 2
    assert "There is no API key" in main.read().err


def test_quiet(main: Main, served: Served) -> None:
    """`--quiet` prints nothing where there is nothing to do, and else the numbers without any value."""
    _sandbox, options = served
    write("C000006;Hugo", name="c.csv")
    options += ["--rate", "0", "--live", "-q", "--expect-no-changes"]
    assert main("plan", "c.csv", *options) == 0
    assert main.read() == ("", "")
    write("C000006;Éva", name="c.csv")
    assert main("plan", "c.csv", *options) == 8
    out, err = main.read()
    assert out == ""
    assert "a run would change 1 contact." in err
    assert "Éva" not in err


def test_many_changes(main: Main, served: Served) -> None:
    """The first twenty changes are printed, and the number of the others; JSON has all of them."""
    _sandbox, options = served
    write(*(f"C0000{number};Éva" for number in range(10, 40)), name="c.csv")
    assert main("plan", "c.csv", "--rate", "0", *options) == 0
    lines = main.read().out.splitlines()
    assert (len(lines), lines[0], lines[-1]) == (21, "row 2, C000010, firstname: Éva", "and 10 more changes: see -o.")
    assert main("plan", "c.csv", "--rate", "0", "--json", *options) == 0
    assert len(main.read_json()["changes"]) == 30


def test_no_value_is_logged(main: Main, served: Served) -> None:
    """The log has no value of a contact."""
    _sandbox, options = served
    write("C000006;Verysecret", name="c.csv")
    assert main("plan", "c.csv", "--live", "--rate", "0", "-v", "--log-file", "log", *options) == 0
    text = Path("log").read_text(encoding="utf-8") + main.read().err
    assert "contact=C000006 outcome=ready" in text
    assert not any(value in text for value in ("Verysecret", "Hugo", KEY))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["plan", "c.csv", "-o", "p.ods"], "The name of a plan ends in .xlsx, .csv or .html"),
        (["plan", "c.csv", "-o", "c.csv"], "c.csv, which is no plan"),
        (["plan", "c.csv", "-o", "notes.csv"], "notes.csv, which is no plan"),
        (["plan", "c.csv", "-o", "key.csv", "--api-key-file", "key.csv"], "the key file"),
        (["plan", "c.csv", "-o", "p.csv", "--log-file", "p.csv"], "The log would overwrite p.csv"),
        (["plan", "c.csv"], "There is no API key"),
        (["run", "c.csv", "--plan", "1234", "--api-key-file", "key.csv"], "--plan is not the number of a plan"),
        (["run", "c.csv", "--plan", "ABCD-EFGH-JKMN", "--sandbox"], "--plan excludes --sandbox"),
        (["run", "c.csv", "--plan", "ABCD-EFGH-JKMN", "--limit", "1", "--api-key-file", "key.csv"], "--plan excludes"),
        (["run", "c.csv", "notes.csv", "--plan", "ABCD-EFGH-JKMN"], "--plan is of one file"),
        (["run", ".", "--plan", "ABCD-EFGH-JKMN"], "--plan is of one file"),
    ],
)
def test_refused_arguments(main: Main, arguments: list[str], sentence: str) -> None:
    """What cannot be meant is exit 2 with one sentence, and no file is changed."""
    write("C1;Zoé", name="c.csv")
    write("C1;Zoé", name="notes.csv")
    key_file("key.csv")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert main(*arguments) == 2
    assert sentence in main.read().err
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


def test_earlier_plan_is_replaced(main: Main, served: Served) -> None:
    """The file of an earlier plan is replaced, in each format."""
    _sandbox, options = served
    write("C000006;Éva", name="c.csv")
    for kind in ("csv", "xlsx", "html"):
        for _time in range(2):
            assert main("plan", "c.csv", "-o", f"p.{kind}", "--rate", "0", *options) == 0
        assert Path(f"p.{kind}").stat().st_mode & 0o777 == 0o600


def test_refused_source(main: Main, served: Served) -> None:
    """A source that is refused is exit code 4, also in JSON; so is one that a guard stops."""
    _sandbox, options = served
    assert main("plan", "missing.csv", *options) == 4
    main.read()
    write("C000006;" + "x" * 40, name="c.csv")
    assert main("plan", "c.csv", "--json", *options) == 4
    found = json.loads(main.read().out)
    assert (found["exit_code"], found["plan"], found["changes"]) == (4, None, [])
    assert "--max-invalid" in found["error"]
