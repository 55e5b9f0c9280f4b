"""Binary Excel workbooks: their records ([MS-XLSB])."""

import io
import struct
import zipfile
from typing import Any

import pytest

from contact_sync.errors import SourceError

from .reading import Reading, read
from .writing import HEAD, Record, line, put, wide, xlsb, zipped

OUT_OF_ORDER = "out of order at row 2: save it as .xlsx"


def real(value: float) -> bytes:
    """Return a number as records have it."""
    return struct.pack("<d", value)


def one(*records: Record, **parts: Any) -> Reading:
    """Return a workbook with those records in the cells under custom1."""
    return read(xlsb(line(0, *HEAD), line(1, "1", "a", *records), **parts))


TEXTS: dict[str, tuple[Record, str]] = {
    "an integer in 30 bits": (put(2, 2, struct.pack("<i", -5 << 2 | 2)), "-5"),
    "an integer in 30 bits, a hundred times too great": (put(2, 2, struct.pack("<i", 1250 << 2 | 3)), "12.5"),
    "a float in 30 bits": (put(2, 2, real(2.5)[4:]), "2.5"),
    "a float in 30 bits, a hundred times too great": (
        put(2, 2, struct.pack("<I", struct.unpack("<I", real(256.0)[4:])[0] | 1)),
        "2.56",
    ),
    "a number": (put(2, 5, real(0.1 + 0.2)), "0.3"),
    "a text": (put(2, 6, wide("Léa")), "Léa"),
    "a shared text": (put(2, 7, struct.pack("<I", 1)), "Zoé"),
    "a text in several fonts": (put(2, 62, b"\1" + wide("Max") + b"\1\0\0\0\0\0\0\0"), "Max"),
    "a formula's text": (put(2, 8, wide("b") + b"\0\0\0\0\0\0\0\0\0\0"), "b"),
    "a formula's number": (put(2, 9, real(3.0) + b"\0\0"), "3"),
    "a blank": (put(2, 1, b""), ""),
    "zeros": (put(2, 5, real(123), style=1), "00123"),
    "a day": (put(2, 5, real(43994), style=2), "2020-06-12"),
    "percent": (put(2, 5, real(0.25), style=3), "25%"),
    "a short text": ((17, b"\0\0\0\0" + wide("b")), "b"),
    "a short shared text": ((18, b"\0\0\0\0\0\0\0\0"), "Léa"),
    "a short number": ((16, b"\1\0\0\0" + real(7)), "00007"),
    "a short number in 30 bits": ((13, b"\0\0\0\0" + struct.pack("<i", 9 << 2 | 2)), "9"),
    "a short blank": ((12, b"\0\0\0\0"), ""),
    "escaped as in .xlsx": (put(2, 6, wide("_x0041_")), "_x0041_"),
}


@pytest.mark.parametrize(("record", "expected"), TEXTS.values(), ids=TEXTS)
def test_text(record: Record, expected: str) -> None:
    """A cell's text is what a person sees, in whichever record it is."""
    reading = one(record, texts=["Léa", "Zoé"], formats=["00000", "dd/mm/yyyy", 9])
    assert reading.rows == [["1", "a", expected]]
    assert not reading.flaws


FLAWS: dict[str, tuple[Record, str]] = {
    "an error": (put(2, 3, b"\x2a"), "shows a spreadsheet error (#N/A)"),
    "a formula's error": (put(2, 11, b"\x17\0\0"), "shows a spreadsheet error (#REF!)"),
    "a short error": ((14, b"\0\0\0\0\x07"), "shows a spreadsheet error (#DIV/0!)"),
    "an unknown error": (put(2, 3, b"\x63"), "shows a spreadsheet error (#?)"),
    "true": (put(2, 4, b"\1"), "contains TRUE or FALSE"),
    "a formula's false": (put(2, 10, b"\0\0\0"), "contains TRUE or FALSE"),
    "a short true": ((15, b"\0\0\0\0\1"), "contains TRUE or FALSE"),
    "a time": (put(2, 5, real(0.5), style=1), "contains a time of day"),
    "a long number": (put(2, 5, real(1e15)), "longer than the 15 digits"),
}


