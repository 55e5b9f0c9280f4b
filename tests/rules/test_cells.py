"""The rules and readers of single cells."""

import datetime as dt
import random
from typing import Any

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contact_sync.i18n.catalogue import CATALOGUE
from contact_sync.model.fields import FIELDS, ID
from contact_sync.rules.cells import (
    BLANK,
    EARLIEST,
    RULES,
    Reading,
    is_host,
    read_date,
    read_id,
    read_text,
    read_url,
    several_numbers,
    trim,
)
from contact_sync.rules.phones import read_phone

pytestmark = pytest.mark.unmeasured

LATEST = dt.date(2027, 11, 24)
JOINERS = "\u200c\u200d"
NBSP, NARROW, ZERO_WIDTH, BOM, LRO, PDF = "\xa0", "\u202f", "\u200b", "\ufeff", "\u202d", "\u202c"
BLANKS = ["", " ", "\t", NBSP, f" {NARROW} ", ZERO_WIDTH, BOM, f"{ZERO_WIDTH}{NBSP}{BOM}", "\u2060", "\u200d", "\u3000", "\xad"]


def read(field: str, cell: str, region: str = "FR") -> Reading:
    """Read a cell as a cell of `field`; a violation must name that field."""
    match field:
        case "contactId":
            reading = read_id(cell)
        case "phoneNumber":
            reading = read_phone(cell, region)
        case "date":
            reading = read_date(cell, LATEST)
        case "url":
            reading = read_url(cell)
        case _:
            reading = read_text(cell, field)
    assert reading.violation is None or reading.violation.field == field
    return reading


def code(reading: Reading) -> str:
    """Return the code of a reading that must be a violation with a complete sentence."""
    assert reading.violation
    assert reading.value is None
    assert "{" not in reading.violation.sentence()
    return reading.violation.code


# Blank and clear


@pytest.mark.parametrize("field", FIELDS)
def test_cell_without_visible_characters_is_blank(field: str) -> None:
    """A cell without a visible character is blank, whatever it is made of."""
    assert [cell for cell in BLANKS if read(field, cell) is not BLANK] == []


@pytest.mark.parametrize("cell", BLANKS)
def test_blank_id_is_missing(cell: str) -> None:
    """A blank contactId is missing."""
    assert code(read_id(cell)) == "id-missing"


@pytest.mark.parametrize("cell", ["<clear>", "<vider>", " <CLEAR> ", "<Vider>", f"{NBSP}< vider >", f"{ZERO_WIDTH}<clear>"])
def test_clear_word_empties_the_field(cell: str) -> None:
    """The words for emptying a field empty every field except the contactId and the phone number."""
    assert code(read_id(cell)) == "id-clear"
    assert code(read("phoneNumber", cell)) == "phone-clear"
    assert [read(field, cell) for field in FIELDS[1:]] == [Reading("")] * 8


@pytest.mark.parametrize("cell", ["<clear", "clear", "<clear> x", "<>"])
def test_only_exact_clear_words_count(cell: str) -> None:
    """Only the exact words empty a field."""
    assert read_text(cell, "custom1") == Reading(cell)


@pytest.mark.parametrize("cell", ["<vide>", "<effacer>", "‹vider›", "< clair >", "<Vidé>"])
def test_another_word_in_angle_brackets(cell: str) -> None:
    """A word in angle brackets that does not empty the field is no value either."""
    assert [code(read(field, cell)) for field in FIELDS[1:]] == ["clear-unknown"] * 8


