"""A state folder: the files of its ledgers, their locks, and the key of all digests."""

import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from contact_sync.errors import BusyError, ConfigError, StorageError
from contact_sync.files.lock import Locks, is_held
from contact_sync.i18n import _
from contact_sync.ledger.accounts import Accounts, AccountsFile
from contact_sync.ledger.digests import installation
from contact_sync.ledger.sqlite import SqliteLedger

SUFFIX, SEAL, LOCK = ".sqlite3", ".seal", ".lock"
_OURS = re.compile("[0-9a-f]{16}")  # names of ledgers


def accounts(folder: Path) -> set[str]:
    """Return the accounts that have a ledger in this state folder. Raises StorageError when it cannot be read."""
    with reported(folder), suppress(FileNotFoundError):
        return {name.removesuffix(SUFFIX) for name in os.listdir(folder) if name.endswith(SUFFIX)}  # noqa: PTH208 - which may raise
    return set()


def reported(folder: Path) -> AbstractContextManager[None]:
    """Raise an OSError of the body as StorageError about the state folder."""
    return StorageError.from_os_error("The state folder {path} cannot be used ({reason}): check --state-dir.", path=folder)


class StateFolder:
    """An existing state folder. Raises StorageError when the key of its digests is missing although it has ledgers."""

    def __init__(self, folder: Path, key: bytes | None = None) -> None:
        self.path = folder
        self.place = str(folder)  # as an operator knows it
        ours = [name for name in accounts(folder) if _OURS.fullmatch(name)]
        self.fingerprints = installation(folder, may_create=not ours, key=key)
        self.key = self.fingerprints.key
        self.refuse_other_key(key)
        self.accounts = Accounts(AccountsFile(folder), self.fingerprints, partial(accounts, folder))

    def refuse_other_key(self, key: bytes | None) -> None:
        """Raise ConfigError unless this is the key of the digests; None is any."""
        if key not in {None, self.key}:
            raise ConfigError("{path} has digests under another key: ledgers cannot be moved there.", path=self.place)

    def put_aside(self, name: str) -> None:
        """Rename a ledger, so that nothing uses it any more."""
        with reported(self.path):
            for suffix in (SUFFIX, SEAL):
                path = self.path / f"{name}{suffix}"
                with suppress(FileNotFoundError):
                    path.rename(path.with_name(f"{path.name}.moved"))

    def ledgers(self) -> set[str]:
        """Return the names of the ledgers."""
        return accounts(self.path)

    def is_held(self, name: str) -> bool:
        """Return True when a process of this host has the lock of this ledger."""
        with reported(self.path):
            return is_held(self.path / f"{name}{LOCK}")

    def read(self, name: str, sleep: Callable[[float], object]) -> SqliteLedger:
        """Open a ledger that is only read."""
        return self._open(name, sleep, read_only=True)

    def _open(self, name: str, sleep: Callable[[float], object] | None, *, read_only: bool) -> SqliteLedger:
        return SqliteLedger(self.path / f"{name}{SUFFIX}", self.fingerprints, name, read_only=read_only, sleep=sleep)

    def enter(
        self, stack: ExitStack, name: str, sleep: Callable[[float], object] | None, locks: Locks | None = None
    ) -> SqliteLedger:
        """Lock and open a ledger until `stack` ends, and delete its text that is too old."""
        with reported(self.path):
            path = self.path / f"{name}{LOCK}"  # it stays: deleting it would let two processes lock two files
            if not (locks or stack.enter_context(Locks())).take(path, sleep):
                holder = path.read_text(encoding="ascii", errors="replace").strip() or _("unknown")
                raise BusyError(
                    "Another run for this account is in progress (process {holder}): wait for it to end.", holder=holder
                )
        ledger = stack.enter_context(self._open(name, sleep, read_only=False))
        ledger.expire(datetime.now(UTC))
        return ledger
