"""The first sheet of a workbook: the rows that need attention, each with a link to its wrong cell."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from openpyxl.utils import quote_sheetname

from contact_sync.i18n import _
from contact_sync.model import ID, MARK, Line
from contact_sync.report.xlsx.style import BOLD, FILLS, PLAIN, Style

WIDTHS = (9, 14, 22, 70, 22, 40)
"""Widths of the columns."""
HEADER = 2
"""Row of the header, below the note."""

_WRAPPED = Style(wrapped=True)


class Fix(NamedTuple):
    """A row that needs attention."""

    number: int
    """Row number in the source."""
    place: str
    """Address of the wrong cell in this workbook: `'Contacts'!B5`."""
    outcome: str
    fields: str
    message: str
    contact_id: str
    text: str
    """Content of the wrong cells."""


class Cell(NamedTuple):
    """A cell of the sheet."""

    value: str | int
    style: Style
    place: str = ""
    """Address in this workbook that the cell links to."""


def wrong_fields(line: Line, mapping: Mapping[str, int]) -> list[str]:
    """Return the fields with a column that the line is about."""
    return [field for field in line.fields.split(",") if field in mapping]


def fix_of(line: Line, mapping: Mapping[str, int], place: str) -> Fix:
    """Return the line of the sheet for a row whose first wrong cell is at `place`."""
    fields = wrong_fields(line, mapping)
    text = " · ".join(_unmarked(line.cells[mapping[field]]) for field in fields)
    contact_id = _unmarked(line.cells[mapping[ID]])
    return Fix(line.number, place, line.outcome, line.fields.replace(",", ", "), line.message, contact_id, text)


def _unmarked(cell: str) -> str:
    """Return the content of the cell itself, without the mark that a report adds."""
    return cell.removesuffix(MARK).rstrip()


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


def table(fixes: Sequence[Fix], note: str) -> Iterator[list[Cell]]:
    """Yield the rows of the sheet: the note and, where there are rows to fix, a header and a row for each."""
    yield [Cell(note, PLAIN)]
    if fixes:
        heads = (_("Row"), _("Outcome"), _("Field"), _("What to do"), ID, _("Content of the cell"))
        yield [Cell(head, BOLD) for head in heads]
    for number, place, outcome, *texts in fixes:
        yield [
            Cell(number, Style(wrapped=True, link=True), place),
            Cell(outcome, Style(FILLS[outcome], wrapped=True)),
            *(Cell(text, _WRAPPED) for text in texts),
        ]