# contactId


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("00123", "00123"),
        (" 00123 ", "00123"),
        (f"{NBSP}00123{NARROW}", "00123"),
        (f"{BOM}00123", "00123"),
        (f"{LRO}00123{PDF}", "00123"),
        (f"00{ZERO_WIDTH}1\xad23", "00123"),
        ("'00456", "00456"),
        ('="00123"', "00123"),
        ('=" 00123 "', "00123"),
        (f'="{BOM}00123{LRO}"', "00123"),
        ("００１２３", "00123"),
        ("9007199254740993", "9007199254740993"),
        ("1234567890123450000", "1234567890123450000"),
        ("NAN1", "NAN1"),
        ("nullable", "nullable"),
        ("true1", "true1"),
        ("5e1g", "5e1g"),
        ("1E3", "1E3"),
        ("12345E10", "12345E10"),
        ("1234e567", "1234e567"),
        ("123.5", "123.5"),
        ("01/13/2024", "01/13/2024"),
        ("1-25", "1-25"),
        ("MAR-25", "MAR-25"),
        ("2024-99-01", "2024-99-01"),
        ("e10", "e10"),
        ("totalement", "totalement"),
        ("sommet-1", "sommet-1"),
        ("a.b-c_d:e/f", "a.b-c_d:e/f"),
        ("a" * 80, "a" * 80),
    ],
)
def test_id_is_text(cell: str, value: str) -> None:
    """A contactId keeps its leading zeros and loses only white space, invisible characters and Excel's quoting."""
    assert read_id(cell).value == value


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("1.23457E+15", "id-damaged"),
        ("1,23457E+15", "id-damaged"),
        ("1e-5", "id-damaged"),
        ("5e+10", "id-damaged"),
        ("1.5e10", "id-damaged"),
        *(
            (converted, "id-damaged")
            for converted in ("TRUE", "VRAI", "False", "janv-25", "1-mars", "févr-2025", "Jan-25", "25-déc.-24")
        ),
        *((converted, "id-damaged") for converted in ("01/02/2024", "1/2/24", "2024-01-02")),
        *((word, "id-missing") for word in ("NULL", "null", "N/A", "NA", "nan", "None", "undefined")),
        *((label, "id-total") for label in ("TOTAL_GENERAL", "Totaux", "Subtotal", "sub-total", "Totaux généraux")),
        ("12345.0", "id-decimal"),
        ("12345,00", "id-decimal"),
        ("TOTAL", "id-total"),
        ("Total :", "id-total"),
        ("total: 30", "id-total"),
        ("Sous-total", "id-total"),
        ("sous total", "id-total"),
        ("Total général", "id-total"),
        ("Total ge\u0301ne\u0301ral", "id-total"),
        ("TOTAL GENERAL", "id-total"),
        ("Somme", "id-total"),
        ("001 002", "id-characters"),
        (f"001{NBSP}002", "id-characters"),
        ("001\n002", "id-characters"),
        ("001\x00", "id-characters"),
        ("été", "id-characters"),
        ("'001'", "id-characters"),
        ("''001", "id-characters"),
        ('"001"', "id-characters"),
        ("---", "id-missing"),
        ("-_-", "id-characters"),
        ("\\N", "cell-null"),
        ("١٢٣", "id-characters"),
        ("１²", "id-characters"),
        ("00123\ufffd", "id-characters"),
        ("a" * 81, "id-length"),
        ("'", "id-missing"),
        ('=""', "id-missing"),
    ],
)
def test_id_violations(cell: str, expected: str) -> None:
    """A contactId that a spreadsheet damaged, or that is not one, is flagged and never corrected by guessing."""
    assert code(read_id(cell)) == expected


@pytest.mark.parametrize("cell", ["'00456", '="00123"'])
def test_unquoted_id_is_noted(cell: str) -> None:
    """Removed quoting of an id is noted for the operator."""
    assert read_id(cell).note.startswith("apostrophe or formula")
    assert not read_id(f" 00123{ZERO_WIDTH} ").note


# Text


