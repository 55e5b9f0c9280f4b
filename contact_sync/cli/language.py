"""The language of a command, chosen before its arguments are parsed: what is wrong with them is said in it, too."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import pairwise

from contact_sync.i18n import LANGUAGES, N_, NN_

CLICK = (
    N_("Error: {message}"),
    N_("Try '{command} {option}' for help."),
    N_("Missing command."),
    N_("Missing argument"),
    N_("Missing option"),
    N_("Choose from:\n\t{choices}"),
    N_("Invalid value for {param_hint}: {message}"),
    N_("No such command {name!r}."),
    N_("No such option {name!r}."),
    N_("Option {name!r} does not take a value."),
    *NN_("Did you mean {possibility}?", "(Did you mean one of: {possibilities}?)"),
    *NN_("Option {name!r} requires an argument.", "Option {name!r} requires {nargs} arguments."),
    *NN_("Got unexpected extra argument ({args})", "Got unexpected extra arguments ({args})"),
    *NN_("{value!r} is not {choice}.", "{value!r} is not one of {choices}."),
)
"""The sentences of click about a command line, which it finds in our catalogue (`i18n.set_language`); its help stays English."""


def language_of(argv: Sequence[str], env: Mapping[str, str]) -> str:
    """Return the language that the arguments, the environment or the config file ask for, or else the one of the locale."""
    is_version = list(argv[:1]) in (["--version"], ["-V"])  # which is the same in all
    given = _given("lang", argv, env) or ("" if is_version else _configured(_given("config", argv, env)))
    language = given or next(filter(None, map(env.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")[:2]
    return language if language in LANGUAGES else LANGUAGES[0]


def own_words(argv: Sequence[str]) -> Sequence[str]:
    """Return the arguments that may be options of the command itself."""
    return argv[: argv.index("--") if "--" in argv else None]


def _given(name: str, argv: Sequence[str], env: Mapping[str, str]) -> str:
    """Return the value of an option on the command line or in the environment, empty without one."""
    words = [*own_words(argv), ""]
    values = [word.partition("=")[2] for word in words if word.startswith(f"--{name}=")]
    values += [after for word, after in pairwise(words) if word == f"--{name}"]
    return values[-1] if values else env.get(f"CONTACT_SYNC_{name.upper()}", "")


def _configured(path: str) -> str:
    """Return the language in a config file, empty without one; the option --config says what is wrong with a file."""
    from pathlib import Path  # noqa: PLC0415

    import platformdirs  # noqa: PLC0415 - not for the version

    with suppress(OSError, ValueError, RecursionError, RuntimeError):
        file = Path(path) if path else platformdirs.user_config_path("contact-sync") / "config.toml"
        if file.is_file():  # a pipe can be read only once
            import tomllib  # noqa: PLC0415 - most commands have no config file

            return str(tomllib.loads(file.read_text(encoding="utf-8-sig")).get("lang", ""))
    return ""
