"""The HTTP of pings; imported when there is one, since most commands need no HTTP client of the standard library."""

import http.client
import ssl
import urllib.error
import urllib.request

from contact_sync.errors import reason_of


def request(method: str, address: str, *, timeout: float, data: bytes | None = None) -> tuple[int, str]:
    """Send a request to an http or https URL, and return the HTTP status, or 0 and why there was no response.

    Redirects are followed. `timeout` is in seconds, for each operation, of which a slow server can need any number.
    """
    try:
        made = urllib.request.Request(address, data=data, method=method)  # noqa: S310 - the caller has checked the scheme
        with urllib.request.urlopen(made, timeout=timeout) as response:  # noqa: S310
            return response.status, ""
    except urllib.error.HTTPError as error:
        error.close()
        return error.code, ""
    except (OSError, ValueError, http.client.HTTPException) as error:
        return 0, _reason(error)


def _reason(error: Exception) -> str:
    """Return why a request failed: in the system's words, or else by the kind of error, whose text may contain the URL."""
    cause = getattr(error, "reason", error)  # the reason of a URLError is an error or a text
    if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError | urllib.error.URLError):
        return reason_of(cause)
    return type(cause if isinstance(cause, Exception) else error).__name__
