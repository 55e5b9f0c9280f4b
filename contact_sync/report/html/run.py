"""The section of the page about the run itself: its facts, how the file was read, and its requests over time."""

from collections import Counter
from datetime import UTC, datetime

from contact_sync.i18n import _, labelled, ngettext
from contact_sync.model.fields import readable
from contact_sync.model.report import Summary
from contact_sync.report.html.markup import NOTHING, Markup, drawing, duration, element, joined, number, section

_HEADROOM = 1.1  # above the line of the pace that was allowed
_SHORTEST = 5  # seconds of a run whose requests are drawn
_BARS = 60  # of the plot of requests, at most
_WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)  # seconds that one of them may cover


def run_section(summary: Summary, attempts: Counter[str]) -> Markup:
    """Return the section; `attempts` counts the requests of each second, a time of UTC."""
    seconds = {int(datetime.fromisoformat(at).timestamp()): many for at, many in attempts.items()}
    pace = _pace(seconds, summary.rate or 0) if _is_long(seconds) else NOTHING
    return section("run", _("The run"), element("dl", _facts(summary, seconds), class_="facts"), pace, _reading(summary))


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
        asked = _("at most {rate} were allowed", rate=_rate(summary.rate)) if summary.rate else ""
        lines.append((_("Pace"), _("{pace} requests a second", pace=average), asked))
    if summary.throttled:
        lines.append((_("Throttled"), number(summary.throttled), _("answers that asked for fewer requests (429)")))
    return joined(
        element("div", element("dt", name), element("dd", value, element("small", more) if more else NOTHING))
        for name, value, more in lines
    )


def _is_long(attempts: dict[int, int]) -> bool:
    return bool(attempts) and max(attempts) - min(attempts) >= _SHORTEST


def _rate(rate: float) -> str:
    return number(rate, 0 if rate == int(rate) else 2)


def _pace(attempts: dict[int, int], rate: float) -> Markup:
    """Return the plot of the requests over time, with a line at the `rate` that was asked for, if any."""
    begin, end = min(attempts), max(attempts) + 1
    width = next((width for width in _WIDTHS if width * _BARS >= end - begin), -(-(end - begin) // _BARS))
    bars: Counter[int] = Counter()
    for second, many in attempts.items():
        bars[(second - begin) // width] += many
    last, fastest = max(bars) + 1, number(max(bars.values()) / width, 1)
    asked = rate * width
    most = max(*bars.values(), asked * _HEADROOM)  # the height of the plot
    span = {"begin": _clock(begin), "end": _clock(end)}
    caption = _("Up to {pace} requests a second, between {begin} and {end}", pace=fastest, **span)
    titles = {bar: element("title", labelled(_clock(begin + bar * width), number(many))) for bar, many in bars.items()}
    drawn = [element("rect", titles[bar], x=bar + 0.06, y=most - bars[bar], width=0.88, height=bars[bar]) for bar in sorted(bars)]
    if rate:
        drawn.append(element("line", x1=0, x2=last, y1=most - asked, y2=most - asked))
        caption = _("Requests between {begin} and {end}, counted when their row ended; dashed: the pace that was allowed", **span)
    ticks = [element("span", _clock(begin + last * width * part // 4)) for part in range(5)]
    return element(
        "figure",
        element("figcaption", caption),
        element("div", drawing(f"0 0 {last} {most}", caption, *drawn), class_="plot"),
        element("div", *ticks, class_="ticks", aria_hidden="true"),
    )


def _reading(summary: Summary) -> Markup:
    items = [element("li", text) for text in [*summary.findings, *summary.notes]]
    return element("details", element("summary", _("How the file was read")), element("ul", *items)) if items else NOTHING


def _clock(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC).astimezone():%H:%M:%S}"
