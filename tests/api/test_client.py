"""One attempt over real loopback connections, and everything that can go wrong with it."""

import asyncio
import base64
import contextlib
import email.utils
import gzip
import socket
import ssl
import struct
import subprocess
import time
import traceback
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_sync.api.client import MAX_BODY, Client, Reply
from contact_sync.errors import ConfigError, Transient

KEY = "0123456789abcdef0123456789abcdef01234567"
BODY = f'{{"apiKey": "{KEY}", "contactId": "C000001", "contact": {{"firstname": "Zoé"}}}}'.encode()
OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"success":true}'

DEAD = "http://127.0.0.1:9"  # the discard service, which nobody runs


# ---- a server that does what no library would


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

    def say(self, answer: bytes) -> None:
        """Write without waiting."""
        self.writer.write(answer)

    def reset(self) -> None:
        """Close with an RST in place of a FIN."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Connection], Awaitable[None]]


@dataclass
class Server:
    """Where a script is served, and the requests it read."""

    port: int = 0
    received: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def base_url(self) -> str:
        """The address in clear."""
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
    """A client without a limit of its pace."""
    return Client(base_url, rate=0, connections=connections, timeout=timeout, clock=time.monotonic, sleep=asyncio.sleep)


async def post(base_url: str, seconds: float = 5.0) -> Reply:
    """Make one attempt with a client of its own."""
    async with client(base_url, seconds) as fresh:
        return await fresh.post("contact/update", BODY)


def attempt(script: Script, timeout: float = 5.0) -> tuple[Reply | BaseException, Server]:
    """What one attempt against `script` ends in, and the server; whatever is raised never holds the key."""

    async def against() -> tuple[Reply | BaseException, Server]:
        async with serving(script) as server:
            try:
                return await post(server.base_url, timeout), server
            except Exception as error:  # noqa: BLE001 - which it is, is what the tests are about
                told = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
                assert KEY not in told
                return error, server

    return asyncio.run(against())


def failure(outcome: Reply | BaseException) -> tuple[str, str]:
    """The code of a transient failure, and what blames."""
    assert isinstance(outcome, Transient), repr(outcome)
    assert not outcome.spoke
    return outcome.violation.code, outcome.violation.detail.get("reason", "")


# ---- the request and its answer


def test_the_request() -> None:
    """One POST of exactly the body, as UTF-8 JSON, that asks for no compression and for no redirect to be followed."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.say(b"HTTP/1.1 201 Created\r\nX-A: b\r\nContent-Length: 2\r\n\r\n\xff\x00")
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
def test_every_status_is_an_answer(status: int) -> None:
    """No HTTP status is an exception, and no redirect is followed: what it means is the endpoint's business."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.say(f"HTTP/1.1 {status} X\r\nLocation: {elsewhere}\r\nContent-Length: 1\r\n\r\n!".encode())
        await connection.reader.read()

    elsewhere = "/v1/elsewhere"  # on the same server, which would note it
    reply, server = attempt(script)
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body, reply.headers["location"]) == (status, b"!", elsewhere)
    assert len(server.received) == server.connections == 1


def test_a_connection_is_kept() -> None:
    """A second request goes over the same connection."""

    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            connection.say(OK)

    async def twice() -> tuple[int, int]:
        async with serving(script) as server, client(server.base_url) as kept:
            for _ in range(2):
                assert (await kept.post("contact/update", BODY)).status == 200
            return len(server.received), server.connections

    assert asyncio.run(twice()) == (2, 1)


def test_cookies_are_not_kept() -> None:
    """Nothing that one answer sets is sent with the next request."""

    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            connection.say(OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b; Path=/\r\n\r\n", 1))

    async def twice() -> list[bytes]:
        # By name, for no cookie jar keeps what an IP address sets.
        async with serving(script) as server, client(f"http://localhost:{server.port}/v1") as kept:
            for _ in range(2):
                await kept.post("contact/update", BODY)
            return server.received

    first, second = asyncio.run(twice())
    assert first == second


# ---- no answer


def test_closed_at_once() -> None:
    """A server that hangs up before it reads leaves it unknown what it saw."""

    async def script(_: Connection) -> None:
        return

    assert failure(attempt(script)[0]) == ("api-no-answer", "the connection was closed")


def test_closed_after_the_request() -> None:
    """A server that applies the update and hangs up leaves it unknown; the library makes no second attempt of its own."""

    async def script(connection: Connection) -> None:
        await connection.request()

    outcome, server = attempt(script)
    assert failure(outcome) == ("api-no-answer", "the connection was closed")
    assert len(server.received) == 1


def test_reset_after_the_request() -> None:
    """So does one that resets the connection."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.reset()

    outcome, server = attempt(script)
    assert failure(outcome) == ("api-no-answer", "the connection was closed")
    assert len(server.received) == 1


