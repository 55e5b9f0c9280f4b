"""Safety of a workbook's archive and of its sheets' XML (spreadsheets.md A.8)."""

import io
import warnings
import zipfile
from collections.abc import Callable

import pytest

from contact_sync.errors import SourceError
from contact_sync.source import archive as archives

from .reading import edit_parts, read, sheet, unzip, zip_parts

HEAD = ["contactId", "nom"]
PLAIN = sheet(HEAD, ["1", "a"], ["2", "b"])
SHEET = "xl/worksheets/sheet1.xml"


def with_parts(*parts: tuple[str, bytes]) -> bytes:
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
    """Return the plain workbook with the encryption flag on its parts."""
    content = bytearray(PLAIN)
    with zipfile.ZipFile(io.BytesIO(PLAIN)) as zipped:
        content[zipped.infolist()[0].header_offset + 6] |= 1
        content[zipped.start_dir + 8] |= 1
    return bytes(content)


def with_wrong_checksum() -> bytes:
    """Return the plain workbook with a wrong checksum."""
    return zip_parts(unzip(PLAIN), is_compressed=False).replace(b">1</", b">7</", 1)


def with_sheet_xml(old: bytes, new: bytes) -> Callable[[], bytes]:
    """Return a builder of the plain workbook with other XML in its sheet."""

    def change(part: bytes) -> bytes:
        assert old in part
        return part.replace(old, new)

    return lambda: edit_parts(PLAIN, {SHEET: change})


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "Y1 zip bomb": (lambda: with_parts(("xl/bomb.xml", b" " * (11 << 20))), "unpacks to more than 100 times its size"),
    "too many parts": (lambda: with_parts(*((f"x{n}", b"") for n in range(2000))), "parts inside, 2000 at most"),
    "X33 a part twice": (lambda: with_parts((SHEET, b"<x/>")), "contains one of its parts twice"),
    "X33 a part twice in another case": (lambda: with_parts((SHEET.upper(), b"<x/>")), "contains one of its parts twice"),
    "X40 document type with an entity": (
        lambda: edit_parts(PLAIN, {SHEET: with_doctype}),
        "contains a document type declaration",
    ),
    "X40 document type in UTF-16": (
        lambda: with_parts(("xl/x.xml", '<?xml version="1.0"?><!DOCTYPE x>'.encode("utf-16"))),
        "contains a document type declaration",
    ),
    "document type across two blocks": (
        lambda: with_parts(("xl/x.xml", b"<" + b"x" * (archives._BLOCK - 5) + b"<!DOCTYPE x>")),
        "contains a document type declaration",
    ),
    "encrypted parts": (encrypted, "is protected by a password"),
    "X33 wrong checksum": (with_wrong_checksum, "is damaged"),
    "rows out of order": (with_sheet_xml(b'<row r="3"', b'<row r="2"'), "its rows are out of order at row 2"),
    "a row after the last one": (with_sheet_xml(b'<row r="3"', b'<row r="1048577"'), "its rows are out of order at row 2"),
    "cells out of order": (with_sheet_xml(b'<c r="B3"', b'<c r="A3"'), "its cells are out of order at row 3"),
    "a cell of another row": (with_sheet_xml(b'<c r="B3"', b'<c r="B2"'), "its cells are out of order at row 3"),
    "invalid merged range": (
        with_sheet_xml(b"</sheetData>", b'</sheetData><mergeCells><mergeCell ref="?"/></mergeCells>'),
        "is damaged",
    ),
}


@pytest.mark.parametrize(("content", "sentence"), REFUSED.values(), ids=REFUSED)
def test_unsafe_archive_is_refused(content: Callable[[], bytes], sentence: str) -> None:
    """An archive that openpyxl would misread, or inflate without a limit, is refused before openpyxl opens it."""
    with pytest.raises(SourceError) as refusal:
        read(content())
    assert sentence in str(refusal.value)


