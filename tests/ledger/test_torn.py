"""Ledgers that lost something after a crash: the next run sends too much rather than too little, or refuses.

A run is killed while it changes contacts from A to B and from B to C. Whatever is then torn, no contact counts as in place with a
value that the API does not have.
"""

import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from contact_sync.errors import ContactSyncError, StorageError
from contact_sync.ledger.sqlite import SqliteLedger
from tests.ledger.rows import PRINTS, UNMEASURED, payload

pytestmark = pytest.mark.unmeasured

CONTACTS = 700  # more than are claimed together
LOOKED_AT = [*range(1, CONTACTS, 5), 600, CONTACTS]  # contacts: some of each page
PAGE, FRAME, HEAD = 4096, 4096 + 24, 32
NAME = "account"

RUN = textwrap.dedent("""
    import os, signal, sys
    from pathlib import Path
    from contact_sync.ledger.sqlite import SqliteLedger
    from tests.ledger.rows import PRINTS, block, ended, row
    from tests.setups import begin_run

    def night(ledger, value, *, until=10**9):
        begin_run(ledger, f"run-{value}")
        ledger.stage(block(*[row(number, firstname=value) for number in range(1, 701)]))
        ledger.release(f"run-{value}")
        position = sent = 0
        while claimed := ledger.claim(position):
            for pending in claimed:
                if sent == until:
                    ledger.flush()
                    os.kill(os.getpid(), signal.SIGKILL)
                sent += 1
                position = pending.number
                ledger.record(ended(pending))
        ledger.flush()

    folder, kept = map(Path, sys.argv[1:])
    path = folder / "account.sqlite3"
    with SqliteLedger(path, PRINTS, "account") as ledger:
        night(ledger, "A")
    kept.write_bytes(path.read_bytes())
    with SqliteLedger(path, PRINTS, "account") as ledger:
        night(ledger, "B")
    with SqliteLedger(path, PRINTS, "account") as ledger:
        night(ledger, "C", until=600)
""")
"""Confirms A and then B for all contacts, and is killed when C was sent to 600 of them; `kept` is the file from after A."""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the ledger of a run that was killed, and an older copy of it."""
    folder = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-c", RUN, str(folder), str(folder / "older")]
    assert subprocess.run(command, check=False, env=UNMEASURED, cwd=Path(__file__).parents[2]).returncode == -9
    assert (folder / f"{NAME}.sqlite3-wal").stat().st_size > 10 * FRAME
    return folder


def after(killed: Path, tmp_path: Path, tear: Callable[[Path, Path, Path], None]) -> str | set[str]:
    """Tear a copy of the ledger; return the sentence that refuses it, or the values that count as in place."""
    shutil.rmtree(tmp_path / "state", ignore_errors=True)
    folder = shutil.copytree(killed, tmp_path / "state")
    main = folder / f"{NAME}.sqlite3"
    tear(main, folder / f"{NAME}.sqlite3-wal", folder / "older")
    try:
        with SqliteLedger(main, PRINTS, NAME) as ledger:
            return believed(ledger)
    except StorageError as refused:
        return str(refused)


def believed(ledger: SqliteLedger) -> set[str]:
    """Return which values count as in place, with the contacts that the API has another value for marked as wrong."""
    found = set()
    for value in "ABC":
        rows = [(f"C{number}", payload(firstname=value)) for number in LOOKED_AT]
        for number, in_place in zip(LOOKED_AT, ledger.compare(rows).in_place, strict=True):
            if in_place:
                found.add(value if value == ("C" if number <= 600 else "B") else f"{value} wrongly")
    assert ledger.warnings or found, "every row is sent once more, without a word"
    return found


def flip(path: Path, position: int) -> None:
    """Flip a bit."""
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)
        file.seek(position)
        file.write(bytes([byte[0] ^ 0x10]))


def zero(path: Path, position: int, size: int) -> None:
    """Overwrite a part with zeros."""
    with path.open("r+b") as file:
        file.seek(position)
        file.write(bytes(size))


def cut(path: Path, size: int) -> None:
    """Truncate a file."""
    with path.open("r+b") as file:
        file.truncate(size)


def tear_log(_main: Path, log: Path, _older: Path, how: Callable[[Path], None]) -> None:
    """Damage the log."""
    how(log)


def acceptable(found: str | set[str]) -> bool:
    """Return True when a torn ledger is refused, or believes only what the API has."""
    return isinstance(found, str) or found <= {"B", "C"}


def test_nothing_torn(killed: Path, tmp_path: Path) -> None:
    """After a kill alone, what was confirmed is believed; the index of the log is built anew."""
    assert after(killed, tmp_path, lambda *_: None) == {"C"}
    assert after(killed, tmp_path, lambda main, *_: main.with_name(f"{main.name}-shm").unlink(missing_ok=True)) == {"C"}


def test_the_log_is_cut_anywhere(killed: Path, tmp_path: Path) -> None:
    """A log that ends early, at the end of a frame or within one, or that is missing, is noticed when it lost a withdrawal."""
    size = (killed / f"{NAME}.sqlite3-wal").stat().st_size
    ends = range(HEAD, size, FRAME)
    sizes = [0, 10, *ends, *(end + (12, 2000)[number % 2] for number, end in enumerate(ends))]
    found = [after(killed, tmp_path, partial(tear_log, how=partial(cut, size=size))) for size in sizes]
    found.append(after(killed, tmp_path, lambda _main, log, _older: log.unlink()))
    assert [each for each in found if not acceptable(each)] == []
    assert set() in found


def test_the_log_is_damaged_anywhere(killed: Path, tmp_path: Path) -> None:
    """A log with a flipped bit or a page of zeros ends there for SQLite, and is noticed like one that was cut."""
    size = (killed / f"{NAME}.sqlite3-wal").stat().st_size
    starts = [0, *range(HEAD, size, FRAME)]
    damages = [partial(zero, position=at, size=200) if n % 2 else partial(flip, position=at + 8) for n, at in enumerate(starts)]
    found = [after(killed, tmp_path, partial(tear_log, how=how)) for how in damages]
    assert [each for each in found if not acceptable(each)] == []


@pytest.mark.parametrize("with_log", [True, False])
def test_each_page_is_damaged(killed: Path, tmp_path: Path, *, with_log: bool) -> None:
    """A page of the main file with a flipped bit or with zeros is noticed, whichever it is."""

    def tear(main: Path, log: Path, _older: Path, how: Callable[[Path], None]) -> None:
        how(main)
        if not with_log:
            log.unlink()

    content = (killed / f"{NAME}.sqlite3").read_bytes()
    found = []
    for start in range(0, len(content), PAGE):
        damages = [partial(flip, position=start + 20), partial(flip, position=start + 4000)]
        if any(content[start : start + PAGE]):  # else it is a free page
            damages.append(partial(zero, position=start, size=PAGE))
        found += [after(killed, tmp_path, partial(tear, how=how)) for how in damages]
    assert len(found) > 100
    assert [each for each in found if isinstance(each, set) and each] == []


@pytest.mark.parametrize("with_log", [True, False])
def test_an_older_copy_is_restored(killed: Path, tmp_path: Path, *, with_log: bool) -> None:
    """An older copy of the main file is noticed, with and without the newer log beside it."""

    def tear(main: Path, log: Path, older: Path) -> None:
        shutil.copy(older, main)
        if not with_log:
            log.unlink()

    found = after(killed, tmp_path, tear)
    assert isinstance(found, str) or found == set()


@pytest.mark.parametrize("content", [None, b"", b"1 0 0:0 00000000\n"])
def test_the_seal_is_lost(killed: Path, tmp_path: Path, content: bytes | None) -> None:
    """A seal that is missing or damaged proves nothing."""

    def tear(main: Path, *_: Path) -> None:
        seal = main.with_suffix(".seal")
        seal.unlink()
        if content is not None:
            seal.write_bytes(content)

    assert after(killed, tmp_path, tear) == set()


def test_a_torn_ledger_recovers(killed: Path, tmp_path: Path) -> None:
    """What is confirmed after a loss is believed again, and the warning stays until a run has reported it."""
    after(killed, tmp_path, lambda _main, log, _older: log.unlink())
    with SqliteLedger(tmp_path / "state" / f"{NAME}.sqlite3", PRINTS, NAME) as ledger:
        assert len(ledger.warnings) == 1
        assert "every row is sent once more" in ledger.warnings[0]
        assert ledger.last_run() == "", "rows of an earlier run could be sent by `retry`"
        ledger.release("run-C")
    with SqliteLedger(tmp_path / "state" / f"{NAME}.sqlite3", PRINTS, NAME) as ledger:
        assert ledger.warnings == []


def test_killed_in_a_checkpoint(killed: Path, tmp_path: Path) -> None:
    """While the log is moved into the main file that has no checksum; the log still is complete, and believed."""

    def tear(main: Path, *_: Path) -> None:
        with SqliteLedger(main, PRINTS, NAME) as ledger:
            database = ledger.database
            database._mark = database._mark._replace(content="")
            assert database._seal
            database._seal.write(database._mark)
            shutil.copytree(main.parent, tmp_path / "copy")
        shutil.rmtree(main.parent)
        (tmp_path / "copy").rename(main.parent)

    assert after(killed, tmp_path, tear) == {"C"}


def test_every_error_is_a_sentence(killed: Path, tmp_path: Path) -> None:
    """A damaged file that has no seal, as one of the first release, is read or refused, but never a bug."""
    size = (killed / f"{NAME}.sqlite3").stat().st_size
    for at in range(0, size, 4079):

        def tear(main: Path, log: Path, _older: Path, at: int = at) -> None:
            log.unlink()
            zero(main, at, 300)

        with suppress(ContactSyncError):
            after(killed, tmp_path, tear)
