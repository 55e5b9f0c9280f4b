"""Damaged text, measured on the names of many languages."""

import random
import re
from collections.abc import Callable

import pytest

from contact_sync.i18n.catalogue import QUOTING
from contact_sync.model.report import Cause
from contact_sync.rules import damaged_text
from contact_sync.rules.cells import read_text, read_url
from contact_sync.rules.damaged_text import is_damaged_name, is_damaged_text, likely_text, may_be_misread, misread
from tests.names import LANGUAGES, accented, names

pytestmark = pytest.mark.unmeasured


def full_names(language: str, count: int) -> list[str]:
    """Return names of a language that have a letter beyond ASCII, a quarter of them with a second name."""
    chance, special, known = random.Random(language), accented(language), names(*LANGUAGES[language])
    return [f"{chance.choice(special)} {chance.choice(known)}" if n % 4 == 0 else chance.choice(special) for n in range(count)]


KINDS: dict[str, Callable[[str], str]] = {
    **{
        f"UTF-8 as {page}": lambda name, page=page: misread(name, page)  # type: ignore[misc]
        for page in ("cp1252", "latin-1", "iso8859-15", "mac_roman", "cp850", "cp437", "cp1250", "cp1251", "gbk", "mac_latin2")
    },
    "twice as cp1252": lambda name: misread(misread(name, "cp1252"), "cp1252"),
    "twice as Mac Roman": lambda name: misread(misread(name, "mac_roman"), "mac_roman"),
    "cp1252 as UTF-8": lambda name: re.sub("[^\x00-\x7f]", "\ufffd", name),
    "no letters beyond ASCII": lambda name: re.sub("[^\x00-\x7f]", "?", name),
    "escaped for HTML": lambda name: name.encode("ascii", "xmlcharrefreplace").decode(),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", ["French", "Spanish", "Polish", "Turkish"])
def test_damaged_names_are_found(language: str, kind: str) -> None:
    """At least 99 of 100 damaged names are found, of each language and kind of damage: 5,000 names a kind."""
    damaged = [KINDS[kind](name) for name in full_names(language, 1250)]
    missed = [name for name in damaged if not is_damaged_name(name)]
    assert len(missed) <= 12, missed[:10]
    assert read_text(damaged[0], "lastname").violation


SWAPS = {
    "cp1252": {"mac_roman": 99, "cp437": 99, "cp1251": 99, "cp1253": 99, "cp1255": 99, "gbk": 99, "cp850": 97, "cp852": 95},
    "mac_roman": {"cp1252": 98, "cp1251": 98, "cp1253": 98, "gbk": 99, "cp852": 95, "cp850": 94},
    "cp850": {"cp1252": 99, "cp1250": 99, "cp1251": 99, "gbk": 99, "mac_roman": 71},
}
"""Encoding of a text → the one it was read in → the percentage found at least: what looks like another right name is not."""


@pytest.mark.parametrize(
    ("written", "read", "share"), [(a, b, share) for a, pages in SWAPS.items() for b, share in pages.items()]
)
def test_names_of_another_single_byte_encoding_are_found(written: str, read: str, share: int) -> None:
    """Most French names are found that were written in one encoding of single bytes and read in another."""
    known = [name for name in accented("French") if name == name.encode(written, "ignore").decode(written)]
    damaged = {damaged_text._decode(name.encode(written), read) for name in known} - {*known}
    missed = [name for name in damaged if not read_text(name, "lastname").violation]
    assert len(damaged) > 200
    assert len(missed) <= len(damaged) * (100 - share) / 100, missed


@pytest.mark.parametrize("name", ["Ayþegül", "Barýþ", "Jiøí", "Koláø"])
def test_turkish_and_czech_names_read_as_cp1252(name: str) -> None:
    """One name in cp1254 or cp1250 does not show its encoding; what cp1252 makes of ş and ř is found where it is never right."""
    assert is_damaged_name(name)


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in capitals": str.upper,
    "in small letters": str.lower,
    "in quotation marks": lambda name: f"“{name}” „{name.upper()}“ «\xa0{name}\xa0» «{name}»",
    "with an ending": lambda name: f"{name}… {name.upper()}… {name.upper()}™",
    "in two parts": lambda name: f"{name}-{name} {name}\xa0{name} {name.upper()}\xa0{name.upper()}",
    "with an apostrophe": lambda name: f"d’{name} {name}’",
}


