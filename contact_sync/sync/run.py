"""One run, from the source to the report: load, validate, stage, send, record, report, in this order and one direction."""

import gc
import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from contact_sync.errors import PRECEDENCE, ConfigError, ContactSyncError, SourceError, StorageError
from contact_sync.i18n import _, ngettext
from contact_sync.ledger import Ledger
from contact_sync.ledger.state_dir import open_existing_ledger, open_ledger, open_temporary_ledger
from contact_sync.model import (
    ATTENTION,
    Layout,
    Original,
    Outcome,
    OutputPaths,
    Source,
    Summary,
    Violation,
    Watcher,
    Workload,
    stamp,
)
from contact_sync.report import csv
from contact_sync.rules.anomalies import COMPARED, deviations
from contact_sync.rules.columns import Policy, Validator
from contact_sync.settings import Settings
from contact_sync.source import SourceOptions, open_source
from contact_sync.sync.guards import guard
from contact_sync.sync.outputs import Drafts, drafts, former_output_paths, output_paths
from contact_sync.sync.shutdown import Shutdown, handle_signals
from contact_sync.sync.stage import StageResult, stage

if TYPE_CHECKING:
    from contact_sync.sync.send import Sender

_PARTIAL = 3

log = logging.getLogger(__name__)


def run(settings: Settings, watcher: Watcher) -> Summary:
    """Do the whole job and say what came of it.

    Raises a ContactSyncError where there is nothing to report on: a refused source (SourceError), a lock that is held
    (BusyError), a ledger or report that cannot be opened (StorageError), a proxy that cannot be used or a region that is none
    (ConfigError).
    """
    started = datetime.now(UTC)
    run = _Run(settings, watcher)
    policy = Policy(blank=settings.blank, region=settings.region, today=started.astimezone().date())
    summary = Summary(
        f"{started:%Y%m%dT%H%M%SZ}-{started.microsecond:05x}{secrets.token_hex(1)}", settings.source, settings.report
    )
    sender = run.sender() if settings.send else None
    opened = open_ledger(settings) if settings.remember and not settings.sandbox else open_temporary_ledger()
    with handle_signals(run.shutdown), opened as ledger:
        keep = settings.send  # a rehearsal leaves the last run's rows where they are
        if keep:
            ledger.expire(started, history_days=settings.keep_days)
        with _opened(settings, run.shutdown) as source:
            summary.identity = source.identity
            paths = output_paths(settings, source)
            with drafts(paths) as reports:
                ledger.begin_run(summary.run, paths, stamp(started), source.layout, keep=keep)
                try:
                    with ledger.staging():
                        staged = run.stage(source, policy, ledger, summary)
                except ContactSyncError as refused:
                    summary.exit_code = refused.exit_code
                    if keep:
                        run.finish(ledger, summary)
                    raise
                refusals = guard(settings, staged)
                for reason in refusals:
                    run.shutdown.request(reason)
                if sender and not refusals:
                    ledger.release(summary.run)
                    if not run.shutdown.reasons:
                        summary.notes += sender.send(ledger, reports.csv, summary.rows, watcher)
                run.conclude(ledger, summary)
                run.report(ledger, summary, reports, source.layout, source.original)
        if keep:
            run.finish(ledger, summary)
    return summary


def retry(settings: Settings, watcher: Watcher) -> Summary:
    """Take up the last run again: send its rows that failed or did not have their turn, and write its whole report anew.

    Of `settings` what has to do with the file does not count. Raises what `run` does, and ConfigError when there is nothing to
    take up.
    """
    run = _Run(settings, watcher)
    sender = run.sender()
    with handle_signals(run.shutdown), open_existing_ledger(settings, exact=True) as ledger:
        summary, layout, paths = _last(ledger, settings)
        with drafts(paths) as reports:
            before = ledger.attempts()
            if not ledger.resume_last():
                raise ConfigError(_("The last run ended before anything was sent: run the file again."))
            summary.notes += sender.send(ledger, reports.csv, summary.rows, watcher)
            run.conclude(ledger, summary)
            summary.requests, summary.retries = (now - then for now, then in zip(ledger.attempts(), before, strict=True))
            run.report(ledger, summary, reports, layout)
        run.finish(ledger, summary)
    return summary


