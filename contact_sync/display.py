"""Text of others (names of files, headers, sheets, answers) as it may be displayed: on one line, inert, and without secrets.

The one place that cleans what is printed, logged, mailed and sent to a monitor. Sentences clean the values of their placeholders
(`contact_sync.i18n`), the console and the log every line that they write. The lowest floor: imports nothing of the project.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

_MASK = "***"
_WINDOW = 8  # characters of a secret in a row that are masked, in any case and encoding
_MIN_PART = 16  # characters of a part of a URL that is taken for a secret by itself

_INERT = r"[^\n\r\t\x00-\x1f\x7f-\xa0\xad\u0600-\uffff\U00010000-\U0010ffff]*"
"""Text without any character that could need an escape; Latin letters and their accents, which most text consists of."""
_KEY = re.compile(r"(?<![\w./\\-])(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[0-9A-Za-z]{32,}(?![\w./\\-])")
"""A word that looks like an API key; SMS Partner's have 40 hexadecimal digits. Names of files have other signs, too."""
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}  # keeps the length of the text, unlike `str.lower`


def printable(text: str) -> str:
    r"""Return text with each control or formatting character and line break as an escape (`\x1b`, `\n`, `\u202e`).

    A terminal would obey them, and a mail or a log would show a line that nobody wrote. Spaces of any kind stay.
    """
    if text.isprintable() or re.fullmatch(_INERT, text):
        return text
    return "".join(_escape(character) if unicodedata.category(character) in _OBEYED else character for character in text)


_OBEYED = {"Cc", "Cf", "Zl", "Zp"}  # controls, formats such as bidirectional overrides, separators of lines and paragraphs


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def shorten(text: str) -> str:
    """Return a header or a title as short as a sentence can have it, on one line."""
    text = " ".join(text.split())
    return text if len(text) <= 40 else text[:39] + "…"  # noqa: PLR2004 - enough to recognise a header


def keys_in(text: str) -> list[str]:
    """Return the words of a text that look like an API key, also in quotes, or as a value (`apiKey=…`)."""
    return _KEY.findall(text)


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Return text without the secrets: not in another case, cut, nor encoded for a URL, as JSON, HTML, base64 or hexadecimal."""
    for secret in filter(None, secrets):
        text = _without(text, secret)
    return text


def _without(text: str, secret: str) -> str:
    whole, windows = _spellings(secret)
    for spelling in whole:
        text = text.replace(spelling, _MASK)
    if not windows or len(text) < _WINDOW:
        return text
    lower = text.translate(_LOWER)
    parts, end = [], 0  # what was masked or kept so far, and where it ends
    start = 0
    while start <= len(lower) - _WINDOW:
        if lower[start : start + _WINDOW] not in windows:
            start += 1
            continue
        stop = start + _WINDOW
        while lower[stop - _WINDOW + 1 : stop + 1] in windows and stop < len(lower):
            stop += 1
        parts += [text[end:start], _MASK]
        start = end = stop
    return "".join([*parts, text[end:]]) if parts else text


@lru_cache(maxsize=16)
def _spellings(secret: str) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the texts that are masked as a whole, and every window of the parts that are a secret by themselves."""
    from urllib.parse import quote, urlsplit  # noqa: PLC0415 - as below

    parts: list[str] = [secret]
    if "://" in secret:  # most of a URL is no secret, and stands in other sentences too
        path_and_query = urlsplit(secret)._replace(scheme="", netloc="").geturl()
        parts = [part for part in re.split(r"[/?&=#]", path_and_query) if len(part) >= _MIN_PART]
    windows = set[str]()
    for encoded in (each for part in parts for each in _encoded(part)):
        lower = encoded.translate(_LOWER)
        windows |= {lower[start : start + _WINDOW] for start in range(len(lower) - _WINDOW + 1)}
    return tuple(sorted({secret, quote(secret, safe="")}, key=len, reverse=True)), frozenset(windows)


def _encoded(secret: str) -> Iterator[str]:
    import base64  # noqa: PLC0415 - most commands have no secret to mask
    import html  # noqa: PLC0415
    import json  # noqa: PLC0415
    from urllib.parse import quote  # noqa: PLC0415

    raw = secret.encode(errors="surrogateescape")
    yield from (secret, quote(raw, safe=""), json.dumps(secret)[1:-1], html.escape(secret), raw.hex())
    for shift in range(3):  # the position of the secret in what was encoded, modulo 3; what its neighbours share is left out
        shared = base64.b64encode(bytes(shift) + raw)[4 if shift else 0 :]
        text = shared[: len(shared) // 4 * 4 - (4 if shared.endswith(b"=") else 0)].decode()
        yield from (text, text.translate({ord("+"): "-", ord("/"): "_"}))
