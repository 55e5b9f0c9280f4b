"""The program: its commands by name."""

import click

from contact_sync import __version__
from contact_sync.cli.command import Program

COMMANDS = {
    "run": "contact_sync.cli.commands.run:run",
    "check": "contact_sync.cli.commands.check:check",
    "retry": "contact_sync.cli.commands.retry:retry",
    "report": "contact_sync.cli.commands.report:report",
    "history": "contact_sync.cli.commands.history:history",
    "forget": "contact_sync.cli.commands.forget:forget",
    "doctor": "contact_sync.cli.commands.doctor:doctor",
    "schedule": "contact_sync.cli.commands.schedule:schedule",
    "sandbox": "contact_sync.cli.commands.sandbox:sandbox",
    "completion": "contact_sync.cli.commands.completion:completion",
    "help": "contact_sync.cli.commands.help:show_help",
}
"""Name → the command, as `package.module:command`, in the order of `--help`."""

program = Program(
    COMMANDS,
    name="contact-sync",
    help="Push spreadsheet edits of contacts to SMS Partner, one update a row, and report how each row ended.",
    example="contact-sync check contacts.xlsx",
    context_settings={"help_option_names": ["-h", "--help"]},
)
click.version_option(__version__, "-V", "--version", message="%(version)s")(program)
