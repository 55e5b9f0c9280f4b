"""The sending stage: over real HTTP against the sandbox, and in virtual time against a made-up API."""

import asyncio
import errno
import json
import os
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from contact_sync.api.smspartner.contact_update import ContactUpdate
from contact_sync.errors import AccessError, ConfigError, ContactSyncError, StorageError, UnavailableError
from contact_sync.ledger.sqlite import SqliteLedger
from contact_sync.model.report import lines_of
from contact_sync.model.row import Result
from contact_sync.sandbox.faults import Behaviour
from contact_sync.sandbox.server import Call
from tests.sync.sending import (
    ALTERED,
    FAILED,
    FINGERPRINTS,
    KEY,
    PENDING,
    REJECTED,
    UPDATED,
    Api,
    Sending,
    SendRows,
    Serve,
    answered,
    broken,
    confirmed,
    count,
    outcomes,
    payload,
    row,
    send_over_http,
    send_pending,
    sent_to,
    stage,
)


def test_every_row_is_sent_once(ledger: SqliteLedger, sandbox: Serve) -> None:
    """Every row is sent once and stored; its result contains what the API answered."""
    stage(ledger, 20)
    served = sandbox(key=KEY)
    sending = send_over_http(ledger, served)
    assert (sending.reasons, sending.requests, served.applied) == ([], 20, 20)
    assert count(ledger) == {UPDATED: 20}
    assert sorted(result.row.number for result in sending.results) == list(range(1, 21))
    for result in sending.results:
        assert (result.outcome, result.violations, result.attempts, result.http_status, result.api_code) == (
            UPDATED,
            [],
            1,
            200,
            "200",
        )
        assert len(result.at) == len("2026-01-01T00:00:00Z")
        assert result.at.endswith("Z")
    assert served.store["C000007"]["firstname"] == "Zoé"
    assert served.store["C000007"]["phone"] == "+33600000007"
    assert ledger.attempts() == (20, 0)


def test_passing_error_is_retried(ledger: SqliteLedger, sandbox: Serve, no_backoff: None) -> None:
    """A row that gets an HTTP error once is sent again, and is updated like the others."""
    stage(ledger, 10)
    served = sandbox()
    served.script["C000001"] = [Behaviour(status=500)]
    served.script["C000006"] = [Behaviour(status=503, body=b"<h1>Maintenance</h1>")]
    sending = send_over_http(ledger, served)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 10})
    assert {row: times for row, times in sent_to(served).items() if times > 1} == {1: 2, 6: 2}
    assert ledger.attempts() == (12, 2)


def test_lasting_error_fails_the_row(ledger: SqliteLedger, sandbox: Serve, no_backoff: None) -> None:
    """A row that always gets HTTP 500 fails after its attempts and one more at the end; the others are updated."""
    stage(ledger, 10)
    served = sandbox()
    served.script["C000006"] = [Behaviour(status=500)] * 9
    sending = send_over_http(ledger, served)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 9, FAILED: 1})
    assert sent_to(served)[6] == 5
    assert [result.attempts for result in sending.results if result.row.number == 6] == [4, 5]
    line = list(lines_of(ledger.batches()))[5]
    assert (line.outcome, line.code, line.attempts, line.http_status, line.api_code) == (FAILED, "api-error", 5, 500, "500")
    assert line.message == "The API failed (HTTP 500): the next run sends the row again."
    assert ledger.attempts() == (14, 4)


def test_failed_row_is_sent_again_at_the_end(ledger: SqliteLedger, sandbox: Serve, no_backoff: None) -> None:
    """A row whose attempts all failed is sent once more after all others, and may be updated then."""
    stage(ledger, 10)
    served = sandbox()
    served.script["C000002"] = [Behaviour(status=500)] * 2
    sending = send_over_http(ledger, served, attempts=2)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 10})
    assert served.calls[-1].contact_id == "C000002"
    assert [(result.outcome, result.attempts) for result in sending.results if result.row.number == 2] == [
        (FAILED, 2),
        (UPDATED, 3),
    ]


