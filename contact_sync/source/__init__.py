"""From a file to chunks of text with row numbers. Whatever the file holds, the answer is rows or one `SourceError`."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from contact_sync.files.snapshot import open_file_warning, private_copy
from contact_sync.i18n import _
from contact_sync.model import Source
from contact_sync.source.aliases import check_renames
from contact_sync.source.csv import open_delimited
from contact_sync.source.detect import Kind, recognise
from contact_sync.source.header import Choices

__all__ = ["Choices", "open_source"]


@contextmanager
def open_source(
    path: Path, choices: Choices, *, clock: Callable[[], float] = time.time, sleep: Callable[[float], object] = time.sleep
) -> Iterator[Source]:
    """Lend the contacts in `path`, parsed from a private copy that ends with the `with` block.

    `clock` gives seconds since the epoch, as file times do; `sleep` takes seconds. Raises `SourceError` for a source that is
    refused, `BusyError` for one that is still being written, `ConfigError` for a choice that does not fit it.
    """
    choices = replace(choices, renames=check_renames(choices.renames))
    with private_copy(path, clock=clock, sleep=sleep) as (copy, identity), ExitStack() as stack:
        source: Source
        match kind := recognise(copy, path.name):
            case Kind.CSV:
                source = open_delimited(copy, path, choices)
            case Kind.XLSX:
                # Not before it is needed: openpyxl is slow to import, and the child that reads other workbooks comes by here.
                from contact_sync.source.xlsx.workbook import open_workbook  # noqa: PLC0415

                source = open_workbook(copy, path, choices)
            case _:
                from contact_sync.source.legacy.reader import open_legacy  # noqa: PLC0415 - the same

                source = stack.enter_context(open_legacy(copy, path, kind.name.lower(), choices))
        source.identity = identity
        if finding := _unused(kind, path.name, choices):
            source.findings.append(finding)
        if warning := open_file_warning(path):
            source.warnings.append(warning)
        yield source


def _unused(kind: Kind, name: str, choices: Choices) -> str | None:
    """Return a sentence when something was chosen that has no meaning for a file of this kind, else None."""
    if kind is Kind.CSV:
        return _("{name} is not a workbook; --sheet is only for workbooks.", name=name) if choices.sheet else None
    if choices.delimiter or choices.encoding:
        return _("{name} is a workbook; --delimiter and --encoding are only for CSV.", name=name)
    return None
