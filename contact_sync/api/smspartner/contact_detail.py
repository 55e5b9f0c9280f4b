"""The endpoint `GET /v1/contact/detail`: one contact as the API has stored it.

Source: the API's page "Détail d'un contact". The key travels in the query here, so the URL must not be logged. Reads call the
phone number `phone`.
"""

from typing import Any, NamedTuple

from contact_sync.api.endpoint import Reply, Request
from contact_sync.api.smspartner.envelope import code_of, successful_envelope_of
from contact_sync.model import ID


class StoredContact(NamedTuple):
    """A contact as the API has stored it."""

    contact: Any  # the `contact` object of the reply, unchecked
    http_status: int
    api_code: str


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
