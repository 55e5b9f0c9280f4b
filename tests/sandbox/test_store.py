"""The contacts of a sandbox, as updates change them."""

import pytest

from contact_sync.sandbox import store
from contact_sync.sandbox.store import MADE_UP, ContactStore

from .clients import Get, Post, Serve, error_of


def test_made_up_contacts_are_always_the_same() -> None:
    """Every sandbox has the same 4,000 contacts, with distinct numbers from a range reserved for fiction."""
    contacts = ContactStore()
    assert contacts == ContactStore()
    phones = {contact["phone"] for contact in contacts.values()}
    assert len(contacts) == len(phones) == MADE_UP == 4000
    assert (next(iter(contacts)), next(reversed(contacts))) == ("C000001", "C004000")
    assert all(phone.startswith("+3363998") and len(phone) == 12 for phone in phones)


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
        assert post(served, contact_id, phoneNumber="+33639989001").json()["success"] is True
    assert [contact["phone"] for contact in served.store.values()] == ["", "+33639989001", "+33639989001"]


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
    echo = post(served, date="12-06-2020", phoneNumber="0639989002").json()["contact"]
    assert echo == {"contactId": "C000001", "date": "2020-06-12", "phoneNumber": "+33639989002"}
    assert (served.store["C000001"]["date"], served.store["C000001"]["phone"]) == ("2020-06-12", "+33639989002")


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
