"""The execution of a run: around it the log, the ping and the progress bars, after it the summary and the exit code.

A folder as a source of `run` is a run of each file that has arrived in it, with its own reports. All runs of a command share one
budget: its pace, its rows and its time.
"""

import contextlib
import logging
import os
import shlex
from collections import Counter
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
from contact_sync.errors import RANK, BusyError, ConfigError, ContactSyncError, MissingError, SourceError
from contact_sync.files.descriptors import shortage_of
from contact_sync.i18n import _
from contact_sync.ledger.state_dir import open_ledger
from contact_sync.model import PullSummary, Summary, Watcher, readable
from contact_sync.names import Purpose, report_beside
from contact_sync.report.formats import FORMATS
from contact_sync.settings import NOWHERE, Settings
from contact_sync.sync import inbox
from contact_sync.sync import run as sync
from contact_sync.sync.arrivals import Arrivals
from contact_sync.sync.budget import Budget
from contact_sync.sync.inbox import FileResult

log = logging.getLogger(__name__)

Flow = Callable[[Settings, Watcher], Summary]  # a function of `sync.run`

Build = Callable[[Context, Options], Settings]
"""A function of `build_settings`; called late, so that its error reaches the log and the ping too."""


def run(ctx: Context) -> int:
    """Push files, or each file that has arrived in a folder, one after the other; return the worst exit code."""
    return _supervise(ctx, partial(_run_sources, ctx), sources=ctx.params["sources"], ping_url=ctx.params["ping"])


def check(ctx: Context) -> int:
    """Check a file, and return the exit code."""
    body = partial(_shown, partial(_execute, ctx, sync.run, build_settings.for_check, ctx.params))
    return _supervise(ctx, body, sources=[ctx.params["source"]], ping_url=ctx.params["ping"])


def retry(ctx: Context) -> int:
    """Send what the last run left, and return the exit code."""
    body = partial(_shown, partial(_execute, ctx, sync.retry, build_settings.for_sending, ctx.params, offer_retry=True))
    return _supervise(ctx, body, ping_url=ctx.params["ping"])


def pull(ctx: Context) -> int:
    """Write every contact into a file, and return the exit code."""
    ctx.obj.console.empty_result = dict.fromkeys(PullSummary._fields, 0) | {"output": None}
    return _supervise(ctx, partial(_pull, ctx), ping_url=ctx.params["ping"])


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
    return _supervise(ctx, partial(_plan, ctx), sources=[ctx.params["source"]], ping_url=ctx.params["ping"])


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
    return _supervise(ctx, partial(_shown, partial(_execute, ctx, sync.rewrite, build_settings.for_account, ctx.params)))


def _supervise(ctx: Context, body: Callable[[], FileResult], *, sources: Sequence[Path] = (), ping_url: str | None = None) -> int:
    """Call `body` with the log and the ping around it, print the error that it raises, and return the exit code."""
    console, options = ctx.obj.console, ctx.params
    console.quiet, console.as_json = options["quiet"], options["as_json"]
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
        code, sentence, *_rest = _shown(partial(_failure, console, error, source))
    except KeyboardInterrupt:
        code = 130
        raise
    finally:
        ping.send(str(code), sentence)
        if ping.failure and not console.quiet:
            console.print_warning(_("The ping could not be sent ({reason}): check --ping.", reason=ping.failure))
    return code


def _failure(console: Console, error: ContactSyncError, source: Path | None) -> FileResult:
    """Return an error as a result."""
    show = partial(console.print_error, error, source)
    return FileResult(error.exit_code, console.clean(str(error)), is_open=False, is_of_file=error.is_of_file, show=show)


def _shown(run: Callable[[], FileResult]) -> FileResult:
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
    show = partial(console.print_summary, summary, _retry_command(ctx) if is_useful else "")
    return FileResult(summary.exit_code, "", summary.is_open, summary.identity, show=show)


def _progress(console: Console, options: Options) -> Progress:
    every = options.get("progress")
    return Progress(console.streams.stderr, shown=not console.quiet, every=every, write=console.print_message)


