"""A crontab line and systemd units, as their programs read them."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contact_sync.cli.commands import schedule
from contact_sync.errors import ConfigError


@pytest.fixture(autouse=True)
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A program to be called, by an absolute path."""
    path = tmp_path / "contact-sync"
    path.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', encoding="ascii")
    path.chmod(0o700)
    monkeypatch.setattr(sys, "argv", [str(path)])
    return path


def test_cron_runs_what_was_asked_for(program: Path) -> None:
    """The command in the crontab line is, for the shell that cron calls, exactly the one that was asked for."""
    told = schedule.lines(Path("/srv/été 100%/c's.csv"), "01:05", ["--account", "a b"])
    (line,) = [line for line in told.splitlines() if line.startswith("5 1 * * *")]
    command = line.removeprefix("5 1 * * *  ").replace("\\%", "%")
    assert "%" not in line.replace("\\%", "")
    assert shlex.split(command)[0] == str(program)
    done = subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["run", "/srv/été 100%/c's.csv", "--account", "a b", "--quiet"]


def test_a_relative_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file is named from the root, since cron does not know the current folder."""
    monkeypatch.chdir(tmp_path)
    assert f"run {tmp_path}/c.csv --quiet" in schedule.lines(Path("c.csv"), "23:00", [])


def test_options_that_name_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """So is every file that an option names, however it is written; a workbook that is none stays none."""
    monkeypatch.chdir(tmp_path)
    told = schedule.lines(Path("c.csv"), "23:00", ["--api-key-file=k", "--page", "p.html", "--workbook", "none", "--account=a"])
    assert f"--api-key-file {tmp_path}/k --page {tmp_path}/p.html --workbook none --account=a --quiet" in told


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user that this machine has no name for, as in a container, is told by its number, which systemd takes as well."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 1_234_567_890)
    told = schedule.lines(Path("/srv/c.csv"), "01:30", [])
    assert told.startswith("# crontab -e, as 1234567890:\n")
    assert "\nUser=1234567890\n" in told


@pytest.mark.parametrize("at", ["1:30", "24:00", "01:60", "noon", ""])
def test_no_time(at: str) -> None:
    """What is no time of day is refused."""
    with pytest.raises(ConfigError, match="is not a time of day: write it as 01:30"):
        schedule.lines(Path("c.csv"), at, [])


def test_the_hour_that_does_not_exist() -> None:
    """The hour of the clock change is refused."""
    with pytest.raises(ConfigError, match="Times between 02:00 and 03:00"):
        schedule.lines(Path("c.csv"), "02:30", [])


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here: apt-get install systemd")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """Systemd finds nothing wrong with the units."""
    told = schedule.lines(Path("/srv/a 100%/c.csv"), "01:30", ["--account", "a $b"])
    units = told.partition("# /etc/systemd/system/contact-sync.service\n")[2]
    service, _, timer = units.partition("# /etc/systemd/system/contact-sync.timer\n")
    (tmp_path / "contact-sync.service").write_text(service, encoding="utf-8")
    (tmp_path / "contact-sync.timer").write_text(timer, encoding="utf-8")
    paths = [str(tmp_path / f"contact-sync.{kind}") for kind in ("service", "timer")]
    done = subprocess.run(["systemd-analyze", "verify", *paths], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
