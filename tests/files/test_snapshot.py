"""The private snapshot of a source."""

import errno
import io
import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from contact_sync.errors import BusyError, SourceError, StorageError
from contact_sync.files.snapshot import identity_of, open_file_warning, private_copy
from contact_sync.source import SourceOptions, open_source
from tests.setups import file_size_limit

NOW = 1_000_000_000.0


class Time:
    """Two clocks that only sleeping advances, with an event at each sleep."""

    def __init__(self, *events: Callable[[], object]) -> None:
        self.now = NOW
        self.slept = 0.0
        self.events = list(events)

    def clock(self) -> float:
        """Return seconds since the epoch."""
        return self.now

    def timer(self) -> float:
        """Return the seconds that were slept."""
        return self.slept

    def sleep(self, seconds: float) -> None:
        """Advance the clocks, and run the next event."""
        self.now += seconds
        self.slept += seconds
        if self.events:
            self.events.pop(0)()


def written(path: Path, content: bytes, age: float) -> Path:
    """Write a file whose last change is `age` seconds before `NOW`."""
    path.write_bytes(content)
    os.utime(path, (NOW - age, NOW - age))
    return path


def content_of(path: Path, time: Time) -> bytes:
    """Return the content of a copy of the file."""
    with private_copy(path, clock=time.clock, sleep=time.sleep, timer=time.timer) as (copy, _):
        return os.pread(copy.fileno(), 1 << 20, 0)


def test_a_quiet_file_is_copied_at_once(tmp_path: Path) -> None:
    """A file that has been quiet for 2 seconds is copied without waiting."""
    time = Time()
    assert content_of(written(tmp_path / "a.csv", b"abc", 2), time) == b"abc"
    assert time.slept == 0


def test_a_new_file_is_watched_until_it_is_quiet(tmp_path: Path) -> None:
    """A file changed half a second ago is read when 2 seconds have passed."""
    time = Time()
    assert content_of(written(tmp_path / "a.csv", b"abc", 0.5), time) == b"abc"
    assert time.slept == 1.5


def test_a_file_from_the_future_is_watched(tmp_path: Path) -> None:
    """A file time ahead of the clock does not make the run wait for ever."""
    time = Time()
    assert content_of(written(tmp_path / "a.csv", b"abc", -1e6), time) == b"abc"
    assert time.slept == 2


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
def test_a_clock_that_is_set_meanwhile(tmp_path: Path, step: float) -> None:
    """The clock may be set while a file is watched: the file is still read after 2 quiet seconds, and not before."""
    path, time = written(tmp_path / "a.csv", b"abc", 0), Time()
    time.events = [lambda: setattr(time, "now", time.now + step)]
    assert content_of(path, time) == b"abc"
    assert time.slept == 2


def test_a_growing_file_is_waited_for(tmp_path: Path) -> None:
    """A file that grows is read when it has stopped growing, whatever its time."""
    path = written(tmp_path / "a.csv", b"a", 1)
    time = Time(*[lambda n=n: written(path, b"a" * n, 0) for n in range(2, 10)])
    assert content_of(path, time) == b"a" * 9
    assert time.slept == 8 * 0.25 + 2


def test_a_file_that_keeps_growing_is_given_up(tmp_path: Path) -> None:
    """After 30 seconds of changes the run ends with code 75."""
    path = written(tmp_path / "a.csv", b"a", 1)
    time = Time(*[lambda n=n: written(path, b"a" * n, 0) for n in range(2, 1000)])
    with pytest.raises(BusyError, match=r"a\.csv is still being written after 30 s"):
        content_of(path, time)
    assert time.slept == 30


def test_a_change_during_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that changed while it was copied is watched and copied again."""
    path = written(tmp_path / "a.csv", b"first", 60)
    copied: list[bytes] = []

    def write(_: Path, block: bytes, copy: io.FileIO) -> None:
        if not copied:
            written(path, b"second, and longer", 60)
        copied.append(block)
        copy.write(block)

    monkeypatch.setattr("contact_sync.files.snapshot._write", write)
    time = Time()
    assert content_of(path, time) == b"second, and longer"
    assert time.slept == 2


def test_replaced_file_is_watched_again(tmp_path: Path) -> None:
    """A file that is replaced by another of the same time and size is watched again."""
    path = written(tmp_path / "a.csv", b"one", 1)
    other = written(tmp_path / "b.csv", b"two", 1)
    time = Time(lambda: None, lambda: other.replace(path))
    assert content_of(path, time) == b"two"
    assert time.slept == 2.5


def test_the_copy_is_private(tmp_path: Path) -> None:
    """The copy has no name, and no other user can read it."""
    with private_copy(written(tmp_path / "a.csv", b"abc", 60), clock=lambda: NOW, sleep=lambda _: None) as (copy, _):
        status = os.fstat(copy.fileno())
        assert status.st_nlink == 0
        assert stat.S_IMODE(status.st_mode) & 0o077 == 0


def test_only_regular_files_are_accepted(tmp_path: Path) -> None:
    """Folders, pipes and sockets are refused at once."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server, ExitStack() as stack:
        stack.callback(os.chdir, Path.cwd())
        os.chdir(tmp_path)
        server.bind("socket")
        for name, sentence in [("", "is a folder"), ("pipe", "is not a regular file"), ("socket", "is not a regular file")]:
            with pytest.raises(SourceError, match=sentence):
                content_of(tmp_path / name, Time())


