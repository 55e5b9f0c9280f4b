"""What a text was before a spreadsheet converted it."""

import pytest

from contact_sync.rules.conversions import is_shortened, originals

CONVERSIONS: dict[str, tuple[str, ...]] = {
    # numbers
    "0071": ("71", "71.0"),
    "0000000000000000000012": ("12",),
    "+33612345678": ("33612345678", "33 612 345 678"),
    "12.0": ("12",),
    "12.": ("12",),
    ".5": ("0.5", "0,5"),
    "1.50": ("1,5", "1.5"),
    "00012.50": ("12.5",),
    "1 000": ("1000",),
    "1\xa0000": ("1000",),
    "1,234": ("1234", "1.234"),
    "12,345,678.90": ("12345678.9",),
    "(12)": ("-12",),
    "5-": ("-5",),
    "$5": ("5", "$5.00"),
    "$ 1.50": ("1.5",),
    "5 €": ("5", "5,00 €"),
    "5.50%": ("5.5%", "5,5%", "0.055"),
    ".5%": ("0.5%",),
    "1e5": ("100000",),
    "12E3": ("12000",),
    "1,5e3": ("1500",),
    "1e-5": ("0.00001", "1E-05"),
    "5e-1": ("0.5",),
    "-1e10": ("-10000000000",),
    "3 1/2": ("3.5", "3,5"),
    "1234567890123456": ("1234567890123450", "1234567890123460"),
    "12345678901234567": ("12345678901234600", "12345678901234500"),
    "48.8566140123": ("48.85661401",),
    # days
    "1/2": ("01/02/2026", "02/01/2026", "2-Jan", "02-janv", "1-févr."),
    "1-2": ("2-Jan", "02/01/2026"),
    "MAR1": ("1-Mar", "01-mars"),
    "Mar-20": ("03/20/2026", "20/03/2026", "03/01/2020", "mars-20", "20-Mar"),
    "2 mars": ("02/03/2026",),
    "12 janv. 2020": ("12/01/2020", "01/12/2020"),
    "vendredi 3 mai 2024": ("03/05/2024",),
    "Jan 2, 2020": ("01/02/2020",),
    "5/2012": ("May-12", "01/05/2012"),
    "2020-1-2": ("2020-01-02", "1/2/2020", "02/01/2020"),
    "2020-01-02": ("02/01/2020", "1/2/20"),
    "01.02.2020": ("01/02/2020",),
    "1/1/1": ("01/01/2001",),
    # times
    "12:30": ("12:30:00", "12:30:00 PM"),
    "00:30:00": ("12:30:00 AM", "0:30:00"),
    "10:5": ("10:05:00 AM", "10:05"),
    "10:05 AM": ("10:05:00",),
    "5 pm": ("05:00:00 PM", "17:00"),
    "1:2:3": ("01:02:03 AM", "1:02:03"),
    "60:30": ("60:30:00",),
    "2024-05-01 10:00:37": ("5/1/2024 10:00", "01/05/2024 10:00:37"),
    "25/02/1970 09:43": ("02/25/1970 09:42:59", "25/02/70 09:42"),
    # truth values
    "true": ("TRUE", "VRAI"),
    "Vrai": ("VRAI", "TRUE"),
    # letters that cp1252 has not
    "Ω": ("?",),
    "à 5 kΩ, mardi": ("à 5 k?, mardi",),
    "Merci 😀": ("Merci ?", "Merci ??"),
    # an apostrophe of a workbook that has lost the column sync_verbatim
    "'=x": ("=x",),
}
"""Text → what spreadsheets show in its place."""


@pytest.mark.parametrize(("before", "after"), [(before, after) for before, shown in CONVERSIONS.items() for after in shown])
def test_conversions(before: str, after: str) -> None:
    """The text before is one of a bounded number of which a spreadsheet makes the text after."""
    found = list(originals(after, "custom1"))
    assert before in found
    assert len(found) < 2500


@pytest.mark.parametrize(
    "text", ["", "Anna", "71a", "0x1", "gold", "1.2.3.4", "٧", "1/2", "Mars", "12h30", "ok???", "ok? oui?", "40-Mar", "9" * 50]
)
def test_other_texts(text: str) -> None:
    """A text that no spreadsheet shows in place of another has no originals."""
    assert list(originals(text, "custom1")) == []


@pytest.mark.parametrize(
    ("field", "after", "expected"),
    [
        ("date", "4/10/1953", ["1953-10-04", "1953-04-10"]),
        ("date", "04/10/1953 00:00", ["1953-10-04", "1953-04-10"]),
        ("date", "4/25/1953", ["1953-04-25"]),
        ("date", "04/10/53", ["1953-10-04", "1953-04-10", "2053-10-04", "2053-04-10"]),
        ("date", "1953-04-10", []),
        ("phoneNumber", "687751234", ["+687751234"]),
        ("phoneNumber", "06 12", []),
    ],
)
def test_fields_with_one_form(field: str, after: str, expected: list[str]) -> None:
    """A date has the readings of the cell as its originals, unless it is written year first; a phone number has its plus."""
    assert list(originals(after, field)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("1.23E+15", True), ("1E+20", True), ("3,3612E+10", True), ("1,23456789012346E+016", True), ("1E+300", True)),
        *(("-1.5E+20", True), ("1.23E-05", True), ("1.23456789012346", True), ("0.00123456789012346", True)),
        *(("123456789012345000", True), ("1E3", False), ("3E-12", False), ("1234567890123450", False), ("48.8566", False)),
    ],
)
def test_shortened(text: str, expected: bool) -> None:
    """A number whose digits are lost is known by its form; 1E3 may be a code, and a number of 16 digits may end with 0."""
    assert is_shortened(text) is expected


@pytest.mark.parametrize(
    ("pulled", "written"),
    [
        ("1234", "01234"),
        ("71", "0071"),
        ("75001", "075001"),
        ("20", "20,00"),
        ("3", "3.00"),
        ("100", "100 €"),
        ("33", "33 €"),
        ("1000", "1 000"),
    ],
)
def test_what_only_a_person_writes(pulled: str, written: str) -> None:
    """Zeros, currencies and groups are added by no spreadsheet: such a cell is an edit."""
    assert pulled not in set(originals(written, "custom1"))
