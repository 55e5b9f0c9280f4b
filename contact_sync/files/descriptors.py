"""The number of files and connections that this process may have open."""

import errno
import sys
from contextlib import suppress

from contact_sync.errors import ConfigError, ContactSyncError, UnavailableError, reason_of

RESERVED_FILES = 48  # for everything but connections: source, ledger, reports, event loop, modules that are imported
_WANTED = 1024


def most_open_files() -> int:
    """Return how many files and connections this process may have open, after raising its own limit as far as that goes."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return _WANTED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return sys.maxsize
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return soft


def shortage_of(error: BaseException | None) -> ContactSyncError | None:
    """Return the error for a failure because this process or this machine has no files, memory or buffers left; else None."""
    if not isinstance(error, OSError):
        return None
    if error.errno == errno.EMFILE:
        return too_few_files()
    if error.errno in {errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}:
        return UnavailableError(
            "This machine has no files, memory or buffers left ({reason}): free some, and run again.", reason=reason_of(error)
        )
    return None


def too_few_files() -> ConfigError:
    """Return the error for a limit that is too low."""
    files = most_open_files()
    wanted = _WANTED if files < _WANTED else 4 * files
    return ConfigError(
        "This process may open only {files} files: raise the limit (ulimit -n {wanted}).", files=files, wanted=wanted
    )
