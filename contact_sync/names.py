"""Names that are derived from the name of a file: shortened where the file system would not take them."""

import hashlib
import os
from pathlib import PurePath

_LONGEST = 190  # bytes; a name of 255 must have room for what is added: a time, `.results-2.xlsx`, a draft's random part


def short(name: str) -> str:
    """Return a name that others can be derived from: itself or, where it is too long, its beginning and a digest of it."""
    if len(os.fsencode(name)) <= _LONGEST:
        return name
    suffix = PurePath(name).suffix[:10] if PurePath(name).suffix.isascii() else ""
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
    while len(os.fsencode(name)) > _LONGEST - 20:
        name = name[:-1]
    return f"{name}-{digest}{suffix}"
