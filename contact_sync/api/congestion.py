"""Congestion control: the pace that the 429s of the API allow."""

import math
from collections.abc import Callable
from typing import NamedTuple

SLOWEST = 0.2
"""Attempts a second below which no decrease goes, unless the rate is lower: the API is asked at least every five seconds."""
_TOLERATED = 0.021
"""The share of 429s that the control settles for: above the 2 % that may be unrelated, below 3 %, since overshoots add to it."""
_ALLOWANCE = 3
"""The least number of 429s at once that change nothing: at a few requests a second, one or two say little about a share."""
_WINDOW_S, _WINDOW = 10.0, 40
"""Seconds of answers, and their least number, in which a share of a few percent shows: one 429 in 40 answers is 2.5 %."""
_DEBT = 2.5
"""Windows until the most 429s that count against the pace are made up for: half of what is in flight may be refused at once."""
_DECREASE = 0.04
"""The share that is taken off a pace that was sustained until now: the limit is just below, and a tenth would waste the rest."""
_INCREASE = 0.1
"""The share by which the pace grows in the first window after a decrease, which is regained in less than half of it."""
_SCARCE = 0.1
"""The share of the rate below which answers count for more, as if they came at that pace: else recovery takes an hour."""


class Start(NamedTuple):
    """The start of an attempt."""

    number: int  # of the attempt, from 1
    pace: float  # attempts a second at that moment


UNKNOWN_START = Start(0, 0.0)  # which says nothing about the pace


class CongestionControl:
    """Sets the pace, never above `rate`, by the answers: a gradual increase, a multiplicative decrease.

    Above a limit of the API the share of 429s grows with the pace; 429s that have another cause remain few at any pace. So it is
    their share that slows the pace, and not each of them: an answer adds `_TOLERATED` to an allowance, a 429 takes 1 off it.

    * A 429 beyond the allowance lowers the pace to `_DECREASE` below that at which its attempt started. It counts once in a round
      trip: the answers to attempts that had started before a decrease say nothing about it.
    * Where that was not enough, the limit is between the pace and what the API accepts of it: their geometric mean comes next.
    * While more is used than the allowance, the pace remains. Then it grows with each answer: by `_INCREASE` in the first window,
      and with the square of the windows since the last decrease (as CUBIC), slowly at a limit and fast where it is gone.

    `measured` returns the attempts of the last second, which are the pace where the rate is infinite.
    """

    def __init__(self, rate: float, *, measured: Callable[[], float]) -> None:
        self.rate = self.pace = self._full = rate
        self._measured = measured
        self._started = self._started_before = 0  # attempts, and those until the last decrease
        self._allowance = math.inf  # 429s that change nothing
        self._answers = self._refused = 0  # to attempts since the last decrease or increase
        self._windows = 0.0  # of increase since the last decrease
        self._is_sustained = True  # False from a decrease to the next increase

    def start(self) -> Start:
        """Note that an attempt starts."""
        self._started += 1
        return Start(self._started, self.pace)

    def accept(self, start: Start) -> None:
        """Note an answer other than 429: the pace grows, unless the allowance is used up."""
        weight, window = self._weight_and_window()
        self._note(_TOLERATED * weight, window)
        if start.number <= self._started_before:
            return
        self._answers += 1
        if self._allowance >= 0 and self.pace < self.rate:
            self._is_sustained = True
            self._answers = self._refused = 0
            self._windows += weight / window
            self.pace = min(self.rate, self.pace * (1 + _INCREASE * max(1.0, self._windows) ** 2 * weight / window))

    def refuse(self, start: Start) -> bool:
        """Note a 429; return True when the pace was lowered."""
        weight, window = self._weight_and_window()
        self._note(_TOLERATED * weight - 1, window)
        if start.number <= self._started_before:
            return False
        self._answers += 1
        self._refused += 1
        if self._allowance >= 0 or not (self._is_sustained or self._refused > 1):
            return False  # a single one does not show a share
        self._decrease(start)
        return True

    def _decrease(self, start: Start) -> None:
        if self.pace == math.inf:
            self._full = self._measured()
        kept = 1 - _DECREASE
        if not self._is_sustained:
            accepted = (self._answers - self._refused + 1) / (self._answers + 1)  # by the rule of succession
            kept = min(kept, math.sqrt(accepted))
            self._allowance = max(0.0, self._allowance)  # what the old pace has cost is no debt of the new one
        self.pace = max(min(SLOWEST, self.rate), kept * min(start.pace, self._full))
        self._started_before = self._started
        self._answers = self._refused = 0
        self._windows = 0.0
        self._is_sustained = False

    def _note(self, change: float, window: float) -> None:
        most = max(_ALLOWANCE, _TOLERATED * window)
        self._allowance = max(-_DEBT * most, min(most, self._allowance + change))

    def _weight_and_window(self) -> tuple[float, float]:
        """Return the number of answers that one answer counts for, and that of a window."""
        if self.pace == math.inf:
            return 1.0, _WINDOW
        weight = max(1.0, _SCARCE * self._full / self.pace)
        return weight, max(_WINDOW, _WINDOW_S * weight * self.pace)
