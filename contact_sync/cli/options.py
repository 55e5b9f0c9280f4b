"""Every option of the command line, each defined once: its type, its default, its variable and its place in the config file."""

import datetime as dt
import math
import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from contact_sync import settings
from contact_sync.errors import ConfigError
from contact_sync.i18n import LANGUAGES, _, set_language


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
        delimiter = {"tab": "\t", "\\t": "\t"}.get(str(value).casefold(), str(value))
        if len(delimiter) != 1 or delimiter in '"\r\n\0 ' or delimiter.isalnum():
            self.fail("write one of ; , tab | or another character that can part cells.", param, ctx)
        return delimiter


class _TimeOfDay(click.ParamType[Any]):
    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.time:
        try:
            hours, minutes = map(int, str(value).split(":"))
            return dt.time(hours, minutes)
        except ValueError:
            self.fail("write a time of day, as 02:00.", param, ctx)


class _Renaming(click.ParamType[Any]):
    name = "renaming"
    envvar_list_splitter = ";"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        header, equals, name = str(value).rpartition("=")
        if not (header.strip() and equals and name.strip()):
            self.fail("write the header, = and the field, as 'Mobile perso=phoneNumber'.", param, ctx)
        return header.strip(), name.strip()


class _Path(click.Path):
    """A name of a file or folder; what cannot be read or written is for those who open it, each with an exit code of its own."""

    def __init__(self) -> None:
        super().__init__(readable=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value) or "\0" in str(value):
            self.fail("write the name of a file or folder.", param, ctx)
        return super().convert(value, param, ctx)


class _Finite(click.FloatRange):
    """A range without nan, which no bound stops, and without infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


class Option(click.Option):
    """An option that may have a former name, which still works and is not shown."""

    def __init__(self, *args: Any, former: str = "", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.former = former

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Describe the option, without its former name."""
        names, self.opts = self.opts, [name for name in self.opts if name != self.former]
        try:
            return super().get_help_record(ctx)
        finally:
            self.opts = names


def option(*names: str, former: str = "", **attributes: Any) -> Callable[[Any], Any]:
    """Define an option that also reads CONTACT_SYNC_ and its own name; `former` is a name that it had before."""
    long = [name for name in (*names, former) if name.startswith("--")]
    variables = [f"CONTACT_SYNC_{name.removeprefix('--').upper().replace('-', '_')}" for name in long]
    names = (*names, former) if former else names
    return click.option(*names, cls=Option, former=former, envvar=variables, **attributes)


def _use_config(ctx: click.Context, _parameter: click.Parameter, value: Path | None) -> Path | None:
    """Make what the config file says the default of the other options."""
    import platformdirs  # noqa: PLC0415 - not for --help

    path = value or platformdirs.user_config_path("contact-sync") / "config.toml"
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        if value is None and isinstance(error, FileNotFoundError | NotADirectoryError):
            return None
        sentence = _("The config file {path} cannot be read ({reason}): check --config.", path=path, reason=error.strerror)
        raise ConfigError(sentence) from error
    except ValueError as error:
        raise ConfigError(_("The config file {path} is not valid TOML: {reason}.", path=path, reason=error)) from error
    # A config file serves every command, so that what only `run` understands does not trouble `check`.
    program = ctx.find_root().command
    commands = program.commands.values() if isinstance(program, click.Group) else ()
    options = [each for command in commands for each in command.params if each.param_type_name == "option"]
    known = {name.removeprefix("--"): str(each.name) for each in options for name in each.opts if name.startswith("--")}
    if unknown := sorted(written.keys() - (known.keys() - {"config"})):
        raise ConfigError(
            _(
                "The config file {path} has an unknown key “{name}”: use the names of the options, without --.",
                path=path,
                name=unknown[0],
            )
        )
    ctx.default_map = {known[name]: _plain(name, setting, path) for name, setting in written.items()}
    return path


def _plain(name: str, setting: Any, path: Path) -> str | list[str]:
    """A setting as text, as the environment would give it, so that the option's own type says what is wrong with it."""
    texts = list(map(str, setting)) if isinstance(setting, list) else [str(setting)]
    if isinstance(setting, dict) or (isinstance(setting, list) and name != "map"):
        raise ConfigError(_("The config file {path} has several values for “{name}”: write one.", path=path, name=name))
    return texts if name == "map" else texts[0]


