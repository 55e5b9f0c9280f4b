"""The state folder: for each account a ledger and a lock, and the key of all digests."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from contact_sync.errors import BusyError, ConfigError, ContactSyncError, StorageError
from contact_sync.files.lock import acquire, is_held
from contact_sync.i18n import _
from contact_sync.ledger import Ledger
from contact_sync.ledger.digests import Fingerprints, installation
from contact_sync.settings import Settings

_SUFFIX, _LOCK = ".sqlite3", ".lock"


@contextmanager
def throwaway() -> Iterator[Ledger]:
    """Lend a ledger that nobody needs afterwards: for a check, and for the sandbox."""
    with Ledger(None, Fingerprints(secrets.token_bytes(32))) as ledger:
        yield ledger


@contextmanager
def ledger_of(settings: Settings) -> Iterator[Ledger]:
    """Lend the ledger of the account that has the key, or the one named, locked, so that no other run uses it.

    Raises BusyError when another run is under way, StorageError when the folder cannot be used.
    """

    def account(fingerprints: Fingerprints) -> str:
        return fingerprints.account(settings.base_url, settings.account or settings.key)

    with ExitStack() as stack:
        yield _opened(settings.state_dir, account, stack, alone=True)


@contextmanager
def kept_ledger(settings: Settings, *, alone: bool = True, exactly: bool = False) -> Iterator[Ledger]:
    """Lend a ledger that is there already: that of the account or, unless it is asked for `exactly`, the only one there is.

    It is locked where it is for this process `alone`. Raises ConfigError when there is none, or when it is not clear which
    account is meant; beside that what `ledger_of` does.
    """
    account = _account_of(settings, exactly=exactly)
    with ExitStack() as stack:
        yield _opened(settings.state_dir, account, stack, alone=alone)


def is_locked(settings: Settings, *, exactly: bool = False) -> bool:
    """Whether another process has the lock of the account whose ledger `kept_ledger` lends. Raises what that does."""
    folder, account = settings.state_dir, _account_of(settings, exactly=exactly)
    try:
        return is_held(folder / f"{account(installation(folder))}{_LOCK}")
    except OSError as error:
        raise _unusable(folder, error) from error


def accounts(folder: Path) -> set[str]:
    """The accounts that have a ledger in this state folder. Raises StorageError when it cannot be read."""
    try:
        return {name.removesuffix(_SUFFIX) for name in os.listdir(folder) if name.endswith(_SUFFIX)}  # noqa: PTH208 - which may raise
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise _unusable(folder, error) from error


def _account_of(settings: Settings, *, exactly: bool) -> Callable[[Fingerprints], str]:
    """What names, once the installation's key is known, the account that has a ledger and is meant."""
    folder = settings.state_dir
    known = accounts(folder)
    if not known:
        raise ConfigError(_("There is no ledger in {path}: check --state-dir, or run a file first.", path=folder))

    def account(fingerprints: Fingerprints) -> str:
        named = fingerprints.account(settings.base_url, settings.account or settings.key)
        if named in known:
            return named
        if exactly or settings.account or len(known) > 1:
            sentence = _(
                "{path} has no ledger of this account: give the same --account or API key, and --base-url, as the run.",
                path=folder,
            )
            raise ConfigError(sentence)
        return known.pop()

    return account


def _opened(folder: Path, account: Callable[[Fingerprints], str], stack: ExitStack, *, alone: bool) -> Ledger:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fingerprints = installation(folder)
        name = account(fingerprints)
        if alone:
            _lock(folder / f"{name}{_LOCK}", stack)
        ledger = stack.enter_context(Ledger(folder / f"{name}{_SUFFIX}", fingerprints, name))
        if alone:
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
    # One that is locked, damaged or of a newer version is left to a later run.
    with suppress(ContactSyncError, OSError), ExitStack() as stack:
        if lock.exists():  # or else it is none of ours
            _lock(lock, stack)
            stack.enter_context(Ledger(folder / f"{account}{_SUFFIX}", fingerprints, account)).expire(now)


def _unusable(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        _("The state folder {path} cannot be used ({reason}): check --state-dir.", path=folder, reason=error.strerror)
    )


def _lock(path: Path, stack: ExitStack) -> None:
    """Keep other runs for the account away until `stack` ends. The file stays: only whoever holds it may rely on its name."""
    descriptor = acquire(path)
    if descriptor is None:
        holder = path.read_text(encoding="ascii", errors="replace").strip() or _("unknown")
        sentence = _("Another run for this account is in progress (process {holder}): wait for it to end.", holder=holder)
        raise BusyError(sentence)
    stack.callback(os.close, descriptor)
    os.write(descriptor, f"{os.getpid()}\n".encode())
