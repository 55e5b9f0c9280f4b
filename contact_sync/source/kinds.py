"""The kinds of value that a text shows by its form alone, whatever column it is in."""

import re

from contact_sync.model.fields import PHONE

_PATTERNS = {
    "date": re.compile(r"\s*(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2(?:\d{4}|\d\d))(?:[ T].{1,20})?\s*"),
    PHONE: re.compile(r"\s*(?:'|=\")?(?=(?:\D*\d){8,15}\D*$)[+(]*\d[\d .()/-]*\"?\s*"),
    "url": re.compile(r"\s*https?://.*", re.IGNORECASE | re.DOTALL),
}
_LONGEST = 100  # of a date or a phone number


def kind_of(cell: str) -> str:
    """Return the field that a cell has the form of: a phone number, a date or an address; empty for any other text."""
    return next((kind for kind, pattern in _PATTERNS.items() if pattern.fullmatch(cell[:_LONGEST])), "")
