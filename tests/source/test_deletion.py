"""Rows that somebody has marked for deletion: struck through, or with words, in every kind of file."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import xlwt
from openpyxl.styles import Font

from .reading import edit_parts, read, sheet
from .test_manifest import judge, sent
from .writing import WRITERS, cell, cell_record, ods, row, row_records, table, wide_string, xls, xlsb

HEAD = ["contactId", "Prénom", "Perso 1", "Remarque"]
ZOE = sent("C2", firstname="Zoé")
DELETED = "row-deleted"
ON_ID = "row-deleted contactId"


WORDS = ["A SUPPRIMER", "À supprimer", "supprimé", "** A\u0300 SUPPRIMER ! **", " Supprimée "]
WORDS += ["to delete", "DELETED", "to be deleted"]


@pytest.mark.parametrize("kind", WRITERS)
def test_words_in_a_column_that_is_not_sent(kind: str, tmp_path: Path) -> None:
    """A row with a cell that says only that it is to be deleted is flagged, and the rows around it are sent."""
    marked = [[f"C1{number}", "Léa", "", words] for number, words in enumerate(WORDS)]
    rows = [HEAD, *marked, ["C2", "Zoé", "", ""]]
    assert judge(WRITERS[kind](rows), tmp_path) == {**dict.fromkeys(range(2, 10), DELETED), 10: ZOE}


@pytest.mark.parametrize(
    ("cells", "flaw"),
    [
        (["A SUPPRIMER", "Léa"], "row-deleted contactId"),
        (["C1", "A SUPPRIMER"], "row-deleted firstname"),
        (["C1", "Léa", "deleted"], "row-deleted custom1"),
    ],
)
def test_words_in_a_field(cells: list[str], flaw: str, tmp_path: Path) -> None:
    """A mark in a cell that would be sent is a flaw of that cell."""
    assert judge(WRITERS["csv"]([HEAD, [*cells, "", ""][:4], ["C2", "Zoé", "", ""]]), tmp_path) == {2: flaw, 3: ZOE}


@pytest.mark.parametrize(
    "remark", ["ne pas supprimer", "supprimer l'ancien numéro", "Deleted Scenes", "non supprimé", "delete key"]
)
def test_words_among_others(remark: str, tmp_path: Path) -> None:
    """Other texts with such a word are no mark."""
    assert judge(WRITERS["csv"]([HEAD, ["C2", "Zoé", "", remark]]), tmp_path) == {2: ZOE}


def test_a_custom_field_with_that_value(tmp_path: Path) -> None:
    """A custom field that says so in most rows has it as a value; a column that is not sent has no values."""
    states = ["deleted", "active", "deleted", "deleted"]
    rows = [[f"C{at}", "", state, ""] for at, state in enumerate(states, 2)]
    assert judge(WRITERS["csv"]([HEAD, *rows]), tmp_path) == {at: sent(f"C{at}", custom1=states[at - 2]) for at in range(2, 6)}
    rows = [[cells[0], "Zoé", "", cells[2]] for cells in rows]
    assert [*judge(WRITERS["csv"]([HEAD, *rows]), tmp_path).values()].count(DELETED) == 3


def test_the_row_that_stays_of_two(tmp_path: Path) -> None:
    """Of two rows of one contact, the one without a mark is sent, whatever the other says."""
    for at in (1, 3):
        marked = ["C2", "Zoe", "", ""]
        marked[at] = "à supprimer"
        found = judge(WRITERS["csv"]([HEAD, ["C2", "Zoé", "", ""], marked]), tmp_path)
        assert found == {2: ZOE, 3: "row-deleted firstname" if at == 1 else DELETED}


def test_the_sentence() -> None:
    """The sentence says what the mark is, and offers to delete the row or to remove the mark."""
    reading = read(struck_xlsx([[1, 1]]), "contacts.xlsx")
    assert reading.messages == ["The row is marked for deletion (struck through): delete it, or remove the mark to have it sent."]


# ---- struck through

Marks = Sequence[Sequence[int]]
"""For each row below the header, 1 where a cell is struck through."""
CELLS = ["C1", "Léa"], ["C2", "Zoé"]


def struck_xlsx(marks: Marks) -> bytes:
    """Return an .xlsx with these cells struck through."""

    def change(contacts: Any) -> None:
        for at, flags in enumerate(marks, 2):
            for column, flag in enumerate(flags, 1):
                if flag:
                    contacts.cell(at, column).font = Font(strike=True)

    return sheet(HEAD[:2], *CELLS[: len(marks)], change=change)


def struck_xls(marks: Marks) -> bytes:
    """Return the same as an .xls."""

    def change(book: Any) -> None:
        for at, flags in enumerate(marks):
            for column, flag in enumerate(flags):
                book.write(at + 1, column, CELLS[at][column], xlwt.easyxf("font: struck_out on" if flag else ""))

    return xls(HEAD[:2], change=change)


def struck_xlsb(marks: Marks) -> bytes:
    """Return the same as an .xlsb."""
    rows = [
        row_records(at + 1, *(cell_record(c, 6, wide_string(CELLS[at][c]), style=flag) for c, flag in enumerate(flags)))
        for at, flags in enumerate(marks)
    ]
    return xlsb(row_records(0, *HEAD[:2]), *rows, formats=[0], struck=[1])


def struck_ods(marks: Marks) -> bytes:
    """Return the same as an .ods."""
    styles = (
        '<style:style style:name="ce1"><style:text-properties style:text-line-through-style="solid"/></style:style>'
        '<style:style style:name="ce0"><style:text-properties style:text-line-through-style="none"/></style:style>'
    )
    rows = [row(*(cell(CELLS[at][c], style_name=f"ce{flag}") for c, flag in enumerate(flags))) for at, flags in enumerate(marks)]
    return ods(table(row(*HEAD[:2]), *rows), styles=styles)


STRUCK: dict[str, Callable[[Marks], bytes]] = {"xlsx": struck_xlsx, "xls": struck_xls, "xlsb": struck_xlsb, "ods": struck_ods}


@pytest.mark.parametrize("kind", STRUCK)
def test_a_row_that_is_struck_through(kind: str, tmp_path: Path) -> None:
    """A row whose cells, or whose id, are struck through is flagged; one with another such cell is not."""
    assert judge(STRUCK[kind]([[1, 1], [0, 0]]), tmp_path) == {2: ON_ID, 3: ZOE}
    assert judge(STRUCK[kind]([[1, 0], [0, 1]]), tmp_path) == {2: ON_ID, 3: ZOE}


def test_a_row_without_an_id(tmp_path: Path) -> None:
    """A row without an id is struck through where all its cells are."""

    def change(contacts: Any) -> None:
        for place in ("B2", "C2", "B3"):
            contacts[place].font = Font(strike=True)

    rows = [None, "Léa", "a"], [None, "Zoé", "b"]
    assert judge(sheet(HEAD[:3], *rows, change=change), tmp_path) == {2: ON_ID, 3: "id-missing contactId"}


@pytest.mark.parametrize("kind", ["xls", "xlsx"])
def test_an_id_that_is_missing(kind: str, tmp_path: Path) -> None:
    """A row without an id is not taken for struck through because another row of the file is."""
    if kind == "xls":

        def write(book: Any) -> None:
            book.write(1, 1, "Léa")
            for column in (0, 1):
                book.write(2, column, CELLS[1][column], xlwt.easyxf("font: struck_out on"))

        found = judge(xls(HEAD[:2], change=write), tmp_path)
    else:
        marks = sheet(HEAD[:2], [None, "Léa"], CELLS[1], change=lambda contacts: strike(contacts["A3"], contacts["B3"]))
        found = judge(marks, tmp_path)
    assert found == {2: "id-missing contactId", 3: ON_ID}


def strike(*cells: Any) -> None:
    """Strike cells of an .xlsx through."""
    for struck in cells:
        struck.font = Font(strike=True)


def test_a_font_that_says_no(tmp_path: Path) -> None:
    """A font may say that it does not strike through."""
    struck = struck_xlsx([[1, 1]])
    styles = edit_parts(struck, {"xl/styles.xml": lambda part: part.replace(b'<strike val="1"', b'<strike val="0"')})
    assert judge(styles, tmp_path) == {2: sent("C1", firstname="Léa")}
