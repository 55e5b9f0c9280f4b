"""`contact-sync doctor`: check that everything is ready for the next run."""

import sys
from typing import Any

from contact_sync.cli import build_settings, options
from contact_sync.cli.program import Context, command


@command(
    *options.FOR_LEDGER,
    options.JSON,
    example="contact-sync doctor --api-key-file /etc/contact-sync.key",
    summary="check that everything is ready for tonight",
    work="contact_sync.cli.readiness:examine",
)
def doctor(ctx: Context, work: Any, as_json: bool, **values: object) -> int:
    """Check that everything is ready for tonight: key, API, clock, state folder, last run, cron's environment.

    The exit code is 0, or 2 if there is something to do. Nothing is changed.
    """
    ctx.obj.console.as_json = as_json
    return ctx.obj.console.print_findings(work(lambda: build_settings.for_account(ctx, values), sys.argv[0]))
