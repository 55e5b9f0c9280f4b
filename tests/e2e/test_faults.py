"""Faults of the API, each in a run of the program: the outcome of the rows, and recovery by the next run."""

import gzip
from dataclasses import dataclass, field
from typing import Any

import pytest

from contact_sync.sandbox.faults import Behaviour, Faults

from . import fault_proxy
from .fault_proxy import RawResponse
from .workspace import NewWorkspace, assert_consistent, make_contacts, show


def json_response(document: bytes, **headers: bytes) -> bytes:
    """Return a response without a length, with more headers."""
    fields = b"".join(b"%b: %b\r\n" % (name.replace("_", "-").encode(), value) for name, value in headers.items())
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%b\r\n%b" % (fields, document)


# ---- rows


@dataclass(frozen=True)
class RowFault:
    """Responses to the updates of one contact, and the result of its row."""

    responses: list[Behaviour] | list[RawResponse]
    attempts: int = 2
    outcome: str = "updated"
    code: str = ""


TIMEOUT_S = 5
"""Deadline of an attempt; a busy machine responds sooner."""

DROPPED = Behaviour(drop=True, applied=True)
INVALID_RETRY_AFTER = [Behaviour(status=429, headers={"Retry-After": text}) for text in ("-1", "soon", "nan")]

ROW_FAULTS = {
    "1 an error once": RowFault([Behaviour(status=500)]),
    "2 a permanent error": RowFault([Behaviour(status=500)] * 9, 5, "failed", "api-error"),
    "7 an invalid Retry-After": RowFault(INVALID_RETRY_AFTER, 4),
    "11 a refused row": RowFault([Behaviour(code=2, status=200)], 1, "rejected", "api-refused"),
    "12 a success that is not a boolean": RowFault(
        [Behaviour(body=b'{"success": "true", "code": 200}')] * 9, 5, "failed", "api-garbled"
    ),
    "12 other JSON": RowFault([Behaviour(body=body) for body in (b"null", b"[]", b'"ok"')], 4),
    "13 a page for maintenance": RowFault([Behaviour(body=b"<html>maintenance</html>", content_type="text/html")]),
    "14 a truncated document": RowFault([RawResponse(json_response(b'{"success": tr'))]),
    "15 a body that is too short": RowFault([RawResponse(json_response(b'{"suc', Content_Length=b"500"))]),
    "15 a broken chunk": RowFault([RawResponse(json_response(b'5\r\n{"suZZ\r\n', Transfer_Encoding=b"chunked"))]),
    "16 an empty response": RowFault([Behaviour(status=204, body=b""), Behaviour(body=b"")], 3),
    "17 applied, then dropped": RowFault([RawResponse()]),
    "18 applied, then reset": RowFault([RawResponse(reset=True)]),
    "19 applied, then refused as taken": RowFault([DROPPED, Behaviour(code=15)], 3),
    "20 dropped before it was applied": RowFault([RawResponse(applied=False)]),
    "21 applied after the deadline": RowFault([Behaviour(delay=TIMEOUT_S + 2)]),
    "22 a byte a second": RowFault([RawResponse(json_response(b"{"), pause=1)]),
    "23 no response": RowFault([RawResponse(pause=TIMEOUT_S + 3)]),
    "30 headers of 10 MB": RowFault([RawResponse(json_response(b"{}", X=b"x" * 10_000_000))]),
    "30 a body of 100 MB": RowFault([RawResponse(json_response(b" " * 100_000_000))]),
    "30 a compression bomb": RowFault([RawResponse(json_response(gzip.compress(b" " * 100_000_000), Content_Encoding=b"gzip"))]),
    "31 a truncated name": RowFault([Behaviour(alter={"firstname": "Z"})], 1, "altered", "echo-differs"),
    "31 another contact": RowFault([Behaviour(alter={"contactId": "another"})], 1, "altered", "echo-contact"),
}
SPREAD = 4
"""One row in `SPREAD` is faulty: more of them in a sequence would look like an API that is down."""


