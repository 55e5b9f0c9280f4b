"""A simulation of attempts in virtual time: a pace, a server that refuses some of them, and the way between the two."""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from contact_sync.api.congestion import Start
from contact_sync.api.limiter import Pace

Server = Callable[[float], bool]
"""Returns True where the server accepts the attempt that reaches it at a moment, and False for 429."""


class Attempt(NamedTuple):
    """An attempt that was answered."""

    start: float
    is_accepted: bool
    pace: float  # after the answer


@dataclass
class TokenBucket:
    """A server that allows `limit` attempts a second, with `size` of them at once."""

    limit: float
    size: float
    _tokens: float = float("inf")
    _filled: float = 0.0

    def __call__(self, at: float) -> bool:
        """Return True where a token is left."""
        self._tokens = min(self.size, self._tokens + (at - self._filled) * self.limit)
        self._filled = at
        is_accepted = self._tokens >= 1 - 1e-9
        self._tokens -= is_accepted
        return is_accepted


def unrelated(share: float, seed: int) -> Server:
    """Return a server that refuses a share of the attempts at random."""
    chance = random.Random(seed)
    return lambda _: chance.random() >= share


def simulate(
    rate: float, server: Server, *, seconds: float, latency: float = 0.1, pause: float = 0.0, workers: float = float("inf")
) -> list[Attempt]:
    """Return the attempts of so many seconds while some always wait.

    Half of the `latency` is the way to the server. A 429 asks for a `pause`. At most so many `workers` attempts are in flight.
    """
    now = 0.0
    pace = Pace(rate, clock=lambda: now)
    in_flight: list[tuple[float, int, float]] = []
    starts: list[Start] = []
    attempts: list[Attempt] = []
    while now < seconds:
        wait = max(0.0, pace.wait()) if len(in_flight) < workers else float("inf")
        answer = in_flight[0][0] if in_flight else float("inf")
        if now + wait <= answer:
            now += wait
            if pace.wait() > 0:  # a rounding error was left
                now += 1e-9
                continue
            heapq.heappush(in_flight, (now + latency, len(starts), now))
            starts.append(pace.start())
        else:
            now, number, start = heapq.heappop(in_flight)
            if is_accepted := server(start + latency / 2):
                pace.accept(starts[number])
            else:
                pace.refuse(starts[number])
                pace.pause(pause)
            attempts.append(Attempt(start, is_accepted, pace.limit))
    return attempts
