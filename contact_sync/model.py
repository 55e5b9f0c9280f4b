"""The nouns that cross folders on their way from the source to the report."""

import dataclasses
import os
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import IO, NamedTuple, Protocol, Self

from contact_sync.display import shorten
from contact_sync.i18n import N_, _, gettext, labelled, ngettext
from contact_sync.i18n.catalogue import CATALOGUE, QUOTING
from contact_sync.names import Purpose, short
from contact_sync.packed import checksums, pack, unpack

ID = "contactId"  # names the contact; never sent inside `contact`
PHONE = "phoneNumber"
FIELDS = (PHONE, "firstname", "lastname", "date", "url", "custom1", "custom2", "custom3", "custom4")
"""The fields that can be sent, in the order of the API's page."""
NAMES = ("firstname", "lastname")


class Schema(NamedTuple):
    """The fields of a contact: code about all fields takes a schema, only code about one field names it."""

    id: str  # the field that names the contact
    fields: tuple[str, ...]  # those of a payload, in its order; without `id`

    @property
    def all_fields(self) -> tuple[str, ...]:
        """The id, then the fields of a payload."""
        return (self.id, *self.fields)


CONTACT = Schema(ID, FIELDS)

MOST_UNDO_DAYS = 7  # days that the values before a run are kept at most

ROW = ""  # the `field` of a violation that is about the row as a whole

BASE_COLUMN = "sync_base"
"""The column of a pulled file with the base token of each row: the one column of ours that is kept when a file is read."""


def stamp(moment: datetime) -> str:
    """Return a moment of UTC as ISO 8601 with Z."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def readable(name: str | Path) -> str:
    """Return the name of a file as valid Unicode, with replacements for undecodable bytes."""
    return os.fsencode(name).decode(errors="replace")


class Outcome(StrEnum):
    """The result of a data row; each row has exactly one."""

    UPDATED = N_("updated")
    UNCHANGED = N_("unchanged")
    DUPLICATE = N_("duplicate")
    ALTERED = N_("altered")
    INVALID = N_("invalid")
    REJECTED = N_("rejected")
    FAILED = N_("failed")
    UNPROCESSED = N_("unprocessed")
    CONFLICT = N_("conflict")
    READY = N_("ready")

    @property
    def named(self) -> str:
        """The outcome in the language of the operator, with its stable word where that is another one: `à corriger (invalid)`."""
        name = gettext(self.value)
        return name if name == self.value else f"{name} ({self.value})"


IN_PLACE = (Outcome.UPDATED, Outcome.UNCHANGED, Outcome.DUPLICATE)  # outcomes of rows whose values the API has
ATTENTION = (Outcome.ALTERED, Outcome.INVALID, Outcome.REJECTED, Outcome.CONFLICT)
"""Outcomes of rows that an operator has to correct: no further run changes them."""
REPEATS_WRONG, REPEATS_LEFT = "repeats-wrong", "repeats-left"
"""Codes of a duplicate whose row that counts needs attention, or is left for another run."""
LEFT = (Outcome.FAILED, Outcome.UNPROCESSED)  # outcomes of rows that another run sends, except those left out on request
_LEFT_OUT = (
    "hidden",
    "forgotten",
    "superseded",
    "base-stale",
)  # codes of rows that are `unprocessed` and that no other run sends


class Column(NamedTuple):
    """The column of a field in the source, as an operator sees it."""

    name: str  # its header, shortened
    letter: str

    @property
    def place(self) -> str:
        """The column as part of a sentence."""
        return _("“{name}” (column {letter})", name=self.name, letter=self.letter)

    def left_off(self, sentence: str) -> str:
        """Return a sentence about a cell without the column at its beginning, for where that is shown beside it."""
        return sentence.removeprefix(labelled(self.place, ""))


NO_COLUMNS: Mapping[str, Column] = MappingProxyType({})  # of the fields of a row that is not from a source


def place_of(field: str, columns: Mapping[str, Column]) -> str:
    """Return the column of a field as part of a sentence, or only the field where that is its header, or it has no column."""
    return columns[field].place if field in columns and columns[field].name != field else field


def _placed(sentence: str, code: str, field: str, columns: Mapping[str, Column]) -> str:
    """Return the sentence of a code with the column before it, unless it names its field itself."""
    place = place_of(field, columns)
    return sentence if place == field or "{field}" in CATALOGUE.get(code, "") else labelled(place, sentence)


FIELDS_OF_DETAIL = "fields"  # the placeholder of a sentence about several fields; its value joins them by ", "


@dataclass(frozen=True, slots=True)
class Violation:
    """A problem of one row for the operator: a stable code, the field, and the values of the sentence's placeholders."""

    code: str  # a key of `contact_sync.i18n.catalogue.CATALOGUE`
    field: str = ROW  # `ID`, one of `FIELDS`, or `ROW`
    detail: dict[str, str] = dataclasses.field(default_factory=dict)  # placeholder → its value

    def sentence(self, columns: Mapping[str, Column] = NO_COLUMNS) -> str:
        """Return one sentence that says what is wrong and what to do; it names each field by its column of the source."""
        detail = dict(self.detail)
        if fields := detail.get(FIELDS_OF_DETAIL):
            detail[FIELDS_OF_DETAIL] = ", ".join(place_of(field, columns) for field in fields.split(", "))
        sentence = _(CATALOGUE[self.code], field=place_of(self.field, columns), **detail)
        return _placed(sentence, self.code, self.field, columns)


