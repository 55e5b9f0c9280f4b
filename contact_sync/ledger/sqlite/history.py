"""The runs of an account and the events of its contacts: what is kept when the rows of a run are gone."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path

from contact_sync.ledger.sqlite.columns import Unsent, storable
from contact_sync.ledger.sqlite.database import Database
from contact_sync.ledger.store import ReopenedRun
from contact_sync.model import Event, Layout, Outcome, OutputPaths, PastRun, Summary, Workload, stamp

TEXT_DAYS = 7
"""Days that the text of the last run's rows is kept, unless another run replaces it before."""

_CHANGED = (Outcome.UPDATED, Outcome.ALTERED, Outcome.REJECTED, Outcome.FAILED, Outcome.UNPROCESSED)

_COLUMNS = "contact_id, number, outcome, code, fields, sent, at"

_EVENTS = (
    "SELECT (SELECT value FROM meta WHERE key = 'rows') AS run, contact_id, number, outcome, code, fields,"
    " CASE WHEN attempts > 0 THEN (SELECT ifnull(group_concat(key), '') FROM json_each(contact)) ELSE '' END AS sent, at"
    " FROM main.row WHERE outcome NOT IN ('unchanged', 'duplicate', 'ready', 'unprocessed') AND contact_id <> ''"
)
"""The events of the last run's rows."""


class RunHistory:
    """The tables `run` and `history`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin_run(self, run: str, paths: OutputPaths, started: str, layout: Layout) -> None:
        """Register a run."""
        with self._database.transaction() as db:
            db.execute(
                "INSERT INTO run (id, source, started, layout, places, mode) VALUES (?, ?, ?, ?, ?, ?)",
                (run, storable(str(paths.source)), started, json.dumps(layout), paths.packed(), paths.mode),
            )

    def finish_run(self, summary: Summary, finished: str, unsent: Unsent | None) -> None:
        """Record the result of a run, and why its pending rows are not sent."""
        with self._database.transaction() as db:
            db.execute(
                "UPDATE run SET finished = ?, exit_code = ?, outcomes = ?, requests = requests + ?, retries = retries + ?,"
                " seconds = seconds + ?, rest = ? WHERE id = ?",
                (
                    finished,
                    summary.exit_code,
                    json.dumps(summary.outcomes),
                    summary.requests,
                    summary.retries,
                    summary.seconds,
                    unsent.column() if unsent else "",
                    summary.run,
                ),
            )

    def release(self, run: str) -> None:
        """Record that the rows of a run may be sent."""
        with self._database.transaction() as db:
            db.execute("UPDATE run SET released = 1 WHERE id = ?", (run,))

    # ---- the last run

    def last_run(self) -> str:
        """Return the id of the run whose rows are in the ledger; empty when there is none."""
        return next((run for (run,) in self._database.all("SELECT value FROM meta WHERE key = 'rows'")), "")

    def last_run_is_released(self) -> bool:
        """Return True when the rows of the last run may be sent."""
        return bool(self._database.number("SELECT released FROM run WHERE id = ?", self.last_run()))

    def read_last(self) -> tuple[ReopenedRun, Unsent]:
        """Return the last run, and why its pending rows were not sent."""
        query = "SELECT places, mode, layout, seconds, rest FROM run WHERE id = ?"
        ((paths, mode, layout, seconds, rest),) = self._database.all(query, self.last_run())
        return ReopenedRun(OutputPaths.unpacked(paths, mode), Layout(*json.loads(layout)), seconds), Unsent.of(rest)

    def note_move(self, source: Path, place: Path) -> None:
        """Record that the source of the last run has been moved to `place`, and its reports with it."""
        with self._database.transaction() as db:
            found = db.execute("SELECT places, mode FROM run WHERE id = ?", (self.last_run(),)).fetchone()
            if found and (were := OutputPaths.unpacked(*found)).source == source.absolute():
                db.execute("UPDATE run SET places = ? WHERE id = ?", (were.moved(place).packed(), self.last_run()))

    def archive_rows(self) -> None:
        """Replace the last run's rows by the events of their contacts."""
        with self._database.transaction() as db:
            db.execute(f"INSERT OR IGNORE INTO history (run, {_COLUMNS}) {_EVENTS}")
            db.execute("DELETE FROM block")
            db.execute("DELETE FROM row")
            db.execute("DELETE FROM meta WHERE key = 'rows'")

    # ---- all runs

    def runs(self, most: int) -> list[PastRun]:
        """Return the last runs, the latest first."""
        query = (
            "SELECT id, source, started, finished, exit_code, ifnull(outcomes, '{}'), requests, retries, seconds FROM run"
            " ORDER BY started DESC, id DESC LIMIT ?"
        )
        return [PastRun._make([*found[:5], json.loads(found[5]), *found[6:]]) for found in self._database.all(query, most)]

    def workloads(self, source: str, most: int) -> list[Workload]:
        """Return the last runs that were not stopped and whose source has this name except for its digits."""
        query = "SELECT source, outcomes FROM run WHERE exit_code IN (0, 3) ORDER BY started DESC, id DESC LIMIT 100"
        name = _without_digits(storable(source))
        outcomes = [json.loads(counts) for other, counts in self._database.all(query) if _without_digits(other) == name]
        return [Workload(sum(counts.values()), sum(counts.get(outcome, 0) for outcome in _CHANGED)) for counts in outcomes[:most]]

    def history(self, contact_id: str) -> list[Event]:
        """Return the events of a contact, the latest first."""
        query = (
            "SELECT run.id, run.started, run.source, number, outcome, code, fields, sent, at"  # noqa: S608 - fixed names
            f" FROM (SELECT run, {_COLUMNS} FROM history UNION {_EVENTS}) AS event JOIN run ON run.id = event.run"
            " WHERE contact_id = ? ORDER BY run.started DESC, run.id DESC, number"
        )
        return [Event(*values) for values in self._database.all(query, contact_id)]

    # ---- deletion

    def forget(self, contact_id: str) -> int:
        """Delete the archived events of a contact and return their number."""
        with self._database.transaction() as db:
            return db.execute("DELETE FROM history WHERE contact_id = ?", (contact_id,)).rowcount

    def expire(self, now: datetime, *, history_days: int | None = None) -> None:
        """Archive rows that are older than `TEXT_DAYS`; delete what is older than `history_days`, except the last run."""
        oldest = stamp(now - timedelta(days=TEXT_DAYS))
        if self._database.number("SELECT EXISTS (SELECT 1 FROM run WHERE id = ? AND started < ?)", self.last_run(), oldest):
            self.archive_rows()
        if history_days is not None:
            oldest = stamp(now - timedelta(days=history_days))
            with self._database.transaction() as db:
                db.execute("DELETE FROM history WHERE run IN (SELECT id FROM run WHERE started < ?)", (oldest,))
                db.execute("DELETE FROM run WHERE started < ? AND id <> ?", (oldest, self.last_run()))


def _without_digits(name: str) -> str:
    """Return the name of a source with its digits replaced: many exports have a date in their name."""
    return re.sub("[0-9]+", "#", name)
