"""Atomic writing of reports: to a temporary file beside the target, which replaces it once it is complete and on the disk."""

import errno
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from itertools import count
from pathlib import Path

from contact_sync.errors import BusyError, StorageError
from contact_sync.files.lock import lock
from contact_sync.i18n import _

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_PERMISSIONS = (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)
_BUSY_TIMEOUT_S = 0.3
_SECOND, _MARK, _SPARE_MARK = 1_000_000_000, 271_828_000, 314_159_000
"""Nanoseconds of a second, and those within the modification time of every report, by which an edited one is recognised.

Copies do not truncate other times to a mark (scp, rsync and FAT truncate to whole seconds), and file systems with a resolution
of 1 µs or 100 ns keep it. The second mark is that of files which may be replaced without a loss (`is_spare`).
"""


class AtomicFile:
    """A file that replaces `path` when it is committed, or is removed when it is closed.

    A link at `path` that belongs to this user is followed, unless everybody can write to its folder; any other is replaced.
    """

    def __init__(self, path: Path, mode: int, *, is_spare: bool = False) -> None:
        if path.exists() and not path.is_file():  # replacing /dev/null would break the whole machine
            raise OSError(errno.EINVAL, _("it is a folder, a pipe or a device"))
        self.path = self.requested = path  # `path` is another once the requested one turns out to be unusable
        self._target = _followed(path)
        self._mode = mode
        self._mark = _SPARE_MARK if is_spare else _MARK
        self._temporary, descriptor = _open_draft(self._target, path)
        self._committed = False
        self.file = os.fdopen(descriptor, "wb")

    @property
    def former_user(self) -> int | None:
        """The other user who wrote the report that is replaced, if any; a share may decide whose the draft is."""
        return former_user(self._target, os.fstat(self.file.fileno()).st_uid)

    def reserve(self, size: int) -> None:
        """Allocate `size` bytes, so that the disk cannot be full when the report is due. Raises StorageError."""
        with writing(self.requested):
            try:
                if hasattr(os, "posix_fallocate"):  # not on macOS
                    os.posix_fallocate(self.file.fileno(), 0, size)
            except OSError as error:
                if error.errno in _FULL:  # any other error: the file system does not support it
                    raise

    def commit(self) -> None:
        """Replace the target with what was written, durably. Raises StorageError."""
        with writing(self.requested):
            self.file.flush()
            self.file.truncate()  # the rest of the reserved space
            with suppress(OSError):  # then the report counts as edited, and is kept
                now = time.time_ns()
                os.utime(self.file.fileno(), ns=(now - (now - self._mark) % _SECOND,) * 2)
            self._set_mode()
            os.fsync(self.file.fileno())
            self._place()
            self._committed = True
        # The report is complete; its new name becomes durable too where the folder and its file system allow it.
        with suppress(OSError):
            folder = os.open(self._target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _set_mode(self) -> None:
        """Set the permissions, where the file system has any: a share may refuse what it cannot store.

        A group that may read the file is that of its folder, whose members work with it, where this user may choose it.
        """
        if self._mode & stat.S_IRWXG:
            with suppress(OSError):
                os.fchown(self.file.fileno(), -1, self._target.parent.stat().st_gid)
        try:
            os.fchmod(self.file.fileno(), self._mode)
        except OSError as error:
            if error.errno not in _NO_PERMISSIONS:
                raise

    def _place(self) -> None:
        """Give the draft its name, or one like it where the file there cannot be replaced: a mount point, or open on a share."""
        if not os.path.samestat(self._temporary.lstat(), os.fstat(self.file.fileno())):
            raise OSError(errno.ESTALE, _("another file took the place of the draft"))
        try:
            self._temporary.replace(self._target)
        except FileNotFoundError:
            raise
        except OSError:
            beside = (self._target.with_stem(f"{self._target.stem}-{number}") for number in count(2))
            self.path = next(path for path in beside if not os.path.lexists(path))
            self._temporary.rename(self.path)

    def close(self) -> None:
        """Remove the temporary file unless it was committed."""
        if not self._committed:
            with suppress(OSError):  # the folder may be gone or inaccessible by now
                self._temporary.unlink()
        with suppress(OSError):
            self.file.close()


def _followed(path: Path) -> Path:
    """Return where the report at `path` is kept: at the end of a link, if the link is this user's and nobody can exchange it."""
    with suppress(FileNotFoundError):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode) and status.st_uid == os.geteuid() and not path.parent.stat().st_mode & stat.S_IWOTH:
            return Path(os.path.realpath(path))
    return path


