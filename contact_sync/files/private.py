"""Private files: regular, no symbolic links, and accessible to their owner alone where the file system allows it."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from contact_sync.i18n import _

_MODE = 0o600


def open_private(path: Path, flags: int) -> int:
    """Open a file, with mode 0600 from now on, and return its descriptor.

    A file system that has no permissions (SMB, WSL) refuses the mode, which is no reason not to use the file. Raises OSError,
    also for a symbolic link, whose target would get the mode, and for a pipe, which would never answer.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, _MODE)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, _("it is a symbolic link; put the file itself there")) from error
        raise
    found = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(found):
        os.close(descriptor)
        raise OSError(errno.EINVAL, _("it is not a regular file"))
    if stat.S_IMODE(found) != _MODE:
        with suppress(OSError):
            os.fchmod(descriptor, _MODE)
    return descriptor


@contextmanager
def private(path: Path, flags: int) -> Iterator[int]:
    """Open a file as `open_private` does, until the context ends."""
    descriptor = open_private(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def refuse_links(*paths: Path) -> None:
    """Raise OSError when one of these paths, which another library opens, is a symbolic link."""
    for path in paths:
        if path.is_symlink():
            raise OSError(errno.ELOOP, _("{name} is a symbolic link; remove it", name=path.name))
