"""Excel workbooks (.xlsx, .xlsm), by openpyxl's read-only cells.

Cells and not values, since only a cell tells a blank from an error, a number from its format and a date from a number.
"""

import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from contact_sync.errors import SourceError
from contact_sync.formula import unescape
from contact_sync.load import headers
from contact_sync.load.archive import WIDEST, Sheet, refuse_unsafe, survey
from contact_sync.load.cells import flaw_of, text_of
from contact_sync.load.headers import SEARCHED, Header
from contact_sync.model import ID, Chunk, Violation

CHUNK = 1000
"""Rows a chunk."""


@dataclass(slots=True)
class Workbook:
    """A sheet of a workbook, opened and understood; a `contact_sync.model.Source`."""

    path: Path
    columns: list[str]
    mapping: dict[str, int]
    letters: list[str]
    delimiter: str
    findings: list[str]
    warnings: list[str]
    _cells: Callable[[int, int, int], Iterator[tuple[Any, ...]]]
    _sheet: Sheet
    _header: Header
    _positions: list[int]
    _hidden: str

    def chunks(self) -> Iterator[Chunk]:
        """Yield the data rows, `CHUNK` at a time; raises `SourceError` at damage, and at the end for hidden rows."""
        sheet, first = self._sheet, self._header.number + 1
        fields = {self._positions[position]: field for field, position in self.mapping.items()}
        number = self._header.number
        hidden = 0
        rows = self._cells(first, max(sheet.filled.rfind(1), first), len(self._header.cells))
        while batch := _take(rows, CHUNK, sheet.name):
            chunk = Chunk([], [])
            with _damage_told(sheet.name):  # openpyxl looks a cell's format up only when it is asked
                for number, cells in enumerate(batch, number + 1):  # noqa: B020 - goes on where the last batch ended
                    if sheet.filled[number]:
                        self._add(chunk, number, cells, fields)
            hidden += sum(sheet.hidden_rows[number] for number in chunk.numbers)
            if chunk.rows:
                yield chunk
        if hidden and self._hidden == "refuse":
            raise SourceError(
                f"{sheet.name}: {hidden} rows are hidden or filtered out: show them, or choose --hidden include or --hidden skip."
            )

    def _add(self, chunk: Chunk, number: int, cells: tuple[Any, ...], fields: Mapping[int, str]) -> None:
        texts = [text_of(cells[position]) for position in self._positions]
        flaws = [flaw for position, field in fields.items() if (flaw := self._flaw(number, position, cells[position], field))]
        # Merging alone does not make blank cells a row: below the merged ones there is nothing to lose.
        if not any(map(str.strip, texts)) and all(flaw.code == "cell-merged" for flaw in flaws):
            return
        if self._header.is_report:
            flaws += headers.marked(texts)
        if flaws:
            chunk.flaws[len(chunk.rows)] = flaws
        if self._hidden == "skip" and self._sheet.hidden_rows[number]:
            chunk.skipped.add(len(chunk.rows))
        chunk.numbers.append(number)
        chunk.rows.append(list(map(unescape, texts)) if self._header.is_report else texts)

    def _flaw(self, number: int, position: int, cell: Any, field: str) -> Violation | None:
        if _is_marked(self._sheet.uncalculated, position, number):
            return Violation("cell-formula", field)
        if _is_marked(self._sheet.merged, position, number):
            return Violation("cell-merged", field)
        return flaw_of(cell, field)


def open_workbook(copy: FileIO, path: Path, *, sheet: str | None, hidden: str, renames: Mapping[str, str]) -> Workbook:
    """Return the sheet of contacts of the workbook in `copy`: the one named `sheet`, else the only visible one with a header.

    `hidden` is `refuse`, `include` or `skip`. Raises `SourceError` when the workbook is damaged, unsafe or not understood,
    `ConfigError` for a rename of a column that is not there.
    """
    name = path.name
    table, above, header = _choose(_tables(_load(copy, name), sheet, name), name, renames)
    marks = _survey(copy, table, header, name)
    header.cells.extend([""] * (max(marks.used, default=0) - len(header.cells)))
    header = _without_hidden(header, marks, hidden)
    unused = {position for position in header.unnamed if position + 1 not in marks.used}
    layout = headers.lay_out(marks.name, header, unused, renames)
    merged = [field for position, field in header.fields.items() if _is_marked(marks.merged, position, header.number)]
    if merged:
        raise SourceError(
            f"{marks.name}, row {header.number}: the header of {', '.join(merged)} is merged with other cells: unmerge it."
        )
    return Workbook(
        path=path,
        columns=layout.columns,
        mapping=layout.mapping,
        letters=[headers.letter(position) for position in layout.positions],
        delimiter=";",
        findings=[f"Sheet “{table.title}”, header on row {header.number}.", *layout.findings],
        warnings=headers.warn_above(header, above),
        _cells=lambda first, last, width: table.iter_rows(min_row=first, max_row=last, max_col=width),
        _sheet=marks,
        _header=header,
        _positions=layout.positions,
        _hidden=hidden,
    )


