"""The first sheet of a workbook: the rows that need attention, each with a link to its wrong cell."""

from collections.abc import Mapping
from typing import NamedTuple

from openpyxl.utils import quote_sheetname

from contact_sync.i18n import _
from contact_sync.model import ID, MARK, Line
from contact_sync.report.xlsx.style import BOLD, FILLS, PLAIN, Style

WIDTHS = (9, 14, 22, 70, 22, 40)
"""Widths of the columns."""
HEADER = 2
"""Row of the header, below the note."""

_WRAPPED, _LINKED = Style(wrapped=True), Style(wrapped=True, link=True)


class Cell(NamedTuple):
    """A cell of the sheet."""

    value: str | int
    style: Style
    place: str = ""
    """Address in this workbook that the cell links to."""


Fix = list[Cell]
"""A row of the sheet, about a row that needs attention."""


def wrong_fields(line: Line, mapping: Mapping[str, int]) -> list[str]:
    """Return the fields with a column that the line is about."""
    return [field for field in line.fields.split(",") if field in mapping]


def fix_of(line: Line, mapping: Mapping[str, int], place: str) -> Fix:
    """Return the row for a line whose first wrong cell is at `place`, with its cells without the mark that a report adds."""
    cells = [line.cells[mapping[field]].removesuffix(MARK).rstrip() for field in (ID, *wrong_fields(line, mapping))]
    texts = (line.fields.replace(",", ", "), line.message, cells[0], " · ".join(cells[1:]))
    outcome = Cell(line.outcome, Style(FILLS[line.outcome], wrapped=True))
    return [Cell(line.number, _LINKED, place), outcome, *(Cell(text, _WRAPPED) for text in texts)]


def title() -> str:
    """Return the title of the sheet."""
    return _("To fix")


def note(found: int) -> str:
    """Return the sentence above the rows to fix."""
    if not found:
        return _("No row needs attention.")
    return _(
        "Rows to correct: {found}. Correct the red cells and save this workbook in place of the source: the next run takes it.",
        found=found,
    )


def place_of(sheet: str, coordinate: str) -> str:
    """Return the address of a cell of a sheet in its workbook."""
    return f"{quote_sheetname(sheet)}!{coordinate}"


def table(fixes: list[Fix], note: str) -> list[list[Cell]]:
    """Return the rows of the sheet: the note and, where there are rows to fix, a header and those."""
    heads = (_("Row"), _("Outcome"), _("Field"), _("What to do"), ID, _("Content of the cell"))
    return [[Cell(note, PLAIN)], *([[Cell(head, BOLD) for head in heads], *fixes] if fixes else [])]
