"""The rate limit: attempts start evenly spaced.

A token bucket that fills while nothing is sent would let twice the rate through in one second. No slot is used early, and only a
part of one late slot is made up for, so that no burst follows a stall of the program. 429s lower the pace (`congestion`).
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count

from contact_sync.api.congestion import CongestionControl, Start
from contact_sync.errors import ContactSyncError
from contact_sync.model.pace import SlotStore

_SHARED_S = 0.05  # seconds whose slots are taken together where hosts share the pace: one journey to the database for each
_JOURNEYS = 5  # that these seconds last at least, so that a database far away is not asked all the time
_RESERVE = 3  # journeys before the last slot at which others are taken, between two starts
_TRUSTED_S = 0.1  # age of a slot up to which no pause of another host is looked for once more
_THROTTLED_S = 5.0  # seconds after a 429 in which the API counts as throttling
_REMEMBERED = 1000  # starts, when there is no rate
_ROUNDED_OFF = 0.001  # the share of a fractional rate that may be left unused


class Pace:
    """The moments when attempts may start: at most `rate` a second, 0 = no limit, whatever the number of runs that share it.

    Any span of n whole seconds has at most n * `rate` + 1 starts, and a single one at most `rate`, rounded up. The answers to the
    attempts lower and raise the pace below that. `clock` is monotonic, in seconds.
    """

    def __init__(self, rate: float, *, clock: Callable[[], float]) -> None:
        starts, seconds = _fraction_of(rate) if rate >= 1 else (rate, 1)
        self.rate = rate or math.inf
        self.throttled = 0  # answers that were 429
        self.wanted = 1  # attempts that wait to start
        self._control = CongestionControl(starts / seconds or math.inf, measured=self._measured)
        # With p starts in q seconds, each span of n seconds has room for 1/p s of lateness: half of it is used. Below one start a
        # second, a slot is too long to be made up for.
        self._made_up = 0.5 / starts if rate >= 1 else 0.0
        self._clock = clock
        self._slot = self._paused_until = self._throttled_at = -math.inf
        self._starts: deque[float] = deque(maxlen=math.ceil(starts / seconds) or _REMEMBERED)

    @property
    def limit(self) -> float:
        """The attempts a second that may start now, except during a pause; infinite without a limit."""
        return self._control.pace

    @property
    def is_throttled(self) -> bool:
        """True when the API answered 429 a moment ago."""
        return self._clock() - self._throttled_at < _THROTTLED_S

    @property
    def is_slowed(self) -> bool:
        """True while the pace is below the rate."""
        return self._control.pace < self._control.rate

    @property
    def pause_left(self) -> float:
        """The seconds until a pause ends, 0 when there is none."""
        return max(0.0, self._paused_until - self._clock())

    def pause(self, seconds: float) -> None:
        """Let no attempt start for `seconds` from now."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def accept(self, start: Start) -> None:
        """Note an answer other than 429."""
        self._control.accept(start)

    def refuse(self, start: Start) -> bool:
        """Note a 429; return True when it lowered the pace."""
        self.throttled += 1
        self._throttled_at = self._clock()
        return self._control.refuse(start)

    def wait(self) -> float:
        """Return the seconds until an attempt may start, 0 or less when it may start now."""
        return self._due() - self._clock()

    def start(self) -> Start:
        """Note that an attempt starts."""
        now = self._clock()
        self._slot = max(self._due(), now - self._made_up)
        self._starts.append(now)
        return self._control.start()

    def _due(self) -> float:
        return max(self._slot + 1 / self._control.pace, self._paused_until, self._second_over())

    def _second_over(self) -> float:
        """Return the moment from which another start would be one of `rate` within a second."""
        return self._starts[0] + 1 if self.rate < math.inf and len(self._starts) == self._starts.maxlen else -math.inf

    def _measured(self) -> int:
        """Return the attempts of the last second in which one started."""
        return sum(start > self._starts[-1] - 1 for start in self._starts)


