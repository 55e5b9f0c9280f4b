"""The client over real loopback connections, and everything that can go wrong in one attempt."""

import asyncio
import gzip
import traceback
import tracemalloc
import zlib

import pytest

from contact_sync.api.endpoint import MAX_BODY, Reply
from contact_sync.errors import ConfigError, Transient
from tests.api.serving import BODY, DEAD, KEY, OK, REQUEST, Connection, Script, attempt, client, failure, post, serving

TOO_LONG = "the head of the answer is longer than is read: a line of 32 KB, 512 lines"

# ---- the request and its reply


def test_post_request() -> None:
    """A POST request carries exactly the body, as UTF-8 JSON, and asks for no compression."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.write(b"HTTP/1.1 201 Created\r\nX-A: b\r\nContent-Length: 2\r\n\r\n\xff\x00")
        await connection.reader.read()

    reply, server = attempt(script)
    assert isinstance(reply, Reply)
    assert (reply.status, reply.headers["x-a"], reply.body) == (201, "b", b"\xff\x00")
    head, _, body = server.received[0].partition(b"\r\n\r\n")
    lines = head.decode("ascii").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    assert (lines[0], body) == ("POST /v1/contact/update HTTP/1.1", BODY)
    assert headers.pop("user-agent").startswith("contact-sync/")
    assert headers == {
        "host": f"127.0.0.1:{server.port}",
        "content-type": "application/json; charset=utf-8",
        "content-length": str(len(BODY)),
        "accept": "application/json",
        "accept-encoding": "identity",
    }


@pytest.mark.parametrize("status", [200, 301, 302, 307, 308, 401, 429, 500, 503])
def test_every_status_is_a_reply(status: int) -> None:
    """No HTTP status is an error here, and no redirect is followed: the endpoint interprets it."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.write(f"HTTP/1.1 {status} X\r\nLocation: {elsewhere}\r\nContent-Length: 1\r\n\r\n!".encode())
        await connection.reader.read()

    elsewhere = "/v1/elsewhere"  # on the same server, which would note it
    reply, server = attempt(script)
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body, reply.headers["location"]) == (status, b"!", elsewhere)
    assert len(server.received) == server.connections == 1


def test_connection_is_reused() -> None:
    """A second request uses the same connection."""

    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            connection.write(OK)

    async def twice() -> tuple[int, int]:
        async with serving(script) as server, client(server.base_url) as kept:
            for _ in range(2):
                assert (await kept.send(REQUEST)).status == 200
            return len(server.received), server.connections

    assert asyncio.run(twice()) == (2, 1)


def test_cookies_are_not_kept() -> None:
    """A cookie that a reply sets is not sent with the next request."""

    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            connection.write(OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b; Path=/\r\n\r\n", 1))

    async def twice() -> list[bytes]:
        # By name, for no cookie jar keeps what an IP address sets.
        async with serving(script) as server, client(f"http://localhost:{server.port}/v1") as kept:
            for _ in range(2):
                await kept.send(REQUEST)
            return server.received

    first, second = asyncio.run(twice())
    assert first == second


# ---- no reply


def test_connection_closed_at_once() -> None:
    """When the server hangs up before it reads, it is unknown what it received."""

    async def script(_: Connection) -> None:
        return

    assert failure(attempt(script)[0]) == ("api-no-answer", "the connection was closed")


def test_connection_closed_after_the_request() -> None:
    """When the server hangs up after the request, the update may have been applied; no library repeats the request."""

    async def script(connection: Connection) -> None:
        await connection.request()

    outcome, server = attempt(script)
    assert failure(outcome) == ("api-no-answer", "the connection was closed")
    assert len(server.received) == 1


def test_connection_reset_after_the_request() -> None:
    """A reset connection counts like a closed one."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.reset()

    outcome, server = attempt(script)
    assert failure(outcome) == ("api-no-answer", "the connection was closed")
    assert len(server.received) == 1


def test_reused_connection_closed_at_the_second_request() -> None:
    """A server that closes a reused connection at the next request may have applied it: it is not silently repeated."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.write(OK)
        await connection.request()

    async def twice() -> tuple[BaseException, int]:
        async with serving(script) as server, client(server.base_url) as kept:
            assert (await kept.send(REQUEST)).status == 200
            with pytest.raises(Transient) as caught:
                await kept.send(REQUEST)
            assert (await kept.send(REQUEST)).status == 200  # on a new connection
            return caught.value, len(server.received)

    outcome, received = asyncio.run(twice())
    assert failure(outcome) == ("api-no-answer", "the connection was closed")
    assert received == 3


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"success":true',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{"success":',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{"success":true}\r\n0\r\n\r\n',
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 999999 Huh\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\x03\x01\x00\x02\x02\x0a",
    ],
)
def test_cut_or_malformed_response(answer: bytes) -> None:
    """A response that ends early or is not HTTP is no reply."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.write(answer)

    outcome, server = attempt(script)
    assert failure(outcome) == ("api-no-answer", "the answer was cut or malformed")
    assert len(server.received) == 1


def test_cut_head() -> None:
    """A response that ends within its head is a connection that was closed."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Le")

    assert failure(attempt(script)[0]) == ("api-no-answer", "the connection was closed")


