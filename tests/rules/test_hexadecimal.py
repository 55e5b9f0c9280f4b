"""Hexadecimal contactIds among which some look like numbers in scientific notation."""

import datetime as dt

import pytest

from contact_sync.model import ID, Chunk
from contact_sync.rules.columns import Policy, Validator
from contact_sync.rules.hexadecimal import is_hexadecimal_column

HEXADECIMAL = ["3fa94c01", "9b1d22e7", "1234e567", "5e10", "12E3", "00e1", "7e5a90bb", "8E02"]


def ids(*chunks: list[str]) -> list[str]:
    """Return the contactIds that are read from these chunks of them."""
    validator = Validator({ID: 0, "lastname": 1}, Policy(today=dt.date(2026, 1, 1)))
    return [
        contact
        for cells in chunks
        for contact in validator.validate(Chunk(list(range(len(cells))), [[cell, "Roux"] for cell in cells])).ids
    ]


def test_hexadecimal_ids_are_read() -> None:
    """Among hexadecimal ids, digits around one e are an id."""
    assert ids(HEXADECIMAL) == HEXADECIMAL
    assert ids([*HEXADECIMAL[:3], " 5e10 ", ""]) == [*HEXADECIMAL[:3], "5e10", ""]


@pytest.mark.parametrize("other", ["1,23457E+15", "1.5e10", "5e+10", "1E-5"])
def test_number_in_a_hexadecimal_column_is_damaged(other: str) -> None:
    """What only a number has, a sign or a decimal mark, is damage in any column."""
    assert ids([*HEXADECIMAL * 2, other])[-1] == ""


@pytest.mark.parametrize("others", [["101", "102"], ["C0001", "C0002"], ["A1-7f", "zz", "3fa94c01"], ["1e5", "2e5"], []])
def test_other_columns_prove_nothing(others: list[str]) -> None:
    """Among numbers, ids with a prefix and other ids, digits around one e are damage."""
    assert ids([*others * 5, "5e10"])[-1] == ""


def test_evidence_of_the_chunk_before_counts() -> None:
    """The few ids of a last chunk are read as the many before them."""
    assert ids(HEXADECIMAL, ["5e10"])[-1] == "5e10"


def test_a_few_other_rows_do_not_count() -> None:
    """A total or a damaged id among many hexadecimal ones changes nothing."""
    assert is_hexadecimal_column([*HEXADECIMAL * 3, "Total", "1,2E+15"])
    assert not is_hexadecimal_column(["3fa94c01", "1234e567"])
