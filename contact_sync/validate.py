"""The rules over whole columns: a chunk of rows in, a verdict for each of them out.

Nearly all cells are plain, and one look at the joined text of a column tells that all its cells are, at a tenth of the price of
reading them one by one. Where the look fails the column is cut up until only its odd cells are left to be read. A look may be too
strict, but what it lets pass is what reading would have given. (The string methods of pandas cost ten times such a look.)
"""

import datetime
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from operator import itemgetter
from typing import Literal, TypeAlias

import phonenumbers

from contact_sync.errors import ConfigError
from contact_sync.model import FIELDS, ID, ROW, Chunk, Verdicts, Violation
from contact_sync.rules import (
    BLANK,
    DAMAGED,
    DATE,
    DECIMAL,
    LIMITS,
    NOT_IN_URL,
    PHONE,
    SCIENTIFIC,
    TEXTS,
    URL,
    Reading,
    is_host,
    mobile_pattern,
    read_date,
    read_id,
    read_phone,
    read_text,
    read_url,
)

Look: TypeAlias = Callable[[list[str]], list[str] | None]
"""Cells → what is sent for each of them, empty for a blank one; None when one of them may be odd."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What the operator decides about cells."""

    blank: Literal["keep", "clear"] = "keep"
    """What an empty cell means: leave the stored value, or empty it. A blank phone number always leaves it."""
    region: str = "FR"
    """How a national phone number is read: two letters of ISO 3166."""
    today: datetime.date
    """A date may lie two years after it."""


class Validator:
    """Judges the rows of one source; `mapping` is the source's own.

    Raises `ConfigError` for a region without a numbering plan.
    """

    def __init__(self, mapping: Mapping[str, int], policy: Policy) -> None:
        region = policy.region.upper()
        if region not in phonenumbers.SUPPORTED_REGIONS:
            raise ConfigError(f"{policy.region} is not a region: give the two letters of ISO 3166, such as FR.")
        latest = policy.today + datetime.timedelta(days=2 * 365)
        blank = "" if policy.blank == "clear" else None
        columns = [
            _Column(ID, look_at_ids, read_id),
            _Column(PHONE, phone_look(region), partial(read_phone, region=region)),
            *(_Column(field, text_look(field), partial(read_text, field=field), blank) for field in TEXTS),
            _Column(DATE, None, partial(read_date, latest=latest), blank),
            _Column(URL, look_at_urls, read_url, blank),
        ]
        self._mapping = dict(mapping)
        self._columns = sorted((column for column in columns if column.field in mapping), key=_rank)
        self.notes: Counter[tuple[str, str]] = Counter()
        """(field, the end of a sentence on what was put right) → in how many cells."""

    def validate(self, chunk: Chunk) -> Verdicts:
        """Judge each row of `chunk`: all that is wrong with it, in the order `ROW`, `ID`, `FIELDS`; one violation a cell.

        A cell that the loader found wrong is not judged again, nor any cell of a row that it found wrong as a whole, for its
        values may have moved. A row without a violation that sends nothing gets `nothing-to-send`.
        """
        flawed: defaultdict[str, set[int]] = defaultdict(set)
        violations: defaultdict[int, list[Violation]] = defaultdict(list)
        for position, flaws in chunk.flaws.items():
            for flaw in flaws:
                flawed[flaw.field].add(position)
                violations[position].append(flaw)
        verdicts = Verdicts([], [], violations, [])
        rows = chunk.rows
        if flawed[ROW]:  # they may be too short
            blank_row = [""] * (max(self._mapping.values()) + 1)
            rows = [blank_row if position in flawed[ROW] else row for position, row in enumerate(rows)]
        unmapped: list[str | None] = [None] * len(rows)
        values = dict.fromkeys(FIELDS, unmapped)
        for column in self._columns:
            cells = list(map(itemgetter(self._mapping[column.field]), rows))
            values[column.field] = self._judge(column, cells, flawed[ROW] | flawed[column.field], verdicts)
        for found in violations.values():
            found.sort(key=_rank)
        verdicts.ids = [contact or "" for contact in values.pop(ID)]
        verdicts.payloads = list(zip(*values.values(), strict=True))
        _flag_idle(verdicts)
        verdicts.violations = dict(violations)
        return verdicts

    def _judge(self, column: "_Column", cells: list[str], spared: set[int], verdicts: Verdicts) -> list[str | None]:
        """Return the values of a column, and put what is odd about its cells into `verdicts`; `spared` cells are not judged."""
        for position in spared:
            cells[position] = ""
        values, odd = column.read(cells)
        for position in spared:
            values[position] = None
            odd.pop(position, None)
        for position, reading in odd.items():
            if reading.violation:
                verdicts.violations[position].append(reading.violation)
            if reading.note:
                self.notes[column.field, reading.note] += 1
            if reading.ambiguous:
                verdicts.ambiguous.append(position)
        return values


