"""Workbooks to test with, and what is read back from those that were written."""

import io
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openpyxl

from contact_sync.files.atomic import open_atomic
from contact_sync.model.report import Batch, Line, Summary
from contact_sync.model.source import Layout, Original, Source
from contact_sync.packed import pack
from contact_sync.report import formats
from contact_sync.report.formats import ReportContext
from contact_sync.report.xlsx import sheets
from contact_sync.source import SourceOptions, open_source

LATER = 4e9
RED = f"FF{sheets.RED}"
READY = Line([], 0, "ready", "", "", "", 0, None, "", "")
HEAD = ["contactId", "firstname", "phoneNumber", "note"]
ROWS = [["C1", "Zoé", "0612345678", "a"], ["C2", "=1+1", "06", "b"], ["C3", "Léa", "0612345679", ""]]
BAD = Line([], 3, "invalid", "phone-unknown", "phoneNumber", "No such phone number exists.", 0, None, "", "")


@contextmanager
def opened(path: Path, **choices: Any) -> Iterator[Source]:
    """Open the source at `path`."""
    with open_source(path, SourceOptions(**choices), clock=lambda: LATER) as source:
        yield source


def line_of(number: int, cells: Sequence[str], like: Line) -> Line:
    """Return a line with the outcome of another."""
    return Line(list(cells), number, *like[2:])


def batches_of(source: Source, *bad: Line) -> tuple[list[Batch], int]:
    """Return the batches of a report about the source, with the outcomes of the bad rows, and the number of rows."""
    known = {line.number: line for line in bad}
    made = [
        Batch(
            chunk.numbers,
            pack(chunk.rows),
            READY,
            {n: line_of(n, row, known[n]) for n, row in zip(chunk.numbers, chunk.rows, strict=True) if n in known},
        )
        for chunk in source.chunks()
    ]
    return made, sum(len(one.numbers) for one in made)


def context(layout: Layout, rows: int, original: Original | None = None) -> ReportContext:
    """Return the context of a run of so many rows."""
    return ReportContext(Summary("run", Path("c.xlsx"), None, rows=rows), layout, original)


def returned(path: Path, *bad: Line, place: Path | None = None, **choices: Any) -> tuple[Path, list[str]]:
    """Write the workbook for the source at `path`, and return its path and the notes."""
    with opened(path, **choices) as source:
        place = place or path.with_name(f"back{source.original.suffix if source.original else '.xlsx'}")
        made, rows = batches_of(source, *bad)
        with open_atomic(place, 0o600) as report:
            notes = formats.write("workbook", report, made, context(source.layout, rows, source.original))
    return place, notes


def content(path: Path, **choices: Any) -> list[tuple[int, list[str]]]:
    """Return the header and the numbered rows of a source."""
    with opened(path, **choices) as source:
        return [(0, source.columns), *(row for chunk in source.chunks() for row in zip(chunk.numbers, chunk.rows, strict=True))]


def texts(path: Path, **choices: Any) -> list[list[str]]:
    """Return the header and the rows of a source."""
    return [cells for _, cells in content(path, **choices)]


def workbook_of(path: Path, *rows: Sequence[Any], change: Callable[[Any], object] = lambda _: None) -> Path:
    """Save a workbook with one sheet of these rows, in which no text is a formula; `change` may edit the sheet."""
    book: Any = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Clients"
    for number, row in enumerate(rows, 1):
        for column, value in enumerate(row, 1):
            cell = sheet.cell(number, column, value)
            if isinstance(value, str):
                cell.data_type = "s"
    change(sheet)
    book.save(path)
    return path


def formulas(path: Path) -> dict[str, int]:
    """Return the number of formulas of each sheet that has any."""
    with zipfile.ZipFile(path) as archive:
        counts = {name: len(re.findall(rb"<f[ >/]", archive.read(name))) for name in archive.namelist() if "worksheets/" in name}
    return {name: count for name, count in counts.items() if count}


def change_parts(path: Path, parts: dict[str, Callable[[bytes], bytes]]) -> None:
    """Replace parts of a zip archive by the result of a function of their content, which is empty for a new part."""
    stream = io.BytesIO()
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(stream, "w") as after:
        for name in before.namelist():
            after.writestr(name, parts.get(name, bytes)(before.read(name)))
        for name in parts.keys() - set(before.namelist()):
            after.writestr(name, parts[name](b""))
    path.write_bytes(stream.getvalue())


def csv_of(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    """Write these rows as CSV."""
    path.write_text("".join(";".join(row) + "\r\n" for row in rows), encoding="utf-8")
    return path


def is_new(back: Path) -> bool:
    """Return True when a workbook is not the operator's own."""
    return openpyxl.load_workbook(back).sheetnames == ["To fix", "Contacts"]
