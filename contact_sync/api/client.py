"""How the API is reached: a request, whole within a deadline, never redirected, and what went wrong when there is no answer.

The transport is called directly, without httpx's client layer: this API needs no cookies, no authentication and no redirects, and
the layer costs more than the request (measured, see the README's *Decisions*).
"""

import asyncio
import email.utils
import os
import ssl
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self, cast
from urllib.parse import urlsplit

import aiohttp
import httpx

from contact_sync import __version__
from contact_sync.api.limiter import Limiter
from contact_sync.errors import ConfigError, Transient
from contact_sync.i18n import _
from contact_sync.model import Violation

MAX_BODY = 1 << 20
"""Bytes of an answer that are read at most; a contact takes a few hundred."""

_KEEP_ALIVE = 4.0  # seconds; shorter than the 5 that servers grant at least, so that they seldom close first

_HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": f"contact-sync/{__version__}",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one attempt."""

    status: int
    headers: httpx.Headers
    body: bytes

    def retry_after(self) -> float | None:
        """Seconds the server asks to wait (RFC 9110, 10.2.3), seconds or date; None when it asks nothing that can be read."""
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return float(text[:9])
        until, now = _moment(text), _moment(self.headers.get("date", ""))
        if until is None or now is None:  # our own clock may be wrong: only the server's counts
            return None
        return max(0.0, until - now)


