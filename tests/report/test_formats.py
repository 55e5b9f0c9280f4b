"""The registry of report formats."""

import errno
from pathlib import Path

import pytest

from contact_sync.errors import StorageError
from contact_sync.files.atomic import AtomicFile, open_atomic
from contact_sync.model.report import Batch, Line, Summary
from contact_sync.model.source import Layout
from contact_sync.packed import pack
from contact_sync.report import formats
from contact_sync.report.formats import FORMATS, Registration, ReportContext

SUMMARY = Summary("run", Path("contacts.csv"), None, rows=1, outcomes={"updated": 1})
CONTEXT = ReportContext(SUMMARY, Layout(["contactId"], ["A"], {"contactId": 0}, ";"))
BATCH = Batch([2], pack([["C1"]]), Line([], 0, "updated", "", "", "", 1, 200, "200", "2026-01-02T03:04:05Z"), {})


def write_to_full_disk(draft: AtomicFile, *_: object) -> list[str]:
    """Write the beginning of a report, which finds no room for more."""
    draft.file.write(b"begun")
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_writes_a_whole_report(tmp_path: Path, name: str) -> None:
    """Every registered format can be imported, and writes its report to the path of the draft."""
    path = tmp_path / "report"
    with open_atomic(path, 0o600) as begun:
        assert formats.write(name, begun, [BATCH], CONTEXT) == []
    assert path.stat().st_size > 0
    assert str(path) in FORMATS[name].line(path)


def test_a_report_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An OSError of any format becomes a StorageError that names the report, and nothing is left of the report."""
    monkeypatch.setitem(FORMATS, "full", Registration(f"{__name__}:write_to_full_disk", ""))
    monkeypatch.setattr(formats, "resolve_name", lambda _: write_to_full_disk)
    with (
        pytest.raises(StorageError, match=r"full\.txt cannot be written \(No space left"),
        open_atomic(tmp_path / "full.txt", 0o600) as begun,
    ):
        formats.write("full", begun, [], CONTEXT)
    assert list(tmp_path.iterdir()) == []


def test_a_format_that_cannot_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A format whose module cannot be opened is a report that cannot be written, not a bug."""

    def fail(_: str) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(formats, "resolve_name", fail)
    with (
        pytest.raises(StorageError, match=r"full\.txt cannot be written \(Too many open"),
        open_atomic(tmp_path / "full.txt", 0o600) as begun,
    ):
        formats.write("report", begun, [], CONTEXT)
