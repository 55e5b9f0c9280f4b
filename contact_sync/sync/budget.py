"""The budget of a command: the pace, the rows, the time and the locks that all of its runs share.

So do they share what the API said about the key: it is asked once.
"""

import time
from dataclasses import dataclass, field
from typing import Self

from contact_sync.api.limiter import SharedPace
from contact_sync.files.lock import Locks
from contact_sync.settings import SendSettings


@dataclass(slots=True)
class Budget:
    """The attempts, rows and seconds that a command still has."""

    pace: SharedPace
    rows: int | None  # that may still be sent; None: any number
    until: float | None  # moment of the monotonic clock when the sending ends; None: never
    locks: Locks = field(default_factory=Locks)  # held until the command ends
    user: str | None = None  # of the key, as the API says, empty where it does not; None: it was not asked

    @classmethod
    def begin(cls, rate: float, limit: int | None, max_duration: float | None, wait: float | None = None) -> Self:
        """Return the budget of a command that begins now."""
        until = None if max_duration is None else time.monotonic() + max_duration
        return cls(SharedPace(rate, clock=time.monotonic), limit, until, Locks(wait or 0.0))

    @classmethod
    def of(cls, settings: SendSettings) -> Self:
        """Return the budget of a command with one run, which begins now."""
        return cls.begin(settings.rate, settings.limit, settings.max_duration, settings.wait)

    def seconds_left(self) -> float | None:
        """Return the seconds left for sending, below 0 when they are used up; None without a limit."""
        return None if self.until is None else self.until - time.monotonic()

    def take(self, rows: int) -> None:
        """Take `rows` that were sent off the budget."""
        if self.rows is not None:
            self.rows -= rows
