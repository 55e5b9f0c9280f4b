"""The inbox: accepted files, their order, and their destinations."""

import datetime as dt
import os
import shutil
import time
from pathlib import Path

import pytest

from contact_sync.errors import MissingError, SourceError, StorageError
from contact_sync.files.snapshot import identity_of
from contact_sync.sync import inbox

NOW = dt.datetime.now().astimezone()


def arrive(folder: Path, *names: str) -> list[Path]:
    """Create files in the folder, one after the other."""
    paths = [folder / name for name in names]
    for path in paths:
        path.touch()
        time.sleep(0.02)
    return paths


def test_files_are_listed_in_order_of_arrival(tmp_path: Path) -> None:
    """Files are listed in the order of their arrival, whatever their names and modification times."""
    first, second, third = arrive(tmp_path, "c.csv", "a.xlsx", "b.csv")
    os.utime(third, (0, 0))
    assert inbox.arrivals(tmp_path) == [first, second, third]


def test_auxiliary_files_are_no_arrivals(tmp_path: Path) -> None:
    """Auxiliary files of office programs, uploads and runs are left alone, and so are folders."""
    arrive(tmp_path, "~$a.xlsx", ".~lock.a.ods#", "a.csv.part", "b.csv.filepart", "c.tmp")
    arrive(tmp_path, "night.log")
    (tmp_path / "done").mkdir()
    assert inbox.arrivals(tmp_path) == []


def test_second_workbook_moves_with_its_file(tmp_path: Path) -> None:
    """The second workbook of a file, written because the first was edited, is not an arrival and moves with the file."""
    path, *_ = paths = arrive(tmp_path, "a.xlsx", "a.xlsx.results.csv", "a.xlsx.results.xlsx", "a.xlsx.results-2.xlsx")
    assert inbox.arrivals(tmp_path) == [path]
    place = inbox.move(path, "failed", "")
    assert place is not None
    assert {each.name for each in place.parent.iterdir()} == {each.name.replace("a.xlsx", place.name) for each in paths}


def test_unreadable_folder(tmp_path: Path) -> None:
    """A missing folder is a SourceError."""
    with pytest.raises(SourceError, match=r"gone cannot be read \(No such file or directory\): check the folder"):
        inbox.arrivals(tmp_path / "gone")


@pytest.mark.parametrize("folder", ["done", "failed"])
def test_file_is_moved_with_its_reports(tmp_path: Path, folder: str) -> None:
    """A file whose run ended is moved with its reports, under a unique name."""
    for _ in range(2):
        path, report, workbook = arrive(tmp_path, "a.csv", "a.csv.results.csv", "a.csv.results.xlsx")
        place = inbox.move(path, folder, "")
        assert place is not None
        assert not any(each.exists() for each in (path, report, workbook))
        there = {each.name for each in place.parent.iterdir()}
        assert {place.name, f"{place.name}.results.csv", f"{place.name}.results.xlsx"} <= there
        assert place.parent == tmp_path / folder
    assert len(list((tmp_path / folder).iterdir())) == 6


def freeze_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Freeze the clock."""

    class Still(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> "Still":
            return cls(2026, 1, 2, 3, 4, 5, tzinfo=tz)

    monkeypatch.setattr(dt, "datetime", Still)


def test_equal_names_in_one_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of one name in one second do not replace each other."""
    freeze_clock(monkeypatch)
    paths = [inbox.move(arrive(tmp_path, "a.csv")[0], "done", "") for _ in range(3)]
    assert [place.name for place in paths if place] == [
        "20260102T030405Z-a.csv",
        "20260102T030405Z-2-a.csv",
        "20260102T030405Z-3-a.csv",
    ]


def test_refused_file_gets_a_note(tmp_path: Path) -> None:
    """A file that was refused, and so has no report, gets a note with the reason."""
    (path,) = arrive(tmp_path, "a.csv")
    place = inbox.move(path, "failed", "No header.")
    assert place is not None
    assert place.with_name(f"{place.name}.txt").read_text(encoding="utf-8") == "No header.\n"


