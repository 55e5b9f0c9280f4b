"""The README says what the program does: its generated parts are up to date, and its tables are complete.

Run as a script (`make docs`), this writes the generated parts anew.
"""

import re
from pathlib import Path

import click
import pytest

from contact_sync import errors
from contact_sync.cli import main as cli
from contact_sync.i18n.catalogue import CATALOGUE
from contact_sync.model import Outcome
from contact_sync.report.csv import COLUMNS

README = Path(__file__).parents[1] / "README.md"


def _help(command: str) -> str:
    program = click.Context(cli.program, info_name="contact-sync", **cli.program.context_settings)
    context = cli.program.commands[command].context_class(
        cli.program.commands[command], parent=program, info_name=command, terminal_width=80
    )
    return f"```console\n$ contact-sync {command} --help\n{context.get_help()}\n```"


def _codes() -> str:
    rows = [f"| `{code}` | {sentence.replace('|', chr(92) + '|')} |" for code, sentence in CATALOGUE.items()]
    return "\n".join(["| `sync_code` | `sync_message` |", "|---|---|", *rows])


PARTS = {"help": _help("run"), "sandbox": _help("sandbox"), "codes": _codes()}


def _part(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.DOTALL)


@pytest.mark.parametrize("name", PARTS)
def test_generated_part(name: str) -> None:
    """What the README shows of the program is what the program says; `make docs` writes it anew."""
    found = _part(name).search(README.read_text(encoding="utf-8"))
    assert found
    assert found[0].strip() == PARTS[name].strip()


def _table(heading: str) -> set[str]:
    """The first cells of the table under a heading of the README, those with several names taken apart."""
    after = README.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    section = after.partition("\n## ")[0]
    cells = re.findall(r"^\| (.+?) \|", section, flags=re.MULTILINE)[1:]
    return {name.strip("` ") for cell in cells for name in cell.split(",")}


def test_outcomes() -> None:
    """Every outcome stands in the README, and no other."""
    assert _table("The report") == set(Outcome)


def test_exit_codes() -> None:
    """Every exit code stands in the README, and no other."""
    raised = {kind.exit_code for kind in errors.ContactSyncError.__subclasses__() if kind is not errors.Interrupted}
    assert _table("Exit codes") == {str(code) for code in raised | {0, 1, 3, 130, 143}}


def test_report_columns() -> None:
    """Every column of the report is named in the README."""
    readme = README.read_text(encoding="utf-8")
    assert all(f"`{column}`" in readme for column in COLUMNS)


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    for part, body in PARTS.items():
        text = _part(part).sub(lambda _, body=body: f"{body}\n", text)  # type: ignore[misc]
    README.write_text(text, encoding="utf-8")
