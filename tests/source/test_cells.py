"""The text of a workbook's cells."""

import datetime as dt
import io
from collections.abc import Sequence
from typing import Any

import pytest
import xlsxwriter

from .reading import ReadResult, edit_parts, read, sheet

SHEET = "xl/worksheets/sheet1.xml"
DAY = dt.datetime(2020, 6, 12)  # noqa: DTZ001 - a spreadsheet knows no time zones
ROUNDED = "a number longer than the 15 digits that Excel keeps"


def read_cell(value: Any, field: str = "custom1", number_format: str | None = None) -> ReadResult:
    """Read a workbook with this cell in the column of `field`, at B2, or at A2 for the id."""

    def change(table: Any) -> None:
        cell = table["A2" if field == "contactId" else "B2"]
        cell.value = value
        if number_format:
            cell.number_format = number_format

    return read(sheet(["contactId", "nom" if field == "contactId" else field], ["1", "x"], change=change))


TEXTS: dict[str, tuple[Any, str | None, str]] = {
    "text": ("001", None, "001"),
    "text with a number format": ("001", "0.00", "001"),
    "a cell formatted as text": (123, "@", "123"),
    "an integer": (123, None, "123"),
    "a negative integer": (-5, None, "-5"),
    "an integral float": (12345.0, None, "12345"),
    "leading zeros": (123, "00000", "00123"),
    "leading zeros, with a format for negative numbers": (123, "00000;-00000", "00123"),
    "a French phone": (612345678, '0#" "##" "##" "##" "##', "06 12 34 56 78"),
    "a decimal": (12.5, '#,##0.00 "€"', "12,50 €"),
    "a sum of decimals": (0.1 + 0.2, None, "0.3"),
    "a decimal of 11 characters": (-0.123456789, None, "-0.123456789"),
    "percent": (0.25, "0%", "25%"),
    "percent with decimals": (0.256, "0.00%", "25,60%"),
    "a day": (dt.date(2020, 6, 12), None, "2020-06-12"),
    "a phone number of another country": (612345678, '"+34 "000" "000" "000', "+34 612 345 678"),
    "text before a number": (123, '"C"000000', "C000123"),
    "a rounded number": (11.988, "0.00", "11,99"),
    "thousands": (1500, "#,##0", "1 500"),
    "a negative number of a built-in format": (-1500, "#,##0_);(#,##0)", "-1 500 "),
    "a zero that shows nothing": (0, "0;-0;;@", ""),
    "a condition before a date": (DAY, '[=0]"";dd/mm/yyyy', "12/06/2020"),
    "a format for dates and texts": (DAY, "dd/mm/yyyy;@", "12/06/2020"),
    "midnight": (DAY, "dd/mm/yyyy", "12/06/2020"),
    "a date and time in a format": (DAY + dt.timedelta(hours=18, minutes=30), "d/m/yy hh:mm", "12/6/20 18:30"),
    "the system's short date": (DAY, "mm-dd-yy", "12/06/2020"),
    "a date and time": (DAY + dt.timedelta(hours=18, minutes=30), None, "2020-06-12 18:30:00"),
    "a date serial without a date format": (43994, None, "43994"),
    "escaped characters": ("Du_x000D_\npont_x0041_", None, "Du\r\npontA"),
    "white space": (" a\u00a0 ", None, " a\u00a0 "),
}


@pytest.mark.parametrize(("value", "number_format", "expected"), TEXTS.values(), ids=TEXTS)
def test_cell_is_rendered_as_shown(value: Any, number_format: str | None, expected: str) -> None:
    """The text of a cell is what the spreadsheet shows."""
    reading = read_cell(value, number_format=number_format)
    assert reading.rows == [["1", expected]]
    assert not reading.flaws


