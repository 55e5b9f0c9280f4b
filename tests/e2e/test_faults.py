"""Faults of a bad night, each in a run of the program: what becomes of the rows, and whether the next night puts all in place."""

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from contact_sync.sandbox.faults import Behaviour, Faults

from . import front
from .front import Odd
from .workspace import Workspace, assert_books, made_up, show


def json_of(document: bytes, **how: bytes) -> bytes:
    """Return an answer without a length, with more header fields."""
    fields = b"".join(b"%b: %b\r\n" % (name.replace("_", "-").encode(), value) for name, value in how.items())
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%b\r\n%b" % (fields, document)


# ---- rows


@dataclass(frozen=True)
class Trouble:
    """What the updates of one contact meet, and what comes of its row."""

    meets: list[Behaviour] | list[Odd]
    attempts: int = 2
    outcome: str = "updated"
    code: str = ""


HUNG_UP = Behaviour(drop=True, applied=True)
CODE_429 = [Behaviour(status=429, headers={"Retry-After": text}) for text in ("-1", "soon", "nan")]

TROUBLES = {
    "1 an error once": Trouble([Behaviour(status=500)]),
    "2 an error that stays": Trouble([Behaviour(status=500)] * 9, 5, "failed", "api-error"),
    "7 Retry-After that says nothing": Trouble(CODE_429, 4),
    "11 a row that is refused": Trouble([Behaviour(code=2, status=200)], 1, "rejected", "api-refused"),
    "12 a success that is none": Trouble([Behaviour(body=b'{"success": "true", "code": 200}')] * 9, 5, "failed", "api-garbled"),
    "12 other JSON": Trouble([Behaviour(body=body) for body in (b"null", b"[]", b'"ok"')], 4),
    "13 a page for maintenance": Trouble([Behaviour(body=b"<html>maintenance</html>", content_type="text/html")]),
    "14 half a document": Trouble([Odd(json_of(b'{"success": tr'))]),
    "15 a body that is too short": Trouble([Odd(json_of(b'{"suc', Content_Length=b"500"))]),
    "15 a broken chunk": Trouble([Odd(json_of(b'5\r\n{"suZZ\r\n', Transfer_Encoding=b"chunked"))]),
    "16 an empty answer": Trouble([Behaviour(status=204, body=b""), Behaviour(body=b"")], 3),
    "17 applied, and hung up": Trouble([Odd()]),
    "18 applied, and reset": Trouble([Odd(reset=True)]),
    "19 applied, and taken when sent again": Trouble([HUNG_UP, Behaviour(code=15)], 3),
    "20 hung up before it was applied": Trouble([Odd(applied=False)]),
    "21 applied after the deadline": Trouble([Behaviour(delay=4)]),
    "22 a byte a second": Trouble([Odd(json_of(b"{"), pause=1)]),
    "23 no answer": Trouble([Odd(pause=5)]),
    "30 a head of 10 MB": Trouble([Odd(json_of(b"{}", X=b"x" * 10_000_000))]),
    "30 a body of 100 MB": Trouble([Odd(json_of(b" " * 100_000_000))]),
    "30 a bomb": Trouble([Odd(json_of(gzip.compress(b" " * 100_000_000), Content_Encoding=b"gzip"))]),
    "31 a name that was cut": Trouble([Behaviour(alter={"firstname": "Z"})], 1, "altered", "echo-differs"),
    "31 another contact": Trouble([Behaviour(alter={"contactId": "somebody"})], 1, "altered", "echo-contact"),
}
SPREAD = 4
"""Every so many rows one is in trouble: more side by side would look like an API that is down."""


