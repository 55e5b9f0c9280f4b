"""The text of a workbook's cell as a person sees it, and what is wrong with it."""

import datetime as dt
import re
from functools import lru_cache
from typing import Any, NamedTuple

from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format, is_timedelta_format
from openpyxl.utils.datetime import from_excel
from openpyxl.utils.escape import unescape

from contact_sync.i18n import _
from contact_sync.model import ID, Violation

ERROR = "error"
LITERAL = "literal"
"""The kind of a text in which nothing is escaped."""
UNCALCULATED = "uncalculated"
"""The kind of a formula without a value."""

_KEPT = 10**15  # Excel keeps 15 digits
_ZEROS = re.compile("0+")
_PERCENT = re.compile(r"0(?:\.(0+))?%")
_DATED = frozenset(("date", "custom1", "custom2", "custom3", "custom4"))


class Cell(NamedTuple):
    """What a workbook holds at one place."""

    value: Any
    """None, a text, a boolean, a number, or something of `datetime`."""
    number_format: str = "General"
    """As in Excel."""
    kind: str = ""
    """`ERROR`, `LITERAL`, `UNCALCULATED`, or nothing."""


BLANK = Cell(None)


def cell_of_number(number: float, number_format: str | int, epoch: dt.datetime) -> Cell:
    """Return what a number is in a format, which makes days and durations of some; an int is one of Excel's own formats.

    Where there is no such day Excel shows ###, so it is an error. `epoch` is one of openpyxl's two calendars.
    """
    shown, is_date, is_duration = _understood(number_format)
    if not is_date:
        return Cell(number, shown)
    try:
        return Cell(from_excel(number, epoch, timedelta=is_duration), shown)
    except (OverflowError, ValueError):
        return Cell("#VALUE!", kind=ERROR)


@lru_cache
def _understood(number_format: str | int) -> tuple[str, bool, bool]:
    shown = BUILTIN_FORMATS.get(number_format, "General") if isinstance(number_format, int) else number_format
    return shown, is_date_format(shown), is_timedelta_format(shown)


def text_of(cell: Cell) -> str:
    """Return what `cell` shows, without the thousands separators, colours and units of its format.

    Days are written 2020-12-31, with a time 2020-12-31 18:00:00; numbers with a point, and at most the 15 digits that Excel
    keeps; a format of zeros alone (`00000`) pads.
    """
    value = cell.value
    if isinstance(value, str):
        return unescape(value) if "_x" in value and cell.kind != LITERAL else value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, (int, float)):
        return _number(value, cell.number_format.split(";")[0])
    if isinstance(value, dt.datetime):
        return str(value.date()) if value.time() == dt.time() else value.isoformat(" ", "seconds")
    return str(value)


def flaw_of(cell: Cell, field: str) -> Violation | None:
    """Return why the value of `cell`, in the column of `field`, cannot be taken for its text, else None."""
    if cell.kind == ERROR:
        return Violation("cell-error", field, {"error": str(cell.value)})
    if cell.kind == UNCALCULATED:
        return Violation("cell-formula", field)
    if not (kind := _kind(cell.value, field)):
        return None
    if field == ID and _is_rounded(cell.value):
        return Violation("id-rounded", field)
    return Violation("cell-kind", field, {"kind": kind})


def _is_rounded(value: Any) -> bool:
    return isinstance(value, (int, float)) and abs(value) >= _KEPT


def _kind(value: Any, field: str) -> str:
    """Return what `value` is when it stands for no text of `field`, else nothing."""
    if isinstance(value, bool):
        return _("TRUE or FALSE")
    if isinstance(value, (int, float)):
        if abs(value) < _KEPT:
            return ""
        rounded = _is_rounded(value)
        return _("a number longer than the 15 digits that Excel keeps") if rounded else _("not a number (NaN)")
    if isinstance(value, dt.date):  # a datetime is one too
        return "" if field in _DATED else _("a date")
    if isinstance(value, dt.time):
        return _("a time of day")
    return _("a duration") if isinstance(value, dt.timedelta) else ""


def _number(value: float, number_format: str) -> str:
    if percent := _PERCENT.fullmatch(number_format):
        return f"{value:.{len(percent[1] or '')}%}"
    if value % 1:  # true of infinity too
        return f"{value:.15g}"
    digits = str(int(value))
    return digits.zfill(len(number_format)) if _ZEROS.fullmatch(number_format) else digits
