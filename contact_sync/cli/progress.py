"""The progress of a run or a pull: a bar on a terminal, or a line every few seconds anywhere, with the same counts."""

import contextlib
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from contact_sync.cli.colour import GREEN, RED, YELLOW, painted
from contact_sync.i18n import _, decimal, labelled, ngettext
from contact_sync.model.pace import Pacing
from contact_sync.model.row import ATTENTION, LEFT, Outcome, Result

if TYPE_CHECKING:
    from tqdm import tqdm

_DRAWN_S = 0.2  # seconds between two drawings of a bar; it also changes while the run waits
_MEASURED_S = 10.0  # seconds over which the pace is measured
_BAR = "{desc} |{bar}| {percentage:3.0f}% {remaining}"  # the counts come first: a narrow terminal cuts the end


class Progress(contextlib.AbstractContextManager["Progress"]):
    """A watcher of a run that shows the rows loaded, then those sent, the pace, and why it is slow.

    It draws bars if `stream` is a terminal and they are to be `shown`. With `every` it calls `write` with a line every so many
    seconds instead, also while nothing happens.
    """

    def __init__(
        self,
        stream: TextIO | None,
        *,
        shown: bool,
        every: float | None = None,
        write: Callable[[str], None] = lambda _: None,
        colour: bool = False,
    ) -> None:
        self._has_bar = shown and every is None and stream is not None and not stream.closed and stream.isatty()
        self._stream = stream
        self._write, self._colour = write, colour
        self._pace: Pacing | None = None
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._begin(_("loading"))
        if self._has_bar or every is not None:
            with contextlib.suppress(RuntimeError):  # the system allows no further thread
                threading.Thread(target=self._report, args=[every or _DRAWN_S], daemon=True).start()

    def _begin(self, phase: str, total: int | None = None, *, is_sending: bool = False) -> None:
        with self._lock:
            self._phase, self._total, self._is_sending = phase, total, is_sending
            self._loaded, self._outcomes = 0, Counter[Outcome]()
            self._finished: deque[float] = deque(maxlen=1000)  # moments of the last rows
            self._began = time.monotonic()
            self._bar = self._open(desc=phase, total=total, bar_format=None if total is None else _BAR)
            self._draw()

    def _open(self, **about: Any) -> "tqdm[int] | None":
        if not self._has_bar:
            return None
        from tqdm import tqdm  # noqa: PLC0415 - cron sees no bar

        return tqdm(unit=f" {_('rows')}", file=self._stream, leave=False, **about)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    def _report(self, every: float) -> None:
        while not self._ended.wait(every):
            with self._lock:
                self._draw()
                line = self._line()
            if not self._has_bar:
                self._write(line)

    def _draw(self) -> None:
        if self._bar is not None and not self._ended.is_set() and (status := self._status()):
            self._bar.n = self._done if self._total is not None else self._loaded
            self._bar.set_description_str(labelled(self._phase, "") + status)  # which would escape the colours

    def _line(self) -> str:
        rows = f"{self._loaded if self._total is None else f'{self._done}/{self._total}'} {_('rows')}"
        return labelled(self._phase, ", ".join(filter(None, (rows, self._status()))))

    @property
    def _done(self) -> int:
        """The rows that are finished; those that failed are left, for the second pass or the next run."""
        return sum(count for outcome, count in self._outcomes.items() if outcome not in LEFT)

    def _status(self) -> str:
        """Return the counts of the rows sent, the pace, and the reason where it is slow; empty while a source is loaded."""
        parts = [] if self._total is None else [f"{decimal(self._measured())}/s"]
        if self._is_sending:
            wrong = sum(self._outcomes[outcome] for outcome in ATTENTION)
            counts = (
                self._painted(_("{count} updated", count=self._done - wrong), GREEN),
                self._painted(_("{count} wrong", count=wrong), RED if wrong else None),
                _("{count} left", count=max(0, (self._total or 0) - self._done)),
            )
            parts.insert(0, ", ".join(counts))
        if self._pace and (reason := _reason(self._pace)):
            parts.append(self._painted(reason, YELLOW))
        return ", ".join(parts)

    def _measured(self) -> float:
        """Return the rows a second that were finished lately."""
        now = time.monotonic()
        recent = [moment for moment in list(self._finished) if now - moment <= _MEASURED_S]
        is_cut = len(recent) == self._finished.maxlen
        since = recent[0] if is_cut else max(self._began, now - _MEASURED_S)
        return len(recent) / (now - since) if now > since else 0.0

    def _painted(self, text: str, colour: int | None) -> str:
        return painted(text, colour) if colour and self._colour and self._has_bar else text

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Remove the bar, before something else is printed."""
        with self._lock:
            self._ended.set()
            self._close()

    def loaded(self, rows: int) -> None:
        """Count rows that were loaded and validated."""
        self._loaded += rows
        if self._bar is not None:
            self._bar.update(rows)

    def paced(self, pace: Pacing) -> None:
        """Show why the pace is slow from now on."""
        self._pace = pace

    def sending(self, rows: int) -> None:
        """Begin to count rows that are sent."""
        self._close()
        self._begin(_("sending"), rows, is_sending=True)

    def reading(self, rows: int) -> None:
        """Begin to count contacts that are read."""
        self._close()
        self._begin(_("reading"), rows)

    def sent(self, result: Result) -> None:
        """Count a row that was sent."""
        with self._lock:
            self._outcomes[result.outcome] += 1
            self._finished.append(time.monotonic())


def _reason(pace: Pacing) -> str:
    """Return why the pace is slow; empty where it is not."""
    if seconds := pace.pause_left:
        return _("held by Retry-After for {seconds} s", seconds=f"{seconds:.0f}")
    if not (pace.is_slowed or pace.is_throttled):
        return ""
    why = ngettext("the API answered 429 ({count} time)", "the API answered 429 ({count} times)", pace.throttled)
    if not pace.is_slowed:
        return why
    limit = decimal(pace.limit)
    if pace.rate == math.inf:
        return _("pace {limit}/s, {why}", limit=limit, why=why)
    return _("pace {limit} of {rate}/s, {why}", limit=limit, rate=decimal(pace.rate, ".4g"), why=why)
