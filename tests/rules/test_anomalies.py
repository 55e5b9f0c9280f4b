"""Damage that many cells together show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_sync.model import FIELDS, Workload
from contact_sync.rules.anomalies import CERTAIN, SERIES, Damage, deviations

Payload = tuple[str | None, ...]


def sends(phone: int | None) -> Payload:
    """What a row sends that has this telephone number."""
    return (None if phone is None else f"+{phone}", *[None] * (len(FIELDS) - 1))


def looked(phones: list[int | None], ids: list[str] | None = None, chunk: int = 1000) -> Damage:
    """What has looked at rows, numbered from 2, with these telephone numbers and contactIds."""
    damage = Damage()
    ids = ids or [f"C{number}" for number in range(len(phones))]
    for start in range(0, len(phones), chunk):
        some = slice(start, start + chunk)
        numbers = list(range(start + 2, start + 2 + len(phones[some])))
        damage.observe(numbers, ids[some], list(map(sends, phones[some])))
    return damage


def counting(length: int, start: int = 33600000001) -> list[int | None]:
    """Telephone numbers that count up by one."""
    return [start + step for step in range(length)]


@pytest.mark.parametrize("chunk", [1, 3, 4, 1000])
def test_a_number_dragged_down(chunk: int) -> None:
    """Numbers that count up by one are told with their rows, wherever a chunk ends."""
    others: list[int | None] = [33612000000, 33611000000, None]
    (warning,) = looked([*others, *counting(7), *others, *counting(SERIES)], chunk=chunk).warnings("D")
    assert warning.startswith("In rows 5 to 11, 15 to 19, column D, each phone number is the one above plus one")


def test_a_series_that_ends_with_a_chunk() -> None:
    """A number that goes on by chance where the next chunk ends, with others in between, is no part of the series."""
    phones = [*counting(4), 33600000900, 33600000700, 33600000005]
    assert looked(phones, chunk=4).warnings("D") == []


def test_many_series() -> None:
    """Of many series the first few are told, and how many more there are."""
    phones = [number for start in range(1, 6) for number in counting(SERIES, 33600000000 + 1000 * start)]
    (warning,) = looked(phones).warnings("B")
    assert "In rows 2 to 6, 7 to 11, 12 to 16 and 2 more times, column B" in warning


@given(st.lists(st.none() | st.integers(33600000000, 33600000008), max_size=40), st.integers(1, 9))
def test_a_series_is_one_long_enough(phones: list[int | None], chunk: int) -> None:
    """There is a warning exactly when so many numbers in a row count up by one."""
    expected = any(
        None not in phones[start : start + SERIES]
        and [number - phones[start] for number in phones[start : start + SERIES]] == list(range(SERIES))  # type: ignore[operator]
        for start in range(len(phones) - SERIES + 1)
    )
    assert bool(looked(phones, chunk=chunk).warnings("A")) == expected


def test_rounded_ids() -> None:
    """Long ids that all end in zeros were rounded, and each is told."""
    ids = ["C1", "1234567890123450", "12345678901234500", "9876543210987650", "12345"]
    assert list(looked([None] * 5, ids).rounded()) == [3, 4, 5]


def test_long_ids_by_chance() -> None:
    """One long id that ends otherwise shows that the column keeps all its digits; a few alone show nothing."""
    rounded = [f"123456789012{number}00" for number in range(100, 120)]
    assert list(looked([None] * 21, [*rounded, "1234567890123456"]).rounded()) == []
    assert list(looked([None] * (CERTAIN - 1), rounded[: CERTAIN - 1]).rounded()) == []


USUAL = [Workload(1000, 10), Workload(1010, 40), Workload(1020, 0)]


@pytest.mark.parametrize(
    "tonight", [Workload(1015, 12), Workload(505, 12), Workload(2040, 60), Workload(1000, 120), Workload(1000, 199)]
)
def test_a_night_like_the_others(tonight: Workload) -> None:
    """A source that grows, shrinks or changes somewhat more than it did is nothing to be told of."""
    assert deviations(USUAL, tonight) == []


@pytest.mark.parametrize(
    ("tonight", "sentence"),
    [
        (Workload(499, 12), "The source has 499 rows; the last 3 runs had 1000 to 1020: check that it is complete."),
        (Workload(2041, 12), "The source has 2041 rows; the last 3 runs had 1000 to 1020: check that it is complete."),
        (
            Workload(1000, 201),
            "201 of 1000 rows are new or changed; in the last 3 runs it was 4% at most: check that the columns ",
        ),
    ],
)
def test_a_night_unlike_all_others(tonight: Workload, sentence: str) -> None:
    """Half of the rows, twice the rows, or a fifth of them changed where that never happened, is told with the figures."""
    (told,) = deviations(USUAL, tonight)
    assert told.startswith(sentence)


@pytest.mark.parametrize(
    ("earlier", "tonight"),
    [
        ([], Workload(10, 10)),
        ([Workload(1000, 0)] * 2, Workload(1, 1)),
        ([Workload(20, 0)] * 3, Workload(1, 1)),
        ([Workload(4, 0)] * 3, Workload(24, 20)),
        ([Workload(1000, 100), Workload(1000, 0), Workload(1000, 0)], Workload(1000, 300)),
        ([Workload(0, 0)] * 3, Workload(19, 19)),
    ],
)
def test_too_little_to_tell(earlier: list[Workload], tonight: Workload) -> None:
    """Few nights, few rows, or a night among them that was like this one, tell nothing."""
    assert deviations(earlier, tonight) == []


def test_always_the_same_number_of_rows() -> None:
    """A number that never differed is written once."""
    assert deviations([Workload(50, 0)] * 3, Workload(5, 0))[0].startswith("The source has 5 rows; the last 3 runs had 50:")
