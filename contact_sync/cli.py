"""The command line: options, environment and config file from one definition; all that is printed, and the exit code.

stdout carries data only (`--json`, `--help`, `--version`); everything else is stderr. Nothing here may stop a run because a
terminal, a pipe or a disk that takes the output is gone.
"""

import contextlib
import errno
import logging
import math
import os
import sys
import tomllib
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from contact_sync import __version__, settings
from contact_sync.console import Bars, Console
from contact_sync.errors import ConfigError, ContactSyncError, StorageError

log = logging.getLogger(__name__)


class _Rate(click.ParamType[Any]):
    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return settings.rate(str(value))
        except ValueError:
            self.fail("write attempts a second, as 5 or 2.5, or 300/min; 0 means no limit.", param, ctx)


class _Mode(click.ParamType[Any]):
    name = "mode"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            mode = int(str(value), 8)
        except ValueError:
            mode = -1
        if mode & ~0o666 or not mode & 0o400:
            self.fail("write permissions in octal, as 600 or 640.", param, ctx)
        return mode


class _Delimiter(click.ParamType[Any]):
    name = "character"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        delimiter = {"tab": "\t", "\\t": "\t"}.get(str(value), str(value))
        if len(delimiter) != 1 or delimiter in '"\r\n':
            self.fail("write one character, or tab.", param, ctx)
        return delimiter


def _option(*names: str, **attributes: Any) -> Callable[[Any], Any]:
    """Define an option that also reads CONTACT_SYNC_ and its own name."""
    long = next(name for name in names if name.startswith("--")).removeprefix("--")
    return click.option(*names, envvar=f"CONTACT_SYNC_{long.upper().replace('-', '_')}", **attributes)


def _use_config(ctx: click.Context, _: click.Parameter, value: Path | None) -> Path | None:
    """Make what the config file says the default of the other options."""
    import platformdirs  # noqa: PLC0415 - not for --help

    path = value or platformdirs.user_config_path("contact-sync") / "config.toml"
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        if value is None and isinstance(error, FileNotFoundError | NotADirectoryError):
            return None
        raise ConfigError(f"The config file {path} cannot be read ({error.strerror}): check --config.") from error
    except ValueError as error:
        raise ConfigError(f"The config file {path} is not valid TOML: {error}.") from error
    # A config file serves every command, so that what only `run` understands does not trouble `check`.
    known = {_long(parameter): str(parameter.name) for command in (run, check) for parameter in command.params}
    if unknown := sorted(told.keys() - (known.keys() - {"config", "source"})):
        raise ConfigError(f"The config file {path} has no option for “{unknown[0]}”: write the names of the options, without --.")
    ctx.default_map = {known[name]: _plain(name, setting, path) for name, setting in told.items()}
    return path


def _plain(name: str, setting: Any, path: Path) -> str | list[str]:
    """A setting as text, as the environment would give it, so that the option's own type says what is wrong with it."""
    settings = setting if isinstance(setting, list) else [setting]
    if isinstance(setting, dict) or (isinstance(setting, list) and name != "map"):
        raise ConfigError(f"The config file {path} has several values for “{name}”: write one.")
    return [str(each) for each in settings] if name == "map" else str(setting)


def _long(parameter: click.Parameter) -> str:
    return max(parameter.opts, key=len).removeprefix("--")


class _Renaming(click.ParamType[Any]):
    name = "renaming"
    envvar_list_splitter = ";"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        header, equals, name = str(value).rpartition("=")
        if not (header.strip() and equals and name.strip()):
            self.fail("write the header, = and the field, as 'Mobile perso=phoneNumber'.", param, ctx)
        return header.strip(), name.strip()


