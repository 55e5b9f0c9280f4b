"""Rows of cells as one text: what most of them go through between the source and a report, at a fraction of the price of lists.

A mark stands before each row and before each further cell, so that one look at the whole tells whether any cell begins with a
character, or holds one.
"""

ROW_MARK, CELL_MARK = "\x1e", "\x1f"
"""What ASCII has for this purpose. A cell that holds one itself is kept by way of `ESCAPE`."""

ESCAPE = "\x1d"

_ESCAPED = {mark: f"{ESCAPE}{number}" for number, mark in enumerate((ESCAPE, ROW_MARK, CELL_MARK))}


def pack(rows: list[list[str]]) -> str:
    """Return rows of at least one cell as a text; `unpack` is its exact inverse."""
    text = _joined(rows)
    if ESCAPE not in text and text.count(ROW_MARK) + text.count(CELL_MARK) == sum(map(len, rows)):
        return text
    table = str.maketrans(_ESCAPED)
    return _joined([[cell.translate(table) for cell in row] for row in rows])


def _joined(rows: list[list[str]]) -> str:
    return ROW_MARK + ROW_MARK.join(map(CELL_MARK.join, rows))


def unpack(text: str) -> list[list[str]]:
    """Return the rows that `pack` was given."""
    rows = [row.split(CELL_MARK) for row in text[1:].split(ROW_MARK)]
    if ESCAPE in text:
        rows = [list(map(_unescaped, row)) for row in rows]
    return rows


def _unescaped(cell: str) -> str:
    for mark, escaped in reversed(_ESCAPED.items()):
        cell = cell.replace(escaped, mark)
    return cell
