"""One run, from the source to the report: load, validate, stage, send, record, report, in this order and one direction."""

import asyncio
import gc
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Protocol

from contact_sync import plan
from contact_sync.damage import deviations
from contact_sync.errors import PRECEDENCE, BusyError, ContactSyncError, Interrupted, SourceError, StorageError
from contact_sync.fingerprint import Fingerprints, installation
from contact_sync.ledger import Ledger
from contact_sync.load import Choices, open_source
from contact_sync.lock import hold
from contact_sync.model import Night, Outcome, Result, Source, Summary, Violation
from contact_sync.report import csv
from contact_sync.report.draft import Draft, draft
from contact_sync.settings import Settings
from contact_sync.stop import Stop
from contact_sync.validate import Policy, Validator

# What sends is imported where it is needed: a check of a small file takes half the time without aiohttp and httpx.
if TYPE_CHECKING:
    from contact_sync.api.client import Client

NOTHING_TO_SEND = "nothing-to-send"
"""A row that holds nothing but a contactId is no sign of a damaged source."""

NIGHTS = 7
"""Runs that tonight's source is compared with."""

FEW = 20
"""Fewer known contacts than this tell nothing about their column."""

_ATTENTION = {Outcome.ALTERED, Outcome.INVALID, Outcome.REJECTED, Outcome.FAILED}
_PARTIAL = 3
_LINE = 150  # bytes that a report tells of a row beside its cells

log = logging.getLogger(__name__)


class Watcher(Protocol):
    """Whoever looks on while a run goes."""

    def loaded(self, rows: int) -> None:
        """So many more rows were loaded and validated."""

    def sending(self, rows: int) -> None:
        """So many rows are about to be sent."""

    def sent(self, result: Result) -> None:
        """One row was sent, and ended so."""


def run(settings: Settings, watcher: Watcher) -> Summary:
    """Do the whole job and say what came of it.

    Raises a ContactSyncError where there is nothing to report on: a refused source (SourceError), a lock that is held
    (BusyError), a ledger or report that cannot be opened (StorageError), a proxy that cannot be used (ConfigError).
    """
    begun = time.monotonic()
    started = datetime.now(UTC)
    summary = Summary(f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}", settings.source, settings.report)
    stop = Stop()
    client = _client(settings, settings.base_url, stop) if settings.send and not settings.sandbox else None
    with _signals(stop), _ledger(settings) as ledger:
        with _opened(settings, stop) as source, draft(settings.report, settings.report_mode) as report:
            keep = settings.send or not settings.remember
            ledger.begin(summary.run, str(settings.source), _stamp(started), keep=keep)
            with _uncollected():
                summary.rows = _stage(settings, source, ledger, watcher, summary)
            changed = 0 if settings.resend else ledger.count(None) + ledger.count(Outcome.READY)
            source.warnings += deviations(ledger.nights(str(settings.source), NIGHTS), Night(summary.rows, changed))
            _guard(settings, ledger, summary.rows, stop)
            if settings.send and not stop.reasons:
                _reserve(report, ledger, summary.rows, stop)
            if settings.send and not stop.reasons:
                _send(settings, client, ledger, stop, watcher, begun=begun)
            _conclude(settings, ledger, stop)
            lines = _report(report, source, ledger, stop)
            summary.warnings = source.warnings
        summary.outcomes = ledger.outcomes()
        summary.causes = ledger.causes()
        summary.requests, summary.retries = ledger.attempts()
        _balance(summary, lines, stop)
        if lines is None:
            summary.report = None
        summary.exit_code = _exit_code(stop.reasons, summary.outcomes)
        if keep:
            _finish(ledger, summary, stop)
    summary.reasons = [str(reason) for reason in stop.reasons]
    summary.seconds = round(time.monotonic() - begun, 1)
    return summary


