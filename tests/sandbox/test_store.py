"""The contacts of a sandbox, as updates change them."""

import tracemalloc
from itertools import count
from typing import Any

import pytest

from contact_sync.sandbox import store
from contact_sync.sandbox.assumptions import Assumptions
from contact_sync.sandbox.store import MADE_UP, ContactStore

from .clients import Get, Post, Serve, error_of


def test_made_up_contacts_are_always_the_same() -> None:
    """Every sandbox has the same 4,000 contacts, with distinct numbers that pass the rules."""
    contacts = ContactStore()
    assert contacts == ContactStore()
    phones = {contact["phone"] for contact in contacts.values()}
    assert len(contacts) == len(phones) == MADE_UP == 4000
    assert (next(iter(contacts)), list(contacts)[-1]) == ("C000001", "C004000")
    assert all(phone.startswith("+3360001") and len(phone) == 12 for phone in phones)


def test_open_store_has_every_contact(sandbox: Serve, post: Post, get: Get) -> None:
    """In an open store any contactId exists, blank at first, and two contacts may have one number."""
    served = sandbox(open_store=True)
    assert set(get(served, "contact/detail", contactId="a").json()["contact"].values()) == {
        "a",
        "",
        "2025-03-12T13:49:22+01:00",
        False,
    }
    for contact_id in ("b", "c"):
        assert post(served, contact_id, phoneNumber="+33600019001").json()["success"] is True
    assert [contact["phone"] for contact in served.store.values()] == ["", "+33600019001", "+33600019001"]


def test_open_store_drops_the_oldest_contact(sandbox: Serve, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """An open store has a maximum size: the oldest contact is dropped."""
    monkeypatch.setattr(store, "_OPEN_STORE_MAX", 2)
    served = sandbox(open_store=True)
    for contact_id in "abc":
        post(served, contact_id, firstname="A")
    assert list(served.store) == ["b", "c"]


@pytest.mark.parametrize("nothing", ["", None])
def test_missing_key_keeps_and_empty_value_clears(sandbox: Serve, post: Post, nothing: str | None) -> None:
    """A field that is not sent keeps its value; an empty string or null clears it."""
    served = sandbox()
    before = dict(served.store["C000001"])
    assert post(served, lastname=nothing, phoneNumber=nothing).json()["code"] == 200
    assert before["lastname"]
    assert served.store["C000001"] == before | {"lastname": "", "phone": ""}


def test_dates_and_numbers_are_normalised(sandbox: Serve, post: Post) -> None:
    """A day-first date and a national number are stored and echoed as ISO and international."""
    served = sandbox()
    echo = post(served, date="12-06-2020", phoneNumber="0600019002").json()["contact"]
    assert echo == {"contactId": "C000001", "date": "2020-06-12", "phoneNumber": "+33600019002"}
    assert (served.store["C000001"]["date"], served.store["C000001"]["phone"]) == ("2020-06-12", "+33600019002")


def test_unexpected_values_are_kept_and_unknown_keys_dropped(sandbox: Serve, post: Post) -> None:
    """A value of another type is stored as its text; a key that is not a field is only echoed."""
    served = sandbox()
    assert post(served, custom1=7, date=7, phoneNumber=[1], email="x").json()["contact"]["email"] == "x"
    assert {name: served.store["C000001"].get(name) for name in ("custom1", "date", "phone", "email")} == {
        "custom1": "7",
        "date": "7",
        "phone": "[1]",
        "email": None,
    }


def test_phone_number_is_unique_within_a_group(sandbox: Serve, post: Post) -> None:
    """A number of another contact of the group is refused until that contact gives it up; its own number is no conflict."""
    served = sandbox()
    own, other = served.store["C000001"]["phone"], served.store["C000006"]["phone"]
    assert post(served, "C000001", phoneNumber=own).json()["success"] is True
    assert error_of(post(served, "C000001", phoneNumber=other)) == (400, 15)
    assert post(served, "C000002", phoneNumber=other).json()["success"] is True  # of another group
    assert post(served, "C000006", phoneNumber="").json()["success"] is True
    assert post(served, "C000001", phoneNumber=other).json()["success"] is True
    assert error_of(post(served, "C000006", phoneNumber=other)) == (400, 15)
    assert post(served, "C000006", phoneNumber=own).json()["success"] is True


def test_large_store_takes_no_memory() -> None:
    """Contacts are made up when they are read: a million of them take no time and no memory, and changes are kept."""
    tracemalloc.start()
    try:
        contacts = ContactStore(1_000_000)
        assert contacts.apply("C1000000", {"firstname": "Ada"}) == 200
        assert (contacts["C1000000"]["firstname"], contacts["C1000000"]["custom1"], len(contacts)) == (
            "Ada",
            "0999999",
            1_000_000,
        )
        assert [name in contacts for name in ("C000000", "C1000001", "C01000000", "C1", "x")] == [False] * 5
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.unmeasured
def test_groups_of_a_large_store() -> None:
    """Every contact of a large store is in one group, and no number is twice in a group."""
    contacts = ContactStore(70_001, Assumptions(page_size="500"))
    seen = set[str]()
    for group in contacts.groups:
        found: list[dict[str, Any]] = []
        for number in count(1):
            page, total = contacts.page(str(group), number) or ([], 0)
            if not page:
                assert total == len(found)
                break
            found += page
        assert len({contact["phone"] for contact in found}) == len(found)
        assert {contact["groupId"] for contact in found} == {group}
        seen |= {contact["contactId"] for contact in found}
    assert len(contacts.groups) == 8
    assert seen == set(contacts)


def test_number_of_an_unchanged_contact_is_taken() -> None:
    """Numbers are unique within a group of a large store too, although no contact of it was ever read."""
    contacts = ContactStore(20_000)
    other = contacts["C015006"]
    same_group = next(each for each in contacts if contacts[each]["groupId"] == other["groupId"])
    assert contacts.apply(same_group, {"phoneNumber": other["phone"]}) == 15
    assert contacts.apply("C015006", {"phoneNumber": ""}) == 200
    assert contacts.apply(same_group, {"phoneNumber": other["phone"]}) == 200


def test_made_up_values_are_those_that_break_programs() -> None:
    """Some contacts have names and values that are often damaged on their way."""
    contacts = ContactStore().values()
    assert {"'t Hooft", "O'Brien", "=1+1", "Cœuret", ""} <= {contact["lastname"] for contact in contacts}
    assert max(len(contact["lastname"]) for contact in contacts) == 40
    assert all(contact["custom1"].startswith("000") for contact in contacts)
    assert {True, False} == {contact["stopSms"] for contact in contacts}
    assert all("" in {contact[name] for contact in contacts} for name in ("firstname", "date", "url"))
