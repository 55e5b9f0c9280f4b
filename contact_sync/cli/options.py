"""The options that several commands share, each defined once."""

import datetime as dt
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from contact_sync import settings
from contact_sync.cli.config_file import use_config_file
from contact_sync.cli.program import Heading
from contact_sync.i18n import LANGUAGES, N_, _
from contact_sync.model.fields import MOST_UNDO_DAYS

_MAX_SECONDS = 31 * 86_400


class _Parsed(click.ParamType[Any]):
    """A type whose values `parse` reads from text; `sentence` is the usage error where it raises ValueError."""

    def __init__(self, parse: Callable[[str], Any], sentence: str, **values: object) -> None:
        self.name = parse.__name__
        self._parse, self._sentence, self._values = parse, sentence, values

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._parse(str(value))
        except ValueError:
            self.fail(_(self._sentence, **self._values), param, ctx)

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        return rv.split(";")


def _mode(text: str) -> int:
    if not re.fullmatch("0?[0-7]{3}", text) or int(text, 8) & ~0o666 or not int(text, 8) & 0o400:
        raise ValueError(text)
    return int(text, 8)


def _seconds(text: str) -> float:
    seconds = settings.number(text)
    if not 0 < seconds <= _MAX_SECONDS:
        raise ValueError(text)
    return seconds


def _delimiter(text: str) -> str:
    delimiter = {"tab": "\t", "\\t": "\t"}.get(text.casefold(), text)
    if len(delimiter) != 1 or delimiter in '"\r\n\0 ' or delimiter.isalnum():
        raise ValueError(text)
    return delimiter


def _time_of_day(text: str) -> dt.time:
    if not re.fullmatch("[0-9]{1,2}:[0-9]{2}", text):
        raise ValueError(text)
    hours, minutes = map(int, text.split(":"))
    return dt.time(hours, minutes)


def _renaming(text: str) -> tuple[str, str]:
    header, equals, name = (part.strip() for part in text.rpartition("="))
    if not (header and equals and name):
        raise ValueError(text)
    return header, name


