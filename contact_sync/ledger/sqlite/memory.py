"""What outlives a run: what the API last confirmed for each contact, how runs went, and what became of whom."""

import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from sqlite3 import Connection

from contact_sync.ledger.digests import agree, changes_identity
from contact_sync.ledger.sqlite.database import Database, storable
from contact_sync.model import ID, MARK, Event, Layout, Outcome, OutputPaths, PastRun, Violation, Workload, stamp
from contact_sync.packed import pack, unpack

GROUP = 500
"""Rows fetched together, and results committed together."""

TEXT_DAYS = 7
"""So long the text of the last run's rows is kept, if no other run takes its place before."""

_CHANGED = (Outcome.UPDATED, Outcome.ALTERED, Outcome.REJECTED, Outcome.FAILED, Outcome.UNPROCESSED)

_COLUMNS = "contact_id, number, outcome, code, fields, sent, at"

_EVENTS = (
    "SELECT (SELECT value FROM meta WHERE key = 'rows') AS run, contact_id, number, outcome, code, fields,"
    " CASE WHEN attempts > 0 THEN (SELECT ifnull(group_concat(key), '') FROM json_each(contact)) ELSE '' END AS sent, at"
    " FROM main.row WHERE outcome NOT IN ('unchanged', 'duplicate', 'ready', 'unprocessed') AND contact_id <> ''"
)
"""What the history keeps of the last run's rows."""


