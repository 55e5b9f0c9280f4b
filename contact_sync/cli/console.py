"""What people see: the summary, the errors, the progress bars, and the JSON object for scripts.

Nothing here may stop a run because a terminal, a pipe or a disk that takes the output is gone.
"""

import contextlib
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TextIO

from contact_sync.errors import ConfigError, ContactSyncError
from contact_sync.i18n import _, language, ngettext
from contact_sync.i18n.catalogue import QUOTING
from contact_sync.model import Cause, Event, PastRun, Result, Summary, readable

_SHOWN_CAUSES = 10
_BRIEF = 10  # lines


class Console:
    """Everything that is printed; secrets are taken out of every text, and a reader who has gone away does not matter."""

    def __init__(self) -> None:
        self.secrets: list[str] = []
        self.quiet = False
        self.as_json = False

    def clean(self, text: str) -> str:
        """Return `text` without what is secret."""
        for secret in filter(None, self.secrets):
            text = text.replace(secret, "***")
        return text

    def warn(self, warning: str) -> None:
        """Tell people of what they should look at."""
        self.say(_("Warning: {warning}", warning=warning))

    def say(self, text: str) -> None:
        """Tell people, on stderr."""
        self._write(sys.stderr, text)

    def print(self, data: str) -> None:
        """Give data, on stdout."""
        self._write(sys.stdout, data)

    def _write(self, stream: TextIO | None, text: str) -> None:
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.write(f"{self.clean(text)}\n")
                stream.flush()

    def refuse(self, error: ContactSyncError, source: Path | None = None) -> int:
        """Tell why there is no report, and return the exit code."""
        self.say(f"contact-sync: {error}")
        if self.as_json:
            document: dict[str, Any] = {"run": None, "source": source, "rows": 0, "outcomes": {}, "requests": 0, "retries": 0}
            document |= {"seconds": 0.0, "report": None, "exit_code": error.exit_code, "error": self.clean(str(error))}
            self.print(json.dumps(document, default=readable))
        return error.exit_code

    def conclude(self, summary: Summary, after: str = "") -> int:
        """Tell what came of a run, and, if there is one, the command to type next; return the exit code."""
        if not self.quiet:
            self.say(_at_length(summary))
        elif summary.exit_code or summary.warnings:
            self.say(_briefly(summary))
        if after and not (self.quiet and not summary.exit_code):
            self.say(_("Next: {command}", command=after))
        if self.as_json:
            names = ("run", "source", "rows", "outcomes", "requests", "retries", "seconds", "report", "exit_code")
            document = {name: getattr(summary, name) for name in names}
            if summary.reasons:
                document["error"] = self.clean(" ".join(summary.reasons))
            self.print(json.dumps(document, default=readable))
        return summary.exit_code

    def tell_history(self, found: Sequence[PastRun] | Sequence[Event], *, under_way: bool = False) -> None:
        """Give how runs went, or what became of a contact: a table, or with `as_json` a list of objects.

        `under_way` tells that a run is, which is the first where that has not finished.
        """
        if self.as_json:
            self.print(json.dumps([each._asdict() for each in found]))
        elif not found:
            self.say(_("No history for this contact."))
        else:
            rows = [
                _run_cells(each, under_way=under_way and each is found[0]) if isinstance(each, PastRun) else _event_cells(each)
                for each in found
            ]
            widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
            for row in rows:
                self.print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def diagnose(self, findings: Sequence[tuple[bool, str]]) -> int:
        """Give what the doctor found, and return the exit code."""
        if self.as_json:
            self.print(json.dumps([{"ok": well, "finding": self.clean(sentence)} for well, sentence in findings]))
        else:
            fine, to_do = _("ok"), _("TO DO")
            for well, sentence in findings:
                self.print(f"{fine if well else to_do:<8}{sentence}")
        return 0 if all(well for well, _sentence in findings) else ConfigError.exit_code


def _run_cells(run: PastRun, *, under_way: bool) -> list[str]:
    if run.finished is None:
        return [run.id, _local(run.started), run.source, "", _("in progress") if under_way else _("interrupted"), "", ""]
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in run.outcomes.items())
    pace = f"{run.requests / run.seconds:.1f}/s" if run.requests and run.seconds else ""
    code = "" if run.exit_code is None else _("exit {code}", code=run.exit_code)
    return [run.id, _local(run.started), run.source, code, outcomes, f"{run.seconds:.0f} s", pace]


