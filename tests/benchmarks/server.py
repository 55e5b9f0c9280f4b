"""The fastest server that still answers as the API does: every update confirmed with its own echo, after a delay.

`python server.py DELAY_MS [N]` prints its port, and, when it gets SIGTERM, one JSON object: how many requests it had, how many in
the busiest second, the seconds from the first to the last, and for what share of them it was busy. Every N-th request fails.
"""

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections import deque
from typing import ClassVar


class Answering(asyncio.Protocol):
    """One connection: requests come one after the other, each with a Content-Length."""

    delay = 0.0
    fails = 0
    """Every so many requests fail; 0: none."""
    starts: ClassVar[deque[float]] = deque()
    busy_before = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to read."""
        self.transport: asyncio.WriteTransport = transport  # type: ignore[assignment]
        self.read = b""

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self.read += data
        while (end := self.read.find(b"\r\n\r\n")) >= 0:
            head = self.read[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(self.read) < end + 4 + length:
                return
            body = self.read[end + 4 : end + 4 + length]
            self.read = self.read[end + 4 + length :]
            if not self.starts:
                Answering.busy_before = time.process_time()
            self.starts.append(time.monotonic())
            if self.fails and len(self.starts) % self.fails == 0:
                self.transport.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
                continue
            if self.delay:
                asyncio.get_running_loop().call_later(self.delay, self.answer, body)
            else:
                self.answer(body)

    def answer(self, body: bytes) -> None:
        """Confirm an update, echoing it."""
        request = json.loads(body)
        echo = json.dumps(request["contact"] | {"contactId": request["contactId"]}).encode()
        answer = b'{"success": true, "code": 200, "contact": %s}' % echo
        self.transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer)
        )


def busiest_second() -> int:
    """The most requests that arrived within any second."""
    starts, most, first = list(Answering.starts), 0, 0
    for last, start in enumerate(starts):
        while starts[first] <= start - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def seen() -> dict[str, float]:
    """What there is to tell."""
    starts = Answering.starts
    span = starts[-1] - starts[0] if starts else 0.0
    busy = (time.process_time() - Answering.busy_before) / span if span else 0.0
    return {"requests": len(starts), "busiest": busiest_second(), "span": span, "busy": busy}


async def main() -> None:
    """Serve until SIGTERM."""
    Answering.delay = float(sys.argv[1]) / 1000
    Answering.fails = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    server = await loop.create_server(Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - for whoever started it
    await ended.wait()
    with contextlib.suppress(BrokenPipeError):  # nobody asked
        print(json.dumps(seen()), flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
