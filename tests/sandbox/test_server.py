"""The API's stand-in, over real HTTP."""

import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from contact_sync.errors import ConfigError
from contact_sync.sandbox import server as module
from contact_sync.sandbox.server import Behaviour, Call, Faults, Sandbox, parse_faults, serve_forever

Serve = Callable[..., Sandbox]
Post = Callable[..., httpx.Response]
Get = Callable[..., httpx.Response]

EVERY_FIELD = {
    "phoneNumber": "+33639989001",
    "firstname": "Éloïse",
    "lastname": "d'Été",
    "date": "2020-06-12",
    "url": "https://example.com/é",
    "custom1": "un",
    "custom2": "deux",
    "custom3": "trois",
    "custom4": "quatre",
}


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """One connection that is kept, as the tool keeps its own."""
    with httpx.Client(timeout=5, trust_env=False) as kept:
        yield kept


@pytest.fixture
def post(client: httpx.Client) -> Post:
    """A function that sends one update."""

    def send(to: Sandbox, contact_id: str = "C000001", *, key: str = "key", **contact: Any) -> httpx.Response:
        document = {"apiKey": key, "contactId": contact_id, "contact": contact}
        return client.post(f"{to.base_url}/contact/update", json=document)

    return send


@pytest.fixture
def get(client: httpx.Client) -> Get:
    """A function that reads one of the GET endpoints."""

    def read(of: Sandbox, path: str, **query: str) -> httpx.Response:
        return client.get(f"{of.base_url}/{path}", params={"apiKey": "key", **query})

    return read


def refusal(response: httpx.Response) -> tuple[int, int]:
    """The HTTP status and the code of an error envelope."""
    document = response.json()
    assert document["success"] is False
    assert set(document) == {"success", "code", "message"}
    assert document["message"]
    return response.status_code, document["code"]


# ---- contact/update


def test_a_success_echoes_what_was_sent_and_the_contact_id(sandbox: Serve, post: Post) -> None:
    """The answer to an update is the documented envelope around what was sent, with the contactId in it."""
    response = post(sandbox(), "C000002", **EVERY_FIELD)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.json() == {"success": True, "code": 200, "contact": EVERY_FIELD | {"contactId": "C000002"}}


def test_detail_shows_an_update_in_the_words_of_a_read(sandbox: Serve, post: Post, get: Get) -> None:
    """What was written as phoneNumber and shortUrlPartnr is read as phone and shortUrl."""
    served = sandbox()
    post(served, "C000002", **EVERY_FIELD, shortUrlPartnr="https://example.com/s")
    contact = get(served, "contact/detail", contactId="C000002").json()["contact"]
    assert contact == {
        **{name: value for name, value in EVERY_FIELD.items() if name != "phoneNumber"},
        "contactId": "C000002",
        "phone": "+33639989001",
        "shortUrl": "https://example.com/s",
        "createdAt": "2025-03-12T13:49:22+01:00",
        "stopSms": False,
        "groupId": 6362,
    }


@pytest.mark.parametrize("nothing", ["", None])
def test_a_key_left_out_keeps_and_nothing_empties(sandbox: Serve, post: Post, nothing: str | None) -> None:
    """A field that is not sent keeps its value; one that is sent as nothing is emptied."""
    served = sandbox()
    before = dict(served.store["C000001"])
    assert post(served, lastname=nothing, phoneNumber=nothing).json()["code"] == 200
    assert before["lastname"]
    assert served.store["C000001"] == before | {"lastname": "", "phone": ""}


def test_dates_and_numbers_come_back_normalised(sandbox: Serve, post: Post) -> None:
    """A day-first date and a national number are stored and echoed as ISO and international."""
    served = sandbox()
    echo = post(served, date="12-06-2020", phoneNumber="0639989002").json()["contact"]
    assert echo == {"contactId": "C000001", "date": "2020-06-12", "phoneNumber": "+33639989002"}
    assert (served.store["C000001"]["date"], served.store["C000001"]["phone"]) == ("2020-06-12", "+33639989002")


