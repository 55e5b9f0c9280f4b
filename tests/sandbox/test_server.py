"""The endpoints of the sandbox, over real HTTP, and its scripted behaviours."""

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from contact_sync.errors import ConfigError
from contact_sync.sandbox.faults import Behaviour, Faults
from contact_sync.sandbox.server import Call, Sandbox, serve_forever

from .clients import Get, Post, Serve, error_of

EVERY_FIELD = {
    "phoneNumber": "+33600019001",
    "firstname": "Éloïse",
    "lastname": "d'Été",
    "date": "2020-06-12",
    "url": "https://example.com/é",
    "custom1": "un",
    "custom2": "deux",
    "custom3": "trois",
    "custom4": "quatre",
}


# ---- contact/update


def test_success_echoes_the_fields_and_the_contact_id(sandbox: Serve, post: Post) -> None:
    """The response to an update is the documented envelope with the fields sent and the contactId."""
    response = post(sandbox(), "C000002", **EVERY_FIELD)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.json() == {"success": True, "code": 200, "contact": EVERY_FIELD | {"contactId": "C000002"}}


def test_contact_detail_uses_the_names_of_a_read(sandbox: Serve, post: Post, get: Get) -> None:
    """A value written as phoneNumber or shortUrlPartnr is read as phone or shortUrl."""
    served = sandbox()
    post(served, "C000002", **EVERY_FIELD, shortUrlPartnr="https://example.com/s")
    contact = get(served, "contact/detail", contactId="C000002").json()["contact"]
    assert contact == {
        **{name: value for name, value in EVERY_FIELD.items() if name != "phoneNumber"},
        "contactId": "C000002",
        "phone": "+33600019001",
        "shortUrl": "https://example.com/s",
        "createdAt": "2025-03-12T13:49:22+01:00",
        "stopSms": False,
        "groupId": 6362,
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"contactId": "C000001", "contact": {"firstname": "A"}}, (401, 10)),
        ({"apiKey": "", "contactId": "C000001", "contact": {"firstname": "A"}}, (401, 10)),
        ({"apiKey": 7, "contactId": "C000001", "contact": {"firstname": "A"}}, (401, 10)),
        ({"apiKey": "key", "contact": {"firstname": "A"}}, (400, 1)),
        ({"apiKey": "key", "contactId": "", "contact": {"firstname": "A"}}, (400, 1)),
        ({"apiKey": "key", "contactId": 1, "contact": {"firstname": "A"}}, (400, 1)),
        ({"apiKey": "key", "contactId": "C000001"}, (400, 2)),
        ({"apiKey": "key", "contactId": "C000001", "contact": {}}, (400, 2)),
        ({"apiKey": "key", "contactId": "C000001", "contact": ["A"]}, (400, 2)),
        ({"apiKey": "key", "contactId": "C999999", "contact": {"firstname": "A"}}, (404, 404)),
        ({"apiKey": "key", "contactId": "C000001", "contact": {"phoneNumber": "+33600010005"}}, (400, 15)),
        ([], (400, 90)),
    ],
)
def test_documented_errors(sandbox: Serve, client: httpx.Client, body: object, expected: tuple[int, int]) -> None:
    """An invalid update gets the documented code and changes nothing."""
    served = sandbox()
    before = dict(served.store["C000001"])
    assert error_of(client.post(f"{served.base_url}/contact/update", json=body)) == expected
    assert (served.store["C000001"], served.requests, served.applied) == (before, 1, 0)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_malformed_json(sandbox: Serve, client: httpx.Client, body: bytes) -> None:
    """A body that is not JSON gets code 90, and the connection stays open."""
    served = sandbox()
    assert error_of(client.post(f"{served.base_url}/contact/update", content=body)) == (400, 90)
    assert served.calls[0].contact_id == ""
    assert client.get(f"{served.base_url}/me", params={"apiKey": "key"}).status_code == 200


