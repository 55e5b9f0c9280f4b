"""The request to group/list, and the groups in its reply."""

import json
from typing import Any

import pytest

from contact_sync.api.endpoint import Reply
from contact_sync.api.smspartner.group_list import Group, GroupList
from contact_sync.errors import AccessError, Transient

ENDPOINT = GroupList("k+y12345")
GROUPS = [{"id": "a1", "name": "Adhérents", "isSpecialFile": False}, {"id": 6363, "name": None}]


def read(document: Any, status: int = 200) -> list[Group]:
    """Return the groups of a reply with a JSON document."""
    return ENDPOINT.read(Reply(status, {}, json.dumps(document).encode()))


def test_request() -> None:
    """The query carries the key, which does not appear in the representation of the request."""
    request = ENDPOINT.request()
    assert (request.method, request.path, request.query, request.body) == ("GET", "group/list", {"apiKey": "k+y12345"}, b"")
    assert "k+y12345" not in repr(request)


@pytest.mark.parametrize("envelope", [{"success": True, "code": 200}, {"success": True}, {"success": False}])
def test_groups_count_whatever_success_says(envelope: dict[str, Any]) -> None:
    """A list of groups is read, also below the `success: false` of the API's own example; ids are text."""
    assert read(envelope | {"groups": GROUPS}) == [Group("a1", "Adhérents"), Group("6363", "")]
    assert read(envelope | {"groups": []}) == []


def test_refused_key() -> None:
    """A wrong key is no list of groups."""
    with pytest.raises(AccessError):
        read({"success": False, "code": 10, "message": "Clef API incorrecte"}, 401)


@pytest.mark.parametrize(
    "document",
    [
        {"success": True},
        {"success": True, "groups": {}},
        {"success": True, "groups": ["a"]},
        {"success": True, "groups": [{}]},
        [],
    ],
)
def test_anything_else_is_garbled(document: Any) -> None:
    """A reply without a list of groups that have ids may be a passing fault."""
    with pytest.raises(Transient) as garbled:
        read(document)
    assert garbled.value.violation.code == "api-garbled"


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"success": true, "groups": [{"id"'])
def test_reply_that_is_no_json(body: bytes) -> None:
    """An empty body, a page and half a JSON may be a passing fault."""
    with pytest.raises(Transient):
        ENDPOINT.read(Reply(200, {}, body))


def test_groups_of_an_error_do_not_count() -> None:
    """A list of groups with an HTTP error is an error."""
    with pytest.raises(Transient):
        read({"success": False, "code": 500, "groups": []}, 500)
