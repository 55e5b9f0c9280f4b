"""`contact-sync forget`: delete what is stored about a contact."""

from typing import Any

import click

from contact_sync.cli import build_settings, options
from contact_sync.cli.command import Work, command
from contact_sync.cli.console import Console
from contact_sync.i18n import _, ngettext


@command(
    click.Argument(["contact_id"], metavar="ID"),
    *options.KEY,
    *options.ACCOUNT,
    *options.STATE,
    *options.GENERAL,
    example="contact-sync forget C000123",
    summary="delete everything stored about a contact",
    work="contact_sync.sync.history:forget",
)
def forget(ctx: click.Context, work: Work, contact_id: str, **values: Any) -> int:
    """Delete everything stored about a contact: digests, history, and the text of the last run's rows."""
    console: Console = ctx.obj.console
    deleted = work(build_settings.for_account(ctx, values), contact_id)
    if deleted:
        console.print_message(
            ngettext(
                "Contact forgotten ({count} record deleted). Existing reports still contain it; delete them yourself.",
                "Contact forgotten ({count} records deleted). Existing reports still contain it; delete them yourself.",
                deleted,
            )
        )
    else:
        console.print_message(_("Nothing is stored about this contact."))
    return 0
