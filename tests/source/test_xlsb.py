"""Binary Excel workbooks: their records ([MS-XLSB])."""

import struct
from typing import Any

import pytest

from contact_sync.errors import SourceError

from .reading import ReadResult, read, unzip, zip_parts
from .writing import HEAD, Record, cell_record, row_records, wide_string, xlsb

OUT_OF_ORDER = "out of order at row 2: save it as .xlsx"


def real(value: float) -> bytes:
    """Return a number as in a record."""
    return struct.pack("<d", value)


def read_records(*records: Record, **parts: Any) -> ReadResult:
    """Read a workbook with those records in the cells under custom1."""
    return read(xlsb(row_records(0, *HEAD), row_records(1, "1", "a", *records), **parts))


TEXTS: dict[str, tuple[Record, str]] = {
    "an integer in 30 bits": (cell_record(2, 2, struct.pack("<i", -5 << 2 | 2)), "-5"),
    "an integer in 30 bits, to be divided by 100": (cell_record(2, 2, struct.pack("<i", 1250 << 2 | 3)), "12.5"),
    "a float in 30 bits": (cell_record(2, 2, real(2.5)[4:]), "2.5"),
    "a float in 30 bits, to be divided by 100": (
        cell_record(2, 2, struct.pack("<I", struct.unpack("<I", real(256.0)[4:])[0] | 1)),
        "2.56",
    ),
    "a number": (cell_record(2, 5, real(0.1 + 0.2)), "0.3"),
    "a text": (cell_record(2, 6, wide_string("Léa")), "Léa"),
    "a shared text": (cell_record(2, 7, struct.pack("<I", 1)), "Zoé"),
    "a text in several fonts": (cell_record(2, 62, b"\1" + wide_string("Max") + b"\1\0\0\0\0\0\0\0"), "Max"),
    "a formula's text": (cell_record(2, 8, wide_string("b") + b"\0\0\0\0\0\0\0\0\0\0"), "b"),
    "a formula's number": (cell_record(2, 9, real(3.0) + b"\0\0"), "3"),
    "a blank": (cell_record(2, 1, b""), ""),
    "leading zeros": (cell_record(2, 5, real(123), style=1), "00123"),
    "a date": (cell_record(2, 5, real(43994), style=2), "12/06/2020"),
    "percent": (cell_record(2, 5, real(0.25), style=3), "25%"),
    "a short text": ((17, b"\0\0\0\0" + wide_string("b")), "b"),
    "a short shared text": ((18, b"\0\0\0\0\0\0\0\0"), "Léa"),
    "a short number": ((16, b"\1\0\0\0" + real(7)), "00007"),
    "a short number in 30 bits": ((13, b"\0\0\0\0" + struct.pack("<i", 9 << 2 | 2)), "9"),
    "a short blank": ((12, b"\0\0\0\0"), ""),
    "escaped as in .xlsx": (cell_record(2, 6, wide_string("_x0041_")), "_x0041_"),
}


@pytest.mark.parametrize(("record", "expected"), TEXTS.values(), ids=TEXTS)
def test_cell_is_rendered_as_shown(record: Record, expected: str) -> None:
    """The text of a cell is what the spreadsheet shows, in any kind of record."""
    reading = read_records(record, texts=["Léa", "Zoé"], formats=["00000", "dd/mm/yyyy", 9])
    assert reading.rows == [["1", "a", expected]]
    assert not reading.flaws


FLAWS: dict[str, tuple[Record, str]] = {
    "an error": (cell_record(2, 3, b"\x2a"), "shows a spreadsheet error (#N/A)"),
    "a formula's error": (cell_record(2, 11, b"\x17\0\0"), "shows a spreadsheet error (#REF!)"),
    "a short error": ((14, b"\0\0\0\0\x07"), "shows a spreadsheet error (#DIV/0!)"),
    "an unknown error": (cell_record(2, 3, b"\x63"), "shows a spreadsheet error (#?)"),
    "TRUE": (cell_record(2, 4, b"\1"), "contains TRUE or FALSE"),
    "FALSE of a formula": (cell_record(2, 10, b"\0\0\0"), "contains TRUE or FALSE"),
    "a short TRUE": ((15, b"\0\0\0\0\1"), "contains TRUE or FALSE"),
    "a time": (cell_record(2, 5, real(0.5), style=1), "contains a time of day"),
    "a long number": (cell_record(2, 5, real(1e15)), "longer than the 15 digits"),
}


@pytest.mark.parametrize(("record", "sentence"), FLAWS.values(), ids=FLAWS)
def test_unsuitable_value_is_flagged(record: Record, sentence: str) -> None:
    """A value that cannot be sent as text is flagged."""
    reading = read_records(record, formats=[20])
    assert [field for _, field in reading.flaws[2]] == ["custom1"]
    assert sentence in reading.messages[0]