def run_all(folder: Path, ends: dict[str, inbox.FileResult], *, rehearsal: bool = False) -> tuple[list[int], list[str]]:
    """Process a folder whose files end as given, and return the exit codes and the names of the files that are still there."""
    codes = list(inbox.run_each(folder, lambda path: ends[path.name], lambda *_: None, expected=None, rehearsal=rehearsal))
    return codes, sorted(path.name for path in folder.iterdir() if path.is_file())


@pytest.mark.parametrize(
    ("ended", "left"),
    [
        (inbox.FileResult(0, "", is_open=False), ["c"]),
        (inbox.FileResult(3, "", is_open=False), ["c"]),
        (inbox.FileResult(4, "no", is_open=False), ["c"]),
        (inbox.FileResult(4, "", is_open=True), ["c"]),  # a guard
        (inbox.FileResult(0, "", is_open=True), ["a", "c"]),  # --limit
        (inbox.FileResult(3, "", is_open=True), ["a", "c"]),
        (inbox.FileResult(1, "", is_open=True), ["a", "c"]),
        (inbox.FileResult(75, "busy", is_open=False), ["a", "c"]),
        (inbox.FileResult(6, "", is_open=True), ["a", "b", "c"]),
        (inbox.FileResult(5, "", is_open=True), ["a", "b", "c"]),
    ],
)
def test_files_that_stay(tmp_path: Path, ended: inbox.FileResult, left: list[str]) -> None:
    """A file with rows for the next run stays, unless a guard stopped it; a failure that affects all files ends the loop."""
    arrive(tmp_path, "a", "b", "c")
    well = inbox.FileResult(0, "", is_open=False)
    assert run_all(tmp_path, {"a": ended, "b": well, "c": inbox.FileResult(6, "", is_open=True)})[1] == left


def test_rehearsal_moves_nothing(tmp_path: Path) -> None:
    """A rehearsal moves nothing."""
    arrive(tmp_path, "a", "b")
    ended = inbox.FileResult(0, "", is_open=False)
    assert run_all(tmp_path, {"a": ended, "b": ended}, rehearsal=True) == ([0, 0], ["a", "b"])


@pytest.mark.parametrize("code", [0, 3, 4])
@pytest.mark.parametrize("how", ["renamed", "written"])
def test_replaced_file_stays(tmp_path: Path, how: str, code: int) -> None:
    """When a file is replaced during its run only its reports are moved; the new file stays for the next run."""
    (path,) = arrive(tmp_path, "a.csv")
    path.write_bytes(b"old")
    moved: list[Path] = []

    def run(_: Path) -> inbox.FileResult:
        _, other = arrive(tmp_path, "a.csv.results.csv", "b.part")
        other.write_bytes(b"new")
        if how == "renamed":
            shutil.copystat(path, other)
            other.replace(path)
        else:
            path.write_bytes(b"new")
        return inbox.FileResult(code, "no" if code == 4 else "", is_open=False)

    assert list(inbox.run_each(tmp_path, run, lambda *put: moved.append(put[1]), expected=None, rehearsal=False)) == [code]
    assert path.read_bytes() == b"new"
    assert not inbox.report_of(path).exists()
    (place,) = moved
    assert not place.exists()
    assert inbox.report_of(place).exists()
    assert inbox.arrivals(tmp_path) == [path]


