"""CSV: text with a delimiter.

Parsed by `csv` in strict mode and never by pandas, which moves columns and drops rows in silence. The delimiter is the one whose
split gives a header row; `csv.Sniffer` has been seen to split on the letter t.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from itertools import accumulate, chain, islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from contact_sync.errors import SourceError
from contact_sync.i18n import _
from contact_sync.model import ID, MARK, ROW, Chunk, Source, Violation
from contact_sync.rules.formula import unescape
from contact_sync.source.encoding import LINE_LIMIT, Decision, Lines, decide
from contact_sync.source.header import (
    CHUNK,
    SEARCHED,
    Choices,
    Header,
    find_header,
    marked,
    no_header_error,
    select_columns,
    warn_above,
)

if TYPE_CHECKING:
    from _csv import Reader as _Reader  # `csv` has no public name for it

_DELIMITERS = (";", ",", "\t", "|")
_SEPARATOR = re.compile(r'sep=([^"\r\n])[\r\n]*', re.IGNORECASE)
_BREAK = re.compile(r"\r\n|\r|\n")
_WIDEST = 16_384  # the columns of a spreadsheet


@dataclass(slots=True)
class Delimited(Source):
    """A CSV file, opened and understood."""

    _copy: FileIO
    _decision: Decision
    _header: Header
    _positions: list[int]

    def chunks(self) -> Iterator[Chunk]:
        """Yield the data rows, `CHUNK` at a time.

        Raises `SourceError` at a quote that goes wrong, and at the end when most rows have not as many cells as the header.
        """
        total, ragged, short = 0, Lines(), False
        with _lines(self._copy, self._decision.encoding) as lines:
            reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
            while reader.line_num < self._header.number:
                next(reader)
            try:
                for numbers, rows in _batches(reader):
                    chunk = self._chunk(numbers, rows)
                    total += len(chunk.rows)
                    for position, flaws in chunk.flaws.items():
                        if flaws[0].code != "cells-moved":
                            ragged.add(chunk.numbers[position])
                    if chunk.rows:
                        short = any(flaw.code == "cells-missing" for flaw in chunk.flaws.get(len(chunk.rows) - 1, ()))
                        yield chunk
            except csv.Error:
                self._tell_line()
        self._judge(total, ragged)
        if short and not self._decision.ends_in_newline:
            self.warnings.append(_("The last row is short and does not end with a line break: the file may be incomplete."))

    def _chunk(self, numbers: list[int], rows: list[list[str]]) -> Chunk:
        """Return the chunk of the records `rows`, each of which starts on the line in `numbers`."""
        width = len(self._header.cells)
        ids = map(itemgetter(self._positions[self.mapping[ID]]), rows)
        # Nearly every chunk passes this, without a step of Python for each row.
        if set(map(len, rows)) == {width} and all(map(str.strip, ids)):
            return self._tidied(Chunk(numbers, rows))
        chunk = Chunk([], [])
        for number, row in zip(numbers, rows, strict=True):
            if any(map(str.strip, row)):
                cells, flaw = _fit(row, width, self.delimiter)
                if flaw:
                    chunk.flaws[len(chunk.rows)] = [flaw]
                chunk.numbers.append(number)
                chunk.rows.append(cells)
        return self._tidied(chunk)

    def _tell_line(self) -> None:
        """Raise the `SourceError` of a file with a quote that goes wrong, read again record by record to tell the line."""
        with _records(self._copy, self._decision.encoding, self.delimiter, self.path.name) as records:
            deque(records, maxlen=0)

    def _judge(self, total: int, ragged: Lines) -> None:
        """Refuse a file of which most rows are ragged: then it is the header, or the delimiter, that is wrong."""
        if 2 * ragged.count > total:
            raise SourceError(
                _(
                    "{name}: {ragged} of {total} rows do not have the {cells} cells of the header "
                    "(lines {lines}): check the header and the delimiter, and export it again.",
                    name=self.path.name,
                    ragged=ragged.count,
                    total=total,
                    cells=len(self._header.cells),
                    lines=ragged,
                )
            )

    def _tidied(self, chunk: Chunk) -> Chunk:
        """Reduce the rows to the columns that are kept, and take back what a report did to its cells."""
        if self._positions != list(range(len(self._header.cells))):
            kept = itemgetter(*self._positions)
            chunk.rows = [list(kept(row)) for row in chunk.rows]
        if self._header.is_report:
            chunk.rows = [list(map(unescape, row)) for row in chunk.rows]
            for position, row in enumerate(chunk.rows):
                if flaws := marked(row):
                    chunk.flaws.setdefault(position, []).extend(flaws)
        return chunk


def open_delimited(copy: FileIO, path: Path, choices: Choices) -> Delimited:
    """Return the CSV in `copy`, having found out what `choices` leave open.

    Raises `SourceError` when it cannot be understood, `ConfigError` for an encoding or a renamed column that does not exist.
    """
    name = path.name
    csv.field_size_limit(LINE_LIMIT)
    decision = decide(copy, name, choices.encoding)
    candidates = _candidates(copy, decision.encoding, choices.delimiter)
    chosen, above, header = _find(copy, decision.encoding, candidates, name, choices.renames)
    if len(header.cells) > _WIDEST:
        raise SourceError(
            _(
                "{name}, line {line}: the header has more than {widest} columns: it is not a table of contacts.",
                name=name,
                line=header.number,
                widest=_WIDEST,
            )
        )
    selection = select_columns(name, header, _unused(copy, decision.encoding, chosen, name, header), choices.renames)
    found = _(
        "CSV with {delimiter} in {encoding}, header on line {line}.",
        delimiter=_("tab") if chosen == "\t" else chosen,
        encoding=decision.encoding,
        line=header.number,
    )
    return Delimited(
        path=path,
        columns=selection.columns,
        mapping=selection.mapping,
        letters=selection.letters,
        delimiter=chosen,
        findings=[found, *selection.findings],
        warnings=[*decision.warnings, *warn_above(header, above)],
        _copy=copy,
        _decision=decision,
        _header=header,
        _positions=selection.positions,
    )


def _candidates(copy: FileIO, encoding: str, override: str | None) -> list[str]:
    """Return the delimiters to try: the operator's, or that of a `sep=` line (Excel's own), which may lie, and all."""
    if override is not None:
        return [override]
    with _text(copy, encoding) as lines:
        declared = _SEPARATOR.fullmatch(next(lines))
    return [*([declared[1]] if declared else []), *_DELIMITERS]


def _find(
    copy: FileIO, encoding: str, candidates: list[str], name: str, renames: Mapping[str, str]
) -> tuple[str, list[tuple[int, list[str]]], Header]:
    """Return the delimiter that gives the header with most known columns, the first rows so parted, and that header."""
    heads: dict[str, list[tuple[int, list[str]]]] = {}
    found: dict[str, Header] = {}
    for candidate in candidates:
        rows = heads[candidate] = []
        # Under a wrong delimiter quotes may seem wrong; the right one meets them again below.
        with _records(copy, encoding, candidate, name) as records, suppress(SourceError):
            rows.extend(islice(records, SEARCHED))
        if header := find_header(rows, renames):
            found[candidate] = header
    if found:
        chosen = max(found, key=lambda candidate: found[candidate].known)
        return chosen, heads[chosen], found[chosen]
    if len(candidates) == 1:
        raise SourceError(
            _(
                "{name}: with the delimiter “{delimiter}”, none of the first {searched} rows is a header "
                "with a contactId column: correct --delimiter, or leave it out.",
                name=name,
                delimiter=candidates[0],
                searched=SEARCHED,
            )
        )
    likely = max(heads, key=lambda candidate: max((len(cells) for _, cells in heads[candidate]), default=0))
    with _records(copy, encoding, likely, name) as records:
        raise no_header_error(name, list(islice(records, SEARCHED)), renames, is_text=True)


def _unused(copy: FileIO, encoding: str, delimiter: str, name: str, header: Header) -> set[int]:
    """Return the positions of the columns that have neither a name nor, in the whole file, any text."""
    unused = set(header.unnamed)
    if unused:
        with _records(copy, encoding, delimiter, name) as records:
            for number, row in records:
                if number > header.number:
                    unused -= {position for position in unused if position < len(row) and row[position].strip()}
    return unused


def _fit(row: list[str], width: int, delimiter: str) -> tuple[list[str], Violation | None]:
    """Return `row` with `width` cells, and what is wrong with it. No text is dropped: a surplus is joined to the last cell.

    The row is marked, so that it does not pass for a whole one when the report is fed back in.
    """
    if len(row) == width or (len(row) > width and not any(map(str.strip, row[width:]))):
        return row[:width], None
    detail = {"cells": str(len(row)), "columns": str(width)}
    if len(row) < width:
        return row + [MARK] * (width - len(row)), Violation("cells-missing", ROW, detail)
    surplus = f" {MARK} {delimiter.join(row[width:])}"
    return [*row[: width - 1], row[width - 1] + surplus], Violation("cells-surplus", ROW, detail)


@contextmanager
def _text(copy: FileIO, encoding: str) -> Iterator[Iterator[str]]:
    """Lend the lines of `copy` from its beginning, without byte order marks."""
    copy.seek(0)
    with open(copy.fileno(), encoding=encoding, newline="", closefd=False) as text:
        yield chain([text.readline().lstrip("\ufeff")], text)


@contextmanager
def _lines(copy: FileIO, encoding: str) -> Iterator[Iterator[str]]:
    """Lend the same lines with a blank one in place of Excel's `sep=;`, so that they keep their numbers."""
    with _text(copy, encoding) as lines:
        first = next(lines)
        yield chain(["\n" if _SEPARATOR.fullmatch(first) else first], lines)


