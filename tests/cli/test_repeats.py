"""Duplicates share the fate of the row that counts for them: in the report, the page, the workbook and the next run."""

import csv
from pathlib import Path

import openpyxl
import pytest

from contact_sync.sandbox.server import Sandbox

from .program import Main, write


def results(path: str = "contacts.results.csv") -> list[tuple[str, str, str]]:
    """Return outcome, code and message of each row of a report."""
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        return [(row["sync_outcome"], row["sync_code"], row["sync_message"]) for row in csv.DictReader(file, delimiter=";")]


def test_rejected_row(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """Duplicates of a row that the API rejects are marked wherever that row is, and none counts as in place."""
    write("X1;Zoé", "C000002;Max", "X1;Zoé", "X1;Zoé", "C000002;Max")
    assert main("run", "contacts.csv", *served[1], "--page", "p.html", "--workbook", "w.xlsx") == 3
    assert [found[:2] for found in results()] == [
        ("rejected", "api-contact-unknown"),
        ("updated", ""),
        ("duplicate", "repeats-wrong"),
        ("duplicate", "repeats-wrong"),
        ("duplicate", ""),
    ]
    assert results()[2][2].startswith("Row 2 counts for this contact and is rejected: correct it first")
    assert "2 of 5 contacts are in place" in Path("p.html").read_text(encoding="utf-8")
    fixes, rows = openpyxl.load_workbook("w.xlsx").worksheets
    assert [cell.value for cell in fixes["A"][2:]] == [2, 4, 5]
    fills = [rows.cell(number, 3).fill.fgColor.rgb[-6:] for number in range(2, 7)]
    assert fills == ["FBE3E2", "E8F5E4", "FBE3E2", "FBE3E2", "E8F5E4"]


@pytest.mark.parametrize("choice", ["refuse", "first"])
def test_failed_row_that_is_retried(main: Main, served: tuple[Sandbox, list[str]], choice: str) -> None:
    """A duplicate of a row that was not sent is in place once a later command has sent that row."""
    write("C000001;Zoé", "C000002;Max", "C000001;Zoé")
    assert main("run", "contacts.csv", *served[1], "--limit", "1", "--duplicates", choice) == 0
    assert [found[:2] for found in results()] == [("updated", ""), ("unprocessed", "limit"), ("duplicate", "")]
    write("C000003;Zoé", "C000004;Max", "C000004;Max")
    assert main("run", "contacts.csv", *served[1], "--limit", "1", "--duplicates", choice) == 0
    assert [found[:2] for found in results()] == [("updated", ""), ("unprocessed", "limit"), ("duplicate", "repeats-left")]
    assert results()[2][2] == "Row 3 counts for this contact and is unprocessed: this row is in place when that one is."
    assert main("retry", *served[1]) == 0
    assert [found[:2] for found in results()] == [("updated", ""), ("updated", ""), ("duplicate", "")]


def test_row_that_counts_is_invalid(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """Where the row that counts is invalid, the others of its contact are not in place either."""
    write("C000001;06", "C000001;0612345678", header="contactId;phoneNumber")
    assert main("run", "contacts.csv", *served[1], "--duplicates", "first") == 3
    assert [found[0] for found in results()] == ["invalid", "duplicate"]
    assert results()[1][1] == "duplicate-ignored,repeats-wrong"


def test_check(main: Main) -> None:
    """A check puts nothing in place: a duplicate of a ready row is ready."""
    write("C1;Zoé", "C1;Zoé", "C2;Max")
    assert main("check", "contacts.csv", "--page", "p.html") == 0
    assert [found[:2] for found in results("contacts.check.csv")] == [("ready", ""), ("duplicate", ""), ("ready", "")]
    assert "3 of 3 rows are ready to be sent." in Path("p.html").read_text(encoding="utf-8")


def test_shared_phone_numbers_in_reports(main: Main) -> None:
    """Contacts that share a number are something to check in the workbook and once in the page, and no error."""
    path = write("C1;0612345678", "C2;0612345678", "C3;0612345679", header="contactId;phoneNumber")
    assert main("check", path, "--workbook", "w.xlsx", "--page", "p.html") == 0
    sentence = "In “phoneNumber” (column B), 1 phone number belongs to several contacts (rows 2 and 3): check it."
    first = openpyxl.load_workbook("w.xlsx").worksheets[0]
    texts = [cell.value for row in first.iter_rows() for cell in row if cell.value]
    assert texts[1:] == ["No row needs attention.", sentence]
    assert Path("p.html").read_text(encoding="utf-8").count(sentence) == 1
