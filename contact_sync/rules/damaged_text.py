"""Detection of text that was decoded with the wrong encoding, lost its accents, or still has the escapes of another format.

The é of “Zoé” is two bytes in UTF-8, and a program that reads them in another encoding shows something else in its place: `Ã©` in
cp1252, `√©` in Mac Roman, `├®` in cp850, `茅` in GBK. These sequences are computed from the encodings, for every letter that
names are written with. Sequences that right names contain as well count only beside letters that no right name has there.
"""

import html
import html.entities
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import chain, groupby
from typing import NamedTuple

# ruff: noqa: RUF001, RUF003 - signs that look alike are the subject

_PAGES = (
    *(
        "cp1252",
        "latin-1",
        "iso8859-15",
        "mac_roman",
        "cp850",
        "cp437",
        "cp1250",
        "cp1251",
        "iso8859-2",
        "cp1253",
        "cp1257",
        "cp1258",
    ),
    *("cp852", "cp857", "cp858", "cp866", "koi8-r", "mac_cyrillic", "cp1255", "cp1256", "cp874", "mac_latin2"),
)
_DOUBLE_BYTE_PAGES = ("gbk", "big5", "cp949", "shift_jis")
_UNUSED = "ĦħĨĩĪīĬĭĲĳĴĵĶķĸĿŀŉŊŋŌōŎŏŜŝŦŧŨũŬŭſ×÷"  # of languages that are not expected, and no letters
_LETTERS = "".join(chr(code) for code in (*range(0xC0, 0x180), *range(0x1EA0, 0x1EFA)) if chr(code) not in _UNUSED) + "ƠơƯưȘșȚț"
_SIGNS = "".join(map(chr, range(0xA0, 0xC0))) + "‘’“”„–—…€•™\ufeff\ufffd"
_LEADS, _TAILS = range(0xC2, 0xC9), range(0x80, 0xC0)  # first and second bytes of letters in UTF-8
_LEADS_OF_TWO = b"\xce\xcf\xd0\xd1"  # of Greek and Cyrillic
_ENDS = "’”“«»…–—·´™®\xa0"  # may follow the last letter of a right word
_NATURAL = "ĂŞ"  # also in Romanian names that are typed with a cedilla: ORĂŞANU
_CAPITAL = "A-ZÀ-ÖØ-ÞŠŽŒŸĂĄĆČĎĐĘĚĞİŁŃŇŐŘŚŞŤŮŰŹŻȘȚ"
_SMALL = "a-zß-öø-ÿšžœăąćčďđęěğıłńňőřśşťůűźżșț"
_LATIN = f"{_CAPITAL}{_SMALL}"


def _ranges(chars: Iterable[str]) -> str:
    """Return characters as the ranges of a class, which `re` compiles in a fraction of the time."""
    runs = groupby(enumerate(sorted({*map(ord, chars)})), lambda found: found[1] - found[0])
    codes = [[code for _, code in run] for _, run in runs]
    return "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in codes)


def _decode(raw: bytes, page: str) -> str:
    """Return bytes as `page` shows them: one that it leaves undefined as a control character, as browsers do."""
    try:
        return raw.decode(page)
    except UnicodeDecodeError as fault:
        before, after = raw[: fault.start], raw[fault.start + 1 :]
        return before.decode(page) + chr(raw[fault.start]) + _decode(after, page)


def misread(text: str, page: str) -> str:
    """Return `text` as a program shows it that reads its UTF-8 as `page`."""
    return _decode(text.encode(), page)


