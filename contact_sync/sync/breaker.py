"""The breaker: an API that is down is asked seldom, and not for ever."""

from collections import deque
from collections.abc import Callable

FAILURES = 20
"""So many attempts in a row without the API's own answer, and it counts as down."""

WINDOW, SHARE = 100, 0.5
"""The same when half of the last hundred attempts had none, however they are mixed."""

PAUSE = 5.0
"""Seconds between two probes."""

PROBE_TIMEOUT_S = 45.0
"""Seconds of probing before the run gives up."""


class Breaker:
    """Closed while the API is well; `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._lately: deque[bool] = deque(maxlen=WINDOW)
        """Of the last attempts: whether each failed."""
        self._opened: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether attempts are to wait, and one at a time to probe."""
        return self._opened is not None

    @property
    def gave_up(self) -> bool:
        """Whether the API has been down for longer than `PROBE_TIMEOUT_S`."""
        return self._opened is not None and self._clock() - self._opened >= PROBE_TIMEOUT_S

    def success(self) -> None:
        """Note that the API answered, if only to refuse a row."""
        self._failures = 0
        if self._opened is not None:  # what went before says nothing of an API that is back
            self._lately.clear()
        self._lately.append(False)
        self._opened = None

    def failure(self) -> None:
        """Note an attempt without the API's own answer."""
        self._failures += 1
        self._lately.append(True)
        if self._failures >= FAILURES or sum(self._lately) >= SHARE * WINDOW:
            self.open()

    def open(self) -> None:
        """Take the API for down."""
        if self._opened is None:
            self._opened = self._clock()
