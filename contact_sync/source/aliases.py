"""The headers by which each field is recognised.

Headers are compared without case, accents, spaces and punctuation. A header that is close to a field but not equal to one refuses
the file: with a typo (`prenon`) that field would otherwise not be updated for months.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping

from contact_sync.errors import ConfigError
from contact_sync.model import FIELDS, ID

_ALIASES = {
    ID: "idcontact id identifiant identifiantcontact contactidentifiant idducontact identifiantducontact",
    "phoneNumber": "phone telephone tel portable mobile gsm numero cellphone cell mobilephone mobilenumber numtel notel ntel "
    "numerotel numerotelephone numerodetelephone numeroportable numerodeportable numeromobile numerodemobile telephoneportable "
    "telephonemobile telportable telmobile numportable nummobile mobilephonenumber cellphonenumber phonemobile "
    "numerotelephoneportable numerodetelephoneportable numerotelephonemobile numerodetelephonemobile",
    "firstname": "prenom prenoms givenname forename",
    "lastname": "nom nomdefamille nomfamille surname familyname patronyme",
    "date": "datedenaissance datenaissance naissance datenaiss ddn anniversaire dateanniversaire datedanniversaire "
    "neele nele birthday birthdate dateofbirth dob",
    "url": "lien link site siteweb pageweb webpage website websiteurl siteinternet web weburl lienweb adresseweb",
} | {
    f"custom{n}": f"champpersonnalise{n} perso{n} champ{n} champs{n} champperso{n} champlibre{n} personnalise{n} customfield{n}"
    for n in range(1, 5)
}


def normalise_header(header: str) -> str:
    """Return `header` in the form that is compared: only lower-case ASCII letters and digits."""
    folded = unicodedata.normalize("NFKD", header.casefold().replace("œ", "oe").replace("æ", "ae"))
    return re.sub("[^a-z0-9]", "", folded.casefold())


_CANONICAL = {normalise_header(name): name for name in (ID, *FIELDS)}
_FIELD_OF = _CANONICAL | {alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()}
_MIN_LETTERS = 6  # of an alias; common words (`notes`, `mail`) are one edit away from shorter aliases (`notel`, `nom`)
_MIN_LETTERS_FOR_TWO_EDITS = 8
_DIGITS = "0123456789"
_STEMS = {known: known.rstrip(_DIGITS) for known in _FIELD_OF}


def check_renames(renames: Mapping[str, str]) -> dict[str, str]:
    """Return `--map`'s header → field with both sides normalised; raises `ConfigError` for a field that does not exist."""
    checked = {}
    for header, field in renames.items():
        if normalise_header(field) not in _CANONICAL:
            raise ConfigError(
                "--map “{header}={field}”: {field} is not a field; the fields are {fields}.",
                header=header,
                field=field,
                fields=", ".join((ID, *FIELDS)),
            )
        checked[normalise_header(header)] = _CANONICAL[normalise_header(field)]
    return checked


def match_fields(cells: list[str], renames: Mapping[str, str]) -> dict[int, str]:
    """Return position → field for each of `cells` that is a field, an alias or renamed to one.

    A rename wins: when a column is renamed to a field, no other column is that field by its alias.
    """
    names = [normalise_header(cell) for cell in cells]
    renamed = {renames[name] for name in names if name in renames}
    known = {name: field for name, field in _FIELD_OF.items() if field not in renamed} | dict(renames)
    return {position: known[name] for position, name in enumerate(names) if name in known}


def find_typo(name: str, taken: Collection[str]) -> str | None:
    """Return the field that the normalised `name` is a typo of: one edit or swap away, two from 8 letters on.

    A name is not a typo of a field in `taken`, nor of an alias from which it differs only by a number at its end (`Téléphone 2`
    is a second number).
    """
    for known, stem in _STEMS.items():
        if known not in _CANONICAL and (len(stem) < _MIN_LETTERS or name.rstrip(_DIGITS) == stem):
            continue
        allowed = 2 if min(len(name), len(known)) >= _MIN_LETTERS_FOR_TWO_EDITS else 1
        is_near = abs(len(known) - len(name)) <= allowed and _FIELD_OF[known] not in taken
        if is_near and _distance(known, name) <= allowed:
            return _FIELD_OF[known]
    return None


def _distance(one: str, other: str) -> int:
    """Return the number of insertions, deletions, substitutions and swaps of neighbours between two words."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one):
        last, before, row = before, row, [i + 1]
        for j, b in enumerate(other):
            cost = min(before[j + 1] + 1, row[j] + 1, before[j] + (a != b))
            if i and j and a == other[j - 1] and one[i - 1] == b:
                cost = min(cost, last[j - 1] + 1)
            row.append(cost)
    return row[-1]