def test_lost_reply_is_retried(ledger: SqliteLedger, sandbox: Serve, no_backoff: None) -> None:
    """An update that is applied while its reply is lost is sent once more, with the same result."""
    stage(ledger, 6)
    served = sandbox()
    served.script["C000001"] = [Behaviour(drop=True, applied=True)]
    served.script["C000004"] = [Behaviour(drop=True)]
    sending = send_over_http(ledger, served)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 6})
    repeated = [call for call in served.calls if call.contact_id == "C000001"]
    assert [call.applied for call in repeated] == [True, True]
    assert repeated[0].contact == repeated[1].contact
    assert sent_to(served)[4] == 2


def test_attempt_beyond_the_deadline_is_retried(ledger: SqliteLedger, sandbox: Serve, no_backoff: None) -> None:
    """A reply after the deadline counts as lost, though the update is applied late."""
    stage(ledger, 3)
    served = sandbox()
    served.script["C000003"] = [Behaviour(delay=1)]
    assert send_over_http(ledger, served, deadline=0.5).reasons == []
    assert count(ledger) == {UPDATED: 3}
    assert sent_to(served)[3] == 2


def test_rejected_and_altered_rows(ledger: SqliteLedger, sandbox: Serve) -> None:
    """A rejected row is final without another attempt, an altered one confirms nothing, and both have their own outcome."""
    stage(ledger, 5)
    served = sandbox()
    served.script["C000002"] = [Behaviour(code=404)]
    served.script["C000003"] = [Behaviour(code=15)]
    served.script["C000004"] = [Behaviour(alter={"firstname": "Zo"})]
    sending = send_over_http(ledger, served)
    assert sending.reasons == []
    lines = [
        (line.outcome, line.code, line.fields, line.http_status, line.api_code, line.attempts)
        for line in lines_of(ledger.batches())
    ]
    assert lines == [
        (UPDATED, "", "", 200, "200", 1),
        (REJECTED, "api-contact-unknown", "contactId", 404, "404", 1),
        (REJECTED, "api-number-taken", "phoneNumber", 400, "15", 2),  # and one question
        (ALTERED, "echo-differs", "firstname", 200, "200", 1),
        (UPDATED, "", "", 200, "200", 1),
    ]
    sent = [(f"C{number:06}", payload(number)) for number in range(1, 6)]
    assert ledger.compare(sent).in_place == [True, False, False, False, True]


@pytest.mark.parametrize(
    "body",
    [b'{"success":"false"}', b"null", b"[]", b'"ok"', b"", b'{"success":true}{"success":true}', b"<h1>Maintenance</h1>", b"{"],
)
def test_foreign_reply_never_updates(ledger: SqliteLedger, sandbox: Serve, no_backoff: None, body: bytes) -> None:
    """HTTP 200 without a success in the API's own format is retried, and the row fails."""
    stage(ledger, 2)
    served = sandbox()
    served.script["C000002"] = [Behaviour(body=body)] * 9
    sending = send_over_http(ledger, served)
    assert (sending.reasons, outcomes(ledger)) == ([], {1: UPDATED, 2: FAILED})
    assert [line.code for line in lines_of(ledger.batches())] == ["", "api-garbled"]
    assert ledger.compare([("C000002", payload(2))]).in_place == [False]


def test_nothing_is_sent_without_pending_rows(ledger: SqliteLedger, sandbox: Serve) -> None:
    """Without a pending row there is no request."""
    stage(ledger, 0)
    served = sandbox()
    sending = send_over_http(ledger, served)
    assert (sending.reasons, sending.requests, served.requests) == ([], 0, 0)


@pytest.mark.unmeasured
def test_rows_of_several_claims(ledger: SqliteLedger, sandbox: Serve) -> None:
    """Rows are claimed in groups; none is lost or sent twice between two of them."""
    stage(ledger, 1203)
    served = sandbox(open_store=True)
    sending = send_over_http(ledger, served, workers=16)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 1203})
    assert set(sent_to(served).values()) == {1}
    assert len(served.calls) == 1203


