"""Detection of a text file's encoding: byte order mark, then strict UTF-8, then the 8-bit encodings of office programs."""

import codecs
import io
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import FileIO

from contact_sync.errors import ConfigError, SourceError
from contact_sync.i18n import _
from contact_sync.source.codepages import choose_codepage, start_readings

LINE_LIMIT = 16 << 20  # characters in a line or a cell, which bounds memory
_BLOCK = 1 << 18
_SHOWN = 5
_SAMPLED_BLOCKS = 32  # 8 MB
_MIN_SHARE_OF_NULS = 0.3

_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF32_LE: "utf-32-le", codecs.BOM_UTF32_BE: "utf-32-be"}
_MARKS |= {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}  # the first is also the start of that of UTF-32
_ASCII = bytes(range(0x80))
# Words end at white space and at what separates cells; all digits are alike.
_WORDS = bytes(
    ord(" ") if bytes([byte]).isspace() or chr(byte) in ';,|"()<>\0' else ord("0") if chr(byte) in "0123456789" else byte
    for byte in range(256)
)
_MOST_WORDS = 20_000
_NON_ASCII = re.compile(r"[^\x00-\x7f]")
# The characters of a French file; in Mac Roman '\u2019é' is valid UTF-8 too, but of an Armenian letter.
_UTF8_TEXT = re.compile("[\x00-\x7f\u00a0-\u017f\u2010-\u205f\u20ac\u2122]*")
_UTF8_CERTAIN = 3


@dataclass(frozen=True, slots=True)
class DetectedEncoding:
    """The encoding of a file, verified to decode all of it."""

    encoding: str  # a name for `open`; a byte order mark stays in the text, as U+FEFF
    ends_in_newline: bool
    warnings: Sequence[str] = ()


def detect_encoding(copy: FileIO, name: str, override: str | None = None) -> DetectedEncoding:
    """Return the encoding of the whole of `copy`, from which a final Ctrl-Z is removed; `name` is the file's.

    Raises `SourceError` for text in no encoding or in two, for NULs and for a line over `LINE_LIMIT`; `ConfigError` for an
    `override` that is not a text encoding.
    """
    if override is not None:
        _check_override(override)
        _remove_ctrl_z(copy)
        return _verify(copy, name, override)
    copy.seek(0)
    head = copy.read(4096)
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return _verify(copy, name, encoding)
    if utf16 := _utf16_without_mark(head):
        warning = _("{name} is read as UTF-16, although it has no byte order mark: check the names.", name=name)
        return _verify(copy, name, utf16, [warning])
    _remove_ctrl_z(copy)
    try:
        return DetectedEncoding("utf-8", _scan(copy, "utf-8", name))
    except UnicodeDecodeError as fault:
        return _verify(copy, name, *_detect_codepage(copy, name, fault))


def _check_override(override: str) -> None:
    try:
        name = codecs.lookup(override).name
    except (LookupError, ValueError):
        name = ""
    if not _OFFICE.fullmatch(name):
        raise ConfigError(
            "--encoding {encoding} is not an encoding of office programs: give utf-8, utf-16, cp1252, iso8859-15, mac_roman, "
            "cp850 or another.",
            encoding=override,
        )


_OFFICE = re.compile(
    "ascii|utf-8(-sig)?|utf-(16|32)(-[bl]e)?|iso8859-[0-9]+|mac-[a-z0-9]+|koi8-[rtu]|kz1048|tis-620|hp-roman8"
    "|cp(125[0-8]|437|72[0-9]|737|775|8[56][0-9]|874|93[26]|949|950|100[0-9]{2})"
    "|gbk|gb2312|gb18030|big5(hkscs)?|shift_jis(x0213|_2004)?|euc_(jp|kr|jis_2004|jisx0213)|johab"
)
"""The encodings, by the names of Python, in which office programs of any country save text.

Python knows others, of which a file of contacts would be read as something else: escapes, domain names, mainframes.
"""


def _utf16_without_mark(head: bytes) -> str | None:
    even, odd = head[::2].count(0), head[1::2].count(0)
    enough = _MIN_SHARE_OF_NULS * len(head) / 2
    if odd > enough and not even:
        return "utf-16-le"
    return "utf-16-be" if even > enough and not odd else None


def _remove_ctrl_z(copy: FileIO) -> None:
    end = copy.seek(0, io.SEEK_END)
    while end:
        copy.seek(end - 1)
        if copy.read(1) != b"\x1a":
            break
        end -= 1
    copy.truncate(end)


def _decode_blocks(copy: FileIO, encoding: str) -> Iterator[str]:
    copy.seek(0)
    return codecs.iterdecode(iter(lambda: copy.read(_BLOCK), b""), encoding)


def _verify(copy: FileIO, name: str, encoding: str, warnings: Sequence[str] = ()) -> DetectedEncoding:
    """Return that `encoding`; raises `SourceError` for text that does not decode or must be refused."""
    try:
        return DetectedEncoding(encoding, _scan(copy, encoding, name), warnings)
    except UnicodeError as error:
        raise SourceError(
            "{name}, line {line}: this is not {encoding}; the file is damaged or cut off: "
            "export it again as CSV UTF-8, or give --encoding.",
            name=name,
            line=_line_of_fault(copy, encoding),
            encoding=encoding,
        ) from error


