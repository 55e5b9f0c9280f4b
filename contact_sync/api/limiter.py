"""The rate limit: attempts start evenly spaced.

A token bucket that fills while nothing is sent would let twice the rate through in one second. No slot is used early, and at most
one late slot is made up for, so that no burst follows a stall of the program.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable

_SLOWEST = 0.2  # attempts a second: backing off never goes below
_RECOVERY = 0.05 / 10  # the share of the full pace by which a reduced pace grows in a second
_REMEMBERED = 1000  # starts, when there is no rate


class Limiter:
    """Lets at most max(1, floor(`rate`)) attempts start in any second; a `rate` of 0 means no limit.

    `clock` is monotonic, in seconds; `sleep` may raise, which ends the waiting.
    """

    def __init__(self, rate: float, *, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]]) -> None:
        self._rate = self._pace = self._full_pace = rate or math.inf
        self._clock = clock
        self._sleep = sleep
        self._queue = asyncio.Lock()  # first come, first served
        self._slot = self._paused_until = self._backed_off = -math.inf
        self._starts: deque[float] = deque(maxlen=max(1, math.floor(rate)) if rate else _REMEMBERED)
        self.acquired = 0  # attempts that were started
        self.backoffs = 0  # how often the pace was halved

    def pause(self, seconds: float) -> None:
        """Let no attempt start for `seconds` from now."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def back_off(self) -> None:
        """Halve the pace, because the API asked for fewer requests; it recovers with time (`_RECOVERY`)."""
        now = self._clock()
        if now - self._backed_off < 1:  # attempts in flight together are throttled together, which counts once
            return
        if self._rate == math.inf:  # without a rate, the attempts of the last second are the pace
            recent = sum(start > self._starts[-1] - 1 for start in self._starts)
            self._pace = min(self._pace, recent)
            if self._full_pace == math.inf:
                self._full_pace = recent
        self._pace = max(self._pace / 2, min(_SLOWEST, self._rate))
        self._backed_off = now
        self.backoffs += 1

    async def acquire(self) -> None:
        """Wait until an attempt may start."""
        async with self._queue:
            while (wait := self._due() - self._clock()) > 0:
                await self._sleep(wait)
            now = self._clock()
            gap = 1 / self._pace
            # Below one attempt a second, a slot is too long to be made up for.
            self._slot = max(self._due(), now - (gap if self._rate >= 1 else 0.0))
            if self._pace < self._rate:
                since = now - max(self._backed_off, self._starts[-1])
                self._pace = min(self._rate, self._pace + self._full_pace * _RECOVERY * max(0.0, since))
            self._starts.append(now)
            self.acquired += 1

    def _due(self) -> float:
        due = max(self._slot + 1 / self._pace, self._paused_until)
        if self._rate < math.inf and len(self._starts) == self._starts.maxlen:
            due = max(due, self._starts[0] + 1)
        return due
