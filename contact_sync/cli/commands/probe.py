"""`contact-sync probe`: find out on one contact what the API's documentation leaves open."""

import sys
from typing import Any

import click

from contact_sync.cli import build_settings, options
from contact_sync.cli.options import Option
from contact_sync.cli.program import Context, command
from contact_sync.errors import ATTENTION_CODE, ConfigError
from contact_sync.i18n import _


@command(
    click.Argument(["contact_id"], metavar="CONTACT_ID"),
    Option("--yes", is_flag=True, help="do not ask before the contact is changed"),
    *options.FOR_LEDGER,
    options.JSON,
    example="contact-sync probe C000123",
    summary="find out on one contact what the API's documentation leaves open",
    work="contact_sync.sync.probe:probe",
)
def probe(ctx: Context, work: Any, contact_id: str, yes: bool, as_json: bool, **values: object) -> int:
    """Change the contact CONTACT_ID for a moment, find out how the API treats it, and put it back as it was.

    Take a contact of your own in which every field has a value. The answers are noted for the account.
    """
    console, settings = ctx.obj.console, build_settings.for_sending(ctx, values)
    console.as_json = as_json
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigError("A probe changes the contact for a moment: allow it with --yes.")
        click.confirm(_("The contact is changed for a moment, and put back. Go on?"), abort=True, err=True)
    summary = work(settings, contact_id)
    console.print_probe(summary)
    return ATTENTION_CODE if summary.different else 0
