"""The state folder: for each account a ledger and a lock, and the key of all digests."""

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from contact_sync.errors import BusyError, ConfigError, StorageError
from contact_sync.fingerprint import Fingerprints, installation
from contact_sync.language import phrase
from contact_sync.ledger import Ledger
from contact_sync.lock import hold
from contact_sync.settings import Settings

SUFFIX = ".sqlite3"


@contextmanager
def throwaway() -> Iterator[Ledger]:
    """Lend a ledger that nobody needs afterwards: for a check, and for the sandbox."""
    with Ledger(None, Fingerprints(secrets.token_bytes(32))) as ledger:
        yield ledger


@contextmanager
def ledger_of(settings: Settings, *, alone: bool = True) -> Iterator[Ledger]:
    """Lend the ledger of the account; `alone`: locked, so that no other run uses it.

    The account is that of the key, or the one named; where neither is given, the only one in the folder. Raises BusyError when
    another run is under way, StorageError when the folder cannot be used, ConfigError when it is not clear which account it is.
    """
    folder = settings.state_dir
    with ExitStack() as stack:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fingerprints = installation(folder)
            name = settings.account or settings.key
            account = fingerprints.account(settings.base_url, name) if name else _only(folder)
            if alone:
                _lock(folder / f"{account}.lock", stack)
            ledger = stack.enter_context(Ledger(folder / f"{account}{SUFFIX}", fingerprints, account))
        except OSError as error:
            told = phrase(
                "The state folder {path} cannot be used ({reason}): check --state-dir.", path=folder, reason=error.strerror
            )
            raise StorageError(told) from error
        yield ledger


def _only(folder: Path) -> str:
    """The one account that has a ledger in `folder`."""
    accounts = sorted(path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}"))
    if not accounts:
        raise ConfigError(phrase("There is no ledger in {path}: check --state-dir, or run a file first.", path=folder))
    if len(accounts) > 1:
        told = phrase(
            "{path} has the ledgers of {count} accounts: name one, with --account or its API key.",
            path=folder,
            count=len(accounts),
        )
        raise ConfigError(told)
    return accounts[0]


def _lock(path: Path, stack: ExitStack) -> None:
    """Keep other runs for the account away until `stack` ends. The file stays: only whoever holds it may rely on its name."""
    descriptor = hold(path)
    if descriptor is None:
        holder = path.read_text(encoding="ascii", errors="replace").strip() or phrase("unknown")
        told = phrase("Another run for this account is under way (process {holder}): wait for it to end.", holder=holder)
        raise BusyError(told)
    stack.callback(os.close, descriptor)
    os.write(descriptor, f"{os.getpid()}\n".encode())
