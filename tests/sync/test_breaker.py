"""The circuit breaker's states, with a clock that is set by hand."""

from collections.abc import Callable

import pytest

from contact_sync.errors import UnavailableError
from contact_sync.model.pace import MAX_PAUSE_S
from contact_sync.sync.breaker import MAX_FAILURES, PROBE_TIMEOUT_S, Breaker, Health


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


def note_failures(breaker: Breaker, times: int) -> None:
    """Note this number of failures."""
    for _ in range(times):
        breaker.failure()


def breaker_in(state: Health) -> Breaker:
    """Return a breaker in this state."""
    breaker = Breaker(Clock())
    if state is Health.HEALTHY:
        breaker.success()
    elif state is Health.OPEN:
        breaker.assume_down()
    elif state is Health.GAVE_UP:
        breaker.give_up()
    assert breaker.state is state
    return breaker


def too_many_failures(breaker: Breaker) -> None:
    """Note as many failures as open a breaker."""
    note_failures(breaker, MAX_FAILURES)


def long_pause(breaker: Breaker) -> None:
    """Note a pause that is too long to wait for."""
    with pytest.raises(UnavailableError, match="asks to wait another 301 s"):
        breaker.pause(MAX_PAUSE_S + 1)


EVENTS: dict[str, Callable[[Breaker], object]] = {
    "success": Breaker.success,
    "failure": Breaker.failure,
    "failing response": lambda breaker: breaker.failure(is_api_response=True),
    "too many failures": too_many_failures,
    "assume down": Breaker.assume_down,
    "short pause": lambda breaker: breaker.pause(MAX_PAUSE_S),
    "long pause": long_pause,
    "give up": Breaker.give_up,
}

U, H, O, G = Health  # noqa: E741 - one letter a column
TRANSITIONS = {
    "success": (H, H, H, G),
    "failure": (U, H, O, G),
    "failing response": (H, H, O, G),
    "too many failures": (O, O, O, G),
    "assume down": (O, O, O, G),
    "short pause": (U, H, O, G),
    "long pause": (G, G, G, G),
    "give up": (G, G, G, G),
}
"""Event → the state that follows unproven, healthy, open and gave up."""


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", Health)
def test_transitions(state: Health, event: str) -> None:
    """Each event leads from each state to the one in the table; attempts wait when it is open or gave up."""
    breaker = breaker_in(state)
    EVENTS[event](breaker)
    assert breaker.state is dict(zip(Health, TRANSITIONS[event], strict=True))[state]
    assert breaker.is_open == (breaker.state in {O, G})


def test_breaker_opens_at_the_twentieth_consecutive_failure() -> None:
    """Nineteen failures leave it closed, one more opens it."""
    breaker = Breaker(Clock())
    note_failures(breaker, MAX_FAILURES - 1)
    assert not breaker.is_open
    breaker.failure()
    assert breaker.is_open
    assert MAX_FAILURES == 20


def test_success_restarts_the_count() -> None:
    """Failures with a success between them are not consecutive."""
    breaker = Breaker(Clock())
    note_failures(breaker, MAX_FAILURES - 1)
    breaker.success()
    note_failures(breaker, MAX_FAILURES - 1)
    assert not breaker.is_open


def test_breaker_opens_when_half_of_the_last_hundred_failed() -> None:
    """It opens when half of the last hundred attempts failed, whatever came before; a success then clears the count."""
    breaker = Breaker(Clock())
    for _ in range(500):
        breaker.success()
    for _ in range(49):
        breaker.failure()
        breaker.success()
    assert not breaker.is_open
    breaker.failure()
    assert breaker.is_open
    breaker.success()
    for _ in range(49):
        breaker.failure()
        breaker.success()
    assert not breaker.is_open


def test_breaker_stays_closed_at_two_failures_in_five() -> None:
    """Fewer than half of the last hundred never open it."""
    breaker = Breaker(Clock())
    for _ in range(100):
        note_failures(breaker, 2)
        for _ in range(3):
            breaker.success()
        assert not breaker.is_open


def test_success_closes_the_breaker() -> None:
    """A success closes an open breaker, however long it was open, and it takes twenty failures to open it again."""
    clock = Clock()
    breaker = Breaker(clock)
    note_failures(breaker, MAX_FAILURES)
    clock.now += 10 * PROBE_TIMEOUT_S
    breaker.success()
    assert not breaker.is_open
    assert not breaker.is_overdue
    note_failures(breaker, MAX_FAILURES - 1)
    assert not breaker.is_open
    breaker.failure()
    assert breaker.openings == 2


def test_probing_is_overdue_after_its_timeout() -> None:
    """The time counts from the opening, and further failures do not restart it."""
    clock = Clock()
    breaker = Breaker(clock)
    assert not breaker.is_overdue
    note_failures(breaker, MAX_FAILURES)
    clock.now += PROBE_TIMEOUT_S - 0.001
    breaker.failure()
    breaker.assume_down()
    assert breaker.is_open
    assert not breaker.is_overdue
    clock.now += 0.001
    assert breaker.is_overdue
    assert breaker.openings == 1


def test_pauses_without_a_success_between_them_add_up() -> None:
    """Short pauses are too long together, unless a success comes between them."""
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(3):
        breaker.pause(200)
        clock.now += 200
        breaker.success()
    breaker.pause(200)
    clock.now += MAX_PAUSE_S
    breaker.pause(200)
    clock.now += 1
    with pytest.raises(UnavailableError):
        breaker.pause(200)


@pytest.mark.parametrize(("state", "sentence"), [(Health.UNPROVEN, "check --base-url"), (Health.HEALTHY, "The API is down")])
def test_reason_depends_on_whether_the_api_ever_answered(state: Health, sentence: str) -> None:
    """An API that has never answered may be a wrong address."""
    breaker = breaker_in(state)
    breaker.assume_down()
    assert sentence in str(breaker.give_up())
