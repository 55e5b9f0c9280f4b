"""The execution of a run: around it the log, the ping and the progress bars, after it the summary and the exit code."""

import contextlib
import logging
import shlex
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from click.core import ParameterSource

from contact_sync.cli import build_settings
from contact_sync.cli.build_settings import Options
from contact_sync.cli.console import Console, bug_error
from contact_sync.cli.heartbeat import Ping
from contact_sync.cli.logging import configure_log
from contact_sync.cli.output_files import check_output_files
from contact_sync.cli.program import Context
from contact_sync.cli.progress import Progress
from contact_sync.errors import AccessError, BusyError, ConfigError, ContactSyncError, MissingError, SourceError
from contact_sync.events import log_event
from contact_sync.files.descriptors import shortage_of
from contact_sync.i18n import _
from contact_sync.model.pace import Watcher
from contact_sync.model.plan import PullSummary
from contact_sync.model.report import Summary
from contact_sync.model.row import Outcome
from contact_sync.names import Purpose
from contact_sync.settings import BASE_URL, Settings
from contact_sync.sync import run as sync
from contact_sync.sync.inbox import FileResult
from contact_sync.sync.notice import leave_notice

log = logging.getLogger(__name__)

Flow = Callable[[Settings, Watcher], Summary]  # a function of `sync.run`

Build = Callable[[Context, Options], Settings]
"""A function of `build_settings`; called late, so that its error reaches the log and the ping too."""


def check(ctx: Context) -> int:
    """Check a file, and return the exit code."""
    body = partial(shown, partial(run_file, ctx, ctx.params, sync.run, build_settings.for_check))
    return supervise(ctx, body, sources=[ctx.params["source"]], ping_url=ctx.params["ping"])


def retry(ctx: Context) -> int:
    """Send what the last run left, and return the exit code."""
    body = partial(shown, partial(_execute, ctx, sync.retry, build_settings.for_sending, ctx.params, offer_retry=True))
    return supervise(ctx, body, ping_url=ctx.params["ping"])


def pull(ctx: Context) -> int:
    """Write every contact into a file, and return the exit code."""
    ctx.obj.console.empty_result = dict.fromkeys(PullSummary._fields, 0) | {"output": None}
    return supervise(ctx, partial(_pull, ctx), ping_url=ctx.params["ping"])


def _pull(ctx: Context) -> FileResult:
    from contact_sync.sync.pull import pull as read_all  # noqa: PLC0415 - an HTTP client, which a check need not load

    console, options = ctx.obj.console, ctx.params
    settings = build_settings.for_pull(ctx, options)
    with _progress(console, options) as progress:
        summary = read_all(settings, options["output"], options["groups"], progress)
    console.print_pull(summary, sandbox=options["sandbox"])
    return FileResult(summary.exit_code, "", is_open=False)


def plan(ctx: Context) -> int:
    """Print what a run would do, and return the exit code."""
    return supervise(ctx, partial(_plan, ctx), sources=[ctx.params["source"]], ping_url=ctx.params["ping"])


def _plan(ctx: Context) -> FileResult:
    from contact_sync.cli.plans import print_plan  # noqa: PLC0415 - an HTTP client, as above
    from contact_sync.sync.plan import planned  # noqa: PLC0415

    console, options = ctx.obj.console, ctx.params
    settings, given = build_settings.for_plan(ctx, options), {name: options[name] for name in ("offline", "expect_no_changes")}
    with _progress(console, options) as progress, planned(settings, options["output"], progress, **given) as made:
        progress.end()
        print_plan(console, made)
    return FileResult(made.exit_code, console.clean(" ".join(made.of.reasons)), is_open=False)


def rewrite(ctx: Context) -> int:
    """Write the last run's report again, and return the exit code."""
    return supervise(ctx, partial(shown, partial(_execute, ctx, sync.rewrite, build_settings.for_account, ctx.params)))


def _is_quiet(ctx: Context) -> bool:
    """Return True for --quiet; where only the config file says so, which is for cron, a command at a terminal is not quiet."""
    stream = ctx.obj.console.streams.stderr
    is_configured = ctx.get_parameter_source("quiet") is ParameterSource.DEFAULT_MAP
    return bool(ctx.params["quiet"]) and not (is_configured and stream and not stream.closed and stream.isatty())


