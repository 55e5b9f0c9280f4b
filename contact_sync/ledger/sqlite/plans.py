"""Plans: what a run would do with each row. Digests are kept, by the number of the plan, values until the ledger is closed."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from contact_sync.ledger.digests import Fingerprints
from contact_sync.ledger.sqlite.database import Database
from contact_sync.model.fields import stamp
from contact_sync.model.plan import PLAN_DAYS, PLAN_LETTERS, Change, PlannedRow

_LENGTH = 12  # letters of a number


@dataclass
class Plans:
    """The table `planned`, and the rows of the plan that is being made."""

    database: Database
    fingerprints: Fingerprints
    account: str

    def __post_init__(self) -> None:
        self.database.all(
            "CREATE TEMPORARY TABLE drafted"
            " (number INTEGER PRIMARY KEY, contact_id TEXT NOT NULL, digest BLOB NOT NULL, changes TEXT NOT NULL)"
        )

    def add(self, rows: Sequence[PlannedRow]) -> None:
        drafted = [(row.number, row.contact_id, self._digest(row), json.dumps(row.changes)) for row in rows]
        with self.database.transaction() as db:
            db.executemany("INSERT OR REPLACE INTO drafted VALUES (?, ?, ?, ?)", drafted)

    def _digest(self, row: PlannedRow) -> bytes:
        return self.fingerprints.plan("row", json.dumps([row.contact_id, row.facts]))[:16]

    def changes(self) -> Iterator[Change]:
        for (changes,) in self.database.each("SELECT changes FROM drafted ORDER BY number"):
            yield from map(Change._make, json.loads(changes))

    def keep(self, at: datetime) -> str:
        number = self.number()
        statement = "INSERT OR REPLACE INTO planned SELECT ?, contact_id, number, digest, ? FROM drafted"
        self.database.write(statement, number, stamp(at))
        return number

    def number(self) -> str:
        """Return the number of the plan, three groups of four letters and digits: a digest of all of its rows in any order."""
        rows = sha256()
        for (digest,) in self.database.each("SELECT digest FROM drafted ORDER BY digest"):
            rows.update(digest)
        value = int.from_bytes(self.fingerprints.plan("number", f"{self.account}\x1f{rows.hexdigest()}"))
        letters = "".join(PLAN_LETTERS[value >> 5 * place & 31] for place in range(_LENGTH))
        return "-".join(re.findall("....", letters))

    def differing(self, number: str) -> list[int] | None:
        if not self.database.number("SELECT EXISTS (SELECT 1 FROM planned WHERE plan = ?)", number):
            return None
        query = (
            "SELECT number FROM drafted WHERE NOT EXISTS (SELECT 1 FROM planned"
            " WHERE plan = ?1 AND planned.contact_id = drafted.contact_id AND planned.digest = drafted.digest)"
            " UNION SELECT number FROM planned WHERE plan = ?1 AND contact_id NOT IN (SELECT contact_id FROM drafted)"
        )
        return [row for (row,) in self.database.all(f"{query} ORDER BY 1", number)]

    def agrees(self, row: PlannedRow) -> bool:
        query = "SELECT EXISTS (SELECT 1 FROM drafted WHERE number = ? AND digest = ?)"
        return bool(self.database.number(query, row.number, self._digest(row)))

    def forget(self, contact_id: str) -> int:
        return self.database.write("DELETE FROM planned WHERE contact_id = ?", contact_id)

    def expire(self, now: datetime) -> None:
        self.database.write("DELETE FROM planned WHERE at <= ?", stamp(now - timedelta(days=PLAN_DAYS)))
