"""The rate limit, in virtual time."""

import asyncio
import math
import random
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Coroutine
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contact_sync.api.congestion import Start
from contact_sync.api.limiter import Limiter, Pace

pytestmark = pytest.mark.unmeasured

Run = Callable[[Coroutine[Any, Any, Any]], Any]
Sleep = Callable[[float], Awaitable[None]]

EPSILON = 1e-9
SECONDS = st.floats(0, 8)


def here(rate: float, sleep: Sleep = asyncio.sleep) -> Limiter:
    """Return a limiter on the clock of the running event loop."""
    return Limiter(Pace(rate, clock=asyncio.get_running_loop().time), sleep=sleep)


def late(seed: int, at_most: float = 0.001) -> Sleep:
    """Return a sleep that always takes a little too long."""
    chance = random.Random(seed)

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds + chance.uniform(0, at_most))

    return sleep


async def take(limiter: Limiter, acquired: int) -> list[float]:
    """Return the start of each of several attempts, requested one after the other."""
    starts = []
    for _ in range(acquired):
        await limiter.acquire()
        starts.append(asyncio.get_running_loop().time())
    return starts


def busiest_second(starts: list[float]) -> int:
    """Return the most starts in any one second."""
    return max(bisect_left(starts, first + 1 - EPSILON) - before for before, first in enumerate(starts))


def exceeds(starts: list[float], rate: float) -> list[tuple[float, float, int]]:
    """Return the spans of whole seconds, both ends included, that have more than n * `rate` + 1 starts."""
    at, number = np.array(starts), np.arange(len(starts))
    counts = number - number[:, None] + 1
    seconds = np.maximum(1, np.ceil(at - at[:, None] - EPSILON))
    spans = np.argwhere(counts > seconds * rate + 1 + EPSILON).tolist()
    return [(starts[first], starts[last], last - first + 1) for first, last in spans]


@settings(max_examples=150)
@given(
    rate=st.one_of(st.sampled_from([0.5, 1, 1.5, 1.99, 2, 2.5, 5, 7 / 3, 50, 500]), st.floats(0.3, 60)),
    arrivals=st.lists(SECONDS, min_size=1, max_size=60),
    pauses=st.lists(st.tuples(SECONDS, st.floats(0, 3)), max_size=3),
    stalls=st.lists(st.tuples(SECONDS, st.floats(0, 3)), max_size=3),
    seed=st.integers(0, 9),
)
def test_rate_is_never_exceeded(
    *,
    in_virtual_time: Run,
    rate: float,
    arrivals: list[float],
    pauses: list[tuple[float, float]],
    stalls: list[tuple[float, float]],
    seed: int,
) -> None:
    """At most n * R + 1 starts in n seconds and ceil(R) in one, none in a pause, in order of arrival."""
    came: list[int] = []
    went: list[tuple[int, float]] = []
    silences: list[tuple[float, float]] = []

    async def everything() -> None:
        loop: Any = asyncio.get_running_loop()
        limiter = here(rate, late(seed))

        async def arrive(number: int, at: float) -> None:
            await asyncio.sleep(at)
            came.append(number)
            await limiter.acquire()
            went.append((number, loop.time()))

        async def pause(at: float, seconds: float) -> None:
            await asyncio.sleep(at)
            silences.append((loop.time(), loop.time() + seconds))
            limiter.pause(seconds)

        async def stall(at: float, seconds: float) -> None:
            await asyncio.sleep(at)
            loop.advance(seconds)

        async with asyncio.TaskGroup() as tasks:
            for order in (*(pause(*each) for each in pauses), *(stall(*each) for each in stalls)):
                tasks.create_task(order)
            for number, at in enumerate(arrivals):
                tasks.create_task(arrive(number, at))
        assert limiter.acquired == len(arrivals)

    in_virtual_time(everything())
    starts = [start for _, start in went]
    assert [number for number, _ in went] == came
    assert busiest_second(starts) <= math.ceil(rate)
    assert exceeds(starts, rate) == []
    assert not [start for start in starts for since, until in silences if since < start < until - EPSILON]
    made_up = 0.5 if rate >= 1 else 0
    for (first, earlier), (second, later) in combinations(enumerate(starts), 2):
        assert later - earlier >= (second - first - made_up) / rate - EPSILON


