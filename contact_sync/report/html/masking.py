"""Masking of phone numbers, for a report that more people read than the source."""

import re
from collections.abc import Mapping

from contact_sync.model.fields import PHONE
from contact_sync.model.report import Line

_BEGIN, _END = 4, 2  # characters that are kept: enough to distinguish two numbers, too few to call one
_FEWEST = 6  # digits of what may be a number: fewer, as in “NC” or “see 12”, are shown, since they may be what is to be corrected
_SUBSCRIBER = 9  # digits at the end of a number that are the same however it is written
_BETWEEN = r"[\s.\-/()]*"
_LONG = re.compile(rf"\+?(?:\d{_BETWEEN}){{{_SUBSCRIBER - 1},}}\d")

_EXAMPLE = "612345678.0"  # in the sentence of `phone-damaged`


def masked(line: Line, mapping: Mapping[str, int]) -> Line:
    """Return a line without the middle of its phone number, also where that is repeated or reformatted.

    In the message and in unmapped columns, which may contain other phone numbers, every long number is masked.
    """
    phone = line.cells[mapping[PHONE]].strip() if PHONE in mapping else ""
    if len(_digits(phone)) < _FEWEST:
        phone = ""
    cells = [_without(phone, cell) for cell in line.cells]
    if phone:
        cells[mapping[PHONE]] = _mask(line.cells[mapping[PHONE]])
    for unsent in set(range(len(cells))) - set(mapping.values()):
        cells[unsent] = without_long_numbers(cells[unsent])
    return line._replace(cells=cells, message=without_long_numbers(_without(phone, line.message)))


def without_long_numbers(text: str) -> str:
    """Return `text` with every number masked that is long enough for a phone number."""
    return _LONG.sub(lambda found: found[0] if found[0] == _EXAMPLE else _mask(found[0]), text)


def _mask(text: str) -> str:
    hidden = len(text) - _BEGIN - _END
    return f"{text[:_BEGIN]}{'•' * hidden}{text[-_END:]}" if hidden > 0 else "•" * len(text)


def _without(phone: str, text: str) -> str:
    if len(phone) > _BEGIN + _END:  # a shorter text may be part of another number
        text = text.replace(phone, _mask(phone))
    digits = _digits(phone)[-_SUBSCRIBER:]
    if len(digits) == _SUBSCRIBER and digits in _digits(text):
        text = re.sub(_BETWEEN.join(digits), "•" * (_SUBSCRIBER - _END) + digits[-_END:], text)
    return text


def _digits(text: str) -> str:
    return re.sub(r"\D+", "", text)
