"""OpenDocument spreadsheets, by one pass of expat over `content.xml`.

A cell contains the text it shows next to its value (`<text:p>00123</text:p>`), so styles and number formats need not be parsed. A
number that shows as in General, apart from its decimal comma, is a number like those of other workbooks.
Errors, hidden rows and merged cells are explicit in it; libraries leave them out.
"""

import re
import zipfile
from collections.abc import Callable
from functools import lru_cache
from io import FileIO
from typing import Any

from contact_sync.i18n import _
from contact_sync.model.fields import LAST_ROW, WIDEST
from contact_sync.source.archive import parse
from contact_sync.source.legacy import spool

_NAMESPACES = {f"urn:oasis:names:tc:opendocument:xmlns:{name}:1.0": name for name in ("office", "table", "text", "style")} | {
    "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0": "calcext"
}
_ERROR = re.compile(r"#(?:N/[AD]|NV|[^\s!?]+\s?[!?])|(?:Err|Erreur)\s?:\s?[0-9]{3}")
_DURATION = re.compile(r"(-?)P(?:([0-9]+)D)?T?(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+(?:[.,][0-9]+)?)S)?")
_CLOCK = re.compile(r"([0-9]+):([0-9]{2}):([0-9]{2}(?:\.[0-9]+)?)")  # a time as some programs write it, contrary to ODF
_NO_LENGTH = re.compile(r"0(?:\.0\d*)?[a-z]*|0\.\d+(?:mm|pt)")  # or so little that nothing is seen
_SPACES = re.compile("[ \t\r\n]+")
_CELLS = ("table:table-cell", "table:covered-table-cell")
_GROUPS = ("table:table-row-group", "table:table-column-group")
_PROPERTIES = ("style:text-properties", *(f"style:table{part}-properties" for part in ("", "-row", "-column")))
_STRUCTURE = frozenset(
    ["office:document-content", "office:body", "office:spreadsheet", "office:automatic-styles", "style:style"]
    + [f"table:table{part}" for part in ("", "-row", "-rows", "-header-rows")]
    + [f"table:table-{part}" for part in ("column", "columns", "header-columns")]
    + [*_CELLS, *_GROUPS, *_PROPERTIES]
)
"""Elements whose children are read; others may contain other rows (tracked changes) and texts (comments, drawings)."""
_PARAGRAPHS = ("text:p", "text:h")
_NOTES = ("text:note", "text:ruby-text")


def read(copy: FileIO, writer: spool.SpoolWriter) -> None:
    """Write all sheets with `writer`.

    Raises anything that zipfile and expat do on damage, `RefusedError` for a password and for cells that are out of range.
    """
    with zipfile.ZipFile(copy) as archive:
        if "META-INF/manifest.xml" in archive.namelist() and b"encryption-data" in archive.read("META-INF/manifest.xml"):
            raise spool.RefusedError(_("is protected by a password: save it without one."))
        with archive.open("content.xml") as part:
            parse(part, _ContentHandler(writer))


