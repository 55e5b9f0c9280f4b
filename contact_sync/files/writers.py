"""Other processes that have a file open for writing, where the system tells (Linux).

Time alone is no proof that a file is complete: an upload may pause. A read lease is refused while any process has the file open
for writing, also one of another user or container. It needs the owner of the file or root, and a network file system refuses it
for other reasons; there the descriptors in `/proc` are searched, which shows the processes of this user and of this machine.
"""

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

if sys.platform == "linux":
    import fcntl

_PROC = Path("/proc")
_NETWORK = ("nfs", "cifs", "smb", "ceph", "9p", "afs", "gfs", "ocfs", "lustre")
"""Beginnings of the types of file systems on which a refused lease proves nothing."""


def is_being_written(path: Path) -> bool:
    """Return True when a process has `path` open for writing; False also where the system does not tell."""
    if sys.platform != "linux":
        return False
    refused = _is_lease_refused(path)
    return any(_writers(path)) if refused is None else refused


def writer_of(path: Path) -> str:
    """Return the number of a process that has `path` open for writing; empty when it cannot be found."""
    return next(_writers(path), "")


def _is_lease_refused(path: Path) -> bool | None:
    """Return True when the system refuses a read lease because of a writer, None when it refuses it for another reason."""
    if _is_on_network(path):
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:  # which reading the file reports
        return None
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)  # is ignored; the default would end this process
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    finally:
        os.close(descriptor)
    return False


def _is_on_network(path: Path) -> bool:
    """Return True when the file system of `path` is that of another machine, or is not known."""
    kinds: dict[str, str] = {}
    with suppress(OSError, ValueError):
        real = os.path.realpath(path)
        for line in (_PROC / "self/mountinfo").read_bytes().splitlines():
            place, kind = line.split()[4], line.partition(b" - ")[2].split()[0]
            folder = os.fsdecode(place.decode("unicode_escape").encode("latin-1"))  # a space is written as \040
            if os.path.commonpath([real, folder]) == folder:
                kinds[folder] = os.fsdecode(kind)
    return kinds.get(max(kinds, key=len, default=""), "nfs").startswith(_NETWORK)


def _writers(path: Path) -> Iterator[str]:
    """Yield the number of each process, as far as this user may look, that has `path` open for writing."""
    real = os.path.realpath(path)
    for process in filter(str.isdigit, _names_in(str(_PROC))):
        folder = f"{_PROC}/{process}"
        for descriptor in _names_in(f"{folder}/fd"):
            # The link is compared as text: to follow it could hang on a server that is down.
            if _target(f"{folder}/fd/{descriptor}") == real and _is_for_writing(f"{folder}/fdinfo/{descriptor}"):
                yield process


def _names_in(folder: str) -> list[str]:
    with suppress(OSError):  # the process has ended, or belongs to another user
        return os.listdir(folder)  # noqa: PTH208 - a Path for each of thousands of names
    return []


def _target(link: str) -> str:
    with suppress(OSError):
        return os.readlink(link)  # noqa: PTH115 - see above
    return ""


def _is_for_writing(information: str) -> bool:
    with suppress(OSError, ValueError), open(information, encoding="ascii") as lines:  # noqa: PTH123 - see above
        flags = next((line.split()[1] for line in lines if line.startswith("flags:")), "0")
        return int(flags, 8) & os.O_ACCMODE != os.O_RDONLY
    return False
