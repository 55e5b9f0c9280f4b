"""The operator's own workbook, with what is told of its rows: red cells, outcomes on the right, a sheet of rows to fix.

openpyxl reads and writes it whole. What it would lose is looked for first (`lost`); what formulas showed, which it does not keep,
is put back (`with_results`), since a formula without a result counts as one that was never calculated.
"""

import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import IO, Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from openpyxl.cell import MergedCell
from openpyxl.reader.excel import ExcelReader
from openpyxl.styles import PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.cell_range import CellRange
from openpyxl.worksheet.dimensions import ColumnDimension
from openpyxl.writer.excel import ExcelWriter
from openpyxl.xml.constants import SHEET_MAIN_NS

from contact_sync.i18n import _
from contact_sync.model import ATTENTION, ID, TO_FIX, WIDEST, Layout, Line, Original, sheet_of
from contact_sync.report.csv import COLUMNS
from contact_sync.report.xlsx import fixes
from contact_sync.report.xlsx.cells import BOLD, FILLS, WIDTHS, Marker, put, unmark

_KEPT = re.compile(
    r"\[content_types\]\.xml|_rels/\.rels|docprops/.*|docmetadata/.*|customxml/.*|xl/_rels/workbook\.xml\.rels"
    r"|xl/(workbook|styles|sharedstrings|calcchain)\.xml|xl/theme/(_rels/)?theme\d*\.xml(\.rels)?|xl/worksheets/[^/]+\.xml"
    r"|xl/worksheets/_rels/.*|xl/tables/[^/]+\.xml|xl/(comments/)?comments?\d*\.xml|xl/drawings/[^/]+\.vml"
    r"|xl/printersettings/.*|xl/persons/.*|xl/vbaproject\.bin"
)
"""The parts that openpyxl keeps, or that nobody misses; any other is a chart, an image, a pivot table, a link to another file…"""
_HEAVIEST = 32 << 20  # bytes of XML of all sheets; openpyxl takes some ten times as much memory
_TELLTALES: dict[bytes, tuple[str, ...]] = {
    b"extLst": ("xl/worksheets/",),  # sparklines, icons and lists of newer kinds
    b"x005F_": ("xl/worksheets/", "xl/sharedstrings"),  # in a text that looks escaped and is not; openpyxl mistakes it
    b"FmlaMacro": ("xl/drawings/",),  # a button of old
}
"""What openpyxl would drop → the beginnings of the parts that may hold it."""
_FORMULA = re.compile(rb'(<c r="([A-Z]+[0-9]+)"[^>]*)>(<f\b[^>]*?(?:/>|>[^<]*</f>))(?:<v ?/>|<v></v>)')
_CELL, _F, _V, _ROW = (f"{{{SHEET_MAIN_NS}}}{tag}" for tag in ("c", "f", "v", "row"))

Results = dict[str, tuple[str, str]]
"""Coordinate of a formula → the type of its result, and the result."""


def lost(archive: zipfile.ZipFile) -> list[str]:
    """Return what a copy of the workbook would not have, by the names that the workbook itself has for it."""
    names = [name for name in archive.namelist() if not name.endswith("/")]
    found = {_folder(name) for name in names if not _KEPT.fullmatch(name.casefold()) and not _is_empty(archive, name)}
    sheets = [entry for entry in archive.infolist() if entry.filename.casefold().startswith("xl/worksheets/")]
    if sum(entry.file_size for entry in sheets) > _HEAVIEST:
        found.add(_("too many cells"))
    found.update(
        what.decode()
        for what, kinds in _TELLTALES.items()
        for name in names
        if name.casefold().startswith(kinds) and _holds(archive, name, what)
    )
    return sorted(found)


def _folder(name: str) -> str:
    first, _, rest = name.partition("/")
    return rest.split("/")[0] if first == "xl" else first


def _is_empty(archive: zipfile.ZipFile, name: str) -> bool:
    """Whether a part is a drawing of nothing, of which Google gives one to every sheet."""
    return re.fullmatch(r"xl/drawings/[^/]+\.xml", name.casefold()) is not None and not _holds(archive, name, b"Anchor")


def _holds(archive: zipfile.ZipFile, name: str, what: bytes) -> bool:
    with archive.open(name) as part:
        before = b""
        while block := part.read(1 << 18):
            if what in before + block:
                return True
            before = block[-len(what) :]
    return False


class _Reader(ExcelReader):
    """Leaves numbers what they are: of one outside the calendar in the format of a date openpyxl makes an error."""

    def read_worksheets(self) -> None:
        """Read the sheets."""
        book: Any = self.wb
        book._date_formats = book._timedelta_formats = set()  # noqa: SLF001 - it has no option for that
        super().read_worksheets()

    def parts(self) -> dict[str, str]:
        """Return the title of each worksheet → the name of its part."""
        parts = [relation.target for _, relation in self.parser.find_sheets() if relation.target in self.valid_files]
        return dict(zip(self.wb.sheetnames, parts, strict=True))


