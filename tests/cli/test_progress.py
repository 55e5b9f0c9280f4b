"""The reason for a slow pace, as the bar and the lines of `--progress` say it."""

import math
from dataclasses import dataclass

import pytest

from contact_sync.cli.progress import Progress
from contact_sync.i18n import set_language


@dataclass
class MadeUpPace:
    """A pace with what the API has made of it."""

    rate: float = 100.0
    limit: float = 100.0
    pause_left: float = 0.0
    throttled: int = 0
    is_throttled: bool = False

    @property
    def is_slowed(self) -> bool:
        """True while the pace is below the rate."""
        return self.limit < self.rate


REASONS = {
    "full": (MadeUpPace(throttled=3), "", ""),
    "tolerated": (MadeUpPace(throttled=1, is_throttled=True), "the API answered 429 (1 time)", "l’API a répondu 429 (1 fois)"),
    "slowed": (
        MadeUpPace(limit=6.5, throttled=89),
        "pace 6.5 of 100/s, the API answered 429 (89 times)",
        "rythme de 6,5 sur 100/s, l’API a répondu 429 (89 fois)",
    ),
    "fractional": (
        MadeUpPace(rate=7.5, limit=2, throttled=2),
        "pace 2.0 of 7.5/s, the API answered 429 (2 times)",
        "rythme de 2,0 sur 7,5/s, l’API a répondu 429 (2 fois)",
    ),
    "without a rate": (
        MadeUpPace(rate=math.inf, limit=40, throttled=9),
        "pace 40.0/s, the API answered 429 (9 times)",
        "rythme de 40,0/s, l’API a répondu 429 (9 fois)",
    ),
    "paused": (
        MadeUpPace(limit=6.5, throttled=89, pause_left=2.4),
        "held by Retry-After for 2 s",
        "suspendu par Retry-After pour 2 s",
    ),
}


@pytest.mark.parametrize(("pace", "english", "french"), REASONS.values(), ids=REASONS)
def test_reason_for_a_slow_pace(pace: MadeUpPace, english: str, french: str) -> None:
    """The pace, the rate that was asked for and the number of 429s are named, in either language, and nothing at full pace."""
    progress = Progress(None, shown=False)
    progress.sending(10)
    progress.paced(pace)
    for language, reason in (("en", english), ("fr", french)):
        set_language(language)
        assert progress._status().partition("/s, ")[2] == reason
