"""The rows to send: claimed before their attempts, recorded after them; and what the API has confirmed, as digests."""

import json
import shutil
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

from contact_sync.errors import StorageError, UnavailableError
from contact_sync.ledger.digests import FIRST_FIELDS, Fingerprints, agree, changes_identity, pack, unpack
from contact_sync.ledger.shared import Tables
from contact_sync.ledger.sqlite.database import Database
from contact_sync.ledger.sqlite.forgotten import Forgotten
from contact_sync.ledger.sqlite.in_place import InPlaceLists
from contact_sync.ledger.sqlite.live import LiveRecords
from contact_sync.ledger.sqlite.schema import Wording, storable
from contact_sync.ledger.store import Comparison, Payload
from contact_sync.model.row import Outcome, Pending, Result

_GROUP = 500  # rows that are claimed together, and results that are committed together
_RESULT_BYTES = 200  # size of the result of a row
CONFIRMING = (Outcome.UPDATED, Outcome.UNCHANGED)  # the latter of a row that was read before it was sent


@dataclass
class ConfirmedState:
    """The table `confirmed`; `fields` names the values of a payload."""

    database: Tables
    fingerprints: Fingerprints
    fields: Sequence[str]
    in_place: InPlaceLists
    forgotten: Forgotten
    account: str
    as_of: int = 0  # time of the values of the run's source, in seconds since 1970 (UTC); 0 where it is not known
    is_believed: bool = True  # False when nothing counts as confirmed until the ledger is closed

    def begin(self, as_of: int) -> None:
        """Begin a run whose values are of this time."""
        self.as_of, self.in_place.noted = as_of, []

    def distrust(self, *, durably: bool) -> bool:
        """Take nothing for confirmed any more; return False when nothing was."""
        if not self.database.number("SELECT EXISTS (SELECT 1 FROM confirmed WHERE fields <> ?)", b""):
            return False
        self.is_believed = False
        if durably:
            self.database.write("UPDATE confirmed SET row = NULL, fields = ?", b"")
            self.is_believed = True
        return True

    def compare(self, rows: Sequence[tuple[str, Payload]]) -> Comparison:
        if not self.is_believed or not self.database.number("SELECT EXISTS (SELECT 1 FROM confirmed)"):
            return Comparison([False] * len(rows), 0, 0)
        stored = self._find([contact_id for contact_id, _ in rows])
        digests = self.fingerprints.payloads(rows) if stored and self.fields == FIRST_FIELDS else [None] * len(rows)
        found = [
            self._compare(row, digest, *known[:2]) if (known := stored.get(row[0])) else (False, None)
            for row, digest in zip(rows, digests, strict=True)
        ]
        identities = [identity for _, identity in found]
        return Comparison([in_place for in_place, _ in found], identities.count(False), identities.count(True))

    def _compare(
        self, carried_row: tuple[str, Payload], digest: bytes | None, row: bytes | None, packed: bytes
    ) -> tuple[bool, bool | None]:
        """Return True when a row is in place, and True when it changes the identity (None where that is not known)."""
        if digest and row == digest:
            return True, False
        contact_id, payload = carried_row
        values = {name: value for name, value in zip(self.fields, payload, strict=True) if value is not None}
        if row == self.fingerprints.row(contact_id, values):
            return True, False
        carried, known = self.fingerprints.fields(contact_id, values), unpack(packed)
        return agree(carried, known), changes_identity(carried, known)

    def _find(self, contact_ids: Sequence[str]) -> dict[str, tuple[bytes | None, bytes, bytes]]:
        """Return, by contactId, the digest of the last confirmed row, and the packed digests and times of fields.

        The first is None where the row was partly withdrawn; a time is that of the value that was last sent.
        """
        query = f"SELECT contact_id, row, fields, moments FROM confirmed WHERE contact_id IN {self.database.members}"  # noqa: S608
        return {found[0]: found[1:] for found in self.database.all(query, json.dumps(contact_ids))}

    def note_in_place(self, rows: Sequence[tuple[str, Payload]], ages: Sequence[int | None]) -> None:
        self.in_place.note(rows, [self.as_of if age is None else age for age in ages])

    def has_newer(self, ages: Collection[int]) -> bool:
        return min([self.as_of, *ages]) < self._newest(int(time.time()))

    def _newest(self, now: int) -> int:
        return self.database.number("SELECT coalesce(max(as_of), 0) FROM run WHERE as_of <= ?", now)

    def overtaken(self, rows: Sequence[tuple[str, Payload, int | None]]) -> list[dict[str, int]]:
        now = int(time.time())  # a moment after now is of a clock that was wrong, and proves nothing
        newest = self._newest(now)
        older = [contact_id for contact_id, _, as_of in rows if self._age(as_of) < newest]
        if not older:
            return [{}] * len(rows)
        repeated, stored = self.in_place.moments(older), self._find(older)
        found = []
        for contact_id, payload, as_of in rows:
            _row, fields, moments = stored.get(contact_id, (None, b"", b""))
            in_place = unpack(fields) if self.is_believed else {}
            times = repeated.get(contact_id, {})
            for name, moment in unpack(moments).items():
                if (sent := int.from_bytes(moment)) <= now:
                    times[name] = max(sent, times.get(name, 0))
            values = {name: value for name, value in zip(self.fields, payload, strict=True) if value is not None}
            digests = self.fingerprints.fields(contact_id, values)
            age = self._age(as_of)
            found.append(
                {name: times[name] for name in values if age < times.get(name, 0) and digests[name] != in_place.get(name)}
            )
        return found

    def source_of(self, moment: int) -> str:
        query = "SELECT source FROM run WHERE as_of = ? ORDER BY started DESC LIMIT 1"
        return next((str(source) for (source,) in self.database.all(query, moment)), "")

    def _age(self, as_of: int | None) -> int:
        return self.as_of if as_of is None else as_of

    def withdraw(self, contacts: Sequence[tuple[str, Mapping[str, str], int | None]]) -> list[bytes]:
        """Withdraw the fields that each `contact` object carries, and note the time of their values, which comes after it.

        Returns the packed digests of the other fields.
        """
        stored = self._find([contact_id for contact_id, *_ in contacts])
        rest = []
        with self.database.transaction() as db:
            self.forgotten.remove([contact_id for contact_id, *_ in contacts])
            for contact_id, contact, as_of in contacts:
                row, fields, moments = stored.get(contact_id, (None, b"", b""))
                before = unpack(fields)
                left = {name: digest for name, digest in before.items() if name not in contact}
                moment = self._age(as_of).to_bytes(8)
                sent = pack({**unpack(moments), **dict.fromkeys(contact, moment)})
                stored[contact_id] = (None if left != before else row, pack(left), sent)
                rest.append(stored[contact_id][1])
                db.execute(
                    "INSERT INTO confirmed (contact_id, row, fields, moments) VALUES (?, ?, ?, ?)"
                    " ON CONFLICT DO UPDATE SET row = excluded.row, fields = excluded.fields, moments = excluded.moments",
                    (contact_id, *stored[contact_id]),
                )
        return rest

    def withdraw_all(self, contact_ids: Sequence[str]) -> None:
        """Withdraw all fields of contacts that the API shows with other values than it has confirmed."""
        with self.database.transaction() as db:
            statement = "UPDATE confirmed SET row = NULL, fields = ? WHERE contact_id = ?"
            db.executemany(statement, [(b"", contact_id) for contact_id in contact_ids])

    def confirm(self, rows: Iterable[Pending]) -> None:
        """Write the digests of rows that the API has confirmed."""
        with self.database.transaction() as db:
            for row in rows:
                digest = self.fingerprints.row(row.contact_id, row.contact)
                fields = pack({**unpack(row.known), **self.fingerprints.fields(row.contact_id, row.contact)})
                statement = (
                    "INSERT INTO confirmed (contact_id, row, fields) VALUES (?, ?, ?)"
                    " ON CONFLICT DO UPDATE SET row = excluded.row, fields = excluded.fields"
                )
                db.execute(statement, (row.contact_id, digest, fields))

    def hold(self, row: Pending, _coming: Iterable[Pending] = (), /) -> Pending | Result | None:
        return row  # there is no other host

    def let_go(self, contact_id: str) -> None:
        pass

    def keep(self, results: Iterable[Result]) -> None:
        """Keep what was sent where the database that is to know it is gone; a file cannot be gone."""

    def settle(self) -> None:
        """Complete what `confirm` could not, after its transaction; here it can all."""

    def forget(self, contact_id: str) -> int:
        return self.database.write("DELETE FROM confirmed WHERE contact_id = ?", contact_id) + self.in_place.forget(contact_id)


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
