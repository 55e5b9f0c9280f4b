"""Sources that are larger than memory should be."""

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
"""Bytes that a row more may cost: what finds duplicates takes 24 a row, and four times that while it is compared."""


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
ended = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
sys.exit(ended)
"""
"""Runs a command and tells its memory; a process counts that of its parent's too, so the parent must be small."""


def _checked(source: Path) -> int:
    """Check `source`, of which every row must be ready, and return the bytes of memory that took."""
    age(source)
    command: list[str | Path] = [sys.executable, "-c", _MEASURED, PROGRAM, "check", source, "--workbook", "none", "--json"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(source.parent)}
    finished = subprocess.run(command, capture_output=True, check=True, env=environment)
    told, memory = map(json.loads, finished.stdout.splitlines())
    assert told["outcomes"] == {"ready": told["rows"]}
    with source.with_name(f"{source.stem}.results.csv").open("rb") as report:
        assert sum(1 for _ in report) == told["rows"] + 1
    show(f"{source.name}: {told['rows']} rows in {told['seconds']} s, {memory >> 20} MB")
    return int(memory)


@pytest.mark.soak
@pytest.mark.parametrize(("write", "kind", "few", "many"), [(_csv, "csv", 20_000, 2_000_000), (_xlsx, "xlsx", 20_000, 300_000)])
def test_memory_is_flat(write: Callable[[int, Path], None], kind: str, few: int, many: int, tmp_path: Path) -> None:
    """Many times the rows take hardly more memory, and none is lost."""
    small, large = tmp_path / f"small.{kind}", tmp_path / f"large.{kind}"
    write(few, small)
    write(many, large)
    assert _checked(large) - _checked(small) < MEMORY * many