def test_cut_body_without_a_length() -> None:
    """A body that ends with the connection is returned as it is; the endpoint finds that the document is incomplete."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.write(b'HTTP/1.1 200 OK\r\n\r\n{"success":tr')

    reply, _ = attempt(script)
    assert isinstance(reply, Reply)
    assert reply.body == b'{"success":tr'


def test_endless_head() -> None:
    """A head that does not end is abandoned long before it is read."""
    sent = 0

    async def script(connection: Connection) -> None:
        nonlocal sent
        await connection.request()
        connection.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        for _ in range(160):
            connection.write(b"x" * 65_536)
            sent += 65_536
            await connection.writer.drain()

    assert failure(attempt(script)[0]) == ("api-no-answer", TOO_LONG)
    assert sent < 10_000_000


@pytest.mark.parametrize("head", [b"X: " + b"a" * 33_000 + b"\r\n", b"X: " + b"a" * 64_000 + b"\r\n", b"X: a\r\n" * 600])
def test_too_long_head(head: bytes) -> None:
    """A head with a longer line, or more lines, than are read is named as the reason."""
    assert failure(attempt(responding(head, b"{}"))[0]) == ("api-no-answer", TOO_LONG)


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 2", b"Content-Length: 2\r\nConnection: close", b"Transfer-Encoding: chunked"]
)
@pytest.mark.parametrize("tail", [b"\r\n", b"<br />\r\n\r\n", b'{"success":false}', b"HTTP/1.1 200 OK\r\n\r\n"])
@pytest.mark.parametrize("parts", ["one", "head", "answer"])
def test_bytes_after_the_answer(framing: bytes, tail: bytes, parts: str) -> None:
    """What follows the end of an answer is not read, whatever parts it arrives in."""
    head = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n"
    body = b"2\r\n{}\r\n0\r\n\r\n" if b"chunked" in framing else b"{}"

    async def script(connection: Connection) -> None:
        await connection.request()
        for part in {"one": [head + body + tail], "head": [head, body + tail], "answer": [head + body, tail]}[parts]:
            connection.write(part)
            await connection.writer.drain()
            await asyncio.sleep(0.02)
        await connection.reader.read()

    reply, _ = attempt(script)
    assert isinstance(reply, Reply)
    assert reply.body == b"{}"


def test_malformed_chunk_after_the_head() -> None:
    """A body that is malformed fails at once, also when it arrives after the head."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await connection.writer.drain()
        await asyncio.sleep(0.05)
        connection.write(b"zz\r\n{}\r\n0\r\n\r\n")
        await connection.reader.read()

    assert failure(attempt(script)[0]) == ("api-no-answer", "the answer was cut or malformed")


# ---- too much, and too slow


