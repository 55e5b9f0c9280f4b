"""What the API last confirmed, and the comparison with it."""

import pytest

from contact_sync.ledger.store import Comparison
from contact_sync.model.row import Outcome
from contact_sync.model.violation import Violation
from tests.ledger.rows import Open, block, confirm, ended, in_place, payload, row
from tests.setups import begin_run


def test_confirmed_values_are_in_place(opened: Open) -> None:
    """Confirmed values are in place, field by field; another value, field or contact is not."""
    ledger = opened()
    confirm(ledger, 2, "C1", firstname="Zoé", lastname="Roux", custom1="")
    assert in_place(ledger, "C1", firstname="Zoé", lastname="Roux", custom1="")
    assert in_place(ledger, "C1", firstname="Zoé")
    assert in_place(ledger, "C1", custom1="")
    assert not in_place(ledger, "C1", firstname="Zoë")
    assert not in_place(ledger, "C1", firstname="Zoé", lastname="Roux", custom1="", custom2="")
    assert not in_place(ledger, "C1", lastname="Zoé")
    assert not in_place(ledger, "C2", firstname="Zoé")


def test_many_contacts_are_compared(opened: Open) -> None:
    """More contacts than one query takes are compared, each with its own result."""
    ledger = opened()
    ledger.stage(block(*[row(number) for number in range(1, 1201)]))
    after = -1
    while batch := ledger.claim(after):
        after = batch[-1].number
        for pending in batch:
            ledger.record(ended(pending, Outcome.UPDATED if pending.number % 7 else Outcome.REJECTED))
    ledger.flush()
    asked = [(f"C{number}", payload(firstname="Zoé")) for number in range(1, 1301)]
    assert ledger.compare(asked).in_place == [number % 7 > 0 and number <= 1200 for number in range(1, 1301)]
    assert ledger.compare([]) == ([], 0, 0)


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.ALTERED, Outcome.REJECTED, None])
def test_an_edit_is_undone_after_an_unclear_answer(opened: Open, outcome: Outcome | None) -> None:
    """A, then B without a clean yes (or killed before it), then A again: A is sent again, for B may be stored."""
    ledger = opened()
    confirm(ledger, 2, "C1", firstname="A")
    ledger.stage(block(row(3, "C1", firstname="B")))
    (taken,) = ledger.claim(2)
    if outcome:
        ledger.record(ended(taken, outcome, Violation("echo-differs", "firstname")))
        ledger.flush()
    later = opened(begin=False)
    assert not in_place(later, "C1", firstname="A")
    assert not in_place(later, "C1", firstname="B")


def test_sources_with_different_columns_add_up(opened: Open) -> None:
    """A source with other columns does not withdraw what an earlier one has confirmed."""
    ledger = opened()
    confirm(ledger, 2, "C1", firstname="Zoé", lastname="Roux")
    confirm(ledger, 3, "C1", phoneNumber="+33600000001")
    assert in_place(ledger, "C1", firstname="Zoé", lastname="Roux")
    assert in_place(ledger, "C1", phoneNumber="+33600000001")
    assert in_place(ledger, "C1", firstname="Zoé", phoneNumber="+33600000001")
    confirm(ledger, 4, "C1", lastname="Martin", custom1="x")
    assert in_place(ledger, "C1", firstname="Zoé", lastname="Martin", phoneNumber="+33600000001", custom1="x")
    assert not in_place(ledger, "C1", firstname="Zoé", lastname="Roux")


def test_identity_changes_are_counted(opened: Open) -> None:
    """Known contacts that keep their identity and those that change name and number are counted, by each comparison anew."""
    ledger = opened()
    who = {"firstname": "A", "lastname": "B", "phoneNumber": "+33612345678"}
    for number in range(2, 7):
        confirm(ledger, number, f"C{number}", **who)
    begin_run(ledger, "another")
    other = {"firstname": "X", "lastname": "Y", "phoneNumber": "+33612345679"}
    changed = [who, who, who | {"lastname": "Y"}, who | {"lastname": "Z"}, other, other]
    rows = [(f"C{number}", payload(**values)) for number, values in enumerate(changed, 2)]
    expected = Comparison([True, True, False, False, False], same_identity=4, identity_changes=1)
    assert ledger.compare(rows[:5]) == expected
    assert ledger.compare([("C2", payload(**other)), ("C99", payload(**other))]) == ([False, False], 0, 1)
    assert ledger.compare(rows[:5]) == expected
