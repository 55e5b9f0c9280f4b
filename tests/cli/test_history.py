"""`history` and `forget`."""

import contextlib
import os
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from contact_sync.files.lock import acquire
from contact_sync.sandbox.faults import Behaviour
from contact_sync.sandbox.server import Sandbox

from .program import KEY, Main, write


def test_missing_ledger_or_run(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """Without a ledger, a ledger of this account, or a run, each command says what is missing."""
    _, options = served
    for command in ("retry", "report", "history"):
        assert main(command, *options) == 2
        assert (
            "There is no ledger in state: run this as the user of the job, check --state-dir, or run a file first."
            in main.read().err
        )
    assert main("run", write("C000001;Zoé"), "-n", *options) == 0
    assert main("report", *options) == 2
    assert "There is no run whose rows are still kept" in main.read().err
    assert main("history", *options, "--account", "other") == 0, "it has the same key"
    main.env["CONTACT_SYNC_API_KEY"] = f"{KEY}-2"
    assert main("history", *options, "--account", "other") == 2
    main.env["CONTACT_SYNC_API_KEY"] = KEY
    assert "has no ledger of this account" in main.read().err
    assert main("history", *options) == 0
    assert "No history for this contact." in main.read().err
    assert main("run", "contacts.csv", *options, "--max-clears", "0", "--blank", "clear", "--map", "x=custom1", "-q") == 2
    Path("gone").mkdir()
    Path("gone").rmdir()
    Path("file").touch()
    assert main("history", "--state-dir", "file") == 7
    assert "cannot be used (Not a directory): check --state-dir" in main.read().err


def test_history_and_forget(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """Runs and contacts are shown as a table and as JSON, until they are forgotten."""
    _, options = served
    write("C000001;Zoé", f"C000002;{'x' * 40}")
    assert main("run", "contacts.csv", *options, "--rate", "0", "-q") == 3
    main.read()
    assert main("history", *options) == 0
    (line,) = main.read().out.splitlines()
    assert re.search(r"contacts\.csv  exit 3  1 updated, 1 invalid  \d+ s", line)
    assert main("history", *options, "--contact", "C000002") == 0
    assert "invalid  text-length  firstname  contacts.csv  row 3" in main.read().out
    for contact in ("C000001", " C00\u200b0001"):  # as it may come out of a spreadsheet
        assert main("history", *options, "--contact", contact, "--json") == 0
        assert [(event["outcome"], event["sent"]) for event in main.read_json()] == [("updated", "firstname")]
    assert main("forget", "C000001", *options) == 0
    assert "Contact forgotten (2 records deleted)." in main.read().err
    assert main("forget", "C000001", *options) == 0
    assert "Nothing is stored about this contact: check its id." in main.read().err
    assert main("forget", "C000001", *options, "--json") == 0
    assert main.read_json() == {"records": 0, "exit_code": 0}
    assert main("history", *options, "--contact", "C000001", "--json") == 0
    assert main.read_json() == []


def test_history_distinguishes_interrupted_runs(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """A run without rows, or with a refused source, was not interrupted; an unfinished one was, unless it is in progress."""
    _, options = served
    write()
    assert main("run", "contacts.csv", *options, "--allow-empty", "-q") == 0
    assert main("run", "contacts.csv", *options, "-q") == 4
    main.read()
    assert main("history", *options) == 0
    out = main.read().out
    assert "exit 0" in out
    assert "exit 4" in out
    assert "interrupted" not in out
    (ledger,) = Path("state").glob("*.sqlite3")
    with contextlib.closing(sqlite3.connect(ledger)) as db, db:
        db.execute("UPDATE run SET finished = NULL, exit_code = NULL, outcomes = NULL")
    assert main("history", *options) == 0
    assert main.read().out.count("interrupted") == 2
    descriptor = acquire(ledger.with_suffix(".lock"))
    assert descriptor is not None
    assert main("history", *options) == 0
    first, second = main.read().out.splitlines()
    assert first.endswith("in progress")
    assert second.endswith("interrupted")
    os.close(descriptor)


def test_several_ledgers(main: Main, sandbox: Callable[..., Sandbox]) -> None:
    """Without an account `history` shows every ledger; `report`, `undo` and `forget` take the names and runs that it lists."""
    main.env["CONTACT_SYNC_API_KEY"] = KEY
    state = ["--state-dir", "state"]
    for name in ("shop", ""):
        given = ["--base-url", sandbox(key=KEY).base_url, *(["--account", name] if name else [])]
        assert main("run", write("C000001;Zoé", name=f"{name or 'club'}.csv"), *state, *given, "--rate", "0") == 0
    del main.env["CONTACT_SYNC_API_KEY"]
    main.read()
    assert main("history", *state) == 0
    lines = main.read().out.splitlines()
    cells = [re.split(r" {2,}", line) for line in lines]
    (club, club_name), (shop, shop_name) = ((each[0], each[2]) for each in cells)
    assert shop_name == "shop"
    assert [each[3] for each in cells] == ["club.csv", "shop.csv"]
    assert main("history", *state, "--last", "1", "--json") == 0
    assert [(run["id"], run["account"]) for run in main.read_json()] == [(club, club_name)]
    for account, run in ((shop_name, shop), (club_name, club)):
        assert main("history", *state, "--account", account) == 0
        assert main.read().out.startswith(run)
        for given in (["--account", account], [run]):
            Path("again.csv").unlink(missing_ok=True)
            assert main("report", *state, *given, "--report", "again.csv", "--json") == 0
            assert main.read_json()["run"] == run
    assert main("undo", shop, *state, "-o", "undo.csv") == 2
    assert "No values before are kept" in main.read().err  # of this run, which changed no contact
    assert main("history", *state, "--contact", "C000001", "--json") == 0
    assert [event["run"] for event in main.read_json()] == [club, shop]
    for more, sentence in (([], "say which one with --account NAME"), (["--account", "x"], "has no ledger of this account")):
        assert main("report", *state, *more) == 2
        err = main.read().err
        assert sentence in err
        assert {*err.rpartition(": ")[2].rstrip(".\n").split(", ")} == {club_name, "shop"}
    damaged = Path("state/0123456789abcdef.sqlite3")
    damaged.write_bytes(b"no ledger" * 1000)
    assert main("report", *state, shop) == 0, "a damaged ledger does not hide the others"
    damaged.unlink()
    assert main("forget", "C000001", *state, "--account", "shop") == 0
    assert main("history", *state, "--contact", "C000001", "--json") == 0
    assert [event["run"] for event in main.read_json()] == [club]


@pytest.mark.parametrize("outcome", ["failed", "unprocessed"])
def test_forgotten_contact_in_report_and_retry(main: Main, served: tuple[Sandbox, list[str]], outcome: str) -> None:
    """The row of a forgotten contact is reported as such, and no run is said to send it."""
    sandbox, options = served
    write("C000001;Zoé", "C000002;Léa")
    if outcome == "failed":
        sandbox.script["C000002"] = [Behaviour(status=400, body=b"")] * 2
    more = ("--attempts", "1") if outcome == "failed" else ("--limit", "1")
    main("run", "contacts.csv", *options, "--rate", "0", "-q", *more)
    assert main("forget", "C000002", *options) == 0
    main.read()
    assert main("retry", *options) == 0
    assert "left no row to send." in main.read().err
    assert main("report", *options) == 0
    err = main.read().err
    assert "row 3: The contact was forgotten, so the row is not sent: delete it" in err
    assert "next run" not in err
    assert "Next:" not in err
    last = Path("contacts.results.csv").read_text(encoding="utf-8-sig").splitlines()[-1]
    assert last.startswith(
        ";;3;unprocessed;forgotten;;The contact was forgotten, so the row is not sent: delete it from the source, "
    )


@pytest.mark.parametrize("contact_id", ["", " ", "\u200b"])
def test_forget_without_an_id(main: Main, served: tuple[Sandbox, list[str]], contact_id: str) -> None:
    """An empty id is exit 2 and forgets nothing, even where rows have no id."""
    _, options = served
    write("C000001;Zoé", ";Max")
    assert main("run", "contacts.csv", *options, "--rate", "0", "-q") == 3
    before = Path("contacts.results.csv").read_bytes()
    assert main("forget", contact_id, *options) == 2
    assert "There is no contactId: give the contact" in main.read().err
    assert main("report", *options, "-q") == 0
    assert Path("contacts.results.csv").read_bytes() == before


def test_forget_normalises_the_id(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """An id is normalised like the ids in a file."""
    _, options = served
    write("'C000001;Zoé")
    assert main("run", "contacts.csv", *options, "--rate", "0", "-q") == 0
    main.read()
    assert main("forget", " 'C000001", *options) == 0
    assert "Contact forgotten (2 records deleted)." in main.read().err


def test_forgotten_contact_is_not_sent_again(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """The next export that still has a forgotten contact does not bring it back, nor asks to correct it."""
    sandbox, options = served
    path = write("C000001;Zoé", "C000002;Léa", f"C000002;{'x' * 40}")
    assert main("forget", "C000002", *options) == 2  # there is no ledger yet
    assert main("run", write("C000001;Zoé", "C000002;Léa", name="first.csv"), *options, "--rate", "0", "-q") == 0
    assert main("forget", "C000002", *options) == 0
    assert "are not sent any more, unless with --allow-forgotten: a keyed digest of the id is kept" in main.read().err
    (ledger,) = Path("state").glob("*.sqlite3")
    assert b"C000001" in ledger.read_bytes()
    assert b"C000002" not in ledger.read_bytes()
    before = sandbox.requests
    assert main("run", path, *options, "--rate", "0", "--json") == 0
    document = main.read_json()
    assert (document["outcomes"], document["codes"]) == ({"unchanged": 1, "unprocessed": 2}, {"forgotten": 2})
    assert main("plan", path, *options, "--json") == 0
    assert main.read_json()["contacts"] == 0
    assert main("forget", "C000001", *options) == 0
    assert main("run", write("C000003;Max"), *options, "--rate", "0", "-q") == 0
    assert sandbox.requests == before + 1


def test_allow_forgotten(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """With --allow-forgotten a row is sent, and its contact is like any other afterwards; those that were not sent stay out."""
    _, options = served
    path = write("C000001;Zoé", "C000002;Léa")
    assert main("run", path, *options, "--rate", "0", "-q") == 0
    for contact in ("C000001", "C000002"):
        assert main("forget", contact, *options) == 0
    assert main("plan", path, *options, "--allow-forgotten", "--json") == 0
    main.read()
    assert main("run", path, *options, "--rate", "0", "--allow-forgotten", "--limit", "1", "--json") == 0
    assert main.read_json()["outcomes"] == {"updated": 1, "unprocessed": 1}
    path = write("C000001;Zoa", "C000002;Léa")
    assert main("run", path, *options, "--rate", "0", "--json") == 0
    document = main.read_json()
    assert (document["outcomes"], document["codes"]) == ({"updated": 1, "unprocessed": 1}, {"forgotten": 1})


def test_history_in_french(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """Outcomes have their French labels in the history of runs and of a contact."""
    _, options = served
    assert main("run", write("C000001;Zoé"), *options, "--rate", "0", "-q") == 0
    for given in ([], ["--contact", "C000001"]):
        assert main("history", *options, *given, "--lang", "fr") == 0
        assert "à jour (updated)" in main.read().out
