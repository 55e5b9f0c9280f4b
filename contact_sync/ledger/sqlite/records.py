"""The records that outlive a run, as another engine can take them over."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from contact_sync.ledger.shared import Tables

_COLUMNS: Mapping[str, str] = {
    "confirmed": "contact_id, row, fields, moments",
    "in_place": "digest, as_of, contacts, fields, ids",
    "forgotten": "digest",
    "answer": "question, answer, at, how",
    "successor": "token, contact_id, base, at",
    "before_image": "contact_id, run, fields, written, at",
    "history": "run, contact_id, number, outcome, code, fields, sent, at",
}

TABLES = tuple(_COLUMNS)


@dataclass
class Records:
    """The tables that hosts share, but for the runs."""

    shared: Tables

    def read(self, table: str) -> list[tuple[Any, ...]]:
        """Return all records of a table."""
        return self.shared.all(f"SELECT {_COLUMNS[table]} FROM {table}")  # noqa: S608 - fixed names

    def add(self, table: str, records: Iterable[tuple[Any, ...]]) -> None:
        """Write records into an empty table."""
        marks = ", ".join("?" for _ in _COLUMNS[table].split(","))
        with self.shared.transaction() as db:
            db.executemany(f"INSERT INTO {table} ({_COLUMNS[table]}) VALUES ({marks})", records)  # noqa: S608 - fixed names
