"""A command, and the program that finds it: the one place that imports late.

`--help`, completion and the config file need every command module, so these must import fast. What a command calls, its `work`,
may need pandas or an HTTP client: it is imported when the command runs.
"""

import inspect
import logging
from collections.abc import Callable, Iterable, Mapping
from pkgutil import resolve_name
from typing import Any

import click

from contact_sync.cli.console import bug_error

Work = Callable[..., int]

log = logging.getLogger(__name__)


class _Formatter(click.HelpFormatter):
    """A formatter with a narrow first column, so that one long option does not move all descriptions to the right."""

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 24, col_spacing: int = 2) -> None:
        super().write_dl(rows, col_max, col_spacing)


class _Context(click.Context):
    formatter_class = _Formatter


class _ExampleFirst(click.Command):
    """A command whose help begins with an example; a broken pipe is not an error under help, and is a bug anywhere else."""

    context_class = _Context

    def __init__(self, *args: Any, example: str, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.example = example

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        try:
            return super().make_context(*args, **more)  # which is where --help is printed
        except BrokenPipeError as closed:
            raise click.exceptions.Exit(0) from closed

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as bug:  # click would take it for that of the output, and exit silently
            log.info("a bug", exc_info=True)
            raise bug_error(bug) from bug

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(f"Example: {self.example}\n\n")
        super().format_help(ctx, formatter)


def command(
    *options: click.Parameter, example: str, summary: str, work: str = ""
) -> Callable[[Callable[..., int]], click.Command]:
    """Make a command of a function that returns the exit code; its docstring is the help text.

    The function gets the click context, then, where the command has one, its `work` (`package.module:function` or
    `package.module`), and the values of `options` by name.
    """

    def decorate(function: Callable[..., int]) -> click.Command:
        @click.pass_context
        def callback(ctx: click.Context, /, **values: Any) -> int:
            return function(ctx, *([resolve_name(work)] if work else []), **values)

        return _ExampleFirst(
            function.__name__,
            params=list(options),
            callback=callback,
            help=inspect.getdoc(function),
            short_help=summary,
            example=example,
        )

    return decorate


class Program(_ExampleFirst, click.Group):
    """A group of commands, each imported when it is asked for; `references` are name → `package.module:command`."""

    def __init__(self, references: Mapping[str, str], **attributes: Any) -> None:
        super().__init__(**attributes)
        self._references = references

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names in the order of registration."""
        return list(self._references)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Import a command; None when it does not exist."""
        reference = self._references.get(name)
        return resolve_name(reference) if reference else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command in `args`; the error for an unknown one suggests names that are close."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as unknown:
            raise click.exceptions.NoSuchCommand(unknown.command_name, possibilities=self._references, ctx=ctx) from unknown
