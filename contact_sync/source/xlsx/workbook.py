"""Excel workbooks (.xlsx, .xlsm): which sheets there are is told by openpyxl, what is in them by `contact_sync.source.xlsx.grid`.

Cells and not values, since only a cell tells a blank from an error, a number from its format and a date from a number.
"""

import zipfile
from collections.abc import Iterator
from functools import partial
from io import FileIO
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from openpyxl.reader.excel import ExcelReader
from openpyxl.xml.constants import ARC_SHARED_STRINGS, ARC_STYLE, SHARED_STRINGS, STYLES_TYPE

from contact_sync.errors import SourceError
from contact_sync.i18n import _
from contact_sync.model import TO_FIX, WIDEST, Original, sheet_of
from contact_sync.source.archive import SheetMetadata, refuse_unsafe, scan
from contact_sync.source.header import SEARCHED, Choices, Header
from contact_sync.source.sheets import Candidate, Cells, SheetSource, build_source, choose, damage_told
from contact_sync.source.xlsx.grid import Texts, WorkbookContext, read_formats, read_rows, read_texts


def open_workbook(copy: FileIO, path: Path, choices: Choices) -> SheetSource:
    """Return the sheet of contacts of the workbook in `copy`: the one named `sheet`, else the only visible one with a header.

    Raises `SourceError` when the workbook is damaged, unsafe or not understood,
    `ConfigError` for a rename of a column that is not there.
    """
    name = path.name
    with damage_told(name):
        worksheets, meaning, to_fix = _opened(copy, name)
    candidates = [
        Candidate(one.title, one.is_visible, partial(_head, copy, one.part, meaning), one.part, escaped=to_fix is None)
        for one in worksheets
        if one.title != to_fix
    ]
    chosen, above, header = choose(candidates, name, choices)
    metadata = _survey(copy, chosen, header, name)
    rows = partial(_rows, copy, chosen.table, meaning, metadata)
    source = build_source(path, chosen.title, (metadata, above, header), rows, choices)
    if not header.is_escaped:
        with zipfile.ZipFile(copy) as archive:
            macros = any(part.casefold().endswith("vbaproject.bin") for part in archive.namelist())
        source.original = Original(copy, name, chosen.title, header.number, macros)
    return source


class _Worksheet(NamedTuple):
    title: str
    is_visible: bool
    part: str
    """Its name in the archive."""


def _opened(copy: FileIO, name: str) -> tuple[list[_Worksheet], WorkbookContext, str | None]:
    """Return the worksheets, once the workbook is known to be harmless, what their cells refer to, and `_to_fix`."""
    with zipfile.ZipFile(copy) as archive:
        refuse_unsafe(archive, name)
        _refuse_strict(archive, name)
        reader = ExcelReader(copy, read_only=True, data_only=True, keep_links=False)
        reader.read_manifest()
        reader.read_workbook()
        worksheets = [
            _Worksheet(sheet.name, sheet.state == "visible", relation.target)
            for sheet, relation in reader.parser.find_sheets()
            if relation.Type.endswith("/worksheet") and relation.target in reader.valid_files
        ]
        meaning = WorkbookContext(Texts(), [], reader.wb.epoch)
        if shared := _part(reader, SHARED_STRINGS, ARC_SHARED_STRINGS):
            with archive.open(shared) as part:
                meaning.texts = read_texts(part)
        if styles := _part(reader, STYLES_TYPE, ARC_STYLE):
            with archive.open(styles) as part:
                meaning.formats = read_formats(part)
        return worksheets, meaning, _to_fix(reader)


def _to_fix(reader: ExcelReader) -> str | None:
    """Return the title of the sheet of rows to correct in a workbook that came back (it may be deleted by now), else None."""
    parser: Any = reader.parser
    places = [str(one.value) for one in parser.defined_names.definedName if one.name == TO_FIX]
    return sheet_of(places[0]) if places else None


def _part(reader: ExcelReader, kind: str, usual: str) -> str | None:
    """Return the name of the part of that content type, else that of the part with the `usual` name, if there is one."""
    package: Any = reader.package
    names = {_key(name): name for name in reader.valid_files}
    wanted = [one.PartName for one in package.Override if one.ContentType == kind]
    return next((names[_key(name)] for name in [*wanted, usual] if _key(name) in names), None)


def _key(name: str) -> str:
    """Return the name of a part as it is compared; some programs are loose with slashes and case."""
    return name.lstrip("/").casefold()


def _head(copy: FileIO, part: str, meaning: WorkbookContext) -> Iterator[tuple[int, Cells]]:
    with zipfile.ZipFile(copy) as archive, archive.open(part) as opened:
        yield from takewhile(lambda row: row[0] <= SEARCHED, read_rows(opened, meaning, WIDEST))


def _survey(copy: FileIO, chosen: Candidate, header: Header, name: str) -> SheetMetadata:
    """Return what the XML of a sheet tells beside its cells."""
    metadata = SheetMetadata(
        _("{name}, sheet “{title}”", name=name, title=chosen.title),
        {position + 1 for position in header.fields},
        header.number,
    )
    with damage_told(metadata.name), zipfile.ZipFile(copy) as archive, archive.open(chosen.table) as part:
        scan(part, metadata)
    return metadata


def _rows(copy: FileIO, part: str, meaning: WorkbookContext, metadata: SheetMetadata, width: int) -> Iterator[tuple[int, Cells]]:
    with zipfile.ZipFile(copy) as archive, archive.open(part) as opened:
        for number, cells in read_rows(opened, meaning, width):
            if number > metadata.header and metadata.filled[number]:
                yield number, cells


def _refuse_strict(archive: zipfile.ZipFile, name: str) -> None:
    if "xl/workbook.xml" in archive.namelist() and b"purl.oclc.org/ooxml" in archive.read("xl/workbook.xml"):
        raise SourceError(_("{name} is a Strict Open XML workbook: save it as “Excel workbook (.xlsx)”.", name=name))
