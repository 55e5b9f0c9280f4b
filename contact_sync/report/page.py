"""The results report as one HTML file to open in the morning: what happened, why, and every row, to search and to sort.

It asks nothing of any network, and its policy forbids it to. The rows stand in it as JSON, before what is drawn of them, so that
they pass through once and none is kept.
"""

import base64
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from string import Formatter

from contact_sync.catalogue import CATALOGUE
from contact_sync.language import phrase, spoken
from contact_sync.model import Cause, Line, Outcome, Page, Summary
from contact_sync.report.draft import Draft, unwritable

LIMIT = 50_000
"""Rows that a browser searches and sorts at once; of more, those that need attention come first."""

IN_PLACE = (Outcome.UPDATED, Outcome.UNCHANGED, Outcome.DUPLICATE)
NEED_YOU = (Outcome.ALTERED, Outcome.INVALID, Outcome.REJECTED)
LEFT = (Outcome.FAILED, Outcome.UNPROCESSED)
_URGENCY = (*NEED_YOU, *LEFT, Outcome.READY, *IN_PLACE)
_SHOWN = (*IN_PLACE, Outcome.READY, *NEED_YOU, *LEFT)

_CAUSES = 10
_BARS = 60
_WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Seconds that a bar of the plot may stand for."""

_KEPT, _END = 4, 2
_SUBSCRIBER = 9
"""Digits at the end of a phone number that stay the same however it is written."""
_LONG_NUMBER = re.compile(r"\+?(?:\d[ .\-/()]*){8,}\d")


def write(
    report: Draft,
    summary: Summary,
    columns: Sequence[str],
    mapping: Mapping[str, int],
    pages: Iterable[Page],
    *,
    masked: bool,
) -> None:
    """Write all of it and put it in its place; with `masked`, phone numbers lose their middle. Raises StorageError."""
    template = files("contact_sync.report").joinpath("page.html").read_text(encoding="utf-8")
    before, _, after = template.partition("[[lines]]")
    phone = mapping.get("phoneNumber") if masked else None
    attempts: Counter[str] = Counter()
    parts = _policy(template) | _words() | _told(summary, masked=masked) | _table(summary, columns, mapping)
    try:
        report.file.write(_encoded(_filled(before, parts)))
        for text in _lines(pages, summary.outcomes, phone, attempts):
            report.file.write(_encoded(text))
        parts |= {"facts": _facts(summary, attempts), "pace": _pace(attempts)}
        report.file.write(_encoded(_filled(after, parts)))
    except OSError as error:
        raise unwritable(report.path, error) from error
    report.place()


def _encoded(text: str) -> bytes:
    return text.encode(errors="backslashreplace")  # within JSON that is how half a character is written anyway


def _filled(template: str, parts: Mapping[str, str]) -> str:
    return re.sub(r"\[\[(\w+)\]\]", lambda found: parts[found[1]], template)


def _policy(template: str) -> dict[str, str]:
    """What may be applied and run: the one style and the one script of the template, by their digests."""

    def digest(element: str) -> str:
        (text,) = re.findall(rf"<{element}>(.*?)</{element}>", template, re.DOTALL)
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return {"style": digest("style"), "script": digest("script")}


# The rows.


def _lines(pages: Iterable[Page], outcomes: Mapping[str, int], phone: int | None, attempts: Counter[str]) -> Iterator[str]:
    """The rows that have a place on the page, as the inside of a JSON array; adds the attempts of all rows to `attempts`."""
    places = _places(outcomes)
    begun = False
    for page in pages:
        shown = []
        for line in page.lines():
            if line.attempts and line.at:
                attempts[line.at] += line.attempts
            if places[line.outcome] > 0:
                places[line.outcome] -= 1
                told = line if phone is None else _masked(line, phone)
                shown.append([told.number, told.outcome, told.code, told.fields, told.message, *told.cells])
        if shown:
            yield (",\n" if begun else "\n") + _json(shown)[1:-1]
            begun = True


def _places(outcomes: Mapping[str, int]) -> Counter[str]:
    """How many rows of each outcome have a place on the page, the most urgent first."""
    places: Counter[str] = Counter()
    for outcome in _URGENCY:
        places[outcome] = min(outcomes.get(outcome, 0), LIMIT - places.total())
    return places


def _json(value: object) -> str:
    """JSON that no HTML parser and no reader of JavaScript takes for anything else."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _masked(line: Line, position: int) -> Line:
    """The line without the middle of its phone number, wherever in it the number is written and however."""
    phone = line.cells[position].strip()
    if not phone:
        return line
    cells = [_without(phone, cell) for cell in line.cells]
    cells[position] = _mask(line.cells[position])
    return line._replace(cells=cells, message=_without(phone, line.message))


