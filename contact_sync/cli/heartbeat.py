"""Pings to a monitor such as healthchecks.io: a run starts, and ended with this exit code.

A failed ping never changes the run and is no reason for a mail, since a monitor that gets none raises its own alarm; a warning
helps an operator who tries the URL out. The URL is a secret: anyone who knows it can report success.
"""

import contextlib
import http.client
import logging
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from contact_sync.errors import ConfigError

_PING_TIMEOUT_S = 10.0  # seconds

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
        """Notify the monitor of an event, "start" or the exit code; `sentence` must not contain personal data."""
        if not self._url:
            return
        parts = urlsplit(self._url)
        address = parts._replace(path=f"{parts.path.rstrip('/')}/{event}", fragment="").geturl()
        data = sentence.encode(errors="backslashreplace")
        try:
            request = urllib.request.Request(address, data=data, method="POST")  # noqa: S310 - checked above
            urllib.request.urlopen(request, timeout=_PING_TIMEOUT_S).close()  # noqa: S310
        except (OSError, ValueError, http.client.HTTPException) as error:  # whose text may contain the URL
            self.failure = f"HTTP {error.code}" if isinstance(error, urllib.error.HTTPError) else type(error).__name__
            log.warning("the ping could not be sent: %s", self.failure)


def _is_http_url(url: str) -> bool:
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    return False