def test_reports_of_one_second_do_not_collide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report of the new file, in the same second, does not replace the report of the old one."""
    freeze_clock(monkeypatch)
    for reports_only in (True, False):
        path, _ = arrive(tmp_path, "a.csv", "a.csv.results.csv")
        inbox.move(path, "done", "", reports_only=reports_only)
    assert sorted(each.name for each in (tmp_path / "done").iterdir()) == [
        "20260102T030405Z-2-a.csv",
        "20260102T030405Z-2-a.csv.results.csv",
        "20260102T030405Z-a.csv.results.csv",
    ]


def test_files_moved_by_another_run_are_skipped(tmp_path: Path) -> None:
    """A file that another run has moved, before it could be opened or since, is skipped."""
    first, second, last = arrive(tmp_path, "a", "b", "c")
    tried: list[Path] = []

    def run(path: Path) -> inbox.FileResult:
        tried.append(path)
        if path == second:
            second.unlink()
            raise MissingError("b does not exist")
        if path == last:
            last.unlink()
        return inbox.FileResult(0, "", is_open=False)

    moved: list[Path] = []
    assert list(inbox.run_each(tmp_path, run, lambda *put: moved.append(put[0]), expected=None, rehearsal=False)) == [0, 0]
    assert tried == [first, second, last]
    assert moved == [first]


def test_refused_file_may_disappear(tmp_path: Path) -> None:
    """A refused file yields its exit code even if it has disappeared since."""
    (path,) = arrive(tmp_path, "a")

    def run(_: Path) -> inbox.FileResult:
        path.unlink()
        return inbox.FileResult(4, "It has no header.", is_open=False)

    assert list(inbox.run_each(tmp_path, run, lambda *_: None, expected=None, rehearsal=False)) == [4]


def test_file_that_was_completed_during_the_run(tmp_path: Path) -> None:
    """A file that grew until it was read was not replaced: it is moved."""
    (path,) = arrive(tmp_path, "a")

    def run(_: Path) -> inbox.FileResult:
        path.write_bytes(b"all of it")
        return inbox.FileResult(0, "", is_open=False, identity=identity_of(path))

    assert list(inbox.run_each(tmp_path, run, lambda *_: None, expected=None, rehearsal=False)) == [0]
    assert not path.exists()


def test_file_that_disappears_while_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that disappears while the folder is listed does not keep the others from being run."""
    gone, stays = arrive(tmp_path, "a", "b")
    original = Path.stat

    def stat(path: Path, **how: bool) -> os.stat_result:
        found = original(path, **how)
        if path == gone:
            path.unlink()
        return found

    monkeypatch.setattr(Path, "stat", stat)
    assert run_all(tmp_path, {stays.name: inbox.FileResult(0, "", is_open=False)}) == ([0], [])


def test_missing_file_is_not_moved(tmp_path: Path) -> None:
    """A file that has disappeared is not moved, without an error."""
    (path,) = arrive(tmp_path, "a.csv")
    path.unlink()
    assert inbox.move(path, "done", "") is None


def test_corrected_report_is_an_arrival(tmp_path: Path) -> None:
    """A report beside its own file is left alone; one without its file was corrected, and is run."""
    arrive(tmp_path, "a.csv", "a.csv.results.csv", "a.results.xlsx", "b.results.csv", "c.xlsx.results.xlsx")
    assert [path.name for path in inbox.arrivals(tmp_path)] == ["a.csv", "b.results.csv", "c.xlsx.results.xlsx"]


def test_note_with_an_undecodable_name(tmp_path: Path) -> None:
    """The note of a refused file can be written for any file name."""
    (path,) = arrive(tmp_path, os.fsdecode(b"caf\xe9.csv"))
    place = inbox.move(path, "failed", f"{path.name}: no.")
    assert place is not None
    assert place.with_name(f"{place.name}.txt").read_text(encoding="utf-8") == "caf\\udce9.csv: no.\n"


def test_failed_move_is_reported(tmp_path: Path) -> None:
    """A move that fails is a StorageError with the reason."""
    (path,) = arrive(tmp_path, "a.csv")
    (tmp_path / "done").touch()
    with pytest.raises(StorageError, match=r"a\.csv cannot be moved to .*done \(.*\): check the folder"):
        inbox.move(path, "done", "")


@pytest.mark.parametrize(
    ("stamp", "expected", "overdue"),
    [
        (None, dt.time(0, 0), True),
        (None, dt.time(23, 59, 59, 999999), False),
        (NOW, dt.time(0, 0), False),
        (NOW - dt.timedelta(days=1), dt.time(0, 0), True),
    ],
)
def test_expected_file_is_overdue(tmp_path: Path, stamp: dt.datetime | None, expected: dt.time, overdue: bool) -> None:
    """After the expected time a file is overdue unless one was moved today."""
    (tmp_path / "failed").mkdir()
    if stamp:
        (tmp_path / "failed" / f"{stamp.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}-a.csv").touch()
    assert inbox.is_overdue(tmp_path, expected, NOW.replace(hour=12)) is overdue
