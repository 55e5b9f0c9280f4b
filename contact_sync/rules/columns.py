"""The rules over whole columns: a chunk of rows in, a verdict for each of them out.

Nearly all cells are plain, and one look at the joined text of a column tells that all its cells are, at a twentieth of the
price of reading them one by one (the string methods of pandas cost four such looks). Where the look fails the column is cut up
until only its odd cells are left to be read. A look may be too strict; what it lets pass is what reading would have given.
"""

import datetime as dt
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal, TypeAlias

import phonenumbers

from contact_sync.errors import ConfigError
from contact_sync.i18n import _
from contact_sync.model import FIELDS, ID, PHONE, ROW, Chunk, Verdicts, Violation
from contact_sync.rules.cells import (
    BLANK,
    DATE,
    DECIMAL,
    FRENCH_MOBILE,
    LIMITS,
    NOT_IN_URL,
    SCIENTIFIC,
    TEXTS,
    URL,
    Reading,
    is_host,
    read_date,
    read_id,
    read_phone,
    read_text,
    read_url,
)

FastPath: TypeAlias = Callable[[Sequence[str]], Sequence[str] | None]
"""Cells → what is sent for each of them, empty for a blank one; None when one of them may be odd."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What the operator decides about cells. Raises ConfigError for a region without a numbering plan."""

    blank: Literal["keep", "clear"] = "keep"
    """What an empty cell means: leave the stored value, or empty it. A blank phone number always leaves it."""
    region: str = "FR"
    """How a national phone number is read: two letters of ISO 3166."""
    today: dt.date
    """A date may lie two years after it."""

    def __post_init__(self) -> None:
        if self.region.upper() not in phonenumbers.SUPPORTED_REGIONS:
            raise ConfigError(_("{region} is not a region: give the two letters of ISO 3166, such as FR.", region=self.region))


class Validator:
    """Judges the rows of one source; `mapping` is the source's own."""

    def __init__(self, mapping: Mapping[str, int], policy: Policy) -> None:
        region = policy.region.upper()
        latest = policy.today + dt.timedelta(days=2 * 365)
        blank = "" if policy.blank == "clear" else None
        columns = {
            ID: _Column(fast_ids, read_id),
            PHONE: _Column(fast_french_phones if region == "FR" else None, partial(read_phone, region=region)),
            DATE: _Column(None, partial(read_date, latest=latest), blank),
            URL: _Column(fast_urls, read_url, blank),
        } | {field: _Column(partial(fast_texts, limit=LIMITS[field]), partial(read_text, field=field), blank) for field in TEXTS}
        self._columns = {field: (mapping[field], columns[field]) for field in (ID, *FIELDS) if field in mapping}
        self._width = 1 + max(place for place, _ in self._columns.values())
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
        ambiguous: list[int] = []
        rows = chunk.rows
        if flawed[ROW]:  # they may be too short
            blank_row = [""] * self._width
            rows = [blank_row if position in flawed[ROW] else row for position, row in enumerate(rows)]
        unmapped: list[str | None] = [None] * len(rows)
        values = dict.fromkeys(FIELDS, unmapped)
        cells = list(zip(*rows)) or [()] * self._width  # noqa: B905 - only a blank row may be shorter
        for field, (place, column) in self._columns.items():
            values[field], irregular = column.read(cells[place], flawed[ROW] | flawed[field])
            for position, reading in irregular.items():
                if reading.violation:
                    violations[position].append(reading.violation)
            ambiguous += [position for position, reading in irregular.items() if reading.ambiguous]
            self.notes.update((field, reading.note) for reading in irregular.values() if reading.note)
        for found in violations.values():
            found.sort(key=lambda violation: _RANKS[violation.field])
        ids = [contact or "" for contact in values.pop(ID)]
        payloads = list(zip(*values.values(), strict=True))
        idle = [at for at, payload in enumerate(payloads) if payload == _NOTHING] if _NOTHING in payloads else []
        violations.update({at: [Violation("nothing-to-send")] for at in idle if at not in violations})
        return Verdicts(ids, payloads, dict(violations), ambiguous)


_RANKS = {field: rank for rank, field in enumerate((ROW, ID, *FIELDS))}
_NOTHING = (None,) * len(FIELDS)