def test_a_kept_connection_closed_at_the_second_request() -> None:
    """A server that closes a kept connection when the next request comes in may have applied it: no silent repetition."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.say(OK)
        await connection.request()

    async def twice() -> tuple[BaseException, int]:
        async with serving(script) as server, client(server.base_url) as kept:
            assert (await kept.post("contact/update", BODY)).status == 200
            with pytest.raises(Transient) as caught:
                await kept.post("contact/update", BODY)
            assert (await kept.post("contact/update", BODY)).status == 200  # on a new connection
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
def test_an_answer_that_is_cut_or_malformed(answer: bytes) -> None:
    """An answer that ends early or is not HTTP is no answer."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.say(answer)

    outcome, server = attempt(script)
    assert failure(outcome) == ("api-no-answer", "the answer was cut or malformed")
    assert len(server.received) == 1


def test_a_head_that_is_cut() -> None:
    """An answer that ends within its head is a connection that was closed."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.say(b"HTTP/1.1 200 OK\r\nContent-Le")

    assert failure(attempt(script)[0]) == ("api-no-answer", "the connection was closed")


def test_half_a_body_without_a_length() -> None:
    """A body that ends with the connection is taken as it is; the endpoint finds that it is half a document."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.say(b'HTTP/1.1 200 OK\r\n\r\n{"success":tr')

    reply, _ = attempt(script)
    assert isinstance(reply, Reply)
    assert reply.body == b'{"success":tr'


def test_a_head_of_ten_megabytes() -> None:
    """A head that does not end is given up, long before it is read."""
    sent = 0

    async def script(connection: Connection) -> None:
        nonlocal sent
        await connection.request()
        connection.say(b"HTTP/1.1 200 OK\r\nX-Long: ")
        for _ in range(160):
            connection.say(b"x" * 65_536)
            sent += 65_536
            await connection.writer.drain()

    assert failure(attempt(script)[0]) == ("api-no-answer", "the answer was cut or malformed")
    assert sent < 10_000_000


# ---- too much, and too slow


def test_a_body_without_end() -> None:
    """A body is read up to a bound, then the connection is closed."""
    sent = 0

    async def script(connection: Connection) -> None:
        nonlocal sent
        await connection.request()
        connection.say(b"HTTP/1.1 503 Huh\r\n\r\n")
        while True:
            connection.say(b" " * 65_536)
            sent += 65_536
            await connection.writer.drain()

    outcome, _ = attempt(script)
    assert failure(outcome) == ("api-garbled", "more than 1 MB")
    assert isinstance(outcome, Transient)
    assert outcome.http_status == 503
    assert MAX_BODY < sent < 20 * MAX_BODY