@pytest.mark.parametrize(
    "cell",
    [
        *(
            "NA",
            "Null",
            "None",
            "N/A",
            "n/a",
            "nan",
            "NULL",
            "<NA>",
            "-nan",
            "1.#IND",
            "Nil",
            "-",
            "TRUE",
            "VRAI",
            "inf",
            "Infinity",
        ),
        *("0", "007", "1e5", "43994", "12,50", "Dupont, Durand et Cie", "D'Arc", "O’Neil", "Jean-Marie", "de La Tour"),
        *("#1", "#PROMO!", "a=b", "=)", "x < y", "JOÃO", "IRMÃ ANA", "Château", "ÂGE", "Ångström", "Total"),
        *("👩\u200d👩\u200d👧", "क\u200dष", "ﬁ①²", "山田\u3000太郎", "a" * 32),
    ],
)
def test_text_is_literal(cell: str) -> None:
    """Words that other tools take for a missing value, a number or a formula are text."""
    assert read_text(cell, "firstname") == Reading(cell)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("  Dupont ", "Dupont"),
        (f"{NBSP}Dupont{NARROW}\u3000", "Dupont"),
        ("Dupont\r\n", "Dupont"),
        (f"Du{ZERO_WIDTH}pont{BOM}", "Dupont"),
        ("\u202eDupont\u202c", "Dupont"),
        ("Du\xadpont", "Dupont"),
        ("e\u0301" * 32, "é" * 32),
        ("e\u200b\u0301", "é"),
        ("Dupont\u200d", "Dupont"),
    ],
)
def test_text_is_cleaned(cell: str, value: str) -> None:
    """White space around a text and invisible characters in it are removed, and accents are composed."""
    assert read_text(cell, "lastname") == Reading(value)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (f"Jean{NBSP} Pierre", "Jean Pierre"),
        (f"de{NBSP}La{NARROW}Tour", "de La Tour"),
        ("Anne  Marie", "Anne Marie"),
        ("Le\u2009Goff", "Le Goff"),
        (f" Zoé{ZERO_WIDTH} {ZERO_WIDTH} Mar\xadtin ", "Zoé Martin"),
    ],
)
def test_spaces_inside_a_name(cell: str, value: str) -> None:
    """No-break and repeated spaces inside a name become single spaces, with a note; a custom field keeps them."""
    for field in ("firstname", "lastname"):
        assert read_text(cell, field) == Reading(value, note="no-break or repeated spaces replaced by single spaces")
    assert read_text(cell, "custom1") == Reading(trim(cell, JOINERS))
    assert read_text(f"12{NBSP}€", "custom1") == Reading(f"12{NBSP}€")


@pytest.mark.parametrize("cell", ["Du\npont", f"Du{NBSP}\tpont"])
def test_line_break_in_a_name_is_no_space(cell: str) -> None:
    """A line break or a tab is flagged, not replaced."""
    assert code(read_text(cell, "lastname")) == "text-control"


@pytest.mark.parametrize(
    "cell", ["a" * 32, "é" * 32, "e\u0301" * 32, "a" * 31 + "👩", "😀" * 32, "Marie-Antoinette-Joséphine-Élise"]
)
def test_name_length_counts_code_points(cell: str) -> None:
    """A name may have 32 code points in NFC, whatever its number of bytes."""
    assert read_text(cell, "firstname").value


@pytest.mark.parametrize(
    ("field", "size", "limit"), [("firstname", 33, 32), ("lastname", 33, 32), *((f"custom{n}", 256, 255) for n in (1, 2, 3, 4))]
)
def test_text_length(field: str, size: int, limit: int) -> None:
    """A text that is too long is flagged with its length, never cut; one character less fits."""
    reading = read_text("é" * size, field)
    assert code(reading) == "text-length"
    assert reading.violation
    assert reading.violation.detail == {"length": str(size), "limit": str(limit)}
    assert read_text("é" * limit, field).value == "é" * limit


@pytest.mark.parametrize("field", ["lastname", "custom4"])
@pytest.mark.parametrize("char", ["\n", "\r\n", "\t", "\0", "\x07", "\x1b", "\x7f", "\x80", "\x85", "\x9c", "\u2028", "\u2029"])
def test_text_control(field: str, char: str) -> None:
    """A control character or a line break inside a text is flagged."""
    assert code(read_text(f"Du{char}pont", field)) == "text-control"


def test_quoted_name_and_database_null_are_flagged() -> None:
    """Quotation marks around a name and a database's sign for no value show that the file was parsed in the wrong dialect."""
    assert code(read_text(' "Dupont"', "lastname")) == "text-quoted"
    assert code(read_text("\\N", "custom4")) == "cell-null"
    assert read_text('Martin "Mimi"', "lastname").value == 'Martin "Mimi"'
    assert read_text('"VIP"', "custom4").value == '"VIP"'


@pytest.mark.parametrize("word", list("éèàêçôîïûùÉÈÀÇœŒ’…€°«íÔ"))
def test_text_decoded_as_cp1252_is_flagged(word: str) -> None:
    """UTF-8 that was decoded as cp1252 is flagged anywhere in a text, and never corrected."""
    misread = word.encode().decode("cp1252", "ignore")
    assert code(read_text(f"Le{misread}vre", "lastname")) == "text-damaged"
    assert code(read_text(f"x {misread}", "custom1")) == "text-damaged"


