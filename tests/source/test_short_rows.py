"""Rows whose last cells an office program has left out, and rows that have lost a cell."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from contact_sync.model.row import Outcome

from .reading import read, text

HEAD = "contactId;nom;prenom;telephone;custom1;custom2"
WIDTH = 6


def excel(rows: Sequence[Sequence[str]]) -> bytes:
    """Return the CSV that Excel writes: in blocks of 16 rows, without the delimiters behind the last used column of each."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=";")
    for start in range(0, len(rows), 16):
        block = rows[start : start + 16]
        used = max(position + 1 for row in block for position, cell in enumerate(row) if cell)
        writer.writerows([*row, *[""] * used][:used] for row in block)
    return stream.getvalue().encode()


def contact(number: int, *customs: str, phone: str = "") -> list[str]:
    """Return a row of `HEAD`."""
    return [f"C{number:03}", "Dupré", "Zoé", phone or f"06123456{number:02}", *customs, *[""] * (2 - len(customs))]


def flagged(content: bytes) -> list[int]:
    """Return the numbers of the rows with a wrong number of cells."""
    return sorted(number for number, flaws in read(content).flaws.items() if flaws)


@pytest.mark.parametrize("count", [16, 17, 18, 33, 60, 61])
@pytest.mark.parametrize("customs", [(), ("Lyon",), ("", "")])
def test_excel_leaves_out_trailing_cells(count: int, customs: tuple[str, ...]) -> None:
    """In blocks whose last columns are empty, the missing cells are empty."""
    rows = [contact(1, "VIP", "Paris"), *(contact(number, *customs) for number in range(2, count))]
    reading = read(excel([HEAD.split(";"), *rows]))
    if customs == ("Lyon",) and count == 17:  # one row in the last block, which ends in a text, proves nothing
        assert reading.flaws.keys() == {17}
    else:
        assert not reading.flaws
        assert reading.rows == rows


def test_block_that_ends_in_a_text() -> None:
    """Rows of a block may end in a text, where a single row may not."""
    head, short = HEAD + ";custom3", "Dupré;Zoé;;Lyon"
    first = [f"C{number};Dupré;Zoé;;Lyon;VIP;x" for number in range(15)]
    block = [f"C{number};{short}" for number in range(15, 31)]
    assert flagged(text(head, *first, *block)) == []
    assert flagged(text(head, *first, *block[:2])) == []
    assert flagged(text(head, *first, block[0])) == [17]
    assert flagged(text(head, *first[:-1], *block[:-1])) == [16], "its block has rows of another length"
    assert flagged(text(head, *first, *block, "C99;Dupré;Zoé;;Lyon;VIP;x", "C98;Dupré;Zoé;;Lyon")) == [34]


def test_block_without_text_at_its_end_is_not_of_excel() -> None:
    """Excel would have left out the last column of the block too."""
    first = [f"C{number};Dupré;Zoé;;Lyon;VIP" for number in range(15)]
    assert flagged(text(HEAD, *first, "C15;Dupré;Zoé;;", "C16;Roux;Zoé;;")) == [17, 18]


@pytest.mark.parametrize("row", ["C1;Dupré;Zoé;0612345601", "C1;Dupré;Zoé;0612345601;", "C1;;;+33 6 12 34 56 01"])
def test_row_that_ends_in_a_phone_number(row: str) -> None:
    """A phone number in its own column shows that nothing before it was lost."""
    reading = read(text(HEAD, "C0;Roux;Max;0612345600;;", row, "C2;Roux;Max;0612345602;a;b"))
    assert not reading.flaws
    assert reading.rows[1] == [*row.split(";"), "", ""][:WIDTH]


