"""The sending stage: against the sandbox over real HTTP, and where time matters against a made-up API in virtual time."""

import asyncio
import json
import random
import signal
import sqlite3
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

import httpx
import pytest

from contact_sync.api.client import Client
from contact_sync.api.smspartner.contact_update import ContactUpdate
from contact_sync.errors import (
    AccessError,
    ConfigError,
    ContactSyncError,
    Interrupted,
    StorageError,
    UnavailableError,
)
from contact_sync.ledger import Ledger
from contact_sync.ledger.digests import Fingerprints
from contact_sync.ledger.sqlite import SqliteLedger
from contact_sync.model import FIELDS, Block, Outcome, Result, Staged, lines_of
from contact_sync.sandbox.faults import Behaviour
from contact_sync.sandbox.server import Call, Sandbox
from contact_sync.sync import breaker
from contact_sync.sync.delivery import LONGEST_PAUSE
from contact_sync.sync.send import CANARIES, Pool, SendLimits
from contact_sync.sync.shutdown import Shutdown, Stopped
from tests.setups import begin_run

Serve = Callable[..., Sandbox]
Run = Callable[[Coroutine[Any, Any, Any]], Any]

KEY = "0123456789abcdef0123456789abcdef01234567"
FINGERPRINTS = Fingerprints(bytes(32))

UPDATED, FAILED, REJECTED, ALTERED = Outcome.UPDATED, Outcome.FAILED, Outcome.REJECTED, Outcome.ALTERED
PENDING = ""


# ---- a ledger with rows in it, and a night's sending


def payload(number: int, name: str = "Zoé") -> tuple[str | None, ...]:
    """What is to be sent for the contact of row `number`: a phone number, a name, and an emptied field."""
    values = {"phoneNumber": f"+3360000{number:04}", "firstname": name, "custom4": ""}
    return tuple(values.get(name) for name in FIELDS)


def stage(ledger: Ledger, rows: int, name: str = "Zoé") -> None:
    """Begin a run of so many pending rows, numbered from 1, each for the contact with its number: C000001."""
    begin_run(ledger, f"run of {name}", keep=name == "Zoé")
    if rows:
        ids = {number: f"C{number:06}" for number in range(1, rows + 1)}
        pending = [Staged(number, contact_id, payload(number, name), None) for number, contact_id in ids.items()]
        ledger.stage(Block([*ids], [*ids.values()], [[each] for each in ids.values()], Outcome.UNCHANGED, pending))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    """A ledger in a file of its own."""
    with SqliteLedger(tmp_path / "ledger.sqlite3", FINGERPRINTS) as opened:
        yield opened


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backoff is drawn at random from 0 up: always draw 0."""
    monkeypatch.setattr(random, "uniform", lambda low, _: low)


@dataclass
class Sending:
    """What came of sending."""

    results: list[Result] = field(default_factory=list)
    shutdown: Shutdown = field(default_factory=Shutdown)
    requests: int = 0
    seconds: float = 0.0

    @property
    def reasons(self) -> list[type[ContactSyncError]]:
        """Why it ended early."""
        return [type(reason) for reason in self.shutdown.reasons]


async def work(
    ledger: Ledger,
    base_url: str,
    *,
    sending: Sending | None = None,
    key: str = KEY,
    workers: int = 4,
    attempts: int = 4,
    limit: int | None = None,
    seconds: float | None = None,
    rate: float = 0,
    deadline: float = 5,
    tick: Callable[[Result], None] = lambda _: None,
) -> Sending:
    """Send what is pending."""
    sending = sending or Sending()
    noted = sending.results
    clock = asyncio.get_running_loop().time
    began = clock()

    def note(result: Result) -> None:
        noted.append(result)
        tick(result)

    client = Client(base_url, rate=rate, connections=workers, timeout=deadline, clock=clock, sleep=sending.shutdown.sleep)
    try:
        async with client:
            limits = SendLimits(workers, attempts, limit, seconds)
            await Pool(ledger, client, ContactUpdate(key), limits, sending.shutdown, tick=note).send()
    finally:
        sending.requests, sending.seconds = client.limiter.acquired, clock() - began
    return sending


def go(ledger: Ledger, to: Sandbox, **options: Any) -> Sending:
    """Send what is pending to a sandbox."""
    return asyncio.run(work(ledger, to.base_url, **options))


def outcomes(ledger: Ledger) -> dict[int, str]:
    """Row → its outcome; empty while it is pending."""
    return {line.number: line.outcome for line in lines_of(ledger.batches())}


def count(ledger: Ledger) -> Counter[str]:
    """How many rows have each outcome."""
    return Counter(outcomes(ledger).values())


def sent_to(to: Sandbox) -> Counter[int]:
    """Row → how often it was sent."""
    return Counter(int(call.contact_id[1:]) for call in to.calls)


# ---- outcomes, over real HTTP


def test_all_is_well(ledger: Ledger, sandbox: Serve) -> None:
    """Every row is sent once and stands in the store; what the API said is in the result."""
    stage(ledger, 20)
    served = sandbox(key=KEY)
    sending = go(ledger, served)
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


def test_an_error_that_passes(ledger: Ledger, sandbox: Serve, no_backoff: None) -> None:
    """A row that meets HTTP 500 once is sent again, and is as well as the others."""
    stage(ledger, 10)
    served = sandbox()
    served.script["C000001"] = [Behaviour(status=500)]
    served.script["C000006"] = [Behaviour(status=503, body=b"<h1>Maintenance</h1>")]
    sending = go(ledger, served)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 10})
    assert {row: times for row, times in sent_to(served).items() if times > 1} == {1: 2, 6: 2}
    assert ledger.attempts() == (12, 2)


def test_an_error_that_stays(ledger: Ledger, sandbox: Serve, no_backoff: None) -> None:
    """A row that meets HTTP 500 always is given up after its attempts and one more at the end; the others are updated."""
    stage(ledger, 10)
    served = sandbox()
    served.script["C000006"] = [Behaviour(status=500)] * 9
    sending = go(ledger, served)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 9, FAILED: 1})
    assert sent_to(served)[6] == 5
    assert [result.attempts for result in sending.results if result.row.number == 6] == [4, 5]
    line = list(lines_of(ledger.batches()))[5]
    assert (line.outcome, line.code, line.attempts, line.http_status, line.api_code) == (FAILED, "api-error", 5, 500, "500")
    assert line.message == "The API failed (HTTP 500): the next run sends the row again."
    assert ledger.attempts() == (14, 4)


def test_the_second_pass(ledger: Ledger, sandbox: Serve, no_backoff: None) -> None:
    """A row that all attempts failed is sent once more after all others, and that may be what it takes."""
    stage(ledger, 10)
    served = sandbox()
    served.script["C000002"] = [Behaviour(status=500)] * 2
    sending = go(ledger, served, attempts=2)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 10})
    assert served.calls[-1].contact_id == "C000002"
    assert [(result.outcome, result.attempts) for result in sending.results if result.row.number == 2] == [
        (FAILED, 2),
        (UPDATED, 3),
    ]


def test_an_unanswered_attempt_is_sent_again(ledger: Ledger, sandbox: Serve, no_backoff: None) -> None:
    """An update that is applied while its answer is lost is sent once more, to the same end."""
    stage(ledger, 6)
    served = sandbox()
    served.script["C000001"] = [Behaviour(drop=True, applied=True)]
    served.script["C000004"] = [Behaviour(drop=True)]
    sending = go(ledger, served)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 6})
    repeated = [call for call in served.calls if call.contact_id == "C000001"]
    assert [call.applied for call in repeated] == [True, True]
    assert repeated[0].contact == repeated[1].contact
    assert sent_to(served)[4] == 2


def test_a_number_taken_by_an_attempt_before(ledger: Ledger, sandbox: Serve, no_backoff: None) -> None:
    """A number that is taken after an attempt without an answer is asked for: held by the contact itself, the row is updated."""
    stage(ledger, 5)
    served = sandbox(key=KEY)
    served.script["C000002"] = [Behaviour(drop=True, applied=True), Behaviour(code=15)]
    sending = go(ledger, served)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 5})
    (result,) = [result for result in sending.results if result.row.number == 2]
    assert (result.attempts, result.violations, sending.requests) == (3, [], 7)


def test_a_number_taken_by_somebody_else(ledger: Ledger, sandbox: Serve, no_backoff: None) -> None:
    """A number that is taken is refused where the contact itself does not hold what was sent."""
    stage(ledger, 5)
    served = sandbox()
    served.script["C000002"] = [Behaviour(drop=True), Behaviour(code=15)]
    served.script["C000003"] = [Behaviour(code=15)]
    sending = go(ledger, served)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 3, REJECTED: 2})
    assert {result.row.number: result.attempts for result in sending.results} == {1: 1, 2: 3, 3: 2, 4: 1, 5: 1}


def test_an_attempt_that_takes_too_long_is_sent_again(ledger: Ledger, sandbox: Serve, no_backoff: None) -> None:
    """An answer that comes after the deadline counts as lost, though the update is applied late."""
    stage(ledger, 3)
    served = sandbox()
    served.script["C000003"] = [Behaviour(delay=5)]
    assert go(ledger, served, deadline=2).reasons == []
    assert count(ledger) == {UPDATED: 3}
    assert sent_to(served)[3] == 2


def test_refused_and_altered_rows(ledger: Ledger, sandbox: Serve) -> None:
    """A refused row is settled without another attempt, an altered one confirms nothing, and both are told from the rest."""
    stage(ledger, 5)
    served = sandbox()
    served.script["C000002"] = [Behaviour(code=404)]
    served.script["C000003"] = [Behaviour(code=15)]
    served.script["C000004"] = [Behaviour(alter={"firstname": "Zo"})]
    sending = go(ledger, served)
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
def test_what_is_no_answer_never_updates(ledger: Ledger, sandbox: Serve, no_backoff: None, body: bytes) -> None:
    """HTTP 200 without the API's own yes is tried again and ends failed."""
    stage(ledger, 2)
    served = sandbox()
    served.script["C000002"] = [Behaviour(body=body)] * 9
    sending = go(ledger, served)
    assert (sending.reasons, outcomes(ledger)) == ([], {1: UPDATED, 2: FAILED})
    assert [line.code for line in lines_of(ledger.batches())] == ["", "api-garbled"]
    assert ledger.compare([("C000002", payload(2))]).in_place == [False]


