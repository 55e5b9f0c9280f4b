"""The rules for the text of a cell, one a line, and the readers that turn a cell into the value that is sent.

The limits come from the API's page of `contact/update` (names: 32 characters; date: YYYY-MM-DD; url: begins with http:// or
https://). Where the page is silent (contactId, custom1-4, the length of url) they are the widths of the vendor's own tables.
Everything here is pure and about one cell; `contact_sync.rules.columns` applies it to whole columns.
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from contact_sync.i18n import _
from contact_sync.model.fields import FIELDS, ID, NAMES, PHONE
from contact_sync.model.violation import Violation
from contact_sync.rules.damaged_text import is_damaged_address, is_damaged_name, is_damaged_text, is_misread, likely_text
from contact_sync.rules.placeholders import LOADING, SPELLINGS

DATE, URL = "date", "url"
CUSTOM = ("custom1", "custom2", "custom3", "custom4")
TEXTS = NAMES + CUSTOM
LIMITS = {ID: 80, URL: 255} | dict.fromkeys(NAMES, 32) | dict.fromkeys(CUSTOM, 255)
"""Field → the code points it may have, a text being counted in Unicode's composed form (NFC)."""
EARLIEST = dt.date(1900, 3, 1)  # before it, Excel's calendar is off by one, because it has a 29 February 1900

# Checks -----------------------------------------------------------------------------------------------------------------

Check: TypeAlias = Callable[[str], dict[str, str] | None]
"""Returns the values for the placeholders of the catalogue's sentence when a text is wrong, else None."""

CLEAR = r"(?i:<\s*(?:clear|vider)\s*>)"
# As Excel, LibreOffice and Google Sheets show them in the languages of western Europe and in Polish; ### is a column too narrow
# for its value.
CELL_ERROR = (
    r"(?P<error>#(?:N/[ABD]|NV|#{2,}|GETTING_DATA|OBTENTION_DONN[EÉ]ES|DATEN_ABRUFEN|OBTENIENDO_DATOS"
    r"|¿?(?:NAME|NOM|NOMBRE|NOME|NAAM|NAZWA)\s?\?"
    r"|¡?(?:REF|BEZUG|RIF|VERW|ADR|VALUE|VALEUR|WERT|VALORE?|WAARDE|ARG|N[UÚ]M|NOMBRE"
    r"|ZAHL|GETAL|LICZBA|DIV/0|NULL?|NULL?O|LEEG|ZERO|VIDE|ERROR|ERREUR|FEHLER|SPILL|PROPAGATION|D[EÉ]PASSEMENT|ÜBERLAUF"
    r"|DESBORDAMIENTO|ESPANSIONE|OVERLOOP|EPARS|CALC|KALK|FIELD|CHAMP|FELD|CAMPO|BUSY|OCCUP[EÉ]|OCUPADO|BESCHÄFTIGT|LOADING|CHARGEMENT"
    r"|CONNECT|CONNEXION|VERBINDEN|CONECTAR|BLOCKED|BLOQU[EÉ]|BLOCKIERT|BLOQUEADO|UNKNOWN|INCONNU|UNBEKANNT|DESCONOCIDO"
    r"|EXTERN(?:AL|E)?|PYTHON)\s?!)|Err:\d{3})"
)
FORMULA = r'="[^"]*"|=[A-Z.]+\(.*\)'
TOTAL = r"(?i:(?:(?:sous|sub|grand)[\s_-]?)?tota(?:ls?|ux)(?:[\s_]+g[eé]n[eé]ra(?:l|ux))?|somme)(?:[\s:=].*)?"
BOOLEANS = ("TRUE", "FALSE", "VRAI", "FAUX", "True", "False")
SCIENTIFIC = r"\+?[0-9]+(?:[.,][0-9]+[eE][+-]?|[eE][+-])[0-9]+"  # Excel writes a sign: 1234e567 and 5e10 are hexadecimal ids
_MONTH = r"(?:janv|févr|mars|avr|mai|juin|juil|août|sept|oct|nov|déc|J(?:an|u[nl])|Feb|Ma[ry]|A(?:pr|ug)|Sep|Oct|Nov|Dec)\.?"
# What a spreadsheet makes of an id such as 1-25, 2024-1-2 or true
CONVERTED = (
    r"(?:(?:0?[1-9]|[12]\d|3[01])/(?:0?[1-9]|1[0-2])/\d{2,4}|(?:19|20)\d\d-(?:0\d|1[0-2])-[0-3]\d"
    rf"|\d\d?-{_MONTH}(?:-\d\d)?|{_MONTH}-\d\d(?:\d\d)?)"
)
DECIMAL = r"\+?[0-9]{%d,}[.,]0+"
VISIBLE_ASCII = r"""(?!["'])(?=.*[0-9A-Za-z])[!-~]+(?<!["'])"""
CONTROL = "[\x00-\x1f\x7f-\x9f\u2028\u2029]"
PHONE_SHAPE = r"[( ]*\+?[( ]*[0-9][0-9 .()/‐‑‒–-]*"  # noqa: RUF001 - the dashes that word processors put in
DAY = r"(?:\d{4}([/.-])\d\d?\1\d\d?|\d\d?([/.-])\d\d?\2\d{4})"
# A program that writes Z has made a plain day a moment.
MIDNIGHT = r"(?:T00:00:00(?:[.,]0+)?Z|[ T]0?0:00(?::00(?:[.,]0+)?)?| (?:0?0|12):00(?::00)?[ \xa0\u202f]?[Aa]\.?[Mm]\.?)"
# 1/31/1980, 12-31-80 14:30, Jan 31st, 1980: one such date shows how the others of its column are to be read
MONTH_FIRST = (
    r"(?!0?2.3|(?:0?[469]|11).31)(?:0?[1-9]|1[0-2])([/.-])(?:1[3-9]|2\d|3[01])\1(?:\d\d|\d{4})(?!\d).*"
    r"|(?i:(?:[a-z]{3,9},? )?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?[ -]"
    r"\d\d?(?:st|nd|rd|th)?[ ,-]+\d{2,4}\b.*)"
)
NOT_IN_URL = ' \\<>"^`{|}'