def test_odd_values_are_kept_and_unknown_keys_forgotten(sandbox: Serve, post: Post) -> None:
    """A value of another kind is stored as its text, and a key that is no field is echoed only."""
    served = sandbox()
    assert post(served, custom1=7, date=7, phoneNumber=[1], email="x").json()["contact"]["email"] == "x"
    assert {name: served.store["C000001"].get(name) for name in ("custom1", "date", "phone", "email")} == {
        "custom1": "7",
        "date": "7",
        "phone": "[1]",
        "email": None,
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
        ({"apiKey": "key", "contactId": "C000001", "contact": {"phoneNumber": "+33639980005"}}, (400, 15)),
        ([], (400, 90)),
    ],
)
def test_each_documented_error(sandbox: Serve, client: httpx.Client, body: object, expected: tuple[int, int]) -> None:
    """An update that is wrong gets the documented code and changes nothing."""
    served = sandbox()
    before = dict(served.store["C000001"])
    assert refusal(client.post(f"{served.base_url}/contact/update", json=body)) == expected
    assert (served.store["C000001"], served.requests, served.applied) == (before, 1, 0)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_malformed_json(sandbox: Serve, client: httpx.Client, body: bytes) -> None:
    """A body that cannot be read as JSON gets code 90, and the connection lives on."""
    served = sandbox()
    assert refusal(client.post(f"{served.base_url}/contact/update", content=body)) == (400, 90)
    assert served.calls[0].contact_id == ""
    assert client.get(f"{served.base_url}/me", params={"apiKey": "key"}).status_code == 200


def test_a_body_is_capped(sandbox: Serve, client: httpx.Client) -> None:
    """A body over one mebibyte is refused."""
    assert client.post(f"{sandbox().base_url}/contact/update", content=b" " * (1 << 20) + b"{}").status_code == 413


def test_a_given_key_is_the_only_one(sandbox: Serve, post: Post, get: Get) -> None:
    """A sandbox that was given a key takes no other."""
    served = sandbox(key="right")
    assert refusal(post(served, key="wrong", firstname="A")) == (401, 10)
    assert post(served, key="right", firstname="A").json()["success"] is True
    assert refusal(get(served, "me")) == (401, 10)
    assert get(served, "me", apiKey="right").json()["success"] is True
    assert [call.key_accepted for call in served.calls] == [False, True]


def test_numbers_belong_to_one_contact_of_a_group(sandbox: Serve, post: Post) -> None:
    """A number is refused while another of the group has it, taken once that one gave it up, and one's own is no conflict."""
    served = sandbox()
    own, other = served.store["C000001"]["phone"], served.store["C000006"]["phone"]
    assert post(served, "C000001", phoneNumber=own).json()["success"] is True
    assert refusal(post(served, "C000001", phoneNumber=other)) == (400, 15)
    assert post(served, "C000002", phoneNumber=other).json()["success"] is True  # of another group
    assert post(served, "C000006", phoneNumber="").json()["success"] is True
    assert post(served, "C000001", phoneNumber=other).json()["success"] is True
    assert refusal(post(served, "C000006", phoneNumber=other)) == (400, 15)
    assert post(served, "C000006", phoneNumber=own).json()["success"] is True


# ---- the reads


def test_detail_codes(sandbox: Serve, get: Get) -> None:
    """contact/detail wants a key, a contactId, and one that exists."""
    served = sandbox()
    assert refusal(get(served, "contact/detail", apiKey="", contactId="C000001")) == (401, 10)
    assert refusal(get(served, "contact/detail")) == (400, 1)
    assert refusal(get(served, "contact/detail", contactId="C999999")) == (404, 404)