def test_rows_in_trouble(nightly: Callable[..., Workspace]) -> None:
    """Each row in trouble ends as the table says, after so many attempts, and no other row is hurt."""
    workspace = nightly()
    workspace.export(made_up(SPREAD * len(TROUBLES) + 40))
    troubled = {
        contact.contact_id: trouble for contact, trouble in zip(workspace.contacts[1::SPREAD], TROUBLES.values(), strict=False)
    }
    with front.serve(workspace.served) as before:
        for contact_id, trouble in troubled.items():
            script: dict[str, Any] = before.script if isinstance(trouble.meets[0], Odd) else workspace.served.script
            script[contact_id] = list(trouble.meets)
        where = ("--base-url", before.base_url, "--timeout", "2", "--rate", "100")
        first = workspace.run(*where)
        outcomes = assert_books(
            workspace, first, 3, unseen=2
        )  # a look with contact/detail, and the update that was not handed on
        seen = {
            line["contactId"]: (line["sync_outcome"], line["sync_code"], int(line["sync_attempts"])) for line in workspace.lines()
        }
        expected = dict.fromkeys(seen, ("updated", "", 1))
        expected |= {contact_id: (one.outcome, one.code, one.attempts) for contact_id, one in troubled.items()}
        assert seen == expected
        show(f"{dict(outcomes)}, {first.told['requests']} requests, {first.told['retries']} of them retries")
        workspace.served.script.clear()
        assert assert_books(workspace, workspace.run(*where), 0)["updated"] == 2 + 1 + 2  # failed, rejected, altered
        assert workspace.run(*where).calls == []


# ---- whole nights


ROWS, WORKERS = 40, 8
FIRST, ONE = (made_up(ROWS)[at].contact_id for at in (0, 7))


@dataclass(frozen=True)
class Fault:
    """What a night meets, and what comes of it."""

    script: dict[str, list[Behaviour]] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    code: int = 0
    failed: int = 0
    requests: tuple[int, int] = (1, 1)
    """At least, and at most."""
    silence: float = 0.0
    """Seconds after a 429 in which nothing is asked but what was on its way."""


FAULTS = {
    "4 one in ten unavailable": Fault(faults=Faults(errors=0.1, seed=3), requests=(ROWS + 1, ROWS + 15)),
    "5 Retry-After": Fault(
        {ONE: [Behaviour(status=429, headers={"Retry-After": "2"})]}, requests=(ROWS + 1, ROWS + 1), silence=2.0
    ),
    "7 Retry-After of a year": Fault({FIRST: [Behaviour(status=429, headers={"Retry-After": "31536000"})]}, code=6, failed=1),
    "9 a key that is refused": Fault({FIRST: [Behaviour(code=10)]}, code=5, failed=1),
    "9 forbidden": Fault({FIRST: [Behaviour(status=403, body=b"no")]}, code=5, failed=1),
    "10 a key that is revoked on the way": Fault({ONE: [Behaviour(code=10)]}, code=5, failed=1, requests=(8, 16)),
    "27 a redirect": Fault(
        {ONE: [Behaviour(status=301, headers={"Location": "https://a.example/"})]}, code=2, failed=1, requests=(8, 16)
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault(nightly: Callable[..., Workspace], fault: Fault) -> None:
    """The night ends as the table says, within its requests; the next puts everything in place, and the next is idle."""
    workspace = nightly(faults=fault.faults)
    workspace.export(made_up(ROWS))
    workspace.served.script = {contact_id: list(behaviours) for contact_id, behaviours in fault.script.items()}
    first = workspace.run("--rate", "100", "--workers", str(WORKERS))
    outcomes = assert_books(workspace, first, fault.code)
    assert outcomes["failed"] == fault.failed
    assert outcomes["unprocessed"] == (ROWS - fault.failed - outcomes["updated"] if fault.code else 0)
    assert fault.requests[0] <= len(first.calls) <= fault.requests[1]
    throttled = [call.at for call in first.calls if call.status == 429]
    assert bool(throttled) >= bool(fault.silence)
    assert sum(at < call.at < at + fault.silence for call in first.calls for at in throttled) < WORKERS
    show(f"{dict(outcomes)}, exit {first.code}, {len(first.calls)} requests, {first.told['retries']} of them retries")
    workspace.served.script, workspace.served.faults = {}, Faults()
    again = assert_books(workspace, workspace.run(), 0)
    assert again["unchanged"] == outcomes["updated"]
    assert workspace.run().calls == []
