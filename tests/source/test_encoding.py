"""Encodings of office programs (spreadsheets.md A.2)."""

import codecs
import random
import re
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_sync.errors import ConfigError, SourceError
from contact_sync.source import encoding as encodings

from .reading import read, text

# ruff: noqa: RUF002 - typographic signs are tested

NAMES = """Chloé Léa Zoé Noël Benoît Jérôme François Gaëlle Anaïs Hélène Éric Émile Joël Maïté Aurélie Cédric Françoise André Loïc
Inès Stéphane Lefèvre Bœuf L’Été Côté Lemaître Müller Guérin D’Août Béranger Pâris Jean Paul Anne Garçon Forêt Château Çelik
Œuvrard""".split()  # noqa: SIM905 - easier to read

ROW = [(2, ["001", "Chloé", "Lefèvre"])]
LINES = ("contactId;firstname;lastname", "001;Chloé;Lefèvre")


def french_file(rows: int, encoding: str, seed: int = 0) -> bytes:
    """Return a file of `rows` contacts with French names."""
    chance = random.Random(seed)
    return text(
        "contactId;firstname;lastname",
        *(f"{n};{chance.choice(NAMES)};{chance.choice(NAMES)}" for n in range(rows)),
        encoding=encoding,
    )


@pytest.mark.parametrize("rows", [5, 20, 100, 1000, 5000])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "mac_roman", "cp850"])
def test_french_names_are_read_correctly(rows: int, seed: int, encoding: str) -> None:
    """A file of French names is read correctly in the encoding of any office program."""
    if encoding == "cp850":
        content = (
            french_file(rows, "utf-8", seed).decode().replace("œ", "oe").replace("Œ", "OE").replace("’", "'").encode("cp850")
        )
        expected = content.decode("cp850")
    else:
        content = french_file(rows, encoding, seed)
        expected = content.decode(encoding)
    reading = read(content)
    assert [";".join(row) for row in reading.rows] == expected.splitlines()[1:]


ACCEPTED = {
    "C07 byte order mark": b"\xef\xbb\xbf" + text(*LINES),
    "C08 byte order mark and quotes": b"\xef\xbb\xbf" + text('"contactId";"firstname";"lastname"', *LINES[1:]),
    "C09 two byte order marks": b"\xef\xbb\xbf\xef\xbb\xbf" + text(*LINES),
    "C12 UTF-16 LE": codecs.BOM_UTF16_LE + text(*LINES, encoding="utf-16-le"),
    "C13 UTF-16 BE": codecs.BOM_UTF16_BE + text(*LINES, encoding="utf-16-be"),
    "UTF-32 LE": codecs.BOM_UTF32_LE + text(*LINES, encoding="utf-32-le"),
    "UTF-32 BE": codecs.BOM_UTF32_BE + text(*LINES, encoding="utf-32-be"),
    "two byte order marks in UTF-16": codecs.BOM_UTF16_LE * 2 + text(*LINES, encoding="utf-16-le"),
    "C14 UTF-16 LE without a mark": text(*LINES, encoding="utf-16-le"),
    "UTF-16 BE without a mark": text(*LINES, encoding="utf-16-be"),
    "C15 Mac Roman and CR": text(*LINES, encoding="mac_roman").replace(b"\r\n", b"\r"),
    "cp850": text(*LINES, encoding="cp850"),
    "cp1252": text(*LINES, encoding="cp1252"),
}


@pytest.mark.parametrize("content", ACCEPTED.values(), ids=ACCEPTED)
def test_encoding_is_detected(content: bytes) -> None:
    """The encoding is detected, and byte order marks are not part of the text."""
    reading = read(content)
    assert reading.numbered == ROW
    assert reading.source.columns == ["contactId", "firstname", "lastname"]


def test_c10_cp1252_is_not_latin_1() -> None:
    """€, œ and typographic signs are read as in cp1252, not as the control characters of Latin-1."""
    reading = read(text("contactId;nom", "1;Bœuf – 5 € d’été", encoding="cp1252"))
    assert reading.rows == [["1", "Bœuf – 5 € d’été"]]
    assert not reading.source.warnings


def test_c11_unlikely_character_is_warned_about() -> None:
    """A few characters that are unlikely in French are a warning that shows them."""
    content = french_file(200, "cp1252").replace(b"Jean", b"B\xbduf")
    source = read(content).source
    assert "read as cp1252 and then contains signs that few names have (½)" in source.warnings[0]


@pytest.mark.parametrize("encoding", ["mac_roman", "cp850"])
def test_rare_encoding_is_warned_about(encoding: str) -> None:
    """Only letters as evidence of a rare encoding are a warning, until --encoding confirms it."""
    content = text(*LINES, encoding=encoding)
    assert f"is read as {encoding}, which few programs write" in read(content).source.warnings[0]
    assert not read(content, encoding=encoding).source.warnings


