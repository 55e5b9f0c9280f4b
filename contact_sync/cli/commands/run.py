"""`contact-sync run`: push files, or each file of a folder."""

from contact_sync.cli import options
from contact_sync.cli.options import Option
from contact_sync.cli.program import Context, Heading, Work, command


@command(
    Option("--plan", metavar="NUMBER", help="carry out this plan, or nothing", heading=Heading.SENDING),
    *options.FOR_RUN,
    example="contact-sync run contacts.xlsx --api-key-file /etc/contact-sync.key",
    summary="load, validate, send, write the report",
    work="contact_sync.cli.sources:run",
)
def run(ctx: Context, work: Work, **_: object) -> int:
    """Load FILE, validate it, send the rows that are not in place, and write the results report.

    FILE may be a folder: each file in it is run, then moved with its report to done/ or failed/. Several files are run one
    after the other.
    """
    return work(ctx)