def test_nothing_pending(ledger: Ledger, sandbox: Serve) -> None:
    """Without a pending row nothing is asked."""
    stage(ledger, 0)
    served = sandbox()
    sending = go(ledger, served)
    assert (sending.reasons, sending.requests, served.requests) == ([], 0, 0)


def test_more_rows_than_are_fetched_together(ledger: Ledger, sandbox: Serve) -> None:
    """Rows come out of the ledger in groups; none is lost or sent twice between two of them."""
    stage(ledger, 1203)
    served = sandbox(open_store=True)
    sending = go(ledger, served, workers=16)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 1203})
    assert set(sent_to(served).values()) == {1}
    assert len(served.calls) == 1203


def test_the_limit(ledger: Ledger, sandbox: Serve, no_backoff: None) -> None:
    """At most so many rows are sent, the first of the source, however many attempts they take; the others stay pending."""
    stage(ledger, 10)
    served = sandbox()
    served.script["C000003"] = [Behaviour(status=500)] * 9
    sending = go(ledger, served, limit=4)
    assert sending.reasons == []
    assert outcomes(ledger) == {1: UPDATED, 2: UPDATED, 3: FAILED, 4: UPDATED} | dict.fromkeys(range(5, 11), PENDING)
    assert sent_to(served) == {1: 1, 2: 1, 3: 5, 4: 1}


# ---- the run is to stop, over real HTTP


@pytest.mark.parametrize("code", [10, 20, 30, 40, 96])
def test_a_refused_key_stops_after_one_request(ledger: Ledger, sandbox: Serve, code: int) -> None:
    """The first row finds out that the key or the account is refused; nothing else is sent, and the result says what came."""
    stage(ledger, 50)
    served = sandbox()
    served.script["C000001"] = [Behaviour(code=code)]
    sending = go(ledger, served)
    assert (sending.reasons, sending.requests, served.requests) == ([AccessError], 1, 1)
    assert count(ledger) == {FAILED: 1, PENDING: 49}
    (result,) = sending.results
    assert (result.attempts, result.http_status, result.api_code) == (1, 401 if code == 10 else 403, str(code))
    assert [violation.code for violation in result.violations] == ["api-stopped"]


