"""The request to contact/update, and the outcome of each reply."""

import base64
import json
import unicodedata
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_sync.api.endpoint import Reply
from contact_sync.api.smspartner.contact_detail import ContactDetail
from contact_sync.api.smspartner.contact_update import ContactUpdate
from contact_sync.errors import AccessError, ConfigError, ContactSyncError, Rejected, Transient
from contact_sync.model.row import Answer, Outcome, Pending
from contact_sync.model.violation import Violation

pytestmark = pytest.mark.unmeasured

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
    """Return a pending row."""
    return Pending(2, contact_id, dict(contact), 0, b"")


def reply(document: Any, status: int = 200, **headers: str) -> Reply:
    """Return a reply; a document that is not bytes is encoded as JSON."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Reply(status, httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()}), body)


def answer(document: Any, status: int = 200, **headers: str) -> tuple[Outcome, list[Violation], str]:
    """Return outcome, violations and code of the row after this reply."""
    found = ENDPOINT.read(reply(document, status, **headers), row())
    assert found.http_status == status
    return found.outcome, found.violations, found.api_code


def success(**changes: Any) -> dict[str, Any]:
    """Return the documented success; `...` as a change leaves a field out."""
    echo = CONTACT | {"contactId": "C000001"} | changes
    return {"success": True, "code": 200, "contact": {name: value for name, value in echo.items() if value is not ...}}


def refusal(code: object, **said: Any) -> dict[str, Any]:
    """Return an error envelope."""
    return {"success": False, "code": code, **said}


# ---- the request


def test_body() -> None:
    """The body is a UTF-8 JSON object of apiKey, contactId and contact, and contains only the values of the row."""
    body = ContactUpdate('k"\\').request(row({"firstname": "Zoé", "custom1": ""})).body
    assert body == '{"apiKey": "k\\"\\\\", "contactId": "C000001", "contact": {"firstname": "Zoé", "custom1": ""}}'.encode()


@given(key=st.text(), contact_id=st.text(), value=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_encoded(key: str, contact_id: str, value: str) -> None:
    """Whatever key, contactId and values contain, the body decodes to the same."""
    body = json.loads(ContactUpdate(key).request(row({"custom1": value}, contact_id)).body)
    assert body == {"apiKey": key, "contactId": contact_id, "contact": {"custom1": value}}


# ---- success


def test_success_with_an_equal_echo() -> None:
    """`success` is true and the echo is equal: updated, without a violation."""
    assert answer(success()) == (Outcome.UPDATED, [], "200")


def test_code_of_a_success_is_ignored() -> None:
    """A success may have any code (group/add succeeds with code 2), or none."""
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
        {"createdAt": "2025-03-12T13:49:22+01:00", "stopSms": False},
    ],
)
def test_other_spelling_is_equal(changes: dict[str, Any]) -> None:
    """The API may echo a number, a date, an accent or an emptied field in another spelling, and more fields than were sent."""
    assert answer(success(**changes)) == (Outcome.UPDATED, [], "200")


def test_decomposed_name_is_equal() -> None:
    """An accent that was sent as two characters and is echoed as one is equal."""
    sent = row({"firstname": unicodedata.normalize("NFD", "Zoé")})
    stored = reply({"success": True, "contact": {"contactId": "C000001", "firstname": "Zoé"}})
    assert ENDPOINT.read(stored, sent)[0] is Outcome.UPDATED


def test_contact_id_may_be_a_number() -> None:
    """An id of digits may be echoed as a JSON number."""
    stored = reply({"success": True, "contact": {"contactId": 6363, "firstname": "Zoé"}})
    assert ENDPOINT.read(stored, row({"firstname": "Zoé"}, "6363"))[0] is Outcome.UPDATED


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
        ({"custom4": ...}, ["echo-missing custom4"]),
        ({"custom4": 0}, ["echo-differs custom4"]),
        ({"firstname": "Zo", "date": ...}, ["echo-differs firstname", "echo-missing date"]),
        ({"contactId": "C000002"}, ["echo-contact contactId"]),
        ({"contactId": "c000001"}, ["echo-contact contactId"]),
        ({"contactId": "C000002", "firstname": "Zo"}, ["echo-contact contactId"]),
        ({"contactId": ...}, ["echo-missing contactId"]),
        ({"contactId": None}, ["echo-missing contactId"]),
    ],
)
def test_different_echo(changes: dict[str, Any], differences: list[str]) -> None:
    """When the API echoes other values the row is altered, and the fields are named."""
    outcome, violations, code = answer(success(**changes))
    assert (outcome, code) == (Outcome.ALTERED, "200")
    assert [f"{violation.code} {violation.field}" for violation in violations] == differences
    assert not any(
        value and value in violation.sentence() for violation in violations for value in CONTACT.values() if len(value) > 1
    )


@pytest.mark.parametrize("echo", [..., None, [], "ok", 7])
def test_success_without_an_echo(echo: object) -> None:
    """A confirmation that does not show the contact confirms nothing."""
    document = {"success": True, "code": 200} | ({} if echo is ... else {"contact": echo})
    assert answer(document) == (Outcome.ALTERED, [Violation("echo-missing", "contactId")], "200")


def test_emptied_field_that_is_echoed_with_a_value() -> None:
    """An emptied date or number that is echoed with a value is a difference, like any other field."""
    sent = row({"date": "", "phoneNumber": ""})
    stored = reply({"success": True, "contact": {"contactId": "C000001", "date": "2020-06-12", "phone": "+33600000001"}})
    outcome, violations, *_ = ENDPOINT.read(stored, sent)
    assert (outcome, [violation.field for violation in violations]) == (Outcome.ALTERED, ["date", "phoneNumber"])


# ---- not the API's format


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
        (b'{"results":[{"success":true},{"succ', 200),
        (b'<p>{"results":[{"success":true}]}', 200),
        (b'Notice [{"success":true},', 200),
        (b'<br>{"success":true}<br>{"success":false}', 200),
        (b"[" * 100_000, 200),
        (b'{"success":true,"code":' + b"1" * 5000 + b"}", 200),
        (b"", 200),
        (b"", 204),
        (b"Not Found", 404),
        (b"<h1>Request Entity Too Large</h1>", 413),
        (b"", 501),
    ],
)
def test_foreign_reply(body: bytes, status: int) -> None:
    """Anything but a JSON object with a boolean `success` is transient, whatever the HTTP status."""
    with pytest.raises(Transient) as caught:
        answer(body, status)
    assert caught.value.violation.code == "api-garbled"
    assert (caught.value.http_status, caught.value.api_code, caught.value.is_api_response) == (status, "", False)
    assert f"HTTP {status}" in caught.value.violation.sentence()


@pytest.mark.parametrize("code", [200, 10])
@pytest.mark.parametrize("status", [0, 199, 418, 600, 999])
def test_success_with_an_odd_status(status: int, code: int) -> None:
    """A success with an HTTP status that is none is transient, whatever its code, but it is a response of the API."""
    with pytest.raises(Transient) as caught:
        answer(success() | {"code": code}, status)
    assert (caught.value.violation.code, caught.value.is_api_response) == ("api-garbled", True)
    assert f"success, but HTTP {status}" in caught.value.violation.sentence()


def test_byte_order_mark() -> None:
    """JSON with a byte order mark, as PHP files saved by Windows editors produce, is decoded."""
    assert answer(b"\xef\xbb\xbf" + json.dumps(success()).encode())[0] is Outcome.UPDATED


CONFIRMED = json.dumps(success(), ensure_ascii=False)
NOTICE = "<br />\n<b>Notice</b>: Undefined index: [a] in <b>/www/{closure}/api.php</b> on line <b>7</b><br />\n"


@pytest.mark.parametrize(
    "text",
    [
        NOTICE + CONFIRMED,
        CONFIRMED + NOTICE,
        f"\ufeff\ufeff{NOTICE}{CONFIRMED}{NOTICE}",
        f"\r\n\ufeff{CONFIRMED}\0",
        f'{{"debug": {{"success": true}}}}\n{CONFIRMED}',
        f'Notice: Undefined index: {{"x"}} in /a.php {{\n<br/>\n{CONFIRMED}\n<!-- {{"a":1}} -->',
        f'Notice: array ["a", {{"b": 1}}]: {CONFIRMED}',
        f'Undefined index "x": {CONFIRMED}',
        f'Array ( [0] => {{ "a" => 1 }} )\n{CONFIRMED}',
        f")]}}',\n{CONFIRMED}",
        f"while(1);{CONFIRMED}",
        f"cb({CONFIRMED});",
    ],
)
def test_text_around_the_envelope(text: str) -> None:
    """A notice of PHP, a byte order mark or the output of a debugger changes nothing about a confirmation or a refusal."""
    assert answer(text.encode()) == (Outcome.UPDATED, [], "200")
    refused = text.replace(CONFIRMED, json.dumps(refusal(15)))
    with pytest.raises(Rejected):
        answer(refused.encode())


@pytest.mark.parametrize(
    "body",
    [
        CONFIRMED.replace('"success": true', '"success": false, "success": true'),
        CONFIRMED.replace('"success": true', '"success": 1, "success": true'),
        CONFIRMED.replace('"firstname": "Zo\u00e9"', '"firstname": "Bob", "firstname": "Zo\u00e9"'),
        NOTICE + CONFIRMED.replace('"success": true', '"success": false, "success": true'),
        '{"success": false,}\n' + CONFIRMED,
        f"{{ data: {CONFIRMED}",
        f'[{{"a": 1}}, {CONFIRMED}',
        f'{{"a": {CONFIRMED}, "b',
        CONFIRMED.replace("true", "NaN", 1),
        '{"a":' * 5000 + CONFIRMED + "}" * 5000,
        "[" * 100_000 + CONFIRMED,
        CONFIRMED.replace("200", "9" * 5000),
    ],
    ids=range(12),
)
def test_answer_that_is_not_certain(body: str) -> None:
    """An answer that contradicts itself, or of which only a part is a confirmation, confirms nothing."""
    assert body != CONFIRMED
    with pytest.raises(Transient, match="api-garbled"):
        answer(body.encode())


def test_answer_that_repeats_itself() -> None:
    """A name that an answer gives twice with the same value contradicts nothing."""
    assert answer(CONFIRMED.replace('"code": 200', '"code": 200, "code": 200').encode()) == (Outcome.UPDATED, [], "200")


@pytest.mark.parametrize("shown", ["NaN", "Infinity", "1e999", '"\\ud800"', "9" * 400, "[" * 300 + "]" * 300, "{}"])
def test_odd_value_in_an_echo(shown: str) -> None:
    """A value that no field can have is another one than was sent."""
    outcome, violations, _code = answer(CONFIRMED.replace('"D\'Arcy"', shown).encode())
    assert (outcome, [violation.code for violation in violations]) == (Outcome.ALTERED, ["echo-differs"])


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=ISO-8859-1", 'text/html;charset="latin1"', "x; charset=no", ""]
)
def test_body_in_latin_1(content_type: str) -> None:
    """A body that is not UTF-8 is read in its declared charset, and where there is none that is known, as Latin-1."""
    assert answer(CONFIRMED.encode("latin-1"), Content_Type=content_type) == (Outcome.UPDATED, [], "200")
    assert answer((NOTICE + CONFIRMED).encode("latin-1"), Content_Type=content_type) == (Outcome.UPDATED, [], "200")


def test_utf_8_with_a_wrong_charset() -> None:
    """UTF-8 that is valid is read as such, whatever its header says."""
    body = (NOTICE + CONFIRMED).encode()
    assert answer(body, Content_Type="application/json; charset=iso-8859-1") == (Outcome.UPDATED, [], "200")


def test_web_page() -> None:
    """A page in place of JSON, with a success status, is that of another address."""
    for page, headers in ((b"<!DOCTYPE html><h1>Hello</h1>", {}), (b"Hello", {"Content_Type": "text/html"})):
        with pytest.raises(Transient, match="api-garbled") as caught:
            answer(page, 200, **headers)
        assert "a web page: check --base-url" in caught.value.violation.sentence()


# ---- transient errors


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("is_api_response", [True, False])
def test_transient_statuses(status: int, is_api_response: bool) -> None:
    """These statuses are transient, in the API's format or not, and Retry-After with any of them is a pause."""
    with pytest.raises(Transient) as caught:
        answer(
            refusal(status, message="Une erreur est survenue") if is_api_response else b"<h1>Oops</h1>", status, retry_after="7"
        )
    failure = caught.value
    assert failure.violation.code == ("api-throttled" if status == 429 else "api-error")
    assert (failure.http_status, failure.api_code) == (status, str(status) if is_api_response else "")
    assert (failure.pause, failure.is_api_response) == (7.0, is_api_response)


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
def test_transient_codes(code: object, status: int, expected: str) -> None:
    """A code counts like the status of the same meaning, and throttling goes before any other error."""
    with pytest.raises(Transient) as caught:
        answer(refusal(code), status)
    assert (caught.value.violation.code, caught.value.api_code, caught.value.pause) == (expected, str(code), None)