def test_body_size_is_limited(sandbox: Serve, client: httpx.Client) -> None:
    """A body over one mebibyte is refused."""
    assert client.post(f"{sandbox().base_url}/contact/update", content=b" " * (1 << 20) + b"{}").status_code == 413


def test_only_the_given_key_is_accepted(sandbox: Serve, post: Post, get: Get) -> None:
    """A sandbox with a key accepts no other."""
    served = sandbox(key="right")
    assert error_of(post(served, key="wrong", firstname="A")) == (401, 10)
    assert post(served, key="right", firstname="A").json()["success"] is True
    assert error_of(get(served, "me")) == (401, 10)
    assert get(served, "me", apiKey="right").json()["success"] is True
    assert [call.key_accepted for call in served.calls] == [False, True]


# ---- read endpoints


def test_contact_detail_errors(sandbox: Serve, get: Get) -> None:
    """contact/detail requires a key, a contactId, and one that exists."""
    served = sandbox()
    assert error_of(get(served, "contact/detail", apiKey="", contactId="C000001")) == (401, 10)
    assert error_of(get(served, "contact/detail")) == (400, 1)
    assert error_of(get(served, "contact/detail", contactId="C999999")) == (404, 404)


def test_contact_list_has_pages(sandbox: Serve, get: Get) -> None:
    """contact/list returns twenty contacts a page with the total as text, and an empty page after the last."""
    served = sandbox()
    seen: list[str] = []
    page = 1
    while True:
        document = get(served, "contact/list", groupId="6361", page=str(page)).json()
        assert (document["success"], document["code"], document["currentPage"], document["total"]) == (True, 200, page, "800")
        if not document["datas"]:
            break
        assert len(document["datas"]) == 20
        seen += [contact["contactId"] for contact in document["datas"]]
        page += 1
    assert seen == [contact_id for contact_id, contact in served.store.items() if contact["groupId"] == 6361]


def test_contact_list_fields(sandbox: Serve, get: Get) -> None:
    """A contact in contact/list has the names of a read and no groupId."""
    rows = get(sandbox(), "contact/list", groupId="6361").json()["datas"]
    names = "contactId phone firstname lastname date url custom1 custom2 custom3 custom4 shortUrl createdAt stopSms"
    assert " ".join(rows[0]) == names


@pytest.mark.parametrize(("group", "page", "rows"), [("6361", "0", 20), ("6361", "x", 20), ("1", "1", 0)])
def test_contact_list_is_lenient(sandbox: Serve, get: Get, group: str, page: str, rows: int) -> None:
    """An invalid page number means the first page, and an unknown group is empty."""
    document = get(sandbox(), "contact/list", groupId=group, page=page).json()
    assert (len(document["datas"]), document["currentPage"]) == (rows, 1)


def test_contact_list_requires_a_group(sandbox: Serve, get: Get) -> None:
    """contact/list without a groupId is code 1."""
    assert error_of(get(sandbox(), "contact/list")) == (400, 1)


def test_group_list(sandbox: Serve, get: Get) -> None:
    """group/list names every group that has a contact."""
    served = sandbox()
    document = get(served, "group/list").json()
    assert document["success"] is True
    assert set(document["groups"][0]) == {"id", "name", "createdAt", "isSpecialFile", "isLocationFile"}
    assert {group["id"] for group in document["groups"]} == {str(contact["groupId"]) for contact in served.store.values()}


def test_me(sandbox: Serve, get: Get) -> None:
    """The account is returned with its credits, the balance as text."""
    document = get(sandbox(), "me").json()
    assert (document["success"], document["code"], document["credits"]["balance"]) == (True, 200, "45.000")
    assert set(document["user"]) == {"username", "firstname", "lastname"}