CONFLICTING = "duplicate-conflict"
LISTED = 5  # rows of a contact, or contacts, that a sentence lists


def conflict_of(contacts: Sequence[Sequence[int]], others: int = 0) -> Violation:
    """Return the violation of rows with one contactId and different values, by contact; `others` are contacts not listed."""
    return Violation(CONFLICTING, ID, {"rows": f" ({listed_groups(contacts, others)})"})


def listed_groups(groups: Sequence[Sequence[int]], others: int = 0) -> str:
    """Return groups of row numbers as "3 and 9; 5, 6 and 12"; `others` are groups that are not listed."""
    rows = _("; ").join(map(listed, groups))
    return _("{rows} and {more} more", rows=rows, more=others) if others else rows


def listed(numbers: Sequence[int]) -> str:
    """Return row numbers as "3, 9 and 12", or the first few of many."""
    *first, last = map(str, numbers[: LISTED + 1])
    if len(numbers) > LISTED:
        return _("{rows} and {more} more", rows=", ".join(first), more=len(numbers) - LISTED)
    return _("{rows} and {last}", rows=", ".join(first), last=last) if first else last


@dataclass(slots=True)
class Chunk:
    """Consecutive data rows of a source, as text; blank rows are left out."""

    numbers: list[int]  # row numbers as a spreadsheet or an editor shows them; for a CSV record the line it starts on. Ascending.
    rows: list[list[str]]  # the cells of each row as displayed, one for each of `Source.columns`
    flaws: dict[int, list[Violation]] = dataclasses.field(default_factory=dict)  # position → the loader's violations
    skipped: dict[int, str] = dataclasses.field(default_factory=dict)  # position → code of a row that is left out, as `hidden`
    source_at: list[str] = dataclasses.field(default_factory=list)
    """In a report that is fed back, the cell of each row that says how old its values are (`Line.source_at`); else empty."""
    checksums: list[str] = dataclasses.field(default_factory=list)
    """In such a report, the checksum of the cells of each row when it was written (`Line.results`); else empty."""


_FIRST_FORMATS = ("report", "workbook", "page")  # those whose paths have a fixed position in a ledger


