"""Contacts of the sandbox, in memory: 4,000 made-up ones, or an open store where every contactId exists."""

import re
from collections import OrderedDict
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from contact_sync.model import FIELDS

CREATED = {"createdAt": "2025-03-12T13:49:22+01:00"}
GROUPS = {6361: "Clients", 6362: "Prospects", 6363: "Adhérents", 6364: "Newsletter", 6365: "Événements"}
MADE_UP = 4000  # contacts: C000001 to C004000

# The name of a field in a write → its name in a read.
_READ_NAMES = {name: name for name in FIELDS} | {"phoneNumber": "phone", "shortUrlPartnr": "shortUrl"}
_NO_GROUP = 0  # the group of a contact that an open store created
_BLANK: dict[str, Any] = dict.fromkeys(_READ_NAMES.values(), "") | CREATED | {"stopSms": False, "groupId": _NO_GROUP}
_OPEN_STORE_MAX = 10_000  # contacts of an open store, so that a run of any length fits in memory

_FIRSTNAMES = ("Zoé", "Léa", "Inès", "Noël", "Chloé", "Hugo", "Anaïs", "Théo", "Maëlle", "Jean-Luc", "Camille")
_LASTNAMES = ("Dupré", "Lefèvre", "Martin", "Nuñez", "D'Arcy", "Garçon", "Aït-Ali", "Roux", "Cœuret", "Le Goff")
_DAY_FIRST = re.compile(r"[0-9]{2}-[0-9]{2}-[0-9]{4}")
_NATIONAL = re.compile(r"0[1-9][0-9]{8}")


class ContactStore(OrderedDict[str, dict[str, Any]]):
    """contactId → the contact, in the field names of contact/detail (`phone`, not `phoneNumber`).

    In an open store every contactId exists, at first blank and in no group; it keeps the newest 10,000.
    """

    def __init__(self, *, is_open: bool = False) -> None:
        super().__init__(() if is_open else _made_up_contacts())
        self._is_open = is_open
        self._owners = {(contact["groupId"], contact["phone"]): contact_id for contact_id, contact in self.items()}

    def find(self, contact_id: str) -> dict[str, Any] | None:
        """Return the contact, created first in an open store; None when it does not exist."""
        contact = self.get(contact_id)
        if contact is None and self._is_open:
            contact = self[contact_id] = dict(_BLANK)
            if len(self) > _OPEN_STORE_MAX:
                self.popitem(last=False)
        return contact

    def apply(self, contact_id: str, sent: dict[str, Any]) -> int:
        """Update a contact with the fields `sent` and return 200; 404 when it does not exist, 15 when its number is taken."""
        contact = self.find(contact_id)
        if contact is None:
            return 404
        known = {_READ_NAMES[name]: value for name, value in normalise(sent).items() if name in _READ_NAMES}
        changes = {name: "" if value is None else str(value) for name, value in known.items()}
        if not self._claim_phone(contact_id, contact, changes.get("phone", contact["phone"])):
            return 15
        contact.update(changes)
        return 200

    def _claim_phone(self, contact_id: str, contact: dict[str, Any], phone: str) -> bool:
        """Make the contact the owner of `phone`; return False when another contact of its group has it."""
        group = contact["groupId"]
        if group == _NO_GROUP or phone == contact["phone"]:
            return True
        if phone and self._owners.setdefault((group, phone), contact_id) != contact_id:
            return False
        self._owners.pop((group, contact["phone"]), None)
        return True

    def members(self, group: str) -> list[str]:
        """Return the contactIds of a group."""
        return [contact_id for contact_id, contact in self.items() if str(contact["groupId"]) == group]


def normalise(contact: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a write as they are stored and echoed: an ISO date and an international number."""
    stored = dict(contact)
    day, phone = stored.get("date"), stored.get("phoneNumber")
    if isinstance(day, str) and _DAY_FIRST.fullmatch(day):
        stored["date"] = "-".join(reversed(day.split("-")))
    if isinstance(phone, str) and _NATIONAL.fullmatch(phone):
        stored["phoneNumber"] = "+33" + phone[1:]
    return stored


def _made_up_contacts() -> Iterator[tuple[str, dict[str, Any]]]:
    groups = list(GROUPS)
    for number in range(MADE_UP):
        made_up = {
            "phone": f"+3363998{number:04}",  # a range that ARCEP reserves for fiction
            "firstname": _FIRSTNAMES[number % len(_FIRSTNAMES)],
            "lastname": _LASTNAMES[number % len(_LASTNAMES)],
            "date": str(date(1940, 1, 1) + timedelta(days=number * 6)),
            "stopSms": number % 50 == 0,
            "groupId": groups[number % len(groups)],
        }
        yield f"C{number + 1:06}", _BLANK | made_up
