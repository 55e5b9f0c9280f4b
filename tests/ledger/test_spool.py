"""The spool of an unfinished pull."""

import os
import time
from pathlib import Path

import pytest

from contact_sync.errors import BusyError
from contact_sync.ledger.spool import delete_spools, open_spool


def test_documents_survive(tmp_path: Path) -> None:
    """Documents come back in order, and further ones are added behind them; the file is private."""
    for number in range(3):
        with open_spool(tmp_path / "a.pull") as spool:
            assert list(spool.documents()) == [[each, "é"] for each in range(number)]
            spool.append([number, "é"])
    assert (tmp_path / "a.pull").stat().st_mode & 0o777 == 0o600


def test_document_that_was_cut(tmp_path: Path) -> None:
    """What a kill has left of the last document is dropped."""
    path = tmp_path / "a.pull"
    with open_spool(path) as spool:
        spool.append([1])
        spool.append([2])
    path.write_bytes(path.read_bytes()[:-3])
    with open_spool(path) as spool:
        assert list(spool.documents()) == [[1]]
        spool.append([3])
        assert list(spool.documents()) == [[1], [3]]


@pytest.mark.parametrize(
    "damage", [b"garbage\n", b"\xff\xfe\n", b"null\n", b"[1]\n", b"\n", b"00000000[1]\n", b"00000000", b"\0" * 40]
)
def test_damaged_document(tmp_path: Path, damage: bytes) -> None:
    """A document that is damaged is dropped with those after it."""
    path = tmp_path / "a.pull"
    with open_spool(path) as spool:
        spool.append([1])
        first = path.read_bytes()
        spool.append([2])
    path.write_bytes(first + damage + path.read_bytes()[len(first) :])
    with open_spool(path) as spool:
        assert list(spool.documents()) == [[1]]
        spool.append([3])
        assert list(spool.documents()) == [[1], [3]]


def test_one_pull_at_a_time(tmp_path: Path) -> None:
    """A spool belongs to one pull."""
    with open_spool(tmp_path / "a.pull"), pytest.raises(BusyError), open_spool(tmp_path / "a.pull"):
        pass


def test_old_spool_is_empty(tmp_path: Path) -> None:
    """What was read more than a day ago is dropped."""
    path = tmp_path / "a.pull"
    with open_spool(path) as spool:
        spool.append([1])
    yesterday = time.time() - 86_401
    os.utime(path, (yesterday, yesterday))
    with open_spool(path) as spool:
        assert list(spool.documents()) == []


def test_spools_are_deleted(tmp_path: Path) -> None:
    """Spools that are too old are deleted, on request all of them, but not that of a pull in progress."""
    for name in ("old", "new", "open"):
        with open_spool(tmp_path / f"{name}.pull") as spool:
            spool.append([name])
    os.utime(tmp_path / "old.pull", (0, 0))
    with open_spool(tmp_path / "open.pull"):
        delete_spools(tmp_path)
        assert {path.stem for path in tmp_path.iterdir()} == {"new", "open"}
        delete_spools(tmp_path, all_of_them=True)
    assert {path.stem for path in tmp_path.iterdir()} == {"open"}
