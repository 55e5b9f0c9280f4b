"""A file that one process at a time may hold."""

import errno
import fcntl
import multiprocessing
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from contact_sync.files import lock
from contact_sync.files.lock import acquire, is_held

UNMEASURED = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
"""The environment of a process that is killed, lest it leave half a file of coverage behind."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "account.lock"


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long who wants a file that is held has waited for it, in no time."""
    naps: list[float] = []
    monkeypatch.setattr(lock, "time", SimpleNamespace(monotonic=lambda: sum(naps), sleep=naps.append))
    return naps


@contextmanager
def held(path: Path) -> Iterator[int]:
    """Hold a file that is free, and let it go."""
    descriptor = acquire(path)
    assert descriptor is not None, "another has it"
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def flock_after(act: Callable[[], object]) -> SimpleNamespace:
    """Stand in for `fcntl` where something happens, once, between the opening of a file and its lock."""
    acts = [act]

    def flock(descriptor: int, operation: int) -> None:
        if acts:
            acts.pop()()
        fcntl.flock(descriptor, operation)

    return SimpleNamespace(flock=flock, LOCK_EX=fcntl.LOCK_EX, LOCK_NB=fcntl.LOCK_NB)


def test_looking_is_not_taking(path: Path) -> None:
    """Whether a file is held can be seen without making it, writing to it or keeping it."""
    assert not is_held(path)
    assert not path.exists()
    with held(path) as descriptor:
        os.write(descriptor, b"mine")
        assert is_held(path)
        assert path.read_bytes() == b"mine"
    assert not is_held(path)
    with held(path):
        pass


def test_it_is_for_one(path: Path) -> None:
    """A file that is held is nobody else's until its descriptor is closed; who asked in vain changes nothing in it."""
    with held(path) as descriptor:
        os.write(descriptor, b"mine")
        assert acquire(path) is None
        assert path.read_bytes() == b"mine"
    with held(path):
        assert acquire(path) is None
    assert path.exists()


def test_a_moment_is_waited_out(path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    """Who holds a file for a moment, as to look, keeps nobody away; who keeps it longer does, soon."""
    descriptor = acquire(path)
    assert descriptor is not None
    assert acquire(path) is None
    assert 0.2 < sum(waits) < 0.5
    monkeypatch.setattr("contact_sync.files.lock.time.sleep", lambda _: os.close(descriptor))
    with held(path):
        pass


def test_it_is_empty_and_private(path: Path) -> None:
    """A file that is held is empty, whatever the last holder has left, and one that was made is its owner's alone."""
    os.umask(0)
    with held(path) as descriptor:
        os.write(descriptor, b"something long")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with held(path) as descriptor:
        assert path.read_bytes() == b""
        os.write(descriptor, b"short")
    assert path.read_bytes() == b"short"


def test_whoever_dies_lets_it_go(path: Path) -> None:
    """A file is free as soon as the process that held it is killed."""
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from contact_sync.files.lock import is_held, acquire
from pathlib import Path
acquire(Path({str(path)!r}))
print("held", flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=UNMEASURED) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert acquire(path) is None
        holder.kill()
        holder.wait()
        with held(path):
            pass


def test_a_child_does_not_keep_it(path: Path) -> None:
    """A process that the holder has started does not keep the file when the holder lets it go."""
    with held(path):
        child = subprocess.Popen(["/bin/cat"], close_fds=False, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"up\n")
        assert child.stdout.readline() == b"up\n"
        with held(path):
            pass


def test_it_gets_another_name_meanwhile(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was renamed before it could be locked keeps what is in it, and a new one takes its place."""
    path.write_bytes(b"a report that is whole")
    complete = path.with_name("report.csv")
    monkeypatch.setattr(lock, "fcntl", flock_after(lambda: path.rename(complete)))
    with held(path) as descriptor:
        assert complete.read_bytes() == b"a report that is whole"
        assert os.path.samestat(os.fstat(descriptor), path.stat())
        assert acquire(path) is None
        with held(complete):
            pass


def test_it_is_replaced_meanwhile(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another file has taken the place of the one that was opened, and is held, nobody else gets it."""
    path.touch()
    theirs: list[int | None] = []

    def replace() -> None:
        path.unlink()
        theirs.append(acquire(path))

    monkeypatch.setattr(lock, "fcntl", flock_after(replace))
    assert acquire(path) is None
    (descriptor,) = theirs
    assert descriptor is not None
    os.close(descriptor)


@pytest.mark.parametrize("target", ["file", "missing"])
def test_a_link_is_not_followed(path: Path, target: str) -> None:
    """A symbolic link in the place of the file is refused, and what it points at neither emptied nor made."""
    valuable = path.with_name("file")
    valuable.write_bytes(b"valuable")
    path.symlink_to(path.with_name(target))
    with pytest.raises(OSError, match="symbolic links") as refused:
        acquire(path)
    assert refused.value.errno == errno.ELOOP
    assert valuable.read_bytes() == b"valuable"
    assert sorted(each.name for each in path.parent.iterdir()) == sorted([path.name, "file"])


def test_no_folder(path: Path) -> None:
    """Where there is no folder the error is the operating system's."""
    with pytest.raises(FileNotFoundError):
        acquire(path / "missing")


def test_no_descriptor_is_left(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever gets no file has no descriptor too many, whether it is held, has gone, or cannot be locked at all."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with held(path):
        before = descriptors()
        assert acquire(path) is None
        assert descriptors() == before
    before = descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(lock, "fcntl", SimpleNamespace(flock=refuse, LOCK_EX=0, LOCK_NB=0))
        with pytest.raises(OSError, match="No locks available"):
            acquire(path)
    assert descriptors() == before
    monkeypatch.setattr(lock, "fcntl", flock_after(path.unlink))
    with held(path):
        assert descriptors() == before + 1


def _intrude(folder: Path) -> int:
    """Hold the file again and again, take it away in the end as a report does, and return how often nobody else was there."""
    alone = 0
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        descriptor = acquire(folder / "draft")
        if descriptor is not None:
            inside = folder / "inside"
            inside.touch(exist_ok=False)
            inside.unlink()
            alone += 1
            (folder / "draft").rename(folder / f"report-{os.getpid()}")
            os.close(descriptor)
    return alone


def test_processes_that_are_at_it_together(tmp_path: Path) -> None:
    """Of processes that hold a file and take it away all the time never two have it at once, and none waits for ever."""
    pool = multiprocessing.get_context("spawn").Pool(4)
    try:
        assert min(pool.map(_intrude, [tmp_path] * 4, chunksize=1)) > 0
    finally:
        pool.close()
        pool.join()
