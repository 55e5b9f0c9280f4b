"""The command line: the commands, what each is told, and the exit code.

stdout carries data only (`--json`, `history`, `doctor`, `schedule`, `completion`, `--help`, `--version`); everything else is
stderr. Nothing here may stop a run because a terminal, a pipe or a disk that takes the output is gone.
"""

import contextlib
import dataclasses
import errno
import logging
import os
import shlex
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from contact_sync import __version__, inbox, options, settings
from contact_sync.console import Bars, Console
from contact_sync.errors import RANK, ConfigError, ContactSyncError, SourceError, StorageError
from contact_sync.language import phrase
from contact_sync.logs import keep_log
from contact_sync.model import LEFT, Summary
from contact_sync.ping import Ping
from contact_sync.settings import Settings

log = logging.getLogger(__name__)


class _ExampleFirst(click.Command):
    """A command whose help begins with an example."""

    example = ""

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
def run(ctx: click.Context, /, **told: Any) -> int:
    """Load FILE, validate it, send the rows that are not in place, and write the results report.

    FILE may be a folder: each file that has arrived in it is run, and put away into done/ or failed/ with its report.
    """
    return _go(ctx, told)


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
def check(ctx: click.Context, /, **told: Any) -> int:
    """Load and validate FILE and write the report; nothing is sent, and no key is needed."""
    return _go(ctx, told | {"dry_run": True, "remember": False})


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
def retry(ctx: click.Context, /, **told: Any) -> int:
    """Take up the last run again: send its rows that failed or did not have their turn, and bring its report up to date."""
    return _go(ctx, told)


@program.command(cls=_like("contact-sync report --report /tmp/again.csv"), short_help="write the last run's report again")
@click.argument("run", metavar="[RUN]", default="")
@options.with_options(options.KEY, options.ACCOUNT, options.REPORTS, options.STATE, options.TALK, options.JSON)
@click.pass_context
def report(ctx: click.Context, /, **told: Any) -> int:
    """Write the last run's report again, from the ledger."""
    return _go(ctx, told)


@program.command(cls=_like("contact-sync history --contact C000123"), short_help="how earlier runs went, and what became of whom")
@options.option("--contact", "contact_id", metavar="ID", help="what became of this contact")
@options.option("--last", type=click.IntRange(min=1), default=20, metavar="N", help="so many runs [20]")
@options.with_options(options.KEY, options.ACCOUNT, options.STATE, options.LANGUAGE, options.JSON)
@click.pass_context
def history(ctx: click.Context, /, contact_id: str | None, last: int, **told: Any) -> int:
    """Tell how the last runs went, or what became of one contact; no values are kept."""
    console: Console = ctx.obj
    from contact_sync.state import kept_ledger  # noqa: PLC0415 - not for --help

    console.as_json = told.pop("as_json")
    with kept_ledger(_settings(ctx, told), alone=False) as ledger:
        console.tell_history(ledger.history(contact_id) if contact_id else ledger.runs(last))
    return 0


@program.command(cls=_like("contact-sync forget C000123"), short_help="delete what is kept of a contact")
@click.argument("contact_id", metavar="ID")
@options.with_options(options.KEY, options.ACCOUNT, options.STATE, options.LANGUAGE)
@click.pass_context
def forget(ctx: click.Context, /, contact_id: str, **told: Any) -> int:
    """Delete all that is kept of a contact: digests, history, and the text of the last run's rows."""
    console: Console = ctx.obj
    from contact_sync.state import kept_ledger  # noqa: PLC0415 - not for --help

    with kept_ledger(_settings(ctx, told)) as ledger:
        found = ledger.forget(contact_id)
    if found:
        console.say(phrase("Forgotten, in {count} places. Reports that stand elsewhere are yours to delete.", count=found))
    else:
        console.say(phrase("Nothing is kept of this contact."))
    return 0


# ---- cron


