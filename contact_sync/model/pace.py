"""The interfaces of the pace of requests: its display, its observer, and the slots that hosts share."""

from typing import Protocol

from contact_sync.model.row import Result

MAX_PAUSE_S = 300.0
"""An API that asks for a longer pause, or has asked for pauses this long without an answer, is down for this run."""


class Pacing(Protocol):
    """The pace of requests, and why it is slow."""

    @property
    def rate(self) -> float:
        """The requests a second that were asked for; infinite without a limit."""

    @property
    def limit(self) -> float:
        """The requests a second that may start now, except during a pause; infinite without a limit."""

    @property
    def pause_left(self) -> float:
        """The seconds until a pause ends that the API asked for, 0 when there is none."""

    @property
    def throttled(self) -> int:
        """The number of answers so far that asked for fewer requests (429)."""

    @property
    def is_throttled(self) -> bool:
        """True when the last of them was a moment ago."""

    @property
    def is_slowed(self) -> bool:
        """True while the pace is below the rate because of them."""


class Watcher(Protocol):
    """An observer of a run's progress."""

    def loaded(self, rows: int) -> None:
        """Notify that `rows` more rows were loaded and validated."""

    def paced(self, pace: Pacing) -> None:
        """Notify which pace the requests keep from now on."""

    def sending(self, rows: int) -> None:
        """Notify that `rows` rows are about to be sent."""

    def reading(self, rows: int) -> None:
        """Notify that the contacts of `rows` rows are about to be read, and that nothing is sent."""

    def sent(self, result: Result) -> None:
        """Notify that one row was sent or read, with its result."""


class SlotStore(Protocol):
    """The pace of an account that several hosts share. Every method raises UnavailableError."""

    def take(self, gap: float, most: int) -> list[float]:
        """Return the next moments when this host may start an attempt, `most` at most, in seconds from now, `gap` apart."""

    def pause(self, seconds: float) -> None:
        """Let no host start an attempt for `seconds` from now."""

    def pause_left(self) -> float:
        """Return the seconds until a pause ends, 0 when there is none."""

    def slow(self, gap: float) -> None:
        """Let no host start attempts closer than `gap` seconds for a moment, because the API has refused some."""
