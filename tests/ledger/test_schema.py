"""Files of earlier and later versions, of other accounts and of other programs."""

import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from contact_sync.errors import StorageError
from contact_sync.ledger.digests import unpack
from contact_sync.ledger.sqlite import SqliteLedger
from contact_sync.ledger.sqlite.schema import MIGRATIONS, VERSION
from contact_sync.model.fields import FIELDS
from contact_sync.model.report import lines_of
from contact_sync.model.source import OutputPaths
from contact_sync.packed import pack
from tests.ledger.rows import PRINTS, Open, confirm, in_place
from tests.setups import LAYOUT, REPORT


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_another_account(opened: Open, where: Path) -> None:
    """The ledger of another account is refused."""
    opened()
    with pytest.raises(StorageError, match=f"{where} belongs to another account: move it out of the state folder"):
        SqliteLedger(where, PRINTS, "other")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_newer_version(opened: Open, where: Path) -> None:
    """A ledger that a newer version has written is refused and left unchanged."""
    with opened() as newer:
        newer.database.connection.execute("PRAGMA user_version = 99")
    content = where.read_bytes()
    with pytest.raises(StorageError, match=f"{where} was written by a newer contact-sync: install that version"):
        SqliteLedger(where, PRINTS, "account")
    assert where.read_bytes() == content


def first_version(where: Path, confirmed: list[tuple[Any, ...]]) -> None:
    """Write a ledger with the first version of the schema."""
    db = sqlite3.connect(where)
    for statement in MIGRATIONS[0]:
        db.execute(statement)
    db.execute("CREATE TABLE block (first INTEGER PRIMARY KEY)")
    db.execute("CREATE TABLE row (number INTEGER PRIMARY KEY)")
    db.execute("INSERT INTO meta VALUES ('account', 'account')")
    db.execute("INSERT INTO run VALUES ('old', 'contacts.csv', '2026-01-01T00:00:00Z', '2026-01-01T00:01:00Z', 0, '{}')")
    db.executemany("INSERT INTO confirmed VALUES (?, ?, ?)", confirmed)
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()


def test_concurrent_migrations(tmp_path: Path) -> None:
    """Two processes that open a ledger of an earlier version at the same time both find it complete."""
    for trial in range(5):
        where = tmp_path / f"{trial}.sqlite3"
        first_version(where, [])
        both = threading.Barrier(2)

        def open_it(where: Path = where, both: threading.Barrier = both) -> list[str]:
            both.wait()
            with SqliteLedger(where, PRINTS, "account") as ledger:
                return [run.id for run in ledger.runs(9)]

        with ThreadPoolExecutor(2) as pool:
            assert [future.result() for future in [pool.submit(open_it), pool.submit(open_it)]] == [["old"]] * 2


