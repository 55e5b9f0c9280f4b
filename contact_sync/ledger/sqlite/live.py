"""Reads before writes: fresh base tokens, before images, and what was found out about the API."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from contact_sync.ledger.sqlite.database import Database
from contact_sync.ledger.sqlite.history import RunHistory
from contact_sync.ledger.sqlite.schema import storable
from contact_sync.model import BeforeImage, Result, stamp


@dataclass
class LiveRecords:
    """The column `base` of the table `row`, and the tables `before_image` and `answer`."""

    database: Database
    history: RunHistory

    def has_bases(self) -> bool:
        return bool(
            self.database.number("SELECT EXISTS (SELECT 1 FROM row WHERE base <> '' AND ifnull(outcome, 'failed') = 'failed')")
        )

    def record(self, results: Sequence[Result]) -> None:
        """Write what the reads before these results have shown; the first value before of a run is kept."""
        found = [(result, result.live) for result in results if result.live]
        run = self.history.last_run()
        with self.database.transaction() as db:
            db.executemany(
                "UPDATE row SET base = ?, contact = ? WHERE number = ?",
                [(live.base, json.dumps(result.row.contact, ensure_ascii=False), result.row.number) for result, live in found],
            )
            db.executemany(
                "INSERT INTO before_image VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET fields = json_patch(excluded.fields, fields), written = excluded.written",
                [
                    (result.row.contact_id, run, _encoded(live.before), live.written, result.at)
                    for result, live in found
                    if live.before
                ],
            )

    def keep_before(self, run: str, image: BeforeImage, at: str) -> None:
        values = (image.contact_id, run, _encoded(image.fields), image.written, at)
        self.database.write("INSERT INTO before_image VALUES (?, ?, ?, ?, ?)", *values)

    def before_images(self, run: str) -> Iterator[BeforeImage]:
        query = "SELECT contact_id, fields, written FROM before_image WHERE run = ? ORDER BY contact_id"
        for contact_id, fields, written in self.database.each(query, run):
            yield BeforeImage(contact_id, json.loads(fields), written)

    def answers(self) -> dict[str, str]:
        return dict(self.database.all("SELECT question, answer FROM answer"))

    def note_answer(self, question: str, answer: str, how: str) -> None:
        statement = "INSERT INTO answer VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET answer = ?2, at = ?3, how = ?4"
        self.database.write(statement, question, answer, stamp(datetime.now(UTC)), how)

    def forget(self, contact_id: str) -> int:
        return self.database.write("DELETE FROM before_image WHERE contact_id = ?", contact_id)

    def expire(self, now: datetime, undo_days: int) -> None:
        oldest = stamp(now - timedelta(days=undo_days))
        self.database.write("DELETE FROM before_image WHERE at <= ?", oldest)


def _encoded(values: object) -> str:
    return storable(json.dumps(values, ensure_ascii=False)) if values else ""
