"""The state folder: a ledger and a lock for each account, and the key of all digests."""

import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from contact_sync.errors import ConfigError, ContactSyncError, UnavailableError
from contact_sync.files.lock import Locks
from contact_sync.i18n import _
from contact_sync.ledger.accounts import Choice, Identify
from contact_sync.ledger.base_token import BaseTokens
from contact_sync.ledger.canonical_url import canonical_url
from contact_sync.ledger.digests import Fingerprints, is_installed
from contact_sync.ledger.folder import LOCK, StateFolder, accounts, reported
from contact_sync.ledger.spool import SUFFIX, Spool, delete_spools, open_spool
from contact_sync.ledger.sqlite import SqliteLedger
from contact_sync.ledger.store import Ledger
from contact_sync.settings import AccountSettings, ledger_name

_FILE = re.compile(
    r".+\.(sqlite3(-\w+)?|lock|seal)(\.moved)?|accounts\.json(\.draft)?|digest\.key|ledger\.key|.+\.pull", re.IGNORECASE
)


_MOST_RUNS = 100_000


def open_temporary_ledger() -> AbstractContextManager[Ledger]:
    """Open a ledger that is deleted when it is closed: for a check, and for the sandbox."""
    return SqliteLedger(None, Fingerprints(secrets.token_bytes(32)))


def open_ledger(
    account: AccountSettings,
    *,
    sends: bool = True,
    identify: Identify | None = None,
    sleep: Callable[[float], object] = time.sleep,
    locks: Locks | None = None,
) -> AbstractContextManager[Ledger]:
    """Open the ledger of the account, which is created at first use, under an exclusive lock.

    With `sends` its use is recorded; `identify` asks the API whose the key is, where that is not known and matters. `sleep` is
    called while another program has the ledger locked, and may raise. The lock is one of the command's `locks`, and held as long
    as these, or as the ledger where there are none. Raises BusyError when another process has the lock or the
    ledger, StorageError when the folder cannot be used, ConfigError when key and name certainly belong to two accounts.
    """
    state = open_installation(account)
    return _open(state, state.accounts.choose(account, identify), sleep, locks, sends=sends)


def open_existing_ledger(
    account: AccountSettings,
    *,
    locked: bool = True,
    exact: bool = False,
    run: str = "",
    sends: bool = False,
    identify: Identify | None = None,
    sleep: Callable[[float], object] = time.sleep,
    locks: Locks | None = None,
) -> AbstractContextManager[Ledger]:
    """Open the ledger of the account if it exists; to be read, unless `locked`.

    Unless `exact`, it may also be the one that has the `run`, that is listed under the name of the account, whatever its address,
    or that is the only one in the folder.

    Raises ConfigError when there is none, or when it is not clear which account is meant, and what `open_ledger` raises.
    """
    folder, choice = _existing_account(account, identify, exact=exact, run=run)
    if sends:
        return _open(folder, choice, sleep, locks, sends=True)
    return _open_named(folder, choice.ledger, sleep, locks) if locked else folder.read(choice.ledger, sleep)


def open_tokens(account: AccountSettings, identify: Identify | None) -> BaseTokens:
    """Return the base tokens of the account, or without `identify` those of any account of this installation, to be read.

    Raises UnavailableError when the API does not say whose the key is, and what `open_ledger` raises.
    """
    if identify is None:
        known = _shared().ledgers_in(account.ledger) is not None if account.ledger else is_installed(account.state_dir)
        return BaseTokens(open_installation(account).fingerprints if known else Fingerprints(secrets.token_bytes(32)), None)
    state = open_installation(account)
    user = state.accounts.user(account, identify)
    if not user:
        raise UnavailableError(
            "SMS Partner did not say whose the API key is (/me), which a pulled file depends on: run again later."
        )
    return BaseTokens(state.fingerprints, user)


def open_sandbox_tokens(account: AccountSettings) -> BaseTokens:
    """Return tokens that a rehearsal of this installation accepts. Raises StorageError when the state folder cannot be used."""
    return BaseTokens(open_installation(replace(account, ledger=None)).fingerprints, "sandbox")


