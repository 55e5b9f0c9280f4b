"""The pace: how often an attempt may start.

Evenly spaced, since a bucket that fills while nobody sends lets twice the rate through in one second. A slot is never used early;
at most one slot of lateness is made up, so that a stall of the program is not followed by a burst.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable

_SLOWEST = 0.2
"""Attempts a second: the pace is never halved below."""

_RECOVERY = 0.05 / 10
"""The share of the whole pace by which an eased pace grows in a second."""

_REMEMBERED = 1000  # starts, where there is no rate to go by


class Limiter:
    """At most max(1, floor(`rate`)) turns start in any second; a `rate` of 0 means no limit.

    `clock` is monotonic, in seconds; `sleep` may raise to send those who wait away.
    """

    def __init__(self, rate: float, *, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]]) -> None:
        self._rate = self._pace = self._whole = rate or math.inf
        self._clock = clock
        self._sleep = sleep
        self._queue = asyncio.Lock()  # first come, first served
        self._slot = self._paused_until = self._backed_off = -math.inf
        self._starts: deque[float] = deque(maxlen=max(1, math.floor(rate)) if rate else _REMEMBERED)
        self.acquired = 0
        """How many turns were granted: the attempts made."""
        self.backoffs = 0
        """How often the pace was halved."""

    def pause(self, seconds: float) -> None:
        """Grant nobody a turn for so many seconds from now."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def back_off(self) -> None:
        """Halve the pace, since the API asked for fewer requests; calm brings it back (`_RECOVERY`)."""
        now = self._clock()
        if now - self._backed_off < 1:  # what was in flight together is answered together, and counts once
            return
        if self._rate == math.inf:  # half of nothing in particular: half of what was
            went = sum(start > self._starts[-1] - 1 for start in self._starts)
            self._pace = min(self._pace, went)
            if self._whole == math.inf:
                self._whole = went
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
            # Below one a second a slot is long enough for lateness not to matter, and too long to be made up.
            self._slot = max(self._due(), now - (gap if self._rate >= 1 else 0.0))
            if self._pace < self._rate:
                since = now - max(self._backed_off, self._starts[-1])
                self._pace = min(self._rate, self._pace + self._whole * _RECOVERY * max(0.0, since))
            self._starts.append(now)
            self.acquired += 1

    def _due(self) -> float:
        due = max(self._slot + 1 / self._pace, self._paused_until)
        if self._rate < math.inf and len(self._starts) == self._starts.maxlen:
            due = max(due, self._starts[0] + 1)
        return due
