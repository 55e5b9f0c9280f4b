"""A folder of pages: one for each run of a file, named after its time and its file, and an index of them."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

from contact_sync.errors import ConfigError, StorageError
from contact_sync.files.atomic import open_atomic, writing
from contact_sync.names import Purpose, set_apart, short
from contact_sync.report.html import index
from contact_sync.sync.arrivals import STAMPED
from contact_sync.sync.opening import new_id

_LISTED = 400  # pages of an index, the newest


def open_pages(folder: Path, inboxes: list[Path]) -> None:
    """Create the folder of pages. Raises ConfigError where it is none, or a folder of sources, StorageError."""
    if folder.suffix.lower() in {".html", ".htm"} or (folder.exists() and not folder.is_dir()):
        raise ConfigError(
            "--page names a folder here, in which each run of a file leaves a page and index.html lists them: {path} is none.",
            path=folder,
        )
    real = os.path.realpath(folder)
    if any(real == os.path.realpath(inbox) or os.path.dirname(real) == os.path.realpath(inbox) for inbox in inboxes):  # noqa: PTH120
        raise ConfigError("--page must not be the inbox or a folder in it, {path}: choose another folder.", path=folder)
    with StorageError.from_os_error("The folder {path} cannot be made ({reason}): correct --page.", path=folder):
        folder.mkdir(exist_ok=True)


def page_in(folder: Path, source: Path, purpose: Purpose) -> Path:
    """Return where the page of a run of `source` goes that begins now."""
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{short(source.name)}.{purpose}"
    names = (f"{name}.html", *(f"{name}-{number}.html" for number in range(2, 100)))
    return next((folder / each for each in names if not os.path.lexists(folder / each)), folder / names[0])


def write_index(folder: Path, purpose: Purpose, notices: list[str], mode: int | None) -> Path:
    """List the pages of all runs for this `purpose` in an index, with what the last one has to say. Raises StorageError."""
    path = folder / "index.html"
    if purpose is not Purpose.REAL:
        path = set_apart(path, purpose)
    with open_atomic(path, 0o600 if mode is None else mode, is_spare=purpose is not Purpose.REAL) as draft, writing(path):
        names = sorted((each for each in os.listdir(folder) if _is_page(each, purpose)), reverse=True)  # noqa: PTH208
        index.write(draft, new_id(datetime.now(UTC)), [folder / name for name in names[:_LISTED]], notices)
        draft.commit()
    return draft.path


def _is_page(name: str, purpose: Purpose) -> bool:
    return STAMPED.fullmatch(name) is not None and re.search(rf"\.{purpose}(-\d+)?\.html$", name) is not None
