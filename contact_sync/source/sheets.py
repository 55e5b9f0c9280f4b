"""A sheet of contacts, whatever kind of workbook it is in: which one, and its rows as text."""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from contact_sync.errors import SourceError
from contact_sync.i18n import _
from contact_sync.model import ID, MARK, Chunk, Source, Violation
from contact_sync.rules.formula import unescape
from contact_sync.source.archive import SheetMetadata
from contact_sync.source.cells import Cell, flaw_of, text_of
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

log = logging.getLogger(__name__)

Cells = Sequence[Cell]
Texts = list[tuple[int, list[str]]]
"""Numbered rows of texts."""


class Candidate(NamedTuple):
    """A worksheet that may hold the contacts."""

    title: str
    visible: bool
    head: Callable[[], Iterator[tuple[int, Cells]]]
    """The first `SEARCHED` rows."""
    table: Any
    """What its reader knows it by."""
    escaped: bool = True
    """Whether a report in it has the apostrophes of a CSV, which a workbook of ours has not."""


@dataclass(slots=True)
class SheetSource(Source):
    """A sheet of a workbook, opened and understood."""

    _rows: Callable[[int], Iterator[tuple[int, Cells]]]
    """Given how many cells a row has: the rows below the header that hold anything, with their numbers."""
    _marks: SheetMetadata
    _header: Header
    _positions: list[int]
    _hidden: str

    def chunks(self) -> Iterator[Chunk]:
        """Yield the data rows, `CHUNK` at a time; raises `SourceError` at damage, and at the end for hidden rows."""
        metadata = self._marks
        fields = {self._positions[position]: field for field, position in self.mapping.items()}
        hidden = 0
        rows = self._rows(len(self._header.cells))
        while batch := _take(rows, CHUNK, metadata.name):
            chunk = Chunk([], [])
            with damage_told(metadata.name):  # openpyxl looks a cell's format up only when it is asked
                for number, cells in batch:
                    self._add(chunk, number, cells, fields)
            hidden += sum(metadata.hidden_rows[number] for number in chunk.numbers)
            if chunk.rows:
                yield chunk
        if hidden and self._hidden == "refuse":
            raise SourceError(
                _(
                    "{where} has hidden or filtered-out rows, {rows} in all: show them, or choose --hidden include or "
                    "--hidden skip.",
                    where=metadata.name,
                    rows=hidden,
                )
            )

    def _add(self, chunk: Chunk, number: int, cells: Cells, fields: Mapping[int, str]) -> None:
        texts = [text_of(cells[position]) for position in self._positions]
        found = {position: self._flaw(number, position, cells[position], field) for position, field in fields.items()}
        flaws = [flaw for flaw in found.values() if flaw]
        # Merging alone does not make blank cells a row: below the merged ones there is nothing to lose.
        if not any(map(str.strip, texts)) and all(flaw.code == "cell-merged" for flaw in flaws):
            return
        if self._header.is_report:
            flaws += marked(texts)
        for place, position in enumerate(self._positions):
            if (flaw := found.get(position)) and flaw.code != "cell-error":  # whose text tells of it
                texts[place] = f"{texts[place]} {MARK}".lstrip()
        if flaws:
            chunk.flaws[len(chunk.rows)] = flaws
        if self._hidden == "skip" and self._marks.hidden_rows[number]:
            chunk.skipped.add(len(chunk.rows))
        chunk.numbers.append(number)
        chunk.rows.append(list(map(unescape, texts)) if self._header.is_escaped else texts)

    def _flaw(self, number: int, position: int, cell: Cell, field: str) -> Violation | None:
        if _is_marked(self._marks.uncalculated, position, number):
            return Violation("cell-formula", field)
        if _is_marked(self._marks.merged, position, number):
            return Violation("cell-merged", field)
        return flaw_of(cell, field)


