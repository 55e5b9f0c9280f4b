"""`contact-sync check`: validate a file without sending it."""

from contact_sync.cli import options
from contact_sync.cli.program import Context, Work, command


@command(
    *options.FOR_CHECK,
    example="contact-sync check contacts.xlsx",
    summary="load, validate, write the report; send nothing",
    work="contact_sync.cli.runner:check",
)
def check(ctx: Context, work: Work, **_: object) -> int:
    """Load and validate FILE and write the report; nothing is sent, and no key is needed."""
    return work(ctx)
