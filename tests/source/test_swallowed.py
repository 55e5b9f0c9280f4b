"""Stray quotes in a CSV, which make rows text of a cell."""

import pytest

from contact_sync.errors import SourceError

from .reading import read, text

HEAD = "contactId;firstname;remark"

SWALLOWED = {
    "up to the same column": ([HEAD, "C1;Al;x", 'C2;Bob;"note', "C3;Carl;x", 'C4;Dan;y"', "C5;Eve;z"], 3, 5),
    "only the next row": ([HEAD, "C1;Al;x", 'C2;Bob;"note', 'C3;Dan;y"'], 3, 4),
    "up to another column": ([HEAD, "C1;Al;x", 'C2;Bob;"note', "C3;Carl;x", 'C4;Dan";y', *["C5;Eve;z"] * 3], 3, 5),
    "in a column that is sent": ([HEAD, 'C2;"Bob;note', 'C3;Dan";y'], 2, 3),
    "in the first column": (["firstname;contactId;remark", '"Bob;C2;x', 'Dan";C3;y'], 2, 3),
    "in the column of ids": ([HEAD, '"C2;Bob;x', 'C3";Dan;y', "C4;Eve;z"], 2, 3),
    "in rows without their last cells": ([HEAD + ";more", 'C2;Bob;"note', 'C3;Dan;y"'], 2, 3),
    "in two columns": (["contactId;lastname", "C1;a", 'C2;"b', "C3;c", 'C4;d"'], 3, 5),
    "numbers as ids": ([HEAD, "1001;Al;x", '1002;Bob;"note', "1003;Carl;x", '1004;Dan;y"'], 3, 5),
    "commas": ([line.replace(";", ",") for line in (HEAD, "1001;Al;x", '1002;Bob;"note', '1003;Dan;y"')], 3, 4),
    "below a cell of several lines": ([HEAD, 'C1;Al;"one', 'two"', '"C2', '";Bob;"note', 'C3;Carl;x"'], 5, 6),
    "far down": ([HEAD, *["C1;Al;x"] * 2500, 'C2;Bob;"note', 'C3;Dan;y"'], 2502, 2503),
}


@pytest.mark.parametrize(("lines", "first", "last"), SWALLOWED.values(), ids=SWALLOWED)
def test_quote_around_rows(lines: list[str], first: int, last: int) -> None:
    """A quote that encloses whole rows refuses the file, with the lines of the quote."""
    with pytest.raises(SourceError, match=rf"opens on line {first} encloses whole rows up to line {last},"):
        read(text(*lines))


@pytest.mark.parametrize(
    ("head", "cell"),
    [
        (HEAD, "Rappeler demain\r\nAprès 18 h; pas avant\r\nDemander M. X;Y"),
        (HEAD, "12 rue de la Paix\r\n75001 Paris"),
        (HEAD, "Livraison;\r\nC3"),
        (HEAD, "Nom;Prénom;Ville\r\nMerci;de;rappeler"),
        (HEAD, "Qté;Prix;Total\r\n2;30;60"),
        (HEAD.replace(";", ","), "Chez Anne\r\n12, rue de la Paix, Paris"),
        (HEAD.replace(";", ","), "Appeler;\r\nla famille,les voisins,tous"),
        (HEAD, "voir C3\r\n\r\nC3 et C4 sont voisins;;"),
    ],
)
def test_cell_of_several_lines(head: str, cell: str) -> None:
    """A remark of several lines is one cell, whatever it contains."""
    delimiter = head[len("contactId")]
    rows = read(text(head, *(f'{name}{delimiter}Bob{delimiter}"{cell}"' for name in ("C1", "5", "1002")))).rows
    assert [row[2] for row in rows] == [cell] * 3
