"""`contact-sync retry`: send what the last run left."""

from typing import Any

import click

from contact_sync.cli import build_settings, options
from contact_sync.cli.command import Work, command


@command(
    *options.LAST_RUN,
    *options.KEY,
    *options.PACE,
    *options.ACCOUNT,
    *options.REPORTS,
    *options.STATE,
    *options.PING,
    *options.OUTPUT,
    *options.JSON,
    example="contact-sync retry --api-key-file /etc/contact-sync.key",
    summary="send the last run's failed and unprocessed rows",
    work="contact_sync.cli.runner:retry",
)
def retry(ctx: click.Context, work: Work, **_: Any) -> int:
    """Send the failed and unprocessed rows of the last run again, and update its report; no file is needed."""
    return work(ctx, build_settings.for_retry)