def test_empty_formula_makes_blanks_uncertain() -> None:
    """An empty formula may never have been calculated, so blanks are uncertain."""
    reading = read_records(cell_record(2, 8, wide_string("")))
    assert not reading.source.blanks_certain
    assert len(reading.source.warnings) == 1


def test_hidden_rows() -> None:
    """A row is hidden by its flag."""
    reading = read(
        xlsb(row_records(0, *HEAD), row_records(1, "1", "a"), row_records(2, "2", "b", flags=0x10), row_records(4, "3", "c")),
        hidden="skip",
    )
    assert (reading.numbers, reading.skipped) == ([2, 3, 5], [3])


@pytest.mark.parametrize(("width", "flags"), [(0x900, 1), (0, 0), (0x60, 0)])
def test_hidden_columns(width: int, flags: int) -> None:
    """A column is hidden by its flag or by a width of nearly 0; others are not hidden."""
    columns = [(60, struct.pack("<IIIIH", 0, 0, 0x900, 0, 0)), (60, struct.pack("<IIIIH", 1, 1, width, 0, flags))]
    with pytest.raises(SourceError, match="the columns of “Prénom” are hidden"):
        read(xlsb(row_records(0, *HEAD), row_records(1, "1", "a"), before=columns))


def test_merged_cells_are_flagged() -> None:
    """Merged cells are flagged in each row and field."""
    merged = [(176, struct.pack("<IIII", 1, 2, 1, 2))]
    reading = read(
        xlsb(row_records(0, *HEAD), row_records(1, "1", "a"), row_records(2, "2"), row_records(3, "3", "b"), after=merged)
    )
    both = [("cell-merged", "firstname"), ("cell-merged", "custom1")]
    assert reading.flaws == {2: both, 3: both}


def test_dates_counted_from_1904() -> None:
    """A workbook that counts days from 1904, as old Macs do, gives the date that it shows."""
    reading = read_records(cell_record(2, 5, real(43994), style=1), formats=["dd/mm/yyyy"], book=[(153, b"\1\0\0\0" + bytes(8))])
    assert reading.rows == [["1", "a", "13/06/2024"]]


BROKEN: dict[str, tuple[list[Record], str]] = {
    "cells out of order": ([cell_record(1, 6, wide_string("b"))], OUT_OF_ORDER),
    "rows out of order": (row_records(1, "1"), OUT_OF_ORDER),
    "a text longer than its record": ([cell_record(2, 6, b"\xff\0\0\0a")], "is damaged"),
    "a shared text that does not exist": ([cell_record(2, 7, b"\5\0\0\0")], "is damaged"),
    "a style that does not exist": ([cell_record(2, 5, real(1), style=9)], "is damaged"),
    "a truncated record": ([(5, b"\2\0")], "is damaged"),
}


@pytest.mark.parametrize(("records", "sentence"), BROKEN.values(), ids=BROKEN)
def test_invalid_records_are_refused(records: list[Record], sentence: str) -> None:
    """Invalid records are refused, never left out."""
    with pytest.raises(SourceError) as refusal:
        read_records(*records) if records[0][0] else read(xlsb(row_records(0, *HEAD), row_records(1, "1", "a"), records))
    assert sentence in str(refusal.value)


def test_sheet_without_an_end_record_is_refused() -> None:
    """A sheet without its end record is refused: rows may be missing."""
    content = xlsb(row_records(0, *HEAD), row_records(1, "1", "a"))
    parts = unzip(content)
    for cut in (3, 10, 30):
        parts["xl/worksheets/sheet1.bin"] = parts["xl/worksheets/sheet1.bin"][:-cut]
        with pytest.raises(SourceError, match="is damaged"):
            read(zip_parts(parts))


def test_zero_of_a_formula_is_flagged() -> None:
    """The 0 of a formula is no name; as a custom field it is a number."""
    cells = [cell_record(column, 9, real(0), style=1) for column in (1, 2)]
    reading = read(xlsb(row_records(0, *HEAD), row_records(1, "1", *cells), formats=["00"]))
    assert reading.rows == [["1", "00 <?>", "00"]]
    assert reading.flaws == {2: [("cell-kind", "firstname")]}


def test_format_that_adds_to_a_text_is_flagged() -> None:
    """A text that its format adds to, or hides, is flagged."""
    assert read_records(cell_record(2, 6, wide_string("b"), style=1), formats=[";;;"]).flaws == {2: [("cell-format", "custom1")]}
