"""The nouns that travel from the source to the report."""

import dataclasses
import os
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, NamedTuple, Protocol, Self

from contact_sync.i18n import _, gettext
from contact_sync.i18n.catalogue import CATALOGUE
from contact_sync.packed import unpack

ID = "contactId"
"""The field that names the contact; never sent inside `contact`."""

PHONE = "phoneNumber"

FIELDS = (PHONE, "firstname", "lastname", "date", "url", "custom1", "custom2", "custom3", "custom4")
"""The fields that can be sent, in the order of the API's page."""

ROW = ""
"""The `field` of a violation that is about the row as a whole."""


def stamp(moment: datetime) -> str:
    """A moment of UTC as ISO 8601 with Z."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def readable(name: str | Path) -> str:
    """The name of a file as text that is valid anywhere, whatever bytes it is made of."""
    return os.fsencode(name).decode(errors="replace")


class Outcome(StrEnum):
    """How a data row ended; exactly one for each."""

    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    ALTERED = "altered"
    INVALID = "invalid"
    REJECTED = "rejected"
    FAILED = "failed"
    UNPROCESSED = "unprocessed"
    READY = "ready"


IN_PLACE = (Outcome.UPDATED, Outcome.UNCHANGED, Outcome.DUPLICATE)
"""The API holds what these rows say."""

ATTENTION = (Outcome.ALTERED, Outcome.INVALID, Outcome.REJECTED)
"""Somebody has to look at these rows: no run will put them right."""

LEFT = (Outcome.FAILED, Outcome.UNPROCESSED)
"""Another run sends these rows, but for those that were left out."""

_LEFT_OUT = ("hidden", "forgotten")
"""The codes of rows that are `unprocessed` because somebody asked for that."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Something an operator has to know of one row: a stable code, the field, and the sentence's blanks."""

    code: str
    """A key of `contact_sync.i18n.catalogue.CATALOGUE`."""
    field: str = ROW
    """`ID`, one of `FIELDS`, or `ROW`."""
    detail: dict[str, str] = dataclasses.field(default_factory=dict)
    """What the sentence's `{placeholders}` stand for."""

    @property
    def message(self) -> str:
        """One sentence that says what to do."""
        return _(CATALOGUE[self.code], field=self.field, **self.detail)


@dataclass(slots=True)
class Chunk:
    """Consecutive data rows of a source, as text; blank rows are left out."""

    numbers: list[int]
    """The row number a spreadsheet or an editor shows; for a CSV record the line it starts on. Ascending."""
    rows: list[list[str]]
    """The cells of each row as a person reads them, one for each of `Source.columns`."""
    flaws: dict[int, list[Violation]] = dataclasses.field(default_factory=dict)
    """Position in `rows` → what the loader found wrong with that row."""
    skipped: set[int] = dataclasses.field(default_factory=set)
    """Positions of the rows that are hidden and, by `--hidden skip`, not to be sent."""


class OutputPaths(NamedTuple):
    """Where the source of a run is, and where its reports go; absolute, for who comes later stands elsewhere."""

    source: Path
    report: Path
    workbook: Path | None
    page: Path | None
    mode: int
    """Permissions of the reports."""

    def packed(self) -> bytes:
        """The paths as bytes, which may be no UTF-8; `unpacked` takes them back."""
        return b"\0".join(os.fsencode(path.absolute()) if path else b"" for path in self[:4])

    @classmethod
    def unpacked(cls, packed: bytes, mode: int) -> Self:
        """The places that `packed` was made of."""
        source, report, workbook, page = (Path(os.fsdecode(path)) if path else None for path in packed.split(b"\0"))
        return cls(source or Path(), report or Path(), workbook, page, mode)


class Layout(NamedTuple):
    """What a report needs to know of its source beside the rows."""

    columns: list[str]
    letters: list[str]
    mapping: dict[str, int]
    delimiter: str

    @property
    def letters_of_fields(self) -> dict[str, str]:
        """Field → the letter of its column."""
        return {field: self.letters[position] for field, position in self.mapping.items()}


MARK = "<?>"
"""Stands in a report where a row had no cell, before what it had too much, and after what its text cannot show."""

