"""Workbooks that a worker reads (.ods, .xls, .xlsb): fixtures saved by office programs, limits, damage."""

import datetime as dt
import io
import json
import os
import re
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import load_workbook

from contact_sync.errors import ConfigError, SourceError, StorageError
from contact_sync.source import SourceOptions, open_source
from contact_sync.source.legacy import spool, workbook
from contact_sync.source.legacy.worker import _read

from .reading import read, unzip, zip_parts
from .writing import HEAD, cell, number, ods, row, row_records, table, xls, xlsb

pytestmark = pytest.mark.unmeasured

FILES = Path(__file__).parent / "files"
KINDS = ("ods", "xls", "xlsb")
MADE = {name: (FILES / f"contacts.{name}").read_bytes() for name in KINDS}
"""One table, saved by LibreOffice as .xls and .ods and by SheetJS as .xlsb, whose code is independent of the readers."""
PLAIN = {
    "ods": ods(table(row(*HEAD), row("1", "Léa", "x"), row("2", "Zoé", "y"))),
    "xls": xls(HEAD, ["1", "Léa", "x"], ["2", "Zoé", "y"]),
    "xlsb": xlsb(row_records(0, *HEAD), row_records(1, "1", "Léa", "x"), row_records(2, "2", "Zoé", "y")),
}
SHOWN = {"ods": ("06 12 34 56 78", "25.00%"), "xls": ("06 12 34 56 78", "25,00%"), "xlsb": ("6 12 34 56 78", "25,00%")}
"""What two numbers show: the .ods contains the text that an English LibreOffice showed, the .xlsb has another format."""
kinds = pytest.mark.parametrize("kind", KINDS)


@kinds
def test_file_of_an_office_program(kind: str) -> None:
    """Each kind gives the same texts, numbers and flaws: formats, dates, errors, merged cells, a blank row."""
    reading = read(MADE[kind], f"contacts.{kind}", process=True, hidden="skip")
    assert reading.numbered == [
        (3, ["00123", " Léa  x ", "Éluard", "0612345678", "2020-06-12", "a\nb", "Paris"]),
        (4, ["002", "Zoé", "", SHOWN[kind][0], "2020-06-12 18:30:00", SHOWN[kind][1], "12.5"]),
        (5, ["003", "#N/A", "#DIV/0!", "", "1999-12-31", "TRUE <?>", "ab"]),
        (6, ["004", "Max", "Caché", "0612345679", "", "_x0041_", ""]),
        (7, ["005", "Fusion <?>", "<?>", "", "", "1000000000000000 <?>", ""]),
        (8, ["006", "Même", "Même", "", "", "", ""]),
        (9, ["006", "Même", "Même", "", "", "", ""]),
        (11, ["009", "", "Fin", "", "12:30:00 <?>", "1 day, 6:00:00 <?>", ""]),
    ]
    assert reading.flaws == {
        5: [("cell-error", "firstname"), ("cell-error", "lastname"), ("cell-kind", "custom1")],
        7: [("cell-merged", "firstname"), ("cell-merged", "lastname"), ("cell-kind", "custom1")],
        11: [("cell-kind", "date"), ("cell-kind", "custom1")],
    }
    assert reading.skipped == [6]
    assert reading.source.letters == list("ABCDEFG")
    assert (reading.source.delimiter, reading.source.findings[0]) == (";", "Sheet “Contacts”, header on row 2.")


@kinds
def test_hidden_rows_are_refused_or_included(kind: str) -> None:
    """Hidden rows are flagged, for which the workbook is refused, unless they are included."""
    reading = read(MADE[kind])
    (number,) = reading.source.hidden
    assert reading.flaws[number][-1] == ("row-hidden", "")
    included = read(MADE[kind], hidden="include")
    assert (included.skipped, included.source.hidden) == ([], [])