def reject_match(pattern: str) -> Check:
    """Return a check that rejects a text that matches `pattern` as a whole; named groups fill the sentence's placeholders."""
    fullmatch = re.compile(pattern, re.DOTALL).fullmatch
    return lambda text: found.groupdict() if (found := fullmatch(text)) else None


def require_match(pattern: str) -> Check:
    """Return a check that rejects a text unless it matches `pattern` as a whole."""
    fullmatch = re.compile(pattern, re.ASCII).fullmatch
    return lambda text: None if fullmatch(text) else {}


def reject_containing(pattern: str) -> Check:
    """Return a check that rejects a text with a match of `pattern` anywhere in it."""
    search = re.compile(pattern).search
    return lambda text: {} if search(text) else None


def longer_than(limit: int) -> Check:
    """Return a check that rejects a text of more than `limit` code points."""
    return lambda text: {"length": str(len(text)), "limit": str(limit)} if len(text) > limit else None


def shows_no_value(text: str) -> dict[str, str] | None:
    """Reject an error of a spreadsheet, and the word that it shows while it computes a cell."""
    return _is_error(text) or (_is_loading(text) if text.endswith(("..", "…")) else None)


def damaged(is_damaged: Callable[[str], bool]) -> Check:
    """Return a check that rejects a damaged text; the sentence names the text that it probably was."""

    def check(text: str) -> dict[str, str] | None:
        if not is_damaged(text):
            return None
        likely = likely_text(text)
        return {"likely": _(" (it was probably “{text}”)", text=likely) if likely else ""}

    return check


def several_numbers(text: str) -> dict[str, str] | None:
    """Reject a cell with more than one phone number: of 8 digits or more each, or more digits in all than one may have."""
    sizes = [sum(map(str.isdigit, part)) for part in re.split("[/,;|&]| (?:ou|et|or) ", text)]
    return {} if sum(size >= 8 for size in sizes) > 1 or sum(sizes) > 2 * 8 else None  # noqa: PLR2004


def not_in_url(text: str) -> dict[str, str] | None:
    """Reject an address with a space, a character of `NOT_IN_URL`, or an invisible, unassigned or control character."""
    return None if text.isprintable() and not any(mark in text for mark in NOT_IN_URL) else {}


def no_host(address: str) -> dict[str, str] | None:
    """Reject two addresses that were joined, and one whose host is no domain name with a dot or whose port is not 1 to 65535."""
    if _find_joined(address):
        return {}
    host, colon, port = re.split("[/?#]", address.split("://", 1)[1], maxsplit=1)[0].partition(":")
    port_exists = re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 65536 if colon else True  # noqa: PLR2004
    return None if is_host(host) and port_exists else {}


@lru_cache(4096)
def is_host(name: str) -> bool:
    """Return True when `name` is a domain name of two labels or more; one with accents is judged by its punycode."""
    label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    with suppress(UnicodeError):
        ascii_name = name if name.isascii() else name.encode("idna").decode()
        return len(ascii_name) < 254 and bool(re.fullmatch(rf"(?i:(?:{label}\.)+(?=[a-z]){label})", ascii_name))  # noqa: PLR2004
    return False


