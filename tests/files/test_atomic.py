"""Atomic writing of reports, and recognition of edited ones."""

import errno
import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from contact_sync.errors import BusyError, StorageError
from contact_sync.files.atomic import is_edited, open_atomic
from tests.setups import requires_root, unprivileged_user


def write(path: Path, content: bytes = b"ours", mode: int = 0o600) -> Path:
    """Write a report, and return its path."""
    with open_atomic(path, mode) as begun:
        begun.file.write(content)
        begun.commit()
    return begun.path


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """Return a committed report."""
    path = tmp_path / "report.xlsx"
    with open_atomic(path, 0o600) as begun:
        begun.file.write(b"ours")
        begun.commit()
    return path


def test_committed_report_is_not_edited(ours: Path, tmp_path: Path) -> None:
    """A report counts as not edited, as does a copy that keeps its time, which is never in the future."""
    assert not is_edited(ours)
    assert not is_edited(Path(shutil.copy2(ours, tmp_path / "copy.xlsx")))
    assert 0 <= time.time() - ours.stat().st_mtime <= 2


@pytest.mark.parametrize("resolution", [100, 1000])
def test_coarse_file_times_keep_the_mark(ours: Path, resolution: int) -> None:
    """The mark survives on a file system that does not count single nanoseconds."""
    found = ours.stat().st_mtime_ns
    os.utime(ours, ns=(found, found // resolution * resolution))
    assert not is_edited(ours)


def test_saved_report_is_edited(ours: Path) -> None:
    """A report that was saved again counts as edited."""
    ours.write_bytes(b"corrected")
    assert is_edited(ours)


@pytest.mark.parametrize("seconds", [1, 2])
def test_copy_with_rounded_time_is_edited(ours: Path, seconds: int) -> None:
    """A report whose time a copy or a share has rounded counts as edited, since it may have been corrected."""
    os.utime(ours, (time.time() // seconds * seconds,) * 2)
    assert is_edited(ours)


def test_missing_file_is_not_edited(tmp_path: Path) -> None:
    """A missing file does not count as edited."""
    assert not is_edited(tmp_path / "report.xlsx")


def test_report_is_synced_before_it_replaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report is on the disk, to its last byte, before it replaces the target; the folder is synced after that."""
    path, synced = tmp_path / "report.csv", list[tuple[int, int, bool]]()

    def note(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_ino, os.fstat(descriptor).st_size, path.exists()))

    monkeypatch.setattr(os, "fsync", note)
    with open_atomic(path, 0o600) as begun:
        begun.file.write(b"whole")
        begun.commit()
    assert synced[0] == (path.stat().st_ino, len(b"whole"), False)
    assert [(inode, is_there) for inode, _, is_there in synced[1:]] == [(tmp_path.stat().st_ino, True)]


# ---- drafts


_KILLED = """
import os, signal, sys
from pathlib import Path
from contact_sync.files.atomic import open_atomic
with open_atomic(Path(sys.argv[1]), 0o644) as begun:
    begun.file.write(b"half")
    begun.file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_draft_of_a_killed_run_is_removed(tmp_path: Path) -> None:
    """The next run of the same report removes what a killed one left, and no other draft."""
    for name in ("report.csv", "other.csv"):
        killed = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path / name)], check=False)
        assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    write(tmp_path / "report.csv")
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".csv", ".draft"]


def names_of_drafts(path: Path) -> list[Path]:
    """Return the names that an attacker could learn: that of a draft in progress."""
    with open_atomic(path, 0o600):
        return list(path.parent.glob(".*.draft"))


@pytest.mark.parametrize("plant", [os.symlink, os.link, lambda _, place: os.mkfifo(place)], ids=["symlink", "hard link", "fifo"])
def test_planted_draft(tmp_path: Path, plant: object) -> None:
    """A link or a pipe at the name of an earlier draft, or at that of former versions, is neither written nor waited for."""
    report, valuable = tmp_path / "report.csv", tmp_path / "valuable"
    valuable.write_bytes(b"valuable")
    valuable.chmod(0o640)
    assert callable(plant)
    for place in [*names_of_drafts(report), tmp_path / ".report.csv.draft"]:
        plant(valuable, place)
    write(report)
    assert (report.read_bytes(), valuable.read_bytes()) == (b"ours", b"valuable")
    assert stat.S_IMODE(valuable.stat().st_mode) == 0o640


@requires_root
def test_planted_draft_of_another_user() -> None:
    """A draft of another user, who keeps it locked, neither stops a report nor gets to own it."""
    with TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        report = Path(folder) / "report.csv"
        (planted,) = names_of_drafts(report)
        planted.touch(0o666)
        with planted.open("rb") as file, unprivileged_user():
            fcntl.flock(file, fcntl.LOCK_EX)
            write(report)
            assert report.stat().st_uid == os.geteuid() != planted.stat().st_uid
        assert planted.read_bytes() == b""