def _retry_command(ctx: Context) -> str:
    """Return the command that retries, with the options of this one that say which account it is."""
    names = ("api_key_file", "base_url", "account", "state_dir", "config")
    given = [name for name in names if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    options = [part for name in given for part in (f"--{name.replace('_', '-')}", str(ctx.params[name]))]
    return shlex.join(["contact-sync", "retry", *options])


def _run_sources(ctx: Context) -> FileResult:
    """Run files and folders one after the other, within one budget; return the worst result."""
    console, options = ctx.obj.console, ctx.params
    if options["plan"] and (len(options["sources"]) > 1 or os.path.isdir(options["sources"][0])):  # noqa: PTH112
        raise ConfigError("--plan is of one file: run the others by themselves.")
    budget = Budget.begin(options["rate"], options["limit"], options["max_duration"])
    reports = _reports_of(options)
    results: list[FileResult] = []
    for source, report in reports.items():
        if any(result.stops_others for result in results):
            console.print_message(_("{path} was not run.", path=source))
        elif report is None:
            results += _run_folder(ctx, {**options, "source": source}, budget)
        else:
            run_file = partial(_run_file, ctx, {**options, "source": source, "report": report}, budget)
            results.append(_shown(run_file))
    return min(results, key=lambda result: RANK.index(result.code), default=_NOTHING)


_NOTHING = FileResult(0, "", is_open=False)  # the result of an empty folder


def _reports_of(options: Options) -> dict[Path, Path | None]:
    """Return each source once, and its report, None for a folder. Raises ConfigError where a report does not fit."""
    sources = {os.path.realpath(source): source for source in reversed(options["sources"])}
    folders = [source for source in sources.values() if os.path.isdir(source)]  # noqa: PTH112 - which does not raise
    if any(options[name] not in {None, NOWHERE} for name in FORMATS):
        if folders:
            raise ConfigError(
                "{path} is a folder, so each file has its own reports: leave out --report, --workbook and --page.",
                path=folders[-1],
            )
        if len(sources) > 1:
            raise ConfigError("Each of several files has its own reports: leave out --report, --workbook and --page.")
    reports: dict[Path, Path | None] = dict.fromkeys(reversed(sources.values()))
    files = [source for source in reports if source not in folders]
    purpose = build_settings.purpose_of(options)
    shared = Counter(report_beside(source, purpose) for source in files)  # contacts.csv and contacts.xlsx would have the same
    for source in files:
        beside = report_beside(source, purpose)
        report = options["report"] or report_beside(source, purpose, whole=shared[beside] > 1)
        other = sources.get(os.path.realpath(report), source)
        if other != source:
            raise ConfigError(
                "The report of {source} would overwrite {path}: run that file by itself.", source=source, path=other
            )
        reports[source] = report
    return reports


def _run_file(ctx: Context, options: Options, budget: Budget, *, may_be_gone: bool = False) -> FileResult:
    """Run a file; an error, or a bug, is returned, so that others can be run.

    Raises MissingError if the file `may_be_gone`.
    """
    console, path, flow = ctx.obj.console, options["source"], partial(sync.run, budget=budget)
    try:
        offer_retry = build_settings.purpose_of(options) is Purpose.REAL and not options["plan"]
        return _execute(ctx, flow, build_settings.for_run, options, offer_retry=offer_retry)
    except ContactSyncError as error:
        if may_be_gone and isinstance(error, MissingError):
            raise
        return _failure(console, error, path)
    except Exception as bug:  # which must not keep the others from being run
        log.exception("with %s", path.name)
        failure = shortage_of(bug) or bug_error(bug)
        return FileResult(failure.exit_code, "", is_open=True, show=partial(console.print_error, failure, path))


def _run_folder(ctx: Context, options: Options, budget: Budget) -> list[FileResult]:
    """Run each file of a folder; return the results, the last of which may be the error that ended the loop."""
    console, folder = ctx.obj.console, options["source"]
    purpose = build_settings.purpose_of(options)

    def run_one(path: Path) -> FileResult:
        report = report_beside(path, purpose, whole=True)
        return _run_file(ctx, {**options, "source": path, "report": report}, budget, may_be_gone=True)

    results: list[FileResult] = []
    try:
        moved, left = partial(_record_move, ctx, options), partial(_print_left, console, folder)
        stays = purpose is not Purpose.REAL
        results.extend(inbox.run_each(folder, run_one, moved, expected=options["expect_by"], rehearsal=stays, left=left))
        if not results and not console.quiet:
            console.print_message(_("No file has arrived in {path}.", path=folder))
    except ContactSyncError as error:
        results.append(_shown(partial(_failure, console, error, folder)))
    return results


_SHOWN_NAMES = 5


def _print_left(console: Console, folder: Path, found: Arrivals) -> None:
    """Name in one line what is in a folder and not taken; with `quiet` only what may matter."""
    names = [*found.held_back, *([] if console.quiet else found.litter)]
    if names:
        shown = ", ".join(map(readable, names[:_SHOWN_NAMES]))
        more = f", … (+{len(names) - _SHOWN_NAMES})" if len(names) > _SHOWN_NAMES else ""
        message = _(
            "Not taken from {path}: {names}. Copies, backups, unfinished uploads, links and auxiliary files are not sent; rename "
            "a file that is to be sent, and delete the others.",
            path=folder,
            names=shown + more,
        )
        console.print_message(message)


def _record_move(ctx: Context, options: Options, path: Path, place: Path, code: int) -> None:
    """Record in the ledger, and report, that a file or only its reports were moved to `place`."""
    console, account = ctx.obj.console, build_settings.for_run(ctx, options).account
    # Another run may already be at the next file: then its rows have replaced these, and the path is not needed any more.
    with contextlib.suppress(BusyError), open_ledger(account, sends=False) as ledger:
        ledger.note_move(path, place)
    if not os.path.lexists(place):
        message = _(
            "{path} changed during the run, or is still open in a program: it stays in the inbox for the next run; the report of "
            "the version that was read is in {folder}.",
            path=path,
            folder=place.parent,
        )
        console.print_message(message)
    elif code or not console.quiet:
        console.print_message(_("{path} was moved to {place}.", path=path, place=place))
