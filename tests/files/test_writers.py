"""Processes that have a file open for writing."""

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from contact_sync.errors import BusyError
from contact_sync.files import writers
from contact_sync.files.writers import is_being_written, writer_of
from tests.files.test_snapshot import Time, content_of, written
from tests.setups import requires_root, unprivileged_user

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has a file open")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file with a space and an accent in its path."""
    folder = tmp_path / "l'été 2026"
    folder.mkdir()
    return written(folder / "a.csv", b"abc", 60)


@contextmanager
def held(path: Path, mode: str) -> Iterator[str]:
    """Let another process have the file open, and return its number."""
    code = "import sys; file = open(*sys.argv[1:]); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code, path, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        yield str(process.pid)
        process.stdin.close()


def no_leases(monkeypatch: pytest.MonkeyPatch, number: int = errno.EACCES) -> None:
    """Refuse every lease."""

    def refuse(*_: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "fcntl", refuse)


@pytest.mark.parametrize("leases", [True, False])
def test_a_writer_is_found(path: Path, monkeypatch: pytest.MonkeyPatch, leases: bool) -> None:
    """A process that has the file open for writing is found, with and without leases; a reader is not meant."""
    if not leases:
        no_leases(monkeypatch)
    for mode in ("a", "r+"):
        with held(path, mode) as process:
            assert is_being_written(path)
            assert writer_of(path) == process
    with held(path, "r"):
        assert not is_being_written(path)
        assert writer_of(path) == ""
    assert not is_being_written(path)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EAGAIN])
def test_a_network_file_system(path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """On a network file system, which refuses leases without a writer, only the processes of this machine count."""
    monkeypatch.setattr(writers, "_is_on_network", lambda _: True)
    no_leases(monkeypatch, number)
    assert not is_being_written(path)
    with held(path, "a"):
        assert is_being_written(path)


def test_file_systems_are_told_apart(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The mount point that is nearest to the file counts, whatever is in its name; an unknown one may be a network's."""
    assert not writers._is_on_network(path)
    process = tmp_path / "proc"
    (process / "self").mkdir(parents=True)
    mounted = os.fsencode(path.parent).replace(b" ", b"\\040")
    lines = [b"1 0 8:1 / / rw - ext4 /dev/a rw", b"2 1 0:5 / " + mounted + b" rw shared:1 - nfs4 server:/x rw"]
    (process / "self/mountinfo").write_bytes(b"\n".join([*lines, b""]))
    monkeypatch.setattr(writers, "_PROC", process)
    assert writers._is_on_network(path)
    assert not writers._is_on_network(tmp_path)
    (process / "self/mountinfo").unlink()
    assert writers._is_on_network(tmp_path)


@requires_root
def test_a_file_of_another_user() -> None:
    """A file of another user, for which no lease is granted, counts as written unless a process of this user writes it."""
    with unprivileged_user():
        assert not is_being_written(Path("/etc/passwd"))


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    """A file that does not exist has no writer."""
    assert not is_being_written(tmp_path / "gone.csv")


def test_a_file_that_an_office_program_shows(path: Path) -> None:
    """An office program has a file open as long as it shows it: what it has saved is read, and a warning says so."""
    path.with_name(f".~lock.{path.name}#").touch()
    with held(path, "r+"):
        assert content_of(path, Time()) == b"abc"


def test_an_upload_that_pauses(path: Path) -> None:
    """A file that is quiet while its writer has it open is not read, until the writer closes it."""
    with held(path, "a") as process:
        time = Time()
        with pytest.raises(BusyError, match=f"open for writing after 30 s .by process {process}.: run again"):
            content_of(path, time)
        assert time.slept == 30
    file = path.open("ab", buffering=0)
    time = Time(lambda: None, lambda: file.write(b"def"), file.close)
    assert content_of(path, time) == b"abcdef"
    assert time.slept == 0.5 + 2
