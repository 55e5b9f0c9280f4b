"""A source of contacts: its rows as text, its columns, and the paths of its reports."""

import dataclasses
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import IO, NamedTuple, Self

from contact_sync.display import shorten
from contact_sync.model.fields import BASE_COLUMN
from contact_sync.model.violation import Column, Violation
from contact_sync.names import short


@dataclass(slots=True)
class Chunk:
    """Consecutive data rows of a source, as text; blank rows are left out."""

    numbers: list[int]  # row numbers as a spreadsheet or an editor shows them; for a CSV record the line it starts on. Ascending.
    rows: list[list[str]]  # the cells of each row as displayed, one for each of `Source.columns`
    flaws: dict[int, list[Violation]] = dataclasses.field(default_factory=dict)  # position → the loader's violations
    skipped: dict[int, str] = dataclasses.field(default_factory=dict)  # position → code of a row that is left out, as `hidden`
    source_at: list[str] = dataclasses.field(default_factory=list)
    """In a report that is fed back, the cell of each row that says how old its values are (`Line.source_at`); else empty."""
    checksums: list[str] = dataclasses.field(default_factory=list)
    """In such a report, the checksum of the cells of each row when it was written (`Line.results`); else empty."""


_FIRST_FORMATS = ("report", "workbook", "page")  # those whose paths have a fixed position in a ledger


class OutputPaths(NamedTuple):
    """Paths of a run's source and of its reports."""

    source: Path
    reports: dict[str, Path]  # name of a report format → path; the CSV report is always one of them
    mode: int = 0o600  # permissions of the reports

    @property
    def report(self) -> Path:
        """Path of the CSV report."""
        return self.reports["report"]

    def moved(self, source: Path) -> Self:
        """Return the paths after the source was moved to `source`, and the reports that are named after it with it."""
        reports, before = dict(self.reports), short(self.source.name)
        for name, path in reports.items():
            if path.parent == self.source.parent and path.name.startswith(before):
                reports[name] = source.with_name(source.name + path.name.removeprefix(before))
        return self._replace(source=source, reports=reports)

    def packed(self) -> bytes:
        """Return the paths, made absolute, as bytes; `unpacked` is the inverse.

        A path may not be UTF-8. NUL separates the source, then the first formats (empty without a report), then `name=path`.
        """
        paths = {name: os.fsencode(path.absolute()) for name, path in self.reports.items()}
        first = [paths.pop(name, b"") for name in _FIRST_FORMATS]
        return b"\0".join([os.fsencode(self.source.absolute()), *first, *(name.encode() + b"=" + paths[name] for name in paths)])

    @classmethod
    def unpacked(cls, packed: bytes, mode: int) -> Self:
        """Return the paths that `packed` was made of."""
        source, *stored = map(os.fsdecode, packed.split(b"\0"))
        paths = [*zip(_FIRST_FORMATS, stored, strict=False), *(entry.split("=", 1) for entry in stored[len(_FIRST_FORMATS) :])]
        return cls(Path(source), {name: Path(path) for name, path in paths if path}, mode)


class Layout(NamedTuple):
    """The properties of a source that a report needs in addition to the rows."""

    columns: list[str]
    letters: list[str]
    mapping: dict[str, int]
    delimiter: str

    @property
    def base_position(self) -> int | None:
        """The position of a pulled file's base tokens, None for any other file."""
        return next((at for at, name in enumerate(self.columns) if name.strip().casefold() == BASE_COLUMN), None)

    def without(self, position: int) -> Self:
        """Return the layout without the column at `position`, which is not one of a field."""
        columns, letters = list(self.columns), list(self.letters)
        del columns[position], letters[position]
        mapping = {field: place - (place > position) for field, place in self.mapping.items()}
        return self._replace(columns=columns, letters=letters, mapping=mapping)

    @property
    def columns_of_fields(self) -> dict[str, Column]:
        """Field → its column."""
        return {field: Column(shorten(self.columns[at]) or field, self.letters[at]) for field, at in self.mapping.items()}


@dataclass(frozen=True, slots=True)
class Original:
    """The operator's own workbook, which can be returned with the results of its rows."""

    file: IO[bytes]  # its private copy, open as long as the source is
    name: str  # as sentences show it
    sheet: str  # title of the sheet of contacts
    header: int  # row of the header
    macros: bool
    is_calculated: bool = True  # False when a formula's 0 may stand for no result

    @property
    def suffix(self) -> str:
        """The suffix that a copy needs: Excel does not open a workbook with macros whose name ends in .xlsx."""
        return ".xlsm" if self.macros else ".xlsx"


class Identity(NamedTuple):
    """The properties of a file that differ once it was changed or replaced."""

    modified_ns: int
    size: int
    inode: int
    device: int


@dataclass(slots=True)
class Source(ABC):
    """An open file of contacts with a known structure."""

    path: Path  # as the operator named it
    columns: list[str]  # the header cells as read, in source order, without the report's own `sync_` columns
    letters: list[str]  # for each of `columns`, the letter that a spreadsheet shows above it ("A", "AB")
    mapping: dict[str, int]  # `ID` or a field → its position in `columns`; `ID` and at least one field are in it
    delimiter: str  # of the report: the source's own, `;` for a workbook
    findings: list[str]
    """Sentences for the summary on what was detected (encoding, delimiter, header row, columns that are not sent)."""
    warnings: list[str]
    """Sentences on what an operator should check although the source is accepted; may grow until `chunks` is exhausted."""
    _: KW_ONLY
    identity: Identity | None = None
    is_workbook: bool = False  # of its content, whatever the name
    hidden: list[int] = dataclasses.field(default_factory=list)  # numbers of the hidden rows for which the source is refused
    blanks_certain: bool = True  # False when an empty cell may be a formula that was never calculated
    original: Original | None = None
    """None when the source is not an .xlsx or .xlsm file, or is a CSV report that was saved as one."""

    @property
    def layout(self) -> Layout:
        """The layout for reports."""
        return Layout(self.columns, self.letters, self.mapping, self.delimiter)

    @property
    def base_position(self) -> int | None:
        """The position in `columns` of a pulled file's base tokens, None for any other file."""
        return self.layout.base_position

    @abstractmethod
    def chunks(self) -> Iterator[Chunk]:
        """Yield the data rows, a few thousand at a time; raises `SourceError` where the file turns out to be damaged."""
