"""The rows to send: claimed before their attempts, recorded after them."""

import json
import shutil
from collections.abc import Sequence

from contact_sync.errors import StorageError
from contact_sync.i18n import _
from contact_sync.ledger.sqlite.columns import GROUP, storable, violation_columns
from contact_sync.ledger.sqlite.confirmed import ConfirmedState
from contact_sync.ledger.sqlite.database import Database
from contact_sync.model import Outcome, Pending, Result

_LOG_BYTES, _RESULT_BYTES = 8 << 20, 200
"""Size of SQLite's log while rows are sent, and of the result of a row."""


class RunOutbox:
    """Pending rows and their results; withdraws and confirms digests in the same transactions."""

    def __init__(self, database: Database, confirmed: ConfirmedState) -> None:
        self._database = database
        self._confirmed = confirmed
        self._recorded: list[Result] = []
        self._resumed = False

    @property
    def unwritten(self) -> Sequence[Result]:
        """Results that are not durable yet; lost when they cannot be made so."""
        return self._recorded

    def begin(self) -> None:
        """Start a run, without results."""
        self._recorded = []
        self._resumed = False

    def resume(self) -> None:
        """Treat failed rows as pending."""
        self._resumed = True

    def pending(self) -> int:
        """Return the number of rows to send."""
        query = "SELECT count(*) FROM row WHERE outcome IS NULL OR outcome IS ?"
        return self._database.number(query, Outcome.FAILED if self._resumed else None)

    def claim(self, after: int, most: int | None = None, *, failed: bool = False, until: int | None = None) -> list[Pending]:
        """Return the next rows to send and durably withdraw what was confirmed of the fields they carry."""
        wanted = (Outcome.FAILED if failed else None, Outcome.FAILED if failed or self._resumed else None)
        with self._database.transaction():
            found = self._database.all(
                "SELECT number, contact_id, contact, attempts FROM row"
                " WHERE (outcome IS ? OR outcome IS ?) AND number > ? AND number <= ifnull(?, number) ORDER BY number LIMIT ?",
                *(*wanted, after, until, GROUP if most is None else min(most, GROUP)),
            )
            rows = [(number, contact_id, json.loads(contact), attempts) for number, contact_id, contact, attempts in found]
            known = self._confirmed.withdraw([(contact_id, contact) for _, contact_id, contact, _ in rows])
        return [Pending(*row, rest) for row, rest in zip(rows, known, strict=True)]

    def record(self, result: Result) -> None:
        """Record the end of a row; it becomes durable with the next `flush`."""
        self._recorded.append(result)
        if len(self._recorded) >= GROUP:
            self.flush()

    def flush(self) -> None:
        """Make all results durable, and the digests of updated rows with them."""
        if not self._recorded:
            return
        with self._database.transaction() as db:
            db.executemany(
                "UPDATE row SET outcome = ?, code = ?, fields = ?, message = ?,"
                " attempts = ?, http_status = ?, api_code = ?, at = ? WHERE number = ?",
                [
                    (
                        r.outcome,
                        *violation_columns(r.violations),
                        *(r.attempts, r.http_status, storable(r.api_code), r.at),
                        r.row.number,
                    )
                    for r in self._recorded
                ],
            )
            self._confirmed.confirm(r.row for r in self._recorded if r.outcome is Outcome.UPDATED)
        self._recorded = []

    def cells_size(self) -> int:
        """Return the approximate size of the cells of this run's rows, in bytes."""
        return self._database.number("SELECT ifnull(sum(length(cells)), 0) FROM block")

    def check_room(self, rows: int) -> None:
        """Raise StorageError when the disk has no room for the results of this number of rows."""
        path = self._database.path
        if path is None:
            return
        try:
            free = shutil.disk_usage(path.parent).free
        except OSError as error:
            sentence = _(
                "The ledger {path} cannot be reached ({reason}): check the state folder.", path=path, reason=error.strerror
            )
            raise StorageError(sentence) from error
        if free < _LOG_BYTES + _RESULT_BYTES * rows:
            raise StorageError(_("The disk of the ledger {path} is full: free some space.", path=path))