@contextmanager
def _records(copy: FileIO, encoding: str, delimiter: str, name: str) -> Iterator[Iterator[tuple[int, list[str]]]]:
    """Lend the records of `copy`, each with the line it starts on."""
    with _lines(copy, encoding) as lines:
        yield _numbered(csv.reader(lines, delimiter=delimiter, strict=True), name)


def _numbered(reader: "_Reader", name: str) -> Iterator[tuple[int, list[str]]]:
    start = 1
    try:
        for row in reader:
            yield start, row
            start = reader.line_num + 1
    except csv.Error as error:
        raise SourceError(
            _(
                "{name}, line {line}: the row that starts here has a quote that is not closed, or not doubled inside a cell: "
                "correct it, or export it again.",
                name=name,
                line=start,
            )
        ) from error


def _batches(reader: "_Reader") -> Iterator[tuple[list[int], list[list[str]]]]:
    """Yield the next `CHUNK` records and the lines they start on, without a step of Python for each record on one line."""
    before = reader.line_num
    while rows := list(islice(reader, CHUNK)):
        if reader.line_num - before == len(rows):
            numbers = list(range(before + 1, reader.line_num + 1))
        else:
            numbers = list(accumulate(map(_height, rows[:-1]), initial=before + 1))
        yield numbers, rows
        before = reader.line_num


def _height(row: list[str]) -> int:
    """Return how many lines a record takes."""
    return 1 + sum(len(_BREAK.findall(cell)) for cell in row)
