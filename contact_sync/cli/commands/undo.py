"""`contact-sync undo`: write a file that puts back what a run has changed."""

from pathlib import Path
from typing import Any

from contact_sync.cli import build_settings, options
from contact_sync.cli.options import Option
from contact_sync.cli.output_files import check_output_files
from contact_sync.cli.program import Context, command


@command(
    options.LAST_RUN,
    Option("-o", "--output", type=options.PATH, metavar="FILE", help="the file to write: .xlsx or .csv [<stem>.undo.<ext>]"),
    *options.FOR_LEDGER,
    options.JSON,
    example="contact-sync undo -o before.xlsx",
    summary="write a file that puts back what a run has changed",
    work="contact_sync.sync.undo",
)
def undo(ctx: Context, work: Any, run: str, output: Path | None, as_json: bool, **values: object) -> int:
    """Write a file with the values before RUN, by default the last run that changed a contact; nothing is sent.

    Run the file like any other: what somebody has changed since is a conflict, the rest is put back.
    """
    console, settings = ctx.obj.console, build_settings.for_account(ctx, values)
    console.as_json = as_json
    check_output_files({**values, "output": output, "log_file": None}, ())
    console.print_undo(work.undo(settings, run, output))
    return 0
