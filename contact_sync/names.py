"""Names that are derived from the name of a file: those of reports, and shortened ones for the file system."""

import os
import zlib
from enum import StrEnum
from pathlib import Path, PurePath
from typing import Self

_LONGEST = 190  # bytes; a name of 255 must have room for what is added: a time, `.rehearsal-2.xlsx`, a draft's random part


class Purpose(StrEnum):
    """The purpose of a run, and the word for it in the names of its reports; only those of a real run are `results`."""

    REAL = "results"
    REHEARSAL = "rehearsal"  # sent to the sandbox
    CHECK = "check"  # nothing is sent
    NOTICE = "notice"  # none: the run could not start

    @classmethod
    def of(cls, *, sandbox: bool, dry_run: bool) -> Self:
        """Return the purpose of a run with these options."""
        return cls.CHECK if dry_run else cls.REHEARSAL if sandbox else cls.REAL


def report_beside(source: Path, purpose: Purpose, *, whole: bool = False) -> Path:
    """Return where the report of `source` goes by default: named after its stem, or after the `whole` name."""
    return source.parent / f"{short(source.name if whole else source.stem)}.{purpose}.csv"


def set_apart(report: Path, purpose: Purpose) -> Path:
    """Return a path like `report` whose name says what the run is for."""
    word = f".{purpose}"
    return report if report.stem.endswith(word) else report.with_name(f"{short(report.stem)}{word}{report.suffix}")


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
