"""A server before the sandbox that answers as no HTTP library would let it."""

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

_PIECE = 1 << 16


@dataclass(frozen=True)
class Odd:
    """What is done with one update in place of handing it on."""

    answer: bytes = b""
    """What is written, whatever that is."""
    applied: bool = True
    """Whether the sandbox gets the update first."""
    reset: bool = False
    """End the connection with a reset and not in good order."""
    pause: float = 0.0
    """Seconds between two bytes; without an answer, seconds of silence."""


@dataclass
class Front:
    """Hands every update on to `behind`, but for those in `script`."""

    behind: Sandbox
    script: dict[str, list[Odd]] = field(default_factory=dict)
    """contactId → what is done with its next updates."""
    base_url: str = ""

    def hand_on(self, request: bytes, target: str) -> bytes:
        """Return the sandbox's whole answer."""
        connection = http.client.HTTPConnection(urlsplit(self.behind.base_url).netloc, timeout=60)
        with contextlib.closing(connection):
            method = "POST" if request else "GET"
            connection.request(method, target, request or None, {"Content-Type": "application/json"})
            response = connection.getresponse()
            body = response.read()
            told = {"Content-Type": response.headers["Content-Type"] or "", "Content-Length": str(len(body))}
            told |= {name: response.headers[name] for name in ("Retry-After", "Location") if name in response.headers}
            head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
            return f"HTTP/1.1 {response.status} .\r\n{head}\r\n".encode() + body


@contextmanager
def serve(behind: Sandbox) -> Iterator[Front]:
    """Serve before `behind` until the block ends."""
    front = Front(behind)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                while line := self.rfile.readline():
                    _answer(front, self.connection, line, self.rfile)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """Keep quiet about clients that went away."""

    with Server(("127.0.0.1", 0), Handler) as server:
        front.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        yield front
        server.shutdown()


def _answer(front: Front, connection: socket.socket, line: bytes, stream: BufferedIOBase) -> None:
    target = line.split()[1].decode()
    head = http.client.parse_headers(stream)
    request = stream.read(int(head.get("Content-Length", "0")))
    scripted = front.script.get(json.loads(request)["contactId"]) if request else None
    odd = scripted.pop(0) if scripted else None
    answer = front.hand_on(request, target) if odd is None or odd.applied else b""
    if odd is None:
        connection.sendall(answer)
        return
    if odd.pause:
        for at in range(max(len(odd.answer), 1)):
            connection.sendall(odd.answer[at : at + 1])
            time.sleep(odd.pause)
    for start in range(0, 0 if odd.pause else len(odd.answer), _PIECE):
        connection.sendall(odd.answer[start : start + _PIECE])
    if odd.reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    else:
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError
