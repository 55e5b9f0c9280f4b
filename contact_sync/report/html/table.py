"""Table of the page: its rows as JSON, which the script draws, its header and its filter."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from contact_sync.i18n import _
from contact_sync.model import ATTENTION, IN_PLACE, LEFT, Batch, Layout, Line, Outcome, Summary
from contact_sync.report.html.markup import NOTHING, Markup, element, joined, number
from contact_sync.report.html.outcomes import SHOWN, count

LIMIT = 50_000
"""Rows of a page at most, which a browser can search and sort; of more rows, those that need attention come first."""

_URGENCY = (*ATTENTION, *LEFT, Outcome.READY, *IN_PLACE)
_NUMBER, _OUTCOME, _CODE, _MESSAGE, _CELLS = 0, 1, 2, 4, 5  # positions in a row of the JSON, as in the script


def table(summary: Summary, layout: Layout) -> dict[str, str]:
    """Return the parts of the template around the rows."""
    sent = set(layout.mapping.values())
    fixed = {
        _NUMBER: _("Row"),
        _OUTCOME: _("Outcome"),
        _CODE: _("Code"),
        _MESSAGE: _("What to do"),
    }
    heads = [_head(by, name) for by, name in fixed.items()]
    for position, name in enumerate(layout.columns):
        shown = name.strip() or _("Column {number}", number=position + 1)
        heads.append(_head(_CELLS + position, shown, layout.letters[position] if position in sent else ""))
    page = {"positions": layout.mapping, "outcomes": SHOWN, "attention": ATTENTION, "words": _script_words()}
    return {"head": joined(heads), "options": _options(summary), "note": _note(summary), "page": Markup(_json(page))}


def _head(by: int, name: str, letter: str = "") -> Markup:
    inside = element("span", name, *([" ", element("small", letter)] if letter else []))
    order = "ascending" if by == _NUMBER else "none"
    return element("th", element("button", inside, type="button"), scope="col", aria_sort=order, data_by=by)


def _options(summary: Summary) -> Markup:
    options = {"": _("all")}
    if needy := count(summary, ATTENTION):
        options["attention"] = _("those that need attention ({count})", count=number(needy))
    options |= {name: f"{name} ({number(summary.outcomes[name])})" for name in SHOWN if summary.outcomes.get(name)}
    return joined(element("option", name, value=value) for value, name in options.items())


def _note(summary: Summary) -> Markup:
    shown = _room(summary.outcomes).total()
    others = sum(summary.outcomes.values()) - shown
    if not others:
        return NOTHING
    sentence = _(
        "This page shows {shown} rows, those that need attention first; {others} others are only in the CSV report.",
        shown=number(shown),
        others=number(others),
    )
    return element("p", sentence, class_="note")


def _script_words() -> dict[str, str]:
    """Return the sentences of the script, which fills in their placeholders."""
    return {
        "shown": _("Rows {first} to {last} of {rows}", first="{first}", last="{last}", rows="{rows}"),
        "none": _("No row matches."),
        "cause": _("Only rows with this cause: {cause}", cause="{cause}"),
    }


def rows(
    batches: Iterable[Batch], outcomes: Mapping[str, int], mask: Callable[[Line], Line], attempts: Counter[str]
) -> Iterator[str]:
    """Yield the rows that the page has room for, as the inside of a JSON array; count the attempts of all rows in `attempts`."""
    room = _room(outcomes)
    between = "\n"
    for batch in batches:
        shown = []
        for line in batch.lines():
            if line.attempts and line.at:
                attempts[line.at] += line.attempts
            if room[line.outcome] > 0:
                room[line.outcome] -= 1
                number, outcome, code, fields, message = (masked := mask(line))[1:6]
                shown.append([number, outcome, code, fields, message, *masked.cells])
        if shown:
            yield between + _json(shown)[1:-1]
            between = ",\n"


def _room(outcomes: Mapping[str, int]) -> Counter[str]:
    """Return the number of rows of each outcome that are shown, the most urgent first."""
    room: Counter[str] = Counter()
    for outcome in _URGENCY:
        room[outcome] = min(outcomes.get(outcome, 0), LIMIT - room.total())
    return room


def _json(value: object) -> str:
    """Return JSON that is safe within a script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