def test_limit(ledger: SqliteLedger, sandbox: Serve, no_backoff: None) -> None:
    """At most `limit` rows are sent, the first of the source, however many attempts they take; the others stay pending."""
    stage(ledger, 10)
    served = sandbox()
    served.script["C000003"] = [Behaviour(status=500)] * 9
    sending = send_over_http(ledger, served, limit=4)
    assert sending.reasons == []
    assert outcomes(ledger) == {1: UPDATED, 2: UPDATED, 3: FAILED, 4: UPDATED} | dict.fromkeys(range(5, 11), PENDING)
    assert sent_to(served) == {1: 1, 2: 1, 3: 5, 4: 1}


def test_resumed_run_respects_its_limit(ledger: SqliteLedger, api: Api, send_rows: SendRows, no_backoff: None) -> None:
    """The second pass sends rows of the first one only: others that failed in an earlier run are left alone."""
    stage(ledger, 4)
    ledger.release("run of Zoé")
    api.answer = lambda call: confirmed(call) if row(call) == 1 else broken()
    send_rows(attempts=1)
    assert outcomes(ledger) == {1: UPDATED, 2: FAILED, 3: FAILED, 4: FAILED}
    assert ledger.resume_last()
    api.calls.clear()
    send_rows(attempts=1, limit=2)
    assert [row(call) for call in api.calls] == [2, 4, 2, 4]


def test_results_are_dated_in_utc(ledger: SqliteLedger, api: Api, send_rows: SendRows, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result is dated in UTC, whatever the time zone of the machine."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        stage(ledger, 1)
        send_rows()
    finally:
        monkeypatch.undo()
        time.tzset()
    (line,) = lines_of(ledger.batches())
    assert abs(datetime.fromisoformat(line.at) - datetime.now(UTC)) < timedelta(minutes=5)


# ---- the verification of a taken number


def test_number_taken_by_the_contact_itself(ledger: SqliteLedger, sandbox: Serve, no_backoff: None) -> None:
    """After a lost reply the number may be taken by the contact itself: it is read back, and the row is updated."""
    stage(ledger, 5)
    served = sandbox(key=KEY)
    served.script["C000002"] = [Behaviour(drop=True, applied=True), Behaviour(code=15)]
    sending = send_over_http(ledger, served)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 5})
    (result,) = [result for result in sending.results if result.row.number == 2]
    assert (result.attempts, result.violations, sending.requests) == (3, [], 7)


def test_number_taken_by_another_contact(ledger: SqliteLedger, sandbox: Serve, no_backoff: None) -> None:
    """A taken number rejects the row when the contact itself does not have the values that were sent."""
    stage(ledger, 5)
    served = sandbox()
    served.script["C000002"] = [Behaviour(drop=True), Behaviour(code=15)]
    served.script["C000003"] = [Behaviour(code=15)]
    sending = send_over_http(ledger, served)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 3, REJECTED: 2})
    assert {result.row.number: result.attempts for result in sending.results} == {1: 1, 2: 3, 3: 2, 4: 1, 5: 1}


@pytest.mark.parametrize("status", [None, 429, 503])
def test_number_taken_cannot_be_verified(
    ledger: SqliteLedger, api: Api, send_rows: SendRows, no_backoff: None, status: int | None
) -> None:
    """While the API does not show the contact, a row whose number is taken is not rejected but failed."""
    stage(ledger, 3)

    def taken(call: Call) -> httpx.Response:
        return confirmed(call) if row(call) != 2 else answered({"success": False, "code": 15}, 400)

    def gone() -> httpx.Response:
        if status is None:
            raise httpx.ReadError("gone")
        return answered({"success": False, "code": status}, status)

    api.answer, api.detail = taken, gone
    sending = send_rows()
    assert (sending.reasons, outcomes(ledger)) == ([], {1: UPDATED, 2: FAILED, 3: UPDATED})


