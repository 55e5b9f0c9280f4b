"""The endpoint `GET /v1/contact/detail`: what the API holds of one contact.

Source: the API's page "Détail d'un contact". The key travels in the query here, so the URL must not be logged. Reads call the
telephone number `phone`.
"""

from urllib.parse import urlencode

from contact_sync.model import ID, Pending

PATH = "contact/detail"


def query(key: str, row: Pending) -> str:
    """The query that asks for the contact of `row`."""
    return urlencode({"apiKey": key, ID: row.contact_id})
