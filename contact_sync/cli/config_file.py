"""The config file: a TOML file whose values are the defaults of the options."""

import tomllib
from pathlib import Path
from typing import Any

import click
import platformdirs

from contact_sync import settings
from contact_sync.cli.program import COMMANDS, program
from contact_sync.display import keys_in
from contact_sync.errors import ConfigError, reason_of
from contact_sync.i18n import _

_MAX_SIZE = 1 << 20  # bytes


def use_config_file(ctx: click.Context, _parameter: click.Parameter, value: Path | None) -> Path | None:
    """Make the values of a TOML file, whose keys are names of options without `--`, the defaults of the other options.

    Without a `value` the file in the user's config folder is read, if there is one.
    """
    try:
        path = value or platformdirs.user_config_path("contact-sync") / "config.toml"
    except RuntimeError:  # a user without a home
        return None
    try:
        content, _mode = settings.read_small(path, _MAX_SIZE)
        _check_size(content)
        text = content.decode("utf-8-sig")  # as Windows programs write it
        ctx.obj.console.secrets += keys_in(text)
        written = tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError("The config file {path} is nested too deeply: write one option on each line.", path=path) from error
    except OSError as error:
        if value is None and isinstance(error, FileNotFoundError | NotADirectoryError):
            return None
        raise ConfigError(
            "The config file {path} cannot be read ({reason}): check --config.", path=path, reason=reason_of(error)
        ) from error
    except ValueError as error:
        raise ConfigError("The config file {path} is not valid TOML: {reason}.", path=path, reason=error) from error
    known = _parameters_of_options(ctx)
    if unknown := sorted(written.keys() - (known.keys() - {"config"})):
        raise ConfigError(
            "The config file {path} has an unknown key “{name}”: use the names of the options, without --.",
            path=path,
            name=unknown[0],
        )
    ctx.default_map = {known[name]: _as_text(name, setting, path) for name, setting in written.items()}
    return path


def _check_size(content: bytes) -> None:
    if len(content) > _MAX_SIZE:
        raise ValueError(_("more than 1 MB"))


def _parameters_of_options(ctx: click.Context) -> dict[str, str]:
    """Return option → parameter, of all commands: one config file serves them all, so `check` accepts the options of `run`."""
    commands = filter(None, (program.get_command(ctx, name) for name in COMMANDS))
    options = [each for command in commands for each in command.params if each.param_type_name == "option"]
    return {name.removeprefix("--"): str(each.name) for each in options for name in each.opts if name.startswith("--")}


def _as_text(name: str, setting: Any, path: Path) -> str | list[str]:
    """Return a setting as the environment would give it, so that the option's own type reports what is wrong with it."""
    if isinstance(setting, dict) or (isinstance(setting, list) and name != "map"):
        raise ConfigError("The config file {path} has several values for “{name}”: write one.", path=path, name=name)
    if name == "map":
        return list(map(str, setting)) if isinstance(setting, list) else [str(setting)]
    return str(setting)
