"""The shared strings of an .xlsx, in memory that does not grow with the number of cells that show them."""

from array import array
from collections.abc import Sequence

from openpyxl.xml.constants import SHEET_MAIN_NS

from contact_sync.errors import SourceError

_TEXT, _STRING, _PHONETIC = (f"{SHEET_MAIN_NS} {tag}" for tag in ("t", "si", "rPh"))
_MAX_STRINGS = 256 << 20  # bytes
_LONG, _KEPT = 256, 64  # bytes of a long string, and how many of them are kept decoded


class SharedStrings:
    """The strings that cells refer to by number, collected in one buffer: a list of them would take five times the memory.

    A string is the text of its runs, without the phonetic reading of Japanese.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._ends = array("Q", [0])
        self._text = ""
        self._long: dict[int, str] = {}
        self._is_inside_text = self._is_phonetic = False

    def __getitem__(self, index: int) -> str:
        """Return the string with this number, counted from 0; raises `IndexError` where there is none."""
        if index < 0:
            raise IndexError(index)
        start, end = self._ends[index], self._ends[index + 1]
        if end - start < _LONG:
            return self._buffer[start:end].decode()
        if index not in self._long:  # cells that show it share one text
            if len(self._long) == _KEPT:
                self._long.clear()
            self._long[index] = self._buffer[start:end].decode()
        return self._long[index]

    def texts(self, indexes: Sequence[str]) -> list[str]:
        """Return the strings with these numbers. Raises as `__getitem__`, and `ValueError` for what is no number."""
        buffer, ends, found = self._buffer, self._ends, []
        for index in map(int, indexes):
            start, end = ends[index], ends[index + 1]
            found.append(buffer[start:end].decode() if end - start < _LONG and index >= 0 else self[index])
        return found

    def take(self, texts: Sequence[str]) -> None:
        """Take in the next strings."""
        for text in texts:
            self._buffer += text.encode()
            self._ends.append(len(self._buffer))
        self._check_size()

    def _check_size(self) -> None:
        if len(self._buffer) > _MAX_STRINGS:
            raise SourceError(
                "The workbook has more than {limit} MB of different texts: copy the contacts to a new workbook.",
                limit=_MAX_STRINGS >> 20,
            )

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        """Handle a start tag of `sharedStrings.xml`."""
        if tag == _TEXT:
            self._is_inside_text = not self._is_phonetic
        elif tag == _PHONETIC:
            self._is_phonetic = True

    def text(self, text: str) -> None:
        """Handle text of `sharedStrings.xml`."""
        if self._is_inside_text:
            self._text += text

    def end(self, tag: str) -> None:
        """Handle an end tag of `sharedStrings.xml`."""
        if tag == _TEXT:
            self._is_inside_text = False
        elif tag == _PHONETIC:
            self._is_phonetic = False
        elif tag == _STRING:
            self.take([self._text])
            self._text = ""