def _event_cells(event: Event) -> list[str]:
    row = _("row {number}", number=event.number)
    return [
        _local(event.at or event.started),
        event.outcome,
        event.code,
        event.sent or event.fields,
        event.source,
        row,
        event.run,
    ]


def _local(stamp: str) -> str:
    """A moment as the clock on the wall showed it."""
    return f"{datetime.fromisoformat(stamp).astimezone():%Y-%m-%d %H:%M}"


class Bars:
    """Progress on a terminal: rows loaded, then rows sent, with rate and time left."""

    def __init__(self, *, shown: bool) -> None:
        self._disable = None if shown and sys.stderr else True  # None: only where stderr is a terminal
        self._bar: Any = None

    def __enter__(self) -> Self:
        self._bar = self._open(_("loading"), None)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def _open(self, what: str, rows: int | None) -> Any:
        from tqdm import tqdm  # noqa: PLC0415 - not for --help

        return tqdm(desc=what, total=rows, unit=f" {_('rows')}", disable=self._disable, file=sys.stderr, leave=False)

    def loaded(self, rows: int) -> None:
        """Count rows that were loaded and validated."""
        self._bar.update(rows)

    def sending(self, rows: int) -> None:
        """Begin to count rows that are sent."""
        self._bar.close()
        self._bar = self._open(_("sending"), rows)

    def sent(self, _: Result) -> None:
        """Count a row that was sent."""
        self._bar.update()


def _cause(cause: Cause, letters: dict[str, str], *, example: bool) -> str:
    """One line about all rows that share a cause; with `example` in the words for the first of them."""
    sentence = (example and cause.code not in QUOTING and cause.message) or cause.in_general
    if cause.field in letters:
        sentence = _("{field}, column {letter}: {sentence}", field=cause.field, letter=letters[cause.field], sentence=sentence)
    if cause.rows > 1:
        return _("{rows} rows (first: row {first}): {sentence}", rows=cause.rows, first=cause.first, sentence=sentence)
    return _("row {number}: {sentence}", number=cause.first, sentence=sentence)


def _at_length(summary: Summary) -> str:
    lines = [
        ngettext("{source}: {count} row.", "{source}: {count} rows.", summary.rows, source=summary.source),
        *summary.findings,
    ]
    lines += _warned(summary)
    lines += summary.notes
    lines += ["", *(f"{count:>8} {outcome}" for outcome, count in summary.outcomes.items()), ""]
    causes = summary.causes_of_rows
    lines += [_cause(cause, summary.letters, example=True) for cause in causes[:_SHOWN_CAUSES]]
    if len(causes) > _SHOWN_CAUSES:
        lines.append(
            ngettext(
                "and {count} more cause, in the report.", "and {count} more causes, in the report.", len(causes) - _SHOWN_CAUSES
            )
        )
    lines += [_("Stopped: {reason}", reason=reason) for reason in summary.reasons]
    if summary.requests and summary.seconds:  # which nobody knows of a run that was killed
        lines.append(
            ngettext(
                "{count} request in {seconds} s (retries: {retries}).",
                "{count} requests in {seconds} s (retries: {retries}).",
                summary.requests,
                retries=summary.retries,
                seconds=_decimal(summary.seconds),
            )
        )
    if summary.report:
        lines.append(_("Report: {path}", path=summary.report))
    if summary.workbook:
        lines.append(_("Workbook: {path}", path=summary.workbook))
    if summary.page:
        lines.append(_("Page: {path}", path=summary.page))
    return "\n".join(lines)


def _decimal(number: float) -> str:
    return str(number).replace(".", ",") if language() == "fr" else str(number)


def _warned(summary: Summary) -> list[str]:
    return [_("Warning: {warning}", warning=warning) for warning in summary.warnings]


def _briefly(summary: Summary) -> str:
    """What somebody has to know who gets it as a mail: no names, no numbers."""
    counts = ", ".join(f"{count} {outcome}" for outcome, count in summary.outcomes.items())
    lines = [f"contact-sync: {summary.source}: {counts}.", *summary.reasons, *_warned(summary)]
    lines += [_cause(cause, summary.letters, example=False) for cause in summary.causes_of_rows[:3]]
    end = _("(exit code {code})", code=summary.exit_code)
    report = [_("Report: {path}", path=summary.report)] if summary.report else []
    lines = [*lines[: _BRIEF - 1], " ".join([*report, end])]
    return "\n".join(lines)
