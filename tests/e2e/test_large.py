"""Memory for large sources."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl import Workbook

from .workspace import PROGRAM, age, show

HEADER = ["contactId", "Téléphone", "Prénom", "Nom", "Champ 1"]
MEMORY = 120
"""Bytes per additional row: finding duplicates takes 24, and four times that while they are compared."""


def _row(number: int) -> list[str]:
    return [
        f"E{number:07}",
        f"06 00 {number // 10000 % 100:02} {number // 100 % 100:02} {number % 100:02}",
        "Zoé",
        f"Petit{number}",
        "a",
    ]


def _csv(rows: int, path: Path) -> None:
    with path.open("w", encoding="cp1252", newline="") as file:
        csv.writer(file, delimiter=";").writerows([HEADER, *map(_row, range(rows))])


def _xlsx(rows: int, path: Path) -> None:
    book = Workbook(write_only=True)
    table = book.create_sheet("Contacts")
    table.append(HEADER)
    for number in range(rows):
        table.append(_row(number))
    book.save(path)


_MEASURED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
sys.exit(code)
"""
"""Runs a command and prints its peak memory; a child inherits the peak of its parent, which must therefore be small."""


def _memory_of_check(source: Path) -> int:
    """Check `source`, of which every row must be ready, and return the peak memory in bytes."""
    age(source)
    command: list[str | Path] = [sys.executable, "-c", _MEASURED, PROGRAM, "check", source, "--workbook", "none", "--json"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(source.parent)}
    result = subprocess.run(command, capture_output=True, check=True, env=environment)
    summary, memory = map(json.loads, result.stdout.splitlines())
    assert summary["outcomes"] == {"ready": summary["rows"]}
    with source.with_name(f"{source.stem}.results.csv").open("rb") as report:
        assert sum(1 for _ in report) == summary["rows"] + 1
    show(f"{source.name}: {summary['rows']} rows in {summary['seconds']} s, {memory >> 20} MB")
    return int(memory)


@pytest.mark.soak
@pytest.mark.parametrize(("write", "kind", "few", "many"), [(_csv, "csv", 20_000, 2_000_000), (_xlsx, "xlsx", 20_000, 300_000)])
def test_memory_is_flat(write: Callable[[int, Path], None], kind: str, few: int, many: int, tmp_path: Path) -> None:
    """A source with many times the rows takes little more memory, and no row is lost."""
    small, large = tmp_path / f"small.{kind}", tmp_path / f"large.{kind}"
    write(few, small)
    write(many, large)
    assert _memory_of_check(large) - _memory_of_check(small) < MEMORY * many
