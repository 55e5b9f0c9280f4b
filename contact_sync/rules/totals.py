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
    text = "\n".join(chain.from_iterable(rows)).lower()
    if not any(word in text for word in _WORDS):
        return []
    return [at for at in candidates if any(map(_is_label, rows[at])) and all(map(_is_label_or_amount, rows[at]))]


def _is_label_or_amount(cell: str) -> bool:
    return bool(_is_amount(cell) or _is_label(cell))
