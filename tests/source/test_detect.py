"""Detection of the kind of a file from its content (spreadsheets.md A.1 and A.8)."""

import bz2
import gzip
import lzma
import subprocess
import sys
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from contact_sync.errors import SourceError
from contact_sync.source.opening import Kind, detect_kind

from .reading import read, sheet, text, zip_parts
from .writing import xls

ROWS = (["contactId", "firstname"], ["C1", "Zoé"])
CSV, BOOK = text("contactId;firstname", "C1;Zoé"), sheet(*ROWS)


def ole_container(*streams: str, shift: int = 9) -> bytes:
    """Return an OLE container, as far as its directory of stream names."""
    sector = 1 << shift
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 22 + shift.to_bytes(2, "little") + b"\0" * 16 + (2).to_bytes(4, "little")
    directory = b"".join(name.encode("utf-16-le").ljust(128, b"\0") for name in ("Root Entry", *streams))
    return head.ljust(3 * sector, b"\0") + directory


def encrypted_zip(name: str, content: str) -> bytes:
    """Return a zip archive with one part, which is flagged as encrypted."""
    archive = bytearray(zip_parts({name: content.encode()}))
    archive[6] |= 1
    archive[archive.index(b"PK\x01\x02") + 8] |= 1
    return bytes(archive)


