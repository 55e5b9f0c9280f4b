"""The report as CSV: every data row of the source, in order, with its outcome.

UTF-8 with BOM, CRLF and the source's own delimiter, so that the spreadsheet program that wrote the source opens it on a double
click. Cells are escaped against formula injection (`rules.formula`).
"""

import codecs
import csv
from collections.abc import Iterable, Iterator, Sequence

from contact_sync.files.atomic import AtomicFile
from contact_sync.model.report import Batch, Line
from contact_sync.model.source import Layout
from contact_sync.packed import CELL_MARK, ESCAPE, ROW_MARK, SURROGATE, checksums, unpack
from contact_sync.report.formats import ReportContext
from contact_sync.rules.formula import escape, harmless

_NAMES = ("row", "outcome", "code", "fields", "message", "attempts", "http_status", "api_code", "at", "source_at", "checksum")
COLUMNS = tuple(f"sync_{name}" for name in _NAMES)

_END = "\r\n"


def write(draft: AtomicFile, batches: Iterable[Batch], context: ReportContext) -> list[str]:
    """Write a header and every row; there is nothing to note."""
    draft.file.writelines(_texts(batches, context.layout))
    return []


def _texts(batches: Iterable[Batch], layout: Layout) -> Iterator[bytes]:
    delimiter = layout.delimiter
    (header,) = _rendered([[*map(escape, layout.columns), *COLUMNS]], delimiter)
    yield b"%b%b\r\n" % (codecs.BOM_UTF8, header)
    mark = delimiter.encode()
    for batch in batches:
        plain, *others = _rendered(map(_result, [batch.plain, *batch.others.values()]), delimiter)
        results = dict(zip(batch.others, others, strict=True))
        rows = zip(batch.numbers, _joined(batch.cells, delimiter), map(str.encode, checksums(batch.cells)), strict=True)
        yield b"".join(
            [
                b"%b%b%d%b%b%b%b\r\n" % (cells, mark, number, mark, results.get(number, plain), mark, checksum)
                for number, cells, checksum in rows
            ]
        )


def _result(line: Line) -> list[object]:
    """Return the cells of a report between the row number and the checksum."""
    return [*line[2:6], line.attempts or "", line.http_status or "", escape(line.api_code), line.at, line.source_at]


def _joined(cells: bytes, delimiter: str) -> list[bytes]:
    """Return the cells of each row as CSV text.

    Fast path: most rows need neither quotes nor apostrophes, which one search of their packed text shows. Where it fails, the
    rows are split until only the irregular ones are left.
    """
    separator = delimiter.encode()
    if not any(mark in cells for mark in (separator, b'"', b"\r", b"\n", ESCAPE, SURROGATE)) and harmless(cells):
        return cells.replace(CELL_MARK, separator).split(ROW_MARK)[1:]
    rows = cells.split(ROW_MARK)[1:]
    if len(rows) > 8:  # noqa: PLR2004 - fewer are rendered faster than searched
        part = len(rows) // 8 + 1
        parts = (ROW_MARK + ROW_MARK.join(rows[start : start + part]) for start in range(0, len(rows), part))
        return [line for part in parts for line in _joined(part, delimiter)]
    return _rendered([list(map(escape, row)) for row in unpack(cells)], delimiter)


class _Lines(list[str]):
    """A file for `csv` that collects lines."""

    write = list.append


def _rendered(rows: Iterable[Sequence[object]], delimiter: str) -> list[bytes]:
    """Return each row as `csv` writes it, without the line terminator."""
    lines = _Lines()
    csv.writer(lines, delimiter=delimiter, lineterminator=_END).writerows(rows)
    # A cell may contain a lone surrogate, which UTF-8 cannot encode; losing the report over it would be worse.
    return [line.removesuffix(_END).encode(errors="backslashreplace") for line in lines]