def _compute_misreadings() -> dict[str, set[str]]:
    """Return sequences of characters, each with the letters that a wrong encoding shows so; some of three bytes by two."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for page in _PAGES:
        table = [chr(code) for code in range(0x80)] + [_decode(bytes([code]), page) for code in range(0x80, 0x100)]
        for letter in chain(_LETTERS, _SIGNS, (table[lead] for lead in _LEADS)):  # the last ones of a text that is misread twice
            found["".join([table[byte] for byte in letter.encode()])].add(letter)
    for page in _DOUBLE_BYTE_PAGES:
        once = {_decode(letter.encode()[:2], page): letter for letter in chain(_LETTERS, _SIGNS)}
        twice = {_decode(shown[0].encode()[:2], page): shown[0] for shown in once if not shown.isascii()}
        for shown, letter in chain(once.items(), twice.items()):
            if len(shown) == 1 or page == "shift_jis":
                found[shown].add(letter)
        if page == "shift_jis":  # whose half-width syllables are single bytes, and most second bytes no characters
            found |= {_decode(bytes([lead]), page): {""} for lead in _LEADS}
    return found


def _grouped(sequences: Iterable[str]) -> str:
    """Return a pattern of the sequences, which are joined where they begin alike."""
    tails = defaultdict(set)
    for sequence in sequences:
        tails[sequence[:-1]].add(sequence[-1])
    return "|".join(f"{re.escape(lead)}[{re.escape(''.join(sorted(tails[lead])))}]" for lead in sorted(tails))


def _is_foreign(char: str) -> bool:
    """Return True for a letter or mark of another than the Latin script."""
    return unicodedata.category(char)[0] in "LM" and not unicodedata.name(char, "LATIN").startswith("LATIN")


def _patterns(sequences: Iterable[str]) -> Iterator[str]:
    """Yield the patterns of what no right text contains."""
    kinds: defaultdict[str, list[str]] = defaultdict(list)
    for sequence in sequences:
        lead, tail = sequence[0], sequence[-1]
        if _is_foreign(lead):
            kinds["character" if lead > "\u3000" and len(sequence) == 1 and lead < "\uff00" else "foreign"].append(sequence)
        elif sequence == _NATURAL or sequence[:-2]:
            kinds["natural" if sequence == _NATURAL else "plain"].append(sequence)
        elif lead in _ENDS:
            continue  # signs that two right letters may have between them
        elif tail not in _ENDS or lead == "ƒ" or not lead.isalpha():
            kinds["plain"].append(sequence)
        elif lead.isupper():
            kinds["closing"].append(sequence)
    plain, closing, foreign, character = (_grouped(kinds[kind]) for kind in ("plain", "closing", "foreign", "character"))
    yield plain
    # ANDRÉ” and “IRMÃ ANA”: such a sign may follow a last capital, but not stand before another or begin a word with it.
    yield f"(?<![{_CAPITAL}])(?:{closing}|[ÃÂ] )|(?:{closing})(?<!\xa0)(?=[{_LATIN}])(?![Ss]\\b)"
    yield f"(?<=[{_LATIN}])(?:{foreign}|{character})|(?<![^\\W\\d_])(?:{foreign})(?=[^\x00-\x7f]{{0,4}}[{_LATIN}])"
    yield f"(?:{character})(?=[{_SMALL}])"
    yield f"(?<=[{_SMALL}]){_NATURAL}|{_NATURAL}(?=[{_SMALL}])"
    # Greek and Cyrillic: one pair of this kind may be right, two in a row are not.
    leads = {_decode(bytes([lead]), page) for lead in _LEADS_OF_TWO for page in _PAGES[:8]}
    tails = {_decode(bytes([tail]), page) for tail in _TAILS for page in _PAGES[:8]} - {"\xa0"}
    lead, tail = f"[{''.join(sorted(leads))}]", re.escape("".join(sorted(tails)))
    small = re.escape("".join(sorted(char for char in tails if not char.isupper())))
    yield f"(?:{lead}[{small}]){{2}}|(?:{lead}[{tail}]){{3}}"


class _Misreadings(NamedTuple):
    """The sequences that misread UTF-8 has, ready to search for."""

    letters: dict[str, str]  # sequence → the only letter that it can have been
    find_leads: Callable[[str], Iterator[re.Match[str]]]  # the characters that a sequence can begin with
    match: Callable[[str, int], re.Match[str] | None]  # a sequence that begins there

    def find(self, text: str) -> Iterator[re.Match[str]]:
        """Yield the sequences in `text`, which do not overlap."""
        end = 0
        for lead in self.find_leads(text):
            if lead.start() >= end and (found := self.match(text, lead.start())):
                end = found.end()
                yield found


@cache
def _misreadings() -> _Misreadings:
    """Return the sequences; they are compiled in 40 ms when a text first needs them."""
    found = _compute_misreadings()
    pairs = "".join(_decode(bytes([lead]), page) for lead in _LEADS_OF_TWO for page in _PAGES[:8])
    leads = "".join(sorted({sequence[0] for sequence in found} | set(pairs)))
    return _Misreadings(
        {sequence: next(iter(letters)) for sequence, letters in found.items() if len(letters) == 1},
        re.compile(f"[{re.escape(leads)}]").finditer,
        re.compile("|".join(_patterns(found))).match,
    )


_MARKS_IN_LATIN_1 = "ÂÃÄÅÆÈÎÏÐÑÔ¬·ã¿º\x80\x84"
_find_in_latin_1 = re.compile("[ÂÃÄÅÆÈÎÏÐÑáï][ \x80-\xbfÆø]|[Ô¬·ã\x80\x84]").search
_find_lost = re.compile("[\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufffd-\uffff\U000f0000-\U0010ffff]").search
_find_escapes = re.compile(
    r"&(?:#[0-9]{2,6}|#[xX][0-9a-fA-F]{2,5}|(?P<name>[a-zA-Z]{2,8}[0-9]{0,2}));"  # of HTML: &eacute; &#039;
    r"|\\(?:u00|x)[0-9a-fA-F]{2}"  # of JSON and of programs
    r"|\+A[M-P][AEIMQUYcgkosw048]-"  # of UTF-7
    r"|</?(?i:a|b|br|div|em|font|h[1-6]|i|li|p|span|strong|t[dr]|u|ul)(?:\s[^<>]*)?/?>"  # tags of HTML
    r"|[%=]C[2-5][%=][89AB][0-9A-F]"  # of addresses and mails: %C3%A9, =C3=A9
).finditer
_IN_ESCAPES = ("&", "\\u", "\\x", "=C", "%C", "+A", "<")
_find_loss = re.compile(  # beside questions and addresses, which are right: ok? a?b=c ?a=1
    rf"(?<![^\s;])[{_LATIN}]+[?¿]+[{_SMALL}][{_LATIN}]*(?![^\s,;.!?])"  # Gda?sk
    rf"|(?<![^\s;])(?=[^\s;]{{4}})[{_CAPITAL}]+\?+[{_CAPITAL}]+(?![^\s,;.!?])"  # S?AWOMIR
    rf"|(?<![^\s;])\?+[{_LATIN}0-9][{_LATIN}0-9.,'’-]*(?![^\s;!?])"  # ?ód?, ?5
    r"|(?<![^;])\s*\?\s*(?:\?\s*)+(?![^;])"  # nothing but ??
).search
_find_loss_in_name = re.compile(rf"(?<=[{_LATIN}])[?¿]|[?¿](?=[{_LATIN}])").search
_find_fraction = re.compile(rf"(?<=[{_LATIN}])[¼½¾](?=[{_SMALL}])").search  # œ and Œ of ISO 8859-15: Dub½uf
# Encodings of one byte a letter confused: HÈlËne, H‚lŠne, Hйlиne, and …lodie. In a name no capital with an accent, no sign and no
# letter of another script is right there, but LeÉon, MacÉon, LÉa, D´Arcy, O‘Brien and Gal·la are. Some signs may end a name.
_ACCENTED = _ranges(char for char in _LETTERS + "ŒŸ" if char.isupper() and not char.isascii())
_SWAPPED_SIGNS = _ranges(
    char
    for char in map(
        chr, (*range(0xA1, 0xC0), 0xD7, 0xF7, 0x192, *range(0x2C6, 0x2DE), *range(0x2013, 0x2190), *range(0x2200, 0x25A1))
    )
    if char not in "ªº·´\xad‘’–‧" and unicodedata.category(char)[0] not in "ZC"
)
_MAY_END = _ENDS + "“°†•©€¹²³×"
_OTHER_SCRIPTS = "\u0370-\u1c7f\u1f00-\u1fff"  # Greek, Cyrillic, Hebrew, Arabic …
_ASIAN_SCRIPTS = "\u3041-\u9fff\uac00-\ud7af\uff66-\uff9d"
_PLACES = (
    rf"(?<=[{_LATIN}][{_SMALL}][{_ACCENTED}])(?![{_CAPITAL}])(?<!\b(?:D[aeiu]|L[aeo]|Mc)[ÁÂÉÓ])(?<!\bMac.)",
    rf"(?<=\b[{_CAPITAL}][{_ACCENTED}])(?<!É)(?=[{_SMALL}])",
    rf"(?<=[{_LATIN}][{_SWAPPED_SIGNS}])(?=[{_SMALL}])",
    rf"(?<=[{_CAPITAL}][{_SWAPPED_SIGNS}])(?<![—•])(?=[{_CAPITAL}])",
    rf"(?<=[{_SMALL}][{_SWAPPED_SIGNS}])(?<![{_MAY_END}])",
    rf"(?<=[{_LATIN}][ƒ\u2200-\u259f])|(?<=[ƒ…\u2200-\u259f])(?=[{_SMALL}])",
    rf"(?<=[{_LATIN}]·)(?<![lL]·(?=[lL]))(?![\s{_CAPITAL}])|(?<=[Aao]´)(?=[cs])",
    r"(?<=a‘)(?=[lt])|(?<=\b[JN]o‘)(?=l)|(?<=\b[Ff]ran[þšáì])(?=ois)",  # Gaëlle, Noël, François
    # ë and ï, which follow a, e or o in French: Gaælle, Loòc; ş and ř: Ayþe, Jiøí. Seònaid, Saâd, João, Eyþór and Bøe are right.
    r"(?<=[AOao][åòö])|(?<=[AEOaeo]æ)|(?<=[AOao]ã)(?=[a-z])(?!o)",
    r"(?<=[aeiouyýöüı]þ)(?![óúrj])|(?<=þ)(?=[bcdfgklmnpstvz])|(?<=[aeiáéíó]ø)|(?<=ø)(?=[áéíý])",
    rf"(?<=[{_OTHER_SCRIPTS}{_ASIAN_SCRIPTS}])(?:(?<=[{_LATIN}].)|(?=[{_LATIN}]))",
)
_find_swapped = re.compile(
    rf"[{_ACCENTED}{_SWAPPED_SIGNS}·´‘þšáìåæãòöø{_OTHER_SCRIPTS}{_ASIAN_SCRIPTS}]"  # one class is found fast
    rf"(?:{'|'.join(_PLACES)})"
).search
_find_scripts = re.compile(
    rf"[{_OTHER_SCRIPTS}](?:(?<=[{_SMALL}]{{2}}.)|(?<=[{_LATIN}].)(?=[{_SMALL}])|(?=[{_SMALL}]{{3}}))"
).search


def _has_escape(text: str) -> bool:
    for found in _find_escapes(text):
        if (name := found["name"]) and f"{name};" not in html.entities.html5:
            continue
        word = re.split(r"[\s;]", text[max(0, found.start() - 255) : found.start()])[-1]
        if found[0][0] not in "%=" or not ("://" in word or word.startswith("www.")):  # where it is right
            return True
    return False


def is_misread(text: str) -> bool:
    """Return True for a text with misread UTF-8, or with characters that a decoder could not read."""
    if text.isascii():
        return False
    narrow = text.replace("’", "´").replace("œ", "½")  # signs that are tested alike, so that most French text is of Latin-1
    try:
        narrow.encode("latin-1")
    except UnicodeEncodeError:
        return _find_lost(text) is not None or any(True for _found in _misreadings().find(text))
    return may_be_misread(narrow) and any(True for _found in _misreadings().find(text))


def may_be_misread(text: str) -> bool:
    """Return False for a text of Latin-1 in which no sequence of misread UTF-8 can be, as is most French text."""
    # One character is found faster than two, and most texts have none.
    is_possible = any(mark in text for mark in _MARKS_IN_LATIN_1) and _find_in_latin_1(text)
    return bool(is_possible) or ("»" in text and ("á»" in text or "ï»" in text))


def is_damaged_text(text: str) -> bool:
    """Return True for a text that is damaged, with escapes, or with `?` in place of letters: in or before a word, or alone."""
    if is_misread(text):
        return True
    if any(mark in text for mark in _IN_ESCAPES) and _has_escape(text):
        return True
    if ("?" in text or "¿" in text) and _find_loss(text):
        return True
    if text.isascii():
        return False
    return (("½" in text or "¼" in text or "¾" in text) and bool(_find_fraction(text))) or _find_scripts(text) is not None


def is_damaged_name(text: str) -> bool:
    """Return True for a name that is damaged: a `?` beside a letter, or what `_find_swapped` finds, is as well."""
    if is_damaged_text(text) or (("?" in text or "¿" in text) and _find_loss_in_name(text)):
        return True
    return not text.isascii() and _find_swapped(text) is not None


def is_damaged_address(address: str) -> bool:
    """Return True for the address of a web page that is damaged, or has an ampersand as HTML writes it."""
    return is_misread(address) or "&amp;" in address or "&#" in address


def likely_text(text: str) -> str:
    """Return the text that a damaged one was, or an empty one when that is not certain."""
    before = text
    for _pass in range(3):  # some text is damaged twice
        read = html.unescape(before)
        for found in reversed([] if read.isascii() else [*_misreadings().find(read)]):
            if not (letter := _misreadings().letters.get(found.group())):
                return ""
            read = read[: found.start()] + letter + read[found.end() :]
        if read == before:
            break
        before = read
    return "" if read == text or is_damaged_name(read) or not read.isprintable() else read
