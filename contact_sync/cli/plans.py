"""The printed plan: what a run would do, the first changes, and the JSON object."""

from collections.abc import Iterator
from itertools import islice

from contact_sync.cli.console import Console
from contact_sync.cli.summary import cause_line, warning_lines
from contact_sync.i18n import _, ngettext
from contact_sync.model.plan import Change, Effect, Kind, PlanSummary
from contact_sync.model.row import Outcome
from contact_sync.report.html.markup import duration, number
from contact_sync.report.plan import effect_of, shown

_SHOWN = 20  # changes


def print_plan(console: Console, plan: PlanSummary) -> None:
    """Print a plan; with `quiet` only its numbers, where there is something to do."""
    of = plan.of
    invalid = of.outcomes.get(Outcome.INVALID, 0)
    if not console.quiet or plan.changes or invalid or plan.exit_code or of.warnings:
        console.print_message("\n".join(_summary(plan, quiet=console.quiet)))
    if console.as_json:
        names = ("contacts", "fields", "conflicts", "emptied", "stops", "rejected", "unread")
        document = {"plan": plan.number or None, **{name: getattr(plan, name) for name in names}, "invalid": invalid}
        document |= {"requests": plan.requests, "seconds": round(plan.seconds, 1), "output": plan.output}
        document |= {"changes": [], "exit_code": plan.exit_code} | ({"error": " ".join(of.reasons)} if of.reasons else {})
        console.print_json(document, changes=map(_as_json, _listed(plan)))
    elif not console.quiet:
        changes = _listed(plan)
        for change in islice(changes, _SHOWN):
            console.print_data(console.clean(_line(change)))
        if more := sum(1 for _change in changes):
            console.print_data(ngettext("and {count} more change: see -o.", "and {count} more changes: see -o.", more))


def _listed(plan: PlanSummary) -> Iterator[Change]:
    """Return the changes but for those that only others have made."""
    return (change for change in plan.listed() if change.kind != Kind.FOREIGN)


def _as_json(change: Change) -> dict[str, object]:
    is_conflict = change.kind == Kind.CONFLICT
    return {
        "row": change.row,
        "contactId": change.contact_id,
        "field": change.field,
        "old": None if is_conflict and change.effect != Effect.SENT else change.theirs,
        "new": change.mine,
        "theirs": change.theirs if is_conflict else None,
        "effect": change.effect,
    }


def _line(change: Change) -> str:
    place = {"row": change.row, "contact": change.contact_id, "field": change.field}
    values = shown(change.mine) if change.theirs is None else f"{shown(change.theirs)} → {shown(change.mine)}"
    line = _("row {row}, {contact}, {field}: {values}", **place, values=values)
    return line if change.effect == Effect.SENT and change.kind == Kind.OWN else f"{line} ({effect_of(change)})"


def _summary(plan: PlanSummary, *, quiet: bool) -> Iterator[str]:
    of = plan.of
    yield ngettext(
        "{source}: a run would change {count} contact.",
        "{source}: a run would change {count} contacts.",
        plan.contacts,
        source=of.source,
    )
    yield from () if quiet else of.findings
    yield from warning_lines(of)
    yield from of.notes
    if plan.fields:
        yield _("Fields: {fields}.", fields=", ".join(f"{field} {number(count)}" for field, count in plan.fields.items()))
    counts = {
        ngettext("{count} cell would be emptied.", "{count} cells would be emptied.", plan.emptied): plan.emptied,
        ngettext(
            "{count} row is a conflict: SMS Partner and the file have changed the same field.",
            "{count} rows are conflicts: SMS Partner and the file have changed the same field.",
            plan.conflicts,
        ): plan.conflicts,
        ngettext(
            "{count} row would change the number of a person who said STOP, and is not sent without --allow-stop.",
            "{count} rows would change the number of a person who said STOP, and are not sent without --allow-stop.",
            plan.stops,
        ): plan.stops,
        ngettext(
            "{count} contact is not shown by SMS Partner, which would reject its row.",
            "{count} contacts are not shown by SMS Partner, which would reject their rows.",
            plan.rejected,
        ): plan.rejected,
        ngettext(
            "{count} contact could not be read, so the plan has no number: plan again.",
            "{count} contacts could not be read, so the plan has no number: plan again.",
            plan.unread,
        ): plan.unread,
    }
    yield from (sentence for sentence, count in counts.items() if count)
    causes = [cause for cause in of.causes_of_rows if cause.outcome == Outcome.INVALID]
    yield from (cause_line(cause, example=not quiet) for cause in causes[: 3 if quiet else 10])
    yield from (_("Stopped: {reason}", reason=reason) for reason in of.reasons)
    if plan.requests and not of.reasons:
        sentence = ngettext("The run takes about {count} request", "The run takes about {count} requests", plan.requests)
        yield _("{sentence} ({time}).", sentence=sentence, time=duration(plan.seconds)) if plan.seconds else f"{sentence}."
    if plan.output:
        yield _("All changes: {path}", path=plan.output)
    if plan.number:
        yield _("Plan {number}: run --plan {number} does exactly this, or nothing.", number=plan.number)
