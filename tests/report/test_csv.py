"""The report as CSV: its columns, its bytes, its place; whole or not at all."""

import csv
import errno
import os
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contact_sync.errors import BusyError, StorageError
from contact_sync.files.atomic import open_atomic
from contact_sync.files.lock import acquire
from contact_sync.model import Batch, Layout, Line
from contact_sync.packed import pack
from contact_sync.report import csv as report_csv
from contact_sync.report.csv import COLUMNS
from contact_sync.rules.formula import escape
from contact_sync.source import SourceOptions, open_source
from tests.setups import file_size_limit, requires_root, unprivileged_user

OWN = "sync_row,sync_outcome,sync_code,sync_fields,sync_message,sync_attempts,sync_http_status,sync_api_code,sync_at"


READY = Line([], 0, "ready", "", "", "", 0, None, "", "")


def line(number: int, *cells: str, outcome: str = "updated") -> Line:
    """A line of the report."""
    return Line(list(cells), number, outcome, "", "", "", 0, None, "", "")


def laid_out(columns: Sequence[str], delimiter: str = ";") -> Layout:
    """The layout of a source with these columns."""
    return Layout(list(columns), [], {}, delimiter)


def batch(*lines: Line) -> Batch:
    """A batch with these lines."""
    return Batch(
        [told.number for told in lines], pack([told.cells for told in lines]), READY, {told.number: told for told in lines}
    )


def write(
    path: Path, *lines: Line, columns: tuple[str, ...] = ("contactId", "firstname"), delimiter: str = ";", mode: int = 0o600
) -> int:
    """Write a report."""
    with open_atomic(path, mode) as report:
        return report_csv.write(report, laid_out(columns, delimiter), map(batch, lines))


def read(path: Path, delimiter: str = ";") -> list[list[str]]:
    """The records of a report."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file, delimiter=delimiter, strict=True))


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """Where the report goes."""
    return tmp_path / "contacts.results.csv"


def test_the_bytes(report: Path) -> None:
    """A report is UTF-8 with BOM and CRLF: the source's columns as read, then the report's own."""
    sent = Line(["C1", "Zoé"], 2, "rejected", "api-refused", "firstname", "Correct; now.", 3, 400, "15", "2026-01-02T03:04:05Z")
    assert write(report, sent, line(3, "C2", "a\nb")) == 2
    assert report.read_bytes().decode() == (
        f"\ufeffcontactId;firstname;{OWN.replace(',', ';')}\r\n"
        'C1;Zoé;2;rejected;api-refused;firstname;"Correct; now.";3;400;15;2026-01-02T03:04:05Z\r\n'
        'C2;"a\nb";3;updated;;;;;;;\r\n'
    )


def test_the_columns() -> None:
    """The report's own columns are those of the contract, in its order."""
    assert ",".join(COLUMNS) == OWN


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_the_delimiter(report: Path, delimiter: str) -> None:
    """The report has the delimiter it is given, and quotes a cell that holds it."""
    write(report, line(2, "C1", f"a{delimiter}b"), delimiter=delimiter)
    assert read(report, delimiter)[1][:3] == ["C1", f"a{delimiter}b", "2"]


def test_formulas(report: Path) -> None:
    """Header, cell and the API's code cannot run as a formula; a plain telephone number is left as it is."""
    dangerous = Line(["=1+1", "+33600000001", "'x"], 2, "rejected", "", "", "", 1, 400, "@SUM(A1)", "")
    write(report, dangerous, columns=("contactId", "-x", "y"))
    header, first = read(report)
    assert header[:3] == ["contactId", "'-x", "y"]
    assert first[:3] == ["'=1+1", "+33600000001", "''x"]
    assert first[10] == "'@SUM(A1)"


CELLS = st.text() | st.text("=+-@'\"\t\r\n;,|0 \x1d\x1e\x1f", max_size=8) | st.just("+33600000001") | st.just("Zoé")


