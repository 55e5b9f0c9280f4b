"""The request to contact/detail, and the contact in its reply."""

import json
from typing import Any

import pytest

from contact_sync.api.endpoint import Reply
from contact_sync.api.smspartner.contact_detail import ContactDetail, StoredContact
from contact_sync.errors import Rejected

ENDPOINT = ContactDetail("k+y")


def reply(document: Any, status: int) -> Reply:
    """Return a reply with a JSON document."""
    return Reply(status, {}, json.dumps(document).encode())


def test_query_contains_key_and_contact() -> None:
    """The query carries key and contactId; neither appears in the representation of the request."""
    request = ENDPOINT.request("C 1&2")
    assert (request.method, request.path, request.body) == ("GET", "contact/detail", b"")
    assert request.query == {"apiKey": "k+y", "contactId": "C 1&2"}
    assert "k+y" not in repr(request)


def test_contact_is_returned_as_stored() -> None:
    """The contact is the `contact` object of the reply, and None when there is none."""
    contact = {"contactId": "C1", "phone": "+33600000001"}
    stored = ENDPOINT.read(reply({"success": True, "code": 200, "contact": contact}, 200), "C1")
    assert stored == StoredContact(contact, 200, "200")
    assert ENDPOINT.read(reply({"success": True}, 200), "C1") == StoredContact(None, 200, "")


def test_unknown_contact_is_rejected() -> None:
    """Code 404 rejects the contactId; the meaning of code 15 belongs to updates."""
    with pytest.raises(Rejected) as unknown:
        ENDPOINT.read(reply({"success": False, "code": 404}, 404), "C1")
    assert (unknown.value.violation.code, unknown.value.violation.field) == ("api-contact-unknown", "contactId")
    with pytest.raises(Rejected) as other:
        ENDPOINT.read(reply({"success": False, "code": 15}, 400), "C1")
    assert other.value.violation.code == "api-refused"
