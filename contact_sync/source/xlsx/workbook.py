"""Excel workbooks (.xlsx, .xlsm): openpyxl lists the sheets, `contact_sync.source.xlsx.parts` reads them.

Cells are read and not values, since only a cell distinguishes a blank from an error, a number from its format and a date from a
number.
"""

import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

from openpyxl.packaging.relationship import get_dependents
from openpyxl.reader.excel import ExcelReader
from openpyxl.xml.constants import ARC_SHARED_STRINGS, ARC_STYLE, SHARED_STRINGS, SHEET_MAIN_NS, STYLES_TYPE

from contact_sync.errors import SourceError
from contact_sync.model.fields import TO_FIX, sheet_of
from contact_sync.model.source import Original
from contact_sync.source.archive import Archive, convert_damage, refuse_many_elements, refuse_unsafe
from contact_sync.source.cells import Row
from contact_sync.source.opening import Kind, SourceOptions
from contact_sync.source.sheets import SheetSource, open_sheet
from contact_sync.source.worksheet import SheetMetadata, Worksheet
from contact_sync.source.xlsx.fast import parse_strings
from contact_sync.source.xlsx.parts import WorkbookContext, read_rows
from contact_sync.source.xlsx.scan import read_totals, scan
from contact_sync.source.xlsx.strings import SharedStrings
from contact_sync.source.xlsx.styles import Styles, read_styles


@dataclass(slots=True)
class _XlsxWorksheet(Worksheet):
    copy: FileIO
    part: str
    context: WorkbookContext

    def rows(self, width: int, first: int, last: int) -> Iterator[tuple[int, Row]]:
        with Archive(self.copy) as archive, archive.open(self.part) as part:
            for number, row in read_rows(part, self.context, width):
                if number > last:
                    return
                if number >= first:
                    yield number, row

    def describe(self, metadata: SheetMetadata) -> None:
        with Archive(self.copy) as archive:
            with archive.open(self.part) as part:
                scan(part, metadata)
            for table in _tables(archive, self.part):
                with archive.open(table) as part:
                    if totals := read_totals(part):
                        metadata.add_totals(*totals)


@contextmanager
def open_file(copy: FileIO, path: Path, _kind: Kind, options: SourceOptions) -> Iterator[SheetSource]:
    """Open the sheet of contacts of the workbook in `copy`; raises as `open_source` does."""
    with convert_damage(path.name):
        book = _read_workbook(copy, path.name)
    others = [worksheet for worksheet in book.worksheets if worksheet.title != book.to_fix]
    source = open_sheet(path, others, options, is_escaped=book.to_fix is None)
    if book.is_editable and not source.header.is_escaped:
        title, row = source.worksheet.title, source.header.number
        source.original = Original(copy, path.name, title, row, book.has_macros, book.is_calculated)
    yield source


class _Workbook(NamedTuple):
    worksheets: list[_XlsxWorksheet]
    to_fix: str | None  # title of the sheet of rows to correct, in a workbook written by a run, even if it was deleted
    has_macros: bool
    is_editable: bool  # openpyxl finds its sheets too
    is_calculated: bool


def _read_workbook(copy: FileIO, name: str) -> _Workbook:
    """Return a workbook that is safe to parse."""
    with Archive(copy) as archive:
        refuse_unsafe(archive, name)
        refuse_many_elements(archive, name)
        if "xl/workbook.xml" in archive and b"purl.oclc.org/ooxml" in archive.read("xl/workbook.xml"):
            raise SourceError("{name} is a Strict Open XML workbook: save it as “Excel workbook (.xlsx)”.", name=name)
        reader: Any = ExcelReader(copy, read_only=True, data_only=True, keep_links=False)
        names = set(reader.valid_files)
        reader.archive, reader.valid_files = archive, archive.namelist()
        reader.read_manifest()
        reader.read_workbook()
        parser = reader.parser
        to_fix = next((sheet_of(str(one.value)) for one in parser.defined_names.definedName if one.name == TO_FIX), None)
        # A run, unlike other programs that ask for a calculation when the workbook is opened, keeps the results of formulas.
        is_calculated = to_fix is not None or not _asks_for_calculation(archive.read(parser.workbook_part_name))
        strings, styles = SharedStrings(), Styles([], frozenset())
        if found := _find_part(reader, SHARED_STRINGS, ARC_SHARED_STRINGS):
            with archive.open(found) as part:
                parse_strings(part, strings)
        if found := _find_part(reader, STYLES_TYPE, ARC_STYLE):
            with archive.open(found) as part:
                styles = read_styles(part)
        context = WorkbookContext(strings, styles, reader.wb.epoch, is_calculated=is_calculated)
        worksheets = [
            _XlsxWorksheet(sheet.name, sheet.state == "visible", copy, relation.target, context)
            for sheet, relation in parser.find_sheets()
            if relation.Type.endswith("/worksheet") and relation.target in archive
        ]
        has_macros = any(part.casefold().endswith("vbaproject.bin") for part in archive.namelist())
        relations = archive.open(_relations_of(parser.workbook_part_name)).read()
        is_editable = b"\\" not in relations and names >= {worksheet.part for worksheet in worksheets}
        return _Workbook(worksheets, to_fix, has_macros, is_editable, is_calculated)


def _asks_for_calculation(part: bytes) -> bool:
    """Return True when `workbook.xml` has all formulas calculated when it is opened, as where that was never done."""
    properties = ET.fromstring(part).find(f"{{{SHEET_MAIN_NS}}}calcPr")  # noqa: S314 - `refuse_unsafe` has refused document types
    return properties is not None and properties.get("fullCalcOnLoad") in ("1", "true")


def _tables(archive: Archive, sheet: str) -> list[str]:
    """Return the names of the parts of the tables of a sheet."""
    if (relations := _relations_of(sheet)) not in archive:
        return []
    found: Any = get_dependents(archive, relations)
    return [relation.target for relation in found if relation.Type.endswith("/table") and relation.target in archive]


def _relations_of(part: str) -> str:
    """Return the name of the part that contains the relationships of another."""
    folder, name = posixpath.split(part)
    return f"{folder}/_rels/{name}.rels"


def _find_part(reader: ExcelReader, content_type: str, usual: str) -> str | None:
    """Return the name of the part with that content type, else that of the part with the `usual` name, else None."""
    package: Any = reader.package
    names = {_normalise_part(name): name for name in reader.valid_files}
    wanted = [one.PartName for one in package.Override if one.ContentType == content_type]
    return next((names[_normalise_part(name)] for name in [*wanted, usual] if _normalise_part(name) in names), None)


def _normalise_part(name: str) -> str:
    """Return the name of a part for comparison: some programs vary its leading slash and its case."""
    return name.lstrip("/").casefold()
