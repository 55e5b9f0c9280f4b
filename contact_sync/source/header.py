"""The header row of a table, and the columns that are kept."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from contact_sync.display import shorten
from contact_sync.errors import ConfigError, SourceError
from contact_sync.i18n import _
from contact_sync.model.fields import BASE_COLUMN, FIELDS, ID, MARK, ROW, VERBATIM
from contact_sync.model.source import Layout
from contact_sync.model.violation import Violation
from contact_sync.rules.formula import unescape
from contact_sync.source.aliases import MOST_COLUMNS, find_typo, match_fields, may_name_id, normalise_header, words_of
from contact_sync.source.kinds import kind_of

Rows = list[tuple[int, list[str]]]  # rows as text with their numbers
CHUNK = 63 * 16  # rows: a multiple of the blocks of `short_rows`; more of them do not stay in the processor's cache
_LONG_WORD = 5  # letters
_MOST_NAMES, _SHOWN_NAMES = 100, 5
_ID_WORDS = {"id", "identifiant", "n", "no", "num", "numero", "ref", "reference", "code", "matricule", "cle", "key", "number"}
_EXAMPLE = "Réf client"
_HIDDEN = "…"  # in place of a name that may be a value
SEARCHED = 20  # the first rows, which are searched for the header; titles may be above it


@dataclass(frozen=True, slots=True)
class Header:
    """A row that names the columns."""

    number: int
    cells: list[str]  # as read, one for each column of the table, including a report's `sync_` columns
    fields: dict[int, str]  # position in `cells` → `ID` or a field
    typos: dict[int, str]  # position in `cells` → the field that it is probably a typo of
    is_report: bool
    is_escaped: bool  # True when its cells have the apostrophes of a report as CSV
    above: Rows  # the rows above it

    @property
    def known(self) -> int:
        """The number of columns that are a field or a typo of one."""
        return len(self.fields) + len(self.typos)

    @property
    def origins(self) -> list[int | None]:
        """The positions of a report's columns that say how old a row is, and whether it was edited since; None without one."""
        names = [cell.strip().casefold() for cell in self.cells] if self.is_report else []
        return [names.index(name) if name in names else None for name in ("sync_source_at", "sync_checksum")]

    @property
    def is_certain(self) -> bool:
        """True when the row is no contact: no cell is a value, and the id is named by a long word, or together with a field.

        In the rows of a file without a header, a cell may be a short word such as Id, Mobile or Date.
        """
        names = [normalise_header(self.cells[position]) for position, field in self.fields.items() if field == ID]
        is_named = any(len(self.fields) > 1 or len(name) > _LONG_WORD for name in names)
        return is_named and not any("@" in cell or kind_of(cell) for cell in self.cells)

    @property
    def names(self) -> list[str]:
        """The names of all columns for sentences, which may end up in a mail: dots where one may be a contact's value."""
        is_certain = self.is_certain
        return [shorten(cell) if is_certain or at in self.fields else _HIDDEN for at, cell in enumerate(self.cells)]

    @property
    def unnamed(self) -> list[int]:
        """The positions of the columns without a name."""
        return [position for position, cell in enumerate(self.cells) if not cell.strip()]

    def warn_unpulled(self) -> list[str]:
        """Return a warning for a pulled file whose base tokens are gone."""
        names = {cell.strip().casefold() for cell in self.cells}
        sentence = _(
            "This file was pulled, but its column sync_base is gone: every cell is sent, also over what was changed in SMS "
            "Partner since. Pull again, or put the column back."
        )
        return [sentence] if "sync_stop" in names and BASE_COLUMN not in names else []

    def warn_above(self) -> list[str]:
        """Return a warning when a row above the header resembles a contact (a table sorted together with its header)."""
        for number, cells in self.above:
            if sum(bool(cells[p].strip()) for p in self.fields if p < len(cells)) > 1:
                warning = _(
                    "Row {row} is above the header (row {header}) and is not read, although it looks like data: check the order.",
                    row=number,
                    header=self.number,
                )
                return [warning]
        return []


class Selection(NamedTuple):
    """The columns that are kept."""

    positions: list[int]  # for each column, the position of its cell in the row as read
    layout: Layout
    findings: list[str]
    names: list[str]  # of the columns, as sentences show them


