"""What the API holds of one contact, asked for when it is not certain what was applied."""

import json
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from contact_sync.api import contact_detail
from contact_sync.api.client import Reply
from contact_sync.model import Pending

ROW = Pending(2, "C 1&2", {"phoneNumber": "+33600000001", "firstname": "Zoé", "custom1": ""}, 0, b"")
HELD = {"contactId": "C 1&2", "phone": "06 00 00 00 01", "firstname": "Zoé", "custom1": "", "stopSms": False}


def reply(document: Any, status: int = 200) -> Reply:
    """An answer with that document."""
    return Reply(status, httpx.Headers(), json.dumps(document).encode())


def test_the_query_names_key_and_contact() -> None:
    """The query carries key and contactId, whatever characters they have."""
    assert parse_qs(contact_detail.query("k+y", ROW)) == {"apiKey": ["k+y"], "contactId": ["C 1&2"]}


def test_a_contact_that_holds_what_was_sent() -> None:
    """The values sent, in the words of reads, are held."""
    assert contact_detail.holds(reply({"success": True, "code": 200, "contact": HELD}), ROW)


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"success": True, "contact": HELD | {"phone": "+33600000002"}}, 200),
        ({"success": True, "contact": HELD | {"contactId": "C2"}}, 200),
        ({"success": True, "contact": HELD}, 500),
        ({"success": False, "contact": HELD}, 200),
        ({"success": "true", "contact": HELD}, 200),
        ({"success": True}, 200),
        (None, 200),
    ],
)
def test_anything_else_is_not_held(document: Any, status: int) -> None:
    """Another value, another contact, or an answer that is no success, and nothing is taken for held."""
    assert not contact_detail.holds(reply(document, status), ROW)
