"""The delivery of any request: endpoints other than the update of a row, in virtual time."""

import random

import httpx
import pytest

from contact_sync.api.client import Client
from contact_sync.api.endpoint import Reply, Request
from contact_sync.api.limiter import Pace
from contact_sync.errors import Rejected, Transient
from contact_sync.model.violation import Violation
from contact_sync.sync.delivery import Attempts, Delivery
from contact_sync.sync.shutdown import Shutdown
from tests.conftest import RunCoroutine


class Echo:
    """An endpoint whose value is the body of the reply."""

    def __init__(self, *, idempotent: bool = True) -> None:
        self.idempotent = idempotent

    def request(self, argument: str) -> Request:
        """Return a request that carries the argument."""
        return Request("GET", "echo", query={"text": argument})

    def read(self, reply: Reply, argument: str) -> str:
        """Return the body; 429 throttles, 4xx rejects, 5xx is transient."""
        violation = Violation("api-error", detail={"reason": argument})
        if reply.status == 429:
            raise Transient(violation, maybe_applied=False)
        if reply.status >= 500:
            raise Transient(violation)
        if reply.status >= 400:
            raise Rejected(violation)
        return reply.body.decode()


class Scripted(httpx.AsyncBaseTransport):
    """A transport that plays responses and errors in order."""

    def __init__(self, *script: int | httpx.TransportError) -> None:
        self.script = list(script)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Play the next part of the script."""
        self.requests.append(request)
        part = self.script.pop(0)
        if isinstance(part, httpx.TransportError):
            raise part
        return httpx.Response(part, stream=httpx.ByteStream(f"reply {part}".encode()))


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backoff is drawn at random from 0 up: always draw 0."""
    monkeypatch.setattr(random, "uniform", lambda low, _: low)


async def call(transport: Scripted, attempts: Attempts, *, idempotent: bool = True, max_attempts: int = 4) -> str:
    """Call the endpoint once."""
    shutdown = Shutdown()
    client = Client(
        "http://127.0.0.1/v1",
        pace=Pace(0, clock=lambda: 0.0),
        connections=1,
        timeout=5,
        sleep=shutdown.sleep,
        transport=transport,
    )
    async with client:
        endpoint = Echo(idempotent=idempotent)
        return await Delivery(client, shutdown).call(endpoint, "é&", max_attempts=max_attempts, attempts=attempts)


def test_value_of_a_get_request(in_virtual_time: RunCoroutine) -> None:
    """A GET request carries its query, and its reply becomes the endpoint's value."""
    transport, attempts = Scripted(200), Attempts()
    assert in_virtual_time(call(transport, attempts)) == "reply 200"
    (request,) = transport.requests
    assert (request.method, str(request.url)) == ("GET", "http://127.0.0.1/v1/echo?text=%C3%A9%26")
    assert (attempts.made, attempts.failure) == (1, None)


def test_transient_failures_are_retried(in_virtual_time: RunCoroutine) -> None:
    """An idempotent request is repeated after any transient failure."""
    transport, attempts = Scripted(503, httpx.ReadError("reset"), 200), Attempts()
    assert in_virtual_time(call(transport, attempts)) == "reply 200"
    assert attempts.made == 3


@pytest.mark.parametrize("max_attempts", [1, 2, 4])
def test_last_failure_is_raised(in_virtual_time: RunCoroutine, max_attempts: int) -> None:
    """When no attempt succeeds, the last failure is raised as it is."""
    transport, attempts = Scripted(*[503] * 4), Attempts()
    with pytest.raises(Transient) as caught:
        in_virtual_time(call(transport, attempts, max_attempts=max_attempts))
    assert attempts.made == max_attempts == len(transport.requests)
    assert caught.value is attempts.failure


def test_rejection_is_not_retried(in_virtual_time: RunCoroutine) -> None:
    """A rejection is final, also after a failure."""
    transport, attempts = Scripted(503, 404, 200), Attempts()
    with pytest.raises(Rejected):
        in_virtual_time(call(transport, attempts))
    assert attempts.made == 2


@pytest.mark.parametrize("failure", [503, httpx.ReadError("reset"), httpx.RemoteProtocolError("cut")])
def test_non_idempotent_request_is_not_repeated_when_it_may_have_been_applied(
    in_virtual_time: RunCoroutine, failure: int | httpx.TransportError
) -> None:
    """After an error of the server or a lost reply the request may have been applied: it is not sent again."""
    transport = Scripted(failure, 200)
    with pytest.raises(Transient):
        in_virtual_time(call(transport, Attempts(), idempotent=False))
    assert len(transport.requests) == 1


def test_non_idempotent_request_is_repeated_when_it_was_not_applied(in_virtual_time: RunCoroutine) -> None:
    """After a refused connection and a throttled request nothing was applied: it is sent again."""
    transport = Scripted(httpx.ConnectError("refused"), 429, 200)
    assert in_virtual_time(call(transport, Attempts(), idempotent=False)) == "reply 200"
    assert len(transport.requests) == 3
