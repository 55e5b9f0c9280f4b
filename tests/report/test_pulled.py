"""Pulled files as CSV and as workbooks, and their recognition."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name

import openpyxl
import pytest

from contact_sync.errors import ConfigError
from contact_sync.files.atomic import open_atomic
from contact_sync.i18n import set_language
from contact_sync.model.fields import FIELDS, ID
from contact_sync.report.pulled import COLUMNS, WRITERS, is_pulled
from contact_sync.source import SourceOptions, open_source

VALUES = ("+33600010001", "'t Hooft", "=1+1", "2020-06-12", "", "007", 'a;"b"\r\nc', "-1", "_x0041_ é\u202f")
ROW = ["C1", *VALUES, "Clients, Prospects", "STOP", "2025-03-12T13:49:22+01:00", "v1.abc.def"]


def write(path: Path, rows: Sequence[Sequence[str]] = (ROW, ["C2", *[""] * 12, "v1.abc.ghi"])) -> Path:
    """Write a pulled file."""
    with open_atomic(path, 0o600) as draft:
        resolve_name(WRITERS[path.suffix])(draft, iter(rows))
        draft.commit()
    return path


@pytest.mark.parametrize("name", ["c.csv", "c.xlsx"])
def test_run_reads_what_was_written(tmp_path: Path, name: str) -> None:
    """A run reads the id, every value and the token exactly, and ignores the grey columns."""
    path = write(tmp_path / name)
    with open_source(path, SourceOptions(None, None, None, "refuse", {}), sleep=lambda _: None) as source:
        (chunk,) = source.chunks()
        rows = [[row[source.mapping[field]] for field in (ID, *FIELDS)] for row in chunk.rows]
        tokens = [row[source.base_position or 0] for row in chunk.rows]
    newlines = [text.replace("\r\n", "\n") for text in ROW[:10]]
    assert [[text.replace("\r\n", "\n") for text in row] for row in rows] == [newlines, ["C2", *[""] * 9]]
    assert tokens == ["v1.abc.def", "v1.abc.ghi"]
    assert not chunk.flaws
    assert path.stat().st_mode & 0o777 == 0o600


def test_csv(tmp_path: Path) -> None:
    """The CSV file opens in Excel on a double click, and no cell is run as a formula."""
    text = write(tmp_path / "c.csv").read_bytes().decode()
    assert text.startswith("\ufeff" + ";".join(COLUMNS) + "\r\n")
    assert ";+33600010001;''t Hooft;'=1+1;" in text


@pytest.mark.parametrize(("language", "title", "word"), [("en", "Read me", "<clear>"), ("fr", "Lisez-moi", "<vider>")])
def test_workbook(tmp_path: Path, language: str, title: str, word: str) -> None:
    """The workbook has text in every column, a frozen header and id, a filter, a hidden base, and a sheet that explains it."""
    set_language(language)
    book = openpyxl.load_workbook(write(tmp_path / "c.xlsx"))
    sheet, readme = book.worksheets
    assert (sheet.title, sheet.freeze_panes, sheet.auto_filter.ref) == ("Contacts", "B2", "A1:O3")
    assert [cell.value for cell in sheet[1]] == [*COLUMNS[:-1], "sync_verbatim", "sync_base"]
    assert {cell.data_type for row in sheet.iter_rows(min_row=2) for cell in row if cell.value is not None} == {"s"}
    assert {cell.number_format for row in sheet.iter_rows(min_row=2) for cell in row if cell.value is not None} == {"@"}
    widths = sheet.column_dimensions
    assert (widths["N"].hidden, widths["M"].hidden, widths["A"].number_format) == (True, False, "@")
    assert [sheet[cell].value for cell in ("C2", "D2")] == ["'t Hooft", "=1+1"]
    assert sheet["K2"].fill.fgColor.rgb == "FFEEEEEE"
    assert all(sheet[cell].quotePrefix for cell in ("B2", "C2", "D2"))
    assert readme.title == title
    assert word in "".join(str(cell.value) for cell in readme["A"])


def test_workbook_has_so_many_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More contacts than a sheet has rows are refused with a sentence, and nothing is written."""
    monkeypatch.setattr("contact_sync.report.xlsx.pulled.LAST_ROW", 3)
    write(tmp_path / "c.xlsx", [ROW] * 2)
    before = (tmp_path / "c.xlsx").read_bytes()
    with pytest.raises(ConfigError, match="more contacts than a sheet has rows"):
        write(tmp_path / "c.xlsx", [ROW] * 3)
    assert (tmp_path / "c.xlsx").read_bytes() == before


def test_pulled_files_are_recognised(tmp_path: Path) -> None:
    """A pulled file is one after Excel has saved it, too, also as UTF-16; an empty file may be replaced, other files not."""
    for name in ("c.csv", "c.xlsx"):
        assert is_pulled(write(tmp_path / name))
    book = openpyxl.load_workbook(tmp_path / "c.xlsx")
    book.save(tmp_path / "saved.xlsx")
    assert is_pulled(tmp_path / "saved.xlsx")
    (tmp_path / "16.csv").write_bytes((tmp_path / "c.csv").read_text(encoding="utf-8-sig").encode("utf-16"))
    assert is_pulled(tmp_path / "16.csv")
    (tmp_path / "empty.csv").touch()
    assert is_pulled(tmp_path / "empty.csv")
    (tmp_path / "notes.csv").write_text("contactId;lastname\n", encoding="utf-8")
    openpyxl.Workbook().save(tmp_path / "other.xlsx")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("notes", "sync_notes")
    assert not any(is_pulled(tmp_path / name) for name in ("notes.csv", "other.xlsx", "other.zip"))
