"""A file that one process at a time may hold."""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

_LOCK_TIMEOUT_S = 0.3  # seconds: who only looks, or looks after another account's ledger, holds a lock for less


def acquire(path: Path) -> int | None:
    """Open `path`, made with mode 0600 if need be, for this process alone; None when another process has it and keeps it.

    Returns the descriptor, empty and writable; the file is free again when it is closed, or the process gone. Raises OSError.
    """
    until = time.monotonic() + _LOCK_TIMEOUT_S
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever had it may have renamed it or taken it away between the two lines: then this is another file.
            with suppress(FileNotFoundError):
                if os.path.samestat(path.stat(), os.fstat(descriptor)):
                    os.ftruncate(descriptor, 0)
                    return descriptor
        except BlockingIOError:
            if time.monotonic() >= until:
                os.close(descriptor)
                return None
            time.sleep(0.01)
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether another process has seized `path`. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