@pytest.mark.parametrize(("code", "status", "reason"), [(500, 200, "code 500"), (503, 500, "HTTP 500"), (9, 502, "HTTP 502")])
def test_reason_of_a_transient_error(code: int, status: int, reason: str) -> None:
    """The sentence names the status if that is the error, else the code."""
    with pytest.raises(Transient) as caught:
        answer(refusal(code), status)
    assert f"({reason})" in caught.value.violation.sentence()


def test_success_with_an_error_status() -> None:
    """A success with an HTTP error is transient."""
    with pytest.raises(Transient) as caught:
        answer(success(), 400)
    assert (caught.value.violation.code, caught.value.http_status, caught.value.api_code) == ("api-garbled", 400, "200")
    with pytest.raises(Transient):
        answer(success(), 500)


# ---- errors that stop the run


@pytest.mark.parametrize("code", [10, 20, 30, 40, 96, "10", " 10 "], ids=repr)
@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_access_codes(code: object, status: int) -> None:
    """A wrong key, a closed account or an address that is not authorised stops the run, with any HTTP status."""
    with pytest.raises(AccessError, match=rf"\(code {str(code).strip()}\)\.$"):
        answer(refusal(code, message="Clef API incorrecte"), status)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("document", [b"", b"<h1>Forbidden</h1>", refusal(9), refusal(None), success()])