@pytest.mark.parametrize("rate", [0.5, 1, 1.5, 1.99, 2, 2.5, 5, 7.3, 16.7, 50, 60.37, 99.9, 333.3, 500])
def test_rate_is_used(in_virtual_time: Run, rate: float) -> None:
    """While attempts are waiting, at least 98 % of the rate is used, though every sleep takes up to a millisecond too long."""
    acquired = max(200, 4 * math.ceil(rate))
    starts: list[float] = []

    async def worker(limiter: Limiter) -> None:
        starts.extend(await take(limiter, acquired // 4))

    async def busy() -> None:
        limiter = here(rate, late(1))
        async with asyncio.TaskGroup() as workers:
            for _ in range(4):
                workers.create_task(worker(limiter))

    in_virtual_time(busy())
    starts.sort()
    assert (acquired - 1) / (starts[-1] - starts[0]) >= 0.98 * rate
    assert busiest_second(starts) <= math.ceil(rate)
    assert exceeds(starts, rate) == []


@pytest.mark.parametrize(("rate", "most"), [(90 / 60, 91), (1.99, 120), (1, 61), (5, 301)])
def test_fractions_are_sent(in_virtual_time: Run, rate: float, most: int) -> None:
    """In a minute 90 attempts start at 90/min, and one more where the span begins and ends with a start."""

    async def minute() -> list[float]:
        return await take(here(rate), most + 10)

    starts = in_virtual_time(minute())
    assert sum(start <= 60 + EPSILON for start in starts) == pytest.approx(most, abs=1)
    assert exceeds(starts, rate) == []


def test_pace_outlives_an_event_loop(in_virtual_time: Run) -> None:
    """Limiters of several event loops, one after the other, share one pace, and each counts its own attempts."""
    now = [0.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    async def run() -> int:
        limiter = Limiter(pace, sleep=sleep)
        await asyncio.gather(limiter.acquire(), limiter.acquire())
        return limiter.acquired

    pace = Pace(1, clock=lambda: now[0])
    assert [in_virtual_time(run()) for _ in range(5)] == [2] * 5
    assert now[0] == 9


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (0.5, [0, 2, 4, 6, 8]),
        (1, [0, 1, 2, 3, 4]),
        (1.5, [0, 1 / 2, 7 / 6, 11 / 6, 15 / 6]),
        (2, [0, 0.25, 1, 1.5, 2]),
        (2.5, [0, 0.3, 0.7, 1.1, 1.5]),
        (4, [0, 0.125, 0.375, 0.625, 1]),
    ],
)
def test_starts_are_evenly_spaced(in_virtual_time: Run, rate: float, expected: list[float]) -> None:
    """Starts are evenly spaced, except that a part of one slot is made up for at first; a second has no more than the rate."""

    async def take_five() -> list[float]:
        return await take(here(rate), 5)

    assert in_virtual_time(take_five()) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(10, [5.0, 5.05, 5.15, 5.25]), (2, [5.0, 5.25, 6.0, 6.5]), (1, [5.0, 6.0, 7.0, 8.0]), (0.5, [5.0, 7.0, 9.0, 11.0])],
)
def test_half_a_late_slot_is_made_up_for(in_virtual_time: Run, rate: float, expected: list[float]) -> None:
    """After a stall one attempt starts earlier after the first, if the rate is above one a second, and the others evenly."""

    async def stalled() -> list[float]:
        loop: Any = asyncio.get_running_loop()
        limiter = here(rate)
        await take(limiter, 1)
        loop.advance(5.0)
        return await take(limiter, 4)

    assert in_virtual_time(stalled()) == pytest.approx(expected)


def test_no_limit(in_virtual_time: Run) -> None:
    """A rate of 0 lets every attempt start at once, however many there are."""

    async def take_many() -> list[float]:
        return await take(here(0), 2000)

    assert set(in_virtual_time(take_many())) == {0.0}


def test_pause_without_a_limit(in_virtual_time: Run) -> None:
    """A rate of 0 does not override a pause, and a shorter pause does not shorten a longer one."""

    async def held() -> list[float]:
        limiter = here(0)
        limiter.pause(3)
        limiter.pause(1)
        return await take(limiter, 2)

    assert in_virtual_time(held()) == [3.0, 3.0]


def test_pause_applies_to_attempts_that_already_wait(in_virtual_time: Run) -> None:
    """A pause that begins while an attempt waits delays that attempt too."""

    async def held() -> list[float]:
        limiter = here(1)
        await take(limiter, 1)
        asyncio.get_running_loop().call_later(0.5, limiter.pause, 4)
        return await take(limiter, 2)

    assert in_virtual_time(held()) == pytest.approx([4.5, 5.5])


def test_interrupted_wait_uses_no_slot(in_virtual_time: Run) -> None:
    """A sleep that raises starts no attempt, uses no slot, and lets the next in the queue try."""

    async def sent_away() -> tuple[list[object], int, float]:
        orders = [KeyError("go"), None]

        async def sleep(seconds: float) -> None:
            if (order := orders.pop(0)) is not None:
                raise order
            await asyncio.sleep(seconds)

        limiter = here(1, sleep)
        await limiter.acquire()
        outcomes = await asyncio.gather(limiter.acquire(), limiter.acquire(), return_exceptions=True)
        return [type(outcome) for outcome in outcomes], limiter.acquired, asyncio.get_running_loop().time()

    assert in_virtual_time(sent_away()) == ([KeyError, Start], 2, 1.0)
