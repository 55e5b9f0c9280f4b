"""The options: their names, types, variables, precedence, and usage errors."""

import json
import os
import re
from pathlib import Path
from typing import Any

import click
import pytest

from contact_sync.cli.program import COMMANDS
from contact_sync.settings import FIELDS, SendSettings, Settings

from .program import KEY, Main, SettingsOf, command, config, key_file, options, write

pytestmark = pytest.mark.unmeasured

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
    "--allow-forgotten",
    "--limit",
    "--max-duration",
    "--wait",
    "--ledger",
    "--live",
    "--conflicts",
    "--allow-stop",
    "--undo-days",
    "--max-conflicts",
    "--plan",
    "--verify",
    "--keep-days",
    "--expect-by",
    "--progress",
]
ALL = {
    *("run", "check", "plan", "pull", "undo", "probe", "retry", "report", "history", "forget"),
    *("ledger", "doctor", "schedule", "sandbox", "completion", "help"),
}


_RATE = "'--rate': write attempts a second, as 5 or 2.5, or 300/min (0.001 to 10000); 0 means no limit."
_SECONDS = "write a number of seconds above 0, at most 2678400, as 30 or 2.5."
_MODE = "'--report-mode': write permissions in octal, as 600 or 640."
_MAP = "'--map': write the header, = and the field, as 'Mobile perso=phoneNumber'."

# option → its value on the command line, in the environment and in the config file; the settings of each, and the default
PRECEDENCE: dict[str, tuple[tuple[str, str, str], tuple[Any, ...]]] = {
    "rate": (("3", "2", "1"), (3, 2, 1, 5)),
    "limit": (("3", "2", "1"), (3, 2, 1, None)),
    "max-invalid": (("3", "2", "1.5"), (3, 2, 1.5, 50)),
    "report-mode": (("640", "644", "660"), (0o640, 0o644, 0o660, None)),
    "blank": (("keep", "clear", '"clear"'), ("keep", "clear", "clear", "ask")),
    "account": (("a", "b", '"c"'), ("a", "b", "c", None)),
    "report": (("a", "b", '"c"'), (Path("a"), Path("b"), Path("c"), Path("c.rehearsal.csv"))),
    "map": (("A=url", "B=url;C=date", '["D=url"]'), ({"A": "url"}, {"B": "url", "C": "date"}, {"D": "url"}, {})),
}


