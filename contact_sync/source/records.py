"""The records of a CSV file, which the `csv` module parses in strict mode, and the lines they start on."""

import codecs
import csv
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from itertools import accumulate, chain, islice
from typing import TYPE_CHECKING, NamedTuple

from contact_sync.errors import SourceError
from contact_sync.model.fields import LAST_ROW
from contact_sync.source.header import CHUNK
from contact_sync.source.short_rows import BLOCK

if TYPE_CHECKING:
    from _csv import Reader as _Reader  # `csv` has no public name for it

SEPARATOR = re.compile(r'sep=([^"\r\n])[\r\n]*', re.IGNORECASE)
BREAK = re.compile(r"\r\n|\r|\n")
_MARK = "\ufeff"
_BATCH_BYTES = 4 << 20
_LARGE = 64 << 20  # bytes of a file that would fit into memory as one batch
_BLOCK_BYTES = 1 << 20


class Text(NamedTuple):
    """A file with a known encoding; each method reads it from its beginning."""

    copy: FileIO
    encoding: str
    name: str
    size: int  # in bytes
    has_inner_marks: bool  # True when there are byte order marks behind the first, as in files that were joined

    @contextmanager
    def lines(self) -> Iterator[Iterator[str]]:
        """Open the lines, without byte order marks."""
        self.copy.seek(0)
        with open(self.copy.fileno(), encoding=self.encoding, newline="", closefd=False) as text:
            rest = (line.lstrip(_MARK) for line in text) if self.has_inner_marks else text
            yield chain([text.readline().lstrip(_MARK)], rest)

    @contextmanager
    def reader(self, delimiter: str) -> Iterator["_Reader"]:
        """Open a parser of the lines, with a blank one in place of Excel's `sep=;`, so that they keep their numbers."""
        with self.lines() as lines:
            first = next(lines)
            kept = chain(["\n" if SEPARATOR.fullmatch(first) else first], lines)
            yield csv.reader(kept, delimiter=delimiter, strict=True)

    def position(self) -> int:
        """Return about how many bytes have been read."""
        return os.lseek(self.copy.fileno(), 0, os.SEEK_CUR)

    def records(self, delimiter: str) -> Iterator[tuple[int, list[str]]]:
        """Yield the records, each with the line it starts on; raises `SourceError` at an invalid quote."""
        start = 1
        with self.reader(delimiter) as reader:
            try:
                for row in reader:
                    yield start, row
                    start = reader.line_num + 1
            except csv.Error as error:
                raise SourceError(
                    "{name}, line {line}: the row that starts here has a quote that is not closed, or not doubled inside a cell: "
                    "correct it, or export it again.",
                    name=self.name,
                    line=start,
                ) from error


class Batch(NamedTuple):
    """Consecutive records."""

    numbers: list[int]  # the lines they start on
    rows: list[list[str]]
    place: int  # of the first one in its block of `BLOCK` records
    has_breaks: bool  # True when a record has several lines
    is_first: bool  # True for the first batch that is read
    is_last: bool


def batches(text: Text, reader: "_Reader", skipped: int) -> Iterator[Batch]:
    """Yield about `CHUNK` of the next records at a time, without a step of Python for each record on one line.

    `skipped` is the number of records that were read before. Raises `SourceError` where too many blank records follow each other.
    """
    blank, is_first = 0, True
    before, rows = reader.line_num, _next_records(text, reader, skipped)
    while rows:
        has_breaks = reader.line_num - before != len(rows)
        if not has_breaks:
            numbers = list(range(before + 1, reader.line_num + 1))
        else:
            heights = (1 + sum(len(BREAK.findall(cell)) for cell in row) for row in rows[:-1])
            numbers = list(accumulate(heights, initial=before + 1))
        before, following = reader.line_num, _next_records(text, reader, skipped + len(rows))
        blank = 0 if any(rows) and any(map(str.strip, chain.from_iterable(rows))) else blank + len(rows)
        if blank > LAST_ROW:
            raise SourceError(
                "{name} has more than {limit} blank lines up to line {line}: delete them.",
                name=text.name,
                limit=LAST_ROW,
                line=numbers[-1],
            )
        yield Batch(numbers, rows, skipped % BLOCK, has_breaks, is_first, not following)
        skipped, rows, is_first = skipped + len(rows), following, False


def _next_records(text: Text, reader: "_Reader", skipped: int) -> list[list[str]]:
    """Return the next records up to the end of a block: about `CHUNK` of them, fewer where they are long."""
    step, most = (1, BLOCK) if text.size > _LARGE else (CHUNK, CHUNK)
    rows: list[list[str]] = []
    start = text.position()
    while len(rows) < CHUNK - BLOCK and text.position() - start < _BATCH_BYTES:
        records = list(islice(reader, min(step, most - (skipped + len(rows)) % BLOCK)))
        if not records:
            break
        rows += records
        step *= 2
    return rows


def has_inner_marks(copy: FileIO, encoding: str) -> bool:
    """Return True when `copy` has a byte order mark behind its first."""
    mark = _MARK.encode(encoding) if encoding in ("utf-16-le", "utf-16-be") else codecs.BOM_UTF8
    copy.seek(0)
    tail = copy.read(4).removeprefix(mark)
    while block := copy.read(_BLOCK_BYTES):
        if mark in block or mark in tail + block[: len(mark)]:
            return True
        tail = block[-len(mark) :]
    return False