class _ContentHandler:
    """Writes the rows of `content.xml` as they end; memory does not grow with the sheets."""

    def __init__(self, writer: spool.SpoolWriter) -> None:
        self._writer = writer
        self._sheet = spool.SpooledSheet("", is_visible=False)
        self._column = self._row = self._skipped_depth = 0
        self._style, self._repeat, self._is_hidden = "", 1, False
        self._hidden_styles: set[str] = set()
        self._strikes: set[str] = set()  # names of styles
        self._struck: list[int] = []  # positions in the row
        self._hidden_groups: list[bool] = []
        self._cells: list[Any] = []
        self._cell: dict[str, str] | None = None
        self._texts: list[str] = []
        self._paragraph: list[str] | None = None
        self._starts: dict[str, Callable[[dict[str, str]], None]] = {
            "style:style": self._start_style,
            "table:table": self._start_table,
            "table:table-column": self._start_column,
            "table:table-row": self._start_row,
        }
        self._starts |= dict.fromkeys(_PROPERTIES, self._start_properties)
        self._starts |= dict.fromkeys(_CELLS, self._start_cell)
        self._starts |= dict.fromkeys(_GROUPS, self._start_group)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        tag = _prefixed(name)
        if self._skipped_depth or not self._is_read(tag):
            self._skipped_depth += 1
        elif tag.startswith("text:"):
            self._start_text(tag, attributes)
        elif start := self._starts.get(tag):
            start({_prefixed(key): text for key, text in attributes.items()})

    def _is_read(self, tag: str) -> bool:
        if self._cell is not None:
            return tag.startswith("text:") and tag not in _NOTES
        return tag in _STRUCTURE

    def end(self, name: str) -> None:
        if self._skipped_depth:
            self._skipped_depth -= 1
            return
        tag = _prefixed(name)
        if tag in _PARAGRAPHS:
            self._end_paragraph()
        elif tag in _CELLS:
            self._end_cell()
        elif tag == "table:table-row":
            self._end_row()
        elif tag in _GROUPS:
            self._hidden_groups.pop()

    def _start_style(self, attributes: dict[str, str]) -> None:
        self._style = attributes.get("style:name", "")

    def _start_properties(self, attributes: dict[str, str]) -> None:
        extents = (attributes.get("style:row-height"), attributes.get("style:column-width"))
        if attributes.get("table:display") == "false" or any(extent and _NO_LENGTH.fullmatch(extent) for extent in extents):
            self._hidden_styles.add(self._style)
        if attributes.get("style:text-line-through-style", "none") != "none":
            self._strikes.add(self._style)

    def _start_table(self, attributes: dict[str, str]) -> None:
        is_hidden = attributes.get("table:style-name") in self._hidden_styles or attributes.get("table:display") == "false"
        self._sheet = self._writer.begin(attributes.get("table:name", ""), is_visible=not is_hidden)
        self._row = self._column = 0

    def _start_group(self, attributes: dict[str, str]) -> None:
        self._hidden_groups.append(attributes.get("table:display") == "false")

    def _hides(self, attributes: dict[str, str]) -> bool:
        return (
            attributes.get("table:visibility", "visible") != "visible"
            or attributes.get("table:style-name") in self._hidden_styles
            or any(self._hidden_groups)
        )

    def _start_column(self, attributes: dict[str, str]) -> None:
        first = self._column + 1
        self._column += _count(attributes, "table:number-columns-repeated")
        if self._hides(attributes) and first <= WIDEST:
            self._sheet.hidden_columns.append((first, min(self._column, WIDEST)))

    def _start_row(self, attributes: dict[str, str]) -> None:
        self._repeat = _count(attributes, "table:number-rows-repeated")
        self._is_hidden = self._hides(attributes)
        self._column = 0
        self._cells, self._struck = [], []

    def _end_row(self) -> None:
        first, last = self._row + 1, self._row + self._repeat
        self._row = last
        if first > LAST_ROW:  # a cell with content there has been refused
            return
        last = min(last, LAST_ROW)
        if self._is_hidden:
            self._sheet.hide_rows(first, last)
        self._writer.row(first, self._cells, last - first + 1, self._struck)

    def _start_cell(self, attributes: dict[str, str]) -> None:
        self._cell, self._texts = attributes, []

    def _end_cell(self) -> None:
        attributes, self._cell = self._cell or {}, None
        first = self._column + 1
        count = _count(attributes, "table:number-columns-repeated")
        self._column += count
        right = first + _count(attributes, "table:number-columns-spanned") - 1
        bottom = self._row + _count(attributes, "table:number-rows-spanned")
        if right > first or bottom > self._row + 1:
            self._sheet.merge(first, self._row + 1, right, bottom)
        cell = _encode(attributes, self._texts)
        if spool.is_blank(cell):
            if first <= WIDEST:
                self._cells += [cell] * min(count, WIDEST - first + 1)
            return
        spool.check_place(first + count - 1, self._row + 1)
        self._cells += [cell] * count
        if attributes.get("table:style-name") in self._strikes:
            self._struck += range(first - 1, first - 1 + count)

    def _start_text(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in _PARAGRAPHS:
            self._paragraph = []
        elif self._paragraph is not None:
            if tag == "text:s":
                spaces = {_prefixed(key): text for key, text in attributes.items()}
                self._paragraph.append("\0" * min(_count(spaces, "text:c"), 1000))
            elif tag in ("text:tab", "text:line-break"):
                self._paragraph.append("\1" if tag == "text:tab" else "\2")

    def text(self, text: str) -> None:
        if self._paragraph is not None and not self._skipped_depth:
            self._paragraph.append(text)

    def _end_paragraph(self) -> None:
        # White space is collapsed, and removed at the start; spaces, tabs and line breaks to keep have their own elements.
        text = _SPACES.sub(" ", "".join(self._paragraph or ())).lstrip(" ")
        self._texts.append(text.replace("\0", " ").replace("\1", "\t").replace("\2", "\n"))
        self._paragraph = None


@lru_cache(1024)
def _prefixed(name: str) -> str:
    space, _, local = name.rpartition(" ")
    return f"{_NAMESPACES.get(space, '?')}:{local}"


def _count(attributes: dict[str, str], name: str) -> int:
    return max(int(attributes[name]), 1) if name in attributes else 1


def _encode(attributes: dict[str, str], texts: list[str]) -> Any:
    shown = "\n".join(texts) if texts else None
    kind = attributes.get("office:value-type")
    # Old programs write an error as the value 0; a text that only resembles an error is left to the rules.
    if attributes.get("calcext:value-type") == "error" or (
        (kind not in (None, "string") or "table:formula" in attributes) and _ERROR.fullmatch(shown or "")
    ):
        return [spool.ERROR, shown or "#?"]
    if kind is None and "table:formula" in attributes and not texts:
        return [spool.UNCALCULATED]
    if kind in (None, "string"):
        return attributes.get("office:string-value") or shown or None
    try:
        return _ENCODERS[kind](attributes, shown)
    except (KeyError, ValueError):  # a value of no known kind, such as the time PT-2147483648H00M00S
        return [spool.ERROR, "#VALUE!"]


def _encode_number(attributes: dict[str, str], shown: str | None) -> Any:
    value = attributes["office:value"]
    number = int(value) if re.fullmatch("-?[0-9]{1,18}", value) else float(value)
    if shown is None:
        return number if attributes["office:value-type"] == "float" else [spool.SHOWN, number, ""]
    if number == 0 and not shown:
        return None
    shown = shown.replace("\u202f", " ").replace("\xa0", " ")  # as in `contact_sync.source.number_format`
    if number in (0, 1) and shown.isalpha():
        return number == 1  # TRUE in any language
    if number == 0 and "table:formula" in attributes:
        return spool.encode_formula(0, shown)
    return number if shown.replace(",", ".") == f"{number:.15g}" else [spool.SHOWN, number, shown]


def _seconds(duration: str) -> float:
    if not (parts := _DURATION.fullmatch(_CLOCK.sub(r"PT\1H\2M\3S", duration))):
        raise ValueError(duration)
    sign, *amounts = parts.groups()
    days, hours, minutes, seconds = (float((amount or "0").replace(",", ".")) for amount in amounts)
    return (-1 if sign else 1) * (((days * 24 + hours) * 60 + minutes) * 60 + seconds)


_ENCODERS: dict[str, Callable[[dict[str, str], str | None], Any]] = {
    "boolean": lambda attributes, _: attributes["office:boolean-value"] == "true",
    "date": lambda attributes, shown: [spool.MOMENT, attributes["office:date-value"], shown or ""],
    "time": lambda attributes, _: [spool.DURATION, _seconds(attributes["office:time-value"])],
} | dict.fromkeys(("float", "percentage", "currency"), _encode_number)