def test_commands_have_exactly_the_documented_options() -> None:
    """The commands have the documented options, and no other."""
    assert set(COMMANDS) == ALL
    assert sorted(options("run")) == sorted([*SHARED, *SENDING])
    assert sorted(options("check")) == sorted(SHARED)
    shorts = {name: option.opts[0] for name, option in options("run").items() if not option.opts[0].startswith("--")}
    assert shorts == {"--dry-run": "-n", "--quiet": "-q", "--verbose": "-v"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_variable(name: str) -> None:
    """Every option --some-name also reads CONTACT_SYNC_SOME_NAME."""
    for long, option in options(name).items():
        assert option.envvar
        assert option.envvar[0] == f"CONTACT_SYNC_{long[2:].upper().replace('-', '_')}"


@pytest.mark.parametrize("place", ["option", "environment", "file"])
def test_former_option_name_still_works(main: Main, settings_of: SettingsOf, tmp_path: Path, place: str) -> None:
    """A renamed option is still read under its former name, wherever it is given, and the help shows only the new name."""
    given: tuple[str, ...] = ()
    if place == "option":
        given = ("--max-strangers", "7")
    elif place == "environment":
        main.env["CONTACT_SYNC_MAX_STRANGERS"] = "7"
    else:
        (tmp_path / "config.toml").write_text("max-strangers = 7", encoding="utf-8")
        given = ("--config", str(tmp_path / "config.toml"))
    assert settings_of("check", "c.csv", *given).guards.max_identity_changes == 7
    assert "--max-strangers" not in command("check").get_help(click.Context(command("check")))


def test_defaults(main: Main, settings_of: SettingsOf) -> None:
    """Without options a run has the defaults of the contract."""
    main.env["CONTACT_SYNC_API_KEY"] = KEY
    assert settings_of("run", "some/contacts.csv") == Settings.of(
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
        blank="ask",
        duplicates="refuse",
        hidden="refuse",
        region="FR",
        max_invalid=50,
        max_clears=100,
        renames={},
    )


def test_every_option_reaches_the_settings(settings_of: SettingsOf) -> None:
    """Each option reaches the settings, in their type."""
    given = (
        "--base-url https://example.com/v2/ --rate 300/min --workers 3 --attempts 2 --timeout 1.5 --account shop --resend "
        "--limit 7 --max-duration 60 -n --report r.csv --report-mode 640 --state-dir s --blank clear --duplicates last "
        "--map A=b=url --map B=custom1 --sheet S --encoding cp1252 --delimiter tab --hidden skip --region BE --max-invalid 2.5 "
        "--max-clears 0 --max-identity-changes 10 --allow-empty"
    )
    assert settings_of("run", "c.csv", "--api-key-file", key_file(), *given.split()) == Settings.of(
        source=Path("c.csv"),
        report=Path("r.csv"),
        report_mode=0o640,
        dry_run=True,
        key=KEY,
        key_file=Path("key"),
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
def test_settings_of_a_check(settings_of: SettingsOf, dry: tuple[str, ...]) -> None:
    """A check neither sends nor uses a ledger, and needs no key."""
    settings = settings_of("check", "c.csv", *dry, "--delimiter", ",")
    assert (settings.dry_run, settings.remember, settings.account.key, settings.source.delimiter) == (True, False, "", ",")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("--rate fast", _RATE),
        ("--rate -1", _RATE),
        ("--rate 1e19", _RATE),
        ("--rate 1e308", _RATE),
        ("--rate 1e-320", _RATE),
        ("--rate nan", _RATE),
        ("--rate inf", _RATE),
        ("--region ß", "'--region': write the two letters of a country, as FR."),
        ("--workers 1000000", "'--workers': write a whole number from 1 to 256."),
        ("--sandbox --base-url https://example.com/v1", "--sandbox and --base-url exclude each other: leave one out."),
        ("--workers 0", "'--workers': write a whole number from 1 to 256."),
        ("--attempts 0", "'--attempts': write a whole number from 1 to 100."),
        ("--timeout 0", "'--timeout': " + _SECONDS),
        ("--timeout nan", "'--timeout': " + _SECONDS),
        ("--timeout inf", "'--timeout': " + _SECONDS),
        ("--limit 0", "'--limit': write a whole number from 1 to 1000000000."),
        ("--max-duration nan", "'--max-duration': " + _SECONDS),
        ("--max-invalid nan", "'--max-invalid': write a percentage from 0 to 100, as 50 or 50%."),
        ("--max-invalid 101", "'--max-invalid': write a percentage from 0 to 100, as 50 or 50%."),
        ("--max-invalid -1", "'--max-invalid': write a percentage from 0 to 100, as 50 or 50%."),
        ("--max-clears -1", "'--max-clears': write a whole number from 0 to 1000000000."),
        ("--expect-by noon", "'--expect-by': write a time of day, as 02:00."),
        ("--report-mode 777", _MODE),
        ("--report-mode 0", _MODE),
        ("--report-mode 200", _MODE),
        ("--report-mode rw", _MODE),
        ("--report-mode 6_40", _MODE),
        ("--report-mode 0o640", _MODE),
        ("--report-mode \u0666\u0664\u0660", _MODE),
        ("--expect-by \u0660\u0662:00", "'--expect-by': write a time of day, as 02:00."),
        ("--map x", _MAP),
        ("--map =url", _MAP),
        ("--map x=", _MAP),
        ("--blank never", "'--blank': 'never' is not one of 'ask', 'keep', 'clear'."),
        ("--duplicates all", "'--duplicates': 'all' is not one of 'refuse', 'first', 'last'."),
        ("--hidden maybe", "'--hidden': 'maybe' is not one of 'refuse', 'include', 'skip'."),
        ("--nonsense", "No such option '--nonsense'."),
        ("more.csv --report r.csv", "Each of several files has its own reports: leave out --report and --workbook."),
        ("contacts.results.csv", "The report of contacts.csv would overwrite contacts.results.csv: run that file by itself."),
        ("--base-url http://example.com", "the API key would be sent unencrypted to example.com: correct --base-url."),
        (
            "--api-key-file missing",
            "The API key file cannot be read (No such file or directory): --api-key-file must give the path",
        ),
        ("--config missing", "The config file missing cannot be read (No such file or directory): check --config."),
    ],
)
def test_usage_errors(main: Main, monkeypatch: pytest.MonkeyPatch, wrong: str, sentence: str) -> None:
    """A wrong option is exit 2 with a sentence on stderr, before anything is done; stdout stays empty."""
    main.env["CONTACT_SYNC_API_KEY"] = KEY
    monkeypatch.setattr("contact_sync.sync.run.run", lambda *_, **__: pytest.fail("the option was accepted"))
    assert main("run", "contacts.csv", *wrong.split()) == 2
    out, err = main.read()
    assert out == ""
    assert sentence in err
    assert "Traceback" not in err


