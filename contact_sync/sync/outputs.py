"""Paths and drafts of a run's reports: each at a separate path, and none over a file that is still needed."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain, combinations, count
from pathlib import Path
from typing import NamedTuple

from contact_sync.errors import ConfigError
from contact_sync.files.atomic import AtomicFile, is_edited, is_spare, open_atomic
from contact_sync.i18n import _
from contact_sync.model.source import OutputPaths, Source
from contact_sync.names import Purpose, set_apart
from contact_sync.report.formats import FORMATS
from contact_sync.settings import NOWHERE, ReportSettings, Settings


def output_paths(settings: Settings, suffix: str) -> OutputPaths:
    """Return where the reports of a run go; `suffix` is that of its workbook by default, empty for none."""
    wanted = settings.report
    reports = {"report": wanted.path, **wanted.outputs}
    if "workbook" not in reports and suffix:
        reports["workbook"] = wanted.path.with_suffix(suffix)
        if is_same(reports["workbook"], settings.source.path):
            reports["workbook"] = wanted.path.with_suffix(f".{settings.purpose}{suffix}")
    return OutputPaths(settings.source.path, _requested(reports), 0o600 if wanted.mode is None else wanted.mode)


def workbook_suffix(source: Source) -> str:
    """Return the suffix of the workbook about a source that is one, empty for any other source."""
    if not source.is_workbook:
        return ""
    return source.original.suffix if source.original else ".xlsx"


def former_output_paths(wanted: ReportSettings, former: OutputPaths) -> OutputPaths:
    """Return where the reports of a run go that is taken up again: to their former paths, unless others are given."""
    reports = {**former.reports, **wanted.outputs}
    if wanted.path != Path():
        reports["report"] = wanted.path
    return OutputPaths(former.source, _requested(reports), former.mode if wanted.mode is None else wanted.mode)


def _requested(reports: dict[str, Path]) -> dict[str, Path]:
    others = (name for name in FORMATS if name != "report" and reports.get(name, NOWHERE) != NOWHERE)
    return {name: reports[name] for name in ("report", *others)}


def is_same(one: Path, other: Path) -> bool:
    """Return True when two paths are of one file, whether or not it exists yet."""
    with suppress(OSError):
        return one.samefile(other)
    return os.path.realpath(one) == os.path.realpath(other)


def refuse_clashes(paths: OutputPaths) -> None:
    """Raise ConfigError where two files would have one path."""
    for one, other in combinations([paths.source, *paths.reports.values()], 2):
        if is_same(one, other):
            raise ConfigError("Two files would have the same name, {path}: correct --report, --workbook or --page.", path=other)


def remove_notices(paths: OutputPaths) -> None:
    """Remove the notices that earlier runs, which could not start, have left beside these reports."""
    for path in paths.reports.values():
        notice = set_apart(path, Purpose.NOTICE)
        if is_spare(notice):
            with suppress(OSError):
                notice.unlink()


class Drafts(NamedTuple):
    """The reports that were requested, under way."""

    by_format: dict[str, AtomicFile]  # in the order of `FORMATS`, the CSV report first
    warnings: list[str]

    @property
    def csv(self) -> AtomicFile:
        """The CSV report."""
        return self.by_format["report"]


@contextmanager
def drafts(paths: OutputPaths, purpose: Purpose = Purpose.REAL) -> Iterator[Drafts]:
    """Open the drafts of all reports; only those of a real run replace the report of one.

    Raises ConfigError where two files would have one path, StorageError where a report cannot be written, BusyError where another
    run writes it.
    """
    opened = Drafts({}, [])
    free = {name: _free(name, requested, purpose, opened.warnings) for name, requested in paths.reports.items()}
    refuse_clashes(paths)
    refuse_clashes(paths._replace(reports=free))
    with ExitStack() as stack:
        for name, path in free.items():
            opened.by_format[name] = stack.enter_context(open_atomic(path, paths.mode, is_spare=purpose is not Purpose.REAL))
        yield opened


def _free(name: str, requested: Path, purpose: Purpose, warnings: list[str]) -> Path:
    """Return `requested`, or a path like it where the file there has to be kept, which a warning says."""
    path = requested
    if purpose is not Purpose.REAL and not is_spare(requested):
        path = set_apart(requested, purpose)
        if path != requested:
            names = {"path": requested, "place": path.name}
            warnings.append(_("{path} may be of a real run and is kept; what this run writes is {place}.", **names))
    unedited = _unedited(path) if FORMATS[name].is_corrected else path
    if unedited != path:
        names = {"path": path, "place": unedited.name}
        warnings.append(_("{path} was edited since it was written and is kept; the new workbook is {place}.", **names))
    return unedited


def _unedited(path: Path) -> Path:
    """Return `path`, or a path like it, whose file no operator has edited."""
    others = (path.with_stem(f"{path.stem}-{number}") for number in count(2))
    return next(other for other in chain([path], others) if not is_edited(other))
