"""Where the reports of a run go: each to a place of its own, and none over what somebody still needs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import combinations, count
from pathlib import Path
from typing import NamedTuple

from contact_sync.errors import ConfigError
from contact_sync.files.atomic import AtomicFile, is_edited, open_atomic
from contact_sync.i18n import _
from contact_sync.model import OutputPaths, Source
from contact_sync.settings import NOWHERE, Settings


def output_paths(settings: Settings, source: Source) -> OutputPaths:
    """Where the reports go; a workbook also, unless there is to be none, where the source is one."""
    workbook = _chosen(settings.workbook)
    suffix = source.original.suffix if source.original else ".xlsx"
    if settings.workbook is None and source.is_workbook:
        workbook = settings.report.with_suffix(suffix)
        if _same(workbook, settings.source):
            workbook = settings.report.with_suffix(f".results{suffix}")
    mode = 0o600 if settings.report_mode is None else settings.report_mode
    return OutputPaths(settings.source, settings.report, workbook, settings.page, mode)


def former_output_paths(settings: Settings, were: OutputPaths) -> OutputPaths:
    """Where the reports of a run go that is taken up again: to their former places, unless others are asked for."""
    return OutputPaths(
        were.source,
        were.report if settings.report == Path() else settings.report,
        _chosen(settings.workbook) if settings.workbook else were.workbook,
        settings.page or were.page,
        were.mode if settings.report_mode is None else settings.report_mode,
    )


def _chosen(workbook: Path | None) -> Path | None:
    return None if workbook == NOWHERE else workbook


def _same(one: Path, other: Path) -> bool:
    """Whether two names are of one file, or of one that is not there yet."""
    with suppress(OSError):
        return one.samefile(other)
    return one.resolve() == other.resolve()


class Drafts(NamedTuple):
    """The reports that are asked for."""

    csv: AtomicFile
    workbook: AtomicFile | None
    page: AtomicFile | None
    warnings: list[str]


@contextmanager
def drafts(paths: OutputPaths) -> Iterator[Drafts]:
    """Begin the reports. Raises ConfigError where two files would have one place, StorageError where one cannot be written."""
    for one, other in combinations(filter(None, paths[:4]), 2):
        if _same(one, other):
            sentence = _("Two files would have the same name, {path}: correct --report, --workbook or --page.", path=other)
            raise ConfigError(sentence)
    workbook, warnings = _spared(paths.workbook)
    with ExitStack() as stack:

        def begun(path: Path | None) -> AtomicFile | None:
            return stack.enter_context(open_atomic(path, paths.mode)) if path else None

        report = stack.enter_context(open_atomic(paths.report, paths.mode))
        yield Drafts(report, begun(workbook), begun(paths.page), warnings)


def _spared(workbook: Path | None) -> tuple[Path | None, list[str]]:
    """Another place for the workbook where somebody has corrected the one that is there, and a sentence that says so."""
    if workbook is None or not is_edited(workbook):
        return workbook, []
    others = (workbook.with_stem(f"{workbook.stem}-{number}") for number in count(2))
    place = next(other for other in others if not is_edited(other))
    sentence = _(
        "{path} was edited since it was written and is kept; the new workbook is {place}.", path=workbook, place=place.name
    )
    return place, [sentence]
