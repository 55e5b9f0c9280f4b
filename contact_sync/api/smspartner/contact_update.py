"""The endpoint `POST /v1/contact/update`: its request, and what its answers mean.

Source: the API's page "Modifier un contact". `apiKey` and `contactId` stand at the top, the fields inside `contact`. Success is
what the body says (`success` is true), never the HTTP status alone. Its table of error codes is incomplete, so those of the
sibling endpoints and of the general error page count too. An update names the contact and sets absolute values, so an attempt
without an answer may be made again. A refusal because the number is taken is looked into with `contact/detail`: it may be this
contact itself that has it, from an attempt tonight or before that had no answer.
"""

import json
from typing import Any

from contact_sync.api.client import Reply
from contact_sync.api.smspartner import contact_detail
from contact_sync.api.smspartner.echo import differences
from contact_sync.api.smspartner.envelope import code_of, envelope_of, quoted, text_of
from contact_sync.errors import AccessError, ConfigError, Rejected, Transient
from contact_sync.i18n import N_, _
from contact_sync.model import ID, PHONE, ROW, Answer, Outcome, Pending, Violation

_encode = json.JSONEncoder(ensure_ascii=False).encode

_ACCESS = {
    "10": N_("the API key is wrong"),
    "20": N_("the account is disabled"),
    "30": N_("the account is blocked"),
    "40": N_("the account is not allowed to use the API"),
    "96": N_("this machine's IP address is not authorised"),
}
"""Codes of the general error page that no other row could escape."""

NUMBER_TAKEN = "15"
"""The code when a contact of the group has the number, which may be this contact itself."""

_ROW = {"404": ("api-contact-unknown", ID), NUMBER_TAKEN: ("api-number-taken", PHONE)}
"""Codes whose cause is known for certain, and the field it lies in."""

_AGAIN = {"408", "425", "429", "500", "502", "503", "504"}
"""HTTP statuses, and codes of the same meaning, after which another attempt may succeed."""

_THROTTLED = "429"


class ContactUpdate:
    """The endpoint, for the account that has `key`; where the API's words are quoted, the key is taken out of them."""

    path = "contact/update"

    def __init__(self, key: str) -> None:
        self._key = key

    def request(self, row: Pending) -> bytes:
        """The body that sends `row`."""
        return _encode({"apiKey": self._key, ID: row.contact_id, "contact": row.contact}).encode()

    def answer(self, reply: Reply, row: Pending) -> Answer:
        """What `reply` means for `row`.

        Raises Transient or Rejected for this row; AccessError or ConfigError where every row would end so.
        """
        envelope = self._success(reply)
        altered = differences(envelope.get("contact"), row)
        outcome = Outcome.ALTERED if altered else Outcome.UPDATED
        return Answer(outcome, altered, reply.status, quoted(code_of(envelope), self._key))

    def _success(self, reply: Reply) -> dict[str, Any]:
        """The envelope of a success; raises what `answer` does."""
        if 300 <= reply.status < 400:  # noqa: PLR2004 - the class of redirects
            target = quoted(reply.headers.get("location", _("elsewhere")).partition("?")[0], self._key)
            raise ConfigError(_("The API redirects to {target}: correct --base-url; nothing was sent there.", target=target))
        envelope = envelope_of(reply.body)
        if envelope is None:
            raise _without_envelope(reply)
        if envelope["success"] is True and reply.status < 300:  # noqa: PLR2004 - the class of successes
            return envelope
        raise _refusal(reply, envelope, self._key)

    def code(self, reply: Reply) -> str:
        """The API's code in `reply`, as far as there is one."""
        return quoted(code_of(envelope_of(reply.body) or {}), self._key)

    def doubt(self, refusal: Rejected, row: Pending) -> tuple[str, str] | None:
        """What to ask, path and query, before this refusal of `row` is believed; None where it is certain."""
        if refusal.api_code != NUMBER_TAKEN:
            return None
        return contact_detail.PATH, contact_detail.query(self._key, row)

    def resolve(self, reply: Reply, row: Pending) -> Answer | None:
        """What the answer to that question means for `row`; None where the refusal stands. Raises what `answer` does."""
        try:
            envelope = self._success(reply)
        except Rejected:
            return None
        if differences(envelope.get("contact"), row):
            return None
        return Answer(Outcome.UPDATED, [], reply.status, quoted(code_of(envelope), self._key))


def _without_envelope(reply: Reply) -> Exception:
    if reply.status in {401, 403}:
        return AccessError(_("The API refused access (HTTP {status}): check the API key and the base URL.", status=reply.status))
    if str(reply.status) in _AGAIN:
        return _again(reply, str(reply.status), "")
    reason = _("HTTP {status}, not the API's JSON", status=reply.status)
    return Transient(Violation("api-garbled", detail={"reason": reason}), http_status=reply.status)


def _refusal(reply: Reply, envelope: dict[str, Any], key: str) -> Exception:
    """The exception for an answer in the API's own words that is not a success."""
    code, status = code_of(envelope), str(reply.status)
    shown = quoted(code, key)
    if code in _ACCESS:
        return AccessError(_("The API refused: {reason} (code {code}).", reason=_(_ACCESS[code]), code=code))
    if reply.status in {401, 403}:
        return AccessError(_("The API refused access (HTTP {status}): check the API key.", status=status))
    if status in _AGAIN or code in _AGAIN:
        return _again(reply, code if status not in _AGAIN or code == _THROTTLED else status, shown, spoke=True)
    if envelope["success"] is True:
        violation = Violation("api-garbled", detail={"reason": _("success, but HTTP {status}", status=status)})
        return Transient(violation, http_status=reply.status, api_code=shown, spoke=True)
    name, field = _ROW.get(code, ("api-refused", ROW))
    said = {"code": shown or _("none"), "text": quoted(text_of(envelope), key)}
    return Rejected(Violation(name, field, said), http_status=reply.status, api_code=shown)


def _again(reply: Reply, why: str, code: str, *, spoke: bool = False) -> Transient:
    """The exception for an HTTP status or a code (`why`) of `_AGAIN`."""
    throttled = why == _THROTTLED
    if throttled:
        violation = Violation("api-throttled")
    else:
        reason = f"HTTP {why}" if why == str(reply.status) else _("code {code}", code=why)
        violation = Violation("api-error", detail={"reason": reason})
    pause = reply.retry_after()
    return Transient(violation, http_status=reply.status, api_code=code, spoke=spoke, throttled=throttled, pause=pause)
