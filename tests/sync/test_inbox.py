"""A folder that files arrive in: which are taken, in what order, and where they go."""

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
    """Let files arrive, one after the other."""
    paths = [folder / name for name in names]
    for path in paths:
        path.touch()
        time.sleep(0.02)
    return paths


def test_in_order_of_arrival(tmp_path: Path) -> None:
    """Files come in the order in which they arrived, whatever they are called and however old they say they are."""
    first, second, third = arrive(tmp_path, "c.csv", "a.xlsx", "b.csv")
    os.utime(third, (0, 0))
    assert inbox.arrivals(tmp_path) == [first, second, third]


def test_what_is_no_arrival(tmp_path: Path) -> None:
    """What office programs, uploads and runs keep beside a file is left alone, and so are folders."""
    arrive(tmp_path, "~$a.xlsx", ".~lock.a.ods#", "a.csv.part", "b.csv.filepart", "c.tmp")
    arrive(tmp_path, "night.log")
    (tmp_path / "done").mkdir()
    assert inbox.arrivals(tmp_path) == []


def test_a_workbook_beside_an_edited_one(tmp_path: Path) -> None:
    """The second workbook of a file, written because the first was edited, is no arrival either, and goes where the file goes."""
    path, *_ = paths = arrive(tmp_path, "a.xlsx", "a.xlsx.results.csv", "a.xlsx.results.xlsx", "a.xlsx.results-2.xlsx")
    assert inbox.arrivals(tmp_path) == [path]
    place = inbox.put_away(path, "failed", "")
    assert place is not None
    assert {each.name for each in place.parent.iterdir()} == {each.name.replace("a.xlsx", place.name) for each in paths}


def test_a_folder_that_cannot_be_read(tmp_path: Path) -> None:
    """A folder that is gone is a sentence."""
    with pytest.raises(SourceError, match=r"gone cannot be read \(No such file or directory\): check the folder"):
        inbox.arrivals(tmp_path / "gone")


@pytest.mark.parametrize("folder", ["done", "failed"])
def test_put_away(tmp_path: Path, folder: str) -> None:
    """A file whose run ended is moved with its reports, under a name that nothing else has."""
    for _ in range(2):
        path, report, workbook = arrive(tmp_path, "a.csv", "a.csv.results.csv", "a.csv.results.xlsx")
        place = inbox.put_away(path, folder, "")
        assert place is not None
        assert not any(each.exists() for each in (path, report, workbook))
        there = {each.name for each in place.parent.iterdir()}
        assert {place.name, f"{place.name}.results.csv", f"{place.name}.results.xlsx"} <= there
        assert place.parent == tmp_path / folder
    assert len(list((tmp_path / folder).iterdir())) == 6


def stand_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock say one and the same moment."""

    class Still(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> "Still":
            return cls(2026, 1, 2, 3, 4, 5, tzinfo=tz)

    monkeypatch.setattr(dt, "datetime", Still)


def test_the_same_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of one name in one second do not take each other's place."""
    stand_still(monkeypatch)
    paths = [inbox.put_away(arrive(tmp_path, "a.csv")[0], "done", "") for _ in range(3)]
    assert [place.name for place in paths if place] == [
        "20260102T030405Z-a.csv",
        "20260102T030405Z-2-a.csv",
        "20260102T030405Z-3-a.csv",
    ]


def test_a_refused_file(tmp_path: Path) -> None:
    """Beside a file that was refused, and so has no report, stands why."""
    (path,) = arrive(tmp_path, "a.csv")
    place = inbox.put_away(path, "failed", "No header.")
    assert place is not None
    assert place.with_name(f"{place.name}.txt").read_text(encoding="utf-8") == "No header.\n"


def run_all(folder: Path, ends: dict[str, inbox.Ended], *, rehearsal: bool = False) -> tuple[list[int], list[str]]:
    """Run a folder whose files end as told, and return the exit codes and which files are still there."""
    codes = list(inbox.each(folder, lambda path: ends[path.name], lambda *_: None, expected=None, rehearsal=rehearsal))
    return codes, sorted(path.name for path in folder.iterdir() if path.is_file())


