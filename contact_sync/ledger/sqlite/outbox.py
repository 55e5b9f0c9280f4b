"""The rows to send: claimed before their attempts, recorded after them."""

import json
import shutil
from contextlib import nullcontext
from dataclasses import dataclass, field

from contact_sync.errors import StorageError, UnavailableError
from contact_sync.ledger.sqlite.confirmed import ConfirmedState
from contact_sync.ledger.sqlite.database import Database
from contact_sync.ledger.sqlite.live import LiveRecords
from contact_sync.ledger.sqlite.schema import Wording, storable
from contact_sync.model.row import Outcome, Pending, Result

_GROUP = 500  # rows that are claimed together, and results that are committed together
_RESULT_BYTES = 200  # size of the result of a row
CONFIRMING = (Outcome.UPDATED, Outcome.UNCHANGED)  # the latter of a row that was read before it was sent


@dataclass
class RunOutbox:
    """Pending rows and their results; withdraws and confirms digests in the same transactions."""

    database: Database
    confirmed: ConfirmedState
    live: LiveRecords
    wording: Wording
    unwritten: list[Result] = field(default_factory=list)  # results that are not durable yet; lost when they cannot be made so
    resumed: bool = False  # True when failed rows are pending, too

    def pending(self) -> int:
        query = "SELECT count(*) FROM row WHERE outcome IS NULL OR outcome IS ?"
        return self.database.number(query, Outcome.FAILED if self.resumed else None)

    def last_pending(self) -> int:
        query = "SELECT number FROM row WHERE outcome IS NULL OR outcome IS ? ORDER BY number DESC LIMIT 1"
        return next((number for (number,) in self.database.all(query, Outcome.FAILED if self.resumed else None)), 0)

    def __post_init__(self) -> None:
        # Temporary tables take no lock on the ledger.
        self.database.all("CREATE TEMPORARY TABLE deferred (number INTEGER PRIMARY KEY, beside_others)")

    def defer_failed(self) -> bool:
        with self.database.transaction() as db:
            db.execute("DELETE FROM deferred")
            # The newest event of a contact is looked up in the index: runs are named by their start.
            found = db.execute(
                "INSERT INTO deferred SELECT number, exit_code = 3 OR EXISTS (SELECT 1 FROM json_each(outcomes)"
                " WHERE key IN ('updated', 'altered', 'rejected')) FROM (SELECT number, CASE outcome WHEN 'failed' THEN"
                " (SELECT value FROM meta WHERE key = 'rows') ELSE (SELECT CASE outcome WHEN 'failed' THEN run END FROM history"
                " WHERE history.contact_id = row.contact_id ORDER BY run DESC LIMIT 1) END AS last"
                " FROM row WHERE outcome IS NULL OR outcome = 'failed') LEFT JOIN run ON run.id = last WHERE last IS NOT NULL"
            )
            return found.rowcount > 0

    def only_known_failures(self) -> bool:
        query = (
            "SELECT NOT EXISTS (SELECT 1 FROM row WHERE (outcome IS NULL OR outcome = 'failed')"
            " AND number NOT IN (SELECT number FROM deferred WHERE beside_others))"
        )
        return bool(self.database.number(query))

    def claim(
        self,
        after: int,
        most: int | None = None,
        *,
        failed: bool = False,
        until: int | None = None,
        deferred: bool = False,
        withdraw: bool = True,
    ) -> list[Pending]:
        wanted = (Outcome.FAILED if failed else None, Outcome.FAILED if failed or self.resumed else None)
        query = (
            "SELECT number, contact_id, contact, attempts, as_of, base FROM row WHERE (outcome IS ? OR outcome IS ?)"
            " AND number > ? AND number <= ifnull(?, number) AND (number IN (SELECT number FROM deferred)) = ?"
            " ORDER BY number LIMIT ?"
        )
        with self.database.withdrawal() if withdraw else nullcontext():
            found = self.database.all(query, *wanted, after, until, deferred, _GROUP if most is None else min(most, _GROUP))
            contacts = [(contact_id, json.loads(contact), as_of) for _, contact_id, contact, _, as_of, _ in found]
            known = self.confirmed.withdraw(contacts) if withdraw else [b""] * len(found)
        return [
            Pending(number, contact_id, contact, attempts, rest, base)
            for (number, _, _, attempts, _, base), (contact_id, contact, _), rest in zip(found, contacts, known, strict=True)
        ]

    def record(self, result: Result) -> None:
        self.unwritten.append(result)
        if len(self.unwritten) >= _GROUP:
            self.flush()

    def flush(self) -> None:
        if not self.unwritten:
            return
        try:
            self._write_results()
        except UnavailableError:
            self.confirmed.keep(self.unwritten)
            raise
        self.unwritten = []

    def _write_results(self) -> None:
        # What hosts share is committed first: a row counts as updated only when the others know it, too.
        with self.database.transaction() as db:
            db.executemany(
                "UPDATE row SET outcome = ?, code = ?, fields = ?, message = ?,"
                " attempts = ?, http_status = ?, api_code = ?, at = ? WHERE number = ?",
                [(*self.result_columns(result), result.row.number) for result in self.unwritten],
            )
            altered = [result.row.contact_id for result in self.unwritten if result.outcome is Outcome.ALTERED]
            with self.confirmed.database.transaction():
                self.confirmed.confirm(result.row for result in self.unwritten if result.outcome in CONFIRMING)
                self.confirmed.withdraw_all(altered)
                self.live.record(self.unwritten)
            self.confirmed.settle()

    def updated(self, after: int) -> list[Pending]:
        query = (
            "SELECT number, contact_id, contact, attempts FROM row WHERE outcome = 'updated' AND number > ? ORDER BY 1 LIMIT ?"
        )
        found = self.database.all(query, after, _GROUP)
        return [
            Pending(number, contact_id, json.loads(contact), attempts, b"") for number, contact_id, contact, attempts in found
        ]

    def result_columns(self, result: Result) -> tuple[object, ...]:
        """Return a result as the columns of a row from `outcome` to `at`."""
        sent = (result.attempts, result.http_status, storable(result.api_code), result.at)
        return (result.outcome, *self.wording.texts(result.violations), *sent)

    def cells_size(self) -> int:
        return self.database.number("SELECT ifnull(sum(length(cells)), 0) FROM block")

    def check_room(self, rows: int) -> None:
        path = self.database.path
        if path is None:
            return
        with StorageError.from_os_error("The ledger {path} cannot be reached ({reason}): check the state folder.", path=path):
            free = shutil.disk_usage(path.parent).free
        if free < 2 * self.database.log_bytes + _RESULT_BYTES * rows:
            raise StorageError("The disk of the ledger {path} is full: free some space.", path=path)
