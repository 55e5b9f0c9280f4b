"""How the API is asked what it holds of one contact."""

from urllib.parse import parse_qs

from contact_sync.api.smspartner import contact_detail
from contact_sync.model import Pending


def test_the_query_names_key_and_contact() -> None:
    """The query carries key and contactId, whatever characters they have."""
    row = Pending(2, "C 1&2", {"phoneNumber": "+33600000001"}, 0, b"")
    assert parse_qs(contact_detail.query("k+y", row)) == {"apiKey": ["k+y"], "contactId": ["C 1&2"]}
