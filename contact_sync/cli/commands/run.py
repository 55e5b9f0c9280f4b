"""`contact-sync run`: push a file, or each file of a folder."""

from typing import Any

import click

from contact_sync.cli import build_settings, options
from contact_sync.cli.command import Work, command


@command(
    *options.FILE,
    *options.KEY,
    *options.SANDBOX,
    *options.PACE,
    *options.ACCOUNT,
    *options.RESEND,
    *options.DRY_RUN,
    *options.REPORTS,
    *options.STATE,
    *options.READING,
    *options.GUARDS,
    *options.RETENTION,
    *options.FOLDER,
    *options.PING,
    *options.OUTPUT,
    *options.JSON,
    example="contact-sync run contacts.xlsx --api-key-file /etc/contact-sync.key",
    summary="load, validate, send, write the report",
    work="contact_sync.cli.runner:run",
)
def run(ctx: click.Context, work: Work, **_: Any) -> int:
    """Load FILE, validate it, send the rows that are not in place, and write the results report.

    FILE may be a folder: each file in it is run, then moved with its report to done/ or failed/.
    """
    return work(ctx, build_settings.for_run)
