"""A private snapshot of a source that no process is writing to.

A file that was read while it grew yielded 186 of its 400 rows, without an error. So a source is parsed from a copy that is taken
when the file has not changed for `QUIET` seconds and no process has it open for writing; its identity is compared again
afterwards.
"""

import errno
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from contact_sync.errors import BusyError, MissingError, SourceError, StorageError, reason_of
from contact_sync.files.writers import is_being_written, writer_of
from contact_sync.i18n import _
from contact_sync.model.source import Identity

QUIET, QUIET_TIMEOUT_S = 2.0, 30.0
"""Seconds without a change after which a file counts as written, and seconds after which one that still changes is given up."""
_FINAL = {errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EINVAL}
"""Errors that a path has for good. Every other one may pass: a server that is down, a share, a lock, a permission."""
_DESCRIPTORS = ("/dev/stdin", "/dev/fd/", "/proc/")
_POLL_INTERVAL_S = 0.25
_BLOCK = 1 << 20  # bytes


@contextmanager
def private_copy(
    path: Path, *, clock: Callable[[], float], sleep: Callable[[float], object], timer: Callable[[], float] = time.monotonic
) -> Iterator[tuple[FileIO, Identity]]:
    """Open an unlinked, unbuffered copy of `path` that only its user can read, together with the identity of the original.

    `clock` returns seconds since the epoch and is read once, for the age of the file; `timer` is monotonic. Raises `SourceError`
    when there is no regular file, `BusyError` when it keeps changing, is being written or cannot be read now, `StorageError` when
    there is no room for the copy.
    """
    if path.name.startswith(("~$", ".~lock.")):
        raise SourceError("{name} is only the lock file of an office program: give the file itself.", name=path.name)
    identity_of(path)  # raises SourceError before anything is created
    with StorageError.from_os_error(
        "There is no temporary folder for a private copy of {name} ({reason}): set TMPDIR.", name=path.name
    ):
        opened = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - writing to it raises OSError too, for other reasons
    with opened as copy:
        yield copy, _copy_when_quiet(path, copy, clock, sleep, timer)


def open_file_warning(path: Path) -> str | None:
    """Return a warning when an office program has `path` open, else None."""
    for owner in (f"~${path.name}", f".~lock.{path.name}#"):
        if os.path.exists(path.with_name(owner)):  # noqa: PTH110 - which does not raise where the prefix makes a name too long
            return _(
                "{name} is open in an office program (by {owner}): changes not saved yet are not in this run.",
                name=path.name,
                owner=owner,
            )
    return None


def _copy_when_quiet(
    path: Path, copy: FileIO, clock: Callable[[], float], sleep: Callable[[float], object], timer: Callable[[], float]
) -> Identity:
    deadline = timer() + QUIET_TIMEOUT_S
    identity = identity_of(path)
    # A time in the future (a clock that is ahead, a share) proves nothing: then the file is watched.
    quiet_since = timer() - max(0.0, clock() - identity.modified_ns / 1e9)
    while True:
        while timer() - quiet_since < QUIET or _is_incomplete(path):
            if timer() >= deadline:
                raise _still_written(path)
            sleep(_POLL_INTERVAL_S)
            if (now := identity_of(path)) != identity:
                identity, quiet_since = now, timer()
        _copy(path, copy)
        if (now := identity_of(path)) == identity:
            return now
        identity, quiet_since = now, timer()


def _is_incomplete(path: Path) -> bool:
    """Return True when a process has a file open for writing, except an office program, which has it open as long as it shows it.

    What such a program has saved is complete.
    """
    return open_file_warning(path) is None and is_being_written(path)


def _still_written(path: Path) -> BusyError:
    if writer := writer_of(path):
        return BusyError(
            "{name} is still open for writing after {seconds:.0f} s (by process {writer}): run again when it is complete.",
            name=path.name,
            seconds=QUIET_TIMEOUT_S,
            writer=writer,
        )
    return BusyError(
        "{name} is still being written after {seconds:.0f} s: run again when it is complete.",
        name=path.name,
        seconds=QUIET_TIMEOUT_S,
    )


def identity_of(path: Path) -> Identity:
    """Return the current identity of `path`; raises `SourceError` when it is no regular file, `BusyError` for a passing fault."""
    with _reading(path):
        found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise SourceError("{name} is a folder: give a file of contacts.", name=path.name or path)
    # A file that is redirected to the standard input is regular, but its reports would be written into /dev.
    if not stat.S_ISREG(found.st_mode) or os.path.abspath(path).startswith(_DESCRIPTORS):  # noqa: PTH100 - a link stays one
        raise SourceError("{name} is not a regular file (a pipe or a device): save it as a file first.", name=path.name)
    return Identity(found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev)


def _copy(path: Path, copy: FileIO) -> None:
    copy.seek(0)
    copy.truncate()
    # Non-blocking: between stat and open the file may have become a pipe.
    with _reading(path), open(path, "rb", buffering=0, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as source:
        while block := source.read(_BLOCK):
            _write(path, block, copy)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Raise errors of reading `path` as `SourceError`, and those that may pass as `BusyError`."""
    try:
        yield
    except FileNotFoundError as error:
        raise MissingError("{path} does not exist: check the name, and whether the export has run.", path=path) from error
    except PermissionError as error:
        raise BusyError(
            "{path} cannot be read: permission denied; give this user read access, run this as the user of the job, or close the "
            "program that has it open, and run again.",
            path=path,
        ) from error
    except (OSError, ValueError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else error
        if isinstance(error, OSError) and error.errno not in _FINAL:
            raise BusyError("{path} cannot be read now: {reason}; run again later.", path=path, reason=reason) from error
        raise SourceError("{path} cannot be read: {reason}.", path=path, reason=reason) from error


def _write(path: Path, block: bytes, copy: FileIO) -> None:
    rest = memoryview(block)
    with StorageError.from_os_error(
        "There is no disk space for a private copy of {name} ({reason}): free some space.", name=path.name
    ):
        while rest:  # a nearly full disk accepts a part before it fails
            rest = rest[copy.write(rest) :]
