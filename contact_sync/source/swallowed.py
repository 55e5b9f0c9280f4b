"""Rows of a CSV that became text of one cell: a stray quote at the start of a cell encloses all up to the next one.

A cell of several lines is right, whatever is in them, unless the record is a whole row up to its line break, and so is a later
line: with as many cells, of which that of the id has the form of other ids of the file.
"""

import re
from collections.abc import Sequence

from contact_sync.source.records import BREAK


def find_swallowed(rows: Sequence[Sequence[str]], width: int, delimiter: str, id_at: int) -> tuple[int, int, int] | None:
    """Return the position of the first of `rows` with others in a cell, and the line breaks up to that cell and up to its end.

    `width` is the number of cells of the header, `id_at` the position of the id.
    """
    forms, lengths = set[str](), range(0)
    for position, row in enumerate(rows):
        for column, cell in enumerate(row):
            if delimiter not in cell:
                continue
            first, *others = (line.split(delimiter) for line in BREAK.split(cell))
            opening = [*row[:column], *first]
            if not others or len(opening) not in (width, len(row)) or len(opening) <= id_at:
                continue
            others[-1].extend(row[column + 1 :])
            # After a delimiter, a text has a space: 12, rue de la Paix.
            found = [one[id_at] for one in others if len(one) == len(opening) and not _has_spaces(one, opening)]
            if found and not forms:
                ids = [one[id_at] for one in (*rows, opening) if len(one) > id_at and one[id_at].strip()]
                forms, lengths = set(map(_form, ids)), range(min(map(len, ids)), max(map(len, ids)) + 1)
            if any(_form(text) in forms and len(text) in lengths for text in found):
                before = sum(len(BREAK.findall(other)) for other in row[:column])
                return position, before, before + len(others)
    return None


def _form(text: str) -> str:
    """Return the kinds of characters of an id, which the ids of a file share and a sentence does not."""
    return "".join(sorted(set(re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "0", text)))))


def _has_spaces(row: Sequence[str], opening: Sequence[str]) -> bool:
    """Return True when cells begin with a space, unlike those of the row that the quote is in."""
    return any(cell[:1] == " " for cell in row[1:]) and not any(cell[:1] == " " for cell in opening[1:])
