"""The headers by which each field is recognised.

Headers are compared without case, accents, spaces and punctuation, and without hints on the form of their values (JJ/MM/AAAA,
*facultatif*). A first of several (*Téléphone 1*) is that field where no column has its plain name. A header that is close to a
field but not equal to one refuses the file: with a typo (`prenon`) that field would otherwise not be updated for months.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import cache, lru_cache
from typing import Literal, NamedTuple

from contact_sync.errors import ConfigError
from contact_sync.model.fields import FIELDS, ID, PHONE
from contact_sync.rules.words import bare, folded

_ALIASES = {
    ID: "idcontact id identifiant identifiantcontact contactidentifiant idducontact identifiantducontact",
    "phoneNumber": "phone telephone tel portable mobile gsm numero cellphone cell mobilephone mobilenumber numtel notel ntel "
    "numerotel numerotelephone numerodetelephone numeroportable numerodeportable numeromobile numerodemobile telephoneportable "
    "telephonemobile telportable telmobile numportable nummobile mobilephonenumber cellphonenumber phonemobile "
    "numerotelephoneportable numerodetelephoneportable numerotelephonemobile numerodetelephonemobile phoneno mobileno telno",
    "firstname": "prenom prenoms givenname forename",
    "lastname": "nom nomdefamille nomfamille surname familyname patronyme",
    "date": "datedenaissance datenaissance naissance datenaiss datedenaiss ddn anniversaire dateanniversaire datedanniversaire "
    "neele nele birthday birthdate dateofbirth dob",
    "url": "lien link site siteweb pageweb webpage website websiteurl siteinternet web weburl lienweb adresseweb",
} | {
    f"custom{n}": f"champpersonnalise{n} perso{n} champ{n} champs{n} champperso{n} champlibre{n} personnalise{n} customfield{n}"
    for n in range(1, 5)
}

_SECOND_CHOICES = {
    "contactid": "numerocontact contactnumero ncontact contactn nocontact numcontact",
    "phonenumber": "contactphonenumber contactphone",
    "firstname": "prenomusuel prenomducontact prenomcontact contactprenom contactfirstname vorname",
    "lastname": "nomdusage nomusuel nomducontact nomcontact contactnom contactlastname nachname nomenmajuscules nomenmajuscule "
    "nommajuscules nomencapitales nomencapitale",
}
"""Normalised name of a field → the names that mean it where no column has a name of `_ALIASES`; nothing is a typo of them."""


MOST_COLUMNS = 16_384  # of a spreadsheet
_LONGEST = 200  # characters of a header that count; a longer text is none


def normalise_header(header: str) -> str:
    """Return `header` in the form that is compared: only lower-case ASCII letters and digits."""
    return bare(header[:_LONGEST])


def names_in(cells: Sequence[str]) -> list[int]:
    """Return the positions of cells that are a name of a field; faster than a look at each of many."""
    text = "\n".join(cells)
    names = text.lower().split("\n") if _is_plain(text) else re.sub("[^a-z0-9\n]", "", folded(text)).split("\n")
    if _FIELD_OF.keys().isdisjoint(names):
        return []
    return [position for position, cell in enumerate(cells) if normalise_header(cell) in _FIELD_OF]


_is_plain = re.compile("[0-9A-Za-z\n]*").fullmatch


_CANONICAL = {normalise_header(name): name for name in (ID, *FIELDS)}
_FIELD_OF = _CANONICAL | {alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()}
_SECOND_CHOICE_OF = {name: field for field, names in _SECOND_CHOICES.items() for name in names.split()}
_MIN_LETTERS = 6  # of an alias; common words (`notes`, `mail`) are one edit away from shorter aliases (`notel`, `nom`)
_MIN_LETTERS_FOR_TWO_EDITS = 8
_DIGITS = "0123456789"
_STEMS = {known: known.rstrip(_DIGITS) for known in _FIELD_OF}
_RANKS = {known: rank for rank, known in enumerate(_FIELD_OF)}
_LONGEST_ALIAS = max(map(len, _FIELD_OF))

_DATE_FORM = r"(?:(?:jj?|dd?)[ ./-]?mm?|mm?[ ./-]?(?:jj?|dd?))[ ./-]?[ay]{1,4}|[ay]{4}[ ./-]?mm[ ./-]?(?:jj|dd)"
# The words between brackets that say nothing about whose or which value it is. Others do: Téléphone (bureau).
_HINT = (
    rf"\s*(?:(?:au )?format\s*:?\s*)?(?:{_DATE_FORM}|e\.?\s?164|iso(?:[ -]?8601)?|international|texte?|\+?33[ .x\d]*)\s*"
    r"|\s*(?:ex(?:emple|ample)?s?\.?|e\.g\.|par ex\.?)\b.*|\s*https?(?:://.*)?\s*"
    r"|\s*(?:champ |field )?(?:obligatoire|requis|facultati(?:f|ve)|option(?:nel(?:le)?|al)|required|mandatory|si connue?)\s*"
    r"|\s*s\s*"
    r"|\s*(?:max(?:imum|i)?\.?\s*)?\d+\s*(?:car(?:act[eè]res?)?|char(?:acter)?s?|chiffres|digits)\.?\s*(?:max(?:imum|i)?\.?)?\s*"
)
_FIRST = r"(?:\bnumero\s*)?(?<![\d.,])0?1(?:er?|re|ere)?|\(1\)|principale?|primary|main"
_FURTHER = r"(?:\bnumero\s*)?(?<![\d.,])0?[2-9]|\([2-9]\)|secondaire|secondary"
_NUMBER = "(?:numero|num|number|no|nr|n)"
_VALUE = r"(?:\s*-\s*value)?\s*"  # as in “Phone 1 - Value” of Google
_CUSTOM = frozenset(f"custom{n}" for n in range(1, 5))
_FIRST_OF_SEVERAL = frozenset((ID, *FIELDS)) - _CUSTOM  # custom fields have numbers
_NUMBERED = _CUSTOM | {PHONE}


class _Patterns(NamedTuple):
    """The parts of a header that are more than the name of a field."""

    hints: re.Pattern[str]
    number_sign: re.Pattern[str]
    number_word: re.Pattern[str]
    first: re.Pattern[str]
    leading_first: re.Pattern[str]
    further: re.Pattern[str]
    described: re.Pattern[str]


@cache
def _patterns() -> _Patterns:
    """Return the patterns; most files have only plain names, and need not wait until they are compiled."""
    return _Patterns(
        re.compile(rf"\((?:{_HINT})\)|\[(?:{_HINT})\]|[\s:,\u2013\u2014-]+(?:{_DATE_FORM})\s*$"),
        re.compile(r"(?<!\w)(?:n\s?[°º]|№|n[or]\.|num\.|nb\.)"),
        re.compile(rf"{_NUMBER}(?:de|du|d)?(?P<phone>.+)|(?P<before>.+?){_NUMBER}(?P<digit>[1-4]?)"),
        re.compile(rf"(?P<before>.*?)(?:{_FIRST}){_VALUE}"),
        re.compile(r"(?:1(?:er|re|ere|st)|premiere?|primary|main)\s+(?P<before>.+)"),
        re.compile(rf"(?P<before>.*?)(?:{_FURTHER}){_VALUE}"),
        re.compile(r"(?P<before>[^:\u2013\u2014-]+)[:\u2013\u2014-].+|[^()]+\((?P<inside>[^()]+)\)"),
    )


_find_more = re.compile(r"[^\w\s'\u2019-]|[\dº]|jj|dd|princip|prim|premi|main|second", re.IGNORECASE).search  # than one name


class _Meaning(NamedTuple):
    """The names by which a header is looked up; empty where there is none."""

    plain: str
    without_hints: str
    first: str  # what it is the first of several of, or a second choice for
    further: str  # what it is the second or a later one of


@lru_cache(1 << 14)
def _meaning(header: str) -> _Meaning:
    plain = normalise_header(header)
    if plain in _FIELD_OF or len(header) > _LONGEST or not _find_more(header):
        return _Meaning(plain, "", _SECOND_CHOICE_OF.get(plain, ""), "")
    patterns, folded = _patterns(), _without_accents("NFD", header)
    text = patterns.number_sign.sub("numero ", patterns.hints.sub("", folded)).strip(" \t\r\n\xa0\u202f*:.")
    if (found := patterns.described.fullmatch(text)) and _FIELD_OF.get(
        name := normalise_header(found["before"] or found["inside"])
    ) in _CUSTOM:
        return _Meaning(plain, name, "", "")
    if found := patterns.first.fullmatch(text) or patterns.leading_first.fullmatch(text):
        return _Meaning(plain, _unnumbered(normalise_header(text)), _of_several(found["before"]), "")
    found = patterns.further.fullmatch(text)
    further = _of_several(found["before"]) if found else ""
    name = _unnumbered(normalise_header(text))
    return _Meaning(plain, name, _SECOND_CHOICE_OF.get(name, ""), further)


def _of_several(header: str) -> str:
    """Return the name of what there may be several of, empty for an id, which has no second."""
    name = _unnumbered(normalise_header(header))
    return "" if _FIELD_OF.get(name) == ID else name


def words_of(header: str) -> list[str]:
    """Return the words of a header in lower-case ASCII letters."""
    return re.findall("[a-z]+", _without_accents("NFKD", header[:_LONGEST]))


def _without_accents(form: Literal["NFD", "NFKD"], header: str) -> str:
    return "".join(char for char in unicodedata.normalize(form, header.casefold()) if not unicodedata.combining(char))


def _unnumbered(name: str) -> str:
    """Return a name without "number" beside a word for a telephone or before a digit; `N°` by itself numbers the rows."""
    if name == "numero":
        return ""
    found = _patterns().number_word.fullmatch(name)
    rest = (found["phone"] or found["before"] + found["digit"]) if found else ""
    return rest if _FIELD_OF.get(rest, "") in _NUMBERED else name


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

    A rename wins: when a column is renamed to a field, no other column is that field by its alias. Where no column has the name
    of a field, the first of several counts, and with it the others, since any of them may be meant.
    """
    meanings = [_meaning(cell) for cell in cells[:MOST_COLUMNS]]
    renamed = {renames[meaning.plain] for meaning in meanings if meaning.plain in renames} if renames else set()
    known = {name: field for name, field in _FIELD_OF.items() if field not in renamed}
    found = {}
    for position, meaning in enumerate(meanings):
        if field := renames.get(meaning.plain) or known.get(meaning.plain) or known.get(meaning.without_hints):
            found[position] = field
    taken = set(found.values())
    firsts = {known[meaning.first] for meaning in meanings if meaning.first in known} & _FIRST_OF_SEVERAL - taken
    for position, meaning in enumerate(meanings):
        if position not in found and (field := known.get(meaning.first) or known.get(meaning.further)) in firsts:
            found[position] = field
    return found


