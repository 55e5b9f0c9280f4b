"""Exclusive locks on files, one process at a time."""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Self

from contact_sync.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where `check_system` ends every command that would need it
    fcntl = None  # type: ignore[assignment]

_POLL_INTERVAL_S = 0.5  # of a command that waits for another one to end
_LOCK_TIMEOUT_S = 0.3  # a process that only checks a lock, or expires another account's ledger, has it for less


def check_system() -> None:
    """Raise ConfigError on a system without the locks that keep two runs apart."""
    if fcntl is None:
        raise ConfigError("Windows is not supported: run contact-sync in WSL, or in a container.")


def acquire(path: "Path") -> int | None:
    """Lock `path` exclusively and return its descriptor, or None when another process keeps the lock.

    The file is created with mode 0600 if missing, empty and writable. The lock is released when the descriptor is closed or the
    process ends. Raises OSError.
    """
    deadline = time.monotonic() + _LOCK_TIMEOUT_S
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        with ExitStack() as unlocked:
            unlocked.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Between the two lines the former owner may have renamed or removed the file: then this is another file.
                with suppress(FileNotFoundError):
                    if os.path.samestat(path.stat(), os.fstat(descriptor)):
                        os.ftruncate(descriptor, 0)
                        unlocked.pop_all()
                        return descriptor
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return None
                time.sleep(0.01)


class Locks:
    """The locks that a command has taken, held until it ends; it waits for all of them together at most `wait` seconds."""

    def __init__(self, wait: float = 0.0) -> None:
        self._held: dict[Path, int] = {}
        self._wait = wait

    def take(self, path: "Path", sleep: Callable[[float], object] | None) -> bool:
        """Lock `path`, and write the process into it, unless this command has it; return False when another process keeps it.

        `sleep` is called while it waits, and may raise; None does not wait. Raises OSError.
        """
        if path in self._held:
            return True
        while (descriptor := acquire(path)) is None:
            if sleep is None or self._wait <= 0:
                return False
            began = time.monotonic()
            sleep(min(_POLL_INTERVAL_S, self._wait))
            self._wait -= time.monotonic() - began + _LOCK_TIMEOUT_S
        self._held[path] = descriptor
        os.write(descriptor, f"{os.getpid()}\n".encode())
        return True

    def close(self) -> None:
        """Release all locks."""
        while self._held:
            os.close(self._held.popitem()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def lock(descriptor: int) -> bool:
    """Lock an open file exclusively; return False when another process keeps the lock. Raises OSError, also without locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held(path: "Path") -> bool:
    """Return True when another process has locked `path`. Raises OSError."""
    with suppress(FileNotFoundError), os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW)) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
