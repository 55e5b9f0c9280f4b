"""The report as a workbook: every row with its outcome, after a sheet of those that need attention.

It is the operator's own workbook marked up (`returned`) where a copy loses nothing, else a new one (`new`).
"""

import logging
import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from itertools import chain

from contact_sync.files.atomic import AtomicFile
from contact_sync.i18n import _
from contact_sync.model.report import Batch, Line, lines_of
from contact_sync.model.source import Original
from contact_sync.report.formats import ReportContext
from contact_sync.report.xlsx import new, returned

LIMIT, CELLS = 20_000, 400_000
"""Rows and cells of a whole workbook at most, a kilobyte of memory a cell; a larger source gets the rows that need attention."""

_KEPT = re.compile(
    r"\[content_types\]\.xml|_rels/\.rels|docprops/.*|docmetadata/.*|customxml/.*|xl/_rels/workbook\.xml\.rels"
    r"|xl/(workbook|styles|sharedstrings|calcchain)\.xml|xl/theme/(_rels/)?theme\d*\.xml(\.rels)?|xl/worksheets/[^/]+\.xml"
    r"|xl/worksheets/_rels/.*|xl/tables/[^/]+\.xml|xl/(comments/)?comments?\d*\.xml|xl/drawings/[^/]+\.vml"
    r"|xl/printersettings/.*|xl/persons/.*|xl/vbaproject\.bin"
)
"""Parts that openpyxl keeps or that can be dropped; any other is a chart, an image, a pivot table, a link to another file…"""
_LARGEST = 32 << 20  # bytes of XML of all sheets; openpyxl takes some ten times as much memory
_DROPPED: dict[bytes, tuple[str, ...]] = {
    b"extLst": ("xl/worksheets/",),  # sparklines, icons and validations of newer versions
    b"x005F_": ("xl/worksheets/", "xl/sharedstrings"),  # an escaped underscore, which openpyxl misreads
    b"FmlaMacro": ("xl/drawings/",),  # a form control
}
"""Content that openpyxl drops from parts that it keeps → prefixes of those parts."""

_CHARACTERS = 32 << 20  # of all rows, of which a copy is made in memory

log = logging.getLogger(__name__)


def write(draft: AtomicFile, batches: Iterable[Batch], context: ReportContext) -> list[str]:
    """Write the workbook; notes say why it is not the source marked up, and which rows and columns it lacks."""
    layout, original, rows = context.layout, context.original, context.summary.rows
    if rows > LIMIT or rows * len(layout.columns) > CELLS:
        return new.write(draft, context, _attention(batches), most=LIMIT)
    if original is None:
        return new.write(draft, context, lines_of(batches))
    kept: list[Batch] = []
    characters, rest = 0, iter(batches)
    for batch in rest:
        kept.append(batch)
        characters += len(batch.cells.decode(errors="surrogatepass"))
        if characters > _CHARACTERS:  # in a small file, many cells may share one long text
            return new.write(draft, context, _attention(chain(kept, rest)), most=LIMIT)
    reason = _return(draft, original, context, kept)
    return [reason, *new.write(draft, context, lines_of(kept))] if reason else []


def _attention(batches: Iterable[Batch]) -> Iterator[Line]:
    """Yield the lines that need attention; a batch without any is not unpacked."""
    for batch in batches:
        if batch.plain.needs_attention or any(line.needs_attention for line in batch.others.values()):
            yield from (line for line in batch.lines() if line.needs_attention)


def _return(draft: AtomicFile, original: Original, context: ReportContext, batches: list[Batch]) -> str:
    """Write the operator's own workbook marked up; where a copy would lose something, write nothing and return why."""
    with zipfile.ZipFile(original.file) as archive:
        about = {"name": original.name, "parts": ", ".join(_losses(archive))}
    if about["parts"]:
        return _("A copy of {name} would lose parts of it ({parts}), so a new workbook was written instead.", **about)
    with tempfile.TemporaryFile() as saved:
        try:
            parts = returned.save(original, context, lines_of(batches), saved)
            returned.with_results(original, saved, parts, draft.file)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - openpyxl raises anything on a file that Excel tolerates
            log.info("%s: %s", original.name, type(error).__name__)  # its text may quote a cell
            draft.file.seek(0)
            return _("{name} could not be copied completely, so a new workbook was written instead.", name=original.name)
    return ""


def _losses(archive: zipfile.ZipFile) -> list[str]:
    """Return what a copy of the workbook would lose, by the names of its folders and elements."""
    names = [name for name in archive.namelist() if not name.endswith("/")]
    others = (name for name in names if not _KEPT.fullmatch(name.casefold()) and not _is_empty(archive, name))
    lost = {name.removeprefix("xl/").split("/")[0] for name in others}
    sheets = [entry for entry in archive.infolist() if entry.filename.casefold().startswith("xl/worksheets/")]
    if sum(entry.file_size for entry in sheets) > _LARGEST:
        lost.add(_("too many cells"))
    lost.update(
        content.decode()
        for content, prefixes in _DROPPED.items()
        for name in names
        if name.casefold().startswith(prefixes) and _contains(archive, name, content)
    )
    return sorted(lost)


def _is_empty(archive: zipfile.ZipFile, name: str) -> bool:
    """Return True for an empty drawing, of which Google adds one to every sheet."""
    return re.fullmatch(r"xl/drawings/[^/]+\.xml", name.casefold()) is not None and not _contains(archive, name, b"Anchor")


def _contains(archive: zipfile.ZipFile, name: str, content: bytes) -> bool:
    with archive.open(name) as part:
        before = b""
        while block := part.read(1 << 18):
            if content in before + block:
                return True
            before = block[-len(content) :]
    return False