class OutputPaths(NamedTuple):
    """Paths of a run's source and of its reports."""

    source: Path
    reports: dict[str, Path]  # name of a report format → path; the CSV report is always one of them
    mode: int = 0o600  # permissions of the reports

    @property
    def report(self) -> Path:
        """Path of the CSV report."""
        return self.reports["report"]

    def moved(self, source: Path) -> Self:
        """Return the paths after the source was moved to `source`, and the reports that are named after it with it."""
        reports, before = dict(self.reports), short(self.source.name)
        for name, path in reports.items():
            if path.parent == self.source.parent and path.name.startswith(before):
                reports[name] = source.with_name(source.name + path.name.removeprefix(before))
        return self._replace(source=source, reports=reports)

    def packed(self) -> bytes:
        """Return the paths, made absolute, as bytes; `unpacked` is the inverse.

        A path may not be UTF-8. NUL separates the source, then the first formats (empty without a report), then `name=path`.
        """
        paths = {name: os.fsencode(path.absolute()) for name, path in self.reports.items()}
        first = [paths.pop(name, b"") for name in _FIRST_FORMATS]
        return b"\0".join([os.fsencode(self.source.absolute()), *first, *(name.encode() + b"=" + paths[name] for name in paths)])

    @classmethod
    def unpacked(cls, packed: bytes, mode: int) -> Self:
        """Return the paths that `packed` was made of."""
        source, *stored = map(os.fsdecode, packed.split(b"\0"))
        paths = [*zip(_FIRST_FORMATS, stored, strict=False), *(entry.split("=", 1) for entry in stored[len(_FIRST_FORMATS) :])]
        return cls(Path(source), {name: Path(path) for name, path in paths if path}, mode)


class Layout(NamedTuple):
    """The properties of a source that a report needs in addition to the rows."""

    columns: list[str]
    letters: list[str]
    mapping: dict[str, int]
    delimiter: str

    @property
    def base_position(self) -> int | None:
        """The position of a pulled file's base tokens, None for any other file."""
        return next((at for at, name in enumerate(self.columns) if name.strip().casefold() == BASE_COLUMN), None)

    def without(self, position: int) -> Self:
        """Return the layout without the column at `position`, which is not one of a field."""
        columns, letters = list(self.columns), list(self.letters)
        del columns[position], letters[position]
        mapping = {field: place - (place > position) for field, place in self.mapping.items()}
        return self._replace(columns=columns, letters=letters, mapping=mapping)

    @property
    def columns_of_fields(self) -> dict[str, Column]:
        """Field → its column."""
        return {field: Column(shorten(self.columns[at]) or field, self.letters[at]) for field, at in self.mapping.items()}


MARK = "<?>"  # marks a missing cell in a report, precedes surplus cells, and follows text that cannot be shown in full
TO_FIX = "contact_sync_to_fix"
"""The defined name that identifies the sheet of rows to correct in a returned workbook, even after it was renamed."""
VERBATIM = "sync_verbatim"
"""The header that a workbook of a run has in addition to a CSV report: its texts have no apostrophe before them."""
WIDEST, LAST_ROW = 256, 1_048_576
"""Most columns of a sheet that are read and written (a table of contacts has fewer), and the last row of a sheet."""


def sheet_of(place: str) -> str:
    """Return the title of the sheet that the reference of a defined name points to (`'Ops'' list'!$A$1`)."""
    return place.rpartition("!")[0].strip("'").replace("''", "'")


@dataclass(frozen=True, slots=True)
class Original:
    """The operator's own workbook, which can be returned with the results of its rows."""

    file: IO[bytes]  # its private copy, open as long as the source is
    name: str  # as sentences show it
    sheet: str  # title of the sheet of contacts
    header: int  # row of the header
    macros: bool
    is_calculated: bool = True  # False when a formula's 0 may stand for no result

    @property
    def suffix(self) -> str:
        """The suffix that a copy needs: Excel does not open a workbook with macros whose name ends in .xlsx."""
        return ".xlsm" if self.macros else ".xlsx"


class Identity(NamedTuple):
    """The properties of a file that differ once it was changed or replaced."""

    modified_ns: int
    size: int
    inode: int
    device: int


