"""The endpoint `POST /v1/contact/update`: it sets fields of one contact.

Source: the API's page "Modifier un contact". `apiKey` and `contactId` are at the top of the body, the fields inside `contact`. An
update names the contact and sets absolute values, so it is idempotent. A refusal because the number is taken has to be verified
with `contact/detail`: the contact that has the number may be this one, after an earlier attempt without an answer.
"""

import json
import unicodedata
from contextlib import suppress
from datetime import date, datetime
from typing import Any

import phonenumbers

from contact_sync.api.endpoint import Reply, Request
from contact_sync.api.smspartner.contact_detail import StoredContact
from contact_sync.api.smspartner.envelope import code_of, envelope_of, successful_envelope_of
from contact_sync.errors import Rejected
from contact_sync.model.fields import ID, PHONE
from contact_sync.model.row import Answer, Outcome, Pending
from contact_sync.model.violation import Violation

_encode = json.JSONEncoder(ensure_ascii=False).encode

_NUMBER_TAKEN = "15"  # by a contact of the group, which may be this contact itself
_CODES = {"404": ("api-contact-unknown", ID), _NUMBER_TAKEN: ("api-number-taken", PHONE)}
"""Codes whose cause is certain, and the field it lies in."""


class ContactUpdate:
    """The endpoint, for the account that has `key`; its argument is a row. The key is removed from text that the API repeats."""

    idempotent = True

    def __init__(self, key: str) -> None:
        self._key = key

    def request(self, row: Pending) -> Request:
        """Return the request that sends `row`."""
        body = _encode({"apiKey": self._key, ID: row.contact_id, "contact": row.contact})
        return Request("POST", "contact/update", body=body.encode())

    def read(self, reply: Reply, row: Pending) -> Answer:
        """Return the outcome for `row`: updated, or altered when the API echoes other values.

        Raises Transient or Rejected for this row, AccessError or ConfigError when every row would get the same reply.
        """
        envelope = successful_envelope_of(reply, self._key, _CODES)
        altered = _differences(envelope.get("contact"), row)
        outcome = Outcome.ALTERED if altered else Outcome.UPDATED
        return Answer(outcome, altered, reply.status, code_of(envelope, self._key))

    def api_code(self, reply: Reply) -> str:
        """Return the API's code in `reply`; empty when there is none."""
        return code_of(envelope_of(reply) or {}, self._key)

    @staticmethod
    def needs_verification(refusal: Rejected) -> bool:
        """Return True when the stored contact has to be read before this refusal is final."""
        return refusal.api_code == _NUMBER_TAKEN

    @staticmethod
    def interpret_verification(stored: StoredContact, row: Pending) -> Answer | None:
        """Return the outcome of a refused `row` whose values are stored all the same; None when the refusal is final."""
        if _differences(stored.contact, row):
            return None
        return Answer(Outcome.UPDATED, [], stored.http_status, stored.api_code)

    @staticmethod
    def different_fields(stored: StoredContact, row: Pending) -> list[str]:
        """Return the fields that a stored contact has with another value than `row` sent."""
        return [violation.field for violation in _differences(stored.contact, row)]


def _differences(echo: Any, row: Pending) -> list[Violation]:
    """Return one violation for each field that the API shows with another value than `row` sent.

    `echo` is its `contact` object, with the field names of writes or of reads. An emptied field that it leaves out counts as
    missing too: the API's page shows one as "" (in the reply to an update and in reads), so an echo without it proves nothing.
    null is a value that is empty.
    """
    if not isinstance(echo, dict) or echo.get(ID) is None:
        return [Violation("echo-missing", ID)]
    if str(echo[ID]) != row.contact_id:
        return [Violation("echo-contact", ID)]
    found = []
    for field, sent in row.contact.items():
        shown = field if field in echo else "phone" if field == PHONE else field
        stored = echo.get(shown)
        if stored is None and (sent or shown not in echo):
            found.append(Violation("echo-missing", field))
        elif isinstance(stored, dict | list) or not _same(field, sent, "" if stored is None else str(stored)):
            found.append(Violation("echo-differs", field))
    return found


def _same(field: str, sent: str, stored: str) -> bool:
    """Return True when two spellings of a value mean the same."""
    if sent == stored or not sent:
        return sent == stored
    if field == "date":
        return _day(stored) == date.fromisoformat(sent)
    if field == PHONE:
        return _e164(stored) == sent
    return unicodedata.normalize("NFC", stored) == unicodedata.normalize("NFC", sent)


def _day(text: str) -> date | None:
    """Parse a date in either of the spellings that the API's page shows."""
    for spelling in ("%Y-%m-%d", "%d-%m-%Y"):
        with suppress(ValueError):
            return datetime.strptime(text, spelling).date()  # noqa: DTZ007 - a day has no zone
    return None


def _e164(text: str) -> str:
    with suppress(phonenumbers.NumberParseException):
        number = phonenumbers.parse(text, "FR")  # the API reads a number without + as French
        return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    return ""
