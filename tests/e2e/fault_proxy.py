"""A proxy in front of the sandbox that sends responses no HTTP library would send."""

import contextlib
import http.client
import json
import socket
import socketserver
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedIOBase
from threading import Thread
from urllib.parse import urlsplit

from contact_sync.sandbox.server import Sandbox

_CHUNK_SIZE = 1 << 16


@dataclass(frozen=True)
class RawResponse:
    """Response to one update that replaces the sandbox's."""

    content: bytes = b""
    """Bytes written to the connection, valid HTTP or not."""
    applied: bool = True
    """Forward the update to the sandbox first."""
    reset: bool = False
    """Reset the connection instead of closing it in order."""
    pause: float = 0.0
    """Seconds between two bytes; without content, seconds of silence."""


@dataclass
class FaultProxy:
    """Forwards every request to `upstream`, except updates in `script`."""

    upstream: Sandbox
    script: dict[str, list[RawResponse]] = field(default_factory=dict)
    """contactId → responses to its next updates."""
    base_url: str = ""

    def forward(self, body: bytes, target: str) -> bytes:
        """Return the whole response of the sandbox."""
        connection = http.client.HTTPConnection(urlsplit(self.upstream.base_url).netloc, timeout=60)
        with contextlib.closing(connection):
            connection.request("POST" if body else "GET", target, body or None, {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
            headers = {"Content-Type": response.headers["Content-Type"] or "", "Content-Length": str(len(content))}
            headers |= {name: response.headers[name] for name in ("Retry-After", "Location") if name in response.headers}
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            return f"HTTP/1.1 {response.status} .\r\n{head}\r\n".encode() + content


@contextmanager
def serve(upstream: Sandbox) -> Iterator[FaultProxy]:
    """Serve a proxy in front of `upstream`."""
    proxy = FaultProxy(upstream)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                while line := self.rfile.readline():
                    _respond(proxy, self.connection, line, self.rfile)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """Ignore clients that disconnected."""

    with Server(("127.0.0.1", 0), Handler) as server:
        proxy.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        yield proxy
        server.shutdown()


def _respond(proxy: FaultProxy, connection: socket.socket, request_line: bytes, stream: BufferedIOBase) -> None:
    target = request_line.split()[1].decode()
    headers = http.client.parse_headers(stream)
    body = stream.read(int(headers.get("Content-Length", "0")))
    scripted = proxy.script.get(json.loads(body)["contactId"]) if body else None
    fault = scripted.pop(0) if scripted else None
    response = proxy.forward(body, target) if fault is None or fault.applied else b""
    if fault is None:
        connection.sendall(response)
        return
    size = 1 if fault.pause else _CHUNK_SIZE
    for start in range(0, max(len(fault.content), 1), size):
        connection.sendall(fault.content[start : start + size])
        time.sleep(fault.pause)
    if fault.reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    else:
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError
