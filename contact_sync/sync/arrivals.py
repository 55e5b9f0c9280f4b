"""The files that have arrived in an inbox, and those in it that are not taken: copies, backups, unfinished uploads, litter.

Most are told by their names. Where the name leaves no doubt (`contacts.csv.part`, a backup, a conflict copy, an undo file) a file
is never taken. Where it could also be a file of its own (`contacts_old.csv`, `contacts-PC42.csv`, `contacts (1).csv`) it is a
copy while `contacts.csv` is in the inbox, and after that was run. A number or a date alone is no proof then: browsers add it
to a new export, and log rotation to an old one. Such a file is taken if it is newer than what was run, and has other content.

A word after the name describes the file (`customers_old.csv`), an adjective before it the contacts (`old_customers.csv`).
"""

import filecmp
import os
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from contact_sync.errors import SourceError
from contact_sync.files.atomic import is_edited
from contact_sync.names import Purpose, short

DONE, FAILED = "done", "failed"  # folders of files whose run has ended, within the inbox

STAMPED = re.compile(r"(?P<stamp>\d{8}T\d{6}Z)-(?P<name>(\d+-)?(?P<original>.+))", re.DOTALL)  # a name in these folders

_FLAGS = re.IGNORECASE | re.DOTALL | re.VERBOSE
_TABLE = r"\.(csv|tsv|tab|txt|xls[xmb]?|ods)"  # a suffix after which nothing is expected
_PACKED = r"\.(zip|gz|tgz|bz2|xz|7z|rar|gpg|pgp)"  # which is refused with a sentence of its own

_REPORT = re.compile(rf"(?P<file>.+)\.(?P<purpose>{'|'.join(Purpose)})(-\d+)?\.(csv|xls[xm]|html)", _FLAGS)

_SYSTEM = ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "autorun.inf")
_MARKERS = (
    *(".md5", ".sha1", ".sha224", ".sha256", ".sha384", ".sha512", ".crc", ".sfv", ".sig", ".ok", ".done", ".ready", ".fin"),
    *(".finished", ".complete", ".completed", ".eof", ".flag", ".trg", ".trigger", ".ctl", ".lock", ".lck", ".pid"),
    *(".lnk", ".url", ".webloc", ".desktop", "zone.identifier", ".stackdump"),
)
_AUXILIARY = re.compile(
    r"""
    (md5|sha\d*|b2|check)sums?(\.(txt|asc))?
    | (read-?me|lisez-?moi|liesmich|leggimi|leame|licen[cs]e)(\.(txt|md|rst|rtf|pdf|html?|docx?))?
    | nohup\.out | core(\.\d+)?
    """,
    _FLAGS,
)

_NEVER = re.compile(
    rf"""
    ~.* | .*[~\#]  # drafts of editors and of office programs
    | .*(\.|{_TABLE}[_-])(  # where a suffix is expected, one of unfinished files and backups
        tmp\w*|temp|part(ial)?|file-?part|crdownload|(op)?download|upload(ing)?|in-?progress|incomplete
        |aria2|!ut|bc!|lftp|(lftp-)?pget(-status)?|_?copying_?|sw[nop]
        |bak\w*|bkp|backup|old|orig|save?|prev|dpkg-\w+|rpm(save|new|orig)|ucf-\w+
      )[\W\d_]*({_PACKED})?
    # the versions that lost in sync programs
    | .*(conflicted\ copy|copie\ en\ conflit|in\ konflikt\ stehende|sync-conflict|sfconflict).*
    | .*(?<![\W_](en|in))[\W_](conflict(ed)?|conflit|konflikt)([\W_].*)?
    | .+\.undo(-\d+)?{_TABLE}  # puts earlier values back, which a person asks for
    """,
    _FLAGS,
)

_COPY = "copie|copy|kopie|kopia|copia|cópia"
_SPARE = rf"{_COPY}|old|bak|bkp|back-?up|orig|original|ancien(ne)?|sauvegarde|prev(ious)?|précédente?|tmp"
_RECOVERED = r"\w*(recover|récupér|recuper|repair|répar|autosave)\w*|version\ \d+"
_AFTER_NAME = re.compile(
    rf"""
    (?P<stem>.+?)(
        (\ -\ |[ ._-])({_SPARE})([ _-]version)?[\W\d_]*
        |[ ._-]*[(\[][^()\[\]]*\b({_SPARE}|{_RECOVERED})\b[^()\[\]]*[)\]](\.xlsb)?
    )
    """,
    _FLAGS,
)
_BEFORE_NAME = re.compile(
    rf"({_COPY}|bak|backup|sauvegarde|tmp(?=[_-]))([ _-]*\(\d+\))?[ _-]+((de|of|von|van|di)[ _-]+|d['\u2019])?(?P<stem>.+)",
    _FLAGS,
)
_HOST = re.compile(  # OneDrive adds the name of the computer
    r"""
    (DESKTOP|LAPTOP|TABLET|SURFACE|PORTABLE|POSTE|PC|WIN|SRV|SERVER|MAC)[\d-][A-Z\d-]*
    |[A-Z\d-]+-(PC|LAPTOP|DESKTOP) | ([\w-]+-)?(MacBook|iMac)[\w-]*
    """,
    re.VERBOSE,
)
_NUMBER = re.compile(r"(?P<stem>.+?)(\ ?\(\d{1,3}\)|\ [2-9]|~\d)", _FLAGS)  # of browsers, of macOS, of short names
_AFTER_SUFFIX = re.compile(rf"(?P<original>.+{_TABLE})(?!.*({_TABLE}|{_PACKED})$)[\W_](?P<tail>.*)", _FLAGS)
_DATE = re.compile(r"[\d\W_TZ]*\d[\d\W_TZ]*", _FLAGS)


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
    folded, stems = set(map(_folded, names)), {name for each in names for name in (each, PurePath(each).stem)}
    for entry in sorted(present, key=lambda entry: entry.name):
        name = entry.name
        if entry.is_symlink():
            if name not in {DONE, FAILED}:  # which `move` refuses
                found.held_back.append(name)
        elif _is_our_own(Path(entry)) or is_report(name, stems - {name, PurePath(name).stem}):
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


def _is_our_own(path: Path) -> bool:
    """Return True for a log, a draft, the report of a check that nobody has corrected, and the lock file of an office program.

    A run mentions such a lock file when it reads the file.
    """
    report = _REPORT.fullmatch(path.name)
    if report and report["purpose"].lower() != Purpose.REAL:
        return not is_edited(path)
    return path.name.startswith(("~$", ".~lock.")) or path.name.lower().endswith((".log", ".draft"))


def _is_litter(name: str) -> bool:
    name = name.casefold()
    return name.startswith(".") or name in _SYSTEM or name.endswith(_MARKERS) or _AUXILIARY.fullmatch(name) is not None


def is_never_taken(name: str) -> bool:
    """Return True for a file that its name alone shows to be litter, unfinished, a backup, or a copy that lost a conflict."""
    return _is_litter(name) or _NEVER.fullmatch(name) is not None


def _is_copy(path: Path, present: Iterable[str]) -> bool:
    """Return True when the original of a copy is one of the names that are `present`, or was run and may be the newer one."""
    originals = _originals(path.name)
    if not originals.keys().isdisjoint(present):
        return True
    earlier = list(_runs_of(path.parent, originals.keys())) if originals else []
    if all(originals.values()):
        return any(_is_older(path, run) or _is_same(path, run) for run in earlier)
    return bool(earlier)


def _originals(name: str) -> dict[str, bool]:
    """Return the files that `name` may be a copy of, by folded name, each with True where only a number or a date says so."""
    found: dict[str, bool] = {}
    names = [unicodedata.normalize("NFC", name)]
    while names:  # also the copy of a copy
        for original, is_numbered in _undone(names.pop()):
            folded = _folded(original)
            if folded not in found:
                names.append(original)
            found[folded] = found.get(folded, True) and is_numbered
    found.pop(_folded(name), None)
    return found


def _undone(name: str) -> Iterator[tuple[str, bool]]:
    """Yield `name` without each single addition that copies get, and True where that is only a number or a date."""
    stem, suffix = PurePath(name).stem, PurePath(name).suffix
    for rule in (_AFTER_NAME, _BEFORE_NAME, _NUMBER):
        if match := rule.fullmatch(stem):
            yield match["stem"] + suffix, rule is _NUMBER
    for hyphen in re.finditer("-", stem):
        if _HOST.fullmatch(stem, hyphen.end()):
            yield stem[: hyphen.start()] + suffix, False
    if match := _AFTER_SUFFIX.fullmatch(name):
        yield match["original"], _DATE.fullmatch(match["tail"]) is not None


def _folded(name: str) -> str:
    """Return a name without case, and with its accents in one form: macOS writes them apart."""
    return unicodedata.normalize("NFC", name).casefold()


def _runs_of(inbox: Path, names: Collection[str]) -> Iterator[Path]:
    """Yield the files of these names, without case, whose run has ended."""
    for folder in (DONE, FAILED):
        with suppress(OSError):
            for name in os.listdir(inbox / folder):  # noqa: PTH208 - a Path for each of thousands of names
                match = STAMPED.fullmatch(name)
                if match and (_folded(match["name"]) in names or _folded(match["original"]) in names):
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
