"""Escaping of cells that a spreadsheet would run as formulas, and its inverse for a report that is fed in again.

The source of the rule is OWASP ASVS 5, 1.2.10: a cell that begins with one of these characters gets a leading apostrophe.
"""

import re

from contact_sync.packed import CELL_MARK, ROW_MARK

_TRIGGERS = frozenset("=+-@\t\r\n\0＝＋－＠'")  # noqa: RUF001 - the full-width forms work in a spreadsheet too
_PLAIN_PHONE = re.compile(r"\+[0-9]{6,15}")
_PACKED_PHONE = re.compile(rf"{_PLAIN_PHONE.pattern}(?![^{ROW_MARK}{CELL_MARK}])")  # up to the end of its cell


def escape(text: str) -> str:
    """Return `text` as it is written in a report; `unescape` is the exact inverse."""
    if text[:1] in _TRIGGERS and not _PLAIN_PHONE.fullmatch(text):
        return "'" + text
    return text


def harmless(cells: str) -> bool:
    """Return True when `escape` would change none of these packed cells."""
    if "+" in cells:
        cells = _PACKED_PHONE.sub("", cells)
    marks = [mark for mark in _TRIGGERS if mark in cells]
    return not any(f"{before}{mark}" in cells for mark in marks for before in (ROW_MARK, CELL_MARK))


def unescape(text: str) -> str:
    """Return the text that `escape` made `text` from; one that it makes of none, such as 't Hooft, is itself."""
    return text[1:] if text[:1] == "'" and escape(text[1:]) == text else text
