"""The client: one request at a time through the rate limit, within one deadline, and an error of ours when there is no answer.

It calls the transport directly. `httpx.AsyncClient` between them, for the cookies, redirects and authentication that this API
does not have, would double the CPU time of a request (see the benchmarks).
"""

import asyncio
import os
import ssl
import urllib.request
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import lru_cache
from typing import Self, TypeVar
from urllib.parse import urlsplit

import httpx

from contact_sync.api.compression import CompressionError, decompressed
from contact_sync.api.endpoint import Endpoint, Reply, Request
from contact_sync.api.failures import CertificateError, HeadTooLongError, ShortageError
from contact_sync.api.limiter import Limiter, Pace
from contact_sync.errors import ConfigError, Transient
from contact_sync.files.descriptors import RESERVED_FILES, most_open_files
from contact_sync.i18n import _
from contact_sync.model.violation import Violation

_parse_url = lru_cache(httpx.URL)  # parsing one costs as much as sending it

_ArgumentT = TypeVar("_ArgumentT")
_ValueT = TypeVar("_ValueT")


class Client:
    """Sends requests to one API (`base_url`, without a slash at the end). Use as an asynchronous context manager.

    `pace` limits the attempts, `connections` bounds those open at a time, `timeout` is the deadline of one whole attempt in
    seconds. `sleep` goes to the limiter. `transport` replaces the network.
    Raises ConfigError when the base URL, the proxy in the environment or the trust store cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        *,
        pace: Pace,
        connections: int,
        timeout: float,
        sleep: Callable[[float], Awaitable[None]],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._base_url = base_url
        self._host = _host_of(base_url)
        if not self._host:
            raise ConfigError("The base URL {url} is not valid: correct --base-url.", url=base_url)
        self._timeout = timeout
        self.limiter = Limiter(pace, sleep=sleep)
        self._proxy_variable, self._proxy = _proxy_for(base_url)
        self._tls = _trust_store() if base_url.startswith("https:") else None
        # Half of the files: the sandbox of a rehearsal has the other end of each connection in this process.
        spare = (most_open_files() - RESERVED_FILES) // 2
        self._connections = max(1, min(connections, spare))
        self._given = transport

    async def __aenter__(self) -> Self:
        self._transport = self._given or self._open_transport()
        return self

    def _open_transport(self) -> httpx.AsyncBaseTransport:
        from contact_sync.api.transport import Transport  # noqa: PLC0415 - most nights send nothing, and need not wait for aiohttp

        return Transport(self._connections, self._tls, self._proxy)

    async def __aexit__(self, *_: object) -> None:
        await self._transport.aclose()

    async def call(self, endpoint: Endpoint[_ArgumentT, _ValueT], argument: _ArgumentT) -> _ValueT:
        """Make one attempt at `endpoint`, and return its value; raises the errors of `send` and of the endpoint."""
        return endpoint.read(await self.send(endpoint.request(argument)), argument)

    async def send(self, request: Request) -> Reply:
        """Make one attempt as soon as the limiter allows; the deadline begins then.

        Raises Transient when there is no answer, ConfigError when a certificate or a proxy has to be fixed first.
        """
        url = _parse_url(f"{self._base_url}/{request.path}")
        built = httpx.Request(request.method, url, params=request.query, stream=httpx.ByteStream(request.body))
        built.read()  # `content=` would compute headers that the transport computes again
        start = await self.limiter.acquire()
        try:
            # httpx's own timeouts are per read: a server that sends one byte at a time never exceeds them.
            async with asyncio.timeout(self._timeout):
                response = await self._transport.handle_async_request(built)
                async with aclosing(response):
                    body = _plain(await _read(response, request.largest_reply), response, request.largest_reply)
        except (TimeoutError, httpx.TransportError) as error:
            raise self._failure(error) from None
        return Reply(response.status_code, response.headers, body, start)

    def _failure(self, error: TimeoutError | httpx.TransportError) -> Exception:
        """Return the error that says what to do next about an attempt without an answer."""
        if isinstance(error, httpx.ProxyError):
            return ConfigError(
                "The proxy in {variable} cannot be used: correct the variable, or exclude {host} with NO_PROXY.",
                variable=self._proxy_variable,
                host=self._host,
            )
        if isinstance(error, CertificateError):
            return ConfigError(
                "This machine does not trust the certificate of {host}: check --base-url, the clock and SSL_CERT_FILE.",
                host=self._host,
            )
        if isinstance(error, ShortageError):
            error.reason.is_before_request = True
            return error.reason
        if isinstance(error, httpx.ConnectError):
            return Transient(Violation("api-unreachable"), maybe_applied=False)
        if isinstance(error, TimeoutError):
            reason = _("no answer in time")
        elif isinstance(error, httpx.NetworkError):
            reason = _("the connection was closed")
        elif isinstance(error, HeadTooLongError):
            reason = _("the head of the answer is longer than is read: a line of 32 KB, 512 lines")
        else:
            reason = _("the answer was cut or malformed")
        return Transient(Violation("api-no-answer", detail={"reason": reason}))


async def _read(response: httpx.Response, most: int) -> bytes:
    """Return the body as it was sent; raises Transient when it has more than `most` bytes."""
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > most:
            raise _too_long(most, response)
    return bytes(body)


def _plain(body: bytes, response: httpx.Response, most: int) -> bytes:
    """Return the body without compression; raises Transient when that is not possible."""
    try:
        body = decompressed(body, response.headers.get("content-encoding", ""), most)
    except CompressionError as error:
        reason = _("HTTP {status}, compressed as {name}, although none was asked for", status=response.status_code, name=error)
        raise _garbled(reason, response) from None
    if len(body) > most:
        raise _too_long(most, response)
    return body


def _too_long(most: int, response: httpx.Response) -> Transient:
    return _garbled(_("more than {most} MB", most=most >> 20), response)


def _garbled(reason: str, response: httpx.Response) -> Transient:
    return Transient(Violation("api-garbled", detail={"reason": reason}), response.status_code)


def _host_of(url: str) -> str:
    """Return the host of `url`, or an empty text when no connection can be opened to it."""
    try:
        host, _ = httpx.URL(url).host, urlsplit(url).port  # which raises ValueError when it is out of range
        host.encode("idna")
    except (httpx.InvalidURL, ValueError):
        return ""
    return host


def _proxy_for(base_url: str) -> tuple[str, httpx.Proxy | None]:
    """Return the environment variable that names a proxy for this URL, and the proxy."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    # http is for loopback hosts only, and no proxy need see those requests.
    if parts.scheme == "https" and not urllib.request.proxy_bypass(host):
        proxies = urllib.request.getproxies_environment()
        for name in filter(proxies.get, ("https", "all")):
            variable, url = f"{name.upper()}_PROXY", proxies[name]
            if not url.startswith("http://") or not _host_of(url):
                raise ConfigError(
                    "{variable} must be an address with http://: correct it, or exclude {host} with NO_PROXY.",
                    variable=variable,
                    host=host,
                )
            return variable, httpx.Proxy(url)
    return "", None


def _trust_store() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except (OSError, ssl.SSLError) as error:
        named = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
        raise ConfigError(
            "SSL_CERT_FILE or SSL_CERT_DIR ({named}) contains no certificates ({reason}): correct the variable.",
            named=named,
            reason=error,
        ) from error
