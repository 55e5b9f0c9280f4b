"""Words in place of a value."""

import datetime as dt

import pytest

from contact_sync.model.fields import ID
from contact_sync.model.source import Chunk
from contact_sync.model.violation import Column
from contact_sync.rules.cells import read_id, read_text
from contact_sync.rules.columns import Policy, Validator
from contact_sync.rules.placeholders import NoValueWords


@pytest.mark.parametrize(
    "cell",
    [
        *(
            "Loading...",
            "Loading…",
            "loading..",
            "Chargement...",
            "Chargement …",
            "Chargement en cours...",
            "En cours de chargement...",
            "Wird geladen…",
            "Laden...",
        ),
        *(
            "Cargando...",
            "Caricamento...",
            "Carregando...",
            "Wczytywanie...",
            "Yükleniyor...",
            "Загрузка…",
            "正在加载…",
            "読み込み中...",
        ),
        *("#LOADING!", "#CHARGEMENT!", "#BUSY!"),
    ],
)
def test_cell_that_is_loading(cell: str) -> None:
    """A cell that was exported while the sheet loaded is flagged as a spreadsheet error, in every field."""
    for violation in (read_text(cell, "firstname").violation, read_text(cell, "custom1").violation, read_id(cell).violation):
        assert violation
        assert violation.code == "cell-error"
        assert violation.detail["error"] in cell


@pytest.mark.parametrize(
    "cell", ["ok", "Laden", "Loading", "Chargement", "Chargement du mardi...", "Laden & Fils", "etc...", "…"]
)
def test_words_without_dots_are_text(cell: str) -> None:
    """The word alone may be a name or a remark."""
    assert read_text(cell, "lastname").value == cell


def words(*columns: list[str]) -> NoValueWords:
    """Return the count of the columns, which are those of lastname, firstname, custom1."""
    counted = NoValueWords()
    for field, cells in zip(COLUMNS, columns, strict=False):
        for start in range(0, len(cells), 1000):
            counted.observe(field, [cell.strip() for cell in cells[start : start + 1000]], [])
    return counted


COLUMNS = {"lastname": Column("Nom", "B"), "firstname": Column("Prénom", "C"), "custom1": Column("custom1", "D")}


@pytest.mark.parametrize(
    "word",
    [
        "NULL",
        "nan",
        "None",
        "undefined",
        "[object Object]",
        "N/A",
        "<null>",
        "(null)",
        "\\N",
        " null ",
        "NaT",
        "(vide)",
        "System.Object",
    ],
)
def test_column_of_words_is_counted(word: str) -> None:
    """A column that has such a word in many rows is named with its header, the word and the count."""
    counted = words(["Dupont", word, word] * 10)
    assert counted.counts(30) == {"lastname": 20}
    [warning] = counted.warnings(30, COLUMNS)
    assert "20 of 30 rows" in warning
    assert f"{word.strip()} in “Nom” (column B)" in warning


def test_different_words_are_added_up() -> None:
    """Programs mix their words for no value; the most frequent ones are named."""
    [warning] = words(["NULL", "nan", "None", "NULL", "N/A", "nan", "NULL", "None", "x"]).warnings(9, COLUMNS)
    assert warning.startswith("8 of 9 rows have NULL, nan, None in “Nom” (column B)")


@pytest.mark.parametrize("names", [["Null"], ["Null", "None"], ["Durand", "Null", "None"], [*["Durand"] * 100, *["Null"] * 9]])
def test_people_of_that_name_are_not_a_sign(names: list[str]) -> None:
    """A few people called Null or None are people."""
    assert words(names).counts(len(names)) == {}
    assert not words(names).warnings(len(names), COLUMNS)


def test_words_far_down_are_counted() -> None:
    """Words that begin after thousands of names are counted as well."""
    cells = ["Durand"] * 5000 + ["NULL"] * 3000
    assert words(["x"] * 8000, cells).counts(8000) == {"firstname": 3000}


@pytest.mark.parametrize("kept", [1, 16])
def test_every_row_is_counted(kept: int) -> None:
    """No row is left out of the count, whichever rows have names."""
    cells = ["Durand" if row % kept == 0 and row < 3 * kept else "NULL" for row in range(40)]
    assert words(cells).counts(40) == {"lastname": 37}
    assert words(["Durand" if row % 16 == 0 else "Null" for row in range(4000)]).counts(4000) == {"lastname": 3750}


@pytest.mark.parametrize(
    "word", ["-", "--", ".", "NC", "n/c", "N/C", "inconnu", "Inconnue", "vide", "Néant", "???", "XXX", "#", "—", "Non renseigné"]
)
def test_fillers_are_counted_in_names(word: str) -> None:
    """What people write in place of a name counts in a name; in a custom field it may be meant, and most of a column is named."""
    counted = words(["Durand", word, word, word, "Petit"], ["Zoé"] * 5, ["Oui", word, word, "Non", ""])
    assert counted.counts(5) == {"lastname": 3}
    assert ["column B" in warning for warning in counted.warnings(5, COLUMNS)] == [True]
    [warning] = words(["Durand"] * 9, ["Zoé"] * 9, [*[word] * 8, "Oui"]).warnings(9, COLUMNS)
    assert warning.startswith(f"8 of 9 rows have {word} in “custom1” (column D)")


@pytest.mark.parametrize("name", ["Li", "X.", "Vidal", "Sans", "Ng", "O", "N’C"])
def test_names_are_not_fillers(name: str) -> None:
    """Short names are names."""
    assert words([name] * 9).warnings(9, COLUMNS) == []


def codes(mapping: dict[str, int], row: list[str]) -> list[tuple[str, str]]:
    """Return field and code of the violations of a row among people."""
    person = ["x", "0612345678", "Zoé", "Durand", "Lyon"]
    verdicts = Validator(mapping, Policy(today=dt.date(2026, 11, 29))).validate(Chunk([2, 3], [person, row]))
    return [(violation.field, violation.code) for violation in verdicts.violations.get(1, [])]


ALL = {ID: 0, "phoneNumber": 1, "firstname": 2, "lastname": 3, "custom1": 4}


def test_row_of_words_is_flagged() -> None:
    """A row with nothing but words for no value in two texts or more, one of them a name, would replace a person by them."""
    assert codes(ALL, ["C1", "", "NULL", "null", "None"]) == [
        (field, "cell-null") for field in ("firstname", "lastname", "custom1")
    ]
    assert codes(ALL, ["C1", "0612345678", "-", "-", ""]) == [("firstname", "cell-null"), ("lastname", "cell-null")]
    assert codes(ALL, ["C1", "", "", "nan", "N/A"]) == [("lastname", "cell-null"), ("custom1", "cell-null")]


@pytest.mark.parametrize(
    "row",
    [
        ["C1", "", "", "Null", ""],
        ["C1", "0612345678", "Zoé", "Null", "-"],
        ["C1", "", "Null", "", "Lyon"],
        ["C1", "0612345678", "", "", "-"],
    ],
)
def test_row_with_a_word_is_sent(row: list[str]) -> None:
    """One such word, or another text beside it, is a name or a remark."""
    assert codes(ALL, row) == []


def test_validator_counts_every_column() -> None:
    """The words are counted in each column that is read, also in one where they are violations."""
    validator = Validator({ID: 0, "phoneNumber": 1, "custom1": 2}, Policy(today=dt.date(2026, 11, 29)))
    validator.validate(Chunk(list(range(2, 12)), [[f"C{n}", "NULL", "undefined"] for n in range(10)]))
    assert validator.no_value_words.counts(10) == {"phoneNumber": 10, "custom1": 10}
