"""A ledger with pending rows, the sending of them, and a made-up API in virtual time."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import httpx

from contact_sync.api.client import Client
from contact_sync.api.limiter import Pace
from contact_sync.errors import ContactSyncError
from contact_sync.ledger.digests import Fingerprints
from contact_sync.ledger.store import Ledger
from contact_sync.model.fields import FIELDS
from contact_sync.model.report import lines_of
from contact_sync.model.row import Block, Outcome, Result, Staged
from contact_sync.packed import pack
from contact_sync.sandbox.server import Call, Sandbox
from contact_sync.settings import SendSettings
from contact_sync.sync.pool import Pool
from contact_sync.sync.shutdown import Shutdown
from tests.setups import begin_run

Serve = Callable[..., Sandbox]
Run = Callable[[Coroutine[Any, Any, Any]], Any]
KEY = "0123456789abcdef0123456789abcdef01234567"
FINGERPRINTS = Fingerprints(bytes(32))
UPDATED, FAILED, REJECTED, ALTERED = Outcome.UPDATED, Outcome.FAILED, Outcome.REJECTED, Outcome.ALTERED
PENDING = ""


def payload(number: int, name: str = "Zoé") -> tuple[str | None, ...]:
    """Return the values of row `number`: a phone number, a name, and an emptied field."""
    values = {"phoneNumber": f"+3360000{number:04}", "firstname": name, "custom4": ""}
    return tuple(values.get(name) for name in FIELDS)


def stage(ledger: Ledger, rows: int, name: str = "Zoé") -> None:
    """Begin a run of `rows` pending rows, numbered from 1, each for the contact with its number: C000001."""
    begin_run(ledger, f"run of {name}", keep=name == "Zoé")
    if rows:
        ids = {number: f"C{number:06}" for number in range(1, rows + 1)}
        pending = [Staged(number, contact_id, payload(number, name), None) for number, contact_id in ids.items()]
        ledger.stage(Block([*ids], [*ids.values()], pack([[each] for each in ids.values()]), Outcome.UNCHANGED, pending))


@dataclass
class Sending:
    """The result of sending."""

    results: list[Result] = field(default_factory=list)
    shutdown: Shutdown = field(default_factory=Shutdown)
    requests: int = 0
    seconds: float = 0.0

    @property
    def reasons(self) -> list[type[ContactSyncError]]:
        """The types of the reasons for its early end."""
        return [type(reason) for reason in self.shutdown.reasons]


async def send_pending(
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
    pace: Pace | None = None,
    deadline: float = 5,
    tick: Callable[[Result], None] = lambda _: None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Sending:
    """Send what is pending."""
    sending = sending or Sending()
    noted = sending.results
    clock = asyncio.get_running_loop().time
    began = clock()

    def note(result: Result) -> None:
        noted.append(result)
        tick(result)

    client = Client(
        base_url,
        pace=pace or Pace(rate, clock=clock),
        connections=workers,
        timeout=deadline,
        sleep=sending.shutdown.sleep,
        transport=transport,
    )
    try:
        async with client:
            limits = SendSettings(workers=workers, attempts=attempts, limit=limit)
            await Pool(ledger, client, key, limits, sending.shutdown, tick=note).send(seconds)
    finally:
        sending.requests, sending.seconds = client.limiter.acquired, clock() - began
    return sending


def send_over_http(ledger: Ledger, to: Sandbox, **options: Any) -> Sending:
    """Send what is pending to a sandbox."""
    return asyncio.run(send_pending(ledger, to.base_url, **options))


def outcomes(ledger: Ledger) -> dict[int, str]:
    """Return row → outcome; empty while it is pending."""
    return {line.number: line.outcome for line in lines_of(ledger.batches())}


def count(ledger: Ledger) -> Counter[str]:
    """Return the number of rows with each outcome."""
    return Counter(outcomes(ledger).values())


def sent_to(to: Sandbox) -> Counter[int]:
    """Return row → number of times that it was sent."""
    return Counter(int(call.contact_id[1:]) for call in to.calls)


Answer = Callable[["Api", Call], "httpx.Response | Awaitable[httpx.Response]"]


def answered(document: Any, status: int = 200, **headers: str) -> httpx.Response:
    """Return a response with a JSON document."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=named, stream=httpx.ByteStream(json.dumps(document).encode()))


def confirmed(call: Call) -> httpx.Response:
    """Return the documented success."""
    return answered({"success": True, "code": 200, "contact": call.contact | {"contactId": call.contact_id}})


def broken(status: int = 500) -> httpx.Response:
    """Return an error that is not in the API's format."""
    return answered("<h1>Oops</h1>", status)


class Api(httpx.AsyncBaseTransport):
    """A transport that answers each update as `answer` says, after `latency` seconds."""

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
        """Note the update, and answer it; a request for a contact gets `detail`."""
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


URL = "http://127.0.0.1/v1"


SendRows = Callable[..., Sending]


def row(call: Call) -> int:
    """Return the number of the row that was sent."""
    return int(call.contact_id[1:])


def within_budget(sending: Sending, rows: int) -> bool:
    """Return True when retries are at most a tenth of the requests and 50 more."""
    return sending.requests - rows <= 50 + 0.1 * sending.requests
