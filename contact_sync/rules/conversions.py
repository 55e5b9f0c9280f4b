"""Conversions of spreadsheets: what a text was before one took it for a number, a day, a time or a truth value.

A CSV that is opened on a double click loses the zeros of 0071, the plus of +33…, and shows 1/2 as a day of this year; so it is
saved. A cell is read as the values that it may show, and each value has the spellings that a spreadsheet reads as that value.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import chain

from contact_sync.model.fields import PHONE
from contact_sync.rules.cells import DATE
from contact_sync.rules.formula import escape
from contact_sync.rules.spellings import MONTHS, MOST_DIGITS, spell_day, spell_moment, spell_number, spell_time, spell_truth

_MONTH_OF = {name: number for number, names in enumerate(MONTHS, 1) for name in names}
_NAME = "|".join(sorted(_MONTH_OF, key=len, reverse=True))
_GROUPED = r"[0-9]{1,3}(?:(?P<grouping>[ \xa0\u202f.,'])[0-9]{3})(?:(?P=grouping)[0-9]{3})*"
_matches_of_number = [
    re.compile(
        rf"(?P<minus>-|\(|(?=.*-\Z))?\s?[$€£]?\s?(?P<whole>{whole})(?:[.,](?P<decimals>[0-9]+))?"
        r"(?:E(?P<exponent>[+-][0-9]{1,3}))?\s?(?P<percent>%)?\s?[$€£]?[)-]?"
    ).fullmatch
    for whole in ("[0-9]+", _GROUPED)
]
_match_time = re.compile(
    r"(?P<hours>[0-9]{1,4}):(?P<minutes>[0-9]{2})(?::(?P<seconds>[0-9]{2}))?(?:\s?(?P<half>[AP])M)?"
).fullmatch
_match_numeric_day = re.compile(r"([0-9]{1,4})([/.-])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})").fullmatch
_match_day_and_name = re.compile(rf"(?i:([0-9]{{1,2}})[-/ ]?({_NAME})\.?(?:[-/ ]([0-9]{{4}}|[0-9]{{2}}))?)").fullmatch
_match_name_and_number = re.compile(rf"(?i:({_NAME})\.?[-/ ]?([0-9]{{4}}|[0-9]{{1,2}}))").fullmatch
_TRUTH = {"TRUE": True, "VRAI": True, "FALSE": False, "FAUX": False}
_is_scientific = re.compile(r"-?[0-9](?:[.,][0-9]+)?E\+[0-9]+|-?[0-9][.,][0-9]+E-[0-9]+", re.ASCII).fullmatch  # 1E3 may be a code
_is_decimal = re.compile("-?[0-9]+[.,][0-9]+", re.ASCII).fullmatch
_is_rounded = re.compile("[1-9][0-9]{14}0{3,}", re.ASCII).fullmatch
_is_typed = re.compile(
    r"-?0[0-9]+|-?[0-9]+(?:,[0-9]*|\.[0-9]+)0", re.ASCII
).fullmatch  # zeros that no spreadsheet adds to a plain number
_KEPT = "$€£ \xa0\u202f"  # signs that none adds either
_LETTERS = "".join(map(chr, (*range(0x100, 0x180), *range(0x218, 0x21C), *range(0x391, 0x3CF), *range(0x410, 0x460))))
_EMOJI = "".join(map(chr, (*range(0x2600, 0x27C0), *range(0x1F300, 0x1F6D0), *range(0x1F90C, 0x1FA00))))
_LOST = {"?": _LETTERS + "→\u2212≈≠≤≥" + _EMOJI, "??": _EMOJI}
"""Replacements that a program writes when it saves a file in cp1252 → the characters that they may have been."""
_LONGEST = 40
_DIGITS_OF_YEAR, _MONTHS, _DAYS = 4, 12, 31


def originals(text: str, field: str) -> Iterator[str]:
    """Yield the values of a field of which a spreadsheet may make this text."""
    if len(text) > _LONGEST:
        return
    if field == DATE:
        # Year first it can be read one way, and so it is no other day.
        days = () if re.match("[0-9]{4}", text) else _days(text.partition(" ")[0])
        yield from (f"{year}-{month:02}-{day:02}" for year, month, day in days)
    elif field == PHONE:
        yield from ["+" + text] if text.isdigit() else []
    else:
        yield from dict.fromkeys(chain.from_iterable(_spellings(text)))


def is_shortened(text: str) -> bool:
    """Return True for a number in scientific notation with its sign, or cut to the 15 digits that a spreadsheet keeps."""
    if _is_scientific(text) or _is_rounded(text):
        return True
    return _is_decimal(text) is not None and len(re.sub("[^0-9]", "", text).lstrip("0")) == MOST_DIGITS


def _spellings(text: str) -> Iterator[Iterator[str]]:
    """Yield the spellings of each value that a cell may show."""
    if escape(text) != text:
        yield iter(["'" + text])  # which is taken off a text of a workbook that has lost the column `sync_verbatim`
    if len(marks := re.findall(r"\?+", text)) == 1:
        yield (text.replace(marks[0], lost) for lost in _LOST.get(marks[0], ""))
    if text.upper() in _TRUTH:
        yield spell_truth(value=_TRUTH[text.upper()])
    if not _is_typed(text):
        kept = {sign for sign in _KEPT if sign in text and "%" not in text}
        for value in _numbers(text):
            yield (spelling for spelling in spell_number(value) if kept <= set(spelling) or spelling[0] == "+")
    yield from (spell_day(*day) for day in _days(text))
    date, _space, clock = text.replace("T", " ").partition(" ")
    for time in _times(clock):
        yield from (spell_moment((year, month, day), time) for year, month, day in _days(date) if year)
    yield from (spell_time(hours, minutes, seconds or 0) for hours, minutes, seconds in _times(text))


def _numbers(text: str) -> Iterator[Decimal]:
    """Yield the numbers that a text may show: two for 1.234, whose sign may be that of decimals or of thousands."""
    for match in _matches_of_number:
        if found := match(text):
            whole = re.sub("[^0-9]", "", found["whole"])
            value = Decimal(f"{whole}.{found['decimals'] or 0}e{found['exponent'] or 0}")
            yield value / (100 if found["percent"] else 1) * (1 if found["minus"] is None else -1)


def _days(text: str) -> Iterator[tuple[int | None, int, int]]:
    """Yield the days that a text may show as year, month and day; those of both orders, and of both centuries of a short year."""
    found: list[tuple[int | None, int, int]] = []
    if match := _match_numeric_day(text):
        first, _sign, second, third = match.groups()
        one, two = int(first), int(second)
        if len(first) == _DIGITS_OF_YEAR:
            found = [(one, two, int(third))]
        else:
            found = [(year, *pair) for year in _years(third) for pair in ((two, one), (one, two))]
    elif match := _match_day_and_name(text):
        day, name, short = match.groups()
        found = [(year, _MONTH_OF[name.lower()], int(day)) for year in (_years(short) if short else [None])]
    elif match := _match_name_and_number(text):
        name, number = match.groups()
        found = [(year, _MONTH_OF[name.lower()], 1) for year in _years(number)]
        found.append((None, _MONTH_OF[name.lower()], int(number)))
    yield from ((year, month, day) for year, month, day in found if 1 <= month <= _MONTHS and 1 <= day <= _DAYS)


def _years(text: str) -> list[int]:
    return [int(text)] if len(text) == _DIGITS_OF_YEAR else [1900 + int(text), 2000 + int(text)]


def _times(text: str) -> Iterator[tuple[int, int, int | None]]:
    """Yield the time that a text may show as hours, minutes and seconds, None where it has no seconds."""
    if found := _match_time(text):
        hours = int(found["hours"])
        if found["half"]:
            hours = hours % 12 + (12 if found["half"] == "P" else 0)
        yield hours, int(found["minutes"]), int(found["seconds"]) if found["seconds"] else None
