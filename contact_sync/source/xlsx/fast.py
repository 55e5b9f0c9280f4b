"""Rows of a sheet, and shared strings, by regular expressions where they are written as nearly all programs write them.

Expat calls Python six times a cell, which was most of the time of a large workbook. Here a row that is written like an earlier
one costs one match. All else (comments, namespaces, rich text, entities, cells without a reference) goes to the handlers that
expat calls, so that there is one meaning of a cell. tests/source/test_fast_xlsx.py compares the two ways.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import IO, NamedTuple, Protocol

from contact_sync.model.fields import WIDEST
from contact_sync.source.archive import Handler, parse_pieces

_BLOCK = 1 << 16
_LONGEST = 1 << 22  # bytes of a row; a longer one is not collected
_SHAPES, _TRIED = 100, 4  # compiled shapes at most, and how many of the last ones are tried on a row before it is taken apart
_FREQUENT = 3  # rows of a shape before it is compiled, which takes as long as taking apart a hundred
_FORGOTTEN = 10_000  # shapes that are counted

_ATTRIBUTES = r'(?: [A-Za-z_][\w:.\-]*="[^"<&\x00-\x1f]*")*'
_TEXT = r"[^<>&\x00-\x08\x0b-\x1f\ufffe\uffff]*"  # without what XML rewrites or forbids
_FORMULA = rf"<f{_ATTRIBUTES}(?: ?/>|>{_TEXT}</f>)"
_INLINE = r'<is><t(?: xml:space="preserve")?>'
_START = rf'<row r="([1-9][0-9]{{0,6}})"({_ATTRIBUTES})'
_HEAD = re.compile(
    rb'(?:\xef\xbb\xbf)?(?:<\?xml version="1\.0"(?: encoding="(?:utf|UTF)-8")?(?: standalone="(?:yes|no)")? ?\?>\s*)?'
    rb'<worksheet(?: [\w:]+="[^"<&]*")*? xmlns="http://schemas\.openxmlformats\.org/spreadsheetml/2006/main"[^<>]*>'
    rb"(?:(?!<[!?]| xmlns=).)*?<sheetData>",
    re.DOTALL,
)
_ROW = re.compile(rf"{_START}(?: ?/>|>(.*?)</row>)", re.DOTALL | re.ASCII)
_CELL = re.compile(
    rf'<c r="([A-Z]{{1,3}})([0-9]+)"(?: s="([0-9]+)")?(?: t="(n|s|b|e|d|str|inlineStr)")?'
    rf"(?: ?/>|>({_FORMULA})?(?:<v>({_TEXT})</v>|{_INLINE}({_TEXT})</t></is>)?</c>)",
    re.ASCII,
)
_STRING = rf'<si><t(?: xml:space="preserve")?>({_TEXT})</t></si>'
_STRINGS = re.compile(rf"(?:{_STRING})*"), re.compile(_STRING)
_STRINGS_HEAD = re.compile(
    rb'(?:\xef\xbb\xbf)?(?:<\?xml version="1\.0"(?: encoding="(?:utf|UTF)-8")?(?: standalone="(?:yes|no)")? ?\?>\s*)?'
    rb'<sst(?: [\w:]+="[^"<&]*")*? xmlns="http://schemas\.openxmlformats\.org/spreadsheetml/2006/main"[^<>]*>'
)


class CellShape(NamedTuple):
    """The way a cell is written, apart from its value."""

    letters: str
    style: str
    kind: str
    has_formula: bool
    has_value: bool

    @property
    def column(self) -> int:
        """The number of its column, counted from 1."""
        number = 0
        for letter in self.letters:
            number = number * 26 + ord(letter) - ord("A") + 1
        return number

    @property
    def pattern(self) -> str:
        """A regular expression for it in the row of group 1, with a group for its value."""
        style, kind = (f' {name}="{value}"' if value else "" for name, value in (("s", self.style), ("t", self.kind)))
        before, after = (_INLINE, "</t></is>") if self.kind == "inlineStr" else ("<v>", "</v>")
        inside = (_FORMULA if self.has_formula else "") + (f"{before}({_TEXT}){after}" if self.has_value else "")
        return rf'<c r="{self.letters}\1"{style}{kind}' + (f">{inside}</c>" if inside else "(?: ?/>|></c>)")


Row = tuple[str, ...]  # the number of a row, its attributes, and the values of the cells of its shape that have one


class RowHandler(Handler, Protocol):
    """The callbacks of expat, and those for rows that need no parser."""

    number: int  # of the last row

    def take(self, cells: tuple[CellShape, ...], rows: list[Row], /) -> None:
        """Take in consecutive rows that are written alike."""


def parse_rows(part: IO[bytes], handler: RowHandler) -> Iterator[None]:
    """Parse a sheet's XML and yield after each block; raises `expat.ExpatError` for broken XML, and what the handler raises."""
    buffer = part.read(_BLOCK)
    head = b""
    if found := _HEAD.match(buffer):
        head, buffer = found[0], buffer[found.end() :]
        shapes = _Shapes()
        while b"<!" not in buffer and b"<?" not in buffer and len(buffer) < _LONGEST:
            end = buffer.find(b"</sheetData>")
            if cut := end if end >= 0 else buffer.rfind(b"</row>") + len(b"</row>") if b"</row>" in buffer else 0:
                taken = shapes.read(buffer[:cut], handler)
                if taken < cut:
                    yield from parse_pieces([head, buffer[taken:cut], b"</sheetData></worksheet>"], handler)
                yield
                buffer = buffer[cut:]
            if end >= 0 or not (more := part.read(_BLOCK)):
                break
            buffer += more
    yield from parse_pieces(_rest(part, head, buffer), handler)


