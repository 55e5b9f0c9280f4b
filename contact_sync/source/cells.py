"""The text of a workbook's cell as a spreadsheet shows it, and the violations of a cell that cannot be sent so."""

import datetime as dt
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format, is_timedelta_format
from openpyxl.utils.datetime import from_excel
from openpyxl.utils.escape import unescape

from contact_sync.i18n import _
from contact_sync.model.fields import ID, PHONE
from contact_sync.model.violation import Violation
from contact_sync.rules.cells import CELL_ERROR
from contact_sync.source import number_format as formats
from contact_sync.source.date_format import render_date

ERROR = "error"
LITERAL = "literal"  # a text without escape sequences
UNCALCULATED = "uncalculated"  # a formula without a value
ZERO = "zero"  # the 0 of a formula, which is also the result of a reference to a blank cell

_MAX_CHARACTERS = 2 << 20  # of rows that are taken together
_TOO_LONG = 10**15  # Excel keeps 15 digits
_is_error = re.compile(CELL_ERROR).fullmatch
_CUSTOM = frozenset(("custom1", "custom2", "custom3", "custom4"))
_DATE_FIELDS = _CUSTOM | {"date"}
_WITHOUT_DECIMALS = frozenset((PHONE, "date", "url"))  # their rules have a better sentence
_GENERAL = frozenset(("General", "@"))

_BUILTIN = (
    BUILTIN_FORMATS
    | dict.fromkeys((5, 6, 7, 8, 42, 44), formats.UNKNOWN)
    | dict.fromkeys((37, 38), r"#,##0_ ;\-#,##0_ ")
    | dict.fromkeys((39, 40), r"#,##0.00_ ;\-#,##0.00_ ")
    | {14: "dd/mm/yyyy", 22: "dd/mm/yyyy hh:mm", 41: r'#,##0_ ;\-#,##0_ ;"-"_ ', 43: r'#,##0.00_ ;\-#,##0.00_ ;"-"_ '}
)
"""Number of a built-in format → the format. Where its reader's system decides, it is the French one, a currency is unknown."""


class Cell(NamedTuple):
    """The content of a cell."""

    value: Any  # none, a text, a boolean, a number, or a date, time or duration of `datetime`
    number_format: str = "General"
    kind: str = ""  # `ERROR`, `LITERAL`, `UNCALCULATED`, `ZERO` or empty
    shown: str | None = None  # what a number or a date shows, in a kind of file that says so; empty where that is missing
    is_struck: bool = False  # True when it is struck through


BLANK = Cell(None)


@dataclass(slots=True)
class TextRow:
    """A row of which most cells are nothing but text."""

    texts: Sequence[str]  # of all cells
    others: dict[int, Cell]  # position → the cell, where it is a number, a date, or text with escape sequences

    def cells(self) -> list[Cell]:
        """Return the row as cells."""
        found = [Cell(text) if text else BLANK for text in self.texts]
        for position, cell in self.others.items():
            found[position] = cell
        return found


Row = Sequence[Cell] | TextRow


def decode_number(number: float, number_format: str | int, epoch: dt.datetime) -> Cell:
    """Return the cell of a number, which is a date or a duration in some formats; an int is one of Excel's built-in formats.

    A number that is not a valid date is an error, as Excel shows it (###). `epoch` is one of openpyxl's two calendars.
    """
    code, is_date, is_duration = parse_format(number_format)
    if is_date and ";" in code:
        code, is_date, is_duration = parse_format(formats.section_for(code, number))
    if not is_date:
        return Cell(number, code)
    try:
        return Cell(from_excel(number, epoch, timedelta=is_duration), code)
    except (OverflowError, ValueError):
        return Cell("#VALUE!", kind=ERROR)


@lru_cache
def parse_format(number_format: str | int) -> tuple[str, bool, bool]:
    """Return a format as text, and True where one of its sections shows a date, and where it shows a duration."""
    code = _BUILTIN.get(number_format, "General") if isinstance(number_format, int) else number_format
    return code, any(map(is_date_format, code.split(";"))), is_timedelta_format(code)


def render(cell: Cell) -> str:
    """Return the text that `cell` shows, without colours.

    In General, and where the text is not sure, numbers have a decimal point and at most the 15 digits that Excel keeps, and dates
    are written 2020-12-31, with a time 2020-12-31 18:00:00.
    """
    value, code, kind, shown, _is_struck = cell
    if isinstance(value, str):
        return unescape(value) if "_x" in value and kind != LITERAL else value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if (code not in _GENERAL or shown) and (text := _render_formatted(cell)) is not None:
        return text
    return _render_plain(value)


