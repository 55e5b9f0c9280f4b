"""Spellings: the texts that a spreadsheet reads as one number, day, time or truth value.

The forms are those that Excel and LibreOffice read in English and French.
"""

import datetime as dt
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from itertools import chain, product

_SIGNS = {".": ",", ",": "."}  # decimal sign → the sign between thousands beside it
_GROUPING = (" ", "\xa0", "\u202f", "'")
_CURRENCIES = "$€£"
_MOST_ZEROS = 24
MOST_DIGITS = 15  # of a number in a spreadsheet
_MOST_SHOWN = 9  # digits that Excel shows of any decimal number
_MOST_DENOMINATORS = 9
_MIDNIGHT = 24
_TRUTH = {True: ("true", "vrai"), False: ("false", "faux")}
MONTHS = (
    ("jan", "january", "janv", "janvier"),
    ("feb", "february", "févr", "fév", "février"),
    ("mar", "march", "mars"),
    ("apr", "april", "avr", "avril"),
    ("may", "mai"),
    ("jun", "june", "juin"),
    ("jul", "july", "juil", "juillet"),
    ("aug", "august", "août"),
    ("sep", "september", "sept", "septembre"),
    ("oct", "october", "octobre"),
    ("nov", "november", "novembre"),
    ("dec", "december", "déc", "décembre"),
)
"""The names of each month, in lower case."""
_ABBREVIATED = ("janv", "févr", "fév", "avr", "juil", "sept", "oct", "nov", "déc")  # in French, where a dot may follow
_WEEKDAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")

# Numbers ----------------------------------------------------------------------------------------------------------------


def spell_number(value: Decimal) -> Iterator[str]:
    """Yield spellings with other zeros and signs, groups, an exponent, a fraction, a currency, more digits, and in per cent."""
    size = abs(value)
    if not -_MOST_ZEROS < size.adjusted() < _MOST_ZEROS:
        return
    forms = chain(
        _spell_decimal(size), _spell_grouped(size), _spell_exponent(size), _spell_fraction(size), _spell_unrounded(size)
    )
    short = list(_spell_short(size))
    if value < 0:
        yield from (f"-{text}" for text in forms)
        yield from (form for text in short for form in (f"- {text}", f"({text})", f"{text}-"))
    else:
        yield from forms
        yield from (f"+{text}" for text in short)
        yield from (f"{sign}{space}{text}" for text in short for sign in _CURRENCIES for space in ("", " "))
        yield from (f"{text}{space}{sign}" for text in short for sign in _CURRENCIES for space in ("", " "))
        yield from (form for text in _spell_short(size * 100) for form in (f"{text}%", f"{text} %"))


def _parts(value: Decimal) -> tuple[str, str]:
    """Return the digits before and after the decimal sign."""
    whole, _sign, decimals = f"{value:f}".partition(".")
    return whole, decimals.rstrip("0")


def _spell_decimal(value: Decimal) -> Iterator[str]:
    whole, decimals = _parts(value)
    yield from ("0" * zeros + whole for zeros in range(0 if decimals else _MOST_ZEROS))
    for sign, start, zeros in product(_SIGNS, (whole, whole.lstrip("0"), f"0{whole}", f"000{whole}"), range(4)):
        yield f"{start}{sign}{decimals}{'0' * zeros}"


def _spell_short(value: Decimal) -> Iterator[str]:
    """Yield the commonest spellings: with up to two zeros at the end."""
    whole, decimals = _parts(value)
    if not decimals:
        yield whole
    for start, sign, zeros in product((whole, whole.lstrip("0")), _SIGNS, range(0 if decimals else 1, 3)):
        yield f"{start}{sign}{decimals}{'0' * zeros}"


def _spell_grouped(value: Decimal) -> Iterator[str]:
    whole, decimals = _parts(value)
    for sign, thousands in _SIGNS.items():
        for grouping in (thousands, *_GROUPING):
            grouped = f"{int(whole):,}".replace(",", grouping)
            yield from (f"{grouped}{sign}{decimals}{'0' * zeros}" for zeros in range(3))
            if not decimals:
                yield grouped


def _spell_exponent(value: Decimal) -> Iterator[str]:
    digits = "".join(map(str, value.as_tuple().digits)).rstrip("0") or "0"
    first, rest = digits[0], digits[1:]
    exponent = value.adjusted()
    mantissas = [(digits + "0" * zeros, exponent - len(rest) - zeros) for zeros in range(3)]
    mantissas += [(f"{first}{sign}{rest}{'0' * zeros}", exponent) for sign in _SIGNS for zeros in range(3)]
    for (mantissa, power), letter, width in product(mantissas, "eE", (1, 2)):
        signs = ("-",) if power < 0 else ("", "+")
        yield from (f"{mantissa}{letter}{sign}{abs(power):0{width}}" for sign in signs)


def _spell_fraction(value: Decimal) -> Iterator[str]:
    whole, part = divmod(value, 1)
    for denominator in range(2, _MOST_DENOMINATORS + 1):
        if part and part * denominator % 1 == 0:
            yield f"{whole} {part * denominator:f}".rstrip("0").rstrip(".") + f"/{denominator}"


