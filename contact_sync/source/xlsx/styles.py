"""The styles of an .xlsx that change what a cell says: number formats, and fonts that strike it through."""

from typing import IO, NamedTuple
from xml.etree import ElementTree as ET

from openpyxl.xml.constants import SHEET_MAIN_NS

_NAME = f"{{{SHEET_MAIN_NS}}}"


class Styles(NamedTuple):
    """The properties of the cell styles of a workbook, which cells refer to by number."""

    formats: list[str | int]  # the number format of each: as text, or the number of a built-in one
    struck: frozenset[str]  # the numbers of those that strike the text through, as the attribute `s` has them


def read_styles(part: IO[bytes]) -> Styles:
    """Return the cell styles of a `styles.xml`."""
    styles = ET.parse(part).getroot()  # noqa: S314 - `refuse_unsafe` has refused document types
    custom = {int(one.attrib["numFmtId"]): one.attrib["formatCode"] for one in styles.iterfind(f"{_NAME}numFmts/{_NAME}numFmt")}
    fonts = {str(at) for at, font in enumerate(styles.iterfind(f"{_NAME}fonts/{_NAME}font")) if _strikes(font)}
    cells = list(styles.iterfind(f"{_NAME}cellXfs/{_NAME}xf"))
    numbers = (int(style.get("numFmtId", "0")) for style in cells)
    return Styles(
        [custom.get(number, number) for number in numbers],
        frozenset(str(at) for at, style in enumerate(cells) if style.get("fontId") in fonts),
    )


def _strikes(font: ET.Element) -> bool:
    strike = font.find(f"{_NAME}strike")
    return strike is not None and strike.get("val", "1") not in ("0", "false")
