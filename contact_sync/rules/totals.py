"""Totals rows whose label is not in the column of contactIds, where a count or a sum stands.

The evidence is the whole row: one of its cells is such a label, alone or with the name of what is counted, and the others are
amounts, labels or blank. A person whose name is Total has a phone number or another text in the row.
"""

import re
from collections.abc import Sequence
from itertools import chain

# What Excel, LibreOffice and Google Sheets write into totals rows in English and French.
_BEGINNINGS: tuple[str, ...] = (
    "total",
    "totaux",
    "sous",
    "grand",
    "sub",
    "somme",
    "sum",
    "nb",
    "nombre",
    "moyenne",
    "count",
    "average",
    "mean",
)
_BEGINNINGS += ("minimum", "maximum", "ecart", "écart")
_LABEL = (
    r"(?:(?:sous|grand|sub)[\s-]?)?(?:total|totaux|totals|somme|sum|nombre|nbr?e?\.?|moyennes?|count|average|mean|minimum|maximum"
    r"|[ée]cart[\s-]type)"
)
_is_label = re.compile(
    rf"\s*{_LABEL}"
    r"(?:\s+(?:g[ée]n[ée]ral|g[ée]n[ée]raux|total|lignes?|rows?|contacts?|clients?|adh[ée]rents?|membres?|records?|enregistrements?"
    r"|(?:de|des|du|d['\u2019]|of)\s*[\w ]{2,30}))?"
    r"\s*[:=]?[-+\d\s.,%€$£]*",
    re.IGNORECASE,
).fullmatch
_is_amount = re.compile(r"[-+\d\s.,%€$£\u202f\xa0]*(?:EUR|euros?)?\s*", re.IGNORECASE).fullmatch
_MAX_LABEL = 60


def find_totals(rows: Sequence[Sequence[str]], phones: Sequence[str | None]) -> list[int]:
    """Return the positions of the rows without a phone number whose cells are a label of totals and otherwise only amounts."""
    if None not in phones:
        return []
    text = "\n" + "\n".join(chain.from_iterable(rows)).lower()
    if not any(f"\n{word}" in text for word in _BEGINNINGS):
        return []
    return [at for at, phone in enumerate(phones) if phone is None and _is_totals_row(rows[at])]


def _is_totals_row(row: Sequence[str]) -> bool:
    filled = [cell for cell in row if cell.strip()]
    if len(filled) < 2 or not any(map(_is_label_cell, filled)):  # noqa: PLR2004 - a label and an amount
        return False
    return all(_is_amount(cell) or _is_label_cell(cell) for cell in filled)


def _is_label_cell(cell: str) -> bool:
    return len(cell) <= _MAX_LABEL and _is_label(cell) is not None