def _scan(copy: FileIO, encoding: str, name: str) -> bool:
    """Return True when the text ends in a line break; raises `UnicodeError` for text that does not decode."""
    unbroken, last = 0, ""
    for text in _decode_blocks(copy, encoding):
        if "\0" in text:
            raise SourceError(
                "{name}, line {line}: there are NUL characters (empty bytes), so the file "
                "is damaged or was not written to its end: export it again.",
                name=name,
                line=_line_of_fault(copy, encoding),
            )
        unbroken = 0 if "\n" in text or "\r" in text else unbroken + len(text)
        if unbroken > LINE_LIMIT:
            raise SourceError(
                "{name} has a line of more than {limit} million characters: it is not a table of contacts.",
                name=name,
                limit=LINE_LIMIT >> 20,
            )
        last = text[-1:] or last
    return last in ("\n", "\r")


def _line_of_fault(copy: FileIO, encoding: str) -> int:
    """Return the line of the first NUL, or of the first byte that does not decode."""
    breaks = io.IncrementalNewlineDecoder(None, translate=True)
    line, rest = 1, b""
    try:
        for text in _decode_blocks(copy, encoding):
            before, nul, _ = text.partition("\0")
            line += breaks.decode(before).count("\n")
            if nul:
                break
    except UnicodeDecodeError as error:
        rest = error.object[: error.start].replace(b"\0", b"")  # the NULs of UTF-16
    except UnicodeError:
        pass  # a codec that does not give the position
    return line + breaks.decode(rest.decode("latin-1"), final=True).count("\n")


def _detect_codepage(copy: FileIO, name: str, fault: UnicodeDecodeError) -> tuple[str, list[str]]:
    """Return the encoding of a file that is not UTF-8, and warnings; raises `SourceError` when it is not certain enough."""
    copy.seek(0)
    head = copy.read(_BLOCK)
    readings = start_readings(is_of_old_mac=b"\r" in head and b"\n" not in head)
    is_mixed = False
    seen = set[int]()
    for words in _non_ascii_words(copy):
        is_mixed = is_mixed or any(map(_is_valid_utf8, words))
        joined = b" ".join(words)
        seen |= set(joined.translate(None, _ASCII))
        for reading in readings:
            reading.add(joined)
    if is_mixed:
        _refuse_mixed(copy, name, fault)
    return choose_codepage(readings, bytes(sorted(seen)), name)


def _non_ascii_words(copy: FileIO) -> Iterator[list[bytes]]:
    """Yield the words of each block that are not ASCII and that no earlier block had.

    A name that is repeated is no more evidence. After the first blocks or words, only those with a byte that none of them had are
    new.
    """
    blocks, seen, known = 0, set[int](), set[bytes]()
    copy.seek(0)
    while block := copy.read(_BLOCK):
        new = set(block.translate(None, _ASCII)) - seen
        is_sampled = blocks < _SAMPLED_BLOCKS and len(known) < _MOST_WORDS
        if new or is_sampled:
            blocks += 1
            seen |= new
            words = [word for word in set(block.translate(_WORDS).split()) - known if not word.isascii()]
            known.update(words)
            yield words if is_sampled else [word for word in words if not new.isdisjoint(word)]


def _refuse_mixed(copy: FileIO, name: str, fault: UnicodeDecodeError) -> None:
    utf8, others = array("Q"), array("Q")
    copy.seek(0)
    # In Latin-1 every byte is a character, so lines are counted as an editor counts them.
    with open(copy.fileno(), encoding="latin-1", newline="", closefd=False) as lines:
        for number, line in enumerate(iter(lambda: lines.readline(LINE_LIMIT), ""), 1):
            if not line.isascii():
                (utf8 if _is_probably_utf8(line.encode("latin-1")) else others).append(number)
    if utf8 and len(others) == 1 and fault.reason == "unexpected end of data":
        raise SourceError(
            "{name} is cut off in the middle of a character, on line {line}: export it again.", name=name, line=others[0]
        )
    if utf8:
        raise SourceError(
            "{name} mixes two encodings: lines {utf8} are UTF-8, lines {others} are not; export all of it again as CSV UTF-8.",
            name=name,
            utf8=list_first(utf8),
            others=list_first(others),
        )


def _is_valid_utf8(raw: bytes) -> bool:
    return raw.decode("utf-8", "ignore").encode() == raw


def _is_probably_utf8(raw: bytes) -> bool:
    """Return True when a line that is not ASCII was written as UTF-8, and is not valid UTF-8 by accident."""
    if not _is_valid_utf8(raw):
        return False
    text = raw.decode("utf-8")
    return _UTF8_TEXT.fullmatch(text) is not None or len(_NON_ASCII.findall(text)) >= _UTF8_CERTAIN


def list_first(lines: Sequence[int]) -> str:
    """Return the first few of these numbers of lines, as part of a sentence."""
    return ", ".join(map(str, lines[:_SHOWN])) + (", …" if len(lines) > _SHOWN else "")