def find_header(rows: Rows, renames: Mapping[str, str], *, is_escaped: bool = True) -> Header | None:
    """Return the first of the numbered `rows` with the id and another field, else the first one with typos of them, else None.

    `is_escaped` is False when a report in this source is known to have no apostrophes, even without `VERBATIM`.
    """
    exact = next((place for place, (_number, cells) in enumerate(rows) if _is_exact(cells, renames)), None)
    for place in range(len(rows)) if exact is None else [exact]:
        if exact is None and not _may_name_id(rows[place][1], renames):
            continue
        header = _build_header(rows, place, renames, is_escaped=is_escaped)
        if header.known > 1 and ID in (*header.fields.values(), *header.typos.values()):
            return header
    return None


def no_header_error(where: str, rows: Rows, renames: Mapping[str, str], *, is_text: bool = False) -> SourceError:
    """Return the error for a source without a header in its first, numbered `rows`.

    `is_text` is True when they were split from lines, which may have been quoted as a whole.
    """
    filled = [(number, cells) for number, cells in rows if any(map(str.strip, cells))]
    if not filled:
        return SourceError(
            "{where} is empty in its first {searched} rows, where the header must be: export it again.",
            where=where,
            searched=SEARCHED,
        )
    for number, cells in filled:
        if ID in match_fields(cells, renames).values():
            return SourceError(
                "{where}: the header on row {row} has contactId but no column to send ({fields}): "
                "rename a column to one of these, or name it with --map.",
                where=where,
                row=number,
                fields=", ".join(FIELDS),
            )
    found = [(number, _split(cells, is_text=is_text), len(cells)) for number, cells in filled]
    fields = {number: match_fields(cells, renames).values() for number, cells, _count in found}
    number, parts, count = max(found, key=lambda row: len(fields[row[0]]))
    if len(parts) == count and (names := _header_names(parts, renames)):
        column = next((shorten(cell) for cell in parts if _ID_WORDS.intersection(words_of(cell)) and cell not in names), "")
        return SourceError(
            "{where}: row {row} looks like the header ({names}), but none of its columns is recognised as contactId. Rename "
            'the one that has the ids to contactId in the file, or give --map "{column}=contactId".',
            where=where,
            row=number,
            names=enumerate_names(names, _SHOWN_NAMES),
            column=column if column.isprintable() and '"' not in column and column else _EXAMPLE,
        )
    # The fields and not the cells, which may be the values of a contact: a row without a header may say Mobile or Date as well.
    shown = ", ".join(dict.fromkeys(fields[number])) or _("no known field name")
    details = {"where": where, "searched": SEARCHED, "row": number, "shown": shown}
    if len(parts) > count:
        return SourceError(
            "{where}: none of the first {searched} rows is a header with a contactId column; row {row} "
            "contains {shown}. Each line is quoted as one cell. Write contactId above the ids in the file, or name "
            'their column, as in --map "Réf client=contactId".',
            **details,
        )
    return SourceError(
        "{where}: none of the first {searched} rows is a header with a contactId column; row {row} "
        'contains {shown}. Write contactId above the ids in the file, or name their column, as in --map "Réf client=contactId".',
        **details,
    )


def _header_names(cells: list[str], renames: Mapping[str, str]) -> list[str]:
    """Return the names of fields in a row that is a header without an id: two at least, and no cell is a value."""
    fields = match_fields(cells, renames)
    has_value = any("@" in cell or kind_of(cell) or cell.strip().isdecimal() for cell in cells)
    return [shorten(cells[position]) for position in fields] if len({*fields.values()}) > 1 and not has_value else []


def _split(cells: list[str], *, is_text: bool) -> list[str]:
    return re.split("[;,\t|]", cells[0]) if is_text and len(cells) == 1 else cells


