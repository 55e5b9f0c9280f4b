"""The lists of rows that sources repeated without a change."""

import time

import pytest

from contact_sync.ledger.sqlite import in_place
from contact_sync.ledger.sqlite.database import Database
from contact_sync.ledger.sqlite.in_place import InPlaceLists
from tests.ledger.rows import Open, payload
from tests.setups import begin_run

FIELDS = ("phoneNumber", "firstname", "lastname")
ONE, TWO = ("+33612345678", "Zoé", None), (None, "Léa", "")
DAY = 86400


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch) -> InPlaceLists:
    """Return the lists of a temporary ledger, which are merged as soon as a contact is in two."""
    monkeypatch.setattr(in_place, "_FEW", 3)
    monkeypatch.setattr(in_place, "_REPEATS", 1)
    monkeypatch.setattr(in_place, "_LENGTH", 2)
    database = Database(None, "")
    for number in range(1, 6):
        database.write("INSERT INTO confirmed (contact_id, fields) VALUES (?, x'')", f"C{number}")
    return InPlaceLists(database, database, FIELDS)


def note(lists: InPlaceLists, moment: int, *rows: tuple[str, tuple[str | None, ...]]) -> None:
    """Write rows of a source of this time."""
    lists.note(rows, [moment] * len(rows))
    lists.write()


def number_of_lists(lists: InPlaceLists) -> int:
    """Return the number of lists in the file."""
    return lists.database.number("SELECT count(*) FROM in_place")


def test_newest_time_of_each_field(lists: InPlaceLists) -> None:
    """Each field of a contact has the time of the newest source that carried it; one that was emptied is carried."""
    note(lists, 20, ("C1", ONE), ("C2", TWO))
    note(lists, 10, ("C1", TWO))
    assert lists.moments(["C1", "C2", "C3"]) == {
        "C1": {"phoneNumber": 20, "firstname": 20, "lastname": 10},
        "C2": {"firstname": 20, "lastname": 20},
    }


def test_the_same_list_takes_no_more_room(lists: InPlaceLists) -> None:
    """A list that is written again has the later of both times, unless that is after now."""
    for moment, newest in ((10, 10), (30, 30), (20, 30)):
        note(lists, moment, ("C1", ONE))
        assert (lists.moments(["C1"])["C1"]["firstname"], number_of_lists(lists)) == (newest, 1)
    note(lists, int(time.time()) + DAY, ("C1", ONE))
    assert lists.moments(["C1"]) == {}
    note(lists, 40, ("C1", ONE))
    assert lists.moments(["C1"])["C1"]["firstname"] == 40


def test_lists_are_merged(lists: InPlaceLists) -> None:
    """Many lists of the same contacts become a few, and say the same."""
    for moment in range(10, 16):
        note(lists, moment, *[(f"C{number}", ONE) for number in range(1, moment - 9)], ("C5", TWO))
    before = {f"C{number}": dict.fromkeys(("phoneNumber", "firstname"), 15) for number in range(1, 6)}
    assert lists.moments(list(before)) == before | {"C5": {"phoneNumber": 15, "firstname": 15, "lastname": 15}}
    assert number_of_lists(lists) <= 5
    assert lists.database.number("SELECT max(contacts) FROM in_place") <= 5


def test_forget(lists: InPlaceLists) -> None:
    """A contact leaves all lists; the others stay."""
    note(lists, 10, ("C1", ONE), ("C2", ONE))
    note(lists, 20, ("C1", TWO))
    assert lists.forget("C1") == 2
    assert lists.forget("C1") == 0
    assert lists.moments(["C1", "C2"]) == {"C2": {"phoneNumber": 10, "firstname": 10}}


def test_a_run_that_was_never_released(opened: Open) -> None:
    """What a run noted that a guard stopped is not written by the next run."""
    ledger = opened()
    ledger.note_in_place([("C1", payload(firstname="Zoé"))], [10])
    begin_run(ledger, "second")
    ledger.release("second")
    assert ledger.shared.number("SELECT count(*) FROM in_place") == 0
    ledger.note_in_place([("C1", payload(firstname="Zoé"))], [10])
    ledger.release("second")
    assert ledger.shared.number("SELECT count(*) FROM in_place") == 1
