"""Excel 97-2003 workbooks: formats, errors, empty formulas, damage."""

import datetime as dt
import io
import struct
from typing import Any

import pytest
import xlrd
import xlwt

from contact_sync.errors import SourceError
from contact_sync.source.legacy import xls as reader

from .reading import read
from .writing import HEAD, xls


def with_format(value: Any, number_format: str) -> bytes:
    """Return a workbook with that value under custom1."""
    style = xlwt.easyxf(num_format_str=number_format)
    return xls(HEAD, ["1", "a"], change=lambda sheet: sheet.write(1, 2, value, style))


TEXTS: dict[str, tuple[Any, str, str]] = {
    "leading zeros": (123, "00000", "00123"),
    "percent": (0.25, "0%", "25%"),
    "a date": (dt.date(2020, 6, 12), "dd/mm/yyyy", "12/06/2020"),
    "a date and time": (dt.datetime(2020, 6, 12, 18), "dd/mm/yyyy hh:mm", "12/06/2020 18:00"),  # noqa: DTZ001 - as a spreadsheet has it
    "a decimal": (0.1 + 0.2, "General", "0.3"),
    "a date serial without a date format": (43994, "General", "43994"),
}


@pytest.mark.parametrize(("value", "number_format", "expected"), TEXTS.values(), ids=TEXTS)
def test_cell_is_rendered_as_shown(value: Any, number_format: str, expected: str) -> None:
    """The text of a cell is what the spreadsheet shows."""
    reading = read(with_format(value, number_format))
    assert reading.rows == [["1", "a", expected]]
    assert not reading.flaws


@pytest.mark.parametrize(("value", "number_format"), [(True, "General"), (1e15, "0"), (0.5, "hh:mm"), (3e9, "dd/mm/yyyy")])
def test_unsuitable_value_is_flagged(value: Any, number_format: str) -> None:
    """A value that cannot be sent as text is flagged."""
    assert [field for _, field in read(with_format(value, number_format)).flaws[2]] == ["custom1"]


def test_error_is_flagged() -> None:
    """An error cell is flagged, and never read as a blank."""
    reading = read(xls(HEAD, ["1", "a"], change=lambda sheet: sheet.row(1).set_cell_error(2, "#REF!")))
    assert reading.flaws == {2: [("cell-error", "custom1")]}
    assert "(#REF!)" in reading.messages[0]


@pytest.mark.parametrize("by_flag", [True, False])
def test_hidden_rows_and_columns(*, by_flag: bool) -> None:
    """Rows and columns are hidden by a flag, or where they are too small to show anything."""

    def hide(sheet: Any) -> None:
        if by_flag:
            sheet.row(2).hidden = sheet.col(2).hidden = True
        else:
            sheet.row(2).height, sheet.row(2).height_mismatch, sheet.col(2).width = 5, True, 100

    reading = read(xls(HEAD, ["1", "a", "b"], ["2", "c", "d"], ["3", "e", "f"], change=hide), hidden="skip")
    assert reading.skipped == [3]
    assert reading.source.mapping == {"contactId": 0, "firstname": 1}


def test_merged_cells_are_flagged() -> None:
    """Merged cells are flagged in each row."""
    reading = read(xls(HEAD, ["1"], ["2"], change=lambda sheet: sheet.write_merge(1, 2, 1, 1, "a")))
    assert reading.flaws == {2: [("cell-merged", "firstname")], 3: [("cell-merged", "firstname")]}


def test_empty_formula_makes_blanks_uncertain() -> None:
    """An empty formula in a field may never have been calculated: blanks are uncertain, with a warning."""
    in_field = read(xls(HEAD, ["1", "a"], change=lambda sheet: sheet.write(1, 2, xlwt.Formula('UPPER("b")'))))
    assert in_field.rows == [["1", "a", ""]]
    assert not in_field.source.blanks_certain
    (warning,) = in_field.source.warnings
    assert warning.startswith("1 formula in the columns to send is empty, and may never have been calculated: ")
    elsewhere = read(xls([*HEAD, "Ville"], ["1", "a"], change=lambda sheet: sheet.write(1, 3, xlwt.Formula('UPPER("b")'))))
    assert elsewhere.source.blanks_certain
    assert not elsewhere.source.warnings


def test_dates_counted_from_1904() -> None:
    """A workbook that counts days from 1904, as old Macs do, gives the date that it shows."""
    content = with_format(43994, "dd/mm/yyyy")
    assert content.count(b"\x22\x00\x02\x00\x00\x00") == 1  # DATEMODE
    assert read(content.replace(b"\x22\x00\x02\x00\x00\x00", b"\x22\x00\x02\x00\x01\x00")).rows == [["1", "a", "13/06/2024"]]