TO_FIX = "contact_sync_to_fix"
"""The defined name in a workbook that came back which stands for the sheet of rows to correct, whatever it is called by now."""


def sheet_of(place: str) -> str:
    """The title of the sheet that a defined name stands for (`'Ops'' list'!$A$1`)."""
    return place.rpartition("!")[0].strip("'").replace("''", "'")


WIDEST, LAST_ROW = 256, 1_048_576
"""Columns of a sheet that are read, and therefore written (a table of contacts has fewer); and its last row."""


@dataclass(frozen=True, slots=True)
class Original:
    """The operator's own workbook, which can come back with what is told of its rows."""

    file: IO[bytes]
    """Its private copy, open as long as the source is."""
    name: str
    """How it is named in sentences."""
    sheet: str
    """The title of the sheet of contacts."""
    header: int
    """The row of the header."""
    macros: bool
    """Whether there are any."""

    @property
    def suffix(self) -> str:
        """What the name of a copy must end in: Excel opens none with macros whose name ends in .xlsx."""
        return ".xlsm" if self.macros else ".xlsx"


class Identity(NamedTuple):
    """What is another where a file was changed or replaced."""

    modified: float
    modified_ns: int
    size: int
    inode: int
    device: int


@dataclass(slots=True)
class Source(ABC):
    """A file of contacts, opened and understood."""

    path: Path
    """The file as the operator named it."""
    columns: list[str]
    """The header cells as read, in source order, without the report's own `sync_` columns."""
    mapping: dict[str, int]
    """`ID` or a field → its position in `columns`. Always holds `ID` and at least one field."""
    letters: list[str]
    """For each of `columns`, the letter a spreadsheet shows above it ("A", "AB")."""
    delimiter: str
    """What the report is written with: the source's own, `;` for a workbook."""
    findings: list[str]
    """What was found out, in sentences for the summary (encoding, delimiter, header row, columns that are not sent)."""
    warnings: list[str]
    """What an operator should look at although the source is taken; may grow until `chunks` is exhausted."""
    identity: Identity | None = dataclasses.field(default=None, kw_only=True)
    """Of the file that was read."""
    is_workbook: bool = dataclasses.field(default=False, kw_only=True)
    """Whether it is one by its content, whatever its name."""
    blanks_certain: bool = dataclasses.field(default=True, kw_only=True)
    """Whether an empty cell is known to be one; False where it may be a formula that was never calculated."""
    original: Original | None = dataclasses.field(default=None, kw_only=True)
    """None when the source is no .xlsx or .xlsm, or a CSV report that was saved as one."""

    @property
    def layout(self) -> Layout:
        """What reports need to know of it."""
        return Layout(self.columns, self.letters, self.mapping, self.delimiter)

    @abstractmethod
    def chunks(self) -> Iterator[Chunk]:
        """The data rows, a few thousand at a time; raises `SourceError` where the file turns out to be damaged."""


class Staged(NamedTuple):
    """A row on its way into the ledger that does not share the outcome of its block."""

    number: int
    contact_id: str
    payload: tuple[str | None, ...]
    """In the order of `FIELDS`."""
    outcome: Outcome | None
    """None while the row is pending."""
    violations: Sequence[Violation] = ()


class Block(NamedTuple):
    """A chunk on its way into the ledger: most of a night's rows have one outcome, and nothing more is to be said of them."""

    numbers: list[int]
    ids: list[str]
    cells: list[list[str]]
    outcome: Outcome
    """Of the rows that are not in `others`."""
    others: list[Staged]


class Pending(NamedTuple):
    """A row whose turn has come."""

    number: int
    contact_id: str
    contact: dict[str, str]
    """The `contact` object of the request: field → value."""
    attempts: int
    """How many were made before: those of the first pass, in the second."""
    known: bytes
    """The digests of the contact's other fields as the API last confirmed them."""


class Answer(NamedTuple):
    """What the API's answer to an attempt means for the row."""

    outcome: Outcome
    violations: list[Violation]
    """What to look at; nothing where all is well."""
    http_status: int | None
    api_code: str


