"""A report that stands in its place, and whether it is still ours."""

import os
import shutil
import time
from pathlib import Path

import pytest

from contact_sync.files.atomic import draft, is_edited


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """A report in its place."""
    path = tmp_path / "report.xlsx"
    with draft(path, 0o600) as begun:
        begun.file.write(b"ours")
        begun.place()
    return path


def test_ours(ours: Path, tmp_path: Path) -> None:
    """A report is known as ours, and so is a copy with its time; it does not say that it is of the future."""
    assert not is_edited(ours)
    assert not is_edited(Path(shutil.copy2(ours, tmp_path / "copy.xlsx")))
    assert 0 <= time.time() - ours.stat().st_mtime <= 2


@pytest.mark.parametrize("resolution", [100, 1000])
def test_a_file_system_of_coarser_times(ours: Path, resolution: int) -> None:
    """A file system that does not count in single nanoseconds takes nothing away from that."""
    found = ours.stat().st_mtime_ns
    os.utime(ours, ns=(found, found // resolution * resolution))
    assert not is_edited(ours)


def test_saved_since(ours: Path) -> None:
    """A report that somebody has saved is not ours any more."""
    ours.write_bytes(b"corrected")
    assert is_edited(ours)


@pytest.mark.parametrize("seconds", [1, 2])
def test_a_copy_in_whole_seconds(ours: Path, seconds: int) -> None:
    """Nor is one whose time a copy, a share or a stick has rounded: it may have been corrected on the way."""
    os.utime(ours, (time.time() // seconds * seconds,) * 2)
    assert is_edited(ours)


def test_nothing_there(tmp_path: Path) -> None:
    """Where no file is, none was edited."""
    assert not is_edited(tmp_path / "report.xlsx")


def test_it_is_on_the_disk_before_it_is_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report is on the disk, to its last byte, before it takes its place, and its name there after that."""
    path, synced = tmp_path / "report.csv", list[tuple[int, int, bool]]()

    def note(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_ino, os.fstat(descriptor).st_size, path.exists()))

    monkeypatch.setattr(os, "fsync", note)
    with draft(path, 0o600) as begun:
        begun.file.write(b"whole")
        begun.place()
    assert synced[0] == (path.stat().st_ino, len(b"whole"), False)
    assert [(inode, is_there) for inode, _, is_there in synced[1:]] == [(tmp_path.stat().st_ino, True)]
