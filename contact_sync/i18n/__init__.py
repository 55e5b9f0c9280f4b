"""The language of everything that operators read: English, or, from the one catalogue in `french`, French.

A sentence is named by its English words, and what differs from case to case stands in `{blanks}`.
"""

from contact_sync.i18n.french import FRENCH

LANGUAGES = ("en", "fr")

_language = "en"


def speak(language: str) -> None:
    """Use one of `LANGUAGES` from now on."""
    global _language  # noqa: PLW0603 - a process speaks one language
    _language = language


def spoken() -> str:
    """The language in use."""
    return _language


def translated(sentence: str) -> str:
    """Return an English sentence in the language in use, its blanks as they are."""
    return FRENCH.get(sentence, sentence) if _language == "fr" else sentence


def phrase(sentence: str, /, **blanks: object) -> str:
    """Return an English sentence in the language in use, its blanks filled in."""
    return translated(sentence).format(**blanks)
