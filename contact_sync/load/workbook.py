"""Excel workbooks (.xlsx, .xlsm), by openpyxl's read-only cells.

Cells and not values, since only a cell tells a blank from an error, a number from its format and a date from a number.
"""

import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from contact_sync.errors import SourceError
from contact_sync.load.archive import Sheet, refuse_unsafe, survey
from contact_sync.load.headers import SEARCHED, Header
from contact_sync.load.page import WIDEST
from contact_sync.load.sheets import Candidate, Cells, Workbook, choose, damage_told, understand


def open_workbook(copy: FileIO, path: Path, *, sheet: str | None, hidden: str, renames: Mapping[str, str]) -> Workbook:
    """Return the sheet of contacts of the workbook in `copy`: the one named `sheet`, else the only visible one with a header.

    `hidden` is `refuse`, `include` or `skip`. Raises `SourceError` when the workbook is damaged, unsafe or not understood,
    `ConfigError` for a rename of a column that is not there.
    """
    name = path.name
    candidates = [
        Candidate(table.title, table.sheet_state == "visible", partial(_head, table), table)
        for table in _load(copy, name).worksheets
    ]
    chosen, above, header = choose(candidates, sheet, name, renames)
    marks = _survey(copy, chosen.table, header, name)
    rows = partial(_rows, chosen.table, marks)
    return understand(path, chosen.title, (marks, above, header), rows, hidden=hidden, renames=renames)


def _load(copy: FileIO, name: str) -> Any:
    """Return the workbook, once it is known to be harmless."""
    with damage_told(name):
        with zipfile.ZipFile(copy) as archive:
            refuse_unsafe(archive, name)
            _refuse_strict(archive, name)
        return load_workbook(copy, read_only=True, data_only=True, keep_links=False)


def _head(table: Any) -> Iterator[tuple[int, Cells]]:
    return enumerate(table.iter_rows(max_row=SEARCHED, max_col=WIDEST), 1)


def _survey(copy: FileIO, table: Any, header: Header, name: str) -> Sheet:
    """Return what the XML of `table` tells beside its cells."""
    sheet = Sheet(f"{name}, sheet “{table.title}”", {position + 1 for position in header.fields}, header.number)
    path = table._worksheet_path  # noqa: SLF001 - only openpyxl knows it, and has no public name for it
    with damage_told(sheet.name), zipfile.ZipFile(copy) as archive, archive.open(path) as part:
        survey(part, sheet)
    return sheet


def _rows(table: Any, marks: Sheet, width: int) -> Iterator[tuple[int, Cells]]:
    first = marks.header + 1
    # Always with both ends: what a sheet says of its own size may be wrong.
    rows = table.iter_rows(min_row=first, max_row=max(marks.filled.rfind(1), first), max_col=width)
    return ((number, cells) for number, cells in enumerate(rows, first) if marks.filled[number])


def _refuse_strict(archive: zipfile.ZipFile, name: str) -> None:
    if "xl/workbook.xml" in archive.namelist() and b"purl.oclc.org/ooxml" in archive.read("xl/workbook.xml"):
        raise SourceError(f"{name} is a Strict Open XML workbook: save it as “Excel workbook (.xlsx)”.")
