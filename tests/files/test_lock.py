"""Exclusive locks between processes."""

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
    """Return the path of the lock file."""
    return tmp_path / "account.lock"


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the waits for a lock, which take no time."""
    naps: list[float] = []
    monkeypatch.setattr(lock, "time", SimpleNamespace(monotonic=lambda: sum(naps), sleep=naps.append))
    return naps


@contextmanager
def held(path: Path) -> Iterator[int]:
    """Hold the lock for the `with` block."""
    descriptor = acquire(path)
    assert descriptor is not None, "another has it"
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def flock_after(act: Callable[[], object]) -> SimpleNamespace:
    """Return a stand-in for `fcntl` that calls `act` once, between the opening of a file and its lock."""
    acts = [act]

    def flock(descriptor: int, operation: int) -> None:
        if acts:
            acts.pop()()
        fcntl.flock(descriptor, operation)

    return SimpleNamespace(flock=flock, LOCK_EX=fcntl.LOCK_EX, LOCK_NB=fcntl.LOCK_NB)


def test_is_held_changes_nothing(path: Path) -> None:
    """`is_held` neither creates the file nor writes to it nor keeps a lock."""
    assert not is_held(path)
    assert not path.exists()
    with held(path) as descriptor:
        os.write(descriptor, b"mine")
        assert is_held(path)
        assert path.read_bytes() == b"mine"
    assert not is_held(path)
    with held(path):
        pass


def test_lock_is_exclusive(path: Path) -> None:
    """A locked file cannot be locked again until its descriptor is closed; a failed attempt changes nothing in it."""
    with held(path) as descriptor:
        os.write(descriptor, b"mine")
        assert acquire(path) is None
        assert path.read_bytes() == b"mine"
    with held(path):
        assert acquire(path) is None
    assert path.exists()


def test_brief_lock_is_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    """A lock that is released soon is waited for; one that is not is given up soon."""
    descriptor = acquire(path)
    assert descriptor is not None
    assert acquire(path) is None
    assert 0.2 < sum(waits) < 0.5
    monkeypatch.setattr("contact_sync.files.lock.time.sleep", lambda _: os.close(descriptor))
    with held(path):
        pass


def test_locked_file_is_empty_and_private(path: Path) -> None:
    """A locked file is empty, whatever its former owner left, and has mode 0600 if it was created."""
    os.umask(0)
    with held(path) as descriptor:
        os.write(descriptor, b"something long")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with held(path) as descriptor:
        assert path.read_bytes() == b""
        os.write(descriptor, b"short")
    assert path.read_bytes() == b"short"


def test_lock_is_released_when_its_process_dies(path: Path) -> None:
    """A lock is released as soon as its process is killed."""
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


def test_child_process_does_not_inherit_the_lock(path: Path) -> None:
    """A child process does not keep the lock when its parent releases it."""
    with held(path):
        child = subprocess.Popen(["/bin/cat"], close_fds=False, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"up\n")
        assert child.stdout.readline() == b"up\n"
        with held(path):
            pass


def test_file_renamed_before_it_is_locked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was renamed before it could be locked keeps its content, and a new one is created in its place."""
    path.write_bytes(b"a report that is whole")
    complete = path.with_name("report.csv")
    monkeypatch.setattr(lock, "fcntl", flock_after(lambda: path.rename(complete)))
    with held(path) as descriptor:
        assert complete.read_bytes() == b"a report that is whole"
        assert os.path.samestat(os.fstat(descriptor), path.stat())
        assert acquire(path) is None
        with held(complete):
            pass


def test_file_replaced_before_it_is_locked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was replaced by one that another process has locked is not acquired."""
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
def test_symbolic_link_is_refused(path: Path, target: str) -> None:
    """A symbolic link in place of the file is refused; its target is neither emptied nor created."""
    valuable = path.with_name("file")
    valuable.write_bytes(b"valuable")
    path.symlink_to(path.with_name(target))
    with pytest.raises(OSError, match="symbolic links") as refused:
        acquire(path)
    assert refused.value.errno == errno.ELOOP
    assert valuable.read_bytes() == b"valuable"
    assert sorted(each.name for each in path.parent.iterdir()) == sorted([path.name, "file"])


def test_missing_folder_is_an_os_error(path: Path) -> None:
    """A missing folder raises the operating system's error."""
    with pytest.raises(FileNotFoundError):
        acquire(path / "missing")


def test_failed_attempt_leaks_no_descriptor(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed attempt leaves no descriptor open, whether the file is locked, is gone, or cannot be locked at all."""

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


def _lock_repeatedly(folder: Path) -> int:
    """Lock the file again and again, rename it at the end as a report does, and return the number of exclusive locks."""
    exclusive = 0
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline or not exclusive:
        descriptor = acquire(folder / "draft")
        if descriptor is not None:
            inside = folder / "inside"
            inside.touch(exist_ok=False)
            inside.unlink()
            exclusive += 1
            (folder / "draft").rename(folder / f"report-{os.getpid()}")
            os.close(descriptor)
    return exclusive


def test_concurrent_processes_never_share_the_lock(tmp_path: Path) -> None:
    """Processes that lock and rename a file all the time never have it at once, and none waits for ever."""
    pool = multiprocessing.get_context("spawn").Pool(4)
    try:
        assert min(pool.map(_lock_repeatedly, [tmp_path] * 4, chunksize=1)) > 0
    finally:
        pool.close()
        pool.join()