@dataclass(slots=True)
class Source(ABC):
    """An open file of contacts with a known structure."""

    path: Path  # as the operator named it
    columns: list[str]  # the header cells as read, in source order, without the report's own `sync_` columns
    letters: list[str]  # for each of `columns`, the letter that a spreadsheet shows above it ("A", "AB")
    mapping: dict[str, int]  # `ID` or a field → its position in `columns`; `ID` and at least one field are in it
    delimiter: str  # of the report: the source's own, `;` for a workbook
    findings: list[str]
    """Sentences for the summary on what was detected (encoding, delimiter, header row, columns that are not sent)."""
    warnings: list[str]
    """Sentences on what an operator should check although the source is accepted; may grow until `chunks` is exhausted."""
    _: KW_ONLY
    identity: Identity | None = None
    is_workbook: bool = False  # of its content, whatever the name
    hidden: list[int] = dataclasses.field(default_factory=list)  # numbers of the hidden rows for which the source is refused
    blanks_certain: bool = True  # False when an empty cell may be a formula that was never calculated
    original: Original | None = None
    """None when the source is not an .xlsx or .xlsm file, or is a CSV report that was saved as one."""

    @property
    def layout(self) -> Layout:
        """The layout for reports."""
        return Layout(self.columns, self.letters, self.mapping, self.delimiter)

    @property
    def base_position(self) -> int | None:
        """The position in `columns` of a pulled file's base tokens, None for any other file."""
        return self.layout.base_position

    @abstractmethod
    def chunks(self) -> Iterator[Chunk]:
        """Yield the data rows, a few thousand at a time; raises `SourceError` where the file turns out to be damaged."""


class Staged(NamedTuple):
    """A row for the ledger with another outcome than its block."""

    number: int
    contact_id: str
    payload: tuple[str | None, ...]  # in the order of `FIELDS`
    outcome: Outcome | None  # None while the row is pending
    violations: Sequence[Violation] = ()
    as_of: int | None = None  # time of its values (seconds since 1970, UTC), where it is not that of the run's source
    base: str = ""  # the base token of a row of a pulled file that is pending


class Block(NamedTuple):
    """A chunk for the ledger: most of its rows share one outcome without further details."""

    numbers: list[int]
    ids: list[str]
    cells: bytes  # packed by `contact_sync.packed`
    outcome: Outcome  # of the rows that are not in `others`
    others: list[Staged]


class Pending(NamedTuple):
    """A row that is about to be sent."""

    number: int
    contact_id: str
    contact: dict[str, str]  # the `contact` object of the request: field → value
    attempts: int  # earlier ones: in the second pass, those of the first
    known: bytes  # digests of the contact's other fields as the API last confirmed them
    base: str = ""  # the row's base token; empty unless it is from a pulled file


class Answer(NamedTuple):
    """The meaning of the API's answer to an attempt for the row."""

    outcome: Outcome
    violations: list[Violation]
    http_status: int | None
    api_code: str
    base: str | None = None  # of a contact that was read first: the base token of the row's next edit
    confirmed: Mapping[str, str] | None = None  # the values that the API has for certain; None for those of the row


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a row that was sent or was about to be sent."""

    row: Pending
    outcome: Outcome
    violations: Sequence[Violation] = ()
    attempts: int = 0
    http_status: int | None = None
    api_code: str = ""
    at: str = ""  # UTC, ISO 8601 with Z
    base: str | None = None  # of a contact that was read first: the base token of the row's next edit


class Pacing(Protocol):
    """The pace of requests, and why it is slow."""

    @property
    def rate(self) -> float:
        """The requests a second that were asked for; infinite without a limit."""

    @property
    def limit(self) -> float:
        """The requests a second that may start now, except during a pause; infinite without a limit."""

    @property
    def pause_left(self) -> float:
        """The seconds until a pause ends that the API asked for, 0 when there is none."""

    @property
    def throttled(self) -> int:
        """The number of answers so far that asked for fewer requests (429)."""

    @property
    def is_throttled(self) -> bool:
        """True when the last of them was a moment ago."""

    @property
    def is_slowed(self) -> bool:
        """True while the pace is below the rate because of them."""


class Watcher(Protocol):
    """An observer of a run's progress."""

    def loaded(self, rows: int) -> None:
        """Notify that `rows` more rows were loaded and validated."""

    def paced(self, pace: Pacing) -> None:
        """Notify which pace the requests keep from now on."""

    def sending(self, rows: int) -> None:
        """Notify that `rows` rows are about to be sent."""

    def reading(self, rows: int) -> None:
        """Notify that the contacts of `rows` rows are about to be read, and that nothing is sent."""

    def sent(self, result: Result) -> None:
        """Notify that one row was sent or read, with its result."""


