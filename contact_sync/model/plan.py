"""The changes that a run would make, and the findings of the commands that send nothing."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from contact_sync.model.report import Summary
from contact_sync.model.violation import Column


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
    started: str  # of the run, UTC, ISO 8601 with Z; empty for a probe


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