@pytest.mark.parametrize(("method", "path"), [("GET", "contact/update"), ("POST", "me"), ("GET", "nothing"), ("POST", "v1")])
def test_unknown_endpoint(sandbox: Serve, client: httpx.Client, method: str, path: str) -> None:
    """Another path or method is HTTP 404 without an envelope."""
    response = client.request(method, f"{sandbox().base_url}/{path}")
    assert (response.status_code, response.text) == (404, "Not Found")


# ---- scripted behaviours


def test_scripted_behaviours_are_used_once(sandbox: Serve, post: Post) -> None:
    """Scripted behaviours are used once each, in order, before the documented one; other contacts are not affected."""
    served = sandbox()
    served.script["C000001"] = [Behaviour(status=500), Behaviour(status=429, headers={"Retry-After": "Soon"})]
    first, other, second, third = (
        post(served, contact_id, firstname="A") for contact_id in ("C000001", "C000002", "C000001", "C000001")
    )
    assert error_of(first) == (500, 500)
    assert error_of(second) == (429, 429)
    assert second.headers["retry-after"] == "Soon"
    assert (other.status_code, third.status_code) == (200, 200)
    assert [(call.contact_id, call.status, call.applied) for call in served.calls] == [
        ("C000001", 500, False),
        ("C000002", 200, True),
        ("C000001", 429, False),
        ("C000001", 200, True),
    ]


def test_raw_body(sandbox: Serve, post: Post) -> None:
    """A raw body is sent unchanged, with any status and type."""
    served = sandbox()
    served.script["C000001"] = [Behaviour(body=b"<p>Bonjour", content_type="text/html"), Behaviour(body=b"", status=502)]
    page, gateway = post(served, firstname="A"), post(served, firstname="A")
    assert (page.status_code, page.content, page.headers["content-type"]) == (200, b"<p>Bonjour", "text/html")
    assert (gateway.status_code, gateway.content) == (502, b"")
    assert served.applied == 0


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (Behaviour(code=96), (403, 96)),
        (Behaviour(code=15, status=200), (200, 15)),
        (Behaviour(code=12345), (400, 12345)),
        (Behaviour(status=503), (503, 503)),
    ],
)
def test_scripted_code(sandbox: Serve, post: Post, behaviour: Behaviour, expected: tuple[int, int]) -> None:
    """A code is sent in the error envelope, with the sandbox's status for it or a given one."""
    served = sandbox()
    served.script["C000001"] = [behaviour]
    assert error_of(post(served, firstname="A")) == expected


def test_scripted_redirect(sandbox: Serve, post: Post) -> None:
    """A redirect names its location."""
    served = sandbox()
    served.script["C000001"] = [Behaviour(status=302, headers={"Location": "https://example.com/"})]
    response = post(served, firstname="A")
    assert (response.status_code, response.headers["location"]) == (302, "https://example.com/")


@pytest.mark.parametrize("applied", [False, True])
def test_dropped_connection(sandbox: Serve, post: Post, *, applied: bool) -> None:
    """A dropped connection has no response, whether or not the update was applied; the next attempt reaches the server."""
    served = sandbox()
    served.script["C000001"] = [Behaviour(drop=True, applied=applied)]
    with pytest.raises(httpx.RemoteProtocolError):
        post(served, firstname="Ada")
    assert (served.store["C000001"]["firstname"] == "Ada") is applied
    assert (served.calls[0].status, served.calls[0].applied, served.applied) == (0, applied, int(applied))
    assert post(served, firstname="Ada").status_code == 200


def test_error_after_the_update_was_applied(sandbox: Serve, post: Post) -> None:
    """An update can be applied and still get an error response."""
    served = sandbox()
    served.script["C000001"] = [Behaviour(status=504, applied=True)]
    assert post(served, firstname="Ada").status_code == 504
    assert served.store["C000001"]["firstname"] == "Ada"


