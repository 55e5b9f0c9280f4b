"""`contact-sync plan`: show what a run would do."""

from contact_sync.cli import options
from contact_sync.cli.options import Option
from contact_sync.cli.program import Context, Work, command

_NOT_OF_A_PLAN = {"limit", "undo_days", "wait"}
_SENDING = [option for option in (*options.PACE, *options.LIVE) if option.name not in _NOT_OF_A_PLAN]


@command(
    options.FILE,
    Option("-o", "--output", type=options.PATH, metavar="FILE", help="write all changes there: .xlsx, .csv or .html"),
    Option("--offline", is_flag=True, help="no network: which fields, not their old values"),
    Option("--expect-no-changes", is_flag=True, help="exit code 8 if there are changes"),
    *(*options.KEY, *_SENDING, options.MAX_CONFLICTS, options.RESEND, options.ALLOW_FORGOTTEN, options.ACCOUNT, *options.LEDGER),
    *(*options.READING, *options.GUARDS, options.PROGRESS, options.PING, *options.OUTPUT),
    example="contact-sync plan contacts.xlsx -o plan.xlsx",
    summary="show what a run would do, old → new; send nothing",
    work="contact_sync.cli.runner:plan",
)
def plan(ctx: Context, work: Work, **_: object) -> int:
    """Show what a run of FILE would do, field by field, old → new; nothing is sent.

    Each edited contact of a pulled file is read, as the run would. A plan has a number: `run --plan NUMBER` does exactly that, or
    nothing.
    """
    return work(ctx)