WESTERN_NAMES = """Niccolò Cantù Nicolò Forlì Søren Jørgen Kåre Åsa Östberg Jürgen Weiß João Conceição Simões Magalhães José
Muñoz Íñigo Gómez Àngel Hélène""".split()  # noqa: SIM905 - easier to read


@pytest.mark.parametrize("change", [str, str.upper, lambda name: re.sub("[a-z]", lambda found: found[0].upper(), name)])
@pytest.mark.parametrize("encoding", ["cp1252", "mac_roman", "cp850"])
def test_western_names_are_read_correctly(encoding: str, change: Callable[[str], str]) -> None:
    """Names of neighbouring countries are read correctly, also with capitals from a program without accents (HéLèNE)."""
    names = [change(name).encode(encoding, "ignore").decode(encoding) for name in WESTERN_NAMES]
    reading = read(text("contactId;nom", *(f"{n};{name}" for n, name in enumerate(names)), encoding=encoding))
    assert [name for _, name in reading.rows] == names
    assert not any("unusual" in warning for warning in reading.source.warnings)


@pytest.mark.parametrize(
    ("encoding", "names"),
    {
        "cp1250": "Łukasz Małgorzata Świętosława Wójcik Kamiński Żak Kraków Jabłoński Răzvan Păun Mihăiță",
        "cp1251": "Александр Дмитрий Елена Иванов Смирнов Фёдорова",
        "cp1253": "Γιώργος Δημήτρης Ελένη Παπαδόπουλος",
        "cp1254": "Şükrü Çağla Işıl Yılmaz Şahin Oğuz",
        "cp1255": "דוד משה יוסף שרה",
        "cp1256": "محمد أحمد فاطمة خديجة",
        "iso8859-16": "Ștefan Ionuț Cătălin Răzvan Păun",
        "shift_jis": "田中 鈴木 さくら ヒロシ",
        "gbk": "王伟 李娜 张敏 刘洋",
        "cp862": "דוד משה יוסף שרה",
    }.items(),
)
def test_names_in_other_encodings_are_refused(encoding: str, names: str) -> None:
    """Letters of an encoding that is not detected are never read as other letters."""
    rows = (f"{n};{name}" for n, name in enumerate(names.encode(encoding, "ignore").decode(encoding).split()))
    with pytest.raises(SourceError, match="accented letters cannot be read with certainty"):
        read(text("contactId;nom", *rows, encoding=encoding))


def test_c14_utf_16_without_a_mark_is_warned_about() -> None:
    """UTF-16 that was detected without a byte order mark is a warning."""
    assert "has no byte order mark" in read(ACCEPTED["C14 UTF-16 LE without a mark"]).source.warnings[0]


REFUSED = {
    "C16 two encodings": (
        text("contactId;nom", "1;Lefèvre", "2;a", "3;Chloé") + text("4;Hélène", "5;b", "6;Noël", encoding="cp1252"),
        "lines 2, 4 are UTF-8, lines 5, 7 are not",
    ),
    "many lines in two encodings": (french_file(50, "utf-8") + french_file(50, "cp1252"), ", …"),
    "Cyrillic in UTF-8 and French in cp1252": (
        text("contactId;nom", "1;Воронцова") + text("2;Noël", encoding="cp1252"),
        "lines 2 are UTF-8",
    ),
    "truncated in a character": (
        text("contactId;nom", "1;Lefèvre") + b"2;Chlo\xc3",
        "cut off in the middle of a character, on line 3",
    ),
    "truncated in the only non-ASCII character": (
        text("contactId;nom") + b"2;Chlo\xc3",
        "accented letters cannot be read with certainty",
    ),
    "C18 a NUL": (text("contactId;nom", "1;a", "2;Du\0pont"), "line 3: there are NUL characters"),
    "C19 NULs at the end": (text("contactId;nom", "1;a") + b"\0" * 500, "line 3: there are NUL characters"),
    "a NUL in UTF-16": (
        codecs.BOM_UTF16_LE + text("contactId;nom", "1;a\0", encoding="utf-16-le"),
        "line 2: there are NUL characters",
    ),
    "C79 surrogates": (
        text("contactId;nom") + b"1;\xed\xa0\xbd\xed\xb8\x80\r\n",
        "accented letters cannot be read with certainty",
    ),
    "C80 not a text": (
        text("contactId;nom") + b"1;\xb0\xb1\xb2\xb3\x81\r\n",
        "certainty: they are “Å ∞ ± ≤ ≥” in mac_roman, “ü ░ ▒ ▓ │” in cp850.",
    ),
    "UTF-7": (text("contactId;nom", "1;Ren+AOk-e"), "is in UTF-7"),
    "UTF-7, with codes for semicolons": (text("contactId+ADs-nom", "1+ADs-Dupont"), "is in UTF-7"),
    "a wrong byte order mark": (
        b"\xef\xbb\xbf" + text("contactId;nom", "1;a", "2;Noël", encoding="cp1252"),
        "line 3: this is not utf-8",
    ),
    "half a character of UTF-16": (
        codecs.BOM_UTF16_LE + text("contactId;nom", "1;a", encoding="utf-16-le")[:-1],
        "this is not utf-16-le",
    ),
    "only É, ambiguous between two encodings": (
        text("contactId;nom", "1;Éric", encoding="mac_roman"),
        "accented letters cannot be read with certainty",
    ),
}


