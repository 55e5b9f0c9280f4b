"""The runs of an account and the events of its contacts: what is kept when the rows of a run are gone."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from contact_sync.i18n import _
from contact_sync.ledger.sqlite.database import Database
from contact_sync.ledger.sqlite.schema import storable
from contact_sync.model.fields import stamp
from contact_sync.model.report import Event, PastRun, Summary, Workload
from contact_sync.model.row import Outcome
from contact_sync.model.source import Layout, OutputPaths
from contact_sync.model.violation import Violation

_TEXT_DAYS = 7  # days that the text of the last run's rows is kept, unless another run replaces it before

_CHANGED = (Outcome.UPDATED, Outcome.ALTERED, Outcome.REJECTED, Outcome.FAILED, Outcome.UNPROCESSED)

_COLUMNS = "contact_id, number, outcome, code, fields, sent, at"

_EVENTS = (
    "SELECT (SELECT value FROM meta WHERE key = 'rows') AS run, contact_id, number, outcome, code, fields,"
    " CASE WHEN attempts > 0 THEN (SELECT ifnull(group_concat(key), '') FROM json_each(contact)) ELSE '' END AS sent, at"
    " FROM main.row WHERE outcome NOT IN ('unchanged', 'duplicate', 'ready', 'unprocessed')"
)
"""The events of the last run's rows."""


class Unsent(NamedTuple):
    """The reason why pending rows are read as `unprocessed`; with `ready` it applies to `ready` rows, too."""

    violation: Violation
    ready: bool


class RunRecord(NamedTuple):
    """A run, without what only its rows need."""

    id: str
    source: str
    place: str
    started: str
    as_of: int
    finished: str | None
    exit_code: int | None
    outcomes: str  # a JSON object
    requests: int
    retries: int
    seconds: float
    reason: str


