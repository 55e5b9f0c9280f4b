"""The notice that a run leaves in place of its reports when it ends before it has a row to report: why, and what to do.

So the page, and the workbook beside a source that is one, never show an earlier run after a later one was refused. A run that
could not even start says nothing about the source: an operator may be correcting the workbook of an earlier one, which is kept,
with the notice beside it until the next run. The page can be written again (`contact-sync report`) and is replaced, except by a
run that found another one under way, which may have just written it.
"""

import logging
from datetime import UTC, datetime

from contact_sync.errors import BusyError, ConfigError, ContactSyncError, StorageError
from contact_sync.model.report import Summary
from contact_sync.model.source import Layout
from contact_sync.names import Purpose
from contact_sync.report import formats
from contact_sync.report.formats import FORMATS, ReportContext
from contact_sync.settings import Settings
from contact_sync.sync.opening import new_id
from contact_sync.sync.outputs import drafts, output_paths, refuse_clashes

_WORKBOOKS = {".xlsx": ".xlsx", ".xlsm": ".xlsx", ".xls": ".xlsx", ".xlsb": ".xlsx", ".ods": ".xlsx"}
"""Suffix of a source that is said to be a workbook → that of the workbook about it. Its content may never have been read."""

_BEFORE_A_RUN = (ConfigError, StorageError)  # errors that say nothing about the source

_NO_ROWS = Layout([], [], {}, ";")

log = logging.getLogger(__name__)


def leave_notice(settings: Settings, error: ContactSyncError) -> None:
    """Write the page and the workbook that were wanted of a run which `error` has ended; its summary says where they are.

    The CSV report has nothing but rows, so there is none. A notice that cannot be written is left out.
    """
    source = settings.source.path
    run = error.summary.run if error.summary else new_id(datetime.now(UTC))
    # Rows that were read are accounted for nowhere, so none is counted.
    summary = error.summary = Summary(run, source, None, exit_code=error.exit_code, purpose=settings.purpose)
    summary.reasons = [str(error)]
    paths = output_paths(settings, _WORKBOOKS.get(source.suffix.lower(), ""))
    try:
        refuse_clashes(paths)
        del paths.reports["report"]
        for name, path in paths.reports.items():
            with drafts(paths._replace(reports={name: path}), _purpose_of(name, settings.purpose, error)) as opened:
                summary.warnings += opened.warnings
                draft = opened.by_format[name]
                formats.write(name, draft, [], ReportContext(summary, _NO_ROWS))
                summary.outputs[name] = draft.path
    except Exception as failure:  # noqa: BLE001 - none of them may hide the error
        log.info("no notice: %s", type(failure).__name__)


def _purpose_of(name: str, purpose: Purpose, error: ContactSyncError) -> Purpose:
    """Return the purpose of the notice in the format `name`: `NOTICE` where what an earlier run has written is kept."""
    is_kept = isinstance(error, BusyError) or (FORMATS[name].is_corrected and isinstance(error, _BEFORE_A_RUN))
    return Purpose.NOTICE if is_kept and purpose is Purpose.REAL else purpose