def test_list_pages_through_a_group(sandbox: Serve, get: Get) -> None:
    """contact/list gives twenty contacts a page with the total as text, and an empty page after the last."""
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


def test_list_rows(sandbox: Serve, get: Get) -> None:
    """A row of contact/list has the names of a read and no groupId."""
    rows = get(sandbox(), "contact/list", groupId="6361").json()["datas"]
    names = "contactId phone firstname lastname date url custom1 custom2 custom3 custom4 shortUrl createdAt stopSms"
    assert " ".join(rows[0]) == names


@pytest.mark.parametrize(("group", "page", "rows"), [("6361", "0", 20), ("6361", "x", 20), ("1", "1", 0)])
def test_list_lenient(sandbox: Serve, get: Get, group: str, page: str, rows: int) -> None:
    """A page that is none is the first, and a group that is none is empty."""
    document = get(sandbox(), "contact/list", groupId=group, page=page).json()
    assert (len(document["datas"]), document["currentPage"]) == (rows, 1)


def test_list_wants_a_group(sandbox: Serve, get: Get) -> None:
    """contact/list without a groupId is code 1."""
    assert refusal(get(sandbox(), "contact/list")) == (400, 1)


def test_groups(sandbox: Serve, get: Get) -> None:
    """group/list names every group that a contact is in."""
    served = sandbox()
    document = get(served, "group/list").json()
    assert document["success"] is True
    assert set(document["groups"][0]) == {"id", "name", "createdAt", "isSpecialFile", "isLocationFile"}
    assert {group["id"] for group in document["groups"]} == {str(contact["groupId"]) for contact in served.store.values()}


def test_me(sandbox: Serve, get: Get) -> None:
    """The account is read with its credits, the balance as text."""
    document = get(sandbox(), "me").json()
    assert (document["success"], document["code"], document["credits"]["balance"]) == (True, 200, "45.000")
    assert set(document["user"]) == {"username", "firstname", "lastname"}


@pytest.mark.parametrize(("method", "path"), [("GET", "contact/update"), ("POST", "me"), ("GET", "nothing"), ("POST", "v1")])
def test_nothing_else_is_there(sandbox: Serve, client: httpx.Client, method: str, path: str) -> None:
    """Another path or method is HTTP 404 without an envelope."""
    response = client.request(method, f"{sandbox().base_url}/{path}")
    assert (response.status_code, response.text) == (404, "Not Found")


# ---- the store


def test_the_store_is_made_up_the_same_each_time() -> None:
    """The contacts are the same in every sandbox, a few thousand, with numbers kept for fiction and none of them twice."""
    store = Sandbox().store
    assert store == Sandbox().store
    phones = {contact["phone"] for contact in store.values()}
    assert len(store) == len(phones) == 4000
    assert all(phone.startswith("+3363998") and len(phone) == 12 for phone in phones)


def test_an_open_store_knows_everyone(sandbox: Serve, post: Post, get: Get) -> None:
    """With an open store any contactId exists, blank at first, and two contacts may have one number."""
    served = sandbox(open_store=True)
    assert set(get(served, "contact/detail", contactId="a").json()["contact"].values()) == {
        "a",
        "",
        "2025-03-12T13:49:22+01:00",
        False,
    }
    for contact_id in ("b", "c"):
        assert post(served, contact_id, phoneNumber="+33639989001").json()["success"] is True
    assert [contact["phone"] for contact in served.store.values()] == ["", "+33639989001", "+33639989001"]


