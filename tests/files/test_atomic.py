"""Atomic writing of reports, and recognition of edited ones."""

import os
import shutil
import time
from pathlib import Path

import pytest

from contact_sync.files.atomic import is_edited, open_atomic


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
