"""Reads before writes: fresh base tokens, before images, and what was found out about the API."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from contact_sync.ledger.shared import Tables
from contact_sync.ledger.sqlite.database import Database
from contact_sync.ledger.sqlite.history import RunHistory
from contact_sync.ledger.sqlite.schema import storable
from contact_sync.model.fields import MOST_UNDO_DAYS, stamp
from contact_sync.model.report import BeforeImage
from contact_sync.model.row import Outcome, Result


@dataclass
class LiveRecords:
    """The column `base` of the table `row`, and the tables `before_image`, `successor`, `trial` and `answer`.

    `shared` has those that all hosts share: a trial and the rows are of the run that made them.
    """

    database: Database
    shared: Tables
    history: RunHistory

    def note_live(self) -> None:
        self.database.write("INSERT OR REPLACE INTO meta VALUES ('live', ?)", self.history.last_run())

    def was_live(self) -> bool:
        query = "SELECT EXISTS (SELECT 1 FROM meta WHERE key = 'live' AND value = ?)"
        return bool(self.database.number(query, self.history.last_run()))

    def record(self, results: Sequence[Result]) -> None:
        """Write what the reads before these results have shown."""
        found = [result for result in results if result.base is not None]
        run = self.history.last_run()
        succeeded = [
            (result.base, result.row.base, result.row.contact_id, result.at)
            for result in found
            if result.outcome in {Outcome.UPDATED, Outcome.UNCHANGED} and result.row.base and result.base != result.row.base
        ]
        rejected = [(result.row.contact_id, run) for result in results if result.outcome is Outcome.REJECTED]
        with self.database.transaction() as db, self.shared.transaction() as shared:
            shared.executemany("DELETE FROM before_image WHERE contact_id = ? AND run = ?", rejected)  # nothing was changed
            for each in succeeded:  # `base` has all tokens, in order
                new, token, contact, at = each
                shared.execute(
                    "UPDATE successor SET base = base || ' ' || ?, at = ?"
                    " WHERE contact_id = ? AND (token = ? OR base = ? OR base LIKE '% ' || ?) AND base NOT LIKE '%' || ?",
                    (new, at, contact, token, token, token, new),
                )
                shared.execute(
                    "INSERT INTO successor (base, token, contact_id, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", each
                )
            db.executemany(
                "UPDATE row SET base = ?, contact = ? WHERE number = ?",
                [(result.base, json.dumps(result.row.contact, ensure_ascii=False), result.row.number) for result in found],
            )

    def keep_before(self, run: str, image: BeforeImage, at: str) -> None:
        values = (image.contact_id, run, _encoded(image.fields), image.written, at)
        statement = (
            "INSERT INTO before_image VALUES (?, ?, ?, ?, ?) ON CONFLICT (contact_id, run)"
            " DO UPDATE SET fields = excluded.fields, written = excluded.written, at = excluded.at"
        )
        self.shared.write(statement, *values)

    def values_before(self, run: str, contact_id: str) -> dict[str, str]:
        query = "SELECT fields FROM before_image WHERE contact_id = ? AND run = ?"
        return next((json.loads(fields) for (fields,) in self.shared.all(query, contact_id, run)), {})

    def begin_trial(self, contact_id: str, values: Mapping[str, str], at: str) -> None:
        statement = "INSERT INTO trial VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET fields = json_patch(excluded.fields, fields)"
        self.database.write(statement, contact_id, _encoded(values), at)

    def trials(self) -> dict[str, dict[str, str]]:
        return {contact: json.loads(fields) for contact, fields in self.database.all("SELECT contact_id, fields FROM trial")}

    def end_trial(self, contact_id: str) -> None:
        self.database.write("DELETE FROM trial WHERE contact_id = ?", contact_id)

    def successors(self, tokens: Sequence[str]) -> dict[str, list[str]]:
        query = f"SELECT token, base FROM successor WHERE token IN {self.shared.members}"  # noqa: S608 - fixed text
        return {token: bases.split() for token, bases in self.shared.all(query, json.dumps(tokens))}

    def before_images(self, run: str) -> Iterator[BeforeImage]:
        query = "SELECT contact_id, fields, written FROM before_image WHERE run = ? ORDER BY contact_id"
        for contact_id, fields, written in self.shared.each(query, run):
            yield BeforeImage(contact_id, json.loads(fields), written)

    def answers(self) -> dict[str, str]:
        return dict(self.shared.all("SELECT question, answer FROM answer"))

    def note_answer(self, question: str, answer: str, how: str) -> None:
        statement = (
            "INSERT INTO answer VALUES (?, ?, ?, ?)"
            " ON CONFLICT (question) DO UPDATE SET answer = excluded.answer, at = excluded.at, how = excluded.how"
        )
        self.shared.write(statement, question, answer, stamp(datetime.now(UTC)), how)

    def forget(self, contact_id: str) -> int:
        tables = (self.shared, "before_image"), (self.shared, "successor"), (self.database, "trial")
        return sum(db.write(f"DELETE FROM {table} WHERE contact_id = ?", contact_id) for db, table in tables)  # noqa: S608

    def expire(self, now: datetime, undo_days: int, history_days: int | None) -> None:
        self.shared.write("DELETE FROM before_image WHERE at <= ?", stamp(now - timedelta(days=undo_days)))
        self.database.write("DELETE FROM trial WHERE at <= ?", stamp(now - timedelta(days=MOST_UNDO_DAYS)))
        if history_days is not None:
            self.shared.write("DELETE FROM successor WHERE at <= ?", stamp(now - timedelta(days=history_days)))


def _encoded(values: object) -> str:
    return storable(json.dumps(values, ensure_ascii=False)) if values else ""
