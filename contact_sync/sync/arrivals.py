"""The files that have arrived in an inbox, and those in it that are not taken: copies, backups, unfinished uploads, litter.

Most are told by their names. `contacts (1).csv`, `contacts - Copie.csv` or `contacts.old.csv` may be a file of its own, as when a
browser saves an export under a name that was in use. It is a copy while `contacts.csv` is in the inbox, and after that was run.
A number alone, which browsers add to a new export, is no proof then: such a file is taken if it is newer than what was run, and
has other content. A sync program's conflict copy is the version that lost, and never taken.
"""

import filecmp
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from contact_sync.errors import SourceError
from contact_sync.names import short

DONE, FAILED = "done", "failed"  # folders of files whose run has ended, within the inbox

STAMPED = re.compile(r"(?P<stamp>\d{8}T\d{6}Z)-(?P<name>(\d+-)?(?P<original>.+))", re.DOTALL)  # a name in these folders

_REPORT = re.compile(r"(?P<file>.+)\.results(-\d+)?\.(csv|xlsx|xlsm)", re.IGNORECASE | re.DOTALL)

_UNFINISHED = (
    *(".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".opdownload", ".uploading", ".upload"),
    *(".inprogress", ".in-progress", ".incomplete", ".aria2", ".swp"),
)
_BACKUPS = ("~", ".bak", ".backup", ".old", ".orig", ".save", ".prev")
_CONFLICT = re.compile(r"conflicted copy|copie en conflit|sync-conflict|sfconflict|[\W_]conflict(ed)?([\W_]|$)", re.IGNORECASE)

_MARKERS = (
    *(".md5", ".sha1", ".sha224", ".sha256", ".sha384", ".sha512", ".crc", ".sfv", ".sig", ".ok", ".done", ".ready", ".fin"),
    *(".finished", ".complete", ".completed", ".eof", ".flag", ".trg", ".trigger", ".ctl", ".lock", ".lck", ".pid"),
)
_SHORTCUTS = (".lnk", ".url", ".webloc", ".desktop", "zone.identifier")
_SYSTEM = ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "autorun.inf")

_WORD = "(copie|copy|kopie|copia|cópia)"
_NUMBER = r"\(?\d{1,3}\)?"
_COPY = re.compile(
    rf"(?P<stem>.+?)( ?\(\d{{1,3}}\)|( - |[ _-]){_WORD}( ?{_NUMBER})?| \([^()]*{_WORD}[^()]*\)|\.(bak|backup|old|orig))",
    re.IGNORECASE | re.DOTALL,
)
_NUMBERED = re.compile(rf"^(?!.*\b{_WORD}\b).*\(\d{{1,3}}\)$", re.IGNORECASE | re.DOTALL)
_COPY_OF = re.compile(r"(copie de|copy of|kopie von|copia de|cópia de) (?P<stem>.+)", re.IGNORECASE | re.DOTALL)


@dataclass(slots=True)
class Arrivals:
    """The regular files of an inbox, and the names of those that are not taken."""

    files: list[Path] = field(default_factory=list)  # in order of arrival
    held_back: list[str] = field(default_factory=list)  # copies, backups, unfinished uploads and links: some may matter
    litter: list[str] = field(default_factory=list)  # of systems and of other programs; never a file of contacts


def find_arrivals(inbox: Path) -> Arrivals:
    """Return what has arrived in a folder, without its own reports and logs. Raises SourceError when it cannot be read."""
    with (
        SourceError.from_os_error("{path} cannot be read ({reason}): check the folder.", path=inbox),
        os.scandir(inbox) as entries,
    ):
        present = [entry for entry in entries if entry.is_symlink() or entry.is_file(follow_symlinks=False)]
    found, arrived = Arrivals(), []
    names = {entry.name for entry in present}
    folded, stems = {name.casefold() for name in names}, {name for each in names for name in (each, PurePath(each).stem)}
    for entry in sorted(present, key=lambda entry: entry.name):
        name = entry.name
        if entry.is_symlink():
            if name not in {DONE, FAILED}:  # which `move` refuses
                found.held_back.append(name)
        elif _is_our_own(name) or is_report(name, stems - {name, PurePath(name).stem}):
            pass
        elif _is_litter(name):
            found.litter.append(name)
        elif is_never_taken(name) or _is_copy(Path(entry), folded):
            found.held_back.append(name)
        else:
            with suppress(FileNotFoundError):  # another run has moved it since
                arrived.append((_time_of_arrival(entry), name, Path(entry)))
    found.files = [path for *_key, path in sorted(arrived)]
    return found


def _time_of_arrival(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat(follow_symlinks=False).st_ctime_ns
    except FileNotFoundError:
        raise
    except OSError:  # which its run reports
        return 0


def _is_our_own(name: str) -> bool:
    """Return True for a log, a draft, and the lock file of an office program, which a run mentions when it reads the file."""
    return name.startswith(("~$", ".~lock.")) or name.lower().endswith((".log", ".draft"))


def _is_litter(name: str) -> bool:
    name = name.casefold()
    return name.startswith(".") or name in _SYSTEM or name.endswith((*_MARKERS, *_SHORTCUTS))


def is_never_taken(name: str) -> bool:
    """Return True for a file that its name alone shows to be litter, unfinished, a backup, or a copy that lost a conflict."""
    return _is_litter(name) or name.casefold().endswith((*_UNFINISHED, *_BACKUPS)) or bool(_CONFLICT.search(name))


def _is_copy(path: Path, present: Iterable[str]) -> bool:
    """Return True when the original of a copy is one of the names that are `present`, or was run and may be the newer one."""
    originals = {name.casefold() for name in _originals(path.name)} - {path.name.casefold()}
    if not originals.isdisjoint(present):
        return True
    earlier = list(_runs_of(path.parent, originals)) if originals else []
    if _NUMBERED.search(PurePath(path.name).stem):
        return any(_is_older(path, run) or _is_same(path, run) for run in earlier)
    return bool(earlier)


def _originals(name: str) -> Iterator[str]:
    """Yield the names of the files that `name` may be a copy of."""
    stem, suffix = PurePath(name).stem, PurePath(name).suffix
    for pattern in (_COPY, _COPY_OF):
        if match := pattern.fullmatch(stem):
            yield match["stem"] + suffix
            yield from _originals(match["stem"] + suffix)  # the copy of a copy


def _runs_of(inbox: Path, names: set[str]) -> Iterator[Path]:
    """Yield the files of these names, without case, whose run has ended."""
    for folder in (DONE, FAILED):
        with suppress(OSError):
            for name in os.listdir(inbox / folder):  # noqa: PTH208 - a Path for each of thousands of names
                match = STAMPED.fullmatch(name)
                if match and names & {match["name"].casefold(), match["original"].casefold()}:
                    yield inbox / folder / name


def _is_older(path: Path, other: Path) -> bool:
    """Return True unless the file at `path` was changed after the other."""
    with suppress(OSError):
        return path.stat().st_mtime_ns <= other.stat().st_mtime_ns
    return True


def _is_same(path: Path, other: Path) -> bool:
    """Return True unless two files have different content."""
    with suppress(OSError):
        return filecmp.cmp(path, other, shallow=False)
    return True


def is_report(name: str, files: Iterable[str]) -> bool:
    """Return True for the report of one of these files; a report whose file is not in the folder was corrected, and is run."""
    match = _REPORT.fullmatch(name)
    return match is not None and match["file"] in map(short, files)
