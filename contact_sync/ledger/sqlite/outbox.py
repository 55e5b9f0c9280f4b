"""The rows to send: claimed before their attempts, recorded after them; and what the API has confirmed, as digests."""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from contact_sync.errors import StorageError
from contact_sync.ledger.digests import FIRST_FIELDS, Fingerprints, agree, changes_identity, pack, unpack
from contact_sync.ledger.sqlite.database import Database
from contact_sync.ledger.sqlite.schema import storable, violation_columns
from contact_sync.ledger.store import Comparison, Payload
from contact_sync.model import Outcome, Pending, Result

_GROUP = 500  # rows that are claimed together, and results that are committed together
_LOG_BYTES, _RESULT_BYTES = 8 << 20, 200  # size of SQLite's log while rows are sent, and of the result of a row


@dataclass
class ConfirmedState:
    """The table `confirmed`; `fields` names the values of a payload."""

    database: Database
    fingerprints: Fingerprints
    fields: Sequence[str]

    def compare(self, rows: Sequence[tuple[str, Payload]]) -> Comparison:
        if not self.database.number("SELECT EXISTS (SELECT 1 FROM confirmed)"):
            return Comparison([False] * len(rows), 0, 0)
        stored = self._find([contact_id for contact_id, _ in rows])
        found = [
            self._compare(contact_id, payload, *stored[contact_id]) if contact_id in stored else (False, None)
            for contact_id, payload in rows
        ]
        identities = [identity for _, identity in found]
        return Comparison([in_place for in_place, _ in found], identities.count(False), identities.count(True))

    def _compare(self, contact_id: str, payload: Payload, row: bytes | None, packed: bytes) -> tuple[bool, bool | None]:
        """Return True when a row is in place, and True when it changes the identity (None where that is not known)."""
        if self.fields == FIRST_FIELDS and row == self.fingerprints.payload(contact_id, payload):
            return True, False
        values = {name: value for name, value in zip(self.fields, payload, strict=True) if value is not None}
        if row == self.fingerprints.row(contact_id, values):
            return True, False
        carried, known = self.fingerprints.fields(contact_id, values), unpack(packed)
        return agree(carried, known), changes_identity(carried, known)

    def _find(self, contact_ids: Sequence[str]) -> dict[str, tuple[bytes | None, bytes]]:
        """Return the digest of the last confirmed row (None = partly withdrawn) and the packed ones of fields, by contactId."""
        query = "SELECT contact_id, row, fields FROM confirmed WHERE contact_id IN (SELECT value FROM json_each(?))"
        return {contact_id: (row, fields) for contact_id, row, fields in self.database.all(query, json.dumps(contact_ids))}

    def withdraw(self, contacts: Sequence[tuple[str, Mapping[str, str]]]) -> list[bytes]:
        """Withdraw the fields that each `contact` object carries and return the packed digests of its other fields."""
        stored = self._find([contact_id for contact_id, _ in contacts])
        known = {contact_id: unpack(fields) for contact_id, (_, fields) in stored.items()}
        rest = []
        with self.database.transaction() as db:
            for contact_id, contact in contacts:
                before = known.get(contact_id, {})
                left = {name: digest for name, digest in before.items() if name not in contact}
                rest.append(pack(left))
                if left != before:
                    known[contact_id] = left
                    db.execute("UPDATE confirmed SET row = NULL, fields = ? WHERE contact_id = ?", (rest[-1], contact_id))
        return rest

    def confirm(self, rows: Iterable[Pending]) -> None:
        """Write the digests of rows that the API has confirmed."""
        with self.database.transaction() as db:
            for row in rows:
                digest = self.fingerprints.row(row.contact_id, row.contact)
                fields = pack({**unpack(row.known), **self.fingerprints.fields(row.contact_id, row.contact)})
                statement = "INSERT OR REPLACE INTO confirmed (contact_id, row, fields) VALUES (?, ?, ?)"
                db.execute(statement, (row.contact_id, digest, fields))

    def forget(self, contact_id: str) -> int:
        return self.database.write("DELETE FROM confirmed WHERE contact_id = ?", contact_id)


@dataclass
class RunOutbox:
    """Pending rows and their results; withdraws and confirms digests in the same transactions."""

    database: Database
    confirmed: ConfirmedState
    unwritten: list[Result] = field(default_factory=list)  # results that are not durable yet; lost when they cannot be made so
    resumed: bool = False  # True when failed rows are pending, too

    def pending(self) -> int:
        query = "SELECT count(*) FROM row WHERE outcome IS NULL OR outcome IS ?"
        return self.database.number(query, Outcome.FAILED if self.resumed else None)

    def claim(self, after: int, most: int | None = None, *, failed: bool = False, until: int | None = None) -> list[Pending]:
        wanted = (Outcome.FAILED if failed else None, Outcome.FAILED if failed or self.resumed else None)
        query = (
            "SELECT number, contact_id, contact, attempts FROM row"
            " WHERE (outcome IS ? OR outcome IS ?) AND number > ? AND number <= ifnull(?, number) ORDER BY number LIMIT ?"
        )
        with self.database.transaction():
            found = self.database.all(query, *wanted, after, until, _GROUP if most is None else min(most, _GROUP))
            rows = [(number, contact_id, json.loads(contact), attempts) for number, contact_id, contact, attempts in found]
            known = self.confirmed.withdraw([(contact_id, contact) for _, contact_id, contact, _ in rows])
        return [Pending(*row, rest) for row, rest in zip(rows, known, strict=True)]

    def record(self, result: Result) -> None:
        self.unwritten.append(result)
        if len(self.unwritten) >= _GROUP:
            self.flush()

    def flush(self) -> None:
        if not self.unwritten:
            return
        with self.database.transaction() as db:
            db.executemany(
                "UPDATE row SET outcome = ?, code = ?, fields = ?, message = ?,"
                " attempts = ?, http_status = ?, api_code = ?, at = ? WHERE number = ?",
                [(*result_columns(result), result.row.number) for result in self.unwritten],
            )
            self.confirmed.confirm(result.row for result in self.unwritten if result.outcome is Outcome.UPDATED)
        self.unwritten = []

    def cells_size(self) -> int:
        return self.database.number("SELECT ifnull(sum(length(cells)), 0) FROM block")

    def check_room(self, rows: int) -> None:
        path = self.database.path
        if path is None:
            return
        with StorageError.from_os_error("The ledger {path} cannot be reached ({reason}): check the state folder.", path=path):
            free = shutil.disk_usage(path.parent).free
        if free < _LOG_BYTES + _RESULT_BYTES * rows:
            raise StorageError("The disk of the ledger {path} is full: free some space.", path=path)


def result_columns(result: Result) -> tuple[object, ...]:
    """Return a result as the columns of a row from `outcome` to `at`."""
    sent = (result.attempts, result.http_status, storable(result.api_code), result.at)
    return (result.outcome, *violation_columns(result.violations), *sent)
