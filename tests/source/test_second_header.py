"""Headers among the data rows, in every kind of file."""

from pathlib import Path

import pytest

from contact_sync.errors import SourceError
from contact_sync.source.second_header import HeaderSearch

from .test_manifest import judge, sent
from .writing import WRITERS

HEAD = ["contactId", "firstname", "lastname"]
JEAN, ZOE = ["C1", "Jean", "Dupont"], ["C2", "Zoé", "Martin"]


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("second", ["ID;First name;Last name", "Identifiant;Prénom;Nom", "Contact ID;PRÉNOM;Nom de famille"])
def test_header_with_other_names(kind: str, second: str, tmp_path: Path) -> None:
    """A header of the same fields in the same order is flagged under any of their names, and the rows around it are sent."""
    expected = {
        2: sent("C1", firstname="Jean", lastname="Dupont"),
        3: "header-again",
        4: sent("C2", firstname="Zoé", lastname="Martin"),
    }
    assert judge(WRITERS[kind]([HEAD, JEAN, second.split(";"), ZOE]), tmp_path) == expected


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("second", ["contactId;lastname;firstname", "lastname;firstname;contactId", "contactId;firstname;E-mail"])
def test_header_with_other_columns(kind: str, second: str, tmp_path: Path) -> None:
    """A header whose fields are in other columns refuses the file, since the values below it would go into wrong fields."""
    with pytest.raises(SourceError, match=r"contacts\.csv: row 3 is a second header"):
        judge(WRITERS[kind]([HEAD, JEAN, second.split(";"), ZOE]), tmp_path)


@pytest.mark.parametrize(
    ("columns", "mapping", "row", "found"),
    [
        (["Réf", "Nom"], {"contactId": 0, "lastname": 1}, ["Réf", "Nom"], {0: True}),
        (["Réf", "Nom", "Tel", "Mobile"], {"contactId": 0, "phoneNumber": 3}, ["Réf", "Nom", "Tel", "Mobile"], {0: True}),
        (["Réf", "Nom", "Prénom"], {"contactId": 0, "lastname": 1, "firstname": 2}, ["Réf", "Prénom", "Nom"], {0: False}),
        (["id", "tel", "ville"], {"contactId": 0, "phoneNumber": 1}, ["ID", "Mobile", "Pays"], {0: True}),
        (["id", "tel", "ville"], {"contactId": 0, "phoneNumber": 1}, ["id", "ville", "Pays"], {}),
    ],
)
def test_names_of_the_first_header(columns: list[str], mapping: dict[str, int], row: list[str], found: dict[int, bool]) -> None:
    """The names of the first header mean in a further one what they mean in the first, also where --map says so."""
    assert HeaderSearch(columns, mapping).find([row]) == found


@pytest.mark.parametrize(
    "contact",
    [
        ["C4", "Nom", "Portable"],
        ["C4", "Prénom", "Nom"],
        ["id", "Jean", "Dupont"],
        ["C7", "ID", "Mobile"],
        ["dupont", "Nom", "Martin"],
        ["dupont", "Mobile", "Site"],
        ["dupont", "Prénom", "Nom", "jean@example.org"],
        ["", "Nom", "Jean"],
    ],
)
def test_contact_with_a_word_of_a_header(contact: list[str]) -> None:
    """A contact whose cells are words of a header is none."""
    assert HeaderSearch(HEAD, {name: at for at, name in enumerate(HEAD)}).find([contact]) == {}


FULL = {"contactId": 0, "phoneNumber": 1, "lastname": 2, "firstname": 3}


@pytest.mark.parametrize("id_name", ["Code", "Réf client", "contact", "", "N° de dossier", "client id"])
def test_any_name_of_the_id(id_name: str) -> None:
    """Two names of fields make a header whatever the cell of the id says, and its order decides."""
    search = HeaderSearch([*FULL], FULL)
    contact = ["C1", "0612345678", "Nom", "Jean"]
    same, other = [id_name, "Mobile", "Nom", "Prénom"], [id_name, "Portable", "Prénom", "Nom de famille"]
    assert search.find([contact, same, contact, other]) == {1: True, 3: False}


def test_name_that_is_not_known() -> None:
    """A header with an unknown name in the column of a field is not that of the first."""
    assert HeaderSearch([*FULL], FULL).find([["Réf client", "Portable", "Nom de famille", "Petit nom"]]) == {0: False}


def test_renamed_id_in_capitals() -> None:
    """The name that --map gives the id is found in any spelling."""
    search = HeaderSearch(["Réf client", "Prénom", "Nom"], {"contactId": 0, "firstname": 1, "lastname": 2})
    assert search.find([["REF CLIENT", "PRENOM", "NOM"], ["ref. client", "NOM", "PRENOM"]]) == {0: True, 1: False}
