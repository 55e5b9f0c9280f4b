"""The breaker: an API that is down is asked seldom, and not for ever."""

from collections.abc import Callable

FAILURES = 20
"""So many attempts in a row without the API's own answer, and it counts as down."""

PAUSE = 5.0
"""Seconds between two probes."""

PATIENCE = 45.0
"""Seconds of probing before the run gives up."""


class Breaker:
    """Closed while the API is well; `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._opened: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether attempts are to wait, and one at a time to probe."""
        return self._opened is not None

    @property
    def gave_up(self) -> bool:
        """Whether the API has been down for longer than `PATIENCE`."""
        return self._opened is not None and self._clock() - self._opened >= PATIENCE

    def success(self) -> None:
        """Note that the API answered, if only to refuse a row."""
        self._failures = 0
        self._opened = None

    def failure(self) -> None:
        """Note an attempt without the API's own answer."""
        self._failures += 1
        if self._failures >= FAILURES:
            self.trip()

    def trip(self) -> None:
        """Take the API for down."""
        if self._opened is None:
            self._opened = self._clock()
