"""Contacts of the sandbox: made up from their numbers, or an open store where every contactId exists.

A made-up contact takes memory only once it was changed, so a store can have any number of them.
"""

import re
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import lru_cache
from itertools import chain
from math import ceil
from typing import Any

from contact_sync.model.fields import FIELDS, PHONE
from contact_sync.sandbox.assumptions import Assumptions

CREATED = {"createdAt": "2025-03-12T13:49:22+01:00"}
MADE_UP = 4000  # contacts, unless another number is asked for: C000001 to C004000

# The name of a field in a write → its name in a read.
_READ_NAMES = {name: name for name in FIELDS} | {PHONE: "phone", "shortUrlPartnr": "shortUrl"}
_NO_GROUP = 0  # the group of a contact that an open store created
_BLANK: dict[str, Any] = dict.fromkeys(_READ_NAMES.values(), "") | CREATED | {"stopSms": False, "groupId": _NO_GROUP}
_OPEN_STORE_MAX = 10_000  # contacts of an open store, so that a run of any length fits in memory

_GROUPS = ("Clients", "Prospects", "Adhérents", "Newsletter", "Événements")
_FIRST_GROUP = 6361
_PHONES = 10_000  # valid numbers that no operator has given out; of more contacts, each group has them once at most
_SHARED = 10  # one contact of so many is in two groups, where contacts may be

_FIRSTNAMES = ("Zoé", "Léa", "Inès", "Noël", "Chloé", "Hugo", "Anaïs", "Théo", "Maëlle", "Jean-Luc", "Camille", "")
_LASTNAMES = ("Dupré", "Lefèvre", "Martin", "Nuñez", "D'Arcy", "Garçon", "Aït-Ali", "Roux", "Cœuret", "Le Goff", "Łukasiewicz")
_ODD_NAMES = ("O'Brien", "'t Hooft", "=1+1", "", 'dit "Le Grand"; fils', "de La Rochefoucauld-Liancourt d'Estissac")
_ID = re.compile("C([0-9]{6,15})")
_MADE_UP_PHONE = re.compile(r"\+3360001([0-9]{4})")
_DAY_FIRST = re.compile(r"[0-9]{2}-[0-9]{2}-[0-9]{4}")
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NATIONAL = re.compile(r"0[1-9][0-9]{8}")