def test_altered_echo(sandbox: Serve, post: Post) -> None:
    """An altered echo differs from the store."""
    served = sandbox()
    served.script["C000001"] = [Behaviour(alter={"firstname": "Ad", "contactId": "C000002"})]
    response = post(served, firstname="Ada").json()
    assert response == {"success": True, "code": 200, "contact": {"firstname": "Ad", "contactId": "C000002"}}
    assert served.store["C000001"]["firstname"] == "Ada"


def test_delay(sandbox: Serve, post: Post) -> None:
    """A delay postpones the response."""
    served = sandbox()
    served.script["C000001"] = [Behaviour(delay=0.05)]
    started = time.monotonic()
    post(served, firstname="A")
    assert time.monotonic() - started >= 0.05


def test_closing_does_not_wait_for_delayed_responses(in_server_thread: Callable[..., Any]) -> None:
    """A sandbox closes at once although a response is still delayed, also after a client disconnected."""
    served = Sandbox()
    served.script = {contact_id: [Behaviour(delay=60, drop=True)] for contact_id in ("C000001", "C000002")}

    async def disconnect_and_close() -> float:
        async with served.serve() as base_url, httpx.AsyncClient(timeout=60, trust_env=False) as client:
            for number, contact_id in enumerate(served.script, start=1):
                document = {"apiKey": "key", "contactId": contact_id, "contact": {"firstname": "A"}}
                update = asyncio.create_task(client.post(f"{base_url}/contact/update", json=document))
                while served.requests < number:  # noqa: ASYNC110 - the sandbox has no event for it
                    await asyncio.sleep(0.001)
                update.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await update
            begun = time.monotonic()
        return time.monotonic() - begun

    assert in_server_thread(disconnect_and_close()) < 30
    assert served.requests == 2


# ---- recording


def test_updates_are_recorded(sandbox: Serve, post: Post) -> None:
    """A call records the update, its time and its response."""
    served = sandbox()
    before = time.monotonic()
    post(served, "C000003", firstname="Ada")
    post(served, "C999999", key="", firstname="Bob")
    first, second = served.calls
    assert before <= first.at <= second.at <= time.monotonic()
    assert first == Call(first.at, "C000003", {"firstname": "Ada"}, key_accepted=True, status=200, applied=True)
    assert second == Call(second.at, "C999999", {"firstname": "Bob"}, key_accepted=False, status=401, applied=False)
    assert (served.requests, served.applied) == (2, 1)


def test_recording_can_be_turned_off(sandbox: Serve, post: Post) -> None:
    """Without a record only the counters increase."""
    served = sandbox(record=False)
    post(served, firstname="A")
    assert (served.calls, served.requests, served.applied) == ([], 1, 1)


# ---- serving


def test_serves_on_loopback_only(sandbox: Serve) -> None:
    """The server listens on the loopback address only."""
    base_url = sandbox().base_url
    assert base_url.startswith("http://127.0.0.1:")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", int(base_url.split(":")[2].removesuffix("/v1"))), timeout=30)


def test_port_in_use(sandbox: Serve) -> None:
    """A port that is in use is reported in a sentence."""
    port = int(sandbox().base_url.split(":")[2].removesuffix("/v1"))
    with pytest.raises(ConfigError, match=rf"^Port {port} cannot be opened \(Address already in use\): choose another\.$"):
        serve_forever(Sandbox(), port, lambda _: None)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_a_signal(signum: signal.Signals) -> None:
    """The command serves at the announced URL with the given faults, and ends quietly on a signal."""
    answers: list[httpx.Response] = []

    def visit(base_url: str) -> None:
        document = {"apiKey": "key", "contactId": "C000001", "contact": {"firstname": "A"}}
        try:
            answers.append(httpx.post(f"{base_url}/contact/update", json=document, trust_env=False))
        finally:
            os.kill(os.getpid(), signum)

    sandbox = Sandbox(faults=Faults(errors=1))
    serve_forever(sandbox, 0, lambda base_url: threading.Thread(target=visit, args=[base_url]).start())
    assert error_of(answers[0]) == (500, 500)