def test_an_open_store_forgets_the_oldest(sandbox: Serve, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """An open store is bounded: the oldest contact goes."""
    monkeypatch.setattr(module, "_REMEMBERED", 2)
    served = sandbox(open_store=True)
    for contact_id in "abc":
        post(served, contact_id, firstname="A")
    assert list(served.store) == ["b", "c"]


# ---- behaviours


def test_a_script_is_used_up_one_attempt_at_a_time(sandbox: Serve, post: Post) -> None:
    """Scripted answers come in their order, then the documented ones; other contacts never meet them."""
    served = sandbox()
    served.script["C000001"] = [Behaviour(status=500), Behaviour(status=429, headers={"Retry-After": "Soon"})]
    first, other, second, third = (
        post(served, contact_id, firstname="A") for contact_id in ("C000001", "C000002", "C000001", "C000001")
    )
    assert refusal(first) == (500, 500)
    assert refusal(second) == (429, 429)
    assert second.headers["retry-after"] == "Soon"
    assert (other.status_code, third.status_code) == (200, 200)
    assert [(call.contact_id, call.status, call.applied) for call in served.calls] == [
        ("C000001", 500, False),
        ("C000002", 200, True),
        ("C000001", 429, False),
        ("C000001", 200, True),
    ]


def test_a_raw_body_with_any_status_and_type(sandbox: Serve, post: Post) -> None:
    """A body is answered as it is."""
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
def test_a_code(sandbox: Serve, post: Post, behaviour: Behaviour, expected: tuple[int, int]) -> None:
    """A code is answered in the error envelope, with the sandbox's status for it or a given one."""
    served = sandbox()
    served.script["C000001"] = [behaviour]
    assert refusal(post(served, firstname="A")) == expected


def test_a_redirect(sandbox: Serve, post: Post) -> None:
    """A redirect names its location."""
    served = sandbox()
    served.script["C000001"] = [Behaviour(status=302, headers={"Location": "https://example.com/"})]
    response = post(served, firstname="A")
    assert (response.status_code, response.headers["location"]) == (302, "https://example.com/")


@pytest.mark.parametrize("applied", [False, True])
def test_hanging_up(sandbox: Serve, post: Post, *, applied: bool) -> None:
    """A dropped connection has no answer, whether or not the update was applied, and the next attempt finds the server."""
    served = sandbox()
    served.script["C000001"] = [Behaviour(drop=True, applied=applied)]
    with pytest.raises(httpx.RemoteProtocolError):
        post(served, firstname="Ada")
    assert (served.store["C000001"]["firstname"] == "Ada") is applied
    assert (served.calls[0].status, served.calls[0].applied, served.applied) == (0, applied, int(applied))
    assert post(served, firstname="Ada").status_code == 200


def test_an_error_after_applying(sandbox: Serve, post: Post) -> None:
    """An update can be applied and yet answered with an error."""
    served = sandbox()
    served.script["C000001"] = [Behaviour(status=504, applied=True)]
    assert post(served, firstname="Ada").status_code == 504
    assert served.store["C000001"]["firstname"] == "Ada"


def test_an_altered_echo(sandbox: Serve, post: Post) -> None:
    """An altered echo says something else than the store."""
    served = sandbox()
    served.script["C000001"] = [Behaviour(alter={"firstname": "Ad", "contactId": "C000002"})]
    response = post(served, firstname="Ada").json()
    assert response == {"success": True, "code": 200, "contact": {"firstname": "Ad", "contactId": "C000002"}}
    assert served.store["C000001"]["firstname"] == "Ada"


def test_a_delay(sandbox: Serve, post: Post) -> None:
    """A delay holds an answer back."""
    served = sandbox()
    served.script["C000001"] = [Behaviour(delay=0.05)]
    started = time.monotonic()
    post(served, firstname="A")
    assert time.monotonic() - started >= 0.05


def test_closing_does_not_wait_for_long_answers(elsewhere: Callable[..., Any]) -> None:
    """A sandbox closes at once although an answer is still held back, and an attempt given up on does no harm."""
    served = Sandbox()
    served.script = {contact_id: [Behaviour(delay=60, drop=True)] for contact_id in ("C000001", "C000002")}

    async def hang_up_and_close() -> float:
        async with served.serve() as base_url, httpx.AsyncClient(timeout=5, trust_env=False) as client:
            for contact_id in served.script:
                document = {"apiKey": "key", "contactId": contact_id, "contact": {"firstname": "A"}}
                with pytest.raises(httpx.ReadTimeout):
                    await client.post(f"{base_url}/contact/update", json=document, timeout=httpx.Timeout(5, read=0.02))
            leaving = time.monotonic()
        return time.monotonic() - leaving

    assert elsewhere(hang_up_and_close()) < 2
    assert served.requests == 2


# ---- faults


def test_a_share_of_errors(sandbox: Serve, post: Post) -> None:
    """With 500=100% every update fails and none is applied."""
    served = sandbox(faults=Faults(errors=1))
    assert refusal(post(served, firstname="A")) == (500, 500)
    assert served.applied == 0


def test_a_share_of_throttling(sandbox: Serve, post: Post) -> None:
    """With 429=100% every update is told when to come back."""
    served = sandbox(faults=Faults(throttled=1, retry_after=2))
    response = post(served, firstname="A")
    assert refusal(response) == (429, 429)
    assert response.headers["retry-after"] == "2"


def test_a_share_of_drops_half_of_them_applied(sandbox: Serve, post: Post) -> None:
    """With drop=100% no update is answered, and about half of them are applied."""
    served = sandbox(faults=Faults(drops=1))
    for _ in range(40):
        with pytest.raises(httpx.RemoteProtocolError):
            post(served, firstname="A")
    assert 10 <= served.applied <= 30
    assert served.requests == 40


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        ({"firstname": "Ada", "url": ""}, {"firstname": "Ad", "url": ""}),
        ({"url": ""}, {"url": "?"}),
        ({"url": "h"}, {"url": "?"}),
    ],
)
def test_a_share_of_altered_echoes(sandbox: Serve, post: Post, sent: dict[str, str], echoed: dict[str, str]) -> None:
    """With alter=100% every update is applied and echoed with one value that differs."""
    served = sandbox(faults=Faults(altered=1))
    assert post(served, **sent).json()["contact"] == echoed | {"contactId": "C000001"}
    assert served.applied == 1


