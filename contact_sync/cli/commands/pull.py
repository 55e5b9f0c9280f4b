"""`contact-sync pull`: write every contact, with its id, into a file."""

from contact_sync.cli import options
from contact_sync.cli.options import Option
from contact_sync.cli.program import Context, Work, command


@command(
    Option("-o", "--output", type=options.PATH, metavar="FILE", required=True, help="the file to write: .xlsx or .csv"),
    Option("--group", "groups", multiple=True, metavar="NAME|ID", help="only the contacts of this group; repeatable"),
    *(
        *options.KEY,
        options.SANDBOX,
        *options.TEMPO,
        options.ACCOUNT,
        *options.LEDGER,
        options.PROGRESS,
        options.PING,
        *options.OUTPUT,
    ),
    example="contact-sync pull -o all.xlsx",
    summary="write every contact, with its id, into a file",
    work="contact_sync.cli.runner:pull",
)
def pull(ctx: Context, work: Work, **_: object) -> int:
    """Write every contact of the account, with its id, into FILE, which may be edited and run.

    An earlier pulled file is replaced, also one that was edited since; any other file is kept.
    """
    return work(ctx)
