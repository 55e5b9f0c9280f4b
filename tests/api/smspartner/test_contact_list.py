"""The request to contact/list, and the contacts of a page."""

import json
from typing import Any

import pytest

from contact_sync.api.endpoint import Reply
from contact_sync.api.smspartner.contact_list import ContactList, ContactPage, PageOf
from contact_sync.errors import AccessError, Rejected, Transient
from contact_sync.model.fields import FIELDS

ENDPOINT = ContactList("k+y12345")
CONTACT = {
    "contactId": "C1",
    "phone": "+33600000001",
    "firstname": "Michel",
    "lastname": "Dupont",
    "url": "",
    "shortUrl": "s",
    "date": "2020-06-12",
    "custom1": "007",
    "custom2": None,
    "custom3": 7,
    "createdAt": "2025-03-12T13:49:22+01:00",
    "stopSms": True,
}


def read(document: Any, status: int = 200) -> ContactPage:
    """Return the page in a reply with a JSON document."""
    return ENDPOINT.read(Reply(status, {}, json.dumps(document).encode()), PageOf("6361", 2))


def page(*contacts: Any, total: Any = "2") -> dict[str, Any]:
    """Return the documented success."""
    return {"success": True, "code": 200, "currentPage": 2, "total": total, "datas": list(contacts)}


def test_request() -> None:
    """The query carries key, group and page, and none of them appears in the representation of the request."""
    request = ENDPOINT.request(PageOf("6361", 2))
    assert (request.method, request.path, request.body) == ("GET", "contact/list", b"")
    assert request.query == {"apiKey": "k+y12345", "groupId": "6361", "page": "2"}
    assert "k+y12345" not in repr(request)
    assert request.largest_reply > 500 * (len(FIELDS) + 2) * 255 * len("\\u00e9")


def test_contacts() -> None:
    """Values are texts in the order of the fields, under the names of writes; what is null or missing is empty."""
    found = read(page(CONTACT, {"contactId": 7}))
    first, second = found.contacts
    assert found.total == 2
    assert dict(zip(FIELDS, first.values, strict=True)) == {
        "phoneNumber": "+33600000001",
        "firstname": "Michel",
        "lastname": "Dupont",
        "date": "2020-06-12",
        "url": "",
        "custom1": "007",
        "custom2": "",
        "custom3": "7",
        "custom4": "",
    }
    assert (first.id, first.stop, first.created) == ("C1", True, "2025-03-12T13:49:22+01:00")
    assert (second.id, set(second.values), second.stop, second.created) == ("7", {""}, False, "")


@pytest.mark.parametrize(
    ("shown", "value"),
    [("12-06-2020", "2020-06-12"), ("2020-06-12", "2020-06-12"), ("le 12-06-2020", "le 12-06-2020"), ("", ""), (None, "")],
)
def test_dates_are_iso(shown: str | None, value: str) -> None:
    """A date that the API shows with the day first is turned round; any other text stays."""
    assert read(page(CONTACT | {"date": shown})).contacts[0].values[FIELDS.index("date")] == value


def test_custom_fields_that_look_like_dates_stay() -> None:
    """Only the date is a date."""
    assert read(page(CONTACT | {"custom1": "12-06-2020"})).contacts[0].values[FIELDS.index("custom1")] == "12-06-2020"


@pytest.mark.parametrize(("total", "count"), [("2", 2), (3, 3), (None, 0), ("many", 0), ("-1", 0), ("", 0), ("9" * 30, 0)])
def test_total(total: Any, count: int) -> None:
    """The total is a text or a number, and 0 when it says nothing."""
    assert read(page(total=total)).total == count


def test_page_that_does_not_exist() -> None:
    """Code 404 is a page without contacts; another refusal rejects the page."""
    assert read({"success": False, "code": 404, "message": "…"}, 404) == ContactPage([], 0)
    with pytest.raises(Rejected):
        read({"success": False, "code": 1, "message": "Le groupId est requis"}, 400)


def test_refused_key() -> None:
    """A wrong key is no page."""
    with pytest.raises(AccessError):
        read({"success": False, "code": 10, "message": "Clef API incorrecte"}, 401)


@pytest.mark.parametrize("datas", [None, {}, ["C1"], [{"firstname": "Michel"}], [{"contactId": ""}], [CONTACT, {}]])
def test_anything_else_is_garbled(datas: Any) -> None:
    """A page without a list of contacts that have ids may be a passing fault, and none of its contacts counts."""
    with pytest.raises(Transient) as garbled:
        read({"success": True, "total": "2", "datas": datas})
    assert garbled.value.violation.code == "api-garbled"


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"success": true, "datas": [{"contactId"'])
def test_reply_that_is_no_json(body: bytes) -> None:
    """An empty body, a page and half a JSON may be a passing fault."""
    with pytest.raises(Transient):
        ENDPOINT.read(Reply(200, {}, body), PageOf("6361", 1))