NUMBERS = [
    *("rate", "workers", "attempts", "timeout", "limit", "max-duration", "wait"),
    *("max-invalid", "max-clears", "max-identity-changes", "keep-days"),
]


DIGITS = ["\u0664\u0660", "\uff14\uff10", "4_0", " 40", "40 ", "40\n", "+40", "4e1", "0x40", "\u00b2"]


@pytest.mark.parametrize("place", ["option", "environment", "file"])
@pytest.mark.parametrize("option", NUMBERS)
def test_numbers_are_plain(main: Main, monkeypatch: pytest.MonkeyPatch, option: str, place: str) -> None:
    """A number in another spelling than plain ASCII digits is a usage error, wherever it is given."""
    monkeypatch.setattr("contact_sync.sync.run.run", lambda *_, **__: pytest.fail("the option was accepted"))
    for digits in DIGITS:
        given: tuple[object, ...] = ()
        if place == "option":
            given = (f"--{option}={digits}",)
        elif place == "environment":
            main.env[f"CONTACT_SYNC_{option.upper().replace('-', '_')}"] = digits
        else:
            given = ("--config", config(f"{option} = {json.dumps(digits)}\n"))
        assert main("run", "contacts.csv", "--sandbox", *given) == 2, digits
        assert re.search(rf"'--{option}'.*: write ", main.read().err), digits


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_no_formulas(main: Main, name: str) -> None:
    """The help shows no bounds as a formula."""
    assert main(name, "--help") == 0
    assert "<=" not in main.read().out


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n", "a", "é", "7", " "])
def test_impossible_delimiter(main: Main, delimiter: str) -> None:
    """--delimiter must be one character that can separate cells."""
    assert main("check", write("C1;Zoé"), "--delimiter", delimiter) == 2
    assert "'--delimiter': write one of ; , tab | or another character that can separate cells." in main.read().err


@pytest.mark.parametrize(("given", "meant"), [("|", "|"), ("^", "^"), ("tab", "\t"), ("TAB", "\t"), ("\\t", "\t"), ("\t", "\t")])
def test_delimiter(settings_of: SettingsOf, given: str, meant: str) -> None:
    """--delimiter is a character, or a name for the tab, which is hard to type."""
    assert settings_of("check", "c.csv", "--delimiter", given).source.delimiter == meant


@pytest.mark.parametrize("option", ["FILE", "--report", "--workbook", "--page", "--state-dir", "--log-file", "--config"])
def test_empty_path(main: Main, option: str) -> None:
    """A file or folder without a name, as a shell passes for an unset variable, is exit 2."""
    arguments = [""] if option == "FILE" else [write("C1;Zoé"), option, ""]
    assert main("check", *arguments) == 2
    assert f"Invalid value for '{option}': write the name of a file or folder." in main.read().err


@pytest.mark.parametrize("option", ["FILE", "--report", "--workbook", "--page", "--state-dir", "--log-file", "--config"])
def test_dash_as_a_path(main: Main, option: str) -> None:
    """The sign for the standard input or output is exit 2, and no file has it as its name."""
    arguments = ["-"] if option == "FILE" else [write("C1;Zoé"), option, "-"]
    assert main("check", *arguments) == 2
    assert f"Invalid value for '{option}': - is not read as the standard input or output" in main.read().err
    assert not Path("-").exists()


@pytest.mark.parametrize(
    ("option", "code"), [("--report", 7), ("--workbook", 7), ("--page", 7), ("--log-file", 7), ("--config", 2), ("FILE", 4)]
)
@pytest.mark.parametrize("linked", [False, True])
def test_pipe_as_a_path(main: Main, monkeypatch: pytest.MonkeyPatch, option: str, code: int, linked: bool) -> None:
    """A pipe that nobody else has open is one sentence, whatever it is given as; nothing waits for it or replaces it."""
    monkeypatch.setattr("contact_sync.settings._PIPE_TIMEOUT_S", 0.1)
    os.mkfifo("pipe")
    Path("link").symlink_to("pipe")
    path = "link" if linked else "pipe"
    arguments = [path] if option == "FILE" else [write("C1;Zoé"), option, path]
    assert main("check", *arguments) == code
    assert len(main.read().err.splitlines()) == 1
    assert Path("pipe").is_fifo()
    assert Path("link").is_symlink()


