"""Headline of the page: what happened in one sentence, when, and what stopped the run."""

from collections.abc import Iterator
from datetime import UTC, datetime

from contact_sync.i18n import _, ngettext
from contact_sync.model import ATTENTION, IN_PLACE, LEFT, Outcome, Summary, readable
from contact_sync.report.html.markup import NOTHING, Markup, element, joined, number
from contact_sync.report.html.outcomes import count


def headline(summary: Summary) -> dict[str, str]:
    """Return the parts of the template above the outcomes."""
    clauses = _clauses(summary)
    tone, state = _state(summary)
    return {
        "title": f"{readable(summary.source.name)}: {' '.join(clauses)}",
        "when": _when(summary.run),
        "tone": tone,
        "state": state,
        "sentence": joined((element("span", clause) for clause in clauses), " "),
        "notices": _notices(summary),
        "reading": _reading(summary),
        "footer": _("Written by contact-sync, run {run}. Contains personal data: share it with care.", run=summary.run),
    }


def _clauses(summary: Summary) -> list[str]:
    """Return what happened, as clauses that make a sentence."""
    if not summary.rows:
        return [_("The file has no data row.")]
    *clauses, last = [*_in_place(summary), *_ready(summary), *_remaining(summary)]
    return [*(_("{clause};", clause=clause) for clause in clauses), _("{clause}.", clause=last)]


def _in_place(summary: Summary) -> Iterator[str]:
    placed, rows = count(summary, IN_PLACE), number(summary.rows)
    if summary.rows == placed == 1:
        yield _("The one contact is in place")
    elif summary.rows == placed:
        yield _("All {rows} contacts are in place", rows=rows)
    elif placed or not count(summary, [Outcome.READY]):
        yield ngettext(
            "{count} of {rows} contacts is in place",
            "{count} of {rows} contacts are in place",
            placed,
            count=number(placed),
            rows=rows,
        )


def _ready(summary: Summary) -> Iterator[str]:
    ready, rows = count(summary, [Outcome.READY]), number(summary.rows)
    if ready:
        yield ngettext(
            "{count} of {rows} rows is ready to be sent",
            "{count} of {rows} rows are ready to be sent",
            ready,
            count=number(ready),
            rows=rows,
        )


def _remaining(summary: Summary) -> Iterator[str]:
    needy, left, left_out = count(summary, ATTENTION), _left(summary), summary.left_out
    if needy:
        yield ngettext("{count} row needs attention", "{count} rows need attention", needy, count=number(needy))
    if left:
        yield ngettext("{count} row is left for the next run", "{count} rows are left for the next run", left, count=number(left))
    if left_out:
        yield ngettext(
            "{count} row was left out on request", "{count} rows were left out on request", left_out, count=number(left_out)
        )


def _left(summary: Summary) -> int:
    """Return the number of rows that the next run sends."""
    return count(summary, LEFT) - summary.left_out


def _state(summary: Summary) -> tuple[str, str]:
    if summary.reasons:
        return "stopped", _("The run was stopped")
    if count(summary, ATTENTION):
        return "needed", _("Rows need attention")
    if _left(summary):
        return "left", _("To be continued by the next run")
    return "fine", _("Nothing needs attention")


def _when(run: str) -> Markup:
    """Return the start of the run, from its id, in local time."""
    try:
        began = datetime.strptime(run.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return NOTHING
    local = began.astimezone()
    day = {"year": f"{local:%Y}", "month": f"{local:%m}", "day": f"{local:%d}"}
    words = _("{year}-{month}-{day}, {time}", **day, time=f"{local:%H:%M %Z}")
    return element("time", words, datetime=f"{began:%Y-%m-%dT%H:%M:%SZ}")


def _notices(summary: Summary) -> Markup:
    stopped, warning = element("b", _("Stopped:")), element("b", _("Warning:"))
    items = [element("li", stopped, " ", reason) for reason in summary.reasons]
    items += [element("li", warning, " ", text, class_="warning") for text in summary.warnings]
    return element("ul", *items, class_="notices") if items else NOTHING


def _reading(summary: Summary) -> Markup:
    items = [element("li", text) for text in [*summary.findings, *summary.notes]]
    if not items:
        return NOTHING
    return element("details", element("summary", _("How the file was read")), element("ul", *items))
