"""Faults of a bad night, each in a run of the program: what becomes of the rows, and whether the next night puts all in place."""

import gzip
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from contact_sync.sandbox import Behaviour, Faults, busiest_second

from . import front
from .front import Odd
from .night import Night, assert_books, made_up, show

ROWS = 40
CONTACTS = [contact.contact_id for contact in made_up(ROWS)]
ONE = CONTACTS[7]
"""A row in the middle."""


def json_of(document: bytes, **how: bytes) -> bytes:
    """Return an answer without a length, with more header fields."""
    fields = b"".join(b"%b: %b\r\n" % (name.replace("_", "-").encode(), value) for name, value in how.items())
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%b\r\n%b" % (fields, document)


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and what comes of it."""

    outcomes: dict[str, int] = field(default_factory=lambda: {"updated": ROWS})
    code: int = 0
    requests: tuple[int, int] = (ROWS, ROWS)
    """At least, and at most."""
    script: dict[str, list[Behaviour]] = field(default_factory=dict)
    faults: Faults | None = None
    odd: dict[str, list[Odd]] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    unseen: int = 0
    """Requests beside those that the sandbox notes as updates."""
    silence: float = 0.0
    """Seconds without any request, at least once."""


def everybody(*behaviours: Behaviour) -> dict[str, list[Behaviour]]:
    """The same for every contact."""
    return {contact_id: list(behaviours) for contact_id in CONTACTS}


def stopped(failed: int, updated: int = 0) -> dict[str, int]:
    """The outcomes of a run that was stopped."""
    counts = {"updated": updated, "failed": failed, "unprocessed": ROWS - failed - updated}
    return {outcome: count for outcome, count in counts.items() if count}


ONCE = (ROWS + 1, ROWS + 1)
FAILED = {"updated": ROWS - 1, "failed": 1}
ALTERED = {"updated": ROWS - 1, "altered": 1}
REJECTED = {"updated": ROWS - 1, "rejected": 1}
SERVER = Behaviour(status=500)
TOO_MANY = Behaviour(status=429, headers={"Retry-After": "2"})

FAULTS = {
    "1 an error once": Fault(script={ONE: [SERVER]}, requests=ONCE),
    "2 an error that stays": Fault(FAILED, 3, (ROWS + 4, ROWS + 4), script={ONE: [SERVER] * 5}),
    "4 one in ten unavailable": Fault(faults=Faults(errors=0.1, seed=3), requests=(ROWS + 1, ROWS + 15)),
    "5 Retry-After": Fault(script={ONE: [TOO_MANY]}, requests=ONCE, silence=2.0),
    "7 Retry-After of a year": Fault(
        stopped(1), 6, (1, 1), script={CONTACTS[0]: [Behaviour(status=429, headers={"Retry-After": "31536000"})]}
    ),
    "7 Retry-After that says nothing": Fault(
        requests=(ROWS + 3, ROWS + 3),
        script={ONE: [Behaviour(status=429, headers={"Retry-After": text}) for text in ("-1", "soon", "nan")]},
    ),
    "9 a key that is refused": Fault(stopped(1), 5, (1, 1), script={CONTACTS[0]: [Behaviour(code=10)]}),
    "9 an account that is closed": Fault(stopped(1), 5, (1, 1), script={CONTACTS[0]: [Behaviour(code=20)]}),
    "9 forbidden": Fault(stopped(1), 5, (1, 1), script={CONTACTS[0]: [Behaviour(status=403, body=b"no")]}),
    "11 a row that is refused": Fault(REJECTED, 3, script={ONE: [Behaviour(code=2, status=200)]}),
    "12 a success that is none": Fault(
        FAILED, 3, (ROWS + 4, ROWS + 4), script={ONE: [Behaviour(body=b'{"success": "true", "code": 200}')] * 5}
    ),
    "12 other JSON": Fault(
        requests=(ROWS + 3, ROWS + 3), script={ONE: [Behaviour(body=body) for body in (b"null", b"[]", b'"ok"')]}
    ),
    "13 a page for maintenance": Fault(
        script={ONE: [Behaviour(body=b"<html>maintenance</html>", content_type="text/html")]}, requests=ONCE
    ),
    "14 half a document": Fault(odd={ONE: [Odd(json_of(b'{"success": tr'))]}, requests=ONCE),
    "15 a body that is too short": Fault(odd={ONE: [Odd(json_of(b'{"suc', Content_Length=b"500"))]}, requests=ONCE),
    "15 a broken chunk": Fault(odd={ONE: [Odd(json_of(b'5\r\n{"suZZ\r\n', Transfer_Encoding=b"chunked"))]}, requests=ONCE),
    "16 an empty answer": Fault(script={ONE: [Behaviour(status=204, body=b""), Behaviour(body=b"")]}, requests=(ROWS + 2,) * 2),
    "17 applied, and hung up": Fault(odd={ONE: [Odd()]}, requests=ONCE),
    "18 applied, and reset": Fault(odd={ONE: [Odd(reset=True)]}, requests=ONCE),
    "19 applied, and taken when sent again": Fault(
        script={ONE: [Behaviour(drop=True, applied=True), Behaviour(code=15)]}, requests=ONCE, unseen=1
    ),
    "20 hung up before it was applied": Fault(odd={ONE: [Odd(applied=False)]}, unseen=1),
    "21 applied after the deadline": Fault(script={ONE: [Behaviour(delay=2.5)]}, options=("--timeout", "1"), requests=ONCE),
    "22 a byte a second": Fault(odd={ONE: [Odd(json_of(b"{"), pause=1)]}, options=("--timeout", "2"), requests=ONCE),
    "23 no answer": Fault(odd={ONE: [Odd(pause=5)]}, options=("--timeout", "1"), requests=ONCE),
    "30 a head of 10 MB": Fault(odd={ONE: [Odd(json_of(b"{}", X=b"x" * 10_000_000))]}, requests=ONCE),
    "30 a body of 100 MB": Fault(odd={ONE: [Odd(json_of(b" " * 100_000_000))]}, requests=ONCE),
    "30 a bomb": Fault(odd={ONE: [Odd(json_of(gzip.compress(b" " * 100_000_000), Content_Encoding=b"gzip"))]}, requests=ONCE),
    "31 a name that was cut": Fault(ALTERED, 3, script={ONE: [Behaviour(alter={"firstname": "Z"})]}),
    "31 another contact": Fault(ALTERED, 3, script={ONE: [Behaviour(alter={"contactId": "somebody"})]}),
    "27 a redirect": Fault(
        stopped(1, 7), 2, (8, 40), script={ONE: [Behaviour(status=301, headers={"Location": "https://a.example/"})]}
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault(nightly: Callable[..., Night], fault: Fault) -> None:
    """The rows end as the table says, within its requests; the same command again puts everything in place, and then is idle."""
    night = nightly()
    night.export(made_up(ROWS))
    night.served.script = {contact_id: list(behaviours) for contact_id, behaviours in fault.script.items()}
    if fault.faults:
        night.served.faults = fault.faults
    with front.serve(night.served) as before:
        before.script = {contact_id: list(odd) for contact_id, odd in fault.odd.items()}
        where = ("--base-url", before.base_url, *fault.options)
        started = time.monotonic()
        first = night.run("--rate", "100", *where)
        outcomes = assert_books(night, first, fault.code, unseen=fault.unseen)
        if fault.code == 2:  # those in flight beside it may have been taken
            assert outcomes["failed"] == 1
        else:
            assert outcomes == fault.outcomes
        assert fault.requests[0] <= len(first.calls) <= fault.requests[1]
        assert first.told["retries"] <= 50 + 0.1 * first.told["requests"]
        assert busiest_second(first.calls) <= 101
        assert max((later.at - call.at for call, later in pairwise(first.calls)), default=0) >= fault.silence
        assert first.at - started < 30
        show(f"{dict(outcomes)}, exit {first.code}, {len(first.calls)} requests, {first.at - started:.1f} s")
        night.served.script, night.served.faults, before.script = {}, Faults(), {}
        rest = ROWS - outcomes["updated"] - outcomes["altered"] - outcomes["rejected"]
        again = assert_books(night, night.run(*where), 0)
        assert again["updated"] >= rest
        assert night.run(*where).calls == []
