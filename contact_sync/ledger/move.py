"""The move of an installation's ledgers to another engine, and back: copied, counted and compared, then put aside.

The rows of the last run stay behind: they are of the host that has read them. What was put aside is not used any more; a run that
is still pointed at it begins a new ledger there, and so sends every row once more rather than too few.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import NamedTuple

from contact_sync.errors import ConfigError, StorageError
from contact_sync.files.lock import Locks
from contact_sync.ledger.folder import StateFolder
from contact_sync.ledger.sqlite import SqliteLedger
from contact_sync.ledger.sqlite.records import TABLES
from contact_sync.ledger.state_dir import open_installation
from contact_sync.settings import AccountSettings, ledger_url

SQLITE = "sqlite"


class Moved(NamedTuple):
    """Numbers of what was moved."""

    ledgers: int
    contacts: int  # whose confirmed values are known
    records: int  # of all tables


def move(account: AccountSettings, to: str) -> Moved:
    """Move all ledgers of the installation that `account` names to another engine: `sqlite` or the address of a database.

    Raises ConfigError when there is nothing to move, or when the other place has ledgers or another key, BusyError while a run of
    this host is in progress, StorageError when the copy differs, UnavailableError when the database is gone.
    """
    source = open_installation(account)
    target_account = replace(account, ledger=None if to == SQLITE else ledger_url(to))
    names = sorted(source.ledgers())
    if bool(account.ledger) == bool(target_account.ledger):
        raise ConfigError("--to is where the ledger is: move it from the state folder to a database, or with --ledger to sqlite.")
    if not names:
        raise ConfigError("There is no ledger in {path}: run a file first.", path=source.place)
    target = open_installation(target_account, key=source.key)
    if not target.ledgers() <= {*names}:
        raise _occupied(target)
    contacts = records = 0
    with ExitStack() as stack:
        locks = stack.enter_context(Locks())
        for name in names:
            origin, copy = (folder.enter(stack, name, None, locks) for folder in (source, target))
            for each in (origin, copy):
                each.exclude_others()
            if origin.trials():
                raise ConfigError("An update was cut off, and may have emptied fields: run a file first, which puts them back.")
            counts = _copied(origin, copy)
            if counts is None:
                raise _occupied(target)
            contacts, records = contacts + counts["confirmed"], records + sum(counts.values())
        target.accounts.replace(source.accounts)
    for name in names:
        source.put_aside(name)
    return Moved(len(names), contacts, records)


def _occupied(target: StateFolder) -> ConfigError:
    return ConfigError("{path} already has ledgers: they cannot be merged.", path=target.place)


def _copied(origin: SqliteLedger, copy: SqliteLedger) -> dict[str, int] | None:
    """Copy all records that outlive a run, and return their number by table, after they were read back and compared.

    A copy with the same records is one of a move that was cut off; where it has others, None is returned.
    """
    origin.run_history.archive_rows()
    records, found = _records(origin), _records(copy)
    if not any(found.values()):
        with copy.database.transaction(), copy.shared.transaction():
            copy.run_history.add(origin.run_history.records())
            for table in TABLES:
                copy.records.add(table, origin.records.read(table))
            if _records(copy) != records:
                raise StorageError("The copy of the ledger differs: nothing was moved.")
    elif found != records:
        return None
    return {table: len(each) for table, each in records.items()}


def _records(ledger: SqliteLedger) -> dict[str, list[str]]:
    """Return all records by table, in a form in which those of two engines can be compared."""
    found: dict[str, Sequence[object]] = {
        "run": ledger.run_history.records(),
        **{table: ledger.records.read(table) for table in TABLES},
    }
    return {table: sorted(map(repr, each)) for table, each in found.items()}
