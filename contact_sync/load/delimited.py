"""CSV: text with a delimiter.

Parsed by `csv` in strict mode and never by pandas, which moves columns and drops rows in silence. The delimiter is the one whose
split gives a header row; `csv.Sniffer` has been seen to split on the letter t.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import FileIO
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path

from contact_sync.errors import ConfigError, SourceError
from contact_sync.formula import unescape
from contact_sync.load import encoding as encodings
from contact_sync.load.headers import SEARCHED, Header, Layout, find, lay_out, letter, refuse_rows
from contact_sync.model import ID, ROW, Chunk, Violation

DELIMITERS = (";", ",", "\t", "|")
CHUNK = 1000
"""Rows a chunk; more do not stay in the processor's cache."""

_SEPARATOR = re.compile(r"sep=(.)[\r\n]*", re.IGNORECASE)
_NAMES = {"\t": "tab"}
_WIDEST = 16_384  # columns of a spreadsheet

_Numbered = tuple[int, list[str]]


@dataclass(slots=True)
class Delimited:
    """A CSV file, opened and understood; a `contact_sync.model.Source`."""

    path: Path
    columns: list[str]
    mapping: dict[str, int]
    letters: list[str]
    delimiter: str
    findings: list[str]
    warnings: list[str]
    _copy: FileIO
    _decision: encodings.Decision
    _header: Header
    _positions: list[int]

    def chunks(self) -> Iterator[Chunk]:
        """Yield the data rows, `CHUNK` at a time.

        Raises `SourceError` at a quote that goes wrong, and at the end when most rows do not have the header's number of cells.
        """
        shape = _Shape(len(self._header.cells), self._header.cells.index(self.columns[self.mapping[ID]]), self.delimiter)
        with _records(self._copy, self._decision.encoding, self.delimiter, self.path.name) as records:
            next(number for number, _ in records if number == self._header.number)
            while chunk := _chunk(records, shape):
                self._tidy(chunk)
                yield chunk
        shape.judge(self.path.name)
        if shape.last_is_short and not self._decision.ends_in_newline:
            self.warnings.append("The last row is short and does not end in a line break: the file may be incomplete.")

    def _tidy(self, chunk: Chunk) -> None:
        """Reduce the rows to the columns that are kept, and undo what the report's writer did to them."""
        if self._positions != list(range(len(self._header.cells))):
            kept = itemgetter(*self._positions)
            chunk.rows = [list(kept(row)) for row in chunk.rows]
        if self._header.is_report:
            chunk.rows = [[unescape(cell) for cell in row] for row in chunk.rows]


def open_delimited(copy: FileIO, path: Path, *, encoding: str | None, delimiter: str | None, renames: Mapping[str, str]) -> Delimited:
    """Return the CSV in `copy`, with whatever `encoding` and `delimiter` do not say found out.

    Raises `SourceError` when it cannot be understood, `ConfigError` for a choice that makes no sense.
    """
    name = path.name
    csv.field_size_limit(encodings.LINE_LIMIT)
    decision = encodings.decide(copy, name, encoding)
    candidates = _candidates(copy, decision.encoding, delimiter)
    heads = {candidate: _head(copy, decision.encoding, candidate, name) for candidate in candidates}
    headers = {candidate: header for candidate in candidates if (header := find(heads[candidate], renames))}
    if not headers:
        widest = max(heads.values(), key=lambda rows: max((len(cells) for _, cells in rows), default=0))
        raise refuse_rows(name, widest, renames)
    chosen = max(headers, key=lambda candidate: headers[candidate].known)
    header = headers[chosen]
    if len(header.cells) > _WIDEST:
        raise SourceError(f"{name}, line {header.number}: the header has more than {_WIDEST} columns: it is not a table of contacts.")
    with _records(copy, decision.encoding, chosen, name) as records:
        layout = lay_out(name, header, _unused(header, records), renames)
    found = f"CSV with {_NAMES.get(chosen, chosen)} in {decision.encoding}, header on line {header.number}."
    return Delimited(
        path=path,
        columns=layout.columns,
        mapping=layout.mapping,
        letters=[letter(position) for position in layout.positions],
        delimiter=chosen,
        findings=[found, *layout.findings],
        warnings=decision.warnings,
        _copy=copy,
        _decision=decision,
        _header=header,
        _positions=layout.positions,
    )
