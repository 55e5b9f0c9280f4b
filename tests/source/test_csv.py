"""CSV: structure, delimiters and line numbers (spreadsheets.md A.1)."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_sync.errors import SourceError
from contact_sync.source import csv as delimited
from contact_sync.source import records

from .reading import read, text

pytestmark = pytest.mark.unmeasured

HEAD = "contactId;lastname;firstname"

ACCEPTED = {
    "C01 semicolons": (text(HEAD, "001;Dupont;Chloé"), [(2, ["001", "Dupont", "Chloé"])]),
    "C02 tabs": (text(HEAD.replace(";", "\t"), "001\tDupont\tChloé"), [(2, ["001", "Dupont", "Chloé"])]),
    "commas": (text(HEAD.replace(";", ","), '001,"Dupont, fils",Chloé'), [(2, ["001", "Dupont, fils", "Chloé"])]),
    "C05 commas in cells": (
        text("contactId;lastname;custom1", "001;Dupont, Durand et Cie, SA;12,50"),
        [(2, ["001", "Dupont, Durand et Cie, SA", "12,50"])],
    ),
    "C06 bars": (text("contactId|lastname", "001|Dupont"), [(2, ["001", "Dupont"])]),
    "C30 trailing delimiters": (
        text(HEAD, "001;Dupont;Jean;", "002;Petit;Léa; ; "),
        [(2, ["001", "Dupont", "Jean"]), (3, ["002", "Petit", "Léa"])],
    ),
    "C29 unnamed columns": (text(HEAD + ";;;", "001;Dupont;Jean;;;", ";;;;;"), [(2, ["001", "Dupont", "Jean"])]),
    "C29 shorter rows under unnamed columns": (
        text(HEAD + ";;", "001;Dupont;Jean;;", "002;Petit;Léa;;", " "),
        [(2, ["001", "Dupont", "Jean"]), (3, ["002", "Petit", "Léa"])],
    ),
    "an unnamed column with text": (text(HEAD + ";;", "001;Dupont;Jean;;rappeler"), [(2, ["001", "Dupont", "Jean", "rappeler"])]),
    "C31 blank lines": (
        text("", "", HEAD, "", "001;Dupont;Jean", "  ", " ; ;", "002;Petit;Léa"),
        [(5, ["001", "Dupont", "Jean"]), (8, ["002", "Petit", "Léa"])],
    ),
    "C32 sep=": (text("sep=;", HEAD, "001;Dupont;Jean"), [(3, ["001", "Dupont", "Jean"])]),
    "C33 sep= after a byte order mark": (
        b"\xef\xbb\xbf" + text("sep=|", "contactId|nom", "001|Dupont"),
        [(3, ["001", "Dupont"])],
    ),
    "a wrong sep=": (text("sep=,", "contactId;nom", "1;a"), [(3, ["1", "a"])]),
    "an invalid sep=": (text('sep="', "contactId;nom", "1;a"), [(3, ["1", "a"])]),
    "a sep= without a character": (text("sep=", "contactId;nom", "1;a"), [(3, ["1", "a"])]),
    "files joined with their byte order marks": (
        ("\ufeffcontactId;nom\r\nC1;a\r\n" + '\ufeff"contactId";"nom"\r\nC2;b\r\n\ufeffC3;c\r\n\ufeff\ufeff"C4";d\r\n').encode(),
        [(2, ["C1", "a"]), (3, ["contactId", "nom"]), (4, ["C2", "b"]), (5, ["C3", "c"]), (6, ["C4", "d"])],
    ),
    "files of UTF-16 joined with their byte order marks": (
        "\ufeffcontactId;nom\r\nC1;a\r\n\ufeffC3;c\r\n".encode("utf-16-le"),
        [(2, ["C1", "a"]), (3, ["C3", "c"])],
    ),
    "C34 titles above the header": (
        text("Contacts du CRM", "# export 2020", "", HEAD, "001;Dupont;Jean"),
        [(5, ["001", "Dupont", "Jean"])],
    ),
    "C41 a total row": (text(HEAD, "TOTAL;;30"), [(2, ["TOTAL", "", "30"])]),
    "C22 line breaks in cells": (
        b'contactId;lastname\r\n1;"a\r\nb"\r\n2;"a\nb\n"\r\n3;"a\rb"\r\n4;d\r\n',
        [(2, ["1", "a\r\nb"]), (4, ["2", "a\nb\n"]), (7, ["3", "a\rb"]), (9, ["4", "d"])],
    ),
    "a line break in the header": (b'"Contact\nID";nom\n1;a\n', [(3, ["1", "a"])]),
    "C21 mixed line ends": (b"contactId;nom\n1;a\r2;b\r\n3;c", [(2, ["1", "a"]), (3, ["2", "b"]), (4, ["3", "c"])]),
    "C20 line ends of old Macs": (b"contactId;nom\r1;a\r2;b\r", [(2, ["1", "a"]), (3, ["2", "b"])]),
    "C66 Unicode separators are not line breaks": (
        text("contactId;nom", "1;a\u2028b\u0085c\x0bd\x0ce"),
        [(2, ["1", "a\u2028b\u0085c\x0bd\x0ce"])],
    ),
    "C65 Ctrl-Z": (text("contactId;nom", "1;a") + b"\x1a", [(2, ["1", "a"])]),
    "C71 a long cell": (text("contactId;nom", "1;" + "a" * 1_000_000), [(2, ["1", "a" * 1_000_000])]),
    "C75 single quotes": (text("contactId;nom", "'001';'Dupont'"), [(2, ["'001'", "'Dupont'"])]),
    "A.3 text stays text": (
        text("contactId;nom;custom1", "00123;NA;1e5", "1,2E+15;null;TRUE"),
        [(2, ["00123", "NA", "1e5"]), (3, ["1,2E+15", "null", "TRUE"])],
    ),
    "no id in a row": (text("contactId;nom", ";Dupont", "  ;Petit"), [(2, ["", "Dupont"]), (3, ["  ", "Petit"])]),
    "C61 a header only": (text("contactId;nom"), []),
}


@pytest.mark.parametrize(("content", "expected"), ACCEPTED.values(), ids=ACCEPTED)
def test_rows_are_read_unchanged(content: bytes, expected: list[tuple[int, list[str]]]) -> None:
    """Every cell is read as it was typed, with the line that an editor shows, and no flaw."""
    reading = read(content)
    assert reading.numbered == expected
    assert not reading.flaws


REFUSED = {
    "C72 no column to send": (text("contactId", "001"), "contactId but no column to send"),
    "C72 only other columns": (text("contactId;Ville", "001;Paris"), "contactId but no column to send"),
    "C40 no header": (text("001;Dupont;Jean"), "row 1 contains no known field name"),
    "no id": (text("Nom;Prénom", "Dupont;Jean"), "row 1 looks like the header (Nom, Prénom)"),
    "too late a header": (text(*["x"] * 20, HEAD, "1;a;b"), "none of the first 20 rows"),
    "C36 two of a name": (text("contactId;nom;nom", "1;a;b"), "columns B “nom” and C “nom” both mean lastname"),
    "C37 two of a field": (text("contactId;Prénom;PRENOM ", "1;a;b"), "columns B “Prénom” and C “PRENOM” both mean firstname"),
    "C23 an open quote": (
        text(HEAD, "001;Dupont;Jean", '002;"Mar;tin', "003;a;b"),
        "line 3: the row that starts here has a quote",
    ),
    "C24 quotes that swallow rows": (
        text(HEAD, '001;Dupont;"12 rue', "002;Martin;x", '003;Durand;"y"', "004;Petit;z"),
        "line 2: the row that starts here has a quote",
    ),
    "C25 quotes in a quoted cell": (text(HEAD, "1;a;b", '002;"Martin "Mimi"";y'), "line 3: the row that starts here"),
    "C76 quotes as MySQL writes them": (text(HEAD, '1;"Du \\"Dudu\\" pont";y'), "line 2: the row that starts here"),
    "an open quote far down": (text(HEAD, *["1;a;b"] * 2500, '2;"c;d'), "line 2502: the row that starts here"),
    "an open quote in the header": (b'"contactId;nom\r\n1;a\r\n', "line 1: the row that starts here"),
    "C74 each line quoted": (text('"contactId;lastname"', '"1;a"'), "Each line is quoted as one cell."),
    "C28 every row too long": (
        text(HEAD, *["001;Dupont;Jean;EXTRA"] * 9),
        "9 of 9 rows do not have the 3 cells of the header (lines 2, 3, 4, 5, 6, …)",
    ),
    "C26 most rows too short": (text(HEAD, "1;a;b", "2;c", "3;d"), "2 of 3 rows do not have the 3 cells"),
    "C58 an empty file": (b"", "contacts.csv is empty"),
    "C59 a byte order mark only": (b"\xef\xbb\xbf", "contacts.csv is empty"),
    "C60 line breaks only": (b"\r\n\r\n \r\n", "contacts.csv is empty"),
    "a typo": (
        text("contactId;fisrtname", "1;a"),
        '“fisrtname” is close to firstname: correct the header, or give --map "fisrtname=firstname"',
    ),
    "too many columns": (text("contactId;nom" + ";x" * 20_000, "1"), "more than 16384 columns"),
    "an unclosed quote": (text("contactId;nom", "1;a", '2;"' + "b\r\n" * 6_000_000), "line 3: the row that starts here"),
}


@pytest.mark.parametrize(("content", "sentence"), REFUSED.values(), ids=REFUSED)
def test_ambiguous_file_is_refused(content: bytes, sentence: str) -> None:
    """A file that cannot be read with certainty is refused with one sentence that says where."""
    with pytest.raises(SourceError) as refusal:
        read(content)
    assert sentence in str(refusal.value)


def test_endless_blank_lines_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """More blank lines than a sheet has rows refuse the file, wherever they are; fewer are left out."""
    monkeypatch.setattr(records, "LAST_ROW", 3000)
    for lines in ([""] * 6000, [" ; "] * 6000):
        with pytest.raises(SourceError, match="has more than 3000 blank lines up to line 4032: delete them"):
            read(text("contactId;nom;", "1;a;", "2;b;", *lines, "3;c;"))
    assert len(read(text("contactId;nom", "1;a", *[""] * 2000, "3;c")).rows) == 2


def test_c04_row_with_surplus_cells_is_flagged() -> None:
    """A row with surplus cells is flagged and keeps all its text; other rows are unaffected."""
    reading = read(text("contactId,custom1,lastname", '001,"12,50",Dupont', "002,12,50,Durand"))
    assert reading.numbered == [(2, ["001", "12,50", "Dupont"]), (3, ["002", "12", "50 <?> Durand"])]
    assert reading.flaws == {3: [("cells-surplus", "")]}
    assert reading.messages[0].startswith("The row has 4 cells for 3 columns")


def test_c26_row_with_missing_cells_is_flagged() -> None:
    """A row with missing cells is flagged and filled up with marks."""
    reading = read(text(HEAD, "1;a;b", "2;c"))
    assert reading.numbered == [(2, ["1", "a", "b"]), (3, ["2", "c", "<?>"])]
    assert reading.flaws == {3: [("cells-missing", "")]}
    assert not reading.source.warnings


def test_ragged_row_stays_flagged_in_a_report() -> None:
    """Fed back in, a ragged row is flagged until its mark is removed, in any column."""
    report = text("contactId;Nom;Ville;sync_row", "1;Martin;<?>;2", "2;Martin;Lyon <?> x;3", "3;Martin;;4")
    assert read(report).flaws == {2: [("cells-moved", "")], 3: [("cells-moved", "")]}
    assert not read(text("contactId;Nom;Ville", "1;Martin;<?>")).flaws


def test_c63_truncated_file_is_warned_about() -> None:
    """A short last row without a line break is flagged, and a warning says that the file is incomplete."""
    reading = read(text(HEAD, "1;a;b") + b"2;Mar")
    assert reading.flaws == {3: [("cells-missing", "")]}
    assert reading.source.warnings == ["The last row is short and does not end with a line break: the file may be incomplete."]


def test_blank_surplus_cells_are_accepted() -> None:
    """A surplus cell is a flaw only when it contains text."""
    reading = read(text(HEAD, "1;a;b;", "2;c;d;e", "3;f;g"))
    assert reading.flaws == {3: [("cells-surplus", "")]}


@pytest.mark.parametrize("delimiter", [";", "\t", "^"])
def test_configured_delimiter_is_used(delimiter: str) -> None:
    """--delimiter replaces detection."""
    reading = read(text(f"contactId{delimiter}nom", f"1{delimiter}a,b"), delimiter=delimiter)
    assert reading.rows == [["1", "a,b"]]
    assert reading.source.delimiter == delimiter


def test_wrong_configured_delimiter_is_refused() -> None:
    """A --delimiter that gives no header refuses the file; no other is tried."""
    with pytest.raises(SourceError) as refusal:
        read(text("contactId;nom", "1;a"), delimiter=",")
    assert str(refusal.value) == (
        "contacts.csv: with the delimiter “,”, none of the first 20 rows is a header with a contactId column: "
        "correct --delimiter, or leave it out."
    )


def test_findings_describe_the_file() -> None:
    """The summary says how the file was read, and which columns are not sent."""
    source = read(text("Export du CRM", "Prénom;Ville;ID contact;Notes", "Léa;Paris;1;x", encoding="cp1252")).source
    assert source.findings == [
        "CSV with ; in cp1252, header on line 2.",
        "Columns recognised: ID contact → contactId, Prénom → firstname.",
        "Not sent, copied to the report: Ville, Notes.",
    ]
    assert source.columns == ["Prénom", "Ville", "ID contact", "Notes"]
    assert source.mapping == {"contactId": 2, "firstname": 0}
    assert source.letters == ["A", "B", "C", "D"]
    assert not source.warnings
    assert "CSV with tab in utf-8" in read(text("contactId\tnom", "1\ta")).source.findings[0]


def test_contacts_above_the_header_are_warned_about() -> None:
    """A row of contacts above the header, which is not read, is a warning."""
    reading = read(text("0;Abel", "contactId;nom", "1;Dupont"))
    assert reading.rows == [["1", "Dupont"]]
    assert "Row 1 is above the header (row 2)" in reading.source.warnings[0]


def test_report_is_unescaped() -> None:
    """The `sync_` columns of a report are left out, and its apostrophes before formulas removed."""
    reading = read(text("contactId;'=Ville;sync_row;Nom;sync_outcome", "1;'=1+1;2;''quoted;updated", "2;x;3;'+33;invalid"))
    assert reading.source.columns == ["contactId", "=Ville", "Nom"]
    assert reading.source.letters == ["A", "B", "D"]
    assert reading.rows == [["1", "=1+1", "'quoted"], ["2", "x", "+33"]]
    assert "report of an earlier run" in reading.source.findings[-1]


def test_apostrophes_stay_in_other_files() -> None:
    """Without `sync_` columns an apostrophe is part of the cell."""
    assert read(text("contactId;nom", "1;'t Hooft")).rows == [["1", "'t Hooft"]]


def test_chunks_keep_row_numbers_and_flaws() -> None:
    """Rows and flaws keep their positions across chunks, and a blank chunk is left out."""
    lines = [f"{n};a;b" for n in range(2500)] + [""] * 3000 + ["x;y"]
    reading = read(text(HEAD, *lines))
    assert reading.numbers == [*range(2, 2502), 5502]
    assert reading.flaws == {5502: [("cells-missing", "")]}


def test_cell_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell longer than the limit refuses the file, even when it spans short lines."""
    monkeypatch.setattr(delimited, "LINE_LIMIT", 1000)
    with pytest.raises(SourceError, match="line 3"):
        read(text("contactId;nom", "1;a", '2;"' + "b\r\n" * 500 + '"'))


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
LATIN = st.text(st.characters(codec="cp1252", exclude_characters="\0"))


