"""The targets of `make fuzz`: each takes bytes, and raises when what the program promises does not hold for them.

`corpus/<target>/` has small inputs that once mattered: the cases of bug reports, and what fuzzing has found. A fuzzer changes
them; `test_corpus.py` runs them as they are.
"""

import asyncio
import datetime as dt
import io
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import openpyxl

from contact_sync.api.client import Client
from contact_sync.api.endpoint import Reply
from contact_sync.api.limiter import Pace
from contact_sync.api.smspartner.contact_update import ContactUpdate
from contact_sync.api.smspartner.envelope import envelope_of
from contact_sync.errors import AttemptError, ContactSyncError, SourceError
from contact_sync.i18n.catalogue import QUOTING
from contact_sync.model.fields import CONTACT, FIELDS, ID
from contact_sync.model.row import Outcome, Pending
from contact_sync.model.source import Chunk
from contact_sync.rules.columns import Policy, Validator
from contact_sync.source.legacy import ods, xls, xlsb
from contact_sync.source.legacy.spool import SpoolWriter
from tests.source.reading import read

KEY = "made-up-key-1234"
FILES = Path(__file__).parents[1] / "source" / "files"
TODAY = dt.date(2026, 1, 2)
MAPPING = {field: place for place, field in enumerate(CONTACT.all_fields)}


def csv(data: bytes) -> None:
    """Read a CSV: one sentence, or rows of one width in ascending order, which are validated."""
    _read(data, "contacts.csv")


def xlsx(data: bytes) -> None:
    """Read a workbook of which one part has other content: the number of the part, then its bytes."""
    _read(_with_part(_xlsx(), data), "contacts.xlsx")


def legacy(data: bytes) -> None:
    """Read a workbook with one of the readers that have a process of their own: the reader, for two the part, and the bytes.

    Any exception is allowed there; hanging and memory are not.
    """
    kind, rest = data[:1], data[1:]
    reader: ModuleType = {b"s": xls, b"b": xlsb}.get(kind, ods)
    content = rest if reader is xls else _with_part((FILES / f"contacts.{reader.__name__.rpartition('.')[2]}").read_bytes(), rest)
    with suppress(Exception):
        reader.read(io.BytesIO(content), SpoolWriter(lambda _line: None))


def rules(data: bytes) -> None:
    """Validate rows of cells: a value that is accepted stays as it is when it is read again, and a message quotes no cell."""
    cells = data.decode(errors="replace").split("\n")
    width = len(MAPPING)
    rows = [(cells[start : start + width] + [""] * width)[:width] for start in range(0, len(cells), width)]
    verdicts = _validate(rows)
    for position, found in verdicts.violations.items():
        for violation in (violation for violation in found if violation.code not in QUOTING):
            for cell in rows[position]:
                assert len(cell.strip()) < 12 or cell.strip() not in violation.sentence(), violation.code
    accepted = [position for position in range(len(rows)) if position not in verdicts.violations]
    sent = [
        [verdicts.ids[at], *["" if value is None else value or "<clear>" for value in verdicts.payloads[at]]] for at in accepted
    ]
    again = _validate(sent)
    assert not again.violations
    assert again.payloads == [verdicts.payloads[at] for at in accepted]


def echo(data: bytes) -> None:
    """Read a reply to a row: it is `updated` only when the API says yes and shows each value that was sent."""
    status, _newline, rest = data.partition(b"\n")
    sent, _newline, body = rest.partition(b"\n")
    row = Pending(
        2, "C1", {"firstname": sent.decode(errors="replace"), "phoneNumber": "+33612345678", "date": "2020-12-31"}, 0, b""
    )
    reply = Reply(int(status) if status.isdigit() and len(status) < 4 else 200, {}, body)
    try:
        answer = ContactUpdate(KEY).read(reply, row)
    except (AttemptError, ContactSyncError):
        return
    shown = envelope_of(reply)
    assert shown is not None
    assert shown["success"] is True
    if answer.outcome is Outcome.UPDATED:
        assert str(shown["contact"][ID]) == "C1"
        assert {"firstname", "date"} <= shown["contact"].keys()


def reply(data: bytes) -> None:
    """Send a row to a server that answers with these bytes: the client has an answer, or an error that says what to do."""
    with suppress(AttemptError, ContactSyncError):
        asyncio.run(_exchange(data))


TARGETS: dict[str, Callable[[bytes], None]] = {each.__name__: each for each in (csv, xlsx, legacy, rules, echo, reply)}


def _read(content: bytes, name: str) -> None:
    try:
        found = read(content, name)
    except SourceError as refused:
        if "\n" in str(refused):
            raise AssertionError from refused
        return
    assert found.numbers == sorted(set(found.numbers))
    if found.rows:
        Validator(found.source.mapping, Policy(today=TODAY)).validate(Chunk(found.numbers, found.rows))


def _validate(rows: list[list[str]]) -> Any:
    return Validator(MAPPING, Policy(today=TODAY)).validate(Chunk(list(range(2, 2 + len(rows))), rows))


@cache
def _xlsx() -> bytes:
    book = openpyxl.Workbook()
    for row in ([ID, *FIELDS], ["C1", 612345678, "Zoé", "Lefèvre", dt.date(2020, 12, 31), "https://x.fr", 0.5, True, "=1+1"]):
        book.active.append(row)  # type: ignore[union-attr]
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _with_part(workbook: bytes, data: bytes) -> bytes:
    """Return a zip file in which the part whose number is the first byte has the other bytes as its content."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive, zipfile.ZipFile(made, "w") as changed:
        names = sorted(archive.namelist())
        replaced = names[data[0] % len(names)] if data else ""
        for name in archive.namelist():
            changed.writestr(name, data[1:] if name == replaced else archive.read(name))
    return made.getvalue()


async def _exchange(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    pace = Pace(0, clock=time.monotonic)
    client = Client(url, pace=pace, connections=1, timeout=5, sleep=asyncio.sleep)
    async with server, client:
        await client.call(ContactUpdate(KEY), Pending(2, "C1", {"firstname": "Zoé"}, 0, b""))