def test_faults_of_single_rows(new_workspace: NewWorkspace) -> None:
    """Each faulty row ends as the table says, after that number of attempts, and no other row is affected."""
    workspace = new_workspace()
    workspace.export(make_contacts(SPREAD * len(ROW_FAULTS) + 40))
    faulty = {
        contact.contact_id: fault for contact, fault in zip(workspace.contacts[1::SPREAD], ROW_FAULTS.values(), strict=False)
    }
    with fault_proxy.serve(workspace.sandbox) as proxy:
        for contact_id, fault in faulty.items():
            script: dict[str, Any] = proxy.script if isinstance(fault.responses[0], RawResponse) else workspace.sandbox.script
            script[contact_id] = list(fault.responses)
        options = ("--base-url", proxy.base_url, "--timeout", str(TIMEOUT_S), "--rate", "100")
        first = workspace.run(*options)
        # Unseen by the sandbox as updates: a read of contact/detail, and the update that was not forwarded.
        outcomes = assert_consistent(workspace, first, 3, unseen=2)
        reported = {
            line["contactId"]: (line["sync_outcome"], line["sync_code"], int(line["sync_attempts"])) for line in workspace.lines()
        }
        expected = dict.fromkeys(reported, ("updated", "", 1))
        expected |= {contact_id: (one.outcome, one.code, one.attempts) for contact_id, one in faulty.items()}
        assert reported == expected
        show(f"{dict(outcomes)}, {first.summary['requests']} requests, {first.summary['retries']} of them retries")
        workspace.sandbox.script.clear()
        assert assert_consistent(workspace, workspace.run(*options), 0)["updated"] == 2 + 1 + 2  # failed, rejected, altered
        assert workspace.run(*options).calls == []


# ---- whole runs


ROWS, WORKERS = 40, 8
FIRST, EIGHTH = (make_contacts(ROWS)[at].contact_id for at in (0, 7))


@dataclass(frozen=True)
class RunFault:
    """Responses in a whole run, and its result."""

    script: dict[str, list[Behaviour]] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    exit_code: int = 0
    failed: int = 0
    requests: tuple[int, int] = (1, 1)
    """Minimum and maximum number of requests."""
    silence: float = 0.0
    """Seconds after a 429 in which no requests start, except those already in flight."""


RUN_FAULTS = {
    "4 one in ten unavailable": RunFault(faults=Faults(errors=0.1, seed=3), requests=(ROWS + 1, ROWS + 15)),
    "5 Retry-After": RunFault(
        {EIGHTH: [Behaviour(status=429, headers={"Retry-After": "2"})]}, requests=(ROWS + 1, ROWS + 1), silence=2.0
    ),
    "7 Retry-After of a day": RunFault({FIRST: [Behaviour(status=429, headers={"Retry-After": "86400"})]}, exit_code=6, failed=1),
    "7 Retry-After of a year": RunFault(
        {EIGHTH: [Behaviour(status=429, headers={"Retry-After": "31536000"})]}, requests=(ROWS + 1, ROWS + 1)
    ),
    "9 a refused key": RunFault({FIRST: [Behaviour(code=10)]}, exit_code=5, failed=1),
    "9 forbidden": RunFault({FIRST: [Behaviour(status=403, body=b"no")]}, exit_code=5, failed=1),
    "10 a key revoked during the run": RunFault({EIGHTH: [Behaviour(code=10)]}, exit_code=5, failed=1, requests=(8, 16)),
    "27 a redirect": RunFault(
        {EIGHTH: [Behaviour(status=301, headers={"Location": "https://a.example/"})]}, exit_code=2, failed=1, requests=(8, 16)
    ),
}


@pytest.mark.parametrize("fault", RUN_FAULTS.values(), ids=RUN_FAULTS)
def test_faults_of_whole_runs(new_workspace: NewWorkspace, fault: RunFault) -> None:
    """The run ends as the table says, within its requests; the next sends the rest, and the one after that sends nothing."""
    workspace = new_workspace(faults=fault.faults)
    workspace.export(make_contacts(ROWS))
    workspace.sandbox.script = {contact_id: list(behaviours) for contact_id, behaviours in fault.script.items()}
    first = workspace.run("--rate", "100", "--workers", str(WORKERS))
    outcomes = assert_consistent(workspace, first, fault.exit_code)
    assert outcomes["failed"] == fault.failed
    assert outcomes["unprocessed"] == (ROWS - fault.failed - outcomes["updated"] if fault.exit_code else 0)
    assert fault.requests[0] <= len(first.calls) <= fault.requests[1]
    throttled = [call.at for call in first.calls if call.status == 429]
    assert bool(throttled) >= bool(fault.silence)
    assert sum(at < call.at < at + fault.silence for call in first.calls for at in throttled) < WORKERS
    show(f"{dict(outcomes)}, exit {first.code}, {len(first.calls)} requests, {first.summary['retries']} of them retries")
    workspace.sandbox.script, workspace.sandbox.faults = {}, Faults()
    again = assert_consistent(workspace, workspace.run(), 0)
    assert again["unchanged"] == outcomes["updated"]
    assert workspace.run().calls == []
