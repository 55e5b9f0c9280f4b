"""The report as CSV: its columns and bytes, and its atomic replacement."""

import csv
import errno
import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contact_sync.errors import BusyError, StorageError
from contact_sync.files.atomic import AtomicFile, open_atomic
from contact_sync.model.report import Batch, Line, Summary
from contact_sync.model.source import Layout
from contact_sync.packed import checksums, pack
from contact_sync.report import formats
from contact_sync.report.csv import COLUMNS
from contact_sync.report.formats import ReportContext
from contact_sync.rules.formula import escape
from contact_sync.source import SourceOptions, open_source
from tests.setups import file_size_limit, requires_root, unprivileged_user

OWN = (
    "sync_row,sync_outcome,sync_code,sync_fields,sync_message,sync_attempts,sync_http_status,sync_api_code,sync_at,sync_source_at,"
    "sync_checksum"
)


SUMMARY = Summary("run", Path("contacts.csv"), None)
READY = Line([], 0, "ready", "", "", "", 0, None, "", "")


def line(number: int, *cells: str, outcome: str = "updated") -> Line:
    """Return a line of the report."""
    return Line(list(cells), number, outcome, "", "", "", 0, None, "", "")


def batch(*lines: Line) -> Batch:
    """Return a batch of these lines."""
    return Batch(
        [each.number for each in lines], pack([each.cells for each in lines]), READY, {each.number: each for each in lines}
    )


def fill(
    report: AtomicFile, batches: Iterable[Batch], columns: Sequence[str] = ("contactId", "firstname"), delimiter: str = ";"
) -> int:
    """Write a report into its draft, and return how many rows it has."""
    formats.write("report", report, batches, ReportContext(SUMMARY, Layout(list(columns), [], {}, delimiter)))
    return len(read(report.path, delimiter)) - 1


def write(
    path: Path, *lines: Line, columns: tuple[str, ...] = ("contactId", "firstname"), delimiter: str = ";", mode: int = 0o600
) -> int:
    """Write a report."""
    with open_atomic(path, mode) as report:
        return fill(report, map(batch, lines), columns, delimiter)


def read(path: Path, delimiter: str = ";") -> list[list[str]]:
    """Return the records of a report."""
    text = path.read_bytes().decode().removeprefix("\ufeff")
    return list(csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True))


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """Return the path of the report."""
    return tmp_path / "contacts.results.csv"


def test_bytes(report: Path) -> None:
    """A report is UTF-8 with BOM and CRLF: the source's columns as read, then the report's own."""
    sent = Line(
        ["C1", "Zoé"],
        2,
        "rejected",
        "api-refused",
        "firstname",
        "Correct; now.",
        3,
        400,
        "15",
        "2026-01-02T03:04:05Z",
        "2026-01-01T00:00:00Z",
    )
    assert write(report, sent, line(3, "C2", "a\nb")) == 2
    assert report.read_bytes().decode() == (
        f"\ufeffcontactId;firstname;{OWN.replace(',', ';')}\r\n"
        'C1;Zoé;2;rejected;api-refused;firstname;"Correct; now.";3;400;15;2026-01-02T03:04:05Z;2026-01-01T00:00:00Z;x6dff98db\r\n'
        'C2;"a\nb";3;updated;;;;;;;;;xfbd33ca7\r\n'
    )


def test_columns() -> None:
    """The report's own columns are those of the contract, in its order."""
    assert ",".join(COLUMNS) == OWN


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_delimiter(report: Path, delimiter: str) -> None:
    """The report has the given delimiter, and quotes a cell that contains it."""
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


@pytest.mark.unmeasured
@settings(max_examples=300)
@given(
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=40),
    delimiter=st.sampled_from(";,\t|"),
    apart=st.sets(st.integers(2, 41)),
)
def test_batch_equals_its_lines(rows: list[list[str]], delimiter: str, apart: set[int]) -> None:
    """A batch is written exactly as `csv` would write each of its rows, with escaped cells."""
    numbers = list(range(2, 2 + len(rows)))
    others = {number: line(number, *rows[number - 2], outcome="failed") for number in apart if number in numbers}
    wanted = StringIO()
    writer = csv.writer(wanted, delimiter=delimiter)
    writer.writerow(["a", "b", "c", *COLUMNS])
    for number, cells in zip(numbers, rows, strict=True):
        outcome = "failed" if number in apart else "ready"
        writer.writerow([*map(escape, cells), number, outcome, "", "", "", "", "", "", "", "", *checksums(pack([cells]))])
    with TemporaryDirectory() as folder, open_atomic(Path(folder) / "report.csv", 0o600) as begun:
        assert fill(begun, [Batch(numbers, pack(rows), READY, others)], ["a", "b", "c"], delimiter) == len(rows)
        with (Path(folder) / "report.csv").open(encoding="utf-8-sig", newline="") as file:
            assert file.read() == wanted.getvalue().encode(errors="backslashreplace").decode()


def test_lone_surrogates(report: Path) -> None:
    """A cell with a lone surrogate does not break the report."""
    assert write(report, line(2, "C1", "a\ud800b")) == 1
    assert read(report)[1][1] == r"a\ud800b"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_permissions(report: Path, mode: int) -> None:
    """The report has the requested permissions, independent of the umask and of the former report."""
    report.touch(mode=0o666)
    os.umask(0o077)
    write(report, mode=mode)
    assert stat.S_IMODE(report.stat().st_mode) == mode


