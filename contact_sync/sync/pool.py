"""The pool of workers that send the rows of one source: canaries first, then all, then once more those that failed.

One thread, one event loop: the ledger is only used between two awaits, and needs no lock.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator

from contact_sync.api.client import Client
from contact_sync.api.smspartner.me import Me
from contact_sync.errors import ContactSyncError, SourceError, Transient, UnavailableError
from contact_sync.i18n import _
from contact_sync.ledger.store import Outbox
from contact_sync.model.row import Outcome, Pending, Result
from contact_sync.settings import SendSettings
from contact_sync.sync.breaker import Health
from contact_sync.sync.delivery import Delivery
from contact_sync.sync.live import Live, LiveRowSender
from contact_sync.sync.row_queue import RowQueue
from contact_sync.sync.row_sender import RowSender
from contact_sync.sync.run_log import log_result
from contact_sync.sync.shutdown import Shutdown, Stopped
from contact_sync.sync.verification import Verification

MAX_CANARIES = 5  # rows that may fail, one at a time, before an API that has never answered counts as down

_MIN_ROWS = 20  # rows to send below which conflicts do not show an old export

_HOLD_INTERVAL_S, _HOLD_ATTEMPTS = 0.1, 1_200  # until a contact counts as held for good by another host

_FLUSH_INTERVAL_S = 0.2  # until a result is durable at the latest, unless the ledger is slow
_FLUSH_SHARE = 0.1  # of the time that a slow ledger may take: no attempt starts meanwhile


class Pool:
    """Sends the pending rows of `ledger` with the API `key`, records each outcome, and then calls `tick` with it."""

    def __init__(
        self,
        ledger: Outbox,
        client: Client,
        key: str,
        send: SendSettings,
        shutdown: Shutdown,
        *,
        live: Live | None = None,
        tick: Callable[[Result], None],
    ) -> None:
        self._ledger = ledger
        self._client = client
        self._settings = send
        self._shutdown = shutdown
        self._tick = tick
        self._queue = RowQueue(ledger, limit=send.limit)
        self._delivery = Delivery(
            client, shutdown, probe=self._probe, others=lambda: bool(self._queue.claimed), rows_fail=self._rows_fail
        )
        self._row_sender = (
            LiveRowSender(live, send, self._delivery, key, shutdown) if live else RowSender(self._delivery, key, shutdown)
        )
        self._rows, self._conflicts = ledger.pending(), 0
        self.verification = Verification(ledger, self._delivery, key, shutdown, send.verify)
        self._breaker = self._delivery.breaker
        self._openings = self._probes = 0  # of the breaker, and probes since the last one
        self._me, self._asked = Me(key), 0  # another request, and how often it was made

    @property
    def taken(self) -> int:
        """The number of rows that were sent, or were about to be."""
        return self._queue.taken

    @property
    def reads(self) -> int:
        """The number of requests that read a contact before or after its update, or ask whether the API is up."""
        return self._row_sender.reads + self.verification.reads + self._asked

    def notes(self) -> Iterator[str]:
        """Yield what the operator has to know about the sending, as sentences."""
        if self._breaker.blames_rows:
            yield _(
                "SMS Partner answers other requests: these rows are what fails, as last time. Ask SMS Partner about their"
                " contactIds, or delete the rows."
            )
        if self._settings.verify:
            yield self.verification.note()

    async def send(self, seconds: float | None) -> None:
        """Send the rows, then once more those that failed; raises StorageError when the ledger cannot be written at the end.

        Ends early when the shutdown is requested, and requests it when going on is useless or the `seconds` are over. Rows that
        were not sent stay pending.
        """
        flusher = asyncio.create_task(self._flush_regularly())
        timer = self._start_timer(seconds)
        try:
            await self._send_canaries()
            await self._send_rows(self._queue.rows, self._settings.attempts)
            self._ledger.flush()
            await self._send_failed_rows()
            if self._settings.verify:
                self._ledger.flush()
                await self.verification.run(self._settings.workers, self._settings.attempts)
        finally:
            flusher.cancel()
            if timer is not None:
                timer.cancel()
            self._ledger.flush()

    def _start_timer(self, seconds: float | None) -> asyncio.TimerHandle | None:
        if seconds is None:
            return None
        reason = UnavailableError("The time budget (--max-duration) is used up: the next run sends the rest.")
        if seconds <= 0:
            self._shutdown.request(reason)
            return None
        return asyncio.get_running_loop().call_later(seconds, self._shutdown.request, reason)

    async def _flush_regularly(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                begun = loop.time()
                self._ledger.flush()
                await asyncio.sleep(max(_FLUSH_INTERVAL_S, (loop.time() - begun) / _FLUSH_SHARE))
        except ContactSyncError as reason:
            self._shutdown.request(reason)

    async def _send_canaries(self) -> None:
        """Send one row at a time, from all parts of the source, until the API itself has answered."""
        await self._work(itertools.islice(self._queue.rows, 1), self._settings.attempts)
        for _canary in range(1, MAX_CANARIES):
            if self._breaker.state is not Health.UNPROVEN or self._shutdown.reasons:
                return
            await self._probe(self._settings.attempts)
        if self._queue.taken and self._breaker.state is Health.UNPROVEN:
            self._breaker.assume_down()

    async def _probe(self, max_attempts: int = 1) -> bool:
        """Send a row from another part of the source; return False when there is none."""
        if self._openings != self._breaker.openings:
            self._openings, self._probes = self._breaker.openings, 0
        row = self._queue.take_elsewhere(self._probes)
        self._probes += 1
        if row is not None:
            await self._work(iter([row]), max_attempts)
        return row is not None

    async def _rows_fail(self) -> bool:
        """Return True when the API answers another request, and no row is left that has not failed before beside good ones."""
        self._ledger.flush()
        if not self._ledger.only_known_failures():
            return False
        self._asked += 1
        try:
            await self._client.call(self._me, None)
        except (Transient, Stopped, ContactSyncError):
            return False
        return True

    async def _send_failed_rows(self) -> None:
        """Send the failed rows once more: what was wrong for a moment may be over.

        These are the worst rows of the file, so their failures alone do not show that the API is down: when they open the
        breaker, the pass ends and they stay failed. An API that was already down is probed, and given up unless it recovers.
        """
        openings = self._breaker.openings
        # Rows of the first pass only: a resumed run may have older failures beyond its limit.
        failed = RowQueue(self._ledger, first=self._queue)

        def affordable() -> Iterator[Pending]:
            while self._delivery.can_retry and self._breaker.openings == openings and (row := next(failed.rows, None)):
                self._delivery.note_retry()
                yield row

        await self._send_rows(affordable(), max_attempts=1)
        if self._breaker.is_open and self._breaker.openings == openings and not self._shutdown.reasons:
            await self._delivery.give_up()

    async def _send_rows(self, rows: Iterator[Pending], max_attempts: int) -> None:
        async with asyncio.TaskGroup() as workers:
            for _worker in range(self._settings.workers):
                workers.create_task(self._work(rows, max_attempts))

    async def _work(self, rows: Iterator[Pending], max_attempts: int) -> None:
        """Take rows, send them and record their outcomes until there is none left or the shutdown is requested."""
        try:
            while not self._shutdown.reasons and (row := next(rows, None)):
                try:
                    held = await self._hold(row)
                    result = held if isinstance(held, Result) else await self._row_sender.send(held, max_attempts)
                    if result is not None:
                        self._ledger.record(result)
                        log_result(result)
                        self._tick(result)
                        self._count_conflict(result)
                finally:
                    self._ledger.let_go(row.contact_id)
        except Stopped:  # while another host had the contact
            pass
        except ContactSyncError as reason:
            self._shutdown.request(reason)

    async def _hold(self, row: Pending) -> Pending | Result:
        """Wait until no other host sends this contact, keep them from it, and return the row or its result. Raises Stopped."""
        for _attempt in range(_HOLD_ATTEMPTS):
            if held := self._ledger.hold(row, self._queue.claimed):
                return held
            await self._shutdown.sleep(_HOLD_INTERVAL_S)
        raise UnavailableError(
            "Another host has been sending contact {contact} for two minutes: run again later.", contact=row.contact_id
        )

    def _count_conflict(self, result: Result) -> None:
        """Request the shutdown when so many rows are conflicts that the file must be an old export."""
        self._conflicts += result.outcome is Outcome.CONFLICT
        most = self._settings.max_conflicts
        is_old = self._rows >= _MIN_ROWS and self._conflicts * 100 > most * self._rows
        if is_old and not self._shutdown.reasons:  # else each attempt in flight would give the reason once more
            reason = SourceError(
                "{count} of {rows} edited rows were changed in SMS Partner since the file was pulled, more than {most} %, as in "
                "an old export: the rest was not sent. Pull again, or allow more with --max-conflicts.",
                count=self._conflicts,
                rows=self._rows,
                most=f"{most:g}",
            )
            self._shutdown.request(reason)
