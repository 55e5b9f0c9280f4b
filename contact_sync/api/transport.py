"""The transport: httpx's requests over aiohttp, which takes a fraction of the CPU time of httpx's own (see the benchmarks).

It raises httpx's errors only, so that nothing else knows aiohttp. Redirects are not followed, cookies not kept, and bodies not
decompressed.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import aiohttp
import httpx
from aiohttp.client_proto import ResponseHandler

from contact_sync import __version__
from contact_sync.api.failures import CertificateError, HeadTooLongError, ShortageError
from contact_sync.files.descriptors import shortage_of

_KEEP_ALIVE_S = 4.0  # shorter than the 5 s that servers keep a connection at least, so that they seldom close first
_MAX_LINE, _MAX_HEADERS = 1 << 15, 512
"""Bytes of a line of the head, and lines of it; a request whose answer exceeds them may have been applied all the same."""
_TOO_LONG = ("Got more than", "Too many headers")  # beginnings of aiohttp's messages, its only sign of it

_HEAD_END = b"\r\n\r\n"

_CLOSED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)

_HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": f"contact-sync/{__version__}",
}


class _Protocol(ResponseHandler):
    """A protocol to which it makes no difference in what parts an answer arrives.

    By itself aiohttp drops an answer if bytes that follow its end arrive together with its head, and waits for the rest of one
    whose body turns out to be malformed later than that. It closes the connection in either case.
    """

    def data_received(self, data: bytes) -> None:
        head, end, rest = data.partition(_HEAD_END)
        super().data_received(head + end)
        if rest and self.exception() is None:
            super().data_received(rest)
        if self.exception() is not None and self._payload is not None and not self._payload.is_eof():
            self._payload.set_exception(aiohttp.ClientPayloadError("malformed"))


class _Connector(aiohttp.TCPConnector):
    """A connector whose connections speak `_Protocol`."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._factory: Any = partial(_Protocol, loop=asyncio.get_running_loop())


class Transport(httpx.AsyncBaseTransport):
    """Sends httpx's requests with aiohttp, all with the same headers, over at most `connections` connections at a time.

    Connections are used again until a server closes one in place of an answer, as some do with each at its second request. From
    then on each request has its own.
    """

    def __init__(self, connections: int, tls: ssl.SSLContext | None, proxy: httpx.Proxy | None) -> None:
        self._connections = connections
        self._tls = tls
        self._proxy: dict[str, Any] = {}
        if proxy:
            login = {"Proxy-Authorization": aiohttp.encode_basic_auth(*proxy.auth)} if proxy.auth else {}
            self._proxy = {"proxy": str(proxy.url), "proxy_headers": login}
        self._sessions: dict[bool, aiohttp.ClientSession] = {}  # by `_reuse`; they can only be made where an event loop runs
        self._reuse = True

    def _session(self) -> aiohttp.ClientSession:
        """Return the session for new requests."""
        if self._reuse not in self._sessions:
            lifetime: dict[str, Any] = {"keepalive_timeout": _KEEP_ALIVE_S} if self._reuse else {"force_close": True}
            self._sessions[self._reuse] = aiohttp.ClientSession(
                connector=_Connector(limit=self._connections, ssl=self._tls or True, **lifetime),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_HEADERS,
                timeout=aiohttp.ClientTimeout(),  # none: the client sets one deadline for the whole attempt
                auto_decompress=False,
                max_line_size=_MAX_LINE,
                max_field_size=_MAX_LINE,
                max_headers=_MAX_HEADERS,
            )
        return self._sessions[self._reuse]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`, and return the response as soon as its head has arrived; raises httpx.TransportError."""
        url, data = str(request.url), request.content or None
        try:
            response = await self._session().request(request.method, url, data=data, allow_redirects=False, **self._proxy)
        except (aiohttp.ClientError, OSError) as error:
            # A ClientConnectorError, which is a ClientOSError too, never had a connection.
            if isinstance(error, _CLOSED) and not isinstance(error, aiohttp.ClientConnectorError):
                self._reuse = False
            raise _as_httpx_error(error, behind_proxy=bool(self._proxy)) from error
        return httpx.Response(response.status, headers=response.raw_headers, stream=_Body(response))

    async def aclose(self) -> None:
        """Close the connections."""
        for session in self._sessions.values():
            await session.close()


class _Body(httpx.AsyncByteStream):
    """The body of a response, as it arrives."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while part := await self._response.content.readany():
                yield part
        except (aiohttp.ClientError, OSError) as error:
            raise _as_httpx_error(error) from error

    async def aclose(self) -> None:
        self._response.close()  # a body that was read to its end has already returned its connection to the pool


def _as_httpx_error(error: Exception, *, behind_proxy: bool = False) -> httpx.TransportError:
    """Return httpx's error for one of aiohttp's."""
    if isinstance(error, aiohttp.ClientConnectorError) and (shortage := shortage_of(error.os_error)):
        return ShortageError(shortage)
    kind: type[httpx.TransportError] = httpx.RemoteProtocolError
    if isinstance(error, ssl.SSLCertVerificationError):
        kind = CertificateError
    elif isinstance(error, aiohttp.ClientHttpProxyError):
        # A proxy that answers with a server error works; it is the API that it cannot reach.
        kind = httpx.ProxyError if error.status < 500 else httpx.ConnectError  # noqa: PLR2004 - the class of server errors
    elif isinstance(error, aiohttp.ClientProxyConnectionError) or (
        behind_proxy and isinstance(error, aiohttp.ClientConnectorDNSError)
    ):
        kind = httpx.ProxyError  # behind a proxy, its own name is the only one that is looked up
    elif isinstance(error, aiohttp.ClientConnectorError):
        kind = httpx.ConnectError
    elif isinstance(error, aiohttp.ClientConnectionError):
        kind = httpx.ReadError
    elif isinstance(error, aiohttp.ClientResponseError) and error.message.startswith(_TOO_LONG):
        kind = HeadTooLongError
    return kind(str(error))
