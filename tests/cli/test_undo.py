"""`contact-sync undo`."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from contact_sync.ledger.state_dir import open_ledger
from contact_sync.model.report import BeforeImage
from contact_sync.model.row import Block, Outcome, Result, Staged
from contact_sync.packed import pack
from contact_sync.settings import AccountSettings
from tests.cli.program import KEY, Main
from tests.setups import begin_run

PAYLOAD = (None, "Anna", *[None] * 7)


@pytest.fixture
def changed(main: Main, tmp_path: Path) -> Path:
    """Return the source of a run that has changed a contact."""
    source = tmp_path / "contacts.csv"
    main.env |= {"CONTACT_SYNC_API_KEY": KEY, "CONTACT_SYNC_STATE_DIR": str(tmp_path / "state")}
    with open_ledger(AccountSettings(key=KEY, state_dir=tmp_path / "state")) as ledger:
        begin_run(ledger, source=str(source))
        ledger.stage(Block([2], ["C1"], pack([["C1", "Anna"]]), Outcome.UNCHANGED, [Staged(2, "C1", PAYLOAD, None)]))
        (row,) = ledger.claim(-1)
        ledger.keep_before("run", BeforeImage("C1", {"firstname": "Zoé", "custom1": ""}, "v1.c.d"), "2026-11-29T10:00:00Z")
        ledger.record(Result(row, Outcome.UPDATED, at="2026-11-29T10:00:00Z"))
        ledger.flush()
    return source


def test_beside_the_source(main: Main, changed: Path) -> None:
    """Without -o, the file is beside the source; it has the values before, and nothing is sent."""
    assert main("undo", "--json") == 0
    path = changed.with_name("contacts.undo.csv")
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    assert lines[1] == "C1;;Zoé;;;;<clear>;;;;;;;v1.c.d"
    out, err = main.read()
    expected = {"run": "run", "contacts": 1, "fields": {"firstname": 1, "custom1": 1}, "output": str(path), "others": []}
    expected["started"] = "2026-01-02T03:04:05Z"
    assert json.loads(out) == expected | {"exit_code": 0}
    time = f"{datetime.fromisoformat('2026-01-02T03:04:05Z').astimezone():%Y-%m-%d %H:%M}"
    assert (
        f"the values of 1 contact before the run run ({time}). Run this file to put them back.\nThe file of that run does not"
        in err
    )
    assert path.stat().st_mode & 0o777 == 0o600
    assert main("undo") == 0, "an earlier file of undo is replaced"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["other"], "There is no run other: see contact-sync history."),
        (["-o", "contacts.txt"], "ends in .xlsx or .csv: correct -o."),
        (["-o", "mine.csv"], "which is no pulled file: choose another path"),
    ],
)
def test_usage_errors(main: Main, changed: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], sentence: str) -> None:
    """An unknown run, and a place with another file, are exit code 2."""
    monkeypatch.chdir(changed.parent)
    Path("mine.csv").write_text("contactId;firstname\nC1;Anna\n", encoding="utf-8")
    assert main("undo", *options) == 2
    assert sentence in main.read()[1]
    assert Path("mine.csv").read_text(encoding="utf-8") == "contactId;firstname\nC1;Anna\n"


def test_another_file_beside_the_source(main: Main, changed: Path) -> None:
    """A file beside the source that only has the name is not replaced."""
    path = changed.with_name("contacts.undo.csv")
    path.write_text("mine", encoding="utf-8")
    assert main("undo") == 2
    assert "is no file of undo or pull: give another place with -o." in main.read()[1]
    assert path.read_text(encoding="utf-8") == "mine"


def test_values_that_are_not_kept(main: Main, changed: Path) -> None:
    """Once a contact is forgotten, or without such a run, there is nothing to undo."""
    assert main("forget", "C1") == 0
    assert main("undo") == 2
    assert "No values before are kept" in main.read()[1]
    assert not changed.with_name("contacts.undo.csv").exists()
