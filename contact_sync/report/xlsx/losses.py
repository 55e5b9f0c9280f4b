"""Parts of a workbook that openpyxl does not keep, so that a copy would lose them."""

import re
import zipfile

from contact_sync.i18n import _

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


def of_copy(archive: zipfile.ZipFile) -> list[str]:
    """Return what a copy of the workbook would lose, by the names of its folders and elements."""
    names = [name for name in archive.namelist() if not name.endswith("/")]
    lost = {_folder(name) for name in names if not _KEPT.fullmatch(name.casefold()) and not _is_empty(archive, name)}
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


def _folder(name: str) -> str:
    first, _slash, rest = name.partition("/")
    return rest.split("/")[0] if first == "xl" else first


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
