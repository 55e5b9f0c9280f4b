"""The run: its rows on their way in, out to the API and back."""

import json
import shutil
from bisect import bisect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from contact_sync.errors import StorageError
from contact_sync.i18n import _
from contact_sync.ledger.digests import NOTHING, Fingerprints, renewed, without
from contact_sync.ledger.sqlite.books import BETWEEN, Books, as_text
from contact_sync.ledger.sqlite.database import ROWS, storable
from contact_sync.ledger.sqlite.memory import GROUP
from contact_sync.model import (
    FIELDS,
    Block,
    Layout,
    Outcome,
    OutputPaths,
    Pending,
    Result,
    Staged,
    Violation,
)
from contact_sync.packed import pack

_LOG, _RESULT = 8 << 20, 200
"""Bytes that SQLite's log grows to while rows are sent, and that a row's result takes."""


class Ledger(Books):
    """The memory of one account, and the rows of the run that is under way."""

    def __init__(self, path: Path | None, fingerprints: Fingerprints, account: str = "") -> None:
        super().__init__(path, fingerprints, account)
        self._renew()

    def _renew(self) -> None:
        """Know of no row."""
        self._results, self._rest = [], None
        self._firsts: list[int] = []
        self._resumed = False
        self.same = self.identity_changes = 0

    # ---- staging

    def begin(self, run: str, paths: OutputPaths, started: str, layout: Layout, *, keep: bool) -> None:
        """Start a run. Unless it is to `keep` its rows, they live in temporary tables beside the last run's."""
        with self._transaction() as db:
            if keep:
                self._register(db, run, started, paths, json.dumps(layout))
            else:
                for statement in ROWS:
                    db.execute(statement.format(temporary="TEMPORARY"))
        self._renew()
        self._kept = run if keep else ""

    @contextmanager
    def staging(self) -> Iterator[None]:
        """Let the rows that are staged within take the place of the last run's: all of them or, where that fails, none."""
        with self._transaction() as db:
            if self._kept:
                self._delete_rows(db)
                db.execute("INSERT INTO meta VALUES ('rows', ?)", (self._kept,))
            yield

    def release(self, run: str) -> None:
        """Note that no guard keeps the rows of a run from being sent."""
        with self._transaction() as db:
            db.execute("UPDATE run SET released = 1 WHERE id = ?", (run,))

    def reopen(self, run: str) -> tuple[OutputPaths, Layout, float]:
        """Read the rows of the last run again, as it left them; return where its files are, its layout, and its seconds."""
        with self._in_words():
            query = "SELECT places, mode, layout, seconds, rest FROM run WHERE id = ?"
            paths, mode, layout, seconds, rest = self._db.execute(query, (run,)).fetchone()
        code, detail, ready = json.loads(rest) if rest else ("stopped", {"reason": _("It was interrupted.")}, False)
        self.report_unsent_as(Violation(code, detail=detail), ready=ready)
        return OutputPaths.unpacked(paths, mode), Layout(*json.loads(layout)), seconds

    def resume(self, run: str) -> bool:
        """Have the rows of the last run that failed taken once more; False when it never came so far as to send.

        Until a row's turn comes it is still told as it was.
        """
        if not self._number("SELECT released FROM run WHERE id = ?", run):
            return False
        self._rest, self._resumed = None, True
        return True

    def pending(self) -> int:
        """How many rows are to be sent."""
        return self.count(None) + (self.count(Outcome.FAILED) if self._resumed else 0)

    def stage(self, block: Block) -> None:
        """Write a chunk of the source."""
        with self._transaction() as db:
            texts = (json.dumps(block.numbers), json.dumps(block.ids), pack(block.cells).encode(errors="surrogatepass"))
            plain = len(block.numbers) - len(block.others)
            db.execute("INSERT INTO block VALUES (?, ?, ?, ?, ?, ?)", (block.numbers[0], *texts, block.outcome, plain))
            db.executemany(
                "INSERT INTO row (number, contact_id, contact, clears, outcome, code, fields, message)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                map(_stored, block.others),
            )
        self._firsts.append(block.numbers[0])

    def flag(self, flags: Sequence[tuple[int, Violation]]) -> None:
        """Make rows `invalid`, adding a violation to those they have."""
        with self._transaction() as db:
            self._set_apart([number for number, _ in flags])
            db.executemany(
                "UPDATE row SET outcome = 'invalid', code = CASE WHEN code = '' THEN ? ELSE code || ',' || ? END,"
                " fields = CASE WHEN code = '' THEN ? ELSE fields || ',' || ? END,"
                " message = CASE WHEN code = '' THEN ? ELSE message || ? || ? END WHERE number = ?",
                ((v.code, v.code, v.field, v.field, v.message, BETWEEN, v.message, number) for number, v in flags),
            )

    def settle(self, rows: Sequence[tuple[int, Outcome, Violation | None]]) -> None:
        """Give rows an outcome in place of the one they had; those that are `invalid` stay so."""
        with self._transaction() as db:
            self._set_apart([number for number, *_ in rows])
            db.executemany(
                "UPDATE row SET outcome = ?, code = ?, fields = ?, message = ? WHERE number = ? AND outcome IS NOT 'invalid'",
                ((outcome, *as_text([violation] if violation else []), number) for number, outcome, violation in rows),
            )

    def _set_apart(self, numbers: Sequence[int]) -> None:
        """Give each of these rows a `row`, if it has none, with the outcome of its block."""
        for first, members in self._by_block(numbers):
            (ids, outcome) = self._db.execute("SELECT ids, outcome FROM block WHERE first = ?", (first,)).fetchone()
            contact_ids = dict(zip(self._numbers(first), json.loads(ids), strict=True))
            made = self._db.executemany(
                "INSERT OR IGNORE INTO row (number, contact_id, clears, outcome, code, fields, message)"
                " VALUES (?, ?, 0, ?, '', '', '')",
                [(number, contact_ids[number], outcome) for number in members],
            )
            self._db.execute("UPDATE block SET plain = plain - ? WHERE first = ?", (made.rowcount, first))

    def contact_ids(self, numbers: Sequence[int]) -> dict[int, str]:
        """The contactId of each of these rows."""
        found: dict[int, str] = {}
        with self._in_words():
            for first, members in self._by_block(numbers):
                (ids,) = self._db.execute("SELECT ids FROM block WHERE first = ?", (first,)).fetchone()
                contact_ids = dict(zip(self._numbers(first), json.loads(ids), strict=True))
                found.update((number, contact_ids[number]) for number in members)
        return found

    def _by_block(self, numbers: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
        """These rows by the block they are in, which is named by its first row."""
        for position, members in groupby(sorted(numbers), key=lambda number: bisect(self._firsts, number)):
            yield self._firsts[position - 1], list(members)

    def _numbers(self, first: int) -> list[int]:
        (numbers,) = self._db.execute("SELECT numbers FROM block WHERE first = ?", (first,)).fetchone()
        found: list[int] = json.loads(numbers)
        return found

    # ---- sending

    def take(self, after: int, most: int | None = None, *, failed: bool = False, until: int | None = None) -> list[Pending]:
        """The next pending rows (or `failed` ones) below row `after`, `until` a row, a few hundred and no more than `most`.

        What was confirmed of the fields they carry is durably withdrawn. In a run that is taken up again the failed ones come
        with the pending.
        """
        wanted = (Outcome.FAILED if failed else None, Outcome.FAILED if failed or self._resumed else None)
        with self._transaction() as db:
            rows = db.execute(
                "SELECT number, contact_id, contact, attempts, confirmed.fields FROM row LEFT JOIN confirmed USING (contact_id)"
                " WHERE (outcome IS ? OR outcome IS ?) AND number > ? AND number <= ifnull(?, number) ORDER BY number LIMIT ?",
                (*wanted, after, until, GROUP if most is None else min(most, GROUP)),
            ).fetchall()
            taken = [
                Pending(number, contact_id, contact := json.loads(text), attempts, without(fields or NOTHING, contact))
                for number, contact_id, text, attempts, fields in rows
            ]
            db.executemany(
                "UPDATE confirmed SET row = NULL, fields = ? WHERE contact_id = ?",
                [(row.known, row.contact_id) for row, (*_, old) in zip(taken, rows, strict=True) if old not in (None, row.known)],
            )
        return taken

    def record(self, result: Result) -> None:
        """Note how a row ended; durable with the next `flush`, which comes by itself after a few hundred."""
        self._results.append(result)
        if len(self._results) >= GROUP:
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
                    (r.outcome, *as_text(r.violations), r.attempts, r.http_status, storable(r.api_code), r.at, r.row.number)
                    for r in self._results
                ],
            )
            db.executemany(
                "INSERT OR REPLACE INTO confirmed (contact_id, row, fields) VALUES (?, ?, ?)",
                [self._confirmation(r.row) for r in self._results if r.outcome is Outcome.UPDATED],
            )
        self._results.clear()

    def _confirmation(self, row: Pending) -> tuple[str, bytes, bytes]:
        payload = list(map(row.contact.get, FIELDS))
        digests = self._fingerprints
        known = renewed(row.known, digests.fields(row.contact_id, payload))
        return row.contact_id, digests.row(row.contact_id, payload), known

    def size(self) -> int:
        """How many bytes the cells of this run's rows have, about."""
        return self._number("SELECT ifnull(sum(length(cells)), 0) FROM block")

    def check_room(self, rows: int) -> None:
        """Raise StorageError where the disk will not hold the results of so many rows."""
        if self._path is None:
            return
        try:
            free = shutil.disk_usage(self._path.parent).free
        except OSError as error:
            sentence = _(
                "The ledger {path} cannot be reached ({reason}): check the state folder.", path=self._path, reason=error.strerror
            )
            raise StorageError(sentence) from error
        if free < _LOG + _RESULT * rows:
            raise StorageError(_("The disk of the ledger {path} is full: free some space.", path=self._path))


_encode = json.JSONEncoder(ensure_ascii=False).encode


def _stored(row: Staged) -> tuple[object, ...]:
    contact = None
    if row.outcome is None:
        values = zip(FIELDS, row.payload, strict=True)
        contact = _encode({field: value for field, value in values if value is not None})
    return (row.number, row.contact_id, contact, row.payload.count(""), row.outcome, *as_text(row.violations))
