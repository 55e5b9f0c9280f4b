"""The ledger: what every row of this run came to, and what the API last confirmed for each contact.

One SQLite file for each account (WAL), in the state folder. Nothing else in the project knows SQL.

Two promises live here. A row is in exactly one state: its `outcome` is NULL while it is pending, and then one of the outcomes.
And what stands under `confirmed` is never newer than the API's own yes: the digests of the fields that an attempt carries are
durably withdrawn before it may leave (`take`), and only the API's confirmation puts new ones in (`record`).
"""

import fcntl
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from contact_sync.errors import BusyError, StorageError
from contact_sync.fingerprint import FIELD_BYTES, UNKNOWN, Fingerprints
from contact_sync.model import FIELDS, Cause, Line, Outcome, Pending, Result, Staged, Violation

VERSION = 1
"""Of the file's schema, kept as `user_version`."""

_GROUP = 500
"""Rows fetched together, and results committed together."""

_MEMORY = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE run (
        id TEXT PRIMARY KEY, source TEXT NOT NULL, started TEXT NOT NULL, finished TEXT, exit_code INTEGER, outcomes TEXT
    ) WITHOUT ROWID""",
    "CREATE TABLE confirmed (contact_id TEXT PRIMARY KEY, row BLOB, fields BLOB NOT NULL) WITHOUT ROWID",
    f"PRAGMA user_version = {VERSION}",
)

_ROWS = """
CREATE {temporary} TABLE row (
    number INTEGER PRIMARY KEY, contact_id TEXT NOT NULL, contact TEXT, clears INTEGER NOT NULL, outcome TEXT,
    code TEXT NOT NULL, fields TEXT NOT NULL, message TEXT NOT NULL, cells TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, http_status INTEGER, api_code TEXT NOT NULL DEFAULT '', at TEXT NOT NULL DEFAULT ''
)
"""


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold `path` for this process alone, until the block or the process ends; BusyError when another one has it.

    The file is never deleted: two processes could then hold two files of one name.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+", encoding="ascii", errors="replace") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.read().strip() or "unknown"
            raise BusyError(f"Another run for this account is under way (process {holder}): wait for it to end.") from None
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


class Ledger:
    """The memory of one account; every method raises StorageError where the file cannot be read or written.

    `path` is None for a ledger that nobody needs afterwards: SQLite then keeps it in a private temporary file.
    """

    def __init__(self, path: Path | None, fingerprints: Fingerprints, account: str = "") -> None:
        self._where = path or "the temporary ledger"
        self._fingerprints = fingerprints
        self._results: list[Result] = []
        if path is not None:
            self._make_private(path)
        with self._guard():
            self._db = sqlite3.connect(path or "", isolation_level=None)
            try:
                # Without a bound the cache grows to what looks like a leak on a large source.
                self._db.execute("PRAGMA cache_size = -8000")
                self._db.execute("PRAGMA journal_mode = WAL" if path else "PRAGMA journal_mode = OFF")
                self._db.execute("PRAGMA synchronous = FULL" if path else "PRAGMA synchronous = OFF")
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
            raise StorageError(f"The ledger {path} cannot be opened ({error.strerror}): check the state folder.") from error

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StorageError(
                f"The ledger {self._where} cannot be used ({error}): check the disk, and if the file is damaged move it away "
                "(every row is then sent once more)."
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._guard():
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
            raise StorageError(f"The ledger {self._where} was written by a newer contact-sync: install that version.")
        if version == 0:
            with self._transaction() as db:
                for statement in _MEMORY:
                    db.execute(statement)
                db.execute("INSERT INTO meta VALUES ('account', ?)", (account,))
        if self._db.execute("SELECT value FROM meta WHERE key = 'account'").fetchone() != (account,):
            raise StorageError(f"The ledger {self._where} belongs to another account: move it out of the state folder.")

    # ---- staging

    def begin(self, run: str, source: str, started: str, *, keep: bool) -> None:
        """Start a run. Its rows take the place of the last run's, or, unless `keep`, live in a temporary table beside them."""
        with self._transaction() as db:
            if keep:
                db.execute("DROP TABLE IF EXISTS row")
                db.execute("INSERT INTO run (id, source, started) VALUES (?, ?, ?)", (run, _storable(source), started))
            db.execute(_ROWS.format(temporary="" if keep else "TEMPORARY"))

    def in_place(self, rows: Sequence[tuple[str, tuple[str | None, ...]]]) -> list[bool]:
        """For each contactId and payload: whether every field in it equals what the API last confirmed."""
        known: dict[str, tuple[bytes | None, bytes]] = {}
        with self._guard():
            for start in range(0, len(rows), _GROUP):
                ids = [contact_id for contact_id, _ in rows[start : start + _GROUP]]
                marks = ",".join("?" * len(ids))
                query = f"SELECT contact_id, row, fields FROM confirmed WHERE contact_id IN ({marks})"  # noqa: S608 - only marks
                known.update((contact_id, (row, fields)) for contact_id, row, fields in self._db.execute(query, ids))
        return [contact_id in known and self._agrees(contact_id, payload, *known[contact_id]) for contact_id, payload in rows]

    def _agrees(self, contact_id: str, payload: Sequence[str | None], row: bytes | None, fields: bytes) -> bool:
        if row == self._fingerprints.row(contact_id, payload):
            return True
        return all(
            digest in (UNKNOWN, confirmed)
            for digest, confirmed in zip(self._fingerprints.fields(contact_id, payload), _split(fields), strict=True)
        )

    def stage(self, rows: Iterable[Staged]) -> None:
        """Write rows of the source, in one transaction."""
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO row (number, contact_id, contact, clears, outcome, code, fields, message, cells)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                map(_stored, rows),
            )

    def flag(self, flags: Iterable[tuple[int, Violation]]) -> None:
        """Make rows `invalid`, adding a violation to those they have."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE row SET outcome = 'invalid', code = CASE WHEN code = '' THEN ? ELSE code || ',' || ? END,"
                " fields = CASE WHEN code = '' THEN ? ELSE fields || ',' || ? END,"
                " message = ltrim(message || ' ' || ?) WHERE number = ?",
                ((v.code, v.code, v.field, v.field, v.message, number) for number, v in flags),
            )

    def settle(self, rows: Iterable[tuple[int, Outcome, Violation | None]]) -> None:
        """Give rows an outcome in place of the one they had; those that are `invalid` stay so."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE row SET outcome = ?, code = ?, fields = ?, message = ? WHERE number = ? AND outcome IS NOT 'invalid'",
                ((outcome, *_told(_one(violation)), number) for number, outcome, violation in rows),
            )

    def settle_rest(self, violation: Violation, *, ready: bool) -> None:
        """Give every pending row the outcome `unprocessed`; with `ready` those too that would have been sent."""
        self.flush()  # a result that could not be written before comes first
        also = Outcome.READY if ready else None
        with self._transaction() as db:
            db.execute(
                "UPDATE row SET outcome = 'unprocessed', code = ?, fields = ?, message = ? WHERE outcome IS NULL OR outcome IS ?",
                (*_told([violation]), also),
            )

    def contact_ids(self, numbers: Sequence[int]) -> dict[int, str]:
        """The contactId of each of these rows."""
        found: dict[int, str] = {}
        with self._guard():
            for start in range(0, len(numbers), _GROUP):
                group = numbers[start : start + _GROUP]
                query = f"SELECT number, contact_id FROM row WHERE number IN ({','.join('?' * len(group))})"  # noqa: S608 - only marks
                found.update(self._db.execute(query, group))
        return found

    # ---- sending

    def take(self, after: int, *, failed: bool = False) -> list[Pending]:
        """The next pending rows (or `failed` ones) below row `after`, a few hundred, in order.

        What was confirmed of the fields they carry is durably withdrawn.
        """
        with self._transaction() as db:
            rows = db.execute(
                "SELECT number, contact_id, contact, attempts, confirmed.fields FROM row LEFT JOIN confirmed USING (contact_id)"
                " WHERE outcome IS ? AND number > ? ORDER BY number LIMIT ?",
                (Outcome.FAILED if failed else None, after, _GROUP),
            ).fetchall()
            taken = [
                Pending(number, contact_id, contact, attempts, _without(contact, fields))
                for number, contact_id, contact, attempts, fields in rows
            ]
            db.executemany(
                "UPDATE confirmed SET row = NULL, fields = ? WHERE contact_id = ?",
                [(row.known, row.contact_id) for row, (*_, old) in zip(taken, rows, strict=True) if old not in (None, row.known)],
            )
        return taken

    def record(self, result: Result) -> None:
        """Note how a row ended; durable with the next `flush`, which comes by itself after a few hundred."""
        self._results.append(result)
        if len(self._results) >= _GROUP:
            self.flush()

    def flush(self) -> None:
        """Make all results durable."""
        if not self._results:
            return
        with self._transaction() as db:
            db.executemany(
                "UPDATE row SET outcome = ?, code = ?, fields = ?, message = ?,"
                " attempts = ?, http_status = ?, api_code = ?, at = ? WHERE number = ?",
                [
                    (r.outcome, *_told(r.violations), r.attempts, r.http_status, _storable(r.api_code), r.at, r.row.number)
                    for r in self._results
                ],
            )
            db.executemany(
                "INSERT OR REPLACE INTO confirmed (contact_id, row, fields) VALUES (?, ?, ?)",
                [self._confirmation(r.row) for r in self._results if r.outcome is Outcome.UPDATED],
            )
        self._results.clear()

    def _confirmation(self, row: Pending) -> tuple[str, bytes, bytes]:
        contact = json.loads(row.contact)
        payload = [contact.get(field) for field in FIELDS]
        new = self._fingerprints.fields(row.contact_id, payload)
        kept = [old if digest == UNKNOWN else digest for digest, old in zip(new, _split(row.known), strict=True)]
        return row.contact_id, self._fingerprints.row(row.contact_id, payload), b"".join(kept)

    # ---- reading back

    def count(self, outcome: Outcome | None, *, without: str = "") -> int:
        """How many rows have this outcome (None = pending), not counting those whose one code is `without`."""
        return self._number("SELECT count(*) FROM row WHERE outcome IS ? AND (code = '' OR code <> ?)", outcome, without)

    def clears(self) -> int:
        """How many cells of the pending rows would empty a stored field."""
        return self._number("SELECT ifnull(sum(clears), 0) FROM row WHERE outcome IS NULL OR outcome = 'ready'")

    def attempts(self) -> tuple[int, int]:
        """How many attempts were made for the rows of this run, and how many of them were repetitions."""
        with self._guard():
            query = "SELECT ifnull(sum(attempts), 0), ifnull(sum(attempts - 1), 0) FROM row WHERE attempts > 0"
            requests, retries = self._db.execute(query).fetchone()
        return int(requests), int(retries)

    def _number(self, query: str, *values: str | None) -> int:
        with self._guard():
            (number,) = self._db.execute(query, values).fetchone()
        return int(number)

    def outcomes(self) -> dict[str, int]:
        """How many rows ended in each outcome that occurred."""
        with self._guard():
            return dict(self._db.execute("SELECT outcome, count(*) FROM row GROUP BY outcome ORDER BY min(number)"))

    def causes(self) -> list[Cause]:
        """Why rows are not in place: for each outcome, code and field how many rows, the most frequent first."""
        rows: Counter[tuple[str, str, str]] = Counter()
        first: dict[tuple[str, str, str], int] = {}
        with self._guard():
            groups = self._db.execute(
                "SELECT outcome, code, fields, count(*), min(number) FROM row WHERE code <> '' GROUP BY 1, 2, 3"
            ).fetchall()
        for outcome, codes, fields, count, number in groups:
            for code, field in zip(codes.split(","), fields.split(","), strict=True):
                cause = (outcome, code, field)
                rows[cause] += count
                first[cause] = min(number, first.get(cause, number))
        return [Cause(*cause, count, first[cause]) for cause, count in rows.most_common()]

    def lines(self) -> Iterator[Line]:
        """Every row of the run in source order."""
        after = -1
        while batch := self._lines(after):
            yield from batch
            after = batch[-1].number

    def _lines(self, after: int) -> list[Line]:
        with self._guard():
            return [
                Line(json.loads(cells), number, outcome, code, _distinct(fields), *rest)
                for cells, number, outcome, code, fields, *rest in self._db.execute(
                    "SELECT cells, number, outcome, code, fields, message, attempts, http_status, api_code, at FROM row"
                    " WHERE number > ? ORDER BY number LIMIT 2000",
                    (after,),
                )
            ]

    def finish(self, run: str, finished: str, exit_code: int, outcomes: dict[str, int]) -> None:
        """Close the book on a run."""
        closing = "UPDATE run SET finished = ?, exit_code = ?, outcomes = ? WHERE id = ?"
        with self._transaction() as db:
            db.execute(closing, (finished, exit_code, json.dumps(outcomes), run))