@pytest.mark.parametrize("form", FORMS)
def test_right_names_are_not_flagged(form: str) -> None:
    """Of the names of 70 languages, 63,000, at most 1 in 10,000 is flagged, in any form."""
    known = names()
    flagged = [name for name in map(FORMS[form], known) if is_damaged_name(name)]
    assert len(known) > 60_000
    assert len(flagged) <= len(known) / 10_000, flagged


@pytest.mark.parametrize(
    "name",
    [
        *("ORĂŞANU", "Gheorghe Ţăruş", "Ó hÉalaithe", "MacÉinrí", "LeÉtang", "Mª José", "N'Guessan", "Nguyễn Thị Ánh", "Ðorðe"),
        *(
            "Ångström",
            "I ÅR",
            "IRMÃ ANA",
            "JOSÉ”",
            "Gal·la",
            "D´Arcy",
            "Å i Lofoten",
            "СІРІЙ",
            "Гіві",
            "Γιώργος",
            "王小明",
            "毛 Mao",
        ),
        *(
            "O‘Brien",
            "N’Diaye",
            "Ka‘ana",
            "Hawai‘i",
            "Kaʻaʻawa",
            "Yo‘ldosh",
            "G‘ulom",
            "Sa‘di",
            "dell´orto",
            "Dupont†",
            "Alpha² SA",
        ),
        *(
            "DeÁngel",
            "LÉa",
            "RÉmi",
            "DUPONT—MARTIN",
            "ANNE•MARIE",
            "Anne·Marie",
            "Dupont→Martin",
            "Dupont×2",
            "Dupont●",
            "Arnþór",
            "Steinþór",
            "Élodie",
            "D’Éon",
            "ÉLODIE",
            "Dupont…",
            "Anne–Marie",
            "Paul et Cie®",
            "n° 5",
            "Seònaid",
            "Eyþór",
            "Bøe",
            "Saâd",
            "Leão",
            "João",
        ),
        *("Anne & Paul", "R&D", "AT&T; Orange", "Dupont et Cie", "Zoé 💐", "Ŝafarǎs", "Łódź", "MÜLLER–LÜDENSCHEIDT"),
    ],
)
def test_right_names_with_rare_letters(name: str) -> None:
    """Letters and signs that are typical of damage are right in some names."""
    assert read_text(name, "firstname").value == name


@pytest.mark.parametrize(
    ("text", "likely"),
    [
        ("Zo&eacute;", "Zoé"),
        ("D&#039;Arcy", "D'Arcy"),
        ("Dupont &amp; Fils", "Dupont & Fils"),
        ("O&amp;apos;Brien", "O'Brien"),
        ("LefÃ¨vre", "Lefèvre"),
        ("LefÃƒÂ¨vre", "Lefèvre"),
        ("L‚ÄôH√¥te", "L’Hôte"),
        ("Ren茅", "René"),
        ("HГ©lГЁne", "Hélène"),
        ("├ënergie", "Énergie"),
        ("H?lène", ""),
        ("Ren\ufffd", ""),
        ("HÈlËne", ""),
        (r"Zo\u00e9", ""),
        ("Ren=C3=A9", ""),
        (r"Lef\xe8vre", ""),
        ("Lef+AOg-vre", ""),
        ("<b>Anna</b>", ""),
        ("Anna<br />", ""),
        ("Андre", ""),
        ("Renי", ""),
        ("H閘鑞e", ""),
    ],
)
def test_sentence_shows_the_likely_text(text: str, likely: str) -> None:
    """The sentence of the report shows what to type where that is certain; a mail has the general sentence."""
    violation = read_text(text, "firstname").violation
    assert violation
    assert violation.code == "text-damaged"
    assert likely_text(text) == likely
    assert f"type it again{f' (it was probably “{likely}”)' if likely else ''}, and export" in violation.sentence()
    assert "text-damaged" in QUOTING
    general = Cause("invalid", violation.code, violation.field, 1, 2, violation.sentence()).in_general
    assert general.endswith("type it again, and export as UTF-8.")


