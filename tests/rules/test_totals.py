"""Totals rows whose label is not in the id column."""

import datetime as dt

import pytest

from contact_sync.model.fields import ID
from contact_sync.model.source import Chunk
from contact_sync.rules.columns import Policy, Validator

MAPPING = {"lastname": 0, "firstname": 1, ID: 2, "phoneNumber": 3, "custom1": 4}
PLAIN = ["Dupré", "Zoé", "101", "0612345601", "Lyon"]


def codes(row: list[str], mapping: dict[str, int] = MAPPING) -> list[str]:
    """Return the codes of the violations of a row among plain ones."""
    verdicts = Validator(mapping, Policy(today=dt.date(2026, 1, 1))).validate(Chunk([2, 3, 4], [PLAIN, row, PLAIN]))
    assert set(verdicts.violations) <= {1}
    assert not verdicts.violations or verdicts.ids[1] == ""
    return [violation.code for violation in verdicts.violations.get(1, [])]


@pytest.mark.parametrize(
    "label",
    [
        *("Total", "TOTAL", "Total :", "Totaux", "Somme", "Sous-total", "Sous total", "Grand total", "Total général", "Subtotal"),
        *("Nombre", "Nombre de contacts", "Moyenne", "Count", "Average", "Sum", "Minimum", "Total contacts", "Total des clients"),
        *("Total: 3", "Nb", "Nb de lignes", "Écart-type", "Ensemble", "TOTAL_GENERAL", "Sub_total", "Ensemble des clients"),
    ],
)
def test_totals_row_is_flagged(label: str) -> None:
    """A label of totals with amounts only is no contact."""
    assert codes([label, "", "3", "", ""])[0] == "id-total"
    assert codes([label, "", "1 234,50 €", "", ""])[0] == "id-total"
    assert codes(["", label, "3", "", "12 %"])[0] == "id-total"
    assert codes([label, "", "3", "3", ""])[0] == "id-total"


@pytest.mark.parametrize(
    "row",
    [
        ["Total", "Zoé", "104", "", ""],
        ["Total", "", "104", "0612345604", ""],
        ["Total", "", "C104", "", ""],
        ["Sommet", "", "104", "", ""],
        ["Nombret", "", "104", "", ""],
        ["Counter", "", "104", "", ""],
        ["Grand", "", "104", "", ""],
        ["Roux", "Total", "104", "", ""],
        ["Roux", "Zoé", "Ensemble", "", ""],
        ["Ensemble", "", "104", "0612345604", ""],
    ],
)
def test_person_is_not_a_total(row: list[str]) -> None:
    """A person with the name of a label has another text or a phone number in the row."""
    assert codes(row) == []


@pytest.mark.parametrize("label", ["Ensemble", "Totaux", "Subtotal", "TOTAL_GENERAL"])
def test_label_in_the_column_of_ids(label: str) -> None:
    """A label in place of the contactId is no contact either."""
    assert codes(["", "", label, "", "42"]) == ["id-total"]


def test_totals_row_without_phone_numbers() -> None:
    """A source without phone numbers has totals rows too."""
    assert codes(["Total", "", "3", "", ""], {ID: 2, "lastname": 0}) == ["id-total"]
