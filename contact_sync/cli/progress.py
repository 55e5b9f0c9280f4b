"""The progress bars on a terminal: rows loaded, then rows sent, with rate and time left."""

from typing import Any, Self, TextIO

from tqdm import tqdm

from contact_sync.i18n import _
from contact_sync.model import Result


class ProgressBars:
    """A watcher of a run that draws on `stream`, if that is a terminal and progress is to be `shown`."""

    def __init__(self, stream: TextIO | None, *, shown: bool) -> None:
        self._stream = stream
        self._disable = None if shown and stream else True  # None: unless the stream is a terminal

    def __enter__(self) -> Self:
        self._bar = self._open(_("loading"), None)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def _open(self, title: str, rows: int | None) -> "tqdm[Any]":
        return tqdm(desc=title, total=rows, unit=f" {_('rows')}", disable=self._disable, file=self._stream, leave=False)

    def loaded(self, rows: int) -> None:
        """Count rows that were loaded and validated."""
        self._bar.update(rows)

    def sending(self, rows: int) -> None:
        """Begin to count rows that are sent."""
        self._bar.close()
        self._bar = self._open(_("sending"), rows)

    def sent(self, _: Result) -> None:
        """Count a row that was sent."""
        self._bar.update()
