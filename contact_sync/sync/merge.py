"""The merge of a row with what the API has now, field by field: what an update sends, and what holds the row."""

from collections.abc import Mapping
from typing import NamedTuple

from contact_sync.i18n import _
from contact_sync.model.fields import PHONE
from contact_sync.model.plan import Effect
from contact_sync.model.row import Outcome
from contact_sync.model.violation import Violation
from contact_sync.settings import SendSettings


class Merged(NamedTuple):
    """The merge of a row; its update sends `wanted` unless there is a reason to hold it."""

    wanted: Mapping[str, str]  # field → value, where it differs from that of the API
    conflicts: frozenset[str] = frozenset()  # fields that the API has another value of than the row's base, and than the row
    foreign: frozenset[str] = frozenset()  # fields that the row leaves alone, and others have changed
    held: Outcome | None = None  # None: it is sent, where there is something to send
    violations: tuple[Violation, ...] = ()  # why it is held

    def effect(self, field: str) -> Effect | None:
        """Return what becomes of a field; None for one that is as the row says, or that nobody has changed."""
        if field in self.wanted:
            return Effect.HELD if self.held else Effect.SENT
        return Effect.KEPT if field in self.conflicts or field in self.foreign else None


def merge(
    mine: Mapping[str, str], theirs: Mapping[str, str], changed: frozenset[str], settings: SendSettings, *, stop: bool = False
) -> Merged:
    """Merge the values of a row with those that the API has now, of which `changed` are others than in the row's base.

    `stop` is True for a person who asked for no more SMS, whose number is only changed on request.
    """
    wanted = {field: value for field, value in mine.items() if value != theirs[field]}
    conflicts, foreign = frozenset(wanted.keys() & changed), frozenset(changed - mine.keys())
    if conflicts and settings.conflicts == "hold":
        violations = tuple(_conflict(field, theirs[field]) for field in wanted if field in conflicts)
        return Merged(wanted, conflicts, foreign, Outcome.CONFLICT, violations)
    if settings.conflicts == "theirs":
        wanted = {field: value for field, value in wanted.items() if field not in conflicts}
    if PHONE in wanted and stop and not settings.allow_stop:
        return Merged(wanted, conflicts, foreign, Outcome.INVALID, (Violation("stop-number", PHONE),))
    return Merged(wanted, conflicts, foreign)


def _conflict(field: str, theirs: str) -> Violation:
    return Violation("conflict", field, {"theirs": _("“{value}”", value=theirs) if theirs else _("nothing")})
