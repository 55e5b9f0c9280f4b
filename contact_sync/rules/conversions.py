"""Conversions of spreadsheets: what a text was before one took it for a number, a date or a truth value.

A CSV that is opened on a double click loses the zeros of 0071, the plus of +33… and the form of 2020-01-02, and is saved so.
"""

import re
from collections.abc import Iterator

_MOST_ZEROS = 12
_SIGNS = {".": ",", ",": "."}


def originals(text: str) -> Iterator[str]:
    """Yield the texts of which a spreadsheet makes this one."""
    if re.fullmatch("[0-9]+", text, re.ASCII):
        yield from ("0" * zeros + text for zeros in range(1, _MOST_ZEROS + 1))
        yield "+" + text
        yield from (f"{text}{sign}{'0' * zeros}" for sign in ".," for zeros in (1, 2))
    elif found := re.fullmatch("([0-9]+)([.,])([0-9]+)", text, re.ASCII):
        whole, sign, decimals = found.groups()
        yield from (f"{whole}{one}{decimals}{'0' * zeros}" for one in (sign, _SIGNS[sign]) for zeros in range(4))
    elif found := re.fullmatch("([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})", text, re.ASCII):
        first, second, year = found.groups()
        for day, month in ((first, second), (second, first)):
            yield f"{year}-{month:>02}-{day:>02}"
            padded, bare = (f"{day:>02}", f"{month:>02}"), (day.lstrip("0"), month.lstrip("0"))
            yield from (sign.join((*parts, year)) for sign in "/.-" for parts in (padded, bare))
    elif text.casefold() in {"true", "false", "vrai", "faux"}:
        yield from (text.lower(), text.capitalize(), text.upper())


def is_shortened(text: str) -> bool:
    """Return True for a number in scientific notation with its sign, as spreadsheets show long ones."""
    return re.fullmatch(r"[0-9](?:[.,][0-9]+)?E\+[0-9]{2}", text, re.ASCII) is not None
