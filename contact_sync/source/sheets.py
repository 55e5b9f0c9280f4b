"""The sheet of contacts in any kind of workbook: which sheet it is, and its rows as text."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from contact_sync.display import shorten
from contact_sync.errors import SourceError
from contact_sync.i18n import _, ngettext
from contact_sync.model.fields import ID, LAST_ROW, MARK, WIDEST
from contact_sync.model.source import Chunk, Source
from contact_sync.model.violation import Violation
from contact_sync.rules.formula import unescape
from contact_sync.source.archive import convert_damage
from contact_sync.source.cells import (
    UNCALCULATED,
    ZERO,
    Cell,
    Row,
    TextRow,
    check_cell,
    check_struck,
    render,
    render_day,
    take_rows,
)
from contact_sync.source.header import (
    CHUNK,
    SEARCHED,
    Header,
    Rows,
    check_moved,
    enumerate_names,
    find_header,
    no_header_error,
    select_columns,
)
from contact_sync.source.opening import SourceOptions
from contact_sync.source.unsent import warn_unsent
from contact_sync.source.worksheet import SheetMetadata, Worksheet

Renderers = Sequence[tuple[int, Callable[[Cell], str]]]
Places = Sequence[tuple[int, int, str]]


@dataclass(slots=True)
class SheetSource(Source):
    """A sheet of contacts, opened."""

    worksheet: Worksheet
    header: Header
    _metadata: SheetMetadata
    _positions: list[int]
    _hidden: str
    _names: list[str]  # of the columns, as sentences show them
    _zeros: int = 0  # rows that are only zeros

    def chunks(self) -> Iterator[Chunk]:
        """Yield the data rows, `CHUNK` at a time; raises `SourceError` at damage."""
        metadata = self._metadata
        fields = [(place, self._positions[place], field) for field, place in self.mapping.items()]
        day = self.mapping.get("date")
        renderers = [(position, render_day if place == day else render) for place, position in enumerate(self._positions)]
        origins = self.header.origins
        is_first = True
        rows = self.worksheet.rows(len(self.header.cells), self.header.number + 1, LAST_ROW)
        while True:
            chunk = Chunk([], [])
            with convert_damage(metadata.where):
                batch = list(take_rows(rows, CHUNK))
                for number, row in batch:
                    self._add(chunk, number, row, fields, renderers)
                    for position, texts in zip(origins, (chunk.source_at, chunk.checksums), strict=True):
                        if position is not None and len(texts) < len(chunk.rows):
                            texts.append(render(_cells_of(row)[position]))
            if not batch:
                break
            if chunk.rows:
                if is_first:
                    self.warnings += warn_unsent(self.layout, chunk.rows, self._names)
                    is_first = False
                yield chunk
        if self._zeros:
            self.findings.append(
                ngettext(
                    "{count} row contains only the 0 of formulas that refer to blank cells: it is no contact.",
                    "{count} rows contain only the 0 of formulas that refer to blank cells: they are no contacts.",
                    self._zeros,
                )
            )

    def _add(self, chunk: Chunk, number: int, row: Row, fields: Places, renderers: Renderers) -> None:
        """Add a row; `fields` has for each field its place among the columns that are kept, and that among all columns."""
        if isinstance(row, TextRow) and not self._metadata.merged and number not in self._metadata.totals:
            texts = [row.texts[position] for position, _draw in renderers]
            found: dict[int, Violation] = {}
            if others := row.others:
                for place, (position, draw) in enumerate(renderers):
                    if position in others:
                        texts[place] = draw(others[position])
                found = {place: flaw for place, at, field in fields if at in others and (flaw := check_cell(others[at], field))}
            if found or any(map(str.strip, texts)):
                self._append(chunk, number, texts, found)
            return
        cells = _cells_of(row)
        texts = [draw(cells[position]) for position, draw in renderers]
        found = {place: flaw for place, at, field in fields if (flaw := self._check(number, at, cells[at], field))}
        struck = check_struck(cells, self._positions[self.mapping[ID]])
        if flaw := Violation("id-total", ID) if number in self._metadata.totals else struck:
            found[self.mapping[ID]] = flaw
        # A merged range does not make blank cells a row: below its first row there is nothing to lose.
        if not any(map(str.strip, texts)) and all(flaw.code == "cell-merged" for flaw in found.values()):
            return
        if cells[self._positions[self.mapping[ID]]].kind == ZERO and _is_of_blank_cells(cells, texts, self._positions):
            self._zeros += 1
            return
        self._append(chunk, number, texts, found)

    def _append(self, chunk: Chunk, number: int, texts: list[str], found: dict[int, Violation]) -> None:
        """Add the texts of a row, with the violations that were found by place, among the columns that are kept."""
        flaws = list(found.values())
        if self.header.is_report:
            flaws += check_moved(texts)
        for place, flaw in found.items():
            if flaw.code != "cell-error":  # whose text shows the error
                texts[place] = f"{texts[place]} {MARK}".lstrip()
        if self._metadata.hidden_rows[number] and self._hidden == "refuse":
            self.hidden.append(number)
            flaws.append(Violation("row-hidden"))
        elif self._metadata.hidden_rows[number] and self._hidden == "skip":
            chunk.skipped[len(chunk.rows)] = "hidden"
        if flaws:
            chunk.flaws[len(chunk.rows)] = flaws
        chunk.numbers.append(number)
        chunk.rows.append(list(map(unescape, texts)) if self.header.is_escaped else texts)

    def _check(self, number: int, position: int, cell: Cell, field: str) -> Violation | None:
        if cell.kind != UNCALCULATED and self._metadata.is_merged(position + 1, number):
            return Violation("cell-merged", field)
        return check_cell(cell, field)


def _cells_of(row: Row) -> Sequence[Cell]:
    return row.cells() if isinstance(row, TextRow) else row


def _is_of_blank_cells(cells: Sequence[Cell], texts: Sequence[str], positions: Sequence[int]) -> bool:
    """Return True when all that a row shows is the 0 of formulas."""
    return all(cells[position].kind == ZERO for position, text in zip(positions, texts, strict=True) if text.strip())


def open_sheet(path: Path, worksheets: Sequence[Worksheet], options: SourceOptions, *, is_escaped: bool = True) -> SheetSource:
    """Return the worksheet named `sheet`, else the only visible one with a header, as a source.

    `is_escaped` is False when a report in it is known to have no apostrophes. Raises `SourceError` when there is not exactly one
    such sheet, for hidden columns and for a header that is merged or not understood.
    """
    worksheet, header = _choose(worksheets, path.name, options, is_escaped=is_escaped)
    metadata = SheetMetadata(
        where=_("{name}, sheet “{title}”", name=path.name, title=worksheet.title),
        fields={position + 1 for position in header.fields},
        header=header.number,
    )
    with convert_damage(metadata.where):
        worksheet.describe(metadata)
    header.cells.extend([""] * (max(metadata.used, default=0) - len(header.cells)))
    header = _without_hidden(header, metadata, options.hidden)
    unused = {position for position in header.unnamed if position + 1 not in metadata.used}
    selection = select_columns(metadata.where, header, unused, options.renames, ";")
    merged = [header.names[position] for position in header.fields if metadata.is_merged(position + 1, header.number)]
    if merged:
        raise SourceError(
            "{where}, row {row}: the header of {fields} is merged with other cells: unmerge it, "
            "and write the names of all columns in this row.",
            where=metadata.where,
            row=header.number,
            fields=enumerate_names([_("“{text}”", text=name) for name in merged]),
        )
    return SheetSource(
        path,
        *selection.layout,
        is_workbook=True,
        findings=[_("Sheet “{title}”, header on row {row}.", title=worksheet.title, row=header.number), *selection.findings],
        warnings=header.warn_above() + header.warn_unpulled() + _warn_empty_formulas(metadata.empty_formulas),
        blanks_certain=not metadata.empty_formulas,
        worksheet=worksheet,
        header=header,
        _metadata=metadata,
        _positions=selection.positions,
        _hidden=options.hidden,
        _names=selection.names,
    )


def _choose(sheets: Sequence[Worksheet], name: str, options: SourceOptions, *, is_escaped: bool) -> tuple[Worksheet, Header]:
    """Return the sheet of contacts and its header."""
    visible = [sheet for sheet in sheets if sheet.is_visible]
    candidates = visible
    if options.sheet is not None:
        wanted = options.sheet.strip().casefold()
        candidates = [sheet for sheet in sheets if sheet.title.strip().casefold() == wanted]
    elif not visible:
        raise SourceError("{name} has no visible sheet: correct the file, or --sheet.", name=name)
    if not candidates:
        raise SourceError(
            "{name} has no sheet “{sheet}”, only {sheets}: correct the file, or --sheet.",
            name=name,
            sheet=options.sheet,
            sheets=_titles(visible),
        )
    filled = [(sheet, rows) for sheet in candidates if (rows := _read_head(sheet, name))]
    headers = [(sheet, find_header(rows, options.renames, is_escaped=is_escaped)) for sheet, rows in filled]
    found = [(sheet, header) for sheet, header in headers if header]
    if len(found) > 1:
        raise SourceError(
            "{name} has several sheets of contacts, {sheets}: choose one with --sheet.",
            name=name,
            sheets=_titles([sheet for sheet, _header in found]),
        )
    if found:
        return found[0]
    others = [] if options.sheet else [(sheet, _read_head(sheet, name)) for sheet in sheets if not sheet.is_visible]
    if concealed := [sheet for sheet, rows in others if find_header(rows, options.renames)]:
        raise SourceError(
            "{name}: the contacts are on a hidden sheet, {sheets}: show it, or choose it with --sheet.",
            name=name,
            sheets=_titles(concealed),
        )
    if len(filled) > 1:
        raise SourceError(
            "{name}: none of the sheets {sheets} has a header with contactId and a column to send in its first "
            "{searched} rows: write these names above the columns, or name the columns with --map.",
            name=name,
            sheets=_titles(candidates),
            searched=SEARCHED,
        )
    where = _("{name}, sheet “{title}”", name=name, title=filled[0][0].title) if filled else name
    raise no_header_error(where, filled[0][1] if filled else [], options.renames)


def _read_head(worksheet: Worksheet, name: str) -> Rows:
    """Return the first `SEARCHED` rows that contain text, without the blank cells at their ends."""
    rows = []
    with convert_damage(name):
        for number, row in worksheet.rows(WIDEST, 0, SEARCHED):
            texts = [render(cell) for cell in _cells_of(row)]
            while texts and not texts[-1].strip():
                texts.pop()
            if texts:
                rows.append((number, texts))
    return rows


def _without_hidden(header: Header, metadata: SheetMetadata, hidden: str) -> Header:
    """Return `header` without the fields in hidden columns (the id stays) if they are to be skipped; refuse or include them."""
    concealed = {position: field for position, field in header.fields.items() if position + 1 in metadata.hidden_columns}
    if not concealed or hidden == "include":
        return header
    if hidden == "refuse":
        raise SourceError(
            "{where}: the columns of {fields} are hidden: show them, or choose --hidden include or --hidden skip.",
            where=metadata.where,
            fields=enumerate_names([_("“{text}”", text=header.names[position]) for position in concealed]),
        )
    return replace(header, fields={p: field for p, field in header.fields.items() if p not in concealed or field == ID})


def _warn_empty_formulas(count: int) -> list[str]:
    warning = ngettext(
        "{count} formula in the columns to send is empty, and may never have been calculated: "
        "if that is not intended, open the file in Excel and save it as .xlsx.",
        "{count} formulas in the columns to send are empty, and may never have been calculated: "
        "if that is not intended, open the file in Excel and save it as .xlsx.",
        count,
    )
    return [warning] if count else []


def _titles(worksheets: Sequence[Worksheet]) -> str:
    return enumerate_names([_("“{text}”", text=shorten(sheet.title)) for sheet in worksheets])
