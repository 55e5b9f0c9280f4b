"""Sections of the page above its rows: headline, causes, and outcomes."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from contact_sync.i18n import _, labelled, local_time, ngettext
from contact_sync.model.fields import readable, stamp
from contact_sync.model.report import Cause, Summary
from contact_sync.model.row import ATTENTION, IN_PLACE, LEFT, Outcome
from contact_sync.names import Purpose
from contact_sync.report.html.markup import NOTHING, Markup, drawing, element, joined, number, section
from contact_sync.report.html.masking import without_long_numbers

SHOWN = (*ATTENTION, *LEFT, Outcome.READY, *IN_PLACE)  # the outcomes, the most urgent first

_CAUSES = 5  # that are not folded away
_GAP, _SHORTEST = 2.5, 6.0  # thousandths of the bar of outcomes


def count(summary: Summary, outcomes: Iterable[Outcome]) -> int:
    """Return the number of rows with one of these outcomes."""
    return sum(summary.outcomes.get(outcome, 0) for outcome in outcomes)


def _left(summary: Summary) -> int:
    """Return the number of rows that the next run sends."""
    return count(summary, LEFT) - summary.left_out


def headline(summary: Summary) -> dict[str, str]:
    """Return the parts of the template above the outcomes."""
    clauses = _clauses(summary)
    tone, state = _state(summary)
    return {
        "title": " ".join([*_label(summary), labelled(readable(summary.source.name), " ".join(clauses))]),
        "name": readable(summary.source.name),
        "banner": element("p", summary.banner, class_="banner") if summary.banner else NOTHING,
        "when": when(summary.run),
        "tone": tone,
        "state": state,
        "sentence": joined((element("span", clause) for clause in clauses), " "),
        "notices": _notices(summary),
        "bar": _bar(summary),
        "news": element("p", summary.news, class_="news") if summary.news else NOTHING,
        "norows": NOTHING if summary.rows else Markup("hidden"),
        "footer": _("Written by contact-sync, run {run}. Contains personal data: share it with care.", run=summary.run),
    }


def _label(summary: Summary) -> list[str]:
    return [f"[{summary.label}]"] if summary.label else []


def _clauses(summary: Summary) -> list[str]:
    """Return what happened, as clauses that make a sentence."""
    if not summary.rows:
        return [_("Nothing was sent.") if summary.reasons else _("The file has no data row.")]
    *clauses, last = _counts(summary)
    return [*(_("{clause};", clause=clause) for clause in clauses), _("{clause}.", clause=last)]


def _counts(summary: Summary) -> Iterator[str]:
    placed, ready, needy = (count(summary, outcomes) for outcomes in (IN_PLACE, [Outcome.READY], ATTENTION))
    # A duplicate shares the fate of the row that counts for it.
    repeated, repeats_ready = sum(summary.repeats.values()), summary.repeats.get(Outcome.READY, 0)
    placed, ready, repeated = placed - repeated, ready + repeats_ready, repeated - repeats_ready
    rows, left, out = number(summary.rows), _left(summary), summary.left_out
    if is_check := summary.purpose is Purpose.CHECK and not summary.outcomes.get(Outcome.UNCHANGED):
        placed = 0  # nothing was sent
    if placed or not (ready or is_check):
        yield _in_place(summary, placed)
    if ready or is_check:
        many = {"count": number(ready), "rows": rows}
        yield ngettext("{count} of {rows} rows is ready to be sent", "{count} of {rows} rows are ready to be sent", ready, **many)
    if needy:
        yield ngettext("{count} row needs attention", "{count} rows need attention", needy, count=number(needy))
    if repeated:
        yield ngettext(
            "{count} row repeats one that is not in place",
            "{count} rows repeat one that is not in place",
            repeated,
            count=number(repeated),
        )
    if left:
        yield ngettext("{count} row is left for the next run", "{count} rows are left for the next run", left, count=number(left))
    if out:
        yield ngettext("{count} row was left out", "{count} rows were left out", out, count=number(out))


def _in_place(summary: Summary, placed: int) -> str:
    """Return how many contacts are in place or, after a rehearsal, would be."""
    many = {"count": number(placed), "rows": number(summary.rows)}
    if summary.purpose is Purpose.REHEARSAL:
        if summary.rows == placed:
            return _("The one contact would be in place") if placed == 1 else _("All {rows} contacts would be in place", **many)
        return ngettext(
            "{count} of {rows} contacts would be in place", "{count} of {rows} contacts would be in place", placed, **many
        )
    if summary.rows == placed:
        return _("The one contact is in place") if placed == 1 else _("All {rows} contacts are in place", **many)
    return ngettext("{count} of {rows} contacts is in place", "{count} of {rows} contacts are in place", placed, **many)


def _state(summary: Summary) -> tuple[str, str]:
    if summary.reasons:
        return "stopped", _("The run was stopped")
    if count(summary, ATTENTION):
        return "needed", _("Rows need attention")
    if _left(summary):
        return "left", _("To be continued by the next run")
    return "fine", _("Nothing needs attention")


def when(run: str) -> Markup:
    """Return the start of the run, from its id, in local time."""
    try:
        began = datetime.strptime(run.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return NOTHING
    return element("time", local_time(began, "%H:%M %Z"), datetime=stamp(began))


def _notices(summary: Summary) -> Markup:
    stopped, warning = element("b", _("Stopped:")), element("b", _("Warning:"))
    items = [element("li", stopped, " ", reason) for reason in summary.reasons]
    texts = dict.fromkeys([*summary.warnings, *summary.checks])
    items += [element("li", warning, " ", text, class_="warning") for text in texts]
    return element("ul", *items, class_="notices") if items else NOTHING


def _rows_of_outcomes(summary: Summary) -> list[tuple[Outcome, int]]:
    return [(outcome, summary.outcomes[outcome]) for outcome in SHOWN if summary.outcomes.get(outcome)]


def _bar(summary: Summary) -> Markup:
    """Return a bar with a length for each outcome."""
    if not (rows := _rows_of_outcomes(summary)):
        return NOTHING
    caption = ", ".join(f"{outcome.named} {number(many)}" for outcome, many in rows)
    return drawing("0 0 1000 1", caption, *_lengths(rows), class_="bar")


def tiles(summary: Summary) -> Markup:
    """Return the number of rows of each outcome, as buttons that filter the table; the first one is pressed at the beginning."""
    meanings = {
        Outcome.UPDATED: _("Confirmed by the API exactly as sent."),
        Outcome.UNCHANGED: _("Already in place; nothing was sent."),
        Outcome.DUPLICATE: _("Same as another row of the file, which carries the outcome."),
        Outcome.READY: _("Would be sent."),
        Outcome.ALTERED: _("The API confirmed it but stored something else: compare in SMS Partner."),
        Outcome.INVALID: _("Breaks a rule; nothing was sent: correct the cell."),
        Outcome.REJECTED: _("Refused by the API, which would refuse it again: correct the contact."),
        Outcome.CONFLICT: _("Changed on both sides; nothing was sent: look at both values."),
        Outcome.FAILED: _("Not confirmed by the API: the next run sends it again."),
        Outcome.UNPROCESSED: _("Not sent yet; see “What to do”."),
    }
    every = _tile(_("All rows"), summary.rows, "")
    needy = count(summary, ATTENTION)
    groups = [_tile(_("Need attention"), needy, " ".join(ATTENTION)), every] if needy else [every]
    one_each = [
        _tile(_named(outcome), many, outcome, data_meaning=meanings[outcome], class_=outcome)
        for outcome, many in _rows_of_outcomes(summary)
    ]
    return element("ul", *groups, *one_each, class_="tiles", aria_label=_("Show"))


def _tile(name: str, rows: int, outcomes: str, **attributes: str) -> Markup:
    inside = (element("b", number(rows)), " ", element("span", name))
    return element("li", element("button", *inside, type="button", aria_pressed="false", data_outcomes=outcomes, **attributes))


def _named(outcome: str) -> Markup:
    name = Outcome(outcome).named if outcome in SHOWN else outcome
    return element("span", name, class_=f"outcome {outcome}")


def _lengths(rows: Sequence[tuple[Outcome, int]]) -> Iterator[Markup]:
    """Yield a length of the bar for each outcome, none too short to be seen."""
    total = sum(many for _outcome, many in rows)
    lengths = [max(many * 1000 / total, _SHORTEST) for _outcome, many in rows]
    scale = (1000 - _GAP * (len(rows) - 1)) / sum(lengths)
    start = 0.0
    for (outcome, many), length in zip(rows, lengths, strict=True):
        title = element("title", f"{outcome.named} {number(many)}")
        yield element("rect", title, class_=outcome, x=f"{start:.2f}", width=f"{length * scale:.2f}", height=1)
        start += length * scale + _GAP


def causes(summary: Summary, *, masked: bool) -> Markup:
    """Return the causes for which rows are not in place, as buttons that filter the table.

    Those that are new or have several rows come first, the others folded away: the table itself shows a single row.
    """
    found = summary.causes_of_rows
    first = [cause for cause in found if cause.rows > 1 or cause.fresh][:_CAUSES]
    if not first:
        return NOTHING
    shown, rest = ([_cause(cause, masked=masked) for cause in part] for part in (first, [c for c in found if c not in first]))
    more = element("summary", ngettext("{count} more cause", "{count} more causes", len(rest), count=number(len(rest))))
    title = _("What to fix") if count(summary, ATTENTION) else _("Why")
    return section(
        "causes",
        joined([title, element("small", _("choose one to see its rows"))], " "),
        element("ol", *shown, class_="causes"),
        element("details", more, element("ol", *rest, class_="causes")) if rest else NOTHING,
    )


def _cause(cause: Cause, *, masked: bool) -> Markup:
    sentence = cause.example
    if masked:  # a sentence of the API may quote a number, and the row that has it is unknown here
        sentence = without_long_numbers(sentence)
    one, column = cause.rows == 1, cause.column
    place = column.place if column else cause.field
    first = _("row {row}", row=cause.first) if one else _("first in row {row}", row=cause.first)
    where = [_named(cause.outcome), *(element("span", text) for text in (place, first) if text and text not in sentence)]
    if cause.fresh:
        fresh = ngettext("{count} new", "{count} new", cause.fresh, count=number(cause.fresh))
        where.insert(0, element("strong", fresh))
    unit = element("span", " ", labelled(_("row") if one else _("rows"), ""), class_="unseen")
    inside = (
        element("b", number(cause.rows), unit),
        element("span", sentence, class_="say"),
        element("span", joined(where, " "), class_="where"),
    )
    filters = {"data_outcomes": cause.outcome, "data_code": cause.code, "data_field": cause.field}
    return element("li", element("button", *inside, type="button", aria_pressed="false", **filters))
