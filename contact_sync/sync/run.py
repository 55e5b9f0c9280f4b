"""One run, in the order of its steps: open the source, stage its rows, apply the guards, send, report, finish."""

import time
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial

from contact_sync.errors import ConfigError
from contact_sync.ledger.state_dir import open_existing_ledger
from contact_sync.ledger.store import Ledger
from contact_sync.model.pace import Watcher
from contact_sync.model.report import Summary
from contact_sync.model.source import Layout, OutputPaths
from contact_sync.names import Purpose
from contact_sync.rules.columns import Policy
from contact_sync.settings import Settings
from contact_sync.sync.budget import Budget
from contact_sync.sync.opening import (
    blaming_the_file,
    load,
    namesake_warnings,
    new_id,
    open_ledger,
    open_live,
    open_sender,
    open_source,
    open_tokens,
    reads_whole,
    sleep,
    user_warnings,
)
from contact_sync.sync.outputs import drafts, former_output_paths, output_paths, remove_notices, workbook_suffix
from contact_sync.sync.run_log import logged
from contact_sync.sync.shutdown import Shutdown, handle_signals
from contact_sync.sync.steps import Steps, exit_code


def run(settings: Settings, watcher: Watcher, budget: Budget | None = None) -> Summary:
    """Run a source within the `budget` of its command, by default one of its own, and return what came of it.

    Raises a ContactSyncError where there is nothing to report on: a refused source (SourceError), a lock that another run has
    (BusyError), a ledger or report that cannot be opened (StorageError), an unusable proxy or an unknown region (ConfigError).
    """
    begun, started, shutdown = time.monotonic(), datetime.now(UTC), Shutdown()
    is_alone, budget = budget is None, budget or Budget.of(settings.send)
    summary = Summary(new_id(started), settings.source.path, settings.report.path, purpose=settings.purpose)
    with logged(summary), handle_signals(shutdown), ExitStack() as opened:
        if is_alone:
            opened.enter_context(budget.locks)
        sender = open_sender(settings, shutdown, budget) if not settings.dry_run else None
        ledger = opened.enter_context(open_ledger(settings, shutdown, sender, budget))
        if sender:
            opened.enter_context(sender.sharing(ledger.slots))
        steps = Steps(settings, watcher, shutdown, begun, ledger, summary)
        if not settings.dry_run:
            ledger.warnings += sender.finish_trials(ledger) if sender else []
            ledger.expire(started, history_days=settings.account.keep_days, undo_days=settings.send.undo_days)
        with steps.noted(started), ExitStack() as files:
            with blaming_the_file():
                source = files.enter_context(open_source(settings, shutdown))
                paths = output_paths(settings, workbook_suffix(source))
                reports = files.enter_context(drafts(paths, settings.purpose))
            ledger.warnings += [*user_warnings(settings, reports, ledger), *namesake_warnings(settings, ledger)]
            staged, live = load(steps, source, paths, started, sender, pending=sender is not None)
            if steps.pass_guards(staged) and sender:
                if settings.plan:
                    from contact_sync.sync.plan import hold_to_plan  # noqa: PLC0415 - it needs an HTTP client, as `sender` does

                    live = hold_to_plan(steps, sender, live)
                if not (settings.plan and shutdown.reasons):  # else a retry would send what was not planned
                    ledger.release(summary.run)
                steps.reserve(reports.csv)
                summary.notes += sender.send(ledger, watcher, live)
                sender.add_pace(summary)
            steps.conclude()
            summary.requests += sender.other_requests if sender else 0
            steps.report(reports, source.layout, source.original)
            if settings.purpose is Purpose.REAL:
                remove_notices(paths)
        steps.finish()
    return summary


def retry(settings: Settings, watcher: Watcher) -> Summary:
    """Resume the last run: send its rows that failed or were not sent, and write all its reports again.

    Ignores the settings about the source. Raises what `run` does, and ConfigError when there is no run to resume.
    """
    begun, shutdown, budget = time.monotonic(), Shutdown(), Budget.of(settings.send)
    sender = open_sender(settings, shutdown, budget)
    opened = open_existing_ledger(
        settings.account, exact=True, sends=True, identify=sender.identify, sleep=partial(sleep, shutdown), locks=budget.locks
    )
    with handle_signals(shutdown), budget.locks, opened as ledger, sender.sharing(ledger.slots):
        ledger.warnings += sender.finish_trials(ledger)
        summary, layout, paths = _last_run(ledger, settings)
        warnings, summary.warnings = summary.warnings, list(ledger.warnings)
        steps = Steps(settings, watcher, shutdown, begun, ledger, summary)
        if not ledger.resume_last():
            raise ConfigError("The last run ended before anything was sent: run the file again.")
        with logged(summary), drafts(paths) as reports:
            if not ledger.pending():
                steps.count()
                summary.exit_code, summary.is_idle = exit_code([], summary.outcomes), True
                summary.requests = summary.retries = 0
                return summary
            summary.warnings += warnings
            requests, retries = ledger.attempts()
            is_pulled = ledger.was_live() or reads_whole(ledger)
            tokens = open_tokens(settings, sender, is_pulled=is_pulled)
            policy = Policy(today=datetime.now().astimezone().date())
            live = open_live(settings, tokens, policy, ledger, is_pulled=is_pulled)
            steps.reserve(reports.csv)
            summary.warnings += user_warnings(settings, reports, ledger)
            summary.notes += sender.send(ledger, watcher, live)
            sender.add_pace(summary)
            steps.conclude()
            summary.requests -= requests - sender.other_requests
            summary.retries -= retries
            steps.report(reports, layout)
            steps.finish()
    return summary


def rewrite(settings: Settings, watcher: Watcher) -> Summary:
    """Write the reports of the last run again. Raises ConfigError when its rows are not kept any more, StorageError."""
    begun, shutdown = time.monotonic(), Shutdown()
    with open_existing_ledger(settings.account, run=settings.run) as ledger:
        summary, layout, paths = _last_run(ledger, settings)
        steps = Steps(settings, watcher, shutdown, begun, ledger, summary)
        with drafts(paths) as reports:
            steps.count()
            steps.report(reports, layout)
    summary.exit_code = exit_code(shutdown.reasons, {})
    return summary


def _last_run(ledger: Ledger, settings: Settings) -> tuple[Summary, Layout, OutputPaths]:
    """Return the last run as it was left, and where its reports go. Raises ConfigError when it is not the one asked for."""
    last = ledger.last_run()
    if not last:
        raise ConfigError("There is no run whose rows are still kept: run the file again.")
    if settings.run not in {"", last}:
        raise ConfigError("Only the rows of the last run, {run}, are still kept.", run=last)
    former, layout, seconds = ledger.reopen_last()
    paths = former_output_paths(settings.report, former)
    rows = sum(ledger.outcomes().values())
    summary = Summary(last, former.source, paths.report, rows=rows, seconds=seconds)
    summary.warnings, summary.checks = ledger.checks()
    return summary, layout, paths