def test_a_body_just_within_the_bound() -> None:
    """A body of exactly the bound is read whole, one more byte is too much."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b" " * size)
        await connection.reader.read()

    size = MAX_BODY
    reply, _ = attempt(script)
    assert isinstance(reply, Reply)
    assert len(reply.body) == MAX_BODY
    size += 1
    assert failure(attempt(script)[0]) == ("api-garbled", "more than 1 MB")


def test_a_compressed_bomb() -> None:
    """An answer compressed against our wish is not unpacked: a small one may unfold without end."""
    bomb = gzip.compress(b" " * (64 << 20), 9)

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.say(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb)
        await connection.reader.read()

    tracemalloc.start()
    try:
        outcome, _ = attempt(script)
        assert tracemalloc.get_traced_memory()[1] < 4 * MAX_BODY
    finally:
        tracemalloc.stop()
    assert isinstance(outcome, Reply)
    assert outcome.body == bomb


async def drip(connection: Connection, text: bytes) -> None:
    """Send one byte each 50 ms, and note each."""
    for position in range(len(text)):
        connection.say(text[position : position + 1])
        connection.received.append(b"")
        await asyncio.sleep(0.05)


async def never(connection: Connection) -> None:
    """Read the request, and answer nothing."""
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
    connection.say(head + b"\r\n\r\n")
    await drip(connection, body + b" " * 50)


@pytest.mark.parametrize("script", [never, drip_head, drip_body])
def test_the_deadline_covers_the_whole_attempt(script: Script) -> None:
    """However steadily bytes come in, an attempt ends when its time is over."""
    outcome, server = attempt(script, timeout=0.2)
    assert failure(outcome) == ("api-no-answer", "no answer in time")
    assert len(server.received) <= 1 + 5  # the request, and the bytes of so long, however slow this machine


def test_a_connection_is_not_used_again_after_the_deadline() -> None:
    """The late answer to one attempt is never taken for that to the next."""
    given_up, said = asyncio.Event(), asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        late = len(connection.received) == 1
        if late:
            await given_up.wait()
        connection.say(OK if not late else OK.replace(b"200 OK", b"299 Late"))
        said.set()
        await connection.reader.read()

    async def twice() -> tuple[int, int]:
        async with serving(script) as server, client(server.base_url, timeout=2) as kept:
            with pytest.raises(Transient):
                await kept.post("contact/update", BODY)
            given_up.set()
            await said.wait()
            return (await kept.post("contact/update", BODY)).status, server.connections

    assert asyncio.run(twice()) == (200, 2)


def test_waiting_for_a_turn_is_not_part_of_the_deadline() -> None:
    """The deadline starts when the limiter has granted the slot."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.say(OK)

    async def held() -> int:
        async with serving(script) as server, client(server.base_url, timeout=2) as patient:
            patient.limiter.pause(2.5)
            return (await patient.post("contact/update", BODY)).status

    assert asyncio.run(held()) == 200


# ---- not reached


@pytest.mark.parametrize("base_url", [f"{DEAD}/v1", "https://127.0.0.1:9/v1", "https://api.invalid/v1", "http://localhost:9/v1"])
def test_a_host_that_cannot_be_reached(base_url: str) -> None:
    """A refused connection and a name that does not resolve: nothing was sent."""
    with pytest.raises(Transient) as caught:
        asyncio.run(post(base_url))
    assert failure(caught.value) == ("api-unreachable", "")
    assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "base_url",
    ["https://a..b/v1", f"https://{'a' * 64}.example/v1", "https://é..x/v1", "https://[::1/v1", "https://a:99999/v1", ""],
)
def test_a_base_url_that_is_no_address(base_url: str) -> None:
    """What no connection could ever be opened to is found before anything is sent."""
    with pytest.raises(ConfigError, match="is not valid: correct --base-url"):
        client(base_url)


# ---- certificates


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that makes a certificate for a host, signed by itself, with its key in the same file."""
    folder = tmp_path_factory.mktemp("certificates")

    def make(host: str) -> Path:
        path = folder / f"{host.replace(':', '-')}.pem"
        if not path.exists():
            command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test"
            drafts = [path.with_suffix(".key"), path.with_suffix(".crt")]
            whole = [*command.split(), "-addext", f"subjectAltName={host}", "-keyout", str(drafts[0]), "-out", str(drafts[1])]
            subprocess.run(whole, check=True, capture_output=True)
            path.write_bytes(b"".join(draft.read_bytes() for draft in drafts))
        return path

    return make


def tls(certificate: Path) -> ssl.SSLContext:
    """What a server with this certificate shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def answering(connection: Connection) -> None:
    """Answer one request as documented."""
    await connection.request()
    connection.say(OK)
    await connection.reader.read()


def over_tls(certificate: Path) -> tuple[Reply | Exception, list[bytes]]:
    """What one attempt over TLS ends in, and what the server read of it."""

    async def against() -> tuple[Reply | Exception, list[bytes]]:
        async with serving(answering, tls(certificate)) as server:
            try:
                return await post(f"https://127.0.0.1:{server.port}/v1"), server.received
            except (ConfigError, Transient) as error:
                return error, server.received

    return asyncio.run(against())