@pytest.mark.parametrize(
    "cell", ["Ã Paris", "voilÃ ", "voilÃ la", "Le\ufffdvre", "x\ue000", "x\ud800", "\udfff", "x\uffff", "\U0010fffd"]
)
def test_undecodable_text_is_flagged(cell: str) -> None:
    """Replacement characters, private code points and lone surrogates are flagged."""
    assert code(read_text(cell, "firstname")) == "text-damaged"


ERRORS = ["#N/A", "#N/D", "#REF!", "#DIV/0!", "#NOM?", "#NAME?", "#VALEUR!", "#VALUE!", "#NOMBRE!", "#NUM!", "#NUL!", "#NULL!"]
ERRORS += ["#SPILL!", "#CALC!", "#GETTING_DATA", "########", "Err:502", "#NOM ?", "#ERROR!", "#ERREUR!", "#VIDE!", "#CHAMP!"]
ERRORS += ["#DÉPASSEMENT!", "#FIELD!", "#BLOCKED!", "#CONNECT!", "#BUSY!", "#UNKNOWN!", "#NV", "#WERT!", "#ÜBERLAUF!", "#FELD!"]
ERRORS += [
    "#¡VALOR!",
    "#¿NOMBRE?",
    "#¡DESBORDAMIENTO!",
    "#¡DIV/0!",
    "#RIF!",
    "#NOME?",
    "#WAARDE!",
    "#N/B",
    "#ADR!",
    "#OBTENTION_DONNEES",
]


@pytest.mark.parametrize("field", [ID, *FIELDS])
def test_cell_error(field: str) -> None:
    """A spreadsheet error is flagged with its name in every field."""
    for error in ERRORS:
        reading = read(field, f" {error} ")
        assert code(reading) == "cell-error", error
        assert reading.violation
        assert reading.violation.detail == {"error": error}


@pytest.mark.parametrize("field", FIELDS[1:])
@pytest.mark.parametrize("cell", ['="Dupont"', '=HYPERLINK("https://a.fr";"x")', "=CONCAT(A1)"])
def test_formula_as_text_is_not_sent(field: str, cell: str) -> None:
    """A formula that is written as text is not sent."""
    assert code(read(field, cell)) == "cell-formula"


# phoneNumber


@pytest.mark.parametrize(
    "cell",
    [
        *("0612345678", "33612345678", "+33612345678", "+33 6 12 34 56 78", "06.12.34.56.78", "06 12 34 56 78", "06-12-34-56-78"),
        *("+33 (0)6 12 34 56 78", "+33(0)612345678", "(+33) 6 12 34 56 78", "0033612345678", "+330612345678", "06/12/34/56/78"),
        *(f"06{NBSP}12{NARROW}34 56 78", f"{LRO}0612345678{PDF}", f"{ZERO_WIDTH}0612345678", "'0612345678", '="0612345678"'),
        *("٠٦١٢٣٤٥٦٧٨", "۰۶۱۲۳۴۵۶۷۸", "０６１２３４５６７８", "＋33612345678", "06‑12‑34‑56‑78"),
    ],
)
def test_french_mobile_is_read_as_e164(cell: str) -> None:
    """A French mobile is read as E.164 in each of its spellings."""
    assert read("phoneNumber", cell) == Reading("+33612345678")


def test_phone_without_leading_zero() -> None:
    """Nine digits are a French mobile without its leading 0, which is restored and noted."""
    reading = read("phoneNumber", "6 12 34 56 78")
    assert reading.value == "+33612345678"
    assert "leading 0" in reading.note
    assert code(read("phoneNumber", "123456789")) == "phone-not-mobile"
    assert code(read_phone("612345678", "DE")) != ""


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("0692123456", "+262692123456"),
        ("692123456", "+262692123456"),
        ("06 90 12 34 56", "+590690123456"),
        ("0694123456", "+594694123456"),
        ("0696123456", "+596696123456"),
        ("0639012345", "+262639012345"),
        ("+33 6 92 12 34 56", "+262692123456"),
        ("0033692123456", "+262692123456"),
        ("33692123456", "+262692123456"),
        ("+33 (0)6 90 12 34 56", "+590690123456"),
        ("+33694401234", "+594694401234"),
        ("+33 696 12 34 56", "+596696123456"),
        ("+33639012345", "+262639012345"),
        ("262692123456", "+262692123456"),
    ],
)
def test_overseas_mobile_gets_its_country_code(cell: str, value: str) -> None:
    """A mobile of an overseas department in France's national form gets that department's country code, which is noted."""
    reading = read("phoneNumber", cell)
    assert reading.value == value
    assert "overseas" in reading.note
    assert read("phoneNumber", value) == Reading(value)