def _moment(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


class Transport(httpx.AsyncBaseTransport):
    """httpx's requests over aiohttp: the answer is read to its end, within `MAX_BODY`, and neither redirected nor unpacked."""

    def __init__(self, connections: int, tls: ssl.SSLContext, proxy: httpx.Proxy | None) -> None:
        self._connections = connections
        self._tls = tls
        self._proxy: dict[str, Any] = {"proxy": str(proxy.url), "proxy_headers": proxy.headers} if proxy else {}
        self._session: aiohttp.ClientSession | None = None  # which can only be made where an event loop runs

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`; raises what aiohttp raises, or Transient when the body is too large."""
        if self._session is None:
            self._session = self._open()
        url, data = str(request.url), request.content or None
        body = bytearray()
        async with self._session.request(request.method, url, data=data, allow_redirects=False, **self._proxy) as answer:
            while part := await answer.content.readany():
                body += part
                if len(body) > MAX_BODY:
                    raise Transient(Violation("api-garbled", detail={"reason": _("more than 1 MB")}), http_status=answer.status)
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=httpx.ByteStream(bytes(body)))

    def _open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=_KEEP_ALIVE, ssl=self._tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            timeout=aiohttp.ClientTimeout(),  # none: the client sets one deadline for the whole
            auto_decompress=False,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


class Client:
    """Asks one API (`base_url`, without a slash at the end). Use as an asynchronous context manager.

    `rate` is in attempts a second, 0 = no limit; `connections` bounds those open at a time; `timeout` is the whole of one attempt
    in seconds. `clock` and `sleep` go to the limiter.
    """

    def __init__(
        self,
        base_url: str,
        *,
        rate: float,
        connections: int,
        timeout: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._base_url = base_url
        self._host = _host(base_url)
        if not self._host:
            raise ConfigError(_("The base URL {url} is not valid: correct --base-url.", url=base_url))
        self._proxy = _proxy(base_url)
        self._timeout = timeout
        self._urls: dict[str, httpx.URL] = {}  # parsing one costs as much as sending it
        self.limiter = Limiter(rate, clock=clock, sleep=sleep)
        tls = _tls() if base_url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # which trusts nobody
        self._transport: httpx.AsyncBaseTransport = Transport(connections, tls, self._proxy[1] if self._proxy else None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.aclose()

    async def post(self, path: str, body: bytes) -> Reply:
        """Make one attempt.

        Raises Transient when there is no answer, ConfigError where a certificate or a proxy has to be mended first.
        """
        if path not in self._urls:
            self._urls[path] = httpx.URL(f"{self._base_url}/{path}")
        request = httpx.Request("POST", self._urls[path], stream=httpx.ByteStream(body))
        request.read()
        return await self._ask(request)

    async def get(self, path: str, query: str) -> Reply:
        """Make one attempt to read; raises what `post` does."""
        return await self._ask(httpx.Request("GET", f"{self._base_url}/{path}?{query}"))

    async def _ask(self, request: httpx.Request) -> Reply:
        """The one way out: every attempt waits for its turn, and the deadline begins when that has come."""
        await self.limiter.acquire()
        try:
            # httpx's own timeouts are per read: a server that drips one byte at a time passes them for ever.
            async with asyncio.timeout(self._timeout):
                response = await self._transport.handle_async_request(request)
                stream = cast("httpx.AsyncByteStream", response.stream)
                body = b"".join([part async for part in stream])
        except TimeoutError:
            raise _unanswered(_("no answer in time")) from None
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            raise self._failure(error) from None
        return Reply(response.status_code, response.headers, body)

    def _failure(self, cause: Exception) -> Exception:
        """What to do next about an attempt without an answer."""
        if self._proxy and _is_proxys(cause):
            return ConfigError(
                _(
                    "The proxy in {variable} cannot be used: correct the variable, or exclude {host} with NO_PROXY.",
                    variable=self._proxy[0],
                    host=self._host,
                )
            )
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ConfigError(
                _(
                    "This machine does not trust the certificate of {host}: check --base-url, the clock and SSL_CERT_FILE.",
                    host=self._host,
                )
            )
        if isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ClientHttpProxyError):
            return Transient(Violation("api-unreachable"))
        if isinstance(cause, aiohttp.ClientConnectionError):
            return _unanswered(_("the connection was closed"))
        return _unanswered(_("the answer was cut or malformed"))


def _unanswered(reason: str) -> Transient:
    return Transient(Violation("api-no-answer", detail={"reason": reason}))


def _is_proxys(cause: BaseException) -> bool:
    """Whether it is the proxy that fails; one that cannot reach the API (HTTP 5xx) is well itself."""
    if isinstance(cause, aiohttp.ClientHttpProxyError):
        return cause.status < 500  # noqa: PLR2004 - the class of server errors
    # Behind a proxy no other name than the proxy's own is looked up.
    return isinstance(cause, aiohttp.ClientProxyConnectionError | aiohttp.ClientConnectorDNSError)


def _host(url: str) -> str:
    """The host of `url`; empty when nothing can be connected to there."""
    try:
        host, _ = httpx.URL(url).host, urlsplit(url).port  # which raises when it is out of range
        host.encode("idna")
    except (httpx.InvalidURL, ValueError):
        return ""
    return host


def _proxy(base_url: str) -> tuple[str, httpx.Proxy] | None:
    """The environment variable that names a proxy for this URL, and the proxy."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if parts.scheme == "http" or urllib.request.proxy_bypass(host):
        return None  # http is for loopback hosts alone, and no proxy need see what goes there
    for name in ("https", "all"):
        proxy = urllib.request.getproxies_environment().get(name)
        if not proxy:
            continue
        variable = f"{name.upper()}_PROXY"
        if not proxy.startswith("http://") or not _host(proxy):
            raise ConfigError(
                _(
                    "{variable} must be an address with http://: correct it, or exclude {host} with NO_PROXY.",
                    variable=variable,
                    host=host,
                )
            )
        parsed = httpx.URL(proxy)
        headers = {}
        if parsed.userinfo:
            headers["Proxy-Authorization"] = aiohttp.encode_basic_auth(parsed.username, parsed.password)
        return variable, httpx.Proxy(parsed.copy_with(username=None, password=None), headers=headers)
    return None


def _tls() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except (OSError, ssl.SSLError) as error:
        named = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
        raise ConfigError(
            _(
                "SSL_CERT_FILE or SSL_CERT_DIR ({named}) contains no certificates ({reason}): correct the variable.",
                named=named,
                reason=error,
            )
        ) from error
