"""The choice between the 8-bit encodings of western office programs, by the letters that French and its neighbours use."""

import re
import sys

from contact_sync.errors import SourceError
from contact_sync.i18n import _

CODEPAGES = ("cp1252", "mac_roman", "cp850")  # the first one is the most common

_MAX_SCORE = 0.2
_SHOWN = 5
_NON_ASCII = re.compile(r"[^\x00-\x7f]")
_SMALL, _CAPITAL = "a-zàâäçéèêëîïôöùûüÿœæßñáíóúãõåøìò", "À-ÖØ-ÞŒŸ"
_UNLIKELY = re.compile(
    "[^\x00-\x7fàâäçéèêëîïôöùûüÿœæñáíóúãõåøìòÀÂÄÇÉÈÊËÎÏÔÖÙÛÜŸŒÆÑÁÍÓÚÃÕÅØÌÒß"
    "«»\u2039\u203a€\u2019\u2018“”\u2013—…°º·•™®©§²³\u00a0\u202f]"
    f"|[{_SMALL}][{_CAPITAL}]|[A-Z][{_CAPITAL}](?=[{_SMALL}])"  # LefËvre, MŸller: a capital inside a word
    "|[A-Za-z][“”\u2013—…\u2039\u203a«»•™®©§°²³][a-z]"  # C“me: a sign inside a word
    r"|(?i:[ìò](?=[^\W\d_])|ã(?![oesi]|\b)|õ(?!e))"  # Franìoise, Mãrie; but Niccolò, João and Simões are correct
    "|[À-ÖØ-öø-ÿŒœŸ]{3,}"  # Èíàíîâ: no language of these encodings has three in a row
)


class CodepageScore:
    """The share of the non-ASCII characters of a file that a French text would not have, if it is in `encoding`."""

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.unlikely: set[str] = set()  # some of these characters
        self._total = self._bad = 0

    @property
    def share(self) -> float:
        """0 for a plausible text; more than 1 for bytes that do not decode."""
        return self._bad / max(self._total, 1)

    def add(self, words: bytes) -> None:
        """Count the characters of words, which are separated by spaces."""
        try:
            text = words.decode(self.encoding)
        except UnicodeDecodeError:
            self._bad = sys.maxsize
            return
        unlikely = _NON_ASCII.findall("".join(_UNLIKELY.findall(text)))
        self._total += len(_NON_ASCII.findall(text))
        self._bad += len(unlikely)
        if len(self.unlikely) < _SHOWN:
            self.unlikely.update(unlikely[:_SHOWN])


def choose_codepage(scores: list[CodepageScore], name: str) -> tuple[str, list[str]]:
    """Return the encoding with the best of the `scores`, which are in the order of `CODEPAGES`, and warnings about it.

    Raises `SourceError` when it is too unlikely, or no better than the second; `name` is the file's.
    """
    most_common = scores[0]
    best, second = sorted(scores, key=lambda score: score.share)[:2]
    if most_common.share == 0:
        best = most_common
    elif best.share > _MAX_SCORE or best.share == second.share:
        raise SourceError(
            "{name}: its accented letters cannot be read with certainty: save it in Excel as “CSV UTF-8”, or give --encoding.",
            name=name,
        )
    if best.unlikely:
        warning = _(
            "{name} is read as {encoding}, where “{odd}” would be unusual: check the names, or give --encoding.",
            name=name,
            encoding=best.encoding,
            odd=" ".join(sorted(best.unlikely)),
        )
    elif best is most_common:
        return best.encoding, []
    else:  # it only fits better than cp1252; the text of another program may do so by chance
        warning = _(
            "{name} is read as {encoding}, which few programs write: check the names, "
            "and give --encoding {encoding} if they are right.",
            name=name,
            encoding=best.encoding,
        )
    return best.encoding, [warning]