def test_overseas_mobile_of_another_region() -> None:
    """France's country code is read in every region, its national form only in France."""
    assert read_phone("+33692123456", "BE").value == "+262692123456"
    for cell in ("0692123456", "33692123456", "262692123456"):
        assert code(read_phone(cell, "ES")) == "phone-unknown"


def test_phone_of_two_departments_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that is valid in two overseas departments is not read."""
    monkeypatch.setattr("contact_sync.rules.phones._valid_number", lambda _, region: None if region == "FR" else region)
    assert code(read("phoneNumber", "0692123456")) == "phone-unknown"


@pytest.mark.parametrize(
    ("cell", "region", "value"),
    [
        ("+32 470 12 34 56", "FR", "+32470123456"),
        ("0470 12 34 56", "BE", "+32470123456"),
        ("406 12 345", "NO", "+4740612345"),
        ("+290 51234", "FR", "+29051234"),
    ],
)
def test_phone_of_another_country(cell: str, region: str, value: str) -> None:
    """A number with a country code is read in every region, one without as a number of the region."""
    assert read_phone(cell, region) == Reading(value)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("O612345678", "phone-characters"),
        ("0612345678 poste 12", "phone-characters"),
        ("tel:0612345678", "phone-characters"),
        ("-", "phone-characters"),
        ("-612345678", "phone-characters"),
        ("++33612345678", "phone-characters"),
        ("06+12345678", "phone-characters"),
        ("0612345678\x00", "phone-characters"),
        ("²612345678", "phone-characters"),
        ("NA", "phone-characters"),
        ("06,12,34,56,78", "phone-characters"),
        ("6,12E+08", "phone-damaged"),
        ("3,36E+10", "phone-damaged"),
        ("3.36e10", "phone-damaged"),
        ("33612345678.0", "phone-damaged"),
        ("61234567.0", "phone-damaged"),
        ("0612345678 / 0712345678", "phone-several"),
        ("0612345678/0712345678", "phone-several"),
        ("0612345678, 0712345678", "phone-several"),
        ("0612345678;0712345678", "phone-several"),
        ("06 12 34 56 78 ou 07 12 34 56 78", "phone-several"),
        ("0612345678\n0712345678", "phone-several"),
        ("12345678 / 12345678", "phone-several"),
        ("0612345678 0612345", "phone-several"),
        ("1234567 / 123456789", "phone-unknown"),
        ("0612345678 0712345678", "phone-several"),
        ("06123456", "phone-unknown"),
        ("061234567", "phone-unknown"),
        ("06123456789", "phone-unknown"),
        ("0612345678 / 79", "phone-unknown"),
        ("0612345678901234", "phone-unknown"),
        ("0700000000", "phone-unknown"),
        ("0693561234", "phone-unknown"),
        ("+999123456789", "phone-unknown"),
        ("0000000000", "phone-unknown"),
        ("0123456789", "phone-not-mobile"),
        ("+33 1 23 45 67 89", "phone-not-mobile"),
        ("0892123456", "phone-not-mobile"),
    ],
)
def test_phone_violations(cell: str, expected: str) -> None:
    """A cell that is not one mobile number is flagged."""
    assert code(read("phoneNumber", cell)) == expected


def read_by_phonenumbers(text: str) -> str | None:
    """Return the E.164 form of a mobile according to phonenumbers only."""
    try:
        number = phonenumbers.parse(text, "FR")
    except phonenumbers.NumberParseException:
        return None
    mobile = phonenumbers.number_type(number) in {1, 2}
    return phonenumbers.format_number(number, 0) if mobile and phonenumbers.is_valid_number(number) else None


def test_phone_agrees_with_phonenumbers() -> None:
    """The fast path for French mobiles agrees with phonenumbers; except overseas departments, so does the whole reader."""
    dice = random.Random(6)
    for _ in range(6000):
        national = f"{dice.choice('67' * 4 + '123459')}{dice.randrange(10**8):08d}"
        text = dice.choice(["0", "+33", "0033", "33", ""]) + national
        reading = read_phone(text, "FR")
        if "overseas" not in reading.note:
            assert reading.value == read_by_phonenumbers(text), text


@st.composite
def nearly_phones(draw: st.DrawFn) -> str:
    """Return a mobile number in one of its spellings, with up to three characters inserted, removed or replaced."""
    cell = draw(st.sampled_from(["0", "", "+33", "33", "0033", "+33(0)", "+262"])) + draw(
        st.from_regex("[67][0-9]{8}", fullmatch=True)
    )
    for at in draw(st.lists(st.integers(0, len(cell)), max_size=3)):
        cell = (
            cell[:at]
            + draw(st.just("") | st.sampled_from("0123456789+() -./,;o\n\u200b\xa0"))
            + cell[at + draw(st.integers(0, 1)) :]
        )
    return cell


@settings(max_examples=400)
@given(nearly_phones())
def test_phone_never_guesses(cell: str) -> None:
    """A number that is read has the digits of its cell, except the country code."""
    value = read_phone(cell, "FR").value
    if value:
        number = phonenumbers.parse(value)
        assert phonenumbers.is_valid_number(number)
        codes = {number.country_code} | ({33} if number.country_code in {262, 590, 594, 596} else set())
        forms = {f"{before}{one}{zero}" for one in codes for before in ("", "00") for zero in ("", "0")} | {"", "0"}
        assert "".join(filter(str.isdigit, cell)) in {f"{form}{number.national_number}" for form in forms}
        assert not set("o,;") & set(cell)


def test_long_phone_cell_is_read_quickly() -> None:
    """A megabyte of digits is rejected without delay."""
    assert several_numbers("1 " * 500_000) == {}
    assert code(read("phoneNumber", "1" * 1_000_000)) == "phone-several"


# date

AMERICAN = ["1/31/1980", "12/31/80", "1-31-1980", "1.31.1980", "1/31/1980 0:00", "12/31/1980 12:00:00 AM", "12/31/80 14:30"]
AMERICAN += ["Jan 31, 1980", "January 31 1980", "Sept. 5th, 1980", "Thu, Jan 31, 1980", "jan-31-80", "12/31/1980T00:00:00Z"]
"""Dates that make sense only month first."""


@pytest.mark.parametrize(
    "cell",
    [
        *("12/06/2020", "12-06-2020", "12.06.2020", "2020-06-12", " 12/06/2020 ", f"{NBSP}12/06/2020{ZERO_WIDTH}"),
        *("12/06/2020 0:00", "12/06/2020 0:00:00", "2020-06-12 00:00:00.000", "2020-06-12T00:00:00Z", "2020-06-12T00:00:00.000Z"),
        *("12/06/2020 00:00", "12/06/2020 00:00:00", "2020-06-12 00:00:00", "2020-06-12T00:00:00"),
        *("12/6/2020", "12.6.2020", "12-6-2020 0:00", "2020/06/12", "2020-6-12", "2020.06.12", "2020/6/12 00:00:00.000"),
        *("12/06/2020 12:00:00 AM", "12/6/2020 12:00 am", f"12/6/2020 12:00:00{NARROW}AM", "12/06/2020 00:00:00 a.m."),
    ],
)
def test_date_is_read_day_first(cell: str) -> None:
    """A date is read day first unless it is ISO, and sent as YYYY-MM-DD."""
    assert read("date", cell).value == "2020-06-12"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("12/06/20", "date-two-digits"),
        ("1/6/20", "date-two-digits"),
        ("12-06-68 00:00", "date-two-digits"),
        ("43994", "date-serial"),
        ("43994,75", "date-serial"),
        ("43994.0", "date-serial"),
        ("06/13/2020", "date-month-first"),
        ("06-13-2020 00:00", "date-month-first"),
        *((american, "date-month-first") for american in AMERICAN),
        ("13/6/20", "date-two-digits"),
        ("12/06/2020 12:00:00 PM", "date-time"),
        ("12/06/2020 1:00 AM", "date-time"),
        ("12/06/2020 00:00 PM", "date-time"),
        ("1/2/2020 18:00", "date-time"),
        ("2020/13/06", "date-calendar"),
        ("02/30/1980", "date-calendar"),
        ("11-31-80", "date-two-digits"),
        ("May", "date-unknown"),
        ("march 2020", "date-unknown"),
        ("12/06/2020 18:00", "date-time"),
        ("2020-06-12 23:59:59.999", "date-time"),
        ("2020-06-12T22:30:00Z", "date-time"),
        ("2020-06-12 00:00:00Z", "date-time"),
        ("2020-06-12T23:00:00Z", "date-time"),
        ("12/06/2020 0:30", "date-time"),
        ("2020-06-12 00:00:00.001", "date-time"),
        ("2020-06-12T00:00:00+02:00", "date-time"),
        ("29/02/2021", "date-calendar"),
        ("31/04/2021", "date-calendar"),
        ("00/00/0000", "date-calendar"),
        ("0000-00-00", "date-calendar"),
        ("2020-13-06", "date-calendar"),
        ("13/13/2020", "date-calendar"),
        ("28/02/1900", "date-range"),
        ("31/12/9999", "date-range"),
        ("12/06/0020", "date-range"),
        ("25/11/2027", "date-range"),
        ("12 juin 2020", "date-unknown"),
        ("12/06-2020", "date-unknown"),
        ("1/6-2020", "date-unknown"),
        ("2020/06-12", "date-unknown"),
        ("001/06/2020", "date-unknown"),
        ("20200612", "date-unknown"),
        ("12", "date-unknown"),
        ("-1", "date-unknown"),
        ("00:00:00", "date-unknown"),
        ("Timestamp", "date-unknown"),
        ("12/06/2020\n", ""),
        ("12/06/2020 13/06/2020", "date-time"),
        ("١٢/٠٦/٢٠٢٠", "date-unknown"),
        ("12/06/2020x", "date-unknown"),
    ],
)
def test_date_violations(cell: str, expected: str) -> None:
    """A cell that is not exactly one day in one of the accepted forms is flagged."""
    reading = read("date", cell)
    assert code(reading) == expected if expected else reading.value == "2020-06-12"


def test_date_limits() -> None:
    """The first and the last day of the range are valid, and the sentence names them."""
    assert read("date", "01/03/1900").value == EARLIEST.isoformat() == "1900-03-01"
    assert read("date", "24/11/2027").value == "2027-11-24"
    violation = read("date", "25/11/2027").violation
    assert violation
    assert violation.detail == {"earliest": "01/03/1900", "latest": "24/11/2027"}


@pytest.mark.parametrize(
    ("cell", "ambiguous"),
    [
        ("03/04/2020", True),
        ("03.04.2020 00:00", True),
        ("3/4/2020", True),
        ("04/04/2020", False),
        ("13/04/2020", False),
        ("2020-04-03", False),
        ("2020/4/3", False),
    ],
)
def test_date_ambiguous(cell: str, ambiguous: bool) -> None:
    """A date that would be another day read month first is marked as ambiguous."""
    reading = read("date", cell)
    assert reading.ambiguous is ambiguous
    assert not reading.violation


@given(
    st.dates(EARLIEST, LATEST),
    st.sampled_from(["%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%Y-%m-%d", "%Y-%m-%dT00:00:00", "%-d/%m/%Y", "%-d.%-m.%Y", "%Y/%m/%d"]),
)
def test_date_round_trip(day: dt.date, form: str) -> None:
    """Each day of the range is read in each of the forms."""
    assert read("date", day.strftime(form)).value == day.isoformat()


# url


@pytest.mark.parametrize(
    "cell",
    [
        *(
            "http://exemple.fr",
            "https://www.exemple.fr/",
            "https://exemple.fr?a=b",
            "https://exemple.fr#x",
            "https://exemple.fr:8443/x",
            "https://exemple.fr:1/x",
            "https://exemple.fr/?to=HTTP://B.fr",
        ),
        *(
            "https://a.fr/?next=javascript:alert(1)",
            "https://a.fr/web/2020/https://b.fr/?a=http://c.fr#https://d.fr",
            "https://a.fr/?to=%3Dhttps://b.fr",
            "https://a.fr/@x",
            "https://a.fr/été",
            "https://été.fr/",
            "https://xn--t-9fab.fr",
        ),
        *("https://a.fr/" + "x" * 242, "https://a.fr/%20", "https://a.b.c.d.museum/x;y,z"),
    ],
)
def test_url_is_sent_as_typed(cell: str) -> None:
    """An address is sent as typed."""
    assert read("url", f" {cell}{NBSP}") == Reading(cell)


def test_url_scheme_is_lowered() -> None:
    """Only the case of the scheme is corrected."""
    assert read("url", "HTTPS://Exemple.FR/A").value == "https://Exemple.FR/A"
    assert read("url", "HTTP://a.fr/?to=HTTP://B.fr").value == "http://a.fr/?to=HTTP://B.fr"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("www.exemple.fr", "url-scheme"),
        ("Cliquez ici", "url-scheme"),
        ("javascript:alert(1)", "url-scheme"),
        ("ftp://exemple.fr", "url-scheme"),
        ("//exemple.fr", "url-scheme"),
        ("https:/exemple.fr", "url-scheme"),
        ("https://exem\tple.fr", "url-characters"),
        ("https://exemple.fr/a b", "url-characters"),
        ("https://exemple.fr/a\nb", "url-characters"),
        (f"https://exemple.fr/a{NBSP}b", "url-characters"),
        (f"https://exemple.fr/a{ZERO_WIDTH}b", "url-characters"),
        ("https://exemple.fr\\path", "url-characters"),
        ("https://exemple.fr/<x>", "url-characters"),
        ("https://exemple.fr/\ud800", "url-characters"),
        ("https://exemple.fr/\ufffd", "text-damaged"),
        ("https://exemple.fr/Ã©", "text-damaged"),
        ("contact@exemple.fr", "url-email"),
        ("mailto:Jean.Dupont+x@mail.exemple.fr", "url-email"),
        ("http://contact@exemple.fr", "url-email"),
        ("https://contact@exemple.fr/", "url-email"),
        ("https://moi@exemple.fr/page", "url-login"),
        ("https://moi@exemple.fr:8080", "url-login"),
        ("contact@exemple", "url-scheme"),
        ("@exemple.fr", "url-scheme"),
        ("https://moi:secret@exemple.fr/", "url-login"),
        ("https://", "url-host"),
        ("https:///x", "url-host"),
        ("https://localhost/", "url-host"),
        ("https://exemple..fr", "url-host"),
        ("https://.fr", "url-host"),
        ("https://-a.fr", "url-host"),
        ("https://a_b.fr", "url-host"),
        ("https://exemple.fr:99999/", "url-host"),
        ("https://exemple.fr:0/", "url-host"),
        ("https://exemple.fr:65536/", "url-host"),
        ("https://exemple.fr:/", "url-host"),
        ("https://exemple.fr:x/", "url-host"),
        ("https://1.2.3.4/", "url-host"),
        ("https://[::1]/", "url-host"),
        ("https://é..fr/", "url-host"),
        ("https://exemple.fr／x", "url-host"),
        ("https://" + "a" * 64 + ".fr", "url-host"),
        ("https://b.frhttps://b.fr", "url-host"),
        ("https://b.fr/ahttps://b.fr/a", "url-host"),
        ("https://b.fr/a.HTTP://b.fr/a", "url-host"),
        ("https://a.fr/" + "x" * 243, "text-length"),
    ],
)
def test_url_violations(cell: str, expected: str) -> None:
    """An address that is not a complete web address is flagged; no scheme is guessed."""
    assert code(read("url", cell)) == expected


def test_host_length() -> None:
    """A host has 253 characters at most."""
    assert is_host("a." * 125 + "fr")
    assert not is_host("a." * 126 + "fr")


# The table of rules


def test_rules_have_sentences_and_known_fields() -> None:
    """Each rule has a sentence in the catalogue and fields that exist."""
    for rule in RULES:
        assert rule.code in CATALOGUE
        assert set(rule.fields) <= {ID, *FIELDS}


NEARLY = {
    ID: st.text("'=\"0aZé+,. ", max_size=6),
    "phoneNumber": nearly_phones(),
    "date": st.builds(dt.date.strftime, st.dates(EARLIEST, LATEST), st.sampled_from(["%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y 00:00"])),
    "url": st.builds("{}exemple.fr/{}".format, st.sampled_from(["https://", " HTTP://www."]), st.text(max_size=20)),
}
"""Cells of a field that are often right, for a field of which any text would hardly ever be."""


@pytest.mark.parametrize("field", [ID, *FIELDS])
@given(st.data())
def test_reading_is_idempotent(field: str, data: st.DataObject) -> None:
    """A value fed back as a cell is read as itself."""
    value: Any = read(field, data.draw(NEARLY.get(field, st.text(max_size=40)))).value
    if value:
        assert read(field, value) == Reading(value)
