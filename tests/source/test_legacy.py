"""Workbooks of old and foreign kinds, as the parent sees them: fixtures saved by office programs, limits, damage."""

import datetime as dt
import io
import json
import os
import re
import subprocess
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import load_workbook

from contact_sync.errors import ConfigError, SourceError, StorageError
from contact_sync.source import Choices, open_source
from contact_sync.source.legacy import reader as legacy
from contact_sync.source.legacy import spool
from contact_sync.source.legacy.child import _read

from .reading import read
from .writing import HEAD, cell, line, number, ods, row, table, xls, xlsb, zipped

FILES = Path(__file__).parent / "files"
KINDS = ("ods", "xls", "xlsb")
MADE = {name: (FILES / f"contacts.{name}").read_bytes() for name in KINDS}
"""One table, saved by LibreOffice as .xls and .ods and by SheetJS as .xlsb, which share no code with any reader here."""
PLAIN = {
    "ods": ods(table(row(*HEAD), row("1", "Léa", "x"), row("2", "Zoé", "y"))),
    "xls": xls(HEAD, ["1", "Léa", "x"], ["2", "Zoé", "y"]),
    "xlsb": xlsb(line(0, *HEAD), line(1, "1", "Léa", "x"), line(2, "2", "Zoé", "y")),
}
kinds = pytest.mark.parametrize("kind", KINDS)


@kinds
def test_a_table_saved_by_an_office_program(kind: str) -> None:
    """Each kind gives the same texts, row numbers and flaws: formats, dates, errors, merged cells, a blank row."""
    reading = read(MADE[kind], f"contacts.{kind}", hidden="skip")
    assert reading.numbered == [
        (3, ["00123", " Léa  x ", "Éluard", "0612345678", "2020-06-12", "a\nb", "Paris"]),
        (4, ["002", "Zoé", "", "612345678", "2020-06-12 18:30:00", "25.00%", "12.5"]),
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
def test_hidden_rows(kind: str) -> None:
    """Hidden rows refuse the workbook unless they are included."""
    with pytest.raises(SourceError, match="hidden or filtered-out rows, 1 in all: show them, or choose --hidden include"):
        read(MADE[kind])
    assert read(MADE[kind], hidden="include").skipped == []


@kinds
def test_sheets(kind: str) -> None:
    """The visible sheet with a header is taken; --sheet may name another, and must name one."""
    assert read(MADE[kind], sheet="ancienne").rows == [["1", "x"]]
    with pytest.raises(SourceError, match="has no sheet “Liste”, only “Lisez-moi”, “Contacts”"):
        read(MADE[kind], sheet="Liste")
    with pytest.raises(SourceError, match="sheet “Lisez-moi”: none of the first 20 rows is a header"):
        read(MADE[kind], sheet="Lisez-moi")


def same(ours: str, theirs: Any) -> bool:
    """Whether a cell as it is read here is the value that python-calamine tells."""
    plain = re.sub(r" ?<\?>$", "", ours)
    match theirs:
        case bool() | int() | float():
            number = {"TRUE": "1"}.get(plain, plain)
            return float(number.removesuffix("%")) == theirs * (100 if number.endswith("%") else 1)
        case "":
            return plain == "" or plain.startswith("#")  # it shows an error as nothing
        case str() if duration := re.fullmatch(r"PT(\d+)H00M00S", theirs):  # of .ods; it does not read them
            return plain == str(dt.timedelta(hours=int(duration[1])))
    return plain == str(theirs)


@kinds
def test_another_reader_agrees(kind: str) -> None:
    """Where an independent reader tells a value, it is the same."""
    for content in (PLAIN[kind], MADE[kind]):
        theirs = load_workbook(io.BytesIO(content)).get_sheet_by_name("Contacts").to_python(skip_empty_area=False)
        for at, ours in read(content, hidden="include").numbered:
            for mine, other in zip_longest(ours, theirs[at - 1], fillvalue=""):
                blank = kind == "xlsb" and other == ""  # it takes most of SheetJS's cells for blanks
                assert blank or same(mine, other), (at, mine, other)


@kinds
def test_renames_and_sheets_that_are_not_understood(kind: str) -> None:
    """--map works as for any source."""
    assert read(PLAIN[kind], renames={"custom1": "custom2"}).source.mapping == {"contactId": 0, "firstname": 1, "custom2": 2}
    with pytest.raises(ConfigError, match="--map names a column"):
        read(PLAIN[kind], renames={"N": "custom1"})


@kinds
def test_blanks_of_a_plain_workbook_are_certain(kind: str) -> None:
    """A blank is a blank where no formula shows nothing."""
    assert read(PLAIN[kind]).source.blanks_certain


CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=12)
ROWS = st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=4)
WRITERS: dict[str, Callable[[list[list[str]]], bytes]] = {
    "ods": lambda rows: ods(table(*(row(*(one or "<table:table-cell/>" for one in cells)) for cells in rows))),
    "xls": lambda rows: xls(*rows),
    "xlsb": lambda rows: xlsb(*(line(at, *cells) for at, cells in enumerate(rows))),
}


