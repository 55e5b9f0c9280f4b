"""Time and memory of `check` at the largest of everything that a source may have: `python bounds.py [PART OF A NAME ...]`.

Each source is made in a temporary folder, most of them at a bound or just over it, where the program must refuse it at once.
The table is written to stdout, for README.md.
"""

import csv
import multiprocessing
import os
import random
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import xlsxwriter
from bench import PROGRAM

HEAD = ["contactId", "nom"]
DICE = random.Random(1)


def _words() -> Iterator[str]:
    """Yield made-up words, all of which differ from every field."""
    while True:
        yield "".join(DICE.choice("abcdefghijklmnoprstuv") for _ in range(DICE.randint(4, 14)))


def _write_csv(path: Path, rows: Iterator[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=";").writerows(rows)


def _columns(count: int) -> Callable[[Path], None]:
    return lambda path: _write_csv(path, iter([[*HEAD, *islice(_words(), count - 2)], ["1", "a"]]))


def _words_without_header(path: Path) -> None:
    _write_csv(path, (list(islice(_words(), 2000)) for _ in range(20)))


def _one_id(rows: int) -> Callable[[Path], None]:
    return lambda path: _write_csv(path, iter([HEAD, *(["C1", f"N{number}"] for number in range(rows))]))


def _rows(count: int) -> Callable[[Path], None]:
    return lambda path: _write_csv(path, iter([HEAD, *([f"C{number}", "a"] for number in range(count))]))


def _blank_lines(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"contactId;nom\r\n1;a\r\n")
        for _ in range(500):
            file.write(b"\r\n" * (1 << 19))


def _long_rows(path: Path) -> None:
    _write_csv(path, iter([HEAD, *([f"C{number}", "x" * (8 << 20)] for number in range(20))]))


def _sheets(count: int, rows: int, columns: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with xlsxwriter.Workbook(path) as book:
            words = _words()
            for _ in range(count):
                sheet = book.add_worksheet()
                for row in range(rows):
                    sheet.write_row(row, 0, list(islice(words, columns)))

    return write


def _cells(rows: int, columns: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, [*HEAD, *(f"x{number}" for number in range(columns - 2))])
            for row in range(1, rows):
                sheet.write_row(row, 0, [f"C{row}", *["a"] * (columns - 1)])

    return write


def _notes(path: Path) -> None:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, [*HEAD, "a", "b", "c", "d"])
        notes = ["é" * 32_000 + str(number) for number in range(4)]
        for row in range(1, 1100):
            sheet.write_row(row, 0, [f"C{row}", "a", *notes])


def _declared_sheets(path: Path) -> None:
    plain = path.with_name("plain.xlsx")
    _cells(2, 2)(plain)
    with zipfile.ZipFile(plain) as before, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            part = before.read(name)
            if name == "xl/workbook.xml":
                part = part.replace(b"</sheets>", b'<sheet name="x" sheetId="1" r:id="rId1"/>' * 1_000_000 + b"</sheets>")
            after.writestr(name, part)


def _repeats(rows: int, columns: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        names = "".join(
            f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
            for name in ("office", "table", "text", "manifest")
        )

        def cell(text: str, repeat: int = 1) -> str:
            repeated = f'table:number-columns-repeated="{repeat}"'
            return f'<table:table-cell office:value-type="string" {repeated}><text:p>{text}</text:p></table:table-cell>'

        head = "".join(map(cell, HEAD)) + cell("x", columns - 2)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
            archive.writestr(
                "content.xml",
                f"<office:document-content{names}><office:body><office:spreadsheet><table:table table:name='a'>"
                f"<table:table-row>{head}</table:table-row>"
                f'<table:table-row table:number-rows-repeated="{rows}">{cell("x", columns)}</table:table-row>'
                "</table:table></office:spreadsheet></office:body></office:document-content>",
            )

    return write


SOURCES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "16,384 columns of a CSV file (most)": ("csv", _columns(16_384)),
    "100,000 columns of a CSV file": ("csv", _columns(100_000)),
    "20 rows of 2,000 words, no header": ("csv", _words_without_header),
    "20,000 rows of one contactId": ("csv", _one_id(20_000)),
    "100,000 rows of one contactId": ("csv", _one_id(100_000)),
    "1,000,000 rows of a CSV file": ("csv", _rows(1_000_000)),
    "500 MB of line breaks": ("csv", _blank_lines),
    "20 rows of 8 million characters": ("csv", _long_rows),
    "30 sheets of 20 rows of 256 words, no header": ("xlsx", _sheets(30, 20, 256)),
    "1,000 sheets": ("xlsx", _sheets(1000, 20, 10)),
    "1,000,000 declared sheets": ("xlsx", _declared_sheets),
    "20,000 rows of 256 columns of a workbook (most)": ("xlsx", _cells(20_000, 256)),
    "4 notes of 32,000 letters in 4,400 cells": ("xlsx", _notes),
    "a row of an .ods repeated 100,000 times": ("ods", _repeats(100_000, 10)),
    "256 cells of an .ods repeated 1,000,000 times": ("ods", _repeats(1_000_000, 256)),
}


def measure(path: Path) -> tuple[float, float, int]:
    """Return the seconds of CPU and the peak megabytes of a `check` of `path`, and its exit code."""
    os.utime(path, (1e9, 1e9))
    process = os.posix_spawn(
        PROGRAM,
        [PROGRAM, "check", str(path), "--workbook", "none"],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)],
    )
    _, status, usage = os.wait4(process, 0)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)


def main(wanted: list[str]) -> None:
    """Measure the sources whose names contain one of the `wanted` texts, all by default."""
    print("| source | size | CPU | memory | exit code |\n|---|---|---|---|---|")  # noqa: T201 - a program
    for name, (suffix, write) in SOURCES.items():
        if not wanted or any(text in name for text in wanted):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, f"contacts.{suffix}")
                maker = multiprocessing.Process(target=write, args=(path,))  # whose memory would count for its children
                maker.start()
                maker.join()
                size = path.stat().st_size / 1e6
                cpu, memory, code = measure(path)
                print(f"| {name} | {size:.2f} MB | {cpu:.1f} s | {memory:.0f} MB | {code} |", flush=True)  # noqa: T201 - a program


if __name__ == "__main__":
    main(sys.argv[1:])