class ContactStore(Mapping[str, dict[str, Any]]):
    """contactId → the contact, in the field names of contact/detail (`phone`, not `phoneNumber`).

    In an open store every contactId exists, at first blank and in no group; it keeps the newest 10,000.
    """

    def __init__(self, contacts: int = MADE_UP, assumptions: Assumptions | None = None, *, is_open: bool = False) -> None:
        self._made_up = 0 if is_open else contacts
        self._is_open = is_open
        self.assumptions = assumptions or Assumptions()
        self._changed: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._owners: dict[tuple[int, str], str] = {}  # of the numbers that were sent
        names = [*_GROUPS, *(f"Fichier {number}" for number in range(len(_GROUPS) + 1, ceil(contacts / _PHONES) + 1))]
        self.groups = dict(enumerate(names, _FIRST_GROUP))
        self._members = lru_cache(maxsize=None)(self._find_members)

    def __getitem__(self, contact_id: str) -> dict[str, Any]:
        if contact := self._changed.get(contact_id):
            return contact
        match = _ID.fullmatch(contact_id)
        if match is None or contact_id != _id_of(int(match[1]) - 1) or not 0 < int(match[1]) <= self._made_up:
            raise KeyError(contact_id)
        return _make_up(int(match[1]) - 1, self._group_of(int(match[1]) - 1))

    def __iter__(self) -> Iterator[str]:
        return chain(self._changed if self._is_open else (), map(_id_of, range(self._made_up)))

    def __len__(self) -> int:
        return len(self._changed) if self._is_open else self._made_up

    def find(self, contact_id: str) -> dict[str, Any] | None:
        """Return the contact, created first in an open store; None when it does not exist."""
        contact = self.get(contact_id)
        if contact is None and self._is_open:
            contact = self._changed[contact_id] = dict(_BLANK)
            if len(self._changed) > _OPEN_STORE_MAX:
                self._changed.popitem(last=False)
        return contact

    def apply(self, contact_id: str, sent: dict[str, Any]) -> int:
        """Update a contact with the fields `sent`, and return 200.

        Other codes: 2 when a field that is required is missing, 15 when the number is taken, 404 when there is no such contact.
        """
        contact, assumed = self.find(contact_id), self.assumptions
        if contact is None:
            return 404
        if assumed.phone_number == "required" and not sent.get(PHONE):
            return 2
        known = {name: value for name, value in normalise(sent).items() if name in _READ_NAMES}
        kept = {name for name in assumed.unclearable if known.get(name) in {"", None}}
        changes = {_READ_NAMES[name]: "" if value is None else str(value) for name, value in known.items() if name not in kept}
        if assumed.omitted == "emptied":
            changes = {_READ_NAMES[name]: "" for name in FIELDS if name not in known} | changes
        if not self._claim_phone(contact_id, contact, changes.get("phone"), is_sent=PHONE in sent):
            return 15
        self._changed[contact_id] = contact | changes
        return 200

    def _claim_phone(self, contact_id: str, contact: dict[str, Any], phone: str | None, *, is_sent: bool) -> bool:
        """Make the contact the owner of `phone`; return False when it is taken in its group."""
        group = contact["groupId"]
        if group == _NO_GROUP or not phone:
            return True
        if phone == contact["phone"]:
            return not is_sent or self.assumptions.own_number == "accepted"
        owners = {self._owners.get((group, phone)), self._first_owner(group, phone)} - {None, contact_id}
        if any(self[owner]["phone"] == phone for owner in owners if owner):
            return False
        self._owners[group, phone] = contact_id
        return True

    def _first_owner(self, group: int, phone: str) -> str | None:
        """Return the contact of a group for which a number was made up, whether or not it still has it."""
        match = _MADE_UP_PHONE.fullmatch(phone)
        if match is None:
            return None
        number = int(match[1])
        number += _PHONES * ((group - _FIRST_GROUP - number) % len(self.groups))
        return _id_of(number) if number < self._made_up else None

    def _group_of(self, number: int) -> int:
        return _FIRST_GROUP + (number % _PHONES + number // _PHONES) % len(self.groups)

    def page(self, group: str, number: int) -> tuple[list[dict[str, Any]], int] | None:
        """Return a page of a group, from 1, and the `total` that comes with it; None for code 404."""
        assumed = self.assumptions
        members, size = self._members(group), int(assumed.page_size)
        if number == 2 and assumed.order == "changing" and members:  # noqa: PLR2004 - the second page
            members.append(members.pop(0))
        if assumed.past_end == "same":
            number = max(1, min(number, ceil(len(members) / size)))
        ids = list(map(_id_of, members[(number - 1) * size : number * size]))
        if not ids and number > 1 and assumed.past_end == "404":
            return None
        return [self.shown(contact_id) for contact_id in ids], len(ids if assumed.total == "page" else members)

    def _find_members(self, group: str) -> "array[int]":
        """Return the numbers of the contacts of a group; of an unknown one, none."""
        groups = {str(group): position for position, group in enumerate(self.groups)}
        if group not in groups:
            return array("L")
        step, position = len(groups), groups[group]
        blocks = range(0, self._made_up, _PHONES)
        starts = ((start, start + (position - start // _PHONES) % step) for start in blocks)
        found = array("L", chain(*(range(first, min(start + _PHONES, self._made_up), step) for start, first in starts)))
        if self.assumptions.groups == "two":
            others = range(0, self._made_up, _SHARED)
            found.extend(number for number in others if (self._group_of(number) + 1 - _FIRST_GROUP) % step == position)
        return found

    def shown(self, contact_id: str) -> dict[str, Any]:
        """Return a contact as it is read. Raises KeyError."""
        contact = {"contactId": contact_id} | self[contact_id]
        if self.assumptions.dates == "day-first" and _ISO.fullmatch(contact["date"]):
            contact["date"] = "-".join(reversed(contact["date"].split("-")))
        return contact


def normalise(contact: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a write as they are stored and echoed: an ISO date and an international number."""
    stored = dict(contact)
    day, phone = stored.get("date"), stored.get(PHONE)
    if isinstance(day, str) and _DAY_FIRST.fullmatch(day):
        stored["date"] = "-".join(reversed(day.split("-")))
    if isinstance(phone, str) and _NATIONAL.fullmatch(phone):
        stored[PHONE] = "+33" + phone[1:]
    return stored


def _id_of(number: int) -> str:
    return f"C{number + 1:06}"


def _make_up(number: int, group: int) -> dict[str, Any]:
    round_, seat = divmod(number, 20)  # one of twenty has an odd name
    made_up = {
        "phone": f"+3360001{number % _PHONES:04}",
        "firstname": _FIRSTNAMES[number % len(_FIRSTNAMES)],
        "lastname": _LASTNAMES[number % len(_LASTNAMES)] if seat else _ODD_NAMES[round_ % len(_ODD_NAMES)],
        "date": "" if number % 7 == 6 else str(date(1940, 1, 1) + timedelta(days=number % MADE_UP * 6)),  # noqa: PLR2004
        "url": f"https://example.com/{number}" if number % 3 == 0 else "",
        "custom1": f"{number:07}",
        "stopSms": number % 50 == 0,
        "groupId": group,
    }
    return _BLANK | made_up
