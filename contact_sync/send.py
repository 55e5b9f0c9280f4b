"""Sending: a pool of workers takes the pending rows out of the ledger and brings back how each one ended.

One attempt passes through: worker ( retry ( breaker ( client ( limiter ( deadline ( HTTP ) ) ) ) ) ). One thread, one event loop:
whoever touches ledger, limiter or breaker does so between two awaits, and needs no lock.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from tenacity import AsyncRetrying, RetryCallState, stop_after_attempt, wait_random_exponential

from contact_sync.api.client import Client, Reply
from contact_sync.breaker import PAUSE, Breaker
from contact_sync.errors import ContactSyncError, Rejected, Transient, UnavailableError
from contact_sync.language import phrase
from contact_sync.ledger import Ledger
from contact_sync.model import Answer, Outcome, Pending, Result, Violation
from contact_sync.stop import Stop, Stopped

CANARIES = 5
"""So many rows may fail, one at a time, before the API counts as down without ever having answered."""

LONGEST_HOLD = 300.0
"""Seconds; a server that asks for more, or goes on asking for as long, is not coming back tonight."""

_DURABLE = 0.2  # seconds until a result is on the disk at the latest
_ALLOWANCE, _SHARE = 50, 0.1  # retries of a run at most: so many, and so many for each request


class Endpoint(Protocol):
    """Where rows are sent. An attempt without an answer is made again, so it must be safe to ask twice for the same."""

    path: str

    def request(self, row: Pending) -> bytes:
        """The body that sends `row`."""

    def answer(self, reply: Reply, row: Pending) -> Answer:
        """What `reply` means for `row`; raises Transient or Rejected for this row, another error where all would end so."""

    def code(self, reply: Reply) -> str:
        """The API's code in `reply`, as far as there is one."""

    def doubt(self, refusal: Rejected, row: Pending) -> tuple[str, str] | None:
        """What to ask, path and query, before this refusal of `row` is believed; None where it is certain."""

    def resolve(self, reply: Reply, row: Pending) -> Answer | None:
        """What the answer to that question means for `row`; None where the refusal stands."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to try."""

    workers: int
    attempts: int
    """Attempts a row in the first pass."""
    limit: int | None
    """Rows sent at most."""
    seconds: float | None
    """Time left for sending."""


@dataclass(slots=True)
class _Delivery:
    """A row on its way."""

    row: Pending
    attempts: int = 0
    last: Transient | None = None
    reply: Reply | None = None
    """To the last attempt."""