@dataclass(frozen=True, slots=True)
class Result:
    """How a row that was sent, or was about to be, ended."""

    row: Pending
    outcome: Outcome
    violations: Sequence[Violation] = ()
    """What to do about it; nothing where all is well."""
    attempts: int = 0
    http_status: int | None = None
    api_code: str = ""
    at: str = ""
    """UTC, ISO 8601 with Z."""


class Watcher(Protocol):
    """Whoever looks on while a run goes."""

    def loaded(self, rows: int) -> None:
        """So many more rows were loaded and validated."""

    def sending(self, rows: int) -> None:
        """So many rows are about to be sent."""

    def sent(self, result: Result) -> None:
        """One row was sent, and ended so."""


class Workload(NamedTuple):
    """How much a run of a source has to do."""

    rows: int
    changed: int
    """How many of them were not yet in place."""


class PastRun(NamedTuple):
    """How an earlier run went."""

    id: str
    source: str
    started: str
    """UTC, ISO 8601 with Z."""
    finished: str | None
    """None when it was cut short."""
    exit_code: int | None
    outcomes: dict[str, int]
    requests: int
    retries: int
    seconds: float


class Event(NamedTuple):
    """What became of a contact in an earlier run."""

    run: str
    started: str
    source: str
    number: int
    """Its row."""
    outcome: str
    code: str
    fields: str
    """Those that the code is about, joined by `,`."""
    sent: str
    """The fields that were sent, joined by `,`; no values are kept."""
    at: str


class Line(NamedTuple):
    """One data row as every report tells it."""

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


class Batch(NamedTuple):
    """Consecutive lines of a report, of which most tell the same."""

    numbers: list[int]
    cells: str
    """As `contact_sync.packed` makes them."""
    plain: Line
    """What is told of the rows that are not in `others`; their cells and numbers take the place of its own."""
    others: dict[int, Line]
    """Row number → what is told of that row."""

    def lines(self) -> Iterator[Line]:
        """Each of the lines, in order."""
        plain = self.plain[2:]
        for number, cells in zip(self.numbers, unpack(self.cells), strict=True):
            yield self.others.get(number) or Line(cells, number, *plain)


def lines_of(batches: Iterable[Batch]) -> Iterator[Line]:
    """The lines of all these batches, in order."""
    return (line for batch in batches for line in batch.lines())


class Cause(NamedTuple):
    """How many rows share a code in a field."""

    outcome: str
    code: str
    field: str
    rows: int
    first: int
    """The number of the first of them."""
    message: str
    """What the report says of it in that row; empty where it is not known any more."""

    @property
    def in_general(self) -> str:
        """The sentence for all of these rows, with dots for what differs between them; the bare code where none is known."""
        sentence = gettext(CATALOGUE.get(self.code, self.code))
        return sentence.format_map(defaultdict(lambda: "…", field=self.field))


@dataclass(slots=True)
class Summary:
    """What came of a run."""

    run: str
    source: Path
    report: Path | None
    """None when it could not be written."""
    rows: int = 0
    outcomes: dict[str, int] = dataclasses.field(default_factory=dict)
    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    exit_code: int = 0
    reasons: list[str] = dataclasses.field(default_factory=list)
    """Why the run ended early, in sentences."""
    findings: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    """What was put right on the way, in sentences."""
    causes: list[Cause] = dataclasses.field(default_factory=list)
    letters: dict[str, str] = dataclasses.field(default_factory=dict)
    """Field → the letter of its column."""
    workbook: Path | None = None
    page: Path | None = None
    identity: Identity | None = None
    """Of the file that was run; None where the last run was taken up again."""

    @property
    def causes_of_rows(self) -> list[Cause]:
        """The causes but for the stop of the run, which `reasons` tell of."""
        return [cause for cause in self.causes if cause.code != "stopped"]

    @property
    def left_out(self) -> int:
        """How many rows no run sends, since somebody asked for that."""
        return sum(cause.rows for cause in self.causes if cause.code in _LEFT_OUT)

    @property
    def is_open(self) -> bool:
        """Whether another run has rows to send that this one has not, or not for certain."""
        return any(cause.outcome in LEFT and cause.code not in _LEFT_OUT for cause in self.causes)
