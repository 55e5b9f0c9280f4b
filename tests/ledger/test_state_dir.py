"""The state folder: who may write into it, and file systems that have no permissions or links."""

import errno
import os
from pathlib import Path

import pytest

from contact_sync.errors import StorageError
from contact_sync.ledger.digests import installation
from contact_sync.ledger.state_dir import folder_warnings, open_ledger
from contact_sync.settings import AccountSettings
from tests.setups import requires_root


def warnings(folder: Path) -> list[str]:
    """Open the ledger of an account, and return its warnings."""
    with open_ledger(AccountSettings(key="made-up-key", state_dir=folder)) as ledger:
        return list(ledger.warnings)


@pytest.mark.parametrize(("mode", "warned"), [(0o700, False), (0o755, False), (0o775, True), (0o777, True), (0o1777, True)])
def test_a_folder_that_others_can_change(tmp_path: Path, mode: int, *, warned: bool) -> None:
    """A state folder that others can write is used, with a warning each time."""
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(mode)
    for _ in range(2):
        assert ["run chmod 700" in each for each in warnings(folder)] == [True] * warned


@requires_root
def test_a_folder_of_another_user(tmp_path: Path) -> None:
    """A state folder of another user is used with a warning; one of root is not suspicious."""
    os.chown(tmp_path, 65534, 65534)
    assert ["belongs to another user" in each for each in warnings(tmp_path)] == [True]
    os.chown(tmp_path, 0, 0)
    assert folder_warnings(tmp_path) == []


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP, errno.EROFS])
def test_a_file_system_without_permissions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Where modes and hard links are refused, as on a share, the ledger works."""

    def refuse(*_: object, **_more: object) -> None:
        raise OSError(code, os.strerror(code))

    for name in ("chmod", "fchmod"):
        monkeypatch.setattr(os, name, refuse)
    if code != errno.EROFS:
        monkeypatch.setattr(os, "link", refuse)
    os.umask(0)
    tmp_path.joinpath("state").mkdir(mode=0o777)
    for _ in range(2):
        assert len(warnings(tmp_path / "state")) == 1
    assert (tmp_path / "state" / "digest.key").stat().st_size == 32


def test_the_key_is_a_link_or_a_pipe(tmp_path: Path) -> None:
    """An installation key that is a symbolic link is refused and its target left alone; a pipe does not block."""
    target = tmp_path / "target"
    target.write_bytes(bytes(32))
    target.chmod(0o644)
    key = tmp_path / "digest.key"
    key.symlink_to(target)
    with pytest.raises(StorageError, match="it is a symbolic link"):
        installation(tmp_path)
    assert target.stat().st_mode & 0o777 == 0o644
    key.unlink()
    os.mkfifo(key)
    with pytest.raises(StorageError, match="it is not a regular file"):
        installation(tmp_path)


def test_the_lock_is_a_link(tmp_path: Path) -> None:
    """A lock that is a symbolic link is refused, and its target neither emptied nor changed."""
    warnings(tmp_path)
    (lock,) = tmp_path.glob("*.lock")
    target = tmp_path / "target"
    target.write_text("important")
    lock.unlink()
    lock.symlink_to(target)
    with pytest.raises(StorageError, match="cannot be used"):
        warnings(tmp_path)
    assert target.read_text() == "important"


def test_a_disk_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the disk while a file of the folder is read is an error with a sentence."""
    warnings(tmp_path)

    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    for name in ("read", "pread"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            with pytest.raises(StorageError, match="Input/output error"):
                warnings(tmp_path)


def test_a_damaged_schema(tmp_path: Path) -> None:
    """A ledger whose list of tables is damaged is an error with a sentence, with and without a seal."""
    warnings(tmp_path)
    (ledger,) = tmp_path.glob("*.sqlite3")
    content = ledger.read_bytes()
    ledger.write_bytes(content.replace(b"CREATE TABLE confirmed", b"CREATE TABLE \xff\xfe(((((((("))
    for _ in range(2):
        with pytest.raises(StorageError, match="cannot be used"):
            warnings(tmp_path)
        ledger.with_suffix(".seal").unlink(missing_ok=True)