def _flag_idle(verdicts: Verdicts) -> None:
    nothing = (None,) * len(FIELDS)
    if nothing in verdicts.payloads:
        for position, payload in enumerate(verdicts.payloads):
            if payload == nothing and position not in verdicts.violations:
                verdicts.violations[position] = [Violation("nothing-to-send")]


_RANKS = {field: rank for rank, field in enumerate((ROW, ID, *FIELDS))}


def _rank(violation: Violation) -> int:
    return _RANKS.get(violation.field, len(_RANKS))  # the last are of columns that are not sent


class _Column:
    """How the cells of one field are read: all at once by `look`, one by one by `read` where that fails."""

    def __init__(self, field: str, look: Look | None, read: Callable[[str], Reading], blank: str | None = None) -> None:
        self.field = field
        self._look = look
        self._read = lru_cache(32_768)(read)  # the birthdays of a century fit in
        self._blank = blank

    def read(self, cells: list[str]) -> tuple[list[str | None], dict[int, Reading]]:
        """Return the value of each cell, and by their positions the readings that tell more than a value."""
        values: list[str | None] = []
        odd: dict[int, Reading] = {}
        self._fill(cells, values, odd)
        return values, odd

    def _fill(self, cells: list[str], values: list[str | None], odd: dict[int, Reading]) -> None:
        if self._look and (texts := self._look(cells)) is not None:
            values += [text or self._blank for text in texts]
        elif self._look and len(cells) > 8:  # noqa: PLR2004 - fewer are read faster than looked at
            part = len(cells) // 8 + 1
            for start in range(0, len(cells), part):
                self._fill(cells[start : start + part], values, odd)
        else:
            for position, reading in enumerate(map(self._read, cells), len(values)):
                if reading.tells_more:
                    odd[position] = reading
                values.append(self._blank if reading is BLANK else reading.value)


# Looks ------------------------------------------------------------------------------------------------------------------

_ODD_ID = re.compile(rf"\n(?:{SCIENTIFIC}|{DECIMAL % 1})(?=\n)")
_IN_ODD_IDS = ("'", '"', "#", "<", "=", " ", "err:", "total", "somme")
_IN_ODD_TEXTS = ("#", "<", "=", "Err:")
_is_damaged = re.compile(DAMAGED).search
_leaves_url = re.compile(NOT_IN_URL).search
_authorities = re.compile("^https?://([^/?#\n]+).*$", re.MULTILINE).findall
_in_pairs = re.compile(r"^([0-9]{2})[.-]([0-9]{2})[.-]([0-9]{2})[.-]([0-9]{2})[.-]([0-9]{2})$", re.MULTILINE).sub


def look_at_ids(cells: list[str]) -> list[str] | None:
    """Pass ids of plain ASCII that nothing was done to."""
    text = "".join(cells)
    if not (text.isascii() and all(cells) and max(map(len, cells), default=0) <= LIMITS[ID]):
        return None
    if text.isdigit():
        return cells
    small = text.lower()
    if not text.isprintable() or any(mark in small for mark in _IN_ODD_IDS):
        return None
    return None if _ODD_ID.search("\n" + "\n".join(cells) + "\n") else cells


def text_look(field: str) -> Look:
    """Return the look that passes printable texts in NFC that fit a name or a custom field."""
    limit = LIMITS[field]

    def look(cells: list[str]) -> list[str] | None:
        text = " ".join(cells)
        if not text.isprintable() or any(mark in text for mark in _IN_ODD_TEXTS):
            return None
        if not text.isascii() and (not unicodedata.is_normalized("NFC", text) or _is_damaged(text)):
            return None
        texts = list(map(str.strip, cells))
        return texts if max(map(len, texts), default=0) <= limit else None

    return look


def phone_look(region: str) -> Look | None:
    """Return the look that passes French mobiles as they are mostly written; None for other regions: each has its own ways."""
    if region != "FR":
        return None
    mobiles = re.compile(rf"^(?:(?:0|\+33)({mobile_pattern(region)}))?$", re.MULTILINE | re.ASCII).findall

    def look(cells: list[str]) -> list[str] | None:
        lines = "\n".join(cells).replace(" ", "")
        if lines.count("\n") != len(cells) - 1:
            return None
        if "." in lines or "-" in lines:
            lines = _in_pairs(r"\1\2\3\4\5", lines)
        found = mobiles(lines)
        return ["+33" + number if number else "" for number in found] if len(found) == len(cells) else None

    return look


def look_at_urls(cells: list[str]) -> list[str] | None:
    """Pass addresses in ASCII, of lower-case scheme, whose host has neither port nor login."""
    text = "".join(cells)
    if not (text.isascii() and text.isprintable() and max(map(len, cells), default=0) <= LIMITS[URL]) or _leaves_url(text):
        return None
    hosts = _authorities("\n".join(cells))
    return cells if len(hosts) == len(cells) - cells.count("") and all(map(is_host, set(hosts))) else None
