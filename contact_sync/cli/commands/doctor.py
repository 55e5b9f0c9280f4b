"""`contact-sync doctor`: check that everything is ready for the next run."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

from contact_sync.cli import build_settings, options
from contact_sync.cli.api_key import key_place
from contact_sync.cli.program import Context, command


@command(
    *options.FOR_LEDGER,
    options.PING,
    options.LOG_FILE,
    options.JSON,
    example="contact-sync doctor --api-key-file /etc/contact-sync.key",
    summary="check that everything is ready for tonight",
    work="contact_sync.cli.readiness:examine",
)
def doctor(ctx: Context, work: Any, as_json: bool, ping: str | None, log_file: Path | None, **values: Any) -> int:
    """Check that everything is ready for tonight: key, API, clock, state folder, ledgers, runs, log, monitor, cron's environment.

    The exit code is 0, or 2 if there is something to do. Nothing is changed.
    """
    console = ctx.obj.console
    console.as_json = as_json
    console.secrets.append(ping or "")
    build = partial(build_settings.for_account, ctx, values)
    place = key_place(ctx, values["api_key_file"])
    return console.print_findings(work(build, sys.argv[0], key_place=place, log_file=log_file, ping=ping))
