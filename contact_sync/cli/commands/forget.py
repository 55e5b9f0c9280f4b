"""`contact-sync forget`: delete what is stored about a contact."""

import click

from contact_sync.cli import build_settings, options
from contact_sync.cli.program import Context, Work, command
from contact_sync.i18n import _, ngettext


@command(
    click.Argument(["contact_id"], metavar="ID"),
    *options.FOR_LEDGER,
    options.JSON,
    example="contact-sync forget C000123",
    summary="delete everything stored about a contact",
    work="contact_sync.sync.history:forget",
)
def forget(ctx: Context, work: Work, contact_id: str, as_json: bool, **values: object) -> int:
    """Delete everything stored about a contact: digests, history, and the text of the last run's rows.

    A keyed digest of the id stays, so that no run sends rows of this contact again, unless with --allow-forgotten.
    """
    console = ctx.obj.console
    console.as_json = as_json
    deleted = work(build_settings.for_account(ctx, values), contact_id)
    erased = ngettext(
        "Contact forgotten ({count} record deleted). Existing reports still contain it; delete them yourself.",
        "Contact forgotten ({count} records deleted). Existing reports still contain it; delete them yourself.",
        deleted,
    )
    kept = _("Its rows are not sent any more, unless with --allow-forgotten: a keyed digest of the id is kept for that.")
    nothing = _("Nothing is stored about this contact: check its id.")
    console.print_message(f"{erased if deleted else nothing}\n{kept}")
    if as_json:
        console.print_json({"records": deleted, "exit_code": 0})
    return 0
