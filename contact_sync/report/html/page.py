"""The report as one HTML file: what happened, why, and the rows, to search and to sort.

It requests nothing from any network, and its content security policy forbids that. The rows are JSON in the middle of the file,
which the script draws: they are written in one pass, and none is kept.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import count

from contact_sync.files.atomic import AtomicFile
from contact_sync.i18n import _
from contact_sync.model.fields import ID, NAMES
from contact_sync.model.report import Batch, Line, Summary
from contact_sync.model.source import Layout
from contact_sync.model.violation import Column
from contact_sync.report.formats import ReportContext
from contact_sync.report.html import sections
from contact_sync.report.html.markup import NOTHING, Markup, element, filled, joined, number, template_of
from contact_sync.report.html.masking import masked
from contact_sync.report.html.run import run_section

LIMIT = 50_000  # rows of a page at most, which a browser can search and sort; of more rows, those that need attention come first

_NUMBER, _OUTCOME, _FIELDS, _MESSAGE, _CELLS = 0, 1, 3, 4, 5  # positions in a row of the JSON, as in the script


def write(draft: AtomicFile, batches: Iterable[Batch], context: ReportContext) -> list[str]:
    """Write the page, with phone numbers in full or masked; there is nothing to note."""
    # In JSON, `backslashreplace` is the escape of a lone surrogate.
    draft.file.writelines(text.encode(errors="backslashreplace") for text in _texts(batches, context))
    return []


def _texts(batches: Iterable[Batch], context: ReportContext) -> Iterator[str]:
    if (base := context.layout.base_position) is not None:  # which means nothing to a person
        context = replace(context, layout=context.layout.without(base))
        batches = (batch.without(base) for batch in batches)
    summary, layout = context.summary, context.layout
    template, of_head = template_of("page")
    before, _rows, after = template.partition("[[lines]]")
    parts = of_head | _words() | sections.headline(summary)
    parts |= {"causes": sections.causes(summary, masked=context.masked), "tiles": sections.tiles(summary)}
    parts |= {"head": _head(layout), "note": _note(summary), "page": _settings(layout)}
    attempts: Counter[str] = Counter()
    yield filled(before, parts)
    yield from _lines(batches, context, attempts)
    yield filled(after, parts | {"run": run_section(summary, attempts)})


def _words() -> dict[str, str]:
    """Return the words of the template."""
    return {
        "skip": _("Skip to the rows"),
        "rows": _("The rows"),
        "noscript": _("The table needs JavaScript, which is switched off here; every row is in the CSV report."),
        "search": _("Search all cells"),
        "uncause": _("Show the other rows too"),
        "none": _("No row matches."),
        "pages": _("Pages of the table"),
        "previous": _("Previous"),
        "next": _("Next"),
    }


def _head(layout: Layout) -> Markup:
    """Return the header of the table, whose buttons sort it."""
    ours = [
        _column(_NUMBER, _("Row"), ""),
        _column(_FIELDS, _("Cell"), "", "fix"),
        _column(_MESSAGE, _("What to do"), "", "fix"),
        _column(_OUTCOME, _("Outcome"), ""),
    ]
    who = _who(layout)
    kinds = ("own who" if at in who else "own" for at in range(len(layout.columns)))
    theirs = zip(count(_CELLS), _columns(layout), kinds, strict=False)
    return joined([*ours, *(_column(at, name, letter, kind) for at, (name, letter), kind in theirs)])


def _who(layout: Layout) -> list[int]:
    """Return the positions of the columns that say who a contact is, which are printed."""
    return [layout.mapping[field] for field in (ID, *NAMES) if field in layout.mapping]


def _columns(layout: Layout) -> list[tuple[str, str]]:
    """Return the name of each column of the source, and its letter where it is sent."""
    sent = set(layout.mapping.values())
    names = [name.strip() or _("Column {number}", number=at) for at, name in enumerate(layout.columns, 1)]
    return [(name, layout.letters[at] if at in sent else "") for at, name in enumerate(names)]


def _column(position: int, name: str, letter: str, kind: str = "") -> Markup:
    inside = element("span", name, *([" ", element("small", letter)] if letter else []))
    order = "ascending" if position == _NUMBER else "none"
    button = element("button", inside, type="button")
    return element("th", button, scope="col", role="columnheader", aria_sort=order, data_by=position, class_=kind)


def _note(summary: Summary) -> Markup:
    shown = _room(summary).total()
    others = sum(summary.outcomes.values()) - shown
    counts = {"shown": number(shown), "others": number(others)}
    sentence = _(
        "This page shows {shown} rows, those that need attention first; {others} others are only in the CSV report.", **counts
    )
    return element("p", sentence, class_="note") if others else NOTHING


def _settings(layout: Layout) -> Markup:
    """Return the JSON for the script, which fills in the placeholders of the sentences."""
    words = {
        "shown": _("Rows {first} to {last} of {rows}", first="{first}", last="{last}", rows="{rows}"),
        "none": _("No row matches."),
        "cause": _("Only rows with this cause: {cause}", cause="{cause}"),
        "empty": _("empty"),
        "row": _("Row"),
    }
    columns = [{"name": name, "letter": letter} for name, letter in _columns(layout)]
    labels = {outcome: outcome.named for outcome in sections.SHOWN}
    return _json({"columns": columns, "positions": layout.mapping, "who": _who(layout), "outcomes": labels, "words": words})


def _lines(batches: Iterable[Batch], context: ReportContext, attempts: Counter[str]) -> Iterator[str]:
    """Yield the rows that the page has room for, as the inside of a JSON array; count the attempts of all rows in `attempts`."""
    room, columns = _room(context.summary), context.layout.columns_of_fields
    between = "\n"
    for batch in batches:
        shown = []
        for line in batch.lines():
            if line.attempts and line.at:
                attempts[line.at] += line.attempts
            if room[line.outcome] > 0:
                room[line.outcome] -= 1
                shown.append(_row(masked(line, context.layout.mapping) if context.masked else line, columns))
        if shown:
            yield between + _json(shown)[1:-1]
            between = ",\n"


def _row(line: Line, columns: Mapping[str, Column]) -> list[str | int]:
    """Return a row of the JSON; where it is about one column, which is shown beside its message, the message leaves it off."""
    column = columns.get(line.fields)
    message = column.left_off(line.message) if column else line.message
    return [line.number, line.outcome, line.code, line.fields, message, *line.cells]


def _room(summary: Summary) -> Counter[str]:
    """Return the number of rows of each outcome that are shown, the most urgent first."""
    room: Counter[str] = Counter()
    for outcome in sections.SHOWN:
        room[outcome] = min(summary.outcomes.get(outcome, 0), LIMIT - room.total())
    return room


def _json(value: object) -> Markup:
    """Return JSON that is safe within a script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))