def choose(candidates: Sequence[Candidate], name: str, choices: Choices) -> tuple[Candidate, Texts, Header]:
    """Return the worksheet named `sheet`, else the only visible one with a header; its first rows, and the header."""
    visible = [one for one in candidates if one.visible]
    asked = visible if choices.sheet is None else [one for one in candidates if _same(one.title, choices.sheet)]
    if not asked:
        if choices.sheet is None:
            raise SourceError(_("{name} has no visible sheet: correct the file, or --sheet.", name=name))
        raise SourceError(
            _(
                "{name} has no sheet “{sheet}”, only {sheets}: correct the file, or --sheet.",
                name=name,
                sheet=choices.sheet,
                sheets=_titles(visible),
            )
        )
    heads = [(one, _head(one, name)) for one in asked]
    found = [(one, rows, header) for one, rows in heads if (header := find_header(rows, choices.renames, escaped=one.escaped))]
    if len(found) > 1:
        raise SourceError(
            _(
                "{name} has several sheets of contacts, {sheets}: choose one with --sheet.",
                name=name,
                sheets=_titles([one for one, _, _ in found]),
            )
        )
    if found:
        return found[0]
    filled = [(one, rows) for one, rows in heads if rows]
    if len(filled) > 1:
        raise SourceError(
            _(
                "{name}: none of the sheets {sheets} has a header with contactId and a column to send in its first "
                "{searched} rows: add it, or name the columns with --map.",
                name=name,
                sheets=_titles(asked),
                searched=SEARCHED,
            )
        )
    where = _("{name}, sheet “{title}”", name=name, title=filled[0][0].title) if filled else name
    raise no_header_error(where, filled[0][1] if filled else [], choices.renames)


def build_source(
    path: Path,
    title: str,
    found: tuple[SheetMetadata, Texts, Header],
    rows: Callable[[int], Iterator[tuple[int, Cells]]],
    choices: Choices,
) -> SheetSource:
    """Return the source whose sheet, first rows and header were `found`, and whose `rows` are as `SheetSource` wants them.

    Raises `SourceError` for hidden columns and for a header that is merged or not understood.
    """
    metadata, above, header = found
    header.cells.extend([""] * (max(metadata.used, default=0) - len(header.cells)))
    header = _without_hidden(header, metadata, choices.hidden)
    unused = {position for position in header.unnamed if position + 1 not in metadata.used}
    selection = select_columns(metadata.name, header, unused, choices.renames)
    merged = [field for position, field in header.fields.items() if _is_marked(metadata.merged, position, header.number)]
    if merged:
        raise SourceError(
            _(
                "{where}, row {row}: the header of {fields} is merged with other cells: unmerge it.",
                where=metadata.name,
                row=header.number,
                fields=", ".join(merged),
            )
        )
    return SheetSource(
        path=path,
        columns=selection.columns,
        mapping=selection.mapping,
        letters=selection.letters,
        delimiter=";",
        is_workbook=True,
        findings=[_("Sheet “{title}”, header on row {row}.", title=title, row=header.number), *selection.findings],
        warnings=warn_above(header, above),
        _rows=rows,
        _marks=metadata,
        _header=header,
        _positions=selection.positions,
        _hidden=choices.hidden,
    )


@contextmanager
def damage_told(name: str) -> Iterator[None]:
    """Turn whatever zipfile, zlib, expat and openpyxl raise on damage into a sentence; their warnings stay out of cron's mail."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except SourceError:
        raise
    except Exception as error:
        log.info("%s: %s", name, type(error).__name__)  # its text may hold what is in a cell
        raise SourceError(
            _("{name} is damaged, or still being copied: open it in Excel and save it again.", name=name)
        ) from error


def _head(candidate: Candidate, name: str) -> Texts:
    """Return the first rows that hold text, without the blank cells at their ends."""
    rows = []
    with damage_told(name):
        for number, cells in candidate.head():
            texts = [text_of(cell) for cell in cells]
            while texts and not texts[-1].strip():
                texts.pop()
            if texts:
                rows.append((number, texts))
    return rows


def _without_hidden(header: Header, metadata: SheetMetadata, hidden: str) -> Header:
    """Return `header` as `hidden` wants it: the fields in hidden columns refused, included, or (but for the id) not sent."""
    concealed = {position: field for position, field in header.fields.items() if position + 1 in metadata.hidden_columns}
    if not concealed or hidden == "include":
        return header
    if hidden == "refuse":
        raise SourceError(
            _(
                "{where}: the columns of {fields} are hidden: show them, or choose --hidden include or --hidden skip.",
                where=metadata.name,
                fields=", ".join(concealed.values()),
            )
        )
    return replace(header, fields={p: field for p, field in header.fields.items() if p not in concealed or field == ID})


def _is_marked(metadata: Mapping[int, bytearray], position: int, number: int) -> bool:
    return position + 1 in metadata and metadata[position + 1][number] == 1


def _same(title: str, wanted: str) -> bool:
    return title.strip().casefold() == wanted.strip().casefold()


def _titles(candidates: Sequence[Candidate]) -> str:
    return ", ".join(_("“{text}”", text=one.title) for one in candidates)


def _take(rows: Iterator[tuple[int, Cells]], number: int, name: str) -> list[tuple[int, Cells]]:
    with damage_told(name):
        return list(islice(rows, number))