@settings(max_examples=300)
@given(
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=40),
    delimiter=st.sampled_from(";,\t|"),
    apart=st.sets(st.integers(2, 41)),
)
def test_a_page_is_its_lines(rows: list[list[str]], delimiter: str, apart: set[int]) -> None:
    """However many rows are written together, each is what `csv` makes of its escaped cells and of what is told of it."""
    numbers = list(range(2, 2 + len(rows)))
    told = {number: line(number, *rows[number - 2], outcome="failed") for number in apart if number in numbers}
    wanted = StringIO()
    writer = csv.writer(wanted, delimiter=delimiter)
    writer.writerow(["a", "b", "c", *COLUMNS])
    for number, cells in zip(numbers, rows, strict=True):
        outcome = "failed" if number in apart else "ready"
        writer.writerow([*map(escape, cells), number, outcome, "", "", "", "", "", "", ""])
    with TemporaryDirectory() as folder, open_atomic(Path(folder) / "report.csv", 0o600) as begun:
        assert report_csv.write(begun, laid_out(["a", "b", "c"], delimiter), [Batch(numbers, pack(rows), READY, told)]) == len(
            rows
        )
        with (Path(folder) / "report.csv").open(encoding="utf-8-sig", newline="") as file:
            assert file.read() == wanted.getvalue().encode(errors="backslashreplace").decode()


def test_text_that_is_no_unicode(report: Path) -> None:
    """A cell with half a character does not cost the report."""
    assert write(report, line(2, "C1", "a\ud800b")) == 1
    assert read(report)[1][1] == r"a\ud800b"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_permissions(report: Path, mode: int) -> None:
    """The report has the permissions asked for, whatever the umask and those of the report before it."""
    report.touch(mode=0o666)
    os.umask(0o077)
    write(report, mode=mode)
    assert stat.S_IMODE(report.stat().st_mode) == mode


def test_a_draft_is_private(report: Path) -> None:
    """Until it is complete nobody else can read a report either, nor find it by its name."""
    os.umask(0)
    with open_atomic(report, 0o644):
        (begun,) = report.parent.iterdir()
        assert (begun.name, stat.S_IMODE(begun.stat().st_mode)) == (".contacts.results.csv.draft", 0o600)
    assert list(report.parent.iterdir()) == []


def test_a_draft_that_was_left(report: Path) -> None:
    """What a killed run has left is taken over: nothing of it is in the report, and nobody else can read it any more."""
    left = report.with_name(f".{report.name}.draft")
    left.write_text("contactId;firstname\n" * 1000)
    left.chmod(0o644)
    with open_atomic(report, 0o644) as begun:
        assert stat.S_IMODE(left.stat().st_mode) == 0o600
        report_csv.write(begun, laid_out(["contactId", "firstname"]), [batch(line(2, "C1", "Zoé"))])
    assert [record[0] for record in read(report)] == ["contactId", "C1"]
    assert list(report.parent.iterdir()) == [report]


def test_two_at_a_time(report: Path) -> None:
    """A report that another run is writing is refused, and its draft not touched; another report is not concerned."""
    with open_atomic(report, 0o600) as first:
        with pytest.raises(BusyError, match=r"Another run is writing the report .*results\.csv: wait for it to end, or choose"):
            write(report, line(2, "second", ""))
        assert write(report.with_name("other.csv"), line(2, "other", "")) == 1
        assert report_csv.write(first, laid_out(["contactId", "firstname"]), [batch(line(2, "first", ""))]) == 1
    assert [record[0] for record in read(report)] == ["contactId", "first"]
    assert write(report, line(2, "third", "")) == 1


def test_the_next_draft_is_not_thrown_away(report: Path) -> None:
    """A run whose report is in its place does not throw away the draft that another has begun since."""
    with open_atomic(report, 0o600) as first:
        report_csv.write(first, laid_out(["contactId", "firstname"]), [batch(line(2, "first", ""))])
        second = open_atomic(report, 0o600)
        begun = second.__enter__()
    assert report_csv.write(begun, laid_out(["contactId", "firstname"]), [batch(line(2, "second", ""))]) == 1
    second.__exit__(None, None, None)
    assert [record[0] for record in read(report)] == ["contactId", "second"]
    assert list(report.parent.iterdir()) == [report]


