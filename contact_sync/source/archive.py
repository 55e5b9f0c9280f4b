"""What must hold of a workbook's zip archive, and of its sheets' XML, before openpyxl may parse it.

openpyxl drops rows that are out of order, takes the last of two entries of one name, and inflates whatever it is given (719 kB
became 2.65 GB); and it does not tell which rows are hidden, which cells merged, and which formulas were never calculated.
"""

import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, cast
from xml.parsers import expat

from openpyxl.utils.cell import coordinate_to_tuple, range_boundaries
from openpyxl.xml.constants import SHEET_MAIN_NS

from contact_sync.errors import SourceError
from contact_sync.i18n import _
from contact_sync.model import LAST_ROW, WIDEST
from contact_sync.source.header import letter

_ENTRIES = 2000
_TOTAL = 1 << 30
_LARGE = 10 << 20  # an honest cell of one letter has ratio 704, so the ratio tells nothing of small entries
RATIO = 100
"""How many times its size a part may unpack to."""
_BLOCK = 1 << 18
_DOCTYPE = b"<!DOCTYPE"


def refuse_unsafe(
    archive: zipfile.ZipFile, name: str, ratio: int = RATIO, parsed: Callable[[str], bool] = lambda _: True
) -> None:
    """Raise `SourceError` for an archive that is damaged, oversized or booby-trapped; `name` names it.

    A large part may unpack to `ratio` times its size. `parsed` tells of the name of a part whether it may be parsed as XML.
    """
    entries = archive.infolist()
    if len(entries) > _ENTRIES:
        raise SourceError(
            _(
                "{name} has {parts} parts inside, {limit} at most: copy the contacts to a new workbook.",
                name=name,
                parts=len(entries),
                limit=_ENTRIES,
            )
        )
    if len({entry.filename.casefold() for entry in entries}) < len(entries):
        raise SourceError(
            _(
                "{name} contains one of its parts twice, so its content is not certain: open it in Excel and save it again.",
                name=name,
            )
        )
    if sum(entry.file_size for entry in entries) > _TOTAL:
        raise SourceError(_("{name} unpacks to more than 1 GB: copy the contacts to a new workbook.", name=name))
    for entry in entries:
        if entry.file_size > _LARGE and entry.file_size > ratio * entry.compress_size:
            raise SourceError(
                _(
                    "{name} unpacks to more than {ratio} times its size: copy the contacts to a new workbook.",
                    name=name,
                    ratio=ratio,
                )
            )
        if entry.flag_bits & 1:
            raise SourceError(_("{name} is protected by a password: save it without one.", name=name))
    for entry in entries:
        with archive.open(entry) as part:
            _refuse_doctype(part, name, is_parsed=parsed(entry.filename))


def _refuse_doctype(part: IO[bytes], name: str, *, is_parsed: bool) -> None:
    """Read `part` to its end, which compares its checksum too."""
    tail = b""
    while block := part.read(_BLOCK):
        # Without the NULs of UTF-16. An entity could rewrite any cell.
        window = tail + block.replace(b"\0", b"")
        if is_parsed and _DOCTYPE in window:
            raise SourceError(
                _(
                    "{name} contains a document type declaration, which no workbook needs: open it in Excel and save it again.",
                    name=name,
                )
            )
        tail = window[-len(_DOCTYPE) :]


@dataclass(slots=True)
class SheetMetadata:
    """What the XML of a sheet tells beside its cells. Rows and columns are counted from 1."""

    name: str
    """How the sheet is named in errors."""
    marked: set[int]
    """The columns in which merged cells and formulas are of interest."""
    header: int
    """The row of the header."""
    filled: bytearray = field(default_factory=lambda: bytearray(LAST_ROW + 1))
    """1 at each row that holds anything."""
    used: set[int] = field(default_factory=set)
    """The columns that hold anything below the header."""
    hidden_columns: set[int] = field(default_factory=set)
    hidden_rows: bytearray = field(default_factory=lambda: bytearray(LAST_ROW + 1))
    """1 at each row that is hidden or filtered out."""
    uncalculated: dict[int, bytearray] = field(default_factory=dict)
    """Of `marked` columns: 1 at each row with a formula that was never calculated."""
    merged: dict[int, bytearray] = field(default_factory=dict)
    """Of `marked` columns: 1 at each row where the cell is part of merged cells."""


def scan(part: IO[bytes], metadata: SheetMetadata) -> None:
    """Fill `metadata` from its XML; raises `SourceError` for what openpyxl would get wrong, `expat.ExpatError` for broken XML."""
    _Survey(metadata).parse(part)


