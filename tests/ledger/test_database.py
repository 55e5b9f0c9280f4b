"""The file: private, durable, and every failure a sentence."""

import os
import stat
from pathlib import Path

import pytest

from contact_sync.errors import StorageError
from contact_sync.ledger.sqlite import SqliteLedger
from contact_sync.model.report import lines_of
from contact_sync.model.row import Outcome
from tests.ledger.rows import PRINTS, Open, block, ended, row
from tests.setups import begin_run, file_size_limit


def test_a_temporary_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger without a path works, rolls back what fails, and leaves no file."""
    monkeypatch.chdir(tmp_path)
    with SqliteLedger(None, PRINTS) as ledger:
        begin_run(ledger)
        ledger.stage(block(row(2, "", Outcome.READY)))
        assert ledger.outcomes() == {"ready": 1}
        with pytest.raises(StorageError, match="UNIQUE"):
            ledger.stage(block(row(3), row(3)))
        assert ledger.outcomes() == {"ready": 1}
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_private(opened: Open, where: Path) -> None:
    """The ledger and its side files have mode 0600, whatever the umask."""
    os.umask(0)
    opened().stage(block(row(2)))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in where.parent.iterdir()}
    assert modes == dict.fromkeys([where.name, f"{where.name}-wal", f"{where.name}-shm", "account.seal"], 0o600)


def test_a_readable_file_is_made_private(opened: Open, where: Path) -> None:
    """A ledger that others could read is restricted to its owner."""
    where.touch(mode=0o644)
    where.chmod(0o644)
    opened()
    assert stat.S_IMODE(where.stat().st_mode) == 0o600


def test_a_truncated_file(opened: Open, where: Path) -> None:
    """A ledger that lost its end is an error with a sentence wherever that is noticed."""
    with SqliteLedger(where, PRINTS, "account") as ledger:
        begin_run(ledger)
        ledger.stage(block(*[row(number) for number in range(1, 2000)]))
    os.truncate(where, where.stat().st_size // 2)
    with pytest.raises(StorageError, match="if the file is damaged, move it away"):  # noqa: PT012 - noticed early or late
        ledger = opened(begin=False)
        list(ledger.claim(-1))
        list(lines_of(ledger.batches()))


def test_a_file_that_cannot_be_created(tmp_path: Path) -> None:
    """A ledger that cannot be created is an error with a sentence."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"account.sqlite3 cannot be opened \(Not a directory\): check the state folder"):
        SqliteLedger(tmp_path / "file" / "account.sqlite3", PRINTS, "account")


def test_a_full_disk(opened: Open, where: Path) -> None:
    """When the disk is full a write fails with a sentence, confirms nothing, and can be repeated when there is room."""
    ledger = opened()
    ledger.stage(block(*[row(number) for number in range(1, 401)]))
    taken = ledger.claim(-1)
    for pending in taken:
        ledger.record(ended(pending))
    size = where.with_name(f"{where.name}-wal").stat().st_size
    with file_size_limit(size + 5000), pytest.raises(StorageError, match="cannot be used"):
        ledger.flush()
    assert opened(begin=False).count(Outcome.UPDATED) == 0
    ledger.flush()
    assert opened(begin=False).count(Outcome.UPDATED) == 400


def test_commits_are_durable(opened: Open) -> None:
    """A ledger survives a loss of power: each commit waits for the disk."""
    (journal,), (synchronous,) = (
        opened().database.connection.execute(f"PRAGMA {name}").fetchone() for name in ("journal_mode", "synchronous")
    )
    assert (journal, synchronous) == ("wal", 2)
