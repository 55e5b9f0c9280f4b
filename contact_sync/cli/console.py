"""The printed output: the summary, the errors, the history and the JSON objects for scripts.

Every line is made printable and loses its secrets here (`contact_sync.display`), JSON only the secrets: it has its own escapes.
A terminal, a pipe or a disk that no longer takes the output never stops a run.
"""

import contextlib
import os
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from contact_sync.cli.colour import coloured
from contact_sync.display import printable, redacted
from contact_sync.errors import ATTENTION_CODE, ConfigError, ContactSyncError
from contact_sync.i18n import _, decimal, labelled, ngettext

if TYPE_CHECKING:
    from pathlib import Path

    from contact_sync.model.plan import ProbeSummary, PullSummary, UndoSummary
    from contact_sync.model.report import Event, PastRun, Summary


class Streams(NamedTuple):
    """The streams that the program writes to; None where the caller closed one."""

    stdout: TextIO | None
    stderr: TextIO | None


class Console:
    """Everything that is printed, without secrets and inert; errors of the streams are ignored."""

    def __init__(self, streams: Streams, *, colour: bool = False) -> None:
        self.streams = streams
        self.colour = colour  # of stderr
        self.secrets: list[str] = []
        self.quiet = False
        self.as_json = False
        self.empty_result: dict[str, Any] = {}  # what an error has in JSON; by default the keys of a run

    def clean(self, line: str) -> str:
        """Return a line without secrets and without characters that a terminal or a mail would obey."""
        return printable(redacted(line, self.secrets))

    def print_warning(self, warning: str) -> None:
        """Print a warning on stderr."""
        self.print_message(_("Warning: {warning}", warning=warning))

    def print_message(self, text: str) -> None:
        """Print a message on stderr."""
        text = self._clean_lines(text)
        self._write(self.streams.stderr, "\n".join(map(coloured, text.split("\n"))) if self.colour else text)

    def print_data(self, text: str) -> None:
        """Print data on stdout."""
        self._write(self.streams.stdout, self._clean_lines(text))

    def print_json(self, document: object, **lists: Iterable[object]) -> None:
        """Print an object on stdout as JSON; a long list of it comes from `lists`, an item a line, and is never in memory."""
        text = self._json(document)
        for name, items in lists.items():
            before, empty, text = text.partition(f'"{name}": []')
            self._write(self.streams.stdout, f"{before}{empty[:-1]}")
            comma = ""
            for item in items:
                self._write(self.streams.stdout, f"{comma}{self._json(item)}")
                comma = ","
            text = f"]{text}"
        self._write(self.streams.stdout, text)

    def _json(self, document: object) -> str:
        """Return JSON, which escapes all that a terminal would obey, but for DEL."""
        import json  # noqa: PLC0415 - as below

        from contact_sync.model.fields import readable  # noqa: PLC0415

        text = json.dumps(document, default=readable).replace("\x7f", "\\u007f")
        return redacted(text, self.secrets)

    def print_paths(self, text: str) -> None:
        """Print data on stdout in which paths are exact: bytes that the stream's encoding lacks are not escaped."""
        stream = self.streams.stdout
        binary = getattr(stream, "buffer", None)
        if stream is None or binary is None:
            self.print_data(text)
            return
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
            try:
                encoded = os.fsencode(f"{self._clean_lines(text)}\n")
            except UnicodeEncodeError:  # a sentence, where the file system is ASCII
                encoded = f"{self._clean_lines(text)}\n".encode(errors="surrogateescape")
            binary.write(encoded)
            binary.flush()

    def _clean_lines(self, text: str) -> str:
        return "\n".join(map(self.clean, text.split("\n")))

    def _write(self, stream: TextIO | None, text: str) -> None:
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.write(f"{text}\n")
                stream.flush()

    def print_error(self, error: ContactSyncError, source: "Path | None" = None, place: "Path | None" = None) -> int:
        """Print why there is no report, and return the exit code; `place` is where the source was moved."""
        from pathlib import Path  # noqa: PLC0415

        from contact_sync.cli.summary import output_lines, warning_lines  # noqa: PLC0415 - only what is printed is imported
        from contact_sync.model.report import Summary  # noqa: PLC0415

        summary = error.summary or Summary("", Path(), None)
        summary = summary.moved(place) if place else summary
        lines = [f"contact-sync: {error}", *warning_lines(summary)]
        self.print_message("\n".join([*lines, *output_lines(summary.outputs)]))
        if self.as_json:
            about = {"run": summary.run or None, "source": source}
            empty = self.empty_result or _document(summary) | about
            self.print_json(empty | {"exit_code": error.exit_code, "error": str(error)} | _moved_to(place))
        return error.exit_code

    def print_usage_error(self, text: str, sentence: str, exit_code: int) -> None:
        """Print a text about a wrong command line, of which JSON has only the sentence."""
        self.print_message(text)
        if self.as_json:
            self.print_json({"exit_code": exit_code, "error": sentence})

    def print_summary(self, summary: "Summary", next_command: str = "", place: "Path | None" = None) -> int:
        """Print the summary of a run and, if there is one, the command to run next; return the exit code.

        `place` is where the source, or only its reports, were moved.
        """
        from contact_sync.cli.summary import long_summary, short_summary  # noqa: PLC0415 - as above

        summary = summary.moved(place) if place else summary
        if not self.quiet:
            self.print_message(long_summary(summary))
        elif summary.exit_code or summary.warnings:
            self.print_message(short_summary(summary))
        if next_command and not (self.quiet and not summary.exit_code):
            self.print_message(_("Next: {command}", command=next_command))
        if self.as_json:
            error = {"error": " ".join(summary.reasons)} if summary.reasons else {}
            self.print_json(_document(summary) | error | _moved_to(place))
        return summary.exit_code

    def print_pull(self, pulled: "PullSummary", *, sandbox: bool) -> None:
        """Print the summary of a pull."""
        about = {"path": pulled.output, "groups": pulled.groups}
        lines = [
            ngettext(
                "{path}: {count} contact (groups: {groups}).",
                "{path}: {count} contacts (groups: {groups}).",
                pulled.contacts,
                **about,
            )
        ]
        if pulled.missing:
            lines.append(
                ngettext(
                    "The list moved while it was read: at least {count} contact may be missing. Pull again.",
                    "The list moved while it was read: at least {count} contacts may be missing. Pull again.",
                    pulled.missing,
                )
            )
        if sandbox:
            lines.append(_("This is a rehearsal: the contacts are made up."))
        if pulled.missing or not self.quiet:
            self.print_message("\n".join(lines))
        if self.as_json:
            rehearsal = {"sandbox": True} if sandbox else {}
            self.print_json(pulled._asdict() | rehearsal)

    def print_undo(self, summary: "UndoSummary") -> None:
        """Print the summary of an undo."""
        run = f"{summary.run} ({_local(summary.started)})" if summary.started else summary.run
        about = {"path": summary.output, "run": run}
        sentence = ngettext(
            "{path}: the values of {count} contact before the run {run}. Run this file to put them back.",
            "{path}: the values of {count} contacts before the run {run}. Run this file to put them back.",
            summary.contacts,
            **about,
        )
        again = _("The file of that run does not send these edits again, unless with --resend.")
        others = ", ".join(summary.others[:3])
        more = _("Earlier runs can be taken back, too (contact-sync undo RUN): {runs}.", runs=others) if others else ""
        self.print_message("\n".join(filter(None, (sentence, again, more))))
        if self.as_json:
            self.print_json(summary._asdict() | {"exit_code": 0})

    def print_probe(self, summary: "ProbeSummary") -> None:
        """Print what a probe has found out, one answer a line."""
        from contact_sync.i18n.catalogue import ANSWERS  # noqa: PLC0415 - as above

        lines = []
        for question, answer in summary.answers.items():
            kind, _space, field = question.partition(" ")
            lines.append(_(ANSWERS[kind, answer], field=field) if (kind, answer) in ANSWERS else labelled(question, answer))
        if not lines:
            lines.append(_("Nothing could be found out: take a contact in which every field has a value."))
        if summary.different:
            sentence = _(
                "Not put back: {fields}. Look at the contact in SMS Partner, or write its values with contact-sync undo {run} -o "
                "FILE and run that file with --conflicts mine.",
                fields=", ".join(summary.different),
                run=summary.run,
            )
            lines.append(sentence)
        self.print_message("\n".join(lines))
        if self.as_json:
            self.print_json(summary._asdict() | {"exit_code": ATTENTION_CODE if summary.different else 0})

    def print_runs(self, runs: "Sequence[PastRun]", in_progress: Collection[str]) -> None:
        """Print earlier runs; those `in_progress`, by their ids, still go on, any other unfinished one was interrupted."""
        unfinished = [_("in progress") if run.id in in_progress else _("interrupted") for run in runs]
        self._print_history(runs, list(map(_run_cells, runs, unfinished)))

    def print_events(self, events: "Sequence[Event]") -> None:
        """Print one contact's history."""
        self._print_history(events, list(map(_event_cells, events)))

    def _print_history(self, found: "Sequence[PastRun | Event]", rows: list[list[str]]) -> None:
        """Print a table of `rows`, or with `as_json` a list of objects."""
        if self.as_json:
            self.print_json([each._asdict() for each in found])
        elif not found:
            self.print_message(_("No history for this contact."))
        else:
            rows = [list(map(printable, row)) for row in rows]  # a line break in a cell would make another row of it
            widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
            for row in rows:
                self.print_data("  ".join(map(str.ljust, row, widths)).rstrip())

    def print_findings(self, findings: Sequence[tuple[str, bool, str, bool]]) -> int:
        """Print the findings of `doctor`, each ok, a note or something to do, and return the exit code."""
        if self.as_json:
            self.print_json([{"check": check, "ok": ok, "finding": sentence} for check, ok, sentence, _note in findings])
        else:
            labels = _("ok"), _("note"), _("TO DO")
            width = max(map(len, labels)) + 3
            for _check, ok, sentence, is_note in findings:
                self.print_data(f"{labels[is_note if ok else 2]:<{width}}{sentence}")
        return 0 if all(ok for _check, ok, *_rest in findings) else ConfigError.exit_code


