"""The values that the API has confirmed, as digests."""

import json
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from contact_sync.ledger.digests import FIRST_FIELDS, Fingerprints, agree, changes_identity, pack, unpack
from contact_sync.ledger.shared import Tables
from contact_sync.ledger.sqlite.forgotten import Forgotten
from contact_sync.ledger.sqlite.in_place import InPlaceLists
from contact_sync.ledger.store import Comparison, Payload
from contact_sync.model.row import Pending, Result


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
