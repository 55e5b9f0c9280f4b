"""Opening a source: a private copy, its kind, detected from its content and never from its name, and the reader of that kind."""

import re
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum, auto
from importlib import import_module
from io import FileIO
from pathlib import Path

from contact_sync.errors import SourceError
from contact_sync.files.snapshot import open_file_warning, private_copy
from contact_sync.i18n import N_, _
from contact_sync.model.source import Source
from contact_sync.source.aliases import check_renames
from contact_sync.source.archive import convert_damage

_HEAD = 8192
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BINARY_FORMATS = {
    rb"PK\x05\x06": N_("{name} is an empty zip archive: give the file of contacts itself."),
    rb"\x1f[\x8b\x9d]": N_("{name} is compressed with gzip: unpack it first."),
    rb"\xfd7zXZ\x00": N_("{name} is compressed with xz: unpack it first."),
    rb"BZh[1-9]1AY&SY": N_("{name} is compressed with bzip2: unpack it first."),
    rb"\x28\xb5\x2f\xfd": N_("{name} is compressed with zstd: unpack it first."),
    # Packets of a key or of a password before the data ([RFC 9580] 4.2, 5.1, 5.3), or the text form.
    rb"\x84[\x00-\xff]\x03|\x85[\x00-\x04][\x00-\xff]\x03|\xc1[\x00-\xff]{1,2}[\x03\x06]"
    rb"|(?:\x8c|\xc3)[\x04-\x40][\x04-\x06]|[\r\n\t ]*-----BEGIN PGP": N_("{name} is encrypted with PGP: decrypt it first."),
    rb"age-encryption\.org/": N_("{name} is encrypted with age: decrypt it first."),
    rb".{257}ustar": N_("{name} is a tar archive: unpack it first."),
    rb"SQLite format 3\x00|\x00\x01\x00\x00Standard (?:Jet|ACE)": N_(
        "{name} is a database: export the contacts as CSV or .xlsx."
    ),
    rb"PAR1": N_("{name} is a Parquet file: export the contacts as CSV or .xlsx."),
    rb"%PDF-": N_("{name} is a PDF: export the contacts as CSV or .xlsx."),
    rb"Rar!": N_("{name} is a RAR archive: unpack it first."),
    rb"7z\xbc\xaf": N_("{name} is a 7z archive: unpack it first."),
    rb"\x89PNG|\xff\xd8\xff": N_("{name} is a picture: export the contacts as CSV or .xlsx."),
    rb"\{\\rtf": N_("{name} is a text document (RTF): export the contacts as CSV or .xlsx."),
    # The first record of a workbook from before Excel 97.
    rb"\t[\x00\x02\x04\x08][\x04-\x14]\x00": N_("{name} is a workbook of a very old Excel: open it, and save it as .xlsx."),
}
_HTML = rb"<(?i:!doctype html|!--|(html|head|body|table|meta|script|div|style|title|form)(?![a-z0-9:_-]))"
_JSON = rb'[{\[]\s*["{\[]'
_MAIL = (
    rb"(?i:(?:[a-z][a-z-]*: [^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*){0,40}?"
    rb"(?:return-path|received|delivered-to|message-id|mime-version|dkim-signature|arc-seal|x-[a-z-]+): )"
)
_TEXT_FORMATS = {
    # The codes of UTF-7 for the letters from À to ÿ, and for a semicolon.
    rb"[^\x80-\xff]*\+A(?:Ds|[M-P][AEIMQUYcgkosw048])-": N_(
        "{name} is in UTF-7, an encoding of old mails: save it as “CSV UTF-8”."
    ),
    rb"BEGIN:VCARD": N_("{name} contains electronic business cards (.vcf): export the contacts as CSV or .xlsx."),
    rb"BEGIN:VCALENDAR": N_("{name} is a calendar: export the contacts as CSV or .xlsx."),
    rb"From [^\r\n]*\d\d:\d\d:\d\d[^\r\n]*\r?\n|" + _MAIL: N_("{name} is an e-mail: save the file that is attached to it."),
    rb"(?:version: ?1\s+)?dn: ?[a-z]+=": N_("{name} is an LDIF file: export the contacts as CSV or .xlsx."),
    _HTML: N_("{name} is a web page, perhaps a login page: download the contacts again as CSV or .xlsx."),
    rb"<\?xml.*opendocument\.spreadsheet": N_(
        "{name} is a flat XML spreadsheet (.fods): open it in LibreOffice and save it as .ods."
    ),
    rb"<\?xml.*(office:spreadsheet|Excel\.Sheet)": N_(
        "{name} is an XML spreadsheet of 2003: open it in Excel and save it as .xlsx."
    ),
    rb"<\?xml.*" + _HTML: N_("{name} is a web page: export the contacts as CSV or .xlsx."),
    rb"<\?xml": N_("{name} is an XML document: export the contacts as CSV or .xlsx."),
    _JSON + rb'.*(docs\.google\.com|"doc_id")': N_("{name} is only a shortcut to Google Drive: download the sheet as .xlsx."),
    _JSON: N_("{name} is JSON: export the contacts as CSV or .xlsx."),
}
"""A pattern of the first bytes, or of the first text → a sentence that refuses the file; the first that matches counts."""


class Kind(StrEnum):
    """The kinds of file that a source can be."""

    CSV = auto()
    XLSX = auto()
    XLS = auto()
    XLSB = auto()
    ODS = auto()


