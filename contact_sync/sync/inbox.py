"""A folder that files arrive in: each is run once, in order of arrival, and put away with its report beside it.

A file whose run ended (exit codes 0, 3 and 4) goes to `done/` or `failed/`; any other stays, for the next run to try, and so does
one with rows that are still to be sent, or that was changed or replaced while it was run. Whatever is cut short between two steps
is done again: a run skips the rows that are in place, so nothing is sent twice. Two runs of one folder pass each other: what one
has put away is gone for the other.
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
from contact_sync.i18n import _
from contact_sync.model import Identity

DONE, FAILED = "done", "failed"

PLACES = {0: DONE, 3: FAILED, 4: FAILED}
"""Exit code → where the file goes."""

_ITS_OWN = {ContactSyncError.exit_code, BusyError.exit_code}
"""Exit codes that tell of this file alone: it stays, and the others are run."""

_REPORT = ".results.csv"
_BESIDE = re.compile(r"(?P<file>.+)\.results(-\d+)?\.(csv|xlsx|xlsm)", re.IGNORECASE | re.DOTALL)
_UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".draft", ".log")
_STAMP = re.compile(r"(\d{8}T\d{6}Z)-")


class Ended(NamedTuple):
    """How the run of a file ended."""

    code: int
    sentence: str
    """Why there is no report; empty where there is one."""
    is_open: bool
    """Whether the next run has rows of it to send."""
    identity: Identity | None = None
    """Of the file that was run, where it could be read."""


def each(
    inbox: Path,
    run: Callable[[Path], Ended],
    moved: Callable[[Path, Path, int], None],
    *,
    expected: dt.time | None,
    rehearsal: bool,
) -> Iterator[int]:
    """Run each file that has arrived, put it away unless it is a `rehearsal`, and yield the exit codes.

    `run` may raise MissingError: the file is gone. `moved` is told of what was put away: the file, its place (with only the
    reports there if another file has its name by now), and the exit code. Raises SourceError when the folder cannot be read, or
    no file has come today though it is past the time it was `expected` by.
    """
    found = arrivals(inbox)
    for path in found:
        was = _identity(path)
        try:
            ended = run(path)
        except MissingError:
            continue  # another run has put it away
        yield ended.code
        is_over = not ended.is_open or ended.code == SourceError.exit_code  # what a guard stops would be stopped again
        if ended.code in PLACES and is_over and not rehearsal:
            is_another = _identity(path) not in {ended.identity or was, None}
            place = put_away(path, PLACES[ended.code], ended.sentence, reports_only=is_another)
            if place:
                moved(path, place, ended.code)
        if ended.code not in {*PLACES, *_ITS_OWN}:
            return  # what stopped this one would stop the others
    if expected and not found and missing(inbox, expected, dt.datetime.now().astimezone()):
        raise SourceError(
            _("No file has arrived in {path} today, expected by {time}: check the export.", path=inbox, time=f"{expected:%H:%M}")
        )


def arrivals(inbox: Path) -> list[Path]:
    """The files that have arrived, in order of arrival; not what an office program or an upload keeps beside them."""
    try:
        files = [path for path in inbox.iterdir() if path.is_file()]
        stems = {name for path in files for name in (path.name, path.stem)}
        found: list[tuple[int, str, Path]] = []
        for path in files:
            if not _is_beside(path.name, stems - {path.name, path.stem}):
                with suppress(FileNotFoundError):  # another run has put it away since
                    found.append((path.stat().st_ctime_ns, path.name, path))
    except OSError as error:
        sentence = _("{path} cannot be read ({reason}): check the folder.", path=inbox, reason=error.strerror)
        raise SourceError(sentence) from error
    return [path for _, _, path in sorted(found)]


def _is_beside(name: str, others: set[str]) -> bool:
    """Whether a file belongs to another: a lock, an upload that goes on, the report of a file that is here.

    A report whose file is not here was corrected, and is to be run.
    """
    if name.startswith((".", "~$")) or name.lower().endswith(_UNFINISHED):
        return True
    match = _BESIDE.fullmatch(name)
    return match is not None and match["file"] in others


def _identity(path: Path) -> Identity | None:
    """Which file that is by now; None where it cannot be seen."""
    with suppress(SourceError):
        return identity_of(path)
    return None


def report_of(path: Path) -> Path:
    """Where the report of a file stands until both are put away."""
    return path.with_name(f"{path.name}{_REPORT}")


def put_away(path: Path, folder: str, sentence: str, *, reports_only: bool = False) -> Path | None:
    """Move a file and its reports to this folder in the inbox; a `sentence` is left beside it, where there is no report.

    With `reports_only` the file itself stays. Returns its place there, None when somebody has taken it away. Raises
    StorageError when it cannot be moved.
    """
    into = path.parent / folder
    stamp = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}"
    try:
        into.mkdir(mode=0o700, exist_ok=True)
        place = _free(into, f"{stamp}-{path.name}")
        # The file last: as long as it is here, the next run does it all again.
        for beside in _reports(path):
            beside.rename(place.with_name(place.name + beside.name.removeprefix(path.name)))
        if not reports_only:
            path.rename(place)
        if sentence:
            note = place.with_name(f"{place.name}.txt")
            note.write_text(f"{sentence}\n", encoding="utf-8", errors="backslashreplace")
    except FileNotFoundError:
        return None
    except OSError as error:
        sentence = _(
            "{path} cannot be moved to {folder} ({reason}): check the folder.", path=path, folder=into, reason=error.strerror
        )
        raise StorageError(sentence) from error
    return place


def _reports(path: Path) -> list[Path]:
    return [
        beside for beside in path.parent.iterdir() if (match := _BESIDE.fullmatch(beside.name)) and match["file"] == path.name
    ]


def _free(folder: Path, name: str) -> Path:
    """A place in `folder` that nothing has, nor the report of a file that stayed."""
    place, count = folder / name, 1
    while os.path.lexists(place) or os.path.lexists(report_of(place)):
        count += 1
        place = folder / f"{name[:17]}{count}-{name[17:]}"
    return place


def missing(inbox: Path, expected: dt.time, now: dt.datetime) -> bool:
    """Whether it is past the time of day by which a file was expected, and none has been put away today."""
    stamps = [match[1] for folder in (DONE, FAILED) for path in (inbox / folder).glob("*") if (match := _STAMP.match(path.name))]
    latest = max(stamps, default="")
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return now.time() >= expected and latest < f"{today.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}"