class _Finite(click.FloatRange):
    """A range without nan, which no bound stops, and without infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


_FILE = click.Path(path_type=Path)
_SECONDS = _Finite(min=0, min_open=True)
_AT_LEAST_ONE = click.IntRange(min=1)

_SENDING = (
    _option("--api-key-file", type=_FILE, metavar="PATH", help="file that holds the API key, readable by you alone"),
    _option("--base-url", default=settings.BASE_URL, metavar="URL", help="the API's address; https"),
    _option("--sandbox", is_flag=True, help="rehearse against a sandbox: no key, no network"),
    _option("--rate", type=_Rate(), default="5", metavar="N", help="requests a second, or 300/min; 0: no limit [5]"),
    _option("--workers", type=_AT_LEAST_ONE, default=8, metavar="N", help="requests in flight at most [8]"),
    _option("--attempts", type=_AT_LEAST_ONE, default=4, metavar="N", help="attempts a row at most [4]"),
    _option("--timeout", type=_SECONDS, default=30.0, metavar="S", help="seconds for the whole of one attempt [30]"),
    _option("--account", metavar="NAME", help="name the account, so that a new key keeps its memory"),
    _option("--resend", is_flag=True, help="send also what the ledger says is in place"),
    _option("--limit", type=_AT_LEAST_ONE, metavar="N", help="send at most N rows"),
    _option("--max-duration", type=_SECONDS, metavar="S", help="stop sending after S seconds"),
)

_READING = (
    _option("-n", "--dry-run", is_flag=True, help="everything but sending"),
    _option("--report", type=_FILE, metavar="PATH", help="the report [<stem>.results.csv beside FILE]"),
    _option("--report-mode", type=_Mode(), default="600", metavar="MODE", help="permissions of the report [600]"),
    _option("--state-dir", type=_FILE, metavar="DIR", help="where ledger and lock are kept"),
    _option(
        "--blank", type=click.Choice(["keep", "clear"]), default="keep", metavar="HOW", help="an empty cell: keep or clear [keep]"
    ),
    _option(
        "--duplicates",
        type=click.Choice(["refuse", "first", "last"]),
        default="refuse",
        metavar="HOW",
        help="rows that disagree: refuse, first or last [refuse]",
    ),
    _option("--map", "renames", type=_Renaming(), multiple=True, metavar="H=FIELD", help="a column not recognised; repeatable"),
    _option("--sheet", metavar="NAME", help="sheet of a workbook [found out]"),
    _option("--encoding", metavar="NAME", help="encoding of a CSV file [found out]"),
    _option("--delimiter", type=_Delimiter(), metavar="C", help="delimiter of a CSV file [found out]"),
    _option(
        "--hidden",
        type=click.Choice(["refuse", "include", "skip"]),
        default="refuse",
        metavar="HOW",
        help="hidden rows: refuse, include or skip [refuse]",
    ),
    _option("--region", default="FR", metavar="CC", help="how a national phone number is read [FR]"),
    _option(
        "--max-invalid",
        type=_Finite(0, 100),
        default=50.0,
        metavar="PERCENT",
        help="send nothing if more rows are invalid [50]",
    ),
    _option(
        "--max-clears",
        type=click.IntRange(min=0),
        default=100,
        metavar="N",
        help="send nothing if more cells would be emptied [100]",
    ),
    _option(
        "--max-strangers",
        type=_Finite(0, 100),
        default=50.0,
        metavar="PERCENT",
        help="send nothing if more change name and number [50]",
    ),
    _option("--allow-empty", is_flag=True, help="a source without a data row is no error"),
    _option(
        "--config", type=_FILE, metavar="FILE", is_eager=True, callback=_use_config, help="TOML, keys named like the options"
    ),
    _option("-q", "--quiet", is_flag=True, help="print nothing unless something needs attention"),
    _option("-v", "--verbose", is_flag=True, help="print more; never the key, never field values"),
    _option("--json", "as_json", is_flag=True, help="one JSON object on stdout at the end"),
)


def _with(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


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


@program.command(
    cls=_like("contact-sync run contacts.xlsx --api-key-file /etc/contact-sync.key"),
    short_help="load, validate, send, write the report",
)
@click.argument("source", metavar="FILE", type=_FILE)
@_with(*_SENDING, *_READING)
@click.pass_context
def run(ctx: click.Context, /, **options: Any) -> int:
    """Load FILE, validate it, send the rows that are not in place, and write the results report."""
    return _go(ctx, options, remember=True)


@program.command(cls=_like("contact-sync check contacts.xlsx"), short_help="load, validate, write the report; nothing is sent")
@click.argument("source", metavar="FILE", type=_FILE)
@_with(*_READING)
@click.pass_context
def check(ctx: click.Context, /, **options: Any) -> int:
    """Load and validate FILE and write the report; nothing is sent, and no key is needed."""
    return _go(ctx, options, remember=False)


@program.command(
    cls=_like("contact-sync sandbox --port 8080 --faults 500=5%,429=2%,latency=200ms"), short_help="serve a stand-in for the API"
)
@_option("--port", type=click.IntRange(0, 65535), default=8080, metavar="N", help="loopback port; 0: any free one [8080]")
@_option("--faults", default="", metavar="SPEC", help="shares and values: 500, 429, retry-after, latency, drop, alter, seed")
@click.pass_obj
def sandbox(console: Console, port: int, faults: str) -> int:
    """Serve a stand-in for the API on 127.0.0.1, with made-up contacts, until interrupted."""
    from contact_sync.sandbox import parse_faults, serve_forever  # noqa: PLC0415 - not for --help

    serve_forever(port, parse_faults(faults), lambda url: console.say(f"The sandbox is at {url} (Ctrl-C ends it)."))
    return 0


def _go(ctx: click.Context, options: dict[str, Any], *, remember: bool) -> int:
    console: Console = ctx.obj
    console.quiet, console.as_json = options.pop("quiet"), options.pop("as_json")
    try:
        told = _settings(ctx, options, remember=remember)
        console.secret = "" if told.sandbox else told.key
        _log(console, verbose=options["verbose"])
        from contact_sync.run import run as go  # noqa: PLC0415 - not for --help

        with Bars(shown=not console.quiet) as bars:
            summary = go(told, bars)
    except ContactSyncError as error:
        return console.refuse(error, options["source"])
    return console.conclude(summary)


def _log(console: Console, *, verbose: bool) -> None:
    """Log to stderr, without the key, whoever is speaking; other libraries only when something is wrong."""

    class Clean(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return console.clean(super().format(record))

    to_stderr = logging.StreamHandler()
    to_stderr.setFormatter(Clean("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[to_stderr], level=logging.WARNING if verbose else logging.CRITICAL, force=True)
    logging.getLogger("contact_sync").setLevel(logging.INFO if verbose else logging.CRITICAL)
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False


def _settings(ctx: click.Context, options: dict[str, Any], *, remember: bool) -> settings.Settings:
    source: Path = options["source"]
    report = options["report"] or source.parent / f"{source.stem}.results.csv"
    send = remember and not options["dry_run"]
    chosen = {
        name: value
        for name, value in options.items()
        if name not in {"api_key_file", "config", "verbose", "dry_run", "report", "state_dir", "renames", "base_url"}
    }
    if remember:
        chosen["base_url"] = settings.base_url(options["base_url"])
        chosen["key"] = "sandbox" if options["sandbox"] else _key(ctx, options["api_key_file"])
        if not (chosen["key"] or (options["account"] and not send)):
            raise ConfigError("There is no API key: name a file that holds it with --api-key-file, or set CONTACT_SYNC_API_KEY.")
    return settings.Settings(
        report=report,
        send=send,
        remember=remember,
        state_dir=options["state_dir"] or _default_state_dir(),
        renames=dict(options["renames"]),
        **chosen,
    )


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
            code = console.refuse(StorageError(f"The output cannot be written ({bug.strerror})."))
        else:
            told = f"A bug in contact-sync: {type(bug).__name__}. Run it again with -v, and report what it prints."
            code = console.refuse(ContactSyncError(told))
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