def _mask(text: str) -> str:
    hidden = len(text) - _KEPT - _END
    return f"{text[:_KEPT]}{'•' * hidden}{text[-_END:]}" if hidden > 0 else "•" * len(text)


def _without(phone: str, text: str) -> str:
    if len(phone) > _KEPT + _END:  # else it is no number, and may be part of any word
        text = text.replace(phone, _mask(phone))
    digits = _digits(phone)[-_SUBSCRIBER:]
    if len(digits) == _SUBSCRIBER and digits in _digits(text):
        text = re.sub(r"[\s.\-/()]*".join(digits), "•" * (_SUBSCRIBER - _END) + digits[-_END:], text)
    return text


def _digits(text: str) -> str:
    return re.sub(r"\D+", "", text)


# What is told above them.


def _number(value: float, decimals: int = 0) -> str:
    text = f"{value:,.{decimals}f}"
    return text.translate({ord(","): "\u202f", ord("."): ","}) if spoken() == "fr" else text


def _sum(summary: Summary, outcomes: Iterable[Outcome]) -> int:
    return sum(summary.outcomes.get(outcome, 0) for outcome in outcomes)


def _sentence(summary: Summary) -> str:
    """What happened."""
    rows = summary.rows
    if not rows:
        return phrase("The file has no data row.")
    clauses = [*_in_place(summary), *_open(summary)]
    return phrase("{clauses}.", clauses=phrase("; ").join(clauses))


def _in_place(summary: Summary) -> Iterator[str]:
    rows, placed, ready = summary.rows, _sum(summary, IN_PLACE), _sum(summary, [Outcome.READY])
    blanks = {"count": _number(placed), "rows": _number(rows)}
    if rows == placed == 1:
        yield phrase("The one contact is in place")
    elif rows == placed:
        yield phrase("All {rows} contacts are in place", **blanks)
    elif placed == 1:
        yield phrase("{count} of {rows} contacts is in place", **blanks)
    elif placed or not ready:
        yield phrase("{count} of {rows} contacts are in place", **blanks)
    if ready == 1:
        yield phrase("{count} of {rows} rows is ready to be sent", **blanks | {"count": _number(ready)})
    elif ready:
        yield phrase("{count} of {rows} rows are ready to be sent", **blanks | {"count": _number(ready)})


def _open(summary: Summary) -> Iterator[str]:
    needy, left = _sum(summary, NEED_YOU), _sum(summary, LEFT)
    if needy == 1:
        yield phrase("{count} row needs you", count=_number(needy))
    elif needy:
        yield phrase("{count} rows need you", count=_number(needy))
    if left == 1:
        yield phrase("{count} row is left for the next run", count=_number(left))
    elif left:
        yield phrase("{count} rows are left for the next run", count=_number(left))


def _state(summary: Summary) -> tuple[str, str]:
    if summary.reasons:
        return "stopped", phrase("The run was stopped")
    if _sum(summary, NEED_YOU):
        return "needed", phrase("Rows need you")
    if _sum(summary, LEFT):
        return "left", phrase("To be continued by the next run")
    return "fine", phrase("All is well")


def _told(summary: Summary, *, masked: bool) -> dict[str, str]:
    sentence = _sentence(summary)
    tone, state = _state(summary)
    return {
        "title": escape(f"{_readable(summary.source.name)}: {sentence}"),
        "when": _when(summary.run),
        "tone": tone,
        "state": escape(state),
        "sentence": escape(sentence),
        "told": _warned(summary),
        "reading": _reading(summary),
        "outcomes": _outcomes(summary),
        "causes": _causes(summary, masked=masked),
        "footer": escape(phrase("Written by contact-sync, run {run}. It holds personal data: pass it on with care.", run=summary.run)),
    }


