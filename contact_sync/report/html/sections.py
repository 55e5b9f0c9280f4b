"""Sections of the page above its rows: headline, outcomes, their causes, facts of the run, and its requests over time."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from contact_sync.i18n import _, labelled, ngettext
from contact_sync.model import ATTENTION, IN_PLACE, LEFT, Cause, Outcome, Summary, readable, stamp
from contact_sync.report.html.markup import NOTHING, Markup, duration, element, joined, number, section
from contact_sync.report.html.masking import without_long_numbers

SHOWN = (*IN_PLACE, Outcome.READY, *ATTENTION, *LEFT)  # the outcomes in the order in which they are shown

_CAUSES = 10  # that are not folded away
_GAP, _SHORTEST = 2.5, 6.0  # thousandths of the bar of outcomes
_BARS = 60  # of the plot of requests, at most
_WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)  # seconds that one of them may cover


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
        "banner": element("p", summary.banner, class_="banner") if summary.banner else NOTHING,
        "when": when(summary.run),
        "tone": tone,
        "state": state,
        "sentence": joined((element("span", clause) for clause in clauses), " "),
        "notices": _notices(summary),
        "reading": _reading(summary),
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
    if summary.rows == placed == 1:
        yield _("The one contact is in place")
    elif summary.rows == placed:
        yield _("All {rows} contacts are in place", rows=rows)
    elif placed or not ready:
        many = {"count": number(placed), "rows": rows}
        yield ngettext("{count} of {rows} contacts is in place", "{count} of {rows} contacts are in place", placed, **many)
    if ready:
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
    local = began.astimezone()
    day = {"year": f"{local:%Y}", "month": f"{local:%m}", "day": f"{local:%d}"}
    words = _("{year}-{month}-{day}, {time}", **day, time=f"{local:%H:%M %Z}")
    return element("time", words, datetime=stamp(began))


def _notices(summary: Summary) -> Markup:
    stopped, warning = element("b", _("Stopped:")), element("b", _("Warning:"))
    items = [element("li", stopped, " ", reason) for reason in summary.reasons]
    items += [element("li", warning, " ", text, class_="warning") for text in summary.warnings]
    return element("ul", *items, class_="notices") if items else NOTHING


def _reading(summary: Summary) -> Markup:
    items = [element("li", text) for text in [*summary.findings, *summary.notes]]
    return element("details", element("summary", _("How the file was read")), element("ul", *items)) if items else NOTHING


def outcomes(summary: Summary) -> Markup:
    """Return the number of rows of each outcome, with a bar."""
    meanings = {
        Outcome.UPDATED: _("Confirmed by the API exactly as sent."),
        Outcome.UNCHANGED: _("Already in place; nothing was sent."),
        Outcome.DUPLICATE: _("Same as another row of the file, which carries the outcome."),
        Outcome.READY: _("Would be sent."),
        Outcome.ALTERED: _("The API confirmed it but stored something else: compare in SMS Partner."),
        Outcome.INVALID: _("Breaks a rule; nothing was sent: correct the cell."),
        Outcome.REJECTED: _("Refused by the API, which would refuse it again: correct the contact."),
        Outcome.CONFLICT: _("Changed in SMS Partner since the file was pulled; nothing was sent: look at both values."),
        Outcome.FAILED: _("Not confirmed by the API: the next run sends it again."),
        Outcome.UNPROCESSED: _("Not sent yet; see “What to do”."),
    }
    rows = [(outcome, summary.outcomes[outcome]) for outcome in SHOWN if summary.outcomes.get(outcome)]
    if not rows:
        return NOTHING
    caption = ", ".join(f"{outcome} {number(many)}" for outcome, many in rows)
    bar = _drawing("0 0 1000 1", caption, *_lengths(rows), class_="bar")
    legend = [
        element("li", _named(outcome), " ", element("b", number(many)), element("p", meanings[outcome]), class_=outcome)
        for outcome, many in rows
    ]
    return section("outcomes", _("Outcomes"), bar, element("ul", *legend, class_="legend"))


def _named(outcome: str) -> Markup:
    return element("span", outcome, class_=f"outcome {outcome}")


def _drawing(box: str, caption: str, *shapes: Markup, **attributes: str) -> Markup:
    """Return shapes stretched to the size of their place on the page."""
    return element("svg", *shapes, **attributes, role="img", aria_label=caption, viewBox=box, preserveAspectRatio="none")


def _lengths(rows: Sequence[tuple[Outcome, int]]) -> Iterator[Markup]:
    """Yield a length of the bar for each outcome, none too short to be seen."""
    total = sum(many for _outcome, many in rows)
    lengths = [max(many * 1000 / total, _SHORTEST) for _outcome, many in rows]
    scale = (1000 - _GAP * (len(rows) - 1)) / sum(lengths)
    start = 0.0
    for (outcome, many), length in zip(rows, lengths, strict=True):
        title = element("title", f"{outcome} {number(many)}")
        yield element("rect", title, class_=outcome, x=f"{start:.2f}", width=f"{length * scale:.2f}", height=1)
        start += length * scale + _GAP


def causes(summary: Summary, *, masked: bool) -> Markup:
    """Return the causes for which rows are not in place, as buttons that filter the table."""
    items = [_cause(cause, masked=masked) for cause in summary.causes_of_rows]
    if not items:
        return NOTHING
    shown, rest = items[:_CAUSES], items[_CAUSES:]
    more = element("summary", ngettext("{count} more cause", "{count} more causes", len(rest), count=number(len(rest))))
    return section(
        "causes",
        joined([_("Why"), element("small", _("choose one to see its rows"))], " "),
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
    unit = element("span", " ", labelled(_("row") if one else _("rows"), ""), class_="unseen")
    inside = (
        element("b", number(cause.rows), unit),
        element("span", sentence, class_="say"),
        element("span", joined(where, " "), class_="where"),
    )
    filters = {"data_outcome": cause.outcome, "data_code": cause.code, "data_field": cause.field}
    return element("li", element("button", *inside, type="button", aria_pressed="false", **filters))


def requests(summary: Summary, attempts: Counter[str]) -> dict[str, str]:
    """Return the facts of the run and the plot of its requests; `attempts` counts those of each second, a time of UTC."""
    seconds = {int(datetime.fromisoformat(at).timestamp()): many for at, many in attempts.items()}
    return {"facts": _facts(summary, seconds), "pace": _pace(seconds) if seconds else NOTHING}


def _facts(summary: Summary, attempts: dict[int, int]) -> Markup:
    folder = readable(summary.source.parent) if summary.source.is_absolute() else ""
    lines = [(_("File"), readable(summary.source.name), folder), (_("Run"), summary.run, "")]
    if summary.requests:
        again = ngettext("including {count} retry", "including {count} retries", summary.retries, count=number(summary.retries))
        lines.append((_("Requests"), number(summary.requests), again))
    if summary.seconds:
        lines.append((_("Duration"), duration(summary.seconds), ""))
    if attempts:
        average = number(sum(attempts.values()) / (max(attempts) + 1 - min(attempts)), 1)
        lines.append((_("Pace"), _("{pace} requests a second", pace=average), ""))
    return joined(
        element("div", element("dt", name), element("dd", value, element("small", more) if more else NOTHING))
        for name, value, more in lines
    )


def _pace(attempts: dict[int, int]) -> Markup:
    begin, end = min(attempts), max(attempts) + 1
    width = next((width for width in _WIDTHS if width * _BARS >= end - begin), -(-(end - begin) // _BARS))
    bars: Counter[int] = Counter()
    for second, many in attempts.items():
        bars[(second - begin) // width] += many
    most, last = max(bars.values()), max(bars) + 1
    fastest = number(most / width, 1)
    span = {"begin": _clock(begin), "end": _clock(end)}
    caption = _("Up to {pace} requests a second, between {begin} and {end}", pace=fastest, **span)
    titles = {bar: element("title", labelled(_clock(begin + bar * width), number(many))) for bar, many in bars.items()}
    drawn = [element("rect", titles[bar], x=bar + 0.06, y=most - bars[bar], width=0.88, height=bars[bar]) for bar in sorted(bars)]
    ticks = [element("span", _clock(begin + last * width * part // 4)) for part in range(5)]
    figure = element(
        "figure",
        element("figcaption", caption),
        element("div", _drawing(f"0 0 {last} {most}", caption, *drawn), class_="plot"),
        element("div", *ticks, class_="ticks", aria_hidden="true"),
    )
    return section("pace", _("Requests over time"), figure)


def _clock(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC).astimezone():%H:%M:%S}"
