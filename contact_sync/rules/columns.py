"""The rules over whole columns: from a chunk of rows to a verdict on each of them.

Nearly all cells are plain, and one test of the joined text of a column proves that all its cells are, at a twentieth of the cost
of reading them one by one (the string methods of pandas cost four such tests). A column that fails is divided until only its
irregular cells are left to read. A test may be too strict, never too lax: what it accepts is what reading the cells would return.

Each of these fast paths names the rules it covers. A rule that the fast path of its field does not cover switches it off, so a
new line in `rules.cells` is effective without a change here: its columns are read cell by cell until a fast path covers it.
"""

import datetime as dt
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Literal, NamedTuple

import phonenumbers

from contact_sync.errors import ConfigError
from contact_sync.model.fields import CONTACT, ID, NAMES, PHONE, ROW, Schema
from contact_sync.model.source import Chunk
from contact_sync.model.violation import Violation
from contact_sync.rules import cells as cell_rules
from contact_sync.rules.cells import Reading
from contact_sync.rules.column import Accept, Column
from contact_sync.rules.damaged_text import is_damaged_name, is_damaged_text
from contact_sync.rules.phones import FRENCH_MOBILE, read_phone
from contact_sync.rules.placeholders import SPELLINGS, NoValueWords
from contact_sync.rules.totals import find_totals

TOTAL = "id-total"
NOTHING_TO_SEND = "nothing-to-send"  # the code of a row with nothing but a contactId, which is not a sign of a damaged source


class FastPath(NamedTuple):
    """A test of a whole column that replaces the reading of its cells."""

    accept: Accept
    covers: tuple[str, ...]  # codes of the rules that no accepted cell breaks, once for each rule

    def covers_rules_of(self, field: str) -> bool:
        """Return True when no accepted cell of `field` breaks a rule."""
        return Counter(rule.code for rule in cell_rules.RULES_OF[field]) <= Counter(self.covers)


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """The operator's choices for cells. Raises ConfigError for a region without a numbering plan."""

    blank: Literal["ask", "keep", "clear"] = "ask"
    """The effect of an empty cell on the stored value; a phone number is always kept. Only a pulled file makes `ask` differ."""
    region: str = "FR"  # of national phone numbers: two letters of ISO 3166
    today: dt.date  # a date may lie two years after it

    def __post_init__(self) -> None:
        if self.region.upper() not in phonenumbers.SUPPORTED_REGIONS:
            raise ConfigError("{region} is not a region: give the two letters of ISO 3166, such as FR.", region=self.region)


@dataclass(slots=True)
class Verdicts:
    """The verdicts on the rows of a chunk; every list has an entry for each row."""

    ids: list[str]  # cleaned; empty when there is none
    payloads: list[tuple[str | None, ...]]  # the fields of the schema as they will be sent; None = not sent, empty = emptied
    violations: dict[int, list[Violation]]  # position → all violations of that row; rows without one are absent
    ambiguous: list[int]  # positions of the rows whose date would also be a date read month first (03/04/2020)


