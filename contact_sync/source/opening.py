"""Opening a source: a private copy, its kind, and the reader of that kind."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from importlib import import_module
from io import FileIO
from pathlib import Path

from contact_sync.files.snapshot import open_file_warning, private_copy
from contact_sync.i18n import _
from contact_sync.model import Source
from contact_sync.source.aliases import check_renames
from contact_sync.source.detect import Kind, detect_kind
from contact_sync.source.options import SourceOptions

_READERS = {
    Kind.CSV: "csv",
    Kind.XLSX: "xlsx.workbook",
    Kind.XLS: "legacy.workbook",
    Kind.XLSB: "legacy.workbook",
    Kind.ODS: "legacy.workbook",
}
"""Kind → the module whose `open_file` reads it. Imported on demand: openpyxl is slow to import, and a worker needs none of it."""

_OpenFile = Callable[[FileIO, Path, Kind, SourceOptions], AbstractContextManager[Source]]


@contextmanager
def open_source(
    path: Path, options: SourceOptions, *, clock: Callable[[], float] = time.time, sleep: Callable[[float], object] = time.sleep
) -> Iterator[Source]:
    """Open the contacts in `path`, parsed from a private copy that is deleted when the context ends.

    `clock` returns seconds since the epoch, as file times do; `sleep` takes seconds. Raises `SourceError` for a source that is
    refused, `BusyError` for one that is still being written, `ConfigError` for an option that does not fit it.
    """
    options = replace(options, renames=check_renames(options.renames))
    with private_copy(path, clock=clock, sleep=sleep) as (copy, identity):
        kind = detect_kind(copy, path.name)
        open_file: _OpenFile = import_module(f"contact_sync.source.{_READERS[kind]}").open_file
        with open_file(copy, path, kind, options) as source:
            source.identity = identity
            if finding := _unused_option(kind, path.name, options):
                source.findings.append(finding)
            if warning := open_file_warning(path):
                source.warnings.append(warning)
            yield source


def _unused_option(kind: Kind, name: str, options: SourceOptions) -> str | None:
    """Return a sentence when an option has no meaning for a file of this kind, else None."""
    if kind is Kind.CSV:
        return _("{name} is not a workbook; --sheet is only for workbooks.", name=name) if options.sheet else None
    if options.delimiter or options.encoding:
        return _("{name} is a workbook; --delimiter and --encoding are only for CSV.", name=name)
    return None
