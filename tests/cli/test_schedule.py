"""`schedule` and `completion`: the crontab line and the systemd units, as cron and systemd read them."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from contact_sync.cli.commands.schedule import instructions
from contact_sync.errors import ConfigError
from tests.setups import requires_root, unprivileged_user

from .program import KEY, Main, config, key_file, write


@pytest.fixture
def program(tmp_path: Path) -> str:
    """Return the absolute path of a program that prints its arguments."""
    path = tmp_path / "contact-sync"
    path.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', encoding="ascii")
    path.chmod(0o700)
    return str(path)


def test_cron_runs_the_given_command(program: str) -> None:
    """The shell that cron starts reads the command in the crontab line exactly as it was given."""
    printed = instructions(Path("/srv/été 100%/c's.csv"), "01:05", ["--account", "a b"], program)
    (line,) = [line for line in printed.splitlines() if line.startswith("5 1 * * *")]
    command = line.removeprefix("5 1 * * *  ").replace("\\%", "%")
    assert "%" not in line.replace("\\%", "")
    assert shlex.split(command)[0] == program
    done = subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["run", "/srv/été 100%/c's.csv", "--account", "a b", "--quiet"]


def test_relative_file(program: str) -> None:
    """The path of the file is made absolute, since cron does not know the current folder."""
    assert f"run {Path.cwd()}/c.csv --quiet" in instructions(Path("c.csv"), "23:00", [], program)
    assert instructions(Path("c.csv"), "23:00", ["--quiet"], program) == instructions(Path("c.csv"), "23:00", [], program)


def test_options_with_paths(program: str) -> None:
    """The paths in options are made absolute, in either form; `--workbook none` stays."""
    options = ["--api-key-file=k", "--page", "p.html", "--workbook", "none", "--account=a"]
    printed = instructions(Path("c.csv"), "23:00", options, program)
    assert f"--api-key-file {Path.cwd()}/k --page {Path.cwd()}/p.html --workbook none --account=a --quiet" in printed


def test_user_without_a_name(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """A user without a name, as in a container, is shown by its number, which systemd accepts too."""
    monkeypatch.setattr("os.geteuid", lambda: 1_234_567_890)
    printed = instructions(Path("/srv/c.csv"), "01:30", [], program)
    assert printed.startswith("# crontab -e, as 1234567890: (write")
    assert "\nUser=1234567890\n" in printed


@pytest.mark.parametrize("at", ["1:30", "24:00", "01:60", "noon", ""])
def test_invalid_time(at: str, program: str) -> None:
    """An --at that is not a time of day is refused."""
    with pytest.raises(ConfigError, match="is not a time of day: write it as 01:30"):
        instructions(Path("c.csv"), at, [], program)


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Return a function that sets the time zone of this process."""

    def change(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield change
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("name", "at", "changes"),
    [
        ("Europe/Paris", "02:00", True),
        ("Europe/Paris", "02:59", True),
        ("Europe/Paris", "03:00", False),
        ("Europe/Paris", "01:59", False),
        ("Europe/London", "01:30", True),
        ("UTC", "02:30", False),
    ],
)
def test_hour_of_the_clock_change(zone: Callable[[str], None], program: str, name: str, at: str, changes: bool) -> None:
    """A time in the hour that a clock change of this time zone skips or repeats is refused."""
    zone(name)
    with (
        pytest.raises(ConfigError, match=f"{at} is skipped or repeated when the clocks change, next on 2")
        if changes
        else nullcontext()
    ):
        instructions(Path("c.csv"), at, [], program)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here: apt-get install systemd")