def test_a_certificate_that_is_trusted(certificates: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """SSL_CERT_FILE names whom to trust."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates("IP:127.0.0.1")))
    reply, received = over_tls(certificates("IP:127.0.0.1"))
    assert isinstance(reply, Reply)
    assert reply.status == 200
    assert len(received) == 1


@pytest.mark.parametrize(("host", "trusted"), [("IP:127.0.0.1", False), ("DNS:other.example", True)])
def test_a_certificate_that_is_not(
    certificates: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, host: str, trusted: bool
) -> None:
    """One signed by nobody, or made for another host, ends the run before a byte of the request is sent."""
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates(host)))
    outcome, received = over_tls(certificates(host))
    assert isinstance(outcome, ConfigError)
    assert (
        str(outcome) == "This machine does not trust the certificate of 127.0.0.1: check --base-url, the clock and SSL_CERT_FILE."
    )
    assert received == []


def test_no_tls_at_all() -> None:
    """A port that does not speak TLS, or breaks off while it is agreed on, may be a proxy restarting: again."""

    async def speaks_http(connection: Connection) -> None:
        await connection.reader.read(5)
        connection.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def breaks_off(connection: Connection) -> None:
        await connection.reader.read(5)

    async def against(script: Script) -> None:
        async with serving(script) as server:
            await post(f"https://127.0.0.1:{server.port}/v1")

    for script in (speaks_http, breaks_off):
        with pytest.raises(Transient) as caught:
            asyncio.run(against(script))
        assert failure(caught.value) == ("api-unreachable", "")


def test_a_trust_store_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that names no certificates is found before anything is sent."""
    for content in (None, "no certificates"):
        path = tmp_path / "trusted.pem"
        if content:
            path.write_text(content)
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        with pytest.raises(ConfigError, match=rf"SSL_CERT_FILE or SSL_CERT_DIR \({path}\) contains no certificates"):
            client("https://api.example/v1")
        client("http://127.0.0.1:9/v1")  # needs none


# ---- proxies


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("proxy", [DEAD, "http://proxy.invalid:3128"])
def test_a_dead_proxy(monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str) -> None:
    """A proxy that cannot be reached is named by its variable, never by its address, which may hold a password."""
    monkeypatch.setenv(variable, proxy.replace("//", "//user:hunter2@"))
    with pytest.raises(ConfigError) as caught:
        asyncio.run(post("https://api.example/v1"))
    assert str(caught.value) == (
        f"The proxy in {variable.upper()} cannot be used: correct the variable, or exclude api.example with NO_PROXY."
    )
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://127.0.0.1:1080",
        "socks5h://user:hunter2@127.0.0.1:1080",
        "https://127.0.0.1:3128",
        "proxy:3128",
        "http://",
        "http://a:b:c",
        "http://127.0.0.1:99999",
        "http://user:hunter2@a..b:3128",
        "http://:3128",
    ],
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_of_another_kind(monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str) -> None:
    """A proxy that is not spoken to, or no address, is refused before anything is sent."""
    monkeypatch.setenv(variable, proxy)
    with pytest.raises(
        ConfigError, match=rf"^{variable} must be an address with http://.* exclude api.example with NO_PROXY\.$"
    ) as caught:
        client("https://api.example/v1")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("exception", ["127.0.0.1", "*", "other.example, 127.0.0.1"])
def test_no_proxy(certificates: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, exception: str) -> None:
    """A host in NO_PROXY is reached directly, whatever the proxy variables hold."""
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1080")
    monkeypatch.setenv("NO_PROXY", exception)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates("IP:127.0.0.1")))
    reply, _ = over_tls(certificates("IP:127.0.0.1"))
    assert isinstance(reply, Reply)


