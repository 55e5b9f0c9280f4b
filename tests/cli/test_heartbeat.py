"""Pings to a monitor at start and end."""

import contextlib
import logging
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from contact_sync.cli import heartbeat
from contact_sync.cli.heartbeat import Ping
from contact_sync.errors import ConfigError


class Monitor(HTTPServer):
    """A monitor that records its pings."""

    received: list[tuple[str, str]]
    status = 200


class _Handler(BaseHTTPRequestHandler):
    server: Monitor

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.received.append((self.path, body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    """Serve a monitor on a loopback port."""
    served = Monitor(("127.0.0.1", 0), _Handler)
    served.received = []
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    yield served
    served.shutdown()
    thread.join()
    served.server_close()


def test_start_and_end(monitor: Monitor) -> None:
    """The monitor is notified of the start, and of the end with its exit code."""
    ping = Ping(f"http://127.0.0.1:{monitor.server_port}/secret-id/")
    ping.send("start")
    ping.send("3", "caf\udce9.csv: 2 rows")
    assert monitor.received == [("/secret-id/start", ""), ("/secret-id/3", "caf\\udce9.csv: 2 rows")]


@pytest.mark.parametrize(
    ("url", "start", "end"),
    [
        ("/secret-id?token=x/y", "/secret-id/start?token=x/y", "/secret-id/3?token=x/y"),
        ("/secret-id/?token=x", "/secret-id/start?token=x", "/secret-id/3?token=x"),
        ("?token=x", "/start?token=x", "/3?token=x"),
        ("/secret-id#top", "/secret-id/start", "/secret-id/3"),
    ],
)
def test_url_with_query_or_fragment(monitor: Monitor, url: str, start: str, end: str) -> None:
    """Start and exit code are appended to the path, before a query, so a failure never reaches the monitor as success."""
    ping = Ping(f"http://127.0.0.1:{monitor.server_port}{url}")
    ping.send("start")
    ping.send("3")
    assert monitor.received == [(start, ""), (end, "")]


def test_no_url(caplog: pytest.LogCaptureFixture) -> None:
    """Without a URL nothing happens."""
    Ping(None).send("start")
    Ping("").send("0")
    assert caplog.records == []


@pytest.mark.parametrize("url", ["secret-id", "ftp://host/secret-id", "https:///secret-id", "https://[secret-id"])
def test_invalid_url(url: str) -> None:
    """An invalid URL is refused, and not repeated."""
    with pytest.raises(ConfigError, match="must begin with https") as refused:
        Ping(url)
    assert "secret-id" not in str(refused.value)


def test_unreachable_monitor(monitor: Monitor, caplog: pytest.LogCaptureFixture) -> None:
    """A failed ping is recorded and logged, without its URL, and changes nothing."""
    monitor.status = 500
    refused, unreachable = Ping(f"http://127.0.0.1:{monitor.server_port}/secret-id"), Ping("http://127.0.0.1:1/secret-id")
    with caplog.at_level(logging.WARNING, logger="contact_sync"):
        refused.send("start")
        unreachable.send("0")
    assert (refused.failure, unreachable.failure) == ("HTTP 500", "Connection refused")
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "secret-id" not in caplog.text


def test_server_that_never_ends_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sends one header line after another is abandoned; only the end counts as failed, its thread goes on."""
    monkeypatch.setattr(heartbeat, "_START_TIMEOUT_S", 0.05)
    monkeypatch.setattr(heartbeat, "_END_TIMEOUT_S", 0.05)
    over = threading.Event()

    def drip(listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while not over.wait(0.01):
                    connection.sendall(b"X-A: b\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,))
        thread.start()
        ping = Ping(f"http://127.0.0.1:{listening.getsockname()[1]}/secret-id")
        ping.send("start")
        assert ping.failure == ""
        ping.send("0")
        assert ping.failure == "TimeoutError"
        over.set()
        thread.join()


def test_sentence_of_a_ping_is_printable(monitor: Monitor) -> None:
    """A line break or an escape sequence in a sentence does not reach the monitor's mail."""
    Ping(f"http://127.0.0.1:{monitor.server_port}/x").send("4", "a\n\x1b[31mb")
    assert monitor.received == [("/x/4", "a\\n\\x1b[31mb")]
