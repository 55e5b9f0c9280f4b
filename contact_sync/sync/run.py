"""One run, in the order of its steps: open the source, stage its rows, apply the guards, send, report, finish."""

import secrets
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from contact_sync.errors import ConfigError, SourceError, StorageError
from contact_sync.i18n import _
from contact_sync.ledger.base_token import BaseTokens
from contact_sync.ledger.state_dir import open_existing_ledger, open_ledger, open_temporary_ledger, open_tokens
from contact_sync.ledger.store import Ledger
from contact_sync.model import Layout, OutputPaths, Source, Summary, Watcher, stamp
from contact_sync.rules.canonical import Canonicaliser
from contact_sync.rules.columns import Policy
from contact_sync.settings import Settings
from contact_sync.source import SourceOptions, open_source
from contact_sync.sync.base import Bases
from contact_sync.sync.budget import Budget
from contact_sync.sync.outputs import drafts, former_output_paths, output_paths
from contact_sync.sync.shutdown import Shutdown, handle_signals
from contact_sync.sync.steps import Steps, exit_code

if TYPE_CHECKING:
    from contact_sync.sync.live import Live
    from contact_sync.sync.send import Sender


def run(settings: Settings, watcher: Watcher, budget: Budget | None = None) -> Summary:
    """Run a source within the `budget` of its command, by default one of its own, and return what came of it.

    Raises a ContactSyncError where there is nothing to report on: a refused source (SourceError), a lock that another run has
    (BusyError), a ledger or report that cannot be opened (StorageError), an unusable proxy or an unknown region (ConfigError).
    """
    begun, started, shutdown = time.monotonic(), datetime.now(UTC), Shutdown()
    policy = Policy(blank=settings.source.blank, region=settings.source.region, today=started.astimezone().date())
    run_id = f"{started:%Y%m%dT%H%M%SZ}-{started.microsecond:05x}{secrets.token_hex(1)}"
    sender = _open_sender(settings, shutdown, budget) if not settings.dry_run else None
    with handle_signals(shutdown), _open_ledger(settings, shutdown, sender) as ledger:
        summary = Summary(run_id, settings.source.path, settings.report.path)
        steps = Steps(settings, watcher, shutdown, begun, ledger, summary)
        if not settings.dry_run:
            ledger.expire(started, history_days=settings.account.keep_days, undo_days=settings.send.undo_days)
        with ExitStack() as opened:
            with _blaming_the_file():
                source = opened.enter_context(_open_source(settings, shutdown))
                paths = output_paths(settings, source)
                reports = opened.enter_context(drafts(paths))
            # A dry run leaves the rows of the last run in the ledger.
            keep, as_of = not settings.dry_run, _age(source, started)
            ledger.begin_run(run_id, paths, stamp(started), source.layout, keep=keep, as_of=as_of)
            tokens = _open_tokens(settings, sender, is_pulled=source.base_position is not None)
            bases = Bases(tokens, source, settings.source.blank) if tokens and source.base_position is not None else None
            staged = steps.stage(source, policy, bases)
            if steps.pass_guards(staged) and sender:
                ledger.release(run_id)
                live = _live(settings, tokens, policy, ledger, is_pulled=bases is not None)
                summary.notes += sender.send(ledger, reports.csv, summary.rows, watcher, live)
            steps.conclude()
            summary.requests += sender.other_requests if sender else 0
            steps.report(reports, source.layout, source.original)
        steps.finish()
    return summary


def retry(settings: Settings, watcher: Watcher) -> Summary:
    """Resume the last run: send its rows that failed or were not sent, and write all its reports again.

    Ignores the settings about the source. Raises what `run` does, and ConfigError when there is no run to resume.
    """
    begun, shutdown = time.monotonic(), Shutdown()
    sender = _open_sender(settings, shutdown)
    opened = open_existing_ledger(
        settings.account, exact=True, sends=True, identify=sender.identify, sleep=partial(_sleep, shutdown)
    )
    with handle_signals(shutdown), opened as ledger:
        summary, layout, paths = _last_run(ledger, settings)
        summary.warnings = list(ledger.warnings)
        steps = Steps(settings, watcher, shutdown, begun, ledger, summary)
        with drafts(paths) as reports:
            requests, retries = ledger.attempts()
            if not ledger.resume_last():
                raise ConfigError("The last run ended before anything was sent: run the file again.")
            is_pulled = ledger.has_bases()
            tokens = _open_tokens(settings, sender, is_pulled=is_pulled)
            policy = Policy(today=datetime.now().astimezone().date())
            live = _live(settings, tokens, policy, ledger, is_pulled=is_pulled)
            summary.notes += sender.send(ledger, reports.csv, summary.rows, watcher, live)
            steps.conclude()
            summary.requests -= requests - sender.other_requests
            summary.retries -= retries
            steps.report(reports, layout)
        steps.finish()
    return summary


