"""Totals rows whose label is not in the column of contactIds, where a count or a sum stands."""

import re
from collections.abc import Iterable, Sequence
from itertools import chain

_WORDS = ("total", "somme")
_is_label = re.compile(
    r"\s*(?:(?:sous|grand)[\s-]?)?(?:total(?:\s+g[eé]n[eé]ral)?|somme)\s*[:=]?[\d\s.,]*", re.IGNORECASE
).fullmatch
_is_amount = re.compile(r"[-+\d\s.,%€$£]*").fullmatch


def find_totals(rows: Sequence[Sequence[str]], candidates: Iterable[int]) -> list[int]:
    """Return those of the `candidates`, positions of rows, whose cells are a label of totals and otherwise only amounts."""
    found = [(at, rows[at]) for at in candidates]
    text = "\n".join(chain.from_iterable(row for _, row in found)).lower()
    if not any(word in text for word in _WORDS):
        return []
    return [at for at, row in found if any(map(_is_label, row)) and all(map(_is_label_or_amount, row))]


def _is_label_or_amount(cell: str) -> bool:
    return bool(_is_amount(cell) or _is_label(cell))
