"""Outcomes of the rows and their causes, in numbers and as lengths of a bar."""

from collections.abc import Iterable, Iterator, Sequence

from contact_sync.i18n import _, ngettext
from contact_sync.model import ATTENTION, IN_PLACE, LEFT, Cause, Outcome, Summary
from contact_sync.report.html.markup import NOTHING, Markup, element, joined, number, section
from contact_sync.report.html.masking import without_long_numbers

SHOWN = (*IN_PLACE, Outcome.READY, *ATTENTION, *LEFT)
"""The outcomes in the order in which they are shown."""

_CAUSES = 10
_GAP, _SHORTEST = 2.5, 6.0  # thousandths of the bar


def count(summary: Summary, outcomes: Iterable[Outcome]) -> int:
    """Return the number of rows with one of these outcomes."""
    return sum(summary.outcomes.get(outcome, 0) for outcome in outcomes)


def _meanings() -> dict[Outcome, str]:
    return {
        Outcome.UPDATED: _("Confirmed by the API exactly as sent."),
        Outcome.UNCHANGED: _("Already in place; nothing was sent."),
        Outcome.DUPLICATE: _("Same as another row of the file, which carries the outcome."),
        Outcome.READY: _("Would be sent."),
        Outcome.ALTERED: _("The API confirmed it but stored something else: compare in SMS Partner."),
        Outcome.INVALID: _("Breaks a rule; nothing was sent: correct the cell."),
        Outcome.REJECTED: _("Refused by the API, which would refuse it again: correct the contact."),
        Outcome.FAILED: _("Not confirmed by the API: the next run sends it again."),
        Outcome.UNPROCESSED: _("Not sent yet; see “What to do”."),
    }


def _named(outcome: str) -> Markup:
    return element("span", outcome, class_=f"outcome {outcome}")


def outcomes(summary: Summary) -> Markup:
    """Return the number of rows of each outcome, with a bar."""
    rows = [(outcome, summary.outcomes[outcome]) for outcome in SHOWN if summary.outcomes.get(outcome)]
    if not rows:
        return NOTHING
    caption = ", ".join(f"{outcome} {number(many)}" for outcome, many in rows)
    shape = {"viewBox": "0 0 1000 1", "preserveAspectRatio": "none"}
    bar = element("svg", *_lengths(rows), class_="bar", role="img", aria_label=caption, **shape)
    meanings = _meanings()
    legend = [
        element("li", _named(outcome), " ", element("b", number(many)), element("p", meanings[outcome]), class_=outcome)
        for outcome, many in rows
    ]
    return section("outcomes", _("Outcomes"), bar, element("ul", *legend, class_="legend"))


def _lengths(rows: Sequence[tuple[Outcome, int]]) -> Iterator[Markup]:
    """Yield a length of the bar for each outcome, none too short to be seen."""
    total = sum(many for _, many in rows)
    lengths = [max(many * 1000 / total, _SHORTEST) for _, many in rows]
    scale = (1000 - _GAP * (len(rows) - 1)) / sum(lengths)
    start = 0.0
    for (outcome, many), length in zip(rows, lengths, strict=True):
        title = element("title", f"{outcome} {number(many)}")
        yield element("rect", title, class_=outcome, x=f"{start:.2f}", width=f"{length * scale:.2f}", height=1)
        start += length * scale + _GAP


def causes(summary: Summary, *, masked: bool) -> Markup:
    """Return the causes for which rows are not in place, as buttons that filter the table."""
    items = [_cause(cause, summary, masked=masked) for cause in summary.causes_of_rows]
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


def _cause(cause: Cause, summary: Summary, *, masked: bool) -> Markup:
    sentence = cause.message or cause.in_general
    if masked:  # a sentence of the API may quote a number, and the row that has it is unknown here
        sentence = without_long_numbers(sentence)
    one = cause.rows == 1
    where = [_named(cause.outcome)]
    if cause.field:
        where.append(element("span", _field(cause.field, summary.letters)))
    first = _("row {row}", row=cause.first) if one else _("first in row {row}", row=cause.first)
    where.append(element("span", first))
    unit = element("span", " ", _("row") if one else _("rows"), ": ", class_="unseen")
    button = element(
        "button",
        element("b", number(cause.rows), unit),
        element("span", sentence, class_="say"),
        element("span", joined(where, " "), class_="where"),
        type="button",
        aria_pressed="false",
        data_outcome=cause.outcome,
        data_code=cause.code,
        data_field=cause.field,
    )
    return element("li", button)


def _field(field: str, letters: dict[str, str]) -> str:
    return _("{field}, column {letter}", field=field, letter=letters[field]) if field in letters else field
