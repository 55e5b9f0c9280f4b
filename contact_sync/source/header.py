"""Which row names the columns, and which of them are kept."""

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from contact_sync.errors import ConfigError, SourceError
from contact_sync.i18n import _
from contact_sync.model import FIELDS, ID, MARK, ROW, Violation
from contact_sync.rules.formula import unescape
from contact_sync.source.aliases import match, normalise, resembled

CHUNK = 1000
"""Rows a chunk; more do not stay in the processor's cache."""

SEARCHED = 20
"""How many rows are searched for the header; titles may stand above it."""


@dataclass(frozen=True)
class Choices:
    """What the operator decided; None is found out."""

    sheet: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    """One character."""
    hidden: str = "refuse"
    """`refuse`, `include` or `skip` hidden rows and columns of a workbook."""
    renames: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Header → `contactId` or a field."""


@dataclass(frozen=True, slots=True)
class Header:
    """A row that names the columns."""

    number: int
    """Its row number."""
    cells: list[str]
    """As read, one for each column of the table, the report's own `sync_` columns included."""
    fields: dict[int, str]
    """Position in `cells` → `ID` or the field it names."""
    close: dict[int, str]
    """Position in `cells` → the field it nearly names."""
    is_report: bool
    """Whether this is one of our reports, fed back in."""
    is_escaped: bool
    """Whether its cells have the apostrophes of a report as CSV."""

    @property
    def known(self) -> int:
        """How many columns are, or nearly are, a field."""
        return len(self.fields) + len(self.close)

    @property
    def unnamed(self) -> list[int]:
        """Positions of the columns without a name."""
        return [position for position, cell in enumerate(self.cells) if not cell.strip()]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which cells of a row are kept, and what they are."""

    positions: list[int]
    """For each column that is kept, the position of its cell in the row as read."""
    columns: list[str]
    mapping: dict[str, int]
    findings: list[str]

    @property
    def letters(self) -> list[str]:
        """For each column, the letter a spreadsheet shows above it."""
        return [letter(position) for position in self.positions]


def find_header(rows: Iterable[tuple[int, list[str]]], renames: Mapping[str, str], *, escaped: bool = True) -> Header | None:
    """Return the first of the numbered `rows` that names the id and another field, else the first that nearly does, else None.

    `escaped` tells that a report here has the apostrophes of a CSV.
    """
    seen = list(rows)
    for number, cells in seen:
        if len(fields := match(cells, renames)) > 1 and ID in fields.values():
            return _header(number, cells, fields, renames, escaped=escaped)
    for number, cells in seen:
        header = _header(number, cells, match(cells, renames), renames, escaped=escaped)
        if header.known > 1 and ID in (*header.fields.values(), *header.close.values()):
            return header
    return None


def no_header_error(
    where: str, rows: Iterable[tuple[int, list[str]]], renames: Mapping[str, str], *, is_text: bool = False
) -> SourceError:
    """Return the error that says why none of the numbered `rows`, the first of a source, is a header.

    `is_text` tells that they were cut from lines, which may have been quoted as a whole.
    """
    seen = [(number, cells) for number, cells in rows if any(map(str.strip, cells))]
    if not seen:
        return SourceError(
            _(
                "{where} is empty in its first {searched} rows, where the header must be: export it again.",
                where=where,
                searched=SEARCHED,
            )
        )
    for number, cells in seen:
        if ID in match(cells, renames).values():
            return SourceError(
                _(
                    "{where}: the header on row {row} has contactId but no column to send ({fields}): "
                    "add one, or name it with --map.",
                    where=where,
                    row=number,
                    fields=", ".join(FIELDS),
                )
            )
    number, cells = seen[0]
    parts = re.split("[;,\t|]", cells[0]) if is_text and len(cells) == 1 else cells
    if match(parts, renames):
        shown = ", ".join(_("“{text}”", text=_short(cell)) for cell in list(filter(str.strip, cells))[:10])
    else:  # these may be a contact's values, which are nobody's business who gets this as a mail
        shown = _("no known field name")
    blanks = {"where": where, "searched": SEARCHED, "row": number, "shown": shown}
    if len(parts) > len(cells):
        return SourceError(
            _(
                "{where}: none of the first {searched} rows is a header with a contactId column; row {row} "
                "contains {shown}. Each line is quoted as one cell. Add the header, or name the column, as "
                'in --map "Réf client=contactId".',
                **blanks,
            )
        )
    return SourceError(
        _(
            "{where}: none of the first {searched} rows is a header with a contactId column; row {row} "
            'contains {shown}. Add the header, or name the column, as in --map "Réf client=contactId".',
            **blanks,
        )
    )


def select_columns(where: str, header: Header, unused: Collection[int], renames: Mapping[str, str]) -> Selection:
    """Return what to keep of each row below `header`.

    `unused` are the positions of unnamed columns without any text, which are dropped. Raises `SourceError` for a header that is
    close to a field, two columns of one field, or no column to send; `ConfigError` for a rename of a column that is not there.
    """
    cells, fields = header.cells, header.fields
    missing = set(renames) - {normalise(cell) for cell in cells if not _is_own(cell)}
    if missing:
        raise ConfigError(
            _(
                "--map names a column “{column}” that {where} does not have: correct the option.",
                column=min(missing),
                where=where,
            )
        )
    for position, field in header.close.items():
        raise SourceError(
            _(
                "{where}, row {row}: column {letter} “{column}” is close to {field}: "
                'correct the header, or give --map "{column}={field}".',
                where=where,
                row=header.number,
                letter=letter(position),
                column=_short(cells[position]),
                field=field,
            )
        )
    taken: dict[str, int] = {}
    for position, field in fields.items():
        if field in taken:
            raise SourceError(
                _(
                    "{where}, row {row}: columns {letter} “{column}” and {other_letter} “{other_column}” both mean {field}: "
                    "rename or delete one, or choose with --map.",
                    where=where,
                    row=header.number,
                    letter=letter(taken[field]),
                    column=_short(cells[taken[field]]),
                    other_letter=letter(position),
                    other_column=_short(cells[position]),
                    field=field,
                )
            )
        taken[field] = position
    if ID not in taken or len(taken) == 1:
        raise no_header_error(where, [(header.number, cells)], renames)
    positions = [p for p, cell in enumerate(cells) if not _is_own(cell) and p not in unused]
    columns = [cells[p] for p in positions]
    mapping = {field: positions.index(taken[field]) for field in (ID, *FIELDS) if field in taken}
    return Selection(positions, columns, mapping, _findings(columns, mapping, is_report=header.is_report))


def marked(row: Iterable[str]) -> list[Violation]:
    """Return what is wrong with a row of a report that still holds `MARK`: its values may stand in the wrong columns."""
    return [Violation("cells-moved", ROW)] if any(MARK in cell for cell in row) else []


def letter(position: int) -> str:
    """Return what a spreadsheet shows above the column at `position`, counted from 0: 0 → A, 27 → AB."""
    name = ""
    while position >= 0:
        position, rest = divmod(position, 26)
        name = chr(ord("A") + rest) + name
        position -= 1
    return name


def _header(number: int, cells: list[str], fields: dict[int, str], renames: Mapping[str, str], *, escaped: bool) -> Header:
    is_report = any(map(_is_own, cells))
    if is_report and escaped:
        cells = [unescape(cell) for cell in cells]
        fields = match(cells, renames)
    others = ((p, normalise(cell)) for p, cell in enumerate(cells) if p not in fields and not _is_own(cell))
    close = {position: field for position, name in others if (field := resembled(name, set(fields.values())))}
    return Header(number, cells, fields, close, is_report, is_report and escaped)


def _is_own(cell: str) -> bool:
    return cell.strip().casefold().startswith("sync_")


def _findings(columns: list[str], mapping: Mapping[str, int], *, is_report: bool) -> list[str]:
    named = ((_short(columns[position]), field) for field, position in mapping.items())
    mapped = ", ".join(field if name == field else f"{name} → {field}" for name, field in named)
    carried = ", ".join(_short(c) or _("(no name)") for p, c in enumerate(columns) if p not in mapping.values())
    findings = [_("Columns recognised: {columns}.", columns=mapped)]
    if carried:
        findings.append(_("Not sent, copied to the report: {columns}.", columns=carried))
    if is_report:
        findings.append(_("This is the report of an earlier run: its sync_ columns are ignored."))
    return findings


def _short(cell: str) -> str:
    """Return `cell` as it can stand in a sentence."""
    text = " ".join(cell.split())
    return text if len(text) <= 40 else text[:39] + "…"  # noqa: PLR2004 - enough to recognise a header


def warn_above(header: Header, rows: Iterable[tuple[int, list[str]]]) -> list[str]:
    """Return a warning when rows above the header look like contacts (a table sorted together with its header)."""
    alike = [
        number
        for number, cells in rows
        if number < header.number and sum(bool(cells[p].strip()) for p in header.fields if p < len(cells)) > 1
    ]
    if not alike:
        return []
    return [
        _(
            "Row {row} is above the header (row {header}) and is not read, although it looks like data: check the order.",
            row=alike[0],
            header=header.number,
        )
    ]
