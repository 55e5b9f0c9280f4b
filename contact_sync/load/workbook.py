"""Excel workbooks (.xlsx, .xlsm), by openpyxl's read-only cells.

Cells and not values, since only a cell tells a blank from an error, a number from its format and a date from a number.
"""

import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree as ET

from openpyxl.cell.text import Text
from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import Stylesheet
from openpyxl.xml.constants import ARC_SHARED_STRINGS, ARC_STYLE, SHARED_STRINGS, SHEET_MAIN_NS, STYLES_TYPE

from contact_sync.errors import SourceError
from contact_sync.load.archive import Sheet, refuse_unsafe, survey
from contact_sync.load.headers import SEARCHED, Header
from contact_sync.load.page import WIDEST
from contact_sync.load.sheets import Candidate, Cells, Workbook, choose, damage_told, understand

_MAIN = f"{{{SHEET_MAIN_NS}}}"


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
        reader = _Reader(copy, read_only=True, data_only=True, keep_links=False)
        reader.read()
    return reader.wb


class _Reader(ExcelReader):
    """openpyxl's, for what is needed of a workbook: its texts as they stand, its sheets and the formats of numbers.

    openpyxl takes `x005F_` out of the shared texts, so that of `_x005F_x0041_`, which shows `_x0041_`, an A would be left; it
    looks for the styles at one place only; and a fill or font that it does not know makes it refuse what Excel opens.
    """

    def read(self) -> None:
        """Read it."""
        self.read_manifest()
        self.read_strings()
        self.read_workbook()
        self._read_formats()
        self.read_worksheets()

    def read_strings(self) -> None:
        """Read the texts that cells share."""
        for node in self._elements(SHARED_STRINGS, ARC_SHARED_STRINGS):
            if node.tag == f"{_MAIN}si":
                self.shared_strings.append(cast("Any", Text.from_tree(node)).content)
                node.clear()

    def _read_formats(self) -> None:
        slim = ET.Element("styleSheet")
        for node in self._elements(STYLES_TYPE, ARC_STYLE):
            if node.tag == f"{_MAIN}numFmts":
                slim.append(node)
            elif node.tag == f"{_MAIN}cellXfs":
                cells = ET.SubElement(slim, "cellXfs")
                for style in node.iterfind(f"{_MAIN}xf"):
                    ET.SubElement(cells, "xf", numFmtId=style.get("numFmtId", "0"))
        if slim.find("cellXfs/xf") is not None:
            book: Any = self.wb
            styles: Any = Stylesheet.from_tree(cast("Any", slim))
            book._cell_styles, book._number_formats = styles.cell_styles, styles.number_formats  # noqa: SLF001 - as openpyxl has it
            book._date_formats, book._timedelta_formats = styles.date_formats, styles.timedelta_formats  # noqa: SLF001 - the same

    def _elements(self, kind: str, usual: str) -> Iterator[Any]:
        """Yield the elements of the part of that content type, else of the part with the `usual` name, if there is one."""
        named = {self._key(one.PartName) for one in self.package.Override if one.ContentType == kind} | {self._key(usual)}
        for path in sorted(self.valid_files, key=lambda path: self._key(path) == self._key(usual)):
            if self._key(path) in named:
                with self.archive.open(path) as stream:
                    for _, node in ET.iterparse(stream):  # noqa: S314 - no part declares a document type
                        yield node
                return

    @staticmethod
    def _key(path: str) -> str:
        """Return the name of a part as it is compared; some programs are loose with slashes and case."""
        return path.lstrip("/").casefold()


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
