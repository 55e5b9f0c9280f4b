"""`contact-sync history`: earlier runs, or one contact's history."""

from typing import Any

from contact_sync.cli import build_settings, options
from contact_sync.cli.program import Context, command


@command(
    options.Option("--contact", "contact_id", metavar="ID", help="show this contact's history"),
    options.Option("--last", type=options.NUMBER_OF_RUNS, default=20, metavar="N", help="number of runs to show [20]"),
    *options.FOR_LEDGER,
    options.JSON,
    example="contact-sync history --contact C000123",
    summary="show earlier runs, or one contact's history",
    work="contact_sync.sync.history",
)
def history(ctx: Context, work: Any, contact_id: str | None, last: int, as_json: bool, **values: object) -> int:
    """Show earlier runs, or one contact's history: outcomes and the names of fields, never their values."""
    console, settings = ctx.obj.console, build_settings.for_account(ctx, values)
    console.as_json = as_json
    if contact_id:
        console.print_events(work.events_of(settings, contact_id))
    else:
        runs, in_progress = work.past_runs(settings, last)
        console.print_runs(runs, in_progress)
    return 0