@contextmanager
def _uncollected() -> Iterator[None]:
    """Spare the garbage collector: rows make no cycles, and looking for them took a third of the time (100,000 rows)."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


@contextmanager
def _signals(stop: Stop) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM stop the run in good order, and the second end it at once."""

    def order(signum: int, _: FrameType | None) -> None:
        if any(isinstance(reason, Interrupted) for reason in stop.reasons):
            os._exit(128 + signum)  # the ledger survives that; nothing else is worth waiting for
        stop.trip(Interrupted(signum))

    before = {signum: signal.signal(signum, order) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


@contextmanager
def _ledger(settings: Settings) -> Iterator[Ledger]:
    """The ledger of the account, locked; one that is thrown away for a check and in the sandbox."""
    if settings.sandbox or not settings.remember:
        with Ledger(None, Fingerprints(secrets.token_bytes(32))) as ledger:
            yield ledger
        return
    folder = settings.state_dir
    with ExitStack() as stack:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fingerprints = installation(folder)
            account = fingerprints.account(settings.base_url, settings.account or settings.key)
            _lock(folder / f"{account}.lock", stack)
            ledger = stack.enter_context(Ledger(folder / f"{account}.sqlite3", fingerprints, account))
        except OSError as error:
            raise StorageError(f"The state folder {folder} cannot be used ({error.strerror}): check --state-dir.") from error
        yield ledger


def _lock(path: Path, stack: ExitStack) -> None:
    """Keep other runs for the account away until `stack` ends. The file stays: only whoever holds it may rely on its name."""
    descriptor = hold(path)
    if descriptor is None:
        holder = path.read_text(encoding="ascii", errors="replace").strip() or "unknown"
        raise BusyError(f"Another run for this account is under way (process {holder}): wait for it to end.")
    stack.callback(os.close, descriptor)
    os.write(descriptor, f"{os.getpid()}\n".encode())


@contextmanager
def _opened(settings: Settings, stop: Stop) -> Iterator[Source]:
    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        if stop.reasons:  # while the source was watched
            raise stop.reasons[0]

    choices = Choices(settings.sheet, settings.encoding, settings.delimiter, settings.hidden, settings.renames)
    try:
        with open_source(settings.source, choices, sleep=sleep) as source:
            yield source
    except SourceError as refused:
        with suppress(PermissionError):
            if settings.report.exists():
                raise SourceError(f"{refused} (The report {settings.report} is from an earlier run.)") from refused
        raise


def _stage(settings: Settings, source: Source, ledger: Ledger, watcher: Watcher, summary: Summary) -> int:
    if settings.blank == "clear" and not source.blanks_certain:
        raise SourceError(
            f"{source.path.name}: an empty cell may be a formula that was never calculated, so --blank clear would not be safe: "
            "open the file in Excel and save it as .xlsx."
        )
    validator = Validator(
        source.mapping, Policy(blank=settings.blank, region=settings.region, today=datetime.now().astimezone().date())
    )
    rows = plan.stage(
        source,
        validator,
        ledger,
        duplicates=settings.duplicates,
        resend=settings.resend,
        sending=settings.send,
        tick=watcher.loaded,
    )
    if rows == 0 and not settings.allow_empty:
        raise SourceError(f"{source.path} has no data row: check the export, or allow it with --allow-empty.")
    summary.findings = source.findings
    summary.notes = [f"{count} cells of {name}: {what}." for (name, what), count in validator.notes.items()]
    summary.columns = {name: source.letters[position] for name, position in source.mapping.items()}
    return rows


def _guard(settings: Settings, ledger: Ledger, rows: int, stop: Stop) -> None:
    """Stop before the first request when the source looks damaged as a whole."""
    invalid = ledger.count(Outcome.INVALID, without=NOTHING_TO_SEND)
    if invalid * 100 > settings.max_invalid * rows:
        stop.trip(
            SourceError(
                f"{invalid} of {rows} rows are invalid, more than {settings.max_invalid:g} %, so nothing was sent: "
                "correct the source, or allow more with --max-invalid."
            )
        )
    known = ledger.same + ledger.strangers
    if known >= FEW and ledger.strangers * 100 > settings.max_strangers * known:
        stop.trip(
            SourceError(
                f"{ledger.strangers} of {known} known contacts change first name, last name and phone number at once, more than "
                f"{settings.max_strangers:g} %, as when a column is sorted alone, so nothing was sent: check that each contactId "
                "stands beside its own person, or allow more with --max-strangers."
            )
        )
    clears = ledger.clears()
    if clears > settings.max_clears:
        stop.trip(
            SourceError(
                f"{clears} cells would empty a stored field, more than {settings.max_clears}, so nothing was sent: "
                "check the source, or allow more with --max-clears."
            )
        )


def _reserve(report: Draft, ledger: Ledger, rows: int, stop: Stop) -> None:
    """Stop before the first request where the disk has no room for what has to be written after it."""
    try:
        if pending := ledger.count(None):
            report.reserve(ledger.size() + _LINE * rows)
            ledger.check_room(pending)
    except StorageError as reason:
        stop.trip(reason)


def _client(settings: Settings, base_url: str, stop: Stop) -> "Client":
    """Return the way to the API; raises ConfigError at once where a proxy or the certificates of this machine are no good."""
    from contact_sync.api.client import Client  # noqa: PLC0415

    return Client(
        base_url,
        rate=settings.rate,
        connections=settings.workers,
        timeout=settings.timeout,
        clock=time.monotonic,
        sleep=stop.sleep,
    )


def _send(settings: Settings, client: "Client | None", ledger: Ledger, stop: Stop, watcher: Watcher, *, begun: float) -> None:
    from contact_sync.send import Effort, send  # noqa: PLC0415

    watcher.sending(min(ledger.count(None), settings.limit or sys.maxsize))
    left = None if settings.max_duration is None else settings.max_duration - (time.monotonic() - begun)
    effort = Effort(settings.key, settings.workers, settings.attempts, settings.limit, left)

    async def sending() -> None:
        async with AsyncExitStack() as stack:
            reached = client
            if reached is None:
                from contact_sync.sandbox import Sandbox  # noqa: PLC0415

                base_url = await stack.enter_async_context(Sandbox(open_store=True, record=False).serve())
                reached = _client(settings, base_url, stop)
            await send(ledger, await stack.enter_async_context(reached), effort, stop, watcher.sent)

    try:
        asyncio.run(sending())
    except ContactSyncError as reason:
        stop.trip(reason)
    except Exception as bug:  # whatever happened, the report must be written
        log.exception("while sending")
        stop.trip(
            ContactSyncError(f"A bug in contact-sync ended the sending ({type(bug).__name__}): run it with -v and report it.")
        )


def _conclude(settings: Settings, ledger: Ledger, stop: Stop) -> None:
    """Say of the rows whose turn did not come why it did not."""
    if stop.reasons:
        reason = Violation("stopped", detail={"reason": str(stop.reasons[0])})
    else:
        reason = Violation("limit", detail={"limit": str(settings.limit)})
    guarded = any(isinstance(reason, SourceError) for reason in stop.reasons)
    ledger.conclude(reason, ready=guarded)


def _report(report: Draft, source: Source, ledger: Ledger, stop: Stop) -> int | None:
    """Write the report; None when it could not be written."""
    try:
        with _uncollected():
            return csv.write(report, source.columns, source.delimiter, ledger.pages())
    except StorageError as reason:
        stop.trip(reason)
        return None


def _balance(summary: Summary, lines: int | None, stop: Stop) -> None:
    """Check the books: rows in = rows in the report = sum of the outcomes."""
    accounted = sum(summary.outcomes.values())
    if not summary.rows == accounted == (accounted if lines is None else lines):
        counts = f"{summary.rows} rows were read, {lines} reported and {accounted} accounted for"
        stop.trip(ContactSyncError(f"A bug in contact-sync lost count: {counts}."))


def _finish(ledger: Ledger, summary: Summary, stop: Stop) -> None:
    try:
        ledger.finish(summary.run, _stamp(datetime.now(UTC)), summary.exit_code, summary.outcomes)
    except StorageError as reason:
        stop.trip(reason)
        summary.exit_code = _exit_code(stop.reasons, summary.outcomes)


def _exit_code(reasons: list[ContactSyncError], outcomes: dict[str, int]) -> int:
    codes = {reason.exit_code for reason in reasons}
    if _ATTENTION & outcomes.keys():
        codes.add(_PARTIAL)
    return min(codes, key=PRECEDENCE.index, default=0)
