"""The execution of a run: around it the log, the ping and the progress bars, after it the summary and the exit code."""

import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from contact_sync.cli.build_settings import report_beside
from contact_sync.cli.console import Console
from contact_sync.cli.folder import run_folder
from contact_sync.cli.heartbeat import Ping
from contact_sync.cli.logging import configure_log
from contact_sync.cli.progress import ProgressBars
from contact_sync.errors import ConfigError, ContactSyncError, SourceError
from contact_sync.i18n import _
from contact_sync.model import Summary, Watcher
from contact_sync.report.formats import FORMATS
from contact_sync.settings import Settings
from contact_sync.sync import run as sync
from contact_sync.sync.inbox import FileResult

Build = Callable[[click.Context, Mapping[str, Any]], Settings]
"""A function of `build_settings`; called late, so that its error reaches the log and the ping too."""


def run(ctx: click.Context, build: Build) -> int:
    """Push a file, or each file that has arrived in a folder, and return the exit code."""
    source: Path = ctx.params["source"]
    rehearsal = ctx.params["sandbox"] or ctx.params["dry_run"]

    def one(options: Mapping[str, Any]) -> FileResult:
        return _execute(ctx, sync.run, build(ctx, options), offer_retry=not rehearsal)

    def all_or_one() -> FileResult:
        if os.path.isdir(source):  # noqa: PTH112 - which does not raise
            return run_folder(ctx, one, build)
        return one(ctx.params)

    return _supervise(ctx, all_or_one, source=source, ping_url=ctx.params["ping"])


def check(ctx: click.Context, build: Build) -> int:
    """Check a file, and return the exit code."""
    source, ping_url = ctx.params["source"], ctx.params["ping"]
    return _supervise(ctx, lambda: _execute(ctx, sync.run, build(ctx, ctx.params)), source=source, ping_url=ping_url)


def retry(ctx: click.Context, build: Build) -> int:
    """Send what the last run left, and return the exit code."""
    return _supervise(
        ctx, lambda: _execute(ctx, sync.retry, build(ctx, ctx.params), offer_retry=True), ping_url=ctx.params["ping"]
    )


def rewrite(ctx: click.Context, build: Build) -> int:
    """Write the last run's report again, and return the exit code."""
    return _supervise(ctx, lambda: _execute(ctx, sync.rewrite, build(ctx, ctx.params)))


def _supervise(
    ctx: click.Context, body: Callable[[], FileResult], *, source: Path | None = None, ping_url: str | None = None
) -> int:
    """Call `body` with the log and the ping around it, print the error that it raises, and return the exit code."""
    console: Console = ctx.obj.console
    options = ctx.params
    console.quiet, console.as_json = options["quiet"], options["as_json"]
    try:
        _check_log_file(options, source)
        ping = Ping(ping_url)
        console.secrets.append(ping_url or "")
        configure_log(
            console.clean,
            console.streams.stderr,
            verbose=options["verbose"],
            path=options["log_file"],
            as_json=options["log_format"] == "json",
        )
    except ContactSyncError as error:
        return console.print_error(error, source)
    ping.start()
    code, sentence = ContactSyncError.exit_code, ""
    try:
        code, sentence, *_rest = body()
    except ContactSyncError as error:
        code, sentence = console.print_error(error, source), console.clean(str(error))
    except KeyboardInterrupt:
        code = 130
        raise
    finally:
        ping.end(code, sentence)
        if ping.failure and not console.quiet:
            console.print_warning(_("The ping could not be sent ({reason}): check --ping.", reason=ping.failure))
    return code


def _execute(
    ctx: click.Context, flow: Callable[[Settings, Watcher], Summary], settings: Settings, *, offer_retry: bool = False
) -> FileResult:
    """Run one of the flows of `sync.run`, and print its summary; raises ContactSyncError when there is no report."""
    console: Console = ctx.obj.console
    with ProgressBars(console.streams.stderr, shown=not console.quiet) as bars:
        summary = flow(settings, bars)
    # What a guard or a refusal stopped would be stopped again.
    is_useful = offer_retry and summary.is_open and summary.exit_code != SourceError.exit_code
    code = console.print_summary(summary, _retry_command(ctx) if is_useful else "")
    return FileResult(code, "", summary.is_open, summary.identity)


def _retry_command(ctx: click.Context) -> str:
    """Return the command that retries, with the options of this one that say which account it is."""
    names = ("api_key_file", "base_url", "account", "state_dir", "config")
    given = [name for name in names if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    options = [part for name in given for part in (f"--{name.replace('_', '-')}", str(ctx.params[name]))]
    return shlex.join(["contact-sync", "retry", *options])


def _check_log_file(options: Mapping[str, Any], source: Path | None) -> None:
    """Raise ConfigError where the log would be written into the source or a report."""
    log_file = options["log_file"]
    report = options["report"] or (source and report_beside(source))
    for other in filter(None, (source, report, *(options[name] for name in FORMATS))):
        if log_file and os.path.realpath(log_file) == os.path.realpath(other):
            raise ConfigError(_("The log would overwrite {path}: correct --log-file.", path=other))