FLAWS: dict[str, tuple[Any, str, str | None, str, str]] = {
    "an error": ("#REF!", "custom1", None, "cell-error", "shows a spreadsheet error (#REF!)"),
    "an error in the id": ("#N/A", "contactId", None, "cell-error", "contactId shows a spreadsheet error (#N/A)"),
    "TRUE": (True, "custom1", None, "cell-kind", "custom1 contains TRUE or FALSE instead of text"),
    "a long id": (1234567890123450, "contactId", None, "id-rounded", "more digits than Excel keeps (15)"),
    "a long float id": (1.23456789012345e15, "contactId", None, "id-rounded", "more digits than Excel keeps (15)"),
    "a long number": (10**15, "custom1", None, "cell-kind", ROUNDED),
    "a huge number": (1e300, "custom1", None, "cell-kind", ROUNDED),
    "a date as id": (dt.date(2020, 6, 12), "contactId", None, "cell-kind", "contactId contains a date"),
    "a date as phone": (dt.date(2020, 6, 12), "phoneNumber", None, "cell-kind", "phoneNumber contains a date"),
    "a time": (dt.time(12, 30), "date", None, "cell-kind", "date contains a time of day"),
    "date serial 0": (0, "date", "dd/mm/yyyy", "cell-kind", "date contains a time of day"),
    "a duration": (dt.timedelta(hours=30), "date", None, "cell-kind", "date contains a duration"),
    "a fraction": (0.5, "custom1", "# ?/?", "cell-format", "custom1 has a number format that other systems may show differently"),
    "more decimals than are shown": (1 / 3, "custom1", None, "cell-format", "custom1 has a number format"),
    "a small number": (0.00001234, "custom1", None, "cell-format", "custom1 has a number format"),
    "an exponent in the id": (123456, "contactId", "0.00E+00", "cell-format", "format the cell as text and type what it shows"),
    "decimals in the id": (131.5, "contactId", "0000.00", "cell-format", "contactId has a number format"),
    "an id that is shown rounded": (123.5, "contactId", "0", "cell-format", "contactId has a number format"),
    "an id that is shown in thousands": (123000, "contactId", "0,", "cell-format", "contactId has a number format"),
    "the name of a month": (dt.date(2025, 12, 9), "custom1", "mmmm yyyy", "cell-format", "custom1 has a number format"),
    "a date before March 1900": (30, "custom1", "dd/mm/yyyy", "cell-format", "custom1 has a number format"),
    "a hidden id": (123, "contactId", ";;;", "cell-format", "contactId has a number format"),
    "a hidden text": ("abc", "custom1", ";;;", "cell-format", "custom1 has a number format"),
    "a text with an addition": ("Dupont", "lastname", '"M. "@', "cell-format", "lastname has a number format"),
    "a currency of the reader's system": (5, "custom1", '"$"#,##0_);("$"#,##0)', "cell-format", "custom1 has a number format"),
    "a date out of range": (3_000_000_000, "phoneNumber", "dd/mm/yyyy", "cell-error", "phoneNumber shows"),
}


@pytest.mark.parametrize(("value", "field", "number_format", "code", "sentence"), FLAWS.values(), ids=FLAWS)
def test_unsuitable_value_is_flagged(value: Any, field: str, number_format: str | None, code: str, sentence: str) -> None:
    """A value that cannot be sent as text is flagged, and the sentence names its kind."""
    reading = read_cell(value, field, number_format)
    assert reading.flaws == {2: [(code, field)]}
    assert sentence in reading.messages[0]


def test_date_field_is_read_in_any_format() -> None:
    """The field `date` is the day, whatever the format of the cell shows of it."""
    for number_format in ("dd/mm/yyyy", "mmmm yyyy", "[$-F800]dddd, mmmm dd, yyyy", "yy"):
        reading = read_cell(DAY, "date", number_format)
        assert (reading.rows, reading.flaws) == ([["1", "2020-06-12"]], {})


@pytest.mark.parametrize(
    ("value", "shown"), [("#REF!", "#REF!"), (True, "TRUE"), (dt.time(12, 30), "12:30:00"), (1e15, "1000000000000000")]
)
def test_columns_that_are_not_sent_are_never_flagged(value: Any, shown: str) -> None:
    """Any value is accepted in a column that is not sent."""
    reading = read(sheet(["contactId", "nom", "Ville"], ["1", "a", value]))
    assert reading.rows == [["1", "a", shown]]
    assert not reading.flaws


def test_dates_counted_from_1904() -> None:
    """A workbook that counts days from 1904, as old Macs do, gives the date that it shows."""
    epoch = {"xl/workbook.xml": lambda part: part.replace(b"<workbookPr />", b'<workbookPr date1904="1" />')}
    content = edit_parts(sheet(["contactId", "date"], ["1", dt.date(2020, 6, 12)]), epoch)
    assert read(content).rows == [["1", "2024-06-13"]]


def test_iso_8601_dates() -> None:
    """Dates that some programs write as text (`t="d"`) are read as dates, with their time."""
    part = "xl/worksheets/sheet1.xml"
    content = sheet(["contactId", "date", "custom1"], ["1", 5, 6])
    written = {
        part: lambda old: old.replace(b'<c r="B2" t="n"><v>5', b'<c r="B2" t="d"><v>2020-06-12').replace(
            b'<c r="C2" t="n"><v>6', b'<c r="C2" t="d"><v>2020-06-12T18:00:00'
        )
    }
    assert read(edit_parts(content, written)).rows == [["1", "2020-06-12", "2020-06-12 18:00:00"]]


def test_infinity_is_flagged() -> None:
    """A number that no cell can contain is flagged like one that is too long."""
    content = edit_parts(
        sheet(["contactId", "nom"], ["1", 5]), {"xl/worksheets/sheet1.xml": lambda old: old.replace(b"<v>5<", b"<v>1E999<")}
    )
    reading = read(content)
    assert reading.rows == [["1", "inf <?>"]]
    assert reading.flaws == {2: [("cell-kind", "lastname")]}


