"""The pace after 429: the control, and what becomes of the pace in a simulation in virtual time.

The simulated pace meets the targets below for latencies of 0.05 to 1 s. What no control can do from answers alone, and this one
does not:

* The first answers of a run come late: at 100/s and a latency of 1 s, 100 attempts are in flight before the first 429 arrives.
  So the share of 429s is taken from 30 s on, when the limit is found.
* At 0.5 attempts a second, 30 s have 15 answers: the limit is found within 10 %, but its share of 429s shows later. So shares are
  taken over 1,000 answers at least.
* A limit below 0.2 a second is not kept, since the pace never falls below that.
* A limit that allows one attempt at a time refuses whatever comes in clusters. Where the latency varies by more than the time
  between two attempts, this depends on the network and not on the pace, and any pace has many 429s.
"""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contact_sync.api.congestion import SLOWEST, CongestionControl

from .simulation import Attempt, Server, TokenBucket, simulate, unrelated

pytestmark = pytest.mark.unmeasured

RATES = st.sampled_from([0.5, 1.5, 5, 7.5, 20, 100, 300])
LATENCIES = st.floats(0.05, 1)
FOUND_S = 30.0
"""Seconds until a limit is found."""


def control_at(rate: float, measured: float = math.nan) -> CongestionControl:
    """Return a control that has seen many answers."""
    control = CongestionControl(rate, measured=lambda: measured)
    for _ in range(1000):
        control.accept(control.start())
    return control


def refuse(control: CongestionControl, times: int) -> list[bool]:
    """Answer the next attempts with 429, one after the other, and return whether each lowered the pace."""
    return [control.refuse(control.start()) for _ in range(times)]


def enough_seconds(pace: float, answers: int) -> float:
    """Return the seconds in which there are so many answers, a minute at least."""
    return max(60, answers / pace)


def share_refused(attempts: list[Attempt]) -> float:
    """Return the share of the attempts that were refused."""
    return sum(not attempt.is_accepted for attempt in attempts) / len(attempts)


# ---- the control


def test_few_429s_change_nothing() -> None:
    """Three 429s in a row leave the pace as it is, and so does one in fifty answers, however long."""
    control = control_at(5)
    assert refuse(control, 3) == [False] * 3
    control = control_at(5)
    for number in range(10_000):
        (control.accept if number % 50 else control.refuse)(control.start())
    assert control.pace == 5


def test_too_many_429s_lower_the_pace_a_little() -> None:
    """The 429 beyond the allowance lowers a pace that was sustained until then by 4 %."""
    control = control_at(5)
    assert refuse(control, 4) == [False, False, False, True]
    assert control.pace == pytest.approx(0.96 * 5)


def test_allowance_is_ten_seconds_worth() -> None:
    """At 100/s the allowance is 21: the tolerated 2.1 % of ten seconds."""
    control = control_at(100)
    assert refuse(control, 22) == [*[False] * 21, True]


def test_attempts_in_flight_count_once() -> None:
    """The answers to attempts that started before a decrease do not lower the pace again."""
    control = control_at(100)
    in_flight = [control.start() for _ in range(100)]
    assert sum(map(control.refuse, in_flight)) == 1
    assert control.pace == pytest.approx(96)


def test_second_decrease_is_by_what_is_accepted() -> None:
    """Where a decrease was not enough, the pace becomes the geometric mean of what it is and what is accepted of it."""
    control = control_at(5)
    refuse(control, 4)
    lowered = control.pace
    refuse(control, 1)
    assert control.pace == lowered  # one says nothing about a share
    refuse(control, 1)
    assert control.pace == pytest.approx(lowered * math.sqrt(1 / 3))


def test_second_decrease_is_no_smaller() -> None:
    """Where little is refused after a decrease, the next one is by 4 %, too."""
    control = control_at(5)
    refuse(control, 4)
    for _ in range(40):
        control.accept(control.start())
    assert refuse(control, 2) == [False, True]
    assert control.pace == pytest.approx(0.96**2 * 5)


def test_earlier_attempts_do_not_raise_the_pace() -> None:
    """Attempts that started before a decrease and are accepted after it do not raise the pace again."""
    control = control_at(5)
    in_flight = [control.start() for _ in range(100)]
    refuse(control, 6)
    lowered = control.pace
    for start in in_flight:
        control.accept(start)
    assert control.pace == lowered


def test_what_counts_against_the_pace_is_limited() -> None:
    """However many 429s come at once, the pace grows again half a minute later."""
    control = control_at(100)
    for start in [control.start() for _ in range(1000)]:
        control.refuse(start)
    assert control.pace == pytest.approx(96)
    for _ in range(30 * 100):
        control.accept(control.start())
    assert control.pace > 98


def test_decrease_is_from_the_pace_of_the_attempt() -> None:
    """An attempt that is refused after the pace has grown lowers it from what it was when the attempt started."""
    control = control_at(100)
    refuse(control, 22)
    for _ in range(300):
        control.accept(control.start())
    slow = control.start()
    while control.pace < 100:
        control.accept(control.start())
    assert any(map(control.refuse, [slow] * 100))
    assert control.pace == pytest.approx(0.96 * slow.pace)


