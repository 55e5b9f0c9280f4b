"""The progress of a run or a pull on a terminal."""

import contextlib
from functools import partial
from typing import TextIO

from tqdm import tqdm

from contact_sync.i18n import _
from contact_sync.model import Result


class ProgressBars(contextlib.AbstractContextManager["ProgressBars"]):
    """A watcher of a run that draws the rows loaded, then those sent, if `stream` is a terminal and progress is to be `shown`."""

    def __init__(self, stream: TextIO | None, *, shown: bool) -> None:
        disable = None if shown and stream else True  # None: unless the stream is a terminal
        self._open = partial(tqdm, unit=f" {_('rows')}", disable=disable, file=stream, leave=False)
        self._bar: tqdm[int] = self._open(desc=_("loading"))

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def loaded(self, rows: int) -> None:
        """Count rows that were loaded and validated."""
        self._bar.update(rows)

    def sending(self, rows: int) -> None:
        """Begin to count rows that are sent."""
        self._bar.close()
        self._bar = self._open(desc=_("sending"), total=rows)

    def sent(self, _: Result) -> None:
        """Count a row that was sent."""
        self._bar.update()
