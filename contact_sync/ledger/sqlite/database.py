"""The SQLite file: private, durable, of the current version, with transactions, and with every error as a ContactSyncError."""

import itertools
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from contact_sync.errors import BusyError, StorageError
from contact_sync.files.private import open_private, refuse_links
from contact_sync.i18n import _
from contact_sync.ledger.digests import from_first_release
from contact_sync.ledger.sqlite import schema
from contact_sync.ledger.sqlite.seal import Mark, Seal, content_of

PATIENCE_S = 60.0  # for another program that has the file locked
_POLL_INTERVAL_S = 0.1
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_LOG_BYTES = 4 << 20

_ValueT = TypeVar("_ValueT")


class Database:
    """A connection to the file `path` of `account`, or to a temporary one when `path` is None.

    A file of an earlier version is migrated; one of a newer version or of another account is refused. One that lost something
    since it was written (`seal`) forgets what was confirmed, and `warnings` says so. A `read_only` connection neither changes nor
    examines the file. While another program has the file locked, `sleep` is called, which may raise.
    Every method raises BusyError when that takes longer than a minute, and StorageError.
    """

    members = "(SELECT value FROM json_each(?))"
    """The texts in a JSON list, for `IN`."""

    def __init__(
        self, path: Path | None, account: str, *, read_only: bool = False, sleep: Callable[[float], object] | None = time.sleep
    ) -> None:
        self.path = path
        self._name = path or _("the temporary ledger")
        self._sleep = sleep
        self._opened = ExitStack()
        self._seal: Seal | None = None
        self._mark = Mark(0, "")
        self._next_checkpoint = _LOG_BYTES
        with ExitStack() as failed:
            failed.callback(self._opened.close)
            if path is None or read_only:
                self._connect(account, read_only=read_only)
            else:
                self._open_sealed(path, account)
            failed.pop_all()

    def _connect(self, account: str, *, read_only: bool) -> None:
        with self._translated_errors():
            name = f"file:{quote(os.fsencode(self.path))}?mode={'ro' if read_only else 'rw'}" if self.path else ""
            self.connection = self._opened.enter_context(_closing(sqlite3.connect(name, 0, isolation_level=None, uri=True)))
            if read_only and self.number("PRAGMA user_version") < schema.VERSION:
                copy = self._opened.enter_context(_closing(sqlite3.connect("", isolation_level=None)))
                self._patiently(lambda: self.connection.backup(copy))  # which can be migrated
                self.connection = copy
            elif not read_only:
                # Without a bound the cache grows to what appears to be a leak on a large source.
                self.all("PRAGMA cache_size = -8000")
                self.all(f"PRAGMA journal_mode = {'WAL' if self.path else 'MEMORY'}")
                self.all("PRAGMA wal_autocheckpoint = 0")
                self.all(f"PRAGMA synchronous = {'FULL' if self.path else 'OFF'}")
                self.all("PRAGMA secure_delete = ON")  # overwrite what is deleted
            self._migrate(account)

    def _open_sealed(self, path: Path, account: str) -> None:
        with StorageError.from_os_error("The ledger {path} cannot be opened ({reason}): check the state folder.", path=path):
            refuse_links(*[path.with_name(f"{path.name}-{kind}") for kind in ("wal", "shm", "journal")])
            # SQLite gives its side files the mode of this one. Kept open: closing it would release SQLite's own locks.
            self._file = open_private(path, os.O_RDWR | os.O_CREAT)
            self._opened.callback(os.close, self._file)
            found = os.fstat(self._file)
        self._seal = self._opened.enter_context(Seal(path.with_suffix(".seal")))
        written = self._seal.mark if found.st_size else None
        content = written.content if written and written.changed_ns == found.st_ctime_ns else self._content()
        self._connect(account, read_only=False)
        counted = [count for (count,) in self.all("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'withdrawals'")]
        if written is None:
            is_same = is_complete = not counted  # else the seal was lost; the first release wrote none
        else:
            is_same, is_complete = written.content in {"", content}, sum(counted) >= written.withdrawals
        self._mark = Mark(max([*counted, written.withdrawals if written else 0]), "")
        if written and is_same and is_complete and not self._log_size():
            self._mark = Mark(self._mark.withdrawals, written.content, os.fstat(self._file).st_ctime_ns)
        self._seal.write(self._mark)
        if not (is_same and is_complete):
            self._distrust(keep_moments=is_same)
        self.checkpoint()

    def _distrust(self, *, keep_moments: bool) -> None:
        """Forget what was confirmed, and the rows of the last run, which may be those of an earlier one."""
        if self.all("PRAGMA quick_check(1)") != [("ok",)]:
            raise self._damaged(_("it is damaged"))
        with self.transaction() as db:
            db.execute("DELETE FROM block")
            db.execute("DELETE FROM row")
            db.execute("DELETE FROM meta WHERE key = 'rows'")
            db.execute("INSERT OR REPLACE INTO meta VALUES ('withdrawals', ?)", (str(self._mark.withdrawals),))
            db.execute("UPDATE confirmed SET row = NULL, fields = x''" if keep_moments else "DELETE FROM confirmed")
            self.warn(
                _(
                    "The ledger {path} was damaged, lost its last changes, or is an older copy: every row is sent once more.",
                    path=self.path,
                )
            )

    def warn(self, warning: str) -> None:
        """Keep a sentence for the operator until a run has reported it."""
        self.write("INSERT OR IGNORE INTO meta VALUES (?, ?)", f"warning: {warning}", warning)

    def forget_warnings(self) -> None:
        """Forget the sentences that a run has reported."""
        self.write("DELETE FROM meta WHERE key LIKE 'warning: %'")

    @property
    def warnings(self) -> list[str]:
        """Sentences for the operator that no run has reported yet."""
        return [warning for (warning,) in self.all("SELECT value FROM meta WHERE key LIKE 'warning: %'")]

    def close(self) -> None:
        """Close the connection; what is not in the main file yet stays in the log."""
        with suppress(StorageError, BusyError):
            self.checkpoint()
        self._opened.close()

    def checkpoint(self) -> None:
        """Move the log into the main file, unless another connection still reads an earlier state, and seal that."""
        if self._seal is None or (self._mark.content and not self._log_size()):
            return
        self._mark = Mark(self._mark.withdrawals, "")
        self._seal.write(self._mark)
        try:
            ((is_busy, *_pages),) = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            if error.sqlite_errorcode & 0xFF not in _BUSY:
                with self._translated_errors():
                    raise
            is_busy = True
        self._next_checkpoint = self._log_size() + self.log_bytes
        if not is_busy:
            self._mark = Mark(self._mark.withdrawals, self._content(), os.fstat(self._file).st_ctime_ns)
            self._seal.write(self._mark)

    def _content(self) -> str:
        with StorageError.from_os_error("The ledger {path} cannot be read ({reason}): check the disk.", path=self._name):
            return content_of(self._file)

    @property
    def log_bytes(self) -> int:
        """Size of the log above which it is moved into the main file: a share of that, which is read once more each time."""
        return max(_LOG_BYTES, os.fstat(self._file).st_size // 2)

    def _log_size(self) -> int:
        with suppress(FileNotFoundError):
            return os.stat(f"{self.path}-wal").st_size  # noqa: PTH116 - once a transaction, and several times as fast
        return 0

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
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY:
                raise BusyError(
                    "The ledger {path} is in use by another program (a backup, a database browser): close it there, or run "
                    "again later.",
                    path=self._name,
                ) from error
            raise self._damaged(error) from error

    def _damaged(self, reason: object) -> StorageError:
        return StorageError(
            "The ledger {path} cannot be used ({reason}): check the disk; if the file is damaged, "
            "move it away (every row is then sent once more).",
            path=self._name,
            reason=reason,
        )

    def _patiently(self, execute: Callable[[], _ValueT]) -> _ValueT:
        """Return what `execute` does; repeat it while another program has the file locked, for a minute at most."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return execute()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in _BUSY or self.connection.in_transaction or self._sleep is None:
                    raise
                if time.monotonic() > deadline:
                    self._sleep = None  # the steps that end a run do not wait once more
                    raise
                self._sleep(_POLL_INTERVAL_S)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all that is written within, or nothing; within another transaction it is a part of that one."""
        with self._translated_errors():
            if self.connection.in_transaction:
                yield self.connection
                return
            self._patiently(lambda: self.connection.execute("BEGIN IMMEDIATE"))
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
        if self._seal and self._log_size() > self._next_checkpoint:
            self.checkpoint()

    @contextmanager
    def withdrawal(self) -> Iterator[None]:
        """Open a transaction that withdraws what was confirmed; when it is lost later, that is noticed."""
        with self.transaction():
            yield
            self.write("INSERT OR REPLACE INTO meta VALUES ('withdrawals', ?)", str(self._mark.withdrawals + 1))
        self._mark = self._mark._replace(withdrawals=self._mark.withdrawals + 1)
        if self._seal:
            self._seal.write(self._mark)

    def lock(self, table: str) -> None:
        """Keep others from writing a table until the transaction ends; here a transaction keeps them out by itself."""

    def write(self, statement: str, *values: object) -> int:
        """Execute a statement and return the number of rows that it changed."""
        with self.transaction() as db:
            return db.execute(statement, values).rowcount

    def all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows that a query finds."""
        with self._translated_errors():
            return self._patiently(lambda: self.connection.execute(query, values).fetchall())

    def each(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """Yield the rows that a query finds, without holding them all."""
        with self._translated_errors():
            yield from self.connection.execute(query, values)

    def number(self, query: str, *values: object) -> int:
        """Return the number that a query computes."""
        ((number,),) = self.all(query, *values)
        return int(number)


@contextmanager
def _closing(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Close the connection at the end; an error then has no consequence: what was committed is in the file."""
    try:
        yield connection
    finally:
        with suppress(sqlite3.Error):
            connection.close()
