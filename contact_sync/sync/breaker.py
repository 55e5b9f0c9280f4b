"""The circuit breaker: the health of the API as the attempts of a run show it."""

from collections import deque
from collections.abc import Callable
from enum import Enum

from contact_sync.errors import UnavailableError
from contact_sync.model.pace import MAX_PAUSE_S

MAX_FAILURES = 20  # consecutive failures that open the breaker
MAX_ROW_ERRORS = 200
"""Consecutive errors in the API's own words that open the breaker.

An API that says of a row that it cannot process it may process the next one: many such rows may stand together in a file. One
that says so of rows from all parts of a file (the probes) has a fault of its own, and is not asked for hours.
"""
WINDOW, MAX_FAILURE_SHARE = 100, 0.5  # share of the last attempts whose failure opens the breaker, in any order
PROBE_INTERVAL_S = 5.0  # before each probe of an API that is down
PROBE_TIMEOUT_S = 45.0  # of probing before the run gives up
MAX_THROTTLED_S = 15.0
"""Seconds after which an API that only asks for fewer requests is down: at the lowest pace `MAX_FAILURES` would take minutes."""


class Health(Enum):
    """The states of the breaker."""

    UNPROVEN, HEALTHY, OPEN, GAVE_UP = "unproven", "healthy", "open", "gave up"


class Breaker:
    """A state machine over the results of attempts; `clock` is monotonic, in seconds.

    ========  ===========================================================  ========
    from      event                                                        to
    ========  ===========================================================  ========
    unproven  a success, or a failure that is the API's own response       healthy
    unproven  too many failures, or `assume_down`                          open
    healthy   too many failures                                            open
    open      a success, or `blame_rows`                                   healthy
    any       a pause longer than `MAX_PAUSE_S`, or `give_up`              gave up
    ========  ===========================================================  ========

    A success is a reply in which the API accepts or rejects a row; everything else is a failure. Too many are `MAX_FAILURES` in a
    row, `MAX_FAILURE_SHARE` of the last `WINDOW` attempts, or 429s for `MAX_THROTTLED_S` without a success or a pause; errors of
    single rows count apart, and too many of these are `MAX_ROW_ERRORS` in a row. *Gave up* is final. Once `blames_rows` is True,
    every failure that may be about its row is to be noted as one.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._consecutive_failures = self._consecutive_row_errors = 0
        self._recent_failures: deque[bool] = deque(maxlen=WINDOW)
        self._opened_at = 0.0
        self._pausing_since: float | None = None
        self._throttled_since: float | None = None
        self._seen_response = False
        self._foreign_answer = ""
        self.state = Health.UNPROVEN
        self.openings = 0  # how often the breaker opened
        self.blames_rows = False

    @property
    def is_open(self) -> bool:
        """True when attempts have to wait, except one probe at a time."""
        return self.state in {Health.OPEN, Health.GAVE_UP}

    @property
    def is_overdue(self) -> bool:
        """True when probing has lasted for `PROBE_TIMEOUT_S`."""
        return self.state is Health.OPEN and self._clock() - self._opened_at >= PROBE_TIMEOUT_S

    def success(self) -> None:
        """Note that the API accepted or rejected a row."""
        if self.state is Health.OPEN:
            self._close()
        self._recent_failures.append(False)
        self._consecutive_failures = self._consecutive_row_errors = 0
        self._pausing_since = self._throttled_since = None
        self._see_response()

    def blame_rows(self) -> None:
        """Note that the API is up, and that the rows that are left are what fails."""
        self._close()
        self._consecutive_failures = self._consecutive_row_errors = 0
        self.blames_rows = True

    def _close(self) -> None:
        self._recent_failures.clear()  # the failures before no longer count
        self.state = Health.HEALTHY

    def failure(self, *, is_api_response: bool = False, foreign_answer: str = "", throttled: bool = False) -> None:
        """Note an attempt that says nothing about its row; `foreign_answer` describes a success of another server."""
        self._foreign_answer = foreign_answer
        self._consecutive_failures += 1
        self._recent_failures.append(True)
        if is_api_response:
            self._see_response()
        if self._consecutive_failures >= MAX_FAILURES or sum(self._recent_failures) >= MAX_FAILURE_SHARE * WINDOW:
            self.assume_down()
        if throttled:
            now = self._clock()
            self._throttled_since = now if self._throttled_since is None else self._throttled_since
            if now - self._throttled_since >= MAX_THROTTLED_S:
                self.assume_down()

    def row_error(self) -> None:
        """Note an attempt that the API answers with an error of its own, which may be about its row alone."""
        self._consecutive_row_errors += 1
        self._see_response()
        if self._consecutive_row_errors >= MAX_ROW_ERRORS:
            self.assume_down()

    def _see_response(self) -> None:
        self._seen_response = True
        if self.state is Health.UNPROVEN:
            self.state = Health.HEALTHY

    def assume_down(self) -> None:
        """Open the breaker."""
        if not self.is_open:
            self.state = Health.OPEN
            self.openings += 1
            self._opened_at = self._clock()

    def pause(self, seconds: float) -> None:
        """Note that the API asked for a pause; raises UnavailableError when it is too long to wait for."""
        now = self._clock()
        if self._pausing_since is None:
            self._pausing_since = now
        if seconds >= PROBE_INTERVAL_S:  # it says when it will answer again
            self._throttled_since = None
        if max(seconds, now - self._pausing_since) > MAX_PAUSE_S:
            self.state = Health.GAVE_UP
            raise UnavailableError("The API asks to wait another {seconds:.0f} s: run again later.", seconds=seconds)

    def give_up(self) -> UnavailableError:
        """Stop probing, and return the reason."""
        self.state = Health.GAVE_UP
        if self._seen_response:
            return UnavailableError("The API is down or does not answer as documented: run again later.")
        if self._foreign_answer:
            return UnavailableError(
                "No usable answer from the API ({answer}): run again later, or ask who runs the API or a proxy before it.",
                answer=self._foreign_answer,
            )
        return UnavailableError("No usable answer from the API: run again later, or check --base-url (it ends in /v1).")
