"""The state folder: a ledger and a lock for each account, and the key of all digests."""

import os
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
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


def open_temporary_ledger() -> AbstractContextManager[Ledger]:
    """Open a ledger that is deleted when it is closed: for a check, and for the sandbox."""
    return SqliteLedger(None, Fingerprints(secrets.token_bytes(32)))


def open_ledger(account: AccountSettings) -> AbstractContextManager[Ledger]:
    """Open the ledger of the account, which is created at first use, under an exclusive lock.

    Raises BusyError when another process has the lock, StorageError when the folder cannot be used.
    """
    folder = account.state_dir
    with _reported(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    fingerprints = installation(folder)
    return _open(folder, fingerprints, _name_of(account, fingerprints), locked=True)


def open_existing_ledger(account: AccountSettings, *, locked: bool = True, exact: bool = False) -> AbstractContextManager[Ledger]:
    """Open the ledger of the account if it exists or, unless `exact`, the only one in the folder.

    Raises ConfigError when there is none, or when it is not clear which account is meant, and what `open_ledger` raises.
    """
    return _open(account.state_dir, *_existing_account(account, exact=exact), locked=locked)


def is_locked(account: AccountSettings, *, exact: bool = False) -> bool:
    """Return True when another process has the lock of the ledger that `open_existing_ledger` opens. Raises what that does."""
    _fingerprints, name = _existing_account(account, exact=exact)
    with _reported(account.state_dir):
        return is_held(account.state_dir / f"{name}{_LOCK}")


def accounts(folder: Path) -> set[str]:
    """Return the accounts that have a ledger in this state folder. Raises StorageError when it cannot be read."""
    with _reported(folder), suppress(FileNotFoundError):
        return {name.removesuffix(_SUFFIX) for name in os.listdir(folder) if name.endswith(_SUFFIX)}  # noqa: PTH208 - which may raise
    return set()


def _reported(folder: Path) -> AbstractContextManager[None]:
    return StorageError.from_os_error("The state folder {path} cannot be used ({reason}): check --state-dir.", path=folder)


def _name_of(account: AccountSettings, fingerprints: Fingerprints) -> str:
    return fingerprints.account(account.base_url, account.name or account.key)


def _existing_account(account: AccountSettings, *, exact: bool) -> tuple[Fingerprints, str]:
    """Return the digests of the installation, and the account whose ledger is meant."""
    folder = account.state_dir
    known = accounts(folder)
    if not known:
        raise ConfigError("There is no ledger in {path}: check --state-dir, or run a file first.", path=folder)
    fingerprints = installation(folder)
    name = _name_of(account, fingerprints)
    if name not in known:
        if exact or account.name or len(known) > 1:
            raise ConfigError(
                "{path} has no ledger of this account: give the same --account or API key, and --base-url, as the run.",
                path=folder,
            )
        name = known.pop()
    return fingerprints, name


@contextmanager
def _open(folder: Path, fingerprints: Fingerprints, name: str, *, locked: bool) -> Iterator[Ledger]:
    """Open a ledger; under its lock, delete the text that is too old from every ledger in the folder."""
    with ExitStack() as stack:
        with _reported(folder):
            ledger = _enter(stack, folder, fingerprints, name, locked=locked)
            for other in accounts(folder) - {name} if locked else ():  # such as that of a former key
                # One that is locked, damaged or of a newer version is left to a later run.
                with suppress(ContactSyncError, OSError), ExitStack() as others:
                    if (folder / f"{other}{_LOCK}").exists():  # else it is not one of ours
                        _enter(others, folder, fingerprints, other, locked=True)
        yield ledger


def _enter(stack: ExitStack, folder: Path, fingerprints: Fingerprints, name: str, *, locked: bool) -> Ledger:
    """Open a ledger until `stack` ends; with `locked`, lock it for as long and delete its text that is too old."""
    if locked:
        path = folder / f"{name}{_LOCK}"  # it stays: deleting it would let two processes lock two files
        descriptor = acquire(path)
        if descriptor is None:
            holder = path.read_text(encoding="ascii", errors="replace").strip() or _("unknown")
            raise BusyError("Another run for this account is in progress (process {holder}): wait for it to end.", holder=holder)
        stack.callback(os.close, descriptor)
        os.write(descriptor, f"{os.getpid()}\n".encode())
    ledger = stack.enter_context(SqliteLedger(folder / f"{name}{_SUFFIX}", fingerprints, name))
    if locked:
        ledger.expire(datetime.now(UTC))
    return ledger
