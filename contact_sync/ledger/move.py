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
    if target.ledgers():
        raise ConfigError("{path} already has ledgers: they cannot be merged.", path=target.place)
    contacts = records = 0
    with ExitStack() as stack:
        locks = stack.enter_context(Locks())
        for name in names:
            origin, copy = (folder.enter(stack, name, None, locks) for folder in (source, target))
            if origin.trials():
                raise ConfigError("An update was cut off, and may have emptied fields: run a file first, which puts them back.")
            counts = _copied(origin, copy)
            contacts, records = contacts + counts["confirmed"], records + sum(counts.values())
        target.accounts.replace(source.accounts)
    _put_aside(source, names)
    return Moved(len(names), contacts, records)


def _copied(origin: SqliteLedger, copy: SqliteLedger) -> dict[str, int]:
    """Copy all records that outlive a run, and return their number by table, after they were read back and compared."""
    counts: dict[str, int] = {}
    origin.run_history.archive_rows()
    with copy.database.transaction(), copy.shared.transaction():
        runs = origin.run_history.records()
        copy.run_history.add(runs)
        _compare("run", runs, copy.run_history.records())
        counts["run"] = len(runs)
        for table in TABLES:
            records = origin.records.read(table)
            copy.records.add(table, records)
            _compare(table, records, copy.records.read(table))
            counts[table] = len(records)
    return counts


def _compare(table: str, records: Sequence[object], copied: Sequence[object]) -> None:
    if sorted(map(repr, records)) != sorted(map(repr, copied)):
        raise StorageError("The copy of the ledger differs in {table}: nothing was moved.", table=table)


def _put_aside(folder: StateFolder, names: list[str]) -> None:
    for name in names:
        folder.put_aside(name)