@kinds
@settings(max_examples=15)
@given(rows=ROWS)
def test_any_table_comes_back(kind: str, rows: list[list[str]]) -> None:
    """Any table of any text comes back the same, but for white space alone at the end of a row, and each row with its number."""
    if kind == "ods":
        rows = [[one if not one.startswith("<") else f"x{one}" for one in cells] for cells in rows]
    expected = [(at, cells) for at, cells in enumerate(rows, 2) if any(map(str.strip, cells))]
    reading = read(WRITERS[kind]([HEAD, *rows])).numbered
    assert [(number, _ended(cells)) for number, cells in reading] == [(number, _ended(cells)) for number, cells in expected]


def _ended(cells: list[str]) -> list[str]:
    """Return a row up to the last cell in which something is to be seen."""
    return cells[: max(at for at, cell in enumerate(cells, 1) if cell.strip())]


def is_read_or_refused(content: bytes) -> bool:
    """Whether a workbook gives columns or one sentence; anything else is raised."""
    try:
        return bool(read(content, hidden="include").source.columns)
    except SourceError as refused:
        return str(refused).endswith(".")


@kinds
@settings(max_examples=25)
@given(data=st.data())
def test_any_damage(kind: str, data: st.DataObject) -> None:
    """A workbook with any bytes changed or cut off is read or refused in a sentence, and soon."""
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
def test_any_damage_inside(kind: str, data: st.DataObject) -> None:
    """Damage that the archive's checksums do not tell is no traceback either."""
    name = {"ods": "content.xml", "xlsb": "xl/worksheets/sheet1.bin"}[kind]
    parts = unzipped(PLAIN[kind])
    part = bytearray(parts[name])
    for _ in range(data.draw(st.integers(1, 3))):
        part[data.draw(st.integers(0, len(part) - 1))] = data.draw(st.integers(0, 255))
    assert is_read_or_refused(zipped(parts | {name: bytes(part)}))


