"""What a text was before a spreadsheet converted it."""

import pytest

from contact_sync.rules.conversions import is_shortened, originals


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("0071", "71"),
        ("0000111", "111"),
        ("+33612345678", "33612345678"),
        ("12.0", "12"),
        ("1,50", "1,5"),
        ("1.50", "1,5"),
        ("2020-01-02", "02/01/2020"),
        ("2020-01-02", "1/2/2020"),
        ("01.02.2020", "01/02/2020"),
        ("1/2/2020", "01/02/2020"),
        ("true", "TRUE"),
        ("Vrai", "VRAI"),
    ],
)
def test_conversions(before: str, after: str) -> None:
    """The text before is one of those of which a spreadsheet makes the text after."""
    assert before in list(originals(after))


@pytest.mark.parametrize("text", ["", "Anna", "71a", "0x1", "gold", "1.2.3", "٧"])
def test_other_texts(text: str) -> None:
    """A text that no spreadsheet makes of another has no originals."""
    assert list(originals(text)) == []


def test_scientific_notation() -> None:
    """Scientific notation counts with its sign alone: 1E3 may be a code."""
    assert [is_shortened(text) for text in ("1.23E+15", "1E+20", "1E3", "3,3612E+10")] == [True, True, False, True]