@kinds
def test_choice_of_the_sheet(kind: str) -> None:
    """The visible sheet with a header is read; --sheet may name another, and must name an existing one."""
    assert read(MADE[kind], sheet="ancienne").rows == [["1", "x"]]
    with pytest.raises(SourceError, match="has no sheet “Liste”, only “Lisez-moi”, “Contacts”"):
        read(MADE[kind], sheet="Liste")
    with pytest.raises(SourceError, match="sheet “Lisez-moi”: none of the first 20 rows is a header"):
        read(MADE[kind], sheet="Lisez-moi")


def agrees(ours: str, theirs: Any) -> bool:
    """Return True when a cell as read here has the value that python-calamine reads."""
    plain = re.sub(r" ?<\?>$", "", ours)
    match theirs:
        case bool() | int() | float():
            number = {"TRUE": "1"}.get(plain, plain).replace(",", ".").replace(" ", "")
            return float(number.removesuffix("%")) == theirs * (100 if number.endswith("%") else 1)
        case "":
            return plain == "" or plain.startswith("#")  # python-calamine reads an error as a blank
        case str() if duration := re.fullmatch(r"PT(\d+)H00M00S", theirs):  # python-calamine does not parse durations of .ods
            return plain == str(dt.timedelta(hours=int(duration[1])))
    return plain == str(theirs)


@kinds
def test_python_calamine_agrees(kind: str) -> None:
    """Every value that an independent reader reads is the same."""
    for content in (PLAIN[kind], MADE[kind]):
        theirs = load_workbook(io.BytesIO(content)).get_sheet_by_name("Contacts").to_python(skip_empty_area=False)
        for at, ours in read(content, hidden="include").numbered:
            for mine, other in zip_longest(ours, theirs[at - 1], fillvalue=""):
                blank = kind == "xlsb" and other == ""  # python-calamine reads most cells of SheetJS as blanks
                assert blank or agrees(mine, other), (at, mine, other)


@kinds
def test_renames(kind: str) -> None:
    """--map works as for any source."""
    assert read(PLAIN[kind], renames={"custom1": "custom2"}).source.mapping == {"contactId": 0, "firstname": 1, "custom2": 2}
    with pytest.raises(ConfigError, match="--map names a column"):
        read(PLAIN[kind], renames={"N": "custom1"})


@kinds
def test_blanks_are_certain_without_empty_formulas(kind: str) -> None:
    """A blank is certain in a workbook without empty formulas."""
    assert read(PLAIN[kind]).source.blanks_certain


CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=12)
ROWS = st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=4)
WRITERS: dict[str, Callable[[list[list[str]]], bytes]] = {
    "ods": lambda rows: ods(table(*(row(*(one or "<table:table-cell/>" for one in cells)) for cells in rows))),
    "xls": lambda rows: xls(*rows),
    "xlsb": lambda rows: xlsb(*(row_records(at, *cells) for at, cells in enumerate(rows))),
}


@kinds
@settings(max_examples=15)
@given(rows=ROWS)
def test_any_table_is_read_unchanged(kind: str, rows: list[list[str]]) -> None:
    """Any table of any text is read unchanged, except for white space at the end of a row, and with its numbers."""
    if kind == "ods":
        rows = [[one if not one.startswith("<") else f"x{one}" for one in cells] for cells in rows]
    expected = [(at, cells) for at, cells in enumerate(rows, 2) if any(map(str.strip, cells))]
    reading = read(WRITERS[kind]([HEAD, *rows])).numbered
    assert [(number, _without_blank_end(cells)) for number, cells in reading] == [
        (number, _without_blank_end(cells)) for number, cells in expected
    ]


def _without_blank_end(cells: list[str]) -> list[str]:
    """Return a row up to its last cell that shows anything."""
    return cells[: max(at for at, cell in enumerate(cells, 1) if cell.strip())]


def is_read_or_refused(content: bytes) -> bool:
    """Return True when a workbook gives columns or one sentence; any other exception is raised."""
    try:
        return bool(read(content, hidden="include").source.columns)
    except SourceError as refused:
        return str(refused).endswith(".")


