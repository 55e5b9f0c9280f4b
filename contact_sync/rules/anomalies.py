"""Damage to a source that no single cell shows, only many cells together or a comparison with earlier runs."""

import re
from array import array
from collections.abc import Sequence
from itertools import compress, pairwise

from contact_sync.i18n import _
from contact_sync.model import CONTACT, PHONE, Schema, Workload

MIN_SERIES = 5  # rows whose phone numbers count up by one each: from there on a cell was dragged down
MIN_ROUNDED = 3  # long contactIds that all end in zeros: fewer may end so by chance
COMPARED = 7  # earlier runs that a source is compared with
_MIN_COMPARED = 3  # fewer runs say nothing about a source
_TOLERANCE = 20  # rows more or fewer that are never reported, whatever share of the source they are
_EXCEL_DIGITS = 15  # digits of a number that Excel keeps
_LONG = re.compile(r"[0-9]{16,}")
_ROUNDED = re.compile(r"[0-9]{15}0+")
_SHOWN = 3


class Damage:
    """Signs of damage in the rows of a source, observed in order; memory does not grow with the rows."""

    def __init__(self, schema: Schema = CONTACT) -> None:
        self._phone = schema.fields.index(PHONE)  # position in a payload
        self._long = 0
        self._rounded = array("q")
        self._series: list[tuple[int, int]] = []
        self._number = 0  # the last row's telephone number, 0 for none
        self._first = self._last = self._length = 0  # rows of the series that it is in

    def observe(self, numbers: Sequence[int], ids: Sequence[str], payloads: Sequence[tuple[str | None, ...]]) -> None:
        """Take in rows by their row numbers, contactIds (empty where not certain) and values to send."""
        if max(map(len, ids), default=0) > _EXCEL_DIGITS:
            self._long += sum(map(bool, map(_LONG.fullmatch, ids)))
            self._rounded.extend(compress(numbers, map(_ROUNDED.fullmatch, ids)))
        phones = [int(payload[self._phone] or 0) for payload in payloads]
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
        if self._length >= MIN_SERIES:
            self._series.append((self._first, self._last))
        self._length = 0

    def rounded(self) -> Sequence[int]:
        """Return the numbers of the rows whose contactId was rounded to 15 digits, none when it may be chance."""
        return self._rounded if len(self._rounded) == self._long >= MIN_ROUNDED else ()

    def warnings(self, column: str) -> list[str]:
        """Return a warning for the operator; `column` is the letter of the column of phone numbers."""
        self._end_series()
        if not self._series:
            return []
        rows = ", ".join(_("{first} to {last}", first=first, last=last) for first, last in self._series[:_SHOWN])
        if len(self._series) > _SHOWN:
            rows = _("{rows} and {more} more times", rows=rows, more=len(self._series) - _SHOWN)
        sentence = _(
            "In rows {rows}, column {column}, each phone number is the one above plus one, as when a cell is dragged down: "
            "check them.",
            rows=rows,
            column=column,
        )
        return [sentence]


def deviations(earlier: Sequence[Workload], current: Workload) -> list[str]:
    """Return a sentence for each way in which `current` is unlike all `earlier` runs of its source, as a truncated export is."""
    if len(earlier) < _MIN_COMPARED:
        return []
    sentences, runs = [], len(earlier)
    fewest, most = min(workload.rows for workload in earlier), max(workload.rows for workload in earlier)
    if current.rows < min(fewest / 2, fewest - _TOLERANCE) or current.rows > max(2 * most, most + _TOLERANCE):
        usual = str(fewest) if fewest == most else _("{first} to {last}", first=fewest, last=most)
        sentence = _(
            "The source has {rows} rows; the last {runs} runs had {usual}: check that it is complete.",
            rows=current.rows,
            runs=runs,
            usual=usual,
        )
        sentences.append(sentence)
    share = max(workload.changed / max(workload.rows, 1) for workload in earlier)
    if current.changed > max(_TOLERANCE, current.rows / 5, 3 * share * current.rows):
        sentence = _(
            "{changed} of {rows} rows are new or changed; in the last {runs} runs it was {percent:.0f}% at most: check that the "
            "columns are the right ones.",
            changed=current.changed,
            rows=current.rows,
            runs=runs,
            percent=100 * share,
        )
        sentences.append(sentence)
    return sentences
