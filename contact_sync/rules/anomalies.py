"""Damage to a source that no single cell shows, but many cells together do, or a comparison with the last nights."""

import re
from array import array
from collections.abc import Sequence
from itertools import compress, pairwise

from contact_sync.i18n import _
from contact_sync.model import FIELDS, PHONE, Workload

SERIES = 5
"""So many telephone numbers, each one more than the number in the row above, were made by dragging a cell down."""

CERTAIN = 3
"""So many long contactIds, all of them ending in zeros, were rounded; one or two may be so by chance."""

COMPARED, LEAST = 7, 3
"""So many earlier runs a source is compared with; of fewer than the second number nothing can be said."""

MANY = 20
"""Fewer rows than this, more or less, are no matter, whatever share they are."""

_KEPT = 15  # digits of a number that Excel keeps
_PHONE = FIELDS.index(PHONE)
_LONG = re.compile(r"[0-9]{16,}")
_ROUNDED = re.compile(r"[0-9]{15}0+")
_SHOWN = 3


class Damage:
    """Looks at the rows of a source as they pass by, in order; remembers next to nothing of them."""

    def __init__(self) -> None:
        self._long = 0
        self._rounded = array("q")
        self._series: list[tuple[int, int]] = []
        self._number = 0  # the last row's telephone number, 0 for none
        self._first = self._last = self._length = 0  # rows of the series that it is in

    def observe(self, numbers: Sequence[int], ids: Sequence[str], payloads: Sequence[tuple[str | None, ...]]) -> None:
        """Look at rows: their row numbers, their contactIds (empty where not known), and what they send."""
        if max(map(len, ids), default=0) > _KEPT:
            self._long += sum(map(bool, map(_LONG.fullmatch, ids)))
            self._rounded.extend(compress(numbers, map(_ROUNDED.fullmatch, ids)))
        phones = [int(payload[_PHONE] or 0) for payload in payloads]
        rows: Sequence[int] = numbers
        if not any(later - earlier == 1 for earlier, later in pairwise([self._number, *phones])):
            rows, phones = numbers[-1:], phones[-1:]  # nothing in between can be part of a series
            self._number = 0
        for row, phone in zip(rows, phones, strict=True):
            if phone - self._number != 1:
                self._end_series()
                self._first = row
            self._length += 1
            self._last, self._number = row, phone

    def _end_series(self) -> None:
        if self._length >= SERIES:
            self._series.append((self._first, self._last))
        self._length = 0

    def rounded(self) -> Sequence[int]:
        """The rows whose contactId was rounded to 15 digits, when so many are that it cannot be chance."""
        return self._rounded if len(self._rounded) == self._long >= CERTAIN else ()

    def warnings(self, column: str) -> list[str]:
        """What to look at, in sentences; `column` is the letter of the column of telephone numbers."""
        self._end_series()
        if not self._series:
            return []
        rows = ", ".join(_("{first} to {last}", first=first, last=last) for first, last in self._series[:_SHOWN])
        if len(self._series) > _SHOWN:
            more = len(self._series) - _SHOWN
            rows = _("{rows} and {more} more times", rows=rows, more=more)
        return [
            _(
                "In rows {rows}, column {column}, each phone number is the one above plus one, as when a "
                "cell is dragged down: check them.",
                rows=rows,
                column=column,
            )
        ]


def deviations(earlier: Sequence[Workload], tonight: Workload) -> list[str]:
    """Say in sentences how `tonight` is unlike all of the `earlier` runs of the same source, as a cut or a shifted export is."""
    if len(earlier) < LEAST:
        return []
    sentences = []
    nights = len(earlier)
    fewest, most = min(workload.rows for workload in earlier), max(workload.rows for workload in earlier)
    if tonight.rows < min(fewest / 2, fewest - MANY) or tonight.rows > max(2 * most, most + MANY):
        sentences.append(
            _(
                "The source has {rows} rows; the last {nights} runs had {usual}: check that it is complete.",
                rows=tonight.rows,
                nights=nights,
                usual=_range(fewest, most),
            )
        )
    usual = max(workload.changed / max(workload.rows, 1) for workload in earlier)
    if tonight.changed > max(MANY, tonight.rows / 5, 3 * usual * tonight.rows):
        sentences.append(
            _(
                "{changed} of {rows} rows are new or changed; in the last {nights} runs it was "
                "{percent:.0f}% at most: check that the columns are the right ones.",
                changed=tonight.changed,
                rows=tonight.rows,
                nights=nights,
                percent=100 * usual,
            )
        )
    return sentences


def _range(fewest: int, most: int) -> str:
    return str(fewest) if fewest == most else _("{first} to {last}", first=fewest, last=most)