def test_a_wrong_key_is_not_shown(ledger: Ledger, sandbox: Serve) -> None:
    """What the run says of a wrong key does not hold it."""
    stage(ledger, 2)
    sending = go(ledger, sandbox(key="another"))
    assert [str(reason) for reason in sending.shutdown.reasons] == ["The API refused: the API key is wrong (code 10)."]
    assert KEY not in repr(ContactUpdate(KEY))


@pytest.mark.parametrize("answer", [Behaviour(code=10), Behaviour(status=403, body=b"<h1>Forbidden</h1>")])
def test_a_key_that_is_revoked_on_the_way(ledger: Ledger, sandbox: Serve, answer: Behaviour) -> None:
    """Once the key is refused, no row is taken any more: what is in flight comes back, and the reason is given once."""
    stage(ledger, 200)
    served = sandbox()
    for number in range(100, 201):
        served.script[f"C{number:06}"] = [answer]
    sending = go(ledger, served)
    assert sending.reasons == [AccessError]
    assert outcomes(ledger)[99] == UPDATED
    assert served.requests <= 99 + 4
    assert count(ledger)[PENDING] >= 200 - 99 - 4


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_stops_and_is_not_followed(ledger: Ledger, sandbox: Serve, status: int) -> None:
    """A redirect is a wrong base URL: the target receives nothing."""
    stage(ledger, 5)
    elsewhere, served = sandbox(), sandbox()
    served.script["C000001"] = [Behaviour(status=status, headers={"Location": f"{elsewhere.base_url}/contact/update"})]
    sending = go(ledger, served)
    assert (sending.reasons, served.requests, elsewhere.requests) == ([ConfigError], 1, 0)
    assert elsewhere.base_url in str(sending.shutdown.reasons[0])
    assert [(result.outcome, result.http_status, result.api_code) for result in sending.results] == [
        (FAILED, status, str(status))
    ]


def test_a_dead_proxy_stops_the_run(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has to be mended on this machine first stops the run at the first row, which has no HTTP status to show."""
    stage(ledger, 5)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    sending = asyncio.run(work(ledger, "https://api.example/v1"))
    assert (sending.reasons, sending.requests) == ([ConfigError], 1)
    assert [(r.outcome, r.attempts, r.http_status, r.api_code) for r in sending.results] == [(FAILED, 1, None, "")]


def test_retry_after_silences_all_workers(ledger: Ledger, sandbox: Serve) -> None:
    """After a 429 with Retry-After the server hears nothing from any worker for so long."""
    stage(ledger, 40)
    served = sandbox()
    served.script["C000010"] = [Behaviour(status=429, headers={"Retry-After": "1"})]
    sending = go(ledger, served, workers=4, rate=100)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 40})
    throttled = next(call.at for call in served.calls if call.status == 429)
    in_flight = [call.at - throttled for call in served.calls if throttled < call.at < throttled + 1]
    assert all(after < 0.2 for after in in_flight)
    assert len(in_flight) < 4
    assert sum(call.at > throttled for call in served.calls) > 4


def test_the_key_is_in_no_file(ledger: Ledger, sandbox: Serve, tmp_path: Path, no_backoff: None) -> None:
    """Though the API repeats the key wherever it can, no file of the ledger and no result holds it."""
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
    sending = go(ledger, served, workers=1)
    assert sending.reasons == [ConfigError]
    assert REJECTED in count(ledger)
    assert "*** ?" in next(lines_of(ledger.batches())).message
    told = [str(reason) for reason in sending.shutdown.reasons] + [repr(result) for result in sending.results]
    told += [repr(line) for line in lines_of(ledger.batches())]
    assert not [text for text in told if KEY in text]
    files = list(tmp_path.iterdir())
    assert files
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


# ---- a made-up API, in virtual time


Answer = Callable[["Api", Call], "httpx.Response | Awaitable[httpx.Response]"]


def answered(document: Any, status: int = 200, **headers: str) -> httpx.Response:
    """An answer with a JSON document."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=named, stream=httpx.ByteStream(json.dumps(document).encode()))


def confirmed(call: Call) -> httpx.Response:
    """The documented success."""
    return answered({"success": True, "code": 200, "contact": call.contact | {"contactId": call.contact_id}})


def broken(status: int = 500) -> httpx.Response:
    """An error that the API does not put into its own words."""
    return answered("<h1>Oops</h1>", status)


class Api(httpx.AsyncBaseTransport):
    """In place of the network: answers each update as `answer` says, `latency` seconds after it came in."""

    def __init__(self) -> None:
        self.answer: Callable[[Call], httpx.Response] = confirmed
        self.detail: Callable[[], httpx.Response] = broken
        self.latency = 0.01
        self.calls: list[Call] = []
        self.open = self.most = 0

    @property
    def now(self) -> float:
        """The virtual time."""
        return asyncio.get_running_loop().time()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Note the update, and answer it; a question for a contact gets `detail`."""
        if request.method == "GET":
            return self.detail()
        body = json.loads(request.content)
        assert body["apiKey"] == KEY
        call = Call(self.now, body["contactId"], body["contact"], key_accepted=True)
        self.calls.append(call)
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            await asyncio.sleep(self.latency)
            return self.answer(call)
        finally:
            self.open -= 1


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    """A made-up API, which every client reaches."""
    made_up = Api()
    monkeypatch.setattr("contact_sync.api.client.Transport", lambda *_: made_up)
    return made_up


URL = "http://127.0.0.1/v1"


@pytest.fixture
def night_of(ledger: Ledger, api: Api, in_virtual_time: Run) -> Callable[..., Sending]:
    """A function that sends what is pending to the made-up API."""

    def perform(**options: Any) -> Sending:
        sending: Sending = in_virtual_time(work(ledger, URL, **options))
        return sending

    return perform


Perform = Callable[..., Sending]


def row(call: Call) -> int:
    """The number of the row that was sent."""
    return int(call.contact_id[1:])


def within_budget(sending: Sending, rows: int) -> bool:
    """Whether retries are at most a tenth of the requests and 50 more."""
    return sending.requests - rows <= 50 + 0.1 * sending.requests


# the canary


def test_the_canary_is_alone(ledger: Ledger, api: Api, night_of: Perform) -> None:
    """No second request leaves before the first was answered in the API's own words; then all workers go."""
    stage(ledger, 30)
    api.latency = 1.0
    sending = night_of(workers=8)
    assert count(ledger) == {UPDATED: 30}
    assert [call.at for call in api.calls[:2]] == [0.0, 1.0]
    assert api.most == 8
    assert sending.seconds == pytest.approx(1 + 4)


def test_the_canarys_retries_are_alone_too(ledger: Ledger, api: Api, night_of: Perform) -> None:
    """While nothing comes back in the API's own words, rows and their attempts go one at a time."""
    stage(ledger, 30)
    api.latency = 1.0
    api.answer = lambda call: broken() if row(call) < 3 else confirmed(call)
    night_of(workers=8, attempts=3)
    alone = api.calls[:7]
    assert [row(call) for call in alone] == [1, 1, 1, 2, 2, 2, 3]
    assert all(later.at - earlier.at > 0.999 for earlier, later in pairwise(api.calls[:8]))
    assert count(ledger) == {UPDATED: 28, FAILED: 2}


@pytest.mark.parametrize(
    ("document", "status"),
    [({"success": False, "code": 404}, 404), ({"success": False, "code": 500}, 500), ({"success": True}, 200)],
)
def test_any_word_of_the_api_is_proof(ledger: Ledger, api: Api, night_of: Perform, document: dict[str, Any], status: int) -> None:
    """A refusal, an error in the API's own words or an odd success of the first row prove that it is the API."""
    stage(ledger, 30)
    api.latency = 1.0
    api.answer = lambda call: answered(document, status) if row(call) == 1 else confirmed(call)
    night_of(workers=8)
    assert len({call.at for call in api.calls if 2 <= row(call) <= 9}) == 1


# an API that is down


def down(until: float, since: float = 0.0) -> Callable[[Api], Callable[[Call], httpx.Response]]:
    """Answers of an API that is down for a while."""
    return lambda api: lambda call: broken(503) if since <= api.now < until else confirmed(call)


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 6, 20, 700])
@pytest.mark.parametrize("refused", [False, True])
def test_an_api_that_stays_down(ledger: Ledger, api: Api, night_of: Perform, rows: int, refused: bool) -> None:
    """A dead API ends the run within a minute, after probing, with most rows left for the next run."""
    stage(ledger, rows)
    if refused:
        api.answer = lambda _: (_ for _ in ()).throw(ConnectionRefusedError())
    else:
        api.answer = lambda _: broken()
    sending = night_of(workers=8)
    assert sending.reasons == [UnavailableError]
    assert "check --base-url" in str(sending.shutdown.reasons[0])
    assert UPDATED not in count(ledger)
    assert breaker.PAUSE <= sending.seconds <= 60
    assert within_budget(sending, min(rows, count(ledger)[FAILED]))
    assert sending.requests <= 20 + 50
    assert len(api.calls) == sending.requests == ledger.attempts()[0]
    if rows >= 20:
        assert sending.seconds >= breaker.PROBE_TIMEOUT_S
        assert count(ledger)[PENDING] >= rows - 20