def unzipped(content: bytes) -> dict[str, bytes]:
    """Return the parts of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@kinds
def test_cut_off(kind: str) -> None:
    """A workbook that is cut off anywhere is refused, and never read as a shorter one."""
    whole = PLAIN[kind]
    for share in (3, 2, 1.2, 1.05):
        with pytest.raises(SourceError):
            read(whole[: int(len(whole) / share)])


BOMB = b" " * (101 << 20)


@pytest.mark.parametrize("kind", ["ods", "xlsb"])
def test_zip_bombs(kind: str) -> None:
    """A part that unpacks to far more than a table could is refused before it is read."""
    with pytest.raises(SourceError, match=r"unpacks to more than 1000? times its size"):
        read(zipped(unzipped(PLAIN[kind]) | {"x.xml": BOMB}))


FAR: dict[str, Callable[[], bytes]] = {
    "ods to the right": lambda: ods(table(row(*HEAD), row(blank(16_383), "x"))),
    "ods repeated": lambda: ods(table(row(*HEAD), row(cell("x", number_columns_repeated=16_384)))),
    "ods far down": lambda: ods(table(row(*HEAD), row(blank(1), number_rows_repeated=2_000_000_000), row("x"))),
    "xlsb to the right": lambda: xlsb(line(0, *HEAD), line(1, (6, b"\xff\x3f\0\0\0\0\0\0\1\0\0\0x\0"))),
    "xlsb far down": lambda: xlsb(line(0, *HEAD), line(1_048_576, "x")),
}


def blank(count: int) -> str:
    """Return that many blank .ods cells."""
    return f'<table:table-cell table:number-columns-repeated="{count}"/>'


@pytest.mark.parametrize("content", FAR.values(), ids=FAR)
def test_x15d_far_out(content: Callable[[], bytes]) -> None:
    """A stray cell where no table reaches refuses the workbook at once, and says where it is."""
    with pytest.raises(SourceError, match=r"has content in row [0-9]+, column [0-9]+, far outside the table"):
        read(content())


def test_x15e_a_space_in_the_last_cell() -> None:
    """White space counts for nothing, wherever it is."""
    far = row(blank(1), number_rows_repeated=1_048_574), row(blank(16_383), cell("<text:s/>"))
    assert read(ods(table(row(*HEAD), *far))).rows == []
    assert read(xlsb(line(0, *HEAD), line(1_048_575, " "))).rows == []


def test_a_million_rows_of_one_text() -> None:
    """Rows that are alike to the end of the sheet are rows, at a bounded cost; more of them than a sheet has are none."""
    reading = read(ods(table(row(*HEAD), row("1", "a", "b"), row("2", "c", "d", number_rows_repeated=100_000))))
    assert reading.numbers == list(range(2, 100_003))
    assert reading.rows[-1] == ["2", "c", "d"]


def test_more_text_than_a_table_holds() -> None:
    """A few bytes that stand for gigabytes of text are refused."""
    large = cell("x" * 5000, number_columns_repeated=250)
    with pytest.raises(SourceError, match="contains too much text at row 2: copy the contacts"):
        read(ods(table(row(*HEAD), row(large, number_rows_repeated=1_000_000))))


def test_passwords() -> None:
    """A workbook with a password is named so."""
    locked = ods(table(row(*HEAD)), manifest="<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>")
    with pytest.raises(SourceError, match="is protected by a password: save it without one"):
        read(locked)
    with pytest.raises(SourceError, match="is protected by a password: save it without one"):
        read(locked_xls())


def locked_xls() -> bytes:
    """Return an .xls with the record that says how it is encrypted (FILEPASS), in place of one that says who wrote it."""
    content = PLAIN["xls"]
    at = content.index(b"\x5c\x00\x70\x00")  # WRITEACCESS, 112 bytes
    return content[:at] + b"\x2f\x00" + content[at + 2 :]


def limited(monkeypatch: pytest.MonkeyPatch, **limits: Any) -> str:
    """Return how a workbook of 20,000 rows is refused under those limits."""
    for name, limit in limits.items():
        monkeypatch.setattr(legacy, name, limit)
    content = ods(table(row(*HEAD), *(row(str(n), "a" * 20, f"b{n}") for n in range(20_000))))
    with pytest.raises(SourceError) as refusal:
        read(content, "contacts.ods")
    return str(refusal.value)


BEYOND = "contacts.ods cannot be read: it takes too much {}; save it as .xlsx."


def test_the_limit_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that needs more memory than it may is a refused source; nothing happens to this process."""
    told = limited(monkeypatch, MEMORY=1 << 20)
    assert told == BEYOND.format("memory") or "the reader stopped with" in told


def test_a_text_that_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """One cell that is larger than the memory is a refused source."""
    content = ods(table(row(*HEAD), row("1", "ab" * (40 << 20))), packed=False)  # no more than its size
    monkeypatch.setattr(legacy, "MEMORY", 100 << 20)
    with pytest.raises(SourceError, match=r"contacts.ods cannot be read: it takes too much memory"):
        read(content, "contacts.ods")


def test_the_limit_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that computes for longer than it may is ended, and the source refused."""
    assert limited(monkeypatch, SECONDS=0) == BEYOND.format("time or memory")


def test_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that does not end is ended."""
    assert limited(monkeypatch, READ_TIMEOUT_S=0.01) == BEYOND.format("time")


