"""The values that the API last confirmed for each contact, as digests. They are never newer than the API's own yes."""

from collections.abc import Iterable, Mapping, Sequence

from contact_sync.ledger.digests import FieldDigests, Fingerprints, agree, changes_identity, pack, unpack
from contact_sync.ledger.sqlite.columns import GROUP
from contact_sync.ledger.sqlite.database import Database
from contact_sync.ledger.store import Comparison, Payload
from contact_sync.model import Pending

_Stored = tuple[bytes | None, bytes]
"""The digest of the last confirmed row, unless a part of it was withdrawn since, and the packed digests of its fields."""


class ConfirmedState:
    """The table `confirmed`; `fields` names the values of a payload."""

    def __init__(self, database: Database, fingerprints: Fingerprints, fields: Sequence[str]) -> None:
        self._database = database
        self._fingerprints = fingerprints
        self._fields = fields
        self._row_digest = fingerprints.rows(fields)

    def compare(self, rows: Sequence[tuple[str, Payload]]) -> Comparison:
        """Compare contactIds and payloads with what was confirmed."""
        if not self._database.number("SELECT EXISTS (SELECT 1 FROM confirmed)"):
            return Comparison([False] * len(rows), 0, 0)
        stored = self._find([contact_id for contact_id, _ in rows])
        found = [
            self._compare(contact_id, payload, *stored[contact_id]) if contact_id in stored else (False, None)
            for contact_id, payload in rows
        ]
        identities = [identity for _, identity in found]
        return Comparison([in_place for in_place, _ in found], identities.count(False), identities.count(True))

    def _compare(self, contact_id: str, payload: Payload, row: bytes | None, packed: bytes) -> tuple[bool, bool | None]:
        """Return whether a row is in place, and whether it changes the identity (None where that is not known)."""
        if row == self._row_digest(contact_id, payload):
            return True, False
        values = {field: value for field, value in zip(self._fields, payload, strict=True) if value is not None}
        carried, known = self._fingerprints.fields(contact_id, values), unpack(packed)
        return agree(carried, known), changes_identity(carried, known)

    def _find(self, contact_ids: Sequence[str]) -> dict[str, _Stored]:
        found: dict[str, _Stored] = {}
        for start in range(0, len(contact_ids), GROUP):
            group = contact_ids[start : start + GROUP]
            blanks = ",".join("?" * len(group))
            query = f"SELECT contact_id, row, fields FROM confirmed WHERE contact_id IN ({blanks})"  # noqa: S608 - only ?, ?, …
            found.update((contact_id, (row, fields)) for contact_id, row, fields in self._database.all(query, *group))
        return found

    def withdraw(self, contacts: Sequence[tuple[str, Mapping[str, str]]]) -> list[bytes]:
        """Withdraw the fields that each `contact` object carries and return the packed digests of its other fields."""
        stored = self._find([contact_id for contact_id, _ in contacts])
        known = {contact_id: unpack(fields) for contact_id, (_, fields) in stored.items()}
        changed: dict[str, FieldDigests] = {}
        rest = []
        for contact_id, contact in contacts:
            before = known.get(contact_id, {})
            left = {field: digest for field, digest in before.items() if field not in contact}
            rest.append(pack(left))
            if left != before:
                known[contact_id] = changed[contact_id] = left
        with self._database.transaction() as db:
            db.executemany(
                "UPDATE confirmed SET row = NULL, fields = ? WHERE contact_id = ?",
                [(pack(left), contact_id) for contact_id, left in changed.items()],
            )
        return rest

    def confirm(self, rows: Iterable[Pending]) -> None:
        """Write the digests of rows that the API has confirmed."""
        with self._database.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO confirmed (contact_id, row, fields) VALUES (?, ?, ?)",
                [
                    (
                        row.contact_id,
                        self._row_digest(row.contact_id, [row.contact.get(field) for field in self._fields]),
                        pack({**unpack(row.known), **self._fingerprints.fields(row.contact_id, row.contact)}),
                    )
                    for row in rows
                ],
            )

    def forget(self, contact_id: str) -> int:
        """Delete what was confirmed of a contact and return the number of deleted records."""
        with self._database.transaction() as db:
            return db.execute("DELETE FROM confirmed WHERE contact_id = ?", (contact_id,)).rowcount