def test_nothing_to_alter(sandbox: Serve, post: Post) -> None:
    """An update without a field is refused as ever, whatever the faults."""
    assert refusal(post(sandbox(faults=Faults(altered=1)))) == (400, 2)


def test_latency(sandbox: Serve, post: Post) -> None:
    """Latency comes before every answer."""
    served = sandbox(faults=Faults(latency=0.03))
    started = time.monotonic()
    assert post(served, firstname="A").status_code == 200
    assert time.monotonic() - started >= 0.03


def test_a_sandbox_keeps_to_its_seed(sandbox: Serve, post: Post) -> None:
    """Two sandboxes with one seed answer alike, and one with another seed does not."""
    served = [sandbox(faults=Faults(errors=0.5, seed=seed)) for seed in (1, 1, 2)]
    first, second, other = ([post(one, firstname="A").status_code for _ in range(40)] for one in served)
    assert first == second != other


def test_the_same_seed_means_the_same_faults() -> None:
    """Faults repeat with their seed, in their shares, and differ with another."""
    faults = Faults(errors=0.2, throttled=0.1, drops=0.2, altered=0.1)

    def drawn(seed: float) -> list[Behaviour]:
        chance = random.Random(seed)
        return [faults.draw(chance, {"firstname": "Ada"}) for _ in range(2000)]

    assert drawn(1) == drawn(1) != drawn(2)
    shares = {
        "errors": sum(one.status == 500 for one in drawn(1)),
        "throttled": sum(one.status == 429 for one in drawn(1)),
        "drops": sum(one.drop for one in drawn(1)),
        "altered": sum(bool(one.alter) for one in drawn(1)),
        "none": drawn(1).count(Behaviour()),
    }
    assert shares == pytest.approx({"errors": 400, "throttled": 200, "drops": 400, "altered": 200, "none": 800}, rel=0.2)


