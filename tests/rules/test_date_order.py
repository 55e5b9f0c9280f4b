"""The signs that the dates of a source may have the month first."""

import pytest

from contact_sync.model.source import Chunk
from contact_sync.model.violation import Violation
from contact_sync.rules.date_order import DateOrder

MAPPING = {"contactId": 0, "date": 1, "custom1": 2, "firstname": 4}


def is_doubtful(header: str, *rows: tuple[str, ...], code: str = "") -> bool:
    """Return the verdict on a source with this header of its dates, of the rows of which each is a chunk."""
    order = DateOrder(["contactId", header, "custom1", "Note", "firstname"], MAPPING)
    for row in rows:
        order.observe(Chunk([2], [["C1", *row, *[""] * (4 - len(row))]]), {0: [Violation(code, "date")]} if code else {})
    return order.is_doubtful


@pytest.mark.parametrize(
    "header",
    [
        *("Date de naissance (mm/jj/aaaa)", "Date (MM/DD/YYYY)", "[mm/jj/aaaa]", "DOB (M/D/YY)"),
        *("Birthday mm/dd/yyyy", "mm-dd-yy", "Date (m/d/y)"),
        *("Date MMDDYYYY", "Naissance (mois/jour/année)", "Birthday, month / day / year", "Date_mm.jj.aa"),
    ],
)
def test_header_says_month_first(header: str) -> None:
    """A header that names the month before the day makes its ambiguous dates doubtful, also beside a date with the day first."""
    assert is_doubtful(header, ("25/12/1980",))


@pytest.mark.parametrize(
    "header",
    [
        "Date de naissance (jj/mm/aaaa)",
        "DD/MM/YYYY",
        "aaaa-mm-jj",
        "Date de naissance",
        "yyyymmdd",
        "j/m/a",
        "jour/mois",
        "comma day",
    ],
)
def test_header_says_nothing_of_the_kind(header: str) -> None:
    """A header that names the day before the month, or the year first, is no sign."""
    assert not is_doubtful(header, ("03/04/1980",))


def test_dates_of_the_column() -> None:
    """A date of the field with the month first is a sign whatever the others are."""
    assert is_doubtful("date", ("25/12/1980",), ("12/25/1980",), ("",), code="date-month-first")


@pytest.mark.parametrize("row", [("", "12/31/2023"), ("", "", "1/31/23"), ("03/04/2020", "", " 12/31/2023 14:30")])
def test_dates_of_other_columns(row: tuple[str, ...]) -> None:
    """A date with the month first in a custom field or a column that is not sent is a sign, wherever it stands."""
    assert is_doubtful("date", ("03/04/1980",), row, ("04/05/1980",))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("day", ["25/12/1980", "31.1.80", "13-01-1980"])
def test_column_proves_day_first(day: str, *, first: bool) -> None:
    """Dates of other columns are no sign where the column itself has a date with the day first."""
    rows = [("03/04/1980", "12/31/2023"), (day,)]
    assert not is_doubtful("date", *(reversed(rows) if first else rows))


@pytest.mark.parametrize("text", ["31/12/2023", "2023/12/31", "12/13", "promo 12/31/2023", "12/31/2023/4", "12.31.2023", "a/b"])
def test_other_text(text: str) -> None:
    """Other text is no sign, nor is a date in a column that a rule judges."""
    assert not is_doubtful("date", ("03/04/1980", text, text), ("", "", "", "12/31/2023"))


def test_rows_that_prove_it() -> None:
    """The violation of the other dates names the rows with the month first."""
    order = DateOrder(["contactId", "date"], {"contactId": 0, "date": 1})
    assert order.violation.sentence().startswith("The header or other dates of this file have the month before the day, so")
    for start in (2, 40):
        rows = [["C1", "12/13/1980"]] * 2
        order.observe(
            Chunk([start, start + 1], rows), {1: [Violation("date-month-first", "date")], 0: [Violation("url-email", "url")]}
        )
    assert "have the month before the day (rows 3 and 41), so" in order.violation.sentence()


def test_source_without_dates() -> None:
    """A source without the field has no doubtful dates."""
    order = DateOrder(["contactId", "mm/dd/yyyy"], {"contactId": 0})
    order.observe(Chunk([2], [["C1", "12/31/2023"]]), {})
    assert not order.is_doubtful