class Validator:
    """A validator for the rows of one source, whose `mapping` it takes; its payloads have the fields of `schema`."""

    def __init__(self, mapping: Mapping[str, int], policy: Policy, schema: Schema = CONTACT) -> None:
        self.schema = schema
        region = policy.region.upper()
        latest = policy.today + dt.timedelta(days=2 * 365)
        blank = "" if policy.blank == "clear" else None
        readers: dict[str, Callable[[str], Reading]] = {
            ID: cell_rules.read_id,
            PHONE: partial(read_phone, region=region),
            cell_rules.DATE: partial(cell_rules.read_date, latest=latest),
            cell_rules.URL: cell_rules.read_url,
            **{field: partial(cell_rules.read_text, field=field) for field in cell_rules.TEXTS},
        }
        fast_paths = {
            field: fast_path.accept
            for field, fast_path in FAST_PATHS.items()
            if fast_path.covers_rules_of(field) and (field != PHONE or region == "FR")
        }
        self._columns = {
            field: (mapping[field], Column(fast_paths.get(field), readers[field], None if field in (ID, PHONE) else blank))
            for field in schema.all_fields
            if field in mapping
        }
        self._ranks = {field: rank for rank, field in enumerate((ROW, *schema.all_fields))}
        self._width = 1 + max(place for place, _ in self._columns.values())
        self.notes: Counter[tuple[str, str]] = Counter()
        """(field, the end of a sentence on what was corrected) → in how many cells."""
        self.no_value_words = NoValueWords()

    def validate(self, chunk: Chunk) -> Verdicts:
        """Return the verdicts on the rows of `chunk`: all violations in the order row, id, fields, one a cell.

        A cell that the loader found wrong is not judged again, nor is any cell of a row that it found wrong as a whole, because
        its values may have moved. A row without a violation that sends nothing gets `nothing-to-send`.
        """
        flawed: defaultdict[str, set[int]] = defaultdict(set)
        violations: defaultdict[int, list[Violation]] = defaultdict(list)
        for position, flaws in chunk.flaws.items():
            for flaw in flaws:
                flawed[flaw.field].add(position)
                violations[position].append(flaw)
        ambiguous: list[int] = []
        rows = chunk.rows
        if flawed[ROW]:  # they may be too short
            blank_row = [""] * self._width
            rows = [blank_row if position in flawed[ROW] else row for position, row in enumerate(rows)]
        unmapped: list[str | None] = [None] * len(rows)
        values = dict.fromkeys(self.schema.all_fields, unmapped)
        cells = list(zip(*rows)) or [()] * self._width  # noqa: B905 - only a blank row may be shorter
        for field, (place, column) in self._columns.items():
            values[field], irregular = column.read(cells[place], flawed[ROW] | flawed[field])
            wrong = {position: reading.violation for position, reading in irregular.items() if reading.violation}
            for position, violation in wrong.items():
                violations[position].append(violation)
            texts = values[field] if field in cell_rules.TEXTS else ()  # in the others such a word is wrong
            self.no_value_words.observe(field, texts, [cells[place][position] for position in wrong])
            ambiguous += [position for position, reading in irregular.items() if reading.ambiguous]
            self.notes.update((field, reading.note) for reading in irregular.values() if reading.note)
        self._reject_rows_of_words(values, violations)
        for at in find_totals(rows, values.get(PHONE, unmapped)):
            values[self.schema.id][at] = None
            violations[at] = [Violation(TOTAL, self.schema.id)]
        for found in violations.values():
            found[:] = [flaw for flaw in found if flaw.code == TOTAL] or found  # what else is in a total is no mistake
            found.sort(key=lambda violation: self._ranks[violation.field])
        ids = [contact or "" for contact in values.pop(self.schema.id)]
        payloads = list(zip(*values.values(), strict=True))
        nothing = (None,) * len(self.schema.fields)
        idle = [at for at, payload in enumerate(payloads) if payload == nothing] if nothing in payloads else []
        violations.update({at: [Violation(NOTHING_TO_SEND)] for at in idle if at not in violations})
        return Verdicts(ids, payloads, dict(violations), ambiguous)

    def _reject_rows_of_words(self, values: dict[str, list[str | None]], violations: dict[int, list[Violation]]) -> None:
        texts = {field: values[field] for field in cell_rules.TEXTS if field in self._columns}
        for at in self.no_value_words.find_rows(texts):
            for field, column in texts.items():
                if column[at]:
                    violations[at].append(Violation("cell-null", field))
                    column[at] = None


# Fast paths -------------------------------------------------------------------------------------------------------------

_ID_MARKS = {
    "id-clear": ("<",),
    "cell-error": ("#", "err:", ".."),
    "cell-null": ("\\",),
    "id-total": ("tota", "somme"),
    "id-missing": (),  # `_NO_IDS`
    "id-damaged": (),  # the same, `_irregular_id` and `_converted_id`
    "id-decimal": (),  # `_irregular_id`
    "id-characters": ("'", '"', "=", " "),
    "id-length": (),
}
"""Code of a rule → substrings, one of which is in every lower-case id that breaks it; none where `accept_ids` tests otherwise."""
_TEXT_MARKS = {
    "cell-error": ("#", "Err:", "..", "…"),
    "cell-formula": ("=",),
    "cell-null": ("\\",),
    "clear-unknown": ("‹",),  # noqa: RUF001
    "text-damaged": (),  # `is_damaged_text` and `is_damaged_name`
    "text-control": (),  # not printable
    "text-quoted": ('"',),
    "text-length": (),
}
"""The same for names and custom fields."""
_IN_IRREGULAR_IDS = tuple(chain.from_iterable(_ID_MARKS.values()))
_IN_IRREGULAR_TEXTS = ("<", *chain.from_iterable(_TEXT_MARKS.values()))  # "<": of `<clear>`
_irregular_id = re.compile(rf"\n(?:{cell_rules.SCIENTIFIC}|{cell_rules.DECIMAL % 1}|[^0-9A-Za-z\n]+)(?=\n)").search
_NO_IDS = SPELLINGS | {*cell_rules.BOOLEANS}
_converted_id = re.compile(rf"\n{cell_rules.CONVERTED}\n").search
_authorities = re.compile("\nhttps?://([^/?#\n]+)").findall
_french_mobiles = re.compile(rf"^(?:(?:0|\+33)({FRENCH_MOBILE}))?$", re.MULTILINE | re.ASCII).findall
_in_pairs = re.compile(r"^([0-9]{2})[.-]([0-9]{2})[.-]([0-9]{2})[.-]([0-9]{2})[.-]([0-9]{2})$", re.MULTILINE).sub