def test_systemd_accepts_the_units(tmp_path: Path, program: str) -> None:
    """The units are valid for systemd."""
    printed = instructions(Path("/srv/a 100%/c.csv"), "01:30", ["--account", "a $b"], program)
    units = printed.partition("# /etc/systemd/system/contact-sync.service\n")[2]
    service, _, rest = units.partition("# /etc/systemd/system/contact-sync-failed.service\n")
    notice, _, timer = rest.partition("# /etc/systemd/system/contact-sync.timer\n")
    texts = {"contact-sync.service": service, "contact-sync-failed.service": notice, "contact-sync.timer": timer}
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    paths = [str(tmp_path / name) for name in texts]
    done = subprocess.run(["systemd-analyze", "verify", *paths], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_unit_waits_for_network_and_mounts(program: str) -> None:
    """The service starts after the network and the folders of its files, and has a service for its failure."""
    printed = instructions(Path("/srv/a 100%/c.csv"), "01:30", ["--api-key-file", "/etc/$keys/key"], program)
    lines = printed.splitlines()
    assert {"Wants=network-online.target", "After=network-online.target", "OnFailure=contact-sync-failed.service"} <= set(lines)
    assert 'RequiresMountsFor="/srv/a 100%%/c.csv" /etc/$keys/key' in lines
    assert "# /etc/systemd/system/contact-sync-failed.service" in lines


@pytest.mark.parametrize("name", ["/srv/a\nb.csv", "/srv/\x1b[2Jc.csv", "/srv/\u202ec.csv"])
def test_name_that_would_break_the_line(program: str, name: str) -> None:
    """A name with a line break or a control character is refused: in a crontab it would be a line of its own."""
    with pytest.raises(ConfigError, match="contains a control character or a line break: rename the file") as refused:
        instructions(Path(name), "01:30", [], program)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_paths_are_exact_on_any_terminal(tmp_path: Path, encoding: str) -> None:
    """A terminal that is said to be ASCII gets the bytes of a path, not escapes."""
    env = {**os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-m", "contact_sync", "schedule", str(tmp_path / "été.csv"), "--lang", "fr"]
    done = subprocess.run(command, check=True, capture_output=True, env=env)
    assert done.stdout.count("/été.csv".encode()) == 4
    assert b"\\x" not in done.stdout


def test_missing_files_are_named(main: Main) -> None:
    """The file, the key file and the config file are named when they do not exist."""
    assert main("schedule", "c.csv", "--", "--api-key-file=key", "--config", "conf") == 0
    err = main.read().err
    assert [line.partition(": ")[2] for line in err.splitlines()] == [
        f"{name} does not exist yet: the run needs it." for name in ("c.csv", "key", "conf")
    ]
    write("C000001;Zoé", name="c.csv")
    Path("conf").touch()
    key_file()
    assert main("schedule", "c.csv", "--", "--api-key-file=key", "--config", "conf") == 0
    assert main.read().err == ""


def test_missing_folders_are_named(main: Main) -> None:
    """The folder of a log or a report is named when it does not exist, also in JSON."""
    Path("c.csv").touch()
    written = ["--log-file", "/nowhere/x.log", "--page=pages/p.html", "--report", "r.csv", "--workbook", "none"]
    assert main("schedule", "c.csv", "--json", "--", *written) == 0
    out, err = main.read()
    document = json.loads(out)
    assert (document["missing"], document["exit_code"]) == (["/nowhere", "pages"], 0)
    assert document["warnings"][0] == "/nowhere does not exist yet: the run needs it."
    assert "--log-file /nowhere/x.log" in document["instructions"]
    assert "Warning: /nowhere does not exist yet: the run needs it." in err.splitlines()


def test_address_is_to_be_replaced(program: str) -> None:
    """The instructions say that the address in them is an example."""
    assert "(write your own address in place of ops@example.org)\nMAILTO=" in instructions(Path("c.csv"), "01:30", [], program)


def test_schedule_and_completion_only_print(main: Main) -> None:
    """Both commands print instructions, and change nothing."""
    assert main("schedule", "c.csv", "--at", "01:05", "--", "--api-key-file", "key") == 0
    out = main.read().out
    assert f"run {Path.cwd()}/c.csv --api-key-file {Path.cwd()}/key --quiet" in out
    assert main("schedule", "c.csv", "--at", "1") == 2
    for shell in ("bash", "zsh", "fish"):
        assert main("completion", shell) == 0
        assert "_CONTACT_SYNC_COMPLETE" in main.read().out
    assert list(Path().iterdir()) == []


def test_options_need_no_dashes_before_them(main: Main) -> None:
    """The options of the run follow FILE as they would after `run`, also those that `schedule` has itself."""
    write("C000001;Zoé", name="c.csv")
    key_file()
    config("state-dir = '/srv/state'\n")
    given = ["--at=03:10", "--api-key-file", "key", "--lang", "en", "--config", "config.toml", "--account=a"]
    assert main("schedule", "c.csv", *given) == 0
    out, err = main.read()
    here = Path.cwd()
    options = f"--config {here}/config.toml --lang en --api-key-file {here}/key --account=a --quiet"
    assert f"\n10 3 * * *  {main_program()} run {here}/c.csv {options}\n" in out
    assert f"\nRequiresMountsFor={here}/c.csv /srv/state {here}/config.toml {here}/key\n" in out
    assert err == ""


def main_program() -> str:
    """Return the full path of this process's program, as a crontab line has it."""
    return os.path.abspath(shutil.which(sys.argv[0]) or sys.argv[0])  # noqa: PTH100 - a link stays one


@pytest.mark.parametrize("given", [["c.csv", "--api-key-fil", "key"], ["--api-key-file", "key", "c.csv"], ["c.csv", "d.csv"]])
def test_line_that_would_fail_is_not_printed(main: Main, given: list[str]) -> None:
    """Options that `run` does not have, options before FILE and several files are a wrong command line."""
    assert main("schedule", *given) == 2
    out, err = main.read()
    assert out == ""
    assert "No such option '--api-key-fil'. Did you mean" in err or "give one file or folder, then the options of run." in err


def test_key_where_the_line_looks_for_it(main: Main) -> None:
    """The key is looked for as cron would: in the options and the config file, not in the variables of this shell."""
    write("C000001;Zoé", name="c.csv")
    main.env["CONTACT_SYNC_API_KEY"] = KEY
    assert main("schedule", "c.csv") == 0
    err = main.read().err
    assert "Warning: There is no API key: give the file that contains it with --api-key-file" in err
    assert "Warning: cron and systemd do not have CONTACT_SYNC_API_KEY of this shell: use options, or the config file." in err
    assert KEY not in err
    del main.env["CONTACT_SYNC_API_KEY"]
    key_file(mode=0o644)
    assert main("schedule", "c.csv", "--config", config("api-key-file = 'key'"), "--json") == 0
    assert main.read_json()["warnings"] == ["The API key file key can be read by others: run chmod 600 on it."]
    key_file()
    assert main("schedule", "c.csv", "--config", "config.toml", "--json") == 0
    assert main.read_json()["warnings"] == []
    assert main("schedule", "c.csv", "--sandbox", "--json") == 0
    assert main.read_json()["warnings"] == []


def test_refusal_of_the_night(main: Main) -> None:
    """A file that its run would refuse is found at once, by its structure or by a guard; nothing is written."""
    key_file()
    given = ["--api-key-file", "key", "--json"]
    refusals = {
        write("C1;x", name="a.csv", header="Réf;firstname"): "none of the first 20 rows is a header with a contactId column",
        write("C 1;x", "C 2;y", "C3;z", name="b.csv"): "2 of 3 rows are invalid, more than 50 %",
        write(name="c.csv"): "c.csv has no data row",
    }
    for path, sentence in refusals.items():
        before = {*Path().iterdir()}
        assert main("schedule", path, *given) == 0
        (warning,) = main.read_json()["warnings"]
        assert warning.startswith("As the file is now, its run would be refused. ")
        assert sentence in warning
        assert {*Path().iterdir()} == before
    assert main("schedule", "b.csv", *given, "--max-invalid", "70") == 0
    assert main.read_json()["warnings"] == []


def test_log_that_cannot_be_written(main: Main) -> None:
    """A log that cannot be written is named, also where the config file has it."""
    write("C000001;Zoé", name="c.csv")
    Path("log").mkdir()
    key_file()
    for given in (["--log-file", "log"], ["--config", config("log-file = 'log'")]):
        assert main("schedule", "c.csv", "--api-key-file", "key", *given, "--json") == 0
        assert main.read_json()["warnings"] == [
            "The log log cannot be written: check its folder and its permissions, or --log-file."
        ]


@requires_root
def test_folders_that_cannot_be_written(main: Main) -> None:
    """A folder in which the run could not save its reports or its state is named."""
    for folder in ("in", "pages", "state"):
        Path(folder).mkdir(mode=0o755)
    write("C000001;Zoé", name="in/c.csv")
    key_file().chmod(0o600)
    os.chown("key", 65534, -1)
    for place in (Path.cwd(), *Path.cwd().parents):
        if place.name.startswith(("pytest-", "popen-", "test_")):
            place.chmod(0o711)
    arguments = ["in/c.csv", "--api-key-file", "key", "--page", "pages/a.html", "--state-dir", "state"]
    with unprivileged_user():
        assert main("schedule", *arguments, "--json") == 0
    sentence = "The folder {} cannot be written by this user: nothing could be saved there."
    assert {*map(sentence.format, ("in", "pages", "state"))} <= {*main.read_json()["warnings"]}


@requires_root
def test_schedule_of_another_user(main: Main) -> None:
    """A key file of another user is named, since the job would not be its owner's."""
    write("C000001;Zoé", name="c.csv")
    os.chown(key_file(), 65534, -1)
    assert main("schedule", "c.csv", "--api-key-file", "key", "--json") == 0
    (warning,) = main.read_json()["warnings"]
    assert "and this is root: each user has a ledger of their own" in warning


def test_service_mounts_the_default_state_folder(main: Main) -> None:
    """The service waits for the state folder also where no option names it."""
    assert main("schedule", "c.csv") == 0
    assert f"{Path.home()}/.local/state/contact-sync\n" in main.read().out


def test_schedule_in_french(main: Main) -> None:
    """What is said to a person in the instructions is French; the commands stay."""
    assert main("schedule", "c.csv", "--lang", "fr") == 0
    out = main.read().out
    assert "Description=Signaler un échec de contact-sync\n" in out
    assert "# puis\u202f: systemctl daemon-reload" in out
