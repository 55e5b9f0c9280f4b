"""The endpoint `GET /v1/contact/detail`: what the API holds of one contact.

Source: the API's page "Détail d'un contact". The key travels in the query here, so the URL must not be logged. Reads call the
telephone number `phone`.
"""

from urllib.parse import urlencode

from contact_sync.api.client import Reply
from contact_sync.api.echo import differences
from contact_sync.api.envelope import envelope_of
from contact_sync.model import ID, Pending

PATH = "contact/detail"


def query(key: str, row: Pending) -> str:
    """The query that asks for the contact of `row`."""
    return urlencode({"apiKey": key, ID: row.contact_id})


def holds(reply: Reply, row: Pending) -> bool:
    """Whether the API holds every value that `row` sends."""
    envelope = envelope_of(reply.body)
    well = envelope is not None and envelope["success"] is True and reply.status < 300  # noqa: PLR2004 - the class of successes
    return well and not differences((envelope or {}).get("contact"), row)