@pytest.mark.parametrize(
    "row",
    [
        "C1;Zoé;0612345601",
        "C1;Dupré;0612345601;;",
        "C1;Dupré;Zoé;0612345601;Lyon",
        "C1;Dupré",
        "C1;Dupré;Zoé",
        "C1;Dupré;Zoé;Lyon",
        "C1;Dupré;Zoé;12/05/1980",
        "C1;Dupré;01/02/1990;0612345601",
        ";Dupré;Zoé;0612345601",
        "C1",
        "C1;Dupré;Zoé;;",
    ],
)
def test_row_without_evidence_is_flagged(row: str) -> None:
    """A row that may have lost a cell in the middle is flagged."""
    assert flagged(text(HEAD, "C0;Roux;Max;0612345600;;", row, "C2;Roux;Max;0612345602;a;b")) == [3]


def test_phone_number_that_may_come_from_a_missing_column() -> None:
    """A phone number proves nothing where other rows have one in a missing column too."""
    head = "contactId;nom;telephone;Tél. bureau"
    full = [f"C{number};Roux;06123456{number};0712345678" for number in range(10, 13)]
    assert flagged(text(head, *full, "C9;Roux;0612345609")) == [5]
    assert flagged(text(head, *(row.replace("0712345678", "non") for row in full), "C9;Roux;0612345609")) == []


@pytest.mark.parametrize(("head", "row"), [("contactId;date;custom1", "C1;01/02/1990"), ("id;url;custom1", "C1;https://a.fr/b")])
def test_row_that_ends_in_a_date_or_an_address(head: str, row: str) -> None:
    """A date or an address in its own column is evidence too."""
    assert flagged(text(head, f"{row};x", row)) == []


def test_cut_off_file_is_no_evidence() -> None:
    """The last row of a file without a final line break may be cut off."""
    content = text(HEAD, "C0;Roux;Max;0612345600;a;b") + b"C1;Roux;Max;06123456"
    assert flagged(content) == [3]
    assert flagged(content + b"\r\n") == []
    assert "may be incomplete" in read(content).source.warnings[-1]


@pytest.mark.parametrize("rows", [1, 2, 10, 40])
@pytest.mark.parametrize("head", ["contactId;nom;", "contactId;nom;;;", "contactId;nom; "])
def test_header_ends_in_a_delimiter(head: str, rows: int) -> None:
    """A header may have delimiters at its end that no row has."""
    reading = read(text(head, *(f"C{number};Roux" for number in range(rows))))
    assert not reading.flaws
    assert reading.rows == [[f"C{number}", "Roux"] for number in range(rows)]


def test_lost_cell_under_a_header_that_ends_in_a_delimiter() -> None:
    """Where the other rows end in that delimiter too, a row without it has lost a cell."""
    full = [f"C{number};Roux;Max;" for number in range(10)]
    assert flagged(text("contactId;nom;prenom;", *full, "C99;Max;")) == [12]
    assert flagged(text("contactId;nom;prenom;", *full, "C99;Roux;Max")) == [12]


def test_report_that_excel_has_saved(tmp_path: Path) -> None:
    """A report is complete after Excel has left out its last, empty cells."""
    head = [*HEAD.split(";"), "sync_row", "sync_outcome", "sync_code", "sync_message", "sync_source_at"]
    rows = [[*contact(number), str(number + 1), Outcome.UPDATED, "", "", ""] for number in range(1, 40)]
    rows[20][7:10] = [Outcome.INVALID, "date-unknown", "The date cannot be read."]
    content = excel([head, *rows])
    assert not read(content).flaws
    assert read(content).rows == [row[:6] for row in rows]
    single = text(";".join(head), ";".join([*rows[0][:6], "2", "updated"]), ";".join([*rows[20][:6], "22", "invalid", "a", "b"]))
    assert flagged(single) == []
    assert flagged(text(";".join(head), "C1;Zoé;0612345601;;;2;updated", ";".join(rows[1]), ";".join(rows[2]))) == [2]


def test_rows_are_counted_in_blocks_over_chunks() -> None:
    """Blocks are counted from the first row of the file, over any number of chunks, titles above the header included."""
    rows = [
        contact(number % 100, *(("VIP", "x") if number // 16 % 3 == 0 else ("", ""))[:2], phone="NC") for number in range(2, 5000)
    ]
    reading = read(excel([["Contacts"], HEAD.split(";"), *rows]))
    assert not reading.flaws
    assert reading.rows == rows