_find_joined = re.compile(r"[\w.](?<!%[0-9A-Fa-f]{2})(?i:https?://)").search
_is_error, _is_loading = reject_match(CELL_ERROR), reject_match(LOADING)


class Rule(NamedTuple):
    """A way in which the cleaned text of a cell can be wrong."""

    fields: tuple[str, ...]
    code: str  # a key of `contact_sync.i18n.catalogue.CATALOGUE`
    check: Check


# The first rule that a cell breaks is the one reported, so the most helpful one comes first. Neither a blank cell nor `<clear>`
# in a field that can be emptied reaches the rules.
RULES = (
    Rule((ID,), "id-clear", reject_match(CLEAR)),
    Rule((PHONE,), "phone-clear", reject_match(CLEAR)),
    Rule((ID, *FIELDS), "cell-error", shows_no_value),
    Rule((*TEXTS, DATE, URL), "cell-formula", reject_match(FORMULA)),
    Rule((ID, *FIELDS), "cell-null", reject_match(r"\\N")),
    Rule((*TEXTS, DATE, URL), "clear-unknown", reject_match("(?!<(?i:na|nil|none|null)>)[<‹][^<>‹›]{1,20}[>›]")),  # noqa: RUF001 - as somebody types it
    # contactId: opaque on the API's page
    Rule((ID,), "id-total", reject_match(TOTAL)),
    Rule((ID,), "id-missing", lambda text: {} if text in SPELLINGS else None),
    Rule((ID,), "id-damaged", reject_match("|".join((SCIENTIFIC, CONVERTED, *BOOLEANS)))),
    Rule((ID,), "id-decimal", reject_match(DECIMAL % 1)),
    Rule((ID,), "id-characters", require_match(VISIBLE_ASCII)),
    # firstname, lastname, custom1-4
    Rule(NAMES, "text-damaged", damaged(is_damaged_name)),
    Rule(CUSTOM, "text-damaged", damaged(is_damaged_text)),
    Rule(TEXTS, "text-control", reject_containing(CONTROL)),
    Rule(NAMES, "text-quoted", reject_match('"[^"]*"')),
    # phoneNumber: sent in E.164; `rules.phones` checks the number itself
    Rule((PHONE,), "phone-damaged", reject_match(f"{SCIENTIFIC}|{DECIMAL % 6}")),
    Rule((PHONE,), "phone-several", several_numbers),
    Rule((PHONE,), "phone-characters", require_match(PHONE_SHAPE)),
    # date: a closed list of forms, day first unless year first; `read_date` checks the day itself
    Rule((DATE,), "date-serial", reject_match(r"[0-9]{5}(?:[.,][0-9]+)?")),
    Rule((DATE,), "date-month-first", reject_match(MONTH_FIRST)),
    Rule((DATE,), "date-two-digits", reject_match(r"\d\d?([/.-])\d\d?\1\d\d(?:[ T].*)?")),
    Rule((DATE,), "date-time", reject_match(rf"{DAY}(?!{MIDNIGHT}\Z)[ T]\d.*")),
    Rule((DATE,), "date-unknown", require_match(f"{DAY}(?:{MIDNIGHT})?")),
    Rule((URL,), "url-email", reject_match(r"(?i:(?:mailto:|https?://)?[^\s/?#:@]+@(?:[\w-]+\.)+[\w-]+/?)")),
    Rule((URL,), "url-scheme", require_match(r"(?is:https?://.*)")),
    Rule((URL,), "url-characters", not_in_url),
    Rule((URL,), "text-damaged", damaged(is_damaged_address)),
    Rule((URL,), "url-login", reject_match(r"\w+://[^/?#]*@.*")),
    Rule((URL,), "url-host", no_host),
    *(Rule((field,), "id-length" if field == ID else "text-length", longer_than(limit)) for field, limit in LIMITS.items()),
)

RULES_OF = {field: [rule for rule in RULES if field in rule.fields] for field in (ID, *FIELDS)}  # field → its rules, in order
_is_clear = re.compile(CLEAR).fullmatch
_find_numbers = re.compile("[0-9]+").findall


class Reading(NamedTuple):
    """The result of reading one cell."""

    value: str | None  # the value to send; empty = empty the field, None = the cell is blank or wrong
    violation: Violation | None = None
    note: str = ""  # a correction that was made, as the end of a sentence that begins with the field and the number of cells
    ambiguous: bool = False  # True for a date that would also be one read month first


