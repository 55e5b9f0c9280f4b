"""The choice between 8-bit encodings, on files of names and rare signs in six languages."""

import random
from functools import lru_cache

import pytest

from contact_sync.errors import SourceError
from tests.names import LANGUAGES, accented, names

from .reading import read, text

pytestmark = pytest.mark.unmeasured

WESTERN = ("French", "Spanish", "German", "Portuguese", "Nordic", "Italian")
ENCODINGS = ("utf-8", "cp1252", "latin-1", "iso8859-15", "mac_roman", "cp850")
REMARKS = (
    *(
        "£10",
        "½ pension",
        "1¼ h",
        "¾ h",
        "5 µg",
        "±5",
        "2 × 3",
        "10×15",
        "6 ÷ 2",
        "D´Arcy",
        "Guðrún",
        "Željko",
        "Jože",
        "Šárka",
        "Tomaš",
    ),
    *(
        "Dubœuf",
        "Œuvrard",
        "L’Haÿ",
        "12 €",
        "12€",
        "15k€",
        "n°5",
        "20 °C",
        "§ 5",
        "50 m²",
        "3 m³",
        "« ami »",
        "«ami»",
        "“ami”",
        "d’Azur",
    ),
    *("à voir…", "10 – 12", "Anne — Marie", "• un", "Logi™", "Logi®", "© 2026", "¿Qué?", "¡Hola!", "Mª José", "1º", "Gal·la"),
    *("Jean\xa0Pierre", "12\xa0€", "Øystein", "Weiß", "Åsa", "João", "Nicolò", "‘ami’", "„Freund“", "à 5 h", "¥500"),
)


@lru_cache(1000)  # most names are the same bytes in cp1252, ISO 8859-1 and ISO 8859-15
def lines_of(content: bytes) -> list[str] | None:
    """Return what is read of a file, line by line; None where the encoding is uncertain."""
    try:
        return [";".join(row) for row in read(content).rows]
    except SourceError as refusal:
        assert "cannot be read with certainty" in str(refusal)  # noqa: PT017 - any other refusal is an error
        return None


def outcomes(files: list[str], encoding: str) -> dict[str, list[str]]:
    """Return those of the files that the encoding can write, by the result of reading them: right, refused or wrong."""
    found: dict[str, list[str]] = {"right": [], "refused": [], "wrong": []}
    for content in files:
        if content.encode(encoding, "ignore").decode(encoding) == content:
            lines = lines_of(content.encode(encoding))
            found["refused" if lines is None else "right" if lines == content.splitlines()[1:] else "wrong"].append(content)
    return found


@pytest.mark.parametrize("language", WESTERN)
def test_rare_sign_in_a_file_of_names(language: str) -> None:
    """A file of names with a rare sign is read as what it is, or refused; never are other letters read."""
    chance, special = random.Random(language), accented(language)
    people = [[f"{number};;{chance.choice(special)}" for number in range(12)] for _ in REMARKS]
    files = [
        text("contactId;custom1;nom", f"0;{remark};Roux", *lines).decode() for remark, lines in zip(REMARKS, people, strict=True)
    ]
    for encoding in ENCODINGS:
        found = outcomes(files, encoding)
        assert found["wrong"] == []
        assert len(found["right"]) > 15
        assert len(found["refused"]) <= (0 if encoding == "utf-8" else 0.15 * sum(map(len, found.values()))), encoding


@pytest.mark.parametrize("change", [str, str.upper])
@pytest.mark.parametrize("language", WESTERN)
def test_few_names(language: str, change: type[str]) -> None:
    """A file with one or two accents is not read as other letters, if it is in an encoding that programs write today."""
    chance, special, known = random.Random(language), accented(language), names(*LANGUAGES[language])
    people = [[chance.choice(special), *(chance.choice(known) for _ in range(chance.randrange(5)))] for _ in range(40)]
    files = [text("contactId;nom", *(f"{n};{change(name)}" for n, name in enumerate(each))).decode() for each in people]
    for encoding in ("utf-8", "cp1252", "latin-1", "iso8859-15"):
        found = outcomes(files, encoding)
        assert found["wrong"] == []
        assert len(found["right"]) >= (0.98 if change is str else 0.7) * sum(map(len, found.values())), encoding


@pytest.mark.parametrize(
    ("remark", "encoding"),
    [
        ("£10", "cp1252"),
        ("½ pension", "cp1252"),
        ("5 µg", "cp1252"),
        ("2 × 3", "cp1252"),
        ("±5", "cp1252"),
        ("D´Arcy", "mac_roman"),
    ],
)
def test_rare_sign_alone(remark: str, encoding: str) -> None:
    """A rare sign in a file without an accent is read as the sign."""
    reading = read(text("contactId;Custom 1;Prenom;Nom", f"A1;{remark};Max;Roux", encoding=encoding))
    assert reading.rows == [["A1", remark, "Max", "Roux"]]


@pytest.mark.parametrize(
    ("remark", "encoding", "sentence"),
    [
        ("Željko", "cp1252", "they are “Ž” in cp1252, “é” in mac_roman"),
        ("Éric", "mac_roman", "they are “É” in mac_roman, “â” in cp850"),
        ("5 ¤", "cp1252", "they are “€” in iso8859-15, “¤” in cp1252"),
        ("Cerdá", "cp850", "they are “U+00A0” in cp1252, “á” in cp850"),
        ("Świętosław Żak Łoś Wójcik", "cp1250", "in cp1250"),
        ("Işıl Yılmaz Şahin Oğuz", "cp1254", "in cp1254"),
    ],
)
def test_two_readings_are_shown(remark: str, encoding: str, sentence: str) -> None:
    """Where two readings remain, the refusal shows the letters that differ, and never the word."""
    with pytest.raises(SourceError) as refusal:
        read(text("contactId;custom1;nom", f"1;{remark};Roux", encoding=encoding))
    assert sentence in str(refusal.value)
    for encoded in ("cp1252", "mac_roman", "cp850", encoding):
        assert remark.encode(encoding).decode(encoded, "replace") not in str(refusal.value)


def test_lines_of_an_old_mac() -> None:
    """Lines that end in CR alone show that the file is Mac Roman, where a single letter does not."""
    content = text("contactId;nom", "1;Éric", encoding="mac_roman")
    assert read(content.replace(b"\r\n", b"\r")).rows == [["1", "Éric"]]
    with pytest.raises(SourceError, match="“É” in mac_roman"):
        read(content)


def test_oe_in_iso_8859_15() -> None:
    """½ between letters is the œ of ISO 8859-15; where the file is cp1252 without a doubt, the cell is flagged."""
    assert read(text("contactId;nom", "1;Dubœuf", "2;Lefèvre", encoding="iso8859-15")).rows[0] == ["1", "Dubœuf"]
    cp1252 = text("contactId;nom", "1;Dub½uf", "2;Hélène d’Azur", "3;12 €", encoding="cp1252")
    assert read(cp1252).rows[0] == ["1", "Dub½uf"]
