"""The execution of a run: around it the log, the ping and the progress bars, after it the summary and the exit code.

A folder as the source of `run` is a run of each file that has arrived in it, with its own reports.
"""

import contextlib
import logging
import os
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TextIO

from click.core import ParameterSource
from tqdm import tqdm

from contact_sync.cli import build_settings
from contact_sync.cli.build_settings import Options
from contact_sync.cli.console import Console, bug_error
from contact_sync.cli.heartbeat import Ping
from contact_sync.cli.logging import configure_log
from contact_sync.cli.program import Context
from contact_sync.errors import RANK, BusyError, ConfigError, ContactSyncError, MissingError, SourceError
from contact_sync.i18n import _
from contact_sync.ledger.state_dir import open_ledger
from contact_sync.model import Result, Summary, Watcher
from contact_sync.report.formats import FORMATS
from contact_sync.settings import NOWHERE, Settings
from contact_sync.sync import inbox
from contact_sync.sync import run as sync
from contact_sync.sync.inbox import FileResult

log = logging.getLogger(__name__)

Flow = Callable[[Settings, Watcher], Summary]  # a function of `sync.run`

Build = Callable[[Context, Options], Settings]
"""A function of `build_settings`; called late, so that its error reaches the log and the ping too."""


def run(ctx: Context) -> int:
    """Push a file, or each file that has arrived in a folder, and return the exit code."""
    source: Path = ctx.params["source"]
    push = _run_folder if os.path.isdir(source) else _run_file  # noqa: PTH112 - which does not raise
    return _supervise(ctx, partial(push, ctx, ctx.params), source=source, ping_url=ctx.params["ping"])


def check(ctx: Context) -> int:
    """Check a file, and return the exit code."""
    body = partial(_execute, ctx, sync.run, build_settings.for_check, ctx.params)
    return _supervise(ctx, body, source=ctx.params["source"], ping_url=ctx.params["ping"])


def retry(ctx: Context) -> int:
    """Send what the last run left, and return the exit code."""
    body = partial(_execute, ctx, sync.retry, build_settings.for_retry, ctx.params, offer_retry=True)
    return _supervise(ctx, body, ping_url=ctx.params["ping"])


def rewrite(ctx: Context) -> int:
    """Write the last run's report again, and return the exit code."""
    return _supervise(ctx, partial(_execute, ctx, sync.rewrite, build_settings.for_account, ctx.params))


def _supervise(ctx: Context, body: Callable[[], FileResult], *, source: Path | None = None, ping_url: str | None = None) -> int:
    """Call `body` with the log and the ping around it, print the error that it raises, and return the exit code."""
    console, options = ctx.obj.console, ctx.params
    console.quiet, console.as_json = options["quiet"], options["as_json"]
    try:
        _check_log_file(options, source)
        ping = Ping(ping_url)
        console.secrets.append(ping_url or "")
        configure_log(console, verbose=options["verbose"], path=options["log_file"], as_json=options["log_format"] == "json")
    except ContactSyncError as error:
        return console.print_error(error, source)
    ping.send("start")
    code, sentence = ContactSyncError.exit_code, ""
    try:
        code, sentence, *_rest = body()
    except ContactSyncError as error:
        code, sentence, *_rest = _failure(console, error, source)
    except KeyboardInterrupt:
        code = 130
        raise
    finally:
        ping.send(str(code), sentence)
        if ping.failure and not console.quiet:
            console.print_warning(_("The ping could not be sent ({reason}): check --ping.", reason=ping.failure))
    return code


def _check_log_file(options: Options, source: Path | None) -> None:
    """Raise ConfigError where the log would be written into the source or a report."""
    log_file = options["log_file"]
    report = options["report"] or (source and build_settings.report_beside(source))
    for other in filter(None, (source, report, *(options[name] for name in FORMATS))):
        if log_file and os.path.realpath(log_file) == os.path.realpath(other):
            raise ConfigError("The log would overwrite {path}: correct --log-file.", path=other)


def _failure(console: Console, error: ContactSyncError, source: Path | None) -> FileResult:
    """Print an error, and return it as the result."""
    return FileResult(console.print_error(error, source), console.clean(str(error)), is_open=False)