@contextmanager
def open_pull_spool(account: AccountSettings) -> Iterator[Spool]:
    """Open the spool of the pulls with this key. Raises BusyError when another pull has it, StorageError."""
    state = open_installation(account)
    with ExitStack() as stack:
        with reported(state.path):
            name = state.fingerprints.account(canonical_url(account.base_url), account.key)
            spool = stack.enter_context(open_spool(state.path / f"{name}{SUFFIX}"))
        yield spool


def is_locked(account: AccountSettings, *, exact: bool = False, identify: Identify | None = None) -> bool:
    """Return True when another process has the lock of the ledger that `open_existing_ledger` opens. Raises what that does."""
    folder, choice = _existing_account(account, identify, exact=exact)
    return folder.is_held(choice.ledger)


class KnownLedger(NamedTuple):
    """A ledger that is in use."""

    label: str  # how an operator knows it: the names of --account that it was used with, else the name of its file
    open: Callable[[], AbstractContextManager[Ledger]]  # to be read
    is_held: Callable[[], bool]  # True while a process of this host has its lock


def known_ledgers(account: AccountSettings) -> list[KnownLedger]:
    """Return the ledgers of this installation. Raises StorageError, or UnavailableError, when they cannot be read."""
    if not _has_ledgers(account):
        return []
    state = open_installation(account)
    return [
        KnownLedger(_label(name, labels), partial(state.read, name, time.sleep), partial(state.is_held, name))
        for name, labels in state.accounts.current().items()
    ]


def meant_ledgers(account: AccountSettings) -> list[KnownLedger]:
    """Return the ledger that `open_existing_ledger` opens, or all of them where neither key nor name says which."""
    if not (account.key or account.name) and len(known := known_ledgers(account)) > 1:
        return known
    folder, choice = _existing_account(account, None, exact=False)
    return [KnownLedger("", partial(folder.read, choice.ledger, time.sleep), partial(folder.is_held, choice.ledger))]


def _label(name: str, labels: Sequence[str]) -> str:
    return " = ".join(labels) or name


def open_installation(account: AccountSettings, *, key: bytes | None = None) -> StateFolder:
    """Return the installation of an account: its state folder, which is made where it is missing, or a database.

    A new one gets the `key` of its digests, if there is one. Raises ConfigError where it has another key, or where what the
    engine needs is not installed.
    """
    if not account.ledger:
        with reported(account.state_dir):
            account.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return StateFolder(account.state_dir, key)
    folder: StateFolder = _shared().SharedFolder(account, key)
    return folder


def _shared() -> ModuleType:
    try:
        from contact_sync.ledger.postgres import installation  # noqa: PLC0415 - a library that few need
    except ImportError as error:
        raise ConfigError("--ledger needs psycopg: install contact-sync[postgres].") from error
    return installation


def _has_ledgers(account: AccountSettings) -> bool:
    """Return True when the installation has ledgers; where there is none, none is created."""
    return bool(_shared().ledgers_in(account.ledger) if account.ledger else accounts(account.state_dir))


def is_of_state_dir(path: Path, folder: Path) -> bool:
    """Return True when `path` leads to a file of this state folder, or would be one, whatever it is called."""
    real, folder = Path(os.path.realpath(path)), Path(os.path.realpath(folder))
    if real.parent == folder and _FILE.fullmatch(real.name):
        return True
    with suppress(OSError):  # one of them does not exist, or cannot be accessed
        found = real.stat()
        return any(_FILE.fullmatch(each.name) and os.path.samestat(each.stat(), found) for each in folder.iterdir())
    return False


def folder_warnings(folder: Path) -> list[str]:
    """Return a warning when other users can change what is in the state folder. Raises StorageError."""
    with reported(folder):
        found = folder.stat()
    if found.st_uid not in {0, os.geteuid()}:
        return [_("The state folder {path} belongs to another user: run as its owner, or change --state-dir.", path=folder)]
    if found.st_mode & 0o022:
        return [_("The state folder {path} can be changed by other users: run chmod 700 on it.", path=folder)]
    return []


