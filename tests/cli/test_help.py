"""Help texts, the documents of `help`, and the version."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from contact_sync import __version__
from contact_sync.cli.program import COMMANDS

from .program import Main, options

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted((ROOT / "contact_sync" / "docs").glob("*.md"))


def lines_of(arguments: tuple[str, ...], main: Main) -> list[str]:
    """Return what is printed on stdout; nothing may be printed on stderr."""
    assert main(*arguments) == 0
    out, err = main.read()
    assert err == ""
    return out.splitlines()


@pytest.mark.parametrize("command", ["", *COMMANDS])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_of_each_command(main: Main, monkeypatch: pytest.MonkeyPatch, command: str, flag: str) -> None:
    """Help begins with an example, names every option, and fits a terminal of 80 columns and 80 lines."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = lines_of((command, flag) if command else (flag,), main)
    assert lines[0].startswith(f"Example: contact-sync {command or 'check'} ")
    assert len(lines) <= 82
    assert max(map(len, lines)) <= 80
    if command:
        assert set(options(command)) <= set(re.findall(r"--[a-z-]+", "\n".join(lines)))


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("run", "Source Sending Reports Guards State Output"),
        ("check", "Source Sending Reports Guards State Output"),
        ("plan", "Options Source Sending Guards State Output"),
    ],
)
def test_long_help_has_headings(main: Main, command: str, expected: str) -> None:
    """A long help has its options in groups, each under its heading and once, with one left column."""
    lines = lines_of((command, "--help"), main)
    assert [line.rstrip(":") for line in lines if re.fullmatch("[A-Z][a-z]+:", line)] == expected.split()
    names = re.findall(r"^  (?:-[a-z], )?(--[a-z-]+)", "\n".join(lines), flags=re.MULTILINE)
    assert sorted(names) == sorted({*options(command), "--help"})
    assert {len(line) - len(line.lstrip()) for line in lines if line.startswith("   ")} == {28}


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_version(main: Main, flag: str) -> None:
    """The version is printed, and nothing else."""
    assert lines_of((flag,), main) == [__version__]


def test_help_imports_nothing_slow() -> None:
    """The help of a command does not wait for the libraries that the command needs."""
    script = (
        "import sys; from contact_sync.cli.main import main\n"
        "slow = {'pandas', 'numpy', 'httpx', 'aiohttp', 'openpyxl', 'tqdm', 'tenacity', 'phonenumbers', 'asyncio'}\n"
        "for arguments in sys.argv[1:]: print(arguments, main(arguments.split()), *slow & sys.modules.keys(), file=sys.stderr)"
    )
    asked = ["--version", "--help", "help", *(f"{name} --help" for name in COMMANDS)]
    done = subprocess.run([sys.executable, "-c", script, *asked], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stderr.splitlines() == [f"{arguments} 0" for arguments in asked]


def test_list_of_topics(main: Main) -> None:
    """Without a topic, `help` lists the documents with their first lines."""
    listed = dict(line.split(maxsplit=1) for line in lines_of(("help",), main))
    assert listed == {path.stem: path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ") for path in DOCUMENTS}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_topic(main: Main, path: Path) -> None:
    """`help TOPIC` prints the document, whose name is not that of a command."""
    assert path.stem not in COMMANDS
    assert lines_of(("help", path.stem), main) == path.read_text(encoding="utf-8").rstrip().splitlines()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_as_a_topic(main: Main, command: str) -> None:
    """`help COMMAND` prints what `COMMAND --help` prints."""
    assert lines_of(("help", command), main) == lines_of((command, "--help"), main)


def test_unknown_topic(main: Main) -> None:
    """An unknown topic is exit 2, and the sentence lists the topics and commands."""
    assert main("help", "nothing") == 2
    out, err = main.read()
    assert out == ""
    assert err.startswith("contact-sync: There is no help on “nothing”: choose one of ")
    assert all(name in err for name in [*COMMANDS, *(path.stem for path in DOCUMENTS)])
