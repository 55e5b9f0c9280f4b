"""Totals rows whose label is not in the column of contactIds, where a count or a sum stands.

The evidence is the whole row: one of its cells is such a label, alone or with the name of what is counted, and the others are
amounts, labels or blank. A person whose name is Total has a phone number or another text in the row.
"""

import re
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import NamedTuple

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
_BEGINNINGS += ("ensemble", "minimum", "maximum", "ecart", "écart")
_LABEL = (
    r"(?:(?:sous|grand|sub)[\s_-]?)?(?:total|totaux|totals|ensemble|somme|sum|nombre|nbr?e?\.?|moyennes?|count|average|mean|minimum|maximum"
    r"|[ée]cart[\s-]type)"
)
_MAX_LABEL = 60


class _Patterns(NamedTuple):
    label: re.Pattern[str]
    amount: re.Pattern[str]


@cache
def _patterns() -> _Patterns:
    """Return the patterns, which most files need not wait for."""
    counted = "lignes?|rows?|contacts?|clients?|adh[ée]rents?|membres?|records?|enregistrements?"
    of = rf"g[ée]n[ée]ral|g[ée]n[ée]raux|total|{counted}|(?:de|des|du|d['\u2019]|of)\s*[\w ]{{2,30}}"
    return _Patterns(
        re.compile(rf"\s*{_LABEL}(?:[\s_]+(?:{of}))?\s*[:=]?[-+\d\s.,%€$£]*", re.IGNORECASE),
        re.compile(r"[-+\d\s.,%€$£]*(?:EUR|euros?)?\s*", re.IGNORECASE),
    )


def find_totals(rows: Sequence[Sequence[str]], phones: Sequence[str | None]) -> list[int]:
    """Return the positions of the rows without a phone number whose cells are a label of totals and otherwise only amounts."""
    if None not in phones:
        return []
    found = [at for at, phone in enumerate(phones) if phone is None]
    text = "\n" + "\n".join(chain.from_iterable([rows[at] for at in found])).lower()
    if not any(f"\n{word}" in text for word in _BEGINNINGS):
        return []
    return [at for at in found if _is_totals_row(rows[at])]


def _is_totals_row(row: Sequence[str]) -> bool:
    filled = [cell for cell in row if cell.strip()]
    return any(map(_is_label, filled)) and all(_patterns().amount.fullmatch(cell) or _is_label(cell) for cell in filled)


def _is_label(cell: str) -> bool:
    return len(cell) <= _MAX_LABEL and _patterns().label.fullmatch(cell) is not None
