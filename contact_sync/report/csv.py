"""The results report as CSV: every data row of the source, in order, with how it ended.

UTF-8 with BOM and the source's own delimiter, so that the spreadsheet program that wrote the source opens it by a double click.
"""

import csv
from collections.abc import Iterable, Sequence

from contact_sync.files.atomic import AtomicFile, write_error
from contact_sync.model import Batch, Layout, Line
from contact_sync.packed import CELL_MARK, ESCAPE, ROW_MARK, unpack
from contact_sync.rules.formula import escape, harmless

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


def write(report: AtomicFile, layout: Layout, batches: Iterable[Batch]) -> int:
    """Write all of it, put it in its place, and return how many data rows it has. Raises StorageError."""
    rows = 0
    try:
        (head,) = _rendered([[*map(escape, layout.columns), *COLUMNS]], layout.delimiter)
        report.file.write(_encoded(f"\ufeff{head}{_END}"))
        for batch in batches:
            report.file.write(_encoded(_rendered_batch(batch, layout.delimiter)))
            rows += len(batch.numbers)
    except OSError as error:
        raise write_error(report.path, error) from error
    report.commit()
    return rows


def _encoded(text: str) -> bytes:
    # A name or a cell of a source may hold what UTF-8 has no place for; losing the report over it would be worse.
    return text.encode(errors="backslashreplace")


def _rendered_batch(batch: Batch, delimiter: str) -> str:
    (plain,) = _rendered([_told(batch.plain)], delimiter)
    others = dict(zip(batch.others, _rendered(map(_told, batch.others.values()), delimiter), strict=True))
    starts = zip(_joined(batch.cells, delimiter), batch.numbers, strict=True)
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