def find_typo(header: str, taken: Collection[str]) -> str | None:
    """Return the field that `header` is a typo of: one edit or swap away, two from 8 letters on.

    It is not a typo of a field in `taken`, nor of an alias from which it differs only by a number at its end (`Téléphone 2` is a
    second number).
    """
    meaning = _meaning(header)
    return next((field for field in _near_fields(meaning.without_hints or meaning.plain) if field not in taken), None)


def _letters(name: str) -> int:
    """Return the set of letters and digits of a normalised name as bits."""
    bits = 0
    for char in set(name):
        bits |= 1 << (ord(char) - ord("0"))
    return bits


_BY_LENGTH: defaultdict[int, list[tuple[str, int]]] = defaultdict(list)  # length → the known names and their letters
for _known in _FIELD_OF:
    _BY_LENGTH[len(_known)].append((_known, _letters(_known)))


def may_name_id(header: str) -> bool:
    """Return True when `header` is the id, or a typo of it."""
    name = _meaning(header).plain
    return _FIELD_OF.get(name) == ID or ID in _near_fields(name)


@lru_cache(1 << 14)
def _near_fields(name: str) -> list[str]:
    """Return the fields that a normalised name is near to, in the order of the aliases."""
    length = len(name)
    if not 1 < length <= _LONGEST_ALIAS + 2:
        return []
    bits, near = _letters(name), []
    for known_length in range(length - 2, length + 3):
        allowed = 2 if min(length, known_length) >= _MIN_LETTERS_FOR_TWO_EDITS else 1
        if abs(known_length - length) <= allowed:
            # Each edit changes two letters of the set at most, which spares nearly all calls of `_distance`.
            near += [
                known
                for known, known_bits in _BY_LENGTH.get(known_length, ())
                if (bits ^ known_bits).bit_count() <= 2 * allowed
                and (known in _CANONICAL or (len(_STEMS[known]) >= _MIN_LETTERS and name.rstrip(_DIGITS) != _STEMS[known]))
                and _distance(known, name) <= allowed
            ]
    return [_FIELD_OF[known] for known in sorted(near, key=_RANKS.__getitem__)]


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
