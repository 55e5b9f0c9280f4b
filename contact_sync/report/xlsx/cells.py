"""What the cells of a workbook that comes back hold and look like, whichever workbook it is."""

import re
from typing import Any

from openpyxl.cell import MergedCell
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.hyperlink import Hyperlink

from contact_sync.i18n import _
from contact_sync.model import Outcome
from contact_sync.rules.formula import escape

SIGNATURE = "[contact-sync]"
"""Begins what we say in a comment, which may be another's."""
AUTHOR = "contact-sync"

COMMENTS = 10_000
"""More of them make spreadsheet programs slow, and a drawing that unpacks to a hundred times its size."""

RED = "FFFF9D9B"
"""The fill of a wrong cell; no palette has it, so that ours can be told from the operator's."""
WRONG = PatternFill("solid", fgColor=RED)
BOLD = Font(bold=True)
LINK = Font(color="FF0563C1", underline="single")
WRAPPED = Alignment(wrap_text=True, vertical="top")

_GREEN, _ORANGE, _PINK, _YELLOW = (
    PatternFill("solid", fgColor=f"FF{colour}") for colour in ("E8F5E4", "FDE9D0", "FBE3E2", "FFF8D6")
)
FILLS: dict[str, PatternFill] = {
    Outcome.UPDATED: _GREEN,
    Outcome.UNCHANGED: _GREEN,
    Outcome.DUPLICATE: _GREEN,
    Outcome.READY: _GREEN,
    Outcome.ALTERED: _ORANGE,
    Outcome.INVALID: _PINK,
    Outcome.REJECTED: _PINK,
    Outcome.FAILED: _YELLOW,
    Outcome.UNPROCESSED: _YELLOW,
}
"""Of what is told of a row, by its outcome."""

WIDTHS = (9, 13, 18, 18, 60, 10, 10, 10, 21)
"""Of the columns of the CSV report, in its order."""

_LONGEST = 32_767
_ILLEGAL = r"\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff"  # for XML; a CR it would take for a line feed
_BROKEN = re.compile(f"[{_ILLEGAL}]")
_ESCAPED = re.compile(f"[{_ILLEGAL}]|_(?=x[0-9A-Fa-f]{{4}}[_{_ILLEGAL}])")
_COMMENT_WIDTH, _LINE_HEIGHT, _LETTERS = 320, 18, 44


def written(text: str) -> str:
    """Return `text` as XML can hold it, escaped as Excel does, and cut with a note where it is longer than a cell may be."""
    note = ""
    while len(encoded := _ESCAPED.sub(_escape, text)) + len(note) > _LONGEST:
        note = " " + _("[cut here: a cell has 32,767 characters at most; the rest is in the source]")
        text = text[: min(_LONGEST, len(text) * 9 // 10)]
    return encoded + note


def _escape(match: re.Match[str]) -> str:
    return f"_x{ord(match[0]):04x}_"  # openpyxl drops an _x005F_ on reading, but no _x005f_


def put(cell: Any, value: str | int | None) -> None:
    """Let `cell` hold a number, or a text that is never run as a formula, not even once it was edited."""
    if not isinstance(value, str) or not value:
        cell.value = value or None
        return
    cell.value = written(value)
    cell.data_type = "s"  # openpyxl would make a formula of =1+1, and an error of #N/A
    cell.number_format = "@"
    if value.startswith("+") or escape(value) != value:
        cell.quotePrefix = True


class Marker:
    """Marks the wrong cells of a workbook: all of them red, and the first `COMMENTS` with a comment that says why."""

    def __init__(self) -> None:
        self._left = COMMENTS

    def mark(self, cell: Any, message: str) -> None:
        """Fill `cell` red and add `message` to its comment."""
        if isinstance(cell, MergedCell):  # the first of those that are merged shows for all of them
            return
        cell.fill = WRONG
        if self._left:
            self._left -= 1
            before = cell.comment
            text = f"{SIGNATURE} {_BROKEN.sub(chr(0xFFFD), message)}"
            cell.comment = _comment(f"{before.text}\n\n{text}" if before else text, before.author if before else AUTHOR)


def unmark(cell: Any) -> None:
    """Take off what a `Marker` has done to `cell`."""
    if cell.has_style and cell.fill.fgColor.rgb == RED:
        cell.fill = PatternFill()
    if cell.comment and SIGNATURE in cell.comment.text:
        kept = cell.comment.text.partition(SIGNATURE)[0].rstrip()
        cell.comment = _comment(kept, cell.comment.author) if kept else None


def _comment(text: str, author: str) -> Comment:
    lines = sum(1 + len(line) // _LETTERS for line in text.split("\n"))
    return Comment(text, author, height=(lines + 1) * _LINE_HEIGHT, width=_COMMENT_WIDTH)


def link(cell: Any, at: str, place: str) -> None:
    """Let a click on `cell`, which will stand `at`, lead to `place` in this workbook."""
    cell.hyperlink = Hyperlink(ref="", location=place)
    cell.hyperlink.ref = at
    cell.font = LINK
