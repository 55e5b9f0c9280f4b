"""The choice between the 8-bit encodings of office programs, by what the letters and signs of the whole file spell.

A character costs little where it is usual, and much where no name or remark has it: ½ inside a word, a capital after a small
letter, a letter beside a digit. The encoding whose reading costs least is taken if every other reading costs clearly more. So
`£10` is a price although cp850 has the letter ú there, and `Dub½uf` is “Dubœuf” in ISO 8859-15. Where two readings remain, the
file is refused with the characters that differ: never with a whole word, which may be a person's name.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from contact_sync.errors import SourceError
from contact_sync.i18n import _

# ruff: noqa: RUF001 - signs that look alike are the subject


class Codepage(NamedTuple):
    """An encoding that a file may be in."""

    encoding: str
    prior: int  # cost of being rare: Excel writes cp1252, on a Mac Mac Roman, as “CSV (MS-DOS)” cp850; ISO 8859-15 is of Linux
    letters: str  # the usual small letters; others are right in a name of another language
    is_read: bool = True  # False for an encoding that is known only so that its files are not read as another


_WESTERN = "àâäçéèêëîïôöùûüÿœæñáíóúãõåøìòß"
CODEPAGES = (
    Codepage("cp1252", 0, _WESTERN),
    Codepage("iso8859-15", 2, _WESTERN),
    Codepage("mac_roman", 2, _WESTERN),
    Codepage("cp850", 3, _WESTERN),
    Codepage("cp1250", 5, "áâäăąćčçďđéęěëíîłĺľńňóôöőŕřśšşťţúůüűýźžżß", is_read=False),
    Codepage("cp1254", 5, "âçğıîöşüû", is_read=False),
)

_MARGIN = 3  # the least by which any other reading must cost more
_ONCE = 3  # the cost of a letter of which the first one says as much as all of them
_ODD = 5  # from this cost on, a character is where it should not be
_MAX_SHARE = 0.2  # of such characters in the best reading
_SHOWN = 5
_NON_ASCII = re.compile(r"[^\x00-\x7f]")
_LETTERS = [chr(code) for code in (*range(0xC0, 0x180), *range(0x218, 0x21C)) if chr(code).isalpha()]
_CAPITAL, _SMALL = ("".join(letter for letter in _LETTERS if letter.isupper() is is_capital) for is_capital in (True, False))
_LETTER, _L = f"[{_CAPITAL}{_SMALL}]", f"[A-Za-z{_CAPITAL}{_SMALL}]"  # beyond ASCII, any

# Each pattern is tried in this order on a character beyond ASCII; what none of them matches costs 7.
_MISPLACED_LETTERS = (
    (18, rf"{_LETTER}{{3,}}"),  # Èíàíîâ: no language of these encodings has three in a row
    (6, rf"(?<=[a-z{_SMALL}])[{_CAPITAL}]|(?<=[A-Z])[{_CAPITAL}](?=[a-z{_SMALL}])"),  # LefËvre, MŸller
    (6, rf"(?<![A-Z{_CAPITAL}{_SMALL}])[{_SMALL}](?=[A-Z])|{_LETTER}(?=[A-Z][a-z])"),  # DïArcy, ÁHola
    (6, rf"(?i:[ìò](?={_L})|ã(?![oesi]|\b)|õ(?!e))"),  # Franìoise, Mãrie; but Niccolò, João and Simões
    (4, r"(?i:œ(?![cdinstu]))"),  # Bœlgaro; but Bœuf, Œdipe
    (6, rf"(?<=\d){_LETTER}|{_LETTER}(?=\d)"),
    (5, rf"(?<!\S)(?![àÀ]){_LETTER}(?!\S)"),  # a word of one letter
    (_ONCE, rf"(?<=[A-Z])[{_SMALL}](?=[A-Z])"),  # HéLèNE, as a program writes it that knows no accents
)
_SIGNS = (
    (
        0,
        rf"(?<={_L})(?<!{_L}{{3}})’(?={_L})|(?<={_L})\xa0(?=[A-Z{_CAPITAL}])|(?<!{_L})\xa0(?=\S)|(?<=[nN\d])°|°(?=[CF]\b)|µ(?=[glmsAVF]\b)|(?<=\d)€|€(?=\d)",
    ),
    (0, rf"(?<!{_L})[«“](?={_L})|[«“](?=\xa0)|(?<=\S)…(?!\S)|(?<!\S)[–—€•](?!\S)"),
    (1, r"(?<=\d)[½¼¾²³µ‰º±×÷£ª]|[½¼¾](?=[\s/])|[£±×÷§](?=\d)|(?<!\S)[£±×÷§…½¼¾«»](?!\S)|(?<=\bm)[²³](?!\w)"),
    (
        1,
        rf"(?<!{_L})[¡¿](?={_L}{{2}})|(?<={_L})[™®ºª](?!\w)|(?<={_L})[–—](?=[A-Z{_CAPITAL}])|(?<={_L})’(?!\w)|(?<!\S)[‘„‹](?={_L})",
    ),
    (1, rf"(?<=\S)[›“»”](?!{_L})|(?<=[lL])·(?=[lL])|\xa0(?=\d)"),
    (2, rf"(?<={_L})[´‘](?={_L})|(?<={_L})’(?={_L})|(?<={_L})[€©](?!\w)|(?<!\S)[™®©µ°’‘“”²³ºª](?!\S)|[§©](?!\w)"),
    (3, rf"(?<!\w)[¢¥¹†‡¤¬¶ˆ˜¨¯´¸¦·¿¡‰√≈≤≥≠∞](?!{_L})|(?<=\d)[¢¥†‡‰%]|(?<={_L})[–—](?!{_L})|\xa0(?!\S)"),
    (4, rf"(?<={_L})\xa0(?={_L})"),
)


@cache
def _pattern(letters: str) -> re.Pattern[str]:
    """Return the pattern of a character in its place, whose groups are named after the cost."""
    usual = (0, f"[{letters}{letters.replace('ß', '').upper()}]"), (2, _LETTER)
    costs = (*_MISPLACED_LETTERS, *usual, *_SIGNS, (7, "."))
    groups = (f"(?P<_{at}_{cost}>{pattern})" for at, (cost, pattern) in enumerate(costs))
    return re.compile(f"(?=[^\x00-\x7f])(?:{'|'.join(groups)})")


_GROUP_ONCE = f"_{len(_MISPLACED_LETTERS) - 1}_{_ONCE}"


@dataclass(slots=True)
class Reading:
    """The words of a file as one encoding reads them, and what they cost."""

    codepage: Codepage
    cost: float  # infinite for bytes that do not decode
    odd: set[str] = field(default_factory=set)  # some of the characters that are where they should not be
    _find: re.Pattern[str] = field(init=False)
    _total: int = 0
    _count_odd: int = 0
    _has_mixed_case: bool = False

    def __post_init__(self) -> None:
        self._find = _pattern(self.codepage.letters)

    @property
    def share(self) -> float:
        """The share of odd characters."""
        return self._count_odd / max(self._total, 1)

    def add(self, words: bytes) -> None:
        """Read words, which are separated by spaces."""
        try:
            text = words.decode(self.codepage.encoding)
        except UnicodeDecodeError:
            self.cost = math.inf
            return
        self._total += len(_NON_ASCII.findall(text))
        for found in self._find.finditer(text):
            group = str(found.lastgroup)
            cost = int(group.rpartition("_")[2])
            self.cost += cost if group != _GROUP_ONCE else 0 if self._has_mixed_case else cost
            self._has_mixed_case |= group == _GROUP_ONCE
            if cost >= _ODD:
                self._count_odd += len(found.group())
                if len(self.odd) < _SHOWN:
                    self.odd.update(found.group())

    def differences(self, other: "Reading", seen: bytes) -> list[tuple[str, str]]:
        """Return the characters that the two read differently, of the bytes that were `seen`."""
        pairs = zip(seen.decode(self.codepage.encoding), seen.decode(other.codepage.encoding), strict=True)
        return [(_shown(one), _shown(two)) for one, two in pairs if one != two]


def start_readings(*, is_of_old_mac: bool) -> list[Reading]:
    """Return the readings of a file whose words are to be added; lines that end in CR alone are those of Mac Roman."""
    if not is_of_old_mac:
        return [Reading(codepage, codepage.prior) for codepage in CODEPAGES]
    return [Reading(codepage, 0 if codepage.encoding == "mac_roman" else codepage.prior + _MARGIN) for codepage in CODEPAGES]


def _shown(char: str) -> str:
    return char if char.isprintable() else f"U+{ord(char):04X}"


def choose_codepage(readings: Sequence[Reading], seen: bytes, name: str) -> tuple[str, list[str]]:
    """Return the encoding of the reading that costs least, and warnings about it; `seen` are the bytes beyond ASCII.

    Raises `SourceError` when it is too unlikely, or when another reads other letters and costs hardly more; `name` is the file's.
    """
    best, *others = sorted(readings, key=lambda reading: reading.cost)
    is_unlikely = best.cost == math.inf or best.share > _MAX_SHARE
    for other in others:
        is_rival = other.cost < best.cost + _MARGIN or is_unlikely or not best.codepage.is_read
        is_rival = is_rival and other.cost < math.inf
        if is_rival and (pairs := best.differences(other, seen)):
            raise SourceError(
                "{name}: its accented letters cannot be read with certainty: they are “{first}” in {encoding}, “{second}” in "
                "{other}. Save it in Excel as “CSV UTF-8”, or give --encoding.",
                name=name,
                first=" ".join(one for one, _two in pairs[:_SHOWN]),
                second=" ".join(two for _one, two in pairs[:_SHOWN]),
                encoding=best.codepage.encoding,
                other=other.codepage.encoding,
            )
    if is_unlikely:
        raise SourceError(
            "{name}: its accented letters cannot be read with certainty: save it in Excel as “CSV UTF-8”, or give --encoding.",
            name=name,
        )
    encoding = best.codepage.encoding
    if best.odd:
        warning = _(
            "{name} is read as {encoding} and then contains signs that few names have ({odd}): check the names with them, or "
            "give --encoding.",
            name=name,
            encoding=encoding,
            odd=", ".join(sorted(best.odd)),
        )
    elif best.codepage is CODEPAGES[0]:
        return encoding, []
    else:  # it only fits better than cp1252; the text of another program may do so by chance
        warning = _(
            "{name} is read as {encoding}, which few programs write: check the names, "
            "and give --encoding {encoding} if they are right.",
            name=name,
            encoding=encoding,
        )
    return encoding, [warning]