@pytest.mark.parametrize("target", ["valuable", "missing"])
def test_a_draft_that_is_a_link(report: Path, target: str) -> None:
    """A link in the place of the draft is refused, and what it points at neither emptied nor made."""
    valuable = report.with_name("valuable")
    valuable.write_bytes(b"valuable")
    link = report.with_name(f".{report.name}.draft")
    link.symlink_to(report.with_name(target))
    with pytest.raises(StorageError, match=r"results\.csv cannot be written \(Too many levels of symbolic links\)"):
        write(report, line(2, "C1", ""))
    assert valuable.read_bytes() == b"valuable"
    assert sorted(report.parent.iterdir()) == [link, valuable]


@pytest.mark.parametrize("replacement", ["nothing", "folder"])
def test_a_draft_that_vanishes(report: Path, replacement: str) -> None:
    """When the draft, or the whole folder, is gone before its time that is a sentence, and throwing it away no error."""
    place = report.parent / "place"
    place.mkdir()

    def lines() -> Iterator[Line]:
        shutil.rmtree(place)
        if replacement == "folder":
            (place / f".{report.name}.draft").mkdir(parents=True)
            (place / report.name).touch()
        yield line(2, "C1", "")

    with pytest.raises(StorageError, match="cannot be written"), open_atomic(place / report.name, 0o600) as begun:
        report_csv.write(begun, laid_out(["contactId", "firstname"]), map(batch, lines()))


@requires_root
def test_a_draft_of_somebody_else() -> None:
    """A draft that somebody else has put there for all to read is refused."""
    with TemporaryDirectory(dir="/tmp") as folder:
        report = Path(folder) / "report.csv"
        left = report.with_name(".report.csv.draft")
        left.touch()
        left.chmod(0o666)
        Path(folder).chmod(0o777)
        with unprivileged_user(), pytest.raises(StorageError, match=r"\(Operation not permitted\)"):
            write(report, line(2, "C1", ""))
        assert left.read_bytes() == b""
        descriptor = acquire(left)
        assert descriptor is not None, "it is held for ever"
        os.close(descriptor)


def test_the_old_report_stands_until_the_new_one_is_whole(report: Path) -> None:
    """Whoever reads while a report is written sees the old one, whole, and then the new one."""
    write(report, line(2, "old", ""))
    before = report.read_bytes()

    def lines() -> Iterator[Line]:
        for number in range(2, 5000):
            assert report.read_bytes() == before
            yield line(number, "new", "")

    with open_atomic(report, 0o600) as begun:
        assert report_csv.write(begun, laid_out(["contactId", "firstname"]), map(batch, lines())) == 4998
    assert len(read(report)) == 4999


def test_a_full_disk(report: Path) -> None:
    """When there is no room the old report stays as it was, nothing else is left, and there is a sentence."""
    write(report, line(2, "old", ""))
    before = report.read_bytes()
    with (
        file_size_limit(10_000),
        pytest.raises(StorageError, match=r"results\.csv cannot be written \(File too large\): check its folder and the disk"),
    ):
        write(report, *(line(number, "new", "") for number in range(5000)))
    assert report.read_bytes() == before
    assert list(report.parent.iterdir()) == [report]


@pytest.mark.parametrize("rows", [1, 5000])
def test_a_ledger_that_breaks_meanwhile(report: Path, rows: int) -> None:
    """When the lines end in an error the old report stays, and the error goes on."""
    write(report, line(2, "old", ""))
    before = report.read_bytes()

    def lines() -> Iterator[Line]:
        yield from (line(number, "new", "") for number in range(rows))
        raise StorageError("torn")

    with pytest.raises(StorageError, match="torn"), open_atomic(report, 0o600) as begun:
        report_csv.write(begun, laid_out(["contactId", "firstname"]), map(batch, lines()))
    assert report.read_bytes() == before
    assert list(report.parent.iterdir()) == [report]


