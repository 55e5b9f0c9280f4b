"""Number formats: every text that is read from a cell is the one that LibreOffice shows, or the cell is flagged."""

import datetime as dt
import json
import random
import struct
from collections import Counter
from pathlib import Path

import pytest
import xlwt

from contact_sync.source.date_format import render_date
from contact_sync.source.number_format import keeps_text, render, section_for

from .reading import ReadResult, read
from .shown import COMMON, COUNT, SEED, SOFFICE, TRUTH, Pair, convert, pairs, texts_of, workbook
from .writing import cell_record, row_records, xls, xlsb

SHOWN: list[tuple[float, str, str]] = [tuple(line) for line in json.loads(TRUTH.read_text(encoding="utf-8"))]
"""Value, format, and what LibreOffice 7.4 shows in French."""
NUMBERS: list[Pair] = [(value, code) for value, code, _ in SHOWN]


def disagreements(reading: ReadResult, numbers: list[Pair], texts: list[str]) -> list[tuple[float, str, str, str]]:
    """Return value, format, text and LibreOffice's text of each cell that is neither flagged nor read as LibreOffice shows it."""
    ours = {int(row[0]): row[1] for number, row in reading.numbered if number not in reading.flaws}
    assert ours.keys() | {number - 1 for number in reading.flaws} == set(range(1, len(numbers) + 1))
    return [(*numbers[at - 1], text, texts[at - 1]) for at, text in ours.items() if plain(text) != plain(texts[at - 1])]


def plain(text: str) -> str:
    """Return a text with plain spaces, none around it, as it is sent."""
    return text.replace("\u202f", " ").replace("\xa0", " ").strip()


def test_pairs_of_the_truth_are_those_of_its_generator() -> None:
    """The committed texts belong to the pairs that the generator makes."""
    assert pairs(SEED, COUNT) == NUMBERS


def test_numbers_of_an_xlsx_are_read_as_shown() -> None:
    """No number of an .xlsx is read as anything else than LibreOffice shows."""
    assert disagreements(read(workbook(NUMBERS)), NUMBERS, [text for *_, text in SHOWN]) == []


def test_common_formats_are_rendered() -> None:
    """In formats that people use, few numbers are flagged."""
    flagged = Counter(render(value, code) is None for value, code in NUMBERS if code in COMMON)
    assert flagged[False] > 1000
    assert flagged[True] / flagged.total() < 0.05


def test_numbers_of_an_xls_are_read_as_shown() -> None:
    """The same for .xls."""
    numbers = NUMBERS[:300]

    def write(sheet: object) -> None:
        for row, (value, code) in enumerate(numbers, 1):
            sheet.write(row, 0, str(row))  # type: ignore[attr-defined] # xlwt has no types
            sheet.write(row, 1, value, styles[code])  # type: ignore[attr-defined]

    styles = {code: xlwt.easyxf(num_format_str=code) for _, code in numbers}
    content = xls(["contactId", "custom1"], change=write)
    assert disagreements(read(content), numbers, [text for *_, text in SHOWN[:300]]) == []


def test_numbers_of_an_xlsb_are_read_as_shown() -> None:
    """The same for .xlsb."""
    numbers = NUMBERS[:300]
    codes = sorted({code for _, code in numbers})
    rows = [
        row_records(at, str(at), cell_record(1, 5, struct.pack("<d", value), style=1 + codes.index(code)))
        for at, (value, code) in enumerate(numbers, 1)
    ]
    content = xlsb(row_records(0, "contactId", "custom1"), *rows, formats=codes)
    assert disagreements(read(content), numbers, [text for *_, text in SHOWN[:300]]) == []


@pytest.mark.unmeasured
@pytest.mark.skipif(not SOFFICE, reason="LibreOffice (soffice) is not installed")
@pytest.mark.parametrize("seed", [2, pytest.param(None, marks=pytest.mark.soak)])
def test_libreoffice_shows_the_same(seed: int | None, tmp_path: Path) -> None:
    """What LibreOffice shows of 2,000 other numbers as .xlsx, and of 500 as .ods and .xls, equals what is read, or is flagged."""
    seed = random.randrange(10**9) if seed is None else seed
    numbers = pairs(seed, 2000)
    content = workbook(numbers)
    shown = texts_of(content, "xlsx", tmp_path)
    assert disagreements(read(content), numbers, shown) == [], seed
    few = numbers[:500]
    old = convert(workbook(few), "xlsx", "xls", tmp_path)
    found = disagreements(read(old), few, texts_of(old, "xls", tmp_path))
    found += disagreements(read(convert(workbook(few), "xlsx", "ods", tmp_path)), few, shown[:500])
    # General, which LibreOffice writes for formats that it does not know, and which an .ods does not tell from others.
    assert [one for one in found if one[2].replace(".", ",") != one[3]] == [], seed


