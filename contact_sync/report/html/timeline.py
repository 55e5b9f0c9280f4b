"""Facts of a run (file, id, duration) and its requests over time."""

from collections import Counter
from datetime import UTC, datetime

from contact_sync.i18n import _, ngettext
from contact_sync.model import Summary, readable
from contact_sync.report.html.markup import NOTHING, Markup, element, joined, number, section

_BARS = 60
"""Bars of the plot at most."""
_WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Seconds that a bar may cover."""


def facts(summary: Summary, attempts: Counter[str]) -> Markup:
    """Return the file, the run and its numbers; `attempts` counts the requests of each second."""
    folder = str(summary.source.parent) if summary.source.is_absolute() else ""
    lines = [
        (_("File"), readable(summary.source.name), readable(folder)),
        (_("Run"), summary.run, ""),
    ]
    if summary.requests:
        again = ngettext("including {count} retry", "including {count} retries", summary.retries, count=number(summary.retries))
        lines.append((_("Requests"), number(summary.requests), again))
    if summary.seconds:
        lines.append((_("Duration"), _duration(summary.seconds), ""))
    if attempts:
        begin, end = _span(attempts)
        average = number(attempts.total() / (end - begin), 1)
        lines.append((_("Pace"), _("{pace} requests a second", pace=average), ""))
    return joined(
        element("div", element("dt", name), element("dd", value, element("small", more) if more else NOTHING))
        for name, value, more in lines
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return _("{hours} h {minutes} min", hours=number(hours), minutes=minutes)
    if minutes:
        return _("{minutes} min {seconds} s", minutes=minutes, seconds=rest)
    return _("{seconds} s", seconds=number(seconds, 1))


def pace(attempts: Counter[str]) -> Markup:
    """Return a plot of the requests over time; `attempts` counts those of each second."""
    if not attempts:
        return NOTHING
    begin, end = _span(attempts)
    width = next((width for width in _WIDTHS if width * _BARS >= end - begin), -(-(end - begin) // _BARS))
    bars: Counter[int] = Counter()
    for at, many in attempts.items():
        bars[(_second(at) - begin) // width] += many
    most, last = max(bars.values()), max(bars) + 1
    caption = _(
        "Up to {pace} requests a second, between {begin} and {end}",
        pace=number(most / width, 1),
        begin=_clock(begin),
        end=_clock(end),
    )
    drawn = [
        element(
            "rect",
            element("title", f"{_clock(begin + bar * width)}: {number(many)}"),
            x=bar + 0.06,
            y=most - many,
            width=0.88,
            height=many,
        )
        for bar, many in sorted(bars.items())
    ]
    shape = {"viewBox": f"0 0 {last} {most}", "preserveAspectRatio": "none"}
    ticks = [element("span", _clock(begin + last * width * part // 4)) for part in range(5)]
    figure = element(
        "figure",
        element("figcaption", caption),
        element("div", element("svg", *drawn, role="img", aria_label=caption, **shape), class_="plot"),
        element("div", *ticks, class_="ticks", aria_hidden="true"),
    )
    return section("pace", _("Requests over time"), figure)


def _span(attempts: Counter[str]) -> tuple[int, int]:
    """Return the second of the first attempt, and the one after the last."""
    seconds = [_second(at) for at in attempts]
    return min(seconds), max(seconds) + 1


def _second(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp())


def _clock(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC).astimezone():%H:%M:%S}"