class Memory(Database):
    """What is known before a run begins, and after it has ended."""

    same: int
    """How many rows of this run name the person that the API last confirmed."""
    identity_changes: int
    """How many have another name and number."""

    # ---- confirmed

    def in_place(self, rows: Sequence[tuple[str, tuple[str | None, ...]]]) -> list[bool]:
        """For each contactId and payload: whether every field in it equals what the API last confirmed."""
        if not self._number("SELECT EXISTS (SELECT 1 FROM confirmed)"):
            return [False] * len(rows)
        known: dict[str, tuple[bytes | None, bytes]] = {}
        with self._in_words():
            for start in range(0, len(rows), GROUP):
                ids = [contact_id for contact_id, _ in rows[start : start + GROUP]]
                blanks = ",".join("?" * len(ids))
                query = f"SELECT contact_id, row, fields FROM confirmed WHERE contact_id IN ({blanks})"  # noqa: S608 - only ?, ?, …
                known.update((contact_id, (row, fields)) for contact_id, row, fields in self._db.execute(query, ids))
        return [contact_id in known and self._agrees(contact_id, payload, *known[contact_id]) for contact_id, payload in rows]

    def _agrees(self, contact_id: str, payload: Sequence[str | None], row: bytes | None, known: bytes) -> bool:
        if row == self._fingerprints.row(contact_id, payload):
            self.same += 1
            return True
        carried = self._fingerprints.fields(contact_id, payload)
        another = changes_identity(carried, known)
        self.same += another is False
        self.identity_changes += another is True
        return agree(carried, known)

    # ---- runs

    def _register(self, db: Connection, run: str, started: str, paths: OutputPaths, layout: str) -> None:
        """Note that a run begins."""
        db.execute(
            "INSERT INTO run (id, source, started, layout, places, mode) VALUES (?, ?, ?, ?, ?, ?)",
            (run, storable(str(paths.source)), started, layout, paths.packed(), paths.mode),
        )

    @staticmethod
    def _delete_rows(db: Connection) -> None:
        """Delete the last run's rows; the history keeps what became of them."""
        db.execute(f"INSERT OR IGNORE INTO history (run, {_COLUMNS}) {_EVENTS}")
        db.execute("DELETE FROM block")
        db.execute("DELETE FROM row")
        db.execute("DELETE FROM meta WHERE key = 'rows'")

    def last(self) -> str:
        """The id of the run whose rows are in the ledger; empty when there is none."""
        with self._in_words():
            found = self._db.execute("SELECT value FROM meta WHERE key = 'rows'").fetchone()
        return str(found[0]) if found else ""

    def moved(self, source: Path, place: Path) -> None:
        """Note that the source of the last run, and its reports with it, have been moved, if it is that one's."""
        with self._transaction() as db:
            found = db.execute("SELECT places, mode FROM run WHERE id = ?", (self.last(),)).fetchone()
            if found and (were := OutputPaths.unpacked(*found)).source == source.absolute():
                renamed = [path and place.with_name(place.name + path.name.removeprefix(source.name)) for path in were[1:3]]
                now = OutputPaths(place, renamed[0] or were.report, renamed[1], were.page, were.mode)
                db.execute("UPDATE run SET places = ? WHERE id = ?", (now.packed(), self.last()))

    def runs(self, most: int) -> list[PastRun]:
        """The last runs, at most so many, the latest first."""
        query = (
            "SELECT id, source, started, finished, exit_code, ifnull(outcomes, '{}'), requests, retries, seconds FROM run"
            " ORDER BY started DESC, id DESC LIMIT ?"
        )
        with self._in_words():
            found = self._db.execute(query, (most,)).fetchall()
        return [PastRun._make([*values[:5], json.loads(values[5]), *values[6:]]) for values in found]

    def workloads(self, source: str, most: int) -> list[Workload]:
        """The last runs, at most so many, that were not stopped and whose source had this name, whatever date is in it."""
        query = "SELECT source, outcomes FROM run WHERE exit_code IN (0, 3) ORDER BY started DESC, id DESC LIMIT 100"
        with self._in_words():
            runs = self._db.execute(query).fetchall()
        outcomes = [json.loads(counts) for name, counts in runs if _undated(name) == _undated(storable(source))]
        return [Workload(sum(counts.values()), sum(counts.get(outcome, 0) for outcome in _CHANGED)) for counts in outcomes[:most]]

    def history(self, contact_id: str) -> list[Event]:
        """What became of a contact, the latest first; rows that were in place already are not kept."""
        query = (
            "SELECT run.id, run.started, run.source, number, outcome, code, fields, sent, at"  # noqa: S608 - fixed names
            f" FROM (SELECT run, {_COLUMNS} FROM history UNION {_EVENTS}) AS event JOIN run ON run.id = event.run"
            " WHERE contact_id = ? ORDER BY run.started DESC, run.id DESC, number"
        )
        with self._in_words():
            found = self._db.execute(query, (contact_id,)).fetchall()
        return [Event(*values) for values in found]

    # ---- forgetting

    def forget(self, contact_id: str, bare: Callable[[str], str]) -> int:
        """Delete all that is kept of a contact, so that no trace is left in the file, and return how many places it was in.

        `bare` is what a cell of ids says, certain or not.
        """
        with self._transaction() as db:
            found = db.execute("DELETE FROM confirmed WHERE contact_id = ?", (contact_id,)).rowcount
            found += db.execute("DELETE FROM history WHERE contact_id = ?", (contact_id,)).rowcount
            found += self._blank_out(db, contact_id, bare)
        with self._in_words():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return found

    def _blank_out(self, db: Connection, contact_id: str, bare: Callable[[str], str]) -> int:
        """Empty the cells of a contact's rows in the last run, also where the id was not certain; none is sent any more."""
        numbers: list[int] = []
        query = """SELECT first, layout FROM block, run WHERE run.id = ? AND (instr(ids, ?) OR instr(ids, '""'))"""
        for first, layout in db.execute(query, (self.last(), json.dumps(contact_id))).fetchall():
            place = Layout(*json.loads(layout)).mapping[ID]
            texts = db.execute("SELECT numbers, ids, cells FROM block WHERE first = ?", (first,)).fetchone()
            ids, cells = json.loads(texts[1]), unpack(texts[2].decode(errors="surrogatepass"))
            found = [
                position
                for position, row in enumerate(cells)
                if contact_id == ids[position]
                # Where cells have moved, any of them may be the id.
                or (not ids[position] and contact_id in map(bare, row if MARK in "".join(row) else [row[place]]))
            ]
            for position in found:
                ids[position], cells[position] = "", [""] * len(cells[position])
            if found:
                emptied = (json.dumps(ids), pack(cells).encode(errors="surrogatepass"), first)
                db.execute("UPDATE block SET ids = ?, cells = ? WHERE first = ?", emptied)
                numbers += map(json.loads(texts[0]).__getitem__, found)
        db.executemany(
            "UPDATE row SET contact_id = '', contact = NULL, message = '', api_code = '' WHERE number = ?",
            [(number,) for number in numbers],
        )
        forgotten = Violation("forgotten")
        db.executemany(
            "UPDATE row SET outcome = 'unprocessed', code = ?, fields = ?, message = ?"
            " WHERE number = ? AND (outcome IS NULL OR outcome = 'failed')",
            [(forgotten.code, forgotten.field, forgotten.message, number) for number in numbers],
        )
        return len(numbers)

    def expire(self, now: datetime) -> None:
        """Delete the last run's rows if their text has been kept for more than `TEXT_DAYS`."""
        oldest = stamp(now - timedelta(days=TEXT_DAYS))
        if self._number("SELECT EXISTS (SELECT 1 FROM run WHERE id = ? AND started < ?)", self.last(), oldest):
            with self._transaction() as db:
                self._delete_rows(db)

    def expire_history(self, now: datetime, days: int) -> None:
        """Delete what is older than so many days of the history, but for the last run."""
        oldest = stamp(now - timedelta(days=days))
        with self._transaction() as db:
            db.execute("DELETE FROM history WHERE run IN (SELECT id FROM run WHERE started < ?)", (oldest,))
            db.execute("DELETE FROM run WHERE started < ? AND id <> ?", (oldest, self.last()))


def _undated(name: str) -> str:
    """The name of a source without its digits: many an export has the day in its name."""
    return re.sub("[0-9]+", "#", name)
