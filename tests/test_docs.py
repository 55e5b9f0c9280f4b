"""Compare the documents with the program: generated parts are up to date, and tables are complete.

Run as a script (`make docs`), this module writes the generated parts.
"""

import re
import tomllib
from pathlib import Path

import click
import pytest

from contact_sync import errors
from contact_sync.cli.program import program
from contact_sync.i18n.catalogue import CATALOGUE
from contact_sync.model.row import Outcome
from contact_sync.report.xlsx.sheets import COLUMNS

README = Path(__file__).parents[1] / "README.md"
DOCS = README.parent / "contact_sync" / "docs"
REFERENCE = DOCS / "reference.md"

PROGRAM = click.Context(program, info_name="contact-sync", **program.context_settings)
COMMANDS = {name: program.get_command(PROGRAM, name) for name in program.list_commands(PROGRAM)}


def _help(name: str) -> str:
    """Return the help of a command as it is printed on a terminal of 80 columns."""
    command = COMMANDS[name]
    assert command
    text = command.get_help(command.context_class(command, parent=PROGRAM, info_name=name, terminal_width=80))
    return f"### {name}\n\n```console\n$ contact-sync {name} --help\n{text}\n```"


def _codes() -> str:
    rows = [f"| `{code}` | {sentence.replace('|', chr(92) + '|')} |" for code, sentence in CATALOGUE.items()]
    return "\n".join(["| `sync_code` | `sync_message` |", "|---|---|", *rows])


def _table(heading: str) -> str:
    """Return the table under this heading of the README."""
    section = README.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return "\n".join(re.findall(r"^\|.*$", section, flags=re.MULTILINE))


PARTS = {
    "exit-codes": _table("Exit codes"),
    "outcomes": _table("Outcomes"),
    "commands": "\n\n".join(map(_help, COMMANDS)),
    "codes": _codes(),
}
"""Marker in `REFERENCE` -> the text between it and its end."""


def _part(name: str) -> re.Pattern[str]:
    """Return what finds the generated text between the markers of this name."""
    return re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.DOTALL)


@pytest.mark.parametrize("name", PARTS)
def test_generated_part(name: str) -> None:
    """The reference shows the help and the row codes of this version; `make docs` writes them."""
    found = _part(name).search(REFERENCE.read_text(encoding="utf-8"))
    assert found
    assert found[0].strip() == PARTS[name].strip()


def _names(table: str) -> set[str]:
    """Return the names in the first column of a table."""
    cells = re.findall(r"^\| (.+?) \|", table, flags=re.MULTILINE)[1:]
    return {name.strip("` ") for cell in cells for name in cell.split(",")}


def test_outcomes() -> None:
    """The README lists every outcome, and no other."""
    assert _names(_table("Outcomes")) == set(Outcome)


def test_exit_codes() -> None:
    """The README lists every exit code, and no other."""
    raised = {kind.exit_code for kind in errors.ContactSyncError.__subclasses__() if kind is not errors.Interrupted}
    assert _names(_table("Exit codes")) == {str(code) for code in raised | {0, 1, 3, errors.CHANGES_CODE, 130, 143}}


def test_report_columns() -> None:
    """The page about reports names every column of the report."""
    reports = (DOCS / "reports.md").read_text(encoding="utf-8")
    assert all(f"`{column}`" in reports for column in COLUMNS)


def test_readme_is_short() -> None:
    """The README has fewer than 200 lines: it has what an operator needs first, and names every other page."""
    readme = README.read_text(encoding="utf-8")
    assert len(readme.splitlines()) < 200
    assert all(f"(contact_sync/docs/{page.name})" in readme for page in DOCS.glob("*.md"))


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.stem)
def test_page_begins_with_its_subject(page: Path) -> None:
    """The first line of a page is a heading that says what it is about, for the list of topics."""
    title, colon, subject = page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ").partition(": ")
    assert (title.lower(), colon) == (page.stem, ": ")
    assert subject


def test_links() -> None:
    """Every link from a document to a file of this repository leads to a file."""
    pages = [README, *README.parent.glob(".github/*.md"), *DOCS.glob("*.md"), *README.parent.glob("tests/benchmarks/*.md")]
    links = [
        (page, link) for page in pages for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8"))
    ]
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []


def test_sample_config() -> None:
    """The sample config file in the documents uses only names of options."""
    (sample,) = re.findall(r"```toml\n(.*?)```", (DOCS / "operations.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    options = {name for command in COMMANDS.values() if command for each in command.params for name in each.opts}
    assert {f"--{key}" for key in tomllib.loads(sample)} <= options


def test_image_is_short_and_says_that_it_was_not_built() -> None:
    """The description of an image has at most 20 lines, sets variables that exist, and says that it was not tried."""
    section = (DOCS / "operations.md").read_text(encoding="utf-8").partition("\n## In a container\n")[2].partition("\n## ")[0]
    image = section.partition("```dockerfile\n")[2].partition("```")[0].splitlines()
    assert 0 < len(image) <= 20
    assert "was not built here" in section
    known = {name for each in COMMANDS["run"].params for name in each.envvar or ()} if COMMANDS["run"] else set()
    assert set(re.findall(r"\bCONTACT_SYNC_\w+", section)) <= known


def test_log_is_rotated_in_a_folder_of_a_group() -> None:
    """The sample for logrotate names the owner: without, it skips a folder that a group may write to, as that of the README."""
    sample = (DOCS / "operations.md").read_text(encoding="utf-8").partition("contact-sync.log {\n")[2].partition("}")[0]
    assert "su contacts contacts\n" in sample


if __name__ == "__main__":
    text = REFERENCE.read_text(encoding="utf-8")
    for part, body in PARTS.items():
        text = _part(part).sub(lambda _, body=body: f"{body}\n", text)  # type: ignore[misc]
    REFERENCE.write_text(text, encoding="utf-8")