def child(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let the child be a program of that code."""
    genuine = subprocess.run
    monkeypatch.setattr(
        subprocess, "run", lambda command, **options: genuine([sys.executable, "-c", code, *command[4:]], **options)
    )


@pytest.mark.parametrize("code", ["import os; os.abort()", "", "print('[')", "raise SystemExit(3)"])
def test_a_child_that_crashes(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """A child that ends without an answer is a refused source."""
    child(monkeypatch, code)
    with pytest.raises(SourceError, match=r"cannot be read \(the reader stopped with -?[0-9]+\): save it as .xlsx"):
        read(PLAIN["ods"])


def test_no_room_for_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is told as one."""
    child(monkeypatch, 'print(\'{"full": "No space left on device"}\')')
    with pytest.raises(
        StorageError, match=r"There is no disk space for the rows of contacts.csv \(No space left on device\): free some space"
    ):
        read(PLAIN["ods"])
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
told = [dict(os.environ), sys.argv[1:], names, os.getpgid(0) == os.getpid()]
print(json.dumps({"refused": json.dumps(told)}))
"""


def test_what_the_child_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child has the copy and a file for its rows by descriptor: no path, no key, no proxy's password, no other file."""
    monkeypatch.setenv("CONTACT_SYNC_API_KEY", "made-up-key-1234")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.invalid")
    child(monkeypatch, SPY)
    with pytest.raises(SourceError) as refusal:
        read(PLAIN["ods"], "contacts.ods")
    variables, arguments, names, is_leader = json.loads(str(refusal.value).partition(" ")[2])
    assert not [name for name, value in variables.items() if "made-up" in value or "secret" in value]
    kind, *given = arguments
    assert (kind, set(names)) == ("ods", {"0", "1", "2", *given[:2]})
    assert all("contacts.ods" not in path for path in names.values())
    assert is_leader


def test_the_child_is_light() -> None:
    """What reads the rows imports nothing heavy, so it starts in a moment."""
    ours = ", ".join(f"contact_sync.source.legacy.{name}" for name in ("child", *KINDS))
    code = f"import sys, {ours}; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"openpyxl", "pandas", "numpy", "aiohttp", "phonenumbers"} & set(modules)


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """This process holds a chunk of rows at a time."""
    path = tmp_path / "contacts.xls"
    path.write_bytes(xls(HEAD, *([str(n), f"{n} " * 500, "b"] for n in range(6000))))
    with open_source(path, Choices(), clock=lambda: 4e9) as source:
        tracemalloc.start()
        try:
            rows = sum(len(chunk.rows) for chunk in source.chunks())
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert rows == 6000
    assert peak < 8_000_000 < path.stat().st_size


def test_pages_are_checked() -> None:
    """A row may not stand above the one before, and not be larger than any honest one."""
    writer = spool.SpoolWriter(lambda _: None)
    writer.begin("Contacts", visible=True)
    writer.row(5, ["x"], 3)
    with pytest.raises(spool.RefusedError, match="out of order at row 7"):
        writer.row(7, ["x"])
    with pytest.raises(spool.RefusedError, match="contains too much text at row 9"):
        writer.row(9, ["x" * (33 << 20)])
    leaf = writer.begin("Autres", visible=True)
    for top in range(1, 100_001):
        leaf.merge(1, top, 2, top)
    with pytest.raises(spool.RefusedError, match="has more than 100000 merged cells: unmerge them"):
        leaf.merge(1, 100_001, 2, 100_001)


def test_numbers_that_are_no_moments() -> None:
    """A day or a duration that no calendar has is flagged."""
    odd = [number("1", "x", "date").replace('office:value="1"', 'office:date-value="0000-13-01"')]
    odd += [number("1", "x", "time").replace('office:value="1"', 'office:time-value="P99999999999D"')]
    for one in odd:
        assert read(ods(table(row(*HEAD), row("1", one, "x")))).flaws == {2: [("cell-error", "firstname")]}
