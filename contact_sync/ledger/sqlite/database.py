"""The file: opened, private, of a known version; every error in one sentence."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from contact_sync.errors import StorageError
from contact_sync.i18n import _
from contact_sync.ledger.digests import Fingerprints

ROWS = (
    """CREATE {temporary} TABLE block (
        first INTEGER PRIMARY KEY, numbers TEXT NOT NULL, ids TEXT NOT NULL, cells BLOB NOT NULL,
        outcome TEXT NOT NULL, plain INTEGER NOT NULL
    )""",
    """CREATE {temporary} TABLE row (
        number INTEGER PRIMARY KEY, contact_id TEXT NOT NULL, contact TEXT, clears INTEGER NOT NULL, outcome TEXT,
        code TEXT NOT NULL, fields TEXT NOT NULL, message TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0, http_status INTEGER, api_code TEXT NOT NULL DEFAULT '', at TEXT NOT NULL DEFAULT ''
    )""",
)
"""A block is a chunk of the source with its cells; `plain` counts its rows that have no `row`, and so share its `outcome`."""

_SCHEMA = (
    (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        """CREATE TABLE run (
            id TEXT PRIMARY KEY, source TEXT NOT NULL, started TEXT NOT NULL, finished TEXT, exit_code INTEGER, outcomes TEXT
        ) WITHOUT ROWID""",
        "CREATE TABLE confirmed (contact_id TEXT PRIMARY KEY, row BLOB, fields BLOB NOT NULL) WITHOUT ROWID",
    ),
    (
        "DROP TABLE IF EXISTS block",
        "DROP TABLE IF EXISTS row",
        *(statement.format(temporary="") for statement in ROWS),
        "ALTER TABLE run ADD COLUMN requests INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE run ADD COLUMN retries INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE run ADD COLUMN seconds REAL NOT NULL DEFAULT 0",
        "ALTER TABLE run ADD COLUMN places BLOB NOT NULL DEFAULT x''",
        "ALTER TABLE run ADD COLUMN mode INTEGER NOT NULL DEFAULT 384",
        "ALTER TABLE run ADD COLUMN layout TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE run ADD COLUMN staged INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE run ADD COLUMN rest TEXT NOT NULL DEFAULT ''",
        """CREATE TABLE history (
            run TEXT NOT NULL, number INTEGER NOT NULL, contact_id TEXT NOT NULL, outcome TEXT NOT NULL, code TEXT NOT NULL,
            fields TEXT NOT NULL, sent TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (run, number)
        ) WITHOUT ROWID""",
        "CREATE INDEX history_of_contact ON history (contact_id)",
    ),
    (
        # What a run had staged in part when it was killed.
        "DELETE FROM meta WHERE key = 'rows' AND value IN (SELECT id FROM run WHERE staged = 0)",
        "DELETE FROM block WHERE NOT EXISTS (SELECT 1 FROM meta WHERE key = 'rows')",
        "DELETE FROM row WHERE NOT EXISTS (SELECT 1 FROM meta WHERE key = 'rows')",
        "ALTER TABLE run RENAME COLUMN staged TO released",
        "UPDATE run SET released = released > 1",
    ),
)
"""What each version of the file added to the one before."""

VERSION = len(_SCHEMA)
"""Of the file's schema, kept as `user_version`."""

_BUSY_TIMEOUT_S = 5.0  # seconds that SQLite waits for another process, too


class Database:
    """The file of one account; every method raises StorageError where it cannot be read or written.

    `path` is None for a ledger that nobody needs afterwards: SQLite then keeps it in a private temporary file.
    """

    def __init__(self, path: Path | None, fingerprints: Fingerprints, account: str = "") -> None:
        self._path = path
        self._where = path or _("the temporary ledger")
        self._fingerprints = fingerprints
        if path is not None:
            self._make_private(path)
        with self._in_words():
            self._db = sqlite3.connect(path or "", isolation_level=None)
            try:
                # Without a bound the cache grows to what looks like a leak on a large source.
                self._db.execute("PRAGMA cache_size = -8000")
                self._journal("WAL" if path else "MEMORY")
                self._db.execute("PRAGMA synchronous = FULL" if path else "PRAGMA synchronous = OFF")
                self._db.execute("PRAGMA secure_delete = ON")  # what is deleted does not stay in the file
                self._prepare(account)
            except BaseException:
                self._db.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @staticmethod
    def _make_private(path: Path) -> None:
        """Create the file with mode 0600, or take away what others may do with it; SQLite gives its side files the same mode."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            os.fchmod(descriptor, 0o600)
            os.close(descriptor)
        except OSError as error:
            sentence = _(
                "The ledger {path} cannot be opened ({reason}): check the state folder.", path=path, reason=error.strerror
            )
            raise StorageError(sentence) from error

    def _journal(self, mode: str) -> None:
        """Choose the journal; SQLite does not wait by itself while another process is at the same thing."""
        deadline = time.monotonic() + _BUSY_TIMEOUT_S
        while True:
            try:
                self._db.execute(f"PRAGMA journal_mode = {mode}")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Turn what SQLite raises into a StorageError."""
        try:
            yield
        except sqlite3.Error as error:
            raise StorageError(
                _(
                    "The ledger {path} cannot be used ({reason}): check the disk; if the file is damaged, "
                    "move it away (every row is then sent once more).",
                    path=self._where,
                    reason=error,
                )
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all that is written within, or nothing; within another transaction it is a part of that one."""
        with self._in_words():
            if self._db.in_transaction:
                yield self._db
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _prepare(self, account: str) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            sentence = _("The ledger {path} was written by a newer contact-sync: install that version.", path=self._where)
            raise StorageError(sentence)
        if version < VERSION:
            with self._transaction() as db:
                (version,) = db.execute("PRAGMA user_version").fetchone()  # another process may have been quicker
                for statement in (statement for since in _SCHEMA[version:] for statement in since):
                    db.execute(statement)
                if version == 0:
                    db.execute("INSERT INTO meta VALUES ('account', ?)", (account,))
                db.execute(f"PRAGMA user_version = {VERSION}")
        if self._db.execute("SELECT value FROM meta WHERE key = 'account'").fetchone() != (account,):
            sentence = _("The ledger {path} belongs to another account: move it out of the state folder.", path=self._where)
            raise StorageError(sentence)

    def _number(self, query: str, *values: str | None) -> int:
        with self._in_words():
            (number,) = self._db.execute(query, values).fetchone()
        return int(number)


def storable(text: str) -> str:
    """Text as SQLite takes it, which is UTF-8 alone; the name of a file and the words of an API may be anything."""
    return text.encode(errors="backslashreplace").decode()
