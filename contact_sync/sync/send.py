"""Sending: a pool of workers takes the pending rows out of the ledger and brings back how each one ended.

What becomes of each row is `attempt`'s. One thread, one event loop: whoever touches the ledger does so between two awaits, and
needs no lock.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from contact_sync.api.client import Client
from contact_sync.errors import ContactSyncError, UnavailableError
from contact_sync.i18n import _
from contact_sync.ledger import Ledger
from contact_sync.model import Pending, Result
from contact_sync.sync.delivery import Attempts, Endpoint
from contact_sync.sync.shutdown import Shutdown

CANARIES = 5
"""So many rows may fail, one at a time, before the API counts as down without ever having answered."""

log = logging.getLogger(__name__)

_DURABLE = 0.2  # seconds until a result is on the disk at the latest


@dataclass(frozen=True, slots=True)
class SendLimits:
    """How hard to try."""

    workers: int
    attempts: int
    """Attempts a row in the first pass."""
    limit: int | None
    """Rows sent at most."""
    seconds: float | None
    """Time left for sending."""


class Pool:
    """Sends the pending rows of `ledger` to `endpoint` and records how each ended; `tick` is told of each."""

    def __init__(
        self,
        ledger: Ledger,
        client: Client,
        endpoint: Endpoint,
        limits: SendLimits,
        shutdown: Shutdown,
        *,
        tick: Callable[[Result], None],
    ) -> None:
        self._ledger = ledger
        self._limits = limits
        self._shutdown = shutdown
        self._tick = tick
        self._attempts = Attempts(client, endpoint, shutdown, others=lambda: bool(self._rows))
        self._attempts.grant(limits.attempts)
        self._rows: deque[Pending] = deque()
        self._after = -1
        self._until: int | None = None
        self._left = limits.limit
        self._second_pass = False

    async def send(self) -> None:
        """Do it; raises StorageError when the ledger cannot be written at the end.

        Ends early when `shutdown` is tripped, and trips it itself where going on is useless; rows whose turn did not come stay
        pending.
        """
        flusher = asyncio.create_task(self._keep_durable())
        timer = self._timer()
        try:
            await self._prove()
            await self._work()
            self._begin_second_pass()
            await self._work()
            if self._attempts.down and not self._attempts.well and not self._shutdown.reasons:
                self._attempts.give_up()
        finally:
            flusher.cancel()
            if timer is not None:
                timer.cancel()
            self._ledger.flush()

    def _timer(self) -> asyncio.TimerHandle | None:
        if self._limits.seconds is None:
            return None
        reason = UnavailableError(_("The time budget (--max-duration) is used up: the next run sends the rest."))
        if self._limits.seconds <= 0:
            self._shutdown.request(reason)
            return None
        return asyncio.get_running_loop().call_later(self._limits.seconds, self._shutdown.request, reason)

    async def _keep_durable(self) -> None:
        try:
            while True:
                await asyncio.sleep(_DURABLE)
                self._ledger.flush()
        except ContactSyncError as reason:
            self._shutdown.request(reason)

    async def _prove(self) -> None:
        """Send one row at a time until the API has answered in its own words."""
        for _canary in range(CANARIES):
            if not await self._deliver_next():
                break
            if self._attempts.proven:
                return
        self._attempts.suspect()

    def _begin_second_pass(self) -> None:
        """Take the rows that failed, once more: what was wrong for a moment may be over.

        These are the worst of the file, so many failures in a row are no sign that the API is down: if it was `well`, the pass
        ends there, and they stay failed.
        """
        self._ledger.flush()
        self._attempts.well = not self._attempts.down
        self._attempts.grant(1)
        self._until = self._after  # in a run that is taken up again others may have failed before
        self._second_pass, self._after, self._left = True, -1, None

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as workers:
            for _worker in range(self._limits.workers):
                workers.create_task(self._worker())

    async def _worker(self) -> None:
        while await self._deliver_next():
            pass

    async def _deliver_next(self) -> bool:
        """Send the next row and note how it ended; False when there is none, or none is to be sent any more."""
        try:
            row = self._next()
            if row is None:
                return False
            result = await self._attempts.deliver(row)
            if result is not None:
                self._ledger.record(result)
                log.info("row %d, contact %s: %s", row.number, row.contact_id, result.outcome)
                self._tick(result)
        except ContactSyncError as reason:
            self._shutdown.request(reason)
        return not self._shutdown.reasons

    def _next(self) -> Pending | None:
        if self._shutdown.reasons or self._left == 0:
            return None
        if self._second_pass and (not self._attempts.affordable or (self._attempts.well and self._attempts.down)):
            return None
        if not self._rows:
            self._rows.extend(self._ledger.claim(self._after, self._left, failed=self._second_pass, until=self._until))
            if not self._rows:
                self._left = 0  # so that no other worker looks again
                return None
        row = self._rows.popleft()
        self._after = row.number
        if self._left is not None:
            self._left -= 1
        if self._second_pass:
            self._attempts.note_retry()
        return row
