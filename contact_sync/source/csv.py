"""CSV files: text with a delimiter.

The `csv` module parses them in strict mode; pandas would move columns and drop rows silently. The delimiter is the one that gives
a header row: `csv.Sniffer` has chosen the letter t.
"""

import csv
import os
from array import array
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from itertools import islice
from operator import itemgetter
from pathlib import Path

from contact_sync.errors import SourceError
from contact_sync.i18n import _
from contact_sync.model.fields import ID, MARK, ROW
from contact_sync.model.source import Chunk, Source
from contact_sync.model.violation import Violation
from contact_sync.rules.formula import unescape
from contact_sync.source.aliases import MOST_COLUMNS
from contact_sync.source.encoding import LINE_LIMIT, detect_encoding, list_first
from contact_sync.source.header import SEARCHED, Header, Rows, check_moved, find_header, no_header_error, select_columns
from contact_sync.source.opening import Kind, SourceOptions
from contact_sync.source.records import SEPARATOR, Batch, Text, batches, has_inner_marks
from contact_sync.source.short_rows import ShortRows
from contact_sync.source.swallowed import find_swallowed
from contact_sync.source.unsent import warn_unsent

_DELIMITERS = (";", ",", "\t", "|")


@dataclass(slots=True)
class CsvSource(Source):
    """A CSV file, opened."""

    _text: Text
    _ends_in_newline: bool
    _header: Header
    _positions: list[int]
    _names: list[str]  # of the columns, as sentences show them
    _short_rows: ShortRows

    def chunks(self) -> Iterator[Chunk]:
        """Yield the data rows, `CHUNK` at a time.

        Raises `SourceError` at an invalid quote or one around rows, and at the end when most rows have another number of cells
        than the header.
        """
        total, ragged, short = 0, array("Q"), False  # `ragged`: the lines of the rows with another number of cells
        with self._text.reader(self.delimiter) as reader:
            skipped = 0
            while reader.line_num < self._header.number:
                next(reader)
                skipped += 1
            try:
                for batch in batches(self._text, reader, skipped):
                    chunk = self._chunk(batch)
                    if chunk.rows and not total:
                        self.warnings += warn_unsent(self.layout, chunk.rows, self._names)
                    total += len(chunk.rows)
                    ragged.extend(chunk.numbers[at] for at, flaws in chunk.flaws.items() if flaws[0].code != "cells-moved")
                    if chunk.rows:
                        short = any(flaw.code == "cells-missing" for flaw in chunk.flaws.get(len(chunk.rows) - 1, ()))
                        yield chunk
            except csv.Error:
                deque(self._text.records(self.delimiter), maxlen=0)  # raises the `SourceError` with the line of the invalid quote
        if 2 * len(ragged) > total:
            raise SourceError(
                "{name}: {ragged} of {total} rows do not have the {cells} cells of the header "
                "(lines {lines}): check the header and the delimiter, and export it again.",
                name=self.path.name,
                ragged=len(ragged),
                total=total,
                cells=len(self._header.cells),
                lines=list_first(ragged),
            )
        if short and not self._ends_in_newline:
            self.warnings.append(_("The last row is short and does not end with a line break: the file may be incomplete."))

    def _chunk(self, batch: Batch) -> Chunk:
        width, rows = len(self._header.cells), batch.rows
        id_at = self._positions[self.mapping[ID]]
        if batch.has_breaks and (found := find_swallowed(rows, width, self.delimiter, id_at)):
            position, before, inside = found
            raise SourceError(
                "{name}: the quote that opens on line {line} encloses whole rows up to line {end}, which would be lost: "
                "delete it, or export the file again.",
                name=self.path.name,
                line=batch.numbers[position] + before,
                end=batch.numbers[position] + inside,
            )
        ids = map(itemgetter(id_at), rows)
        # The fast path of nearly every chunk, without a step of Python for each row: none is short, none is blank.
        if set(map(len, rows)) == {width} and (
            all(map(str.strip, ids)) or all(any(map(str.strip, row)) for row in rows if not row[id_at].strip())
        ):
            return self._clean(Chunk(batch.numbers, rows))
        complete = self._short_rows.complete(rows, batch.place, below_header=batch.is_first and batch.place > 0)
        if batch.is_last and not self._ends_in_newline:
            complete.discard(len(rows) - 1)
        chunk = Chunk([], [])
        for position, (number, row) in enumerate(zip(batch.numbers, rows, strict=True)):
            if any(map(str.strip, row)):
                cells, flaw = _fit(row + [""] * (width - len(row)) if position in complete else row, width, self.delimiter)
                if flaw:
                    chunk.flaws[len(chunk.rows)] = [flaw]
                chunk.numbers.append(number)
                chunk.rows.append(cells)
        return self._clean(chunk)

    def _clean(self, chunk: Chunk) -> Chunk:
        """Reduce the rows to the columns that are kept, and undo the escaping of a report."""
        for position, cells in zip(self._header.origins, (chunk.source_at, chunk.checksums), strict=True):
            if position is not None:
                cells.extend(row[position] for row in chunk.rows)
        if self._positions != list(range(len(self._header.cells))):
            kept = itemgetter(*self._positions)
            chunk.rows = [list(kept(row)) for row in chunk.rows]
        if self._header.is_escaped:
            chunk.rows = [list(map(unescape, row)) for row in chunk.rows]
        if self._header.is_report:
            for position, row in enumerate(chunk.rows):
                if flaws := check_moved(row):
                    chunk.flaws.setdefault(position, []).extend(flaws)
        return chunk


