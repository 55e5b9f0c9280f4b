"""The endpoint `GET /v1/contact/list`: a page of the contacts of a group.

Source: the API's page "Obtenir la liste des contacts d'un groupe". The key travels in the query here, so the URL must not be
logged. The size of a page is documented as 20, and 500 in the only public client; `total` is a text, and may be that of the group
or of the page. What a page after the last one returns is not documented: code 404 counts as a page without contacts.
"""

import re
from typing import Any, NamedTuple

from contact_sync.api.endpoint import Reply, Request
from contact_sync.api.smspartner.envelope import garbled, successful_envelope_of
from contact_sync.errors import Rejected
from contact_sync.i18n import _
from contact_sync.model.fields import FIELDS, ID, PHONE, ROW

_READ_NAMES = {PHONE: "phone"}  # the name of a field in a write → its name in a read, where it is another
_DAY_FIRST = re.compile(r"\A([0-9]{2})-([0-9]{2})-([0-9]{4})\Z")  # which the API's page shows beside the ISO form
_NOT_FOUND = "404"
_LARGEST = 16 << 20  # bytes of a page: 500 contacts with each field as long as it can be


class PageOf(NamedTuple):
    """A page of a group, numbered from 1."""

    group: str
    number: int


class ListedContact(NamedTuple):
    """A contact of a list."""

    id: str
    values: tuple[str, ...]  # in the order of `FIELDS`, a date in ISO form
    stop: bool  # True when the person asked for no more SMS
    created: str


class ContactPage(NamedTuple):
    """The contacts of a page, and the number that the API gives as their total; 0 where it gives none."""

    contacts: list[ListedContact]
    total: int


class ContactList:
    """The endpoint, for the account that has `key`; its argument is a page of a group."""

    idempotent = True

    def __init__(self, key: str) -> None:
        self._key = key

    def request(self, page: PageOf) -> Request:
        """Return the request for a page."""
        query = {"apiKey": self._key, "groupId": page.group, "page": str(page.number)}
        return Request("GET", "contact/list", query=query, largest_reply=_LARGEST)

    def read(self, reply: Reply, _page: PageOf) -> ContactPage:
        """Return the contacts of the page.

        Raises Transient or Rejected for this page, AccessError or ConfigError when every page would get the same reply.
        """
        try:
            envelope = successful_envelope_of(reply, self._key, {_NOT_FOUND: ("api-refused", ROW)})
        except Rejected as refusal:
            if refusal.api_code != _NOT_FOUND:
                raise
            return ContactPage([], 0)
        contacts, total = envelope.get("datas"), str(envelope.get("total"))
        if not isinstance(contacts, list) or not all(isinstance(each, dict) and each.get(ID) for each in contacts):
            raise garbled(reply, _("a list of contacts was expected"))
        return ContactPage(list(map(_contact, contacts)), int(total) if re.fullmatch("[0-9]{1,12}", total) else 0)


def _contact(shown: dict[str, Any]) -> ListedContact:
    values = {field: _text(shown.get(_READ_NAMES.get(field, field))) for field in FIELDS}
    values["date"] = _DAY_FIRST.sub(r"\3-\2-\1", values["date"])
    return ListedContact(_text(shown[ID]), tuple(values.values()), shown.get("stopSms") is True, _text(shown.get("createdAt")))


def _text(value: Any) -> str:
    """Return a value as text; JSON can contain half a character."""
    return "" if value is None else str(value).encode(errors="replace").decode()