@program.command(
    cls=_like("contact-sync doctor --api-key-file /etc/contact-sync.key"), short_help="look whether all is well for the night"
)
@options.with_options(options.KEY, options.ACCOUNT, options.STATE, options.LANGUAGE, options.JSON)
@click.pass_context
def doctor(ctx: click.Context, /, **told: Any) -> int:
    """Look whether all is well for the night: key, API, clock, state folder, last run, cron's environment; exit code 0 or 2."""
    console: Console = ctx.obj
    from contact_sync.doctor import examine  # noqa: PLC0415 - not for --help

    console.as_json = told.pop("as_json")
    key, findings = examine(lambda: _settings(ctx, told))
    console.secrets.append(key)
    return console.diagnose(findings)


@program.command(
    cls=_like("contact-sync schedule /srv/contacts.csv -- --account prod"),
    short_help="print a crontab line and a systemd timer",
)
@click.argument("source", metavar="FILE", type=options.FILE)
@click.argument("rest", metavar="[-- OPTIONS]", nargs=-1)
@options.option("--at", default="01:30", metavar="HH:MM", help="local time [01:30]")
@options.with_options(options.LANGUAGE)
@click.pass_obj
def schedule(console: Console, /, source: Path, rest: tuple[str, ...], at: str, **_: Any) -> int:
    """Print a crontab line, and a systemd service and timer, that run FILE every night; nothing is changed."""
    from contact_sync.schedule import lines  # noqa: PLC0415 - not for --help

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
    from contact_sync.sandbox import parse_faults, serve_forever  # noqa: PLC0415 - not for --help

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


# ---- what a command is told


def _go(ctx: click.Context, told: dict[str, Any]) -> int:
    """Do what a command is for, tell of it, and return the exit code."""
    console: Console = ctx.obj
    console.quiet, console.as_json = told.pop("quiet"), told.pop("as_json")
    try:
        ping = Ping(told.get("ping"))
        console.secrets.append(told.get("ping") or "")
        keep_log(console.clean, verbose=told["verbose"], path=told["log_file"], as_json=told["log_format"] == "json")
    except ContactSyncError as error:
        return console.refuse(error, told.get("source"))
    ping.start()
    code, sentence = ContactSyncError.exit_code, ""
    try:
        if "expect_by" in told and os.path.isdir(told["source"]):  # noqa: PTH112 - which does not raise
            code, sentence = _each(ctx, told)
        else:
            code, sentence, _ = _one(ctx, told)
    except KeyboardInterrupt:
        code = 130
        raise
    finally:
        ping.end(code, sentence)
    return code


def _one(ctx: click.Context, told: dict[str, Any]) -> inbox.Ended:
    """Do it for one file, and tell how that ended."""
    console: Console = ctx.obj
    try:
        chosen = _settings(ctx, told)
        console.secrets.append("" if chosen.sandbox else chosen.key)
        from contact_sync import run as works  # noqa: PLC0415 - not for --help

        work = {"retry": works.retry, "report": works.rewrite}.get(str(ctx.info_name), works.run)
        with Bars(shown=not console.quiet) as bars:
            summary = work(chosen, bars)
    except ContactSyncError as error:
        return inbox.Ended(console.refuse(error, told.get("source")), console.clean(str(error)), is_open=False)
    return inbox.Ended(console.conclude(summary, _next(ctx, summary)), "", summary.is_open)