def test_endless_body() -> None:
    """A body is read up to a bound, then the connection is closed."""
    sent = 0

    async def script(connection: Connection) -> None:
        nonlocal sent
        await connection.request()
        connection.write(b"HTTP/1.1 503 Huh\r\n\r\n")
        while True:
            connection.write(b" " * 65_536)
            sent += 65_536
            await connection.writer.drain()

    outcome, _ = attempt(script)
    assert failure(outcome) == ("api-garbled", "more than 1 MB")
    assert isinstance(outcome, Transient)
    assert outcome.http_status == 503
    assert MAX_BODY < sent < 20 * MAX_BODY


def test_largest_body() -> None:
    """A body of exactly the bound is read to its end, one more byte is too much."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b" " * size)
        await connection.reader.read()

    size = MAX_BODY
    reply, _ = attempt(script)
    assert isinstance(reply, Reply)
    assert len(reply.body) == MAX_BODY
    size += 1
    assert failure(attempt(script)[0]) == ("api-garbled", "more than 1 MB")


def responding(head: bytes, body: bytes) -> Script:
    """Return a script that answers one request with these header lines and this body."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.write(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n" % (head, len(body)) + body)
        await connection.reader.read()

    return script


def test_compressed_response_is_bounded() -> None:
    """A response that is compressed uninvited is not expanded without end."""
    bomb = gzip.compress(b" " * (64 << 20), 9)
    tracemalloc.start()
    try:
        outcome, _ = attempt(responding(b"Content-Encoding: gzip\r\n", bomb))
        assert tracemalloc.get_traced_memory()[1] < 8 * MAX_BODY
    finally:
        tracemalloc.stop()
    assert failure(outcome) == ("api-garbled", "more than 1 MB")


def _raw_deflate(body: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(body) + deflater.flush()


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        (b"gzip", gzip.compress(b"{}", mtime=0)),
        (b"X-GZIP", gzip.compress(b"{}", mtime=0)),
        (b"deflate", zlib.compress(b"{}")),
        (b"deflate", _raw_deflate(b"{}")),
        (b"deflate, gzip", gzip.compress(zlib.compress(b"{}"), mtime=0)),
        (b"identity", gzip.compress(b"{}", mtime=0)),
        (b"identity", b"{}"),
        (b"gzip", b"{}"),
    ],
)
def test_compressed_response(encoding: bytes, sent: bytes) -> None:
    """A response that is compressed uninvited is read, and one that only says so too."""
    reply, _ = attempt(responding(b"Content-Encoding: %b\r\n" % encoding, sent))
    assert isinstance(reply, Reply)
    assert reply.body == b"{}"


@pytest.mark.parametrize(
    ("encoding", "sent"), [(b"br", b"\x0b\x02"), (b"zstd", b"("), (b"gzip", gzip.compress(b"{}", mtime=0)[:-9])]
)
def test_response_that_cannot_be_decompressed(encoding: bytes, sent: bytes) -> None:
    """A format that this program does not know, and a response that is cut, leave it uncertain and are named."""
    outcome, _ = attempt(responding(b"Content-Encoding: %b\r\n" % encoding, sent))
    code, reason = failure(outcome)
    assert (code, reason) == ("api-garbled", f"HTTP 200, compressed as {encoding.decode()}, although none was asked for")


@pytest.mark.parametrize("head", [b"X-Debug: %b\r\n" % (b"a" * 20_000), b"X-A: b\r\n" * 400], ids=["long", "many"])
def test_long_head(head: bytes) -> None:
    """A response with a line, or a number of lines, beyond the usual limits of servers is still read."""
    reply, _ = attempt(responding(head, b"{}"))
    assert isinstance(reply, Reply)
    assert reply.body == b"{}"