@pytest.mark.parametrize(
    ("ended", "left"),
    [
        (inbox.Ended(0, "", is_open=False), ["c"]),
        (inbox.Ended(3, "", is_open=False), ["c"]),
        (inbox.Ended(4, "no", is_open=False), ["c"]),
        (inbox.Ended(4, "", is_open=True), ["c"]),  # a guard
        (inbox.Ended(0, "", is_open=True), ["a", "c"]),  # --limit
        (inbox.Ended(3, "", is_open=True), ["a", "c"]),
        (inbox.Ended(1, "", is_open=True), ["a", "c"]),
        (inbox.Ended(75, "busy", is_open=False), ["a", "c"]),
        (inbox.Ended(6, "", is_open=True), ["a", "b", "c"]),
        (inbox.Ended(5, "", is_open=True), ["a", "b", "c"]),
    ],
)
def test_what_stays(tmp_path: Path, ended: inbox.Ended, left: list[str]) -> None:
    """A file with rows for the next run stays, but not one that a guard stops; others wait where they would fare no better."""
    arrive(tmp_path, "a", "b", "c")
    well = inbox.Ended(0, "", is_open=False)
    assert run_all(tmp_path, {"a": ended, "b": well, "c": inbox.Ended(6, "", is_open=True)})[1] == left


def test_a_rehearsal(tmp_path: Path) -> None:
    """A rehearsal moves nothing."""
    arrive(tmp_path, "a", "b")
    ended = inbox.Ended(0, "", is_open=False)
    assert run_all(tmp_path, {"a": ended, "b": ended}, rehearsal=True) == ([0, 0], ["a", "b"])


@pytest.mark.parametrize("code", [0, 3, 4])
@pytest.mark.parametrize("how", ["renamed", "written"])
def test_a_file_that_is_replaced(tmp_path: Path, how: str, code: int) -> None:
    """A file that another took the place of while it was run is put away with its reports alone; the other stays to be run."""
    (path,) = arrive(tmp_path, "a.csv")
    path.write_bytes(b"old")
    told: list[Path] = []

    def run(_: Path) -> inbox.Ended:
        _, other = arrive(tmp_path, "a.csv.results.csv", "b.part")
        other.write_bytes(b"new")
        if how == "renamed":
            shutil.copystat(path, other)
            other.replace(path)
        else:
            path.write_bytes(b"new")
        return inbox.Ended(code, "no" if code == 4 else "", is_open=False)

    assert list(inbox.each(tmp_path, run, lambda *put: told.append(put[1]), expected=None, rehearsal=False)) == [code]
    assert path.read_bytes() == b"new"
    assert not inbox.report_of(path).exists()
    (place,) = told
    assert not place.exists()
    assert inbox.report_of(place).exists()
    assert inbox.arrivals(tmp_path) == [path]