def _each(ctx: click.Context, told: dict[str, Any]) -> tuple[int, str]:
    """Do it for each file that has arrived in a folder; return the exit code, and what is missing."""
    console: Console = ctx.obj
    folder: Path = told["source"]

    def one(path: Path) -> inbox.Ended:
        try:
            return _one(ctx, told | {"source": path, "report": inbox.report_of(path)})
        except Exception as bug:  # which must not keep the others from being run
            log.exception("with %s", path.name)
            return inbox.Ended(console.refuse(_bug(bug), path), "", is_open=True)

    def moved(path: Path, place: Path, code: int) -> None:
        from contact_sync.state import ledger_of  # noqa: PLC0415 - not for --help

        with ledger_of(_settings(ctx, told)) as ledger:
            ledger.moved(path, place)
        if code or not console.quiet:
            console.say(phrase("{path} is now {place}.", path=path, place=place))

    codes: list[int] = []
    try:
        if told["report"] or told["page"] or told["workbook"] not in {None, settings.NOWHERE}:
            raise ConfigError(
                phrase(
                    "{path} is a folder, so each file has its own reports: leave out --report, --workbook and --page.",
                    path=folder,
                )
            )
        rehearsal = told["sandbox"] or told["dry_run"]
        codes.extend(inbox.each(folder, one, moved, expected=told["expect_by"], rehearsal=rehearsal))
        if not codes and not console.quiet:
            console.say(phrase("No file has arrived in {path}.", path=folder))
    except ContactSyncError as error:
        return min([*codes, console.refuse(error, folder)], key=RANK.index), console.clean(str(error))
    return min(filter(None, codes), key=RANK.index, default=0), ""


def _settings(ctx: click.Context, told: dict[str, Any]) -> Settings:
    """What a command was told, checked."""
    known = {field.name for field in dataclasses.fields(Settings)}
    chosen = {name: value for name, value in told.items() if name in known and value is not None}
    if "source" in chosen:
        source: Path = chosen["source"]
        chosen.setdefault("report", source.parent / f"{source.stem}.results.csv")
    chosen["send"] = not told.get("dry_run")
    chosen.setdefault("state_dir", _default_state_dir())
    chosen["renames"] = dict(told.get("renames", ()))
    if "base_url" in chosen:
        chosen["base_url"] = settings.base_url(chosen["base_url"])
        chosen["key"] = "sandbox" if told.get("sandbox") else _key(ctx, told["api_key_file"])
        if "rate" in chosen and not (chosen["key"] or (told["account"] and not chosen["send"])):
            raise ConfigError(
                phrase("There is no API key: name a file that holds it with --api-key-file, or set CONTACT_SYNC_API_KEY.")
            )
    return Settings(**chosen)


def _key(ctx: click.Context, path: Path | None) -> str:
    """The API key: option, then CONTACT_SYNC_API_KEY, then CONTACT_SYNC_API_KEY_FILE, then the config file; empty if none."""
    said = ctx.get_parameter_source("api_key_file")
    variable = os.environ.get("CONTACT_SYNC_API_KEY", "")
    if variable and said is not ParameterSource.COMMANDLINE:
        return settings.api_key(variable, "CONTACT_SYNC_API_KEY")
    return settings.api_key_file(path) if path else ""


def _default_state_dir() -> Path:
    import platformdirs  # noqa: PLC0415 - not for --help

    return platformdirs.user_state_path("contact-sync")


_ACCOUNT_OPTIONS = ("api_key_file", "base_url", "account", "state_dir", "config")


def _next(ctx: click.Context, summary: Summary) -> str:
    """The command to type next, with the options that say which account it is about; empty where there is nothing to do."""
    again = {*LEFT} & summary.outcomes.keys()
    rehearsal = ctx.info_name not in {"run", "retry"} or ctx.params.get("sandbox") or ctx.params.get("dry_run")
    if not again or rehearsal or summary.exit_code == SourceError.exit_code:
        return ""
    given = [name for name in _ACCOUNT_OPTIONS if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    options = [part for name in given for part in (f"--{name.replace('_', '-')}", str(ctx.params[name]))]
    return shlex.join(["contact-sync", "retry", *options])


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
        if isinstance(bug, OSError) and bug.errno in {errno.ENOSPC, errno.EPIPE}:  # under --help or --version
            code = console.refuse(StorageError(phrase("The output cannot be written ({reason}).", reason=bug.strerror)))
        else:
            code = console.refuse(_bug(bug))
    _give_up_broken_streams()
    return code


def _bug(bug: Exception) -> ContactSyncError:
    return ContactSyncError(
        phrase("A bug in contact-sync: {bug}. Run it again with -v, and report what it prints.", bug=type(bug).__name__)
    )


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