def test_draft_that_is_swapped(tmp_path: Path) -> None:
    """A draft in whose place another file stands is not published."""
    with open_atomic(tmp_path / "r.csv", 0o600) as begun:
        (draft,) = tmp_path.iterdir()
        draft.unlink()
        draft.write_bytes(b"theirs")
        with pytest.raises(StorageError, match="took the place of the draft"):
            begun.commit()
    assert not (tmp_path / "r.csv").exists()


def test_draft_in_progress(tmp_path: Path) -> None:
    """Another run's draft of the same report is respected, and its own draft is left nowhere."""
    with open_atomic(tmp_path / "r.csv", 0o600):
        with pytest.raises(BusyError, match="Another run is writing"):
            write(tmp_path / "r.csv")
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


# ---- the place of the report


def test_link_of_this_user_is_followed(tmp_path: Path) -> None:
    """A link that the operator made leads to where the report is written, also if nothing is there yet."""
    (tmp_path / "share").mkdir()
    (tmp_path / "r.csv").symlink_to("share/real.csv")
    for content in (b"first", b"second"):
        assert write(tmp_path / "r.csv", content) == tmp_path / "r.csv"
        assert (tmp_path / "r.csv").is_symlink()
        assert (tmp_path / "share/real.csv").read_bytes() == content
    assert [path.name for path in (tmp_path / "share").iterdir()] == ["real.csv"]


def test_link_in_a_folder_of_all_is_replaced(tmp_path: Path) -> None:
    """A link in a folder to which everybody can write is replaced, whoever owns it: another user may exchange it at any time."""
    (tmp_path / "valuable").write_bytes(b"valuable")
    (tmp_path / "r.csv").symlink_to("valuable")
    tmp_path.chmod(0o1777)
    write(tmp_path / "r.csv")
    assert not (tmp_path / "r.csv").is_symlink()
    assert (tmp_path / "valuable").read_bytes() == b"valuable"


@requires_root
def test_link_of_another_user_is_replaced() -> None:
    """A link that another user planted at the path of the report is replaced, and its target is untouched."""
    with TemporaryDirectory(dir="/tmp") as folder:
        report, valuable = Path(folder) / "r.csv", Path(folder) / "valuable"
        valuable.write_bytes(b"valuable")
        report.symlink_to(valuable)
        os.chown(report, 65534, 65534, follow_symlinks=False)
        write(report)
        assert (report.is_symlink(), report.read_bytes(), valuable.read_bytes()) == (False, b"ours", b"valuable")


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EPERM, errno.EACCES, errno.ETXTBSY])
def test_report_that_cannot_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A report that is a mount point or open on a share is written beside it, and never over another file."""
    report = tmp_path / "r.csv"
    report.write_bytes(b"open")
    (tmp_path / "r-2.csv").write_bytes(b"other")

    def refuse(*_: object) -> None:
        raise OSError(number, "no")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        assert write(report) == tmp_path / "r-3.csv"
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert found == {"r.csv": b"open", "r-2.csv": b"other", "r-3.csv": b"ours"}


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_folder_without_permissions_and_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A share that stores no permissions, and one without locks, take a report all the same."""

    def refuse(*_: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(os, "fchmod", refuse)
    monkeypatch.setattr(fcntl, "flock", refuse)
    write(tmp_path / "r.csv", mode=0o640)
    assert [path.name for path in tmp_path.iterdir()] == ["r.csv"]


@requires_root
def test_a_colleague_in_the_group_of_the_folder() -> None:
    """A report that its group may read has the group of its folder; one that is private keeps that of its user."""
    group = 12345
    with TemporaryDirectory() as name:
        folder = Path(name)
        os.chown(folder, -1, group)
        folder.chmod(0o750)
        shared, private = write(folder / "shared.csv", mode=0o640), write(folder / "private.csv", mode=0o600)
        colleague: Any = {"user": 65534, "group": 65534, "extra_groups": [group]}
        assert subprocess.run(["cat", shared], capture_output=True, check=True, **colleague).stdout == b"ours"
        assert subprocess.run(["cat", private], capture_output=True, check=False, **colleague).returncode
        assert private.stat().st_gid == os.getegid()
        folder.chmod(0o777)
        with unprivileged_user():  # who is not in that group
            assert write(folder / "theirs.csv", mode=0o640).exists()


def test_name_that_is_too_long(tmp_path: Path) -> None:
    """A name that the file system cannot store is refused before anything is written."""
    with pytest.raises(StorageError, match="File name too long"), open_atomic(tmp_path / ("a" * 300), 0o600):
        pass
    assert write(tmp_path / ("a" * 251 + ".csv")).exists()
