"""`contact-sync report`: write the last run's report again."""

from contact_sync.cli import options
from contact_sync.cli.program import Context, Work, command


@command(
    *options.FOR_REPORT,
    example="contact-sync report --report /tmp/again.csv",
    summary="write the last run's report again",
    work="contact_sync.cli.runner:rewrite",
)
def report(ctx: Context, work: Work, **_: object) -> int:
    """Write the last run's report again, from the ledger."""
    return work(ctx)
