"""The check of a scheduled run before its time: its options, its key, its log and its file, examined as cron would find them."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from contact_sync.cli import build_settings
from contact_sync.cli.logging import check_log
from contact_sync.cli.output_files import check_output_files
from contact_sync.cli.program import Context
from contact_sync.cli.progress import Progress
from contact_sync.errors import ConfigError, ContactSyncError
from contact_sync.files.users import key_warnings
from contact_sync.i18n import _
from contact_sync.sync.refusals import refusals_of


def warnings_of(run: Context) -> Iterator[str]:
    """Yield a sentence for each problem of a run with the parsed options of `run`; nothing is changed.

    Files and folders that are missing are left to the caller.
    """
    options = {**run.params, "source": run.params["sources"][0]}
    source: Path = options["source"]
    try:
        settings = build_settings.for_run(run, options)
    except ConfigError as error:
        yield str(error)
        settings = build_settings.for_check(run, options)
    yield from key_warnings(settings.account)
    log_file: Path | None = options["log_file"]
    try:
        check_output_files(options, [source])
        if log_file and log_file.parent.exists():
            check_log(log_file)
    except ContactSyncError as error:
        yield str(error)
    for folder in _folders(options):
        if os.path.isdir(folder) and not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):  # noqa: PTH112 - which does not raise
            yield _("The folder {path} cannot be written by this user: nothing could be saved there.", path=folder)
    if os.path.isfile(source):  # noqa: PTH113 - which does not raise
        with Progress(run.obj.console.streams.stderr, shown=True) as progress:
            refusals = refusals_of(settings, progress)
        yield from (_("As the file is now, its run would be refused. {reason}", reason=reason) for reason in refusals)


def _folders(options: Mapping[str, Any]) -> set[Path]:
    """Return the folders in which the run writes: those of its reports, of its source and of its state."""
    source: Path = options["source"]
    given = [options[name] for name in ("report", "page", "workbook") if options[name] not in {None, Path("none")}]
    beside = [] if options["report"] else [source]
    state = [options["state_dir"]] if options["state_dir"] else []
    return {*state, *(path if os.path.isdir(path) else path.parent for path in [*given, *beside])}  # noqa: PTH112
