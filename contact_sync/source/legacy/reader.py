"""Workbooks of the kinds that openpyxl does not read: .xls, .xlsb, .ods.

A child process reads them, within limits of memory and time, since readers of such files can be made to take all there is: it
gets the private copy by descriptor and none of this program's secrets. It ends before the first row is looked at; the rows then
stand in an unlinked file, a JSON document a line (`contact_sync.source.legacy.spool`).
"""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from io import FileIO
from pathlib import Path
from typing import IO, Any

from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900

from contact_sync.errors import SourceError, StorageError
from contact_sync.i18n import _, language, ngettext
from contact_sync.source import cells
from contact_sync.source.archive import RATIO, SheetMetadata, mark_merged, refuse_unsafe
from contact_sync.source.cells import BLANK, Cell, cell_of_number
from contact_sync.source.header import SEARCHED, Choices, Header
from contact_sync.source.legacy import spool
from contact_sync.source.legacy.spool import SpooledSheet
from contact_sync.source.sheets import Candidate, Cells, SheetSource, build_source, choose, damage_told

MEMORY = 1 << 30
"""Bytes that the child may use; 100,000 rows take a tenth."""
SECONDS = 300
"""Of CPU that the child may use; 100,000 rows take a fiftieth."""
READ_TIMEOUT_S = 1800.0
"""Seconds after which a child that has not ended is ended."""
_PACKAGES = Path(__file__).parents[3]
_RATIOS = {"xlsb": RATIO, "ods": 1000}
"""How many times its size a part may unpack to: 180 was measured of honest .ods, with nine columns of one word."""


@contextmanager
def open_legacy(copy: FileIO, path: Path, kind: str, choices: Choices) -> Iterator[SheetSource]:
    """Lend the sheet of contacts of the workbook in `copy`; `kind` is `xls`, `xlsb` or `ods`, the rest as for `open_workbook`.

    Raises `SourceError` when the workbook is damaged, unsafe or not understood, `ConfigError` for a rename of a column that is
    not there, `StorageError` when there is no room for its rows.
    """
    name = path.name
    if kind in _RATIOS:
        with damage_told(name), zipfile.ZipFile(copy) as archive:
            # Of an .ods the manifest and macros may well declare a type, and are not parsed.
            refuse_unsafe(archive, name, _RATIOS[kind], lambda part: kind != "ods" or part == "content.xml")
    with tempfile.TemporaryFile() as file:
        sheets = _read(copy, file, kind, name)
        candidates = [Candidate(one.title, one.visible, partial(_head, file, one), one) for one in sheets]
        chosen, above, header = choose(candidates, name, choices)
        metadata = _marks(chosen.table, header, name)
        rows = partial(_below, file, chosen.table, header.number)
        source = build_source(path, chosen.title, (metadata, above, header), rows, choices)
        silent = sum(count for column, count in chosen.table.silent.items() if column - 1 in header.fields)
        if silent:
            source.blanks_certain = False
            source.warnings.append(
                ngettext(
                    "{count} formula in the columns to send is empty, and may never have been calculated: "
                    "if that is not intended, open the file in Excel and save it as .xlsx.",
                    "{count} formulas in the columns to send are empty, and may never have been calculated: "
                    "if that is not intended, open the file in Excel and save it as .xlsx.",
                    silent,
                )
            )
        yield source


