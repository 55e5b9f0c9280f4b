"""The pause that a reply asks for."""

import email.utils

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_sync.api.endpoint import Reply


def reply(**headers: str) -> Reply:
    """Return a reply with these headers."""
    return Reply(429, httpx.Headers([(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]), b"")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2", 2.0),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("007", 7.0),
        ("86400", 86400.0),
        ("3600000", None),
        ("999999999", None),
        ("9" * 5000, None),
        ("0" * 5000 + "9", 9.0),
        ("1697873285", 5.0),
        ("1697873285000", 5.0),
        ("1697873280250", 0.25),
        ("1600000000", 0.0),
        ("4000000000", None),
        ("Sat, 21 Oct 2023 07:28:05 GMT", 5.0),
        ("Saturday, 21-Oct-23 07:28:05 GMT", 5.0),
        ("Sat, 21 Oct 2023 09:28:05 +0200", 5.0),
        ("Sat, 21 Oct 2023 07:27:00 GMT", 0.0),
        ("Sat, 21 Oct 2028 07:28:00 GMT", None),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("1e3", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("120, 60", None),
        ("٣", None),
        ("²", None),
        ("Sat, 99 Oct 2023 07:28:05 GMT", None),
    ],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    """Seconds, a date or a Unix time, counted from the server's own clock; any other value, and an absurd one, is ignored."""
    assert reply(retry_after=text, date="Sat, 21 Oct 2023 07:28:00 GMT").retry_after == seconds


@pytest.mark.parametrize("date", [{}, {"date": "yesterday"}])
def test_retry_after_date_without_the_server_clock(date: dict[str, str]) -> None:
    """A date is ignored when the server's own time is unknown, because the clock of this machine may be wrong."""
    assert reply(retry_after="Sat, 21 Oct 2023 07:28:05 GMT", **date).retry_after is None
    assert reply(retry_after="1697873285", **date).retry_after is None


def test_no_retry_after() -> None:
    """Without the header no pause is asked for."""
    assert reply().retry_after is None


HEADERS = st.text(max_size=40) | st.text("0123456789-+.e ", max_size=9) | st.datetimes().map(email.utils.format_datetime)


@given(text=HEADERS, date=HEADERS)
def test_any_retry_after_is_none_or_finite(text: str, date: str) -> None:
    """Whatever the headers contain, the pause is None or a finite number of seconds that is not negative."""
    seconds = reply(retry_after=text, date=date).retry_after
    assert seconds is None or 0 <= seconds < float("inf")
