"""The spool of a pull: what was read so far, so that a pull that was killed goes on where it ended.

It is in the state folder and not beside the output, because that folder is private and known to `forget`. It has values, so it is
deleted at the end of its pull, by `forget`, and after a day at the latest.
"""

import json
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from contact_sync.errors import BusyError, StorageError
from contact_sync.files.lock import lock
from contact_sync.files.private import open_private

SUFFIX = ".pull"
_MAX_AGE_S = 86_400
_CHECKSUM = 8  # characters


class Spool:
    """JSON documents in a file, one a line after its checksum, in the order in which they were appended."""

    def __init__(self, file: IO[bytes], path: Path | None = None) -> None:
        self._file = file
        self._path = path

    def documents(self) -> Iterator[Any]:
        """Yield the documents up to the first that is damaged, as by a kill; what follows is cut off."""
        end = self._file.seek(0)
        for line in self._file:
            if line != _line(line[_CHECKSUM:-1]):
                self._file.truncate(end)
                return
            end += len(line)
            yield json.loads(line[_CHECKSUM:])

    def append(self, document: Any) -> None:
        """Add a document, which a kill of this process cannot take away. Raises StorageError."""
        with StorageError.from_os_error("What was read cannot be kept ({reason}): check the disk of the state folder."):
            self._file.seek(0, os.SEEK_END)
            self._file.write(_line(json.dumps(document).encode()))
            self._file.flush()

    def clear(self) -> None:
        """Drop all documents."""
        self._file.seek(0)
        self._file.truncate()

    def delete(self) -> None:
        """Delete the file; what is in it can be read until it is closed."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _line(text: bytes) -> bytes:
    return b"%0*x%b\n" % (_CHECKSUM, zlib.crc32(text), text)


@contextmanager
def open_spool(path: Path) -> Iterator[Spool]:
    """Open a spool, which is kept unless it is deleted. Raises BusyError when another pull has it, OSError."""
    file = os.fdopen(open_private(path, os.O_RDWR | os.O_CREAT), "r+b")
    try:
        if not lock(file.fileno()):
            raise BusyError("Another pull of this account is in progress: wait for it to end.")
        spool = Spool(file, path)
        if time.time() - os.fstat(file.fileno()).st_mtime > _MAX_AGE_S:
            spool.clear()
        yield spool
    finally:
        with suppress(OSError):  # the disk is full, as `append` has said
            file.close()


def delete_spools(folder: Path, *, all_of_them: bool = False) -> None:
    """Delete the spools in a state folder that are too old, or all of them, except those of pulls in progress."""
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(OSError, BusyError), open_spool(path) as spool:
            if all_of_them or next(spool.documents(), None) is None:
                spool.delete()