def test_access_statuses(status: int, document: Any) -> None:
    """HTTP 401 and 403 stop the run, whatever the body."""
    with pytest.raises(AccessError, match=f"HTTP {status}"):
        answer(document, status)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_redirect(status: int) -> None:
    """A redirect means a wrong base URL, even when its body claims success; the sentence names the target."""
    with pytest.raises(ConfigError, match=r"redirects to https://elsewhere\.example:8443:"):
        answer(success(), status, location=f"https://u:p@elsewhere.example:8443/v1/Zo%C3%A9/{KEY}?apiKey={KEY}#Zo%C3%A9")
    for nowhere in ("", f"/v1/Zoe?apiKey={KEY}", f"{KEY}", "https://[Zoe", "https://a:Zoe/", "mailto:Zoe", "//Zoe/"):
        with pytest.raises(ConfigError, match="redirects to elsewhere:"):
            answer(b"", status, location=nowhere)


# ---- rejected rows


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
def test_rejection(code: object, status: int, expected: str) -> None:
    """Any other error in the API's format is about this row, and final."""
    with pytest.raises(Rejected) as caught:
        answer(refusal(code, message="Non"), status)
    violation = caught.value.violation
    assert f"{violation.code} {violation.field}" == expected
    assert (caught.value.http_status, caught.value.api_code) == (status, str(code))


