"""The pace of attempts, in virtual time."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Coroutine
from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contact_sync.api.limiter import Limiter

Run = Callable[[Coroutine[Any, Any, Any]], Any]
Sleep = Callable[[float], Awaitable[None]]

EPSILON = 1e-9
SECONDS = st.floats(0, 8)


def here(rate: float, sleep: Sleep = asyncio.sleep) -> Limiter:
    """A limiter on the clock of the running event loop."""
    return Limiter(rate, clock=asyncio.get_running_loop().time, sleep=sleep)


def late(seed: int, at_most: float = 0.001) -> Sleep:
    """A sleep that always takes a little longer than asked."""
    chance = random.Random(seed)

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds + chance.uniform(0, at_most))

    return sleep


async def take(limiter: Limiter, acquired: int) -> list[float]:
    """When each of so many turns started, that are asked for one after the other."""
    starts = []
    for _ in range(acquired):
        await limiter.acquire()
        starts.append(asyncio.get_running_loop().time())
    return starts


def busiest_second(starts: list[float]) -> int:
    """The most starts in any one second."""
    return max(sum(first <= start < first + 1 - EPSILON for start in starts) for first in starts)


@settings(max_examples=150)
@given(
    rate=st.one_of(st.sampled_from([0.5, 1, 2, 5, 50, 500]), st.floats(0.3, 60)),
    arrivals=st.lists(SECONDS, min_size=1, max_size=60),
    holds=st.lists(st.tuples(SECONDS, st.floats(0, 3)), max_size=3),
    stalls=st.lists(st.tuples(SECONDS, st.floats(0, 3)), max_size=3),
    seed=st.integers(0, 9),
)
def test_whatever_comes_the_pace_is_kept(
    *,
    in_virtual_time: Run,
    rate: float,
    arrivals: list[float],
    holds: list[tuple[float, float]],
    stalls: list[tuple[float, float]],
    seed: int,
) -> None:
    """Never more than max(1, floor(R)) starts in a second, none in a hold, at most one slot made up, first come first served."""
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
            for order in (*(pause(*each) for each in holds), *(stall(*each) for each in stalls)):
                tasks.create_task(order)
            for number, at in enumerate(arrivals):
                tasks.create_task(arrive(number, at))
        assert limiter.acquired == len(arrivals)

    in_virtual_time(everything())
    starts = [start for _, start in went]
    assert [number for number, _ in went] == came
    assert busiest_second(starts) <= max(1, math.floor(rate))
    assert not [start for start in starts for since, until in silences if since < start < until - EPSILON]
    made_up = 1 if rate >= 1 else 0
    for (first, earlier), (second, later) in combinations(enumerate(starts), 2):
        assert later - earlier >= (second - first - made_up) / rate - EPSILON


@pytest.mark.parametrize("rate", [1, 2, 5, 50, 500])
def test_the_rate_is_used(in_virtual_time: Run, rate: int) -> None:
    """While turns are wanted, at least 98 % of the rate is granted, though every sleep takes up to a millisecond too long."""
    acquired = max(20, 4 * rate)
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
    assert busiest_second(starts) <= rate


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (0.5, [0, 2, 4, 6, 8]),
        (1, [0, 1, 2, 3, 4]),
        (1.5, [0, 1, 2, 3, 4]),
        (2, [0, 0, 1, 1.5, 2]),
        (2.5, [0, 0, 1, 1.4, 2]),
        (4, [0, 0, 0.25, 0.5, 1]),
    ],
)
def test_the_spacing(in_virtual_time: Run, rate: float, expected: list[float]) -> None:
    """Turns are evenly spaced but for one slot made up at the start; of a broken rate, a second holds the whole part."""

    async def take_five() -> list[float]:
        return await take(here(rate), 5)

    assert in_virtual_time(take_five()) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(10, [5.0, 5.0, 5.1, 5.2]), (2, [5.0, 5.0, 6.0, 6.5]), (1, [5.0, 6.0, 7.0, 8.0]), (0.5, [5.0, 7.0, 9.0, 11.0])],
)
def test_one_slot_of_lateness_is_made_up(in_virtual_time: Run, rate: float, expected: list[float]) -> None:
    """After a stall one turn starts at once after the first, if a second holds more than one, and the others at the pace."""

    async def stalled() -> list[float]:
        loop: Any = asyncio.get_running_loop()
        limiter = here(rate)
        await take(limiter, 1)
        loop.advance(5.0)
        return await take(limiter, 4)

    assert in_virtual_time(stalled()) == pytest.approx(expected)


def test_without_a_limit_nobody_waits(in_virtual_time: Run) -> None:
    """A rate of 0 grants every turn at once, however many there are."""

    async def take_many() -> list[float]:
        return await take(here(0), 2000)

    assert set(in_virtual_time(take_many())) == {0.0}


def test_without_a_limit_a_hold_still_holds(in_virtual_time: Run) -> None:
    """A rate of 0 does not outdo a hold, and a shorter hold does not cut a longer one."""

    async def held() -> list[float]:
        limiter = here(0)
        limiter.pause(3)
        limiter.pause(1)
        return await take(limiter, 2)

    assert in_virtual_time(held()) == [3.0, 3.0]


def test_a_hold_reaches_those_who_wait_already(in_virtual_time: Run) -> None:
    """A hold that comes while a turn is waited for puts that turn off too."""

    async def held() -> list[float]:
        limiter = here(1)
        await take(limiter, 1)
        asyncio.get_running_loop().call_later(0.5, limiter.pause, 4)
        return await take(limiter, 2)

    assert in_virtual_time(held()) == pytest.approx([4.5, 5.5])


def test_who_is_sent_away_takes_no_turn(in_virtual_time: Run) -> None:
    """A sleep that raises grants no turn, uses up no slot, and lets the next in the queue try."""

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

    assert in_virtual_time(sent_away()) == ([KeyError, type(None)], 2, 1.0)


def test_an_eased_pace_is_half_and_comes_back(in_virtual_time: Run) -> None:
    """Once eased the pace is half, refusals that come together count once, and calm brings the whole pace back, never more."""

    async def backoffs() -> tuple[list[float], list[float]]:
        limiter = here(10)
        await take(limiter, 20)
        for _ in range(5):
            limiter.back_off()
        slow = await take(limiter, 20)
        await asyncio.sleep(200)
        return slow, await take(limiter, 100)

    slow, calm = in_virtual_time(backoffs())
    assert slow[-1] - slow[0] == pytest.approx(19 / 5, rel=0.03)
    assert calm[-1] - calm[1] == pytest.approx(98 / 10, rel=0.02)
    assert busiest_second(calm) <= 10


def test_an_eased_pace_grows_by_the_same(in_virtual_time: Run) -> None:
    """Calm brings back a twentieth of the whole pace every ten seconds, however slow it has become."""

    async def backoffs() -> float:
        limiter = here(64)
        for _ in range(5):
            await take(limiter, 1)
            await asyncio.sleep(1.1)
            limiter.back_off()
        for _ in range(40):
            await asyncio.sleep(1)
            await take(limiter, 1)
        starts = await take(limiter, 20)
        return 18 / (starts[-1] - starts[1])

    assert in_virtual_time(backoffs()) == pytest.approx(64 * (1 / 32 + 0.2), rel=0.1)


def test_an_eased_pace_never_stands_still(in_virtual_time: Run) -> None:
    """However often it is eased, an attempt starts every five seconds."""

    async def backoffs() -> list[float]:
        limiter = here(5)
        starts = []
        for _ in range(12):
            starts += await take(limiter, 1)
            await asyncio.sleep(1)
            limiter.back_off()
        return starts

    starts = in_virtual_time(backoffs())
    assert max(later - earlier for earlier, later in pairwise(starts)) <= 5 + EPSILON


@pytest.mark.parametrize(("apart", "times"), [(0.5, 1), (1.5, 2)])
def test_what_comes_together_eases_once(in_virtual_time: Run, apart: float, times: int) -> None:
    """Two requests for fewer requests count once within a second, and twice a while apart."""

    async def backoffs() -> list[float]:
        limiter = here(40)
        await take(limiter, 1)
        limiter.back_off()
        await asyncio.sleep(apart)
        limiter.back_off()
        assert limiter.backoffs == times
        return await take(limiter, 6)

    starts = in_virtual_time(backoffs())
    assert starts[-1] - starts[1] == pytest.approx(4 * 2**times / 40, rel=0.03)


def test_no_limit_comes_back(in_virtual_time: Run) -> None:
    """Without a rate, too, calm brings a twentieth of what was back every ten seconds, however late and often it is eased."""

    async def backoffs() -> float:
        limiter = here(0)
        for _ in range(40):
            await limiter.acquire()
            await asyncio.sleep(0.025)
        for _ in range(3):
            await asyncio.sleep(2)  # an answer that took its time
            limiter.back_off()
        await take(limiter, 1)
        await asyncio.sleep(100)
        await take(limiter, 1)
        starts = await take(limiter, 20)
        return 18 / (starts[-1] - starts[1])

    assert in_virtual_time(backoffs()) == pytest.approx(40 * (1 / 8 + 0.5), rel=0.1)


def test_no_limit_is_eased_to_half_of_what_was(in_virtual_time: Run) -> None:
    """Without a rate, easing halves what went in the second before."""

    async def backoffs() -> list[float]:
        limiter = here(0)
        await take(limiter, 30)
        await asyncio.sleep(0.5)
        for _ in range(40):
            await limiter.acquire()
            await asyncio.sleep(0.025)
        limiter.back_off()
        return await take(limiter, 21)

    starts = in_virtual_time(backoffs())
    assert starts[-1] - starts[0] == pytest.approx(20 / 20, rel=0.06)
