"""The inbox: each file that arrives in a folder is run, in order of arrival, and moved together with its reports.

A file whose run ended (exit codes 0, 3 and 4) moves to `done/` or `failed/`. Any other stays for the next run, as does one with
unsent rows and one that was changed or replaced during its run. Every step is idempotent: a run skips the rows that are in place,
so one that was interrupted between two steps is repeated without sending anything twice. Two runs can share a folder: a file that
one has moved does not exist for the other.
"""

import datetime as dt
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from contact_sync.errors import BusyError, ContactSyncError, MissingError, SourceError, StorageError
from contact_sync.files.snapshot import identity_of
from contact_sync.model import Identity

DONE, FAILED = "done", "failed"

DESTINATIONS = {0: DONE, 3: FAILED, 4: FAILED}  # exit code → the folder that the file moves to

_SINGLE_FILE = {ContactSyncError.exit_code, BusyError.exit_code}
"""Exit codes that concern only one file: it stays, and the others are run."""

_REPORT = ".results.csv"
_REPORT_NAME = re.compile(r"(?P<file>.+)\.results(-\d+)?\.(csv|xlsx|xlsm)", re.IGNORECASE | re.DOTALL)
_UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".draft", ".log")
_STAMP = re.compile(r"(\d{8}T\d{6}Z)-")


class FileResult(NamedTuple):
    """The result of running one file; the `sentence` is the reason why there is no report, empty where there is one."""

    code: int
    sentence: str
    is_open: bool  # True when the next run has rows of it to send
    identity: Identity | None = None  # of the file that was run, where it could be read


def run_each(
    inbox: Path,
    run: Callable[[Path], FileResult],
    moved: Callable[[Path, Path, int], None],
    *,
    expected: dt.time | None,
    rehearsal: bool,
) -> Iterator[int]:
    """Run each file that has arrived, move it unless this is a `rehearsal`, and yield the exit codes.

    `run` may raise MissingError: the file is gone. `moved` is called with the file, its new path (which has only the reports if
    the file was replaced meanwhile) and the exit code. Raises SourceError when the folder cannot be read, or when no file has
    arrived today by the time it was `expected`.
    """
    found = arrivals(inbox)
    for path in found:
        before = _identity(path)
        try:
            result = run(path)
        except MissingError:
            continue  # another run has moved it
        yield result.code
        is_over = not result.is_open or result.code == SourceError.exit_code  # a guard would stop it again
        if result.code in DESTINATIONS and is_over and not rehearsal:
            was_replaced = _identity(path) not in {result.identity or before, None}
            if place := move(path, DESTINATIONS[result.code], result.sentence, reports_only=was_replaced):
                moved(path, place, result.code)
        if result.code not in {*DESTINATIONS, *_SINGLE_FILE}:
            return  # the same would stop the other files
    if expected and not found and is_overdue(inbox, expected, dt.datetime.now().astimezone()):
        time = f"{expected:%H:%M}"
        raise SourceError("No file has arrived in {path} today, expected by {time}: check the export.", path=inbox, time=time)


def arrivals(inbox: Path) -> list[Path]:
    """Return the files that have arrived, in order of arrival, without auxiliary files. Raises SourceError."""
    with SourceError.from_os_error("{path} cannot be read ({reason}): check the folder.", path=inbox):
        files = [path for path in inbox.iterdir() if path.is_file()]
        stems = {name for path in files for name in (path.name, path.stem)}
        found: list[tuple[int, str, Path]] = []
        for path in files:
            if not _is_auxiliary(path.name, stems - {path.name, path.stem}):
                with suppress(FileNotFoundError):  # another run has moved it since
                    found.append((path.stat().st_ctime_ns, path.name, path))
    return [path for *_key, path in sorted(found)]


def _is_auxiliary(name: str, others: set[str]) -> bool:
    """Return True for a lock file, an unfinished upload, and the report of one of the `others`.

    A report whose file is not in the folder was corrected, and is run.
    """
    return name.startswith((".", "~$")) or name.lower().endswith(_UNFINISHED) or _is_report(name, others)


def _is_report(name: str, files: set[str]) -> bool:
    match = _REPORT_NAME.fullmatch(name)
    return match is not None and match["file"] in files


def _identity(path: Path) -> Identity | None:
    """Return the current identity of a file, None where it cannot be read."""
    with suppress(SourceError):
        return identity_of(path)
    return None


def report_of(path: Path) -> Path:
    """Return the path of the report of a file until both are moved."""
    return path.with_name(f"{path.name}{_REPORT}")


def move(path: Path, folder: str, sentence: str, *, reports_only: bool = False) -> Path | None:
    """Move a file and its reports to `folder` within the inbox, and write a `sentence`, if any, into a note next to it.

    With `reports_only` the file itself stays. Returns the new path, None when the file has disappeared. Raises StorageError when
    it cannot be moved.
    """
    into = path.parent / folder
    stamp = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}"
    with (
        StorageError.from_os_error("{path} cannot be moved to {folder} ({reason}): check the folder.", path=path, folder=into),
        suppress(FileNotFoundError),
    ):
        into.mkdir(mode=0o700, exist_ok=True)
        place = _unused_path(into, f"{stamp}-{path.name}")
        # The file last: as long as it is in the inbox, the next run repeats all of this.
        for report in [one for one in path.parent.iterdir() if _is_report(one.name, {path.name})]:
            report.rename(place.with_name(place.name + report.name.removeprefix(path.name)))
        if not reports_only:
            path.rename(place)
        if sentence:
            place.with_name(f"{place.name}.txt").write_text(f"{sentence}\n", encoding="utf-8", errors="backslashreplace")
        return place
    return None


def _unused_path(folder: Path, name: str) -> Path:
    """Return a path in `folder` that neither a file nor the report of a file that stayed has."""
    place, count = folder / name, 1
    while os.path.lexists(place) or os.path.lexists(report_of(place)):
        count += 1
        place = folder / f"{name[:17]}{count}-{name[17:]}"
    return place


def is_overdue(inbox: Path, expected: dt.time, now: dt.datetime) -> bool:
    """Return True when the `expected` time of day is past and no file has been moved today."""
    stamps = [match[1] for folder in (DONE, FAILED) for path in (inbox / folder).glob("*") if (match := _STAMP.match(path.name))]
    latest = max(stamps, default="")
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return now.time() >= expected and latest < f"{today.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}"
