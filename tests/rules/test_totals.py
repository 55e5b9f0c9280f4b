"""Totals rows whose label is not in the column of contactIds."""

import pytest

from contact_sync.rules.totals import find_totals

TOTALS = {
    "a label and a count": ["3", "", "Total", ""],
    "a label with a colon": ["", "3", "TOTAL :", "1 234,50 €"],
    "a count in the label": ["3", "Sous-total : 3", "", ""],
    "French": ["12", "Total général", "", "45 %"],
    "a sum": ["12", "somme", "", ""],
}
OTHERS = {
    "a contact of a company": ["C12", "Total", "", ""],
    "a contact with a first name": ["12", "Total", "Jean", ""],
    "a company's whole name": ["12", "Total Energies", "", ""],
    "a contact": ["12", "Dupont", "", ""],
    "numbers": ["12", "13", "", ""],
    "a blank row": ["", "", "", ""],
}


@pytest.mark.parametrize("row", TOTALS.values(), ids=TOTALS)
def test_totals_row(row: list[str]) -> None:
    """A row with a label of totals and otherwise only amounts is a totals row."""
    assert find_totals([["1", "Dupont", "", ""], row], [0, 1]) == [1]
    assert find_totals([row], []) == []


@pytest.mark.parametrize("row", OTHERS.values(), ids=OTHERS)
def test_other_row(row: list[str]) -> None:
    """A row with any other text is none."""
    assert find_totals([row], [0]) == []