def _document(summary: "Summary") -> dict[str, Any]:
    """Return the JSON object of a run."""
    names = ("run", "source", "rows", "outcomes", "requests", "retries", "seconds", "report", "exit_code")
    from contact_sync.names import Purpose  # noqa: PLC0415 - as above
    from contact_sync.report.formats import FORMATS  # noqa: PLC0415

    others = {name: summary.outputs.get(name) for name in FORMATS if name != "report"}
    rehearsal = {"sandbox": True} if summary.purpose is Purpose.REHEARSAL else {}
    return {name: getattr(summary, name) for name in names} | others | {"codes": summary.codes} | rehearsal


def _moved_to(place: "Path | None") -> "dict[str, Path]":
    return {"moved_to": place} if place and os.path.lexists(place) else {}


def log_bug(bug: Exception, module: str) -> None:
    """Log a bug that is handled in `module`."""
    import logging  # noqa: PLC0415 - `--version` and a help log nothing

    logging.getLogger(module).info("a bug", exc_info=bug)


def bug_error(bug: Exception) -> ContactSyncError:
    """Return the error that reports a bug to the operator, without its text, which may quote a cell."""
    name = type(bug).__name__
    return ContactSyncError("A bug in contact-sync: {bug}. Run again with -v, and report what it prints.", bug=name)


