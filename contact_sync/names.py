"""Names that are derived from the name of a file: shortened where the file system would not take them."""

import os
import zlib
from pathlib import PurePath

_LONGEST = 190  # bytes; a name of 255 must have room for what is added: a time, `.results-2.xlsx`, a draft's random part


def short(name: str, room: int = 0) -> str:
    """Return a name that others can be derived from: itself or, where it is too long, its beginning and a checksum of it.

    It leaves `room` for as many bytes before it, so that the longer name is not shortened once more.
    """
    longest = _LONGEST - room
    if len(os.fsencode(name)) <= longest:
        return name
    checksum = f"{zlib.crc32(os.fsencode(name)):08x}"
    suffix = PurePath(name).suffix[:10] if PurePath(name).suffix.isascii() else ""
    while len(os.fsencode(name)) > longest - 20:
        name = name[:-1]
    return f"{name}-{checksum}{suffix}"