@kinds
@settings(max_examples=25)
@given(data=st.data())
def test_any_damage_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    """A workbook with changed bytes, or truncated, is read or refused in a sentence within seconds."""
    content = bytearray(MADE[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(8, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.one_of(st.just(len(content)), st.integers(8, len(content)))) :]
    begun = time.monotonic()
    assert is_read_or_refused(bytes(content))
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize("kind", ["ods", "xlsb"])
@settings(max_examples=25)
@given(data=st.data())
def test_any_damage_with_valid_checksums_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    """Damage that the archive's checksums do not reveal is read or refused."""
    name = {"ods": "content.xml", "xlsb": "xl/worksheets/sheet1.bin"}[kind]
    parts = unzip(PLAIN[kind])
    part = bytearray(parts[name])
    for _ in range(data.draw(st.integers(1, 3))):
        part[data.draw(st.integers(0, len(part) - 1))] = data.draw(st.integers(0, 255))
    assert is_read_or_refused(zip_parts(parts | {name: bytes(part)}))


@kinds
def test_truncated_workbook_is_refused(kind: str) -> None:
    """A workbook that is truncated anywhere is refused, and never read as a shorter one."""
    whole = PLAIN[kind]
    for share in (3, 2, 1.2, 1.05):
        with pytest.raises(SourceError):
            read(whole[: int(len(whole) / share)])


BOMB = b" " * (101 << 20)


@pytest.mark.parametrize("kind", ["ods", "xlsb"])
def test_zip_bomb_is_refused(kind: str) -> None:
    """A part that unpacks to far more than a table could is refused before it is read."""
    with pytest.raises(SourceError, match=r"unpacks to more than 1000? times its size"):
        read(zip_parts(unzip(PLAIN[kind]) | {"x.xml": BOMB}))


FAR: dict[str, Callable[[], bytes]] = {
    "ods far to the right": lambda: ods(table(row(*HEAD), row(blank_cells(16_383), "x"))),
    "ods far to the right by repetition": lambda: ods(table(row(*HEAD), row(cell("x", number_columns_repeated=16_384)))),
    "ods far down": lambda: ods(table(row(*HEAD), row(blank_cells(1), number_rows_repeated=2_000_000_000), row("x"))),
    "xlsb far to the right": lambda: xlsb(row_records(0, *HEAD), row_records(1, (6, b"\xff\x3f\0\0\0\0\0\0\1\0\0\0x\0"))),
    "xlsb far down": lambda: xlsb(row_records(0, *HEAD), row_records(1_048_576, "x")),
}


def blank_cells(count: int) -> str:
    """Return `count` blank .ods cells."""
    return f'<table:table-cell table:number-columns-repeated="{count}"/>'


@pytest.mark.parametrize("content", FAR.values(), ids=FAR)
def test_x15d_stray_cell_is_refused(content: Callable[[], bytes]) -> None:
    """A stray cell far outside any table refuses the workbook at once, and the sentence says where it is."""
    with pytest.raises(SourceError, match=r"has content in row [0-9]+, column [0-9]+, far outside the table"):
        read(content())


def test_x15e_space_in_the_last_cell_is_ignored() -> None:
    """White space is ignored, in any cell."""
    far = row(blank_cells(1), number_rows_repeated=1_048_574), row(blank_cells(16_383), cell("<text:s/>"))
    assert read(ods(table(row(*HEAD), *far))).rows == []
    assert read(xlsb(row_records(0, *HEAD), row_records(1_048_575, " "))).rows == []


def test_repeated_rows_have_a_bounded_cost() -> None:
    """Repeated rows are read up to the last row of a sheet, at a bounded cost."""
    reading = read(ods(table(row(*HEAD), row("1", "a", "b"), row("2", "c", "d", number_rows_repeated=100_000))))
    assert reading.numbers == list(range(2, 100_003))
    assert reading.rows[-1] == ["2", "c", "d"]


def test_too_much_repeated_text_is_refused() -> None:
    """A few bytes that expand to gigabytes of text are refused."""
    large = cell("x" * 5000, number_columns_repeated=250)
    with pytest.raises(SourceError, match="contains too much text at row 2: copy the contacts"):
        read(ods(table(row(*HEAD), row(large, number_rows_repeated=1_000_000))))


def test_too_many_repeated_cells_are_refused() -> None:
    """Repeats of short cells that would take minutes are refused as well."""
    with pytest.raises(SourceError, match="contains too much text at row 2: copy the contacts"):
        read(ods(table(row(*HEAD), row(cell("x", number_columns_repeated=250), number_rows_repeated=1_000_000))))


def test_password_is_named() -> None:
    """A workbook with a password is refused with that reason."""
    locked = ods(table(row(*HEAD)), manifest="<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>")
    with pytest.raises(SourceError, match="is protected by a password: save it without one"):
        read(locked)
    with pytest.raises(SourceError, match="is protected by a password: save it without one"):
        read(locked_xls())


def locked_xls() -> bytes:
    """Return an .xls with the record of its encryption (FILEPASS) in place of the record of its author."""
    content = PLAIN["xls"]
    at = content.index(b"\x5c\x00\x70\x00")  # WRITEACCESS, 112 bytes
    return content[:at] + b"\x2f\x00" + content[at + 2 :]


def refusal_under_limits(monkeypatch: pytest.MonkeyPatch, **limits: Any) -> str:
    """Return the refusal of a workbook of 20,000 rows under these limits."""
    for name, limit in limits.items():
        monkeypatch.setattr(workbook, name, limit)
    content = ods(table(row(*HEAD), *(row(str(n), "a" * 20, f"b{n}") for n in range(20_000))))
    with pytest.raises(SourceError) as refusal:
        read(content, "contacts.ods", process=True)
    return str(refusal.value)


BEYOND = "contacts.ods cannot be read: it takes too much {}; save it as .xlsx."


def test_worker_over_the_memory_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that needs more memory than its limit is a refused source; this process is unaffected."""
    refusal = refusal_under_limits(monkeypatch, MEMORY=1 << 20)
    assert refusal == BEYOND.format("memory") or "the reader stopped with" in refusal


def test_text_larger_than_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """One cell that is larger than the memory limit is a refused source."""
    content = ods(table(row(*HEAD), row("1", "ab" * (20 << 20))), is_compressed=False)  # no more than its size
    monkeypatch.setattr(workbook, "MEMORY", 100 << 20)
    with pytest.raises(SourceError, match=r"contacts.ods cannot be read: it takes too much memory"):
        read(content, "contacts.ods", process=True)


def test_system_without_a_memory_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where memory cannot be limited, as on macOS, workbooks are read all the same."""
    (tmp_path / "sitecustomize.py").write_text(
        "import resource\n"
        "limit = resource.setrlimit\n"
        "def setrlimit(kind, limits):\n"
        "    if kind == resource.RLIMIT_AS:\n"
        "        raise ValueError('current limit exceeds maximum limit')\n"
        "    limit(kind, limits)\n"
        "resource.setrlimit = setrlimit\n",
        encoding="ascii",
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    assert read(PLAIN["ods"], process=True).numbered[0][0] == 2


def test_worker_over_the_cpu_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker over its limit of CPU time is killed, and the source refused."""
    assert refusal_under_limits(monkeypatch, SECONDS=0) == BEYOND.format("time or memory")


def test_worker_is_killed_after_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that does not end is killed."""
    assert refusal_under_limits(monkeypatch, READ_TIMEOUT_S=0.01) == BEYOND.format("time")


def replace_worker(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Replace the worker by a program with this code."""
    genuine = subprocess.run
    monkeypatch.setattr(
        subprocess, "run", lambda command, **options: genuine([sys.executable, "-c", code, *command[4:]], **options)
    )


@pytest.mark.parametrize("code", ["import os; os.abort()", "", "print('[')", "raise SystemExit(3)"])
def test_crashed_worker_is_a_refused_source(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """A worker that ends without a reply is a refused source."""
    replace_worker(monkeypatch, code)
    with pytest.raises(SourceError, match=r"cannot be read \(the reader stopped with -?[0-9]+\): save it as .xlsx"):
        read(PLAIN["ods"], process=True)


def test_full_disk_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is reported as a full disk."""
    replace_worker(monkeypatch, 'print(\'{"full": "No space left on device"}\')')
    with pytest.raises(
        StorageError, match=r"There is no disk space for the rows of contacts.csv \(No space left on device\): free some space"
    ):
        read(PLAIN["ods"], process=True)
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a descriptor is needed
        copy = os.memfd_create("x")
        os.write(copy, PLAIN["ods"])
        assert _read("ods", copy, os.dup(full.fileno())) == {"full": "No space left on device"}


SPY = """
import json, os, sys
names = {}
for name in os.listdir("/proc/self/fd"):
    try:
        names[name] = os.readlink("/proc/self/fd/" + name)
    except OSError:
        pass  # of the listing itself
reply = [dict(os.environ), sys.argv[1:], names, os.getpgid(0) == os.getpid()]
print(json.dumps({"refused": json.dumps(reply)}))
"""


def test_worker_gets_only_two_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker gets two file descriptors: no path, no key, no password of a proxy, no other file."""
    monkeypatch.setenv("CONTACT_SYNC_API_KEY", "made-up-key-1234")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.invalid")
    replace_worker(monkeypatch, SPY)
    with pytest.raises(SourceError) as refusal:
        read(PLAIN["ods"], "contacts.ods", process=True)
    variables, arguments, names, is_leader = json.loads(str(refusal.value).partition(" ")[2])
    assert not [name for name, value in variables.items() if "made-up" in value or "secret" in value]
    kind, *given = arguments
    assert (kind, set(names)) == ("ods", {"0", "1", "2", *given[:2]})
    assert all("contacts.ods" not in path for path in names.values())
    assert is_leader


def test_worker_imports_nothing_heavy() -> None:
    """The worker imports nothing heavy, so it starts fast."""
    ours = ", ".join(f"contact_sync.source.legacy.{name}" for name in ("worker", *KINDS))
    code = f"import sys, {ours}; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"openpyxl", "pandas", "numpy", "aiohttp", "phonenumbers"} & set(modules)


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """This process has one chunk of rows in memory at a time."""
    path = tmp_path / "contacts.xls"
    path.write_bytes(xls(HEAD, *([str(n), f"{n} " * 500, "b"] for n in range(6000))))
    with open_source(path, SourceOptions(), clock=lambda: 4e9) as source:
        tracemalloc.start()
        try:
            rows = sum(len(chunk.rows) for chunk in source.chunks())
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert rows == 6000
    assert peak < 8_000_000 < path.stat().st_size


def test_spool_writer_checks_rows() -> None:
    """Rows that are out of order or too large, and too many merged cells, are refused."""
    writer = spool.SpoolWriter(lambda _: None)
    writer.begin("Contacts", is_visible=True)
    writer.row(5, ["x"], 3)
    with pytest.raises(spool.RefusedError, match="out of order at row 7"):
        writer.row(7, ["x"])
    with pytest.raises(spool.RefusedError, match="contains too much text at row 9"):
        writer.row(9, ["x" * (33 << 20)])
    leaf = writer.begin("Autres", is_visible=True)
    for top in range(1, 100_001):
        leaf.merge(1, top, 2, top)
    with pytest.raises(spool.RefusedError, match="has more than 100000 merged cells: unmerge them"):
        leaf.merge(1, 100_001, 2, 100_001)


def test_invalid_dates_and_durations_are_flagged() -> None:
    """A date or a duration outside of the calendar is flagged."""
    odd = [number("1", "x", "date").replace('office:value="1"', 'office:date-value="0000-13-01"')]
    odd += [number("1", "x", "time").replace('office:value="1"', 'office:time-value="P99999999999D"')]
    odd += [number("1", "x", "time").replace('office:value="1"', 'office:time-value="PT-2147483648H00M00S"')]
    odd += [number("1", "x", "time"), number("1", "x", "date"), number("1", "x", "boolean"), number("1", "x", "unheard-of")]
    odd += [number("x", "x"), cell("x", "percentage")]
    for one in odd:
        assert read(ods(table(row(*HEAD), row("1", one, "x")))).flaws == {2: [("cell-error", "firstname")]}
