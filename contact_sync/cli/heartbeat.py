"""Pings to a monitor such as healthchecks.io: a run starts, and ended with this exit code.

A failed ping never changes the run and is no reason for a mail, since a monitor that gets none raises its own alarm; a warning
helps an operator who tries the URL out. The URL is a secret: anyone who knows it can report success.
"""

import contextlib
import http.client
import logging
import ssl
import threading
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from contact_sync.display import printable
from contact_sync.errors import ConfigError, reason_of

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
        request = urllib.request.Request(urlsplit(self._url)._replace(path="/", query="", fragment="").geturl(), method="HEAD")  # noqa: S310
        try:
            urllib.request.urlopen(request, timeout=_END_TIMEOUT_S).close()  # noqa: S310 - checked above
        except urllib.error.HTTPError as error:
            error.close()
        except (OSError, ValueError, http.client.HTTPException) as error:
            return _reason(error)
        return ""

    def _request(self, event: str, sentence: str) -> None:
        parts = urlsplit(self._url)
        address = parts._replace(path=f"{parts.path.rstrip('/')}/{event}", fragment="").geturl()
        data = sentence.encode(errors="backslashreplace")
        try:
            request = urllib.request.Request(address, data=data, method="POST")  # noqa: S310 - checked above
            urllib.request.urlopen(request, timeout=_SOCKET_TIMEOUT_S).close()  # noqa: S310
        except urllib.error.HTTPError as error:
            error.close()
            self._fail(f"HTTP {error.code}")
        except (OSError, ValueError, http.client.HTTPException) as error:
            self._fail(_reason(error))

    def _fail(self, reason: str) -> None:
        self.failure = reason
        log.warning("the ping could not be sent: %s", reason)


def _reason(error: Exception) -> str:
    """Return why a request failed: in the system's words, or else by the kind of error, whose text may contain the URL."""
    cause = getattr(error, "reason", error)  # the reason of a URLError is an error or a text
    if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError | urllib.error.URLError):
        return reason_of(cause)
    return type(cause if isinstance(cause, Exception) else error).__name__


def _is_http_url(url: str) -> bool:
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    return False
