"""Hexadecimal contactIds that look like a number in scientific notation: 1234e567, 5e10.

What Excel makes of a long number has a sign or a decimal mark (1,23457E+15, 1E+15). Digits, one e and digits alone may also be an
id. They are one in a column of hexadecimal ids, where other ids have letters that no number has; by itself such a text proves
nothing, and stays `id-damaged`.
"""

import re
from collections.abc import Iterable

is_perhaps_hexadecimal = re.compile("[0-9]+[eE][0-9]+", re.ASCII).fullmatch
_MIN_CERTAIN = 2
_is_hexadecimal = re.compile("[0-9a-fA-F]+", re.ASCII).fullmatch
_is_number = re.compile("[0-9]+(?:[eE][0-9]+)?", re.ASCII).fullmatch
_find_letter_after_digit = re.compile("[0-9][a-fA-F]").search  # C0001 only has a prefix


def is_hexadecimal_column(ids: Iterable[str]) -> bool:
    """Return True when nearly all of these ids are hexadecimal digits, and some of them cannot be numbers."""
    filled = [contact for contact in ids if contact]
    hexadecimal = [contact for contact in filled if _is_hexadecimal(contact)]
    certain = sum(bool(_find_letter_after_digit(contact) and not _is_number(contact)) for contact in hexadecimal)
    # One in ten may be a total, a repeated header or a damaged id.
    return certain >= _MIN_CERTAIN and len(hexadecimal) >= 0.9 * len(filled)
