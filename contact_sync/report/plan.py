"""A plan as a file: a line for each changed field. Here the lines, and the CSV file; it is escaped like a report."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from contact_sync.files.atomic import AtomicFile
from contact_sync.i18n import _
from contact_sync.model.fields import ID
from contact_sync.model.plan import Change, Effect, Kind, PlanSummary
from contact_sync.report.pulled import contains_mark
from contact_sync.rules.formula import escape

COLUMNS = ("plan_row", ID, "plan_name", "plan_field", "plan_sms_partner", "plan_yours", "plan_kind", "plan_effect", "plan_number")

Writer = Callable[[AtomicFile, Iterable[Change], PlanSummary], None]
"""Writes all changes of a plan into the draft's `file`; may raise OSError."""

WRITERS = {
    ".csv": "contact_sync.report.plan:write",
    ".xlsx": "contact_sync.report.xlsx.plan:write",
    ".html": "contact_sync.report.html.plan:write",
}
"""Suffix of a name → its `Writer`, as `module:name`."""


def write(draft: AtomicFile, changes: Iterable[Change], plan: PlanSummary) -> None:
    """Write a header and a line for each change. Raises OSError."""
    text = io.TextIOWrapper(draft.file, "utf-8-sig", "backslashreplace", newline="", write_through=True)
    writer = csv.writer(text, delimiter=";")
    writer.writerow(COLUMNS)
    writer.writerows(list(map(escape, map(str, cells))) for _change, cells in lines(changes, plan))
    text.detach()


def lines(changes: Iterable[Change], plan: PlanSummary) -> Iterator[tuple[Change, tuple[str | int, ...]]]:
    """Yield each change with the cells of `COLUMNS`."""
    for change in changes:
        values = (shown(change.theirs), shown(change.mine) if change.mine is not None else "")
        kind = f"{change.kind}"
        yield (change, (change.row, change.contact_id, change.name, change.field, *values, kind, effect_of(change), plan.number))


def shown(value: str | None) -> str:
    """Return a value for a person: words where it is empty, or not known."""
    if value is None:
        return _("(not read)")
    return value or _("(empty)")


def effect_of(change: Change) -> str:
    """Return in words what a run does with a field."""
    if change.kind == Kind.FOREIGN:
        return _("stays: changed in SMS Partner since the pull")
    if change.effect == Effect.KEPT:
        return _("stays: both were changed, and --conflicts leaves that of SMS Partner")
    if change.effect == Effect.HELD and change.kind == Kind.CONFLICT:
        return _("nothing is sent of this row: SMS Partner changed this field, too")
    if change.effect == Effect.HELD:
        return _("nothing is sent of this row")
    if change.kind == Kind.CONFLICT:
        return _("is sent, and overwrites what was changed in SMS Partner")
    return _("is sent") if change.mine else _("is emptied")


def legend() -> dict[Kind, str]:
    """Return what each colour stands for."""
    return {
        Kind.OWN: _("edited in your file"),
        Kind.FOREIGN: _("changed in SMS Partner since the pull; stays"),
        Kind.CONFLICT: _("changed on both sides, to different values"),
    }


def is_plan(path: Path) -> bool:
    """Return True when a file is one of these, or is empty. Raises OSError."""
    return contains_mark(path, COLUMNS[0].encode())