@pytest.mark.parametrize("code", [None, [10], {"10": 10}, 10.5, ...])
def test_invalid_code(code: object) -> None:
    """A code that is neither a number nor a text counts as none, and the sentence says so."""
    document = {"success": False, "message": "Non"} | ({} if code is ... else {"code": code})
    with pytest.raises(Rejected) as caught:
        answer(document, 400)
    assert caught.value.api_code == ""
    assert "(code none: Non)" in caught.value.violation.sentence()


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
def test_text_of_a_rejection(said: dict[str, Any], expected: str) -> None:
    """The reason is found in message, error or errors, as text, list or object, and becomes one short harmless line."""
    with pytest.raises(Rejected) as caught:
        answer(refusal(9, **said), 400)
    assert caught.value.violation.sentence() == f"SMS Partner refused the row (code 9: {expected}): correct the contact."


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
def test_key_is_never_quoted(document: Any, status: int) -> None:
    """A reply that repeats the key, wholly or at the edge of the quoted text, puts no part of it into result or error."""
    shown = ""
    try:
        shown = repr(answer(document, status, location=f"https://elsewhere.example/{KEY}/"))
    except ContactSyncError as error:
        shown = str(error)
    except (Transient, Rejected) as error:
        shown = f"{error} {error.violation} {error.violation.sentence()} {error.api_code}"
    shown += ENDPOINT.api_code(reply(document, status))
    assert KEY[:8] not in shown


