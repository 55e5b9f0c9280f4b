"""The inbox: accepted files, their order, and their destinations."""

import datetime as dt
import os
import shutil
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import pytest

from contact_sync.errors import BusyError, MissingError, SourceError, StorageError
from contact_sync.files.snapshot import identity_of
from contact_sync.model.source import Identity, OutputPaths
from contact_sync.names import Purpose, report_beside
from contact_sync.sync import arrivals, inbox
from contact_sync.sync.arrivals import find_arrivals
from tests.setups import file_size_limit

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
    assert find_arrivals(tmp_path).files == [first, second, third]


def test_auxiliary_files_are_no_arrivals(tmp_path: Path) -> None:
    """Auxiliary files of office programs, uploads and runs are left alone, and so are folders."""
    arrive(tmp_path, "~$a.xlsx", ".~lock.a.ods#", "a.csv.part", "b.csv.filepart", "c.tmp")
    arrive(tmp_path, "night.log")
    (tmp_path / "done").mkdir()
    assert find_arrivals(tmp_path).files == []


def test_second_workbook_moves_with_its_file(tmp_path: Path) -> None:
    """The second workbook of a file, written because the first was edited, is not an arrival and moves with the file."""
    path, *_ = paths = arrive(tmp_path, "a.xlsx", "a.xlsx.results.csv", "a.xlsx.results.xlsx", "a.xlsx.results-2.xlsx")
    assert find_arrivals(tmp_path).files == [path]
    place = inbox.move(path, "failed", "")
    assert place is not None
    assert {each.name for each in place.parent.iterdir()} == {each.name.replace("a.xlsx", place.name) for each in paths}


def test_unreadable_folder(tmp_path: Path) -> None:
    """A missing folder is a SourceError."""
    with pytest.raises(SourceError, match=r"gone cannot be read \(No such file or directory\): check the folder"):
        find_arrivals(tmp_path / "gone")


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
    results = inbox.run_each(folder, lambda path: ends[path.name], lambda *_: None, expected=None, rehearsal=rehearsal)
    return [result.code for result in results], sorted(path.name for path in folder.iterdir() if path.is_file())


def codes_of(results: Iterable[inbox.FileResult]) -> list[int]:
    """Return the exit codes of the files of a folder."""
    return [result.code for result in results]


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
        (inbox.FileResult(2, "no such column", is_open=False, is_of_file=True), ["a", "c"]),
        (inbox.FileResult(7, "a folder", is_open=False, is_of_file=True), ["a", "c"]),
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

    assert codes_of(inbox.run_each(tmp_path, run, lambda *put: moved.append(put[1]), expected=None, rehearsal=False)) == [code]
    assert path.read_bytes() == b"new"
    assert not report_beside(path, Purpose.REAL, whole=True).exists()
    (place,) = moved
    assert not place.exists()
    assert report_beside(place, Purpose.REAL, whole=True).exists()
    assert find_arrivals(tmp_path).files == [path]


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
    assert codes_of(inbox.run_each(tmp_path, run, lambda *put: moved.append(put[0]), expected=None, rehearsal=False)) == [0, 0]
    assert tried == [first, second, last]
    assert moved == [first]


def test_refused_file_may_disappear(tmp_path: Path) -> None:
    """A refused file yields its exit code even if it has disappeared since."""
    (path,) = arrive(tmp_path, "a")

    def run(_: Path) -> inbox.FileResult:
        path.unlink()
        return inbox.FileResult(4, "It has no header.", is_open=False)

    assert codes_of(inbox.run_each(tmp_path, run, lambda *_: None, expected=None, rehearsal=False)) == [4]


def test_file_that_was_completed_during_the_run(tmp_path: Path) -> None:
    """A file that grew until it was read was not replaced: it is moved."""
    (path,) = arrive(tmp_path, "a")

    def run(_: Path) -> inbox.FileResult:
        path.write_bytes(b"all of it")
        return inbox.FileResult(0, "", is_open=False, identity=identity_of(path))

    assert codes_of(inbox.run_each(tmp_path, run, lambda *_: None, expected=None, rehearsal=False)) == [0]
    assert not path.exists()


