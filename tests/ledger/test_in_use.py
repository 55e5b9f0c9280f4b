"""A ledger that another program has locked: wait, hear signals, then end with exit code 75; reading never changes the file."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from contact_sync.errors import BusyError, Interrupted, StorageError
from contact_sync.ledger.sqlite import SqliteLedger, database
from tests.ledger.rows import PRINTS, UNMEASURED, Open, block, confirm, ended, in_place, row
from tests.setups import begin_run

HOLD = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA locking_mode = EXCLUSIVE")
db.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Lock a ledger in another process, as a backup program or a database browser does."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=UNMEASURED) as process:
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.stdin.close()


@pytest.fixture
def written(where: Path) -> Path:
    """Return a ledger with a confirmed contact, closed."""
    with SqliteLedger(where, PRINTS, "account") as ledger:
        begin_run(ledger)
        confirm(ledger, 2, "C1", firstname="Zoé")
    return where


@pytest.mark.parametrize("read_only", [True, False])
def test_locked_when_it_is_opened(tmp_path: Path, *, read_only: bool) -> None:
    """An opening waits for a minute at most, in steps, and then says that another program uses the file."""
    where = tmp_path / "account.sqlite3"
    SqliteLedger(where, PRINTS, "account").database.close()
    waits: list[float] = []
    with held(where), pytest.MonkeyPatch.context() as patch:
        now = [time.monotonic()]
        patch.setattr(time, "monotonic", lambda: now[0])

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            now[0] += seconds

        with pytest.raises(BusyError, match="is in use by another program") as busy:
            SqliteLedger(where, PRINTS, "account", read_only=read_only, sleep=sleep)
    assert busy.value.exit_code == 75
    assert "move it away" not in str(busy.value)
    assert max(waits) < 1
    assert 59 < sum(waits) < 61


def test_released_in_time(tmp_path: Path) -> None:
    """An opening continues as soon as the other program has released the file."""
    where = tmp_path / "account.sqlite3"
    SqliteLedger(where, PRINTS, "account").database.close()
    with held(where) as process:

        def sleep(seconds: float) -> None:
            assert process.stdin
            process.stdin.close()
            time.sleep(seconds)

        with SqliteLedger(where, PRINTS, "account", sleep=sleep) as ledger:
            assert ledger.warnings == []


def test_a_signal_ends_the_waiting(tmp_path: Path) -> None:
    """What the waiting raises ends it."""
    where = tmp_path / "account.sqlite3"
    SqliteLedger(where, PRINTS, "account").database.close()

    def interrupted(_: float) -> None:
        raise Interrupted(15)

    with held(where), pytest.raises(Interrupted):
        SqliteLedger(where, PRINTS, "account", sleep=interrupted)


def test_locked_while_rows_are_sent(opened: Open, where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that another program blocks waits, confirms nothing until it succeeds, and gives up once only."""
    ledger = opened()
    ledger.stage(block(row(2, "C1", firstname="Zoé")))
    (taken,) = ledger.claim(-1)
    ledger.record(ended(taken))
    monkeypatch.setattr(database, "PATIENCE_S", 0.3)
    with closing(sqlite3.connect(where, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BusyError, match="is in use by another program"):
            ledger.flush()
        began = time.process_time()
        monkeypatch.setattr(database, "PATIENCE_S", 3600)
        with pytest.raises(BusyError):
            ledger.flush()  # does not wait an hour
        assert time.process_time() - began < 60
        other.execute("ROLLBACK")
    ledger.flush()
    assert in_place(ledger, "C1", firstname="Zoé")


def test_a_reader_does_not_stop_a_run(opened: Open, where: Path) -> None:
    """While a reader keeps the log from being moved, rows are still claimed, recorded and confirmed."""
    ledger = opened()
    ledger.stage(block(*[row(number) for number in range(1, 401)]))
    with closing(sqlite3.connect(where, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM row").fetchall()
        for claimed in ledger.claim(-1):
            ledger.record(ended(claimed))
        ledger.flush()
        ledger.database.close()
    again = opened(begin=False)
    assert again.warnings == []
    assert in_place(again, "C1", firstname="Zoé")


def test_reading_changes_nothing(written: Path) -> None:
    """A ledger of a run that was killed is read without moving its log, which would look like damage to the next run."""
    script = (
        "import os, sys; from pathlib import Path; from contact_sync.ledger.sqlite import SqliteLedger;"
        "from tests.ledger.rows import *; from tests.setups import begin_run;"
        "ledger = SqliteLedger(Path(sys.argv[1]), PRINTS, 'account'); begin_run(ledger, 'run-9');"
        "confirm(ledger, 2, 'C2', firstname='Max'); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", script, str(written)], check=False, env=UNMEASURED, cwd=Path(__file__).parents[2])
    log = written.with_name(f"{written.name}-wal")
    before = written.read_bytes(), log.read_bytes()
    with SqliteLedger(written, PRINTS, "account", read_only=True) as ledger:
        assert len(ledger.runs(9)) == 2
        with pytest.raises(StorageError):
            ledger.release("run-9")
    assert (written.read_bytes(), log.read_bytes()) == before
    with SqliteLedger(written, PRINTS, "account") as ledger:
        assert (ledger.warnings, in_place(ledger, "C2", firstname="Max")) == ([], True)


def test_copies_are_believed(written: Path, tmp_path: Path) -> None:
    """A ledger that was copied to another place with its seal, as in a move to another host, is believed."""
    (tmp_path / "new").mkdir()
    for path in (written, written.with_suffix(".seal")):
        (tmp_path / "new" / path.name).write_bytes(path.read_bytes())
    with SqliteLedger(tmp_path / "new" / written.name, PRINTS, "account") as ledger:
        assert (ledger.warnings, in_place(ledger, "C1", firstname="Zoé")) == ([], True)


def test_an_edited_ledger(written: Path) -> None:
    """A ledger that another program has changed is not believed."""
    with closing(sqlite3.connect(written)) as other, other:
        other.execute("UPDATE run SET seconds = 7")
    with SqliteLedger(written, PRINTS, "account") as ledger:
        assert ["every row is sent once more" in each for each in ledger.warnings] == [True]
        assert not in_place(ledger, "C1", firstname="Zoé")


@pytest.mark.parametrize("name", ["account.sqlite3", "account.seal", "account.sqlite3-wal", "account.sqlite3-shm"])
def test_links_and_pipes(tmp_path: Path, name: str) -> None:
    """A symbolic link is refused and its target keeps its permissions; a pipe is refused too, and does not block."""
    target = tmp_path / "target"
    target.touch(0o644)
    target.chmod(0o644)
    (tmp_path / name).symlink_to(target)
    with pytest.raises(StorageError, match="symbolic link"):
        SqliteLedger(tmp_path / "account.sqlite3", PRINTS, "account")
    assert target.stat().st_mode & 0o777 == 0o644
    if name.endswith(("sqlite3", "seal")):
        (tmp_path / name).unlink()
        os.mkfifo(tmp_path / name)
        with pytest.raises(StorageError, match="it is not a regular file"):
            SqliteLedger(tmp_path / "account.sqlite3", PRINTS, "account")
