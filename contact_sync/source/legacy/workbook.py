"""Workbooks of the kinds that openpyxl does not read: .xls, .xlsb, .ods.

A worker process reads them within limits of memory and time, since a crafted file can make a reader take all there is. It gets
the private copy as a file descriptor and none of this program's secrets. It ends before the first row is validated; the rows are
then in an unlinked file, one JSON document a line (`contact_sync.source.legacy.spool`).
"""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import IO, Any

from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900

from contact_sync.errors import SourceError, StorageError
from contact_sync.i18n import _, language
from contact_sync.source import cells
from contact_sync.source.archive import RATIO, convert_damage, refuse_unsafe
from contact_sync.source.cells import BLANK, Cell, Row, decode_number
from contact_sync.source.legacy import spool
from contact_sync.source.legacy.spool import SpooledSheet
from contact_sync.source.number_format import UNKNOWN
from contact_sync.source.opening import Kind, SourceOptions
from contact_sync.source.sheets import SheetSource, open_sheet
from contact_sync.source.worksheet import SheetMetadata, Worksheet

MEMORY = 1 << 30  # limit of the worker's memory in bytes; 100,000 rows take a tenth
SECONDS = 300  # limit of its CPU time; 100,000 rows take a fiftieth
READ_TIMEOUT_S = 1800.0  # then the worker is killed
_PACKAGES = Path(__file__).parents[3]
_RATIOS = {Kind.XLSB: RATIO, Kind.ODS: 1000}
"""The size of a part may be this many times its compressed size: a legitimate .ods with nine columns of one word had 180."""


@contextmanager
def open_file(copy: FileIO, path: Path, kind: Kind, options: SourceOptions) -> Iterator[SheetSource]:
    """Open the sheet of contacts of the workbook in `copy`; raises as `open_source` does."""
    if kind in _RATIOS:
        with convert_damage(path.name), zipfile.ZipFile(copy) as archive:
            # The manifest and macros of an .ods may declare a document type; they are not parsed.
            refuse_unsafe(archive, path.name, _RATIOS[kind], only_part="content.xml" if kind is Kind.ODS else "")
    with tempfile.TemporaryFile() as file:
        sheets = _run_worker(kind, copy, file, path.name)
        worksheets = [_SpooledWorksheet(sheet.title, sheet.is_visible, file, sheet) for sheet in sheets]
        yield open_sheet(path, worksheets, options)


