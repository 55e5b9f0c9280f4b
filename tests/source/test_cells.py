"""The text of a workbook's cells."""

import datetime as dt
from typing import Any

import pytest

from .reading import ReadResult, edit_parts, read, sheet

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
    "a small number": (0.00001234, None, "1.234e-05"),
    "percent": (0.25, "0%", "25%"),
    "percent with decimals": (0.256, "0.00%", "25,60%"),
    "a day": (dt.date(2020, 6, 12), None, "2020-06-12"),
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
    "a date out of range": (3_000_000_000, "phoneNumber", "dd/mm/yyyy", "cell-error", "phoneNumber shows"),
}


@pytest.mark.parametrize(("value", "field", "number_format", "code", "sentence"), FLAWS.values(), ids=FLAWS)
def test_unsuitable_value_is_flagged(value: Any, field: str, number_format: str | None, code: str, sentence: str) -> None:
    """A value that cannot be sent as text is flagged, and the sentence names its kind."""
    reading = read_cell(value, field, number_format)
    assert reading.flaws == {2: [(code, field)]}
    assert sentence in reading.messages[0]


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
