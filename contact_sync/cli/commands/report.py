"""`contact-sync report`: write the last run's report again."""

from typing import Any

import click

from contact_sync.cli import build_settings, options
from contact_sync.cli.command import Work, command


@command(
    *options.LAST_RUN,
    *options.KEY,
    *options.ACCOUNT,
    *options.REPORTS,
    *options.STATE,
    *options.OUTPUT,
    *options.JSON,
    example="contact-sync report --report /tmp/again.csv",
    summary="write the last run's report again",
    work="contact_sync.cli.runner:rewrite",
)
def report(ctx: click.Context, work: Work, **_: Any) -> int:
    """Write the last run's report again, from the ledger."""
    return work(ctx, build_settings.for_account)