def _choose_language(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str:
    """Use the language that is asked for, else that of the locale, from now on."""
    variables = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    language = value or next(filter(None, variables), "")[:2]
    set_language(language if language in LANGUAGES else "en")
    return language


FILE = _Path()
_SECONDS = _Finite(min=0, min_open=True)
_AT_LEAST_ONE = click.IntRange(min=1)
_PERCENT = _Finite(0, 100)


def _choice(name: str, *words: str, help: str) -> Callable[[Any], Any]:  # noqa: A002 - click's own name
    return option(name, type=click.Choice(words), default=words[0], help=f"{help} [{words[0]}]")


KEY = (
    option("--api-key-file", type=FILE, metavar="PATH", help="file that holds the API key, readable by you alone"),
    option("--base-url", default=settings.BASE_URL, metavar="URL", help="the API's address; https"),
)
ACCOUNT = (option("--account", metavar="NAME", help="name the account, so that a new key keeps its memory"),)
STATE = (option("--state-dir", type=FILE, metavar="DIR", help="where ledger and lock are kept"),)
REHEARSAL = (option("--sandbox", is_flag=True, help="rehearse against a sandbox: no key, no network"),)
PACE = (
    option("--rate", type=_Rate(), default="5", metavar="N", help="requests a second, or 300/min; 0: no limit [5]"),
    option("--workers", type=_AT_LEAST_ONE, default=8, metavar="N", help="requests in flight at most [8]"),
    option("--attempts", type=_AT_LEAST_ONE, default=4, metavar="N", help="attempts a row at most [4]"),
    option("--timeout", type=_SECONDS, default=30.0, metavar="S", help="seconds for the whole of one attempt [30]"),
    option("--limit", type=_AT_LEAST_ONE, metavar="N", help="send at most N rows"),
    option("--max-duration", type=_SECONDS, metavar="S", help="stop sending after S seconds"),
)
RESEND = (option("--resend", is_flag=True, help="send also what the ledger says is in place"),)
DRY_RUN = (option("-n", "--dry-run", is_flag=True, help="everything but sending"),)
REPORTS = (
    option("--report", type=FILE, metavar="PATH", help="the report [<stem>.results.csv beside FILE]"),
    option("--workbook", type=FILE, metavar="PATH", help="the source marked up [beside the report of a workbook]; none"),
    option("--page", type=FILE, metavar="PATH", help="the report as an HTML page"),
    option("--show-phones", is_flag=True, help="phone numbers on the page in full"),
    option("--report-mode", type=_Mode(), metavar="MODE", help="permissions of the report [600]"),
)
SOURCE = (
    _choice("--blank", "keep", "clear", help="an empty cell keeps the stored value, or clears it"),
    _choice("--duplicates", "refuse", "first", "last", help="rows of one contact that disagree"),
    option("--map", "renames", type=_Renaming(), multiple=True, metavar="H=FIELD", help="a column not recognised; repeatable"),
    option("--sheet", metavar="NAME", help="sheet of a workbook [found out]"),
    option("--encoding", metavar="NAME", help="encoding of a CSV file [found out]"),
    option("--delimiter", type=_Delimiter(), metavar="C", help="delimiter of a CSV file [found out]"),
    _choice("--hidden", "refuse", "include", "skip", help="hidden rows"),
    option("--region", default="FR", metavar="CC", help="how a national phone number is read [FR]"),
)
GUARDS = (
    option("--max-invalid", type=_PERCENT, default=50.0, metavar="PERCENT", help="send nothing if more rows are invalid [50]"),
    option("--max-clears", type=click.IntRange(0), default=100, metavar="N", help="send nothing if more cells are emptied [100]"),
    option(
        "--max-identity-changes",
        "max_identity_changes",
        former="--max-strangers",
        type=_PERCENT,
        default=50.0,
        metavar="PERCENT",
        help="send nothing if more change name and number [50]",
    ),
    option("--allow-empty", is_flag=True, help="a source without a data row is no error"),
)
KEEPING = (
    option("--keep-days", type=click.IntRange(1, 36_500), default=180, metavar="N", help="days that the history is kept [180]"),
)
INBOX = (
    option(
        "--expect-by", type=_TimeOfDay(), metavar="HH:MM", help="for a folder: it is an error if no file came today by this time"
    ),
)
PING = (option("--ping", metavar="URL", help="tell this address of start and end; a secret"),)
ALWAYS = (
    option("--config", type=FILE, metavar="FILE", is_eager=True, callback=_use_config, help="TOML, keys named like the options"),
    option("--lang", type=click.Choice(LANGUAGES), metavar="LANG", callback=_choose_language, help="en or fr [the locale's]"),
)
TALK = (
    option("-q", "--quiet", is_flag=True, help="print nothing unless something needs attention"),
    option("-v", "--verbose", is_flag=True, help="print more; never the key, never field values"),
    option("--log-file", type=FILE, metavar="PATH", help="write a log there too, after what is in it"),
    _choice("--log-format", "text", "json", help="form of the log; json: one object a line"),
    *ALWAYS,
)
JSON = (option("--json", "as_json", is_flag=True, help="one JSON object on stdout at the end"),)


def with_options(*groups: tuple[Callable[[Any], Any], ...]) -> Callable[[Any], Any]:
    """Give a command the options of these groups, in this order."""

    def decorate(command: Any) -> Any:
        for each in reversed([option for group in groups for option in group]):
            command = each(command)
        return command

    return decorate
