"""The breaker, with a clock that stands still unless told otherwise."""

from contact_sync.sync.breaker import FAILURES, PROBE_TIMEOUT_S, Breaker


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time, in seconds."""
        return self.now


def failing(breaker: Breaker, times: int) -> None:
    """Note so many failures."""
    for _ in range(times):
        breaker.failure()


def test_it_opens_at_the_twentieth_failure_in_a_row() -> None:
    """Nineteen failures leave it closed, one more opens it."""
    breaker = Breaker(Clock())
    failing(breaker, FAILURES - 1)
    assert not breaker.is_open
    breaker.failure()
    assert breaker.is_open
    assert FAILURES == 20


def test_one_answer_starts_the_count_anew() -> None:
    """Failures with an answer between them are not in a row."""
    breaker = Breaker(Clock())
    failing(breaker, FAILURES - 1)
    breaker.success()
    failing(breaker, FAILURES - 1)
    assert not breaker.is_open


def test_half_of_the_last_hundred() -> None:
    """It opens when half of the last hundred attempts failed, however many went well before; an answer then wipes the slate."""
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


def test_fewer_than_half_of_the_last_hundred() -> None:
    """Two in five never open it."""
    breaker = Breaker(Clock())
    for _ in range(100):
        failing(breaker, 2)
        for _ in range(3):
            breaker.success()
        assert not breaker.is_open


def test_an_answer_closes_it() -> None:
    """The API's own answer closes an open breaker, however long it was open, and it takes twenty failures to open it again."""
    clock = Clock()
    breaker = Breaker(clock)
    failing(breaker, FAILURES)
    clock.now += 10 * PROBE_TIMEOUT_S
    breaker.success()
    assert not breaker.is_open
    assert not breaker.gave_up
    failing(breaker, FAILURES - 1)
    assert not breaker.is_open


def test_it_gives_up_after_its_patience() -> None:
    """The clock runs from the opening, and further failures do not set it back."""
    clock = Clock()
    breaker = Breaker(clock)
    assert not breaker.gave_up
    failing(breaker, FAILURES)
    clock.now += PROBE_TIMEOUT_S - 0.001
    breaker.failure()
    breaker.open()
    assert breaker.is_open
    assert not breaker.gave_up
    clock.now += 0.001
    assert breaker.gave_up


def test_it_can_be_opened_by_hand() -> None:
    """Whoever knows better need not wait for twenty failures."""
    breaker = Breaker(Clock())
    breaker.open()
    assert breaker.is_open
    breaker.success()
    assert not breaker.is_open
