"""`contact-sync check`: validate a file without sending it."""

from typing import Any

import click

from contact_sync.cli import build_settings, options
from contact_sync.cli.command import Work, command


@command(
    *options.FILE,
    *options.DRY_RUN,
    *options.REPORTS,
    *options.STATE,
    *options.READING,
    *options.GUARDS,
    *options.PING,
    *options.OUTPUT,
    *options.JSON,
    example="contact-sync check contacts.xlsx",
    summary="load, validate, write the report; send nothing",
    work="contact_sync.cli.runner:check",
)
def check(ctx: click.Context, work: Work, **_: Any) -> int:
    """Load and validate FILE and write the report; nothing is sent, and no key is needed."""
    return work(ctx, build_settings.for_check)