def _open_draft(target: Path, shown: Path) -> tuple[Path, int]:
    """Create a draft for `target`, and return its path and its descriptor, locked. Raises BusyError.

    Its name cannot be guessed, so that nobody can plant a link or a file there; the part before says for which report it is, so
    that leftovers of killed runs are found.
    """
    prefix = f".contact-sync-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}-"
    deadline = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        path = target.with_name(f"{prefix}{secrets.token_hex(8)}.draft")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            is_ours = lock(descriptor)
        except OSError:  # a file system without locks
            is_ours = True
        # Between creation and lock another run may have taken it for a leftover.
        is_ours = is_ours and os.path.lexists(path)
        if is_ours and not _is_written_elsewhere(path, prefix):
            return path, descriptor
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)
        if time.monotonic() >= deadline:
            raise BusyError(
                "Another run is writing {path}: wait for it to end, or choose another file with -o or --report.", path=shown
            )
        time.sleep(0.01)


def _is_written_elsewhere(ours: Path, prefix: str) -> bool:
    """Return True when another process has a draft of the same report; remove this user's drafts that none has."""
    found = False
    with suppress(OSError):  # the folder cannot be listed
        for name in os.listdir(ours.parent):  # noqa: PTH208 - only names are needed
            if name.startswith(prefix) and name != ours.name:
                with suppress(OSError):  # it is gone, unreadable, or on a file system without locks
                    found = not _is_removed(ours.with_name(name)) or found
    return found


def _is_removed(path: Path) -> bool:
    """Remove a draft of this user if no process has it locked; return False when one has. Never follows nor writes."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        return True  # anybody may have planted it
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not lock(descriptor):
            return False
        path.unlink()
        return True
    finally:
        os.close(descriptor)


@contextmanager
def open_atomic(path: Path, mode: int, *, is_spare: bool = False) -> Iterator[AtomicFile]:
    """Open a file that replaces `path` when it is committed, with permissions `mode`; `is_spare` as the function has it.

    Raises StorageError when it cannot be written, BusyError when another run is writing it.
    """
    with writing(path):
        opened = AtomicFile(path, mode, is_spare=is_spare)
    with closing(opened):
        yield opened


def is_edited(path: Path) -> bool:
    """Return True when the file at `path` may not be the report that was written there: its time lacks our mark.

    On a file system with times of whole seconds (FAT, some shares) every report counts as edited, and each run adds one: too many
    kept files do less harm than one overwritten correction.
    """
    return _mark_of(path) not in {_MARK, _SPARE_MARK, None}


def is_spare(path: Path) -> bool:
    """Return True when `path` may be written without a loss: nothing is there, or what was written as a spare file."""
    with suppress(OSError):
        return not os.path.lexists(path) or path.stat().st_size == 0 or _mark_of(path) == _SPARE_MARK
    return False


def former_user(report: Path, user: int | None) -> int | None:
    """Return the user who wrote the report of a real run at `report`, where that is not `user`; None where that is unknown."""
    with suppress(OSError):
        owner = report.stat().st_uid
        if _mark_of(report) == _MARK and user not in {owner, None}:
            return owner
    return None


def _mark_of(path: Path) -> int | None:
    """Return the nanoseconds within the modification time of a regular file; None for anything else."""
    with suppress(OSError):
        found = path.stat()
        return found.st_mtime_ns % _SECOND if stat.S_ISREG(found.st_mode) else None
    return None


def writing(path: Path) -> AbstractContextManager[None]:
    """Raise an OSError as the StorageError that says why `path` cannot be written."""
    return StorageError.from_os_error(
        "{path} cannot be written ({reason}): check its folder and the disk, or choose another file.", path=path
    )
