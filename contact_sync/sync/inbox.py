"""The inbox: each file that arrives in a folder is run, in order of arrival, and moved together with its reports.

A file whose run ended (exit codes 0, 3 and 4) moves to `done/` or `failed/`. Any other stays for the next run, as does one with
unsent rows and one that was changed or replaced during its run. Every step is idempotent: a run skips the rows that are in place,
so one that was interrupted between two steps is repeated without sending anything twice. Two runs can share a folder: a file that
one has moved does not exist for the other.
"""

import datetime as dt
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from contact_sync.errors import BusyError, ContactSyncError, MissingError, SourceError, StorageError
from contact_sync.files.snapshot import identity_of
from contact_sync.files.writers import is_being_written
from contact_sync.model.source import Identity
from contact_sync.names import Purpose, report_beside, short
from contact_sync.sync.arrivals import DONE, FAILED, STAMPED, Arrivals, find_arrivals, is_never_taken, is_report

DESTINATIONS = {0: DONE, 3: FAILED, 4: FAILED}  # exit code → the folder that the file moves to

_SINGLE_FILE = {ContactSyncError.exit_code, BusyError.exit_code}
"""Exit codes that concern only one file: it stays, and the others are run."""

_STAMP_BYTES = 22  # of the time, and of the number where the time is not enough, in the name of a moved file


class FileResult(NamedTuple):
    """The result of running one file; the `sentence` is the reason why there is no report, empty where there is one."""

    code: int
    sentence: str
    is_open: bool  # True when the next run has rows of it to send
    identity: Identity | None = None  # of the file that was run, where it could be read
    is_of_file: bool = False  # True when the reason lies in this file or its reports, whatever the exit code
    show: Callable[[Path | None], object] = lambda _: None  # prints the result, with the paths after the move to a place

    @property
    def stops_others(self) -> bool:
        """True when the same would stop the other files."""
        return self.code not in {*DESTINATIONS, *_SINGLE_FILE} and not self.is_of_file


def run_each(
    inbox: Path,
    run: Callable[[Path], FileResult],
    moved: Callable[[Path, Path, int], None],
    *,
    expected: dt.time | None,
    rehearsal: bool,
    left: Callable[[Arrivals], None] = lambda _: None,
) -> Iterator[FileResult]:
    """Run each file that has arrived, move it unless this is a `rehearsal`, and yield and show the results.

    `run` may raise MissingError: the file is gone. `moved` is called with the file, its new path (which has only the reports if
    the file was replaced meanwhile) and the exit code; `left` once with what was found, among it what is not taken. Raises
    SourceError when the folder cannot be read, or when no file has arrived today by the time it was `expected`, StorageError when
    files cannot be moved.
    """
    found = find_arrivals(inbox)
    if not rehearsal:
        for folder in (DONE, FAILED):
            _refuse_unless_folder(inbox / folder)
    left(found)
    for path in found.files:
        before = _identity(path)
        try:
            result = run(path)
        except MissingError:
            continue  # another run has moved it
        yield result
        is_over = not result.is_open or result.code == SourceError.exit_code  # a guard would stop it again
        place = None
        try:
            if result.code in DESTINATIONS and is_over and not rehearsal:
                stays = not _is_as_it_was(path, result.identity or before)
                place = move(path, DESTINATIONS[result.code], result.sentence, reports_only=stays)
        finally:
            result.show(place)
        if place:
            moved(path, place, result.code)
        if result.stops_others:
            return
    if expected and not found.files and is_overdue(inbox, expected, dt.datetime.now().astimezone()):
        time = f"{expected:%H:%M}"
        raise SourceError("No file has arrived in {path} today, expected by {time}: check the export.", path=inbox, time=time)


def _identity(path: Path) -> Identity | None:
    """Return the current identity of a file, None where it cannot be read."""
    with suppress(ContactSyncError):
        return identity_of(path)
    return None


def _is_as_it_was(path: Path, read: Identity | None) -> bool:
    """Return False when a file may have changed since it was read, or may still change; True also when it is gone."""
    try:
        return identity_of(path) == read and not is_being_written(path)
    except MissingError:
        return True
    except ContactSyncError:
        return False


def _refuse_unless_folder(path: Path) -> None:
    """Raise StorageError unless files can be moved to `path`, if it exists: through a link they would leave the inbox."""
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise StorageError("{path} is a link or a file, so no file can be moved there: replace it with a folder.", path=path)


def move(path: Path, folder: str, sentence: str, *, reports_only: bool = False) -> Path | None:
    """Move a file and its reports to `folder` within the inbox, and write a `sentence`, if any, into a note next to it.

    With `reports_only` the file itself stays. Returns the new path, None when the file has disappeared. Raises StorageError when
    it cannot be moved.
    """
    into = path.parent / folder
    stamp = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}"
    _refuse_unless_folder(into)
    with (
        StorageError.from_os_error("{path} cannot be moved to {folder} ({reason}): check the folder.", path=path, folder=into),
        suppress(FileNotFoundError),
    ):
        into.mkdir(mode=0o700, exist_ok=True)
        place = _unused_path(into, f"{stamp}-{short(path.name, _STAMP_BYTES)}")
        # The file last: as long as it is in the inbox, the next run repeats all of this.
        for report in [one for one in path.parent.iterdir() if is_report(one.name, {path.name})]:
            report.rename(place.with_name(place.name + report.name.removeprefix(short(path.name))))
        if sentence:
            _write_note(_note_of(place), sentence)
        if not reports_only:
            try:
                path.rename(place)
            except FileNotFoundError:
                _note_of(place).unlink(missing_ok=True)
                raise
        return place
    return None


def _note_of(place: Path) -> Path:
    return place.with_name(f"{place.name}.txt")


def _write_note(path: Path, sentence: str) -> None:
    """Write a note, never through a link or over a file that is there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as note:
        note.write(f"{sentence}\n")


def _unused_path(folder: Path, name: str) -> Path:
    """Return a path in `folder` that neither a file nor the report or the note of a file that stayed has."""
    place, count = folder / name, 1
    while any(map(os.path.lexists, (place, report_beside(place, Purpose.REAL, whole=True), _note_of(place)))):
        count += 1
        place = folder / f"{name[:17]}{count}-{name[17:]}"
    return place


def is_overdue(inbox: Path, expected: dt.time, now: dt.datetime) -> bool:
    """Return True when the `expected` time of day is past and no file has been moved today; litter does not count as one."""
    matches = [STAMPED.fullmatch(path.name) for folder in (DONE, FAILED) for path in (inbox / folder).glob("*")]
    stamps = [match["stamp"] for match in matches if match and not is_never_taken(match["original"].removesuffix(".txt"))]
    latest = max(stamps, default="")
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return now.time() >= expected and latest < f"{today.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}"
