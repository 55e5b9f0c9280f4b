"""What a workbook's archive and its sheets' XML must not hold (spreadsheets.md A.8)."""

import io
import warnings
import zipfile
from collections.abc import Callable

import pytest

from contact_sync.errors import SourceError
from contact_sync.source import archive as archives

from .reading import edited, read, sheet

HEAD = ["contactId", "nom"]
PLAIN = sheet(HEAD, ["1", "a"], ["2", "b"])
SHEET = "xl/worksheets/sheet1.xml"


def extended(*parts: tuple[str, bytes]) -> bytes:
    """Return the plain workbook with more parts."""
    stream = io.BytesIO(PLAIN)
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as zipped:
        warnings.simplefilter("ignore")
        for name, part in parts:
            zipped.writestr(name, part)
    return stream.getvalue()


def with_doctype(part: bytes) -> bytes:
    """Return XML with an entity."""
    return part.replace(b"<worksheet", b'<!DOCTYPE x [<!ENTITY a "INJECTED">]><worksheet', 1)


def encrypted() -> bytes:
    """Return the plain workbook with the mark of encryption on its parts."""
    content = bytearray(PLAIN)
    with zipfile.ZipFile(io.BytesIO(PLAIN)) as zipped:
        content[zipped.infolist()[0].header_offset + 6] |= 1
        content[zipped.start_dir + 8] |= 1
    return bytes(content)


def flipped() -> bytes:
    """Return the plain workbook with a wrong checksum."""
    stored = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(PLAIN)) as before, zipfile.ZipFile(stored, "w") as after:
        for name in before.namelist():
            after.writestr(name, before.read(name))
    return stored.getvalue().replace(b">1</", b">7</", 1)


def rows(old: bytes, new: bytes) -> Callable[[], bytes]:
    """Return the plain workbook with something else in its sheet."""

    def change(part: bytes) -> bytes:
        assert old in part
        return part.replace(old, new)

    return lambda: edited(PLAIN, {SHEET: change})


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "Y1 bomb": (lambda: extended(("xl/bomb.xml", b" " * (11 << 20))), "unpacks to more than 100 times its size"),
    "many parts": (lambda: extended(*((f"x{n}", b"") for n in range(2000))), "parts inside, 2000 at most"),
    "X33 twice": (lambda: extended((SHEET, b"<x/>")), "contains one of its parts twice"),
    "X33 twice but for case": (lambda: extended((SHEET.upper(), b"<x/>")), "contains one of its parts twice"),
    "X40 entity": (lambda: edited(PLAIN, {SHEET: with_doctype}), "contains a document type declaration"),
    "X40 entity in UTF-16": (
        lambda: extended(("xl/x.xml", '<?xml version="1.0"?><!DOCTYPE x>'.encode("utf-16"))),
        "contains a document type declaration",
    ),
    "entity between blocks": (
        lambda: extended(("xl/x.xml", b"x" * (archives._BLOCK - 4) + b"<!DOCTYPE x>")),
        "contains a document type declaration",
    ),
    "encrypted": (encrypted, "is protected by a password"),
    "X33 checksum": (flipped, "is damaged"),
    "rows out of order": (rows(b'<row r="3"', b'<row r="2"'), "its rows are out of order at row 2"),
    "a row too far": (rows(b'<row r="3"', b'<row r="1048577"'), "its rows are out of order at row 2"),
    "cells out of order": (rows(b'<c r="B3"', b'<c r="A3"'), "its cells are out of order at row 3"),
    "a cell of another row": (rows(b'<c r="B3"', b'<c r="B2"'), "its cells are out of order at row 3"),
    "merged cells that are none": (
        rows(b"</sheetData>", b'</sheetData><mergeCells><mergeCell ref="?"/></mergeCells>'),
        "is damaged",
    ),
}


@pytest.mark.parametrize(("content", "sentence"), REFUSED.values(), ids=REFUSED)
def test_refused(content: Callable[[], bytes], sentence: str) -> None:
    """What openpyxl would fall for, or get wrong in silence, is refused before it is asked."""
    with pytest.raises(SourceError) as refusal:
        read(content())
    assert sentence in str(refusal.value)


def test_total_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workbook that would unpack to more than 1 GB is refused."""
    monkeypatch.setattr(archives, "_TOTAL", 5000)
    with pytest.raises(SourceError, match="unpacks to more than 1 GB"):
        read(PLAIN)


def test_an_honest_long_cell() -> None:
    """A small part may be packed as tightly as it likes."""
    assert read(sheet(HEAD, ["1", "a" * 32_000])).rows == [["1", "a" * 32_000]]


def test_rows_and_cells_without_numbers() -> None:
    """A sheet need not number its rows and cells; they then follow each other."""

    def bare(part: bytes) -> bytes:
        for name in (b"A1", b"B1", b"A2", b"B2", b"A3", b"B3", b"1", b"2", b"3"):
            part = part.replace(b' r="%b"' % name, b"")
        return part

    assert read(edited(PLAIN, {SHEET: bare})).numbered == [(2, ["1", "a"]), (3, ["2", "b"])]


def test_a_prefix_on_every_element() -> None:
    """Some programs write `x:row` for `row`; what is hidden is seen all the same."""

    def prefixed(part: bytes) -> bytes:
        part = (
            part.replace(b'<row r="3"', b'<row r="3" hidden="true"')
            .replace(b"<", b"<x:")
            .replace(b"<x:/", b"</x:")
            .replace(b"<x:?", b"<?")
        )
        return part.replace(b"xmlns=", b"xmlns:x=")

    assert read(edited(PLAIN, {SHEET: prefixed}), hidden="skip").skipped == [3]


def test_hidden_ranges_of_columns() -> None:
    """Columns hidden to the far right are no work; those of a field count, also by a width of nothing."""
    for hidden in (b'<cols><col min="2" max="16384" hidden="1"/></cols>', b'<cols><col min="2" max="2" width="0"/></cols>'):
        with pytest.raises(SourceError, match="the columns of lastname are hidden"):
            read(rows(b"<sheetData>", hidden + b"<sheetData>")())
    assert read(rows(b"<sheetData>", b'<cols><col min="1" max="2" width="9"/></cols><sheetData>')()).rows == [
        ["1", "a"],
        ["2", "b"],
    ]


def test_rows_of_no_height() -> None:
    """A row of no height is hidden, too."""
    assert read(rows(b'<row r="3"', b'<row r="3" ht="0" customHeight="1"')(), hidden="skip").skipped == [3]