def test_file_that_disappears_while_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that disappears while the folder is listed does not keep the others from being run."""
    gone, stays = arrive(tmp_path, "a", "b")
    original = arrivals.is_never_taken

    def is_never_taken(name: str) -> bool:
        if name == gone.name:
            gone.unlink()
        return original(name)

    monkeypatch.setattr(arrivals, "is_never_taken", is_never_taken)
    assert run_all(tmp_path, {stays.name: inbox.FileResult(0, "", is_open=False)}) == ([0], [])


def test_missing_file_is_not_moved(tmp_path: Path) -> None:
    """A file that has disappeared is not moved, without an error."""
    (path,) = arrive(tmp_path, "a.csv")
    path.unlink()
    assert inbox.move(path, "done", "") is None


def test_corrected_report_is_an_arrival(tmp_path: Path) -> None:
    """A report beside its own file is left alone; one without its file was corrected, and is run."""
    arrive(tmp_path, "a.csv", "a.csv.results.csv", "a.results.xlsx", "b.results.csv", "c.xlsx.results.xlsx")
    assert [path.name for path in find_arrivals(tmp_path).files] == ["a.csv", "b.results.csv", "c.xlsx.results.xlsx"]


def test_note_with_an_undecodable_name(tmp_path: Path) -> None:
    """The note of a refused file can be written for any file name."""
    (path,) = arrive(tmp_path, os.fsdecode(b"caf\xe9.csv"))
    place = inbox.move(path, "failed", f"{path.name}: no.")
    assert place is not None
    assert place.with_name(f"{place.name}.txt").read_text(encoding="utf-8") == "caf\\udce9.csv: no.\n"


def test_failed_move_is_reported(tmp_path: Path) -> None:
    """A move that fails is a StorageError with the reason."""
    (path,) = arrive(tmp_path, "a.csv")
    with file_size_limit(0), pytest.raises(StorageError, match=r"a\.csv cannot be moved to .*failed \(.*\): check the folder"):
        inbox.move(path, "failed", "No header.")
    assert path.exists()


@pytest.mark.parametrize("folder", ["done", "failed"])
@pytest.mark.parametrize("kind", ["file", "link", "dangling"])
def test_folder_that_is_a_link(tmp_path: Path, folder: str, kind: str) -> None:
    """No file is moved through a link out of the inbox; that is found before any file is run."""
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (path,) = arrive(inside, "a.csv")
    if kind == "file":
        (inside / folder).touch()
    else:
        (inside / folder).symlink_to(outside if kind == "link" else tmp_path / "nowhere")
    with pytest.raises(StorageError, match=f"{folder} is a link or a file, so no file can be moved there: replace it"):
        list(inbox.run_each(inside, lambda _: pytest.fail("it was run"), lambda *_: None, expected=None, rehearsal=False))
    with pytest.raises(StorageError, match="is a link or a file"):
        inbox.move(path, folder, "")
    assert path.exists()
    assert list(outside.iterdir()) == []


def test_note_is_not_written_through_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link under the predictable name of a note is not followed, whether it is there before or planted meanwhile."""
    freeze_clock(monkeypatch)
    (path,) = arrive(tmp_path, "a.csv")
    victim = tmp_path / "victim"
    (tmp_path / "failed").mkdir()
    (tmp_path / "failed/20260102T030405Z-a.csv.txt").symlink_to(victim)
    with monkeypatch.context() as patch:
        patch.setattr(inbox, "_unused_path", lambda folder, name: folder / name)
        with pytest.raises(StorageError, match="File exists"):
            inbox.move(path, "failed", "No header.")
    place = inbox.move(path, "failed", "No header.")
    assert place == tmp_path / "failed/20260102T030405Z-2-a.csv"
    assert not victim.exists()
    assert place.with_name(f"{place.name}.txt").read_text(encoding="utf-8") == "No header.\n"


@pytest.mark.parametrize("letter", ["n", "é", "\udce9"])
def test_very_long_name(tmp_path: Path, letter: str) -> None:
    """A file whose name has no room for a time or a suffix is moved with its reports, all under a shortened name."""
    stem = letter * (251 // len(os.fsencode(letter)))
    twin, path = arrive(tmp_path, f"{stem[:-1]}x.csv", f"{stem}.csv")
    report = report_beside(path, Purpose.REAL, whole=True)
    report.touch()
    report.with_name(report.name.removesuffix(".csv") + "-2.xlsx").touch()
    assert find_arrivals(tmp_path).files == [twin, path]
    assert report_beside(twin, Purpose.REAL, whole=True) != report
    place = inbox.move(path, "failed", "No header.")
    assert place is not None
    assert report_beside(place, Purpose.REAL, whole=True).exists()
    there = {each.name.removeprefix(place.name) for each in place.parent.iterdir()}
    assert there == {"", ".results.csv", ".results-2.xlsx", ".txt"}
    paths = OutputPaths(path, {"report": report}).moved(place)
    assert (paths.source, paths.report) == (place, report_beside(place, Purpose.REAL, whole=True))


def test_file_that_is_being_written(tmp_path: Path) -> None:
    """A file that a process has open for writing by then stays, though nothing was written yet; its report is moved."""
    (path,) = arrive(tmp_path, "a.csv")

    def run(_: Path) -> inbox.FileResult:
        stack.enter_context(path.open("a"))
        return inbox.FileResult(0, "", is_open=False, identity=identity_of(path))

    with ExitStack() as stack:
        assert codes_of(inbox.run_each(tmp_path, run, lambda *_: None, expected=None, rehearsal=False)) == [0]
        assert path.exists()
    assert run_all(tmp_path, {"a.csv": inbox.FileResult(0, "", is_open=False)}) == ([0], [])


def test_file_that_cannot_be_read_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be compared with what was read stays."""
    (path,) = arrive(tmp_path, "a.csv")

    def run(_: Path) -> inbox.FileResult:
        monkeypatch.setattr(inbox, "identity_of", fail)
        return inbox.FileResult(0, "", is_open=False)

    def fail(_: Path) -> Identity:
        raise BusyError("Stale file handle")

    assert codes_of(inbox.run_each(tmp_path, run, lambda *_: None, expected=None, rehearsal=False)) == [0]
    assert path.exists()


@pytest.mark.parametrize("name", ["Thumbs.db", "desktop.ini", "a.csv.md5", "a.csv:Zone.Identifier", "a.csv.bak", "a.csv.part"])
def test_litter_is_not_the_expected_file(tmp_path: Path, name: str) -> None:
    """The stamp of litter that an earlier version moved to failed/ does not count as the file of the day."""
    (tmp_path / "failed").mkdir()
    for suffix in ("", ".txt"):
        (tmp_path / "failed" / f"{NOW.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}-{name}{suffix}").touch()
    assert inbox.is_overdue(tmp_path, dt.time(0, 0), NOW)


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
