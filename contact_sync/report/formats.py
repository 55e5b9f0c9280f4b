"""The report formats: the interface of each, and the one place where they are registered."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import NamedTuple

from contact_sync.files.atomic import AtomicFile, is_edited, writing
from contact_sync.i18n import N_, _
from contact_sync.model.report import Batch, Summary
from contact_sync.model.source import Layout, Original

_BEGINNING = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class ReportContext:
    """Facts about a run that a report may need besides its rows."""

    summary: Summary
    layout: Layout
    original: Original | None = None
    masked: bool = True  # True when phone numbers are to be hidden in a report that is made to be shared


Writer = Callable[[AtomicFile, Iterable[Batch], ReportContext], list[str]]
"""The function of a format: writes every row into the draft's `file`, and returns notes for the operator; may raise OSError."""


class Registration(NamedTuple):
    """Facts about a format that are known before it is imported: its `Writer` as `module:name`, its line of the summary."""

    writer: str
    label: str
    is_corrected: bool = False  # True when operators correct the file itself, so that an edited one is not overwritten
    mark: bytes = b""  # in the first megabyte of each such report; none where a file that is no report is kept anyway

    def line(self, path: Path) -> str:
        """Return the line of the summary for the report at `path`."""
        return _(self.label, path=path)


FORMATS = {
    "report": Registration("contact_sync.report.csv:write", N_("Report: {path}"), mark=b"sync_row"),
    "workbook": Registration("contact_sync.report.xlsx.workbook:write", N_("Workbook: {path}"), is_corrected=True),
    "page": Registration(
        "contact_sync.report.html.page:write", N_("Page: {path}"), mark=b"default-src 'none'; style-src 'sha256-"
    ),
}
"""Name of a format, which is that of its option, → its registration; in the order in which reports are written."""


def is_foreign(name: str, path: Path) -> bool:
    """Return True when `path` is a file, not empty, that no report of this format can have become, however it was edited."""
    mark = FORMATS[name].mark
    try:
        if not (mark and path.is_file() and path.stat().st_size and is_edited(path)):
            return False
    except OSError:
        return False  # it cannot be replaced either
    try:
        with path.open("rb") as file:
            return mark not in file.read(_BEGINNING).replace(b"\0", b"")  # an office program may have saved it as UTF-16
    except OSError:
        return True  # nothing shows that it is a report


def write(name: str, draft: AtomicFile, batches: Iterable[Batch], context: ReportContext) -> list[str]:
    """Write a report, move it to its path, and return notes for the operator. Raises StorageError.

    A format is imported when it is first used: `check` of a small CSV file needs no workbook library.
    """
    with writing(draft.path):  # without a file left to open, the import fails
        writer: Writer = resolve_name(FORMATS[name].writer)
        notes = writer(draft, batches, context)
    draft.commit()
    return notes