def test_api_code() -> None:
    """The code of a reply can be read without interpreting it; a foreign reply has none."""
    assert ENDPOINT.api_code(reply(refusal(10), 401)) == "10"
    assert ENDPOINT.api_code(reply(b"<h1>Forbidden</h1>", 403)) == ""
    assert ENDPOINT.api_code(reply({"code": 10}, 403)) == ""


NAMES = ["success", "code", "message", "error", "errors", "contact", "contactId", "phone", "date"]
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner),
)
ECHOES = st.fixed_dictionaries({"contactId": st.just("C000001")}, optional=dict.fromkeys(CONTACT, JSON) | {"phone": JSON})
ENVELOPES = st.fixed_dictionaries(
    {"success": st.booleans()}, optional=dict.fromkeys(("code", "message", "error", "errors"), JSON) | {"contact": JSON | ECHOES}
)


@given(document=JSON | ENVELOPES, status=st.sampled_from([200, 204, 302, 400, 401, 404, 429, 500]))
def test_any_json_is_interpreted(document: Any, status: int) -> None:
    """Any JSON results in an outcome or in one of the declared errors."""
    try:
        outcome, violations, _ = answer(document, status)
    except (Transient, Rejected, AccessError, ConfigError):
        return
    assert document["success"] is True
    assert (outcome is Outcome.ALTERED) == bool(violations)


# ---- the verification of a refusal

SENT = row({"phoneNumber": "+33600000001", "firstname": "Zoé", "custom1": ""})
HELD = {"contactId": "C000001", "phone": "06 00 00 00 01", "firstname": "Zoé", "custom1": "", "stopSms": False}


def verified(document: Any, status: int = 200) -> Answer | None:
    """Return the outcome of the refused row after this reply of contact/detail."""
    stored = ContactDetail(KEY).read(reply(document, status), SENT.contact_id)
    return ENDPOINT.interpret_verification(stored, SENT)


def test_only_a_taken_number_is_verified() -> None:
    """A refusal because the number is taken has to be verified; any other is final."""
    with pytest.raises(Rejected) as taken:
        answer(refusal(15), 400)
    assert ENDPOINT.needs_verification(taken.value)
    with pytest.raises(Rejected) as unknown:
        answer(refusal(404), 404)
    assert not ENDPOINT.needs_verification(unknown.value)


def test_stored_values_confirm_the_row() -> None:
    """Stored values that are equal to those sent confirm the row."""
    assert verified({"success": True, "code": 200, "contact": HELD}) == Answer(Outcome.UPDATED, [], 200, "200")


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"success": True, "contact": HELD | {"phone": "+33600000002"}}, 200),
        ({"success": True, "contact": HELD | {"contactId": "C2"}}, 200),
        ({"success": True}, 200),
    ],
)
def test_other_stored_values_confirm_nothing(document: Any, status: int) -> None:
    """Another value, another contact, or none at all leave the refusal final."""
    assert verified(document, status) is None


@pytest.mark.parametrize(("document", "status"), [({"success": False, "contact": HELD}, 200), (refusal(404), 404)])
def test_contact_that_is_not_shown(document: Any, status: int) -> None:
    """A reply that refuses to show the contact is a rejection."""
    with pytest.raises(Rejected):
        verified(document, status)


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
def test_transient_verification(document: Any, status: int) -> None:
    """While the API does not show the contact, the verification is transient."""
    with pytest.raises(Transient):
        verified(document, status)


def test_key_refused_during_the_verification() -> None:
    """A key that is refused by then stops the run."""
    with pytest.raises(AccessError):
        verified(refusal(10), 401)


@pytest.mark.parametrize("echoed", [KEY.upper(), KEY[1:], KEY[:-1], base64.b64encode(KEY.encode()).decode(), KEY[7:27]])
def test_disguised_key_in_a_refusal(echoed: str) -> None:
    """A key that the API repeats in another case, cut or encoded, as text or as a code, is masked."""
    with pytest.raises(Rejected) as caught:
        answer(refusal(f"K-{echoed}", message=f"Unknown key {echoed} for contact"))
    shown = caught.value.violation.sentence() + caught.value.api_code
    assert "***" in caught.value.violation.sentence()
    assert "***" in caught.value.api_code
    assert not any(echoed[at : at + 8].lower() in shown.lower() for at in range(len(echoed) - 7))
