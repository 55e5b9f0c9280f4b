"""Reports and logs are never written over a file that is needed, and reports not over a file that is none."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from contact_sync.sandbox.server import Sandbox

from .program import KEY, Main, config, key_file, write

pytestmark = pytest.mark.unmeasured

NEEDED = "which is the key file, the config file or part of the ledger: correct it."
FOREIGN = "which is not a report: choose another path, or delete that file first."


@dataclass
class Installation:
    """A source that was run, with a key file and a config file."""

    main: Main
    sandbox: Sandbox
    options: list[str]

    def run(self, *more: object) -> int:
        """Run the source again."""
        options = [*self.options, "--api-key-file", "key", "--config", "c.toml"]
        return self.main("run", "contacts.csv", *options, *more)


def content() -> dict[str, bytes]:
    """Return all files and what is in them."""
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.fixture
def used(main: Main, served: tuple[Sandbox, list[str]]) -> Installation:
    """Return an installation that was used once."""
    write("C000001;Zoé")
    key_file()
    config("rate = 0\n", "c.toml")
    main.env.clear()
    installation = Installation(main, *served)
    assert installation.run() == 0
    main.read()
    return installation


@pytest.mark.parametrize("victim", ["key", "c.toml", "*.sqlite3", "*.lock", "*.seal", "accounts.json", "digest.key"])
def test_files_that_are_needed(used: Installation, victim: str) -> None:
    """The key file, the config file and every file of the state folder are kept, however they are spelled."""
    (path,) = [path for place in (Path(), Path("state")) for path in place.glob(victim) if path.is_file()]
    Path("symbolic").symlink_to(path.absolute())
    os.link(path, "hard")
    before = content()
    for option in ("--report", "--workbook", "--page", "--log-file"):
        for spelling in (path, Path(f"state/../{path}"), Path("symbolic"), Path("hard")):
            assert used.run(option, spelling, "--resend") == 2
            assert used.main.read().err == f"contact-sync: {option} would overwrite {spelling}, {NEEDED}\n"
            assert (content(), len(used.sandbox.calls)) == (before, 1)


def test_a_ledger_that_does_not_exist_yet(used: Installation) -> None:
    """A report does not take the name of a future file of the state folder, and other names there are allowed."""
    assert used.run("--report", "state/0123456789abcdef.sqlite3") == 2
    assert NEEDED in used.main.read().err
    for _ in range(2):
        assert used.run("--report", "state/r.csv", "--log-file", "state/n.log") == 0


@pytest.mark.parametrize("command", ["retry", "report"])
@pytest.mark.parametrize("victim", ["key", "state/accounts.json", "contacts.csv", "notes.csv"])
def test_commands_about_the_last_run(used: Installation, command: str, victim: str) -> None:
    """The commands that write the last run's reports again keep the same files."""
    Path("notes.csv").write_text("a;b\n", encoding="ascii")
    before = content()
    assert used.main(command, *used.options, "--api-key-file", "key", "--report", victim) == 2
    assert content() == before


def test_key_file_of_the_config_file(main: Main, folder: Path) -> None:
    """The files that the config file names are kept too, and so is the config file of the user."""
    write("C1;Zoé")
    key_file()
    user = config('api-key-file = "key"\nreport = "key"\n', str(folder.parent / ".config/contact-sync/config.toml"))
    assert main("run", "contacts.csv", "-n") == 2
    assert NEEDED in main.read().err
    assert main("run", "contacts.csv", "-n", "--report", user) == 2
    assert NEEDED in main.read().err
    assert (Path("key").read_text(), "report" in user.read_text()) == (KEY, True)


def test_default_report_over_the_key(main: Main) -> None:
    """A key file in the place of the default report is kept."""
    write("C1;Zoé")
    key_file("contacts.results.csv")
    assert main("run", "contacts.csv", "-n", "--api-key-file", "contacts.results.csv", "--state-dir", "state") == 2
    assert Path("contacts.results.csv").read_text() == KEY


@pytest.mark.parametrize("option", ["--report", "--page"])
@pytest.mark.parametrize(
    "text", [b"contactId;firstname\r\nC1;Zo\xe9\r\n", b"\xff\xfea\0;\0b\0", b"<!doctype html>\n<p>", b"\0\1\2"]
)
def test_a_file_that_is_no_report(main: Main, option: str, text: bytes) -> None:
    """A file that no report can have become is kept; in an empty file there is nothing to lose."""
    write("C1;Zoé")
    other = Path("other")
    other.write_bytes(text)
    Path("link").symlink_to("other")
    for path in ("other", "link"):
        assert main("check", "contacts.csv", option, path) == 2
        assert f"{option} would overwrite {path}, {FOREIGN}" in main.read().err
    assert other.read_bytes() == text
    assert {path.name for path in Path().iterdir()} == {"contacts.csv", "other", "link"}
    other.write_bytes(b"")
    assert main("check", "contacts.csv", option, "other") == 0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_report_that_was_edited(main: Main, encoding: str) -> None:
    """A report is replaced also after an office program has saved it."""
    write("C1;Zoé")
    Path("r.csv").write_text("contactId;firstname;sync_row;sync_outcome\r\n", encoding=encoding)
    assert main("check", "contacts.csv", "--report", "r.csv", "--page", "p.html") == 0
    os.utime("p.html", (1e9, 1e9))
    os.utime("r.csv", (1e9, 1e9))
    assert main("check", "contacts.csv", "--report", "r.csv", "--page", "p.html") == 0


def test_a_workbook_that_is_no_report(main: Main) -> None:
    """A workbook that the program did not write is kept, as one that was edited is."""
    write("C1;Zoé")
    Path("w.xlsx").write_bytes(b"other")
    assert main("check", "contacts.csv", "--workbook", "w.xlsx") == 0
    assert (Path("w.xlsx").read_bytes(), Path("w.check.xlsx").exists()) == (b"other", True)