@dataclass(frozen=True)
class SourceOptions:
    """The operator's options for reading a source; None means that the reader detects it."""

    sheet: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    hidden: str = "refuse"  # `refuse`, `include` or `skip` the hidden rows and columns of a workbook
    renames: Mapping[str, str] = field(default_factory=dict)  # header → `contactId` or a field


_READERS = {Kind.CSV: "csv", Kind.XLSX: "xlsx.workbook"}
"""Kind → the module whose `open_file` reads it. Imported on demand: openpyxl is slow to import, and a worker needs none of it."""
_OpenFile = Callable[[FileIO, Path, Kind, SourceOptions], AbstractContextManager[Source]]


@contextmanager
def open_source(
    path: Path, options: SourceOptions, *, clock: Callable[[], float] = time.time, sleep: Callable[[float], object] = time.sleep
) -> Iterator[Source]:
    """Open the contacts in `path`, parsed from a private copy that is deleted when the context ends.

    `clock` returns seconds since the epoch, as file times do; `sleep` takes seconds. Raises `SourceError` for a source that is
    refused, `BusyError` for one that is still being written, `ConfigError` for an option that does not fit it, `StorageError`
    when there is no disk space for the rows of a workbook.
    """
    options = replace(options, renames=check_renames(options.renames))
    with private_copy(path, clock=clock, sleep=sleep) as (copy, identity):
        kind = detect_kind(copy, path.name)
        open_file: _OpenFile = import_module(f"contact_sync.source.{_READERS.get(kind, 'legacy.workbook')}").open_file
        with open_file(copy, path, kind, options) as source:
            source.identity = identity
            if finding := _unused_option(kind, path.name, options):
                source.findings.append(finding)
            if warning := open_file_warning(path):
                source.warnings.append(warning)
            yield source


def _unused_option(kind: Kind, name: str, options: SourceOptions) -> str | None:
    if kind is Kind.CSV:
        return _("{name} is not a workbook; --sheet is only for workbooks.", name=name) if options.sheet else None
    if options.delimiter or options.encoding:
        return _("{name} is a workbook; --delimiter and --encoding are only for CSV.", name=name)
    return None


def detect_kind(copy: FileIO, name: str) -> Kind:
    """Return the kind of `copy`; raises `SourceError` for anything that does not contain a table, `name` is the file's name."""
    copy.seek(0)
    head = copy.read(_HEAD)
    if not head:
        raise SourceError("{name} is empty: export it again.", name=name)
    if head.startswith(_OLE):
        return _detect_ole(copy, head, name)
    if head.startswith(b"PK\x03\x04"):
        return _detect_zip(copy, name)
    # Without the NULs of UTF-16, and without byte order marks.
    start = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    for beginning, formats in ((head, _BINARY_FORMATS), (start, _TEXT_FORMATS)):
        for pattern, sentence in formats.items():
            if re.match(pattern, beginning, re.DOTALL):
                raise SourceError(sentence, name=name)
    return Kind.CSV


def _detect_ole(copy: FileIO, head: bytes, name: str) -> Kind:
    """Return the kind of an OLE file, by the names of the streams in its first directory sector ([MS-CFB] 2.2, 2.6)."""
    size = 1 << min(int.from_bytes(head[30:32], "little"), 12)
    copy.seek((int.from_bytes(head[48:52], "little") + 1) * size)
    directory = copy.read(4096).lower()  # names are compared without case, and some programs write WORKBOOK
    if any(stream.encode("utf-16-le") in directory for stream in ("encryptedpackage", "encryptioninfo")):
        raise SourceError(
            "{name} is protected by a password: save it without one. If Excel opens it without asking for one, it was saved as "
            "read-only: choose Save As > Tools > General Options, and empty both passwords.",
            name=name,
        )
    if any(stream.encode("utf-16-le") in directory for stream in ("workbook", "book")):
        return Kind.XLS
    raise SourceError("{name} is an old Office file, but not a workbook that can be read: save it as .xlsx or CSV.", name=name)


def _detect_zip(copy: FileIO, name: str) -> Kind:
    with convert_damage(name), zipfile.ZipFile(copy) as archive:
        if any(entry.flag_bits & 1 for entry in archive.infolist()):
            raise SourceError("{name} is protected by a password: save it without one.", name=name)
        # Some programs write backslashes, one slash more and capitals, which Excel accepts.
        names = {one.replace("\\", "/").removeprefix("/").lower() for one in archive.namelist()}
        is_ods = "mimetype" in names and b"opendocument.spreadsheet" in archive.open("mimetype").read(100)
    if is_ods:
        return Kind.ODS
    if "xl/workbook.bin" in names:
        return Kind.XLSB
    if "[content_types].xml" in names and any(entry.startswith("xl/") for entry in names):
        return Kind.XLSX
    if any(entry.endswith(".iwa") or entry == "index.zip" for entry in names):
        raise SourceError("{name} is a document of Apple Numbers or Pages: export it from there as CSV or .xlsx.", name=name)
    if any(entry.startswith("word/") for entry in names):
        raise SourceError("{name} is a Word document: export the contacts as CSV or .xlsx.", name=name)
    raise SourceError("{name} is a zip archive: unpack it, and give the file of contacts itself.", name=name)