def supervise(ctx: Context, body: Callable[[], FileResult], *, sources: Sequence[Path] = (), ping_url: str | None = None) -> int:
    """Call `body` with the log and the ping around it, print the error that it raises, and return the exit code."""
    console, options = ctx.obj.console, ctx.params
    console.quiet, console.as_json = _is_quiet(ctx), options["as_json"]
    source = sources[0] if len(sources) == 1 else None  # the one that an error is about
    console.secrets.append(ping_url or "")
    try:
        ping = Ping(ping_url)
    except ContactSyncError as error:
        return console.print_error(error, source)
    code, sentence = ContactSyncError.exit_code, ""
    try:
        check_output_files(options, sources)
        configure_log(console, verbose=options["verbose"], path=options["log_file"], as_json=options["log_format"] == "json")
        ping.send("start")
        code, sentence, *_rest = body()
    except ContactSyncError as error:
        code, sentence, *_rest = shown(partial(failure_of, console, error, source))
    except KeyboardInterrupt:
        code = 130
        raise
    finally:
        ping.send(str(code), sentence)
        if ping.failure and not console.quiet:
            console.print_warning(_("The ping could not be sent ({reason}): check --ping.", reason=ping.failure))
    return code


def failure_of(console: Console, error: ContactSyncError, source: Path | None) -> FileResult:
    """Return an error as a result; it is logged here unless it has ended a run, whose end has it."""
    if error.summary is None:
        log_event("command.failed", exit_code=error.exit_code, reason=str(error))
    show = partial(console.print_error, error, source)
    return FileResult(error.exit_code, console.clean(str(error)), is_open=False, is_of_file=error.is_of_file, show=show)


def shown(run: Callable[[], FileResult]) -> FileResult:
    """Run a source that stays at its place, print the result, and return it."""
    result = run()
    result.show(None)
    return result


def _execute(ctx: Context, flow: Flow, build: Build, options: Options, *, offer_retry: bool = False) -> FileResult:
    """Run a flow, and return its result; raises ContactSyncError when there is no report."""
    console, settings = ctx.obj.console, build(ctx, options)
    with _progress(console, options) as progress:
        summary = flow(settings, progress)
    # What a guard or a refusal stopped would be stopped again.
    is_useful = offer_retry and summary.is_open and summary.exit_code != SourceError.exit_code
    show = partial(console.print_summary, summary, _next_command(ctx, settings, summary) if is_useful else "")
    return FileResult(summary.exit_code, "", summary.is_open, summary.identity, show=show)


def _progress(console: Console, options: Options) -> Progress:
    every = options.get("progress")
    write, colour = console.print_message, console.colour
    return Progress(console.streams.stderr, shown=not console.quiet, every=every, write=write, colour=colour)


def _next_command(ctx: Context, settings: Settings, summary: Summary) -> str:
    """Return the command to run next; where nothing has shown that the address is the API's, it is no retry, which keeps it."""
    if settings.account.base_url == BASE_URL or _ANSWERED & summary.outcomes.keys() or summary.exit_code == AccessError.exit_code:
        return _retry_command(ctx)
    return _("correct --base-url if it is wrong, then run the same command again.")


_ANSWERED = {Outcome.UPDATED, Outcome.ALTERED, Outcome.REJECTED, Outcome.CONFLICT}  # outcomes that only the API can give


def _retry_command(ctx: Context) -> str:
    """Return the command that retries, with the options of this one that say which account it is."""
    names = ("api_key_file", "base_url", "account", "ledger", "state_dir", "config")
    given = [name for name in names if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    options = [part for name in given for part in (f"--{name.replace('_', '-')}", str(ctx.params[name]))]
    return shlex.join(["contact-sync", "retry", *options])


def run_file(ctx: Context, options: Options, flow: Flow, build: Build, *, is_arrival: bool = False) -> FileResult:
    """Run a file; an error, or a bug, leaves a notice and is returned, so that others can be run.

    Of an inbox (`is_arrival`), one that is busy leaves none, and MissingError is raised for one that another run may have moved.
    """
    console, path = ctx.obj.console, options["source"]
    try:
        offer_retry = build is build_settings.for_run and build_settings.purpose_of(options) is Purpose.REAL
        return _execute(ctx, flow, build, options, offer_retry=offer_retry and not options["plan"])
    except ContactSyncError as error:
        if is_arrival and isinstance(error, MissingError):
            raise
        failure = failure_of(console, error, path)  # before the notice, which has a run of its own where none began
        if not (is_arrival and isinstance(error, BusyError)):
            _leave_notice(options, error)
        return failure
    except Exception as bug:  # which must not keep the others from being run
        log.exception("with %s", path.name)
        failed = shortage_of(bug) or bug_error(bug)
        _leave_notice(options, failed)
        return FileResult(failed.exit_code, "", is_open=True, show=partial(console.print_error, failed, path))


def _leave_notice(options: Options, error: ContactSyncError) -> None:
    """Write the page and the workbook of a file that has no report, unless the error is that they cannot be written."""
    with contextlib.suppress(ConfigError):
        leave_notice(build_settings.for_notice(options), error)