def _read(copy: FileIO, file: IO[bytes], kind: str, name: str) -> list[SpooledSheet]:
    """Let a child write the rows of all worksheets into `file`, and return what it tells of them."""
    given = (language(), str(MEMORY), str(SECONDS))
    module = ("-P", "-m", "contact_sync.source.legacy.child", kind)
    try:
        child = subprocess.run(  # noqa: S603 - ourselves
            [sys.executable, *module, str(copy.fileno()), str(file.fileno()), *given],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a traceback may hold what is in the cells
            env=_environment(),
            pass_fds=(copy.fileno(), file.fileno()),
            process_group=0,  # Ctrl-C at a terminal is for the parent
            timeout=READ_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _beyond(name, _("time")) from error
    if child.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        raise _beyond(name, _("time or memory"))
    try:
        answer = json.loads(child.stdout)
    except ValueError as error:
        raise SourceError(
            _("{name} cannot be read (the reader stopped with {code}): save it as .xlsx.", name=name, code=child.returncode)
        ) from error
    if "refused" in answer:
        raise SourceError(_("{name} {refusal}", name=name, refusal=answer["refused"]))
    if "full" in answer:
        raise StorageError(
            _("There is no disk space for the rows of {name} ({reason}): free some space.", name=name, reason=answer["full"])
        )
    if answer.get("failed") == "MemoryError":
        raise _beyond(name, _("memory"))
    if "failed" in answer:
        raise SourceError(_("{name} is damaged, or still being copied: open it, and save it as .xlsx.", name=name))
    sheets = answer["sheets"]
    return [SpooledSheet(**{**one, "last": _numbered(one["last"]), "silent": _numbered(one["silent"])}) for one in sheets]


def _beyond(name: str, what: str) -> SourceError:
    return SourceError(_("{name} cannot be read: it takes too much {what}; save it as .xlsx.", name=name, what=what))


def _environment() -> dict[str, str]:
    """Return the variables of this process without secrets: its own, and proxies, which may hold a password."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CONTACT_SYNC_") and not name.lower().endswith("_proxy")
    }
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, (str(_PACKAGES), kept.get("PYTHONPATH"))))}


def _numbered(counts: Mapping[str, int]) -> dict[int, int]:
    return {int(column): count for column, count in counts.items()}


def _marks(sheet: SpooledSheet, header: Header, name: str) -> SheetMetadata:
    metadata = SheetMetadata(
        _("{name}, sheet “{title}”", name=name, title=sheet.title),
        {position + 1 for position in header.fields},
        header.number,
    )
    metadata.used.update(column for column, last in sheet.last.items() if last > header.number)
    for first, last in sheet.hidden_columns:
        metadata.hidden_columns.update(range(first, last + 1))
    for first, last in sheet.hidden_rows:
        metadata.hidden_rows[first : last + 1] = b"\1" * (last + 1 - first)
    for left, top, right, bottom in sheet.merged:
        mark_merged(metadata, left, top, right, bottom)
    return metadata


def _lines(file: IO[bytes], sheet: SpooledSheet) -> Iterator[tuple[int, int, list[Any]]]:
    """Yield the lines of a sheet: row number, how many rows are like it, cells."""
    at = sheet.start
    while at < sheet.end:
        file.seek(at)  # another sheet may have been read in between
        number, repeat, row = json.loads(file.readline())
        at = file.tell()
        yield number, repeat, row


def _head(file: IO[bytes], sheet: SpooledSheet) -> Iterator[tuple[int, Cells]]:
    epoch = _epoch(sheet)
    for number, repeat, row in _lines(file, sheet):
        if number > SEARCHED:
            return
        for like in range(number, min(number + repeat, SEARCHED + 1)):
            yield like, [_cell(cell, epoch) for cell in row]


def _below(file: IO[bytes], sheet: SpooledSheet, header: int, width: int) -> Iterator[tuple[int, Cells]]:
    epoch = _epoch(sheet)
    for number, repeat, row in _lines(file, sheet):
        decoded = [_cell(cell, epoch) for cell in row[:width]]
        decoded.extend([BLANK] * (width - len(decoded)))
        for like in range(max(number, header + 1), number + repeat):
            yield like, decoded


def _cell(cell: Any, epoch: dt.datetime) -> Cell:
    match cell:
        case str():
            return Cell(cell, kind=cells.LITERAL)
        case [spool.NUMBER, number, number_format]:
            return cell_of_number(number, number_format, epoch)
        case [(spool.MOMENT | spool.DURATION) as kind, value]:
            return _time(kind, value)
        case [spool.ERROR, error]:
            return Cell(error, kind=cells.ERROR)
        case [spool.UNCALCULATED]:
            return Cell(None, kind=cells.UNCALCULATED)
    return Cell(cell)


def _time(kind: str, value: Any) -> Cell:
    try:
        if kind == spool.MOMENT:
            return Cell(dt.datetime.fromisoformat(value))
        duration = dt.timedelta(seconds=value)
    except (OverflowError, ValueError):  # as for a number without a day
        return Cell("#VALUE!", kind=cells.ERROR)
    is_time = dt.timedelta() <= duration < dt.timedelta(days=1)  # ODF has no other way to write a time of day
    midnight = dt.datetime.min  # noqa: DTZ901 - a spreadsheet knows no time zones
    return Cell((midnight + duration).time() if is_time else duration)


def _epoch(sheet: SpooledSheet) -> dt.datetime:
    return CALENDAR_MAC_1904 if sheet.from_1904 else CALENDAR_WINDOWS_1900
