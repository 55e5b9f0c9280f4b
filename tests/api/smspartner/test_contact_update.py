"""What is sent to contact/update, and what becomes of each answer."""

import json
import unicodedata
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_sync.api.client import Reply
from contact_sync.api.smspartner.contact_update import ContactUpdate
from contact_sync.errors import AccessError, ConfigError, ContactSyncError, Rejected, Transient
from contact_sync.model import Outcome, Pending, Violation

KEY = "0123456789abcdef0123456789abcdef01234567"
ENDPOINT = ContactUpdate(KEY)
CONTACT = {
    "phoneNumber": "+33600000001",
    "firstname": "Zoé",
    "lastname": "D'Arcy",
    "date": "2020-06-12",
    "url": "https://example.com/é",
    "custom1": "0",
    "custom4": "",
}


def row(contact: Mapping[str, Any] = CONTACT, contact_id: str = "C000001") -> Pending:
    """A row whose turn has come."""
    return Pending(2, contact_id, dict(contact), 0, b"")


def reply(document: Any, status: int = 200, **headers: str) -> Reply:
    """An answer; what is not bytes becomes JSON."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Reply(status, httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()}), body)


def answer(document: Any, status: int = 200, **headers: str) -> tuple[Outcome, list[Violation], str]:
    """What becomes of such an answer to the row."""
    found = ENDPOINT.answer(reply(document, status, **headers), row())
    assert found.http_status == status
    return found.outcome, found.violations, found.api_code


def success(**changes: Any) -> dict[str, Any]:
    """The documented success; None as a change leaves a field out."""
    echo = CONTACT | {"contactId": "C000001"} | changes
    return {"success": True, "code": 200, "contact": {name: value for name, value in echo.items() if value is not ...}}


def refusal(code: object, **said: Any) -> dict[str, Any]:
    """An error envelope."""
    return {"success": False, "code": code, **said}


# ---- the request


def test_the_body() -> None:
    """The body is a UTF-8 JSON object of apiKey, contactId and contact, and holds no value but those of the row."""
    body = ContactUpdate('k"\\').request(row({"firstname": "Zoé", "custom1": ""}))
    assert body == '{"apiKey": "k\\"\\\\", "contactId": "C000001", "contact": {"firstname": "Zoé", "custom1": ""}}'.encode()


@given(key=st.text(), contact_id=st.text(), value=st.text(st.characters(codec="utf-8")))
def test_any_text_arrives(key: str, contact_id: str, value: str) -> None:
    """Whatever key, contactId and values hold, it comes out of the body as it was."""
    body = json.loads(ContactUpdate(key).request(row({"custom1": value}, contact_id)))
    assert body == {"apiKey": key, "contactId": contact_id, "contact": {"custom1": value}}


# ---- success


def test_a_success_that_echoes_what_was_sent() -> None:
    """`success` is true and the echo agrees: updated, with nothing to look at."""
    assert answer(success()) == (Outcome.UPDATED, [], "200")


def test_the_code_is_not_tested() -> None:
    """A success is one whatever its code says (group/add succeeds with code 2), or without one."""
    assert answer(success() | {"code": 2}) == (Outcome.UPDATED, [], "2")
    assert answer({name: value for name, value in success().items() if name != "code"}) == (Outcome.UPDATED, [], "")


@pytest.mark.parametrize(
    "changes",
    [
        {"phoneNumber": "0600000001"},
        {"phoneNumber": "06 00 00 00 01"},
        {"phoneNumber": "0033600000001"},
        {"phoneNumber": 33600000001},
        {"phoneNumber": ..., "phone": "+33600000001"},
        {"date": "12-06-2020"},
        {"firstname": unicodedata.normalize("NFD", "Zoé")},
        {"custom1": 0},
        {"custom4": None},
        {"custom4": ...},
        {"createdAt": "2025-03-12T13:49:22+01:00", "stopSms": False},
    ],
)
def test_another_spelling_is_no_difference(changes: dict[str, Any]) -> None:
    """The API may echo a number, a date, an accent or an emptied field in another spelling, and more than was sent."""
    assert answer(success(**changes)) == (Outcome.UPDATED, [], "200")


def test_names_that_were_sent_decomposed() -> None:
    """An accent that was sent as two characters and comes back as one is no difference."""
    sent = row({"firstname": unicodedata.normalize("NFD", "Zoé")})
    stored = reply({"success": True, "contact": {"contactId": "C000001", "firstname": "Zoé"}})
    assert ENDPOINT.answer(stored, sent)[0] is Outcome.UPDATED


def test_a_contact_id_may_be_a_number() -> None:
    """An id of digits may come back as a JSON number."""
    stored = reply({"success": True, "contact": {"contactId": 6363, "firstname": "Zoé"}})
    assert ENDPOINT.answer(stored, row({"firstname": "Zoé"}, "6363"))[0] is Outcome.UPDATED


@pytest.mark.parametrize(
    ("changes", "differences"),
    [
        ({"phoneNumber": "+33600000002"}, ["echo-differs phoneNumber"]),
        ({"phoneNumber": "none"}, ["echo-differs phoneNumber"]),
        ({"phoneNumber": ...}, ["echo-missing phoneNumber"]),
        ({"phoneNumber": ""}, ["echo-differs phoneNumber"]),
        ({"date": "06-12-2020"}, ["echo-differs date"]),
        ({"date": "2020-12-06"}, ["echo-differs date"]),
        ({"date": "12 juin 2020"}, ["echo-differs date"]),
        ({"date": ""}, ["echo-differs date"]),
        ({"date": None}, ["echo-missing date"]),
        ({"firstname": "Zo"}, ["echo-differs firstname"]),
        ({"firstname": "ZoÃ©"}, ["echo-differs firstname"]),
        ({"firstname": "zoé"}, ["echo-differs firstname"]),
        ({"lastname": "D&#039;Arcy"}, ["echo-differs lastname"]),
        ({"custom1": ""}, ["echo-differs custom1"]),
        ({"custom1": None}, ["echo-missing custom1"]),
        ({"custom1": ["0"]}, ["echo-differs custom1"]),
        ({"custom4": "old"}, ["echo-differs custom4"]),
        ({"custom4": 0}, ["echo-differs custom4"]),
        ({"firstname": "Zo", "date": ...}, ["echo-differs firstname", "echo-missing date"]),
        ({"contactId": "C000002"}, ["echo-contact contactId"]),
        ({"contactId": "c000001"}, ["echo-contact contactId"]),
        ({"contactId": "C000002", "firstname": "Zo"}, ["echo-contact contactId"]),
        ({"contactId": ...}, ["echo-missing contactId"]),
        ({"contactId": None}, ["echo-missing contactId"]),
    ],
)
def test_an_echo_that_differs(changes: dict[str, Any], differences: list[str]) -> None:
    """Where the API confirms something else than was sent, the row is altered and the fields are named."""
    outcome, violations, code = answer(success(**changes))
    assert (outcome, code) == (Outcome.ALTERED, "200")
    assert [f"{violation.code} {violation.field}" for violation in violations] == differences
    assert not any(
        value and value in violation.message for violation in violations for value in CONTACT.values() if len(value) > 1
    )


@pytest.mark.parametrize("echo", [..., None, [], "ok", 7])
def test_a_success_without_an_echo(echo: object) -> None:
    """A confirmation that does not show the contact confirms nothing."""
    document = {"success": True, "code": 200} | ({} if echo is ... else {"contact": echo})
    assert answer(document) == (Outcome.ALTERED, [Violation("echo-missing", "contactId")], "200")


def test_a_date_that_was_emptied_stays_empty() -> None:
    """An emptied date or number that comes back filled is a difference, like any other field."""
    sent = row({"date": "", "phoneNumber": ""})
    stored = reply({"success": True, "contact": {"contactId": "C000001", "date": "2020-06-12", "phone": "+33600000001"}})
    outcome, violations, *_ = ENDPOINT.answer(stored, sent)
    assert (outcome, [violation.field for violation in violations]) == (Outcome.ALTERED, ["date", "phoneNumber"])


# ---- not the API's own words


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"success":"true","contact":{}}', 200),
        (b'{"success":"false"}', 200),
        (b'{"success":1}', 200),
        (b'{"success":null}', 200),
        (b'{"code":200}', 200),
        (b"{}", 200),
        (b"null", 200),
        (b"[]", 200),
        (b'[{"success":true}]', 200),
        (b'"ok"', 200),
        (b"true", 200),
        (b'{"success":true}{"success":true}', 200),
        (b'{"success":true,"contact":{"contactId":"C0', 200),
        (b"<!doctype html><h1>Maintenance</h1>", 200),
        ('{"success":true,"message":"Prénom"}'.encode("latin-1"), 200),
        (b"[" * 100_000, 200),
        (b'{"success":true,"code":' + b"1" * 5000 + b"}", 200),
        (b"", 200),
        (b"", 204),
        (b"Not Found", 404),
        (b"<h1>Request Entity Too Large</h1>", 413),
        (b"", 501),
    ],
)
def test_an_answer_that_is_not_the_apis(body: bytes, status: int) -> None:
    """Anything but a JSON object with a boolean `success` says nothing about the row, whatever the HTTP status: again."""
    with pytest.raises(Transient) as caught:
        answer(body, status)
    assert caught.value.violation.code == "api-garbled"
    assert (caught.value.http_status, caught.value.api_code, caught.value.spoke) == (status, "", False)
    assert f"HTTP {status}" in caught.value.violation.message


def test_a_success_under_another_status() -> None:
    """A success whose HTTP status says otherwise is not believed, but it is the API that answered."""
    with pytest.raises(Transient) as caught:
        answer(success(), 418)
    assert (caught.value.violation.code, caught.value.spoke) == ("api-garbled", True)
    assert "success, but HTTP 418" in caught.value.violation.message


def test_a_byte_order_mark_does_no_harm() -> None:
    """JSON with a byte order mark, as PHP files saved by Windows editors produce, is understood."""
    assert answer(b"\xef\xbb\xbf" + json.dumps(success()).encode())[0] is Outcome.UPDATED


# ---- again later


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("spoke", [True, False])
def test_statuses_after_which_it_goes_on(status: int, spoke: bool) -> None:
    """These statuses mean again, in the API's words or not, and Retry-After with any of them is an order to all."""
    with pytest.raises(Transient) as caught:
        answer(refusal(status, message="Une erreur est survenue") if spoke else b"<h1>Oops</h1>", status, retry_after="7")
    failure = caught.value
    assert failure.violation.code == ("api-throttled" if status == 429 else "api-error")
    assert (failure.http_status, failure.api_code) == (status, str(status) if spoke else "")
    assert (failure.pause, failure.spoke) == (7.0, spoke)


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        (429, 200, "api-throttled"),
        ("429", 400, "api-throttled"),
        (429, 503, "api-throttled"),
        (500, 429, "api-throttled"),
        (500, 200, "api-error"),
        ("500", 400, "api-error"),
    ],
)
def test_codes_after_which_it_goes_on(code: object, status: int, expected: str) -> None:
    """A code of the same meaning counts as the status would, and throttling goes before any other error."""
    with pytest.raises(Transient) as caught:
        answer(refusal(code), status)
    assert (caught.value.violation.code, caught.value.api_code, caught.value.pause) == (expected, str(code), None)


