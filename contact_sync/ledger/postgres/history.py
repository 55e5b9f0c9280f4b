"""The runs of all hosts, and the events of their contacts: each host publishes those of its own runs."""

import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from contact_sync.ledger.postgres.database import PostgresDatabase
from contact_sync.ledger.sqlite.history import RunHistory, RunRecord, Unsent, reason_of
from contact_sync.ledger.sqlite.schema import storable
from contact_sync.model.fields import stamp
from contact_sync.model.report import Event, PastRun, Summary
from contact_sync.model.source import Layout, OutputPaths

_RUN = "id, source, started, finished, exit_code, outcomes, requests, retries, seconds, place, reason"
_RECORD = "id, source, place, started, as_of, finished, exit_code, outcomes, requests, retries, seconds, reason"
_EVENT = "contact_id, number, outcome, code, fields, sent, at"


@dataclass
class SharedHistory(RunHistory):
    """The tables `run` and `history` of this host, and those that all hosts share."""

    shared: PostgresDatabase

    def begin_run(self, run: str, paths: OutputPaths, started: str, layout: Layout, as_of: int) -> None:
        super().begin_run(run, paths, started, layout, as_of)
        source, place = storable(str(paths.source)), storable(str(OutputPaths.unpacked(paths.packed(), paths.mode).source))
        statement = (
            "INSERT INTO run (id, host, source, place, started, as_of) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
        )
        self.shared.write(statement, run, socket.gethostname(), source, place, started, as_of)

    def finish_run(self, summary: Summary, finished: str, unsent: Unsent | None) -> None:
        super().finish_run(summary, finished, unsent)
        self._publish(summary.run)

    def archive_rows(self) -> None:
        self._publish(self.last_run())  # of a run that was killed, or whose end could not be published
        super().archive_rows()

    def _publish(self, run: str) -> None:
        """Write a run, and the events of the last one, where all hosts see them; what is there already is replaced."""
        query = "SELECT finished, exit_code, ifnull(outcomes, '{}'), requests, retries, seconds, rest FROM run WHERE id = ?"
        with self.shared.transaction() as db:
            for *columns, rest in self.database.all(query, run):
                db.execute(
                    "UPDATE run SET finished = ?, exit_code = ?, outcomes = ?, requests = ?, retries = ?, seconds = ?, reason = ?"
                    " WHERE id = ?",
                    (*columns, reason_of(rest), run),
                )
            db.executemany(
                f"INSERT INTO history (run, {_EVENT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - fixed names
                " ON CONFLICT (run, number) DO UPDATE SET outcome = excluded.outcome, code = excluded.code,"
                " fields = excluded.fields, sent = excluded.sent, at = excluded.at",
                self.events_of_last_run(),
            )

    def note_move(self, source: Path, place: Path) -> None:
        super().note_move(source, place)
        statement = "UPDATE run SET place = ? WHERE id = ? AND place = ?"
        self.shared.write(statement, storable(str(place.absolute())), self.last_run(), storable(str(source.absolute())))

    def records(self) -> list[RunRecord]:
        return [RunRecord._make(each) for each in self.shared.all(f"SELECT {_RECORD} FROM run")]  # noqa: S608 - fixed names

    def add(self, records: Sequence[RunRecord]) -> None:
        super().add([each for each in records if each.id not in self._ids()])
        with self.shared.transaction() as db:
            db.executemany(
                f"INSERT INTO run (host, {_RECORD}) VALUES ('', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - fixed names
                records,
            )

    def _ids(self) -> set[str]:
        return {run for (run,) in self.database.all("SELECT id FROM run")}

    def runs(self, most: int) -> list[PastRun]:
        query = f"SELECT {_RUN} FROM run ORDER BY started DESC, id DESC LIMIT ?"  # noqa: S608 - fixed names
        return [
            PastRun._make([*columns[:5], json.loads(columns[5]), *columns[6:9], Path(columns[9]), columns[10], ""])
            for columns in self.shared.all(query, most)
        ]

    def history(self, contact_id: str) -> list[Event]:
        query = (
            "SELECT run.id, run.started, run.source, number, outcome, code, fields, sent, at"
            " FROM history JOIN run ON run.id = history.run WHERE contact_id = ?"
        )
        found = {(event.run, event.number): event for event in (Event(*each) for each in self.shared.all(query, contact_id))}
        found |= {(event.run, event.number): event for event in super().history(contact_id)}  # of a run in progress
        return sorted(found.values(), key=lambda event: (event.started, event.run, -event.number), reverse=True)

    def forget(self, contact_id: str) -> int:
        here = super().forget(contact_id)
        return max(here, self.shared.write("DELETE FROM history WHERE contact_id = ?", contact_id))

    def expire(self, now: datetime, *, history_days: int | None = None) -> None:
        super().expire(now, history_days=history_days)
        if history_days is not None:
            oldest = stamp(now - timedelta(days=history_days))
            with self.shared.transaction() as db:
                db.execute("DELETE FROM history WHERE run IN (SELECT id FROM run WHERE started < ?)", (oldest,))
                db.execute("DELETE FROM run WHERE started < ? AND id <> ?", (oldest, self.last_run()))
