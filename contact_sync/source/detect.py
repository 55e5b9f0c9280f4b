"""What a file is, told by its content and never by its name."""

import re
import zipfile
from enum import Enum, auto
from io import FileIO

from contact_sync.errors import SourceError
from contact_sync.i18n import N_, _

_HEAD = 8192
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BARE = re.compile(rb"\t[\x00\x02\x04\x08][\x04-\x14]\x00")
"""The first record of a workbook of before 1997, which needed no container."""
_PAGE = re.compile(rb"<(!doctype html|!--|(html|head|body|table|meta|script|div|style|title|form)(?![a-z0-9:_-]))", re.IGNORECASE)
_JSON = re.compile(rb'[{\[]\s*["{\[]')
_OTHERS = {
    b"\x1f\x8b": N_("{name} is compressed with gzip: unpack it first."),
    b"%PDF-": N_("{name} is a PDF: export the contacts as CSV or .xlsx."),
    b"Rar!": N_("{name} is a RAR archive: unpack it first."),
    b"7z\xbc\xaf": N_("{name} is a 7z archive: unpack it first."),
    b"\x89PNG": N_("{name} is a picture: export the contacts as CSV or .xlsx."),
    b"\xff\xd8\xff": N_("{name} is a picture: export the contacts as CSV or .xlsx."),
    b"{\\rtf": N_("{name} is a text document (RTF): export the contacts as CSV or .xlsx."),
}


class Kind(Enum):
    """What a source can be."""

    CSV = auto()
    XLSX = auto()
    XLS = auto()
    XLSB = auto()
    ODS = auto()


def recognise(copy: FileIO, name: str) -> Kind:
    """Return what `copy` holds; raises `SourceError`, which names the file as `name`, for anything that holds no table."""
    copy.seek(0)
    head = copy.read(_HEAD)
    if not head:
        raise SourceError(_("{name} is empty: export it again.", name=name))
    if head.startswith(_OLE):
        return _ole(copy, head, name)
    if head.startswith(b"PK\x03\x04"):
        return _zip(copy, name)
    if head.startswith(b"PK\x05\x06"):
        raise SourceError(_("{name} is an empty zip archive: give the file of contacts itself.", name=name))
    for magic, sentence in _OTHERS.items():
        if head.startswith(magic):
            raise SourceError(_(sentence, name=name))
    if _BARE.match(head):
        raise SourceError(_("{name} is a workbook of a very old Excel: open it, and save it as .xlsx.", name=name))
    _refuse_markup(head, name)
    return Kind.CSV


def _ole(copy: FileIO, head: bytes, name: str) -> Kind:
    """Tell apart what Microsoft's old container holds by the names in its first directory sector ([MS-CFB] 2.2, 2.6)."""
    size = 1 << min(int.from_bytes(head[30:32], "little"), 12)
    copy.seek((int.from_bytes(head[48:52], "little") + 1) * size)
    directory = copy.read(4096).lower()  # case does not count in it, and some programs write WORKBOOK
    if "encryptedpackage".encode("utf-16-le") in directory:
        raise SourceError(_("{name} is protected by a password: save it without one.", name=name))
    if any(stream.encode("utf-16-le") in directory for stream in ("workbook", "book")):
        return Kind.XLS
    raise SourceError(_("{name} is an old Office file, but not a workbook that can be read: save it as .xlsx or CSV.", name=name))


def _zip(copy: FileIO, name: str) -> Kind:
    try:
        with zipfile.ZipFile(copy) as archive:
            # Some programs write other slashes and capitals; Excel opens and mends what they save.
            names = {one.replace("\\", "/").lower() for one in archive.namelist()}
            is_ods = "mimetype" in names and b"opendocument.spreadsheet" in archive.open("mimetype").read(100)
    except Exception as error:
        raise SourceError(
            _("{name} is damaged, or still being copied: open it in Excel and save it again.", name=name)
        ) from error
    if is_ods:
        return Kind.ODS
    if "xl/workbook.bin" in names:
        return Kind.XLSB
    if "[content_types].xml" in names and any(entry.startswith("xl/") for entry in names):
        return Kind.XLSX
    if any(entry.startswith("word/") for entry in names):
        raise SourceError(_("{name} is a Word document: export the contacts as CSV or .xlsx.", name=name))
    raise SourceError(_("{name} is a zip archive: unpack it, and give the file of contacts itself.", name=name))


def _refuse_markup(head: bytes, name: str) -> None:
    # Without the NULs of UTF-16, and without byte order marks.
    start = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if _PAGE.match(start):
        raise SourceError(
            _("{name} is a web page, perhaps a login page: download the contacts again as CSV or .xlsx.", name=name)
        )
    if start.startswith(b"<?xml"):
        if b"opendocument.spreadsheet" in start:
            raise SourceError(
                _("{name} is a flat XML spreadsheet (.fods): open it in LibreOffice and save it as .ods.", name=name)
            )
        if b"office:spreadsheet" in start or b"Excel.Sheet" in start:
            raise SourceError(_("{name} is an XML spreadsheet of 2003: open it in Excel and save it as .xlsx.", name=name))
        if _PAGE.search(start):
            raise SourceError(_("{name} is a web page: export the contacts as CSV or .xlsx.", name=name))
        raise SourceError(_("{name} is an XML document: export the contacts as CSV or .xlsx.", name=name))
    if _JSON.match(start):
        if b"docs.google.com" in start or b'"doc_id"' in start:
            raise SourceError(_("{name} is only a shortcut to Google Drive: download the sheet as .xlsx.", name=name))
        raise SourceError(_("{name} is JSON: export the contacts as CSV or .xlsx.", name=name))
