"""Reading bytes as the program reads a file, without waiting, and building the bytes."""

import contextlib
import io
import json
import os
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import openpyxl

from contact_sync.model.source import Source
from contact_sync.source import SourceOptions, open_source
from contact_sync.source.legacy import worker

LATER = 4e9


@dataclass
class ReadResult:
    """Everything that was read from a source."""

    source: Source
    numbers: list[int]
    rows: list[list[str]]
    flaws: dict[int, list[tuple[str, str]]]
    """Row number → (code, field) of each flaw."""
    messages: list[str]
    """The sentences of the flaws."""
    skipped: list[int]
    """Row numbers."""

    @property
    def numbered(self) -> list[tuple[int, list[str]]]:
        """The rows with their numbers."""
        return list(zip(self.numbers, self.rows, strict=True))


@contextlib.contextmanager
def worker_inside() -> Iterator[None]:
    """Do what the process of the worker does inside this one, without its limits: to start it takes most of the time."""

    def run(command: Sequence[str], **_process: Any) -> "subprocess.CompletedProcess[bytes]":
        kind, source, spool = command[4:7]
        reply = worker._read(kind, os.dup(int(source)), os.dup(int(spool)))
        return subprocess.CompletedProcess(command, 0, json.dumps(reply).encode())

    with mock.patch.object(subprocess, "run", run):
        yield


def read(content: bytes, name: str = "contacts.csv", *, process: bool = False, **options: Any) -> ReadResult:
    """Read everything in a file of that content and name; a worker is a process of its own only where that is tested."""
    with contextlib.nullcontext() if process else worker_inside(), tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        with open_source(path, SourceOptions(**options), clock=lambda: LATER) as source:
            reading = ReadResult(source, [], [], {}, [], [])
            for chunk in source.chunks():
                assert all(len(row) == len(source.columns) for row in chunk.rows)
                reading.numbers += chunk.numbers
                reading.rows += chunk.rows
                for position, flaws in chunk.flaws.items():
                    reading.flaws[chunk.numbers[position]] = [(flaw.code, flaw.field) for flaw in flaws]
                    reading.messages += [flaw.sentence() for flaw in flaws]
                reading.skipped += [chunk.numbers[position] for position in sorted(chunk.skipped)]
    return reading


def text(*lines: str, encoding: str = "utf-8") -> bytes:
    """Return those lines as an office program saves them."""
    return "".join(f"{line}\r\n" for line in lines).encode(encoding)


def book_bytes(book: Any) -> bytes:
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
    return book_bytes(book)


def edit_parts(content: bytes, parts: Mapping[str, Callable[[bytes], bytes]]) -> bytes:
    """Return the zip archive with some of its parts passed through a function."""
    return zip_parts({name: parts.get(name, bytes)(part) for name, part in unzip(content).items()})


def zip_parts(parts: Mapping[str, bytes], *, is_compressed: bool = True) -> bytes:
    """Return a zip archive of those parts."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED if is_compressed else zipfile.ZIP_STORED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return stream.getvalue()


def unzip(content: bytes) -> dict[str, bytes]:
    """Return the parts of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