def accept_ids(cells: Sequence[str]) -> Sequence[str] | None:
    """Accept ids of plain ASCII that need no cleaning."""
    text, lengths = "".join(cells), {0, *map(len, cells)}
    if not (text.isascii() and all(cells) and max(lengths) <= cell_rules.LIMITS[ID]):
        return None
    if text.isdigit():
        return cells
    lower = text.lower()
    if not text.isprintable() or any(mark in lower for mark in _IN_IRREGULAR_IDS) or not _NO_IDS.isdisjoint(cells):
        return None
    if text.isalnum():
        return cells
    lines = "\n" + "\n".join(cells) + "\n"
    if _irregular_id(lines):
        return None
    return None if ("-" in text or "/" in text) and _converted_id(lines) else cells


def accept_texts(cells: Sequence[str], limit: int, is_damaged: Callable[[str], bool]) -> Sequence[str] | None:
    """Accept printable texts in NFC of at most `limit` characters, without repeated spaces."""
    text = ";".join(cells)  # which is part of no word
    if not text.isprintable() or "  " in text or any(mark in text for mark in _IN_IRREGULAR_TEXTS) or is_damaged(text):
        return None
    if not text.isascii() and not unicodedata.is_normalized("NFC", text):
        return None
    # The only white space that is printable is the plain space.
    has_edges = " ;" in text or "; " in text or text[:1] == " " or text[-1:] == " "
    texts = list(map(str.strip, cells)) if has_edges else cells
    return texts if max(map(len, texts), default=0) <= limit else None


def accept_french_phones(cells: Sequence[str]) -> Sequence[str] | None:
    """Accept French mobiles that begin with 0 or +33, with spaces anywhere or in pairs with points or hyphens."""
    lines = "\n".join(cells).replace(" ", "")
    if lines.count("\n") != len(cells) - 1:
        return None
    if "." in lines or "-" in lines:
        lines = _in_pairs(r"\1\2\3\4\5", lines)
    found = _french_mobiles(lines)
    if len(found) == len(cells) == lines.count("+"):  # as a program writes them
        return lines.split("\n")
    return ["+33" + number if number else "" for number in found] if len(found) == len(cells) else None


def accept_urls(cells: Sequence[str]) -> Sequence[str] | None:
    """Accept addresses in ASCII, of lower-case scheme, whose host has neither port nor login."""
    text = "".join(cells)
    if not (text.isascii() and text.isprintable() and max(map(len, cells), default=0) <= cell_rules.LIMITS[cell_rules.URL]):
        return None
    if any(mark in text for mark in cell_rules.NOT_IN_URL):
        return None
    if "&amp;" in text or "&#" in text:
        return None
    hosts = _authorities("\n" + "\n".join(cells))
    if text.count("://") > len(hosts):  # an address in another, or joined to it
        return None
    return cells if len(hosts) == len(cells) - cells.count("") and all(map(cell_rules.is_host, set(hosts))) else None


_CELL_RULES = ("cell-error", "cell-formula", "cell-null")
_URL_RULES = (
    "clear-unknown",
    "url-email",
    "url-scheme",
    "url-characters",
    "url-login",
    "url-host",
    "text-damaged",
    "text-length",
)

FAST_PATHS = {
    ID: FastPath(accept_ids, tuple(_ID_MARKS)),
    PHONE: FastPath(accept_french_phones, (*_CELL_RULES, "phone-clear", "phone-damaged", "phone-several", "phone-characters")),
    cell_rules.URL: FastPath(accept_urls, _CELL_RULES + _URL_RULES),
}
FAST_PATHS |= {
    field: FastPath(partial(accept_texts, limit=cell_rules.LIMITS[field], is_damaged=is_damaged), tuple(_TEXT_MARKS))
    for fields, is_damaged in ((NAMES, is_damaged_name), (cell_rules.CUSTOM, is_damaged_text))
    for field in fields
}
"""Field → its fast path; a date has none, since the days of a century are cached."""
