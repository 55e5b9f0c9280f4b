"""The order of day and month in a source: signs that a date such as 03/04/2020 may have the month first."""

import re
from collections.abc import Collection, Mapping, Sequence

from contact_sync.i18n import ngettext
from contact_sync.model.fields import ID, NAMES, PHONE
from contact_sync.model.source import Chunk
from contact_sync.model.violation import LISTED, Violation, listed
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
        self.rows: list[int] = []  # numbers of the first rows whose date of the field has the month first
        self._is_other_month_first = False

    @property
    def is_doubtful(self) -> bool:
        """True when a date that can be read two ways may have the month first."""
        return self._is_month_first or (self._is_other_month_first and not self._is_day_first)

    @property
    def violation(self) -> Violation:
        """The violation of a date that can be read two ways, with the rows that make it so."""
        rows = ngettext("row {rows}", "rows {rows}", len(self.rows), rows=listed(self.rows)) if self.rows else ""
        return Violation("date-ambiguous", DATE, {"rows": f" ({rows})" if rows else ""})

    def observe(self, chunk: Chunk, violations: Mapping[int, Collection[Violation]]) -> None:
        """Take in rows, and the violations that were found in them by position."""
        rows = chunk.rows
        for position, found in violations.items():
            if any(violation.code in _MONTH_FIRST and violation.field == DATE for violation in found):
                self._is_month_first = True
                if len(self.rows) <= LISTED:
                    self.rows.append(chunk.numbers[position])
        if self._is_month_first or self._is_day_first or not self._others:
            return
        self._is_day_first = _find_day_first("\n".join([row[self._day] for row in rows])) is not None
        for at in self._others:
            text = "" if self._is_other_month_first else "\n".join([row[at] for row in rows])
            self._is_other_month_first = self._is_other_month_first or ("/" in text and _find_month_first(text) is not None)
