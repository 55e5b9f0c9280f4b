"""A report is written whole or not at all: a draft beside its place, moved there when it is complete and on the disk."""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from contact_sync.errors import BusyError, StorageError
from contact_sync.files.lock import acquire
from contact_sync.i18n import _

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_SECOND = 1_000_000_000
_MARK = 271_828_000
"""Nanoseconds into the second at which our files say they were changed.

No copy cuts other times to it, as scp, rsync and FAT cut to whole seconds, and file systems that count in 1 µs or 100 ns keep it.
"""


class Draft:
    """A report that is not in its place yet; the name it is drafted under is nobody's business."""

    def __init__(self, path: Path, mode: int) -> None:
        if path.exists() and not path.is_file():  # a file in the place of /dev/null would hurt the whole machine
            raise OSError(errno.EINVAL, _("it is a folder or a device"))
        self.path = path
        self._mode = mode
        # One name, so that what a killed run has left is not left for ever; held, so that no other run writes into it.
        self._draft = path.with_name(f".{path.name}.draft")
        descriptor = acquire(self._draft)
        if descriptor is None:
            raise BusyError(
                _(
                    "Another run is writing the report {path}: wait for it to end, or choose another file with --report.",
                    path=path,
                )
            )
        self._in_place = False
        self.file = os.fdopen(descriptor, "wb")
        try:
            os.fchmod(descriptor, 0o600)
        except OSError:  # it is somebody else's
            self.file.close()
            raise

    def reserve(self, size: int) -> None:
        """Take so many bytes of the disk for the report, so that it cannot be full when all is sent. Raises StorageError."""
        if not hasattr(os, "posix_fallocate"):  # macOS
            return
        try:
            os.posix_fallocate(self.file.fileno(), 0, size)
        except OSError as error:
            if error.errno in _FULL:  # else it is a file system that knows no such thing
                raise unwritable(self.path, error) from error

    def place(self) -> None:
        """Put what was written in its place. Raises StorageError."""
        try:
            self.file.flush()
            self.file.truncate()  # what was reserved and not needed
            with suppress(OSError):  # then it is taken for edited, and kept
                os.utime(self.file.fileno(), ns=(_marked(time.time_ns()),) * 2)
            os.fchmod(self.file.fileno(), self._mode)
            os.fsync(self.file.fileno())
            self._draft.replace(self.path)
            self._in_place = True
        except OSError as error:
            raise unwritable(self.path, error) from error
        _make_durable(self.path.parent)

    def close(self) -> None:
        """Throw away what is not in its place."""
        if not self._in_place:
            with suppress(OSError):  # the folder may be gone, or closed to this user by now
                self._draft.unlink()
        with suppress(OSError):
            self.file.close()


@contextmanager
def draft(path: Path, mode: int) -> Iterator[Draft]:
    """Begin the report that will stand at `path` with these permissions.

    Raises StorageError when it could not be written, BusyError when another run is at it.
    """
    try:
        begun = Draft(path, mode)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        yield begun
    finally:
        begun.close()


def is_edited(path: Path) -> bool:
    """Whether the file at `path` may be another than the report that was put there: its time does not bear our mark.

    Where the file system keeps times of whole seconds (FAT, some shares) no file bears it, and every night's stays beside the
    others: too many that are said to be kept do less harm than one correction that is written over.
    """
    try:
        return path.stat().st_mtime_ns % _SECOND != _MARK
    except OSError:
        return False


def _marked(nanoseconds: int) -> int:
    """The last moment until then that bears the mark."""
    return nanoseconds - (nanoseconds - _MARK) % _SECOND


def _make_durable(folder: Path) -> None:
    """Have the disk know the new name, where the folder can be read and its file system knows how; the report is whole anyway."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def unwritable(path: Path, error: OSError) -> StorageError:
    """The sentence for a report that this error kept from being written."""
    return StorageError(
        _(
            "The report {path} cannot be written ({reason}): check its folder and the disk, or choose another file.",
            path=path,
            reason=error.strerror,
        )
    )
