"""The seam between what is asked of the API and how it is sent: a request, its reply, and the endpoint that knows both."""

import email.utils
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from contact_sync.api.congestion import UNKNOWN_START, Start

MAX_BODY = 1 << 20  # bytes of a reply that are read; a contact takes a few hundred

_LONGEST_PAUSE_S = 31 * 86_400.0
_MOMENT, _MOMENT_MS = 10**9, 10**12  # from here on a number is a moment since 1970, in seconds or milliseconds

ArgumentT_contra = TypeVar("ArgumentT_contra", contravariant=True)
ValueT_co = TypeVar("ValueT_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. Query and body may contain the API key, so `repr` shows neither."""

    method: str
    path: str  # relative to the base URL
    query: Mapping[str, str] | None = field(default=None, repr=False)
    body: bytes = field(default=b"", repr=False)
    largest_reply: int = MAX_BODY  # bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one attempt."""

    status: int
    headers: Mapping[str, str]  # looked up without regard to case
    body: bytes
    start: Start = UNKNOWN_START  # of the attempt

    @property
    def date(self) -> datetime | None:
        """The server's own clock (RFC 9110, 6.6.1); None when it is missing or malformed."""
        return _parse_date(self.headers.get("date", ""))

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asks to wait (RFC 9110, 10.2.3), given as seconds or as a date; None without a valid value.

        Some servers give a Unix time, also in milliseconds. A pause of more than a month is an error of theirs, and is ignored:
        the pace is then reduced as after any other error.
        """
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit() and float(text[:20]) < _MOMENT:
            seconds = float(text)
        else:
            until, now = _parse_moment(text), self.date  # our own clock may be wrong: only the server's counts
            if not until or not now:
                return None
            seconds = max(0.0, (until - now).total_seconds())
        return seconds if seconds <= _LONGEST_PAUSE_S else None


def _parse_moment(text: str) -> datetime | None:
    if not (text.isascii() and text.isdigit()):
        return _parse_date(text)
    number = float(text[:20])
    with suppress(ValueError, OverflowError, OSError):  # beyond any calendar
        return datetime.fromtimestamp(number / 1000 if number >= _MOMENT_MS else number, UTC)
    return None


def _parse_date(text: str) -> datetime | None:
    try:
        date = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


class Endpoint(Protocol[ArgumentT_contra, ValueT_co]):
    """One endpoint of the API: it builds a request for its argument, and reads the reply into a value."""

    idempotent: bool
    """True when a repeated request has the effect of one; otherwise an attempt that may have been applied is never repeated."""

    def request(self, argument: ArgumentT_contra, /) -> Request:
        """Return the request for `argument`."""

    def read(self, reply: Reply, argument: ArgumentT_contra, /) -> ValueT_co:
        """Return the value that `reply` contains.

        Raises Transient or Rejected for this argument, another ContactSyncError when every argument would fail in the same way.
        """
