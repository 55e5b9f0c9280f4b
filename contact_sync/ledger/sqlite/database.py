"""The SQLite file: private, durable, of the current version, with transactions, and with every error as a StorageError."""

import itertools
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contact_sync.errors import StorageError
from contact_sync.i18n import _
from contact_sync.ledger.digests import from_first_release
from contact_sync.ledger.sqlite import schema

_BUSY_TIMEOUT_S = 5.0  # seconds; SQLite's own default for other locks


class Database:
    """A connection to the file `path` of `account`, or to a temporary one when `path` is None. Every method raises StorageError.

    A file of an earlier version is migrated; one of a newer version or of another account is refused.
    """

    def __init__(self, path: Path | None, account: str) -> None:
        self.path = path
        self._name = path or _("the temporary ledger")
        if path is not None:
            _make_private(path)
        with self._translated_errors():
            self.connection = sqlite3.connect(path or "", isolation_level=None)
            try:
                # Without a bound the cache grows to what appears to be a leak on a large source.
                self.connection.execute("PRAGMA cache_size = -8000")
                self._set_journal("WAL" if path else "MEMORY")
                self.connection.execute("PRAGMA synchronous = FULL" if path else "PRAGMA synchronous = OFF")
                self.connection.execute("PRAGMA secure_delete = ON")  # overwrite what is deleted
                self._migrate(account)
            except BaseException:
                self.connection.close()
                raise

    def _set_journal(self, mode: str) -> None:
        """Set the journal mode; SQLite itself does not wait when another process is setting it, too."""
        deadline = time.monotonic() + _BUSY_TIMEOUT_S
        while True:
            try:
                self.connection.execute(f"PRAGMA journal_mode = {mode}")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def _migrate(self, account: str) -> None:
        if self.number("PRAGMA user_version") > schema.VERSION:
            raise StorageError("The ledger {path} was written by a newer contact-sync: install that version.", path=self._name)
        if self.number("PRAGMA user_version") < schema.VERSION:
            self.connection.create_function("from_first_release", 1, from_first_release, deterministic=True)
            with self.transaction() as db:
                version = self.number("PRAGMA user_version")  # another process may have been faster
                for statement in itertools.chain(*schema.MIGRATIONS[version:]):
                    db.execute(statement)
                if version == 0:
                    db.execute("INSERT INTO meta VALUES ('account', ?)", (account,))
                db.execute(f"PRAGMA user_version = {schema.VERSION}")
        if self.all("SELECT value FROM meta WHERE key = 'account'") != [(account,)]:
            raise StorageError("The ledger {path} belongs to another account: move it out of the state folder.", path=self._name)

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StorageError(
                "The ledger {path} cannot be used ({reason}): check the disk; if the file is damaged, "
                "move it away (every row is then sent once more).",
                path=self._name,
                reason=error,
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all that is written within, or nothing; within another transaction it is a part of that one."""
        with self._translated_errors():
            if self.connection.in_transaction:
                yield self.connection
                return
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def write(self, statement: str, *values: object) -> int:
        """Execute a statement and return the number of rows that it changed."""
        with self.transaction() as db:
            return db.execute(statement, values).rowcount

    def all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows that a query finds."""
        with self._translated_errors():
            return self.connection.execute(query, values).fetchall()

    def number(self, query: str, *values: object) -> int:
        """Return the number that a query computes."""
        ((number,),) = self.all(query, *values)
        return int(number)


def _make_private(path: Path) -> None:
    """Create the file with mode 0600, or restrict it to that; SQLite gives its side files the same mode."""
    with StorageError.from_os_error("The ledger {path} cannot be opened ({reason}): check the state folder.", path=path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.fchmod(descriptor, 0o600)
        os.close(descriptor)