def test_a_file_that_becomes_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening does not block even when a pipe replaced the file after its identity was read."""
    path = written(tmp_path / "a.csv", b"abc", 60)
    opened = os.open

    def swap(name: Any, flags: int, *rest: Any) -> int:
        if Path(name) == path and stat.S_ISREG(path.stat().st_mode):
            path.unlink()
            os.mkfifo(path)
        return opened(name, flags, *rest)

    monkeypatch.setattr(os, "open", swap)
    with pytest.raises(SourceError, match="is not a regular file"):
        content_of(path, Time())


def test_a_missing_file(tmp_path: Path) -> None:
    """A file that does not exist, or a dangling link, is reported as missing."""
    (tmp_path / "link.csv").symlink_to("nowhere")
    for name in ("a.csv", "link.csv", "no/such/folder.csv"):
        with pytest.raises(SourceError, match="does not exist"):
            content_of(tmp_path / name, Time())


def test_impossible_names() -> None:
    """A name that no file can have is refused."""
    for name in ("a\0b", "a" * 5000):
        with pytest.raises(SourceError, match="cannot be read"):
            content_of(Path(name), Time())


@contextmanager
def _failing(function: str, error: OSError, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(function, fail)
        yield


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing permission, which may be a program that has the file open, is reported, whether `stat` or `open` fails."""
    path = written(tmp_path / "a.csv", b"abc", 60)
    denied = PermissionError(13, "Permission denied")
    for function in ("builtins.open", "pathlib.Path.stat"):
        with (
            _failing(function, denied, monkeypatch),
            pytest.raises(
                BusyError, match="permission denied; give this user read access, run this as the user of the job, or close"
            ),
        ):
            content_of(path, Time())


PASSING = ("EIO", "ESTALE", "ETIMEDOUT", "EINTR", "ENOLCK", "EBUSY", "ETXTBSY", "EHOSTDOWN", "ENOTCONN", "EMFILE", "ENODEV")


@pytest.mark.parametrize("name", PASSING)
@pytest.mark.parametrize("function", ["pathlib.Path.stat", "builtins.open", "read"])
def test_a_fault_that_may_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, function: str) -> None:
    """A fault of a disk, a share or a server is no fault of the file: the run is to be repeated."""
    path = written(tmp_path / "a.csv", b"abc", 60)
    error = OSError(getattr(errno, name), os.strerror(getattr(errno, name)))

    class Broken(io.BytesIO):
        def read(self, _: int | None = -1) -> bytes:
            raise error

    if function == "read":
        monkeypatch.setattr("builtins.open", lambda *_, **__: Broken())
        with pytest.raises(BusyError, match=r"cannot be read now: .*; run again later"):
            content_of(path, Time())
        return
    with _failing(function, error, monkeypatch), pytest.raises(BusyError, match=r"cannot be read now: .*; run again later"):
        content_of(path, Time())


def test_no_folder_for_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing temporary folder is an error of storage, not of the source."""
    path = written(tmp_path / "a.csv", b"abc", 60)
    missing = OSError(2, "No such file")
    with _failing("tempfile.TemporaryFile", missing, monkeypatch), pytest.raises(StorageError, match="set TMPDIR"):
        content_of(path, Time())


def test_a_full_disk(tmp_path: Path) -> None:
    """A copy that does not fit is an error of storage too."""
    path = written(tmp_path / "a.csv", b"a" * 5000, 60)
    with file_size_limit(1000), pytest.raises(StorageError, match="There is no disk space"):
        content_of(path, Time())


@pytest.mark.parametrize("name", ["~$contacts.xlsx", ".~lock.contacts.xlsx#"])
def test_lock_file_of_an_office_program(tmp_path: Path, name: str) -> None:
    """The lock file of an office program is refused as a source, and causes a warning beside one."""
    mark = written(tmp_path / name, b"someone", 60)
    with pytest.raises(SourceError, match="is only the lock"):
        content_of(mark, Time())
    path = written(tmp_path / "contacts.xlsx", b"contactId;nom\n1;a\n", 60)
    with open_source(path, SourceOptions(), clock=lambda: NOW) as source:
        assert source.warnings == [
            f"contacts.xlsx is open in an office program (by {name}): changes not saved yet are not in this run."
        ]


def test_no_warning_without_a_lock_file(tmp_path: Path) -> None:
    """A file without such a lock file causes no warning."""
    assert open_file_warning(tmp_path / "contacts.xlsx") is None
    assert open_file_warning(tmp_path / ("a" * 255)) is None


@pytest.mark.parametrize("folder", ["/dev/fd", "/proc/self/fd"])
def test_redirected_file(tmp_path: Path, folder: str) -> None:
    """A file that is only known as an open descriptor is refused: its reports would go beside the descriptor."""
    with (tmp_path / "c.csv").open("wb") as file, pytest.raises(SourceError, match="save it as a file first"):
        identity_of(Path(f"{folder}/{file.fileno()}"))
