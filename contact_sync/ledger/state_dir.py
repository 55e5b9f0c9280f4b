"""The state folder: a ledger and a lock for each account, and the key of all digests."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from contact_sync.errors import BusyError, ConfigError, ContactSyncError, StorageError
from contact_sync.files.lock import acquire, is_held
from contact_sync.i18n import _
from contact_sync.ledger.digests import Fingerprints, installation
from contact_sync.ledger.sqlite import SqliteLedger
from contact_sync.ledger.store import Ledger
from contact_sync.settings import AccountSettings

_SUFFIX, _LOCK = ".sqlite3", ".lock"


@contextmanager
def open_temporary_ledger() -> Iterator[Ledger]:
    """Open a ledger that is deleted when it is closed: for a check, and for the sandbox."""
    with SqliteLedger(None, Fingerprints(secrets.token_bytes(32))) as ledger:
        yield ledger


@contextmanager
def open_ledger(account: AccountSettings) -> Iterator[Ledger]:
    """Open the ledger of the account, which is created at first use, under an exclusive lock.

    Raises BusyError when another process has the lock, StorageError when the folder cannot be used.
    """
    with ExitStack() as stack:
        yield _open(account.state_dir, lambda digests: _digest(account, digests), stack, locked=True)


@contextmanager
def open_existing_ledger(account: AccountSettings, *, locked: bool = True, exact: bool = False) -> Iterator[Ledger]:
    """Open the ledger of the account if it exists or, unless `exact`, the only one in the folder.

    Raises ConfigError when there is none, or when it is not clear which account is meant, and what `open_ledger` raises.
    """
    name = _existing_account(account, exact=exact)
    with ExitStack() as stack:
        yield _open(account.state_dir, name, stack, locked=locked)


def is_locked(account: AccountSettings, *, exact: bool = False) -> bool:
    """Return True when another process has the lock of the ledger that `open_existing_ledger` opens. Raises what that does."""
    folder, name = account.state_dir, _existing_account(account, exact=exact)
    try:
        return is_held(folder / f"{name(installation(folder))}{_LOCK}")
    except OSError as error:
        raise _unusable(folder, error) from error


def accounts(folder: Path) -> set[str]:
    """Return the accounts that have a ledger in this state folder. Raises StorageError when it cannot be read."""
    try:
        return {name.removesuffix(_SUFFIX) for name in os.listdir(folder) if name.endswith(_SUFFIX)}  # noqa: PTH208 - which may raise
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise _unusable(folder, error) from error


def _existing_account(account: AccountSettings, *, exact: bool) -> Callable[[Fingerprints], str]:
    """Return a function that returns, from the digests of the installation, the account whose ledger is meant."""
    folder = account.state_dir
    known = accounts(folder)
    if not known:
        raise ConfigError("There is no ledger in {path}: check --state-dir, or run a file first.", path=folder)

    def name(digests: Fingerprints) -> str:
        named = _digest(account, digests)
        if named in known:
            return named
        if exact or account.name or len(known) > 1:
            raise ConfigError(
                "{path} has no ledger of this account: give the same --account or API key, and --base-url, as the run.",
                path=folder,
            )
        return known.pop()

    return name


def _digest(account: AccountSettings, digests: Fingerprints) -> str:
    return digests.account(account.base_url, account.name or account.key)


def _open(folder: Path, account: Callable[[Fingerprints], str], stack: ExitStack, *, locked: bool) -> Ledger:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fingerprints = installation(folder)
        name = account(fingerprints)
        if locked:
            _lock(folder / f"{name}{_LOCK}", stack)
        ledger = stack.enter_context(SqliteLedger(folder / f"{name}{_SUFFIX}", fingerprints, name))
        if locked:
            now = datetime.now(UTC)
            ledger.expire(now)
            for other in accounts(folder) - {name}:
                _expire(folder, other, fingerprints, now)
    except OSError as error:
        raise _unusable(folder, error) from error
    return ledger


def _expire(folder: Path, account: str, fingerprints: Fingerprints, now: datetime) -> None:
    """Delete text that is too old from the ledger of another account, such as that of a former key, unless it is in use."""
    lock = folder / f"{account}{_LOCK}"
    # A ledger that is locked, damaged or of a newer version is left to a later run.
    with suppress(ContactSyncError, OSError), ExitStack() as stack:
        if lock.exists():  # else it is not one of ours
            _lock(lock, stack)
            stack.enter_context(SqliteLedger(folder / f"{account}{_SUFFIX}", fingerprints, account)).expire(now)


def _unusable(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        "The state folder {path} cannot be used ({reason}): check --state-dir.", path=folder, reason=error.strerror
    )


def _lock(path: Path, stack: ExitStack) -> None:
    """Acquire the lock of an account until `stack` ends. The file stays: deleting it would let two processes lock two files."""
    descriptor = acquire(path)
    if descriptor is None:
        holder = path.read_text(encoding="ascii", errors="replace").strip() or _("unknown")
        raise BusyError("Another run for this account is in progress (process {holder}): wait for it to end.", holder=holder)
    stack.callback(os.close, descriptor)
    os.write(descriptor, f"{os.getpid()}\n".encode())