def test_server_that_closes_each_connection_at_its_second_request() -> None:
    """From the first connection on that is closed in place of an answer, each request has its own."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.write(OK)
        await connection.request()

    async def several() -> list[object]:
        async with serving(script) as server, client(server.base_url, connections=4) as kept:
            first = await asyncio.gather(*(kept.send(REQUEST) for _ in range(4)))
            rest = [await asyncio.gather(kept.send(REQUEST), return_exceptions=True) for _ in range(10)]
            return [*first, *(each for (each,) in rest)]

    found = asyncio.run(several())
    assert [isinstance(each, Reply) for each in found] == [True] * 4 + [False] + [True] * 9


async def drip(connection: Connection, text: bytes) -> None:
    """Send one byte each 50 ms, and note each."""
    for position in range(len(text)):
        connection.write(text[position : position + 1])
        connection.received.append(b"")
        await asyncio.sleep(0.05)


async def never(connection: Connection) -> None:
    """Read the request, and send nothing."""
    await connection.request()
    await connection.reader.read()


async def drip_head(connection: Connection) -> None:
    """Answer byte by byte, from the start."""
    await connection.request()
    await drip(connection, OK)


async def drip_body(connection: Connection) -> None:
    """Answer a body byte by byte."""
    await connection.request()
    head, _, body = OK.partition(b"\r\n\r\n")
    connection.write(head + b"\r\n\r\n")
    await drip(connection, body + b" " * 50)


@pytest.mark.parametrize("script", [never, drip_head, drip_body])
def test_deadline_covers_the_whole_attempt(script: Script) -> None:
    """However steadily bytes arrive, an attempt ends at its deadline."""
    outcome, server = attempt(script, timeout=0.2)
    assert failure(outcome) == ("api-no-answer", "no answer in time")
    assert len(server.received) <= 1 + 5  # the request, and the bytes of so long, however slow this machine


def test_connection_is_not_reused_after_the_deadline() -> None:
    """The late response to one attempt is never taken for that to the next."""
    given_up, said = asyncio.Event(), asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        late = len(connection.received) == 1
        if late:
            await given_up.wait()
        connection.write(OK if not late else OK.replace(b"200 OK", b"299 Late"))
        said.set()
        await connection.reader.read()

    async def twice() -> tuple[int, int]:
        async with serving(script) as server, client(server.base_url, timeout=2) as kept:
            with pytest.raises(Transient):
                await kept.send(REQUEST)
            given_up.set()
            await said.wait()
            return (await kept.send(REQUEST)).status, server.connections

    assert asyncio.run(twice()) == (200, 2)


def test_deadline_begins_after_the_rate_limit() -> None:
    """The deadline begins when the limiter lets the attempt start."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.write(OK)

    async def paused() -> int:
        async with serving(script) as server, client(server.base_url, timeout=0.3) as patient:
            patient.limiter.pause(0.4)
            return (await patient.send(REQUEST)).status

    assert asyncio.run(paused()) == 200


# ---- not reached


@pytest.mark.parametrize("base_url", [f"{DEAD}/v1", "https://127.0.0.1:9/v1", "https://api.invalid/v1", "http://localhost:9/v1"])
def test_unreachable_host(base_url: str) -> None:
    """After a refused connection or a name that does not resolve, nothing was sent."""
    with pytest.raises(Transient) as caught:
        asyncio.run(post(base_url))
    assert failure(caught.value) == ("api-unreachable", "")
    assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "base_url",
    ["https://a..b/v1", f"https://{'a' * 64}.example/v1", "https://é..x/v1", "https://[::1/v1", "https://a:99999/v1", ""],
)
def test_invalid_base_url(base_url: str) -> None:
    """An address that no connection can be opened to is refused before anything is sent."""
    with pytest.raises(ConfigError, match="is not valid: correct --base-url"):
        client(base_url)


def test_connections_are_limited() -> None:
    """However many attempts are in flight, at most `connections` connections are open."""
    now = most = 0

    async def script(connection: Connection) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        try:
            while True:
                await connection.request()
                await asyncio.sleep(0.005)
                connection.write(OK)
        finally:
            now -= 1

    async def many() -> None:
        async with serving(script) as server, client(server.base_url, connections=3) as busy:
            await asyncio.gather(*(busy.send(REQUEST) for _ in range(9)))

    asyncio.run(many())
    assert most == 3
