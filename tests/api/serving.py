"""A server that breaks every rule, and single attempts against it."""

import asyncio
import contextlib
import socket
import ssl
import struct
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from contact_sync.api.client import Client
from contact_sync.api.endpoint import Reply, Request
from contact_sync.api.limiter import Pace
from contact_sync.errors import Transient

KEY = "0123456789abcdef0123456789abcdef01234567"
BODY = f'{{"apiKey": "{KEY}", "contactId": "C000001", "contact": {{"firstname": "Zoé"}}}}'.encode()
REQUEST = Request("POST", "contact/update", body=BODY)
OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"success":true}'
DEAD = "http://127.0.0.1:9"  # the discard service, which no machine runs


@dataclass
class Connection:
    """One connection of a client, and what it received."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    received: list[bytes]

    async def request(self) -> bytes:
        """Read one whole request; IncompleteReadError when there is none."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        whole = head + await self.reader.readexactly(length)
        self.received.append(whole)
        return whole

    def write(self, answer: bytes) -> None:
        """Write without waiting."""
        self.writer.write(answer)

    def reset(self) -> None:
        """Close with an RST in place of a FIN."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Connection], Awaitable[None]]


@dataclass
class Server:
    """The port of a script, and the requests it received."""

    port: int = 0
    received: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def base_url(self) -> str:
        """The address without TLS."""
        return f"http://127.0.0.1:{self.port}/v1"


@contextlib.asynccontextmanager
async def serving(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Play `script` for every connection on a loopback port; a script that returns hangs up."""
    served = Server()
    playing: set[asyncio.Task[None]] = set()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        playing.add(task)
        served.connections += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                await script(Connection(reader, writer, served.received))
        except asyncio.CancelledError:
            pass  # the end of the test
        finally:
            writer.transport.abort() if writer.transport.is_closing() else writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                await writer.wait_closed()

    listening = await asyncio.start_server(play, "127.0.0.1", 0, ssl=tls)
    served.port = listening.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        listening.close()
        for task in playing:
            task.cancel()
        await asyncio.gather(*playing)


def client(base_url: str, timeout: float = 5.0, connections: int = 2) -> Client:
    """Return a client without a rate limit."""
    return Client(base_url, pace=Pace(0, clock=time.monotonic), connections=connections, timeout=timeout, sleep=asyncio.sleep)


async def post(base_url: str, seconds: float = 5.0) -> Reply:
    """Make one attempt with a client of its own."""
    async with client(base_url, seconds) as fresh:
        return await fresh.send(REQUEST)


def attempt(script: Script, timeout: float = 5.0) -> tuple[Reply | BaseException, Server]:
    """Return the result of one attempt against `script`, and the server; no error contains the key."""

    async def against() -> tuple[Reply | BaseException, Server]:
        async with serving(script) as server:
            try:
                return await post(server.base_url, timeout), server
            except Exception as error:  # noqa: BLE001 - the tests check the type
                shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
                assert KEY not in shown
                return error, server

    return asyncio.run(against())


def failure(outcome: Reply | BaseException) -> tuple[str, str]:
    """Return the code and the reason of a transient failure."""
    assert isinstance(outcome, Transient), repr(outcome)
    assert not outcome.is_api_response
    return outcome.violation.code, outcome.violation.detail.get("reason", "")


async def answering(connection: Connection) -> None:
    """Answer one request as documented."""
    await connection.request()
    connection.write(OK)
    await connection.reader.read()
