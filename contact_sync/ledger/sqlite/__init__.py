"""The ledger in one SQLite file for each account, and the statements that other engines share.

It imports what `contact_sync.ledger` may.

`database` is the file, `schema` its tables; each of the other modules implements a part of the interface.
"""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Self

from contact_sync.ledger.digests import Fingerprints
from contact_sync.ledger.shared import Tables
from contact_sync.ledger.sqlite.confirmed import ConfirmedState
from contact_sync.ledger.sqlite.database import Database
from contact_sync.ledger.sqlite.forgotten import Forgotten
from contact_sync.ledger.sqlite.history import RunHistory, Unsent
from contact_sync.ledger.sqlite.in_place import InPlaceLists
from contact_sync.ledger.sqlite.live import LiveRecords
from contact_sync.ledger.sqlite.outbox import RunOutbox
from contact_sync.ledger.sqlite.plans import Plans
from contact_sync.ledger.sqlite.reader import RunReader
from contact_sync.ledger.sqlite.records import Records
from contact_sync.ledger.sqlite.schema import Wording
from contact_sync.ledger.sqlite.writer import RunWriter
from contact_sync.ledger.store import PlanStore
from contact_sync.model.fields import FIELDS, MOST_UNDO_DAYS
from contact_sync.model.pace import SlotStore
from contact_sync.model.report import Summary
from contact_sync.model.source import Layout, OutputPaths
from contact_sync.model.violation import Violation


class SqliteLedger:
    """A `Ledger` in the file `path`, or in a temporary one when `path` is None; `fields` names a payload's values.

    `sleep` is called while another program has the file locked, and may raise; None does not wait.
    """

    def __init__(
        self,
        path: Path | None,
        fingerprints: Fingerprints,
        account: str = "",
        *,
        fields: Sequence[str] = FIELDS,
        read_only: bool = False,
        sleep: Callable[[float], object] | None = time.sleep,
    ) -> None:
        self.database = database = Database(path, account, read_only=read_only, sleep=sleep)
        shared = self._open_shared()
        self.shared: Tables = shared
        self._history = self.run_history = history = self._open_history()
        self.records = Records(shared)
        self._forgotten = forgotten = Forgotten(shared, fingerprints)
        in_place = InPlaceLists(shared, database, fields)
        self._confirmed = confirmed = self._confirmed_kind(shared, fingerprints, fields, in_place, forgotten, account)
        self._wording = wording = Wording()
        self._writer = writer = RunWriter(database, history, fields, wording)
        self._live = live = LiveRecords(database, shared, history)
        self._outbox = outbox = RunOutbox(database, confirmed, live, wording)
        self._plans = plans = Plans(database, fingerprints, account)
        self._reader = reader = RunReader(database, outbox)

        self.plans: PlanStore = plans
        self.slots: SlotStore | None = None
        self.warnings = [] if read_only else database.warnings
        self.staging, self.stage, self.contact_ids = writer.staging, writer.stage, writer.contact_ids
        self.flag_invalid, self.settle, self.note_checks = writer.flag_invalid, writer.settle, writer.note_checks
        self.forgotten = forgotten.among
        self.compare, self.note_in_place = confirmed.compare, confirmed.note_in_place
        self.has_newer, self.overtaken, self.source_of = confirmed.has_newer, confirmed.overtaken, confirmed.source_of
        self.pending, self.claim, self.record, self.flush = outbox.pending, outbox.claim, outbox.record, outbox.flush
        self.only_known_failures = outbox.only_known_failures
        self.defer_failed, self.last_pending, self.updated = outbox.defer_failed, outbox.last_pending, outbox.updated
        self.hold, self.let_go = confirmed.hold, confirmed.let_go
        self.cells_size, self.check_room = outbox.cells_size, outbox.check_room
        self.count, self.clears, self.attempts = reader.count, reader.clears, reader.attempts
        self.report_unsent_as, self.outcomes = reader.report_unsent_as, reader.outcomes
        self.repeats = reader.repeats
        self.causes, self.batches = reader.causes, reader.batches
        self.last_run, self.runs, self.workloads = history.last_run, history.runs, history.workloads
        self.last_source_of = history.last_source_of
        self.history, self.note_move, self.checks = history.history, history.note_move, history.checks
        self.answers, self.note_answer, self.before_images = live.answers, live.note_answer, live.before_images
        self.trials, self.begin_trial, self.end_trial = live.trials, live.begin_trial, live.end_trial
        self.note_live, self.was_live = live.note_live, live.was_live
        self.keep_before, self.values_before, self.successors = live.keep_before, live.values_before, live.successors

    _confirmed_kind: type[ConfirmedState] = ConfirmedState

    def _open_shared(self) -> Tables:
        """Return where that is kept which all hosts share: here in the file, too."""
        return self.database

    def _open_history(self) -> RunHistory:
        return RunHistory(self.database)

    def exclude_others(self) -> None:
        """Keep other hosts from using the ledger until it is closed. Raises BusyError while one does."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()

    def begin_run(self, run: str, paths: OutputPaths, started: str, layout: Layout, *, keep: bool, as_of: int = 0) -> None:
        self._wording.columns = layout.columns_of_fields
        self._writer.begin_run(run, paths, started, layout, keep=keep, as_of=as_of)
        self._confirmed.begin(as_of)
        self._outbox.unwritten, self._outbox.resumed = [], False
        self._reader.unsent = None
        self._reader.before = self._history.run_before(run) if keep else ""

    def distrust(self, warning: str, *, durably: bool) -> None:
        if self._confirmed.distrust(durably=durably):
            self.warnings.append(warning)
            if durably:
                self.database.warn(warning)

    def release(self, run: str) -> None:
        with self.database.transaction(), self.shared.transaction():
            self.database.forget_warnings()
            self._confirmed.in_place.write()
            self._history.release(run)

    def note_refusal(self, summary: Summary, started: str) -> None:
        self._history.begin_run(summary.run, OutputPaths(summary.source, {}), started, Layout([], [], {}, ";"), 0)
        self._reader.unsent = Unsent(Violation("stopped", detail={"reason": " ".join(summary.reasons)}), ready=False)

    def finish_run(self, summary: Summary, finished: str) -> None:
        self._history.finish_run(summary, finished, self._reader.unsent)

    def reopen_last(self) -> tuple[OutputPaths, Layout, float]:
        run, self._reader.unsent, self._confirmed.as_of = self._history.read_last()
        self._wording.columns = run[1].columns_of_fields
        self._reader.before = self._history.run_before(self._history.last_run())
        return run

    def resume_last(self) -> bool:
        if not self._history.last_run_is_released():
            return False
        self.database.forget_warnings()
        self._reader.unsent = None
        self._outbox.resumed = True
        return True

    def expire(self, now: datetime, *, history_days: int | None = None, undo_days: int = MOST_UNDO_DAYS) -> None:
        self._history.expire(now, history_days=history_days)
        self._live.expire(now, undo_days, history_days)
        self._plans.expire(now)

    def forget(self, contact_id: str, normalise: Callable[[str], str]) -> int:
        with self.database.transaction(), self.shared.transaction():
            found = self._confirmed.forget(contact_id) + self._history.forget(contact_id)
            self._forgotten.add(contact_id)
            found += self._writer.forget(contact_id, normalise) + self._live.forget(contact_id) + self._plans.forget(contact_id)
        self.database.checkpoint()  # else the erased text is still in the write-ahead log
        return found
