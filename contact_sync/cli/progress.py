"""The progress of a run or a pull: bars on a terminal, or a line every few seconds anywhere."""

import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import TextIO

from tqdm import tqdm

from contact_sync.i18n import _, labelled
from contact_sync.model import Result


class Progress(contextlib.AbstractContextManager["Progress"]):
    """A watcher of a run that shows the rows loaded, then those sent.

    It draws bars if `stream` is a terminal and they are to be `shown`. With `every` it calls `write` with a line every so many
    seconds instead, also while nothing happens.
    """

    def __init__(
        self, stream: TextIO | None, *, shown: bool, every: float | None = None, write: Callable[[str], None] = lambda _: None
    ) -> None:
        disable = None if shown and stream and every is None else True  # None: unless the stream is a terminal
        self._open = partial(tqdm, unit=f" {_('rows')}", disable=disable, file=stream, leave=False)
        self._begin(_("loading"))
        self._ended = threading.Event()
        self._write = write
        if every is not None:
            threading.Thread(target=self._report, args=[every], daemon=True).start()

    def _begin(self, phase: str, total: int | None = None) -> None:
        self._phase, self._done, self._total = phase, 0, total
        self._bar: tqdm[int] = self._open(desc=phase, total=total)

    def _report(self, every: float) -> None:
        while not self._ended.wait(every):
            of_total = "" if self._total is None else f"/{self._total}"
            self._write(labelled(self._phase, f"{self._done}{of_total} {_('rows')}"))

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Remove the bar, before something else is printed."""
        self._ended.set()
        self._bar.close()

    def loaded(self, rows: int) -> None:
        """Count rows that were loaded and validated."""
        self._done += rows
        self._bar.update(rows)

    def sending(self, rows: int) -> None:
        """Begin to count rows that are sent."""
        self._bar.close()
        self._begin(_("sending"), rows)

    def reading(self, rows: int) -> None:
        """Begin to count contacts that are read."""
        self._bar.close()
        self._begin(_("reading"), rows)

    def sent(self, _: Result) -> None:
        """Count a row that was sent."""
        self._done += 1
        self._bar.update()