@pytest.mark.parametrize(("code", "status", "reason"), [(500, 200, "code 500"), (503, 500, "HTTP 500"), (9, 502, "HTTP 502")])
def test_the_reason_of_an_error(code: int, status: int, reason: str) -> None:
    """The sentence names what made it an error: the status where that says so, else the code."""
    with pytest.raises(Transient) as caught:
        answer(refusal(code), status)
    assert f"({reason})" in caught.value.violation.message


def test_success_and_an_error_status_contradict_each_other() -> None:
    """A success under an HTTP error is no success, and none that could be settled."""
    with pytest.raises(Transient) as caught:
        answer(success(), 400)
    assert (caught.value.violation.code, caught.value.http_status, caught.value.api_code) == ("api-garbled", 400, "200")
    with pytest.raises(Transient):
        answer(success(), 500)


# ---- stop


@pytest.mark.parametrize("code", [10, 20, 30, 40, 96, "10", " 10 "], ids=repr)
@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_codes_that_no_row_escapes(code: object, status: int) -> None:
    """A wrong key, a closed account or an address that is not authorised stops the run, under any HTTP status."""
    with pytest.raises(AccessError, match=rf"\(code {str(code).strip()}\)\.$"):
        answer(refusal(code, message="Clef API incorrecte"), status)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("document", [b"", b"<h1>Forbidden</h1>", refusal(9), refusal(None), success()])