def _run_cells(run: "PastRun", unfinished: str) -> list[str]:
    start = [run.id, _local(run.started), *filter(None, [run.account]), run.source]
    if run.finished is None:
        return [*start, "", unfinished, "", "", ""]
    outcomes = ", ".join(f"{count} {_named(outcome)}" for outcome, count in run.outcomes.items())
    pace = f"{decimal(run.requests / run.seconds)}/s" if run.requests and run.seconds else ""
    code = "" if run.exit_code is None else _("exit {code}", code=run.exit_code)
    return [*start, code, outcomes, f"{run.seconds:.0f} s", pace, run.reason]


def _event_cells(event: "Event") -> list[str]:
    moment, row = _local(event.at or event.started), _("row {number}", number=event.number)
    return [moment, _named(event.outcome), event.code, event.sent or event.fields, event.source, row, event.run]


def _named(outcome: str) -> str:
    """Return an outcome as operators read it; one that another version has noted stays."""
    from contact_sync.model.row import Outcome  # noqa: PLC0415 - as above

    return Outcome(outcome).named if outcome in {*Outcome} else outcome


def _local(stamp: str) -> str:
    from datetime import datetime  # noqa: PLC0415 - as above

    return f"{datetime.fromisoformat(stamp).astimezone():%Y-%m-%d %H:%M}"