class Workload(NamedTuple):
    """The size of a run: its rows, and how many of them were not in place yet."""

    rows: int
    changed: int


class PullSummary(NamedTuple):
    """The result of a pull."""

    contacts: int
    groups: int
    requests: int
    missing: int  # contacts that the pages of the API did not show, at least
    output: Path
    exit_code: int


class UndoSummary(NamedTuple):
    """The result of an undo: a file that puts back what a run has changed."""

    run: str
    contacts: int
    fields: dict[str, int]  # field → number of contacts
    output: Path
    others: list[str]  # ids of earlier runs that can be undone, the latest first; empty when a run was given


PLAN_DAYS = 7  # days that the digests of a plan are kept
PLAN_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""The letters of its number: none is read or heard as another one (Crockford's Base32)."""


class Kind(StrEnum):
    """The side that has changed a field since the file was pulled, or that an ordinary file names."""

    OWN = "own"
    FOREIGN = "foreign"
    CONFLICT = "conflict"  # both sides, to different values


class Effect(StrEnum):
    """The effect of a run on a field."""

    SENT = "sent"
    HELD = "held"  # nothing of its row is sent
    KEPT = "kept"  # the value of SMS Partner stays


class Change(NamedTuple):
    """A field of a planned row that was changed."""

    row: int
    contact_id: str
    name: str  # of the contact in SMS Partner; empty where it was not read
    field: str
    kind: Kind
    effect: Effect
    mine: str | None  # the value of the row; None where it leaves the field alone
    theirs: str | None  # the value that SMS Partner has now; None where it was not read


class PlannedRow(NamedTuple):
    """A row to send, and what becomes of it."""

    number: int
    contact_id: str
    facts: Sequence[Sequence[str]]  # what its part of the number of the plan depends on
    changes: Sequence[Change] = ()


@dataclass(slots=True)
class PlanSummary:
    """The plan of a run; `of` has the findings of its source, the reasons why it would stop, and its causes."""

    of: "Summary"
    fields: dict[str, int]  # field → contacts that would be sent another value
    contacts: int  # that would be updated
    conflicts: int  # rows
    emptied: int  # cells
    stops: int  # rows that would change the number of a person who said STOP
    rejected: int  # rows whose contact the API refuses to show
    unread: int  # rows whose contact could not be read
    requests: int  # of that run, about
    seconds: float  # of that run, at least; 0 without a limit of its pace
    listed: Callable[[], Iterator[Change]]  # all changes in source order, until the plan is closed
    number: str = ""  # of the plan; empty unless a run can be held to it
    output: Path | None = None
    exit_code: int = 0
    columns: Mapping[str, Column] = dataclasses.field(default_factory=dict)  # of the fields in the source

    @property
    def changes(self) -> int:
        """The number of rows that a run would send, or would hold."""
        return self.contacts + self.conflicts + self.stops


class ProbeSummary(NamedTuple):
    """The result of a probe."""

    run: str  # the name under which the values before are kept
    contact_id: str
    answers: dict[str, str]  # open question → answer
    different: list[str]  # fields that could not be put back
    requests: int


class PastRun(NamedTuple):
    """The record of an earlier run; times are UTC, ISO 8601 with Z."""

    id: str
    source: str
    started: str
    finished: str | None  # None when it was interrupted
    exit_code: int | None
    outcomes: dict[str, int]
    requests: int
    retries: int
    seconds: float
    place: Path = Path()  # where the source is, absolute, also after it was moved
    reason: str = ""  # why it ended early


class Event(NamedTuple):
    """The result of a contact in an earlier run."""

    run: str
    started: str
    source: str
    number: int  # of its row
    outcome: str
    code: str
    fields: str  # those that the code is about, joined by `,`
    sent: str  # the fields that were sent, joined by `,`; no values are kept
    at: str


class BeforeImage(NamedTuple):
    """The values of a contact before a run changed them."""

    contact_id: str
    fields: dict[str, str]  # changed field → the value before
    written: str  # a base token of what the run wrote, and one of what an undo puts back, the other fields empty


class Line(NamedTuple):
    """One data row of a report."""

    cells: list[str]
    number: int
    outcome: str
    code: str
    fields: str
    message: str
    attempts: int
    http_status: int | None
    api_code: str
    at: str
    source_at: str = ""  # when the source of its values was last changed; UTC, ISO 8601 with Z
    base: str = ""  # a base token that replaces the one in its cells; empty where that stays
    sentences: Mapping[str, str] = {}  # field → the part of `message` about it, where there are several

    @property
    def results(self) -> tuple[str | int | None, ...]:
        """The values of a report's own columns."""
        return (*self[1:-2], *checksums(pack([self.cells])))

    @property
    def needs_attention(self) -> bool:
        """True when an operator has to correct the row, or the one that counts for it."""
        return self.outcome in ATTENTION or REPEATS_WRONG in self.code.split(",")


class Batch(NamedTuple):
    """Consecutive lines of a report, most of which have the same result."""

    numbers: list[int]
    cells: bytes  # of all rows, packed by `contact_sync.packed`
    plain: Line  # of all rows that are not in `others`, apart from their own cells and numbers
    others: dict[int, Line]  # row number → line

    def with_fresh_bases(self, position: int) -> Self:
        """Return the batch with the fresh base tokens of its lines in the cells at `position`."""
        if not any(line.base for line in self.others.values()):
            return self
        rows, others = unpack(self.cells), dict(self.others)
        for number, cells in zip(self.numbers, rows, strict=True):
            if number in others and others[number].base:
                cells[position] = others[number].base
                others[number] = others[number]._replace(cells=cells)
        return self._replace(cells=pack(rows), others=others)

    def without(self, position: int) -> Self:
        """Return the batch without the cells at `position`."""
        rows = unpack(self.cells)
        for cells in rows:
            del cells[position]
        shown = dict(zip(self.numbers, rows, strict=True))
        return self._replace(
            cells=pack(rows), others={number: line._replace(cells=shown[number]) for number, line in self.others.items()}
        )

    def lines(self) -> Iterator[Line]:
        """Yield the lines in order."""
        plain = self.plain[2:]
        for number, cells in zip(self.numbers, unpack(self.cells), strict=True):
            yield self.others.get(number) or Line(cells, number, *plain)


def lines_of(batches: Iterable[Batch]) -> Iterator[Line]:
    """Return the lines of all batches in order."""
    return (line for batch in batches for line in batch.lines())


class Cause(NamedTuple):
    """The rows that share a code in a field."""

    outcome: str
    code: str
    field: str
    rows: int
    first: int  # number of the first row
    message: str  # of the first row; empty when it is not kept any more
    is_shared: bool = True  # False when another row has another message
    column: Column | None = None  # of the field; None for the row as a whole, or a field that the source does not have
    fresh: int | None = None
    """The rows that did not have it in the last complete run of the source; None where there is nothing to compare with."""

    @property
    def in_general(self) -> str:
        """The sentence for all of these rows, with dots for values that differ; only the code where no sentence is known."""
        sentence = gettext(CATALOGUE.get(self.code, self.code))
        columns = {self.field: self.column} if self.column else NO_COLUMNS
        filled = sentence.format_map(defaultdict(lambda: "…", field=place_of(self.field, columns), likely="", rows="", clear=""))
        return _placed(filled, self.code, self.field, columns)

    @property
    def example(self) -> str:
        """The sentence of the first row; the one for all rows where it may repeat a cell that others do not have."""
        return (self.message if self.is_shared or self.code not in QUOTING else "") or self.in_general


@dataclass(slots=True)
class Summary:
    """The result of a run."""

    run: str
    source: Path
    report: Path | None  # None when it could not be written
    rows: int = 0
    outcomes: dict[str, int] = dataclasses.field(default_factory=dict)
    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    exit_code: int = 0
    reasons: list[str] = dataclasses.field(default_factory=list)  # sentences on why the run ended early
    findings: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    checks: list[str] = dataclasses.field(default_factory=list)
    """Sentences on what only a person can judge in the file, also where nothing of it is new, for reports that last."""
    notes: list[str] = dataclasses.field(default_factory=list)  # sentences on corrections that were made
    causes: list[Cause] = dataclasses.field(default_factory=list)
    outputs: dict[str, Path] = dataclasses.field(default_factory=dict)  # name of another report format → its report
    identity: Identity | None = None  # of the source; None when the last run was resumed
    is_idle: bool = False  # True when nothing was left to send again
    repeats: dict[str, int] = dataclasses.field(default_factory=dict)
    """Outcome of a row that is not in place → the number of duplicates for which it counts."""
    purpose: Purpose = Purpose.REAL
    rate: float | None = None  # requests a second that were asked for, 0 without a limit; None where nothing was to be sent
    slowest: float | None = None  # requests a second at the lowest pace that the API's 429s led to; None where none lowered it
    throttled: int = 0  # answers that asked for fewer requests (429)

    @property
    def label(self) -> str:
        """A word for a run that has sent nothing to SMS Partner; empty for a real one."""
        return {Purpose.REHEARSAL: _("rehearsal"), Purpose.CHECK: _("check")}.get(self.purpose, "")

    @property
    def banner(self) -> str:
        """A sentence about a run that has sent nothing to SMS Partner; empty for a real one."""
        sentences = {
            Purpose.REHEARSAL: _("This is a rehearsal: nothing was sent to SMS Partner, and the sandbox accepts any contactId."),
            Purpose.CHECK: _("This is a check: nothing was sent to SMS Partner."),
        }
        return sentences.get(self.purpose, "")

    def moved(self, place: Path) -> Self:
        """Return the summary with the paths of its reports after the source was moved to `place`."""
        written = self.outputs | ({"report": self.report} if self.report else {})
        outputs = OutputPaths(self.source, written).moved(place).reports
        return dataclasses.replace(self, report=outputs.pop("report", None), outputs=outputs)

    @property
    def codes(self) -> dict[str, int]:
        """The number of rows with each code."""
        found: Counter[str] = Counter()
        for cause in self.causes:
            found[cause.code] += cause.rows
        return dict(found)

    @property
    def causes_of_rows(self) -> list[Cause]:
        """The causes except the stop of the run, which `reasons` explain."""
        return [cause for cause in self.causes if cause.code != "stopped"]

    @property
    def news(self) -> str:
        """A sentence about the problems that are new since the last run; empty without a run to compare with, or a problem."""
        fresh = [cause.fresh for cause in self.causes if cause.fresh is not None]
        if not fresh:
            return ""
        if not sum(fresh):
            return _("No problem is new since the last run.")
        return ngettext("{count} problem is new since the last run.", "{count} problems are new since the last run.", sum(fresh))

    @property
    def left_out(self) -> int:
        """The number of rows that no run sends: on request, or because a newer file has overtaken them."""
        return sum(cause.rows for cause in self.causes if cause.code in _LEFT_OUT)

    @property
    def is_open(self) -> bool:
        """True when another run has rows to send that this one did not send for certain."""
        return any(cause.outcome in LEFT and cause.code not in _LEFT_OUT for cause in self.causes)
