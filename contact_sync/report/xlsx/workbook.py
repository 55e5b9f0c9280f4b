"""The workbook that comes back: the rows with how each ended, and before them a sheet of those that need attention.

The operator's own workbook where it can be kept as it is, else a new one with the cells as text, so that 007 and 1e5 stay what
was read. openpyxl writes both: in its write-only mode a new one takes the memory of its comments, and no other library is needed.
"""

import logging
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.utils import get_column_letter
from openpyxl.writer.excel import ExcelWriter
from openpyxl.xml.constants import XLSM, XLSX

from contact_sync.files.atomic import AtomicFile, write_error
from contact_sync.i18n import _
from contact_sync.model import ATTENTION, ID, WIDEST, Batch, Layout, Line, Original, lines_of
from contact_sync.report.csv import COLUMNS
from contact_sync.report.xlsx import fixes, returned
from contact_sync.report.xlsx.cells import BOLD, FILLS, WIDTHS, Marker, put

LIMIT = 20_000
"""Rows of a workbook that comes back; of a larger source, only those that need attention."""

CELLS = 400_000
"""Cells of it, likewise: openpyxl takes a kilobyte for each."""

SHEET = "Contacts"
"""The sheet of contacts of a new workbook."""

_WIDTH = 18

log = logging.getLogger(__name__)


def write(
    report: AtomicFile,
    original: Original | None,
    layout: Layout,
    batches: Iterable[Batch],
    *,
    rows: int,
) -> list[str]:
    """Write the workbook, put it in its place, and return what an operator should know of it. Raises StorageError.

    `rows` is how many lines `batches` has.
    """
    notes: list[str] = []
    try:
        if rows > LIMIT or rows * len(layout.columns) > CELLS:
            notes += _write_new(report, layout, _attention(batches), is_whole=False)
        elif original is None:
            notes += _write_new(report, layout, lines_of(batches), is_whole=True)
        else:
            kept = list(batches)
            if why := _return(report, original, layout, kept):
                notes.append(why)
                notes += _write_new(report, layout, lines_of(kept), is_whole=True)
    except OSError as error:
        raise write_error(report.path, error) from error
    report.commit()
    return notes


def _attention(batches: Iterable[Batch]) -> Iterator[Line]:
    """Yield the lines that need attention; a batch of which none does is not unpacked."""
    for batch in batches:
        if batch.plain.outcome in ATTENTION or any(line.outcome in ATTENTION for line in batch.others.values()):
            yield from (line for line in batch.lines() if line.outcome in ATTENTION)


def _return(report: AtomicFile, original: Original, layout: Layout, batches: list[Batch]) -> str:
    """Write the operator's own workbook; where it cannot be kept as it is, write nothing and return a sentence that says so."""
    with zipfile.ZipFile(original.file) as archive:
        lost = returned.lost(archive)
    if lost:
        return _(
            "A copy of {name} would lose parts of it ({parts}), so a new workbook was written instead.",
            name=original.name,
            parts=", ".join(lost),
        )
    with tempfile.TemporaryFile() as saved:
        try:
            parts = returned.save(original, layout, lines_of(batches), saved)
            returned.with_results(original, saved, parts, report.file)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - openpyxl raises whatever it likes on what Excel forgives
            log.info("%s: %s", original.name, type(error).__name__)  # its text may hold what is in a cell
            report.file.seek(0)
            return _("{name} could not be copied completely, so a new workbook was written instead.", name=original.name)
    return ""


def _write_new(report: AtomicFile, layout: Layout, lines: Iterator[Line], *, is_whole: bool) -> list[str]:
    """Write a new workbook of at most `LIMIT` of the lines, and return what it does not show, in sentences."""
    columns, mapping = layout.columns, layout.mapping
    # Where there are too many columns, those that are sent.
    shown = list(range(len(columns))) if len(columns) + len(COLUMNS) <= WIDEST else sorted(mapping.values())
    letters = {position: get_column_letter(index) for index, position in enumerate(shown, 1)}
    book: Any = _Book(write_only=True)
    book.is_macro = Path(report.path).suffix.lower() == ".xlsm"
    first, sheet = book.create_sheet(fixes.title()), book.create_sheet(SHEET)
    sheet.freeze_panes = "A2"
    for index, width in enumerate([_WIDTH] * len(shown) + list(WIDTHS), 1):
        dimension = sheet.column_dimensions[get_column_letter(index)]
        dimension.width = width
        if index <= len(shown):
            dimension.number_format = "@"  # of cells that are filled in later
    sheet.append([_header(sheet, name) for name in (*(columns[position] for position in shown), *COLUMNS)])
    found, marker = [], Marker()
    for number, line in enumerate(islice(lines, LIMIT), 2):
        cells: dict[int, Any] = {position: _text(sheet, line.cells[position]) for position in shown}
        if line.outcome in ATTENTION:
            positions = [mapping[field] for field in fixes.wrong_fields(line, mapping)]
            for position in positions:
                cells[position] = cells[position] or WriteOnlyCell(sheet)
                marker.mark(cells[position], line.message)
            letter = letters[positions[0] if positions else mapping[ID]]
            found.append(fixes.fix_of(line, mapping, fixes.place_of(SHEET, f"{letter}{number}")))
        sheet.append([*cells.values(), *_told(sheet, line)])
    note = _note(len(found), sum(1 for _ in lines), is_whole=is_whole)
    fixes.fill_in(book, first, found, note)
    with zipfile.ZipFile(report.file, "w", zipfile.ZIP_DEFLATED) as archive:  # `save` leaves it open on a full disk
        ExcelWriter(book, archive).write_data()
    notes = [] if is_whole else [note]
    if len(shown) < len(columns):
        notes.append(_("There are too many columns that are not sent for this workbook: see the CSV report."))
    return notes


class _Book(Workbook):
    """A workbook that may say it has macros, as Excel wants of a name that ends in .xlsm."""

    is_macro = False

    @property
    def mime_type(self) -> str:
        """Its content type."""
        return XLSM if self.is_macro else XLSX


def _note(found: int, more: int, *, is_whole: bool) -> str:
    if found and more:
        return _(
            "This workbook shows the first {found} rows that need attention; {more} more are in the CSV report.",
            found=found,
            more=more,
        )
    if found and not is_whole:
        return _(
            "This workbook shows only the rows that need attention ({found}); the others are in the CSV report.",
            found=found,
        )
    return fixes.note(found)


def _header(sheet: Any, name: str) -> Any:
    cell = _text(sheet, name) or WriteOnlyCell(sheet)
    cell.font = BOLD
    return cell


def _text(sheet: Any, text: str) -> Any:
    """Return a cell that holds `text`, or none where there is none."""
    if not text:
        return None
    cell = WriteOnlyCell(sheet)
    put(cell, text)
    return cell


def _told(sheet: Any, line: Line) -> list[Any]:
    cells = []
    for value in line[1:]:
        cell = WriteOnlyCell(sheet)
        put(cell, value)
        cell.fill = FILLS[line.outcome]
        cells.append(cell)
    return cells