TEXTS: dict[str, tuple[float, str, str | None]] = {
    "another country's phone": (612345678, '"+34 "000" "000" "000', "+34 612 345 678"),
    "a French phone": (612345678, "00 00 00 00 00", "06 12 34 56 78"),
    "a tie is rounded away from zero": (2.675, "0.00", "2,68"),
    "a tie of a percentage": (0.065, "0%", "7%"),
    "a tie that binary arithmetic rounds otherwise": (0.285, "0%", None),
    "a number of 15 digits": (0.1 + 0.2, "0.00000000000000000", "0,30000000000000000"),
    "thousands": (1234567.891, "#,##0.00", "1 234 567,89"),
    "scaled by a thousand": (1234567, "0,", "1235"),
    "accounting": (-5, '#,##0.00 "€";(#,##0.00 "€")', "(5,00 €)"),
    "a zero that is hidden": (0, "0;-0;;@", ""),
    "a number that is hidden": (123, ";;;", None),
    "a condition": (0, '[=0]"aucun";0', "aucun"),
    "a condition that is not true": (3, '[=0]"aucun";0', "3"),
    "no section": (3, "[<1]0;[>5]0", None),
    "a negative number with conditions": (-3, '[=0]"aucun";0', None),
    "a small negative number": (-0.001, "0.00", None),
    "General with a text": (2, 'General" h"', "2 h"),
    "General with decimals": (2.5, 'General" h"', None),
    "a fraction": (0.5, "# ?/?", None),
    "an exponent": (1234, "0.00E+00", None),
    "the separators of another locale": (12.5, "[$$-409]0.00", None),
    "no separators in another locale": (12, "[$-409]0000", "0012"),
    "the long date of the system": (12, "[$-F800]0", None),
    "a format for text": (12, '"M. "@', None),
    "a format for text besides": (-12, "0;@", "-12"),
}


@pytest.mark.parametrize(("value", "code", "expected"), TEXTS.values(), ids=TEXTS)
def test_number(value: float, code: str, expected: str | None) -> None:
    """A number is rendered as shown, or not at all."""
    assert render(value, code) == expected


DATES: dict[str, tuple[str, str | None]] = {
    "day first": ("dd/mm/yyyy", "05/12/2026"),
    "short": ("d/m/yy", "5/12/26"),
    "minutes": (r"dd\.mm\.yyyy hh:mm", "05.12.2026 14:03"),
    "minutes before seconds": ("mm:ss", "03:09"),
    "a single digit": ("h\\hm", "14h3"),
    "with text": ('"le "dd/mm', "le 05/12"),
    "without separators": ("yyyymmdd", "20261205"),
    "the name of the month": ("d mmmm yyyy", None),
    "the name of the day": ("ddd", None),
    "the year of another calendar": ("[$-411]e", None),
    "with tenths of a second": ("ss.0", None),
    "with a half of the day": ("h:mm AM/PM", None),
    "several sections": ("dd/mm;@", None),
}


@pytest.mark.parametrize(("code", "expected"), DATES.values(), ids=DATES)
def test_date(code: str, expected: str | None) -> None:
    """A date is rendered in digits, or not at all."""
    assert render_date(dt.datetime(2026, 12, 5, 14, 3, 9), code) == expected  # noqa: DTZ001 - a spreadsheet knows no time zones


def test_date_before_march_1900_is_not_rendered() -> None:
    """Excel and LibreOffice show other days before March 1900."""
    assert render_date(dt.datetime(1900, 2, 28), "dd/mm/yyyy") is None  # noqa: DTZ001 - a spreadsheet knows no time zones


@pytest.mark.parametrize(
    ("code", "value", "section"),
    [("dd/mm/yyyy;@", 5, "dd/mm/yyyy"), ('[=0]"";dd/mm/yyyy', 5, "dd/mm/yyyy"), ("[<0]0;[>9]0", 5, "[<0]0;[>9]0")],
)
def test_section_of_a_value(code: str, value: float, section: str) -> None:
    """The section that shows a value is found; the format itself stands for an uncertain one."""
    assert section_for(code, value) == section


@pytest.mark.parametrize(
    ("code", "kept"),
    [
        ("0", True),
        ("@", True),
        ("0;-0;;@", True),
        ("_(* 0_);_(@_)", True),
        (";;;", False),
        ('"M. "@', False),
        ('0;0;0;"x"', False),
    ],
)
def test_text_in_a_format(code: str, kept: bool) -> None:
    """A format may add to a text, or hide it."""
    assert keeps_text(code) is kept
