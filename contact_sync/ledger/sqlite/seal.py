"""The seal of a ledger: a small file beside it, by which a ledger that lost something is noticed when it is opened.

SQLite takes a write-ahead log that is missing, cut or damaged for one that ends earlier, and pages of the file have no checksum.
So what was withdrawn before rows were sent could be believed again after a crash. The seal has two marks against that:

* the number of withdrawals, which the ledger contains too, written after each of them and before its rows are sent: a log that
  lost one leaves the ledger with a smaller number;
* size and checksum of the main file, which changes only when the log is moved into it (a checkpoint), and only this program does
  that. They are unknown while a checkpoint is in progress: a crash there leaves the log complete. The file is read again only
  where the system says that it was changed (`st_ctime`): a ledger of 100,000 contacts has 84 MB, which takes 24 ms of CPU time.
"""

import os
import zlib
from pathlib import Path
from typing import NamedTuple, Self

from contact_sync.errors import StorageError
from contact_sync.files.private import open_private

_VERSION = b"1"
_BLOCK = 1 << 20  # bytes read at once


class Mark(NamedTuple):
    """The content of a seal."""

    withdrawals: int
    content: str  # size and checksum of the main file; empty where they are not known
    changed_ns: int = 0  # time of the last change of that file


class Seal:
    """The seal in the file `path`; `mark` is what it contained when it was opened, None when it is missing or damaged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with StorageError.from_os_error("The file {path} cannot be used ({reason}): check the state folder.", path=path):
            self._descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
            try:
                self.mark = _parse(os.pread(self._descriptor, _BLOCK, 0))
            except BaseException:
                os.close(self._descriptor)
                raise

    def write(self, mark: Mark) -> None:
        """Replace the content durably; it is shorter than a sector, which a disk writes as a whole."""
        text = b"%b %020d %020d %-31b" % (_VERSION, mark.withdrawals, mark.changed_ns, mark.content.encode())
        with StorageError.from_os_error("The file {path} cannot be written ({reason}): check the disk.", path=self._path):
            os.pwrite(self._descriptor, b"%b %08x\n" % (text, zlib.crc32(text)), 0)
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _parse(text: bytes) -> Mark | None:
    marked, _space, checksum = text.rstrip(b"\n").rpartition(b" ")
    if checksum != b"%08x" % zlib.crc32(marked):
        return None
    version, *fields = marked.decode("ascii").split()
    if version.encode() != _VERSION:
        return None
    withdrawals, changed_ns, *content = fields
    return Mark(int(withdrawals), "".join(content), int(changed_ns))


def content_of(descriptor: int) -> str:
    """Return size and checksum of a file. Raises OSError."""
    size = checksum = 0
    while block := os.pread(descriptor, _BLOCK, size):
        checksum = zlib.crc32(block, checksum)
        size += len(block)
    return f"{size}:{checksum:08x}"