class _Path(click.Path):
    """The name of a file or folder; the code that opens it reports what cannot be read or written, with its own exit code."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value) or "\0" in str(value):
            self.fail(_("write the name of a file or folder."), param, ctx)
        if str(value) == "-":
            self.fail(_("- is not read as the standard input or output: write the name of a file or folder."), param, ctx)
        return super().convert(settings.at_home(str(value)), param, ctx)


def whole_number(least: int, most: int) -> click.ParamType[Any]:
    """Return the type of a whole number within bounds."""

    def whole_number(text: str) -> int:
        if not re.fullmatch("[0-9]{1,20}", text) or not least <= int(text) <= most:
            raise ValueError(text)
        return int(text)

    return _Parsed(whole_number, N_("write a whole number from {least} to {most}."), least=least, most=most)


class Option(click.Option):
    """An option --some-name that also reads CONTACT_SYNC_SOME_NAME; a `former` name still works and is not shown.

    Its `heading` is the one that it has in a long help.
    """

    def __init__(self, *names: str, former: str = "", heading: Heading | None = None, **attributes: Any) -> None:
        names = (*names, former) if former else names
        long = [name.removeprefix("--").partition("/")[0] for name in names if name.startswith("--")]
        self._variables = [f"CONTACT_SYNC_{name.upper().replace('-', '_')}" for name in long]
        super().__init__(names, envvar=self._variables, **attributes)
        self._former = former
        self.heading = heading

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the first variable that is not empty, from the environment that `main` was given."""
        return next(filter(None, map(ctx.obj.env.get, self._variables)), None)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return names and help text, without the former name."""
        record = super().get_help_record(ctx)
        return (record[0].replace(f", {self._former}", ""), record[1]) if record and self._former else record


def _under(heading: Heading, *options: Option) -> tuple[Option, ...]:
    """Return options with their heading."""
    for option in options:
        option.heading = heading
    return options


def _choice(name: str, *words: str, help: str) -> Option:  # noqa: A002 - click's own name
    return Option(name, type=click.Choice(words), default=words[0], help=f"{help} [{words[0]}]")


PATH = _Path(readable=False, path_type=Path)
_RATE = _Parsed(
    settings.rate,
    N_("write attempts a second, as 5 or 2.5, or 300/min ({slowest} to {fastest}); 0 means no limit."),
    slowest=settings.SLOWEST_RATE,
    fastest=f"{settings.FASTEST_RATE:g}",
)
_REGION = _Parsed(settings.region, N_("write the two letters of a country, as FR."))
_PERCENT = _Parsed(settings.percent, N_("write a percentage from 0 to 100, as 50 or 50%."))
_MODE = _Parsed(_mode, N_("write permissions in octal, as 600 or 640."))
_DELIMITER = _Parsed(_delimiter, N_("write one of ; , tab | or another character that can separate cells."))
_TIME = _Parsed(_time_of_day, N_("write a time of day, as 02:00."))
_RENAMING = _Parsed(_renaming, N_("write the header, = and the field, as 'Mobile perso=phoneNumber'."))
_SECONDS = _Parsed(_seconds, N_("write a number of seconds above 0, at most {most}, as 30 or 2.5."), most=_MAX_SECONDS)
_MANY = 1_000_000_000  # more than any source has
NUMBER_OF_RUNS = whole_number(1, 1_000_000)


def _percent(name: str, *, default: str = "50", **attributes: Any) -> Option:
    return Option(name, type=_PERCENT, default=default, metavar="PERCENT", **attributes)


FILE = click.Argument(["source"], metavar="FILE", type=PATH)
FILES = click.Argument(["sources"], metavar="FILE...", type=PATH, nargs=-1, required=True)
LAST_RUN = click.Argument(["run"], metavar="[RUN]", default="")

KEY = _under(
    Heading.SENDING,
    Option("--api-key-file", type=PATH, metavar="PATH", help="file with the API key, readable only by you"),
    Option("--base-url", default=settings.BASE_URL, metavar="URL", help="address of the API; https"),
)
ACCOUNT = Option("--account", metavar="NAME", help="account name; keeps its ledger if the key changes", heading=Heading.STATE)
STATE = Option("--state-dir", type=PATH, metavar="DIR", help="folder of the ledger and its lock", heading=Heading.STATE)
URL = Option("--ledger", metavar="URL", help="postgresql://… [SQLite in the state folder]", heading=Heading.STATE)
LEDGER = (STATE, URL)
SANDBOX = Option("--sandbox", is_flag=True, help="rehearse on a local sandbox: no key, no network", heading=Heading.SENDING)
TEMPO = _under(
    Heading.SENDING,
    Option("--rate", type=_RATE, default="5", metavar="N", help="requests per second, or 300/min; 0: no limit [5]"),
    Option(
        "--workers",
        type=whole_number(1, settings.MAX_WORKERS),
        default=8,
        metavar="N",
        help="maximum number of requests in flight [8]",
    ),
    Option("--attempts", type=whole_number(1, 100), default=4, metavar="N", help="maximum number of attempts per row [4]"),
    Option("--timeout", type=_SECONDS, default=30.0, metavar="S", help="deadline of one attempt, in seconds [30]"),
)
PACE = _under(
    Heading.SENDING,
    *TEMPO,
    Option("--limit", type=whole_number(1, _MANY), metavar="N", help="send at most N rows"),
    Option("--max-duration", type=_SECONDS, metavar="S", help="stop sending after S seconds"),
    Option("--wait", type=_SECONDS, metavar="S", help="wait up to S seconds for another run to end"),
)
RESEND = Option("--resend", is_flag=True, help="also send rows that are already in place", heading=Heading.SENDING)
ALLOW_FORGOTTEN = Option(
    "--allow-forgotten", is_flag=True, help="also send contacts that were forgotten", heading=Heading.SENDING
)
DRY_RUN = Option("-n", "--dry-run", is_flag=True, help="do everything except sending", heading=Heading.SENDING)
LIVE = _under(
    Heading.SENDING,
    Option("--live", is_flag=True, help="read each contact before it is written [pulled files]"),
    _choice("--conflicts", "hold", "mine", "theirs", help="when SMS Partner, or a newer file, has changed a field as well"),
    Option("--allow-stop", is_flag=True, help="also change the number of a person who said STOP"),
    Option(
        "--undo-days",
        type=whole_number(0, MOST_UNDO_DAYS),
        default=MOST_UNDO_DAYS,
        metavar="N",
        help=f"days to keep the values before, for undo [{MOST_UNDO_DAYS}]",
    ),
)
VERIFY = _percent(
    "--verify", heading=Heading.SENDING, default="0", help="read this share of the updated contacts back at the end"
)
MAX_CONFLICTS = _percent(
    "--max-conflicts", heading=Heading.GUARDS, default="10", help="stop if more edited rows are conflicts [10]"
)
REPORTS = _under(
    Heading.REPORTS,
    Option("--report", type=PATH, metavar="PATH", help="the report [<stem>.results.csv next to FILE]"),
    Option("--workbook", type=PATH, metavar="PATH", help="marked-up workbook [next to the report], or none"),
    Option("--page", type=PATH, metavar="PATH", help="also write an HTML page; several files: a folder"),
    Option("--show-phones", is_flag=True, help="do not mask phone numbers on the page"),
    Option("--report-mode", type=_MODE, metavar="MODE", help="permissions of the reports [600]"),
)
READING = _under(
    Heading.SOURCE,
    _choice("--blank", "ask", "keep", "clear", help="empty cells keep or clear the value; ask: flag those emptied after a pull"),
    _choice("--duplicates", "refuse", "first", "last", help="when rows of one contact differ"),
    Option("--map", "renames", type=_RENAMING, multiple=True, metavar="H=FIELD", help="map a header to a field; repeatable"),
    Option("--sheet", metavar="NAME", help="sheet of a workbook [detected]"),
    Option("--encoding", metavar="NAME", help="encoding of a CSV file [detected]"),
    Option("--delimiter", type=_DELIMITER, metavar="C", help="delimiter of a CSV file [detected]"),
    _choice("--hidden", "refuse", "include", "skip", help="when rows are hidden"),
    Option("--region", type=_REGION, default="FR", metavar="CC", help="country of phone numbers without a prefix [FR]"),
)
GUARDS = _under(
    Heading.GUARDS,
    _percent("--max-invalid", help="send nothing if more rows are invalid [50]"),
    Option(
        "--max-clears", type=whole_number(0, _MANY), default=100, metavar="N", help="send nothing if more cells are cleared [100]"
    ),
    _percent(
        "--max-identity-changes", former="--max-strangers", help="send nothing if more contacts change names and number [50]"
    ),
    Option("--allow-empty", is_flag=True, help="accept a source without data rows"),
)
SCHEDULED = (
    Option(
        "--keep-days",
        heading=Heading.STATE,
        type=whole_number(1, 36_500),
        default=180,
        metavar="N",
        help="days to keep the history [180]",
    ),
    Option(
        "--expect-by",
        heading=Heading.SOURCE,
        type=_TIME,
        metavar="HH:MM",
        help="folder: fail if no file arrived by this time today",
    ),
)
PROGRESS = Option(
    "--progress", type=_SECONDS, metavar="S", help="print a line of progress every S seconds", heading=Heading.OUTPUT
)
PING = Option("--ping", metavar="URL", help="URL to notify at start and end (keep it secret)", heading=Heading.OUTPUT)
GENERAL = _under(
    Heading.OUTPUT,
    Option("--config", type=PATH, metavar="FILE", is_eager=True, callback=use_config_file, help="TOML file of these options"),
    Option("--lang", type=click.Choice(LANGUAGES), metavar="LANG", help="en or fr [the locale's]"),
)
JSON = Option("--json", "as_json", is_flag=True, help="print the result as JSON on stdout", heading=Heading.OUTPUT)
LOG_FILE = Option("--log-file", type=PATH, metavar="PATH", help="also write a log there", heading=Heading.OUTPUT)
OUTPUT = _under(
    Heading.OUTPUT,
    Option("-q", "--quiet", is_flag=True, help="print nothing unless something needs attention"),
    Option("-v", "--verbose", is_flag=True, help="log each row to stderr, without key and values"),
    LOG_FILE,
    _choice("--log-format", "text", "json", help="log format; json: one object per line"),
    *GENERAL,
    JSON,
)

FOR_CHECK = (FILE, DRY_RUN, *REPORTS, STATE, *READING, *GUARDS, PING, *OUTPUT)
FOR_RUN = (
    *(
        FILES,
        *KEY,
        SANDBOX,
        *PACE,
        ACCOUNT,
        RESEND,
        ALLOW_FORGOTTEN,
        DRY_RUN,
        *LIVE,
        VERIFY,
        *REPORTS,
        *LEDGER,
        *READING,
        *GUARDS,
        MAX_CONFLICTS,
    ),
    *(*SCHEDULED, PROGRESS, PING, *OUTPUT),
)
FOR_RETRY = (LAST_RUN, *KEY, *PACE, ACCOUNT, *LIVE, MAX_CONFLICTS, *REPORTS, *LEDGER, PING, *OUTPUT)
FOR_REPORT = (LAST_RUN, *KEY, ACCOUNT, *REPORTS, *LEDGER, *OUTPUT)
FOR_LEDGER = (*KEY, ACCOUNT, *LEDGER, *GENERAL)