def test_no_folder(tmp_path: Path) -> None:
    """A folder that is missing, or is none, is told before anything else happens."""
    (tmp_path / "file").touch()
    for folder, reason in (("missing", "No such file or directory"), ("file", "Not a directory")):
        with pytest.raises(StorageError, match=rf"\({reason}\)"), open_atomic(tmp_path / folder / "report.csv", 0o600):
            pytest.fail("there is no such folder")


def test_no_regular_file(tmp_path: Path) -> None:
    """A report takes the place of neither a folder nor a device."""
    (tmp_path / "null").symlink_to("/dev/null")
    for path in (tmp_path, tmp_path / "null"):
        with pytest.raises(StorageError, match="it is a folder or a device"), open_atomic(path, 0o600):
            pytest.fail("this cannot be replaced")


@requires_root
def test_a_folder_that_others_own(tmp_path: Path) -> None:
    """A folder that this user may not write in is told before anything else happens."""
    tmp_path.chmod(0o755)
    with (
        unprivileged_user(),
        pytest.raises(StorageError, match=r"\(Permission denied\)"),
        open_atomic(Path("/report.csv"), 0o600),
    ):
        pytest.fail("nobody may write there")


@requires_root
def test_a_folder_that_cannot_be_listed() -> None:
    """A folder that takes files but cannot be read, as a drop box, takes a report too."""
    with TemporaryDirectory(dir="/tmp") as folder:
        box = Path(folder) / "box"
        box.mkdir()
        box.chmod(0o733)
        Path(folder).chmod(0o755)
        with unprivileged_user():
            assert write(box / "report.csv", line(2, "C1", "")) == 1
        assert len(read(box / "report.csv")) == 2


cells = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8) | st.text("=+-@'\t \n\";,|01é", max_size=6)


@given(st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=5), st.sampled_from(";,\t|"))
@example([["=1", "'", "+33600000001"]], ";")
@example([["''", "@a", "-1\r\n+2"]], ",")
def test_a_report_fed_back_in(rows: list[list[str]], delimiter: str) -> None:
    """A report that is fed back in gives the columns and cells that it was made of, whatever they hold."""
    columns = ("contactId", "firstname", "=note")
    with TemporaryDirectory() as folder:
        report = Path(folder) / "contacts.results.csv"
        write(
            report, *(line(n, f"C{n}", *row) for n, row in enumerate(rows, 2)), columns=(*columns, "other"), delimiter=delimiter
        )
        with open_source(report, SourceOptions(), clock=lambda: time.time() + 60) as source:
            assert source.columns == [*columns, "other"]
            read_back = [row for chunk in source.chunks() for row in chunk.rows]
    assert read_back == [[f"C{n}", *row] for n, row in enumerate(rows, 2)]


def test_reserved_room_is_given_back(tmp_path: Path) -> None:
    """A report is as long as what is in it, however much of the disk was taken for it."""
    plain, reserved = tmp_path / "plain.csv", tmp_path / "reserved.csv"
    with open_atomic(plain, 0o600) as begun:
        report_csv.write(begun, laid_out(["a"]), [])
    with open_atomic(reserved, 0o600) as begun:
        begun.reserve(100_000)
        assert (tmp_path / ".reserved.csv.draft").stat().st_size == 100_000
        report_csv.write(begun, laid_out(["a"]), [])
    assert reserved.read_bytes() == plain.read_bytes()


def test_no_room_to_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is told before anything is sent; a file system that cannot reserve is left alone."""

    def refuse(*_: int) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with open_atomic(tmp_path / "report.csv", 0o600) as begun:
        number = errno.EOPNOTSUPP
        begun.reserve(1)
        number = errno.ENOSPC
        with pytest.raises(StorageError, match="cannot be written"):
            begun.reserve(1)
        monkeypatch.delattr(os, "posix_fallocate")
        begun.reserve(1)