class _Survey:
    """The state of one pass over a sheet's XML; memory does not grow with the sheet."""

    def __init__(self, metadata: SheetMetadata) -> None:
        self._marks = metadata
        self._row = self._column = 0
        self._type = ""
        self._has_formula = self._has_value = self._has_text = self._inside = False
        self._starts: dict[str, Callable[[dict[str, str]], None]] = {
            f"{SHEET_MAIN_NS} {tag}": start
            for tag, start in {
                "row": self._start_row,
                "c": self._start_cell,
                "f": self._start_formula,
                "v": self._start_value,
                "t": self._start_value,
                "col": self._start_column,
                "mergeCell": self._start_merge,
            }.items()
        }
        self._cell = f"{SHEET_MAIN_NS} c"
        self._texts = {f"{SHEET_MAIN_NS} v", f"{SHEET_MAIN_NS} t"}

    def parse(self, part: IO[bytes]) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        while block := part.read(_BLOCK):
            parser.Parse(block, False)
        parser.Parse(b"", True)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if start := self._starts.get(tag):
            start(attributes)

    def _end(self, tag: str) -> None:
        if tag in self._texts:
            self._inside = False
        elif tag == self._cell:
            self._end_cell()

    def _text(self, _: str) -> None:
        self._has_text = self._has_text or self._inside

    def _start_row(self, attributes: dict[str, str]) -> None:
        before = self._row
        self._row = int(float(attributes.get("r", before + 1)))
        self._column = 0
        if not before < self._row <= LAST_ROW:
            raise SourceError(
                _(
                    "{where}: its rows are out of order at row {row}: open it in Excel and save it again.",
                    where=self._marks.name,
                    row=before,
                )
            )
        if _is_hidden(attributes, "ht"):
            self._marks.hidden_rows[self._row] = 1

    def _start_cell(self, attributes: dict[str, str]) -> None:
        self._type = attributes.get("t", "n")
        before = self._column
        row, self._column = coordinate_to_tuple(attributes["r"]) if "r" in attributes else (self._row, before + 1)
        if row != self._row or self._column <= before:
            raise SourceError(
                _(
                    "{where}: its cells are out of order at row {row}: open it in Excel and save it again.",
                    where=self._marks.name,
                    row=self._row,
                )
            )
        self._has_formula = self._has_value = self._has_text = False

    def _start_formula(self, _: dict[str, str]) -> None:
        self._has_formula = True

    def _start_value(self, _: dict[str, str]) -> None:
        self._has_value = self._inside = True

    def _end_cell(self) -> None:
        sheet, row, column = self._marks, self._row, self._column
        # A formula whose result is the empty text has an empty value and the type of a text.
        uncalculated = self._has_formula and not self._has_text and not (self._type == "str" and self._has_value)
        if uncalculated and column in sheet.marked:
            _rows(sheet.uncalculated, column)[row] = 1
        elif not self._has_text:
            return
        if column > WIDEST:
            raise SourceError(
                _(
                    "{where}: cell {column}{row} is far to the right of the table; {widest} columns are "
                    "read: delete its content.",
                    where=sheet.name,
                    column=letter(column - 1),
                    row=row,
                    widest=WIDEST,
                )
            )
        sheet.filled[row] = 1
        if row > sheet.header:
            sheet.used.add(column)

    def _start_column(self, attributes: dict[str, str]) -> None:
        if _is_hidden(attributes, "width"):
            first, last = int(attributes["min"]), min(int(attributes["max"]), WIDEST)
            self._marks.hidden_columns.update(range(first, last + 1))

    def _start_merge(self, attributes: dict[str, str]) -> None:
        mark_merged(self._marks, *cast("tuple[int, int, int, int]", range_boundaries(attributes["ref"])))


def mark_merged(metadata: SheetMetadata, left: int, top: int, right: int, bottom: int) -> None:
    """Note that these cells are one."""
    for column in metadata.marked.intersection(range(left, right + 1)):
        _rows(metadata.merged, column)[top : bottom + 1] = b"\1" * (bottom + 1 - top)


def _rows(columns: dict[int, bytearray], column: int) -> bytearray:
    return columns.setdefault(column, bytearray(LAST_ROW + 1))


def _is_hidden(attributes: dict[str, str], extent: str) -> bool:
    return attributes.get("hidden") in ("1", "true") or re.fullmatch(r"0(\.0*)?", attributes.get(extent, "")) is not None
