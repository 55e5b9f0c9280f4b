"""Damage to a source that no single cell shows, only many cells together or a comparison with earlier runs."""

import re
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import compress
from operator import neg, sub

from contact_sync.i18n import _, ngettext
from contact_sync.model.fields import CONTACT, PHONE, Schema
from contact_sync.model.report import Workload
from contact_sync.model.violation import LISTED, Column, listed_groups
from contact_sync.rules.cells import DATE

MIN_SERIES = 5  # rows whose phone numbers count up by one each: from there on a cell was dragged down
MIN_SAME_DATES = 10  # rows with one date, which must be most rows
MIN_ROUNDED = 3  # long contactIds that all end in zeros: fewer may end so by chance
COMPARED = 7  # earlier runs that a source is compared with
_MIN_COMPARED = 3  # fewer runs say nothing about a source
_TOLERANCE = 20  # rows more or fewer that are never reported, whatever share of the source they are
_EXCEL_DIGITS = 15  # digits of a number that Excel keeps
_LONG = re.compile(r"[0-9]{16,}")
_ROUNDED = re.compile(r"[0-9]{15}0+")
_SHOWN = 3
_MANY = 100_000  # numbers that numpy compares in less memory


def has_repeated(values: "array[int]") -> bool:
    """Return True when a number occurs twice."""
    if len(values) < _MANY:
        return len(set(values)) < len(values)
    import numpy as np  # noqa: PLC0415 - it takes as long to import as 20,000 rows to check

    ordered = np.sort(np.frombuffer(values, dtype=np.int64))
    return bool((ordered[1:] == ordered[:-1]).any())


class Damage:
    """Signs of damage in the rows of a source, observed in order, in 24 bytes a row."""

    def __init__(self, schema: Schema = CONTACT) -> None:
        self._phone, self._date = schema.fields.index(PHONE), schema.fields.index(DATE)  # positions in a payload
        self._phones, self._ids = array("q"), array("q")  # of each row: its phone number, 0 for none, and its hashed contactId
        self._rows = array("q")  # of each row: its number, negative when it is not sent
        self._dates: Counter[str | None] = Counter()
        self._long = 0
        self._rounded = array("q")
        self._series: list[tuple[int, int]] = []
        self._number = 0  # the last row's telephone number, 0 for none
        self._first = self._last = self._length = 0  # rows of the series that it is in

    def observe(
        self, numbers: Sequence[int], ids: Sequence[str], payloads: Sequence[tuple[str | None, ...]], to_send: Collection[int]
    ) -> None:
        """Take in rows by their row numbers, contactIds (empty where not certain) and values; `to_send` are positions."""
        if max(map(len, ids), default=0) > _EXCEL_DIGITS:
            self._long += sum(map(bool, map(_LONG.fullmatch, ids)))
            self._rounded.extend(compress(numbers, map(_ROUNDED.fullmatch, ids)))
        phones = [int(payload[self._phone] or 0) for payload in payloads]
        self._phones.fromlist(phones)
        self._ids.fromlist(list(map(hash, ids)))
        rows_or_negative = list(numbers if len(to_send) == len(numbers) else map(neg, numbers))
        if len(to_send) < len(numbers):
            for position in to_send:
                rows_or_negative[position] = numbers[position]
        self._rows.fromlist(rows_or_negative)
        self._dates.update([payload[self._date] for payload in payloads])
        rows: Sequence[int] = numbers
        if 1 not in map(sub, phones, [self._number, *phones]):
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

    def signs(self, columns: Mapping[str, Column]) -> tuple[list[str], list[str]]:
        """Return warnings for the operator, and the sentences for reports; `columns` are those of the fields.

        Numbers that contacts share are in a report in every run, and a warning only when a contact that has one is sent.
        """
        self._end_series()
        series = self._warn_series(columns[PHONE].place) if self._series else []
        fresh, shared = self._warn_shared(columns[PHONE].place) if PHONE in columns else ([], [])
        dates = self._warn_dates(columns[DATE].place) if DATE in columns else []
        return [*series, *fresh, *dates], [*series, *shared, *dates]

    def _warn_series(self, place: str) -> list[str]:
        rows = ", ".join(_("{first} to {last}", first=first, last=last) for first, last in self._series[:_SHOWN])
        if len(self._series) > _SHOWN:
            rows = _("{rows} and {more} more times", rows=rows, more=len(self._series) - _SHOWN)
        sentence = _(
            "In rows {rows} of {place}, each phone number is the one above plus one, as when a cell is dragged down: check them.",
            rows=rows,
            place=place,
        )
        return [sentence]

    def _warn_shared(self, place: str) -> tuple[list[str], list[str]]:
        """Return a sentence about the numbers of which a contact is sent, and one about all."""
        if not has_repeated(array("q", filter(None, self._phones))):
            return [], []
        import numpy as np  # noqa: PLC0415 - as in `has_repeated`

        phones, ids, rows = (np.frombuffer(values, dtype=np.int64) for values in (self._phones, self._ids, self._rows))
        is_sent = rows > 0
        repeated, counts = np.unique(phones[phones > 0], return_counts=True)
        [at] = np.nonzero(np.isin(phones, repeated[counts > 1]))
        # Several rows of one contact agree, or are flagged.
        contacts, count = np.unique(np.unique(np.column_stack((phones[at], ids[at])), axis=0)[:, 0], return_counts=True)
        shared = contacts[count > 1]
        sent = {*np.intersect1d(shared, phones[at][is_sent[at]]).tolist()}
        [at] = np.nonzero(np.isin(phones, shared))
        found = list(zip(phones[at].tolist(), np.abs(rows[at]).tolist(), strict=True))
        return _shared(place, len(sent), [each for each in found if each[0] in sent]), _shared(place, shared.size, found)

    def _warn_dates(self, place: str) -> list[str]:
        dates = ((count, date) for date, count in self._dates.items() if date)
        count, rows = max(dates, default=(0, ""))[0], self._dates.total()
        if count < MIN_SAME_DATES or 2 * count <= rows:
            return []
        return [_("In {place}, {count} of {rows} rows have the same date: check them.", place=place, count=count, rows=rows)]


def _shared(place: str, count: int, found: Iterable[tuple[int, int]]) -> list[str]:
    """Return a sentence about `count` phone numbers that contacts share, with their rows, if there are any."""
    groups: dict[int, list[int]] = {}
    for phone, row in found:
        if phone in groups or len(groups) < LISTED:
            groups.setdefault(phone, []).append(row)
    sentence = ngettext(
        "In {place}, {count} phone number belongs to several contacts (rows {rows}): check it.",
        "In {place}, {count} phone numbers each belong to several contacts (rows {rows}): check them.",
        count,
        place=place,
        rows=listed_groups([*groups.values()], count - len(groups)),
    )
    return [sentence] if count else []


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
