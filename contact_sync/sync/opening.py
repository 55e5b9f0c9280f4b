"""The things that a run, a retry and a plan open: the sender, the ledger, the source, and the base tokens."""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from contact_sync import source as sources
from contact_sync.errors import ConfigError, SourceError, StorageError
from contact_sync.files.users import key_warnings, report_warning
from contact_sync.i18n import _
from contact_sync.ledger import state_dir
from contact_sync.ledger.base_token import BaseTokens
from contact_sync.ledger.store import Ledger
from contact_sync.model.fields import stamp
from contact_sync.model.source import OutputPaths, Source
from contact_sync.rules.canonical import Canonicaliser
from contact_sync.rules.columns import Policy
from contact_sync.settings import Settings
from contact_sync.sync.base import Bases
from contact_sync.sync.budget import Budget
from contact_sync.sync.open_questions import EMPTIED, OMITTED
from contact_sync.sync.outputs import Drafts
from contact_sync.sync.shutdown import Shutdown
from contact_sync.sync.stage import StageResult
from contact_sync.sync.steps import Steps

if TYPE_CHECKING:
    from contact_sync.sync.live import Live
    from contact_sync.sync.send import Sender


def new_id(started: datetime) -> str:
    """Return the id of a run, which begins with the time of its start."""
    return f"{started:%Y%m%dT%H%M%SZ}-{started.microsecond:05x}{secrets.token_hex(1)}"


def open_sender(settings: Settings, shutdown: Shutdown, budget: Budget | None = None) -> "Sender":
    """Open the sender to the API. Raises ConfigError where a proxy or the certificates of this machine cannot be used.

    The one deferred import: without aiohttp and httpx `check` of a small file takes half the time.
    """
    from contact_sync.sync.send import Sender  # noqa: PLC0415 - see above

    return Sender(settings, shutdown, budget or Budget.of(settings.send))


def open_ledger(
    settings: Settings, shutdown: Shutdown, sender: "Sender | None", budget: Budget | None = None
) -> AbstractContextManager[Ledger]:
    """Open the ledger of the account, or one that is thrown away afterwards, for `check` and for the sandbox."""
    if not settings.remember or settings.send.sandbox:
        return state_dir.open_temporary_ledger()
    identify = sender.identify if sender else None
    return state_dir.open_ledger(
        settings.account,
        sends=not settings.dry_run,
        identify=identify,
        sleep=partial(sleep, shutdown),
        locks=budget.locks if budget else None,
    )


def user_warnings(settings: Settings, reports: Drafts, ledger: Ledger) -> list[str]:
    """Return a warning where this user does not seem to be that of the job, and so begins another ledger.

    A report that another user wrote shows it and, as long as the ledger is new, a key file of another user: in a container, root
    may well have a key that is mounted.
    """
    former = [(draft.path, draft.former_user) for draft in reports.by_format.values()]
    if found := [report_warning(path, user) for path, user in former if user is not None]:
        return found[:1]
    return [] if settings.dry_run or ledger.runs(1) else key_warnings(settings.account)


def namesake_warnings(settings: Settings, ledger: Ledger) -> list[str]:
    """Return a warning where the run replaces the report of a file with the same stem, as contacts.csv and contacts.xlsx have.

    A report that files with other names share was given as `--report`, and is meant.
    """
    source, report = settings.source.path.absolute(), settings.report.path
    former = None if settings.dry_run else ledger.last_source_of(report)
    is_namesake = former and former != source and former.with_suffix("") == source.with_suffix("")
    if not (former and is_namesake and os.path.exists(former) and os.path.exists(report)):  # noqa: PTH110 - which does not raise
        return []
    sentence = _(
        "{report} was the report of {other} and is now that of {source}: to keep both, give --report, or run both with one "
        "command.",
        report=report,
        other=former.name,
        source=source.name,
    )
    return [sentence]


def reads_whole(ledger: Ledger) -> bool:
    """Return True where an update empties the fields that it leaves out, so that any file needs to know the whole contact."""
    return ledger.answers().get(OMITTED) == EMPTIED


def open_tokens(settings: Settings, sender: "Sender | None", *, is_pulled: bool) -> BaseTokens | None:
    """Return the base tokens where they are needed; where nothing is sent to the account, those of any account."""
    if not (is_pulled or settings.send.live):
        return None
    return state_dir.open_tokens(settings.account, sender.identify if sender and not settings.send.sandbox else None)


def open_live(settings: Settings, tokens: BaseTokens | None, policy: Policy, ledger: Ledger, *, is_pulled: bool) -> "Live | None":
    """Return what reading before writing needs, None where contacts are not read."""
    if tokens is None or not settings.send.reads_first(is_pulled=is_pulled):
        return None
    from contact_sync.sync.live import Live  # noqa: PLC0415 - see `open_sender`

    return Live(tokens, Canonicaliser(policy), ledger)


def sleep(shutdown: Shutdown, seconds: float) -> None:
    """Sleep; raises the reason of the shutdown when a signal has arrived."""
    time.sleep(seconds)
    if shutdown.reasons:
        raise shutdown.reasons[0]


@contextmanager
def open_source(settings: Settings, shutdown: Shutdown) -> Iterator[Source]:
    """Open the source; a SourceError, also one that is raised later, mentions the report of an earlier run."""
    wanted = settings.source
    options = sources.SourceOptions(wanted.sheet, wanted.encoding, wanted.delimiter, wanted.hidden, wanted.renames)
    try:
        with ExitStack() as stack:
            with shutdown.raised():
                source = stack.enter_context(sources.open_source(wanted.path, options, sleep=time.sleep))
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
def blaming_the_file() -> Iterator[None]:
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


class Loaded(NamedTuple):
    """A source in the ledger."""

    staged: StageResult
    live: "Live | None"  # None where contacts are not read before they are written


def load(
    steps: Steps, source: Source, paths: OutputPaths, started: datetime, sender: "Sender | None", *, pending: bool
) -> Loaded:
    """Stage the rows of `source`, the valid ones as `pending` or as `ready`; those of a dry run leave the last run's rows."""
    settings, ledger, is_pulled = steps.settings, steps.ledger, source.base_position is not None
    reads = is_pulled or reads_whole(ledger)
    policy = Policy(blank=settings.source.blank, region=settings.source.region, today=started.astimezone().date())
    ledger.begin_run(
        steps.summary.run, paths, stamp(started), source.layout, keep=not settings.dry_run, as_of=_age(source, started)
    )
    tokens = open_tokens(settings, sender, is_pulled=reads)
    resend, blank = settings.send.resend, settings.source.blank
    bases = Bases(tokens, source, blank, resend, ledger.successors) if tokens and is_pulled else None
    staged = steps.stage(source, policy, bases, pending=pending)
    live = open_live(settings, tokens, policy, ledger, is_pulled=reads) if sender else None
    if live and not settings.dry_run:
        ledger.note_live()
    return Loaded(staged, live)
