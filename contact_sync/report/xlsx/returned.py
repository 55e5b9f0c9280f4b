"""The operator's own workbook marked up: red cells, outcomes to the right, a sheet of rows to fix.

openpyxl reads and writes it as a whole, unless a copy would lose something. It drops the results of formulas, which
`with_results` restores, since a formula without a result counts as one that was never calculated.
"""

import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from functools import lru_cache, partial
from typing import IO, Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from openpyxl.cell import MergedCell
from openpyxl.comments import Comment
from openpyxl.reader.excel import ExcelReader
from openpyxl.styles import Alignment, Color, Font, PatternFill
from openpyxl.utils import column_index_from_string, get_column_letter
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.cell_range import CellRange
from openpyxl.worksheet.dimensions import ColumnDimension
from openpyxl.worksheet.hyperlink import Hyperlink
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.writer.excel import ExcelWriter
from openpyxl.xml.constants import SHEET_MAIN_NS

from contact_sync.model.fields import ID, TO_FIX, WIDEST, sheet_of
from contact_sync.model.report import Line, Summary
from contact_sync.model.source import Layout, Original
from contact_sync.report.formats import ReportContext
from contact_sync.report.xlsx import sheets
from contact_sync.report.xlsx.sheets import BOLD, COLUMNS, FIXES_WIDTHS, RED, SIGNATURE, Cell, Style, fill_of

_FORMULA = re.compile(rb'(<c r="([A-Z]+[0-9]+)"[^>]*)>(<f\b[^>]*?(?:/>|>[^<]*</f>))(?:<v ?/>|<v></v>)')
_MESSAGE_WIDTH = sheets.WIDTHS[COLUMNS.index("sync_message")]
_Styles = dict[tuple[object, ...], Any]  # style of a cell before, and what is to be written → its style after
_CELL, _F, _V, _ROW = (f"{{{SHEET_MAIN_NS}}}{tag}" for tag in ("c", "f", "v", "row"))


class _Reader(ExcelReader):
    """A reader that leaves numbers in the format of a date as they are: openpyxl makes an error of one outside the calendar."""

    def read_worksheets(self) -> None:
        book: Any = self.wb
        book._date_formats = book._timedelta_formats = set()  # noqa: SLF001 - there is no option
        super().read_worksheets()

    def parts(self) -> dict[str, str]:
        """Return the title of each worksheet → the name of its part."""
        parts = [relation.target for _sheet, relation in self.parser.find_sheets() if relation.target in self.valid_files]
        return dict(zip(self.wb.sheetnames, parts, strict=True))


