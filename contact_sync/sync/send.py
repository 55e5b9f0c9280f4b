"""Sending: the pending rows of the ledger, by a pool of workers, with the client, the pace and the budget of the command."""

import asyncio
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import replace

from contact_sync.api.client import Client
from contact_sync.api.limiter import Limiter
from contact_sync.api.smspartner.me import Me
from contact_sync.errors import ContactSyncError, Transient
from contact_sync.files.descriptors import shortage_of
from contact_sync.i18n import decimal, ngettext
from contact_sync.ledger.store import Outbox
from contact_sync.model.pace import SlotStore, Watcher
from contact_sync.model.report import Summary
from contact_sync.settings import Settings
from contact_sync.sync.budget import Budget
from contact_sync.sync.delivery import Delivery
from contact_sync.sync.live import Live
from contact_sync.sync.pool import Pool
from contact_sync.sync.shutdown import Shutdown, Stopped
from contact_sync.sync.trial import UnfinishedTrials

_IDENTIFY_TIMEOUT_S = 10.0
_TRIALS_TIMEOUT_S = 20.0  # less than what is left to a service that is being stopped

log = logging.getLogger(__name__)


class Sender:
    """Sends the pending rows of a run within the `budget` of its command.

    It is made before the source is read, and raises ConfigError when a proxy or the certificates of this machine cannot be used.
    """

    def __init__(self, settings: Settings, shutdown: Shutdown, budget: Budget) -> None:
        self._settings = settings
        self._shutdown = shutdown
        self._budget = budget
        if not settings.send.sandbox:
            self._open_client(settings.account.base_url)  # which may raise; each event loop has one of its own
        self.other_requests = 0  # requests that are not about a row
        self._limiter: Limiter | None = None  # that of the run, once it was used

    def identify(self) -> str:
        """Ask the API for the user of the key, once in a command; return an empty text when it does not answer."""
        if self._budget.user is None:
            self._budget.user = "" if self._settings.send.sandbox else self._ask_for_user()
        return self._budget.user

    def _ask_for_user(self) -> str:
        client = self._open_client(self._settings.account.base_url)

        async def ask() -> str:
            async with client, asyncio.timeout(_IDENTIFY_TIMEOUT_S):
                return (await client.call(Me(self._settings.account.key), None)).user

        try:
            return asyncio.run(ask())
        except (Transient, Stopped, TimeoutError, ContactSyncError) as error:
            log.info("the API did not say whose the key is: %s", type(error).__name__)
            return ""
        finally:
            self.other_requests += client.limiter.acquired

    def _open_client(self, base_url: str) -> Client:
        settings = self._settings.send
        return Client(
            base_url, pace=self._budget.pace, connections=settings.workers, timeout=settings.timeout, sleep=self._shutdown.sleep
        )

    def send(
        self, ledger: Outbox, watcher: Watcher, live: Live | None = None, *, begin: Callable[[int], None] | None = None
    ) -> list[str]:
        """Send what is pending, unless a shutdown is requested, and return notes for the operator as sentences.

        With `live` each contact is read before it is written. `begin` is called with the number of rows in place of
        `watcher.sending`. No error is raised: whatever ends the sending requests the
        shutdown, so that the report is still written.
        """
        try:
            if self._shutdown.reasons or not (pending := ledger.pending()):
                return []
        except ContactSyncError as reason:
            self._shutdown.request(reason)
            return []
        watcher.paced(self._budget.pace)
        (begin or watcher.sending)(min(pending, sys.maxsize if self._budget.rows is None else self._budget.rows))
        notes: list[str] = []
        try:
            asyncio.run(self._send(ledger, watcher, notes, live))
        except ContactSyncError as reason:
            self._shutdown.request(reason)
        except Exception as bug:
            log.exception("while sending")
            kind = type(bug).__name__
            error = shortage_of(bug) or ContactSyncError(
                "A bug in contact-sync stopped the sending ({bug}): run again with -v, and report what it prints.", bug=kind
            )
            self._shutdown.request(error)
        return notes

    async def _send(self, ledger: Outbox, watcher: Watcher, notes: list[str], live: Live | None) -> None:
        async with AsyncExitStack() as stack:
            base_url = self._settings.account.base_url
            if self._settings.send.sandbox:
                from contact_sync.sandbox.server import Sandbox  # noqa: PLC0415 - a server, which a real run need not load

                base_url = await stack.enter_async_context(Sandbox(open_store=True, record=False).serve())
            client = await stack.enter_async_context(self._open_client(base_url))
            settings = replace(self._settings.send, limit=self._budget.rows)
            pool = Pool(ledger, client, self._settings.account.key, settings, self._shutdown, live=live, tick=watcher.sent)
            try:
                await pool.send(self._budget.seconds_left())
            finally:
                self._budget.take(pool.taken)
                self.other_requests += pool.reads
                with suppress(ContactSyncError):  # whatever it is, the next run tries again
                    await self._finish_trials(ledger, base_url, notes)
                notes += pool.notes()
                self._limiter = client.limiter

    def add_pace(self, summary: Summary) -> None:
        """Add the pace of what was sent to the summary of the run, with a note where the API has lowered it."""
        if (limiter := self._limiter) is None:
            return
        summary.rate, summary.throttled = self._settings.send.rate, limiter.throttled
        if limiter.is_lowered:
            summary.slowest = limiter.slowest
            note = ngettext(
                "The API answered 429 ({count} time): the pace fell to {slowest} requests a second.",
                "The API answered 429 ({count} times): the pace fell to {slowest} requests a second.",
                limiter.throttled,
                slowest=decimal(limiter.slowest),
            )
            summary.notes.append(note)

    @contextmanager
    def sharing(self, slots: SlotStore | None) -> Iterator[None]:
        """Share the pace of the command with other hosts within."""
        self._budget.pace.slots = slots
        try:
            yield
        finally:
            self._budget.pace.slots = None

    def finish_trials(self, ledger: Outbox) -> list[str]:
        """Put back what updates of earlier runs have emptied that were cut off, and return notes for the operator."""
        notes: list[str] = []
        if ledger.trials():
            with suppress(ContactSyncError, OSError):  # the run will meet it
                asyncio.run(self._finish_trials(ledger, self._settings.account.base_url, notes))
        return notes

    async def _finish_trials(self, ledger: Outbox, base_url: str, notes: list[str]) -> None:
        """Put back what updates that were not read back have emptied, also when the run is being stopped."""
        if not ledger.trials():
            return
        quiet, send = Shutdown(), self._settings.send
        client = Client(base_url, pace=self._budget.pace, connections=1, timeout=send.timeout, sleep=quiet.sleep)
        async with client:
            trials = UnfinishedTrials(ledger, Delivery(client, quiet), self._settings.account.key)
            with suppress(TimeoutError):
                async with asyncio.timeout(_TRIALS_TIMEOUT_S):
                    await trials.finish(send.attempts)
        self.other_requests += trials.requests
        notes += trials.notes
