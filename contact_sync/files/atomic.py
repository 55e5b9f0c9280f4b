"""Atomic writing of reports: to a temporary file beside the target, which replaces it once it is complete and on the disk."""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path

from contact_sync.errors import BusyError, StorageError
from contact_sync.files.lock import acquire
from contact_sync.i18n import _

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SECOND, _MARK = 1_000_000_000, 271_828_000
"""Nanoseconds of a second, and those within the modification time of every report, by which an edited one is recognised.

Copies do not truncate other times to `_MARK` (scp, rsync and FAT truncate to whole seconds), and file systems with a resolution
of 1 µs or 100 ns keep it.
"""


class AtomicFile:
    """A file that replaces `path` when it is committed, or is removed when it is closed."""

    def __init__(self, path: Path, mode: int) -> None:
        if path.exists() and not path.is_file():  # replacing /dev/null would break the whole machine
            raise OSError(errno.EINVAL, _("it is a folder or a device"))
        self.path = path
        self._mode = mode
        # A fixed name, so that the next run removes the leftover of a killed one; locked, so that no other run writes into it.
        self._temporary = path.with_name(f".{path.name}.draft")
        descriptor = acquire(self._temporary)
        if descriptor is None:
            raise BusyError(
                "Another run is writing the report {path}: wait for it to end, or choose another file with --report.", path=path
            )
        self._committed = False
        self.file = os.fdopen(descriptor, "wb")
        try:
            os.fchmod(descriptor, 0o600)
        except OSError:  # it belongs to another user
            self.file.close()
            raise

    def reserve(self, size: int) -> None:
        """Allocate `size` bytes, so that the disk cannot be full when the report is due. Raises StorageError."""
        with writing(self.path):
            try:
                if hasattr(os, "posix_fallocate"):  # not on macOS
                    os.posix_fallocate(self.file.fileno(), 0, size)
            except OSError as error:
                if error.errno in _FULL:  # any other error: the file system does not support it
                    raise

    def commit(self) -> None:
        """Replace the target with what was written, durably. Raises StorageError."""
        with writing(self.path):
            self.file.flush()
            self.file.truncate()  # the rest of the reserved space
            with suppress(OSError):  # then the report counts as edited, and is kept
                now = time.time_ns()
                os.utime(self.file.fileno(), ns=(now - (now - _MARK) % _SECOND,) * 2)
            os.fchmod(self.file.fileno(), self._mode)
            os.fsync(self.file.fileno())
            self._temporary.replace(self.path)
            self._committed = True
        # The report is complete; its new name becomes durable too where the folder and its file system allow it.
        with suppress(OSError):
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def close(self) -> None:
        """Remove the temporary file unless it was committed."""
        if not self._committed:
            with suppress(OSError):  # the folder may be gone or inaccessible by now
                self._temporary.unlink()
        with suppress(OSError):
            self.file.close()


@contextmanager
def open_atomic(path: Path, mode: int) -> Iterator[AtomicFile]:
    """Open a file that replaces `path` when it is committed, with permissions `mode`.

    Raises StorageError when it cannot be written, BusyError when another run is writing it.
    """
    with writing(path):
        opened = AtomicFile(path, mode)
    with closing(opened):
        yield opened


def is_edited(path: Path) -> bool:
    """Return True when the file at `path` may not be the report that was written there: its time lacks our mark.

    On a file system with times of whole seconds (FAT, some shares) every report counts as edited, and each run adds one: too many
    kept files do less harm than one overwritten correction.
    """
    with suppress(OSError):
        return path.stat().st_mtime_ns % _SECOND != _MARK
    return False


def writing(path: Path) -> AbstractContextManager[None]:
    """Raise an OSError as the StorageError that says why the report at `path` cannot be written."""
    return StorageError.from_os_error(
        "The report {path} cannot be written ({reason}): check its folder and the disk, or choose another file.", path=path
    )
