"""The text that a date shows in its number format, where that is sure: days and times in digits.

The names of months and days depend on the reader's language, which a workbook does not say, and elapsed times and seconds with
decimals are not rendered either: their cells are flagged.
"""

import datetime as dt
from functools import lru_cache

from contact_sync.source.format_code import parse

_SURE = dt.datetime(1900, 3, 1)  # noqa: DTZ001 - before it, Excel's calendar is off by one, because it has a 29 February 1900
_CODES = {"yyyy": "%Y", "yy": "%y", "mm": "%m", "m": "%m", "dd": "%d", "d": "%d", "hh": "%H", "h": "%H", "ss": "%S", "s": "%S"}


@lru_cache(4096)
def render_date(moment: dt.datetime, code: str) -> str | None:
    """Return the text that a spreadsheet shows for `moment` in a format of one section; None where that is not sure."""
    section, *others = parse(code)
    if others or section.parts is None or moment < _SURE or moment.microsecond:
        return None
    shown, before = "", ""
    for at, part in enumerate(section.parts):
        text = part.text.lower()
        if part.kind in ("literal", "point", "comma", "slash"):
            shown += part.text
            continue
        if part.kind != "date" or text not in _CODES:
            return None
        after = next((one.text.lower() for one in section.parts[at + 1 :] if one.kind == "date"), "")
        is_minute = text in ("m", "mm") and (before.startswith("h") or after.startswith("s"))
        number = moment.strftime("%M" if is_minute else _CODES[text])
        shown += number.removeprefix("0") or "0" if len(text) == 1 else number
        before = text
    return shown
