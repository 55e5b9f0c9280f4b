"""Warnings about columns that look like a field and are not sent."""

import pytest

from .reading import read, sheet, text

MOBILES = [f"06 12 34 56 {number}" for number in range(10, 20)]
LANDLINES = [f"01 42 34 56 {number}" for number in range(10, 20)]
BIRTHS = [f"{number}/05/19{number + 40}" for number in range(10, 20)]
RECENT = [f"{number}/05/2024" for number in range(10, 20)]
REMARKS = ["rappeler", "a déménagé", "ok", "06", "2024"] * 2


def warnings(header: str, column: list[str], others: str = "custom1") -> list[str]:
    """Return the warnings about a source with a column of that header."""
    rows = [f"C{number};a;{cell}" for number, cell in enumerate(column)]
    return read(text(f"contactId;{others};{header}", *rows)).source.warnings


@pytest.mark.parametrize(
    ("header", "column", "field"),
    [
        ("Contact", MOBILES, "phoneNumber"),
        ("Contact", ["+33612345678"] * 9 + ["NC"], "phoneNumber"),
        ("Tél. domicile", LANDLINES, "phoneNumber"),
        ("Téléphone 2", MOBILES[:1], "phoneNumber"),
        ("Portable (conjoint)", [*MOBILES, *REMARKS[:5]], "phoneNumber"),
        ("Né(e)", BIRTHS, "date"),
        ("Date de naissance du contact", RECENT[:2], "date"),
        ("Prénom de l'enfant", ["Zoé", "Léa"], "firstname"),
        ("Nom de naissance", ["Dupont", "Martin"], "lastname"),
        ("Nom d'épouse", ["Dupont"], "lastname"),
        ("Nom actuel", ["Dupont"], "lastname"),
        ("Nom (nouveau)", ["Dupont"], "lastname"),
        ("Lien de suivi", ["https://example.com/1", ""], "url"),
    ],
)
def test_column_that_looks_like_a_field(header: str, column: list[str], field: str) -> None:
    """A column with the values of a field, or with a word and values that fit, is a warning."""
    advice = f'to send it, rename it to {field}, or give --map "{header}={field}".'
    expected = f"Column C “{header}” looks like {field} but is not sent: {advice}"
    assert warnings(header, column) == [expected]


@pytest.mark.parametrize(
    ("header", "column", "others"),
    [
        ("Contact", MOBILES, "Portable"),
        ("Contact", MOBILES[:4], "nom"),
        ("Contact", [*MOBILES, *REMARKS], "nom"),
        ("Contact", LANDLINES, "nom"),
        ("Remarques sur le téléphone", REMARKS, "nom"),
        ("Mobile du conjoint", [""], "nom"),
        ("Date de création", RECENT, "nom"),
        ("Lieu de naissance", REMARKS, "nom"),
        ("Code", ["75001"] * 9, "nom"),
        ("Lien de parenté", ["fille", "fils"], "nom"),
        ("Photo", ["https://example.com/1"] * 9, "nom"),
        ("Url de désinscription", ["https://example.com/1"] * 9, "nom"),
        ("Lien de désabonnement", ["https://example.com/1"] * 9, "nom"),
        ("Anniversaire de mariage", BIRTHS, "nom"),
        ("Nom du produit", ["Lampe", "Table"], "prénom"),
    ],
)
def test_other_columns(header: str, column: list[str], others: str) -> None:
    """A column of other values, or of a field that another column has, is no warning."""
    assert warnings(header, column, others) == []


@pytest.mark.parametrize("header", ["Nom et prénom", "Prénom Nom", "NOM Prénom", "Prénom / nom"])
def test_first_and_last_names_in_one_column(header: str) -> None:
    """A column of whole names is no first name: the warning says to divide it."""
    expected = f"Column C “{header}” has first and last names together, so it is not sent: make it two columns."
    assert warnings(header, ["Zoé Dupont", "Léa Martin"]) == [expected]


def test_workbook_is_warned_about_once() -> None:
    """A workbook gets the same warning, once."""
    rows = [["contactId", "nom", "Contact"], *([f"C{number}", "a", "0612345678"] for number in range(2500))]
    assert len(read(sheet(*rows), "contacts.xlsx").source.warnings) == 1


def test_value_is_not_named() -> None:
    """Where the header may be a contact, the warning names the column by its letter alone."""
    rows = [f"C{number};a;{cell}" for number, cell in enumerate(MOBILES)]
    (warning,) = read(text("Id;nom;0698765432", *rows)).source.warnings
    assert warning.startswith("Column C “…” looks like phoneNumber")
