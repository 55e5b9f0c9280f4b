"""The reading of a list in pages: where it ends, and whether it may lack a contact."""

import pytest

from contact_sync.api.smspartner.contact_list import ContactPage, ListedContact
from contact_sync.sync.sweep import MAX_SWEEPS, Contacts, GroupReading, Sweep


def swept(*pages: str, total: int = 0) -> Sweep:
    """Return a sweep over these pages, each with a letter for each contact; it is over after the last one, and not before."""
    sweep = Sweep()
    for page in pages:
        assert not sweep.is_over
        sweep.add(ContactPage([ListedContact(contact, (), stop=False, created="") for contact in page], total))
    assert sweep.is_over
    return sweep


def read(*sweeps: Sweep) -> GroupReading:
    """Return the reading of a group with these sweeps, each of which was needed."""
    reading = GroupReading()
    for sweep in sweeps:
        assert reading.needs_sweep
        reading.add(sweep)
    return reading


@pytest.mark.parametrize("pages", [[""], ["ab", ""], ["abc", "de", ""], ["abc", "de", "de"], ["abc", "abc"]])
@pytest.mark.parametrize("total", [0, 3])
def test_end_of_a_list_that_stays(pages: list[str], total: int) -> None:
    """The page that brings no new contact is the end, be it empty or the last one again; a total of a page says nothing."""
    reading = read(swept(*pages, total=min(total, len(pages[0]))))
    assert (reading.is_complete, reading.missing, reading.needs_sweep) == (True, 0, False)
    assert reading.members == set("".join(pages))


@pytest.mark.parametrize("pages", [["abc", "efa", ""], ["abc", "a"], ["abc", "bcd", ""], ["aab", ""]])
def test_list_that_moved_is_read_again(pages: list[str]) -> None:
    """A contact on two pages shows that another may be on none; a further sweep that finds nothing new confirms the list."""
    moved = swept(*pages)
    assert read(moved).needs_sweep
    assert read(moved).missing == 1
    assert read(moved, moved).is_complete
    found = read(moved, swept("xyz", *pages))
    assert found.needs_sweep
    found.add(swept("xyz", *pages))
    assert (found.is_complete, found.missing) == (True, 0)


def test_total_of_the_group_decides() -> None:
    """Where the total counts the group, the list is complete when so many contacts were found, in however many sweeps."""
    first = swept("abc", "efa", "", total=6)
    assert (read(first).needs_sweep, read(first).missing) == (True, 1)
    assert read(first, swept("bcd", "efa", "", total=6)).is_complete
    assert read(swept("abc", "dca", "", total=4)).is_complete


def test_total_that_was_lowered_meanwhile() -> None:
    """A contact that was deleted while the list was read is not missed for ever: the total of the last sweep counts."""
    assert read(swept("abc", "d", "", total=5), swept("abc", "d", "", total=4)).is_complete


def test_list_that_never_fits_is_given_up() -> None:
    """After a few sweeps the contacts that the total has in addition are missing."""
    reading = read(*[swept("abc", "d", "", total=7)] * MAX_SWEEPS)
    assert (reading.is_complete, reading.needs_sweep, reading.missing) == (False, False, 3)


def test_contact_in_several_groups() -> None:
    """A contact has all its groups, each once and in the order in which they were read, and is taken once."""
    contacts = Contacts()
    contacts.add("ab", "Clients")
    contacts.add("bc", "Prospects")
    contacts.add("b", "Clients")
    assert len(contacts) == 3
    assert [contacts.take(each) for each in "abcd"] == [("Clients",), ("Clients", "Prospects"), ("Prospects",), None]
    assert contacts.take("a") is None