def select_columns(where: str, header: Header, unused: Collection[int], renames: Mapping[str, str], delimiter: str) -> Selection:
    """Return the columns to keep below `header`.

    `unused` are the positions of unnamed columns without any text, which are dropped. Raises `SourceError` for a header with a
    typo, two columns of one field, or no column to send; `ConfigError` for a renamed column that does not exist.
    """
    cells, fields = header.cells, header.fields
    missing = set(renames) - {normalise_header(cell) for cell in cells if not _is_report_column(cell)}
    if missing:
        raise ConfigError(
            "--map names a column “{column}” that {where} does not have: correct the option.", column=min(missing), where=where
        )
    for position, field in header.typos.items():
        if header.names[position] == _HIDDEN or not header.names[position].isprintable():  # which cannot be typed as an option
            raise SourceError(
                "{where}, row {row}: the name of column {letter} is close to {field}: write {field} in its place.",
                where=where,
                row=header.number,
                letter=letter(position),
                field=field,
            )
        raise SourceError(
            "{where}, row {row}: column {letter} “{column}” is close to {field}: "
            'correct the header, or give --map "{column}={field}".',
            where=where,
            row=header.number,
            letter=letter(position),
            column=header.names[position],
            field=field,
        )
    taken: dict[str, int] = {}
    for position, field in fields.items():
        if field in taken:
            raise SourceError(
                "{where}, row {row}: columns {letter} “{column}” and {other_letter} “{other_column}” both mean {field}: "
                "rename or delete one, or choose with --map.",
                where=where,
                row=header.number,
                letter=letter(taken[field]),
                column=shorten(cells[taken[field]]),
                other_letter=letter(position),
                other_column=shorten(cells[position]),
                field=field,
            )
        taken[field] = position
    if ID not in taken or len(taken) == 1:
        raise no_header_error(where, [(header.number, cells)], renames)
    positions = [p for p, cell in enumerate(cells) if (_is_base(cell) or not _is_report_column(cell)) and p not in unused]
    columns = [cells[p] for p in positions]
    mapping = {field: positions.index(taken[field]) for field in (ID, *FIELDS) if field in taken}
    layout = Layout(columns, list(map(letter, positions)), mapping, delimiter)
    names = list(map(header.names.__getitem__, positions))
    return Selection(positions, layout, _findings(names, layout, is_report=header.is_report), names)


def check_moved(row: Iterable[str]) -> list[Violation]:
    """Return the violation of a report's row that still contains `MARK`: its values may be in the wrong columns."""
    return [Violation("cells-moved", ROW)] if any(MARK in cell for cell in row) else []


def letter(position: int) -> str:
    """Return the letter of the column at `position`, counted from 0: 0 → A, 27 → AB."""
    before, place = divmod(position, 26)
    return (letter(before - 1) if before else "") + chr(ord("A") + place)


def _is_exact(cells: list[str], renames: Mapping[str, str]) -> bool:
    fields = match_fields(cells, renames).values()
    return len(fields) > 1 and ID in fields


def _may_name_id(cells: list[str], renames: Mapping[str, str]) -> bool:
    return len(cells) <= MOST_COLUMNS and any(may_name_id(cell) or renames.get(normalise_header(cell)) == ID for cell in cells)


def _build_header(rows: Rows, place: int, renames: Mapping[str, str], *, is_escaped: bool) -> Header:
    number, cells = rows[place]
    is_report = any(map(_is_report_column, cells))
    is_escaped = is_escaped and is_report and VERBATIM not in (cell.strip().casefold() for cell in cells)
    if is_escaped:
        cells = [unescape(cell) for cell in cells]
    fields = match_fields(cells, renames)
    taken = set(fields.values())
    others = (
        []
        if len(cells) > MOST_COLUMNS
        else [p for p, cell in enumerate(cells) if p not in fields and not _is_report_column(cell)]
    )
    typos = {position: field for position in others if (field := find_typo(cells[position], taken))}
    return Header(number, cells, fields, typos, is_report, is_escaped, rows[:place])


def _is_report_column(cell: str) -> bool:
    return cell.strip().casefold().startswith("sync_")


def _is_base(cell: str) -> bool:
    return cell.strip().casefold() == BASE_COLUMN


def _findings(names: list[str], layout: Layout, *, is_report: bool) -> list[str]:
    mapped = [name if name == field else f"{name} → {field}" for field, at in layout.mapping.items() for name in [names[at]]]
    others = [at for at, name in enumerate(layout.columns) if at not in layout.mapping.values() and not _is_base(name)]
    findings = [_("Columns recognised: {columns}.", columns=", ".join(mapped))]
    if others:
        copied = [_("column {letter}", letter=layout.letters[at]) if names[at] == _HIDDEN else names[at] for at in others]
        findings.append(_("Not sent, copied to the report: {columns}.", columns=enumerate_names(copied)))
    if any(map(_is_base, layout.columns)):
        findings.append(_("This is a pulled file: only the cells that were edited since are sent."))
    elif is_report:
        findings.append(_("This is the report of an earlier run: its sync_ columns are ignored."))
    return findings


def enumerate_names(names: list[str], most: int = _MOST_NAMES) -> str:
    """Return the names as part of a sentence, or the first ones of very many."""
    shown = ", ".join(name or _("(no name)") for name in names[:most])
    return shown if len(names) <= most else _("{names} and {more} more", names=shown, more=len(names) - most)