@dataclass
class RunHistory:
    """The tables `run` and `history`."""

    database: Database

    def begin_run(self, run: str, paths: OutputPaths, started: str, layout: Layout, as_of: int) -> None:
        statement = "INSERT OR IGNORE INTO run (id, source, started, layout, places, mode, as_of) VALUES (?, ?, ?, ?, ?, ?, ?)"
        source = storable(str(paths.source))
        self.database.write(statement, run, source, started, json.dumps(layout), paths.packed(), paths.mode, as_of)

    def finish_run(self, summary: Summary, finished: str, unsent: Unsent | None) -> None:
        outcomes = json.dumps(summary.outcomes)
        rest = json.dumps([unsent.violation.code, unsent.violation.detail, unsent.ready]) if unsent else ""
        self.database.write(
            "UPDATE run SET finished = ?, exit_code = ?, outcomes = ?, rest = ?,"
            " requests = requests + ?, retries = retries + ?, seconds = round(seconds + ?, 1) WHERE id = ?",
            *(finished, summary.exit_code, outcomes, rest),
            *(summary.requests, summary.retries, summary.seconds, summary.run),
        )

    def release(self, run: str) -> None:
        self.database.write("UPDATE run SET released = 1 WHERE id = ?", run)

    def last_run(self) -> str:
        return next((run for (run,) in self.database.all("SELECT value FROM meta WHERE key = 'rows'")), "")

    def last_run_is_released(self) -> bool:
        return bool(self.database.number("SELECT released FROM run WHERE id = ?", self.last_run()))

    def read_last(self) -> tuple[tuple[OutputPaths, Layout, float], Unsent, int]:
        """Return paths, layout and seconds of the last run, why its pending rows were not sent, and the time of its values."""
        query = "SELECT places, mode, layout, seconds, rest, as_of FROM run WHERE id = ?"
        ((paths, mode, layout, seconds, rest, as_of),) = self.database.all(query, self.last_run())
        # A run that was killed wrote no reason.
        code, detail, ready = json.loads(rest) if rest else ("stopped", {"reason": _("It was interrupted.")}, False)
        run = (OutputPaths.unpacked(paths, mode), Layout(*json.loads(layout)), seconds)
        return run, Unsent(Violation(code, detail=detail), ready), as_of

    def checks(self) -> tuple[list[str], list[str]]:
        noted = self.database.all("SELECT value FROM meta WHERE key = 'checks'")
        warnings, checks = json.loads(noted[0][0]) if noted else ([], [])
        return warnings, checks

    def last_source_of(self, report: Path) -> Path | None:
        query = "SELECT places, mode FROM run ORDER BY started DESC, id DESC LIMIT 100"
        found = (OutputPaths.unpacked(*each) for each in self.database.all(query))
        return next((paths.source for paths in found if paths.reports.get("report") == report.absolute()), None)

    def note_move(self, source: Path, place: Path) -> None:
        with self.database.transaction():
            for paths, mode in self.database.all("SELECT places, mode FROM run WHERE id = ?", self.last_run()):
                before = OutputPaths.unpacked(paths, mode)
                if before.source == source.absolute():
                    statement = "UPDATE run SET places = ? WHERE id = ?"
                    self.database.write(statement, before.moved(place).packed(), self.last_run())

    def archive_rows(self) -> None:
        """Replace the last run's rows by the events of their contacts."""
        with self.database.transaction() as db:
            db.execute(f"INSERT OR IGNORE INTO history (run, {_COLUMNS}) {_EVENTS}")
            db.execute("DELETE FROM block")
            db.execute("DELETE FROM row")
            db.execute("DELETE FROM meta WHERE key IN ('rows', 'checks')")

    def events_of_last_run(self) -> list[tuple[object, ...]]:
        """Return the events of the last run's rows: the run, then the columns of the table `history`."""
        return self.database.all(_EVENTS)

    def records(self) -> list[RunRecord]:
        """Return the records of all runs, as another engine can take them over."""
        query = (
            "SELECT id, source, places, started, as_of, finished, exit_code, ifnull(outcomes, '{}'), requests, retries, seconds,"
            " rest FROM run"
        )
        return [
            RunRecord._make([run, source, storable(str(OutputPaths.unpacked(places, 0).source)), *columns, reason_of(rest)])
            for run, source, places, *columns, rest in self.database.all(query)
        ]

    def add(self, records: Sequence[RunRecord]) -> None:
        """Add the records of runs; their rows are not kept any more."""
        with self.database.transaction() as db:
            db.executemany(
                "INSERT INTO run (id, source, places, started, as_of, finished, exit_code, outcomes, requests, retries, seconds,"
                " rest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(*each[:2], OutputPaths(Path(each.place), {}).packed(), *each[3:-1], _rest_of(each.reason)) for each in records],
            )

    def runs(self, most: int) -> list[PastRun]:
        query = (
            "SELECT id, source, started, finished, exit_code, ifnull(outcomes, '{}'), requests, retries, seconds,"
            " places, mode, rest FROM run ORDER BY started DESC, id DESC LIMIT ?"
        )
        return [
            PastRun._make(
                [*run[:5], json.loads(run[5]), *run[6:9], OutputPaths.unpacked(*run[9:11]).source, reason_of(run[11]), ""]
            )
            for run in self.database.all(query, most)
        ]

    def _completed(self, source: str) -> list[tuple[str, dict[str, int]]]:
        """Return id and outcomes of the complete runs of a source, or of one with another date in its name, the latest first."""
        query = "SELECT id, source, outcomes FROM run WHERE exit_code IN (0, 3) ORDER BY started DESC, id DESC LIMIT 100"
        name = _without_digits(storable(source))
        return [(run, json.loads(counts)) for run, other, counts in self.database.all(query) if _without_digits(other) == name]

    def run_before(self, run: str) -> str:
        """Return the id of the last complete run of the same source before `run`; empty where there is none."""
        sources = self.database.all("SELECT source FROM run WHERE id = ?", run)
        return next((other for (source,) in sources for other, _ in self._completed(source) if other < run), "")

    def workloads(self, source: str, most: int) -> list[Workload]:
        outcomes = [counts for _, counts in self._completed(source)]
        return [Workload(sum(counts.values()), sum(counts.get(outcome, 0) for outcome in _CHANGED)) for counts in outcomes[:most]]

    def history(self, contact_id: str) -> list[Event]:
        query = (
            "SELECT run.id, run.started, run.source, number, outcome, code, fields, sent, at"  # noqa: S608 - fixed names
            f" FROM (SELECT run, {_COLUMNS} FROM history UNION {_EVENTS}) AS event JOIN run ON run.id = event.run"
            " WHERE contact_id = ? ORDER BY run.started DESC, run.id DESC, number"
        )
        return [Event(*values) for values in self.database.all(query, contact_id)]

    def forget(self, contact_id: str) -> int:
        return self.database.write("DELETE FROM history WHERE contact_id = ?", contact_id)

    def expire(self, now: datetime, *, history_days: int | None = None) -> None:
        oldest = stamp(now - timedelta(days=_TEXT_DAYS))
        if self.database.number("SELECT EXISTS (SELECT 1 FROM run WHERE id = ? AND started < ?)", self.last_run(), oldest):
            self.archive_rows()
        if history_days is not None:
            oldest = stamp(now - timedelta(days=history_days))
            with self.database.transaction() as db:
                db.execute("DELETE FROM history WHERE run IN (SELECT id FROM run WHERE started < ?)", (oldest,))
                db.execute("DELETE FROM run WHERE started < ? AND id <> ?", (oldest, self.last_run()))


def _rest_of(reason: str) -> str:
    return json.dumps(["stopped", {"reason": reason}, False]) if reason else ""


def reason_of(rest: str) -> str:
    """Return why a run ended early, from its column `rest`; empty for one that did not."""
    return json.loads(rest)[1].get("reason", "") if rest else ""


def _without_digits(name: str) -> str:
    """Return the name of a source with its digits replaced: many exports have a date in their name."""
    return re.sub("[0-9]+", "#", name)