def test_statuses_that_no_row_escapes(status: int, document: Any) -> None:
    """HTTP 401 and 403 stop the run, whoever answers them."""
    with pytest.raises(AccessError, match=f"HTTP {status}"):
        answer(document, status)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_stops_the_run(status: int) -> None:
    """A redirect is a wrong base URL, though its body should claim success; the sentence names the target."""
    with pytest.raises(ConfigError, match=r"redirects to https://elsewhere\.example/v1:") as caught:
        answer(success(), status, location=f"https://elsewhere.example/v1?apiKey={KEY}")
    assert KEY not in str(caught.value)
    with pytest.raises(ConfigError, match="redirects to elsewhere:"):
        answer(b"", status)


# ---- refused rows


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        (404, 404, "api-contact-unknown contactId"),
        ("404", 200, "api-contact-unknown contactId"),
        (15, 400, "api-number-taken phoneNumber"),
        ("15", 200, "api-number-taken phoneNumber"),
        (1, 400, "api-refused "),
        (2, 200, "api-refused "),
        (9, 422, "api-refused "),
        (90, 400, "api-refused "),
        ("PHONE_NUMBER_REQUIRED", 400, "api-refused "),
        ("²", 400, "api-refused "),
        ("", 404, "api-refused "),
    ],
)
def test_a_refusal_settles_the_row(code: object, status: int, expected: str) -> None:
    """In the API's own words, an error of no other kind is about this row, and would come again."""
    with pytest.raises(Rejected) as caught:
        answer(refusal(code, message="Non"), status)
    violation = caught.value.violation
    assert f"{violation.code} {violation.field}" == expected
    assert (caught.value.http_status, caught.value.api_code) == (status, str(code))


