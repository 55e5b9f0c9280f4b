"""Pings to a monitor such as healthchecks.io: a run starts, and ended with this exit code.

A failed ping never changes the run and is no reason for a mail, since a monitor that gets none raises its own alarm; a warning
helps an operator who tries the URL out. The URL is a secret: anyone who knows it can report success.
"""

import contextlib
import logging
import threading
import time
from urllib.parse import urlsplit

from contact_sync.display import printable
from contact_sync.errors import ConfigError

_START_TIMEOUT_S, _END_TIMEOUT_S = 3.0, 6.5
"""Seconds that a run waits for a ping at most, less than 10 in all; a slower ping of the start goes on beside the run."""
_SOCKET_TIMEOUT_S = 10.0  # for each operation, of which a slow server can need any number

log = logging.getLogger(__name__)


class Ping:
    """Requests to `url`/start, then to `url`/CODE, where 0 is success; none without a `url`.

    A query stays after the path, and a fragment is dropped. Raises ConfigError when `url` is not an http or https URL.
    """

    def __init__(self, url: str | None) -> None:
        self._url = url or ""
        self.failure = ""  # the reason why the last failed ping failed, without the URL
        if self._url and not _is_http_url(self._url):
            raise ConfigError("--ping is not a URL: it must begin with https:// or http://.")

    def send(self, event: str, sentence: str = "") -> None:
        """Notify the monitor of an event, "start" or the exit code; `sentence` must not contain personal data.

        Only a thread can be abandoned in any state: neither the lookup of a name nor a server that sends a line a second ends by
        the timeout of a socket.
        """
        if not self._url:
            return
        is_start = event == "start"
        deadline = time.monotonic() + (_START_TIMEOUT_S if is_start else _END_TIMEOUT_S)
        thread = threading.Thread(target=self._request, args=(event, printable(sentence)), daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system allows no further thread
            self._fail(type(error).__name__)
            return
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive() and not is_start:
            self._fail("TimeoutError")

    def reach_host(self) -> str:
        """Return the reason why the host of the URL does not answer, empty if it does; the URL itself is not requested."""
        from contact_sync.cli.monitor import request  # noqa: PLC0415 - see there

        host = urlsplit(self._url)._replace(path="/", query="", fragment="").geturl()
        _status, reason = request("HEAD", host, timeout=_END_TIMEOUT_S)
        return reason

    def _request(self, event: str, sentence: str) -> None:
        from contact_sync.cli.monitor import request  # noqa: PLC0415 - the same

        parts = urlsplit(self._url)
        address = parts._replace(path=f"{parts.path.rstrip('/')}/{event}", fragment="").geturl()
        data = sentence.encode(errors="backslashreplace")
        status, reason = request("POST", address, timeout=_SOCKET_TIMEOUT_S, data=data)
        if reason or status >= 300:  # noqa: PLR2004 - redirects are followed
            self._fail(reason or f"HTTP {status}")

    def _fail(self, reason: str) -> None:
        self.failure = reason
        log.warning("the ping could not be sent: %s", reason)


def _is_http_url(url: str) -> bool:
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    return False
