"""The rows that sources repeated without a change: an older source must not overwrite what a newer one still says.

Such a row is `unchanged`, so nothing is sent that would note the time of its values. Most rows of most nights are of this kind,
and a row of a table for each would take up to 40 % of the time of a run that has nothing to send. So their contactIds are kept in
packed lists. They are unpacked only when an older source comes: into a temporary table, so that memory stays bounded.
"""

import json
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import compress, groupby, islice, repeat
from operator import is_not
from typing import NamedTuple

from contact_sync.ledger.shared import Tables
from contact_sync.ledger.sqlite.database import Database
from contact_sync.ledger.store import Payload

_LENGTH = 1_000  # contacts of a merged list at most
_FEW = 100_000  # contacts in all lists together that are never merged
_REPEATS = 4  # lists that name a contact, on average, before they are merged


class _PackedList(NamedTuple):
    """A row of the table `in_place`."""

    digest: bytes  # of the fields and the contactIds
    as_of: int
    contacts: int
    fields: str  # joined by `,`
    ids: bytes


@dataclass
class InPlaceLists:
    """The table `in_place`: lists of contacts, the fields that their rows carried, and the time of these values."""

    database: Tables
    local: Database  # of this process alone, for what is unpacked
    fields: Sequence[str]
    noted: list[_PackedList] = field(default_factory=list)  # lists to write once no guard can stop their run any more
    _is_unpacked: bool = False

    def note(self, rows: Sequence[tuple[str, Payload]], moments: Sequence[int]) -> None:
        """Note contactIds and payloads of rows that are in place, and the time of the values of each, for `write`."""
        if not rows:
            return
        ids, payloads = zip(*rows, strict=True)
        carried = zip(*[map(is_not, column, repeat(None)) for column in zip(*payloads, strict=True)], strict=True)
        keys = list(zip(carried, moments, strict=True))
        groups: dict[tuple[tuple[bool, ...], int], list[str]] = {}
        if keys.count(keys[0]) == len(keys):  # as in most sources, at half the cost
            groups[keys[0]] = list(ids)
        else:
            for key, contact_id in zip(keys, ids, strict=True):
                groups.setdefault(key, []).append(contact_id)
        for (carries, moment), members in groups.items():
            self.noted.append(_packed(",".join(compress(self.fields, carries)), moment, members))

    def write(self) -> None:
        """Write what was noted."""
        self._insert(self.noted)
        self.noted, self._is_unpacked = [], False
        contacts = self.database.number("SELECT coalesce(sum(contacts), 0) FROM in_place")
        if contacts > _FEW and contacts > _REPEATS * self.database.number("SELECT count(*) FROM confirmed"):
            self._merge()

    def _insert(self, lists: Sequence[_PackedList]) -> None:
        # A list of last night takes no more room. A time after now is of a clock that was wrong.
        statement = (
            "INSERT INTO in_place VALUES (?, ?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE SET as_of = CASE"
            " WHEN in_place.as_of > ? OR in_place.as_of < excluded.as_of THEN excluded.as_of ELSE in_place.as_of END"
        )
        with self.database.transaction() as db:
            db.executemany(statement, [(*each, int(time.time())) for each in lists])

    def _merge(self) -> None:
        """Write the lists again, with the newest time of each contact and its fields alone."""
        query = "SELECT fields, as_of, contact_id FROM repeated ORDER BY fields, as_of, contact_id"
        with self.database.transaction() as db:
            self.database.lock("in_place")
            self._is_unpacked = False
            self._unpack()
            db.execute("DELETE FROM in_place")
            for (fields, as_of), rows in groupby(self.local.each(query), key=lambda row: row[:2]):
                ids = (contact_id for *_key, contact_id in rows)
                while members := list(islice(ids, _LENGTH)):
                    self._insert([_packed(fields, as_of, members)])

    def _unpack(self) -> None:
        """Fill the temporary table `repeated` with the newest time of each contact and its fields."""
        if self._is_unpacked:
            return
        with self.local.transaction() as db:
            db.execute("DROP TABLE IF EXISTS temp.repeated")
            db.execute(
                "CREATE TEMPORARY TABLE repeated (contact_id TEXT, fields TEXT, as_of INTEGER, PRIMARY KEY (contact_id, fields))"
                " WITHOUT ROWID"
            )
            for fields, as_of, ids in self.database.each(
                "SELECT fields, as_of, ids FROM in_place WHERE as_of <= ?", int(time.time())
            ):
                db.execute(
                    "INSERT INTO repeated SELECT value, ?, ? FROM json_each(?) WHERE true"
                    " ON CONFLICT DO UPDATE SET as_of = max(as_of, excluded.as_of)",
                    (fields, as_of, _unpacked(ids)),
                )
        self._is_unpacked = True

    def moments(self, contact_ids: Sequence[str]) -> dict[str, dict[str, int]]:
        """Return, by contactId and field, the time of the newest values that were in place (seconds since 1970)."""
        self._unpack()
        query = (
            "SELECT contact_id, fields, as_of FROM repeated WHERE contact_id IN (SELECT value FROM json_each(?)) ORDER BY as_of"
        )
        found: dict[str, dict[str, int]] = {}
        for contact_id, fields, as_of in self.local.all(query, json.dumps(contact_ids)):
            found.setdefault(contact_id, {}).update(dict.fromkeys(fields.split(","), as_of))
        return found

    def forget(self, contact_id: str) -> int:
        """Take a contact out of all lists, and return the number of lists that named it."""
        found, self._is_unpacked = 0, False
        with self.database.transaction() as db:
            for each in map(_PackedList._make, self.database.all("SELECT * FROM in_place")):
                members: list[str] = json.loads(_unpacked(each.ids))
                if contact_id in members:
                    db.execute("DELETE FROM in_place WHERE digest = ?", (each.digest,))
                    members.remove(contact_id)
                    self._insert([_packed(each.fields, each.as_of, members)])
                    found += 1
        return found


def _packed(fields: str, as_of: int, contact_ids: Sequence[str]) -> _PackedList:
    ids = zlib.compress(json.dumps(contact_ids).encode(), 1)
    return _PackedList(sha256(fields.encode() + ids).digest(), as_of, len(contact_ids), fields, ids)


def _unpacked(ids: bytes) -> str:
    return zlib.decompress(ids).decode()
