"""The program as a function, and the files it is given, for the tests of the command line."""

import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click

from contact_sync.cli.console import Streams
from contact_sync.cli.main import main
from contact_sync.cli.program import program
from contact_sync.settings import Settings

KEY = "made-up-key-1234"

SettingsOf = Callable[..., Settings]
"""A function that takes arguments and returns the settings of the run they would start."""


class Output(NamedTuple):
    """The text printed on both streams."""

    out: str
    err: str


class Recorder:
    """Streams that record what is printed."""

    def __init__(self) -> None:
        self._recorded = io.StringIO(), io.StringIO()
        self.streams = Streams(*self._recorded)

    def read(self) -> Output:
        """Return what was printed since the last call."""
        output = Output(*(stream.getvalue() for stream in self._recorded))
        for stream in self._recorded:
            stream.seek(0)
            stream.truncate()
        return output

    def read_json(self) -> Any:
        """Return what was printed on stdout since the last call, as JSON."""
        return json.loads(self.read().out)


class Main(Recorder):
    """The program: called with arguments it returns the exit code; `env` is its environment."""

    def __init__(self) -> None:
        super().__init__()
        self.env: dict[str, str] = {}

    def __call__(self, *arguments: object) -> int:
        """Run the program."""
        return main(list(map(str, arguments)), self.env, self.streams)


def write(*rows: str, name: str = "contacts.csv", header: str = "contactId;firstname") -> Path:
    """Write a source that was last changed a minute ago, so that it is not watched."""
    path = Path(name)
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    os.utime(path, (time.time() - 60,) * 2)
    return path


def key_file(name: str = "key", content: str = KEY, mode: int = 0o600) -> Path:
    """Write a key file."""
    path = Path(name)
    path.write_text(content, encoding="ascii")
    path.chmod(mode)
    return path


def config(text: str, name: str = "config.toml") -> Path:
    """Write a config file."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def command(name: str) -> click.Command:
    """Return a command of the program."""
    found = program.get_command(click.Context(program), name)
    assert found
    return found


def options(name: str) -> dict[str, click.Option]:
    """Return the options of a command by their long names."""
    parameters = [parameter for parameter in command(name).params if isinstance(parameter, click.Option)]
    return {max(option.opts, key=len): option for option in parameters}
