"""The results report as one HTML file to open in the morning: what happened, why, and the rows, to search and to sort.

It asks nothing of any network, and its policy forbids it to. The rows stand in it as JSON, before what is drawn of them, so that
they pass through once and none is kept.
"""

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.resources import files

from contact_sync.files.atomic import AtomicFile, write_error
from contact_sync.i18n import _, language
from contact_sync.model import ATTENTION, IN_PLACE, LEFT, PHONE, Batch, Layout, Line, Outcome, Summary
from contact_sync.report.html.markup import NOTHING, Markup, element, joined, number, safe
from contact_sync.report.html.masking import masked as without_phone
from contact_sync.report.html.overview import SHOWN, count, facts, overview, pace

LIMIT = 50_000
"""Rows that a browser searches and sorts at once; of more, those that need attention come first."""

_URGENCY = (*ATTENTION, *LEFT, Outcome.READY, *IN_PLACE)
_NUMBER, _OUTCOME, _CODE, _MESSAGE, _CELLS = 0, 1, 2, 4, 5  # places in a row of the JSON; the script has the same


def write(
    report: AtomicFile,
    summary: Summary,
    layout: Layout,
    batches: Iterable[Batch],
    *,
    masked: bool,
) -> None:
    """Write all of it and put it in its place; with `masked`, phone numbers lose their middle. Raises StorageError."""
    template = files("contact_sync.report.html").joinpath("page.html").read_text(encoding="utf-8")
    before, _, after = template.partition("[[lines]]")
    parts = _policy(template) | _words() | overview(summary, masked=masked) | _table(summary, layout)
    unsent = set(range(len(layout.columns))) - set(layout.mapping.values())

    def mask(line: Line) -> Line:
        return without_phone(line, layout.mapping.get(PHONE), unsent) if masked else line

    attempts: Counter[str] = Counter()
    try:
        report.file.write(_encoded(_filled(before, parts)))
        for text in _lines(batches, summary.outcomes, mask, attempts):
            report.file.write(_encoded(text))
        parts |= {"facts": facts(summary, attempts), "pace": pace(attempts)}
        report.file.write(_encoded(_filled(after, parts)))
    except OSError as error:
        raise write_error(report.path, error) from error
    report.commit()


def _encoded(text: str) -> bytes:
    return text.encode(errors="backslashreplace")  # within JSON that is how half a character is written anyway


def _filled(template: str, parts: Mapping[str, str]) -> str:
    return re.sub(r"\[\[(\w+)\]\]", lambda found: safe(parts[found[1]]), template)


def _policy(template: str) -> dict[str, str]:
    """What may be applied and run: the one style and the one script of the template, by their digests."""
    return {element: Markup(_digest(element, template)) for element in ("style", "script")}


def _digest(element: str, template: str) -> str:
    (text,) = re.findall(rf"<{element}>(.*?)</{element}>", template, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _lines(
    batches: Iterable[Batch], outcomes: Mapping[str, int], mask: Callable[[Line], Line], attempts: Counter[str]
) -> Iterator[str]:
    """The rows that have a place on the page, as the inside of a JSON array; adds the attempts of all rows to `attempts`."""
    places = _places(outcomes)
    between = "\n"
    for batch in batches:
        shown = []
        for line in batch.lines():
            if line.attempts and line.at:
                attempts[line.at] += line.attempts
            if places[line.outcome] > 0:
                places[line.outcome] -= 1
                number, outcome, code, fields, message = (masked := mask(line))[1:6]
                shown.append([number, outcome, code, fields, message, *masked.cells])
        if shown:
            yield between + _json(shown)[1:-1]
            between = ",\n"


def _places(outcomes: Mapping[str, int]) -> Counter[str]:
    """How many rows of each outcome have a place on the page, the most urgent first."""
    places: Counter[str] = Counter()
    for outcome in _URGENCY:
        places[outcome] = min(outcomes.get(outcome, 0), LIMIT - places.total())
    return places


def _json(value: object) -> str:
    """JSON that no reader of HTML or JavaScript takes for anything else."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _table(summary: Summary, layout: Layout) -> dict[str, str]:
    sent = set(layout.mapping.values())
    own = {
        _NUMBER: _("Row"),
        _OUTCOME: _("Outcome"),
        _CODE: _("Code"),
        _MESSAGE: _("What to do"),
    }
    heads = [_head(by, name) for by, name in own.items()]
    for position, name in enumerate(layout.columns):
        shown = name.strip() or _("Column {number}", number=position + 1)
        heads.append(_head(_CELLS + position, shown, layout.letters[position] if position in sent else ""))
    page = {"positions": layout.mapping, "outcomes": SHOWN, "attention": ATTENTION, "words": _words_of_the_script()}
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
    shown = _places(summary.outcomes).total()
    others = sum(summary.outcomes.values()) - shown
    if not others:
        return NOTHING
    sentence = _(
        "This page shows {shown} rows, those that need attention first; {others} others are only in the CSV report.",
        shown=number(shown),
        others=number(others),
    )
    return element("p", sentence, class_="note")


def _words() -> dict[str, str]:
    """The words of the template."""
    return {
        "language": language(),
        "skip": _("Skip to the rows"),
        "rows": _("The rows"),
        "noscript": _("The table needs JavaScript, which is switched off here; every row is in the CSV report."),
        "search": _("Search all cells"),
        "outcome": _("Outcome"),
        "all": _("Show all rows"),
        "uncause": _("Show the other rows too"),
        "none": _("No row matches."),
        "pages": _("Pages of the table"),
        "previous": _("Previous"),
        "next": _("Next"),
    }


def _words_of_the_script() -> dict[str, str]:
    """Its sentences, with the blanks for it to fill in."""
    return {
        "shown": _("Rows {first} to {last} of {rows}", first="{first}", last="{last}", rows="{rows}"),
        "none": _("No row matches."),
        "cause": _("Only rows with this cause: {cause}", cause="{cause}"),
    }
