"""The program as a process: streams, permissions, broken pipes."""

import io
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from contact_sync import __version__
from contact_sync.cli.console import Streams
from contact_sync.cli.main import main as run_program

from .program import Main, write

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[2]

_BINDING = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
"""A command prefix under which permissions also apply to root."""


def process(
    *arguments: str,
    before: Sequence[str] = (),
    shell: str = "",
    output: int = subprocess.PIPE,
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the program as cron does, with a minimal environment.

    `before` is a command prefix, `shell` a redirection, and both streams go to `output`.
    """
    command = [*before, sys.executable, "-m", "contact_sync", *arguments]
    env = {name: value for name, value in os.environ.items() if name == "HOME" or name.startswith("COVERAGE_")}
    env |= {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)} | (environment or {})
    if shell:
        command = ["/bin/sh", "-c", f'"$@" {shell}', "sh", *command]
    return subprocess.run(command, check=False, stdout=output, stderr=output, text=True, env=env, timeout=60)


def test_module_and_script_are_the_same_program() -> None:
    """`python -m contact_sync` is the program, and `contact-sync` is declared to be the same."""
    done = process("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{__version__}\n", "")
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert declared == {"contact-sync": "contact_sync.cli.main:main"}


@pytest.mark.parametrize("shell", [">/dev/full 2>/dev/full", "<&- >&- 2>&-"])
def test_unwritable_output_changes_nothing(shell: str) -> None:
    """Output that cannot be written changes neither the report nor the exit code of a check; tests/e2e have those of a run."""
    write("Cé;Zoé", "C1;Zoé", "C2;Max")
    assert process("check", "contacts.csv", "--json", shell=shell).returncode == 3
    lines = Path("contacts.check.csv").read_text(encoding="utf-8-sig").splitlines()
    assert [line.split(";")[3] for line in lines[1:]] == ["invalid", "ready", "ready"]


@pytest.mark.skipif(bool(_BINDING) and not shutil.which(_BINDING[0]), reason="permissions do not apply to root")
@pytest.mark.parametrize(
    ("arguments", "closed", "code", "sentence"),
    [
        ("check contacts.csv", "contacts.csv", 75, "contacts.csv cannot be read: permission denied; give this user read access"),
        ("check closed/contacts.csv", "closed", 75, "permission denied; give this user read access"),
        ("run closed --sandbox", "closed", 4, "closed cannot be read (Permission denied): check the folder."),
        ("run contacts.csv -n --account a --state-dir closed", "closed", 7, "(Permission denied): check --state-dir."),
        ("run contacts.csv -n --account a --state-dir closed/a/b", "closed", 7, "(Permission denied): check --state-dir."),
        ("history --state-dir closed", "closed", 7, "The state folder closed cannot be used (Permission denied)"),
        ("check contacts.csv --report closed/r.csv", "closed", 7, "closed/r.csv cannot be written"),
        ("doctor --state-dir closed", "closed", 2, "The state folder closed cannot be written"),
        ("doctor --state-dir closed/a/b", "closed", 2, "The state folder closed/a/b cannot be written"),
        ("check contacts.csv --report old.csv", "old.csv", 0, "1 ready"),
    ],
)
def test_missing_permissions(arguments: str, closed: str, code: int, sentence: str) -> None:
    """Missing permissions end with the exit code of what they protect; an old report need not be readable to be replaced."""
    write("C1;Zoé")
    Path("old.csv").touch()
    Path("closed").mkdir()
    Path(closed).chmod(0)
    done = process(*arguments.split(), before=_BINDING)
    assert (done.returncode, sentence in done.stdout + done.stderr) == (code, True), done.stderr
    assert "There is no ledger" not in done.stdout


def test_closed_descriptors_are_not_reused() -> None:
    """Where cron closed the standard streams, no file is opened under their descriptors."""
    script = (
        "import os, sys; from contact_sync.cli.main import main; main(['--version']);"
        "os._exit(os.open('contacts.csv', os.O_RDONLY))"
    )
    write("C1;Zoé")
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")} | {"PYTHONPATH": str(ROOT)}
    command = ["/bin/sh", "-c", '"$@" <&- >&- 2>&-', "sh", sys.executable, "-c", script]
    assert subprocess.run(command, check=False, env=env).returncode > 2


def test_stream_that_cannot_encode() -> None:
    """Characters that a stream cannot encode are written as escapes, and not lost."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert run_program(["check", str(write("C1;Zoé", name="prénoms.csv"))], {}, Streams(stream, stream)) == 0
    assert rb"pr\xe9noms.csv: 1 row." in stream.buffer.getvalue()


def test_broken_pipe_after_a_run() -> None:
    """A broken pipe does not change the exit code."""
    write("C1;Zoé", "C2;Max")
    reading, writing = os.pipe()
    os.close(reading)
    done = process("check", "contacts.csv", "--json", output=writing)
    os.close(writing)
    assert done.returncode == 0
    assert Path("contacts.check.csv").exists()


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help"), ("--version",)])
def test_broken_pipe_under_help(arguments: tuple[str, ...]) -> None:
    """Help into a broken pipe or a closed stream is not an error; on a full disk it is."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "contact_sync", *arguments]
    gone = subprocess.run(command, check=False, stdout=writing, stderr=subprocess.PIPE, cwd=ROOT, timeout=60)
    os.close(writing)
    assert (gone.returncode, gone.stderr) == (0, b"")
    closed = process(*arguments, shell=">&-")
    assert (closed.returncode, closed.stderr) == (0, "")
    full = process(*arguments, shell=">/dev/full")
    assert (full.returncode, full.stderr) == (7, "contact-sync: The output cannot be written (No space left on device).\n")


def test_broken_pipe_inside_a_command(main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken pipe inside a command is not taken for that of the output, but reported as a bug."""

    def breaks(*_: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("contact_sync.sync.run.run", breaks)
    assert main("check", "contacts.csv") == 1
    assert "A bug in contact-sync: BrokenPipeError." in main.read().err
    assert main("check", "contacts.csv", "-v") == 1
    assert "Traceback" in main.read().err


COMMANDS = ("run c.csv --sandbox", "check c.csv", "doctor", "history", "sandbox", "schedule c.csv", "pull -o c")
TEXTS = ("--version", "--help", "help", "help run", "help operations", "completion bash")


def test_system_without_locks() -> None:
    """On Windows, which lacks these modules, every command that needs files says what to do, and the help is there."""
    script = (
        "import sys; sys.modules.update(dict.fromkeys(('fcntl', 'resource', 'pwd', 'grp', 'termios')));"
        "from contact_sync.cli.main import main;"
        "print([main(arguments.split()) for arguments in sys.argv[1:]], file=sys.stderr)"
    )
    command = [sys.executable, "-c", script, *COMMANDS, *TEXTS]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    sentence = "contact-sync: Windows is not supported: run contact-sync in WSL, or in a container."
    codes = [2] * len(COMMANDS) + [0] * len(TEXTS)
    assert done.stderr.splitlines() == [sentence] * len(COMMANDS) + [str(codes)]