REFUSED = {
    "C58 an empty file": (b"", "is empty"),
    "X41 password-protected xlsx": (ole_container("EncryptionInfo", "EncryptedPackage"), "is protected by a password"),
    "password-protected xlsx, the other stream": (ole_container("EncryptionInfo"), "is protected by a password"),
    "encrypted ods": (encrypted_zip("mimetype", "application/vnd.oasis.opendocument.spreadsheet"), "is protected by a password"),
    "encrypted zip": (encrypted_zip("contacts.csv", "contactId;nom"), "is protected by a password"),
    "Word 97 document": (ole_container("WordDocument"), "but not a workbook"),
    "truncated OLE container": (ole_container("Workbook")[:40], "but not a workbook"),
    "docx": (zip_parts({"[Content_Types].xml": b"", "word/document.xml": b""}), "is a Word document"),
    "C81 zip of a CSV": (zip_parts({"contacts.csv": b"contactId;nom"}), "is a zip archive: unpack it"),
    "xlsx with backslashes": (
        zip_parts({"[content_types].xml": b"<Types/>", "xl\\workbook.xml": b""}),
        "is damaged, or still being copied: open it in Excel and save it again",
    ),
    "empty zip": (b"PK\x05\x06" + b"\0" * 18, "is an empty zip archive"),
    "X33 truncated xlsx": (sheet(["contactId", "nom"], ["1", "a"])[:2000], "is damaged, or still being copied"),
    "C85 gzip": (gzip.compress(b"contactId;nom", mtime=0), "is compressed with gzip: unpack it"),
    "xz": (lzma.compress(b"contactId;nom"), "is compressed with xz: unpack it"),
    "bzip2": (bz2.compress(b"contactId;nom"), "is compressed with bzip2: unpack it"),
    "zstd": (b"\x28\xb5\x2f\xfd\x04\x58", "is compressed with zstd: unpack it"),
    "7z": (b"7z\xbc\xaf\x27\x1c", "is a 7z archive: unpack it"),
    "rar": (b"Rar!\x1a\x07\x01\x00", "is a RAR archive: unpack it"),
    "tar": (b"contacts.csv".ljust(257, b"\0") + b"ustar\x0000", "is a tar archive: unpack it"),
    "PGP with a key": (b"\x85\x01\x0c\x03" + bytes(range(200)), "is encrypted with PGP: decrypt it"),
    "PGP with a key of another kind": (b"\x84\x5e\x03" + bytes(range(200)), "is encrypted with PGP"),
    "PGP with a password": (b"\x8c\x0d\x04\x09\x03\x08" + bytes(range(200)), "is encrypted with PGP"),
    "PGP in new packets": (b"\xc1\xc0\x4c\x03" + bytes(range(200)), "is encrypted with PGP"),
    "PGP as text": (b"-----BEGIN PGP MESSAGE-----\n\nhQEMA", "is encrypted with PGP"),
    "age": (b"age-encryption.org/v1\n-> X25519", "is encrypted with age"),
    "numbers": (zip_parts({"Index/Document.iwa": b"", "Metadata/Properties.plist": b""}), "is a document of Apple Numbers"),
    "numbers of 2013": (zip_parts({"Index.zip": b"", "preview.jpg": b""}), "is a document of Apple Numbers"),
    "mail": (b"From: a@b.fr\r\nSubject: contacts\r\n =?x?=\r\nMIME-Version: 1.0\r\n", "is an e-mail: save the file"),
    "received mail": (b"Return-Path: <a@b.fr>\nReceived: from x\n", "is an e-mail"),
    "mailbox": (b"From a@b.fr Mon Nov 24 10:00:00 2025\nSubject: x\n", "is an e-mail"),
    "business cards": (b"BEGIN:VCARD\r\nVERSION:3.0\r\n", "contains electronic business cards (.vcf)"),
    "calendar": (b"BEGIN:VCALENDAR\r\n", "is a calendar"),
    "LDIF": (b"version: 1\n\ndn: cn=Zo,dc=b\n", "is an LDIF file"),
    "database": (b"SQLite format 3\0\x10", "is a database"),
    "read-only workbook": (ole_container("EncryptedPackage"), "it was saved as read-only: choose Save As"),
    "pdf": (b"%PDF-1.4\n", "is a PDF"),
    "png": (b"\x89PNG\r\n\x1a\n", "is a picture"),
    "rtf": (b"{\\rtf1\\ansi", "is a text document (RTF)"),
    "C67 login page": (b"\r\n<!DOCTYPE html>\n<html><form>", "is a web page, perhaps a login page"),
    "C68 HTML table named .xls": (b"<html xmlns:o='urn:schemas-microsoft-com:office:office'><table>", "is a web page"),
    "web page in UTF-16": ("\ufeff<HTML>".encode("utf-16-le"), "is a web page"),
    "XHTML": (b'<?xml version="1.0"?>\n<html>', "is a web page"),
    "X31 XML 2003": (b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook>', "is an XML spreadsheet of 2003"),
    "flat ODF": (
        b'<?xml version="1.0"?><office:document office:mimetype="application/vnd.oasis.opendocument.spreadsheet"><style:style/>',
        "is a flat XML spreadsheet (.fods): open it in LibreOffice and save it as .ods",
    ),
    "XML with tag names that resemble HTML": (b'<?xml version="1.0"?><x:e><meta:a/><style-b/><title2/>', "is an XML document"),
    "Excel 2": (b"\x09\0\x04\0\x02\0\x10\0", "is a workbook of a very old Excel"),
    "Excel 4": (b"\x09\x04\x06\0\0\0\x10\0\0\0", "is a workbook of a very old Excel"),
    "Excel 5 without a container": (b"\x09\x08\x08\0\0\x05\x05\0\0\0\0\0", "is a workbook of a very old Excel"),
    "other XML": (b'\xef\xbb\xbf<?xml version="1.0"?><contacts>', "is an XML document"),
    "C70 JSON": (b' [ {"contactId": 1}]', "is JSON"),
    "JSON object": (b'{"contacts": []}', "is JSON"),
    "X32 shortcut to Google Drive": (
        b'{"url": "https://docs.google.com/open?id=1", "doc_id": "1"}',
        "is only a shortcut to Google Drive: download the sheet as .xlsx",
    ),
}


@pytest.mark.parametrize(("content", "sentence"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("name", ["contacts.csv", "contacts.xlsx"])
def test_foreign_format_is_named(content: bytes, sentence: str, name: str) -> None:
    """A file without a readable table is refused by its real kind, under any name."""
    with pytest.raises(SourceError) as refusal:
        read(content, name)
    assert str(refusal.value).startswith(name)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize("name", ["contacts.csv", "contacts.xls", "contacts", "contacts.xlsx"])
def test_kind_is_detected_from_content(name: str) -> None:
    """CSV and workbooks are read under any name."""
    assert read(text("contactId;nom", "1;a"), name).rows == [["1", "a"]]
    assert read(sheet(["contactId", "nom"], ["1", "a"]), name).rows == [["1", "a"]]


def test_titles_in_brackets_are_not_markup() -> None:
    """A title in brackets does not change the kind of a CSV file."""
    assert read(text("[Export]", "{x}", "contactId;nom", "1;a")).rows == [["1", "a"]]
    assert read(text("<export>", "contactId;nom", "1;a")).rows == [["1", "a"]]
    assert read(text("Date: 24/11/2025", "From: CRM", "contactId;nom", "1;a")).rows == [["1", "a"]]


KINDS = {
    "xls": (ole_container("Workbook"), Kind.XLS),
    "xls of Excel 5": (ole_container("Book"), Kind.XLS),
    "xls in capitals": (ole_container("WORKBOOK"), Kind.XLS),
    "xls with large sectors": (ole_container("Workbook", shift=12), Kind.XLS),
    "xlsb": (zip_parts({"[Content_Types].xml": b"", "xl/workbook.bin": b""}), Kind.XLSB),
    "ods": (zip_parts({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": b""}), Kind.ODS),
}


@pytest.mark.parametrize(("content", "kind"), KINDS.values(), ids=KINDS)
def test_kinds_of_workbooks(content: bytes, kind: Kind, tmp_path: Path) -> None:
    """Each kind of workbook is detected from its parts, and an incomplete one is damaged."""
    file = tmp_path / "contacts.csv"
    file.write_bytes(content)
    with FileIO(file) as copy:
        assert detect_kind(copy, file.name) is kind
    with pytest.raises(SourceError, match=r"is damaged, or still being copied: open it, and save it as .xlsx"):
        read(content)


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        (CSV, {"sheet": "Contacts"}, ["contacts.csv is not a workbook; --sheet is only for workbooks."]),
        (CSV, {"delimiter": ";", "encoding": "utf-8"}, []),
        (BOOK, {"delimiter": ";"}, ["contacts.csv is a workbook; --delimiter and --encoding are only for CSV."]),
        (BOOK, {"encoding": "utf-8"}, ["contacts.csv is a workbook; --delimiter and --encoding are only for CSV."]),
        (BOOK, {"sheet": "Contacts"}, []),
        (xls(*ROWS), {"delimiter": ";"}, ["contacts.csv is a workbook; --delimiter and --encoding are only for CSV."]),
    ],
)
def test_unused_option_is_a_finding(content: bytes, options: dict[str, Any], expected: list[str]) -> None:
    """An option without meaning for this kind of file is a finding and not a warning: it may be for other files."""
    source = read(content, **options).source
    assert [finding for finding in source.findings if "is only for" in finding or "are only for" in finding] == expected
    assert source.warnings == []


def test_csv_is_read_without_the_libraries_of_workbooks(tmp_path: Path) -> None:
    """The reader of a kind is imported when such a file is opened."""
    path = tmp_path / "contacts.csv"
    path.write_bytes(CSV)
    code = (
        "import sys, pathlib; from contact_sync.source import SourceOptions, open_source\n"
        "with open_source(pathlib.Path(sys.argv[1]), SourceOptions(), clock=lambda: 4e9) as source: list(source.chunks())\n"
        "print(*sys.modules)"
    )
    modules = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout.split()
    assert "contact_sync.source.csv" in modules
    assert not {"openpyxl", "xlrd"} & set(modules)