def rewrite(settings: Settings, watcher: Watcher) -> Summary:
    """Write the last run's report once more. Raises ConfigError when its rows are not kept any more, StorageError."""
    run = _Run(settings, watcher)
    with open_existing_ledger(settings) as ledger:
        summary, layout, paths = _last(ledger, settings)
        with drafts(paths) as reports:
            _count(ledger, summary)
            run.report(ledger, summary, reports, layout)
    summary.exit_code = _exit_code(run.shutdown.reasons, {})
    return summary


def _last(ledger: Ledger, settings: Settings) -> tuple[Summary, Layout, OutputPaths]:
    """The last run as it was left, and where its reports go; it must be the one asked for, if one is."""
    last = ledger.last_run()
    if not last:
        raise ConfigError(_("There is no run whose rows are still kept: run the file again."))
    if settings.run not in {"", last}:
        raise ConfigError(_("Only the rows of the last run, {run}, are still kept.", run=last))
    were, layout, seconds = ledger.reopen_last()
    paths = former_output_paths(settings, were)
    rows = sum(ledger.outcomes().values())
    summary = Summary(last, were.source, paths.report, rows=rows, seconds=seconds, letters=layout.letters_of_fields)
    return summary, layout, paths


@contextmanager
def _uncollected() -> Iterator[None]:
    """Spare the garbage collector: rows make no cycles, and looking for them took a third of the time (100,000 rows)."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _opened(settings: Settings, shutdown: Shutdown) -> Iterator[Source]:
    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        if shutdown.reasons:  # while the source was watched
            raise shutdown.reasons[0]

    options = SourceOptions(settings.sheet, settings.encoding, settings.delimiter, settings.hidden, settings.renames)
    try:
        with open_source(settings.source, options, sleep=sleep) as source:
            yield source
    except SourceError as refused:
        with suppress(OSError):  # it is out of reach, or its name too long
            if settings.report.exists():
                sentence = _("{refused} (The report {path} is from an earlier run.)", refused=refused, path=settings.report)
                raise type(refused)(sentence) from refused
        raise


class _Run:
    """A run under way: what it was told, when it began, and whether it is to stop."""

    def __init__(self, settings: Settings, watcher: Watcher) -> None:
        self._settings = settings
        self._watcher = watcher
        self._begun = time.monotonic()
        self.shutdown = Shutdown()

    def sender(self) -> "Sender":
        """Make ready what sends; raises ConfigError where a proxy or the certificates of this machine are no good."""
        # Imported when it is needed: a check of a small file takes half the time without aiohttp and httpx.
        from contact_sync.sync.send import Sender  # noqa: PLC0415

        return Sender(self._settings, self.shutdown, self._begun)

    def stage(self, source: Source, policy: Policy, ledger: Ledger, summary: Summary) -> StageResult:
        """Validate every row of `source` and write it into the ledger."""
        settings = self._settings
        if settings.blank == "clear" and not source.blanks_certain:
            raise SourceError(
                _(
                    "{name}: an empty cell may be a formula that was never calculated, so --blank clear would not be safe: open "
                    "the file in Excel and save it as .xlsx.",
                    name=source.path.name,
                )
            )
        validator = Validator(source.mapping, policy)
        with _uncollected():
            staged = stage(
                source,
                validator,
                ledger,
                duplicates=settings.duplicates,
                resend=settings.resend,
                sending=settings.send,
                tick=self._watcher.loaded,
            )
        summary.rows = staged.rows
        if summary.rows == 0 and not settings.allow_empty:
            raise SourceError(_("{path} has no data row: check the export, or allow it with --allow-empty.", path=source.path))
        changed = 0 if settings.resend else staged.to_send
        source.warnings += deviations(ledger.workloads(str(settings.source), COMPARED), Workload(summary.rows, changed))
        summary.warnings, summary.findings, summary.letters = source.warnings, source.findings, source.layout.letters_of_fields
        summary.notes = [
            ngettext("{field}: {what} in {count} cell.", "{field}: {what} in {count} cells.", count, field=field, what=what)
            for (field, what), count in validator.notes.items()
        ]
        return staged

    def conclude(self, ledger: Ledger, summary: Summary) -> None:
        """Say of the rows whose turn did not come why it did not, and count how all of them ended."""
        reasons = self.shutdown.reasons
        if self._settings.limit and not reasons:
            rest = Violation("limit", detail={"limit": str(self._settings.limit)})
        else:
            rest = Violation("stopped", detail={"reason": str(reasons[0]) if reasons else ""})
        ledger.report_unsent_as(rest, ready=any(isinstance(reason, SourceError) for reason in reasons))
        _count(ledger, summary)
        summary.seconds = round(time.monotonic() - self._begun, 1)

    def report(self, ledger: Ledger, summary: Summary, reports: Drafts, layout: Layout, original: Original | None = None) -> None:
        """Write the reports, and check the books: rows in = lines in the report = sum of the outcomes."""
        accounted = lines = sum(summary.outcomes.values())
        try:
            with _uncollected():
                lines = csv.write(reports.csv, layout, ledger.batches())
        except StorageError as reason:
            self.shutdown.request(reason)
            summary.report = None
        if not summary.rows == accounted == lines:
            sentence = _(
                "A bug in contact-sync lost count: {rows} rows were read, {lines} reported and {accounted} accounted for.",
                rows=summary.rows,
                lines=lines if summary.report else None,
                accounted=accounted,
            )
            self.shutdown.request(ContactSyncError(sentence))
        summary.warnings = [*summary.warnings, *reports.warnings]
        self._judge(summary)
        try:
            self._write_others(ledger, summary, reports, layout, original)
        except StorageError as reason:
            self.shutdown.request(reason)
        except Exception as bug:  # the rows are sent, and the report is written
            log.exception("while writing the workbook and the page")
            sentence = _(
                "A bug in contact-sync stopped the writing of the workbook or the page ({bug}): report it.",
                bug=type(bug).__name__,
            )
            self.shutdown.request(ContactSyncError(sentence))
        self._judge(summary)

    def _write_others(self, ledger: Ledger, summary: Summary, reports: Drafts, layout: Layout, original: Original | None) -> None:
        """Write the workbook and the page, where they are asked for; what they need is imported when it is needed."""
        if reports.workbook:
            from contact_sync.report.xlsx import workbook  # noqa: PLC0415

            summary.notes += workbook.write(reports.workbook, original, layout, ledger.batches(), rows=summary.rows)
            summary.workbook = reports.workbook.path
        if reports.page:
            from contact_sync.report.html import page  # noqa: PLC0415

            masked = not self._settings.show_phones
            page.write(reports.page, summary, layout, ledger.batches(), masked=masked)
            summary.page = reports.page.path

    def finish(self, ledger: Ledger, summary: Summary) -> None:
        """Close the book on the run."""
        try:
            ledger.finish_run(summary, stamp(datetime.now(UTC)))
        except StorageError as reason:
            self.shutdown.request(reason)
            self._judge(summary)

    def _judge(self, summary: Summary) -> None:
        summary.exit_code = _exit_code(self.shutdown.reasons, summary.outcomes)
        summary.reasons = [str(reason) for reason in self.shutdown.reasons]


def _count(ledger: Ledger, summary: Summary) -> None:
    summary.outcomes = ledger.outcomes()
    summary.causes = ledger.causes()
    summary.requests, summary.retries = ledger.attempts()


def _exit_code(reasons: list[ContactSyncError], outcomes: dict[str, int]) -> int:
    codes = {reason.exit_code for reason in reasons}
    if {*ATTENTION, Outcome.FAILED} & outcomes.keys():
        codes.add(_PARTIAL)
    return min(codes, key=PRECEDENCE.index, default=0)
