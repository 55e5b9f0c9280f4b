"""`contact-sync doctor`: check that everything is ready for the next run."""

import sys
from typing import Any

import click

from contact_sync.cli import build_settings, options
from contact_sync.cli.command import command
from contact_sync.cli.console import Console


@command(
    *options.KEY,
    *options.ACCOUNT,
    *options.STATE,
    *options.GENERAL,
    *options.JSON,
    example="contact-sync doctor --api-key-file /etc/contact-sync.key",
    summary="check that everything is ready for tonight",
    work="contact_sync.cli.readiness:examine",
)
def doctor(ctx: click.Context, work: Any, as_json: bool, **values: Any) -> int:
    """Check that everything is ready for tonight: key, API, clock, state folder, last run, cron's environment.

    The exit code is 0, or 2 if there is something to do. Nothing is changed.
    """
    console: Console = ctx.obj.console
    console.as_json = as_json
    return console.print_findings(work(lambda: build_settings.for_account(ctx, values), sys.argv[0]))