@pytest.mark.parametrize("rows", [20, 40, 700])
def test_an_api_that_comes_up_late(ledger: Ledger, api: Api, night_of: Perform, rows: int) -> None:
    """Down for the first 30 seconds, and nothing is lost: what failed is sent again at the end."""
    stage(ledger, rows)
    api.answer = down(30.0)(api)
    sending = night_of(workers=8)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: rows})
    assert within_budget(sending, rows)
    assert sending.seconds < 30 + 2 * breaker.PAUSE  # once a probe succeeds nobody waits for another


@pytest.mark.parametrize("outage", [1.0, 10.0, 40.0])
def test_an_api_that_goes_down_on_the_way(ledger: Ledger, api: Api, night_of: Perform, outage: float) -> None:
    """An outage is waited for, with few requests in it, and nothing is lost."""
    stage(ledger, 700)
    api.answer = down(5.0 + outage, since=5.0)(api)
    sending = night_of(workers=8, rate=50)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 700})
    assert sum(5.0 < call.at < 5.0 + outage for call in api.calls) <= 20 + 50 + outage / breaker.PAUSE


def test_probes_come_one_at_a_time(ledger: Ledger, api: Api, night_of: Perform) -> None:
    """Once the breaker is open, one request at a time goes out, with a pause before each."""
    stage(ledger, 700)
    api.answer = down(1e9, since=2.0)(api)
    sending = night_of(workers=8, rate=50)
    assert sending.reasons == [UnavailableError]
    probes = [call.at for call in api.calls if call.at > 7.0]
    assert 8 <= len(probes) <= 10
    assert min(later - earlier for earlier, later in pairwise(probes)) >= breaker.PAUSE


def test_an_api_that_never_answers(ledger: Ledger, api: Api, night_of: Perform) -> None:
    """Attempts that run into the deadline count like any other failure."""
    stage(ledger, 700)
    api.answer = confirmed
    api.latency = 1e6
    sending = night_of(workers=8, deadline=1.0)
    assert sending.reasons == [UnavailableError]
    assert sending.seconds < 20 + 10 + breaker.PROBE_TIMEOUT_S + 2 * breaker.PAUSE
    assert {line.code for line in lines_of(ledger.batches()) if line.outcome == FAILED} == {"api-no-answer"}


def test_canaries_that_speak_no_json_count_as_an_api_that_is_down(ledger: Ledger, api: Api, night_of: Perform) -> None:
    """Five rows without a word of the API are enough, even at one attempt each."""
    stage(ledger, 40)
    api.answer = lambda _: answered("<h1>Hotel Wi-Fi: log in</h1>")
    sending = night_of(workers=8, attempts=1)
    assert sending.reasons == [UnavailableError]
    early = [call for call in api.calls if call.at < breaker.PAUSE]
    assert len(early) == CANARIES
    assert {line.code for line in lines_of(ledger.batches()) if line.outcome == FAILED} == {"api-garbled"}


