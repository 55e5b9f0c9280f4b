"""The command line: options, environment, config file, what is printed, and the exit code."""

import contextlib
import io
import json
import logging
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
import tomllib
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import openpyxl
import pytest

from contact_sync import __version__
from contact_sync.cli import main as cli
from contact_sync.errors import ConfigError
from contact_sync.files.lock import acquire
from contact_sync.sandbox.faults import Behaviour
from contact_sync.sandbox.server import Sandbox
from contact_sync.settings import Settings
from contact_sync.source import Choices, open_source
from contact_sync.sync import inbox
from contact_sync.sync.run import run as real_run

KEY = "made-up-key-1234"
Serve = Callable[..., Sandbox]
Main = Callable[..., int]

ROOT = Path(__file__).parents[2]
COMMANDS = dict(cli.program.commands.items())
SHARED = [
    "--dry-run",
    "--report",
    "--report-mode",
    "--workbook",
    "--page",
    "--show-phones",
    "--state-dir",
    "--blank",
    "--duplicates",
    "--map",
    "--sheet",
    "--encoding",
    "--delimiter",
    "--hidden",
    "--region",
    "--max-invalid",
    "--max-clears",
    "--max-identity-changes",
    "--allow-empty",
    "--ping",
    "--log-file",
    "--log-format",
    "--lang",
    "--config",
    "--quiet",
    "--verbose",
    "--json",
]
SENDING = [
    "--api-key-file",
    "--base-url",
    "--sandbox",
    "--rate",
    "--workers",
    "--attempts",
    "--timeout",
    "--account",
    "--resend",
    "--limit",
    "--max-duration",
    "--keep-days",
    "--expect-by",
]
ALL = {"run", "check", "retry", "report", "history", "forget", "doctor", "schedule", "sandbox", "completion"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home that is the current folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Main:
    """A function that runs the program with these arguments and returns its exit code."""

    def call(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["contact-sync", *map(str, arguments)])
        return cli.main()

    return call


@pytest.fixture
def told(main: Main, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """A function that runs the program with these arguments up to the run, and returns what the run would be told."""

    def call(*arguments: object) -> Settings:
        seen: list[Settings] = []

        def run(settings: Settings, _: object) -> None:
            seen.append(settings)
            raise ConfigError("far enough")

        monkeypatch.setattr("contact_sync.sync.run.run", run)
        assert main(*arguments) == 2
        monkeypatch.setattr("contact_sync.sync.run.run", real_run)
        (settings,) = seen
        return settings

    return call


def write(*rows: str, name: str = "contacts.csv", header: str = "contactId;firstname") -> Path:
    """Write a source, and let it be a minute old."""
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


# ---- options


def options(command: str) -> dict[str, click.Option]:
    """The options of a command by their long names."""
    parameters = [parameter for parameter in COMMANDS[command].params if isinstance(parameter, click.Option)]
    return {max(option.opts, key=len): option for option in parameters}


def test_the_options() -> None:
    """The commands have the options of the README, and no other."""
    assert set(COMMANDS) == ALL
    assert sorted(options("run")) == sorted([*SHARED, *SENDING])
    assert sorted(options("check")) == sorted(SHARED)
    shorts = {name: option.opts[0] for name, option in options("run").items() if not option.opts[0].startswith("--")}
    assert shorts == {"--dry-run": "-n", "--quiet": "-q", "--verbose": "-v"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_a_variable(command: str) -> None:
    """Every option --some-name also reads CONTACT_SYNC_SOME_NAME."""
    for name, option in options(command).items():
        assert option.envvar
        assert option.envvar[0] == f"CONTACT_SYNC_{name[2:].upper().replace('-', '_')}"


@pytest.mark.parametrize("place", ["option", "environment", "file"])
def test_a_former_name(told: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str) -> None:
    """An option that was renamed still answers to its former name, wherever it is given, and the help shows the new one alone."""
    given: tuple[str, ...] = ()
    if place == "option":
        given = ("--max-strangers", "7")
    elif place == "environment":
        monkeypatch.setenv("CONTACT_SYNC_MAX_STRANGERS", "7")
    else:
        (tmp_path / "config.toml").write_text("max-strangers = 7", encoding="utf-8")
        given = ("--config", str(tmp_path / "config.toml"))
    assert told("check", "c.csv", *given).max_identity_changes == 7
    assert "--max-strangers" not in COMMANDS["check"].get_help(click.Context(COMMANDS["check"]))


def test_no_option_takes_the_key(main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    """A key on the command line is refused, and not repeated."""
    for arguments in (("--api-key", KEY), (f"--api-key={KEY}",)):
        assert main("run", write("C1;Zoé"), *arguments) == 2
        out, err = capsys.readouterr()
        assert KEY not in out + err
        assert "No such option" in err


def test_the_defaults(told: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without options a run is told the defaults of the contract."""
    monkeypatch.setenv("CONTACT_SYNC_API_KEY", KEY)
    assert told("run", "some/contacts.csv") == Settings(
        source=Path("some/contacts.csv"),
        report=Path("some/contacts.results.csv"),
        report_mode=None,
        key=KEY,
        base_url="https://api.smspartner.fr/v1",
        state_dir=Path.home() / ".local/state/contact-sync",
        rate=5,
        workers=8,
        attempts=4,
        timeout=30,
        blank="keep",
        duplicates="refuse",
        hidden="refuse",
        region="FR",
        max_invalid=50,
        max_clears=100,
        renames={},
    )


def test_every_option(told: Callable[..., Settings]) -> None:
    """Each option reaches the run, in the type the run works with."""
    given = (
        "--base-url https://example.com/v2/ --rate 300/min --workers 3 --attempts 2 --timeout 1.5 --account shop --resend "
        "--limit 7 --max-duration 60 -n --report r.csv --report-mode 640 --state-dir s --blank clear --duplicates last "
        "--map A=b=url --map B=custom1 --sheet S --encoding cp1252 --delimiter tab --hidden skip --region BE --max-invalid 2.5 "
        "--max-clears 0 --max-identity-changes 10 --allow-empty"
    )
    assert told("run", "c.csv", "--api-key-file", key_file(), *given.split()) == Settings(
        source=Path("c.csv"),
        report=Path("r.csv"),
        report_mode=0o640,
        send=False,
        key=KEY,
        base_url="https://example.com/v2",
        account="shop",
        state_dir=Path("s"),
        rate=5,
        workers=3,
        attempts=2,
        timeout=1.5,
        resend=True,
        limit=7,
        max_duration=60,
        sheet="S",
        encoding="cp1252",
        delimiter="\t",
        hidden="skip",
        renames={"A=b": "url", "B": "custom1"},
        blank="clear",
        duplicates="last",
        region="BE",
        max_invalid=2.5,
        max_clears=0,
        max_identity_changes=10,
        allow_empty=True,
    )


@pytest.mark.parametrize("dry", [(), ("-n",)])
def test_what_a_check_is_told(told: Callable[..., Settings], dry: tuple[str, ...]) -> None:
    """A check neither sends nor remembers, and needs no key."""
    settings = told("check", "c.csv", *dry, "--delimiter", ",")
    assert (settings.send, settings.remember, settings.key, settings.delimiter) == (False, False, "", ",")


_RATE = "'--rate': write attempts a second, as 5 or 2.5, or 300/min; 0 means no limit."
_MODE = "'--report-mode': write permissions in octal, as 600 or 640."
_MAP = "'--map': write the header, = and the field, as 'Mobile perso=phoneNumber'."


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("--rate fast", _RATE),
        ("--rate -1", _RATE),
        ("--workers 0", "'--workers': 0 is not in the range x>=1."),
        ("--attempts 0", "'--attempts': 0 is not in the range x>=1."),
        ("--timeout 0", "'--timeout': 0.0 is not in the range x>0."),
        ("--timeout nan", "'--timeout': 'nan' is not a number."),
        ("--timeout inf", "'--timeout': 'inf' is not a number."),
        ("--limit 0", "'--limit': 0 is not in the range x>=1."),
        ("--max-duration nan", "'--max-duration': 'nan' is not a number."),
        ("--max-invalid nan", "'--max-invalid': 'nan' is not a number."),
        ("--max-invalid 101", "'--max-invalid': 101.0 is not in the range 0<=x<=100."),
        ("--max-invalid -1", "'--max-invalid': -1.0 is not in the range 0<=x<=100."),
        ("--max-clears -1", "'--max-clears': -1 is not in the range x>=0."),
        ("--report-mode 777", _MODE),
        ("--report-mode 0", _MODE),
        ("--report-mode 200", _MODE),
        ("--report-mode rw", _MODE),
        ("--map x", _MAP),
        ("--map =url", _MAP),
        ("--map x=", _MAP),
        ("--blank never", "'--blank': 'never' is not one of 'keep', 'clear'."),
        ("--duplicates all", "'--duplicates': 'all' is not one of 'refuse', 'first', 'last'."),
        ("--hidden maybe", "'--hidden': 'maybe' is not one of 'refuse', 'include', 'skip'."),
        ("--nonsense", "No such option '--nonsense'."),
        ("more.csv", "unexpected extra argument (more.csv)"),
        ("--base-url http://example.com", "the API key would be sent unencrypted to example.com: correct --base-url."),
        ("--api-key-file missing", "The API key file missing cannot be read (No such file or directory): check --api-key-file."),
        ("--config missing", "The config file missing cannot be read (No such file or directory): check --config."),
    ],
)
def test_usage_errors(
    main: Main, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wrong: str, sentence: str
) -> None:
    """A wrong option is exit 2, told on stderr, before anything is done; nothing is on stdout."""
    monkeypatch.setenv("CONTACT_SYNC_API_KEY", KEY)
    monkeypatch.setattr("contact_sync.sync.run.run", lambda *_: pytest.fail("nothing was wrong with that"))
    assert main("run", "contacts.csv", *wrong.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err
    assert "Traceback" not in err


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n", "a", "é", "7", " "])
def test_a_delimiter_that_cannot_be(main: Main, capsys: pytest.CaptureFixture[str], delimiter: str) -> None:
    """--delimiter must be one character that can part cells."""
    assert main("check", write("C1;Zoé"), "--delimiter", delimiter) == 2
    assert "'--delimiter': write one of ; , tab | or another character that can part cells." in capsys.readouterr().err


@pytest.mark.parametrize(("given", "meant"), [("|", "|"), ("^", "^"), ("tab", "\t"), ("TAB", "\t"), ("\\t", "\t"), ("\t", "\t")])
def test_a_delimiter(told: Callable[..., Settings], given: str, meant: str) -> None:
    """--delimiter is a character, or a name of the tab, which is hard to type."""
    assert told("check", "c.csv", "--delimiter", given).delimiter == meant


@pytest.mark.parametrize("option", ["FILE", "--report", "--workbook", "--page", "--state-dir", "--log-file", "--config"])
def test_an_empty_name(main: Main, capsys: pytest.CaptureFixture[str], option: str) -> None:
    """A file or folder without a name is exit 2, as a shell gives one for a variable that is not set."""
    arguments = [""] if option == "FILE" else [write("C1;Zoé"), option, ""]
    assert main("check", *arguments) == 2
    assert f"Invalid value for '{option}': write the name of a file or folder." in capsys.readouterr().err


def test_no_command(main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command, with one that does not exist, or without a file, it is a usage error."""
    for given, told in (((), "Usage: contact-sync"), (("rum",), "No such command 'rum'"), (("run",), "Missing argument 'FILE'")):
        assert main(*given) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert told in err


# ---- precedence

# option → what the line, the environment and the config file say; what comes of each, and without any
PRECEDENCE: dict[str, tuple[tuple[str, str, str], tuple[Any, ...]]] = {
    "rate": (("3", "2", "1"), (3, 2, 1, 5)),
    "limit": (("3", "2", "1"), (3, 2, 1, None)),
    "max-invalid": (("3", "2", "1.5"), (3, 2, 1.5, 50)),
    "report-mode": (("640", "644", "660"), (0o640, 0o644, 0o660, None)),
    "blank": (("keep", "clear", '"clear"'), ("keep", "clear", "clear", "keep")),
    "account": (("a", "b", '"c"'), ("a", "b", "c", None)),
    "report": (("a", "b", '"c"'), (Path("a"), Path("b"), Path("c"), Path("c.results.csv"))),
    "map": (("A=url", "B=url;C=date", '["D=url"]'), ({"A": "url"}, {"B": "url", "C": "date"}, {"D": "url"}, {})),
}


@pytest.mark.parametrize("option", PRECEDENCE)
def test_precedence(told: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    """An option wins over the environment, the environment over the config file, the config file over the default."""
    (on_line, in_environment, in_file), expected = PRECEDENCE[option]

    def come(*more: object) -> Any:
        name = "renames" if option == "map" else option.replace("-", "_")
        return getattr(told("run", "c.csv", "--sandbox", *more), name)

    assert come() == expected[3]
    file = config(f"{option} = {in_file}\n")
    assert come("--config", file) == expected[2]
    monkeypatch.setenv("CONTACT_SYNC_CONFIG", str(file))
    assert come() == expected[2]
    monkeypatch.setenv(f"CONTACT_SYNC_{option.upper().replace('-', '_')}", in_environment)
    assert come() == expected[1]
    assert come(f"--{option}", on_line) == expected[0]


@pytest.mark.parametrize("yes", ["1", "true", "yes", "on"])
@pytest.mark.parametrize("no", ["0", "false", "no", "off"])
def test_flags(told: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, yes: str, no: str) -> None:
    """A flag is read from the config file and the environment, which can also take back what the file says."""
    arguments = ("run", "c.csv", "--sandbox", "--config", config("resend = true\nallow-empty = false\n"))
    assert (told(*arguments).resend, told(*arguments).allow_empty) == (True, False)
    monkeypatch.setenv("CONTACT_SYNC_RESEND", no)
    monkeypatch.setenv("CONTACT_SYNC_ALLOW_EMPTY", yes)
    assert (told(*arguments).resend, told(*arguments).allow_empty) == (False, True)


def test_every_option_in_the_environment(told: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """A run can be told everything by the environment alone; an empty variable is none."""
    given = (
        "RATE=1 WORKERS=2 ATTEMPTS=3 TIMEOUT=4 LIMIT=5 MAX_DURATION=6 DRY_RUN=1 REPORT=r SHEET=s ENCODING=e DELIMITER=| "
        "HIDDEN=skip DUPLICATES=first REGION=BE MAX_CLEARS=7 BASE_URL=https://a.fr SANDBOX=1 QUIET=1 VERBOSE= JSON="
    )
    for name, value in (pair.split("=") for pair in given.split()):
        monkeypatch.setenv(f"CONTACT_SYNC_{name}", value)
    made = told("run", "c.csv")
    assert (made.rate, made.workers, made.attempts, made.timeout, made.limit, made.max_duration) == (1, 2, 3, 4, 5, 6)
    assert (made.send, made.sandbox, made.report, made.base_url) == (False, True, Path("r"), "https://a.fr")
    assert (made.sheet, made.encoding, made.delimiter, made.hidden) == ("s", "e", "|", "skip")
    assert (made.duplicates, made.region, made.max_clears) == ("first", "BE", 7)


def test_the_usual_config_file(told: Callable[..., Settings]) -> None:
    """A config file in the user's config folder is read without being named, by both commands, whatever each of them needs."""
    config("rate = 2\nregion = 'BE'\nmap = 'A=url'\n", str(Path.home() / ".config/contact-sync/config.toml"))
    made = told("run", "c.csv", "--sandbox")
    assert (made.rate, made.region, made.renames) == (2, "BE", {"A": "url"})
    assert told("check", "c.csv").region == "BE"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("rates = 1", "has an unknown key “rates”: use the names of the options, without --."),
        ("api-key = 'x'", "has an unknown key “api-key”"),
        ("config = 'x'", "has an unknown key “config”"),
        ("source = 'x'", "has an unknown key “source”"),
        ("[run]\nrate = 1", "has an unknown key “run”"),
        ("rate = ", "is not valid TOML"),
        ("limit = [1, 2]", "has several values for “limit”: write one."),
        ("report = {a = 1}", "has several values for “report”: write one."),
        ("map = {a = 'url'}", "has several values for “map”: write one."),
        ("limit = true", "Invalid value for '--limit'"),
        ("map = ['x']", "Invalid value for '--map'"),
        ('report = "a\\u0000b"', "Invalid value for '--report'"),
    ],
)
def test_a_wrong_config_file(main: Main, capsys: pytest.CaptureFixture[str], text: str, sentence: str) -> None:
    """A config file that is wrong is exit 2, and says what is wrong."""
    assert main("run", write("C1;Zoé"), "--sandbox", "--config", config(text)) == 2
    assert sentence in capsys.readouterr().err


def test_a_config_file_that_cannot_be_read(
    main: Main, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A config file that is not text, or no file, is told; a home without a config folder is none."""
    Path("latin.toml").write_bytes(b"account = 'caf\xe9'\n")
    assert main("check", write("C1;Zoé"), "--config", "latin.toml") == 2
    assert "is not valid TOML" in capsys.readouterr().err
    assert main("check", "contacts.csv", "--config", ".") == 2
    assert "cannot be read (Is a directory): check --config" in capsys.readouterr().err
    for home in ("/nonexistent", "/dev/null"):
        monkeypatch.setenv("HOME", home)
        assert main("check", "contacts.csv") == 0


# ---- the key


def test_where_the_key_comes_from(told: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """The key: option, then CONTACT_SYNC_API_KEY, then CONTACT_SYNC_API_KEY_FILE, then the config file."""
    files = {name: key_file(name, f"{name}-{KEY}") for name in ("line", "environment", "toml")}
    file = config(f"api-key-file = '{files['toml']}'\n")
    arguments = ("run", "c.csv", "--config", file)
    assert told(*arguments).key == f"toml-{KEY}"
    monkeypatch.setenv("CONTACT_SYNC_API_KEY_FILE", str(files["environment"]))
    assert told(*arguments).key == f"environment-{KEY}"
    monkeypatch.setenv("CONTACT_SYNC_API_KEY", f" variable-{KEY}\n")
    assert told(*arguments).key == f"variable-{KEY}"
    assert told(*arguments, "--api-key-file", files["line"]).key == f"line-{KEY}"


def test_no_key(main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    """A run without a key is exit 2 and says how to give it; a dry run needs a key or the account's name."""
    write("C1;Zoé")
    for more in ((), ("-n",), ("--account", "shop")):
        assert main("run", "contacts.csv", "--state-dir", "state", "-q", *more) == 2
        assert "There is no API key: give the file that contains it with --api-key-file" in capsys.readouterr().err
    assert not Path("state").exists()
    assert main("run", "contacts.csv", "--state-dir", "state", "-n", "--account", "shop", "-q") == 0


def test_a_key_others_can_read(main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    """A key file that others may read is exit 2, whichever way it was named."""
    write("C1;Zoé")
    assert main("run", "contacts.csv", "--api-key-file", key_file(mode=0o640)) == 2
    assert "The API key" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["well", "refused", "bug", "echoed"])
def test_the_key_appears_nowhere(
    main: Main, sandbox: Serve, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, how: str
) -> None:
    """The key is in no output, no report and no file of the state folder, however chatty the run and however it ends."""
    server = sandbox(key=KEY if how != "refused" else "other")
    if how == "echoed":
        server.script["C000001"] = [Behaviour(body=json.dumps({"success": False, "code": 99, "message": f"no {KEY}"}).encode())]
    if how == "bug":

        def bug(*_: object, **__: object) -> None:
            raise ValueError(f"with {KEY} in it")

        monkeypatch.setattr("contact_sync.sync.channel.Pool", bug)
    monkeypatch.setenv("CONTACT_SYNC_API_KEY", KEY)
    write("C000001;Zoé", "C000002;Léa")
    code = main("run", "contacts.csv", "--base-url", server.base_url, "--state-dir", "state", "-v", "--json", "--rate", "0")
    assert code == {"well": 0, "refused": 5, "bug": 1, "echoed": 3}[how]
    out, err = capfd.readouterr()
    files = [path for path in Path().rglob("*") if path.is_file()]
    assert len(files) >= 5
    assert KEY not in out + err
    assert all(KEY.encode() not in path.read_bytes() for path in files)
    assert ("ValueError" in err) is (how == "bug")


def test_verbose(main: Main, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With -v there is a line for each row that was sent, with ids and without field values, and warnings of libraries."""
    write("C000001;Zoé", "C000002;Léa")
    assert main("run", "contacts.csv", "--sandbox", "--rate", "0", "-v") == 0
    err = capsys.readouterr().err
    assert "INFO contact_sync.sync.send: row 2, contact C000001: updated" in err
    assert "Zoé" not in err
    assert main("run", "contacts.csv", "--sandbox", "--rate", "0") == 0
    assert "INFO" not in capsys.readouterr().err


# ---- what is printed


def lines_of(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], main: Main) -> list[str]:
    """What is printed on stdout; nothing is on stderr."""
    assert main(*arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out.splitlines()


@pytest.mark.parametrize("command", ["", *COMMANDS])
@pytest.mark.parametrize("how", ["--help", "-h"])
def test_help(main: Main, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str, how: str) -> None:
    """Help begins with an example, names every option, and fits a terminal of 80 columns and 66 lines."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = lines_of((command, how) if command else (how,), capsys, main)
    assert lines[0].startswith(f"Example: contact-sync {command or 'check'} ")
    assert len(lines) <= 66
    assert max(map(len, lines)) <= 80
    if command:
        assert set(options(command)) <= set(re.findall(r"--[a-z-]+", "\n".join(lines)))


@pytest.mark.parametrize("how", ["--version", "-V"])
def test_version(main: Main, capsys: pytest.CaptureFixture[str], how: str) -> None:
    """The version is printed, and nothing else."""
    assert lines_of((how,), capsys, main) == [__version__]


def test_what_a_run_prints(main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    """A run tells people on stderr, and scripts on stdout when they ask."""
    write("C1;Zoé", f"C2;{'x' * 33}", "C3;Max")
    assert main("run", "contacts.csv", "--sandbox", "--rate", "0") == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "2 updated" in err
    assert "row 3: firstname, column B: firstname has 33 characters, 32 at most" in err
    assert main("run", "contacts.csv", "--sandbox", "--rate", "0", "--json", "-q") == 3
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert list(told) == ["run", "source", "rows", "outcomes", "requests", "retries", "seconds", "report", "exit_code"]
    assert told["outcomes"] == {"updated": 2, "invalid": 1}
    assert sum(told["outcomes"].values()) == told["rows"] == 3
    assert (told["source"], told["report"], told["requests"]) == ("contacts.csv", "contacts.results.csv", 2)
    assert "xxx" not in err
    assert len(err.splitlines()) == 3


def test_quiet(main: Main, capfd: pytest.CaptureFixture[str]) -> None:
    """Quiet, a run where all is well prints nothing, and a refusal is one sentence."""
    write("C1;Zoé", "C1;Zoé")
    assert main("run", "contacts.csv", "--sandbox", "--rate", "0", "-q") == 0
    assert main("check", "contacts.csv", "-q") == 0
    assert capfd.readouterr() == ("", "")
    write("C1;Zoé", header="contactId;fisrtname")
    assert main("run", "contacts.csv", "--sandbox", "-q") == 4
    out, err = capfd.readouterr()
    assert out == ""
    assert (err.startswith("contact-sync: contacts.csv"), err.count("\n")) == (True, 1)


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_name_of_255_bytes(main: Main, capsys: pytest.CaptureFixture[str], command: str) -> None:
    """A source whose name leaves none for its report is refused in words like any other."""
    name = f"{'n' * 251}.csv"
    sandbox = ["--sandbox"] if command == "run" else []
    assert main(command, name, *sandbox) == 4
    assert "does not exist" in capsys.readouterr().err
    assert main(command, write("C1;Zoé", name=name), *sandbox) == 7
    assert "cannot be written (File name too long)" in capsys.readouterr().err
    assert main("check", name, "--report", "r.csv", "--workbook", "w.xlsx") == 0


@pytest.mark.parametrize("command", ["run", "check"])
def test_json_of_a_refusal(main: Main, capsys: pytest.CaptureFixture[str], command: str) -> None:
    """A refusal is told as JSON too, and adds up."""
    assert main(command, "missing.csv", *(["--sandbox"] if command == "run" else []), "--json") == 4
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["outcomes"], told["exit_code"], told["report"]) == (0, {}, 4, None)
    assert told["source"] == "missing.csv"
    assert "missing.csv does not exist" in told["error"]


def test_the_word_sandbox(main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    """A rehearsal has no secret, so nothing is taken out of what it tells."""
    write("C1;Zoé", name="sandbox.csv")
    assert main("run", "sandbox.csv", "--sandbox", "--rate", "0", "--json") == 0
    assert json.loads(capsys.readouterr().out)["source"] == "sandbox.csv"


def test_a_bug(main: Main, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug is exit 1 and a sentence, as JSON too; the traceback is for -v alone."""

    def bug(*_: object) -> None:
        raise LookupError("inside")

    monkeypatch.setattr("contact_sync.sync.run.run", bug)
    assert main("check", "contacts.csv", "--json") == 1
    out, err = capsys.readouterr()
    assert err == "contact-sync: A bug in contact-sync: LookupError. Run again with -v, and report what it prints.\n"
    assert json.loads(out)["exit_code"] == 1
    assert main("check", "contacts.csv", "-v") == 1
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_before_the_run(main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interruption before the run itself begins is exit 130."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("contact_sync.sync.run.run", interrupt)
    assert main("check", "contacts.csv") == 130


def test_the_source_is_not_the_report(main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    """A report that would overwrite the source is exit 2."""
    before = write("C1;Zoé").read_bytes()
    assert main("check", "contacts.csv", "--report", "contacts.csv") == 2
    assert "would overwrite the source" in capsys.readouterr().err
    assert Path("contacts.csv").read_bytes() == before


def test_umask(main: Main) -> None:
    """What a run writes is its user's alone whatever the umask, and the report what --report-mode says."""
    os.umask(0)
    write("C1;Zoé")
    key_file()
    assert main("run", "contacts.csv", "-n", "--api-key-file", "key", "--report-mode", "640", "--state-dir", "a/b", "-q") == 0
    assert os.umask(0) == 0o077
    assert stat.S_IMODE(Path("contacts.results.csv").stat().st_mode) == 0o640
    for path in (Path("a"), Path("a/b"), *Path("a/b").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_a_report_fed_back_in(main: Main) -> None:
    """A report fed back in is the source again: the same outcome for the same rows, apostrophes and all."""
    write("C1;Zoé;=1+1", "C2;'x;+33600000001", f"C3;{'x' * 33};@a", header="contactId;firstname;-note")
    assert main("check", "contacts.csv", "-q") == 3
    os.utime("contacts.results.csv", (time.time() - 60,) * 2)
    assert main("check", "contacts.results.csv", "-q") == 3
    first, second = (
        Path(name).read_text(encoding="utf-8-sig") for name in ("contacts.results.csv", "contacts.results.results.csv")
    )
    assert first == second
    with open_source(Path("contacts.results.csv"), Choices()) as source:
        assert source.columns == ["contactId", "firstname", "-note"]


def test_serving_a_sandbox(main: Main, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The sandbox is served on the port and with the faults asked for; wrong faults are exit 2."""
    seen: list[Any] = []

    def serve(port: int, faults: Any, announce: Callable[[str], None]) -> None:
        seen.append((port, faults.errors))
        announce("http://127.0.0.1:1/v1")

    monkeypatch.setattr("contact_sync.sandbox.server.serve_forever", serve)
    assert main("sandbox") == 0
    monkeypatch.setenv("CONTACT_SYNC_PORT", "9")
    assert main("sandbox", "--faults", "500=5%") == 0
    assert seen == [(8080, 0), (9, 0.05)]
    assert capsys.readouterr() == ("", "The sandbox is at http://127.0.0.1:1/v1 (Ctrl-C ends it).\n" * 2)
    assert main("sandbox", "--faults", "lots") == 2


# ---- as a process


def process(
    *arguments: str,
    before: Sequence[str] = (),
    shell: str = "",
    output: int = subprocess.PIPE,
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the program as cron does, with next to no environment.

    `before` is the command that runs it, `shell` redirects, `output` is where both streams go.
    """
    command = [*before, sys.executable, "-m", "contact_sync", *arguments]
    env = {name: value for name, value in os.environ.items() if name == "HOME" or name.startswith("COVERAGE_")}
    env |= {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)} | (environment or {})
    if shell:
        command = ["/bin/sh", "-c", f'"$@" {shell}', "sh", *command]
    return subprocess.run(command, check=False, stdout=output, stderr=output, text=True, env=env, timeout=60)


def test_as_a_module() -> None:
    """`python -m contact_sync` is the program, and `contact-sync` is declared to be the same."""
    done = process("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{__version__}\n", "")
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert declared == {"contact-sync": "contact_sync.cli.main:main"}


def test_help_need_not_wait() -> None:
    """Importing the command line imports none of the slow libraries, and neither does help."""
    script = (
        "import sys; from contact_sync.cli import main as cli; sys.argv = ['contact-sync', 'run', '--help']; code = cli.main();"
        "slow = {'pandas', 'numpy', 'httpx', 'aiohttp', 'openpyxl', 'tqdm', 'tenacity', 'phonenumbers', 'asyncio'};"
        "print(code, sorted(slow & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "0 []"


@pytest.mark.parametrize(
    ("shell", "environment"),
    [
        ("", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}),
        (">/dev/full", {}),
        ("2>/dev/full", {}),
        (">/dev/full 2>/dev/full", {}),
        ("<&- >&- 2>&-", {}),
    ],
)
def test_whatever_becomes_of_the_output(shell: str, environment: dict[str, str]) -> None:
    """Output that cannot be written changes neither the report nor the exit code."""
    write("Cé;Zoé", "C1;Zoé", "C2;Max")
    assert process("check", "contacts.csv", "--json", shell=shell, environment=environment).returncode == 3
    lines = Path("contacts.results.csv").read_text(encoding="utf-8-sig").splitlines()
    assert [line.split(";")[3] for line in lines[1:]] == ["invalid", "ready", "ready"]


_BINDING = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
"""What a command begins with for permissions to bind root, too."""


@pytest.mark.skipif(bool(_BINDING) and not shutil.which(_BINDING[0]), reason="permissions do not bind root")
@pytest.mark.parametrize(
    ("arguments", "closed", "code", "sentence"),
    [
        ("check contacts.csv", "contacts.csv", 4, "contacts.csv cannot be read: permission denied; give this user read access."),
        ("check closed/contacts.csv", "closed", 4, "permission denied; give this user read access."),
        ("run closed --sandbox", "closed", 4, "closed cannot be read (Permission denied): check the folder."),
        ("run contacts.csv -n --account a --state-dir closed", "closed", 7, "(Permission denied): check the folder."),
        ("run contacts.csv -n --account a --state-dir closed/a/b", "closed", 7, "(Permission denied): check --state-dir."),
        ("history --state-dir closed", "closed", 7, "The state folder closed cannot be used (Permission denied)"),
        ("check contacts.csv --report closed/r.csv", "closed", 7, "The report closed/r.csv cannot be written"),
        ("doctor --state-dir closed", "closed", 2, "The state folder closed cannot be written"),
        ("doctor --state-dir closed/a/b", "closed", 2, "The state folder closed/a/b cannot be written"),
        ("check contacts.csv --report old.csv", "old.csv", 0, "1 ready"),
    ],
)
def test_what_this_user_may_not_read(arguments: str, closed: str, code: int, sentence: str) -> None:
    """What permissions keep from a run is told by its own exit code, and an old report need not be read to be replaced."""
    write("C1;Zoé")
    Path("old.csv").touch()
    Path("closed").mkdir()
    Path(closed).chmod(0)
    done = process(*arguments.split(), before=_BINDING)
    assert (done.returncode, sentence in done.stdout + done.stderr) == (code, True), done.stderr
    assert "There is no ledger" not in done.stdout


def test_closed_streams_are_nobody_elses() -> None:
    """Where cron closed the standard streams, no file is opened in their place for a print to write into."""
    script = (
        "import os, sys; from contact_sync.cli import main as cli; sys.argv = ['contact-sync', '--version']; cli.main();"
        "os._exit(os.open('contacts.csv', os.O_RDONLY))"
    )
    write("C1;Zoé")
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")} | {"PYTHONPATH": str(ROOT)}
    command = ["/bin/sh", "-c", '"$@" <&- >&- 2>&-', "sh", sys.executable, "-c", script]
    assert subprocess.run(command, check=False, env=env).returncode > 2


def test_a_terminal_of_few_letters(main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a stream has no letters for is written in escapes, and not lost."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stderr", stream)
    assert main("check", write("C1;Zoé", name="prénoms.csv")) == 0
    assert rb"pr\xe9noms.csv: 1 row." in stream.buffer.getvalue()


def test_a_reader_who_has_gone_away() -> None:
    """A pipe that nobody reads any more does not change the exit code."""
    write("C1;Zoé", "C2;Max")
    reading, writing = os.pipe()
    os.close(reading)
    done = process("check", "contacts.csv", "--json", output=writing)
    os.close(writing)
    assert done.returncode == 0
    assert Path("contacts.results.csv").exists()


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help"), ("--version",)])
def test_a_reader_of_help_who_has_seen_enough(arguments: tuple[str, ...]) -> None:
    """Help into a pipe that nobody reads any more is no failure; on a full disk it is."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "contact_sync", *arguments]
    gone = subprocess.run(command, check=False, stdout=writing, stderr=subprocess.PIPE, cwd=ROOT, timeout=60)
    os.close(writing)
    assert (gone.returncode, gone.stderr) == (0, b"")
    full = process(*arguments, shell=">/dev/full")
    assert (full.returncode, full.stderr) == (7, "contact-sync: The output cannot be written (No space left on device).\n")


def test_a_pipe_that_breaks_at_work(main: Main, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that breaks while a command is at work is not taken for that of the output, but told as a bug."""

    def breaks(*_: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("contact_sync.sync.run.run", breaks)
    assert main("check", "contacts.csv") == 1
    assert "A bug in contact-sync: BrokenPipeError." in capsys.readouterr().err
    assert main("check", "contacts.csv", "-v") == 1
    assert "Traceback" in capsys.readouterr().err


# ---- the morning after


@pytest.fixture
def where(sandbox: Serve, monkeypatch: pytest.MonkeyPatch) -> tuple[Sandbox, list[str]]:
    """A sandbox, and the options that name it."""
    served = sandbox(key=KEY)
    monkeypatch.setenv("CONTACT_SYNC_API_KEY", KEY)
    return served, ["--base-url", served.base_url, "--state-dir", "state"]


def lines_in(capsys: pytest.CaptureFixture[str]) -> Any:
    """What was printed as JSON."""
    return json.loads(capsys.readouterr().out)


def test_retry_and_report(main: Main, where: tuple[Sandbox, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    """What was left is sent, and all reports are written again; a run of another name is not there."""
    served, options = where
    write("C000001;Zoé", "C000002;Léa", "C000003;Max")
    assert main("run", "contacts.csv", *options, "--rate", "0", "--limit", "1", "--page", "p.html", "--workbook", "w.xlsx") == 0
    capsys.readouterr()
    for name in ("p.html", "w.xlsx"):
        Path(name).unlink()
    assert main("retry", *options, "--rate", "0", "-q") == 0
    assert capsys.readouterr() == ("", "")
    assert served.store["C000003"]["firstname"] == "Max"
    assert Path("p.html").exists()
    assert Path("w.xlsx").exists()
    report = Path("contacts.results.csv").read_bytes()
    assert main("report", "--state-dir", "state", "--report", "again.csv", "--json") == 0
    told = lines_in(capsys)
    assert (told["rows"], told["outcomes"]) == (3, {"updated": 3})
    assert Path("again.csv").read_bytes() == report
    assert main("report", told["run"], *options) == 0
    for command in ("report", "retry"):
        assert main(command, "20000101T000000Z-000000", *options) == 2
        assert f"Only the rows of the last run, {told['run']}, are still kept." in capsys.readouterr().err


def test_what_to_type_next(main: Main, where: tuple[Sandbox, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    """A retry is offered where it would send a row, and not for rows that are hidden."""
    _, options = where
    write("C000001;Zoé", "C000002;Léa")
    assert main("run", "contacts.csv", *options, "--rate", "0", "--limit", "1") == 0
    assert f"Next: contact-sync retry {' '.join(options)}\n" in capsys.readouterr().err
    book = openpyxl.Workbook()
    for row in (("contactId", "firstname"), ("C000001", "Zoé"), ("C000002", "Léa")):
        book.worksheets[0].append(row)
    book.worksheets[0].row_dimensions[3].hidden = True
    book.save("contacts.xlsx")
    os.utime("contacts.xlsx", (time.time() - 60,) * 2)
    assert main("run", "contacts.xlsx", *options, "--rate", "0", "--workbook", "none", "--hidden", "skip") == 0
    err = capsys.readouterr().err
    assert "1 unprocessed" in err
    assert "Next:" not in err


def test_how_long_a_run_took(main: Main, where: tuple[Sandbox, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    """A report that is written again says how long its run took, where that is known."""
    _, options = where
    assert main("run", write("C000001;Zoé"), *options, "--rate", "0", "-q") == 0
    (ledger,) = Path("state").glob("*.sqlite3")
    for seconds, told in ((12.5, "1 request in 12.5 s (retries: 0)."), (0, "")):
        with contextlib.closing(sqlite3.connect(ledger)) as db, db:
            db.execute("UPDATE run SET seconds = ?", (seconds,))
        assert main("report", *options) == 0
        assert re.findall(".*retries.*", capsys.readouterr().err) == [told][: bool(told)]


def test_nothing_kept(main: Main, where: tuple[Sandbox, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is no ledger, none of this account, or no run, each command says so."""
    _, options = where
    for command in ("retry", "report", "history"):
        assert main(command, *options) == 2
        assert "There is no ledger in state: check --state-dir, or run a file first." in capsys.readouterr().err
    assert main("run", write("C000001;Zoé"), "-n", *options) == 0
    assert main("report", *options) == 2
    assert "There is no run whose rows are still kept" in capsys.readouterr().err
    assert main("history", *options, "--account", "other") == 2
    assert "has no ledger of this account" in capsys.readouterr().err
    assert main("history", *options) == 0
    assert "No history for this contact." in capsys.readouterr().err
    assert main("run", "contacts.csv", *options, "--max-clears", "0", "--blank", "clear", "--map", "x=custom1", "-q") == 2
    Path("gone").mkdir()
    Path("gone").rmdir()
    Path("file").touch()
    assert main("history", "--state-dir", "file") == 7
    assert "cannot be used (Not a directory): check --state-dir" in capsys.readouterr().err


def test_history_and_forget(main: Main, where: tuple[Sandbox, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    """Runs and contacts are told as a table and as JSON, until they are forgotten."""
    _, options = where
    write("C000001;Zoé", f"C000002;{'x' * 40}")
    assert main("run", "contacts.csv", *options, "--rate", "0", "-q") == 3
    capsys.readouterr()
    assert main("history", *options) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert re.search(r"contacts\.csv  exit 3  1 updated, 1 invalid  \d+ s", line)
    assert main("history", *options, "--contact", "C000002") == 0
    assert "invalid  text-length  firstname  contacts.csv  row 3" in capsys.readouterr().out
    for contact in ("C000001", " C00\u200b0001"):  # as it may come out of a spreadsheet
        assert main("history", *options, "--contact", contact, "--json") == 0
        assert [(event["outcome"], event["sent"]) for event in lines_in(capsys)] == [("updated", "firstname")]
    assert main("forget", "C000001", *options) == 0
    assert "Contact forgotten (2 records deleted)." in capsys.readouterr().err
    assert main("forget", "C000001", *options) == 0
    assert "Nothing is stored about this contact." in capsys.readouterr().err
    assert main("history", *options, "--contact", "C000001", "--json") == 0
    assert lines_in(capsys) == []


@pytest.mark.parametrize("place", ["source", "report", "workbook", "page"])
def test_a_log_in_the_place_of_something_else(main: Main, capsys: pytest.CaptureFixture[str], place: str) -> None:
    """A log that would be written into the source, or where a report goes, is refused before anything is written."""
    path = write("C1;Zoé")
    before = path.read_bytes()
    wanted = {"source": "contacts.csv", "report": "contacts.results.csv", "workbook": "w.xlsx", "page": "p.html"}[place]
    given = () if place in {"source", "report"} else (f"--{place}", wanted)
    Path("link").symlink_to(wanted)
    assert main("check", path, *given, "--log-file", "link") == 2
    assert f"The log would overwrite {wanted}: correct --log-file." in capsys.readouterr().err
    assert {each.name for each in Path().iterdir()} == {"contacts.csv", "link"}
    assert path.read_bytes() == before


def test_history_of_empty_nights(main: Main, where: tuple[Sandbox, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    """A run without rows, or whose source was refused, was not interrupted; one that was killed was, unless it is in progress."""
    _, options = where
    write()
    assert main("run", "contacts.csv", *options, "--allow-empty", "-q") == 0
    assert main("run", "contacts.csv", *options, "-q") == 4
    capsys.readouterr()
    assert main("history", *options) == 0
    out = capsys.readouterr().out
    assert "exit 0" in out
    assert "exit 4" in out
    assert "interrupted" not in out
    (ledger,) = Path("state").glob("*.sqlite3")
    with contextlib.closing(sqlite3.connect(ledger)) as db, db:
        db.execute("UPDATE run SET finished = NULL, exit_code = NULL, outcomes = NULL")
    assert main("history", *options) == 0
    assert capsys.readouterr().out.count("interrupted") == 2
    descriptor = acquire(ledger.with_suffix(".lock"))
    assert descriptor is not None
    assert main("history", *options) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("in progress")
    assert second.endswith("interrupted")
    os.close(descriptor)


@pytest.mark.parametrize("how", ["failed", "left"])
def test_a_row_that_was_forgotten(
    main: Main, where: tuple[Sandbox, list[str]], capsys: pytest.CaptureFixture[str], how: str
) -> None:
    """A row whose contact was forgotten is told as such, in the report and the summary, and is not said to be sent by any run."""
    served, options = where
    write("C000001;Zoé", "C000002;Léa")
    if how == "failed":
        served.script["C000002"] = [Behaviour(status=400, body=b"")] * 2
    more = ("--attempts", "1") if how == "failed" else ("--limit", "1")
    main("run", "contacts.csv", *options, "--rate", "0", "-q", *more)
    assert main("forget", "C000002", *options) == 0
    capsys.readouterr()
    for command in ("report", "retry"):
        assert main(command, *options) == 0
        err = capsys.readouterr().err
        assert "row 3: The contact was forgotten, so the row is not sent." in err
        assert "next run" not in err
        assert "Next:" not in err
        last = Path("contacts.results.csv").read_text(encoding="utf-8-sig").splitlines()[-1]
        assert last.startswith(";;3;unprocessed;forgotten;;The contact was forgotten, so the row is not sent.;")


@pytest.mark.parametrize("nobody", ["", " ", "\u200b"])
def test_forget_nobody(main: Main, where: tuple[Sandbox, list[str]], capsys: pytest.CaptureFixture[str], nobody: str) -> None:
    """An id that is none is a wrong option, and nothing is forgotten, though there are rows without an id."""
    _, options = where
    write("C000001;Zoé", ";Max")
    assert main("run", "contacts.csv", *options, "--rate", "0", "-q") == 3
    before = Path("contacts.results.csv").read_bytes()
    assert main("forget", nobody, *options) == 2
    assert "There is no contactId: give the contact" in capsys.readouterr().err
    assert main("report", *options, "-q") == 0
    assert Path("contacts.results.csv").read_bytes() == before


def test_forget_an_id_as_it_stands_in_the_file(
    main: Main, where: tuple[Sandbox, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """An id is cleaned as one in a file is."""
    _, options = where
    write("'C000001;Zoé")
    assert main("run", "contacts.csv", *options, "--rate", "0", "-q") == 0
    capsys.readouterr()
    assert main("forget", " 'C000001", *options) == 0
    assert "Contact forgotten (2 records deleted)." in capsys.readouterr().err


def test_doctor(main: Main, where: tuple[Sandbox, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    """The doctor finds what is well and what is not, and never shows the key."""
    served, options = where
    assert main("doctor", *options) == 0
    assert "ok      The API at" in capsys.readouterr().out
    assert main("run", write("C000001;Zoé"), *options, "--rate", "0", "-q") == 0
    assert main("doctor", *options, "--json") == 0
    assert [each for each in lines_in(capsys) if not each["ok"]] == []
    served.key = "another"
    assert main("doctor", *options) == 2
    out = capsys.readouterr().out
    assert "TO DO   The API refused the key (code 10" in out
    assert KEY not in out
    assert main("doctor", "--base-url", "http://127.0.0.1:1/v1", "--state-dir", "state") == 2
    assert " does not answer: check --base-url" in capsys.readouterr().out
    assert main("doctor", "--base-url", f"{served.base_url}/none", "--state-dir", "state") == 2
    assert "HTTP 404 came from something other than the API: check --base-url." in capsys.readouterr().out
    assert main("doctor", "--base-url", "ftp://x") == 2
    Path("state").chmod(0o755)
    assert main("doctor", *options) == 2
    assert "run chmod 700 on it" in capsys.readouterr().out


def test_doctor_of_bad_nights(main: Main, where: tuple[Sandbox, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    """A last run that was not well, and one that was interrupted, are told."""
    _, options = where
    assert main("run", write(f"C000002;{'x' * 40}", "C000001;Zoé"), *options, "--rate", "0", "-q") == 3
    assert main("doctor", *options) == 2
    out = capsys.readouterr().out
    assert "ended with exit code 3: see its report" in out
    assert "No run has succeeded yet." in out
    (ledger,) = Path("state").glob("*.sqlite3")
    db = sqlite3.connect(ledger)
    with db:
        db.execute("UPDATE run SET finished = NULL, exit_code = NULL")
        db.execute("INSERT INTO run (id, source, started, finished, exit_code) VALUES ('a', 'c', '2020-01-01T00:00:00Z', '', 0)")
    db.close()
    assert main("doctor", *options) == 2
    out = capsys.readouterr().out
    assert "was interrupted: the next one continues where it stopped" in out
    assert "Check that the schedule is active." in out


def test_doctor_during_a_run(main: Main, where: tuple[Sandbox, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    """A run that has not ended is in progress as long as its process has the lock, be it the first, and interrupted only then."""
    _, options = where
    assert main("run", write("C000001;Zoé"), *options, "--rate", "0", "-q") == 0
    (ledger,) = Path("state").glob("*.sqlite3")
    db = sqlite3.connect(ledger, isolation_level=None)
    db.execute("INSERT INTO run (id, source, started) VALUES ('z', 'c', '2099-01-01T00:00:00Z')")
    for code in (0, 2):
        descriptor = acquire(ledger.with_suffix(".lock"))
        assert descriptor is not None
        assert main("doctor", *options) == 0
        out = capsys.readouterr().out
        assert "ok      A run is in progress." in out
        assert "interrupted" not in out
        assert ("Last successful" in out) is (code == 0)
        os.close(descriptor)
        assert main("doctor", *options) == 2
        assert "was interrupted" in capsys.readouterr().out
        db.execute("DELETE FROM run WHERE id <> 'z'")
    db.close()


def test_doctor_of_a_new_key(
    main: Main, where: tuple[Sandbox, list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first run with another key it says that every row will be sent, and tells nothing of runs with another."""
    served, options = where
    path = write("C000001;Zoé")
    for key in (f"{KEY}-2", f"{KEY}-3"):
        assert main("run", path, *options, "--rate", "0", "-q") == 0
        served.key = key
        monkeypatch.setenv("CONTACT_SYNC_API_KEY", key)
        assert main("doctor", *options) == 2
        out = capsys.readouterr().out
        assert "TO DO   state has no ledger for this key, --account and --base-url: the next run will send every row" in out
        assert "Last successful" not in out
    assert main("run", path, *options, "--rate", "0", "--json") == 0
    assert lines_in(capsys)["outcomes"] == {"updated": 1}
    assert main("doctor", *options) == 0


def test_a_folder(main: Main, where: tuple[Sandbox, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    """Each file of a folder is run and put away, one that brings out a bug is left, and the others are run all the same."""
    _, options = where
    Path("in").mkdir()
    write("C000001;Zoé", name="in/a.csv")
    write("x;y", name="in/b.csv", header="one;two")
    assert main("run", "in", *options, "--rate", "0") == 4
    err = capsys.readouterr().err
    assert re.search("in/a\\.csv was moved to in/done/\\d{8}T\\d{6}Z-a\\.csv\\.", err)
    assert re.search("in/b\\.csv was moved to in/failed/\\d{8}T\\d{6}Z-b\\.csv\\.", err)
    assert main("run", "in", *options) == 0
    assert "No file has arrived in in." in capsys.readouterr().err
    assert main("run", "in", *options, "--expect-by", "00:00", "-q") == 0
    assert main("run", "in", *options, "--page", "p.html") == 2
    assert "each file has its own reports" in capsys.readouterr().err


def test_a_folder_with_a_bug(
    main: Main, where: tuple[Sandbox, list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that brings out a bug stays, is told of, and does not keep the others from being run."""
    _, options = where
    Path("in").mkdir()
    write("C000001;Zoé", name="in/a.csv")
    write("C000002;Zoé", name="in/b.csv")
    real = inbox.report_of

    def report_of(path: Path) -> Path:
        if path.name == "a.csv":
            raise ValueError("no")
        return real(path)

    monkeypatch.setattr(inbox, "report_of", report_of)
    assert main("run", "in", *options, "--rate", "0", "-q") == 1
    assert "A bug in contact-sync: ValueError." in capsys.readouterr().err
    assert sorted(path.name for path in Path("in").iterdir()) == ["a.csv", "done"]


def test_a_folder_whose_file_is_replaced(
    main: Main, where: tuple[Sandbox, list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that takes the name of the one in progress is told of, and sent by the next run; what was run is reported apart."""
    served, options = where
    Path("in").mkdir()
    path = write("C000001;Zoé", name="in/a.csv")

    def run(*told: Any) -> Any:
        summary = real_run(*told)
        write("C000001;Max", name="new.csv").replace(path)
        return summary

    with monkeypatch.context() as patch:
        patch.setattr("contact_sync.sync.run.run", run)
        assert main("run", "in", *options, "--rate", "0", "-q") == 0
    assert "in/a.csv changed during the run: it stays in the inbox for the next run" in capsys.readouterr().err
    assert [found.name for found in Path("in").iterdir() if found.is_file()] == ["a.csv"]
    (report,) = Path("in/done").iterdir()
    before = report.read_bytes()
    report.unlink()
    assert main("report", *options) == 0
    assert report.read_bytes() == before
    assert main("run", "in", *options, "--rate", "0", "-q") == 0
    assert served.store["C000001"]["firstname"] == "Max"
    assert [found.name for found in Path("in").iterdir()] == ["done"]


@pytest.mark.parametrize("named", [".", ".."])
def test_a_folder_without_a_name(main: Main, capsys: pytest.CaptureFixture[str], named: str) -> None:
    """A folder may be named by where it is."""
    Path("in").mkdir()
    os.chdir("in")
    assert main("run", named, "--sandbox", "-n", "--log-file", "n.log") == 0
    assert "bug" not in capsys.readouterr().err


def test_two_runs_of_a_folder(
    main: Main, where: tuple[Sandbox, list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run puts its file away also when another has the lock by then."""
    _, options = where
    Path("in").mkdir()
    write("C000001;Zoé", name="in/a.csv")
    real = inbox.move

    def move(*told: Any, **more: Any) -> Path | None:
        (lock,) = Path("state").glob("*.lock")
        descriptor = acquire(lock)
        assert descriptor is not None
        stack.callback(os.close, descriptor)
        return real(*told, **more)

    monkeypatch.setattr(inbox, "move", move)
    with ExitStack() as stack:
        assert main("run", "in", *options, "--rate", "0") == 0
    assert re.search("in/a\\.csv was moved to in/done/.*-a\\.csv\\.", capsys.readouterr().err)


def test_schedule_and_completion(main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    """Both print what to put where, and change nothing."""
    assert main("schedule", "c.csv", "--at", "01:05", "--", "--api-key-file", "key") == 0
    out = capsys.readouterr().out
    assert f"run {Path.cwd()}/c.csv --api-key-file {Path.cwd()}/key --quiet" in out
    assert main("schedule", "c.csv", "--at", "1") == 2
    for shell in ("bash", "zsh", "fish"):
        assert main("completion", shell) == 0
        assert "_CONTACT_SYNC_COMPLETE" in capsys.readouterr().out
    assert list(Path().iterdir()) == []


def test_a_log(main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    """A log file grows, private, with ids and outcomes; one that cannot be written is exit 7."""
    write("C1;Zoé", "C2;Max")
    for form in ("text", "json"):
        assert main("run", "contacts.csv", "--sandbox", "--rate", "0", "-q", "--log-file", "n.log", "--log-format", form) == 0
    text, document = Path("n.log").read_text(encoding="utf-8").splitlines()[::2]
    assert "row 2, contact C1: updated" in text
    assert json.loads(document)["message"] == "row 2, contact C1: updated"
    assert stat.S_IMODE(Path("n.log").stat().st_mode) == 0o600
    assert capsys.readouterr() == ("", "")
    assert main("run", "contacts.csv", "--sandbox", "--log-file", "gone/n.log") == 7
    assert "cannot be written (No such file or directory): check --log-file" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_others_say(main: Main, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Of exceptions, warnings and other libraries only kind and place get into the log: their words may hold a value."""

    def bug(*_: object) -> None:
        logging.getLogger("library").error("of %s", "Zoé")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("Zoé", RuntimeWarning, stacklevel=1)
        cause = ExceptionGroup("Zoé", [LookupError("Zoé")])
        cause.__cause__ = cause  # as a library may leave it
        raise ValueError("Zoé") from cause

    monkeypatch.setattr("contact_sync.sync.run.run", bug)
    assert main("check", "contacts.csv", "-v", "--log-file", "n.log", "--log-format", form) == 1
    for told in (capsys.readouterr().err, Path("n.log").read_text(encoding="utf-8")):
        assert "Zo" not in told
        assert told.index("LookupError") < told.index("ExceptionGroup") < told.index("ValueError")
        assert re.search(r"test_main\.py:\d+ bug", told)
        assert re.search(r"RuntimeWarning at .*test_main\.py:\d+", told)
        assert re.search(r"library.*test_main\.py:\d+", told)


def test_a_ping_that_is_no_address(main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    """What is no address is exit 2, before anything is done."""
    assert main("run", write("C1;Zoé"), "--sandbox", "--ping", "nowhere") == 2
    assert "--ping is not a URL" in capsys.readouterr().err
    assert not Path("contacts.results.csv").exists()


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_a_ping_that_fails(main: Main, capsys: pytest.CaptureFixture[str], quiet: tuple[str, ...]) -> None:
    """Whoever tries a run out is told, once, that its pings fail, without the address; no mail is sent for it."""
    assert main("check", write("C1;Zoé"), "--ping", "http://127.0.0.1:1/secret-id", *quiet) == 0
    err = capsys.readouterr().err
    assert err.count("Warning: The ping could not be sent (URLError): check --ping.") == (0 if quiet else 1)
    assert "secret-id" not in err