def _execute(ctx: Context, flow: Flow, build: Build, options: Options, *, offer_retry: bool = False) -> FileResult:
    """Run a flow, and print its summary; raises ContactSyncError when there is no report."""
    console, settings = ctx.obj.console, build(ctx, options)
    with ProgressBars(console.streams.stderr, shown=not console.quiet) as bars:
        summary = flow(settings, bars)
    # What a guard or a refusal stopped would be stopped again.
    is_useful = offer_retry and summary.is_open and summary.exit_code != SourceError.exit_code
    code = console.print_summary(summary, _retry_command(ctx) if is_useful else "")
    return FileResult(code, "", summary.is_open, summary.identity)


def _retry_command(ctx: Context) -> str:
    """Return the command that retries, with the options of this one that say which account it is."""
    names = ("api_key_file", "base_url", "account", "state_dir", "config")
    given = [name for name in names if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    options = [part for name in given for part in (f"--{name.replace('_', '-')}", str(ctx.params[name]))]
    return shlex.join(["contact-sync", "retry", *options])


def _run_file(ctx: Context, options: Options) -> FileResult:
    return _execute(ctx, sync.run, build_settings.for_run, options, offer_retry=not (options["sandbox"] or options["dry_run"]))


def _run_folder(ctx: Context, options: Options) -> FileResult:
    """Run each file of a folder; return the worst exit code, and the error that ended the loop."""
    console, folder = ctx.obj.console, options["source"]

    def run_one(path: Path) -> FileResult:
        try:
            return _run_file(ctx, {**options, "source": path, "report": inbox.report_of(path)})
        except MissingError:
            raise
        except ContactSyncError as error:
            return _failure(console, error, path)
        except Exception as bug:  # which must not keep the others from being run
            log.exception("with %s", path.name)
            return FileResult(console.print_error(bug_error(bug), path), "", is_open=True)

    codes: list[int] = []
    try:
        if any(options[name] not in {None, NOWHERE} for name in FORMATS):
            raise ConfigError(
                "{path} is a folder, so each file has its own reports: leave out --report, --workbook and --page.", path=folder
            )
        rehearsal = options["sandbox"] or options["dry_run"]
        moved = partial(_record_move, ctx, options)
        codes.extend(inbox.run_each(folder, run_one, moved, expected=options["expect_by"], rehearsal=rehearsal))
        if not codes and not console.quiet:
            console.print_message(_("No file has arrived in {path}.", path=folder))
    except ContactSyncError as error:
        result = _failure(console, error, folder)
        return result._replace(code=min([*codes, result.code], key=RANK.index))
    return FileResult(min(filter(None, codes), key=RANK.index, default=0), "", is_open=False)


def _record_move(ctx: Context, options: Options, path: Path, place: Path, code: int) -> None:
    """Record in the ledger, and report, that a file or only its reports were moved to `place`."""
    console = ctx.obj.console
    # Another run may already be at the next file: then its rows have replaced these, and the path is not needed any more.
    with contextlib.suppress(BusyError), open_ledger(build_settings.for_run(ctx, options).account) as ledger:
        ledger.note_move(path, place)
    if not os.path.lexists(place):
        message = _(
            "{path} changed during the run: it stays in the inbox for the next run; the report of "
            "the version that was read is in {folder}.",
            path=path,
            folder=place.parent,
        )
        console.print_message(message)
    elif code or not console.quiet:
        console.print_message(_("{path} was moved to {place}.", path=path, place=place))


class ProgressBars(contextlib.AbstractContextManager["ProgressBars"]):
    """A watcher of a run that draws the rows loaded, then those sent, if `stream` is a terminal and progress is to be `shown`."""

    def __init__(self, stream: TextIO | None, *, shown: bool) -> None:
        disable = None if shown and stream else True  # None: unless the stream is a terminal
        self._open = partial(tqdm, unit=f" {_('rows')}", disable=disable, file=stream, leave=False)
        self._bar: tqdm[int] = self._open(desc=_("loading"))

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def loaded(self, rows: int) -> None:
        """Count rows that were loaded and validated."""
        self._bar.update(rows)

    def sending(self, rows: int) -> None:
        """Begin to count rows that are sent."""
        self._bar.close()
        self._bar = self._open(desc=_("sending"), total=rows)

    def sent(self, _: Result) -> None:
        """Count a row that was sent."""
        self._bar.update()