class SharedPace(Pace):
    """The moments when attempts of this host may start, where hosts share a pace: each takes a few slots at a time.

    A slot that is missed is lost: made up for, it would be next to a slot of another host. Until `slots` are there, and without a
    rate, the pace is this host's alone.
    """

    slots: SlotStore | None = None

    def __init__(self, rate: float, *, clock: Callable[[], float]) -> None:
        super().__init__(rate, clock=clock)
        self._granted: deque[float] = deque()
        self._granted_at = -math.inf
        self._journey = 0.0  # seconds that the database took to grant the last ones
        self._used = 0  # slots since then

    def pause(self, seconds: float) -> None:
        """Let no attempt start for `seconds` from now, on any host."""
        super().pause(seconds)
        if self.slots:
            self._granted.clear()
            with suppress(ContactSyncError):  # the next slot will meet it
                self.slots.pause(seconds)

    def refuse(self, start: Start) -> bool:
        """Note a 429; return True when it lowered the pace, for all hosts."""
        is_lowered = super().refuse(start)
        if is_lowered and self.slots:
            self._granted.clear()
            with suppress(ContactSyncError):
                self.slots.slow(1 / self.limit)
        return is_lowered

    def wait(self) -> float:
        """Return the seconds until an attempt may start, 0 or less when it may start now."""
        if not self.slots or self.limit == math.inf:
            return super().wait()
        if (left := self.pause_left) > 0:
            return left
        gap, now = 1 / self.limit, self._clock()
        while self._granted and self._granted[0] < now - gap:
            self._granted.popleft()
        wanted = self.wanted - len(self._granted)
        is_idle = wanted > 0 and bool(self._granted) and self._granted[0] > now
        if not self._granted or (is_idle and self._granted[-1] < now + _RESERVE * self._journey):
            # Far away, the next attempts are not known to wait yet: there may be one more than of late.
            ahead = min(self._used + 1, math.ceil(_JOURNEYS * self._journey / gap))
            delays = self.slots.take(gap, max(1, ahead, min(wanted, math.ceil(_SHARED_S / gap))))
            self._used = 0
            self._granted_at = self._clock()
            self._journey, now = self._granted_at - now, self._granted_at
            self._granted.extend(now + delay for delay in delays)
        # Slots that were late, as while the database was asked, are made up for only within the rate of a second.
        if (wait := max(self._granted[0], self._second_over()) - now) > 0 or now - self._granted_at < _TRUSTED_S:
            return wait
        self._granted_at = now
        if (left := self.slots.pause_left()) > 0:
            super().pause(left)
            self._granted.clear()
        return left

    def start(self) -> Start:
        """Note that an attempt starts."""
        if self._granted:
            self._granted.popleft()
            self._used += 1
        return super().start()


class Limiter:
    """The queue of the attempts of one run for the starts of a `pace`; `sleep` may raise, which ends the waiting."""

    def __init__(self, pace: Pace, *, sleep: Callable[[float], Awaitable[None]]) -> None:
        self.pace = pace
        self._sleep = sleep
        self._queue = asyncio.Lock()  # first come, first served
        self._waiting = 0  # attempts in the queue
        self.acquired = 0  # attempts that were started
        self.throttled = 0  # answers that were 429
        self.slowest = pace.limit  # attempts a second, at the lowest pace
        self.is_lowered = False  # True once a 429 has lowered the pace
        self.accept, self.pause = pace.accept, pace.pause

    def refuse(self, start: Start) -> bool:
        """Note a 429 to the attempt of `start`; return True when it lowered the pace."""
        self.throttled += 1
        if not self.pace.refuse(start):
            return False
        self.is_lowered = True
        self.slowest = min(self.slowest, self.pace.limit)
        return True

    async def acquire(self) -> Start:
        """Wait until an attempt may start, and return its start. Raises a ContactSyncError where no slots can be taken."""
        self._waiting += 1
        try:
            async with self._queue:
                self.pace.wanted = self._waiting
                while (wait := self.pace.wait()) > 0:
                    await self._sleep(wait)
                self.acquired += 1
                return self.pace.start()
        except ContactSyncError as error:
            error.is_before_request = True
            raise
        finally:
            self._waiting -= 1


def _fraction_of(rate: float) -> tuple[int, int]:
    """Return p and the smallest q so that p starts in q seconds are `rate`, or less by at most `_ROUNDED_OFF` of it."""
    seconds = next(q for q in count(1) if _starts_in(q, rate) >= (1 - _ROUNDED_OFF) * q * rate)
    return _starts_in(seconds, rate), seconds


def _starts_in(seconds: int, rate: float) -> int:
    return math.floor(seconds * rate + 1e-9)