def save(original: Original, layout: Layout, lines: Iterable[Line], file: IO[bytes]) -> dict[str, str]:
    """Write the workbook into `file`, without what its formulas showed, and return the part of each worksheet → what it was.

    Raises whatever openpyxl does.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reader = _Reader(original.file, keep_vba=original.macros, rich_text=True)
        reader.read()
        book: Any = reader.wb
        parts = reader.parts()
        _forget(book)
        found = list(_tell(book[original.sheet], original, layout, lines))
        _put_first(book, found)
        book.template = False
        book.calculation.fullCalcOnLoad = True
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            ExcelWriter(book, archive).write_data()
        written = {f"xl/worksheets/sheet{index}.xml": title for index, title in enumerate(book.sheetnames, 1)}
        return {part: parts[title] for part, title in written.items() if title in parts}


def _forget(book: Any) -> None:
    """Take off the sheet of rows to fix of an earlier time."""
    if before := book.defined_names.pop(TO_FIX, None):
        title = sheet_of(before.value)
        if title in book.sheetnames:
            del book[title]


def _put_first(book: Any, found: list[fixes.Fix]) -> None:
    for sheet in book.worksheets:
        sheet.sheet_view.tabSelected = False  # else all of them would be written to at once
    first = book.create_sheet(fixes.title(), 0)
    book.active = 0
    fixes.fill_in(book, first, found, fixes.note(len(found)))


def _tell(sheet: Any, original: Original, layout: Layout, lines: Iterable[Line]) -> Iterator[fixes.Fix]:
    """Write into the sheet of contacts what is told of each row, and yield those to fix."""
    there = sheet._cells.values()  # noqa: SLF001 - every public way makes those that are not there
    cells = [cell for cell in there if not isinstance(cell, MergedCell)]
    for cell in cells:
        unmark(cell)
    places = _places(sheet, original.header, cells)
    for cell in cells:
        if cell.column in places and cell.row > original.header:
            cell.value = None
            cell.fill = PatternFill()
    marker, letters = Marker(), layout.letters_of_fields
    for line in lines:
        fill = FILLS[line.outcome]
        for column, value in zip(places, line[1:], strict=True):
            cell = sheet.cell(line.number, column)
            put(cell, value)
            cell.fill = fill
        if line.outcome in ATTENTION:
            fields = fixes.wrong_fields(line, layout.mapping)
            for field in fields:
                marker.mark(sheet[f"{letters[field]}{line.number}"], line.message)
            place = fixes.place_of(sheet.title, f"{letters[fields[0] if fields else ID]}{line.number}")
            yield fixes.fix_of(line, layout.mapping, place)


def _places(sheet: Any, header: int, cells: list[Any]) -> list[int]:
    """Return the column of each of `COLUMNS`, where it already stands or right of all that is in the sheet."""
    known = {str(cell.value).strip().casefold(): cell.column for cell in reversed(cells) if cell.row == header}
    last = max(cell.column for cell in cells if cell.value is not None or cell.comment)
    ranges = [*sheet.merged_cells.ranges, *(CellRange(table.ref) for table in sheet.tables.values())]
    last = max([last, *(one.max_col for one in ranges)])
    missing = [name for name in COLUMNS if name not in known]
    if missing:
        if last + len(missing) > WIDEST:
            raise ValueError("no room")
        _show(sheet, last + 1, last + len(missing))
    for column, name in enumerate(missing, last + 1):
        known[name] = column
        cell = sheet.cell(header, column, name)
        cell.font = BOLD
        sheet.column_dimensions[get_column_letter(column)].width = WIDTHS[COLUMNS.index(name)]
    return [known[name] for name in COLUMNS]


def _show(sheet: Any, first: int, last: int) -> None:
    """Give these columns a width of their own, where they are part of a range that is hidden or narrow."""
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


def with_results(original: Original, saved: IO[bytes], parts: Mapping[str, str], file: IO[bytes]) -> None:
    """Copy the workbook in `saved` to `file`, with what each formula showed in the original; `parts` is what `save` returned."""
    with (
        zipfile.ZipFile(original.file) as before,
        zipfile.ZipFile(saved) as after,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for entry in after.infolist():
            part = after.read(entry)
            if entry.filename in parts and b"<f" in part:
                part = _FORMULA.sub(partial(_calculated, _results(before, parts[entry.filename])), part)
            archive.writestr(entry.filename, part)


def _results(archive: zipfile.ZipFile, part: str) -> Results:
    results = {}
    with archive.open(part) as opened:
        for _, element in ET.iterparse(opened):  # noqa: S314 - what declares a document type was refused
            if element.tag == _CELL and element.find(_F) is not None and (result := element.findtext(_V)):
                results[element.get("r", "")] = (element.get("t", "n"), result)
            elif element.tag == _ROW:
                element.clear()
    return results


def _calculated(results: Results, match: re.Match[bytes]) -> bytes:
    start, place, formula = match.groups()
    if not (known := results.get(place.decode())):
        return match[0]
    kind, result = known
    return b'%b t="%b">%b<v>%b</v>' % (start, kind.encode(), formula, escape(result).encode())
