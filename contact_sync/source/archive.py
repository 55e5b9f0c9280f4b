"""Zip archives of workbooks: what is refused before a part is parsed, damage as a `SourceError`, and parts as XML.

openpyxl uses the last of two entries with one name, and inflates without a limit (719 kB became 2.65 GB).
"""

import logging
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, Protocol
from xml.parsers import expat

from contact_sync.errors import Interrupted, SourceError

log = logging.getLogger(__name__)

_MAX_ENTRIES = 2000
_MAX_BYTES = 1 << 30
_MAX_ELEMENTS = 100_000  # start and end tags
_LARGE = 10 << 20  # a legitimate cell of one repeated letter has ratio 704, so the ratio of a small entry says nothing
RATIO = 100  # the size of a part may be this many times its compressed size
_BLOCK = 1 << 16
_DOCTYPE = b"<!DOCTYPE"
_BEFORE_XML = b"\xef\xbb\xbf\xff\xfe \t\r\n"


class Archive(zipfile.ZipFile):
    """A zip archive whose parts are found as Excel finds them: in any case, with back slashes, and with one at their start."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self._names = {_normalise(name): name for name in super().namelist()}

    def namelist(self) -> list[str]:
        """Return the names of the parts, with slashes."""
        return [_with_slashes(name) for name in self._names.values()]

    def __contains__(self, name: str) -> bool:
        return _normalise(name) in self._names

    def getinfo(self, name: str) -> zipfile.ZipInfo:
        """Return the entry of the part with that name; raises `KeyError` when there is none."""
        return super().getinfo(self._names.get(_normalise(name), name))

    def read(self, name: str | zipfile.ZipInfo, pwd: bytes | None = None) -> bytes:
        """Return the content of a part."""
        content = super().read(name, pwd)
        return content.replace(b"\\", b"/") if str(name).casefold().endswith(".rels") else content


def _normalise(name: str) -> str:
    return _with_slashes(name).casefold()


def _with_slashes(name: str) -> str:
    return name.replace("\\", "/").removeprefix("/")


def refuse_unsafe(archive: zipfile.ZipFile, name: str, ratio: int = RATIO, only_part: str = "") -> None:
    """Raise `SourceError` for an archive that is damaged, oversized, encrypted or a zip bomb; `name` is the file's.

    A large part may unpack to `ratio` times its size. A part that is parsed as XML must not declare a document type: only the
    part named `only_part` is parsed, by default all but pictures and the data of add-ins.
    """
    entries = archive.infolist()
    if len(entries) > _MAX_ENTRIES:
        raise SourceError(
            "{name} has {parts} parts inside, {limit} at most: copy the contacts to a new workbook.",
            name=name,
            parts=len(entries),
            limit=_MAX_ENTRIES,
        )
    if len({_normalise(entry.filename) for entry in entries}) < len(entries):
        raise SourceError(
            "{name} contains one of its parts twice, so its content is not certain: open it in Excel and save it again.",
            name=name,
        )
    if sum(entry.file_size for entry in entries) > _MAX_BYTES:
        raise SourceError("{name} unpacks to more than 1 GB: copy the contacts to a new workbook.", name=name)
    for entry in entries:
        if entry.file_size > _LARGE and entry.file_size > ratio * entry.compress_size:
            raise SourceError(
                "{name} unpacks to more than {ratio} times its size: copy the contacts to a new workbook.", name=name, ratio=ratio
            )
        if entry.flag_bits & 1:
            raise SourceError("{name} is protected by a password: save it without one.", name=name)
    for entry in entries:
        with archive.open(entry) as part:
            _check_part(
                part, name, is_parsed=entry.filename == only_part if only_part else not _is_opaque(_normalise(entry.filename))
            )


_is_opaque = re.compile(r"(?:customxml|docmetadata|xl/(?:media|embeddings|activex|webextensions))/.*|.*\.svg").fullmatch


def refuse_many_elements(archive: zipfile.ZipFile, name: str) -> None:
    """Raise `SourceError` when a part that describes the workbook has more elements than are read in a few seconds."""
    for entry in archive.infolist():
        part = entry.filename.replace("\\", "/").casefold()
        if part.endswith((".rels", "workbook.xml", "[content_types].xml")):
            with archive.open(entry) as described:
                elements = 0
                while block := described.read(_BLOCK):
                    elements += block.count(b"<")
                    if elements > _MAX_ELEMENTS:
                        raise SourceError(
                            "{name} has more than {limit} sheets, names and other definitions: copy the contacts to a new one.",
                            name=name,
                            limit=_MAX_ELEMENTS // 2,
                        )


def _check_part(part: IO[bytes], name: str, *, is_parsed: bool) -> None:
    """Read `part` to its end, which verifies its checksum; raise `SourceError` for a document type in a part to parse."""
    tail = b""
    is_known = not is_parsed
    while block := part.read(_BLOCK):
        # Without the NULs of UTF-16. An entity could rewrite any cell.
        window = tail + block.replace(b"\0", b"")
        if not is_known and (start := window.lstrip(_BEFORE_XML)):
            is_parsed = start.startswith(b"<")  # as all XML; the metadata of a photo are inside
            is_known = True
        if is_parsed and _DOCTYPE in window:
            raise SourceError(
                "{name} contains a document type declaration, which no workbook needs: open it in Excel and save it again.",
                name=name,
            )
        tail = window[-len(_DOCTYPE) :]


@contextmanager
def convert_damage(where: str) -> Iterator[None]:
    """Convert every exception of zipfile, zlib, expat and openpyxl to a `SourceError` about `where`; silence their warnings."""
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except (SourceError, Interrupted):
        raise
    except Exception as error:
        log.info("%s: %s", where, type(error).__name__)  # its text may contain the value of a cell
        raise SourceError("{name} is damaged, or still being copied: open it in Excel and save it again.", name=where) from error


class Handler(Protocol):
    """The callbacks of expat. A tag is "namespace name"; the text of an element may arrive in several pieces."""

    def start(self, tag: str, attributes: dict[str, str], /) -> None:
        """Handle a start tag."""

    def text(self, text: str, /) -> None:
        """Handle text."""

    def end(self, tag: str, /) -> None:
        """Handle an end tag."""


def parse(part: IO[bytes], handler: Handler) -> None:
    """Parse all of `part`; raises `expat.ExpatError` for broken XML."""
    for _block in parse_blocks(part, handler):
        pass


def parse_blocks(part: IO[bytes], handler: Handler) -> Iterator[None]:
    """Parse `part` and yield after each block, so that the caller can take what `handler` has collected."""
    return parse_pieces(iter(partial(part.read, _BLOCK), b""), handler)


def parse_pieces(pieces: Iterable[bytes], handler: Handler) -> Iterator[None]:
    """Parse the pieces of one document and yield after each; raises `expat.ExpatError` for broken XML."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = handler.start, handler.end
    parser.CharacterDataHandler = handler.text
    parser.StartDoctypeDeclHandler = _refuse_document_type
    for piece in pieces:
        parser.Parse(piece, False)
        yield
    parser.Parse(b"", True)
    yield


def _refuse_document_type(*_declared: object) -> None:
    raise expat.ExpatError
