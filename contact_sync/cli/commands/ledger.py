"""`contact-sync ledger`: move the ledger to another engine."""

from typing import Any

import click

from contact_sync.cli import build_settings, options
from contact_sync.cli.options import Option
from contact_sync.cli.program import Context, command
from contact_sync.i18n import ngettext


@command(
    click.Argument(["action"], type=click.Choice(["move"]), metavar="move"),
    Option("--to", metavar="URL", required=True, help="postgresql://…, or sqlite for the state folder"),
    *options.FOR_LEDGER,
    options.JSON,
    example="contact-sync ledger move --to postgresql://db.example.org/contacts",
    summary="move the ledger to a database, or back",
    work="contact_sync.ledger.move:move",
)
def ledger(ctx: Context, work: Any, to: str, as_json: bool, **values: object) -> int:
    """Move the ledgers of the state folder to a PostgreSQL database or, with --ledger, back (--to sqlite).

    All records are counted and compared; the old place is put aside. The rows of the last run stay behind: retry first.
    """
    console = ctx.obj.console
    console.as_json = as_json
    moved = work(build_settings.for_account(ctx, values).account, to)
    console.print_message(
        ngettext(
            "{count} ledger was moved: {contacts} contacts, {records} records, all compared.",
            "{count} ledgers were moved: {contacts} contacts, {records} records, all compared.",
            moved.ledgers,
            contacts=moved.contacts,
            records=moved.records,
        )
    )
    if as_json:
        console.print_json({**moved._asdict(), "exit_code": 0})
    return 0
