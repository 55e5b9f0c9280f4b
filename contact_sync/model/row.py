"""A row on its way through a run: staged, pending, with its result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from contact_sync.i18n import N_, gettext
from contact_sync.model.violation import Violation


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

LEFT_OUT = ("hidden", "forgotten", "superseded", "base-stale")  # codes of rows that are `unprocessed` and that no other run sends


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
