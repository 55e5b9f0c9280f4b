"""Damage to a source that only many cells together show."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_sync.model.fields import FIELDS, PHONE
from contact_sync.model.report import Workload
from contact_sync.model.violation import Column
from contact_sync.rules.anomalies import MIN_ROUNDED, MIN_SAME_DATES, MIN_SERIES, Damage, deviations

Payload = tuple[str | None, ...]
COLUMNS = {PHONE: Column("Mobile", "D"), "date": Column("Naissance", "E")}


def payload(phone: int | None) -> Payload:
    """Return the payload of a row with this phone number."""
    return (None if phone is None else f"+{phone}", *[None] * (len(FIELDS) - 1))


def observed(phones: Sequence[int | None], ids: list[str] | None = None, chunk: int = 1000) -> Damage:
    """Return a `Damage` that has observed rows, numbered from 2, with these phone numbers and contactIds."""
    damage = Damage()
    ids = ids or [f"C{number}" for number in range(len(phones))]
    for start in range(0, len(phones), chunk):
        some = slice(start, start + chunk)
        numbers = list(range(start + 2, start + 2 + len(phones[some])))
        damage.observe(numbers, ids[some], list(map(payload, phones[some])), range(len(numbers)))
    return damage


def counting(length: int, start: int = 33600000001) -> list[int | None]:
    """Return phone numbers that count up by one."""
    return [start + step for step in range(length)]


@pytest.mark.parametrize("chunk", [1, 3, 4, 1000])
def test_series_of_phone_numbers_is_reported(chunk: int) -> None:
    """Numbers that count up by one are reported with their rows, wherever a chunk ends."""
    others: list[int | None] = [33612000000, 33611000000, None]
    (warning,) = observed([*others, *counting(7), None, *counting(MIN_SERIES, 33600001000)], chunk=chunk).signs(COLUMNS)[0]
    assert warning.startswith("In rows 5 to 11, 13 to 17 of “Mobile” (column D), each phone number is the one above plus one")


def test_series_does_not_continue_over_other_numbers() -> None:
    """A number that continues a series by chance, after other numbers at the end of the next chunk, is not part of it."""
    phones = [*counting(4), 33600000900, 33600000700, 33600000005]
    assert observed(phones, chunk=4).signs(COLUMNS)[0] == []


def test_only_the_first_series_are_listed() -> None:
    """Of many series the first three are listed, with the number of further ones."""
    phones = [number for start in range(1, 6) for number in counting(MIN_SERIES, 33600000000 + 1000 * start)]
    (warning,) = observed(phones).signs(COLUMNS)[0]
    assert "In rows 2 to 6, 7 to 11, 12 to 16 and 2 more times of “Mobile” (column D)" in warning


@given(st.lists(st.none() | st.integers(33600000000, 33600000008), max_size=40), st.integers(1, 9))
def test_series_has_a_minimum_length(phones: list[int | None], chunk: int) -> None:
    """There is a warning exactly when enough consecutive numbers count up by one."""
    expected = any(
        None not in phones[start : start + MIN_SERIES]
        and [number - phones[start] for number in phones[start : start + MIN_SERIES]] == list(range(MIN_SERIES))  # type: ignore[operator]
        for start in range(len(phones) - MIN_SERIES + 1)
    )
    assert any("plus one" in warning for warning in observed(phones, chunk=chunk).signs(COLUMNS)[0]) == expected


@pytest.mark.parametrize("chunk", [1, 1000])
def test_phone_number_of_two_contacts(chunk: int) -> None:
    """A phone number of several contacts is reported with its column and rows, wherever they stand."""
    phones: list[int | None] = [33600000100, None, 33600000300, 33600000100, None]
    assert observed(phones, chunk=chunk).signs(COLUMNS)[0] == [
        "In “Mobile” (column D), 1 phone number belongs to several contacts (rows 2 and 5): check it."
    ]


def test_several_phone_numbers_of_several_contacts() -> None:
    """Of very many such numbers the first ones are listed."""
    (warning,) = observed([33600000100 * (1 + n % 7) for n in range(14)]).signs(COLUMNS)[0]
    rows = "2 and 9; 3 and 10; 4 and 11; 5 and 12; 6 and 13 and 2 more"
    assert warning.endswith(f"7 phone numbers each belong to several contacts (rows {rows}): check them.")


def test_phone_number_of_one_contact() -> None:
    """The rows of one contact are not reported, nor are rows without a number."""
    assert observed([33600000100] * 9 + [None] * 9, ["C1"] * 9 + ["C2"] * 9).signs(COLUMNS)[0] == []


def test_phone_number_that_was_reported_before() -> None:
    """Contacts that share a number are reported when one of them is to be sent, not again each night, but stay in reports."""
    rows = range(2, 6), ["C1", "C2", "C3", "C4"], list(map(payload, [33600000100, 33600000100, 33600000300, 33600000500]))
    for to_send, is_reported in ([], False), ([2, 3], False), ([1], True), ([0, 2], True):
        damage = Damage()
        damage.observe(*rows, to_send)
        warnings, checks = damage.signs(COLUMNS)
        assert bool(warnings) == is_reported
        assert checks == ["In “Mobile” (column D), 1 phone number belongs to several contacts (rows 2 and 3): check it."]


@pytest.mark.parametrize(
    ("same", "others", "is_reported"),
    [(MIN_SAME_DATES, 9, True), (MIN_SAME_DATES, 10, False), (MIN_SAME_DATES - 1, 0, False), (600, 500, True), (0, 30, False)],
)
def test_one_date_in_most_rows(same: int, others: int, *, is_reported: bool) -> None:
    """One date in most of many rows is reported with its column and count, whatever the others have."""
    damage = Damage()
    days = ["1970-01-01"] * same + [None if n % 2 else f"1980-01-{n % 28 + 1:02}" for n in range(others)]
    payloads = [tuple(day if field == "date" else None for field in FIELDS) for day in days]
    damage.observe(range(2, 2 + len(days)), [f"C{n}" for n in range(len(days))], payloads, [])
    sentence = f"In “Naissance” (column E), {same} of {same + others} rows have the same date: check them."
    assert damage.signs(COLUMNS)[0] == ([sentence] if is_reported else [])


def test_rounded_ids() -> None:
    """Long ids that all end in zeros were rounded, and each is reported."""
    ids = ["C1", "1234567890123450", "12345678901234500", "9876543210987650", "12345"]
    assert list(observed([None] * 5, ids).rounded()) == [3, 4, 5]


def test_long_ids_may_end_in_zeros() -> None:
    """One long id without zeros at its end proves that the column keeps all digits; a few long ids prove nothing."""
    rounded = [f"123456789012{number}00" for number in range(100, 120)]
    assert list(observed([None] * 21, [*rounded, "1234567890123456"]).rounded()) == []
    assert list(observed([None] * (MIN_ROUNDED - 1), rounded[: MIN_ROUNDED - 1]).rounded()) == []


USUAL = [Workload(1000, 10), Workload(1010, 40), Workload(1020, 0)]


@pytest.mark.parametrize(
    "current", [Workload(1015, 12), Workload(505, 12), Workload(2040, 60), Workload(1000, 120), Workload(1000, 199)]
)
def test_usual_run_is_not_reported(current: Workload) -> None:
    """A source that grows, shrinks or changes moderately is not reported."""
    assert deviations(USUAL, current) == []


@pytest.mark.parametrize(
    ("current", "sentence"),
    [
        (Workload(499, 12), "The source has 499 rows; the last 3 runs had 1000 to 1020: check that it is complete."),
        (Workload(2041, 12), "The source has 2041 rows; the last 3 runs had 1000 to 1020: check that it is complete."),
        (
            Workload(1000, 201),
            "201 of 1000 rows are new or changed; in the last 3 runs it was 4% at most: check that the columns ",
        ),
    ],
)
def test_unusual_run_is_reported(current: Workload, sentence: str) -> None:
    """Half the rows, twice the rows, or a fifth of them changed for the first time is reported with the figures."""
    (warning,) = deviations(USUAL, current)
    assert warning.startswith(sentence)


@pytest.mark.parametrize(
    ("earlier", "current"),
    [
        ([], Workload(10, 10)),
        ([Workload(1000, 0)] * 2, Workload(1, 1)),
        ([Workload(20, 0)] * 3, Workload(1, 1)),
        ([Workload(4, 0)] * 3, Workload(24, 20)),
        ([Workload(1000, 100), Workload(1000, 0), Workload(1000, 0)], Workload(1000, 300)),
        ([Workload(0, 0)] * 3, Workload(19, 19)),
    ],
)
def test_few_runs_or_rows_are_not_reported(earlier: list[Workload], current: Workload) -> None:
    """Few runs, few rows, or an earlier run with as many changes give no warning."""
    assert deviations(earlier, current) == []


def test_constant_number_of_rows_is_written_once() -> None:
    """A number of rows that never differed is written once, not as a range."""
    assert deviations([Workload(50, 0)] * 3, Workload(5, 0))[0].startswith("The source has 5 rows; the last 3 runs had 50:")
