"""Telling a monitor (healthchecks.io and its like) that a run starts, and with which exit code it ended.

A monitor that hears nothing raises the alarm, so a ping that fails changes nothing and is no reason for a mail; but one that was
never heard of raises none, so whoever tries the address out is told. It is a secret: whoever knows it can say that all is well.
"""

import logging
from urllib.parse import urlsplit

from contact_sync.errors import ConfigError
from contact_sync.i18n import _

_PING_TIMEOUT_S = 10.0  # seconds

log = logging.getLogger(__name__)


class Ping:
    """Pings `url`/start, then `url`/CODE, 0 for success; nothing without a `url`. Raises ConfigError for what is no address.

    A query stays behind the path, and a fragment is dropped, as no server gets to see it.
    """

    def __init__(self, url: str | None) -> None:
        self._url = url or ""
        self.failure = ""
        """What kept the last ping that failed from being sent, without the address."""
        if self._url and not _is_address(self._url):
            raise ConfigError(_("--ping is not a URL: it must begin with https:// or http://."))

    def start(self) -> None:
        """Tell that a run starts."""
        self._send("start", "")

    def end(self, code: int, sentence: str) -> None:
        """Tell that a run ended so; `sentence` holds no personal data."""
        self._send(str(code), sentence)

    def _send(self, what: str, sentence: str) -> None:
        if not self._url:
            return
        import http.client  # noqa: PLC0415 - slow, and seldom needed
        import urllib.error  # noqa: PLC0415 - the same
        import urllib.request  # noqa: PLC0415 - the same

        parts = urlsplit(self._url)
        address = parts._replace(path=f"{parts.path.rstrip('/')}/{what}", fragment="").geturl()
        try:
            data = sentence.encode(errors="backslashreplace")
            request = urllib.request.Request(address, data=data, method="POST")  # noqa: S310 - checked above
            with urllib.request.urlopen(request, timeout=_PING_TIMEOUT_S):  # noqa: S310
                pass
        except urllib.error.HTTPError as error:
            self.failure = f"HTTP {error.code}"
        except (OSError, ValueError, http.client.HTTPException) as error:  # whose text may hold the address
            self.failure = type(error).__name__
        else:
            return
        log.warning("the ping could not be sent: %s", self.failure)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