def _load(copy: FileIO, name: str) -> Any:
    """Return the workbook, once it is known to be harmless."""
    with _damage_told(name):
        with zipfile.ZipFile(copy) as archive:
            refuse_unsafe(archive, name)
            _refuse_strict(archive, name)
        return load_workbook(copy, read_only=True, data_only=True, keep_links=False)


def _survey(copy: FileIO, table: Any, header: Header, name: str) -> Sheet:
    """Return what the XML of `table` tells beside its cells."""
    sheet = Sheet(f"{name}, sheet “{table.title}”", {position + 1 for position in header.fields}, header.number)
    path = table._worksheet_path  # noqa: SLF001 - only openpyxl knows it, and has no public name for it
    with _damage_told(sheet.name), zipfile.ZipFile(copy) as archive, archive.open(path) as part:
        survey(part, sheet)
    return sheet


def _tables(book: Any, sheet: str | None, name: str) -> list[Any]:
    """Return the worksheets in question."""
    visible = [table for table in book.worksheets if table.sheet_state == "visible"]
    tables = visible if sheet is None else [table for table in book.worksheets if _same(table.title, sheet)]
    if not tables:
        what = "has no visible sheet" if sheet is None else f"has no sheet “{sheet}”, only {_titles(visible)}"
        raise SourceError(f"{name} {what}: correct the file, or --sheet.")
    for table in tables:
        table.reset_dimensions()  # some programs write A1 there, whatever the size
    return tables


def _choose(tables: list[Any], name: str, renames: Mapping[str, str]) -> tuple[Any, list[tuple[int, list[str]]], Header]:
    """Return the only one of `tables` with a header, its first rows, and the header."""
    heads = [(table, _head(table, name)) for table in tables]
    found = [(table, rows, header) for table, rows in heads if (header := headers.find(rows, renames))]
    if len(found) > 1:
        raise SourceError(
            f"{name} has several sheets of contacts, {_titles([table for table, _, _ in found])}: choose one with --sheet."
        )
    if found:
        return found[0]
    filled = [(table, rows) for table, rows in heads if rows]
    if len(filled) > 1:
        raise SourceError(
            f"{name}: none of the sheets {_titles(tables)} has a header with contactId and a column to send in its first "
            f"{SEARCHED} rows: add it, or name the columns with --map."
        )
    where = f"{name}, sheet “{filled[0][0].title}”" if filled else name
    raise headers.refuse_rows(where, filled[0][1] if filled else [], renames)


def _head(table: Any, name: str) -> list[tuple[int, list[str]]]:
    """Return the first rows of `table` that hold text, without the blank cells at their ends."""
    rows = []
    with _damage_told(name):
        for number, cells in enumerate(table.iter_rows(max_row=SEARCHED, max_col=WIDEST), 1):
            texts = [text_of(cell) for cell in cells]
            while texts and not texts[-1].strip():
                texts.pop()
            if texts:
                rows.append((number, texts))
    return rows


def _without_hidden(header: Header, marks: Sheet, hidden: str) -> Header:
    """Return `header` as `hidden` wants it: the fields in hidden columns refused, included, or (but for the id) not sent."""
    concealed = {position: field for position, field in header.fields.items() if position + 1 in marks.hidden_columns}
    if not concealed or hidden == "include":
        return header
    if hidden == "refuse":
        raise SourceError(
            f"{marks.name}: the columns of {', '.join(concealed.values())} are hidden: show them, or choose --hidden include or "
            "--hidden skip."
        )
    return replace(header, fields={p: field for p, field in header.fields.items() if p not in concealed or field == ID})


def _refuse_strict(archive: zipfile.ZipFile, name: str) -> None:
    if "xl/workbook.xml" in archive.namelist() and b"purl.oclc.org/ooxml" in archive.read("xl/workbook.xml"):
        raise SourceError(f"{name} is a Strict Open XML workbook: save it as “Excel workbook (.xlsx)”.")


def _is_marked(marks: Mapping[int, bytearray], position: int, number: int) -> bool:
    return position + 1 in marks and marks[position + 1][number] == 1


def _same(title: str, wanted: str) -> bool:
    return title.strip().casefold() == wanted.strip().casefold()


def _titles(tables: list[Any]) -> str:
    return ", ".join(f"“{table.title}”" for table in tables)


def _take(rows: Iterator[tuple[Any, ...]], number: int, name: str) -> list[tuple[Any, ...]]:
    with _damage_told(name):
        return list(islice(rows, number))


@contextmanager
def _damage_told(name: str) -> Iterator[None]:
    """Turn whatever zipfile, zlib, expat and openpyxl raise on damage into a sentence; their warnings stay out of cron's mail."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(
            f"{name} is damaged, or still being copied ({type(error).__name__}): open it in Excel and save it again."
        ) from error