def _stored(row: Staged) -> tuple[object, ...]:
    contact = None
    if row.outcome is None:
        values = zip(FIELDS, row.payload, strict=True)
        contact = json.dumps({field: value for field, value in values if value is not None}, ensure_ascii=False)
    clears = row.payload.count("")
    return (row.number, row.contact_id, contact, clears, row.outcome, *_told(row.violations), json.dumps(row.cells))


def _one(violation: Violation | None) -> list[Violation]:
    return [] if violation is None else [violation]


def _told(violations: Sequence[Violation]) -> tuple[str, str, str]:
    """Codes, fields and sentences of a row's violations, each as one text; the first two in step."""
    if not violations:
        return "", "", ""
    return (
        ",".join(v.code for v in violations),
        ",".join(v.field for v in violations),
        _storable(" ".join(v.message for v in violations)),
    )


def _storable(text: str) -> str:
    # SQLite takes UTF-8 alone; the name of a file and the words of an API may be anything.
    return text.encode(errors="backslashreplace").decode()


def _distinct(fields: str) -> str:
    return ",".join(dict.fromkeys(filter(None, fields.split(","))))


def _split(fields: bytes) -> list[bytes]:
    return [fields[start : start + FIELD_BYTES] for start in range(0, len(FIELDS) * FIELD_BYTES, FIELD_BYTES)]


def _without(contact: str, fields: bytes | None) -> bytes:
    """The digests in `fields` (None = none) but for those of the fields that `contact` carries."""
    if fields is None:
        return UNKNOWN * len(FIELDS)
    carried = json.loads(contact)
    return b"".join(UNKNOWN if field in carried else old for field, old in zip(FIELDS, _split(fields), strict=True))
