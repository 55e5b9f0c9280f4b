"""The results report as CSV: every data row of the source, in order, with how it ended.

UTF-8 with BOM and the source's own delimiter, so that the spreadsheet program that wrote the source opens it by a double click.
Written whole or not at all: a draft beside its place, moved there when it is complete and on the disk.
"""

import csv
import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from contact_sync.errors import BusyError, StorageError
from contact_sync.formula import escape, harmless
from contact_sync.lock import hold
from contact_sync.model import Line, Page
from contact_sync.packed import CELL_MARK, ESCAPE, ROW_MARK, unpack

COLUMNS = (
    "sync_row",
    "sync_outcome",
    "sync_code",
    "sync_fields",
    "sync_message",
    "sync_attempts",
    "sync_http_status",
    "sync_api_code",
    "sync_at",
)

_END = "\r\n"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Draft:
    """A report that is not in its place yet; the name it is drafted under is nobody's business."""

    def __init__(self, path: Path, mode: int) -> None:
        if path.exists() and not path.is_file():  # a file in the place of /dev/null would hurt the whole machine
            raise OSError(errno.EINVAL, "it is a folder or a device")
        self._path = path
        self._mode = mode
        # One name, so that what a killed run has left is not left for ever; held, so that no other run writes into it.
        self._draft = path.with_name(f".{path.name}.draft")
        descriptor = hold(self._draft)
        if descriptor is None:
            raise BusyError(
                f"Another run is writing the report {path}: wait for it to end, or choose another place with --report."
            )
        self._in_place = False
        # A name or a cell of a source may hold what UTF-8 has no place for; losing the report over it would be worse.
        self._file = os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="")
        try:
            os.fchmod(descriptor, 0o600)
        except OSError:  # it is somebody else's
            self._file.close()
            raise
        self._file.write("\ufeff")

    def reserve(self, size: int) -> None:
        """Take so many bytes of the disk for the report, so that it cannot be full when all is sent. Raises StorageError."""
        if not hasattr(os, "posix_fallocate"):  # macOS
            return
        try:
            os.posix_fallocate(self._file.fileno(), 0, size)
        except OSError as error:
            if error.errno in _FULL:  # else it is a file system that knows no such thing
                raise _unwritable(self._path, error) from error

    def write(self, columns: Sequence[str], delimiter: str, pages: Iterable[Page]) -> int:
        """Write all of it, put it in its place, and return how many data rows it has. Raises StorageError."""
        try:
            (head,) = _rendered([[*map(escape, columns), *COLUMNS]], delimiter)
            self._file.write(head + _END)
            rows = 0
            for page in pages:
                self._file.write(_page(page, delimiter))
                rows += len(page.numbers)
            self._file.truncate()  # what was reserved and not needed
            os.fchmod(self._file.fileno(), self._mode)
            os.fsync(self._file.fileno())
            self._draft.replace(self._path)
            self._in_place = True
        except OSError as error:
            raise _unwritable(self._path, error) from error
        _make_durable(self._path.parent)
        return rows

    def close(self) -> None:
        """Throw away what is not in its place."""
        if not self._in_place:
            with suppress(OSError):  # the folder may be gone, or closed to this user by now
                self._draft.unlink()
        with suppress(OSError):
            self._file.close()


@contextmanager
def draft(path: Path, mode: int) -> Iterator[Draft]:
    """Begin the report that will stand at `path` with these permissions.

    Raises StorageError when it could not be written, BusyError when another run is at it.
    """
    try:
        begun = Draft(path, mode)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield begun
    finally:
        begun.close()


def _page(page: Page, delimiter: str) -> str:
    (plain,) = _rendered([_told(page.plain)], delimiter)
    others = dict(zip(page.others, _rendered(map(_told, page.others.values()), delimiter), strict=True))
    starts = zip(_joined(page.cells, delimiter), page.numbers, strict=True)
    return "".join([f"{cells}{delimiter}{number}{delimiter}{others.get(number, plain)}{_END}" for cells, number in starts])


def _told(line: Line) -> list[object]:
    """What a report says of a row after its cells and its number."""
    _, _, outcome, code, fields, message, attempts, status, api_code, at = line
    return [outcome, code, fields, message, attempts or "", status or "", escape(api_code), at]


def _joined(cells: str, delimiter: str) -> list[str]:
    """The cells of each row as they stand in a report.

    Nearly all rows need neither quotes nor apostrophes, and one look at their packed text tells; where it fails, the rows are cut
    up until only the odd ones are left.
    """
    if not any(mark in cells for mark in (delimiter, '"', "\r", "\n", ESCAPE)) and harmless(cells):
        return cells.replace(CELL_MARK, delimiter).split(ROW_MARK)[1:]
    rows = cells.split(ROW_MARK)[1:]
    if len(rows) > 8:  # noqa: PLR2004 - so few are written faster than looked at
        part = len(rows) // 8 + 1
        parts = (ROW_MARK + ROW_MARK.join(rows[start : start + part]) for start in range(0, len(rows), part))
        return [line for part in parts for line in _joined(part, delimiter)]
    return _rendered([list(map(escape, row)) for row in unpack(cells)], delimiter)


class _Lines(list[str]):
    """Takes what `csv` writes, a line at a time."""

    write = list.append


def _rendered(rows: Iterable[Sequence[object]], delimiter: str) -> list[str]:
    """Each row as `csv` writes it, without the end of the line."""
    lines = _Lines()
    csv.writer(lines, delimiter=delimiter, lineterminator=_END).writerows(rows)
    return [line.removesuffix(_END) for line in lines]


def _make_durable(folder: Path) -> None:
    """Have the disk know the new name, where the folder can be read and its file system knows how; the report is whole anyway."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(f"The report {path} cannot be written ({error.strerror}): free or change its place with --report.")
