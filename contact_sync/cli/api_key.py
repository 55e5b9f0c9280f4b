"""The API key: read from an option's file, the environment or the file of the config file, and repeated nowhere."""

import codecs
from pathlib import Path

from click.core import ParameterSource

from contact_sync import settings
from contact_sync.cli.program import Context
from contact_sync.errors import ConfigError

_VARIABLE = "CONTACT_SYNC_API_KEY"
_MIN_LENGTH, _MAX_LENGTH = 8, 500  # characters; SMS Partner's have 40. Masking a shorter text would garble sentences.
_UTF_16 = codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE


def find_key(ctx: Context, path: Path | None) -> tuple[str, Path | None]:
    """Return the API key, or an empty text, and the file it is from, if it is from one; the console masks it from now on.

    The option wins over CONTACT_SYNC_API_KEY, that over CONTACT_SYNC_API_KEY_FILE, and that over the config file. Raises
    ConfigError.
    """
    variable = ctx.obj.env.get(_VARIABLE, "")
    if variable and ctx.get_parameter_source("api_key_file") is not ParameterSource.COMMANDLINE:
        key, path = clean_key(variable, _VARIABLE), None
    else:
        key = read_key(path, _origin(ctx)) if path else ""
    ctx.obj.console.secrets.append(key)
    return key, path


def key_place(ctx: Context, path: Path | None) -> str:
    """Return where the API key is found, never the key; empty where there is none."""
    if ctx.obj.env.get(_VARIABLE) and ctx.get_parameter_source("api_key_file") is not ParameterSource.COMMANDLINE:
        return _VARIABLE
    return f"{path} ({_origin(ctx)})" if path else ""


def _origin(ctx: Context) -> str:
    """Return what has named the key file."""
    names = {ParameterSource.ENVIRONMENT: f"{_VARIABLE}_FILE", ParameterSource.DEFAULT_MAP: str(ctx.params.get("config"))}
    origin = ctx.get_parameter_source("api_key_file")
    return names.get(origin, "--api-key-file") if origin else "--api-key-file"


def require_key(key: str) -> None:
    """Raise ConfigError when there is no key."""
    if not key:
        raise ConfigError("There is no API key: give the file that contains it with --api-key-file, or set CONTACT_SYNC_API_KEY.")


def clean_key(text: str, where: str) -> str:
    """Return the key without surrounding white space and quotes, and without the mark that Windows programs put before a text.

    Raises ConfigError, which names `where` and never quotes the key, for any other character that a key cannot have.
    """
    key = text.removeprefix("\ufeff").strip()
    if key[:1] == key[-1:] and key[:1] in {'"', "'"}:
        key = key[1:-1].strip()
    if len(key) > _MAX_LENGTH:
        raise ConfigError(
            "{where} has more than {most} characters, which no API key has: correct it.", where=where, most=_MAX_LENGTH
        )
    if len(key) < _MIN_LENGTH or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(
            "{where} does not contain an API key: it must be at least {least} characters, without spaces or accents.",
            where=where,
            least=_MIN_LENGTH,
        )
    return key


def read_key(path: Path, origin: str) -> str:
    """Read the key from the file that `origin` names, in UTF-8 or, as Windows programs write it, UTF-16.

    Raises ConfigError when it is missing, not a key, or accessible to group or others. A path that leads to no file is not
    repeated: it may be the key itself.
    """
    with ConfigError.from_os_error(
        "The API key file cannot be read ({reason}): {origin} must give the path of a file that contains the key, not the key.",
        origin=origin,
    ):
        content, mode = settings.read_small(path, 4 * _MAX_LENGTH)
    if mode & 0o077:
        raise ConfigError("The API key file {path} can be read by others: run chmod 600 on it.", path=path)
    return clean_key(content.decode("utf-16" if content.startswith(_UTF_16) else "utf-8", errors="replace"), str(path))
