"""The budget of a command: the pace, the rows and the time that all of its runs share, whatever the number of files.

So do they share what the API said about the key: it is asked once.
"""

import time
from dataclasses import dataclass
from typing import Self

from contact_sync.api.limiter import Pace
from contact_sync.settings import SendSettings


@dataclass(slots=True)
class Budget:
    """The attempts, rows and seconds that a command still has."""

    pace: Pace
    rows: int | None  # that may still be sent; None: any number
    until: float | None  # moment of the monotonic clock when the sending ends; None: never
    user: str | None = None  # of the key, as the API says, empty where it does not; None: it was not asked

    @classmethod
    def begin(cls, rate: float, limit: int | None, max_duration: float | None) -> Self:
        """Return the budget of a command that begins now."""
        now = time.monotonic()
        return cls(Pace(rate, clock=time.monotonic), limit, None if max_duration is None else now + max_duration)

    @classmethod
    def of(cls, settings: SendSettings) -> Self:
        """Return the budget of a command with one run, which begins now."""
        return cls.begin(settings.rate, settings.limit, settings.max_duration)

    def seconds_left(self) -> float | None:
        """Return the seconds left for sending, below 0 when they are used up; None without a limit."""
        return None if self.until is None else self.until - time.monotonic()

    def take(self, rows: int) -> None:
        """Take `rows` that were sent off the budget."""
        if self.rows is not None:
            self.rows -= rows