@pytest.mark.parametrize("code", [None, [10], {"10": 10}, 10.5, ...])
def test_a_code_that_is_none(code: object) -> None:
    """A code of another kind than number or text is none, and the sentence says so."""
    document = {"success": False, "message": "Non"} | ({} if code is ... else {"code": code})
    with pytest.raises(Rejected) as caught:
        answer(document, 400)
    assert caught.value.api_code == ""
    assert "(code none: Non)" in caught.value.violation.message


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"message": "Le nom est trop long"}, "Le nom est trop long"),
        ({"error": "trop long"}, "trop long"),
        (
            {"error": [{"elementId": "children[date].data", "message": "La date est fausse"}, {"message": "et plus"}]},
            "La date est fausse",
        ),
        ({"errors": [{"message": "La date est fausse"}]}, "La date est fausse"),
        ({"errors": ["fausse"]}, "fausse"),
        ({"error": {"message": "NOCREDITS"}}, "NOCREDITS"),
        ({"message": "", "error": [], "errors": [{"message": "enfin"}]}, "enfin"),
        ({"message": None, "error": {"message": None}}, "no reason given"),
        ({"errors": [[]]}, "no reason given"),
        ({}, "no reason given"),
        ({"message": 7}, "7"),
        ({"message": "a\r\n\x1b[31mb\u202ec {code} {x}"}, "a   [31mb c {code} {x}"),
        ({"message": "é" * 1000}, "é" * 200),
    ],
)
def test_what_the_api_says(said: dict[str, Any], expected: str) -> None:
    """The reason is found in message, error or errors, as text, list or object, and becomes one short harmless line."""
    with pytest.raises(Rejected) as caught:
        answer(refusal(9, **said), 400)
    assert caught.value.violation.message == f"SMS Partner refused the row (code 9: {expected}): correct the contact."


@pytest.mark.parametrize(
    "document",
    [
        refusal(9, message=f"Clef {KEY} inconnue"),
        refusal(9, message="x" * 180 + KEY),
        refusal(9, errors=[{"message": {"apiKey": KEY}}]),
        refusal(KEY),
        refusal(f"E_{KEY}", error=[f"apiKey={KEY}"]),
        refusal(500, message=KEY) | {"apiKey": KEY},
        refusal(10, message=KEY),
        success(firstname=KEY) | {"code": KEY},
        KEY.encode(),
    ],
)
@pytest.mark.parametrize("status", [200, 302, 400, 401, 429, 500])
def test_the_key_is_never_quoted(document: Any, status: int) -> None:
    """An answer that repeats the key, whole or at the edge of what is quoted, brings no part of it into outcome or error."""
    told = ""
    try:
        told = repr(answer(document, status, location=f"https://elsewhere.example/{KEY}/"))
    except ContactSyncError as error:
        told = str(error)
    except (Transient, Rejected) as error:
        told = f"{error} {error.violation} {error.violation.message} {error.api_code}"
    told += ENDPOINT.code(reply(document, status))
    assert KEY[:8] not in told


