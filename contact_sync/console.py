"""What people see: the summary, the errors, the progress bars, and the JSON object for scripts.

Nothing here may stop a run because a terminal, a pipe or a disk that takes the output is gone.
"""

import contextlib
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any, Self, TextIO

from contact_sync.catalogue import CATALOGUE
from contact_sync.errors import ContactSyncError
from contact_sync.model import Cause, Result, Summary

_SHOWN_CAUSES = 10

log = logging.getLogger(__name__)


class Console:
    """Everything that is printed; the secret is taken out of every text, and a reader who has gone away does not matter."""

    def __init__(self) -> None:
        self.secret = ""
        self.quiet = False
        self.as_json = False

    def clean(self, text: str) -> str:
        """Return `text` without the API key."""
        return text.replace(self.secret, "***") if self.secret else text

    def say(self, text: str) -> None:
        """Tell people, on stderr."""
        self._write(sys.stderr, text)

    def _write(self, stream: TextIO | None, text: str) -> None:
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.write(f"{self.clean(text)}\n")
                stream.flush()

    def refuse(self, error: ContactSyncError, source: Path | None = None) -> int:
        """Tell why there is no report, and return the exit code."""
        self.say(f"contact-sync: {error}")
        if self.as_json:
            told: dict[str, Any] = {"run": None, "source": source, "rows": 0, "outcomes": {}, "requests": 0, "retries": 0}
            told |= {"seconds": 0.0, "report": None, "exit_code": error.exit_code, "error": self.clean(str(error))}
            self._write(sys.stdout, json.dumps(told, default=_readable))
        return error.exit_code

    def conclude(self, summary: Summary) -> int:
        """Tell what came of a run, and return the exit code."""
        if not self.quiet:
            self.say(_told_at_length(summary))
        elif summary.exit_code or summary.warnings:
            self.say(_told_briefly(summary))
        if self.as_json:
            names = ("run", "source", "rows", "outcomes", "requests", "retries", "seconds", "report", "exit_code")
            self._write(sys.stdout, json.dumps({name: getattr(summary, name) for name in names}, default=_readable))
        return summary.exit_code


def _readable(path: Any) -> str:
    """The name of a file as text that is valid anywhere, whatever bytes it is made of."""
    return os.fsencode(path).decode(errors="replace")


class Bars:
    """Progress on a terminal: rows loaded, then rows sent, with rate and time left."""

    def __init__(self, *, shown: bool) -> None:
        self._disable = None if shown and sys.stderr else True  # None: only where stderr is a terminal
        self._bar: Any = None

    def __enter__(self) -> Self:
        self._bar = self._open("loading", None)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def _open(self, what: str, rows: int | None) -> Any:
        from tqdm import tqdm  # noqa: PLC0415 - not for --help

        return tqdm(desc=what, total=rows, unit=" rows", disable=self._disable, file=sys.stderr, leave=False)

    def loaded(self, rows: int) -> None:
        """Count rows that were loaded and validated."""
        self._bar.update(rows)

    def sending(self, rows: int) -> None:
        """Begin to count rows that are sent."""
        self._bar.close()
        self._bar = self._open("sending", rows)

    def sent(self, result: Result) -> None:
        """Count a row that was sent."""
        log.info("row %d, contact %s: %s", result.row.number, result.row.contact_id, result.outcome)
        self._bar.update()


class _Blanks(dict[str, str]):
    """Stands in for what differs from row to row in a sentence about many."""

    def __missing__(self, _: str) -> str:
        return "…"


def _cause(cause: Cause, columns: dict[str, str], *, example: bool) -> str:
    """One line about all rows that share a cause; with `example` in the words for the first of them."""
    where = f"{cause.field}, column {columns[cause.field]}: " if cause.field in columns else ""
    rows = f"{cause.rows} rows, the first is row {cause.first}" if cause.rows > 1 else f"row {cause.first}"
    general = CATALOGUE[cause.code].format_map(_Blanks(field=cause.field))
    return f"{rows}: {where}{cause.message if example and cause.message else general}"


def _causes(summary: Summary) -> list[Cause]:
    """The causes but for the stop of the run, of which the summary has a line of its own."""
    return [cause for cause in summary.causes if cause.code != "stopped"]


def _told_at_length(summary: Summary) -> str:
    lines = [f"{summary.source}: {summary.rows} rows.", *summary.findings]
    lines += _warned(summary)
    lines += summary.notes
    lines += ["", *(f"{count:>8} {outcome}" for outcome, count in summary.outcomes.items()), ""]
    causes = _causes(summary)
    lines += [_cause(cause, summary.columns, example=True) for cause in causes[:_SHOWN_CAUSES]]
    if len(causes) > _SHOWN_CAUSES:
        lines.append(f"and {len(causes) - _SHOWN_CAUSES} more causes, in the report.")
    lines += [f"Stopped: {reason}" for reason in summary.reasons]
    if summary.requests:
        lines.append(f"{summary.requests} requests, {summary.retries} of them retries, in {summary.seconds} seconds.")
    if summary.report:
        lines.append(f"Report: {summary.report}")
    return "\n".join(lines)


def _warned(summary: Summary) -> list[str]:
    return [f"Warning: {warning}" for warning in summary.warnings]


def _told_briefly(summary: Summary) -> str:
    """What somebody has to know who gets it as a mail: no names, no numbers."""
    counts = ", ".join(f"{count} {outcome}" for outcome, count in summary.outcomes.items())
    lines = [f"contact-sync: {summary.source}: {counts}.", *summary.reasons, *_warned(summary)]
    lines += [_cause(cause, summary.columns, example=False) for cause in _causes(summary)[:3]]
    report = f"Report: {summary.report} " if summary.report else ""
    return "\n".join([*lines, f"{report}(exit code {summary.exit_code})"])
