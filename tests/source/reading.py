"""Opening bytes as the program opens a file, without waiting."""

import io
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl

from contact_sync.model import Source
from contact_sync.source import Choices, open_source

LATER = 4e9


@dataclass
class Reading:
    """All that a source says."""

    source: Source
    numbers: list[int]
    rows: list[list[str]]
    flaws: dict[int, list[tuple[str, str]]]
    """Row number → (code, field) of each flaw."""
    messages: list[str]
    """The flaws as sentences."""
    skipped: list[int]
    """Row numbers."""

    @property
    def numbered(self) -> list[tuple[int, list[str]]]:
        """The rows with their numbers."""
        return list(zip(self.numbers, self.rows, strict=True))


def read(content: bytes, name: str = "contacts.csv", **choices: Any) -> Reading:
    """Return everything in a file of that content and name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        with open_source(path, Choices(**choices), clock=lambda: LATER) as source:
            reading = Reading(source, [], [], {}, [], [])
            for chunk in source.chunks():
                assert all(len(row) == len(source.columns) for row in chunk.rows)
                reading.numbers += chunk.numbers
                reading.rows += chunk.rows
                for position, flaws in chunk.flaws.items():
                    reading.flaws[chunk.numbers[position]] = [(flaw.code, flaw.field) for flaw in flaws]
                    reading.messages += [flaw.message for flaw in flaws]
                reading.skipped += [chunk.numbers[position] for position in sorted(chunk.skipped)]
    return reading


def text(*lines: str, encoding: str = "utf-8") -> bytes:
    """Return those lines as an office program saves them."""
    return "".join(f"{line}\r\n" for line in lines).encode(encoding)


def saved(book: Any) -> bytes:
    """Return the file that a workbook is saved as."""
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def sheet(*rows: Sequence[Any], change: Callable[[Any], object] = lambda _: None) -> bytes:
    """Return a workbook with one sheet, Contacts, of those rows; `change` is called with the sheet before it is saved."""
    book: Any = openpyxl.Workbook()
    table = book.active
    table.title = "Contacts"
    for row in rows:
        table.append(row)
    change(table)
    return saved(book)


def edited(content: bytes, parts: Mapping[str, Callable[[bytes], bytes]]) -> bytes:
    """Return the zip archive with some of its parts passed through a function."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            change, part = parts.get(name), before.read(name)
            after.writestr(name, change(part) if change else part)
    return stream.getvalue()


def archive(**parts: bytes) -> bytes:
    """Return a zip archive of those parts; `__` in a name stands for `/`."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, part in parts.items():
            zipped.writestr(name.replace("__", "/"), part)
    return stream.getvalue()