def _rest(part: IO[bytes], *before: bytes) -> Iterator[bytes]:
    yield from before
    while block := part.read(_BLOCK):
        yield block


class _Shapes:
    """The shapes of rows that were seen, by which the next ones are recognised."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[CellShape, ...]] = Counter()
        self._compiled: dict[tuple[CellShape, ...], re.Pattern[str]] = {}
        self._recent: list[tuple[re.Pattern[str], tuple[CellShape, ...]]] = []

    def read(self, block: bytes, handler: RowHandler) -> int:
        """Hand the rows of a block to `handler`, up to the first one that is not recognised; return its position in bytes."""
        try:
            text = block.decode()
        except UnicodeDecodeError:
            return 0
        position, end = 0, len(text)
        run: list[Row] = []
        cells: tuple[CellShape, ...] = ()
        while position < end:
            if not (found := self._match(text, position)):
                break
            shape, row, position = found
            if shape != cells:
                if run:
                    handler.take(cells, run)
                run, cells = [], shape
            run.append(row)
        if run:
            handler.take(cells, run)
            handler.number = int(run[-1][0])
        return len(block) if position == end else len(text[:position].encode())

    def _match(self, text: str, position: int) -> tuple[tuple[CellShape, ...], Row, int] | None:
        """Return the shape of the row at `position`, the row, and its end; None when it is not recognised."""
        for at, (pattern, shape) in enumerate(self._recent):
            if found := pattern.match(text, position):
                if at:
                    self._recent.insert(0, self._recent.pop(at))
                return shape, found.groups(), found.end()
        if not (row := _ROW.match(text, position)) or (cells := _take_apart(row[3] or "", row[1])) is None:
            return None
        shape = tuple(cell for cell, _value in cells)
        self._note(shape)
        return shape, (row[1], row[2], *(value for _cell, value in cells if value is not None)), row.end()

    def _note(self, shape: tuple[CellShape, ...]) -> None:
        """Count a row that was taken apart, and try the shape of frequent ones on the next rows."""
        if len(self._seen) > _FORGOTTEN:
            self._seen.clear()
        self._seen[shape] += 1
        if self._seen[shape] < _FREQUENT:
            return
        if shape not in self._compiled:
            if len(self._compiled) == _SHAPES:
                return
            cells = "".join(cell.pattern for cell in shape)
            self._compiled[shape] = re.compile(f"{_START}>{cells}</row>", re.ASCII)
        self._recent = [(self._compiled[shape], shape), *self._recent[: _TRIED - 1]]


def _take_apart(body: str, number: str) -> list[tuple[CellShape, str | None]] | None:
    """Return the cells of a row, each with its value, which is None where it has none; None when a cell is not recognised."""
    cells: list[tuple[CellShape, str | None]] = []
    position = last = 0
    while position < len(body):
        if not (found := _CELL.match(body, position)) or found[2] != number:
            return None
        letters, _row, style, kind, formula, value, inline = found.groups()
        if (inline is None) == (kind == "inlineStr") and (value, inline) != (None, None):
            return None
        value = inline if value is None else value
        cell = CellShape(letters, style or "", kind or "", formula is not None, value is not None)
        if cell.column <= last or cell.column > WIDEST:
            return None
        cells.append((cell, value))
        position, last = found.end(), cell.column
    return cells


class StringHandler(Handler, Protocol):
    """The callbacks of expat, and that for strings that need no parser."""

    def take(self, texts: list[str], /) -> None:
        """Take in the next strings."""


def parse_strings(part: IO[bytes], handler: StringHandler) -> None:
    """Parse `sharedStrings.xml`; raises as `parse_rows` does."""
    buffer = part.read(_BLOCK)
    head, end = b"", b"</si>"
    if found := _STRINGS_HEAD.match(buffer):
        head, buffer = found[0], buffer[found.end() :]
        whole, one = _STRINGS
        while b"<!" not in buffer and b"<?" not in buffer and len(buffer) < _LONGEST:
            if cut := buffer.rfind(end) + len(end) if end in buffer else 0:
                try:
                    text = buffer[:cut].decode()
                except UnicodeDecodeError:
                    break
                if whole.fullmatch(text):
                    handler.take(one.findall(text))
                else:
                    for _block in parse_pieces([head, buffer[:cut], b"</sst>"], handler):
                        pass
                buffer = buffer[cut:]
            if not (more := part.read(_BLOCK)):
                break
            buffer += more
    for _block in parse_pieces(_rest(part, head, buffer), handler):
        pass