def _run_worker(kind: str, copy: FileIO, spool: IO[bytes], name: str) -> list[SpooledSheet]:
    options = (kind, str(copy.fileno()), str(spool.fileno()), language(), str(MEMORY), str(SECONDS))
    try:
        worker = subprocess.run(  # noqa: S603 - this program's own module
            [sys.executable, "-P", "-m", "contact_sync.source.legacy.worker", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a traceback may contain values of cells
            env=_environment(),
            pass_fds=(copy.fileno(), spool.fileno()),
            process_group=0,  # Ctrl-C at a terminal is for the parent
            timeout=READ_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _limit_error(name, _("time")) from error
    if worker.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        raise _limit_error(name, _("time or memory"))
    try:
        reply = json.loads(worker.stdout)
    except ValueError as error:
        raise SourceError(
            "{name} cannot be read (the reader stopped with {code}): save it as .xlsx.", name=name, code=worker.returncode
        ) from error
    if "refused" in reply:
        raise SourceError("{name} {refusal}", name=name, refusal=reply["refused"])
    if "full" in reply:
        raise StorageError(
            "There is no disk space for the rows of {name} ({reason}): free some space.", name=name, reason=reply["full"]
        )
    if reply.get("failed") == "MemoryError":
        raise _limit_error(name, _("memory"))
    if "failed" in reply:
        raise SourceError("{name} is damaged, or still being copied: open it, and save it as .xlsx.", name=name)
    return [SpooledSheet.from_json(sheet) for sheet in reply["sheets"]]


def _limit_error(name: str, what: str) -> SourceError:
    return SourceError("{name} cannot be read: it takes too much {what}; save it as .xlsx.", name=name, what=what)


def _environment() -> dict[str, str]:
    """Return the environment without secrets: those of this program, and proxies, whose address may contain a password."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CONTACT_SYNC_") and not name.lower().endswith("_proxy")
    }
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, (str(_PACKAGES), kept.get("PYTHONPATH"))))}


@dataclass(slots=True)
class _SpooledWorksheet(Worksheet):
    file: IO[bytes]
    sheet: SpooledSheet

    def rows(self, width: int, first: int, last: int) -> Iterator[tuple[int, Row]]:
        epoch = CALENDAR_MAC_1904 if self.sheet.from_1904 else CALENDAR_WINDOWS_1900
        at = self.sheet.start
        while at < self.sheet.end:
            self.file.seek(at)  # another sheet may have been read in between
            number, repeat, row, struck = json.loads(self.file.readline())
            at = self.file.tell()
            if number > last:
                return
            decoded = [_decode(cell, epoch) for cell in row[:width]]
            for position in struck:
                # In an .xls a cell that does not exist has some style as well.
                if position < len(decoded) and decoded[position] != BLANK:
                    decoded[position] = decoded[position]._replace(is_struck=True)
            decoded.extend([BLANK] * (width - len(decoded)))
            for repeated in range(max(number, first), min(number + repeat, last + 1)):
                yield repeated, decoded

    def describe(self, metadata: SheetMetadata) -> None:
        sheet = self.sheet
        metadata.used.update(column for column, last in sheet.last.items() if last > metadata.header)
        for first, last in sheet.hidden_columns:
            metadata.hidden_columns.update(range(first, last + 1))
        for first, last in sheet.hidden_rows:
            metadata.hidden_rows[first : last + 1] = b"\1" * (last + 1 - first)
        for merged in sheet.merged:
            metadata.add_merged(*merged)
        metadata.empty_formulas = sum(count for column, count in sheet.empty_formulas.items() if column in metadata.fields)


def _decode(cell: Any, epoch: dt.datetime) -> Cell:
    if isinstance(cell, str):
        return Cell(cell, kind=cells.LITERAL)
    return _DECODERS[cell[0]](cell, epoch) if isinstance(cell, list) else Cell(cell)


def _decode_time(kind: str, value: Any) -> Cell:
    try:
        if kind == spool.MOMENT:
            return Cell(dt.datetime.fromisoformat(value))
        duration = dt.timedelta(seconds=value)
    except (OverflowError, ValueError):  # as for a number that is not a valid date
        return Cell("#VALUE!", kind=cells.ERROR)
    is_time = dt.timedelta() <= duration < dt.timedelta(days=1)  # ODF has no other way to write a time of day
    midnight = dt.datetime.min  # noqa: DTZ901 - a spreadsheet knows no time zones
    return Cell((midnight + duration).time() if is_time else duration)


_DECODERS: dict[str, Callable[[list[Any], dt.datetime], Cell]] = {
    spool.NUMBER: lambda cell, epoch: decode_number(cell[1], cell[2], epoch),
    spool.SHOWN: lambda cell, _: Cell(cell[1], shown=cell[2]),
    spool.ZERO: lambda cell, epoch: decode_number(0, cell[1], epoch)._replace(kind=cells.ZERO, shown=cell[2]),
    spool.ODD_TEXT: lambda cell, _: Cell(cell[1], UNKNOWN, cells.LITERAL),
    spool.MOMENT: lambda cell, _: _decode_time(spool.MOMENT, cell[1])._replace(shown=cell[2] or None),
    spool.DURATION: lambda cell, _: _decode_time(spool.DURATION, cell[1]),
    spool.ERROR: lambda cell, _: Cell(cell[1], kind=cells.ERROR),
    spool.UNCALCULATED: lambda _, __: Cell(None, kind=cells.UNCALCULATED),
}
