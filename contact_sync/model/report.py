"""Lines, causes and summaries of runs, as reports and the history show them."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from contact_sync.i18n import _, gettext, ngettext
from contact_sync.i18n.catalogue import CATALOGUE, QUOTING
from contact_sync.model.row import ATTENTION, LEFT, LEFT_OUT, REPEATS_WRONG
from contact_sync.model.source import Identity, OutputPaths
from contact_sync.model.violation import NO_COLUMNS, Column, place_of, with_place
from contact_sync.names import Purpose
from contact_sync.packed import checksums, pack, unpack


class Workload(NamedTuple):
    """The size of a run: its rows, and how many of them were not in place yet."""

    rows: int
    changed: int


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
    account: str = ""  # whose ledger it is in, where several are shown


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
        return with_place(filled, self.code, self.field, columns)

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
        return sum(cause.rows for cause in self.causes if cause.code in LEFT_OUT)

    @property
    def is_open(self) -> bool:
        """True when another run has rows to send that this one did not send for certain."""
        return any(cause.outcome in LEFT and cause.code not in LEFT_OUT for cause in self.causes)