def save(original: Original, context: ReportContext, lines: Iterable[Line], file: IO[bytes]) -> dict[str, str]:
    """Write the workbook into `file`, without the results of formulas; return part of each worksheet → its part in the original.

    Raises any error of openpyxl.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reader = _Reader(original.file, keep_vba=original.macros, rich_text=True)
        reader.read()
        book: Any = reader.wb
        parts = reader.parts()
        found = list(_mark_up(book[original.sheet], original, context.layout, lines))
        _replace_fixes(book, found, context.summary, original.sheet)
        book.template = False
        book.calculation.fullCalcOnLoad = True
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            ExcelWriter(book, archive).write_data()
        written = {f"xl/worksheets/sheet{index}.xml": title for index, title in enumerate(book.sheetnames, 1)}
        return {part: parts[title] for part, title in written.items() if title in parts}


def _replace_fixes(book: Any, found: list[list[Cell]], summary: Summary, contacts: str) -> None:
    """Replace an earlier sheet of rows to fix, which has a defined name under any title; the rows are in the sheet `contacts`."""
    before = book.defined_names.pop(TO_FIX, None)
    if before and (title := sheet_of(before.value)) in book.sheetnames:
        del book[title]
    for sheet in book.worksheets:
        sheet.sheet_view.tabSelected = False  # else an edit would change all the selected sheets
    first = book.create_sheet(sheets.fixes_title(summary), 0)
    book.active = 0
    book.defined_names[TO_FIX] = DefinedName(TO_FIX, attr_text=sheets.place_of(first.title, "$A$1"), hidden=True)
    for column, width in enumerate(FIXES_WIDTHS, 1):
        first.column_dimensions[get_column_letter(column)].width = width
    notes = sheets.fixes_notes(summary, sheets.fixes_note(len(found), summary, contacts))
    if found:
        header = len(notes) + 1
        first.freeze_panes = f"A{header + 1}"
        first.auto_filter.ref = f"A{header}:{get_column_letter(len(FIXES_WIDTHS))}{header + len(found)}"
        first.print_title_rows = f"{header}:{header}"
    first.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    first.page_setup.orientation, first.page_setup.paperSize, first.page_setup.fitToHeight = "landscape", sheets.A4, 0
    for row in range(1, len(notes) + 1):
        first.merge_cells(start_row=row, end_row=row, start_column=1, end_column=len(FIXES_WIDTHS))
    known: _Styles = {}
    for row, cells in enumerate(sheets.fixes_table(found, notes), 1):
        first.row_dimensions[row].height = sheets.row_height(cells)
        for column, (value, style, place) in enumerate(cells, 1):
            cell = first.cell(row, column)
            _put(cell, value, style, known)
            if place:
                cell.hyperlink = Hyperlink(ref=cell.coordinate, location=place)


def _mark_up(sheet: Any, original: Original, layout: Layout, lines: Iterable[Line]) -> Iterator[list[Cell]]:
    """Write the result of each row into the sheet of contacts, mark its wrong cells, and yield the rows to fix."""
    existing = sheet._cells.values()  # noqa: SLF001 - every public way creates those that do not exist
    cells = [cell for cell in existing if not isinstance(cell, MergedCell)]
    for cell in cells:
        _unmark(cell)
    columns = _result_columns(sheet, original.header, cells)
    for cell in cells:
        if cell.column in columns and cell.row > original.header:
            cell.value = None
            cell.fill = PatternFill()
    comments = sheets.COMMENTS
    known: _Styles = {}
    at = layout.base_position
    base = None if at is None else column_index_from_string(layout.letters[at])
    for line in lines:
        _put_results(sheet, columns, line, known)
        if line.base and base is not None:
            sheet.cell(line.number, base).value = line.base
        if line.needs_attention:
            wrong = sheets.wrong_cells(line, layout)
            for position, field in wrong.items():
                cell = sheet[f"{layout.letters[position]}{line.number}"]
                if not isinstance(cell, MergedCell):  # the first of merged cells shows for all of them
                    _mark(cell, sheets.comment_of(line, field) if comments else "")
                    comments -= comments > 0
            first = next(iter(wrong), layout.mapping[ID])
            place = sheets.place_of(sheet.title, f"{layout.letters[first]}{line.number}")
            yield sheets.fix_of(line, layout, place)


def _put_results(sheet: Any, columns: list[int], line: Line, known: _Styles) -> None:
    style = Style(fill_of(line), wrapped=True)
    for column, value in sheets.results_of(line, columns):
        _put(sheet.cell(line.number, column), value, style, known)
    if line.message and line.needs_attention:
        row = sheet.row_dimensions[line.number]
        row.height = max(row.height or 0, sheets.text_height(line.message, _MESSAGE_WIDTH))


def _result_columns(sheet: Any, header: int, cells: list[Any]) -> list[int]:
    """Return the column of each of `COLUMNS`: an existing one, or else a new one to the right of everything in the sheet."""
    known = {str(cell.value).strip().casefold(): cell.column for cell in reversed(cells) if cell.row == header}
    ranges = [*sheet.merged_cells.ranges, *(CellRange(table.ref) for table in sheet.tables.values())]
    filled = [cell.column for cell in cells if cell.value is not None or cell.comment]
    last = max([*filled, *(one.max_col for one in ranges)])
    missing = [name for name in COLUMNS if name not in known]
    if missing:
        if last + len(missing) > WIDEST:
            raise ValueError("no room")
        _unhide(sheet, last + 1, last + len(missing))
    for column, name in enumerate(missing, last + 1):
        known[name] = column
        _put(sheet.cell(header, column), name, BOLD, {})
        sheet.column_dimensions[get_column_letter(column)].width = sheets.WIDTHS[COLUMNS.index(name)]
    return [known[name] for name in COLUMNS]


def _unhide(sheet: Any, first: int, last: int) -> None:
    """Take these columns out of the ranges of columns that are hidden or narrow."""
    dimensions = sheet.column_dimensions
    for key, one in list(dimensions.items()):
        one.reindex()
        left, right = one.min, one.max
        if right < first or left > last:
            continue
        if right > last:
            rest = get_column_letter(last + 1)
            dimensions[rest] = ColumnDimension(sheet, rest, width=one.width, hidden=one.hidden, min=last + 1, max=right)
        if left < first:
            one.max = first - 1
        else:
            del dimensions[key]


@lru_cache
def _fill(colour: str) -> PatternFill:
    return PatternFill("solid", fgColor=f"FF{colour}") if colour else PatternFill()


_WRAPPED = Alignment(wrap_text=True, vertical="top", horizontal="left")


def _font(before: Any, style: Style) -> Font:
    """Return the font of a cell, bold or as that of a link; it keeps its name, without which each program takes another one."""
    font: Font = copy(before)
    font.name = font.name or sheets.FONT
    font.b = style.bold or font.b
    if style.link:
        font.color, font.u = Color(f"FF{sheets.LINK}"), "single"
    return font


def _put(cell: Any, value: str | int | None, style: Style, known: _Styles) -> None:
    """Write a number, or a text that is never run as a formula, not even once it was edited."""
    text = value if isinstance(value, str) else ""
    cell.value = sheets.cell_text(text) if text else value or None
    if text:
        cell.data_type = "s"  # openpyxl would make a formula of =1+1, and an error of #N/A
    # openpyxl compares all properties of a style at each assignment, which was a third of the time of a workbook.
    is_text, is_quoted = bool(text), sheets.is_quoted(text)
    key = (cell._style and cell._style.tobytes(), is_text, is_quoted, style)  # noqa: SLF001 - no public way is as fast
    if key not in known:
        _set_style(cell, style, is_text=is_text, is_quoted=is_quoted)
        known[key] = cell._style  # noqa: SLF001 - as above
    cell._style = copy(known[key])  # noqa: SLF001 - as above


def _set_style(cell: Any, style: Style, *, is_text: bool, is_quoted: bool) -> None:
    if is_text:
        cell.number_format = "@"
    if is_quoted:
        cell.quotePrefix = True
    if style.fill:
        cell.fill = _fill(style.fill)
    if style.bold or style.link:
        cell.font = _font(cell.font, style)
    if style.wrapped:
        cell.alignment = _WRAPPED


def _mark(cell: Any, message: str) -> None:
    """Fill `cell` red and append `message`, if there is one, to its comment."""
    cell.fill = _fill(RED)
    if message:
        before, text = cell.comment, sheets.comment_text(message)
        cell.comment = _comment(f"{before.text}\n\n{text}" if before else text, before.author if before else sheets.AUTHOR)


def _unmark(cell: Any) -> None:
    """Undo `_mark`."""
    if cell.has_style and cell.fill.fgColor.rgb == f"FF{RED}":
        cell.fill = PatternFill()
    if cell.comment and SIGNATURE in cell.comment.text:
        kept = cell.comment.text.partition(SIGNATURE)[0].rstrip()
        cell.comment = _comment(kept, cell.comment.author) if kept else None


def _comment(text: str, author: str) -> Comment:
    return Comment(text, author, height=sheets.comment_height(text), width=sheets.COMMENT_WIDTH)


def with_results(original: Original, saved: IO[bytes], parts: Mapping[str, str], file: IO[bytes]) -> None:
    """Copy the workbook in `saved` to `file`, with the results of formulas in the original; `parts` is what `save` returned."""
    with (
        zipfile.ZipFile(original.file) as before,
        zipfile.ZipFile(saved) as after,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for entry in after.infolist():
            part = after.read(entry)
            if entry.filename in parts and b"<f" in part:
                part = _FORMULA.sub(partial(_with_result, _results(before, parts[entry.filename], original)), part)
            archive.writestr(entry.filename, part)


def _results(archive: zipfile.ZipFile, part: str, original: Original) -> dict[str, tuple[str, str]]:
    """Return coordinate of a formula → the type of its result, and the result; one that was never calculated has none."""
    results = {}
    missing = ("",) if original.is_calculated else ("", "0")
    with archive.open(part) as opened:
        for _event, element in ET.iterparse(opened):  # noqa: S314 - a file with a document type was refused
            if element.tag == _CELL and element.find(_F) is not None and (result := element.findtext(_V, "")) not in missing:
                results[element.get("r", "")] = (element.get("t", "n"), result)
            elif element.tag == _ROW:
                element.clear()
    return results


def _with_result(results: Mapping[str, tuple[str, str]], match: re.Match[bytes]) -> bytes:
    start, place, formula = match.groups()
    kind, result = results.get(place.decode(), ("", ""))
    if not result:
        return match[0]
    return b'%b t="%b">%b<v>%b</v>' % (start, kind.encode(), formula, escape(result).encode())
