"""Bodies that a server in front of the API compressed although none was asked for; only the standard library's formats."""

import zlib

_GZIP_MAGIC = b"\x1f\x8b"
_ZLIB_OR_GZIP, _RAW = zlib.MAX_WBITS + 32, -zlib.MAX_WBITS
_FORMATS = {"gzip": (_ZLIB_OR_GZIP,), "x-gzip": (_ZLIB_OR_GZIP,), "deflate": (_ZLIB_OR_GZIP, _RAW)}
"""Name of a format → the variants that are tried; "deflate" is used for two of them (RFC 9110, 8.4.1.2)."""


class CompressionError(ValueError):
    """The body is compressed in an unknown format (its name is the text), or is not whole."""


def decompressed(body: bytes, encodings: str, limit: int) -> bytes:
    """Return a body without the `encodings` of its Content-Encoding header, or `limit` + 1 bytes of one that is longer.

    A body that is not compressed, whatever the header says, is returned as it is. Raises CompressionError.
    """
    names = [name.strip().lower() for name in encodings.split(",")]
    for name in reversed([name for name in names if name not in {"", "identity"}]):
        if name not in _FORMATS:
            raise CompressionError(name)
        body = _inflated(body, name, limit)
    return _inflated(body, "gzip", limit) if body.startswith(_GZIP_MAGIC) else body


def _inflated(body: bytes, name: str, limit: int) -> bytes:
    for variant in _FORMATS[name]:
        inflater = zlib.decompressobj(variant)
        try:
            inflated = inflater.decompress(body, limit + 1)
        except zlib.error:
            continue
        if not inflater.eof and len(inflated) <= limit:
            raise CompressionError(name)
        return inflated
    return body
