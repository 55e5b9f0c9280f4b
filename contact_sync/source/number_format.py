"""The text that a number shows in its number format (ECMA-376 Part 1, 18.8.30 and 18.8.31), where that is sure.

A workbook stores `"C"000000` and 123; its reader sees C000123, and that is what has to be sent. Rendered are sections and their
conditions, digits with text between them, decimals, thousands, scaling, percent, currency and padding. Fractions, exponents and
all that Excel and LibreOffice show differently are not, so that their cells are flagged.

The separators are no part of a format: Excel takes those of its reader's system, and a workbook does not say which that was.
They are the French ones here, as in the files that this program is for: 12.5 as `0.00 €` is 12,50 €. Thousands are separated by a
plain space. Excel shows a narrow no-break one, which looks the same, but is not in the GSM alphabet and would double the price of
an SMS. A format that names another locale (`[$$-409]#,##0.00`) is not rendered where it has separators: LibreOffice takes those
of the locale, Excel those of the system. A number in General keeps its decimal point, as in every release before, and is
flagged when it has more decimals than Excel shows.

tests/source/test_number_format.py compares the texts with those of LibreOffice.
"""

import operator
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import Any

from contact_sync.source.format_code import NUMERIC, Pattern, Section, UnsureError, digits_of, numeric_sections, parse

DECIMAL_SEPARATOR, GROUP_SEPARATOR = ",", " "
UNKNOWN = "[unknown]"  # a format that is not rendered

_EXACT = Context(prec=400)
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "<>": operator.ne,
}
_PADDING = {"0": "0", "?": " ", "#": ""}  # what a placeholder without a digit shows
_FEWEST = 4  # placeholders in a row that LibreOffice never takes for a grouped format
LONGEST_GENERAL = 11  # characters that Excel shows in General


@lru_cache(4096)
def render(value: float, code: str) -> str | None:
    """Return the text that a spreadsheet shows for `value`; None where that is not sure."""
    try:
        return _render(Decimal(f"{value:.15g}"), code)
    except UnsureError:
        return None


def keeps_text(code: str) -> bool:
    """Return True when a text in that format is shown as it is, apart from spaces around it."""
    sections = parse(code)
    if len(sections) <= NUMERIC and not sections[-1].is_for("text"):
        return True
    shown = [part for part in sections[-1].parts or () if part.text.strip()]
    return [part.kind for part in shown] == ["text"]


def section_for(code: str, value: float) -> str:
    """Return the section of a format that `value` is shown by; the format itself where that is not sure."""
    try:
        return _choose(code, value).code
    except UnsureError:
        return code


def _choose(code: str, value: Decimal | float) -> Section:
    """Return the section that shows `value`."""
    sections = numeric_sections(code)
    if not sections:
        raise UnsureError
    if any(section.condition for section in sections):
        for section in sections:
            if section.condition is None and section is sections[0]:
                break  # spreadsheets disagree
            if section.condition is None or _COMPARISONS[section.condition[0]](value, section.condition[1]):
                return section
        raise UnsureError
    if len(sections) == 1 or value > 0 or (value == 0 and len(sections) < NUMERIC):
        return sections[0]
    return sections[1] if value else sections[2]


def _render(value: Decimal, code: str) -> str:
    sections = numeric_sections(code)
    section = _choose(code, value)
    if section.pattern is None or not all(each.pattern or each.is_for("date") for each in sections):
        raise UnsureError  # LibreOffice then shows General
    shown = _render_pattern(section.pattern, value)
    if value and not shown.strip():  # that its format hides a number does not mean that there is none
        raise UnsureError
    if value >= 0 or (section is not sections[0] and not any(each.condition for each in sections)):
        return shown
    if len(sections) > 1 or not digits_of(section.parts or ()) or shown.startswith(" "):
        raise UnsureError  # spreadsheets disagree about the sign
    return "-" + shown


def _render_pattern(pattern: Pattern, number: Decimal) -> str:
    """Return `number` without its sign."""
    value, whole = abs(number), pattern.whole_digits
    if pattern.is_general and (value % 1 or len(str(value)) > LONGEST_GENERAL):
        raise UnsureError
    unit = Decimal(1).scaleb(-len(pattern.decimal_digits))
    rounded = value.scaleb(pattern.scale).quantize(unit, ROUND_HALF_UP, _EXACT)
    if pattern.scale and rounded != Decimal(repr(float(value) * 10.0**pattern.scale)).quantize(unit, ROUND_HALF_UP, _EXACT):
        raise UnsureError  # a tie that binary arithmetic rounds otherwise
    digits, _, fraction = f"{rounded:f}".partition(".")
    digits = digits.lstrip("0")
    is_plain = 1 < len(whole) == len(pattern.whole) and not pattern.is_grouped
    is_number = whole or (pattern.has_point and not pattern.whole)
    if (
        (number < 0 and not rounded)  # spreadsheets disagree about the sign of 0
        or (pattern.has_point and not is_number)
        or (pattern.has_point and not fraction.rstrip("0") and pattern.decimals[0].text == "#")  # and about the point
        or (is_plain and len(whole) < min(len(digits), _FEWEST))  # LibreOffice takes 000 for a grouped format
    ):
        raise UnsureError
    shown = _render_whole(pattern, digits) if whole or not is_number else digits
    return shown + DECIMAL_SEPARATOR + _render_decimals(pattern, fraction) if pattern.has_point else shown


def _render_whole(pattern: Pattern, digits: str) -> str:
    """Return the part before the point; its first placeholder takes all digits that are left."""
    left, count = len(pattern.whole_digits), 0
    shown: list[str] = []
    for part in reversed(pattern.whole):
        if part.kind == "literal":
            shown.append(part.text)
            continue
        left -= 1
        taken = digits[-1:] if left else digits
        digits = digits[: len(digits) - len(taken)]
        taken = taken or _PADDING[part.text]
        if not pattern.is_grouped:
            shown.append(taken)
            continue
        for character in reversed(taken):
            if count and count % 3 == 0 and character != " ":
                shown.append(GROUP_SEPARATOR)
            shown.append(character)
            count += character != " "
    return "".join(reversed(shown))


def _render_decimals(pattern: Pattern, digits: str) -> str:
    kept = len(digits.rstrip("0"))
    shown, at = "", 0
    for part in pattern.decimals:
        if part.kind == "literal":
            shown += part.text
            continue
        shown += digits[at] if at < kept else _PADDING[part.text]
        at += 1
    return shown