def _readable(name: str) -> str:
    return os.fsencode(name).decode(errors="replace")


def _when(run: str) -> str:
    """When the run began, in the time of the machine it ran on, out of its name."""
    try:
        began = datetime.strptime(run.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return ""
    local = began.astimezone()
    words = phrase("{year}-{month}-{day}, {time}", year=f"{local:%Y}", month=f"{local:%m}", day=f"{local:%d}", time=f"{local:%H:%M %Z}")
    return f'<time datetime="{began:%Y-%m-%dT%H:%M:%SZ}">{escape(words)}</time>'


def _list(items: Iterable[str], kind: str) -> str:
    found = "".join(items)
    return f'<ul class="{kind}">{found}</ul>' if found else ""


def _warned(summary: Summary) -> str:
    stopped, warning = phrase("Stopped:"), phrase("Warning:")
    told = [("reason", stopped, reason) for reason in summary.reasons]
    told += [("warning", warning, text) for text in summary.warnings]
    return _list((f'<li class="{kind}"><b>{escape(word)}</b> {escape(text)}</li>' for kind, word, text in told), "told")


def _reading(summary: Summary) -> str:
    told = _list((f"<li>{escape(text)}</li>" for text in [*summary.findings, *summary.notes]), "found")
    return f"<details><summary>{escape(phrase('How the file was read'))}</summary>{told}</details>" if told else ""


def _facts(summary: Summary, attempts: Counter[str]) -> str:
    source = summary.source
    facts = [
        (phrase("File"), source.name, str(source.parent) if source.is_absolute() else ""),
        (phrase("Run"), summary.run, ""),
    ]
    if summary.requests:
        facts.append((phrase("Requests"), _number(summary.requests), phrase("{count} of them retries", count=_number(summary.retries))))
    if summary.seconds:
        facts.append((phrase("Duration"), _duration(summary.seconds), ""))
    if attempts:
        pace = attempts.total() / (max(map(_second, attempts)) - min(map(_second, attempts)) + 1)
        facts.append((phrase("Pace"), phrase("{pace} requests a second", pace=_number(pace, 1)), ""))
    return "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(_readable(value))}{f'<small>{escape(_readable(more))}</small>' if more else ''}</dd></div>"
        for name, value, more in facts
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return phrase("{hours} h {minutes} min", hours=_number(hours), minutes=minutes)
    if minutes:
        return phrase("{minutes} min {seconds} s", minutes=minutes, seconds=rest)
    return phrase("{seconds} s", seconds=_number(seconds, 1))


def _meanings() -> dict[Outcome, str]:
    return {
        Outcome.UPDATED: phrase("The API confirmed it as it was sent."),
        Outcome.UNCHANGED: phrase("It was in place already; nothing was sent."),
        Outcome.DUPLICATE: phrase("It agrees with another row of the file, which carries the outcome."),
        Outcome.READY: phrase("It would be sent."),
        Outcome.ALTERED: phrase("The API confirmed, but stored something else: look at it."),
        Outcome.INVALID: phrase("It breaks a rule; nothing was sent: correct the cell."),
        Outcome.REJECTED: phrase("The API refused it, and would again: correct the contact."),
        Outcome.FAILED: phrase("No attempt succeeded for certain: the next run sends it again."),
        Outcome.UNPROCESSED: phrase("The run stopped before its turn: the next run sends it."),
    }


def _outcomes(summary: Summary) -> str:
    """The rows of each outcome, as lengths of one bar and in numbers."""
    counts = [(outcome, summary.outcomes[outcome]) for outcome in _SHOWN if summary.outcomes.get(outcome)]
    if not counts:
        return ""
    meanings = _meanings()
    spoken_counts = ", ".join(f"{outcome} {_number(count)}" for outcome, count in counts)
    legend = "".join(
        f'<li class="{outcome}"><span class="outcome {outcome}">{outcome}</span> <b>{_number(count)}</b><p>{escape(meanings[outcome])}</p></li>'
        for outcome, count in counts
    )
    return (
        f'<section aria-labelledby="outcomes-title"><h2 id="outcomes-title">{escape(phrase("How the rows ended"))}</h2>'
        f'<svg class="bar" role="img" aria-label="{spoken_counts}" viewBox="0 0 1000 1" preserveAspectRatio="none">{_bar(counts)}</svg>'
        f'<ul class="legend">{legend}</ul></section>'
    )


def _bar(counts: Sequence[tuple[Outcome, int]]) -> str:
    """One length of the bar for each outcome: never so short that it cannot be seen."""
    gap, least = 2.5, 6.0
    lengths = [max(count * 1000 / sum(count for _, count in counts), least) for _, count in counts]
    scale = (1000 - gap * (len(counts) - 1)) / sum(lengths)
    rects, start = [], 0.0
    for (outcome, count), length in zip(counts, lengths, strict=True):
        title = f"<title>{outcome} {_number(count)}</title>"
        rects.append(f'<rect class="{outcome}" x="{start:.2f}" width="{length * scale:.2f}" height="1">{title}</rect>')
        start += length * scale + gap
    return "".join(rects)


def _causes(summary: Summary, *, masked: bool) -> str:
    """Why rows are not in place, each to be clicked; the stop of the run is told above."""
    told = [_cause(cause, summary, masked=masked) for cause in summary.causes if cause.code != "stopped"]
    if not told:
        return ""
    first, more = "".join(told[:_CAUSES]), told[_CAUSES:]
    rest = (
        f"<details><summary>{escape(phrase('{count} more causes', count=_number(len(more))))}</summary>"
        f'<ol class="causes">{"".join(more)}</ol></details>'
        if more
        else ""
    )
    title, hint = escape(phrase("Why")), escape(phrase("choose one to see its rows"))
    return (
        f'<section aria-labelledby="causes-title"><h2 id="causes-title">{title} <small>{hint}</small></h2>'
        f'<ol class="causes">{first}</ol>{rest}</section>'
    )


def _cause(cause: Cause, summary: Summary, *, masked: bool) -> str:
    message = cause.message or _in_general(cause)
    if masked:  # the row is not at hand here, and what the API said of it may hold its number
        message = _LONG_NUMBER.sub(lambda found: _mask(found[0]), message)
    where = [f'<span class="outcome {escape(cause.outcome)}">{escape(cause.outcome)}</span>']
    if cause.field in summary.columns:
        where.append(escape(phrase("{field}, column {letter}", field=cause.field, letter=summary.columns[cause.field])))
    elif cause.field:
        where.append(escape(cause.field))
    first = _number(cause.first)
    where.append(escape(phrase("row {row}", row=first) if cause.rows == 1 else phrase("first in row {row}", row=first)))
    named = "".join(f' data-{name}="{escape(getattr(cause, name))}"' for name in ("outcome", "code", "field"))
    rows = phrase("row") if cause.rows == 1 else phrase("rows")
    return (
        f'<li><button type="button" aria-pressed="false"{named}>'
        f'<b>{_number(cause.rows)}<span class="unseen"> {escape(rows)}: </span></b><span class="say">{escape(message)}</span>'
        f'<span class="where">{"".join(f"<span>{text}</span>" if "<" not in text else text for text in where)}</span></button></li>'
    )


def _in_general(cause: Cause) -> str:
    """The sentence for all rows of a cause, with dots for what differs between them."""
    sentence = CATALOGUE.get(cause.code, cause.code)
    blanks = {name: "…" for _, name, _, _ in Formatter().parse(sentence) if name}
    return phrase(sentence, **blanks | {"field": cause.field})


def _second(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp())


def _pace(attempts: Counter[str]) -> str:
    """The requests over time, a bar for each stretch of it."""
    if not attempts:
        return ""
    begin, end = min(map(_second, attempts)), max(map(_second, attempts)) + 1
    width = next((width for width in _WIDTHS if width * _BARS >= end - begin), -(-(end - begin) // _BARS))
    bars: Counter[int] = Counter()
    for at, count in attempts.items():
        bars[(_second(at) - begin) // width] += count
    most, ends = max(bars.values()), -(-(end - begin) // width)
    rects = "".join(
        f'<rect x="{bar + 0.06}" y="{most - count}" width="0.88" height="{count}">'
        f"<title>{_clock(begin + bar * width)}: {_number(count)}</title></rect>"
        for bar, count in sorted(bars.items())
    )
    per = _number(most / width, 1)
    told = phrase("Up to {pace} requests a second, between {begin} and {end}", pace=per, begin=_clock(begin), end=_clock(end))
    ticks = "".join(f"<span>{_clock(begin + ends * width * part // 4)}</span>" for part in range(5))
    return (
        f'<section aria-labelledby="pace-title"><h2 id="pace-title">{escape(phrase("The pace of the night"))}</h2>'
        f'<figure><figcaption>{escape(told)}</figcaption><div class="plot">'
        f'<svg role="img" aria-label="{escape(told)}" viewBox="0 0 {ends} {most}" preserveAspectRatio="none">{rects}</svg></div>'
        f'<div class="ticks" aria-hidden="true">{ticks}</div></figure></section>'
    )


def _clock(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC).astimezone():%H:%M:%S}"


# The table.


def _table(summary: Summary, columns: Sequence[str], mapping: Mapping[str, int]) -> dict[str, str]:
    own = [(0, phrase("Row")), (1, phrase("Outcome")), (2, phrase("Code")), (4, phrase("What to do"))]
    letters = {position: summary.columns[field] for field, position in mapping.items() if field in summary.columns}
    cells = [
        _head(5 + position, name.strip() or phrase("Column {number}", number=position + 1), letters.get(position, ""))
        for position, name in enumerate(columns)
    ]
    page = {"positions": dict(mapping), "outcomes": list(Outcome), "attention": list(NEED_YOU), "words": _spoken_later()}
    return {
        "head": "".join([*(_head(by, name) for by, name in own), *cells]),
        "options": _options(summary),
        "note": _note(summary),
        "page": _json(page),
    }


def _head(by: int, name: str, letter: str = "") -> str:
    small = f" <small>{escape(letter)}</small>" if letter else ""
    order = "ascending" if by == 0 else "none"
    return f'<th scope="col" aria-sort="{order}" data-by="{by}"><button type="button"><span>{escape(name)}{small}</span></button></th>'


def _options(summary: Summary) -> str:
    options = [("", phrase("all"))]
    if needy := _sum(summary, NEED_YOU):
        options.append(("attention", phrase("those that need you ({count})", count=_number(needy))))
    options += [(name, f"{name} ({_number(summary.outcomes[name])})") for name in _SHOWN if summary.outcomes.get(name)]
    return "".join(f'<option value="{value}">{escape(name)}</option>' for value, name in options)


def _note(summary: Summary) -> str:
    all_rows, shown = sum(summary.outcomes.values()), _places(summary.outcomes).total()
    if all_rows == shown:
        return ""
    told = phrase(
        "{shown} rows are on this page, those that need attention first; {others} others are in the CSV report only.",
        shown=_number(shown),
        others=_number(all_rows - shown),
    )
    return f'<p class="note">{escape(told)}</p>'


def _words() -> dict[str, str]:
    """The words of the template."""
    words = {
        "language": spoken(),
        "skip": phrase("Skip to the rows"),
        "rows": phrase("The rows"),
        "noscript": phrase("The table needs JavaScript, which is switched off here; every row is in the CSV report."),
        "search": phrase("Search in all cells"),
        "outcome": phrase("Outcome"),
        "all": phrase("Show all rows"),
        "uncause": phrase("Show the other rows too"),
        "none": phrase("No row matches."),
        "pages": phrase("Pages of the table"),
        "previous": phrase("Previous"),
        "next": phrase("Next"),
    }
    return {name: escape(text) for name, text in words.items()}


def _spoken_later() -> dict[str, str]:
    """The words of the script, with blanks for it to fill in."""
    return {
        "shown": phrase("Rows {first} to {last} of {rows}", first="{first}", last="{last}", rows="{rows}"),
        "none": phrase("No row matches."),
        "cause": phrase("Only rows of one cause: {cause}", cause="{cause}"),
    }