@pytest.mark.parametrize(
    ("spec", "faults"),
    [
        ("", Faults()),
        (
            "500=5%,429=2%,retry-after=2,latency=200ms,drop=1%,alter=1%,seed=7",
            Faults(errors=0.05, throttled=0.02, drops=0.01, altered=0.01, retry_after=2, latency=0.2, seed=7),
        ),
        (" 500=0.5% , latency=1.5s,", Faults(errors=0.005, latency=1.5)),
        ("500=10%,429=20%,drop=70%", Faults(errors=0.1, throttled=0.2, drops=0.7)),
        ("latency=2", Faults(latency=2)),
    ],
)
def test_faults_in_words(spec: str, faults: Faults) -> None:
    """A text of faults is read with its units; each part may be left out."""
    assert parse_faults(spec) == faults


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        ("500=5", "500=5"),
        ("500=5%,latency=5%", "latency=5%"),
        ("503=5%", "503=5%"),
        ("seed=7s", "seed=7s"),
        ("drop=-1%", "drop=-1%"),
        ("drop", "drop"),
        ("latency=nan", "latency=nan"),
        ("429=1%,429=2%", "429=2%"),
        ("500=60%,429=41%", "500=60%,429=41%"),
        ("500=101%", "500=101%"),
    ],
)
def test_faults_that_are_not_understood(spec: str, part: str) -> None:
    """A part that is not understood is named in one sentence that says what is."""
    with pytest.raises(ConfigError) as refused:
        parse_faults(spec)
    assert f"“{part}”" in str(refused.value)
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)


# ---- what it remembers


def test_every_update_is_recorded(sandbox: Serve, post: Post) -> None:
    """A call is what arrived, when, and what it got."""
    served = sandbox()
    before = time.monotonic()
    post(served, "C000003", firstname="Ada")
    post(served, "C999999", key="", firstname="Bob")
    first, second = served.calls
    assert before <= first.at <= second.at <= time.monotonic()
    assert first == Call(first.at, "C000003", {"firstname": "Ada"}, key_accepted=True, status=200, applied=True)
    assert second == Call(second.at, "C999999", {"firstname": "Bob"}, key_accepted=False, status=401, applied=False)
    assert (served.requests, served.applied) == (2, 1)


def test_recording_can_be_left_out(sandbox: Serve, post: Post) -> None:
    """Without a record only the counts grow."""
    served = sandbox(record=False)
    post(served, firstname="A")
    assert (served.calls, served.requests, served.applied) == ([], 1, 1)


# ---- serving


def test_only_loopback(sandbox: Serve) -> None:
    """It is served on the loopback address alone."""
    base_url = sandbox().base_url
    assert base_url.startswith("http://127.0.0.1:")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", int(base_url.split(":")[2].removesuffix("/v1"))), timeout=5)


def test_a_port_in_use(sandbox: Serve) -> None:
    """A port that is taken is a sentence, not a traceback."""
    port = int(sandbox().base_url.split(":")[2].removesuffix("/v1"))
    with pytest.raises(ConfigError, match=rf"^Port {port} cannot be opened \(Address already in use\): choose another\.$"):
        serve_forever(port, Faults(), lambda _: None)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_serving_until_a_signal(signum: signal.Signals) -> None:
    """The command serves what it announces with the faults asked for, and ends quietly on a signal."""
    answers: list[httpx.Response] = []

    def visit(base_url: str) -> None:
        document = {"apiKey": "key", "contactId": "C000001", "contact": {"firstname": "A"}}
        try:
            answers.append(httpx.post(f"{base_url}/contact/update", json=document, trust_env=False))
        finally:
            os.kill(os.getpid(), signum)

    serve_forever(0, Faults(errors=1), lambda base_url: threading.Thread(target=visit, args=[base_url]).start())
    assert refusal(answers[0]) == (500, 500)
