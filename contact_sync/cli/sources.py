"""The sources of `run`: files and folders, one after the other.

A folder is a run of each file that has arrived in it, with its own reports. All runs of a command share one budget: its pace, its
rows and its time.
"""

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from click.core import ParameterSource

from contact_sync.cli import build_settings
from contact_sync.cli.build_settings import Options
from contact_sync.cli.console import Console
from contact_sync.cli.program import Context
from contact_sync.cli.runner import failure_of, run_file, shown, supervise
from contact_sync.errors import RANK, BusyError, ConfigError, ContactSyncError
from contact_sync.i18n import _
from contact_sync.ledger.state_dir import open_ledger
from contact_sync.ledger.store import Ledger
from contact_sync.model.fields import readable
from contact_sync.names import Purpose, report_beside
from contact_sync.settings import NOWHERE
from contact_sync.sync import inbox
from contact_sync.sync import run as sync
from contact_sync.sync.arrivals import Arrivals
from contact_sync.sync.budget import Budget
from contact_sync.sync.inbox import FileResult
from contact_sync.sync.pages import open_pages, page_in, write_index


def run(ctx: Context) -> int:
    """Push files, or each file that has arrived in a folder, one after the other; return the worst exit code."""
    return supervise(ctx, partial(_run_sources, ctx), sources=ctx.params["sources"], ping_url=ctx.params["ping"])


def _run_sources(ctx: Context) -> FileResult:
    """Run files and folders one after the other, within one budget; return the worst result."""
    options = ctx.params
    if options["plan"] and (len(options["sources"]) > 1 or os.path.isdir(options["sources"][0])):  # noqa: PTH112
        raise ConfigError("--plan is of one file: run the others by themselves.")
    budget = Budget.begin(options["rate"], options["limit"], options["max_duration"], options["wait"])
    with budget.locks:
        return _run_within(ctx, budget)


def _run_within(ctx: Context, budget: Budget) -> FileResult:
    """Run files and folders within a budget; return the worst result."""
    console, options = ctx.obj.console, ctx.params
    reports = _reports_of(options)
    _check_expectation(ctx, reports)
    pages = _pages_of(options, reports)
    results: list[FileResult] = []
    for source, report in reports.items():
        if any(result.stops_others for result in results):
            console.print_message(_("{path} was not run.", path=source))
        elif report is None:
            results += _run_folder(ctx, {**options, "source": source}, budget, pages)
        else:
            given = _of_file(options, source, report, pages)
            results.append(shown(partial(run_file, ctx, given, partial(sync.run, budget=budget), build_settings.for_run)))
    if pages:
        empty = [] if results else [_("No file has arrived in {path}.", path=folder) for folder in reports]
        notices = empty + list(dict.fromkeys(result.sentence for result in results if result.sentence))
        try:
            write_index(pages, build_settings.purpose_of(options), notices, options["report_mode"])
        except ContactSyncError as error:
            results.append(shown(partial(failure_of, console, error, None)))
    return min(results, key=lambda result: RANK.index(result.code), default=_NOTHING)


_NOTHING = FileResult(0, "", is_open=False)  # the result of an empty folder


def _check_expectation(ctx: Context, reports: Mapping[Path, Path | None]) -> None:
    """Raise ConfigError where --expect-by is given for files alone; in a config file, which serves all sources, it may stay."""
    given = ctx.params["expect_by"] and ctx.get_parameter_source("expect_by") is not ParameterSource.DEFAULT_MAP
    if given and all(map(os.path.isfile, reports)):
        raise ConfigError(
            "--expect-by is about the files of a folder, and {path} is a file: leave it out, or run the folder.",
            path=next(iter(reports)),
        )


def _pages_of(options: Options, reports: Mapping[Path, Path | None]) -> Path | None:
    """Return the folder of pages of several files or a folder; None without one. Raises ConfigError, StorageError."""
    folders = [source for source, report in reports.items() if report is None]
    if options["page"] in {None, NOWHERE} or (len(reports) == 1 and not folders):
        return None
    open_pages(options["page"], folders)
    return Path(options["page"])


def _of_file(options: Options, source: Path, report: Path, pages: Path | None) -> Options:
    """Return the options for one file."""
    given = {**options, "source": source, "report": report}
    if pages:
        given["page"] = page_in(pages, source, build_settings.purpose_of(options))
    return given


def _reports_of(options: Options) -> dict[Path, Path | None]:
    """Return each source once, and its report, None for a folder. Raises ConfigError where a report does not fit."""
    sources = {os.path.realpath(source): source for source in reversed(options["sources"])}
    folders = [source for source in sources.values() if os.path.isdir(source)]  # noqa: PTH112 - which does not raise
    if any(options[name] not in {None, NOWHERE} for name in ("report", "workbook")):
        if folders:
            raise ConfigError(
                "{path} is a folder, so each file has its own reports: leave out --report and --workbook.", path=folders[-1]
            )
        if len(sources) > 1:
            raise ConfigError("Each of several files has its own reports: leave out --report and --workbook.")
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


def _run_folder(ctx: Context, options: Options, budget: Budget, pages: Path | None) -> list[FileResult]:
    """Run each file of a folder; return the results, the last of which may be the error that ended the loop."""
    console, folder = ctx.obj.console, options["source"]
    purpose = build_settings.purpose_of(options)

    def run_one(path: Path) -> FileResult:
        given = _of_file(options, path, report_beside(path, purpose, whole=True), pages)
        flow = partial(sync.run, budget=budget)
        return run_file(ctx, given, flow, build_settings.for_run, is_arrival=True)

    def opened() -> AbstractContextManager[Ledger]:
        return open_ledger(build_settings.for_run(ctx, options).account, sends=False, locks=budget.locks)

    results: list[FileResult] = []
    try:
        moved, left = partial(_record_move, console, opened), partial(_print_left, console, folder)
        stays = purpose is not Purpose.REAL
        results.extend(inbox.run_each(folder, run_one, moved, expected=options["expect_by"], rehearsal=stays, left=left))
        if not results and not console.quiet:
            console.print_message(_("No file has arrived in {path}.", path=folder))
    except ContactSyncError as error:
        results.append(shown(partial(failure_of, console, error, folder)))
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


def _record_move(
    console: Console, opened: Callable[[], AbstractContextManager[Ledger]], path: Path, place: Path, code: int
) -> None:
    """Record in the ledger, and report, that a file or only its reports were moved to `place`."""
    # Another run may already be at the next file: then its rows have replaced these, and the path is not needed any more.
    with contextlib.suppress(BusyError), opened() as ledger:
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
