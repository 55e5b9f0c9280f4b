"""Cells of a workbook and its sheet of rows to fix, for openpyxl (`returned`) and for XlsxWriter (`new`)."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from openpyxl.utils import quote_sheetname

from contact_sync.display import shorten
from contact_sync.i18n import _
from contact_sync.model.fields import ID, MARK, ROW, VERBATIM, readable
from contact_sync.model.report import Line, Summary
from contact_sync.model.row import IN_PLACE, LEFT, REPEATS_LEFT, REPEATS_WRONG, Outcome
from contact_sync.model.source import Layout
from contact_sync.report import csv
from contact_sync.rules.deletion import DELETED, is_mark
from contact_sync.rules.formula import escape

SIGNATURE = "[contact-sync]"  # start of the text that contact-sync adds to a comment, which may be an operator's
AUTHOR = "contact-sync"

COMMENTS = 10_000
"""Comments of a workbook at most: more make spreadsheet programs slow, and a drawing that unpacks to a hundred times its size."""

COMMENT_WIDTH, _LINE_HEIGHT = 320, 18  # pixels
_LINE_LENGTH = 44  # characters


class Style(NamedTuple):
    """Appearance of a cell."""

    fill: str = ""  # colour as RRGGBB; empty for none
    bold: bool = False
    wrapped: bool = False
    link: bool = False


PLAIN, BOLD = Style(), Style(bold=True)

RED = "FF9D9B"  # fill of a wrong cell; no palette has it, so that it cannot be an operator's
LINK = "0563C1"  # colour of a link

_COLOURS = {
    "E8F5E4": (*IN_PLACE, Outcome.READY),
    "FDE9D0": (Outcome.ALTERED,),
    "FBE3E2": (Outcome.INVALID, Outcome.REJECTED, Outcome.CONFLICT),
    "FFF8D6": LEFT,
}
FILLS: dict[str, str] = {outcome: colour for colour, outcomes in _COLOURS.items() for outcome in outcomes}
"""Outcome of a row → fill of the cells to the right of its own."""


def fill_of(line: Line) -> str:
    """Return the fill of a row's result; a duplicate has that of the row that counts for it."""
    codes = line.code.split(",")
    if REPEATS_WRONG in codes:
        return FILLS[Outcome.INVALID]
    return FILLS[Outcome.FAILED if REPEATS_LEFT in codes else line.outcome]


COLUMNS = (*csv.COLUMNS, VERBATIM)
WIDTHS = (10, 15, 24, 22, 70, 15, 18, 15, 22, 22, 16, 15)  # widths of `COLUMNS`, none less than its header needs


def results_of(line: Line, columns: Sequence[int]) -> Iterator[tuple[int, str | int | None]]:
    """Yield the value of each result of a row with its column; `columns` are those of `COLUMNS`.

    Empty cells are coloured only where the row needs attention: in most files they are two thirds of the results, and each costs
    as much time and memory as a full one.
    """
    for column, value in zip(columns, line.results, strict=False):
        if value or line.needs_attention:
            yield column, value


_LONGEST = 32_767  # characters of a cell at most, in UTF-16
_ILLEGAL = r"\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff"  # in XML, which would also turn a CR into a line feed
_BROKEN = re.compile(f"[{_ILLEGAL}]")
_ESCAPED = re.compile(f"[{_ILLEGAL}]|_(?=x[0-9A-Fa-f]{{4}}[_{_ILLEGAL}])")