@pytest.mark.parametrize(("content", "sentence"), REFUSED.values(), ids=REFUSED)
def test_undecodable_text_is_refused(content: bytes, sentence: str) -> None:
    """Text in no encoding, or in two, is refused and never repaired."""
    with pytest.raises(SourceError) as refusal:
        read(content)
    assert sentence in str(refusal.value)


def test_accidental_utf_8_in_mac_roman() -> None:
    """L’École in Mac Roman happens to be valid UTF-8, and does not count as a second encoding."""
    names = ["L’École", "Hélène", "Chloé"]
    content = text("contactId;nom", *(f"{n};{name}" for n, name in enumerate(names)), encoding="mac_roman")
    assert [row[1] for row in read(content).rows] == names


def test_rare_characters_far_down_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block with a new character is examined, at any distance from the beginning."""
    monkeypatch.setattr(encodings, "_BLOCK", 1000)
    monkeypatch.setattr(encodings, "_SAMPLED_BLOCKS", 4)
    assert read(french_file(3000, "cp1252")).source.findings[0].startswith("CSV with ; in cp1252")
    with pytest.raises(SourceError, match="lines 3002 are UTF-8"):
        read(french_file(3000, "cp1252") + text("9;Chloé"))


@pytest.mark.parametrize("encoding", ["cp1252", "windows-1252", "CP850", "latin-1", "iso8859-15"])
def test_configured_encoding_is_used(encoding: str) -> None:
    """--encoding replaces detection."""
    assert read(text(*LINES, encoding=encoding), encoding=encoding).numbered == ROW


def test_mark_is_removed_under_a_configured_encoding() -> None:
    """With --encoding utf-8 or utf-16 the byte order mark is not part of the header."""
    assert read(ACCEPTED["C09 two byte order marks"], encoding="utf-8").numbered == ROW
    assert read(ACCEPTED["two byte order marks in UTF-16"], encoding="utf-16").numbered == ROW


@pytest.mark.parametrize(
    "encoding",
    [
        *(
            "utf8mb4",
            "base64",
            "",
            "a\0b",
            "\ud800",
            "idna",
            "utf-7",
            "unicode_escape",
            "raw_unicode_escape",
            "punycode",
            "rot13",
        ),
        *("undefined", "mbcs", "string_escape", "hex", "quopri", "cp037", "cp875", "hz", "iso2022_jp"),
    ],
    ids=ascii,
)
def test_other_encoding_is_a_config_error(encoding: str) -> None:
    """--encoding must name an encoding in which office programs write text."""
    with pytest.raises(ConfigError, match="--encoding"):
        read(text(*LINES), encoding=encoding)


@pytest.mark.parametrize(
    "encoding",
    [
        *("UTF-8", "utf8", "utf_8_sig", "UTF-16LE", "latin-1", "Windows-1252", "CP1252", "iso-8859-15", "macroman", "mac_latin2"),
        *("cp437", "850", "cp1250", "cp932", "gb18030", "koi8_u", "ascii"),
    ],
)
def test_office_encodings(encoding: str) -> None:
    """Each spelling of an encoding of office programs is accepted."""
    assert read("contactId;firstname\n1;Zoe\n".encode(encoding), encoding=encoding).numbered == [(2, ["1", "Zoe"])]


def test_wrong_configured_encoding_is_refused() -> None:
    """An --encoding that does not decode the file refuses it with the line; no other is tried."""
    with pytest.raises(SourceError, match="line 2: this is not ascii"):
        read(text(*LINES), encoding="ascii")
    with pytest.raises(SourceError, match="line 1: this is not utf-16"):
        read(text(*LINES), encoding="utf-16")
    cut = text(*LINES, encoding="utf-16-le")[:-1]
    with pytest.raises(SourceError, match="line 3: this is not utf-16-le"):
        read(cut, encoding="utf-16-le")


def test_file_of_ctrl_z_is_empty() -> None:
    """A file of only Ctrl-Z is empty."""
    with pytest.raises(SourceError, match="is empty"):
        read(b"\x1a\x1a")


def test_line_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that would not fit in memory refuses the file."""
    monkeypatch.setattr(encodings, "LINE_LIMIT", 1 << 18)
    with pytest.raises(SourceError, match="is not a table of contacts"):
        read(text("contactId;nom", "1;" + "a" * 1_000_000))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(cell: bytes) -> None:
    """A file with any bytes in a cell is read or refused in a sentence."""
    with suppress(SourceError):
        read(text("contactId;nom", "1;Hélène", encoding="cp1252") + b"2;" + cell)
