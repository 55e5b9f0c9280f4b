"""The values that the API last confirmed, as digests that several hosts write.

A field belongs to the run that has withdrawn it last: the column `claims` has a number of that run, and no other confirms the
field. A contact is in flight on one host at a time, which has its advisory lock. A row that was claimed long before is withdrawn
once more under the lock where another host has withdrawn it since. So the order of the withdrawals is that of the attempts, and
what is confirmed last is what the API was sent last.
"""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import islice
from typing import NamedTuple

from contact_sync.ledger.digests import FieldDigests, pack, unpack
from contact_sync.ledger.postgres.database import Answer, PostgresDatabase
from contact_sync.ledger.sqlite.confirmed import ConfirmedState
from contact_sync.ledger.sqlite.outbox import CONFIRMING
from contact_sync.model.row import Outcome, Pending, Result
from contact_sync.model.violation import Violation

_HELD = 8  # contacts that are held together: one journey to the database for all
_CLAIM_BYTES = 8  # as a digest has, so that they are packed alike


class _Seen(NamedTuple):
    """The columns of a contact in the database when it was held."""

    fields: bytes
    claims: bytes


@dataclass
class SharedConfirmed(ConfirmedState):
    """The table `confirmed` of an account, which several hosts write."""

    database: PostgresDatabase
    claim: bytes = field(default_factory=lambda: secrets.token_bytes(_CLAIM_BYTES))  # of this run
    held: dict[str, _Seen] = field(default_factory=dict)  # contacts that are held and will be sent next
    seen: dict[str, _Seen] = field(default_factory=dict)  # contacts that are being sent, or have been
    unchecked: tuple[list[Pending], Answer] | None = None  # rows that were confirmed where nothing had changed since
    released: list[int] = field(default_factory=list)  # locks of contacts that are not needed any more
    forgotten_before: frozenset[bytes] = frozenset()  # when the run began: such rows were asked for (`--allow-forgotten`)

    def withdraw(self, contacts: Sequence[tuple[str, Mapping[str, str], int | None]]) -> list[bytes]:
        """Withdraw the fields that each contact carries, and return for each who has withdrawn them: this run.

        It is nobody for a contact that another host has forgotten since this run compared its rows: it must not be sent.
        """
        if not contacts:
            return []
        with self.database.transaction():
            lost = self.forgotten.among([contact_id for contact_id, *_ in contacts], but=self.forgotten_before)
            ours = [each for each in contacts if each[0] not in lost]
            self.forgotten.remove([contact_id for contact_id, *_ in ours])
            stored = self._lock([contact_id for contact_id, *_ in ours])
            for contact_id, contact, as_of in ours:
                row, fields, moments, claims = stored[contact_id]
                left = {name: digest for name, digest in unpack(fields).items() if name not in contact}
                stored[contact_id] = (
                    row if left == unpack(fields) else None,
                    pack(left),
                    pack({**unpack(moments), **dict.fromkeys(contact, self._age(as_of).to_bytes(8))}),
                    pack({**unpack(claims), **dict.fromkeys(contact, self.claim)}),
                )
            if stored:
                self._store(stored)
            statement = (
                "INSERT INTO withdrawal VALUES (?, 1) ON CONFLICT (host) DO UPDATE SET number = withdrawal.number + 1"
                " RETURNING number"
            )
            number = self.database.number(statement, self._host)
        self.in_place.local.write("INSERT OR REPLACE INTO meta VALUES ('shared', ?)", str(number))
        return [b"" if contact_id in lost else self.claim for contact_id, *_ in contacts]

    def begin(self, as_of: int) -> None:
        super().begin(as_of)
        self.forgotten_before = frozenset(self.forgotten.digests())

    def note_forgotten(self) -> None:
        """Note durably which contacts were forgotten when the run began, for its `retry`."""
        digests = json.dumps([digest.hex() for digest in self.forgotten_before])
        self.in_place.local.write("INSERT OR REPLACE INTO meta VALUES ('forgotten', ?)", digests)

    def resume(self) -> None:
        """Resume the run for which `note_forgotten` was called."""
        for (digests,) in self.in_place.local.all("SELECT value FROM meta WHERE key = 'forgotten'"):
            self.forgotten_before = frozenset(map(bytes.fromhex, json.loads(digests)))

    def confirm(self, rows: Iterable[Pending]) -> None:
        """Write the digests of rows that the API has confirmed, of the fields that no other host has withdrawn since."""
        rows = [*rows]
        self._confirm_each(row for row in rows if row.contact_id not in self.seen)
        self._confirm_seen([row for row in rows if row.contact_id in self.seen])
        self._release()

    def _confirm_each(self, rows: Iterable[Pending]) -> None:
        self._confirm([(row.contact_id, row.known, self._digest(row), self._digests(row)) for row in rows], is_late=False)

    def _confirm_seen(self, rows: list[Pending]) -> None:
        """Confirm rows whose contacts are as they were seen; which these are is asked with `settle`, in the same journey."""
        if not rows:
            return
        columns = []
        for row in rows:
            fields, claims = self.seen.pop(row.contact_id)
            columns.append((row.contact_id, self._digest(row), pack({**unpack(fields), **self._digests(row)}), fields, claims))
        self.database.send(
            "SELECT FROM confirmed WHERE contact_id = ANY(?) ORDER BY contact_id FOR UPDATE", [each[0] for each in columns]
        )
        statement = (
            "UPDATE confirmed SET row = new.row, fields = new.fields"
            " FROM unnest(?::text[], ?::bytea[], ?::bytea[], ?::bytea[], ?::bytea[])"
            " AS new (contact_id, row, fields, seen, claims)"
            " WHERE confirmed.contact_id = new.contact_id AND confirmed.fields = seen AND confirmed.claims = new.claims"
            " RETURNING confirmed.contact_id"
        )
        self.unchecked = rows, self.database.send(statement, *map(list, zip(*columns, strict=True)))

    def settle(self) -> None:
        if self.unchecked:
            rows, answer = self.unchecked
            self.unchecked = None
            found = {contact_id for (contact_id,) in answer()}
            self._confirm_each(row for row in rows if row.contact_id not in found)

    def _digest(self, row: Pending) -> bytes:
        return self.fingerprints.row(row.contact_id, row.contact)

    def _digests(self, row: Pending) -> FieldDigests:
        return self.fingerprints.fields(row.contact_id, row.contact)

    def _confirm(self, rows: Sequence[tuple[str, bytes, bytes, FieldDigests]], *, is_late: bool) -> None:
        """Write digests; those that are late may be of attempts without a lock, which another host's may have preceded."""
        if not rows:
            return
        with self.database.transaction():
            stored = self._lock([contact_id for contact_id, *_ in rows])
            for contact_id, claim, digest, fields in rows:
                _row, packed, moments, claims = stored[contact_id]
                holders = unpack(claims)
                ours = {name for name in fields if holders.get(name) == claim}
                known = dict(unpack(packed))
                for name in fields:
                    if name in ours:
                        known[name] = fields[name]
                    elif is_late:
                        known.pop(name, None)
                stored[contact_id] = (digest if ours == fields.keys() else None, pack(known), moments, claims)
            self._store(stored)

    def _lock(self, contact_ids: Sequence[str]) -> dict[str, tuple[bytes | None, bytes, bytes, bytes]]:
        """Return the columns of contacts, added where they are missing, in the one order that makes no deadlock."""
        ordered = sorted(set(contact_ids))
        self.database.send("INSERT INTO confirmed (contact_id) SELECT unnest(?::text[]) ON CONFLICT DO NOTHING", ordered)
        query = (
            "SELECT contact_id, row, fields, moments, claims FROM confirmed WHERE contact_id = ANY(?)"
            " ORDER BY contact_id FOR UPDATE"
        )
        return {found[0]: found[1:] for found in self.database.all(query, ordered)}

    def _store(self, stored: Mapping[str, tuple[bytes | None, bytes, bytes, bytes]]) -> None:
        self.database.send(
            "UPDATE confirmed SET row = new.row, fields = new.fields, moments = new.moments, claims = new.claims"
            " FROM unnest(?::text[], ?::bytea[], ?::bytea[], ?::bytea[], ?::bytea[])"
            " AS new (contact_id, row, fields, moments, claims) WHERE confirmed.contact_id = new.contact_id",
            [*stored],
            *map(list, zip(*stored.values(), strict=True)),
        )

    def hold(self, row: Pending, coming: Iterable[Pending] = (), /) -> Pending | Result | None:
        if row.contact_id not in self.held:
            others = (each.contact_id for each in coming if each.contact_id not in self.held)
            contacts = [row.contact_id, *islice(others, _HELD - 1)]
            query = "SELECT contact, fields, claims FROM hold(?::bigint[], ?::bigint[], ?::text[])"
            found = self.database.all(query, self.released, [*map(self._key, contacts)], contacts)
            self.held |= {contact: _Seen(fields or b"", claims or b"") for contact, fields, claims in found}
            self.released = []
        if row.contact_id not in self.held:
            # A host that waits holds nothing ahead: else two that wait for each other would do so for ever.
            self.released += map(self._key, self.held)
            self.held = {}
            self._release()
            return None
        self.seen[row.contact_id] = seen = self.held.pop(row.contact_id)
        claims = unpack(seen.claims)
        if all(claims.get(name) == row.known for name in row.contact):
            return row
        del self.seen[row.contact_id]
        ages = self.in_place.local.all("SELECT as_of FROM row WHERE number = ?", row.number)
        (known,) = self.withdraw([(row.contact_id, row.contact, next((as_of for (as_of,) in ages), None))])
        if not known:
            return Result(row, Outcome.UNPROCESSED, [Violation("forgotten")])
        return row._replace(known=known)

    def let_go(self, contact_id: str) -> None:
        self.released.append(self._key(contact_id))  # with the next contact, or the next confirmations: one journey less

    def _release(self) -> None:
        if self.released:
            self.database.send("SELECT pg_advisory_unlock(each) FROM unnest(?::bigint[]) AS each", self.released)
            self.released = []

    def _key(self, contact_id: str) -> int:
        return int.from_bytes(sha256(f"{self.account}\x1f{contact_id}".encode()).digest()[:8], signed=True)

    def keep(self, results: Iterable[Result]) -> None:
        kept = [
            # Nobody's claim: it is not known what the API has, and another host may have sent the contact before or after.
            (row.contact_id, row.known if outcome in CONFIRMING else b"", self._digest(row), pack(self._digests(row)))
            for row, outcome in ((result.row, result.outcome) for result in results if result.attempts)
        ]
        with self.in_place.local.transaction() as db:
            db.executemany("INSERT OR REPLACE INTO unconfirmed VALUES (?, ?, ?, ?)", kept)

    @cached_property
    def _host(self) -> str:
        """The name of this host, which is made at first use."""
        local = self.in_place.local
        local.write("INSERT OR IGNORE INTO meta VALUES ('host', ?)", secrets.token_hex(_CLAIM_BYTES))
        ((name,),) = local.all("SELECT value FROM meta WHERE key = 'host'")
        return str(name)

    def is_older_copy(self, origin: str) -> bool:
        """Return True when the database comes from a copy, or does not know a withdrawal of this host any more.

        From now on it is of this `origin`, and knows it.
        """
        is_copy = self.database.number("SELECT count(*) FROM origin WHERE place NOT IN ('', ?)", origin) > 0
        self.database.write("UPDATE origin SET place = ? WHERE place <> ?", origin, origin)
        statement = (
            "INSERT INTO withdrawal VALUES (?, ?) ON CONFLICT (host) DO UPDATE SET number = excluded.number"
            " WHERE withdrawal.number < excluded.number"
        )
        made = [int(number) for (number,) in self.in_place.local.all("SELECT value FROM meta WHERE key = 'shared'")]
        return any(self.database.write(statement, self._host, number) for number in made) or is_copy

    def record_kept(self) -> None:
        """Record what an earlier run could not, because the database was gone."""
        local = self.in_place.local
        kept = local.all("SELECT contact_id, claim, row, fields FROM unconfirmed")
        self._confirm([(contact_id, claim, row, unpack(fields)) for contact_id, claim, row, fields in kept], is_late=True)
        if kept:
            local.write("DELETE FROM unconfirmed")
