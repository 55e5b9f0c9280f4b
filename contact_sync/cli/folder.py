"""A folder as the source of `run`: each file that has arrived is run on its own, with its own reports."""

import contextlib
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from contact_sync.cli.console import Console, bug_error
from contact_sync.errors import RANK, BusyError, ConfigError, ContactSyncError, MissingError
from contact_sync.i18n import _
from contact_sync.ledger.state_dir import open_ledger
from contact_sync.report.formats import FORMATS
from contact_sync.settings import NOWHERE, Settings
from contact_sync.sync import inbox

log = logging.getLogger(__name__)


def run_folder(
    ctx: click.Context,
    run_file: Callable[[Mapping[str, Any]], inbox.FileResult],
    build: Callable[[click.Context, Mapping[str, Any]], Settings],
) -> inbox.FileResult:
    """Call `run_file` with the options of each file; return the worst exit code, and the error that ended the loop."""
    console: Console = ctx.obj.console
    options = ctx.params
    folder: Path = options["source"]

    def run(path: Path) -> inbox.FileResult:
        try:
            return run_file(options | {"source": path, "report": inbox.report_of(path)})
        except MissingError:
            raise
        except ContactSyncError as error:
            return inbox.FileResult(console.print_error(error, path), console.clean(str(error)), is_open=False)
        except Exception as bug:  # which must not keep the others from being run
            log.exception("with %s", path.name)
            return inbox.FileResult(console.print_error(bug_error(bug), path), "", is_open=True)

    def moved(path: Path, place: Path, code: int) -> None:
        # Another run may already be at the next file: then its rows have replaced these, and the path is not needed any more.
        with contextlib.suppress(BusyError), open_ledger(build(ctx, options).account) as ledger:
            ledger.note_move(path, place)
        if not os.path.lexists(place):
            console.print_message(
                _(
                    "{path} changed during the run: it stays in the inbox for the next run; the report of "
                    "the version that was read is in {folder}.",
                    path=path,
                    folder=place.parent,
                )
            )
        elif code or not console.quiet:
            console.print_message(_("{path} was moved to {place}.", path=path, place=place))

    codes: list[int] = []
    try:
        _check_reports(folder, options)
        rehearsal = options["sandbox"] or options["dry_run"]
        codes.extend(inbox.run_each(folder, run, moved, expected=options["expect_by"], rehearsal=rehearsal))
        if not codes and not console.quiet:
            console.print_message(_("No file has arrived in {path}.", path=folder))
    except ContactSyncError as error:
        code = min([*codes, console.print_error(error, folder)], key=RANK.index)
        return inbox.FileResult(code, console.clean(str(error)), is_open=False)
    return inbox.FileResult(min(filter(None, codes), key=RANK.index, default=0), "", is_open=False)


def _check_reports(folder: Path, options: Mapping[str, Any]) -> None:
    """Raise ConfigError where one path is given for the reports of many files."""
    if any(options[name] not in {None, NOWHERE} for name in FORMATS):
        raise ConfigError(
            _("{path} is a folder, so each file has its own reports: leave out --report, --workbook and --page.", path=folder)
        )