BLANK = Reading(None)  # of a cell without a visible character

_JOINERS = "\u200c\u200d"  # parts of emoji and of some scripts
_EDGES = _JOINERS + " \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"  # and other white space
_EDGES += "\xad\u061c\u180e\u200b\u200e\u200f\u2060\ufeff"  # invisible characters
_EDGES += "".join(map(chr, (*range(0x2000, 0x200B), *range(0x202A, 0x202F), *range(0x2061, 0x206A))))  # more of both
_irregular_spaces = re.compile("[ \xa0\u1680\u2000-\u200a\u202f\u205f]{2,}|[\xa0\u1680\u2000-\u200a\u202f\u205f]").sub
FULL_WIDTH = {0xFF10 + digit: str(digit) for digit in range(10)} | {0xFF0B: "+"}


def trim(cell: str, kept: str = "") -> str:
    """Return a cell in NFC, without invisible (Cf) characters except the `kept` ones, and without surrounding white space."""
    if not cell.isprintable():
        cell = "".join(char for char in cell if char in kept or unicodedata.category(char) != "Cf")
    return unicodedata.normalize("NFC", cell).strip(_EDGES)


def strip_excel_quoting(text: str) -> str:
    """Remove the quoting that keeps Excel from changing a number: '00123 or ="00123"."""
    text = text.removeprefix("'")
    return (text[2:-1] if re.fullmatch('="[^"]*"', text) else text).strip(_EDGES)


def read_special(field: str, text: str) -> Reading | None:
    """Return the reading of a cleaned text that is blank, empties its field or breaks a rule; None for any other."""
    if not text:
        return BLANK
    if field not in (ID, PHONE) and _is_clear(text):
        return Reading("")
    for rule in RULES_OF[field]:
        if (detail := rule.check(text)) is not None:
            return Reading(None, Violation(rule.code, field, detail))
    return None


def normalise_id(cell: str) -> str:
    """Return the id in a cell, valid or not, without invisible characters and Excel's quoting."""
    return strip_excel_quoting(trim(cell)).translate(FULL_WIDTH)


def read_id(cell: str) -> Reading:
    """Read a contactId: 1 to 80 visible ASCII characters."""
    text = normalise_id(cell)
    note = "" if len(text) == len(trim(cell)) else _("apostrophe or formula around the id removed")
    if not text:
        return Reading(None, Violation("id-missing", ID))
    return read_special(ID, text) or Reading(text, note=note)


def read_text(cell: str, field: str) -> Reading:
    """Read a name or a custom field: any text without control characters, as typed; the words NA and null are text.

    Inside a name, no-break and repeated spaces become single plain ones.
    """
    # Damage is judged before trimming: the í of UTF-8 read as cp1252 is Ã and an invisible hyphen.
    text = cell if is_misread(cell) else trim(cell, _JOINERS)
    if special := read_special(field, text):
        return special
    if field in NAMES and (plain := _irregular_spaces(" ", text)) != text:
        return Reading(plain, note=_("no-break or repeated spaces replaced by single spaces"))
    return Reading(text)


def read_date(cell: str, latest: dt.date) -> Reading:
    """Read a day from `EARLIEST` to `latest` as YYYY-MM-DD, day first unless year first; a time of day must be midnight."""
    text = trim(cell)
    if special := read_special(DATE, text):
        return special
    first, second, third = _find_numbers(text)[:3]
    if len(first) == 4:  # noqa: PLR2004 - the digits of a year
        day, swapped = _calendar_day(first, second, third), None
    else:
        day, swapped = _calendar_day(third, second, first), _calendar_day(third, first, second)
    if day is None:
        return Reading(None, Violation("date-calendar", DATE))
    if not EARLIEST <= day <= latest:
        limits = {"earliest": f"{EARLIEST:%d/%m/%Y}", "latest": f"{latest:%d/%m/%Y}"}
        return Reading(None, Violation("date-range", DATE, limits))
    return Reading(day.isoformat(), ambiguous=swapped not in (None, day))


def _calendar_day(year: str, month: str, day: str) -> dt.date | None:
    with suppress(ValueError):
        return dt.date(int(year), int(month), int(day))
    return None


def read_url(cell: str) -> Reading:
    """Read an address that begins with http:// or https://: as typed, except the scheme in lower case."""
    text = cell.strip(_EDGES)
    if special := read_special(URL, text):
        return special
    scheme, rest = text.split("://", 1)
    return Reading(f"{scheme.lower()}://{rest}")
