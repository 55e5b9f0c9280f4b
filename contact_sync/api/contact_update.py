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
from contact_sync.model import ID, Outcome, Pending, Violation

PATH = "contact/update"

_ACCESS = {
    "10": "the API key is wrong",
    "20": "the account is disabled",
    "30": "the account is blocked",
    "40": "the account may not use the API",
    "96": "this machine's IP address is not authorised",
}
"""Codes of the general error page that no other row could escape."""

_ROW = {"404": "api-contact-unknown", "15": "api-number-taken"}

_AGAIN = {408, 425, 429, 500, 502, 503, 504}
"""HTTP statuses, and codes of the same meaning, after which another attempt may succeed."""

_THROTTLED = 429


def request(key: str, row: Pending) -> bytes:
    """The body that sends `row`."""
    return f'{{"apiKey": {json.dumps(key)}, "contactId": {json.dumps(row.contact_id)}, "contact": {row.contact}}}'.encode()


def answer(reply: Reply, row: Pending) -> tuple[Outcome, list[Violation], str]:
    """The outcome of `row`, what to look at, and the API's code.

    Raises Transient or Rejected for this row; AccessError or ConfigError where every row would end so.
    """
    if 300 <= reply.status < 400:  # noqa: PLR2004 - the class of redirects
        target = reply.headers.get("location", "elsewhere")
        raise ConfigError(f"The API redirects to {target[:200]}: correct --base-url; nothing was sent there.")
    envelope = _envelope(reply.body)
    if envelope is None:
        raise _without_envelope(reply)
    code = str(envelope.get("code", ""))
    if envelope["success"] is True and reply.status < 300:  # noqa: PLR2004 - the class of successes
        differences = _differences(envelope.get("contact"), row)
        return (Outcome.ALTERED if differences else Outcome.UPDATED), differences, code
    raise _refusal(reply, envelope, code)


def _envelope(body: bytes) -> dict[str, Any] | None:
    """The body if it is what the API speaks: a JSON object with a boolean `success`."""
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return envelope if isinstance(envelope, dict) and isinstance(envelope.get("success"), bool) else None


def _without_envelope(reply: Reply) -> Exception:
    if reply.status in {401, 403}:
        return AccessError(f"The API refused access (HTTP {reply.status}): check the API key and the base URL.")
    if reply.status in _AGAIN:
        return _again(reply, "")
    reason = f"HTTP {reply.status}, not the API's own words"
    return Transient(Violation("api-garbled", detail={"reason": reason}), http_status=reply.status)


def _refusal(reply: Reply, envelope: dict[str, Any], code: str) -> Exception:
    """The exception for an answer in the API's own words that is not a success."""
    error: AttemptError
    if code in _ACCESS:
        return AccessError(f"The API refused: {_ACCESS[code]} (code {code}).")
    if reply.status in {401, 403}:
        return AccessError(f"The API refused access (HTTP {reply.status}): check the API key.")
    if reply.status in _AGAIN or (code.isdigit() and int(code) in _AGAIN):
        error = _again(reply, code)
        error.spoke = True
        return error
    if envelope["success"] is True:
        reason = f"success, but HTTP {reply.status}"
        return Transient(Violation("api-garbled", detail={"reason": reason}), http_status=reply.status, api_code=code)
    name = _ROW.get(code, "api-refused")
    field = {"api-contact-unknown": ID, "api-number-taken": "phoneNumber"}.get(name, "")
    return Rejected(Violation(name, field, {"code": code, "text": _text(envelope)}), http_status=reply.status, api_code=code)


def _again(reply: Reply, code: str) -> Transient:
    if _THROTTLED in (reply.status, int(code) if code.isdigit() else 0):
        violation = Violation("api-throttled")
    else:
        violation = Violation("api-error", detail={"reason": f"HTTP {reply.status}"})
    error = Transient(violation, http_status=reply.status, api_code=code)
    error.hold = reply.retry_after()
    return error


def _text(envelope: dict[str, Any]) -> str:
    """What the API says in words: `message`, `error` or `errors`, as text, list or object."""
    said = envelope.get("message") or envelope.get("error") or envelope.get("errors") or "no reason given"
    if isinstance(said, list):
        said = said[0] if said else "no reason given"
    if isinstance(said, dict):
        said = said.get("message", "no reason given")
    return "".join(c if c.isprintable() else " " for c in str(said))[:200]


def _differences(echo: Any, row: Pending) -> list[Violation]:
    """What the API echoed otherwise than it was sent."""
    if not isinstance(echo, dict):
        return [Violation("echo-missing", ID)]
    if str(echo.get(ID, "")) != row.contact_id:
        return [Violation("echo-contact", ID)]
    found = []
    for field, sent in json.loads(row.contact).items():
        stored = echo.get(field, echo.get("phone") if field == "phoneNumber" else None)
        if stored is None and sent:
            found.append(Violation("echo-missing", field))
        elif (stored or "") != sent and not _same(field, sent, str(stored or "")):
            found.append(Violation("echo-differs", field))
    return found


def _same(field: str, sent: str, stored: str) -> bool:
    """Whether two spellings of a value mean the same."""
    if field == "date":
        return _day(stored) == date.fromisoformat(sent) if sent else not stored
    if field == "phoneNumber":
        return _e164(stored) == sent
    return unicodedata.normalize("NFC", stored) == sent


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
