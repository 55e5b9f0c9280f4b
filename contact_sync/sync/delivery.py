"""One row: its attempts, from the first to the last that is granted, and what they say of the API.

One attempt passes through: retry ( breaker ( client ( limiter ( deadline ( HTTP ) ) ) ) ). One thread, one event loop: whoever
touches limiter or breaker does so between two awaits.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from tenacity import AsyncRetrying, RetryCallState, stop_after_attempt, wait_random_exponential

from contact_sync.api.client import Client, Reply
from contact_sync.errors import AttemptError, ContactSyncError, Rejected, Transient, UnavailableError
from contact_sync.i18n import _
from contact_sync.model import Answer, Outcome, Pending, Result, Violation, stamp
from contact_sync.sync.breaker import PAUSE, Breaker
from contact_sync.sync.shutdown import Shutdown, Stopped

LONGEST_PAUSE = 300.0
"""Seconds; a server that asks for more, or goes on asking for as long, is not coming back tonight."""

_Read = TypeVar("_Read")

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


@dataclass(slots=True)
class _Delivery:
    """A row on its way."""

    row: Pending
    attempts: int = 0
    last: Transient | None = None
    reply: Reply | None = None
    """To the last attempt."""


class Attempts:
    """How rows get to `endpoint`: again where that helps, within a budget, and seldom while the API counts as down.

    `others` tells whether there are rows left that can do the asking in a row's place.
    """

    def __init__(self, client: Client, endpoint: Endpoint, shutdown: Shutdown, others: Callable[[], bool]) -> None:
        self._client = client
        self._endpoint = endpoint
        self._shutdown = shutdown
        self._others = others
        self._clock = asyncio.get_running_loop().time
        self._breaker = Breaker(self._clock)
        self._probe = asyncio.Lock()
        self._silent_since: float | None = None
        self._retries = 0
        self.proven = False
        """Whether the API has answered in its own words."""
        self.well = False
        """Whether it has answered since this was last taken back."""

    def grant(self, attempts: int) -> None:
        """Let each row have so many attempts from now on."""
        # Shared by all workers, which is twice as fast as one for each row; its `statistics` therefore mean nothing.
        self._retrying = AsyncRetrying(
            stop=stop_after_attempt(attempts),
            wait=wait_random_exponential(multiplier=0.25, max=20),
            retry=self._again,
            before_sleep=self.note_retry,
            sleep=self._shutdown.sleep,
            reraise=True,
        )

    def _again(self, state: RetryCallState) -> bool:
        """Whether an attempt may be followed by another: it failed for the moment, and the run's budget allows it.

        While the API counts as down, other rows do the asking as long as there are any: a few that it cannot swallow, one below
        the other, must not look like an API that is down for good.
        """
        failed = state.outcome is not None and isinstance(state.outcome.exception(), Transient)
        return failed and self.affordable and not (self._breaker.is_open and self._others())

    def note_retry(self, _: RetryCallState | None = None) -> None:
        """Take one retry off the run's budget."""
        self._retries += 1

    @property
    def affordable(self) -> bool:
        """Whether the run's budget has a retry left."""
        return self._retries + 1 <= _ALLOWANCE + _SHARE * self._client.limiter.acquired

    @property
    def down(self) -> bool:
        """Whether the API counts as down."""
        return self._breaker.is_open

    def suspect(self) -> None:
        """Take the API for down, unless nothing was asked of it."""
        if self._client.limiter.acquired:
            self._breaker.open()

    async def deliver(self, row: Pending) -> Result | None:
        """How `row` ended; None when its turn did not come."""
        delivery = _Delivery(row, row.attempts)
        try:
            answer = await self._try(delivery)
        except (Rejected, Transient) as error:
            answer = _failure(error)
        except Stopped:
            if delivery.last is None:
                return None
            answer = _failure(delivery.last)
        except ContactSyncError as reason:
            self._shutdown.request(reason)
            status, code = None, ""
            if delivery.reply is not None:
                status, code = delivery.reply.status, self._endpoint.code(delivery.reply)
            answer = Answer(Outcome.FAILED, [Violation("api-stopped")], status, code)
        outcome, violations, status, code = answer
        return Result(row, outcome, violations, delivery.attempts, status, code, stamp(datetime.now(UTC)))

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
                    self.give_up()
                if self._breaker.is_open:
                    await self._shutdown.sleep(PAUSE)
                    return await self._ask(delivery)
        return await self._ask(delivery)

    def give_up(self) -> None:
        """Stop the run, since the API is down."""
        if self.proven:
            sentence = _("The API is down or does not answer as documented: run again later.")
        else:
            sentence = _("No usable answer from the API: run again later, or check --base-url (it ends in /v1).")
        self._shutdown.request(UnavailableError(sentence))

    async def _ask(self, delivery: _Delivery) -> Answer:
        if self._shutdown.reasons:  # given while this row waited for its turn to probe
            raise Stopped
        endpoint, row = self._endpoint, delivery.row
        answer: Answer | None
        try:
            request = self._client.post(endpoint.path, endpoint.request(row))
            answer = await self._exchange(delivery, request, endpoint.answer)
        except Rejected as refusal:
            self._answered()
            question = endpoint.doubt(refusal, row)
            if question is None:
                raise
            # Until that is known, the row is no more certain than one without an answer.
            delivery.last = Transient(refusal.violation, http_status=refusal.http_status, api_code=refusal.api_code)
            answer = await self._exchange(delivery, self._client.get(*question), endpoint.resolve)
            if answer is None:
                raise
        self._answered()
        return answer

    async def _exchange(self, delivery: _Delivery, request: Awaitable[Reply], read: Callable[[Reply, Pending], _Read]) -> _Read:
        """Make a request and read its reply; note what a failure says of the API."""
        delivery.attempts += 1
        delivery.reply = None
        try:
            delivery.reply = await request
            return read(delivery.reply, delivery.row)
        except Stopped:
            delivery.attempts -= 1  # it was still waiting for its turn
            raise
        except Transient as failure:
            delivery.last = failure
            self._failed(failure)
            raise

    def _answered(self) -> None:
        self.proven = self.well = True
        self._silent_since = None
        self._breaker.success()

    def _failed(self, failure: Transient) -> None:
        self.proven = self.proven or failure.spoke
        self._breaker.failure()
        if failure.throttled:
            self._client.limiter.back_off()
        if failure.pause is not None:
            self._pause(failure.pause)

    def _pause(self, seconds: float) -> None:
        """Silence all workers, as the API asks; raises UnavailableError where it asks too much."""
        now = self._clock()
        self._silent_since = now if self._silent_since is None else self._silent_since
        if max(seconds, now - self._silent_since) > LONGEST_PAUSE:
            raise UnavailableError(_("The API asks to wait another {seconds:.0f} s: run again later.", seconds=seconds))
        self._client.limiter.pause(seconds)


def _failure(error: AttemptError) -> Answer:
    outcome = Outcome.REJECTED if isinstance(error, Rejected) else Outcome.FAILED
    return Answer(outcome, [error.violation], error.http_status, error.api_code)
