"""Verification at the end of a run: a share of the updated contacts is read back (`--verify`)."""

import asyncio
import random
from collections.abc import Iterator

from contact_sync.api.smspartner.contact_detail import ContactDetail
from contact_sync.api.smspartner.contact_update import ContactUpdate
from contact_sync.errors import AttemptError, ContactSyncError
from contact_sync.i18n import _, ngettext
from contact_sync.ledger.store import Outbox
from contact_sync.model.row import Outcome, Pending, Result
from contact_sync.model.violation import Violation
from contact_sync.sync.delivery import Attempts, Delivery
from contact_sync.sync.run_log import log_result
from contact_sync.sync.shutdown import Shutdown, Stopped


class Verification:
    """Reads `percent` of the updated contacts of `ledger` back; one that differs becomes `altered`."""

    def __init__(self, ledger: Outbox, delivery: Delivery, key: str, shutdown: Shutdown, percent: float) -> None:
        self._ledger, self._delivery, self._shutdown, self._percent = ledger, delivery, shutdown, percent
        self._detail, self._update = ContactDetail(key), ContactUpdate(key)
        self.reads = self._read = self._unread = self._different = 0  # requests; contacts

    async def run(self, workers: int, attempts: int) -> None:
        """Read the contacts, unless the shutdown is requested; raises StorageError."""
        rows = self._sampled()
        async with asyncio.TaskGroup() as group:
            for _worker in range(workers):
                group.create_task(self._work(rows, attempts))
        self._ledger.flush()

    def _sampled(self) -> Iterator[Pending]:
        after = -1
        while rows := self._ledger.updated(after):
            after = rows[-1].number
            yield from (row for row in rows if random.random() * 100 < self._percent)  # noqa: S311 - a sample

    async def _work(self, rows: Iterator[Pending], attempts: int) -> None:
        try:
            while not self._shutdown.reasons and (row := next(rows, None)):
                await self._verify(row, attempts)
        except ContactSyncError as reason:
            self._shutdown.request(reason)

    async def _verify(self, row: Pending, attempts: int) -> None:
        made = Attempts()
        try:
            stored = await self._delivery.call(self._detail, row.contact_id, attempts, made)
        except (AttemptError, Stopped):
            self._unread += 1  # it was confirmed; that it cannot be read now says nothing about it
            return
        finally:
            self.reads += made.made
        self._read += 1
        if fields := self._update.different_fields(stored, row):
            self._different += 1
            found = [Violation("verified-differs", field) for field in fields]
            result = Result(row, Outcome.ALTERED, found, row.attempts, stored.http_status, stored.api_code)
            self._ledger.record(result)
            log_result(result)

    def note(self) -> str:
        """Return a sentence on what was read."""
        sentence = ngettext(
            "{count} updated contact was read back at the end.", "{count} updated contacts were read back at the end.", self._read
        )
        if self._unread:
            sentence = _("{sentence} Could not be read: {unread}.", sentence=sentence, unread=self._unread)
        if self._different:
            sentence = _("{sentence} Not as sent: {different}.", sentence=sentence, different=self._different)
        return sentence
