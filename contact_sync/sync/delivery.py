"""The delivery of a request: as many attempts as help, within the run's retry budget, and few while the API is down.

An attempt passes through: retry ( breaker ( rate limit ( deadline ( HTTP ) ) ) ). One thread, one event loop: limiter and breaker
are only used between two awaits, and need no lock.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from contact_sync.api.client import Client
from contact_sync.api.endpoint import Endpoint, Reply
from contact_sync.errors import ContactSyncError, Rejected, Transient
from contact_sync.events import log_event
from contact_sync.sync.breaker import PROBE_INTERVAL_S, Breaker
from contact_sync.sync.shutdown import Shutdown, Stopped

_MIN_RETRIES, _RETRY_SHARE = 50, 0.1  # the retry budget of a run: a fixed number, and a share of the requests
_BACKOFF = wait_random_exponential(multiplier=0.25, max=20)  # seconds, with full jitter

_UNAVAILABLE = {"502", "503", "504"}  # HTTP statuses, and codes of the API, that are about the API as a whole

_ArgumentT = TypeVar("_ArgumentT")
_ValueT = TypeVar("_ValueT")


@dataclass(slots=True)
class Attempts:
    """The attempts of one delivery, or of several for the same row."""

    made: int = 0
    failure: Transient | None = None  # the last one
    reply: Reply | None = None  # to the last attempt


class Delivery:
    """Calls endpoints through `client`, for one run.

    An API that is down is probed with `probe`, which makes another request and returns True, or with the request in hand when it
    returns False: a few requests that the API cannot process are then not taken for an API that is down for good. While
    `others` returns True, a request that fails meanwhile is not retried. Before the API is given up, `rows_fail` is asked whether
    it is up and the requests are what fails.
    """

    def __init__(
        self,
        client: Client,
        shutdown: Shutdown,
        *,
        probe: Callable[[], Awaitable[bool]] | None = None,
        others: Callable[[], bool] = lambda: False,
        rows_fail: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self._client = client
        self._shutdown = shutdown
        self._probe = probe
        self._others = others
        self._rows_fail = rows_fail
        self._probing = asyncio.Lock()
        self._prober: asyncio.Task[object] | None = None  # which alone makes attempts while the breaker is open
        self._retries = 0
        self.breaker = Breaker(asyncio.get_running_loop().time)

    @property
    def can_retry(self) -> bool:
        """True when the retry budget of the run allows another retry."""
        return self._retries + 1 <= _MIN_RETRIES + _RETRY_SHARE * self._client.limiter.acquired

    def note_retry(self, _state: object = None) -> None:
        """Take one retry off the budget."""
        self._retries += 1

    async def call(
        self, endpoint: Endpoint[_ArgumentT, _ValueT], argument: _ArgumentT, max_attempts: int, attempts: Attempts | None = None
    ) -> _ValueT:
        """Return the value of `endpoint` for `argument`; `attempts` is kept up to date, whatever happens.

        Raises Transient when the last attempt failed, Rejected when the API refuses the argument, Stopped when a shutdown is
        requested while it waits, and a ContactSyncError when every call would fail in the same way.
        """
        attempts = attempts or Attempts()
        # Most calls need no second attempt, and tenacity would take a quarter of their CPU time (see the benchmarks). It comes in
        # with the first failure, as the result of its first attempt.
        try:
            return await self._attempt(endpoint, argument, attempts)
        except Transient as error:
            failure = error
        async for attempt in AsyncRetrying(
            stop=stop_after_attempt(max_attempts),
            wait=_BACKOFF,
            retry=retry_if_exception(lambda error: self._may_retry(error, idempotent=endpoint.idempotent)),
            before_sleep=self.note_retry,
            sleep=self._shutdown.sleep,
            reraise=True,
        ):
            with attempt:
                if attempt.retry_state.attempt_number == 1:
                    raise failure
                return await self._attempt(endpoint, argument, attempts)
        raise AssertionError  # the loop ends with a value or an error

    def _may_retry(self, error: BaseException, *, idempotent: bool) -> bool:
        return (
            isinstance(error, Transient)
            and (idempotent or not error.maybe_applied)
            and self.can_retry
            and not (self.breaker.is_open and self._others())
        )

    async def _attempt(self, endpoint: Endpoint[_ArgumentT, _ValueT], argument: _ArgumentT, attempts: Attempts) -> _ValueT:
        """Make one attempt; while the breaker is open, wait until a probe has succeeded, or for the turn to probe."""
        if self.breaker.is_open and self._prober is not asyncio.current_task():
            async with self._probing:
                self._prober = asyncio.current_task()
                try:
                    while self.breaker.is_open:
                        if self.breaker.is_overdue:
                            await self.give_up()
                            continue
                        await self._shutdown.sleep(PROBE_INTERVAL_S)
                        if self._probe is None or not await self._probe():
                            return await self._exchange(endpoint, argument, attempts)
                finally:
                    self._prober = None
        return await self._exchange(endpoint, argument, attempts)

    async def give_up(self) -> None:
        """Request the shutdown because the API is down, unless it is the rows that fail."""
        if self._rows_fail is not None and await self._rows_fail():
            self.breaker.blame_rows()
        else:
            self._shutdown.request(self.breaker.give_up())

    async def _exchange(self, endpoint: Endpoint[_ArgumentT, _ValueT], argument: _ArgumentT, attempts: Attempts) -> _ValueT:
        """Send the request, read the reply, and note what both say about the health of the API."""
        if self._shutdown.reasons:  # requested while this attempt waited to probe
            raise Stopped
        attempts.made += 1
        attempts.reply = None
        try:
            attempts.reply = await self._client.send(endpoint.request(argument))
            value = endpoint.read(attempts.reply, argument)
        except Stopped:
            attempts.made -= 1  # it was still waiting for the limiter
            raise
        except Rejected:
            self._note_success(attempts.reply)
            raise
        except ContactSyncError as reason:
            attempts.made -= reason.is_before_request
            raise
        except Transient as failure:
            attempts.failure = failure
            self._note_failure(failure, attempts.reply)
            raise
        self._note_success(attempts.reply)
        return value

    def _note_success(self, reply: Reply | None) -> None:
        """Note that the API accepted or rejected a row."""
        self.breaker.success()
        if reply:
            self._client.limiter.accept(reply.start)

    def _note_failure(self, failure: Transient, reply: Reply | None) -> None:
        """Note an attempt that says nothing about its row; raises UnavailableError when the API asks for too long a pause."""
        if _is_about_the_row(failure, blamed=self.breaker.blames_rows):
            self.breaker.row_error()
            if reply:
                self._client.limiter.accept(reply.start)
        else:
            succeeded = failure.http_status is not None and 200 <= failure.http_status < 300  # noqa: PLR2004 - the class
            answer = failure.violation.detail.get("reason", "") if succeeded else ""
            self.breaker.failure(is_api_response=failure.is_api_response, foreign_answer=answer, throttled=failure.throttled)
        self._slow_down(failure, reply)

    def _slow_down(self, failure: Transient, reply: Reply | None) -> None:
        """Send less, or nothing for a while, where the API asks for that; raises UnavailableError when the pause is too long."""
        limiter, pace, pause = self._client.limiter, self._client.limiter.pace, failure.pause
        why = "pause" if pause is not None and not pace.pause_left else ""  # attempts in flight together are throttled together
        if failure.throttled and reply:
            why = why or ("" if pace.is_throttled else "tolerated")
            why = "share" if limiter.refuse(reply.start) else why
        if why:
            log_event(
                "api.throttled",
                http_status=failure.http_status,
                pause=pause,
                pace=_finite(pace.limit),
                rate=_finite(pace.rate),
                throttled=pace.throttled,
                why=why,
            )
        if pause is not None:
            self.breaker.pause(pause)
            limiter.pause(pause)


def _finite(pace: float) -> float | None:
    return round(pace, 2) if pace < math.inf else None


def _is_about_the_row(failure: Transient, *, blamed: bool) -> bool:
    """Return True for an error in the API's own words that neither asks for fewer requests nor says that the API is down.

    When the rows are `blamed`, whatever may have reached the API is about the row unless it asks for fewer requests.
    """
    if failure.throttled or failure.pause is not None:
        return False
    if blamed:
        return failure.maybe_applied
    if not failure.is_api_response:
        return False
    return not {str(failure.http_status), failure.api_code} & _UNAVAILABLE