# rows that the API cannot swallow


@pytest.mark.parametrize("answer", [broken, lambda: answered({"success": False, "code": 500}, 500)])
def test_many_bad_rows_do_not_make_an_api_that_is_down(
    ledger: Ledger, api: Api, night_of: Perform, answer: Callable[[], httpx.Response]
) -> None:
    """The second pass meets the bad rows alone: when too many fail in a row it ends, and they stay failed."""
    stage(ledger, 600)
    api.answer = lambda call: answer() if row(call) % 20 == 0 else confirmed(call)
    sending = night_of(workers=8, attempts=1)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 570, FAILED: 30})
    assert 600 + 20 <= sending.requests <= 600 + 30
    assert sending.seconds < breaker.PAUSE


def test_bad_rows_side_by_side_do_not_end_the_run(ledger: Ledger, api: Api, night_of: Perform) -> None:
    """A bad row for every worker opens the breaker; other rows then ask whether the API is well, and it is."""
    stage(ledger, 100)
    api.answer = lambda call: broken() if 40 < row(call) <= 48 else confirmed(call)
    sending = night_of(workers=8)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 92, FAILED: 8})


def test_an_api_that_is_down_at_the_end(ledger: Ledger, api: Api, night_of: Perform) -> None:
    """An API that was down when the first pass ended is probed in the second, and if it does not come back the run says so."""
    stage(ledger, 100)
    api.answer = lambda call: confirmed(call) if row(call) <= 70 else broken()
    sending = night_of(workers=8)
    assert sending.reasons == [UnavailableError]
    assert "The API is down" in str(sending.shutdown.reasons[0])
    assert count(ledger)[UPDATED] == 70


def test_an_api_that_comes_back_at_the_end(ledger: Ledger, api: Api, night_of: Perform, no_backoff: None) -> None:
    """And if it comes back in the second pass, it is well from then on."""
    stage(ledger, 4)
    api.answer = down(7.0)(api)
    sending = night_of(workers=8)
    assert sending.reasons == []
    assert count(ledger) == {UPDATED: 3, FAILED: 1}


# the budget of retries


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
@pytest.mark.parametrize("seed", range(3))
def test_retries_stay_within_their_budget(
    *, ledger: Ledger, api: Api, night_of: Perform, no_backoff: None, share: float, seed: int
) -> None:
    """Whatever part of the attempts fails, repetitions are at most a tenth of the requests and 50; at a tenth no row is lost."""
    stage(ledger, 1000)
    chance = random.Random(seed)
    api.answer = lambda call: broken(503) if chance.random() < share else confirmed(call)
    sending = night_of(workers=8)
    assert sending.reasons == []
    assert within_budget(sending, 1000)
    assert ledger.attempts() == (sending.requests, sending.requests - 1000)
    if share == 0.1:
        assert count(ledger) == {UPDATED: 1000}
    else:
        assert sending.requests - 1000 >= 45 + 0.1 * sending.requests


# throttling


def test_a_hold_silences_everybody(ledger: Ledger, api: Api, night_of: Perform) -> None:
    """Between a 429 and the end of its Retry-After no request leaves, from whatever worker."""
    stage(ledger, 100)

    def answer(call: Call) -> httpx.Response:
        if row(call) == 50 and sum(row(other) == 50 for other in api.calls) == 1:
            silences.append(api.now)
            return answered({"success": False, "code": 429}, 429, retry_after="20")
        return confirmed(call)

    silences: list[float] = []
    api.answer = answer
    sending = night_of(workers=8, rate=50)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 100})
    (since,) = silences
    assert not [call for call in api.calls if since < call.at < since + 20]
    assert [call for call in api.calls if call.at >= since + 20]


@pytest.mark.parametrize("asked", ["301", "3600000", "9" * 30])
def test_a_hold_that_is_too_long(ledger: Ledger, api: Api, night_of: Perform, asked: str) -> None:
    """An API that asks for more than five minutes is not waited for."""
    stage(ledger, 100)
    api.answer = lambda call: confirmed(call) if row(call) < 50 else answered({"success": False}, 429, retry_after=asked)
    sending = night_of(workers=8)
    assert sending.reasons == [UnavailableError]
    assert "asks to wait another" in str(sending.shutdown.reasons[0])
    assert sending.seconds < 10
    assert count(ledger)[PENDING] >= 100 - 49 - 8
    assert {result.http_status for result in sending.results if result.outcome is FAILED} == {429}


def test_a_hold_that_is_just_short_enough(ledger: Ledger, api: Api, night_of: Perform) -> None:
    """Five minutes are waited for, once, for all who were told so."""
    stage(ledger, 100)
    api.answer = lambda call: (
        confirmed(call) if api.now > 100 else answered({"success": False}, 503, retry_after=f"{LONGEST_PAUSE:.0f}")
    )
    sending = night_of(workers=8)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 100})
    assert 300 <= sending.seconds < 310


def test_holds_with_answers_between_them(ledger: Ledger, api: Api, night_of: Perform) -> None:
    """An API that throttles again and again but answers in between is waited for, however long that takes together."""
    stage(ledger, 100)
    throttled: set[int] = set()

    def answer(call: Call) -> httpx.Response:
        if row(call) % 20 or row(call) in throttled:
            return confirmed(call)
        throttled.add(row(call))
        return answered({"success": False, "code": 429}, 429, retry_after="200")

    api.answer = answer
    sending = night_of(workers=2)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 100})
    assert sending.seconds > 3 * LONGEST_PAUSE


@pytest.mark.parametrize("asked", ["0", "1", "2", "60", "300", "soon", "-1"])
def test_an_api_that_throttles_for_ever(ledger: Ledger, api: Api, night_of: Perform, asked: str) -> None:
    """However long it asks to wait each time, an API that only throttles ends the run within minutes."""
    stage(ledger, 700)
    api.answer = lambda _: answered({"success": False, "code": 429}, 429, retry_after=asked)
    sending = night_of(workers=8, rate=5)
    assert sending.reasons == [UnavailableError]
    assert sending.seconds < 2 * LONGEST_PAUSE + 60
    assert count(ledger)[PENDING] > 600


# orders to stop