def test_sheet_without_an_end_record_is_refused() -> None:
    """A sheet without its end record is refused: rows may be missing."""
    content = xls(HEAD, ["1", "a"])
    end = content.rindex(b"\x0a\x00\x00\x00")
    with pytest.raises(SourceError, match="is damaged"):
        read(content[:end] + b"\x0b" + content[end + 1 :])
    with pytest.raises(EOFError):
        list(reader._formulas(b"\x09\x08\x02\x00ab\x06\x00\xff\xff", 0))


def test_first_format_is_general_under_any_name() -> None:
    """The first number format is General, also under the name that an old program of another language gave it."""
    content = xls(HEAD, ["1", "a", 5])
    before, after = b"\x1e\x04\x0c\x00\xa4\x00\x07\x00\x00General", b"\x1e\x04\x0c\x00\x00\x00\x07\x00\x00Standar"
    assert before in content
    content = content.replace(before, after)
    assert b"\x06\x00\xa4\x00" in content
    content = content.replace(b"\x06\x00\xa4\x00", bytes([6, 0, 0, 0])).replace(b"\x07\x00\xa4\x00", bytes([7, 0, 0, 0]))
    reading = read(content)
    assert reading.rows == [["1", "a", "5"]]
    assert not reading.flaws


def test_invalid_defined_name_is_accepted() -> None:
    """A defined name whose formula xlrd cannot parse does not refuse the workbook."""

    def change(table: Any) -> None:
        formula = b"\x2d" + bytes(8)  # an area relative to the cell that uses the name
        body = struct.pack("<HBBHHH4x", 0, 0, 1, len(formula), 0, 0) + b"\0x" + formula
        table.get_parent()._Workbook__all_links_rec = lambda: struct.pack("<HH", 0x18, len(body)) + body

    assert read(xls(HEAD, ["1", "a", "b"], change=change)).rows == [["1", "a", "b"]]


def test_invalid_comment_is_accepted() -> None:
    """A comment that xlrd cannot parse does not refuse the workbook."""

    def change(table: Any) -> None:
        note = struct.pack("<HHHHHB5s4x", 1, 0, 0, 1, 5, 0, b"Alice")  # with more behind its author than Excel writes
        records = table.get_biff_data
        table.get_biff_data = lambda: records()[:-4] + struct.pack("<HH", 0x1C, len(note)) + note + b"\x0a\0\0\0"

    assert read(xls(HEAD, ["1", "a", "b"], change=change)).rows == [["1", "a", "b"]]


def test_zero_of_a_formula_is_flagged() -> None:
    """The 0 of a formula is no name; as a custom field it is a number, unless the formula is due when the file is opened."""
    content = xls(HEAD, ["1"], change=lambda sheet: [sheet.write(1, column, xlwt.Formula("D9")) for column in (1, 2)])
    empty = b"\x03" + bytes(5) + b"\xff\xff"  # the result that xlwt writes
    assert content.count(empty) == 2
    reading = read(content.replace(empty, bytes(8)))
    assert reading.rows == [["1", "0 <?>", "0"]]
    assert reading.flaws == {2: [("cell-kind", "firstname")]}
    reading = read(content.replace(empty + b"\0", bytes(8) + b"\2"))
    assert reading.flaws == {2: [("cell-formula", "firstname"), ("cell-formula", "custom1")]}
    assert not read(content.replace(empty + b"\0", struct.pack("<d", 7) + b"\2")).flaws


def test_sectors_that_two_streams_share_are_accepted() -> None:
    """Some programs write a container of short streams in sectors that belong to the workbook; nothing is in it."""
    content = bytearray(xls(HEAD, ["1", "a", "b"]))
    root = content.index("Root Entry".encode("utf-16-le"))
    struct.pack_into("<ii", content, root + 116, 0, 512)
    with pytest.raises(xlrd.compdoc.CompDocError, match="corruption"):
        xlrd.open_workbook(file_contents=bytes(content), logfile=io.StringIO())
    assert read(bytes(content)).rows == [["1", "a", "b"]]


def test_format_that_adds_to_a_text_is_flagged() -> None:
    """A text that its format adds to, or hides, is flagged."""
    assert read(with_format("Dupont", '"M. "@')).flaws == {2: [("cell-format", "custom1")]}
    assert not read(with_format("Dupont", "0;-0;;@")).flaws