def test_pace_grows_when_the_allowance_is_made_up_for() -> None:
    """After a decrease the pace remains for some fifty answers, and then grows to the rate and not beyond."""
    control = control_at(5)
    refuse(control, 4)
    paces = []
    for _ in range(400):
        control.accept(control.start())
        paces.append(control.pace)
    assert 30 < paces.count(0.96 * 5) < 60
    assert paces == sorted(paces)
    assert paces[-1] == 5


def test_minimum_of_the_pace() -> None:
    """Whatever is refused, an attempt starts every five seconds, or as often as the rate says where that is less often."""
    for rate in (100, 5, 0.1):
        control = control_at(rate)
        refuse(control, 500)
        assert control.pace == min(rate, SLOWEST)


def test_without_a_rate_the_pace_is_measured() -> None:
    """Without a rate the attempts of the last second are the pace that is lowered, and nothing limits how it grows."""
    control = control_at(math.inf, measured=50)
    assert refuse(control, 4)[-1]
    assert control.pace == pytest.approx(0.96 * 50)
    for _ in range(3000):
        control.accept(control.start())
    assert 60 < control.pace < math.inf


# ---- the simulation


@settings(max_examples=25)
@given(rate=RATES, latency=LATENCIES, seed=st.integers(0, 10**6))
def test_unrelated_429s(rate: float, latency: float, seed: int) -> None:
    """Of 2 % unrelated 429s, whatever the rate, the pace keeps at least 40 %."""
    seconds = enough_seconds(rate, 3000)
    attempts = simulate(rate, unrelated(0.02, seed), seconds=seconds, latency=latency)
    assert len(attempts) >= 0.4 * rate * seconds


@settings(max_examples=25)
@given(rate=RATES, share=st.floats(0.1, 0.9), has_one=st.booleans(), latency=LATENCIES)
def test_limit_is_found_and_kept(rate: float, share: float, has_one: bool, latency: float) -> None:
    """From 30 s on, the API accepts at least 90 % of what it allows, and answers 3 % of the requests with 429 at most."""
    limit = max(rate * share, 1.05 * SLOWEST)
    seconds = FOUND_S + enough_seconds(limit, 1000)
    attempts = simulate(rate, TokenBucket(limit, 1 if has_one else max(1, limit)), seconds=seconds, latency=latency)
    found = [attempt for attempt in attempts if attempt.start >= FOUND_S]
    assert sum(attempt.is_accepted for attempt in found) >= 0.9 * min(limit, rate) * (seconds - FOUND_S - latency)
    assert share_refused(found) <= 0.03


def busiest(starts: list[float]) -> int:
    """Return the most starts in any one second."""
    most, first = 0, 0
    for last, start in enumerate(starts):
        while starts[first] <= start - 1 + 1e-9:
            first += 1
        most = max(most, last - first + 1)
    return most


@settings(max_examples=15)
@given(rate=RATES, share=st.floats(0.1, 0.9), latency=LATENCIES, seed=st.integers(0, 10**6))
def test_rate_is_never_exceeded(rate: float, share: float, latency: float, seed: int) -> None:
    """However the pace falls and grows, no second has more starts than the rate, rounded up."""
    random, bucket = unrelated(0.02, seed), TokenBucket(rate * share, max(1, rate * share))
    servers: list[Server] = [lambda at: random(at) and bucket(at), lambda at: at % 60 > 20]
    for server in servers:
        attempts = simulate(rate, server, seconds=enough_seconds(rate, 500), latency=latency)
        assert busiest([attempt.start for attempt in attempts]) <= math.ceil(rate)


@pytest.mark.parametrize(
    ("rate", "latency", "begins"),
    [
        (rate, latency, (1, 60)[(row + column) % 2])
        for row, rate in enumerate([0.5, 5, 7.5, 20, 100, 300])
        for column, latency in enumerate([0.05, 0.3, 1])
    ],
)
def test_pace_after_one_retry_after(rate: float, latency: float, begins: float) -> None:
    """Within 20 s after one pause that the API asked for, all attempts in flight being refused, the pace is 90 % of the rate."""
    refused = begins + max(latency, 1 / rate)
    attempts = simulate(rate, lambda at: not begins <= at < refused, seconds=refused + 62, latency=latency, pause=2)
    after = [attempt for attempt in attempts if attempt.start >= refused + 2 + 20]
    assert any(not attempt.is_accepted for attempt in attempts)
    assert all(attempt.pace >= 0.9 * rate for attempt in after)
    assert len(after) >= 0.9 * rate * (40 - latency) - 1


@pytest.mark.parametrize(("rate", "outage", "seconds"), [(5, 3, 100), (5, 10, 300), (20, 3, 80), (20, 10, 120), (100, 10, 70)])
def test_pace_recovers_from_an_outage(rate: float, outage: float, seconds: float) -> None:
    """After seconds of nothing but 429s the pace recovers to 90 % of the rate."""
    attempts = simulate(rate, lambda at: not 60 <= at < 60 + outage, seconds=60 + outage + seconds, latency=0.05)
    assert min(attempt.pace for attempt in attempts) < 0.4 * rate
    assert attempts[-1].pace >= 0.9 * rate


def test_limit_that_rises() -> None:
    """A limit that is no longer there is noticed: the pace grows from a tenth of the rate to all of it within two minutes."""
    bucket = TokenBucket(10, 10)
    attempts = simulate(100, lambda at: at > 60 or bucket(at), seconds=180)
    assert 9 <= next(attempt for attempt in attempts if attempt.start > 59).pace <= 11
    assert attempts[-1].pace == pytest.approx(100)
