"""The cells of a sheet of .xlsx, row by row, in memory that does not grow with the sheet.

openpyxl reads them too, at three times the time, and keeps an element for every row and a text for every cell (measured: 260
bytes a row); what a number stands for is still asked of it.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import IO, Protocol
from xml.etree import ElementTree as ET
from xml.parsers import expat

from openpyxl.utils.cell import column_index_from_string
from openpyxl.utils.datetime import from_ISO8601
from openpyxl.xml.constants import SHEET_MAIN_NS

from contact_sync.source.cells import BLANK, ERROR, Cell, cell_of_number

_BLOCK = 1 << 16
_ROW, _CELL, _VALUE, _TEXT, _SHARED, _PHONETIC = (f"{SHEET_MAIN_NS} {tag}" for tag in ("row", "c", "v", "t", "si", "rPh"))


class _Handler(Protocol):
    """What expat calls."""

    def start(self, tag: str, attributes: dict[str, str]) -> None: ...
    def text(self, text: str) -> None: ...
    def end(self, tag: str) -> None: ...


def _parsed(part: IO[bytes], handler: _Handler) -> Iterator[None]:
    """Let `handler` know what is in `part`, and yield after every block."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = handler.start, handler.end
    parser.CharacterDataHandler = handler.text
    while block := part.read(_BLOCK):
        parser.Parse(block, False)
        yield
    parser.Parse(b"", True)
    yield


class Texts:
    """The texts that cells share, in one piece: a list of them would take five times the memory."""

    def __init__(self) -> None:
        self._all = bytearray()
        self._ends = array("Q", [0])

    def append(self, text: str) -> None:
        """Add one."""
        self._all += text.encode()
        self._ends.append(len(self._all))

    def __getitem__(self, index: int) -> str:
        """The text with this number, counted from 0; raises `IndexError` where there is none."""
        if index < 0:
            raise IndexError(index)
        return self._all[self._ends[index] : self._ends[index + 1]].decode()


class _Shared:
    """Collects the shared texts: of each, what is in its runs, and not how a Japanese reader pronounces it."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._text = ""
        self._inside = self._is_phonetic = False

    def start(self, tag: str, _: dict[str, str]) -> None:
        if tag == _TEXT:
            self._inside = not self._is_phonetic
        elif tag == _PHONETIC:
            self._is_phonetic = True
        elif tag == _SHARED:
            self._text = ""

    def text(self, text: str) -> None:
        if self._inside:
            self._text += text

    def end(self, tag: str) -> None:
        if tag == _TEXT:
            self._inside = False
        elif tag == _PHONETIC:
            self._is_phonetic = False
        elif tag == _SHARED:
            self._texts.append(self._text)


def read_texts(part: IO[bytes]) -> Texts:
    """Return the texts of a `sharedStrings.xml`; raises `expat.ExpatError` for broken XML."""
    texts = Texts()
    for _ in _parsed(part, _Shared(texts)):
        pass
    return texts


def read_formats(part: IO[bytes]) -> list[str | int]:
    """Return the number format of each cell style of a `styles.xml`: as text, or the number of one of Excel's own."""
    styles = ET.parse(part).getroot()  # noqa: S314 - what declares a document type was refused
    name = f"{{{SHEET_MAIN_NS}}}"
    own = {int(one.attrib["numFmtId"]): one.attrib["formatCode"] for one in styles.iterfind(f"{name}numFmts/{name}numFmt")}
    numbers = (int(style.get("numFmtId", "0")) for style in styles.iterfind(f"{name}cellXfs/{name}xf"))
    return [own.get(number, number) for number in numbers]


@dataclass(slots=True)
class WorkbookContext:
    """What the cells of a workbook refer to."""

    texts: Texts
    formats: Sequence[str | int]
    """For each cell style."""
    epoch: datetime

    def cell(self, kind: str, style: str, text: str) -> Cell:
        """Return the cell of that `t` and `s` that holds `text`.

        Raises `ValueError` or `IndexError` where it refers to nothing.
        """
        if kind == "s":
            return Cell(self.texts[int(text)])
        if kind == "n":
            return cell_of_number(_number(text), self.formats[int(style)] if style and self.formats else 0, self.epoch)
        if kind == "b":
            return Cell(bool(int(text)))
        if kind == "e":
            return Cell(text, kind=ERROR)
        return Cell(_moment(text) if kind == "d" else text)


_moment: Callable[[str], object] = from_ISO8601


def _number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)


class _Grid:
    """Collects rows of cells."""

    def __init__(self, meaning: Callable[[str, str, str], Cell], width: int) -> None:
        self.done: list[tuple[int, list[Cell]]] = []
        self._meaning, self._width = meaning, width
        self._row: list[Cell] = []
        self._number = self._column = 0
        self._kind = self._style = self._text = self._wanted = ""
        self._inside = self._is_phonetic = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == _CELL:
            self._column = _column(attributes["r"].rstrip("0123456789")) if "r" in attributes else self._column + 1
            self._kind, self._style = attributes.get("t", "n"), attributes.get("s", "")
            self._wanted = _TEXT if self._kind == "inlineStr" else _VALUE
            self._text = ""
        elif tag == self._wanted:
            self._inside = not self._is_phonetic
        elif tag == _PHONETIC:
            self._is_phonetic = True
        elif tag == _ROW:
            self._number = int(float(attributes.get("r", self._number + 1)))
            self._row, self._column = [BLANK] * self._width, 0

    def text(self, text: str) -> None:
        if self._inside:
            self._text += text

    def end(self, tag: str) -> None:
        if tag == self._wanted:
            self._inside = False
        elif tag == _CELL:
            if self._text and self._column <= self._width:
                self._row[self._column - 1] = self._meaning(self._kind, self._style, self._text)
        elif tag == _PHONETIC:
            self._is_phonetic = False
        elif tag == _ROW:
            self.done.append((self._number, self._row))


@lru_cache
def _column(letters: str) -> int:
    return column_index_from_string(letters)


def read_rows(part: IO[bytes], meaning: WorkbookContext, width: int) -> Iterator[tuple[int, list[Cell]]]:
    """Yield the numbered rows of a sheet's XML, each with its first `width` cells.

    Rows and cells must be in order (`contact_sync.source.archive.scan`). Raises `expat.ExpatError` for broken XML, `ValueError`
    or `IndexError` for a cell that refers to nothing.
    """
    grid = _Grid(meaning.cell, width)
    for _ in _parsed(part, grid):
        yield from grid.done
        grid.done.clear()
