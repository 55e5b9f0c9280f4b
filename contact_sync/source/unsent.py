"""Warnings about columns that are not sent although they look like a field that the source does not have otherwise.

A field whose header is not understood would not be updated for months. The evidence is the content of the first rows, alone where
it is nearly certain, or together with a word of the header: *Tél. domicile* over numbers, but not over remarks.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from contact_sync.i18n import _
from contact_sync.model.fields import PHONE
from contact_sync.model.source import Layout
from contact_sync.source.aliases import words_of
from contact_sync.source.kinds import kind_of

_SAMPLED = 200
_MIN_CELLS = 5
_CERTAIN = 0.9  # share of the cells of a column that are not blank
_PROBABLE = 0.5
_LATEST_YEAR = 2015  # of birth, of most contacts: dates of orders and of registrations are later
_is_mobile = re.compile(r"(?:(?:\+|00)?33|0)?[67][0-9]{8}", re.ASCII).fullmatch
_find_year = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)").search


class _Evidence(NamedTuple):
    words: frozenset[str]  # of a header, or all of its words, one of which names the field
    is_possible: Callable[[str], bool]
    is_certain: Callable[[str], bool]


def _is_mobile_cell(cell: str) -> bool:
    return kind_of(cell) == PHONE and _is_mobile(re.sub("[^0-9+]", "", cell).replace("+330", "+33")) is not None


def _is_birth_date(cell: str) -> bool:
    return kind_of(cell) == "date" and (year := _find_year(cell)) is not None and int(year[0]) <= _LATEST_YEAR


def _is_name(cell: str) -> bool:
    return not any(map(str.isdigit, cell))


def _never(_cell: str) -> bool:
    return False


_NAMES_OF_SOME = (
    "nom de naissance",
    "nom de jeune fille",
    "nom marital",
    "nom client",
    "nom d epouse",
    "nom actuel",
    "nom nouveau",
)
_OF_OTHERS = frozenset(("desinscription", "desabonnement", "unsubscribe", "mariage", "wedding", "marriage"))
"""Words of a header whose values are of another kind than those of the field, although they have its form."""
_LAST_NAMES = frozenset(("nom", "noms", "lastname", "surname"))

_FIELDS = {
    PHONE: _Evidence(
        frozenset(("tel", "telephone", "phone", "mobile", "portable", "gsm", "cell", "cellphone", "smartphone", "handy")),
        lambda cell: kind_of(cell) == PHONE,
        _is_mobile_cell,
    ),
    "date": _Evidence(
        frozenset(("naissance", "birth", "birthday", "birthdate", "anniversaire", "ddn", "dob")),
        lambda cell: kind_of(cell) == "date",
        _is_birth_date,
    ),
    "url": _Evidence(frozenset(("url", "lien", "link", "site", "web")), lambda cell: kind_of(cell) == "url", _never),
    "firstname": _Evidence(frozenset(("prenom", "prenoms", "firstname", "forename")), _is_name, _never),
    "lastname": _Evidence(frozenset(("surname", "lastname", "patronyme", *_NAMES_OF_SOME)), _is_name, _never),
}


def warn_unsent(layout: Layout, rows: Sequence[Sequence[str]], names: Sequence[str]) -> list[str]:
    """Return a warning for each column that looks like a field and is none, by the first of these rows.

    `names` are those of the columns as sentences show them.
    """
    missing = {field: evidence for field, evidence in _FIELDS.items() if field not in layout.mapping}
    others = sorted(set(range(len(layout.columns))) - set(layout.mapping.values())) if missing else []
    return [
        _warning(layout.columns[position], field, letter=layout.letters[position], column=names[position])
        for position in others
        for field, evidence in missing.items()
        if _looks_like(evidence, layout.columns[position], [row[position] for row in rows[:_SAMPLED]])
    ]


def _warning(header: str, field: str, **shown: str) -> str:
    if field == "firstname" and not _LAST_NAMES.isdisjoint(words_of(header)):
        return _("Column {letter} “{column}” has first and last names together, so it is not sent: make it two columns.", **shown)
    return _(
        "Column {letter} “{column}” looks like {field} but is not sent: to send it, rename it to {field}, or give "
        '--map "{column}={field}".',
        field=field,
        **shown,
    )


def _looks_like(evidence: _Evidence, header: str, column: Sequence[str]) -> bool:
    filled = [cell for cell in column if cell.strip()]
    words = words_of(header)
    if not filled or not _OF_OTHERS.isdisjoint(words):
        return False
    if not evidence.words.isdisjoint((*words, " ".join(words))) and _share(evidence.is_possible, filled) >= _PROBABLE:
        return True
    return len(filled) >= _MIN_CELLS and _share(evidence.is_certain, filled) >= _CERTAIN


def _share(test: Callable[[str], bool], cells: Sequence[str]) -> float:
    return sum(map(test, cells)) / len(cells)
