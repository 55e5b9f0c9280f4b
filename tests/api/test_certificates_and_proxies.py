"""The client behind proxies, and with certificates that it trusts or not."""

import asyncio
import base64
import ssl
import subprocess
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from contact_sync.api.endpoint import Reply
from contact_sync.errors import ConfigError, Transient
from tests.api.serving import DEAD, KEY, Connection, Script, Server, answering, attempt, client, failure, post, serving

# ---- certificates


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that makes a self-signed certificate for a host, with its key in the same file."""
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
    """Return the TLS context of a server with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def over_tls(certificate: Path) -> tuple[Reply | Exception, list[bytes]]:
    """Return the result of one attempt over TLS, and the requests that the server received."""

    async def against() -> tuple[Reply | Exception, list[bytes]]:
        async with serving(answering, tls(certificate)) as server:
            try:
                return await post(f"https://127.0.0.1:{server.port}/v1"), server.received
            except (ConfigError, Transient) as error:
                return error, server.received

    return asyncio.run(against())


def test_trusted_certificate(certificates: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """SSL_CERT_FILE names the trusted certificates."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates("IP:127.0.0.1")))
    reply, received = over_tls(certificates("IP:127.0.0.1"))
    assert isinstance(reply, Reply)
    assert reply.status == 200
    assert len(received) == 1


@pytest.mark.parametrize(("host", "trusted"), [("IP:127.0.0.1", False), ("DNS:other.example", True)])
def test_untrusted_certificate(
    certificates: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, host: str, trusted: bool
) -> None:
    """A certificate that is not trusted, or of another host, ends the run before a byte of the request is sent."""
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates(host)))
    outcome, received = over_tls(certificates(host))
    assert isinstance(outcome, ConfigError)
    assert (
        str(outcome) == "This machine does not trust the certificate of 127.0.0.1: check --base-url, the clock and SSL_CERT_FILE."
    )
    assert received == []


def test_port_without_tls() -> None:
    """A port that does not speak TLS, or closes during the handshake, may be a proxy that restarts: the attempt is transient."""

    async def speaks_http(connection: Connection) -> None:
        await connection.reader.read(5)
        connection.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def breaks_off(connection: Connection) -> None:
        await connection.reader.read(5)

    async def against(script: Script) -> None:
        async with serving(script) as server:
            await post(f"https://127.0.0.1:{server.port}/v1")

    for script in (speaks_http, breaks_off):
        with pytest.raises(Transient) as caught:
            asyncio.run(against(script))
        assert failure(caught.value) == ("api-unreachable", "")


def test_missing_trust_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that names no certificates is refused before anything is sent."""
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
def test_dead_proxy(monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str) -> None:
    """A proxy that cannot be reached is named by its variable, never by its address, which may contain a password."""
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
def test_unsupported_proxy(monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str) -> None:
    """An unsupported proxy, or an invalid address, is refused before anything is sent."""
    monkeypatch.setenv(variable, proxy)
    with pytest.raises(
        ConfigError, match=rf"^{variable} must be an address with http://.* exclude api.example with NO_PROXY\.$"
    ) as caught:
        client("https://api.example/v1")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("exception", ["127.0.0.1", "*", "other.example, 127.0.0.1"])
def test_no_proxy(certificates: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, exception: str) -> None:
    """A host in NO_PROXY is reached directly, whatever the proxy variables contain."""
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1080")
    monkeypatch.setenv("NO_PROXY", exception)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates("IP:127.0.0.1")))
    reply, _ = over_tls(certificates("IP:127.0.0.1"))
    assert isinstance(reply, Reply)


def test_loopback_uses_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unencrypted requests to this machine use no proxy, whatever the proxy variables contain."""
    for variable in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, DEAD)
    reply, _ = attempt(answering)
    assert isinstance(reply, Reply)


async def tunnelling(connection: Connection) -> None:
    """Serve CONNECT like a proxy, and note all bytes that pass."""
    connection.received.append(await connection.reader.readuntil(b"\r\n\r\n"))
    target = connection.received[0].split()[1].decode()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(target.rpartition(":")[2]))
    connection.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

    async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while part := await source.read(65_536):
            connection.received.append(part)
            sink.write(part)
        sink.close()

    await asyncio.gather(pass_on(connection.reader, writer), pass_on(reader, connection.writer))


@pytest.mark.parametrize("login", ["", "üser:p%40ss@"])
def test_proxy(certificates: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, login: str) -> None:
    """The request goes through the proxy, which gets its password and never the key."""
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
def test_proxy_that_refuses(monkeypatch: pytest.MonkeyPatch, status: int, expected: type[Exception]) -> None:
    """A proxy that wants a password has to be fixed; one that cannot reach the API works, and the API does not."""

    async def script(connection: Connection) -> None:
        await connection.reader.readuntil(b"\r\n\r\n")
        connection.write(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())

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