def test_archive_over_1_gb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workbook that would unpack to more than 1 GB is refused."""
    monkeypatch.setattr(archives, "_MAX_BYTES", 5000)
    with pytest.raises(SourceError, match="unpacks to more than 1 GB"):
        read(PLAIN)


def test_small_part_may_have_any_compression_ratio() -> None:
    """A small part is accepted at any compression ratio."""
    assert read(sheet(HEAD, ["1", "a" * 32_000])).rows == [["1", "a" * 32_000]]


def test_rows_and_cells_without_numbers_follow_each_other() -> None:
    """Rows and cells without numbers are counted."""

    def bare(part: bytes) -> bytes:
        for name in (b"A1", b"B1", b"A2", b"B2", b"A3", b"B3", b"1", b"2", b"3"):
            part = part.replace(b' r="%b"' % name, b"")
        return part

    assert read(edit_parts(PLAIN, {SHEET: bare})).numbered == [(2, ["1", "a"]), (3, ["2", "b"])]


def test_hidden_row_is_found_under_a_namespace_prefix() -> None:
    """Some programs write `x:row` for `row`; its attributes are read."""

    def prefixed(part: bytes) -> bytes:
        part = (
            part.replace(b'<row r="3"', b'<row r="3" hidden="true"')
            .replace(b"<", b"<x:")
            .replace(b"<x:/", b"</x:")
            .replace(b"<x:?", b"<?")
        )
        return part.replace(b"xmlns=", b"xmlns:x=")

    assert read(edit_parts(PLAIN, {SHEET: prefixed}), hidden="skip").skipped == [3]


def test_hidden_column_ranges() -> None:
    """A hidden range counts where it covers a field, also when its width is 0; a range up to the last column is cheap."""
    for hidden in (b'<cols><col min="2" max="16384" hidden="1"/></cols>', b'<cols><col min="2" max="2" width="0"/></cols>'):
        with pytest.raises(SourceError, match="the columns of “nom” are hidden"):
            read(with_sheet_xml(b"<sheetData>", hidden + b"<sheetData>")())
    assert read(with_sheet_xml(b"<sheetData>", b'<cols><col min="1" max="2" width="9"/></cols><sheetData>')()).rows == [
        ["1", "a"],
        ["2", "b"],
    ]


def test_row_of_height_0_is_hidden() -> None:
    """A row of height 0 is hidden."""
    for height in (b"0", b"0.25", b"1e-05"):
        assert read(with_sheet_xml(b'<row r="3"', b'<row r="3" ht="%b" customHeight="1"' % height)(), hidden="skip").skipped == [
            3
        ]


METADATA = b'<?xml version="1.0"?><!DOCTYPE plist PUBLIC "-//Apple Computer//DTD PLIST 1.0//EN" "x.dtd"><plist/>'


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("xl/media/image1.png", b"\x89PNG\r\n\x1a\n" + METADATA),
        ("xl/media/image1.svg", b"<!DOCTYPE svg><svg/>"),
        ("customXml/item1.xml", METADATA),
        ("xl/embeddings/page.html", b"<!DOCTYPE html><html/>"),
    ],
)
def test_document_type_in_a_part_that_is_not_parsed_is_accepted(name: str, part: bytes) -> None:
    """Pictures and the data of add-ins are not parsed, and may contain a document type."""
    assert read(with_parts((name, part))).rows == [["1", "a"], ["2", "b"]]


def test_document_type_after_blanks_is_refused() -> None:
    """Blanks in front do not hide a document type."""
    with pytest.raises(SourceError, match="contains a document type declaration"):
        read(with_parts(("xl/x.xml", b" " * (archives._BLOCK + 1) + b"<!DOCTYPE x>")))


def test_sheet_that_is_named_like_a_picture_has_no_document_type() -> None:
    """A sheet under the name of a picture is parsed, so that it must not declare a document type."""
    parts = unzip(PLAIN)
    parts["xl/worksheets/sheet1.svg"] = with_doctype(parts.pop(SHEET))
    for name in ("[Content_Types].xml", "xl/_rels/workbook.xml.rels"):
        parts[name] = parts[name].replace(b"sheet1.xml", b"sheet1.svg")
    with pytest.raises(SourceError, match="is damaged"):
        read(zip_parts(parts))
