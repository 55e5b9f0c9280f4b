"""`contact-sync history`: earlier runs, or one contact's history."""

from typing import Any

import click

from contact_sync.cli import build_settings, options
from contact_sync.cli.command import command
from contact_sync.cli.console import Console


@command(
    options.Option("--contact", "contact_id", metavar="ID", help="show this contact's history"),
    options.Option("--last", type=click.IntRange(min=1), default=20, metavar="N", help="number of runs to show [20]"),
    *options.KEY,
    *options.ACCOUNT,
    *options.STATE,
    *options.GENERAL,
    *options.JSON,
    example="contact-sync history --contact C000123",
    summary="show earlier runs, or one contact's history",
    work="contact_sync.sync.history",
)
def history(ctx: click.Context, work: Any, contact_id: str | None, last: int, as_json: bool, **values: Any) -> int:
    """Show earlier runs, or one contact's history: outcomes and the names of fields, never their values."""
    console: Console = ctx.obj.console
    console.as_json = as_json
    settings = build_settings.for_account(ctx, values)
    if contact_id:
        console.print_history(work.events_of(settings, contact_id))
    else:
        runs, in_progress = work.past_runs(settings, last)
        console.print_history(runs, in_progress=in_progress)
    return 0