class _Column:
    """How the cells of one field are read: all at once by `fast_path`, one by one by `read` where that fails."""

    def __init__(self, fast_path: FastPath | None, read: Callable[[str], Reading], blank: str | None = None) -> None:
        self._fast_path = fast_path
        self._read = read
        self._read_short = read if fast_path else lru_cache(32_768)(read)  # the days of a century fit in
        self._blank = blank

    def read(self, cells: Sequence[str], skipped: Collection[int]) -> tuple[list[str | None], dict[int, Reading]]:
        """Return the value of each cell, and by their positions the readings that tell more; `skipped` cells have neither."""
        values: list[str | None] = []
        irregular: dict[int, Reading] = {}
        self._fill(cells, values, irregular)
        for position in skipped:
            values[position] = None
            irregular.pop(position, None)
        return values, irregular

    def _fill(self, cells: Sequence[str], values: list[str | None], irregular: dict[int, Reading]) -> None:
        if self._fast_path and (texts := self._fast_path(cells)) is not None:
            values += [text or self._blank for text in texts] if "" in texts else texts
        elif self._fast_path and len(cells) > 8:  # noqa: PLR2004 - so few are read faster than looked at
            part = len(cells) // 8 + 1
            for start in range(0, len(cells), part):
                self._fill(cells[start : start + part], values, irregular)
        else:
            read = self._read_short if max(map(len, cells), default=0) < 40 else self._read  # noqa: PLR2004 - bounds the cache
            readings = list(map(read, cells))
            irregular.update(
                (at, one) for at, one in enumerate(readings, len(values)) if one.violation or one.note or one.ambiguous
            )
            values += [self._blank if reading is BLANK else reading.value for reading in readings]


# Looks ------------------------------------------------------------------------------------------------------------------

_IRREGULAR_ID = re.compile(rf"\n(?:{SCIENTIFIC}|{DECIMAL % 1}|[^0-9A-Za-z\n]+)(?=\n)")
_IN_IRREGULAR_IDS = ("'", '"', "#", "<", "=", " ", "\\", "err:", "total", "somme")
_IN_IRREGULAR_TEXTS = ('"', "#", "<", "=", "\\", "Err:", "Ã", "Â", "Å", "â\u20ac", "â\u201a", "\ufffd")
_authorities = re.compile("^https?://([^/?#\n]+).*$", re.MULTILINE).findall
_french_mobiles = re.compile(rf"^(?:(?:0|\+33)({FRENCH_MOBILE}))?$", re.MULTILINE | re.ASCII).findall
_in_pairs = re.compile(r"^([0-9]{2})[.-]([0-9]{2})[.-]([0-9]{2})[.-]([0-9]{2})[.-]([0-9]{2})$", re.MULTILINE).sub


def fast_ids(cells: Sequence[str]) -> Sequence[str] | None:
    """Pass ids of plain ASCII that nothing was done to."""
    text = "".join(cells)
    if not (text.isascii() and all(cells) and max(map(len, cells), default=0) <= LIMITS[ID]):
        return None
    if text.isdigit():
        return cells
    small = text.lower()
    if not text.isprintable() or any(mark in small for mark in _IN_IRREGULAR_IDS):
        return None
    return None if _IRREGULAR_ID.search("\n" + "\n".join(cells) + "\n") else cells


def fast_texts(cells: Sequence[str], limit: int) -> Sequence[str] | None:
    """Pass printable texts in NFC of at most `limit` characters."""
    text = " ".join(cells)
    if not text.isprintable() or any(mark in text for mark in _IN_IRREGULAR_TEXTS):
        return None
    if not text.isascii() and not unicodedata.is_normalized("NFC", text):
        return None
    texts = list(map(str.strip, cells))
    return texts if max(map(len, texts), default=0) <= limit else None


def fast_french_phones(cells: Sequence[str]) -> Sequence[str] | None:
    """Pass French mobiles that begin with 0 or +33, with spaces anywhere or in pairs with points or hyphens."""
    lines = "\n".join(cells).replace(" ", "")
    if lines.count("\n") != len(cells) - 1:
        return None
    if "." in lines or "-" in lines:
        lines = _in_pairs(r"\1\2\3\4\5", lines)
    found = _french_mobiles(lines)
    return ["+33" + number if number else "" for number in found] if len(found) == len(cells) else None


def fast_urls(cells: Sequence[str]) -> Sequence[str] | None:
    """Pass addresses in ASCII, of lower-case scheme, whose host has neither port nor login."""
    text = "".join(cells)
    if not (text.isascii() and text.isprintable() and max(map(len, cells), default=0) <= LIMITS[URL]):
        return None
    if any(mark in text for mark in NOT_IN_URL):
        return None
    hosts = _authorities("\n".join(cells))
    return cells if len(hosts) == len(cells) - cells.count("") and all(map(is_host, set(hosts))) else None
