"""The program and its commands by name: the one place that imports late.

`--help`, completion and the config file need every command module, so these must import fast. What a command calls, its `work`,
may need pandas or an HTTP client: it is imported when the command runs.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pkgutil import resolve_name
from typing import Any

import click
from click.core import ParameterSource

from contact_sync import __version__
from contact_sync.cli.console import Console, bug_error, log_bug
from contact_sync.display import keys_in
from contact_sync.files.lock import check_system
from contact_sync.i18n import LANGUAGES, _

Work = Callable[..., int]

COMMANDS = (
    *("run", "check", "plan", "pull", "undo", "probe", "retry", "report", "history", "forget"),
    *("ledger", "doctor", "schedule", "sandbox", "completion", "help"),
)
"""Names of the commands, in the order of `--help`; each is also the name of its file and of the function in it."""


_MAY_LOOK_LIKE_KEYS = {"contact_id", "ping", "rest"}  # parameters; `rest` is parsed once more

_COLUMN = 24  # width of the names of options in a help
_LONG = 25  # options from which on a help has headings


class Heading(StrEnum):
    """The headings of the options in a long help, in its order."""

    OWN = "Options"  # of the command alone
    SOURCE = "Source"
    SENDING = "Sending"
    REPORTS = "Reports"
    GUARDS = "Guards"
    STATE = "State"
    OUTPUT = "Output"


@dataclass(frozen=True, slots=True)
class Process:
    """The surroundings of a command: its environment variables and its output."""

    env: Mapping[str, str]
    console: Console


class _Formatter(click.HelpFormatter):
    """A formatter with a narrow first column, so that one long option does not move all descriptions to the right."""

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = _COLUMN, col_spacing: int = 2) -> None:
        super().write_dl(rows, col_max, col_spacing)


class Context(click.Context):
    """The click context of a command."""

    formatter_class = _Formatter
    obj: Process


class Command(click.Command):
    """A command whose help begins with an example; its function gets the context, its `work` if any, and the options."""

    context_class = Context

    def __init__(self, *args: Any, example: str, work: str = "", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.example = example
        self.work = work

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        """Parse the arguments, or print the help; a broken pipe is not an error under help."""
        try:
            return super().make_context(*args, **more)
        except BrokenPipeError as closed:
            raise click.exceptions.Exit(0) from closed

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; the API key in a wrong place is an error, before it is kept or printed as a name."""
        rest = super().parse_args(ctx, args)
        for parameter in self.params:
            given = ctx.params.get(str(parameter.name))
            for text in map(str, given if isinstance(given, tuple) else (given,)):
                if parameter.name not in _MAY_LOOK_LIKE_KEYS and keys_in(text) and not os.path.lexists(text):
                    sentence = _(
                        "this looks like an API key: write the key into a file, and the path of the file after --api-key-file."
                    )
                    raise click.BadParameter(sentence, ctx, parameter, _place_of(ctx, parameter))
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a broken pipe in it is a bug, which click would take for one of the output and exit silently."""
        if self.work:
            check_system()
        work = [resolve_name(self.work)] if self.work else []
        try:
            if self.callback is None:  # the group
                return super().invoke(ctx)
            return ctx.invoke(self.callback, ctx, *work, **ctx.params)
        except BrokenPipeError as bug:
            log_bug(bug, __name__)
            raise bug_error(bug) from bug

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example, then the help."""
        formatter.write(f"Example: {self.example}\n\n")
        super().format_help(ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, many of them under their headings; that of the help itself comes last."""
        options = [option for option in self.get_params(ctx) if isinstance(option, click.Option)]
        if len(options) < _LONG:
            super().format_options(ctx, formatter)
            return
        records: dict[Heading, list[tuple[str, str]]] = {heading: [] for heading in Heading}
        for option in options:
            heading = getattr(option, "heading", Heading.OUTPUT) or Heading.OWN
            names, text = option.get_help_record(ctx) or ("", "")
            records[heading].append((f"{names:<{_COLUMN}}", text))  # so that all groups have one left column
        for heading, found in records.items():
            if found:
                with formatter.section(heading):
                    formatter.write_dl(found)


def _place_of(ctx: click.Context, parameter: click.Parameter) -> str | None:
    """Return where a value was found; None for the command line."""
    match ctx.get_parameter_source(str(parameter.name)):
        case ParameterSource.ENVIRONMENT:
            return next((f"'{name}'" for name in parameter.envvar or () if ctx.obj.env.get(name)), None)
        case ParameterSource.DEFAULT_MAP:
            return f"'{parameter.opts[-1].removeprefix('--')}' ({ctx.params.get('config')})"
    return None


def command(
    *parameters: click.Parameter, example: str, summary: str, work: str = "", **attributes: Any
) -> Callable[[Callable[..., int]], Command]:
    """Make a command of a function that returns the exit code; its docstring is the help text.

    The function gets the context, then, where the command has one, its `work` (`package.module:function` or `package.module`),
    and the values of the `parameters` by name. The `attributes` are click's.
    """
    return click.command(cls=Command, params=list(parameters), short_help=summary, example=example, work=work, **attributes)


class Program(Command, click.Group):
    """The group of the commands, each imported when it is asked for."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names in the order of registration."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Import a command; None when it does not exist."""
        return resolve_name(f"contact_sync.cli.commands.{name}:{name}") if name in COMMANDS else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command in `args`, and give it the language that stands before it.

        The error for an unknown one suggests names that are close.
        """
        try:
            name, found, rest = super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as unknown:
            raise click.exceptions.NoSuchCommand(unknown.command_name, possibilities=COMMANDS, ctx=ctx) from unknown
        has_language = found and any(parameter.name == "lang" for parameter in found.params)
        return name, found, ["--lang", ctx.params["lang"], *rest] if has_language and ctx.params["lang"] else rest


program = Program(
    name="contact-sync",
    help="Push spreadsheet edits of contacts to SMS Partner, one update a row, and report how each row ended.",
    example="contact-sync check contacts.xlsx",
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[click.Option(["--lang"], type=click.Choice(LANGUAGES), metavar="LANG", help="en or fr, also after the command")],
)
click.version_option(__version__, "-V", "--version", message="%(version)s")(program)
