"""The way of a run to the API: the client, the endpoint and the event loop that `send` is given, and room on the disk before."""

import asyncio
import logging
import sys
import time
from contextlib import AsyncExitStack

from contact_sync.api.client import Client
from contact_sync.api.smspartner.contact_update import ContactUpdate
from contact_sync.errors import ContactSyncError, StorageError
from contact_sync.files.atomic import AtomicFile
from contact_sync.i18n import _, ngettext
from contact_sync.ledger import Ledger
from contact_sync.model import Watcher
from contact_sync.settings import Settings
from contact_sync.sync.send import Pool, SendLimits
from contact_sync.sync.shutdown import Shutdown

_LINE = 150  # bytes that a report tells of a row beside its cells

log = logging.getLogger(__name__)


class Channel:
    """The way of a run to the API, made ready before the source is read; `begun` is when the run began (monotonic clock).

    Raises ConfigError where a proxy or the certificates of this machine are no good.
    """

    def __init__(self, settings: Settings, shutdown: Shutdown, begun: float) -> None:
        self._settings = settings
        self._shutdown = shutdown
        self._begun = begun
        self._client = None if settings.sandbox else self._reach(settings.base_url)
        self.notes: list[str] = []
        """What an operator should know of the way, in sentences."""

    def _reach(self, base_url: str) -> Client:
        settings = self._settings
        return Client(
            base_url,
            rate=settings.rate,
            connections=settings.workers,
            timeout=settings.timeout,
            clock=time.monotonic,
            sleep=self._shutdown.sleep,
        )

    def send(self, ledger: Ledger, report: AtomicFile, rows: int, watcher: Watcher) -> None:
        """Send what is pending, unless the disk has no room for what has to be written after it: a report of so many `rows`."""
        try:
            pending = ledger.pending()
            if not pending:
                return
            report.reserve(ledger.cells_size() + _LINE * rows)
            ledger.check_room(pending)
        except StorageError as reason:
            self._shutdown.request(reason)
            return
        watcher.sending(min(pending, self._settings.limit or sys.maxsize))
        try:
            asyncio.run(self._send(ledger, watcher))
        except ContactSyncError as reason:
            self._shutdown.request(reason)
        except Exception as bug:  # whatever happened, the report must be written
            log.exception("while sending")
            sentence = _(
                "A bug in contact-sync stopped the sending ({bug}): run again with -v, and report what it prints.",
                bug=type(bug).__name__,
            )
            self._shutdown.request(ContactSyncError(sentence))

    async def _send(self, ledger: Ledger, watcher: Watcher) -> None:
        settings = self._settings
        left = None if settings.max_duration is None else settings.max_duration - (time.monotonic() - self._begun)
        limits = SendLimits(settings.workers, settings.attempts, settings.limit, left)
        async with AsyncExitStack() as stack:
            client = self._client
            if client is None:
                from contact_sync.sandbox.server import Sandbox  # noqa: PLC0415 - a server, which a real night need not load

                client = self._reach(await stack.enter_async_context(Sandbox(open_store=True, record=False).serve()))
            client = await stack.enter_async_context(client)
            try:
                await Pool(ledger, client, ContactUpdate(settings.key), limits, self._shutdown, tick=watcher.sent).send()
            finally:
                if client.limiter.backoffs:
                    self.notes.append(
                        ngettext(
                            "The API asked for fewer requests: the pace was halved {count} time.",
                            "The API asked for fewer requests: the pace was halved {count} times.",
                            client.limiter.backoffs,
                        )
                    )
