"""The summary of a run as text: in full for a terminal, in ten lines for a mail from cron."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from contact_sync.i18n import _, decimal, labelled, ngettext
from contact_sync.i18n.catalogue import QUOTING
from contact_sync.model.report import Cause, Summary
from contact_sync.model.row import Outcome
from contact_sync.report.formats import FORMATS

_SHOWN_CAUSES = 10
_SHORT = 10  # lines
_FEWEST_CAUSES = 3  # lines that are kept for causes, however many warnings there are


def cause_line(cause: Cause, *, example: bool) -> str:
    """Return one line about all rows that share a cause; with `example`, the sentence of the first of them if they differ."""
    is_safe = cause.code not in QUOTING and (example or cause.is_shared)
    sentence = cause.example if is_safe else cause.in_general
    place = _("row {row}", row=cause.first)
    if cause.rows > 1:
        place = _("{rows} rows (first: row {first})", rows=cause.rows, first=cause.first)
    if cause.fresh:
        place = _("{rows}, new", rows=place) if cause.rows == 1 else _new(place, cause.fresh)
    if cause.column and cause.column.place not in (sentence := cause.column.left_off(sentence)):
        place = f"{place}, {cause.column.place}"
    return labelled(place, sentence)


def _new(place: str, count: int) -> str:
    return ngettext("{rows}, {count} of them new", "{rows}, {count} of them new", count, rows=place)


def _unexplained(summary: Summary) -> list[Cause]:
    """Return the causes that no reason of the stop explains, as that of hidden rows, which has their numbers, does."""
    return [cause for cause in summary.causes_of_rows if not (cause.code == "row-hidden" and summary.reasons)]


def _causes(summary: Summary, most: int, *, example: bool) -> list[str]:
    """Return a line for each cause, or for the most frequent ones and one for the others."""
    causes = _unexplained(summary)
    lines = [cause_line(cause, example=example) for cause in causes[:most]]
    if (more := len(causes) - most) > 0:
        lines.append(ngettext("and {count} more cause, in the report.", "and {count} more causes, in the report.", more))
    return lines


def output_lines(outputs: Mapping[str, Path]) -> list[str]:
    """Return a line for the report of each format, by its name."""
    return [FORMATS[name].line(path) for name, path in outputs.items()]


def long_summary(summary: Summary) -> str:
    """Return the summary for an operator at a terminal."""
    if summary.is_idle:
        began = datetime.strptime(summary.run.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        about = {"source": summary.source, "started": f"{began.astimezone():%Y-%m-%d %H:%M}"}
        return _("Nothing to send again: the last run ({source}, {started}) left no row to send.", **about)
    heading = ngettext("{source}: {count} row.", "{source}: {count} rows.", summary.rows, source=summary.source)
    lines = [heading, *filter(None, [summary.banner]), *summary.findings, *warning_lines(summary), *summary.notes]
    lines += ["", *(f"{count:>8} {Outcome(outcome).named}" for outcome, count in summary.outcomes.items()), ""]
    lines += [*filter(None, [summary.news]), *_causes(summary, _SHOWN_CAUSES, example=True)]
    lines += [_("Stopped: {reason}", reason=reason) for reason in summary.reasons]
    if summary.requests and summary.seconds:  # unknown of a run that was killed
        lines.append(
            ngettext(
                "{count} request in {seconds} s (retries: {retries}).",
                "{count} requests in {seconds} s (retries: {retries}).",
                summary.requests,
                retries=summary.retries,
                seconds=decimal(summary.seconds),
            )
        )
    reports = {"report": summary.report, **summary.outputs}
    lines += output_lines({name: path for name, path in reports.items() if path})
    return "\n".join(lines)


def warning_lines(summary: Summary) -> list[str]:
    """Return a line for each warning."""
    return [_("Warning: {warning}", warning=warning) for warning in summary.warnings]


def short_summary(summary: Summary) -> str:
    """Return a summary for a mail from cron: ten lines, without names and numbers of contacts."""
    counts = ", ".join(f"{count} {Outcome(outcome).named}" for outcome, count in summary.outcomes.items())
    lines = [f"contact-sync: {labelled(summary.source, counts)}."]
    lines += [*filter(None, [summary.banner]), *summary.reasons, *warning_lines(summary)]
    # What an operator corrects is the workbook, where there is one.
    first = {"workbook": summary.outputs["workbook"]} if "workbook" in summary.outputs else {"report": summary.report}
    reports = first | {name: path for name, path in summary.outputs.items() if name == "page"}
    end = [FORMATS[name].line(path) for name, path in reports.items() if path] or [""]
    end[-1] = " ".join(filter(None, [end[-1], _("(exit code {code})", code=summary.exit_code)]))
    lines = lines[: _SHORT - len(end) - min(len(_unexplained(summary)), _FEWEST_CAUSES) - bool(summary.news)]
    lines += filter(None, [summary.news])
    room = _SHORT - len(end) - len(lines)
    is_too_many = len(_unexplained(summary)) > room
    lines += _causes(summary, room - is_too_many, example=False)
    return "\n".join([*lines, *end])