def render_day(cell: Cell) -> str:
    """Return the text of a cell for the field `date`: a date as 2020-12-31, whatever its format shows of it."""
    return _render_plain(cell.value) if isinstance(cell.value, dt.date) else render(cell)


def check_cell(cell: Cell, field: str) -> Violation | None:
    """Return the violation of a cell whose value cannot be sent as text for `field`, else None."""
    value, code, kind, *_rest = cell
    if kind == ERROR:  # any text may have the type of errors
        return Violation("cell-error", field, {"error": str(value) if _is_error(str(value)) else "#?"})
    if kind == UNCALCULATED:
        return Violation("cell-formula", field)
    if value is None or isinstance(value, str):
        return Violation("cell-format", field) if code == formats.UNKNOWN else None
    if unsuitable := _unsuitable_kind(value, field):
        is_rounded = field == ID and isinstance(value, (int, float)) and abs(value) >= _TOO_LONG
        return Violation("id-rounded", field) if is_rounded else Violation("cell-kind", field, {"kind": unsuitable})
    if kind == ZERO and field not in _CUSTOM and render(cell).strip():
        return Violation("cell-kind", field, {"kind": _("the 0 of a formula, as for a blank cell,")})
    return None if _is_sure(cell, field) else Violation("cell-format", field)


def check_struck(cells: Sequence[Cell], id_position: int) -> Violation | None:
    """Return the violation of a row that is struck through: its id, or in a row without one all that it shows."""
    own = cells[id_position]
    if not own.is_struck:
        filled = [] if render(own).strip() else [cell for cell in cells if render(cell).strip()]
        if not filled or not all(cell.is_struck for cell in filled):
            return None
    return Violation("row-deleted", ID, {"mark": _("struck through")})


def _is_sure(cell: Cell, field: str) -> bool:
    """Return True when the text of a number or a date is known that `field` shows."""
    value, code, _kind, shown, _is_struck = cell
    if field == "date" and isinstance(value, dt.date):
        return True
    if code in _GENERAL and shown is None:
        return field in _WITHOUT_DECIMALS or not isinstance(value, float) or not value % 1 or _is_shown_in_full(value)
    text = _render_formatted(cell)
    # An id must not be another: rounded, scaled, or with a separator of decimals that depends on the reader's system.
    return text is not None and (field != ID or f"{value:.15g}" in re.sub("[^0-9]", "", text))


def _is_shown_in_full(value: float) -> bool:
    """Return True when Excel shows all digits of a decimal in General, and no exponent."""
    text = f"{abs(value):.15g}"
    return len(text) <= formats.LONGEST_GENERAL and "e" not in text


def _unsuitable_kind(value: Any, field: str) -> str:
    """Return the kind of a `value` that cannot be sent for `field`, as part of a sentence; empty for a suitable one."""
    if isinstance(value, bool):
        return _("TRUE or FALSE")
    if isinstance(value, (int, float)):
        if abs(value) >= _TOO_LONG:
            return _("a number longer than the 15 digits that Excel keeps")
        return _("not a number (NaN)") if math.isnan(value) else ""
    if isinstance(value, dt.date):  # a datetime is one too
        return "" if field in _DATE_FIELDS else _("a date")
    if isinstance(value, dt.time):
        return _("a time of day")
    return _("a duration") if isinstance(value, dt.timedelta) else ""


def _render_formatted(cell: Cell) -> str | None:
    """Return what a number, date or time shows in its format, or None where that is not sure."""
    value, code, _kind, shown, _is_struck = cell
    if shown is not None:
        return shown or None
    if isinstance(value, (int, float)):
        return formats.render(value, code) if abs(value) < _TOO_LONG else None
    return render_date(value, code) if isinstance(value, dt.datetime) and code not in _GENERAL else _render_plain(value)


def _render_plain(value: Any) -> str:
    if isinstance(value, (int, float)):
        return f"{value:.15g}" if value % 1 else str(int(value))  # `%` is true of infinity too
    if isinstance(value, dt.datetime):
        return str(value.date()) if value.time() == dt.time() else value.isoformat(" ", "seconds")
    return str(value)


def take_rows(rows: Iterator[tuple[int, Row]], most: int) -> Iterator[tuple[int, Row]]:
    """Yield the next rows, at most `most`, and fewer where their texts are long; many cells may share a text that all repeat."""
    characters = 0
    for number, row in islice(rows, most):
        yield number, row
        if isinstance(row, TextRow):
            characters += sum(map(len, row.texts))
        else:
            characters += sum(len(cell.value) for cell in row if isinstance(cell.value, str))
        if characters > _MAX_CHARACTERS:
            return
