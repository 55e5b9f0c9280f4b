"""A fast server that responds as the API does: it confirms every update with its own echo, after a delay.

`python server.py DELAY_MS [N]` prints its port, and on SIGTERM one JSON object: the number of requests, the number in the busiest
second, the seconds from the first to the last, the requests a second between the first tenth and the last, and the share of the
time in which it was busy. Every N-th request fails.

"""

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections import deque
from typing import ClassVar


class Connection(asyncio.Protocol):
    """One connection: sequential requests, each with a Content-Length."""

    delay = 0.0
    fails = 0
    """Every n-th request fails; 0: none."""
    starts: ClassVar[deque[float]] = deque()
    busy_before = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start to read."""
        self.transport: asyncio.WriteTransport = transport  # type: ignore[assignment]
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        """Respond to each complete request."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4 : end + 4 + length]
            self.buffer = self.buffer[end + 4 + length :]
            if not self.starts:
                Connection.busy_before = time.process_time()
            self.starts.append(time.monotonic())
            if self.fails and len(self.starts) % self.fails == 0:
                self.transport.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
                continue
            if self.delay:
                asyncio.get_running_loop().call_later(self.delay, self.confirm, body)
            else:
                self.confirm(body)

    def confirm(self, body: bytes) -> None:
        """Confirm an update, echoing it."""
        request = json.loads(body)
        echo = json.dumps(request["contact"] | {"contactId": request["contactId"]}).encode()
        response = b'{"success": true, "code": 200, "contact": %s}' % echo
        self.transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(response), response)
        )


def busiest_second() -> int:
    """Return the largest number of requests that arrived within one second."""
    starts, most, first = list(Connection.starts), 0, 0
    for last, start in enumerate(starts):
        while starts[first] <= start - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def statistics() -> dict[str, float]:
    """Return the statistics that are printed at the end."""
    starts = list(Connection.starts)
    span = starts[-1] - starts[0] if starts else 0.0
    busy = (time.process_time() - Connection.busy_before) / span if span else 0.0
    middle = starts[len(starts) // 10 : -(len(starts) // 10) or None]
    steady = (len(middle) - 1) / (middle[-1] - middle[0]) if len(middle) > 1 else 0.0
    return {"requests": len(starts), "busiest": busiest_second(), "span": span, "steady": steady, "busy": busy}


async def main() -> None:
    """Serve until SIGTERM."""
    Connection.delay = float(sys.argv[1]) / 1000
    Connection.fails = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    server = await loop.create_server(Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - for the parent process
    await ended.wait()
    with contextlib.suppress(BrokenPipeError):  # the parent process has ended
        print(json.dumps(statistics()), flush=True)  # noqa: T201 - the same


if __name__ == "__main__":
    asyncio.run(main())
