"""The command line: the commands, what each is told, and the exit code.

stdout carries data only (`--json`, `history`, `doctor`, `schedule`, `completion`, `--help`, `--version`); everything else is
stderr. Nothing here may stop a run because a terminal, a pipe or a disk that takes the output is gone.
"""

import contextlib
import errno
import logging
import os
import sys
from collections.abc import Iterable
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click

from contact_sync import __version__
from contact_sync.cli import options
from contact_sync.cli.console import Console
from contact_sync.cli.invocation import error_of, invoke, settings_of
from contact_sync.errors import ConfigError, ContactSyncError, StorageError
from contact_sync.i18n import _, ngettext

log = logging.getLogger(__name__)


class _Formatter(click.HelpFormatter):
    """A formatter with a narrow first column, so that one long option does not move all descriptions to the right."""

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 24, col_spacing: int = 2) -> None:
        super().write_dl(rows, col_max, col_spacing)


class _Context(click.Context):
    formatter_class = _Formatter


class _ExampleFirst(click.Command):
    """A command whose help begins with an example, and may have a reader who has seen enough."""

    context_class = _Context
    example = ""

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        try:
            return super().make_context(*args, **more)  # which is where --help is printed
        except BrokenPipeError as gone:
            raise click.exceptions.Exit(0) from gone

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as bug:  # click would take it for that of the output, and leave without a word
            log.info("a bug", exc_info=True)
            raise error_of(bug) from bug

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(f"Example: {self.example}\n\n")
        super().format_help(ctx, formatter)


class _Program(_ExampleFirst, click.Group):
    example = "contact-sync check contacts.xlsx"


def _like(text: str) -> type[_ExampleFirst]:
    return type("Command", (_ExampleFirst,), {"example": text})


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="%(version)s")
def program() -> None:
    """Push spreadsheet edits of contacts to SMS Partner, one update a row, and report how each row ended."""


# ---- the night


@program.command(
    cls=_like("contact-sync run contacts.xlsx --api-key-file /etc/contact-sync.key"),
    short_help="load, validate, send, write the report",
)
@click.argument("source", metavar="FILE", type=options.FILE)
@options.with_options(
    options.KEY,
    options.REHEARSAL,
    options.PACE,
    options.ACCOUNT,
    options.RESEND,
    options.DRY_RUN,
    options.REPORTS,
    options.STATE,
    options.SOURCE,
    options.GUARDS,
    options.KEEPING,
    options.INBOX,
    options.PING,
    options.TALK,
    options.JSON,
)
@click.pass_context
def run(ctx: click.Context, /, **params: Any) -> int:
    """Load FILE, validate it, send the rows that are not in place, and write the results report.

    FILE may be a folder: each file that has arrived in it is run, and put away into done/ or failed/ with its report.
    """
    return invoke(ctx, params)


@program.command(cls=_like("contact-sync check contacts.xlsx"), short_help="load, validate, write the report; nothing is sent")
@click.argument("source", metavar="FILE", type=options.FILE)
@options.with_options(
    options.DRY_RUN,
    options.REPORTS,
    options.STATE,
    options.SOURCE,
    options.GUARDS,
    options.PING,
    options.TALK,
    options.JSON,
)
@click.pass_context
def check(ctx: click.Context, /, **params: Any) -> int:
    """Load and validate FILE and write the report; nothing is sent, and no key is needed."""
    return invoke(ctx, params | {"dry_run": True, "remember": False})


# ---- the morning after


@program.command(
    cls=_like("contact-sync retry --api-key-file /etc/contact-sync.key"),
    short_help="send again what failed or was left; no file needed",
)
@click.argument("run", metavar="[RUN]", default="")
@options.with_options(
    options.KEY,
    options.PACE,
    options.ACCOUNT,
    options.REPORTS,
    options.STATE,
    options.PING,
    options.TALK,
    options.JSON,
)
@click.pass_context
def retry(ctx: click.Context, /, **params: Any) -> int:
    """Take up the last run again: send its rows that failed or did not have their turn, and bring its report up to date."""
    return invoke(ctx, params, "retry")


@program.command(cls=_like("contact-sync report --report /tmp/again.csv"), short_help="write the last run's report again")
@click.argument("run", metavar="[RUN]", default="")
@options.with_options(options.KEY, options.ACCOUNT, options.REPORTS, options.STATE, options.TALK, options.JSON)
@click.pass_context
def report(ctx: click.Context, /, **params: Any) -> int:
    """Write the last run's report again, from the ledger."""
    return invoke(ctx, params, "rewrite")


@program.command(cls=_like("contact-sync history --contact C000123"), short_help="how earlier runs went, and what became of whom")
@options.option("--contact", "contact_id", metavar="ID", help="what became of this contact")
@options.option("--last", type=click.IntRange(min=1), default=20, metavar="N", help="so many runs [20]")
@options.with_options(options.KEY, options.ACCOUNT, options.STATE, options.ALWAYS, options.JSON)
@click.pass_context
def history(ctx: click.Context, /, contact_id: str | None, last: int, **params: Any) -> int:
    """Tell how the last runs went, or what became of one contact; no values are kept."""
    console: Console = ctx.obj
    from contact_sync.ledger.state_dir import is_locked, kept_ledger  # noqa: PLC0415 - the same
    from contact_sync.rules.cells import normalise_id  # noqa: PLC0415 - not for --help

    console.as_json = params.pop("as_json")
    settings = settings_of(ctx, params)
    with kept_ledger(settings, alone=False) as ledger:
        if contact_id:
            console.tell_history(ledger.history(normalise_id(contact_id)))
        else:
            console.tell_history(ledger.runs(last), under_way=is_locked(settings))
    return 0


@program.command(cls=_like("contact-sync forget C000123"), short_help="delete what is kept of a contact")
@click.argument("contact_id", metavar="ID")
@options.with_options(options.KEY, options.ACCOUNT, options.STATE, options.ALWAYS)
@click.pass_context
def forget(ctx: click.Context, /, contact_id: str, **params: Any) -> int:
    """Delete all that is kept of a contact: digests, history, and the text of the last run's rows."""
    console: Console = ctx.obj
    from contact_sync.ledger.state_dir import kept_ledger  # noqa: PLC0415
    from contact_sync.rules.cells import normalise_id  # noqa: PLC0415 - not for --help

    contact_id = normalise_id(contact_id)
    if not contact_id:
        raise ConfigError(_("There is no contactId: give the contact to forget."))
    with kept_ledger(settings_of(ctx, params)) as ledger:
        found = ledger.forget(contact_id, normalise_id)
    if found:
        console.say(
            ngettext(
                "Contact forgotten ({count} record deleted). Existing reports still contain it; delete them yourself.",
                "Contact forgotten ({count} records deleted). Existing reports still contain it; delete them yourself.",
                found,
            )
        )
    else:
        console.say(_("Nothing is stored about this contact."))
    return 0


# ---- cron


@program.command(
    cls=_like("contact-sync doctor --api-key-file /etc/contact-sync.key"), short_help="look whether all is well for the night"
)
@options.with_options(options.KEY, options.ACCOUNT, options.STATE, options.ALWAYS, options.JSON)
@click.pass_context
def doctor(ctx: click.Context, /, **params: Any) -> int:
    """Look whether all is well for the night: key, API, clock, state folder, last run, cron's environment; exit code 0 or 2."""
    console: Console = ctx.obj
    from contact_sync.cli.commands.doctor import examine  # noqa: PLC0415 - not for --help

    console.as_json = params.pop("as_json")
    return console.diagnose(examine(lambda: settings_of(ctx, params)))


@program.command(
    cls=_like("contact-sync schedule /srv/contacts.csv -- --account prod"),
    short_help="print a crontab line and a systemd timer",
)
@click.argument("source", metavar="FILE", type=options.FILE)
@click.argument("rest", metavar="[-- OPTIONS]", nargs=-1)
@options.option("--at", default="01:30", metavar="HH:MM", help="local time [01:30]")
@options.with_options(options.ALWAYS)
@click.pass_obj
def schedule(console: Console, /, source: Path, rest: tuple[str, ...], at: str, **_: Any) -> int:
    """Print a crontab line, and a systemd service and timer, that run FILE every night; nothing is changed."""
    from contact_sync.cli.commands.schedule import lines  # noqa: PLC0415 - not for --help

    console.print(lines(source, at, rest))
    return 0


@program.command(
    cls=_like("contact-sync sandbox --port 8080 --faults 500=5%,429=2%,latency=200ms"), short_help="serve a stand-in for the API"
)
@options.option("--port", type=click.IntRange(0, 65535), default=8080, metavar="N", help="loopback port; 0: any free one [8080]")
@options.option(
    "--faults", default="", metavar="SPEC", help="shares and values: 500, 429, retry-after, latency, drop, alter, seed"
)
@click.pass_obj
def sandbox(console: Console, port: int, faults: str) -> int:
    """Serve a stand-in for the API on 127.0.0.1, with made-up contacts, until interrupted."""
    from contact_sync.sandbox.server import parse_faults, serve_forever  # noqa: PLC0415 - not for --help

    serve_forever(port, parse_faults(faults), lambda url: console.say(f"The sandbox is at {url} (Ctrl-C ends it)."))
    return 0


@program.command(
    cls=_like("contact-sync completion bash >> ~/.bashrc"), short_help="print a script that completes commands and options"
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_obj
def completion(console: Console, shell: str) -> int:
    """Print a script for bash, zsh or fish that completes commands and options."""
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - not for --help

    if found := get_completion_class(shell):
        console.print(found(program, {}, "contact-sync", "_CONTACT_SYNC_COMPLETE").source())
    return 0


def main() -> int:
    """Run the program and return its exit code."""
    os.umask(0o077)
    _open_missing_streams()
    console = Console()
    try:
        code = int(program.main(standalone_mode=False, obj=console) or 0)
    except ContactSyncError as error:
        code = console.refuse(error)
    except click.ClickException as error:
        with contextlib.suppress(OSError, ValueError):
            error.show(sys.stderr)
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        code = 130
    except Exception as bug:  # nobody who reads a mail from cron wants a traceback
        log.info("a bug", exc_info=True)
        if isinstance(bug, OSError) and bug.errno in {errno.ENOSPC, errno.EPIPE}:  # under --help, or for a completion
            code = console.refuse(StorageError(_("The output cannot be written ({reason}).", reason=bug.strerror)))
        else:
            code = console.refuse(error_of(bug))
    _give_up_broken_streams()
    return code


def _open_missing_streams() -> None:
    """Give 0, 1 and 2 to nobody else where cron closed them: a ledger opened as 1 would be written on by a print."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _give_up_broken_streams() -> None:
    """Keep Python from changing the exit code, when it flushes for the last time, because a pipe is closed or a disk is full."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