def test_draft_is_private(report: Path) -> None:
    """A report that is not complete cannot be read by other users, nor found under its name."""
    os.umask(0)
    with open_atomic(report, 0o644):
        (begun,) = report.parent.iterdir()
        assert begun.suffix == ".draft"
        assert stat.S_IMODE(begun.stat().st_mode) == 0o600
    assert list(report.parent.iterdir()) == []


def test_concurrent_reports(report: Path) -> None:
    """A report that another run is writing is refused, and its draft is not touched; other reports are not affected."""
    with open_atomic(report, 0o600) as first:
        with pytest.raises(BusyError, match=r"Another run is writing .*results\.csv: wait for it to end, or choose"):
            write(report, line(2, "second", ""))
        assert write(report.with_name("other.csv"), line(2, "other", "")) == 1
        assert fill(first, [batch(line(2, "first", ""))]) == 1
    assert [record[0] for record in read(report)] == ["contactId", "first"]
    assert write(report, line(2, "third", "")) == 1


def test_next_draft_is_kept(report: Path) -> None:
    """A run that has placed its report does not delete the draft that another run has begun since."""
    with open_atomic(report, 0o600) as first:
        fill(first, [batch(line(2, "first", ""))])
        second = open_atomic(report, 0o600)
        begun = second.__enter__()
    assert fill(begun, [batch(line(2, "second", ""))]) == 1
    second.__exit__(None, None, None)
    assert [record[0] for record in read(report)] == ["contactId", "second"]
    assert list(report.parent.iterdir()) == [report]


@pytest.mark.parametrize("replacement", ["nothing", "folder"])
def test_draft_that_vanishes(report: Path, replacement: str) -> None:
    """A draft or folder that was deleted in the meantime is a StorageError, and closing the draft is no other error."""
    place = report.parent / "place"
    place.mkdir()

    def lines() -> Iterator[Line]:
        shutil.rmtree(place)
        if replacement == "folder":
            place.mkdir()
            (place / report.name).touch()
        yield line(2, "C1", "")

    with pytest.raises(StorageError, match="cannot be written"), open_atomic(place / report.name, 0o600) as begun:
        fill(begun, map(batch, lines()))


def test_replacement_is_atomic(report: Path) -> None:
    """A reader sees the whole old report until the whole new one replaces it."""
    write(report, line(2, "old", ""))
    before = report.read_bytes()

    def lines() -> Iterator[Line]:
        for number in range(2, 5000):
            assert report.read_bytes() == before
            yield line(number, "new", "")

    with open_atomic(report, 0o600) as begun:
        assert fill(begun, map(batch, lines())) == 4998
    assert len(read(report)) == 4999


def test_full_disk(report: Path) -> None:
    """A full disk is a StorageError; the old report stays, and nothing else is left."""
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
def test_error_in_the_rows(report: Path, rows: int) -> None:
    """When reading the rows fails, the error is raised as it is, and the old report stays."""
    write(report, line(2, "old", ""))
    before = report.read_bytes()

    def lines() -> Iterator[Line]:
        yield from (line(number, "new", "") for number in range(rows))
        raise StorageError("torn")

    with pytest.raises(StorageError, match="torn"), open_atomic(report, 0o600) as begun:
        fill(begun, map(batch, lines()))
    assert report.read_bytes() == before
    assert list(report.parent.iterdir()) == [report]


def test_missing_folder(tmp_path: Path) -> None:
    """A folder that is missing or is a file is reported when the draft is opened."""
    (tmp_path / "file").touch()
    for folder, reason in (("missing", "No such file or directory"), ("file", "Not a directory")):
        with pytest.raises(StorageError, match=rf"\({reason}\)"), open_atomic(tmp_path / folder / "report.csv", 0o600):
            pytest.fail("there is no such folder")


def test_path_of_a_folder_or_device(tmp_path: Path) -> None:
    """A report replaces neither a folder nor a device."""
    (tmp_path / "null").symlink_to("/dev/null")
    for path in (tmp_path, tmp_path / "null"):
        with pytest.raises(StorageError, match="it is a folder, a pipe or a device"), open_atomic(path, 0o600):
            pytest.fail("this cannot be replaced")


@requires_root
def test_folder_without_write_permission(tmp_path: Path) -> None:
    """A folder without write permission is reported when the draft is opened."""
    tmp_path.chmod(0o755)
    with (
        unprivileged_user(),
        pytest.raises(StorageError, match=r"\(Permission denied\)"),
        open_atomic(Path("/report.csv"), 0o600),
    ):
        pytest.fail("this folder cannot be written")


@requires_root
def test_folder_without_read_permission() -> None:
    """A report can be written into a folder that cannot be listed, such as a drop box."""
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
def test_report_as_source(rows: list[list[str]], delimiter: str) -> None:
    """A report that is used as a source gives the columns and cells of the original, whatever they contain."""
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


def test_reserved_space_is_released(tmp_path: Path) -> None:
    """A report is as long as its content, however much space was reserved."""
    plain, reserved = tmp_path / "plain.csv", tmp_path / "reserved.csv"
    with open_atomic(plain, 0o600) as begun:
        fill(begun, [])
    with open_atomic(reserved, 0o600) as begun:
        begun.reserve(100_000)
        (draft,) = tmp_path.glob("*.draft")
        assert draft.stat().st_size == 100_000
        fill(begun, [])
    assert reserved.read_bytes() == plain.read_bytes()


def test_no_space_to_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is reported when space is reserved; a file system that cannot reserve is not an error."""

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
