"""The text of a workbook's cell as a spreadsheet shows it, and the violations of a cell that is not text."""

import datetime as dt
import math
import re
from functools import lru_cache
from typing import Any, NamedTuple

from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format, is_timedelta_format
from openpyxl.utils.datetime import from_excel
from openpyxl.utils.escape import unescape

from contact_sync.i18n import _
from contact_sync.model import ID, Violation

ERROR = "error"
LITERAL = "literal"  # a text without escape sequences
UNCALCULATED = "uncalculated"  # a formula without a value

_TOO_LONG = 10**15  # Excel keeps 15 digits
_ZEROS = re.compile("0+")
_PERCENT = re.compile(r"0(?:\.(0+))?%")
_DATE_FIELDS = frozenset(("date", "custom1", "custom2", "custom3", "custom4"))


class Cell(NamedTuple):
    """The content of a cell."""

    value: Any  # none, a text, a boolean, a number, or a date, time or duration of `datetime`
    number_format: str = "General"
    kind: str = ""  # `ERROR`, `LITERAL`, `UNCALCULATED` or empty


BLANK = Cell(None)


def decode_number(number: float, number_format: str | int, epoch: dt.datetime) -> Cell:
    """Return the cell of a number, which is a date or a duration in some formats; an int is one of Excel's built-in formats.

    A number that is not a valid date is an error, as Excel shows it (###). `epoch` is one of openpyxl's two calendars.
    """
    shown, is_date, is_duration = _parse_format(number_format)
    if not is_date:
        return Cell(number, shown)
    try:
        return Cell(from_excel(number, epoch, timedelta=is_duration), shown)
    except (OverflowError, ValueError):
        return Cell("#VALUE!", kind=ERROR)


@lru_cache
def _parse_format(number_format: str | int) -> tuple[str, bool, bool]:
    shown = BUILTIN_FORMATS.get(number_format, "General") if isinstance(number_format, int) else number_format
    return shown, is_date_format(shown), is_timedelta_format(shown)


def render(cell: Cell) -> str:
    """Return the text that `cell` shows, without the thousands separators, colours and units of its format.

    Dates are written 2020-12-31, with a time 2020-12-31 18:00:00; numbers with a decimal point and at most the 15 digits that
    Excel keeps; a format that consists of zeros (`00000`) pads.
    """
    value = cell.value
    if isinstance(value, str):
        return unescape(value) if "_x" in value and cell.kind != LITERAL else value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, (int, float)):
        return _render_number(value, cell.number_format.split(";")[0])
    if isinstance(value, dt.datetime):
        return str(value.date()) if value.time() == dt.time() else value.isoformat(" ", "seconds")
    return str(value)


def check_cell(cell: Cell, field: str) -> Violation | None:
    """Return the violation of a cell whose value cannot be sent as text for `field`, else None."""
    if cell.kind == ERROR:
        return Violation("cell-error", field, {"error": str(cell.value)})
    if cell.kind == UNCALCULATED:
        return Violation("cell-formula", field)
    if not (kind := _unsuitable_kind(cell.value, field)):
        return None
    if field == ID and isinstance(cell.value, (int, float)) and abs(cell.value) >= _TOO_LONG:
        return Violation("id-rounded", field)
    return Violation("cell-kind", field, {"kind": kind})


def _unsuitable_kind(value: Any, field: str) -> str:
    """Return the kind of a `value` that cannot be sent for `field`, as part of a sentence; empty for a suitable one."""
    if isinstance(value, bool):
        return _("TRUE or FALSE")
    if isinstance(value, (int, float)):
        if abs(value) >= _TOO_LONG:
            return _("a number longer than the 15 digits that Excel keeps")
        return _("not a number (NaN)") if math.isnan(value) else ""
    if isinstance(value, dt.date):  # a datetime is one too
        return "" if field in _DATE_FIELDS else _("a date")
    if isinstance(value, dt.time):
        return _("a time of day")
    return _("a duration") if isinstance(value, dt.timedelta) else ""


def _render_number(value: float, number_format: str) -> str:
    if percent := _PERCENT.fullmatch(number_format):
        return f"{value:.{len(percent[1] or '')}%}"
    if value % 1:  # true of infinity too
        return f"{value:.15g}"
    digits = str(int(value))
    return digits.zfill(len(number_format)) if _ZEROS.fullmatch(number_format) else digits