def test_key_refused_during_verification(ledger: SqliteLedger, api: Api, send_rows: SendRows) -> None:
    """A key that is refused during the verification stops the run, and leaves the row failed."""
    stage(ledger, 1)
    api.answer = lambda _: answered({"success": False, "code": 15}, 400)
    api.detail = lambda: answered({"success": False, "code": 10}, 401)
    sending = send_rows()
    assert (sending.reasons, outcomes(ledger)) == ([AccessError], {1: FAILED})
    (line,) = lines_of(ledger.batches())
    assert (line.code, line.http_status, line.api_code, line.attempts) == ("api-stopped", 401, "10", 2)


# ---- errors that stop the run


@pytest.mark.parametrize("code", [10, 20, 30, 40, 96])
def test_refused_key_stops_after_one_request(ledger: SqliteLedger, sandbox: Serve, code: int) -> None:
    """The first row shows that the key or the account is refused: nothing else is sent, and the result contains the reply."""
    stage(ledger, 50)
    served = sandbox()
    served.script["C000001"] = [Behaviour(code=code)]
    sending = send_over_http(ledger, served)
    assert (sending.reasons, sending.requests, served.requests) == ([AccessError], 1, 1)
    assert count(ledger) == {FAILED: 1, PENDING: 49}
    (result,) = sending.results
    assert (result.attempts, result.http_status, result.api_code) == (1, 401 if code == 10 else 403, str(code))
    assert [violation.code for violation in result.violations] == ["api-stopped"]


def test_wrong_key_is_not_shown(ledger: SqliteLedger, sandbox: Serve) -> None:
    """The reason for stopping does not contain the wrong key."""
    stage(ledger, 2)
    sending = send_over_http(ledger, sandbox(key="another"))
    assert [str(reason) for reason in sending.shutdown.reasons] == ["The API refused: the API key is wrong (code 10)."]
    assert KEY not in repr(ContactUpdate(KEY))


@pytest.mark.parametrize("answer", [Behaviour(code=10), Behaviour(status=403, body=b"<h1>Forbidden</h1>")])
def test_key_revoked_during_the_run(ledger: SqliteLedger, sandbox: Serve, answer: Behaviour) -> None:
    """Once the key is refused no further row is sent: attempts in flight are awaited, and the reason is noted once."""
    stage(ledger, 200)
    served = sandbox()
    for number in range(100, 201):
        served.script[f"C{number:06}"] = [answer]
    sending = send_over_http(ledger, served)
    assert sending.reasons == [AccessError]
    assert outcomes(ledger)[99] == UPDATED
    assert served.requests <= 99 + 4
    assert count(ledger)[PENDING] >= 200 - 99 - 4


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_stops_and_is_not_followed(ledger: SqliteLedger, sandbox: Serve, status: int) -> None:
    """A redirect means a wrong base URL: its target receives nothing."""
    stage(ledger, 5)
    elsewhere, served = sandbox(), sandbox()
    served.script["C000001"] = [Behaviour(status=status, headers={"Location": f"{elsewhere.base_url}/contact/update"})]
    sending = send_over_http(ledger, served)
    assert (sending.reasons, served.requests, elsewhere.requests) == ([ConfigError], 1, 0)
    assert elsewhere.base_url.removesuffix("/v1") in str(sending.shutdown.reasons[0])
    assert [(result.outcome, result.http_status, result.api_code) for result in sending.results] == [
        (FAILED, status, str(status))
    ]