def cell_text(text: str) -> str:
    """Return `text` escaped for XML as Excel does, and cut with a note where it is longer than a cell may be."""
    note = ""
    # In lower case, since openpyxl drops an _x005F_ on reading.
    while (
        len((escaped := _ESCAPED.sub(lambda found: f"_x{ord(found[0]):04x}_", text)).encode("utf-16-le")) // 2 + len(note)
        > _LONGEST
    ):
        note = " " + _("[cut here: a cell has 32,767 characters at most; the rest is in the source]")
        text = text[: min(_LONGEST, len(text) * 9 // 10)]
    return escaped + note


def is_quoted(text: str) -> bool:
    """Return True when a cell needs Excel's quote prefix, without which `text` would become a formula once it is edited."""
    return text.startswith("+") or escape(text) != text


def comment_text(message: str) -> str:
    """Return the text of a comment on a wrong cell."""
    return f"{SIGNATURE} {_BROKEN.sub(chr(0xFFFD), message)}"[: _LONGEST // 2]  # characters of UTF-16, which may be two


def comment_height(text: str) -> int:
    """Return the height in pixels of a comment that shows all of its text."""
    return _LINE_HEIGHT * (1 + sum(1 + len(line) // _LINE_LENGTH for line in text.split("\n")))


FIXES_WIDTHS = (8, 24, 28, 70, 16, 24)
"""Widths of the columns of the sheet of rows to fix."""

SHEET = "Contacts"  # the title of the sheet of contacts in a new workbook
FONT, FONT_SIZE = "Arial", 10  # of a new workbook: each system has it, or one of the same widths
A4 = 9  # as Excel numbers the sizes of paper
_LINE_POINTS, _MARGIN_POINTS = 14, 3  # of the height of a row
_TEXTS = (".csv", ".tsv", ".txt")  # suffixes of sources that are no workbooks

_WRAPPED, _LINKED, _HEAD = Style(wrapped=True), Style(wrapped=True, link=True), Style("E7E6E6", bold=True, wrapped=True)


class Cell(NamedTuple):
    """A cell of the sheet of rows to fix, and the address in the workbook that it links to."""

    value: str | int
    style: Style
    place: str = ""


def wrong_cells(line: Line, layout: Layout) -> dict[int, str]:
    """Return the position of each wrong cell of a line → its field; `ROW` for a mark for deletion in another column."""
    wrong = {layout.mapping[field]: field for field in line.fields.split(",") if field in layout.mapping}
    if DELETED in line.code.split(","):
        sent = {*layout.mapping.values()}
        wrong |= {at: ROW for at, cell in enumerate(line.cells) if at not in sent and is_mark(cell)}
    return wrong


def comment_of(line: Line, field: str) -> str:
    """Return the comment on what is wrong with a cell."""
    return line.sentences.get(field, line.message)


def fix_of(line: Line, layout: Layout, place: str) -> list[Cell]:
    """Return the row for a line whose first wrong cell is at `place`, with its cells without the mark that a report adds."""
    columns, wrong = layout.columns_of_fields, wrong_cells(line, layout)
    names = [f"{shorten(layout.columns[at]) or field} ({layout.letters[at]})".lstrip() for at, field in wrong.items()]
    cells = [line.cells[at].removesuffix(MARK).rstrip() for at in (layout.mapping[ID], *wrong)]
    message = columns[line.fields].left_off(line.message) if line.fields in columns else line.message
    texts = ("\n".join(names), "\n".join(cell or _("(empty)") for cell in cells[1:]), message, cells[0])
    outcome = Cell(Outcome(line.outcome).named, Style(fill_of(line), wrapped=True))
    return [Cell(line.number, _LINKED, place), *(Cell(text, _WRAPPED) for text in texts), outcome]


def fixes_title(summary: Summary) -> str:
    """Return the title of the sheet of rows to fix."""
    return f"{_('To fix')} ({summary.label})" if summary.label else _("To fix")


def fixes_notes(summary: Summary, note: str) -> list[str]:
    """Return the sentences above the rows to fix, one a row."""
    return [*filter(None, [summary.banner]), *summary.reasons, note, *summary.checks]


def fixes_note(found: int, summary: Summary, sheet: str) -> str:
    """Return the sentence above the rows to fix, which says in which sheet they are, and where to save the workbook."""
    if not found:
        return _("No row needs attention.")
    name = readable(summary.source.name)
    if summary.source.suffix.lower() in _TEXTS:
        return _(
            "Rows to correct: {found}. Correct the red cells of the sheet {sheet}, to which the row numbers lead, and save it as "
            "CSV in place of {name}: the next run takes it.",
            found=found,
            sheet=sheet,
            name=name,
        )
    return _(
        "Rows to correct: {found}. Correct the red cells of the sheet {sheet}, to which the row numbers lead, and save this "
        "workbook in place of {name}: the next run takes it.",
        found=found,
        sheet=sheet,
        name=name,
    )


def row_height(cells: list[Cell]) -> int:
    """Return the height in points of a row to fix, or of a note."""
    widths = FIXES_WIDTHS if len(cells) > 1 else (sum(FIXES_WIDTHS),)
    return max(text_height(str(cell.value), width) for cell, width in zip(cells, widths, strict=True))


def text_height(text: str, width: int) -> int:
    """Return the height in points of a row in which `text` is wrapped; not every program measures it when it opens a file."""
    fitting = width * 9 // 10  # characters of a line, some of which are wider than the digits that a width counts
    return _MARGIN_POINTS + _LINE_POINTS * sum(1 + len(line) // fitting for line in text.split("\n"))


def place_of(sheet: str, coordinate: str) -> str:
    """Return the address of a cell of a sheet in its workbook."""
    return f"{quote_sheetname(sheet)}!{coordinate}"


def fixes_table(fixes: list[list[Cell]], notes: list[str]) -> list[list[Cell]]:
    """Return the rows of the sheet: the notes and, where there are `fixes`, a header and those."""
    heads = (_("Row"), _("Column"), _("Content of the cell"), _("What to do"), ID, _("Outcome"))
    above = [[Cell(note, _WRAPPED._replace(bold=True))] for note in notes]
    return [*above, *([[Cell(head, _HEAD) for head in heads], *fixes] if fixes else [])]
