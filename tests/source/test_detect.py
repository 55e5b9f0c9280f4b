"""What a file is, told by its content (spreadsheets.md A.1 and A.8)."""

import gzip
from io import FileIO
from pathlib import Path

import pytest

from contact_sync.errors import SourceError
from contact_sync.source.detect import Kind, recognise

from .reading import archive, read, sheet, text
from .writing import xls

ROWS = (["contactId", "firstname"], ["C1", "Zoé"])
CSV, BOOK = text("contactId;firstname", "C1;Zoé"), sheet(*ROWS)


def ole(*streams: str, shift: int = 9) -> bytes:
    """Return an old Office container, as far as its directory of stream names."""
    sector = 1 << shift
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 22 + shift.to_bytes(2, "little") + b"\0" * 16 + (2).to_bytes(4, "little")
    directory = b"".join(name.encode("utf-16-le").ljust(128, b"\0") for name in ("Root Entry", *streams))
    return head.ljust(3 * sector, b"\0") + directory


REFUSED = {
    "C58 empty": (b"", "is empty"),
    "X41 password": (ole("EncryptionInfo", "EncryptedPackage"), "is protected by a password"),
    "doc": (ole("WordDocument"), "but not a workbook"),
    "ole cut off": (ole("Workbook")[:40], "but not a workbook"),
    "docx": (archive(**{"[Content_Types].xml": b"", "word/document.xml": b""}), "is a Word document"),
    "C81 zip": (archive(**{"contacts.csv": b"contactId;nom"}), "is a zip archive: unpack it"),
    "xlsx with other slashes": (
        archive(**{"[content_types].xml": b"<Types/>", "xl\\workbook.xml": b""}),
        "is damaged, or still being copied: open it in Excel and save it again",
    ),
    "empty zip": (b"PK\x05\x06" + b"\0" * 18, "is an empty zip archive"),
    "X33 cut off": (sheet(["contactId", "nom"], ["1", "a"])[:2000], "is damaged, or still being copied"),
    "C85 gzip": (gzip.compress(b"contactId;nom"), "is compressed with gzip: unpack it"),
    "pdf": (b"%PDF-1.4\n", "is a PDF"),
    "png": (b"\x89PNG\r\n\x1a\n", "is a picture"),
    "rtf": (b"{\\rtf1\\ansi", "is a text document (RTF)"),
    "C67 login page": (b"\r\n<!DOCTYPE html>\n<html><form>", "is a web page, perhaps a login page"),
    "C68 table named xls": (b"<html xmlns:o='urn:schemas-microsoft-com:office:office'><table>", "is a web page"),
    "web page in UTF-16": ("\ufeff<HTML>".encode("utf-16-le"), "is a web page"),
    "XHTML": (b'<?xml version="1.0"?>\n<html>', "is a web page"),
    "X31 XML 2003": (b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook>', "is an XML spreadsheet of 2003"),
    "flat ODF": (
        b'<?xml version="1.0"?><office:document office:mimetype="application/vnd.oasis.opendocument.spreadsheet"><style:style/>',
        "is a flat XML spreadsheet (.fods): open it in LibreOffice and save it as .ods",
    ),
    "XML with the words of a web page": (b'<?xml version="1.0"?><x:e><meta:a/><style-b/><title2/>', "is an XML document"),
    "Excel 2": (b"\x09\0\x04\0\x02\0\x10\0", "is a workbook of a very old Excel"),
    "Excel 4": (b"\x09\x04\x06\0\0\0\x10\0\0\0", "is a workbook of a very old Excel"),
    "Excel 5 without a container": (b"\x09\x08\x08\0\0\x05\x05\0\0\0\0\0", "is a workbook of a very old Excel"),
    "other XML": (b'\xef\xbb\xbf<?xml version="1.0"?><contacts>', "is an XML document"),
    "C70 JSON": (b' [ {"contactId": 1}]', "is JSON"),
    "JSON object": (b'{"contacts": []}', "is JSON"),
    "X32 gsheet": (
        b'{"url": "https://docs.google.com/open?id=1", "doc_id": "1"}',
        "is only a shortcut to Google Drive: download the sheet as .xlsx",
    ),
}


@pytest.mark.parametrize(("content", "sentence"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("name", ["contacts.csv", "contacts.xlsx"])
def test_refused(content: bytes, sentence: str, name: str) -> None:
    """What holds no table that is read is named for what it is, whatever it calls itself."""
    with pytest.raises(SourceError) as refusal:
        read(content, name)
    assert str(refusal.value).startswith(name)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize("name", ["contacts.csv", "contacts.xls", "contacts", "contacts.xlsx"])
def test_content_counts(name: str) -> None:
    """CSV and workbooks are read under any name."""
    assert read(text("contactId;nom", "1;a"), name).rows == [["1", "a"]]
    assert read(sheet(["contactId", "nom"], ["1", "a"]), name).rows == [["1", "a"]]


def test_titles_that_look_like_markup() -> None:
    """A title in brackets does not make a CSV file something else."""
    assert read(text("[Export]", "{x}", "contactId;nom", "1;a")).rows == [["1", "a"]]
    assert read(text("<export>", "contactId;nom", "1;a")).rows == [["1", "a"]]


KINDS = {
    "xls": (ole("Workbook"), Kind.XLS),
    "xls of Excel 5": (ole("Book"), Kind.XLS),
    "xls in capitals": (ole("WORKBOOK"), Kind.XLS),
    "xls with large sectors": (ole("Workbook", shift=12), Kind.XLS),
    "xlsb": (archive(**{"[Content_Types].xml": b"", "xl/workbook.bin": b""}), Kind.XLSB),
    "ods": (archive(mimetype=b"application/vnd.oasis.opendocument.spreadsheet", **{"content.xml": b""}), Kind.ODS),
}


@pytest.mark.parametrize(("content", "kind"), KINDS.values(), ids=KINDS)
def test_old_and_foreign_workbooks(content: bytes, kind: Kind, tmp_path: Path) -> None:
    """Each kind of workbook is known by what is inside, and one with nothing more inside is damaged."""
    file = tmp_path / "contacts.csv"
    file.write_bytes(content)
    with FileIO(file) as copy:
        assert recognise(copy, file.name) is kind
    with pytest.raises(SourceError, match=r"is damaged, or still being copied: open it, and save it as .xlsx"):
        read(content)


@pytest.mark.parametrize(
    ("content", "choices", "expected"),
    [
        (CSV, {"sheet": "Contacts"}, ["contacts.csv is not a workbook; --sheet is only for workbooks."]),
        (CSV, {"delimiter": ";", "encoding": "utf-8"}, []),
        (BOOK, {"delimiter": ";"}, ["contacts.csv is a workbook; --delimiter and --encoding are only for CSV."]),
        (BOOK, {"encoding": "utf-8"}, ["contacts.csv is a workbook; --delimiter and --encoding are only for CSV."]),
        (BOOK, {"sheet": "Contacts"}, []),
        (xls(*ROWS), {"delimiter": ";"}, ["contacts.csv is a workbook; --delimiter and --encoding are only for CSV."]),
    ],
)
def test_a_choice_without_meaning(content: bytes, choices: dict[str, str], expected: list[str]) -> None:
    """A choice without meaning for a file of this kind is told, and is no reason for a mail: it may be for other files."""
    source = read(content, **choices).source
    assert [finding for finding in source.findings if "is only for" in finding or "are only for" in finding] == expected
    assert source.warnings == []