def test_dead_proxy_stops_the_run(ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that cannot be used stops the run at the first row, which has no HTTP status."""
    stage(ledger, 5)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    sending = asyncio.run(send_pending(ledger, "https://api.example/v1"))
    assert (sending.reasons, sending.requests) == ([ConfigError], 1)
    assert [(r.outcome, r.attempts, r.http_status, r.api_code) for r in sending.results] == [(FAILED, 1, None, "")]


def test_key_is_in_no_file(ledger: SqliteLedger, sandbox: Serve, tmp_path: Path, no_backoff: None) -> None:
    """Even when the API repeats the key everywhere, no file of the ledger and no result contains it."""
    stage(ledger, 8)
    served = sandbox()
    repeating = {"code": f"E-{KEY}", "message": f"clef {KEY} ?", "apiKey": KEY}
    served.script["C000001"] = [Behaviour(body=json.dumps({"success": False, **repeating}).encode())]
    served.script["C000002"] = [
        Behaviour(body=json.dumps({"success": True, "contact": {"contactId": KEY}, **repeating}).encode())
    ]
    served.script["C000003"] = [Behaviour(alter={"firstname": KEY})]
    served.script["C000004"] = [Behaviour(status=500, body=json.dumps({"success": False, **repeating}).encode())] * 9
    served.script["C000005"] = [Behaviour(status=500, body=KEY.encode(), headers={"Retry-After": KEY})] * 9
    served.script["C000006"] = [Behaviour(body=json.dumps({"success": False, "errors": [{"message": KEY}]}).encode())]
    served.script["C000008"] = [Behaviour(status=302, headers={"Location": f"https://elsewhere.example/{KEY}"})]
    sending = send_over_http(ledger, served, workers=1)
    assert sending.reasons == [ConfigError]
    assert REJECTED in count(ledger)
    assert "*** ?" in next(lines_of(ledger.batches())).message
    texts = [str(reason) for reason in sending.shutdown.reasons] + [repr(result) for result in sending.results]
    texts += [repr(line) for line in lines_of(ledger.batches())]
    assert not [text for text in texts if KEY in text]
    files = list(tmp_path.iterdir())
    assert files
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


# ---- the rate


def test_retry_after_pauses_all_workers(ledger: SqliteLedger, sandbox: Serve) -> None:
    """After a 429 with Retry-After the server gets no request from any worker for that time."""
    stage(ledger, 40)
    served = sandbox()
    served.script["C000010"] = [Behaviour(status=429, headers={"Retry-After": "1"})]
    sending = send_over_http(ledger, served, workers=4, rate=100)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 40})
    throttled = next(call.at for call in served.calls if call.status == 429)
    in_flight = [call.at - throttled for call in served.calls if throttled < call.at < throttled + 1]
    assert all(after < 0.2 for after in in_flight)
    assert len(in_flight) < 4
    assert sum(call.at > throttled for call in served.calls) > 4


def test_rate_counts_retries(ledger: SqliteLedger, api: Api, send_rows: SendRows) -> None:
    """All attempts share the rate, and no more than `workers` are in flight."""
    stage(ledger, 60)
    api.answer = lambda call: broken() if row(call) % 7 == 0 else confirmed(call)
    api.latency = 0.7  # at that rate more than three would be in flight
    sending = send_rows(workers=3, rate=5)
    starts = [call.at for call in api.calls]
    assert max(sum(first <= start < first + 1 for start in starts) for first in starts) == 5
    assert api.most == 3
    assert sending.requests == len(starts) > 60


def test_no_burst_after_the_machine_was_suspended(ledger: SqliteLedger, api: Api, send_rows: SendRows) -> None:
    """After eight hours of suspension the attempts that were in flight are retried at the usual rate, without a burst."""
    stage(ledger, 200)
    asleep = 8 * 3600.0
    woke: list[float] = []

    def answer(call: Call) -> httpx.Response:
        if row(call) == 60 and not woke:
            loop: Any = asyncio.get_running_loop()
            loop.advance(asleep)
            woke.append(api.now)
        elif woke and call.at < woke[0]:
            raise httpx.ReadError("connection reset")
        return confirmed(call)

    api.answer, api.latency = answer, 0.3
    sending = send_rows(workers=8, rate=20)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 200})
    assert 3 <= sending.requests - 200 <= 8
    assert sending.seconds > asleep
    starts = [call.at for call in api.calls]
    assert max(sum(first <= start < first + 1 for start in starts) for first in starts) <= 20


# ---- the ledger


def test_result_is_durable_within_a_fraction_of_a_second(
    ledger: SqliteLedger, api: Api, send_rows: SendRows, tmp_path: Path
) -> None:
    """Another process that opens the ledger sees a result within a fraction of a second."""
    stage(ledger, 100)
    seen: list[tuple[float, int]] = []

    def read_other(_: Result) -> None:
        with sqlite3.connect(tmp_path / "ledger.sqlite3") as other:
            seen.append((asyncio.get_running_loop().time(), other.execute("SELECT count(*) FROM confirmed").fetchone()[0]))
        other.close()

    send_rows(workers=2, rate=10, tick=read_other)
    assert all(durable >= (now - 0.25) * 10 for now, durable in seen)


def test_digests_are_withdrawn_before_an_attempt(ledger: SqliteLedger, api: Api, send_rows: SendRows, tmp_path: Path) -> None:
    """A confirmed, then B unanswered, then A again: A is sent, because the stored value is unknown from before B was sent."""
    stage(ledger, 3)
    send_rows()
    before = [(f"C{number:06}", payload(number)) for number in range(1, 4)]
    assert ledger.compare(before).in_place == [True] * 3
    stage(ledger, 3, "Léa")
    seen = []

    def answer(call: Call) -> httpx.Response:
        with SqliteLedger(tmp_path / "ledger.sqlite3", FINGERPRINTS, read_only=True) as other:
            seen.append(other.compare([before[row(call) - 1]]).in_place)
        return broken(502) if row(call) == 2 else confirmed(call)

    api.answer = answer
    send_rows(workers=1)
    assert [True] not in seen
    assert len(seen) == 3 + 4
    assert ledger.compare(before).in_place == [False] * 3
    assert ledger.compare([(f"C{number:06}", payload(number, "Léa")) for number in range(1, 4)]).in_place == [True, False, True]


def test_unwritable_ledger_stops_the_run(ledger: SqliteLedger, api: Api, send_rows: SendRows) -> None:
    """As soon as results cannot be recorded nothing more is sent, and the run ends with StorageError."""
    stage(ledger, 400)
    sending = Sending()

    def seal(_: Result) -> None:
        ledger.database.connection.execute("PRAGMA query_only = ON")

    with pytest.raises(StorageError, match="cannot be used"):
        send_rows(sending=sending, workers=4, rate=50, tick=seal)
    assert sending.reasons == [StorageError]
    assert sending.seconds < 1
    assert len(api.calls) <= 0.25 * 50 + 4
    ledger.database.connection.execute("PRAGMA query_only = OFF")
    ledger.flush()
    assert count(ledger) == {UPDATED: len(api.calls), PENDING: 400 - len(api.calls)}


def test_one_worker_finds_the_end_of_the_rows(ledger: SqliteLedger, api: Api, send_rows: SendRows) -> None:
    """When no row is left, one worker finds that out for all: in a large ledger the query takes a while."""
    stage(ledger, 20)
    searches: list[str] = []
    ledger.database.connection.set_trace_callback(
        lambda statement: searches.append(statement) if "FROM row WHERE (outcome" in statement else None
    )
    send_rows(workers=8)
    assert len(searches) == 3  # the rows, the end of the rows, and that none failed


def test_unreadable_ledger_stops_the_run(ledger: SqliteLedger, api: Api, send_rows: SendRows) -> None:
    """Rows that cannot be claimed are not sent."""
    stage(ledger, 10)
    ledger.database.connection.execute("PRAGMA query_only = ON")
    sending = send_rows()
    assert (sending.reasons, api.calls) == ([StorageError], [])


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EMFILE, ConfigError),
        (errno.ENFILE, UnavailableError),
        (errno.ENOMEM, UnavailableError),
        (errno.ENOBUFS, UnavailableError),
    ],
)
def test_nothing_left_for_a_connection(
    ledger: SqliteLedger, sandbox: Serve, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[ContactSyncError]
) -> None:
    """When the system has no file or memory left for a connection, the run stops with its reason, and no row has failed."""

    async def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    stage(ledger, 20)
    monkeypatch.setattr("aiohappyeyeballs.start_connection", fail)
    served = sandbox()
    sending = send_over_http(ledger, served)
    assert (sending.reasons, sending.results, count(ledger)) == ([kind], [], {PENDING: 20})
    monkeypatch.undo()
    send_over_http(ledger, served)
    assert count(ledger) == {UPDATED: 20}
