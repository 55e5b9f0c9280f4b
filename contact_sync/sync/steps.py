"""The steps of a run, which fill in its summary: stage, pass the guards, send, conclude, report, finish."""

import gc
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from contact_sync.errors import ATTENTION_CODE, PRECEDENCE, ContactSyncError, SourceError, StorageError
from contact_sync.events import log_event
from contact_sync.files.atomic import AtomicFile
from contact_sync.i18n import _, ngettext
from contact_sync.ledger.store import Ledger
from contact_sync.model.fields import stamp
from contact_sync.model.pace import Watcher
from contact_sync.model.report import Batch, Summary, Workload
from contact_sync.model.row import ATTENTION, Outcome
from contact_sync.model.source import Layout, Original, Source
from contact_sync.model.violation import Violation
from contact_sync.report import formats
from contact_sync.report.formats import ReportContext
from contact_sync.rules.anomalies import COMPARED, deviations
from contact_sync.rules.columns import Policy, Validator
from contact_sync.settings import Settings
from contact_sync.sync.base import Bases
from contact_sync.sync.guards import guard
from contact_sync.sync.outputs import Drafts
from contact_sync.sync.shutdown import Shutdown
from contact_sync.sync.stage import StageResult, stage

_REPORT_BYTES = 150  # of a line of the report, without the source's cells

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of one run, which fill in its summary; `begun` is a moment of the monotonic clock."""

    settings: Settings
    watcher: Watcher
    shutdown: Shutdown
    begun: float
    ledger: Ledger
    summary: Summary

    def stage(self, source: Source, policy: Policy, bases: Bases | None, *, pending: bool) -> StageResult:
        """Validate every row of `source` and write it into the ledger, or leave the last run's rows there where that fails."""
        self.summary.identity = source.identity
        with self.ledger.staging(), _gc_paused():
            return self._stage(source, policy, bases, pending=pending)

    def _stage(self, source: Source, policy: Policy, bases: Bases | None, *, pending: bool) -> StageResult:
        settings, ledger, summary = self.settings, self.ledger, self.summary
        if settings.source.blank == "clear" and not source.blanks_certain:
            raise SourceError(
                "{name}: an empty cell may be a formula that was never calculated, so --blank clear would not be safe: open "
                "the file in Excel and save it as .xlsx.",
                name=source.path.name,
            )
        validator = Validator(source.mapping, policy)
        staged = stage(source, validator, ledger, settings, bases=bases, pending=pending, tick=self._note_loaded)
        summary.rows = staged.rows
        invalid = staged.invalid + staged.nothing_to_send + len(staged.hidden)
        log_event("source.loaded", rows=staged.rows, to_send=staged.to_send, invalid=invalid, fields=",".join(source.mapping))
        if summary.rows == 0 and not settings.source.allow_empty:
            raise SourceError("{path} has no data row: check the export, or allow it with --allow-empty.", path=source.path)
        changed = 0 if settings.send.resend else staged.to_send
        source.warnings += deviations(ledger.workloads(str(settings.source.path), COMPARED), Workload(summary.rows, changed))
        if staged.superseded:
            source.warnings.append(
                ngettext(
                    "{count} row was overtaken by a newer file and is not sent: see the report.",
                    "{count} rows were overtaken by a newer file and are not sent: see the report.",
                    staged.superseded,
                )
            )
        if bases and bases.partly_stale:
            source.warnings.append(
                ngettext(
                    "In {count} row a cell has a value from before another one was sent: only the other edited cells are sent.",
                    "In {count} rows a cell has a value from before another one was sent: only the other edited cells are sent.",
                    bases.partly_stale,
                )
            )
        ledger.note_checks(source.warnings, staged.checks)
        summary.warnings = source.warnings = [*ledger.warnings, *source.warnings]
        summary.checks = [*staged.checks]
        summary.findings, columns = source.findings, source.layout.columns_of_fields
        summary.notes = [
            ngettext(
                "{place}: {what} in {count} cell.",
                "{place}: {what} in {count} cells.",
                count,
                place=columns[field].place,
                what=what,
            )
            for (field, what), count in ({} if bases else validator.notes).items()  # of edited cells it is not known
        ]
        return staged

    def _note_loaded(self, rows: int) -> None:
        """Count rows that were loaded; a signal ends the loading of a large source, of which nothing is kept or sent."""
        if self.shutdown.reasons:
            raise self.shutdown.reasons[0]
        self.watcher.loaded(rows)

    def pass_guards(self, staged: StageResult) -> bool:
        """Return True when no guard refuses the source; else request a shutdown, after which no row is sent."""
        refusals = list(guard(self.settings.guards, staged))
        for reason in refusals:
            self.shutdown.request(reason)
        return not refusals

    def reserve(self, report: AtomicFile) -> None:
        """Request a shutdown when the disk has no room for the results of the rows to send and for the report of all rows."""
        try:
            if not self.shutdown.reasons and (pending := self.ledger.pending()):
                report.reserve(self.ledger.cells_size() + _REPORT_BYTES * self.summary.rows)
                self.ledger.check_room(pending)
        except ContactSyncError as reason:
            self.shutdown.request(reason)

    def conclude(self) -> None:
        """Give every row that was not sent its reason, and count the outcomes."""
        reasons = self.shutdown.reasons
        if self.settings.send.limit and not reasons:
            unsent = Violation("limit", detail={"limit": str(self.settings.send.limit)})
        else:
            unsent = Violation("stopped", detail={"reason": str(reasons[0]) if reasons else ""})
        self.ledger.report_unsent_as(unsent, ready=any(isinstance(reason, SourceError) for reason in reasons))
        self.count()
        self.summary.seconds = max(0.1, round(time.monotonic() - self.begun, 1))  # 0 is a run that was killed

    def count(self) -> None:
        """Take the outcomes, their causes and the number of requests from the ledger."""
        self.summary.outcomes = self.ledger.outcomes()
        self.summary.repeats = self.ledger.repeats()
        self.summary.causes = self.ledger.causes()
        self.summary.requests, self.summary.retries = self.ledger.attempts()

    def report(self, reports: Drafts, layout: Layout, original: Original | None = None) -> None:
        """Write every report, and check the count: rows read = rows accounted for = rows of each report."""
        summary = self.summary
        summary.warnings = [*summary.warnings, *reports.warnings]
        context = ReportContext(summary, layout, original, masked=not self.settings.report.show_phones)
        for name, draft in reports.by_format.items():
            lines = self._write(name, draft, context)
            accounted = sum(summary.outcomes.values())
            if {accounted, accounted if lines is None else lines} != {summary.rows}:
                bug = ContactSyncError(
                    "A bug in contact-sync lost count: {rows} rows were read, {lines} reported and {accounted} accounted for.",
                    rows=summary.rows,
                    lines=lines,
                    accounted=accounted,
                )
                self.shutdown.request(bug)
            self._set_exit_code()

    def _write(self, name: str, draft: AtomicFile, context: ReportContext) -> int | None:
        """Write one report; return the number of its rows, or None where it could not be written."""
        rows, base = 0, context.layout.base_position

        def counted() -> Iterator[Batch]:
            nonlocal rows
            for batch in self.ledger.batches():
                rows += len(batch.numbers)
                yield batch if base is None else batch.with_fresh_bases(base)

        try:
            with _gc_paused():
                self.summary.notes += formats.write(name, draft, counted(), context)
        except StorageError as reason:
            self.shutdown.request(reason)
        except Exception as bug:  # must not keep the other reports from being written: the rows are sent
            log.exception("while writing %s", draft.path)
            kind = type(bug).__name__
            error = ContactSyncError(
                "A bug in contact-sync stopped the writing of {path} ({bug}): report it.", path=draft.path, bug=kind
            )
            self.shutdown.request(error)
        else:
            if draft.path != draft.requested:
                sentence = _("{path} could not be replaced; the report is {place}.", path=draft.requested, place=draft.path)
                self.summary.warnings = [*self.summary.warnings, sentence]
            if name == "report":
                self.summary.report = draft.path
            else:
                self.summary.outputs[name] = draft.path
            return rows
        if name == "report":
            self.summary.report = None
        return None

    @contextmanager
    def noted(self, started: datetime) -> Iterator[None]:
        """Note in the ledger a run that an error ends before it has a report; the rows of the last run stay there."""
        try:
            yield
        except ContactSyncError as error:
            error.end_run(self.summary)
            if not self.settings.dry_run:
                with suppress(ContactSyncError):  # the error may be one of the ledger
                    self.ledger.note_refusal(self.summary, stamp(started))
                    self.finish()
            raise

    def finish(self) -> None:
        """Note in the ledger that the run has ended; a dry run is not noted."""
        if not self.settings.dry_run:
            try:
                self.ledger.finish_run(self.summary, stamp(datetime.now(UTC)))
            except ContactSyncError as reason:
                self.shutdown.request(reason)
                self._set_exit_code()

    def _set_exit_code(self) -> None:
        """Set the exit code and the reasons of the shutdown."""
        self.summary.exit_code = exit_code(self.shutdown.reasons, self.summary.outcomes)
        self.summary.reasons = [str(reason) for reason in self.shutdown.reasons]


@contextmanager
def _gc_paused() -> Iterator[None]:
    """Pause the garbage collector: rows make no cycles, and the search for them took a third of the time (100,000 rows)."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def exit_code(reasons: list[ContactSyncError], outcomes: dict[str, int]) -> int:
    """Return the exit code of a run by why it was shut down and by the outcomes of its rows."""
    codes = {reason.exit_code for reason in reasons}
    if {*ATTENTION, Outcome.FAILED} & outcomes.keys():
        codes.add(ATTENTION_CODE)
    return min(codes, key=PRECEDENCE.index, default=0)
