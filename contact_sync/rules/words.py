"""Words in the form in which they are compared: without case, accents, spaces and punctuation."""

import re
import unicodedata


def folded(text: str) -> str:
    """Return `text` without case, with accents as characters of their own."""
    return unicodedata.normalize("NFKD", text.casefold().replace("œ", "oe").replace("æ", "ae")).casefold()


def bare(text: str) -> str:
    """Return only the letters and digits of `text`, as ASCII in lower case."""
    return re.sub("[^a-z0-9]", "", folded(text))