def test_concurrent_creation(tmp_path: Path) -> None:
    """Processes that open an account without a ledger at the same time find one, and none is refused."""

    def open_it(where: Path, together: threading.Barrier) -> str:
        together.wait()
        with SqliteLedger(where, PRINTS, "account") as ledger:
            return ledger.last_run()

    with ThreadPoolExecutor(3) as pool:
        for trial in range(20):
            where, together = tmp_path / f"{trial}.sqlite3", threading.Barrier(3)
            assert [future.result() for future in [pool.submit(open_it, where, together) for _ in range(3)]] == [""] * 3


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_first_version(opened: Open, where: Path) -> None:
    """A ledger with the first schema is migrated: what was confirmed stays, the rows of its last run go."""
    confirm(opened(), 2, "C1", firstname="Zoé")
    with closing(sqlite3.connect(where)) as db:
        ((contact_id, row, packed),) = db.execute("SELECT contact_id, row, fields FROM confirmed").fetchall()
    for path in (where, where.with_suffix(".seal")):
        path.unlink()
    first_version(where, [(contact_id, row, b"".join(unpack(packed).get(field, bytes(8)) for field in FIELDS))])
    ledger = opened(begin=False)
    assert ledger.last_run() == ""
    assert [run.id for run in ledger.runs(9)] == ["old"]
    assert in_place(ledger, "C1", firstname="Zoé")
    with closing(sqlite3.connect(where)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert db.execute("SELECT fields FROM confirmed").fetchall() == [(packed,)]


def second_version(where: Path, stage: int) -> None:
    """Write a ledger with the second schema; `stage` of its last run: 0 = some rows, 1 = all staged, 2 = released."""
    db = sqlite3.connect(where)
    for statement in (*MIGRATIONS[0], *MIGRATIONS[1]):
        db.execute(statement)
    db.execute("INSERT INTO meta VALUES ('account', 'account'), ('rows', 'old')")
    paths = OutputPaths(Path("contacts.csv"), {"report": REPORT}, 0o600).packed()
    db.execute(
        "INSERT INTO run (id, source, started, layout, places, staged) VALUES ('old', 'c.csv', '2026-01-01T00:00:00Z', ?, ?, ?)",
        (json.dumps(LAYOUT), paths, stage),
    )
    db.execute("INSERT INTO block VALUES (2, '[2, 3]', '[\"C2\", \"C3\"]', ?, 'unchanged', 1)", (pack([["C2"], ["C3"]]),))
    db.execute(
        "INSERT INTO row (number, contact_id, contact, clears, outcome, code, fields, message, attempts)"
        " VALUES (3, 'C3', '{}', 0, 'failed', 'api-throttled', '', 'Too many.', 4)"
    )
    db.execute("PRAGMA user_version = 2")
    db.commit()
    db.close()


@pytest.mark.parametrize(("stage", "resumed"), [(1, False), (2, True)])
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_second_version(opened: Open, where: Path, stage: int, *, resumed: bool) -> None:
    """The last run in a ledger with the second schema is read unchanged, and resumed if it was released."""
    second_version(where, stage)
    ledger = opened(begin=False)
    assert ledger.last_run() == "old"
    assert ledger.reopen_last()[1] == LAYOUT
    found = [(line.number, line.cells, line.outcome, line.message) for line in lines_of(ledger.batches())]
    assert found == [(2, ["C2"], "unchanged", ""), (3, ["C3"], "failed", "Too many.")]
    assert ledger.resume_last() is resumed


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_second_version_with_half_a_run(opened: Open, where: Path) -> None:
    """Of a run that was killed while it was staged with the second schema, no row is left."""
    second_version(where, 0)
    ledger = opened(begin=False)
    assert ledger.last_run() == ""
    assert list(lines_of(ledger.batches())) == []
    assert ledger.outcomes() == {}
    assert [run.id for run in ledger.runs(9)] == ["old"]


def test_not_a_database(where: Path) -> None:
    """A file that is not a database is refused and left unchanged."""
    where.write_text("contactId;firstname\n" * 100)
    with pytest.raises(StorageError, match=r"account\.sqlite3 cannot be used \(file is not a database\): check the disk"):
        SqliteLedger(where, PRINTS, "account")
    assert where.read_text().startswith("contactId")


def test_a_database_of_another_program(where: Path) -> None:
    """A database of another program is refused."""
    with sqlite3.connect(where) as db:
        db.execute("CREATE TABLE meta (other)")
    db.close()
    with pytest.raises(StorageError, match="table meta already exists"):
        SqliteLedger(where, PRINTS, "account")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_an_interrupted_creation(where: Path, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger whose creation was interrupted is completed by the next run."""
    with monkeypatch.context() as patch:
        patch.setattr(
            "contact_sync.ledger.sqlite.schema.MIGRATIONS", (("CREATE TABLE meta (key TEXT, value TEXT)",), ("no SQL",))
        )
        with pytest.raises(StorageError):
            SqliteLedger(where, PRINTS, "account")
    confirm(opened(), 2, "C1", firstname="Zoé")