def test_the_report_of_a_file_that_was_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does the report of the other, in the same second, take the place of its own."""
    stand_still(monkeypatch)
    for reports_only in (True, False):
        path, _ = arrive(tmp_path, "a.csv", "a.csv.results.csv")
        inbox.put_away(path, "done", "", reports_only=reports_only)
    assert sorted(each.name for each in (tmp_path / "done").iterdir()) == [
        "20260102T030405Z-2-a.csv",
        "20260102T030405Z-2-a.csv.results.csv",
        "20260102T030405Z-a.csv.results.csv",
    ]


def test_files_that_another_run_puts_away(tmp_path: Path) -> None:
    """A file that another run has put away, before it could be opened or since, is none of ours."""
    first, second, last = arrive(tmp_path, "a", "b", "c")
    tried: list[Path] = []

    def run(path: Path) -> inbox.Ended:
        tried.append(path)
        if path == second:
            second.unlink()
            raise MissingError("b does not exist")
        if path == last:
            last.unlink()
        return inbox.Ended(0, "", is_open=False)

    told: list[Path] = []
    assert list(inbox.each(tmp_path, run, lambda *put: told.append(put[0]), expected=None, rehearsal=False)) == [0, 0]
    assert tried == [first, second, last]
    assert told == [first]


def test_a_refused_file_that_is_taken_away(tmp_path: Path) -> None:
    """A file that was refused is told so, whoever has taken it away since."""
    (path,) = arrive(tmp_path, "a")

    def run(_: Path) -> inbox.Ended:
        path.unlink()
        return inbox.Ended(4, "It has no header.", is_open=False)

    assert list(inbox.each(tmp_path, run, lambda *_: None, expected=None, rehearsal=False)) == [4]


def test_a_file_that_was_not_yet_complete(tmp_path: Path) -> None:
    """A file that grew until it was read was not replaced: it is put away."""
    (path,) = arrive(tmp_path, "a")

    def run(_: Path) -> inbox.Ended:
        path.write_bytes(b"all of it")
        return inbox.Ended(0, "", is_open=False, identity=identity_of(path))

    assert list(inbox.each(tmp_path, run, lambda *_: None, expected=None, rehearsal=False)) == [0]
    assert not path.exists()


def test_a_file_that_goes_while_the_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is there at the first look and gone at the second is no reason not to run the others."""
    gone, stays = arrive(tmp_path, "a", "b")
    look = Path.stat

    def stat(path: Path, **how: bool) -> os.stat_result:
        found = look(path, **how)
        if path == gone:
            path.unlink()
        return found

    monkeypatch.setattr(Path, "stat", stat)
    assert run_all(tmp_path, {stays.name: inbox.Ended(0, "", is_open=False)}) == ([0], [])


def test_a_file_that_is_taken_away(tmp_path: Path) -> None:
    """A file that vanishes while it is run is nobody's fault."""
    (path,) = arrive(tmp_path, "a.csv")
    path.unlink()
    assert inbox.put_away(path, "done", "") is None


def test_a_corrected_report_arrives(tmp_path: Path) -> None:
    """A report beside its own file is left alone; one that comes by itself was corrected, and is run."""
    arrive(tmp_path, "a.csv", "a.csv.results.csv", "a.results.xlsx", "b.results.csv", "c.xlsx.results.xlsx")
    assert [path.name for path in inbox.arrivals(tmp_path)] == ["a.csv", "b.results.csv", "c.xlsx.results.xlsx"]


def test_a_sentence_that_is_no_unicode(tmp_path: Path) -> None:
    """Why a file was refused can be left beside it, whatever its name is made of."""
    (path,) = arrive(tmp_path, os.fsdecode(b"caf\xe9.csv"))
    place = inbox.put_away(path, "failed", f"{path.name}: no.")
    assert place is not None
    assert place.with_name(f"{place.name}.txt").read_text(encoding="utf-8") == "caf\\udce9.csv: no.\n"


def test_a_file_that_cannot_be_moved(tmp_path: Path) -> None:
    """What stands in the way is told."""
    (path,) = arrive(tmp_path, "a.csv")
    (tmp_path / "done").touch()
    with pytest.raises(StorageError, match=r"a\.csv cannot be moved to .*done \(.*\): check the folder"):
        inbox.put_away(path, "done", "")


@pytest.mark.parametrize(
    ("stamp", "expected", "missing"),
    [
        (None, dt.time(0, 0), True),
        (None, dt.time(23, 59, 59, 999999), False),
        (NOW, dt.time(0, 0), False),
        (NOW - dt.timedelta(days=1), dt.time(0, 0), True),
    ],
)
def test_a_file_that_is_missing(tmp_path: Path, stamp: dt.datetime | None, expected: dt.time, missing: bool) -> None:
    """After the time it was expected by, a file is missing unless one has been put away today."""
    (tmp_path / "failed").mkdir()
    if stamp:
        (tmp_path / "failed" / f"{stamp.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}-a.csv").touch()
    assert inbox.missing(tmp_path, expected, NOW.replace(hour=12)) is missing