def of_formula(
    value: float | str, number_format: str = "General", *, head: Sequence[str] = ("contactId", "nom"), row: int = 2
) -> bytes:
    """Return a workbook with contact 1, where column B of a row is a formula with that result."""
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        table = book.add_worksheet()
        table.write_row(0, 0, head)
        table.write(1, 0, "1")
        table.write_formula(row - 1, 1, "=Autre!B2", book.add_format({"num_format": number_format}), value)
    return stream.getvalue()


def calculated(content: bytes) -> bytes:
    """Return the workbook as Excel saves it, without the request to calculate its formulas when it is opened."""
    return edit_parts(content, {"xl/workbook.xml": lambda part: part.replace(b' fullCalcOnLoad="1"', b"")})


@pytest.mark.parametrize("value", [0, ""])
def test_formula_that_was_never_calculated(value: float | str) -> None:
    """XlsxWriter writes 0 or an empty text as the result of a formula that Excel is to calculate when it opens the file."""
    reading = read(of_formula(value, head=["contactId", "custom1"]))
    assert reading.flaws == {2: [("cell-formula", "custom1")]}
    assert not read(of_formula(5, head=["contactId", "custom1"])).flaws
    assert not read(calculated(of_formula(0, head=["contactId", "custom1"]))).flaws


def test_zero_of_a_blank_cell() -> None:
    """The 0 of a formula, as of a reference to a blank cell, is no name; where its format hides it, the cell is blank."""
    reading = read(calculated(of_formula(0)))
    assert reading.flaws == {2: [("cell-kind", "lastname")]}
    assert "lastname contains the 0 of a formula, as for a blank cell, instead of text" in reading.messages[0]
    assert read(calculated(of_formula(0, "0;-0;;@"))).rows == [["1", ""]]
    assert not read(calculated(of_formula(0, "0;-0;;@"))).flaws


def test_row_of_zeros_is_no_contact() -> None:
    """A row that shows only the 0 of formulas is left out, and the summary counts it; a row with a text besides is flagged."""

    def zeros(part: bytes) -> bytes:
        row = b'<row r="3"><c r="A3"><f>Autre!A3</f><v>0</v></c><c r="B3"><f>Autre!B3</f><v>0</v></c>%b</row>'
        return part.replace(b"</sheetData>", row % inside + b"</sheetData>")

    content = sheet(["contactId", "nom", "Ville"], ["1", "a", "Paris"])
    inside = b'<c r="C3"><f>Autre!C3</f><v>0</v></c>'
    reading = read(calculated(edit_parts(content, {SHEET: zeros})))
    assert reading.numbers == [2]
    assert reading.source.findings[-1] == "1 row contains only the 0 of formulas that refer to blank cells: it is no contact."
    inside = b'<c r="C3" t="str"><v>Lyon</v></c>'
    reading = read(calculated(edit_parts(content, {SHEET: zeros})))
    assert reading.flaws == {3: [("cell-kind", "contactId"), ("cell-kind", "lastname")]}


MISPLACED = {
    "a value in place of an inline text": (b't="inlineStr"><v>L\xc3\xa9a</v>', "Léa"),
    "an inline text without its type": (b"><is><t>L\xc3\xa9a</t></is>", "Léa"),
    "an inline text of a formula": (b't="str"><is><t>L\xc3\xa9a</t></is>', "Léa"),
    "an inline text in place of a shared one": (b't="s"><is><r><t>L\xc3\xa9</t></r><r><t>a</t></r></is>', "Léa"),
    "an inline text after a value": (b't="inlineStr"><v>9</v><is><t>L\xc3\xa9a</t></is>', "Léa"),
    "a value before an inline text": (b't="n"><v>9</v><is><t>L\xc3\xa9a</t></is>', "9"),
}


@pytest.mark.parametrize(("written", "expected"), MISPLACED.values(), ids=MISPLACED)
def test_misplaced_text_is_read(written: bytes, expected: str) -> None:
    """A text is read where some programs write it."""
    content = sheet(["contactId", "nom"], ["1", 5])
    changed = edit_parts(content, {SHEET: lambda part: part.replace(b't="n"><v>5</v>', written)})
    assert changed != content
    assert read(changed).rows == [["1", expected]]


@pytest.mark.parametrize(("written", "expected"), [(b"true", "TRUE"), (b"False", "FALSE"), (b"1", "TRUE")])
def test_booleans_in_words(written: bytes, expected: str) -> None:
    """A boolean may be written in words."""
    content = sheet(["contactId", "nom", "Optin"], ["1", "a", 5])
    changed = edit_parts(content, {SHEET: lambda part: part.replace(b't="n"><v>5</v>', b't="b"><v>%b</v>' % written)})
    assert read(changed).rows == [["1", "a", expected]]
