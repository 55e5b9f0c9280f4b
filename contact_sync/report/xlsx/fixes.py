"""The first sheet of a workbook that comes back: the rows that need attention, each with the way to its cell."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from openpyxl.cell import WriteOnlyCell
from openpyxl.utils import quote_sheetname
from openpyxl.workbook.defined_name import DefinedName

from contact_sync.i18n import _
from contact_sync.model import ID, MARK, TO_FIX, Line
from contact_sync.report.xlsx.cells import BOLD, FILLS, WRAPPED, link, put

_WIDTHS = (9, 14, 22, 70, 22, 40)
_HEADER = 2


class Fix(NamedTuple):
    """A row that needs attention."""

    number: int
    """Its row number in the source."""
    place: str
    """Where its wrong cell is in this workbook: `'Contacts'!B5`."""
    outcome: str
    fields: str
    message: str
    contact_id: str
    text: str
    """What stands in its wrong cells."""


def wrong_fields(line: Line, mapping: Mapping[str, int]) -> list[str]:
    """Return the fields with a column of their own that the line is about."""
    return [field for field in line.fields.split(",") if field in mapping]


def fix_of(line: Line, mapping: Mapping[str, int], place: str) -> Fix:
    """Return the line of the sheet for a row whose first wrong cell is at `place`."""
    fields = wrong_fields(line, mapping)
    text = " · ".join(_unmarked(line.cells[mapping[field]]) for field in fields)
    contact_id = _unmarked(line.cells[mapping[ID]])
    return Fix(line.number, place, line.outcome, line.fields.replace(",", ", "), line.message, contact_id, text)


def _unmarked(cell: str) -> str:
    """What the cell itself holds, without the mark that a report adds."""
    return cell.removesuffix(MARK).rstrip()


def title() -> str:
    """Return what the sheet is called."""
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
    """Return how a workbook names a cell of a sheet."""
    return f"{quote_sheetname(sheet)}!{coordinate}"


def fill_in(book: Any, sheet: Any, fixes: Sequence[Fix], note: str) -> None:
    """Write the sheet, with `note` above, and have the workbook know it under whatever name it is given later."""
    book.defined_names[TO_FIX] = DefinedName(TO_FIX, attr_text=place_of(sheet.title, "$A$1"), hidden=True)
    for letter, width in zip("ABCDEF", _WIDTHS, strict=True):
        sheet.column_dimensions[letter].width = width
    if not fixes:
        sheet.append([_text(sheet, note)])
        return
    sheet.freeze_panes = f"A{_HEADER + 1}"
    sheet.auto_filter.ref = f"A{_HEADER}:F{_HEADER + len(fixes)}"
    sheet.append([_text(sheet, note)])
    heads = (_("Row"), _("Outcome"), _("Field"), _("What to do"), ID, _("Content of the cell"))
    header = [_text(sheet, head) for head in heads]
    for cell in header:
        cell.font = BOLD
    sheet.append(header)
    for at, fix in enumerate(fixes, _HEADER + 1):
        sheet.append(_row(sheet, fix, at))


def _row(sheet: Any, fix: Fix, at: int) -> list[Any]:
    number, place, outcome, *rest = fix
    first = WriteOnlyCell(sheet, number)
    link(first, f"A{at}", place)
    second = _text(sheet, outcome)
    second.fill = FILLS[outcome]
    cells = [first, second, *(_text(sheet, text) for text in rest)]
    for cell in cells:
        cell.alignment = WRAPPED
    return cells


def _text(sheet: Any, text: str) -> Any:
    cell = WriteOnlyCell(sheet)
    put(cell, text)
    return cell
