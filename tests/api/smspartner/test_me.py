"""The request to me, and the account in its reply."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from contact_sync.api.endpoint import Reply
from contact_sync.api.smspartner.me import Account, Me
from contact_sync.errors import AccessError, UnavailableError

KEY = "0123456789abcdef0123456789abcdef01234567"


def read(document: Any, status: int = 200, **headers: str) -> Account:
    """Return the account in such a reply."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Me(KEY).read(Reply(status, headers, body))


def test_query_contains_the_key() -> None:
    """The query carries the key, which does not appear in the representation of the request."""
    request = Me(KEY).request()
    assert (request.method, request.path, request.query, request.body) == ("GET", "me", {"apiKey": KEY}, b"")
    assert KEY not in repr(request)


@pytest.mark.parametrize(
    ("credits_", "shown"), [({"creditSms": 12}, "12"), ({"creditSms": KEY}, "***"), ({}, ""), (None, ""), ([7], "")]
)
def test_credit_is_optional(credits_: object, shown: str) -> None:
    """The credit is shown in the API's spelling, without the key; a reply without it is still a valid account."""
    assert read({"success": True, "credits": credits_}) == Account(shown, None, "")


@pytest.mark.parametrize("zone", ["GMT", "-0000"])
def test_date_is_the_clock_of_the_api(zone: str) -> None:
    """The date header is the API's own clock, in UTC."""
    account = read({"success": True}, date=f"Sat, 21 Oct 2023 07:28:00 {zone}")
    assert account.date == datetime(2023, 10, 21, 7, 28, tzinfo=UTC)


def test_refused_key() -> None:
    """A refusal names code and text, without the key."""
    with pytest.raises(AccessError, match=r"refused the key \(code 10: Clef \*\*\* inconnue\)") as caught:
        read({"success": False, "code": 10, "message": f"Clef {KEY} inconnue"}, 401)
    assert KEY not in str(caught.value)


def test_foreign_reply() -> None:
    """A reply without the envelope comes from something other than the API."""
    with pytest.raises(UnavailableError, match="HTTP 404 came from something other than the API"):
        read(b"<h1>Not Found</h1>", 404)


def test_user_that_is_no_text() -> None:
    """A name of which JSON contains half a character can be encoded."""
    assert read(b'{"success": true, "user": {"username": " Zo\\ud800 "}}').user.encode() == b"zo?"
