"""The endpoint `POST /v1/contact/update`: its request, and what its answers mean.

Source: the API's page "Modifier un contact". `apiKey` and `contactId` stand at the top, the fields inside `contact`. Success is
what the body says (`success` is true), never the HTTP status alone. Its table of error codes is incomplete, so those of the
sibling endpoints and of the general error page count too. An update names the contact and sets absolute values, so an attempt
without an answer may be made again.
"""

import json
import unicodedata
from datetime import date, datetime
from typing import Any

import phonenumbers

from contact_sync.api.client import Reply
from contact_sync.errors import AccessError, AttemptError, ConfigError, Rejected, Transient
from contact_sync.model import ID, ROW, Outcome, Pending, Violation

PATH = "contact/update"

_ACCESS = {
    "10": "the API key is wrong",
    "20": "the account is disabled",
    "30": "the account is blocked",
    "40": "the account may not use the API",
    "96": "this machine's IP address is not authorised",
}
"""Codes of the general error page that no other row could escape."""

_ROW = {"404": ("api-contact-unknown", ID), "15": ("api-number-taken", "phoneNumber")}
"""Codes whose cause is known for certain, and the field it lies in."""

_AGAIN = {"408", "425", "429", "500", "502", "503", "504"}
"""HTTP statuses, and codes of the same meaning, after which another attempt may succeed."""

_THROTTLED = "429"

_QUOTED = 200
"""Characters of the API's own words that are reported at most."""


def request(key: str, row: Pending) -> bytes:
    """The body that sends `row`."""
    return f'{{"apiKey": {json.dumps(key)}, "contactId": {json.dumps(row.contact_id)}, "contact": {row.contact}}}'.encode()


def answer(reply: Reply, row: Pending, key: str) -> tuple[Outcome, list[Violation], str]:
    """The outcome of `row`, what to look at, and the API's code.

    Raises Transient or Rejected for this row; AccessError or ConfigError where every row would end so. Where the API's words are
    quoted, `key` is taken out of them: an error may repeat the request.
    """
    if 300 <= reply.status < 400:  # noqa: PLR2004 - the class of redirects
        target = _quoted(reply.headers.get("location", "elsewhere").partition("?")[0], key)
        raise ConfigError(f"The API redirects to {target}: correct --base-url; nothing was sent there.")
    envelope = _envelope(reply.body)
    if envelope is None:
        raise _without_envelope(reply)
    if envelope["success"] is True and reply.status < 300:  # noqa: PLR2004 - the class of successes
        differences = _differences(envelope.get("contact"), row)
        return (Outcome.ALTERED if differences else Outcome.UPDATED), differences, _quoted(_code(envelope), key)
    raise _refusal(reply, envelope, key)


def code(reply: Reply, key: str) -> str:
    """The API's code in `reply`, as far as there is one."""
    return _quoted(_code(_envelope(reply.body) or {}), key)


def _envelope(body: bytes) -> dict[str, Any] | None:
    """The body if it is what the API speaks: a JSON object with a boolean `success`."""
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return envelope if isinstance(envelope, dict) and isinstance(envelope.get("success"), bool) else None


def _code(envelope: dict[str, Any]) -> str:
    found = envelope.get("code")
    return str(found).strip() if isinstance(found, int | str) else ""


def _without_envelope(reply: Reply) -> Exception:
    if reply.status in {401, 403}:
        return AccessError(f"The API refused access (HTTP {reply.status}): check the API key and the base URL.")
    if str(reply.status) in _AGAIN:
        return _again(reply, str(reply.status), "")
    reason = f"HTTP {reply.status}, not the API's own words"
    return Transient(Violation("api-garbled", detail={"reason": reason}), http_status=reply.status)


def _refusal(reply: Reply, envelope: dict[str, Any], key: str) -> Exception:
    """The exception for an answer in the API's own words that is not a success."""
    error: AttemptError
    code, status = _code(envelope), str(reply.status)
    quoted = _quoted(code, key)
    if code in _ACCESS:
        return AccessError(f"The API refused: {_ACCESS[code]} (code {code}).")
    if reply.status in {401, 403}:
        return AccessError(f"The API refused access (HTTP {status}): check the API key.")
    if status in _AGAIN or code in _AGAIN:
        error = _again(reply, code if status not in _AGAIN or code == _THROTTLED else status, quoted)
        error.spoke = True
        return error
    if envelope["success"] is True:
        reason = f"success, but HTTP {status}"
        return Transient(Violation("api-garbled", detail={"reason": reason}), http_status=reply.status, api_code=quoted)
    name, field = _ROW.get(code, ("api-refused", ROW))
    said = {"code": quoted or "none", "text": _quoted(_text(envelope), key)}
    return Rejected(Violation(name, field, said), http_status=reply.status, api_code=quoted)


def _again(reply: Reply, why: str, code: str) -> Transient:
    """The exception for an HTTP status or a code (`why`) of `_AGAIN`."""
    if why == _THROTTLED:
        violation = Violation("api-throttled")
    else:
        violation = Violation("api-error", detail={"reason": f"HTTP {why}" if why == str(reply.status) else f"code {why}"})
    error = Transient(violation, http_status=reply.status, api_code=code)
    error.hold = reply.retry_after()
    return error


def _text(envelope: dict[str, Any]) -> str:
    """What the API says in words: `message`, `error` or `errors`, as text, list or object."""
    for name in ("message", "error", "errors"):
        said = envelope.get(name)
        if isinstance(said, list):
            said = said[0] if said else None
        if isinstance(said, dict):
            said = said.get("message")
        if said:
            return str(said)
    return "no reason given"


def _quoted(text: str, key: str) -> str:
    """Foreign text as it may stand in a report: without the key, on one line, not too long."""
    return "".join(c if c.isprintable() else " " for c in text.replace(key, "***"))[:_QUOTED]


def _differences(echo: Any, row: Pending) -> list[Violation]:
    """What the API echoed otherwise than it was sent."""
    if not isinstance(echo, dict) or echo.get(ID) is None:
        return [Violation("echo-missing", ID)]
    if str(echo[ID]) != row.contact_id:
        return [Violation("echo-contact", ID)]
    found = []
    for field, sent in json.loads(row.contact).items():
        stored = echo.get(field, echo.get("phone") if field == "phoneNumber" else None)
        if stored is None and sent:
            found.append(Violation("echo-missing", field))
        elif not _same(field, sent, "" if stored is None else str(stored)):
            found.append(Violation("echo-differs", field))
    return found


def _same(field: str, sent: str, stored: str) -> bool:
    """Whether two spellings of a value mean the same."""
    if sent == stored or not sent:
        return sent == stored
    if field == "date":
        return _day(stored) == date.fromisoformat(sent)
    if field == "phoneNumber":
        return _e164(stored) == sent
    return unicodedata.normalize("NFC", stored) == unicodedata.normalize("NFC", sent)


def _day(text: str) -> date | None:
    """A date in either of the spellings that the API's page shows."""
    for spelling in ("%Y-%m-%d", "%d-%m-%Y"):
        try:
            return datetime.strptime(text, spelling).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    return None


def _e164(text: str) -> str:
    try:
        number = phonenumbers.parse(text, "FR")  # the API answers for France unless there is a +
    except phonenumbers.NumberParseException:
        return ""
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