def at(seconds: float, act: Callable[[], None]) -> Callable[[Result], None]:
    """A tick that, at the first result, has `act` done so many seconds later."""
    pending = [act]

    def tick(_: Result) -> None:
        if pending:
            asyncio.get_running_loop().call_later(seconds, pending.pop())

    return tick


def test_a_stop_wakes_those_in_backoff(ledger: Ledger, api: Api, night_of: Perform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sleeps before another attempt is woken; the row ends failed with what its last attempt met."""
    stage(ledger, 100)
    monkeypatch.setattr(random, "uniform", lambda _low, _high: 1000.0)
    api.answer = lambda call: confirmed(call) if row(call) == 1 else broken(502)
    sending = Sending()
    night_of(sending=sending, workers=8, tick=at(2.0, lambda: sending.shutdown.request(Interrupted(15))))
    assert sending.reasons == [Interrupted]
    assert sending.seconds == pytest.approx(2.0 + api.latency)
    assert count(ledger) == {UPDATED: 1, FAILED: 8, PENDING: 91}
    assert {(r.attempts, r.http_status) for r in sending.results if r.outcome is FAILED} == {(1, 502)}


def test_a_stop_with_many_rows_queued(ledger: Ledger, api: Api, night_of: Perform) -> None:
    """After the order what is in flight is awaited and recorded; whoever waits for the pace is sent away, its row pending."""
    stage(ledger, 600)
    api.latency = 3.0
    sending = Sending()
    night_of(sending=sending, workers=8, rate=2, tick=at(5.25, lambda: sending.shutdown.request(Interrupted(15))))
    ordered = 3.0 + 5.25
    assert sending.reasons == [Interrupted]
    assert [call for call in api.calls if call.at > ordered] == []
    assert ordered < sending.seconds <= ordered + api.latency
    assert count(ledger) == {UPDATED: len(api.calls), PENDING: 600 - len(api.calls)}
    assert ledger.attempts() == (len(api.calls), 0)
    assert sending.requests == len(api.calls)


def test_a_stop_while_a_hold_lasts(ledger: Ledger, api: Api, night_of: Perform) -> None:
    """A hold does not delay the end, and an attempt that was still waiting for it was none."""
    stage(ledger, 100)
    api.answer = lambda call: confirmed(call) if row(call) < 9 else answered({"success": False}, 429, retry_after="200")
    sending = Sending()
    night_of(sending=sending, workers=8, tick=at(10, lambda: sending.shutdown.request(Interrupted(2))))
    assert sending.reasons == [Interrupted]
    assert sending.seconds < 11
    assert PENDING in count(ledger)
    assert ledger.attempts()[0] == len(api.calls)


def test_a_stop_while_the_api_is_down(ledger: Ledger, api: Api, night_of: Perform) -> None:
    """Those who wait for their turn to probe send nothing, though the probe before theirs succeeds."""
    stage(ledger, 100)
    api.latency = 1.0
    sending = Sending()

    def answer(call: Call) -> httpx.Response:
        if api.now < 20:
            return confirmed(call) if row(call) < 20 else broken()
        sending.shutdown.request(Interrupted(15))
        return confirmed(call)

    api.answer = answer
    night_of(sending=sending, workers=8)
    assert sending.reasons == [Interrupted]
    assert len([call for call in api.calls if call.at > 19]) == 1


def test_a_stop_before_the_start(ledger: Ledger, api: Api, night_of: Perform) -> None:
    """A run that was told to stop sends nothing, forgets nothing, and has no other reason than the one given."""
    stage(ledger, 10)
    night_of()
    api.calls.clear()
    stage(ledger, 10, "Léa")
    sending = Sending()
    sending.shutdown.request(Interrupted(15))
    night_of(sending=sending)
    assert (sending.reasons, api.calls, count(ledger)) == ([Interrupted], [], {PENDING: 10})
    assert ledger.compare([(f"C{number:06}", payload(number)) for number in range(1, 11)]).in_place == [True] * 10


def test_a_stop_during_the_canary(ledger: Ledger, api: Api, night_of: Perform) -> None:
    """A stop while the first rows fail does not make the API look down."""
    stage(ledger, 10)
    api.answer = lambda _: broken()
    sending = Sending()
    night_of(sending=sending, attempts=1, tick=at(0, lambda: sending.shutdown.request(Interrupted(15))))
    assert sending.reasons == [Interrupted]
    assert len(api.calls) <= 2


@pytest.mark.parametrize("seconds", [10.0, 1e9])
def test_the_time_budget(ledger: Ledger, api: Api, night_of: Perform, seconds: float) -> None:
    """When the time is used up, what is in flight is awaited and the rest stays pending."""
    stage(ledger, 100)
    sending = night_of(workers=8, rate=5, seconds=seconds)
    if seconds > 100:
        assert (sending.reasons, count(ledger)) == ([], {UPDATED: 100})
        return
    assert sending.reasons == [UnavailableError]
    assert "--max-duration" in str(sending.shutdown.reasons[0])
    assert sending.seconds == pytest.approx(seconds, abs=0.1)
    assert 48 <= count(ledger)[UPDATED] <= 52
    assert count(ledger)[UPDATED] + count(ledger)[PENDING] == 100


def test_a_short_time_budget(ledger: Ledger, api: Api, night_of: Perform) -> None:
    """Also less than a second is used."""
    stage(ledger, 100)
    sending = night_of(rate=5, seconds=0.9)
    assert sending.reasons == [UnavailableError]
    assert 4 <= count(ledger)[UPDATED] <= 5


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_a_time_budget_that_is_used_up_already(ledger: Ledger, api: Api, night_of: Perform, seconds: float) -> None:
    """When loading took all the time there is, nothing is sent."""
    stage(ledger, 10)
    sending = night_of(seconds=seconds)
    assert (sending.reasons, api.calls, count(ledger)) == ([UnavailableError], [], {PENDING: 10})


def test_a_cancelled_run(ledger: Ledger, api: Api, in_virtual_time: Run) -> None:
    """Cancelling takes no new row, ends at once, and keeps what was confirmed."""
    stage(ledger, 100)
    sending = Sending()

    async def cancelled() -> None:
        working = asyncio.create_task(work(ledger, URL, sending=sending, workers=8, rate=10))
        await asyncio.sleep(3.005)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        assert len(asyncio.all_tasks()) <= 2  # this one, and the flusher that is about to end
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    in_virtual_time(cancelled())
    assert sending.seconds == pytest.approx(3.005)
    assert sending.reasons == []
    assert count(ledger) == {UPDATED: len(sending.results), PENDING: 100 - len(sending.results)}
    assert len(sending.results) >= 25


# the pace


def test_retries_are_paced_too(ledger: Ledger, api: Api, night_of: Perform) -> None:
    """All attempts share the rate, and no more workers than asked for are at it."""
    stage(ledger, 60)
    api.answer = lambda call: broken() if row(call) % 7 == 0 else confirmed(call)
    api.latency = 0.7  # at that rate more than three would be in flight
    sending = night_of(workers=3, rate=5)
    starts = [call.at for call in api.calls]
    assert max(sum(first <= start < first + 1 for start in starts) for first in starts) == 5
    assert api.most == 3
    assert sending.requests == len(starts) > 60


def test_a_machine_that_was_asleep(ledger: Ledger, api: Api, night_of: Perform) -> None:
    """After eight hours asleep what was in flight is sent again, at the usual pace: no burst makes up for the night."""
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
    sending = night_of(workers=8, rate=20)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 200})
    assert 3 <= sending.requests - 200 <= 8
    assert sending.seconds > asleep
    starts = [call.at for call in api.calls]
    assert max(sum(first <= start < first + 1 for start in starts) for first in starts) <= 20


# the ledger


def test_what_is_confirmed_is_durable_soon(ledger: Ledger, api: Api, night_of: Perform, tmp_path: Path) -> None:
    """A result is on the disk within a fraction of a second, for whoever opens the file next."""
    stage(ledger, 100)
    seen: list[tuple[float, int]] = []

    def look(_: Result) -> None:
        with sqlite3.connect(tmp_path / "ledger.sqlite3") as other:
            seen.append((asyncio.get_running_loop().time(), other.execute("SELECT count(*) FROM confirmed").fetchone()[0]))
        other.close()

    night_of(workers=2, rate=10, tick=look)
    assert all(durable >= (now - 0.25) * 10 for now, durable in seen)


def test_digests_are_withdrawn_before_an_attempt_leaves(ledger: Ledger, api: Api, night_of: Perform, tmp_path: Path) -> None:
    """A confirmed, then B unanswered, then A again: A is sent, for what is stored is unknown; and so before B leaves."""
    stage(ledger, 3)
    night_of()
    before = [(f"C{number:06}", payload(number)) for number in range(1, 4)]
    assert ledger.compare(before).in_place == [True] * 3
    stage(ledger, 3, "Léa")
    seen = []

    def answer(call: Call) -> httpx.Response:
        with SqliteLedger(tmp_path / "ledger.sqlite3", FINGERPRINTS) as other:
            seen.append(other.compare([before[row(call) - 1]]).in_place)
        return broken(502) if row(call) == 2 else confirmed(call)

    api.answer = answer
    night_of(workers=1)
    assert [True] not in seen
    assert len(seen) == 3 + 4
    assert ledger.compare(before).in_place == [False] * 3
    assert ledger.compare([(f"C{number:06}", payload(number, "Léa")) for number in range(1, 4)]).in_place == [True, False, True]


def test_a_ledger_that_cannot_be_written_stops_the_run(ledger: SqliteLedger, api: Api, night_of: Perform) -> None:
    """As soon as results cannot be kept nothing new is sent, and the run ends with StorageError."""
    stage(ledger, 400)
    sending = Sending()

    def seal(_: Result) -> None:
        ledger.database.connection.execute("PRAGMA query_only = ON")

    with pytest.raises(StorageError, match="cannot be used"):
        night_of(sending=sending, workers=4, rate=50, tick=seal)
    assert sending.reasons == [StorageError]
    assert sending.seconds < 1
    assert len(api.calls) <= 0.25 * 50 + 4
    ledger.database.connection.execute("PRAGMA query_only = OFF")
    ledger.flush()
    assert count(ledger) == {UPDATED: len(api.calls), PENDING: 400 - len(api.calls)}


def test_the_ledger_is_searched_by_one_worker(ledger: SqliteLedger, api: Api, night_of: Perform) -> None:
    """When there is no further row, one worker finds that out for all: in a large file it takes a while."""
    stage(ledger, 20)
    searches: list[str] = []
    ledger.database.connection.set_trace_callback(
        lambda statement: searches.append(statement) if "FROM row" in statement else None
    )
    night_of(workers=8)
    assert len(searches) == 3  # the rows, the end of the rows, and that none failed


def test_a_ledger_that_cannot_be_read_stops_the_run(ledger: SqliteLedger, api: Api, night_of: Perform) -> None:
    """Rows that cannot be fetched are not sent."""
    stage(ledger, 10)
    ledger.database.connection.execute("PRAGMA query_only = ON")
    sending = night_of()
    assert (sending.reasons, api.calls) == ([StorageError], [])


# ---- the order to stop


def test_an_order_reaches_every_sleeper(in_virtual_time: Run) -> None:
    """Whoever sleeps is woken at once, whoever lies down later is sent away at once, and whoever slept out is none the wiser."""

    async def sleepers() -> list[object]:
        shutdown = Shutdown()
        loop = asyncio.get_running_loop()
        loop.call_later(1.0, shutdown.request, UnavailableError("Enough."))
        ended = await asyncio.gather(shutdown.sleep(0.5), shutdown.sleep(1000), shutdown.sleep(2000), return_exceptions=True)
        assert loop.time() == pytest.approx(1.0)
        with pytest.raises(Stopped):
            await shutdown.sleep(1000)
        assert loop.time() == pytest.approx(1.0)
        return [type(each) for each in ended]

    assert in_virtual_time(sleepers()) == [type(None), Stopped, Stopped]


@pytest.mark.parametrize("order_first", [True, False])
def test_a_sleep_that_ends_as_the_order_comes(in_virtual_time: Run, order_first: bool) -> None:
    """An order in the very moment a sleep ends does no harm, whichever of the two comes first."""

    async def together() -> tuple[BaseException | None, list[object]]:
        shutdown = Shutdown()
        loop = asyncio.get_running_loop()
        mishaps: list[object] = []
        loop.set_exception_handler(lambda _, context: mishaps.append(context))
        if order_first:
            loop.call_at(1.0, shutdown._wake)
        sleeping = asyncio.create_task(shutdown.sleep(1.0))
        await asyncio.sleep(0)
        if not order_first:
            loop.call_at(1.0, shutdown._wake)
        await asyncio.wait([sleeping])
        return sleeping.exception(), mishaps

    ended, mishaps = in_virtual_time(together())
    assert isinstance(ended, Stopped) == order_first
    assert mishaps == []


def test_a_reason_is_noted_once() -> None:
    """What all workers come back with is one reason; another is another."""
    shutdown = Shutdown()
    for text in ("one", "two", "one"):
        shutdown.request(AccessError(text))
    assert [str(reason) for reason in shutdown.reasons] == ["one", "two"]


def test_an_order_after_the_loop_has_ended(in_virtual_time: Run) -> None:
    """A signal that comes while the report is written is noted."""
    shutdown = Shutdown()
    in_virtual_time(shutdown.sleep(0.1))
    shutdown.request(Interrupted(15))
    assert len(shutdown.reasons) == 1


def test_an_api_that_throttles(ledger: Ledger, api: Api, night_of: Perform) -> None:
    """An API that takes three updates a second of the twenty that are sent is asked less and less, and no row is lost."""
    stage(ledger, 200)
    taken: deque[float] = deque(maxlen=3)

    def throttle(call: Call) -> httpx.Response:
        if len(taken) == 3 and taken[0] > call.at - 1:
            return answered({"success": False, "code": 429, "message": "Trop de requêtes"}, 429)
        taken.append(call.at)
        return confirmed(call)

    api.answer = throttle
    sending = night_of(rate=20, workers=8)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 200})
    assert within_budget(sending, 200)
    assert sending.seconds < 200


@pytest.mark.parametrize("status", [None, 429, 503])
def test_a_taken_number_that_cannot_be_asked_for(
    ledger: Ledger, api: Api, night_of: Perform, no_backoff: None, status: int | None
) -> None:
    """While the API does not say what it holds, a row whose number may be its own is not refused, but failed."""
    stage(ledger, 3)

    def taken(call: Call) -> httpx.Response:
        return confirmed(call) if row(call) != 2 else answered({"success": False, "code": 15}, 400)

    def gone() -> httpx.Response:
        if status is None:
            raise httpx.ReadError("gone")
        return answered({"success": False, "code": status}, status)

    api.answer, api.detail = taken, gone
    sending = night_of()
    assert (sending.reasons, outcomes(ledger)) == ([], {1: UPDATED, 2: FAILED, 3: UPDATED})


def test_a_key_refused_while_a_taken_number_is_asked_for(ledger: Ledger, api: Api, night_of: Perform) -> None:
    """A key that is refused stops the run there too, and leaves the row unknown."""
    stage(ledger, 1)
    api.answer = lambda _: answered({"success": False, "code": 15}, 400)
    api.detail = lambda: answered({"success": False, "code": 10}, 401)
    sending = night_of()
    assert (sending.reasons, outcomes(ledger)) == ([AccessError], {1: FAILED})
    (line,) = lines_of(ledger.batches())
    assert (line.code, line.http_status, line.api_code, line.attempts) == ("api-stopped", 401, "10", 2)


def test_a_stop_before_a_taken_number_is_asked_for(ledger: Ledger, api: Api, night_of: Perform, no_backoff: None) -> None:
    """A stop leaves a row whose number may be its own unknown, and the question is not asked any more."""
    stage(ledger, 2)
    sending, asked = Sending(), []

    def taken(call: Call) -> httpx.Response:
        if row(call) != 2:
            return confirmed(call)
        sending.shutdown.request(Interrupted(signal.SIGTERM))
        return answered({"success": False, "code": 15}, 400)

    def detail() -> httpx.Response:
        asked.append(1)
        return broken()

    api.answer, api.detail = taken, detail
    night_of(sending=sending, rate=10)
    assert (sending.reasons, outcomes(ledger), asked) == ([Interrupted], {1: UPDATED, 2: FAILED}, [])
    assert ledger.attempts() == (2, 0)
    _, line = lines_of(ledger.batches())
    assert (line.code, line.http_status, line.api_code) == ("api-number-taken", 400, "15")


def test_others_ask_while_the_api_is_down(ledger: Ledger, api: Api, night_of: Perform, no_backoff: None) -> None:
    """While the API counts as down a row that fails is not asked for again as long as other rows can do the asking."""
    stage(ledger, 30)
    silent = range(4, 11)
    api.answer = lambda call: broken() if row(call) in silent else confirmed(call)
    night_of(workers=1, attempts=9)
    asked = Counter(row(call) for call in takewhile(lambda call: row(call) <= silent[-1], api.calls))
    assert [asked[number] for number in silent] == [9, 9, 2, 1, 1, 1, 1]
    assert sum(asked[number] for number in silent[:3]) == breaker.FAILURES


def test_a_run_taken_up_again_leaves_what_is_beyond_its_limit(
    ledger: Ledger, api: Api, night_of: Perform, no_backoff: None
) -> None:
    """The second pass goes no further than the first: rows below that failed in an earlier run are not its business."""
    stage(ledger, 4)
    ledger.release("run of Zoé")
    api.answer = lambda call: confirmed(call) if row(call) == 1 else broken()
    night_of(attempts=1)
    assert outcomes(ledger) == {1: UPDATED, 2: FAILED, 3: FAILED, 4: FAILED}
    assert ledger.resume_last()
    api.calls.clear()
    night_of(attempts=1, limit=2)
    assert [row(call) for call in api.calls] == [2, 3, 2, 3]


def test_moments_are_those_of_utc(ledger: Ledger, api: Api, night_of: Perform, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a row was sent is told in UTC, wherever the machine is."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        stage(ledger, 1)
        night_of()
    finally:
        monkeypatch.undo()
        time.tzset()
    (line,) = lines_of(ledger.batches())
    assert abs(datetime.fromisoformat(line.at) - datetime.now(UTC)) < timedelta(minutes=5)
