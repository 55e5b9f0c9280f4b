"""The order of day and month in a source: signs that a date such as 03/04/2020 may have the month first."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from contact_sync.model import ID, NAMES, PHONE, Violation
from contact_sync.rules.cells import DATE, URL

_MONTH_FIRST = {"date-month-first", "cell-converted"}  # the latter: a base token proves it
_is_header = re.compile(
    r"(?<![a-z])(?:mm?[ ./-]?(?:jj?|dd?)[ ./-]?[ay]{1,4}(?![a-z])|(?:mois|month)\W+(?:jour|day)\b)", re.IGNORECASE
).search
_find_month_first = re.compile(r"^ *(?:0?[1-9]|1[0-2])/(?:1[3-9]|2\d|3[01])/(?:\d\d|\d{4})(?:[ T]\d.*)?$", re.MULTILINE).search
_find_day_first = re.compile(r"^ *(?:1[3-9]|2\d|3[01])[/.-](?:0?[1-9]|1[0-2])[/.-]\d", re.MULTILINE).search


class DateOrder:
    """The signs in a source with these columns: in the header and the dates of the field, and in columns that no rule judges."""

    def __init__(self, columns: Sequence[str], mapping: Mapping[str, int]) -> None:
        self._day = mapping.get(DATE, -1)
        judged = {mapping.get(field) for field in (ID, PHONE, *NAMES, DATE, URL)}
        self._others = [] if self._day < 0 else [at for at in range(len(columns)) if at not in judged]
        self._is_month_first = self._day >= 0 and _is_header(columns[self._day]) is not None
        self._is_day_first = False  # by a date of the field
        self._is_other_month_first = False

    @property
    def is_doubtful(self) -> bool:
        """True when a date that can be read two ways may have the month first."""
        return self._is_month_first or (self._is_other_month_first and not self._is_day_first)

    def observe(self, rows: Sequence[Sequence[str]], violations: Iterable[Collection[Violation]]) -> None:
        """Take in rows and the violations that were found in them."""
        self._is_month_first = self._is_month_first or any(
            v.code in _MONTH_FIRST and v.field == DATE for found in violations for v in found
        )
        if self._is_month_first or self._is_day_first or not self._others:
            return
        self._is_day_first = _find_day_first("\n".join([row[self._day] for row in rows])) is not None
        for at in self._others:
            text = "" if self._is_other_month_first else "\n".join([row[at] for row in rows])
            self._is_other_month_first = self._is_other_month_first or ("/" in text and _find_month_first(text) is not None)