def test_the_code_alone() -> None:
    """The code of an answer can be had without judging it; an answer that is not the API's has none."""
    assert ENDPOINT.code(reply(refusal(10), 401)) == "10"
    assert ENDPOINT.code(reply(b"<h1>Forbidden</h1>", 403)) == ""
    assert ENDPOINT.code(reply({"code": 10}, 403)) == ""


NAMES = ["success", "code", "message", "error", "errors", "contact", "contactId", "phone", "date"]
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner),
)
ECHOES = st.fixed_dictionaries({"contactId": st.just("C000001")}, optional=dict.fromkeys(CONTACT, JSON) | {"phone": JSON})
ENVELOPES = st.fixed_dictionaries(
    {"success": st.booleans()},
    optional=dict.fromkeys(("code", "message", "error", "errors"), JSON) | {"contact": JSON | ECHOES},
)


@given(
    document=JSON | ENVELOPES,
    status=st.sampled_from([200, 204, 302, 400, 401, 404, 429, 500]),
)
def test_no_answer_is_a_crash(document: Any, status: int) -> None:
    """Whatever JSON comes back ends in an outcome or in one of the errors that have a next step."""
    try:
        outcome, violations, _ = answer(document, status)
    except (Transient, Rejected, AccessError, ConfigError):
        return
    assert document["success"] is True
    assert (outcome is Outcome.ALTERED) == bool(violations)


# ---- a refusal that is looked into

SENT = row({"phoneNumber": "+33600000001", "firstname": "Zoé", "custom1": ""})
HELD = {"contactId": "C000001", "phone": "06 00 00 00 01", "firstname": "Zoé", "custom1": "", "stopSms": False}


def test_only_a_taken_number_is_doubted() -> None:
    """Of a refusal because the number is taken the contact is asked for; any other is certain."""
    with pytest.raises(Rejected) as taken:
        answer(refusal(15), 400)
    path, query = ENDPOINT.doubt(taken.value, SENT) or ("", "")
    assert (path, f"apiKey={KEY}" in query, "contactId=C000001" in query) == ("contact/detail", True, True)
    with pytest.raises(Rejected) as unknown:
        answer(refusal(404), 404)
    assert ENDPOINT.doubt(unknown.value, SENT) is None


def test_a_contact_that_holds_what_was_sent() -> None:
    """The values sent, in the words of reads, are held."""
    held = ENDPOINT.resolve(reply({"success": True, "code": 200, "contact": HELD}), SENT)
    assert held == (Outcome.UPDATED, [], 200, "200")


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"success": True, "contact": HELD | {"phone": "+33600000002"}}, 200),
        ({"success": True, "contact": HELD | {"contactId": "C2"}}, 200),
        ({"success": False, "contact": HELD}, 200),
        ({"success": True}, 200),
        (refusal(404), 404),
    ],
)
def test_anything_else_is_not_held(document: Any, status: int) -> None:
    """Another value, another contact, or an answer that is no success, and nothing is taken for held."""
    assert ENDPOINT.resolve(reply(document, status), SENT) is None


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"success": True, "contact": HELD}, 500),
        ({"success": "true", "contact": HELD}, 200),
        (None, 200),
        (refusal(429), 429),
        (b"<h1>Unavailable</h1>", 503),
    ],
)
def test_an_answer_that_leaves_it_open(document: Any, status: int) -> None:
    """While the API does not say what it holds, the refusal is neither believed nor not."""
    with pytest.raises(Transient):
        ENDPOINT.resolve(reply(document, status), SENT)


def test_a_key_that_is_refused_in_between() -> None:
    """A key that is refused by then stops the run, as anywhere."""
    with pytest.raises(AccessError):
        ENDPOINT.resolve(reply(refusal(10), 401), SENT)