class _Sender:
    def __init__(
        self,
        ledger: Ledger,
        client: Client,
        endpoint: Endpoint,
        effort: Effort,
        stop: Stop,
        *,
        tick: Callable[[Result], None],
    ) -> None:
        self._ledger = ledger
        self._client = client
        self._endpoint = endpoint
        self._effort = effort
        self._stop = stop
        self._tick = tick
        self._clock = asyncio.get_running_loop().time
        self._breaker = Breaker(self._clock)
        self._silent_since: float | None = None
        self._probe = asyncio.Lock()
        self._proven = False
        self._retries = 0
        self._rows: deque[Pending] = deque()
        self._after = -1
        self._until: int | None = None
        self._left = effort.limit
        self._second_pass = False
        self._well = False
        self._retrying = self._retry(effort.attempts)

    def _retry(self, attempts: int) -> AsyncRetrying:
        # Shared by all workers, which is twice as fast as one for each row; its `statistics` therefore mean nothing.
        return AsyncRetrying(
            stop=stop_after_attempt(attempts),
            wait=wait_random_exponential(multiplier=0.25, max=20),
            retry=self._again,
            before_sleep=self._note_retry,
            sleep=self._stop.sleep,
            reraise=True,
        )

    def _again(self, state: RetryCallState) -> bool:
        """Whether an attempt may be followed by another: it failed for the moment, and the run's budget allows it.

        While the API counts as down, other rows do the asking as long as there are any: a few that it cannot swallow, one below
        the other, must not look like an API that is down for good.
        """
        failed = state.outcome is not None and isinstance(state.outcome.exception(), Transient)
        return failed and self._affordable and not (self._breaker.is_open and self._rows)

    def _note_retry(self, _: RetryCallState | None = None) -> None:
        self._retries += 1

    @property
    def _affordable(self) -> bool:
        """Whether the run's budget has a retry left."""
        return self._retries + 1 <= _ALLOWANCE + _SHARE * self._client.limiter.turns

    # ---- the pool

    async def send(self) -> None:
        flusher = asyncio.create_task(self._keep_durable())
        timer = self._timer()
        try:
            await self._prove()
            await self._work()
            self._begin_second_pass()
            await self._work()
            if self._breaker.is_open and not self._well and not self._stop.reasons:
                self._give_up()
        finally:
            flusher.cancel()
            if timer is not None:
                timer.cancel()
            self._ledger.flush()

    def _timer(self) -> asyncio.TimerHandle | None:
        if self._effort.seconds is None:
            return None
        reason = UnavailableError(phrase("The time budget (--max-duration) is used up: the next run goes on with the rest."))
        if self._effort.seconds <= 0:
            self._stop.trip(reason)
            return None
        return asyncio.get_running_loop().call_later(self._effort.seconds, self._stop.trip, reason)

    async def _keep_durable(self) -> None:
        try:
            while True:
                await asyncio.sleep(_DURABLE)
                self._ledger.flush()
        except ContactSyncError as reason:
            self._stop.trip(reason)

    async def _prove(self) -> None:
        """Send one row at a time until the API has answered in its own words."""
        for _ in range(CANARIES):
            if not await self._deliver_next():
                break
            if self._proven:
                return
        if self._client.limiter.turns:
            self._breaker.trip()

    def _begin_second_pass(self) -> None:
        """Take the rows that failed, once more: what was wrong for a moment may be over.

        These are the worst of the file, so many failures in a row are no sign that the API is down: if it was `_well`, the pass
        ends there, and they stay failed.
        """
        self._ledger.flush()
        self._well = not self._breaker.is_open
        self._until = self._after  # in a run that is taken up again others may have failed before
        self._second_pass, self._after, self._left, self._retrying = True, -1, None, self._retry(1)

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as workers:
            for _ in range(self._effort.workers):
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
            result = await self._deliver(row)
            if result is not None:
                self._ledger.record(result)
                self._tick(result)
        except ContactSyncError as reason:
            self._stop.trip(reason)
        return not self._stop.reasons

    def _next(self) -> Pending | None:
        if self._stop.reasons or self._left == 0:
            return None
        if self._second_pass and (not self._affordable or (self._well and self._breaker.is_open)):
            return None
        if not self._rows:
            self._rows.extend(self._ledger.take(self._after, self._left, failed=self._second_pass, until=self._until))
            if not self._rows:
                self._left = 0  # so that no other worker looks again
                return None
        row = self._rows.popleft()
        self._after = row.number
        if self._left is not None:
            self._left -= 1
        if self._second_pass:
            self._note_retry()
        return row

    # ---- one row

    async def _deliver(self, row: Pending) -> Result | None:
        """How `row` ended; None when its turn did not come."""
        delivery = _Delivery(row, row.attempts)
        outcome: Outcome
        status: int | None = None
        violations: Sequence[Violation]
        code = ""
        try:
            outcome, violations, status, code = await self._try(delivery)
        except (Rejected, Transient) as error:
            outcome = Outcome.REJECTED if isinstance(error, Rejected) else Outcome.FAILED
            status, violations, code = error.http_status, [error.violation], error.api_code
        except Stopped:
            if delivery.last is None:
                return None
            outcome = Outcome.FAILED
            status, violations, code = delivery.last.http_status, [delivery.last.violation], delivery.last.api_code
        except ContactSyncError as reason:
            self._stop.trip(reason)
            outcome, violations = Outcome.FAILED, [Violation("api-stopped")]
            if delivery.reply is not None:
                status, code = delivery.reply.status, self._endpoint.code(delivery.reply)
        return Result(row, outcome, violations, delivery.attempts, status, code, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")

    async def _try(self, delivery: _Delivery) -> Answer:
        """Make the first attempt, and as many more as are granted.

        Tenacity comes in with the first failure, which it is told as its own first attempt: most rows have none, and it would
        cost them a tenth of all that sending costs.
        """
        try:
            return await self._attempt(delivery)
        except Transient as failure:
            failures = [failure]

        async def attempt() -> Answer:
            if failures:
                raise failures.pop()
            return await self._attempt(delivery)

        return await self._retrying(attempt)

    async def _attempt(self, delivery: _Delivery) -> Answer:
        """Make one attempt, or, while the API counts as down, wait until it is this row's turn to probe."""
        if self._breaker.is_open:
            async with self._probe:
                if self._breaker.gave_up:
                    self._give_up()
                if self._breaker.is_open:
                    await self._stop.sleep(PAUSE)
                    return await self._ask(delivery)
        return await self._ask(delivery)

    def _give_up(self) -> None:
        if self._proven:
            told = phrase("The API is down or does not answer as documented: run again later.")
        else:
            told = phrase(
                "Nothing answered as the API does: run again later, or check that --base-url is right (it ends in /v1)."
            )
        self._stop.trip(UnavailableError(told))

    async def _ask(self, delivery: _Delivery) -> Answer:
        if self._stop.reasons:  # given while this row waited for its turn to probe
            raise Stopped
        delivery.attempts += 1
        delivery.reply = None
        endpoint, row = self._endpoint, delivery.row
        try:
            delivery.reply = await self._client.post(endpoint.path, endpoint.request(row))
            answer = endpoint.answer(delivery.reply, row)
        except Stopped:
            delivery.attempts -= 1  # it was still waiting for its turn
            raise
        except Transient as failure:
            delivery.last = failure
            self._failed(failure)
            raise
        except Rejected as refusal:
            self._answered()
            question = endpoint.doubt(refusal, row)
            if question is None:
                raise
            return await self._look_into(delivery, refusal, question)
        self._answered()
        return answer

    async def _look_into(self, delivery: _Delivery, refusal: Rejected, question: tuple[str, str]) -> Answer:
        """Ask whether a refusal is to be believed."""
        # Until that is known, the row is no more certain than one without an answer.
        delivery.last = Transient(refusal.violation, http_status=refusal.http_status, api_code=refusal.api_code)
        delivery.attempts += 1
        try:
            reply = await self._client.get(*question)
        except Stopped:
            delivery.attempts -= 1
            raise
        except Transient as failure:
            delivery.last = failure
            self._failed(failure)
            raise
        answer = self._endpoint.resolve(reply, delivery.row)
        if answer is None:
            raise refusal
        return answer

    def _answered(self) -> None:
        self._proven = self._well = True
        self._silent_since = None
        self._breaker.success()

    def _failed(self, failure: Transient) -> None:
        self._proven = self._proven or failure.spoke
        self._breaker.failure()
        if failure.throttled:
            self._client.limiter.ease()
        if failure.hold is not None:
            self._hold(failure.hold)

    def _hold(self, seconds: float) -> None:
        """Silence all workers, as the API asks; raises UnavailableError where it asks too much."""
        now = self._clock()
        self._silent_since = now if self._silent_since is None else self._silent_since
        if max(seconds, now - self._silent_since) > LONGEST_HOLD:
            raise UnavailableError(
                phrase("The API asks to wait for {seconds:.0f} seconds more: run again later.", seconds=seconds)
            )
        self._client.limiter.hold(seconds)


async def send(
    ledger: Ledger,
    client: Client,
    endpoint: Endpoint,
    effort: Effort,
    stop: Stop,
    *,
    tick: Callable[[Result], None],
) -> None:
    """Send the pending rows of `ledger` to `endpoint` and record how each ended; `tick` is told of each.

    Ends early when `stop` is tripped, and trips it itself where going on is useless; rows whose turn did not come stay pending.
    Raises StorageError when the ledger cannot be written at the end.
    """
    await _Sender(ledger, client, endpoint, effort, stop, tick=tick).send()