@pytest.mark.parametrize(("record", "sentence"), FLAWS.values(), ids=FLAWS)
def test_flaws(record: Record, sentence: str) -> None:
    """A value that stands for no text is flagged."""
    reading = one(record, formats=[20])
    assert [field for _, field in reading.flaws[2]] == ["custom1"]
    assert sentence in reading.messages[0]


def test_formulas_that_show_nothing() -> None:
    """A formula that shows nothing may never have been calculated, so blanks are not certain."""
    reading = one(put(2, 8, wide("")))
    assert not reading.source.blanks_certain
    assert len(reading.source.warnings) == 1


def test_hidden_rows() -> None:
    """Hidden rows are seen by their mark."""
    reading = read(xlsb(line(0, *HEAD), line(1, "1", "a"), line(2, "2", "b", flags=0x10), line(4, "3", "c")), hidden="skip")
    assert (reading.numbers, reading.skipped) == ([2, 3, 5], [3])


@pytest.mark.parametrize(("width", "flags"), [(0x900, 1), (0, 0)])
def test_hidden_columns(width: int, flags: int) -> None:
    """Hidden columns are seen by their mark, or by a width of nothing; others are not hidden."""
    columns = [(60, struct.pack("<IIIIH", 0, 0, 0x900, 0, 0)), (60, struct.pack("<IIIIH", 1, 1, width, 0, flags))]
    with pytest.raises(SourceError, match="the columns of firstname are hidden"):
        read(xlsb(line(0, *HEAD), line(1, "1", "a"), before=columns))


def test_merged_cells() -> None:
    """Merged cells are flagged in each row and field."""
    merged = [(176, struct.pack("<IIII", 1, 2, 1, 2))]
    reading = read(xlsb(line(0, *HEAD), line(1, "1", "a"), line(2, "2"), line(3, "3", "b"), after=merged))
    both = [("cell-merged", "firstname"), ("cell-merged", "custom1")]
    assert reading.flaws == {2: both, 3: both}


def test_days_of_the_other_epoch() -> None:
    """A workbook that counts from 1904, as old Macs do, gives the day it shows."""
    reading = one(put(2, 5, real(43994), style=1), formats=["dd/mm/yyyy"], book=[(153, b"\1\0\0\0" + bytes(8))])
    assert reading.rows == [["1", "a", "2024-06-13"]]


BROKEN: dict[str, tuple[list[Record], str]] = {
    "cells out of order": ([put(1, 6, wide("b"))], OUT_OF_ORDER),
    "rows out of order": (line(1, "1"), OUT_OF_ORDER),
    "a text that is longer than its record": ([put(2, 6, b"\xff\0\0\0a")], "is damaged"),
    "a shared text that is not there": ([put(2, 7, b"\5\0\0\0")], "is damaged"),
    "a style that is not there": ([put(2, 5, real(1), style=9)], "is damaged"),
    "a record that is cut off": ([(5, b"\2\0")], "is damaged"),
}


@pytest.mark.parametrize(("records", "sentence"), BROKEN.values(), ids=BROKEN)
def test_damage(records: list[Record], sentence: str) -> None:
    """What is not understood is refused, never left out."""
    with pytest.raises(SourceError) as refusal:
        one(*records) if records[0][0] else read(xlsb(line(0, *HEAD), line(1, "1", "a"), records))
    assert sentence in str(refusal.value)


def test_a_sheet_without_an_end() -> None:
    """A sheet whose records do not come to their end is refused: what is missing could be rows."""
    content = xlsb(line(0, *HEAD), line(1, "1", "a"))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for cut in (3, 10, 30):
        parts["xl/worksheets/sheet1.bin"] = parts["xl/worksheets/sheet1.bin"][:-cut]
        with pytest.raises(SourceError, match="is damaged"):
            read(zipped(parts))
