"""The rate limit: attempts start evenly spaced.

A token bucket that fills while nothing is sent would let twice the rate through in one second. No slot is used early, and only a
part of one late slot is made up for, so that no burst follows a stall of the program.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import count

_SLOWEST = 0.2  # attempts a second: backing off never goes below
_RECOVERY = 0.05 / 10  # the share of the full pace by which a reduced pace grows in a second
_THROTTLED_S = 5.0  # seconds after a back-off in which the API counts as throttling
_REMEMBERED = 1000  # starts, when there is no rate
_ROUNDED_OFF = 0.001  # the share of a fractional rate that may be left unused


class Pace:
    """The moments when attempts may start: at most `rate` a second, 0 = no limit, whatever the number of runs that share it.

    Any span of n whole seconds has at most n * `rate` + 1 starts, and a single one at most `rate`, rounded up.
    `clock` is monotonic, in seconds.
    """

    def __init__(self, rate: float, *, clock: Callable[[], float]) -> None:
        starts, seconds = _fraction_of(rate) if rate >= 1 else (rate, 1)
        self._rate = self._pace = self._full_pace = starts / seconds or math.inf
        # With p starts in q seconds, each span of n seconds has room for 1/p s of lateness: half of it is used. Below one start a
        # second, a slot is too long to be made up for.
        self._made_up = 0.5 / starts if rate >= 1 else 0.0
        self._clock = clock
        self._slot = self._paused_until = self._backed_off = -math.inf
        self._starts: deque[float] = deque(maxlen=math.ceil(starts / seconds) or _REMEMBERED)

    @property
    def limit(self) -> float:
        """The attempts a second that may start now, except during a pause; infinite without a limit."""
        return self._pace

    @property
    def is_throttled(self) -> bool:
        """True when the pace was halved a moment ago."""
        return self._clock() - self._backed_off < _THROTTLED_S

    @property
    def is_slowed(self) -> bool:
        """True while the pace has not recovered from being halved."""
        return self._pace < self._rate

    @property
    def pause_left(self) -> float:
        """The seconds until a pause ends, 0 when there is none."""
        return max(0.0, self._paused_until - self._clock())

    def pause(self, seconds: float) -> None:
        """Let no attempt start for `seconds` from now."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def back_off(self) -> bool:
        """Halve the pace, which recovers with time (`_RECOVERY`); return False when it was halved less than a second ago."""
        now = self._clock()
        if now - self._backed_off < 1:  # attempts in flight together are throttled together, which counts once
            return False
        if self._rate == math.inf:  # without a rate, the attempts of the last second are the pace
            recent = sum(start > self._starts[-1] - 1 for start in self._starts)
            self._pace = min(self._pace, recent)
            if self._full_pace == math.inf:
                self._full_pace = recent
        self._pace = max(self._pace / 2, min(_SLOWEST, self._rate))
        self._backed_off = now
        return True

    def wait(self) -> float:
        """Return the seconds until an attempt may start, 0 or less when it may start now."""
        return self._due() - self._clock()

    def start(self) -> None:
        """Note that an attempt starts."""
        now = self._clock()
        self._slot = max(self._due(), now - self._made_up)
        if self._pace < self._rate:
            since = now - max(self._backed_off, self._starts[-1])
            self._pace = min(self._rate, self._pace + self._full_pace * _RECOVERY * max(0.0, since))
        self._starts.append(now)

    def _due(self) -> float:
        due = max(self._slot + 1 / self._pace, self._paused_until)
        if self._rate < math.inf and len(self._starts) == self._starts.maxlen:
            due = max(due, self._starts[0] + 1)
        return due


class Limiter:
    """The queue of the attempts of one run for the starts of a `pace`; `sleep` may raise, which ends the waiting."""

    def __init__(self, pace: Pace, *, sleep: Callable[[float], Awaitable[None]]) -> None:
        self.pace = pace
        self._sleep = sleep
        self._queue = asyncio.Lock()  # first come, first served
        self.acquired = 0  # attempts that were started
        self.backoffs = 0  # how often the pace was halved
        self.pause = pace.pause

    def back_off(self) -> bool:
        """Halve the pace, because the API asked for fewer requests; return False when it was halved a moment ago."""
        is_new = self.pace.back_off()
        self.backoffs += is_new
        return is_new

    async def acquire(self) -> None:
        """Wait until an attempt may start."""
        async with self._queue:
            while (wait := self.pace.wait()) > 0:
                await self._sleep(wait)
            self.pace.start()
            self.acquired += 1


def _fraction_of(rate: float) -> tuple[int, int]:
    """Return p and the smallest q so that p starts in q seconds are `rate`, or less by at most `_ROUNDED_OFF` of it."""
    seconds = next(q for q in count(1) if _starts_in(q, rate) >= (1 - _ROUNDED_OFF) * q * rate)
    return _starts_in(seconds, rate), seconds


def _starts_in(seconds: int, rate: float) -> int:
    return math.floor(seconds * rate + 1e-9)
