"""The reasons to refuse a source tonight: from a run up to its guards, which writes nothing outside a temporary file."""

import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime

from contact_sync.errors import ContactSyncError
from contact_sync.model.pace import Watcher
from contact_sync.model.report import Summary
from contact_sync.model.source import OutputPaths
from contact_sync.settings import Settings
from contact_sync.sync.opening import load, new_id, open_ledger, open_source
from contact_sync.sync.shutdown import Shutdown
from contact_sync.sync.steps import Steps


def refusals_of(settings: Settings, watcher: Watcher) -> list[str]:
    """Return a sentence for each reason why a run of the source would be refused now, as far as a check finds it."""
    begun, started, shutdown = time.monotonic(), datetime.now(UTC), Shutdown()
    settings = replace(settings, dry_run=True, remember=False)
    source, report = settings.source.path, settings.report.path
    summary = Summary(new_id(started), source, None, purpose=settings.purpose)
    try:
        with ExitStack() as opened:
            ledger = opened.enter_context(open_ledger(settings, shutdown, None))
            steps = Steps(settings, watcher, shutdown, begun, ledger, summary)
            read = opened.enter_context(open_source(settings, shutdown))
            staged, _live = load(steps, read, OutputPaths(source, {"report": report}), started, None, pending=False)
            steps.pass_guards(staged)
    except ContactSyncError as refused:
        return [str(refused)]
    return list(map(str, shutdown.reasons))
