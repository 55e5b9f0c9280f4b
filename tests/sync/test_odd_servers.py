"""Whole sendings to servers on raw sockets, which apply each update but answer in their own way."""

import asyncio
import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from contact_sync.ledger.store import Ledger
from tests.api.serving import Connection, Script, serving
from tests.sync.sending import UPDATED, count, send_pending, stage

pytestmark = pytest.mark.unmeasured


def confirmation(request: bytes) -> bytes:
    """Return the documented success for a request."""
    sent = json.loads(request.partition(b"\r\n\r\n")[2])
    echo = {**sent["contact"], "contactId": sent["contactId"]}
    return json.dumps({"success": True, "code": 200, "contact": echo}, ensure_ascii=False).encode()


def response(body: bytes, head: bytes = b"") -> bytes:
    """Return a response with additional lines of its head."""
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n" % (head, len(body)) + body


@contextmanager
def served(script: Script) -> Iterator[str]:
    """Serve a script in a thread, and return its base URL."""
    loop, ready, url, over = asyncio.new_event_loop(), threading.Event(), list[str](), asyncio.Event()

    async def serve() -> None:
        async with serving(script) as server:
            url.append(server.base_url)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait()
    try:
        yield url[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


Answer = Callable[[bytes], bytes]


@pytest.mark.parametrize(
    "answer",
    [
        lambda body: response(b"<br /><b>Notice</b>: Undefined index in {closure}<br />\n" + body),
        lambda body: response(body + b"\n<b>Warning</b>: headers already sent"),
        lambda body: response(b"\xef\xbb\xbf" + body),
        lambda body: response(gzip.compress(body), b"Content-Encoding: gzip\r\n"),
        lambda body: response(body.decode().encode("latin-1"), b"Content-Type: application/json; charset=ISO-8859-1\r\n"),
        lambda body: response(body, b"X-Debug-Token: %b\r\n" % (b"a" * 9000)),
        lambda body: response(body, b"X-A: b\r\n" * 200),
    ],
    ids=["notice", "warning", "bom", "gzip", "latin-1", "long header", "many headers"],
)
def test_applied_rows_are_recognised(ledger: Ledger, answer: Answer) -> None:
    """A row that was applied is updated, at the first attempt, whatever surrounds the answer."""

    async def script(connection: Connection) -> None:
        while True:
            connection.write(answer(confirmation(await connection.request())))

    stage(ledger, 20)
    with served(script) as base_url:
        sending = asyncio.run(send_pending(ledger, base_url))
    assert (sending.reasons, count(ledger), sending.requests) == ([], {UPDATED: 20}, 20)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("workers", [1, 8])
def test_server_that_closes_at_the_second_request(ledger: Ledger, workers: int, reset: bool) -> None:
    """A server that closes every connection at its second request leaves no failed row."""

    async def script(connection: Connection) -> None:
        connection.write(response(confirmation(await connection.request())))
        await connection.request()
        if reset:
            connection.reset()

    stage(ledger, 300)
    with served(script) as base_url:
        sending = asyncio.run(send_pending(ledger, base_url, workers=workers))
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 300})
    assert sending.requests <= 300 + 2 * workers