def rewrite(settings: Settings, watcher: Watcher) -> Summary:
    """Write the reports of the last run again. Raises ConfigError when its rows are not kept any more, StorageError."""
    begun, shutdown = time.monotonic(), Shutdown()
    with open_existing_ledger(settings.account) as ledger:
        summary, layout, paths = _last_run(ledger, settings)
        steps = Steps(settings, watcher, shutdown, begun, ledger, summary)
        with drafts(paths) as reports:
            steps.count()
            steps.report(reports, layout)
    summary.exit_code = exit_code(shutdown.reasons, {})
    return summary


def _open_sender(settings: Settings, shutdown: Shutdown, budget: Budget | None = None) -> "Sender":
    """Open the sender to the API. Raises ConfigError where a proxy or the certificates of this machine cannot be used.

    The one deferred import: without aiohttp and httpx `check` of a small file takes half the time.
    """
    from contact_sync.sync.send import Sender  # noqa: PLC0415 - see above

    return Sender(settings, shutdown, budget or Budget.of(settings.send))


def _open_ledger(settings: Settings, shutdown: Shutdown, sender: "Sender | None") -> AbstractContextManager[Ledger]:
    """Open the ledger of the account, or one that is thrown away afterwards, for `check` and for the sandbox."""
    if not settings.remember or settings.send.sandbox:
        return open_temporary_ledger()
    identify = sender.identify if sender else None
    return open_ledger(settings.account, sends=sender is not None, identify=identify, sleep=partial(_sleep, shutdown))


def _open_tokens(settings: Settings, sender: "Sender | None", *, is_pulled: bool) -> BaseTokens | None:
    """Return the base tokens where they are needed; where nothing is sent to the account, those of any account."""
    if not (is_pulled or settings.send.reads_first(is_pulled=False)):
        return None
    return open_tokens(settings.account, sender.identify if sender and not settings.send.sandbox else None)


def _live(settings: Settings, tokens: BaseTokens | None, policy: Policy, ledger: Ledger, *, is_pulled: bool) -> "Live | None":
    """Return what reading before writing needs, None where contacts are not read."""
    if tokens is None or not settings.send.reads_first(is_pulled=is_pulled):
        return None
    from contact_sync.sync.live import Live  # noqa: PLC0415 - see `_open_sender`

    return Live(tokens, Canonicaliser(policy), ledger)


def _sleep(shutdown: Shutdown, seconds: float) -> None:
    """Sleep; raises the reason of the shutdown when a signal has arrived."""
    time.sleep(seconds)
    if shutdown.reasons:
        raise shutdown.reasons[0]


@contextmanager
def _open_source(settings: Settings, shutdown: Shutdown) -> Iterator[Source]:
    """Open the source; a SourceError, also one that is raised later, mentions the report of an earlier run."""
    wanted = settings.source
    options = SourceOptions(wanted.sheet, wanted.encoding, wanted.delimiter, wanted.hidden, wanted.renames)
    try:
        with ExitStack() as stack:
            with shutdown.raised():
                source = stack.enter_context(open_source(wanted.path, options, sleep=time.sleep))
            yield source
    except SourceError as refused:
        if shutdown.reasons:  # the signal may have ended the program that reads a workbook, too
            raise shutdown.reasons[0] from refused
        with suppress(OSError):  # the report is out of reach, or its name too long
            if settings.report.path.exists():
                sentence = _("{refused} (The report {path} is from an earlier run.)", refused=refused, path=settings.report.path)
                raise type(refused)(sentence) from refused
        raise


@contextmanager
def _blaming_the_file() -> Iterator[None]:
    """Mark an error as one of this source: an option that does not fit it, or a report that cannot be written at its place."""
    try:
        yield
    except (ConfigError, StorageError) as error:
        error.is_of_file = True
        raise


def _age(source: Source, started: datetime) -> int:
    """Return the time of the source's values in seconds since 1970: its last change, at most now.

    Values that are resent keep it: a run that ends before it has sent all of them must not make its own file look old.
    """
    now = int(started.timestamp())
    return now if source.identity is None else max(0, min(now, source.identity.modified_ns // 10**9))


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
    summary = Summary(last, former.source, paths.report, rows=rows, seconds=seconds, letters=layout.letters_of_fields)
    return summary, layout, paths
