"""Escaping of cells that a spreadsheet would run as formulas, and its inverse for a report that is fed in again.

The source of the rule is OWASP ASVS 5, 1.2.10: a cell that begins with one of these characters gets a leading apostrophe.
"""

import re

from contact_sync.packed import CELL_MARK, ROW_MARK

_TRIGGERS = frozenset("=+-@\t\r\n\0＝＋－＠'")  # noqa: RUF001 - the full-width forms work in a spreadsheet too
_PLAIN_PHONE = re.compile(r"\+[0-9]{6,15}")
_BEGINNINGS = [(mark.encode()[:1], [before + mark.encode() for before in (ROW_MARK, CELL_MARK)]) for mark in _TRIGGERS]
_find_packed_phones = re.compile(rb"[\x1e\x1f]\+[0-9]{6,15}(?![^\x1e\x1f])").findall  # up to the end of their cells


def escape(text: str) -> str:
    """Return `text` as it is written in a report; `unescape` is the exact inverse."""
    if text[:1] in _TRIGGERS and not _PLAIN_PHONE.fullmatch(text):
        return "'" + text
    return text


def harmless(cells: bytes) -> bool:
    """Return True when `escape` would change none of these packed cells."""
    found = [beginning for mark, beginnings in _BEGINNINGS if mark in cells for beginning in beginnings if beginning in cells]
    if any(beginning[1:] != b"+" for beginning in found):
        return False
    return not found or sum(map(cells.count, found)) == len(_find_packed_phones(cells))


def unescape(text: str) -> str:
    """Return the text that `escape` made `text` from; one that it makes of none, such as 't Hooft, is itself."""
    return text[1:] if text[:1] == "'" and escape(text[1:]) == text else text