@pytest.mark.parametrize(
    "text",
    [
        *("fran?ais", "la fa?ade", "Zo&eacute;", "Ren√©", "ma fa¿ade", "du b½uf", "R\\u00e9union", "Hйlиne", "<p>Oui</p>"),
        *("?ód?", "à ?ód?, rue 5", "?ukasz", "S?AWOMIR", "KO?O?YJA", "?5", "dès ?12,50", "Dvo?ák", "??", "??????", "?? ?? "),
    ],
)
def test_damage_in_a_custom_field(text: str) -> None:
    """A custom field is judged as a name is."""
    violation = read_text(text, "custom1").violation
    assert violation
    assert violation.code == "text-damaged"


@pytest.mark.parametrize(
    "text",
    [
        *("Vraiment ?", "ok?", "¿Qué tal?", "https://exemple.fr/?a=1&copy=2&b=c", "www.exemple.fr/x?y", "a?b=c", "1?2", "C?"),
        *("rappeler ?", "OK ??", "?", "sûr?!", "oui ? non ?", "?a=1&b=2", "?q=5", "OUI?", "A?B", "(?)", "5 ?", "Quoi?? Rien!"),
        *(
            "https://exemple.fr/?q=caf%C3%A9",
            "voir www.exemple.fr/caf%C3%A9=C3=A9",
            "http://é.fr/a;%C3",
            "x < y",
            "<3",
            "a <b",
            "+AB1-",
        ),
        *("10 kΩ", "5 μm", "ΔT", "Жанна Durand", "使用iPhone", "H–B", "(α) alpha", "2 °C•3 °C", "Réf.\\xyz"),
        *("10 µg/ml", "20 °C", "√2 ≈ 1,41", "ƒ(x)", "├── a", "50 € – 60 €", "oui…non", "Tel: ☎", "Q&A", "%C3", "x=C3"),
    ],
)
def test_right_custom_fields(text: str) -> None:
    """Questions, addresses and signs in a custom field are right."""
    assert read_text(text, "custom1").value == text


@pytest.mark.parametrize("address", ["https://exemple.fr/?a=1&amp;b=2", "https://exemple.fr/é&#233;", "https://exemple.fr/Ã©"])
def test_damaged_address(address: str) -> None:
    """An address that was escaped for HTML is not the address."""
    violation = read_url(address).violation
    assert violation
    assert violation.code == "text-damaged"
    assert read_url("https://exemple.fr/?a=1&b=%C3%A9").value == "https://exemple.fr/?a=1&b=%C3%A9"


def test_quick_test_of_latin_1_misses_nothing() -> None:
    """Every text of Latin-1 with a sequence of misread UTF-8 passes the quick test that spares most texts the search."""
    assert may_be_misread("Ã½vre")  # œ, as the caller writes it
    texts = [f"a{sequence}b" for sequence in damaged_text._compute_misreadings() if max(sequence) < "\u0100"]
    found = [text for text in texts if any(True for _ in damaged_text._misreadings().find(text))]
    assert len(found) > 300
    assert [text for text in found if not may_be_misread(text)] == []


def test_text_is_judged_as_in_its_column() -> None:
    """Texts that are joined by semicolons, as a column is, are damaged if one of them is."""
    for text in [
        "Zo&eacute;",
        "H?l?ne",
        "?ód?",
        "??",
        " ?? ",
        "S?AWOMIR",
        "ok ?",
        "?a=1",
        "Ren√©",
        "Ren\ufffd",
        "Île",
        "Zoé",
        "voilÃ ",
        "IRMÃ",
    ]:
        assert is_damaged_name(f"Zoé;{text};Léa") is is_damaged_name(text), text
        assert is_damaged_text(f"Zoé;{text};Léa") is is_damaged_text(text), text