def _spell_unrounded(value: Decimal) -> Iterator[str]:
    """Yield numbers with up to two digits more than a spreadsheet keeps of an integer, or shows of another number."""
    whole, decimals = _parts(value)
    lost = len(whole) - MOST_DIGITS
    if lost in (1, 2):
        yield from (str(int(whole) + more) for more in range(-(10**lost) // 2, 10**lost))
    elif len(whole.lstrip("0") + decimals) >= _MOST_SHOWN and decimals:
        for count, sign in product((1, 2), _SIGNS):
            step = Decimal(10) ** -(len(decimals) + count)
            yield from (f"{value + step * more:f}".replace(".", sign) for more in range(-(10**count) // 2, 10**count // 2 + 1))


# Days and times ---------------------------------------------------------------------------------------------------------


def spell_day(year: int | None, month: int, day: int) -> Iterator[str]:
    """Yield spellings with numbers and with names of months, without a year too; only such ones where the year is None."""
    years = () if year is None else (str(year), f"{year % 100:02}", str(year % 100))
    months, days = (str(month), f"{month:02}"), (str(day), f"{day:02}")
    for one, two, sign in product(days, months, "/-."):
        for pair in (f"{one}{sign}{two}", f"{two}{sign}{one}"):
            yield pair
            yield from (f"{pair}{sign}{text}" for text in years)
        yield from (f"{text}{sign}{two}{sign}{one}" for text in years)
    names = list(_spell_month(month))
    for one, name in product(days, names):
        for sign in ("-", " ", ""):
            yield from (f"{one}{sign}{name}", f"{name}{sign}{one}")
            yield from (f"{one}{sign}{name}{sign}{text}" for text in years[:2] if sign)
        yield from (f"{name} {one}, {text}" for text in years[:1])
    if day == 1:
        yield from (f"{name}{sign}{text}" for name in (*months, *names) for sign in "/-. " for text in years)
        yield from (f"{text}{sign}{name}" for name in months for sign in "/-." for text in years[:1])
    with suppress(ValueError):
        weekday = _WEEKDAYS[dt.date(year or 0, month, day).weekday()]
        yield from (f"{form} {day} {MONTHS[month - 1][-1]} {year}" for form in (weekday, weekday.title()))


def _spell_month(month: int) -> Iterator[str]:
    for name in MONTHS[month - 1]:
        yield from (name, name.title(), name.upper())
        if name in _ABBREVIATED:
            yield from (f"{name}.", f"{name.title()}.")


def spell_time(hours: int, minutes: int, seconds: int) -> Iterator[str]:
    """Yield spellings with and without leading zeros and seconds, of 24 and of 12 hours."""
    forms: list[tuple[int, tuple[str, ...]]] = [(hours, ("",))]
    if hours < _MIDNIGHT:
        half = "ap"[hours // 12]
        forms.append(((hours + 11) % 12 + 1, (f" {half}m", f"{half}m", f" {half}m".upper(), f"{half}m".upper())))
    for hour, endings in forms:
        for wide, narrow in product((1, 2), (1, 2)):
            start = f"{hour:0{wide}}:{minutes:0{narrow}}"
            texts = [f"{start}:{seconds:0{width}}" for width in (1, 2)] + ([] if seconds else [start])
            yield from (text + ending for text in texts for ending in endings)
        if not minutes and not seconds:
            yield from (f"{hour}{ending}" for ending in endings if ending)


def spell_moment(day: tuple[int, int, int], time: tuple[int, int, int | None]) -> Iterator[str]:
    """Yield spellings of a day and a time with numbers; those of all seconds where they are None, as Excel may hide them."""
    (year, month, of_month), (hours, minutes, seconds) = day, time
    dates = [f"{year}-{month:02}-{of_month:02}", f"{year}/{month:02}/{of_month:02}"]
    pairs = ((of_month, month), (month, of_month))
    dates += [f"{one}{sign}{two}{sign}{year}" for sign in "/-." for one, two in pairs]
    dates += [f"{one:02}{sign}{two:02}{sign}{year}" for sign in "/-." for one, two in pairs]
    start = 3600 * hours + 60 * minutes + (seconds or 0)
    clocks = range(start, start + (61 if seconds is None else 2))  # LibreOffice may show a second less
    times = [f"{clock // 3600:02}:{clock // 60 % 60:02}:{clock % 60:02}" for clock in clocks]
    for hour, minute in ((clock // 3600, clock // 60 % 60) for clock in clocks if clock % 60 == 0):
        times += [f"{hour:02}:{minute:02}", f"{hour}:{minute:02}"]
    yield from (f"{date} {time}" for date in dates for time in times)
    yield from (f"{dates[0]}T{time}" for time in times)


# Truth values -----------------------------------------------------------------------------------------------------------


def spell_truth(*, value: bool) -> Iterator[str]:
    """Yield the words for true, or for false."""
    for word in _TRUTH[value]:
        yield from (word, word.title(), word.upper())