def test_loopback_in_clear_passes_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes in clear to this machine goes to no other, whatever the proxy variables hold."""
    for variable in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, DEAD)
    reply, _ = attempt(answering)
    assert isinstance(reply, Reply)


async def tunnelling(connection: Connection) -> None:
    """Do what a proxy does with CONNECT, noting all that passes."""
    connection.received.append(await connection.reader.readuntil(b"\r\n\r\n"))
    target = connection.received[0].split()[1].decode()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(target.rpartition(":")[2]))
    connection.say(b"HTTP/1.1 200 Connection established\r\n\r\n")

    async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while part := await source.read(65_536):
            connection.received.append(part)
            sink.write(part)
        sink.close()

    await asyncio.gather(pass_on(connection.reader, writer), pass_on(reader, connection.writer))


@pytest.mark.parametrize("login", ["", "üser:p%40ss@"])
def test_a_proxy_that_works(certificates: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, login: str) -> None:
    """The request goes through the proxy, which is shown its password and never the key."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates("IP:127.0.0.1")))

    async def through() -> tuple[Reply, Server, Server]:
        secure = tls(certificates("IP:127.0.0.1"))
        async with serving(answering, secure) as server, serving(tunnelling) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"http://{login}127.0.0.1:{proxy.port}")
            return await post(f"https://127.0.0.1:{server.port}/v1"), server, proxy

    reply, server, proxy = asyncio.run(through())
    assert reply.status == 200
    assert len(server.received) == 1
    passed = b"".join(proxy.received)
    assert passed.startswith(b"CONNECT 127.0.0.1:%d " % server.port)
    assert KEY.encode() not in passed
    shown = b"Proxy-Authorization: Basic " + base64.b64encode("üser:p@ss".encode())
    assert (shown.lower() in passed.lower()) == bool(login)
    assert b"proxy-authorization" not in server.received[0].lower()


@pytest.mark.parametrize(("status", "expected"), [(407, ConfigError), (403, ConfigError), (502, Transient), (504, Transient)])
def test_a_proxy_that_refuses(monkeypatch: pytest.MonkeyPatch, status: int, expected: type[Exception]) -> None:
    """A proxy that wants a password is to be mended; one that cannot reach the API is well, and the API is not."""

    async def script(connection: Connection) -> None:
        await connection.reader.readuntil(b"\r\n\r\n")
        connection.say(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())

    async def through() -> None:
        async with serving(script) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
            await post("https://api.example/v1")

    with pytest.raises(expected) as caught:
        asyncio.run(through())
    if isinstance(caught.value, Transient):
        assert failure(caught.value) == ("api-unreachable", "")
    else:
        assert str(caught.value).startswith("The proxy in HTTPS_PROXY cannot be used: correct the variable")


def test_no_more_connections_than_asked_for() -> None:
    """However many attempts are made at a time, so many connections are open at most."""
    now = most = 0

    async def script(connection: Connection) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        try:
            while True:
                await connection.request()
                await asyncio.sleep(0.005)
                connection.say(OK)
        finally:
            now -= 1

    async def many() -> None:
        async with serving(script) as server, client(server.base_url, connections=3) as busy:
            await asyncio.gather(*(busy.post("contact/update", BODY) for _ in range(9)))

    asyncio.run(many())
    assert most == 3


# ---- Retry-After


def reply(**headers: str) -> Reply:
    """An answer with such headers."""
    return Reply(429, httpx.Headers([(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]), b"")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2", 2.0),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("007", 7.0),
        ("3600000", 3600000.0),
        ("9" * 5000, 999999999.0),
        ("Sat, 21 Oct 2023 07:28:05 GMT", 5.0),
        ("Saturday, 21-Oct-23 07:28:05 GMT", 5.0),
        ("Sat, 21 Oct 2023 09:28:05 +0200", 5.0),
        ("Sat, 21 Oct 2023 07:27:00 GMT", 0.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("1e3", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("120, 60", None),
        ("٣", None),
        ("²", None),
        ("Sat, 99 Oct 2023 07:28:05 GMT", None),
    ],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    """Seconds or a date, counted from the server's own clock; anything else asks for nothing."""
    assert reply(retry_after=text, date="Sat, 21 Oct 2023 07:28:00 GMT").retry_after() == seconds


@pytest.mark.parametrize("date", [{}, {"date": "yesterday"}])
def test_a_date_without_the_servers_clock(date: dict[str, str]) -> None:
    """A date says nothing when the server's own time is unknown, for this machine's may be wrong."""
    assert reply(retry_after="Sat, 21 Oct 2023 07:28:05 GMT", **date).retry_after() is None


def test_no_retry_after() -> None:
    """Without the header nothing is asked."""
    assert reply().retry_after() is None


HEADERS = st.text(max_size=40) | st.text("0123456789-+.e ", max_size=9) | st.datetimes().map(email.utils.format_datetime)


@given(text=HEADERS, date=HEADERS)
def test_any_retry_after(text: str, date: str) -> None:
    """Whatever the headers hold, what is asked is nothing or a finite number of seconds, and not a negative one."""
    seconds = reply(retry_after=text, date=date).retry_after()
    assert seconds is None or 0 <= seconds < float("inf")
