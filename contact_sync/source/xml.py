"""Parsing a part of an archive as XML, block by block, in memory that does not grow with the part."""

from collections.abc import Iterator
from typing import IO, Protocol
from xml.parsers import expat

_BLOCK = 1 << 16


class _Handler(Protocol):
    """The callbacks of expat. A tag is "namespace name"; the text of an element may arrive in several pieces."""

    def start(self, tag: str, attributes: dict[str, str], /) -> None: ...
    def text(self, text: str, /) -> None: ...
    def end(self, tag: str, /) -> None: ...


def parse(part: IO[bytes], handler: _Handler) -> None:
    """Parse all of `part`; raises `expat.ExpatError` for broken XML."""
    for _ in parse_blocks(part, handler):
        pass


def parse_blocks(part: IO[bytes], handler: _Handler) -> Iterator[None]:
    """Parse `part` and yield after each block, so that the caller can take what `handler` has collected."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = handler.start, handler.end
    parser.CharacterDataHandler = handler.text
    while block := part.read(_BLOCK):
        parser.Parse(block, False)
        yield
    parser.Parse(b"", True)
    yield
