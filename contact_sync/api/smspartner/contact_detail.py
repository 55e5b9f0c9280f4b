"""The endpoint `GET /v1/contact/detail`: one contact as the API has stored it.

Source: the API's page "Détail d'un contact". The key travels in the query here, so the URL must not be logged. Reads call the
phone number `phone`.
"""

import re
from typing import Any, NamedTuple

from contact_sync.api.endpoint import Reply, Request
from contact_sync.api.smspartner.envelope import code_of, successful_envelope_of
from contact_sync.errors import Transient
from contact_sync.i18n import _
from contact_sync.model.fields import FIELDS, ID, PHONE
from contact_sync.model.violation import Violation

_READ_NAMES = {PHONE: "phone"}  # the name of a field in a write → its name in a read, where it is another
_DAY_FIRST = re.compile(r"\A([0-9]{2})-([0-9]{2})-([0-9]{4})\Z")  # which the API's page shows beside the ISO form


def values_of(shown: dict[str, Any]) -> tuple[str, ...]:
    """Return the values of a `contact` object as reads show it, in the order of `FIELDS`; a date in ISO form."""
    values = (shown.get(_READ_NAMES.get(field, field)) for field in FIELDS)
    texts = ("" if value is None else str(value) for value in values)
    return tuple(
        _DAY_FIRST.sub(r"\3-\2-\1", text) if field == "date" else text for field, text in zip(FIELDS, texts, strict=True)
    )


class StoredContact(NamedTuple):
    """A contact as the API has stored it."""

    contact: Any  # the `contact` object of the reply, unchecked
    http_status: int
    api_code: str

    @property
    def stop(self) -> bool:
        """True when the person asked for no more SMS."""
        return isinstance(self.contact, dict) and self.contact.get("stopSms") is True

    def values(self, contact_id: str) -> dict[str, str]:
        """Return field → value, empty for none; raises Transient when this is not the contact with this id."""
        if not isinstance(self.contact, dict) or str(self.contact.get(ID)) != contact_id:
            violation = Violation("api-garbled", detail={"reason": _("it is not this contact")})
            raise Transient(violation, self.http_status, self.api_code)
        return dict(zip(FIELDS, values_of(self.contact), strict=True))


class ContactDetail:
    """The endpoint, for the account that has `key`; its argument is a contactId."""

    idempotent = True

    def __init__(self, key: str) -> None:
        self._key = key

    def request(self, contact_id: str) -> Request:
        """Return the request for the contact with this id."""
        return Request("GET", "contact/detail", query={"apiKey": self._key, ID: contact_id})

    def read(self, reply: Reply, _contact_id: str) -> StoredContact:
        """Return the contact.

        Raises Transient or Rejected for this contact, AccessError or ConfigError when every contact would get the same reply.
        """
        envelope = successful_envelope_of(reply, self._key, {"404": ("api-contact-unknown", ID)})
        return StoredContact(envelope.get("contact"), reply.status, code_of(envelope, self._key))
