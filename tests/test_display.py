"""Text of others made printable, and freed of secrets."""

import base64
import json
import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_sync.display import keys_in, printable, redacted
from contact_sync.i18n import _, ngettext

KEY = "aB3dE5gH7jK9mN1pQ3sT5vW7xY9zA1cE3gI5kM7o"
PING = "https://ping.example.org/9f8e7d6c-5b4a-3928-1706-f5e4d3c2b1a0"


@given(st.text())
def test_any_text_becomes_inert(text: str) -> None:
    """Whatever the text, the result is one line without controls and formats, and cleaning it again changes nothing."""
    shown = printable(text)
    assert not {"Cc", "Cf", "Zl", "Zp"} & set(map(unicodedata.category, shown))
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\r\nb", "a\\r\\nb"),
        ("\x9b2J", "\\x9b2J"),
        ("invoice\u202excod.exe", "invoice\\u202excod.exe"),
        ("a\u2028b\u200bc", "a\\u2028b\\u200bc"),
        ("D\u2019Arcy\u202f: é œ 漢字 \U0001f600 \udce9", "D\u2019Arcy\u202f: é œ 漢字 \U0001f600 \udce9"),
    ],
)
def test_escapes(text: str, shown: str) -> None:
    """What a terminal or a mail would obey is shown as an escape; letters, spaces and undecodable bytes stay."""
    assert printable(text) == shown


def test_values_of_sentences_are_printable() -> None:
    """A placeholder of any sentence, singular or plural, cannot break its line."""
    assert _("Report: {path}", path="a\n\x1b[2Jb") == "Report: a\\n\\x1b[2Jb"
    assert ngettext("{source}: {count} row.", "{source}: {count} rows.", 2, source="a\nb") == "a\\nb: 2 rows."


@pytest.mark.parametrize(
    "echoed",
    [
        KEY,
        KEY.upper(),
        KEY.lower(),
        KEY[1:],
        KEY[:-1],
        KEY[10:18],
        KEY.encode().hex(),
        base64.b64encode(KEY.encode()).decode(),
        base64.b64encode(b"x" + KEY.encode() + b"y").decode(),
        base64.urlsafe_b64encode(b"xy" + KEY.encode()).decode(),
    ],
)
def test_echoed_key_is_masked(echoed: str) -> None:
    """A key is masked in another case, cut, and encoded; what remains of it at the edges is at most a few characters."""
    shown = redacted(f"İ wrong key {echoed}!", ["", KEY])
    assert shown.startswith("İ wrong key ")
    assert "***" in shown
    assert len(shown) <= len("İ wrong key ***!") + 10


def test_key_with_special_characters_is_masked() -> None:
    """A key whose characters are escaped is masked in a URL, in JSON and in HTML."""
    key = 'p&ss"w<rd/%+\\0123456789'
    for echoed in (quote(key, safe=""), json.dumps(key), key.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")):
        assert "56789" not in redacted(echoed, [key])


def test_other_text_is_not_masked() -> None:
    """Seven characters of a key, and the parts of a URL that other URLs have too, stay."""
    text = f"https://ping.example.org/start {KEY[:7]}"
    assert redacted(text, [KEY, PING]) == text
    assert redacted(f"see {PING}/3", [PING]) == "see ***/3"
    assert redacted(f"see {PING[30:50].upper()}", [PING]) == "see ***"


@given(st.text(max_size=60), st.text(max_size=60), st.integers(0, len(KEY) - 8), st.integers(8, len(KEY)))
def test_no_window_of_the_key_survives(before: str, after: str, start: int, length: int) -> None:
    """No eight characters of the key in a row are left, whatever surrounds them."""
    shown = redacted(f"{before}{KEY[start : start + length]}{after}", [KEY]).lower()
    assert not any(KEY[at : at + 8].lower() in shown for at in range(len(KEY) - 7))


def test_words_that_look_like_keys() -> None:
    """A key is found among other words and signs; a part of a path or a longer name, and a number, are none."""
    key = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c"
    for text in ("{}", " {}\r\n", "“{}”", "'{}'", "apiKey={}&x=1", "https://a.fr/?k={}", "{};", "a, {}, b"):
        assert keys_in(text.format(key)) == [key], text
    for text in (
        f"{key}.csv",
        f"/srv/{key}/a.csv",
        f"x-{key}",
        f"{key}_2",
        key[:31],
        "1" * 40,
        "f" * 40,
        "20261130T101902Z-2309947",
    ):
        assert not keys_in(text), text
