"""`contact-sync retry`: send what the last run left."""

from contact_sync.cli import options
from contact_sync.cli.program import Context, Work, command


@command(
    *options.FOR_RETRY,
    example="contact-sync retry --api-key-file /etc/contact-sync.key",
    summary="send the last run's failed and unprocessed rows",
    work="contact_sync.cli.runner:retry",
)
def retry(ctx: Context, work: Work, **_: object) -> int:
    """Send the failed and unprocessed rows of the last run again, and update its report; no file is needed."""
    return work(ctx)