def _existing_account(
    account: AccountSettings, identify: Identify | None, *, exact: bool, run: str = ""
) -> tuple[StateFolder, Choice]:
    """Return the state folder, and the ledger that is meant."""
    if not _has_ledgers(account):
        if account.ledger:
            raise ConfigError("There is no ledger in {path}: run a file first.", path=ledger_name(account.ledger))
        raise ConfigError(
            "There is no ledger in {path}: run this as the user of the job, check --state-dir, or run a file first.",
            path=account.state_dir,
        )
    folder = open_installation(account)
    known = folder.ledgers()
    choice = folder.accounts.choose(account, identify)
    listed = [] if exact else _listed(folder, account.name, run)
    if len(listed) == 1:
        (choice.ledger,) = listed
        return folder, choice
    if choice.is_known and choice.ledger in known:
        return folder, choice
    current = folder.accounts.current()
    if not (exact or account.key or account.name) and len(current) > 1:
        raise ConfigError(
            "{path} has several ledgers: say which one with --account NAME. There are: {ledgers}.",
            path=folder.place,
            ledgers=", ".join(_label(name, labels) for name, labels in current.items()),
        )
    if exact or account.name or len(current) != 1:
        raise ConfigError(
            "{path} has no ledger of this account: give the same --account or API key, and --base-url, as the run. There are "
            "ledgers of: {ledgers}.",
            path=folder.place,
            ledgers=", ".join(_label(name, labels) for name, labels in current.items()),
        )
    (choice.ledger,) = current
    return folder, choice


def _listed(folder: StateFolder, name: str | None, run: str) -> list[str]:
    """Return the ledgers that an error or `history` lists under this name of an account or, without one, with this run."""
    current = folder.accounts.current().items()
    if name:
        return [ledger for ledger, labels in current if name in {ledger, *labels, _label(ledger, labels)}]
    return [ledger for ledger, _labels in current if run and _has_run(partial(folder.read, ledger, time.sleep), run)]


def _has_run(open_it: Callable[[], AbstractContextManager[Ledger]], run: str) -> bool:
    with suppress(ContactSyncError), open_it() as ledger:  # a damaged one must not hide the others
        return any(each.id == run for each in ledger.runs(_MOST_RUNS)) or next(ledger.before_images(run), None) is not None
    return False


@contextmanager
def _open(
    folder: StateFolder, choice: Choice, sleep: Callable[[float], object], locks: Locks | None, *, sends: bool
) -> Iterator[Ledger]:
    """Open the ledger of an account for a run; what another ledger of the account has overwritten is not believed."""
    with _open_named(folder, choice.ledger, sleep, locks) as ledger:
        ledger.warnings += [*folder_warnings(folder.path), *choice.warnings]
        if choice.rivals:
            warning = _(
                "Another ledger in {path} may be of the same account and was used since this one: every row is sent once more. "
                "If it is of another account, give every run an --account.",
                path=folder.place,
            )
            ledger.distrust(warning, durably=sends)
        if not sends:
            yield ledger
            return
        folder.accounts.begin(choice, folder.is_held)
        try:
            yield ledger
        finally:
            with suppress(ContactSyncError):  # then the use counts as one that has not ended
                folder.accounts.end(choice)


@contextmanager
def _open_named(folder: StateFolder, name: str, sleep: Callable[[float], object], locks: Locks | None) -> Iterator[Ledger]:
    """Open a ledger under its lock; delete the text that is too old from every ledger in the folder."""
    with ExitStack() as stack:
        ledger = folder.enter(stack, name, sleep, locks)
        delete_spools(folder.path)
        for other in accounts(folder.path) - {name}:  # such as that of a former key
            # One that is locked, damaged or of a newer version is left to a later run.
            with suppress(ContactSyncError, OSError), ExitStack() as others:
                if (folder.path / f"{other}{LOCK}").exists():  # else it is not one of ours
                    folder.enter(others, other, None)
        yield ledger