@pytest.mark.parametrize("name", ["-a.csv", "--report", "a b;'$(id).csv", "a\nb.csv", ".csv"])
def test_odd_name(main: Main, name: str) -> None:
    """A file of any name can be checked, after -- where it looks like an option."""
    write("C1;Zoé", name=name)
    assert main("check", "--", name) == 0
    assert Path(f"{Path(name).stem}.check.csv").exists()


def test_missing_command_or_argument(main: Main) -> None:
    """A missing command, an unknown one, and a missing file are usage errors."""
    for given, sentence in (
        ((), "Usage: contact-sync"),
        (("rum",), "No such command 'rum'"),
        (("run",), "Missing argument 'FILE...'"),
    ):
        assert main(*given) == 2
        out, err = main.read()
        assert out == ""
        assert sentence in err


@pytest.mark.parametrize("option", PRECEDENCE)
def test_precedence(main: Main, settings_of: SettingsOf, option: str) -> None:
    """An option wins over the environment, the environment over the config file, the config file over the default."""
    (on_line, in_environment, in_file), expected = PRECEDENCE[option]

    def value(*more: object) -> Any:
        name = "renames" if option == "map" else option.replace("-", "_")
        made = settings_of("run", "c.csv", "--sandbox", *more)
        concern, field = FIELDS.get(name, ("", name))
        return getattr(getattr(made, concern) if concern else made, field)

    assert value() == expected[3]
    file = config(f"{option} = {in_file}\n")
    assert value("--config", file) == expected[2]
    main.env["CONTACT_SYNC_CONFIG"] = str(file)
    assert value() == expected[2]
    main.env[f"CONTACT_SYNC_{option.upper().replace('-', '_')}"] = in_environment
    assert value() == expected[1]
    assert value(f"--{option}", on_line) == expected[0]


@pytest.mark.parametrize("yes", ["1", "true", "yes", "on"])
@pytest.mark.parametrize("no", ["0", "false", "no", "off"])
def test_flags(main: Main, settings_of: SettingsOf, yes: str, no: str) -> None:
    """A flag is read from the config file and the environment, which can also unset what the file sets."""
    arguments = ("run", "c.csv", "--sandbox", "--config", config("resend = true\nallow-empty = false\n"))
    assert (settings_of(*arguments).send.resend, settings_of(*arguments).source.allow_empty) == (True, False)
    main.env["CONTACT_SYNC_RESEND"] = no
    main.env["CONTACT_SYNC_ALLOW_EMPTY"] = yes
    assert (settings_of(*arguments).send.resend, settings_of(*arguments).source.allow_empty) == (False, True)


def test_environment_is_that_of_main(monkeypatch: pytest.MonkeyPatch, settings_of: SettingsOf) -> None:
    """Options and key are read only from the environment that `main` was given."""
    monkeypatch.setenv("CONTACT_SYNC_RATE", "9")
    monkeypatch.setenv("CONTACT_SYNC_API_KEY", KEY)
    made = settings_of("run", "c.csv", "-n", "--account", "a")
    assert (made.send.rate, made.account.key) == (5, "")


def test_every_option_in_the_environment(main: Main, settings_of: SettingsOf) -> None:
    """The environment alone can configure a run; an empty variable counts as unset."""
    given = (
        "RATE=1 WORKERS=2 ATTEMPTS=3 TIMEOUT=4 LIMIT=5 MAX_DURATION=6 DRY_RUN=1 REPORT=r SHEET=s ENCODING=e DELIMITER=| "
        "HIDDEN=skip DUPLICATES=first REGION=BE MAX_CLEARS=7 BASE_URL=https://a.fr SANDBOX=1 QUIET=1 VERBOSE= JSON="
    )
    for name, value in (pair.split("=") for pair in given.split()):
        main.env[f"CONTACT_SYNC_{name}"] = value
    made = settings_of("run", "c.csv")
    sending = SendSettings(rate=1, workers=2, attempts=3, timeout=4, limit=5, max_duration=6, sandbox=True)
    assert (made.send, made.dry_run) == (sending, True)
    assert (made.report.path, made.account.base_url) == (Path("r"), "https://a.fr")
    assert (made.source.sheet, made.source.encoding, made.source.delimiter, made.source.hidden) == ("s", "e", "|", "skip")
    assert (made.source.duplicates, made.source.region, made.guards.max_clears) == ("first", "BE", 7)