@contextmanager
def open_file(copy: FileIO, path: Path, _kind: Kind, options: SourceOptions) -> Iterator[CsvSource]:
    """Open the CSV in `copy`, detecting the encoding and delimiter that `options` leave open; raises as `open_source` does."""
    csv.field_size_limit(LINE_LIMIT)
    detected = detect_encoding(copy, path.name, options.encoding)
    text = Text(copy, detected.encoding, path.name, os.fstat(copy.fileno()).st_size, has_inner_marks(copy, detected.encoding))
    delimiter, header = _detect_delimiter(text, options.delimiter, options.renames)
    if len(header.cells) > MOST_COLUMNS:
        raise SourceError(
            "{name}, line {line}: the header has more than {widest} columns: it is not a table of contacts.",
            name=path.name,
            line=header.number,
            widest=MOST_COLUMNS,
        )
    unused = _unused_columns(text, delimiter, header)
    selection = select_columns(path.name, header, unused, options.renames, delimiter)
    found = _(
        "CSV with {delimiter} in {encoding}, header on line {line}.",
        delimiter=_("tab") if delimiter == "\t" else delimiter,
        encoding=detected.encoding,
        line=header.number,
    )
    yield CsvSource(
        path,
        *selection.layout,
        findings=[found, *selection.findings],
        warnings=[*detected.warnings, *header.warn_above(), *header.warn_unpulled()],
        _text=text,
        _ends_in_newline=detected.ends_in_newline,
        _header=header,
        _positions=selection.positions,
        _names=selection.names,
        _short_rows=ShortRows(header.cells, header.fields, unused),
    )


def _detect_delimiter(text: Text, override: str | None, renames: Mapping[str, str]) -> tuple[str, Header]:
    """Return the delimiter that gives the header with most known columns, and that header."""
    with text.lines() as lines:
        declared = SEPARATOR.fullmatch(next(lines))  # it may be wrong
    candidates = [*([declared[1]] if declared else []), *_DELIMITERS] if override is None else [override]
    heads: dict[str, Rows] = {}
    found: dict[str, Header] = {}
    for candidate in candidates:
        rows = heads[candidate] = []
        # Under a wrong delimiter a quote may seem invalid; under the right one it is reported by `chunks`.
        with suppress(SourceError):
            rows.extend(islice(text.records(candidate), SEARCHED))
        if header := find_header(rows, renames):
            found[candidate] = header
    if found:
        return max(found.items(), key=lambda candidate: candidate[1].known)
    if override is not None:
        raise SourceError(
            "{name}: with the delimiter “{delimiter}”, none of the first {searched} rows is a header "
            "with a contactId column: correct --delimiter, or leave it out.",
            name=text.name,
            delimiter=override,
            searched=SEARCHED,
        )
    likely = max(heads, key=lambda candidate: max((len(cells) for _, cells in heads[candidate]), default=0))
    raise no_header_error(text.name, list(islice(text.records(likely), SEARCHED)), renames, is_text=True)


def _unused_columns(text: Text, delimiter: str, header: Header) -> set[int]:
    """Return the positions of the columns that have neither a name nor, in the whole file, any text."""
    unused = set(header.unnamed)
    with text.reader(delimiter) as reader, suppress(csv.Error):  # which `chunks` reports
        for batch in batches(text, reader, 0):
            if not unused:
                break
            rows = [row for number, row in zip(batch.numbers, batch.rows, strict=True) if number > header.number]
            unused -= {position for position in unused if any(len(row) > position and row[position].strip() for row in rows)}
    return unused


def _fit(row: list[str], width: int, delimiter: str) -> tuple[list[str], Violation | None]:
    """Return `row` with `width` cells, and its violation. No text is dropped: surplus cells are joined to the last one.

    `MARK` keeps the row from passing as complete when the report is fed back in.
    """
    if len(row) == width or (len(row) > width and not any(map(str.strip, row[width:]))):
        return row[:width], None
    detail = {"cells": str(len(row)), "columns": str(width)}
    if len(row) < width:
        return row + [MARK] * (width - len(row)), Violation("cells-missing", ROW, detail)
    surplus = f" {MARK} {delimiter.join(row[width:])}"
    return [*row[: width - 1], row[width - 1] + surplus], Violation("cells-surplus", ROW, detail)
