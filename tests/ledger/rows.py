"""Rows, chunks and results that the tests of the ledger begin with."""

import dataclasses
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from contact_sync.ledger.digests import Fingerprints
from contact_sync.ledger.postgres import PostgresLedger
from contact_sync.ledger.postgres.database import PostgresDatabase
from contact_sync.ledger.sqlite import SqliteLedger
from contact_sync.model.fields import FIELDS
from contact_sync.model.row import Block, Outcome, Pending, Result, Staged
from contact_sync.model.violation import Violation
from contact_sync.packed import pack

PRINTS = Fingerprints(bytes(32))

UNMEASURED = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
"""The environment of a process that is killed: without coverage, of which it would leave half a file."""

Payload = tuple[str | None, ...]
Open = Callable[..., SqliteLedger]


class Engine:
    """An engine, which opens a ledger whose rows are in the file at a path; without a `url` all of it is there.

    All ledgers of one engine are of one account.
    """

    def __init__(self, url: str = "") -> None:
        self._url, self._schema = url, f"contact_sync_{secrets.token_hex(8)}"

    def __call__(self, where: Path, *, read_only: bool = False) -> SqliteLedger:
        """Open a ledger."""
        if not self._url:
            return SqliteLedger(where, PRINTS, "account", read_only=read_only)
        return PostgresLedger(where, PRINTS, "account", self.database(), read_only=read_only)

    def database(self) -> PostgresDatabase:
        """Open the database, without a ledger."""
        return PostgresDatabase(self._url, self._schema)

    def source(self, where: Path) -> str:
        """Return the code that opens a ledger in another process."""
        folder, path = str(Path(__file__).parents[2]), str(where)
        made = f"engine = Engine({self._url!r}); engine._schema = {self._schema!r}"
        imported = f"import sys; sys.path.insert(0, {folder!r}); from tests.ledger.rows import Engine"
        return f"{imported}; {made}; ledger = engine(Path({path!r}))"


def payload(**values: str) -> Payload:
    """Return a payload that carries these fields."""
    return tuple(values.get(field) for field in FIELDS)


def row(number: int, contact_id: str = "", outcome: Outcome | None = None, *violations: Violation, **values: Any) -> Staged:
    """Return a row that does not share the outcome of its block; pending unless it has an outcome."""
    return Staged(number, contact_id or f"C{number}", payload(**(values or {"firstname": "Zoé"})), outcome, violations)


def block(*rows: Staged, plain: Sequence[int] = (), outcome: Outcome = Outcome.UNCHANGED) -> Block:
    """Return a chunk of these rows and of `plain` ones that share `outcome`; the first cell of each is its contactId."""
    ids = dict.fromkeys(plain, "") | {row.number: row.contact_id for row in rows}
    numbers = sorted(ids)
    contact_ids = [ids[number] or f"C{number}" for number in numbers]
    return Block(numbers, contact_ids, pack([[contact_id, "é;'=\n"] for contact_id in contact_ids]), outcome, list(rows))


def ended(pending: Pending, outcome: Outcome = Outcome.UPDATED, *violations: Violation, **more: Any) -> Result:
    """Return the result of a row that was sent."""
    result = Result(pending, outcome, violations, attempts=1, http_status=200, at="2026-01-02T03:04:05Z")
    return dataclasses.replace(result, **more)


def confirm(ledger: SqliteLedger, number: int, contact_id: str, **values: Any) -> None:
    """Stage a row, send it, and have it confirmed."""
    ledger.stage(block(row(number, contact_id, **values)))
    (taken,) = ledger.claim(number - 1)
    ledger.record(ended(taken))
    ledger.flush()


def in_place(ledger: SqliteLedger, contact_id: str, **values: str) -> bool:
    """Return True when these values are in place."""
    (answer,) = ledger.compare([(contact_id, payload(**values))]).in_place
    return answer


REST = Violation("stopped", detail={"reason": "Because."})