def _write_csv(rows: list[list[str]], delimiter: str, encoding: str, ends: str) -> tuple[bytes, list[tuple[int, list[str]]]]:
    """Return a table as a CSV file below a header, and the rows that are expected, with their lines."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, lineterminator=ends, quoting=csv.QUOTE_ALL)
    writer.writerow(["contactId", "nom", "custom1"])
    expected = []
    for row in rows:
        before = stream.getvalue()
        if any(map(str.strip, row)):
            expected.append((1 + len(before.replace("\r\n", "\n").replace("\r", "\n").split("\n")) - 1, row))
        writer.writerow(row)
    return stream.getvalue().encode(encoding), expected


@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=6),
    st.sampled_from([";", ",", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\r\n", "\n", "\r"]),
)
def test_any_table_is_read_unchanged(rows: list[list[str]], delimiter: str, encoding: str, ends: str) -> None:
    """Any table of any text is read unchanged, and each row with the line it starts on."""
    content, expected = _write_csv(rows, delimiter, encoding, ends)
    assert read(content).numbered == expected


@given(st.lists(st.lists(LATIN, min_size=3, max_size=3), max_size=6))
def test_any_table_in_a_configured_encoding_is_read_unchanged(rows: list[list[str]]) -> None:
    """Any table in cp1252 is read unchanged with --encoding."""
    content, expected = _write_csv(rows, ";", "cp1252", "\r\n")
    assert read(content, encoding="cp1252").numbered == expected
