"""The round trip: pull, edit, run, undo, run, pull, under every assumption about the API."""

import csv
from collections.abc import Callable
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from contact_sync.errors import ConfigError
from contact_sync.ledger.state_dir import open_existing_ledger
from contact_sync.model.fields import FIELDS, ID
from contact_sync.model.report import Summary
from contact_sync.rules.formula import escape
from contact_sync.sandbox.assumptions import Assumptions
from contact_sync.sandbox.server import Sandbox
from contact_sync.sync.run import run
from contact_sync.sync.undo import undo
from tests.sync.test_pull import Desk, Serve
from tests.sync.test_run import age

pytestmark = pytest.mark.unmeasured

CONTACTS = 30
Contact = dict[str, str]
HOPELESS = Assumptions(omitted="emptied", own_number="refused", phone_number="required")
"""Once an update has emptied the other fields, no further update with the contact's own number is possible."""

assumptions = st.builds(
    Assumptions, **{name: st.sampled_from(get_args(kind)) for name, kind in get_type_hints(Assumptions).items() if get_args(kind)}
)
ids = st.integers(1, CONTACTS).map("C{:06}".format)
words = st.sampled_from(["Anna", "Éva", "x", "'t Hooft", "=1+1", "007", "<clear>"])
texts = st.sampled_from(["firstname", "lastname", "custom1", "custom4"])
edits = st.dictionaries(st.tuples(ids, texts), words, max_size=6)
numbers = st.dictionaries(ids.map(lambda contact_id: (contact_id, "phoneNumber")), st.integers(10, 99).map("+336123456{}".format))
any_api = settings(max_examples=settings().max_examples // 4, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Office(Desk):
    """A desk at which a pulled file is edited and run."""

    def edit(self, edits: dict[tuple[str, str], str]) -> None:
        """Edit cells of the pulled file."""
        rows = self.rows()
        for row in rows:
            for (contact_id, field), value in edits.items():
                if row[ID] == contact_id:
                    row[field] = value
        with self.output.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file, delimiter=";")
            writer.writerow(rows[0])
            writer.writerows(list(map(escape, row.values())) for row in rows)
        age(self.output)

    def change(self, contact_id: str, field: str, value: str) -> None:
        """Change a field in the API on its own pages."""
        contact = self.api.store[contact_id]
        self.api.store._changed[contact_id] = contact | {"phone" if field == "phoneNumber" else field: value}

    def run(self, **options: Any) -> Summary:
        """Run the pulled file, or another source."""
        given = {"source": self.output, "report": self.folder / "report.csv"} | options
        return run(self.settings(**given), self.progress)

    def stored(self) -> dict[str, Contact]:
        """Return what the API has: contactId → the values of all fields."""
        names = {"phoneNumber": "phone"}
        return {key: {name: str(found[names.get(name, name)]) for name in FIELDS} for key, found in self.api.store.items()}

    @property
    def updates(self) -> int:
        """The number of updates that the API has received."""
        return len(self.api.calls)


def office(desk_of: Callable[[Assumptions], Desk], assumed: Assumptions) -> Office:
    """Return an office whose contacts were pulled."""
    made = desk_of(assumed)
    made.pull()
    return made  # type: ignore[return-value]


@pytest.fixture
def desk_of(tmp_path_factory: pytest.TempPathFactory, sandbox: Serve) -> Callable[[Assumptions], Office]:
    """Return a function that opens an office with an API for which an assumption holds."""

    def opened(assumed: Assumptions) -> Office:
        api: Sandbox = sandbox(contacts=CONTACTS, assumptions=assumed)
        return Office(tmp_path_factory.mktemp("office"), api)

    return opened


def _is_hopeless(assumed: Assumptions) -> bool:
    return all(getattr(assumed, name) == getattr(HOPELESS, name) for name in ("omitted", "own_number", "phone_number"))


def after(before: dict[str, Contact], edits: dict[tuple[str, str], str]) -> dict[str, Contact]:
    """Return the contacts after edits."""
    found = {key: dict(contact) for key, contact in before.items()}
    for (contact_id, field), value in edits.items():
        found[contact_id][field] = "" if value == "<clear>" else value
    return found


@given(assumed=assumptions)
@any_api
def test_nothing_touched_nothing_written(desk_of: Callable[[Assumptions], Office], assumed: Assumptions) -> None:
    """Pull, touch nothing, run: no update."""
    made = office(desk_of, assumed)
    age(made.output)
    summary = made.run()
    assert (summary.outcomes, summary.exit_code, made.updates) == ({"unchanged": CONTACTS}, 0, 0)


@given(assumed=assumptions, edits=edits, numbers=numbers)
@any_api
def test_exactly_the_edits_arrive(
    desk_of: Callable[[Assumptions], Office],
    assumed: Assumptions,
    edits: dict[tuple[str, str], str],
    numbers: dict[tuple[str, str], str],
) -> None:
    """Each contact is as edited, or as it was; no field is lost, whatever an update does to fields that it leaves out."""
    assume(not _is_hopeless(assumed))
    made = office(desk_of, assumed)
    before = made.stored()
    expected = after(before, edits | numbers)
    made.edit(edits | numbers)
    summary = made.run(allow_stop=True)
    found = made.stored()
    for contact_id, contact in found.items():
        assert contact in (before[contact_id], expected[contact_id])
    changed = {contact_id for contact_id in before if expected[contact_id] != before[contact_id]}
    updated = {contact_id for contact_id in before if found[contact_id] != before[contact_id]}
    assert summary.outcomes.get("updated", 0) == len(updated & changed) == len(updated)
    if not {"required", "refused"} & {assumed.phone_number, assumed.own_number}:
        left = sum(summary.outcomes.get(outcome, 0) for outcome in ("rejected", "invalid"))  # a number that is taken
        assert len(changed) - len(updated) == left


@given(assumed=assumptions, mine=edits, theirs=edits)
@any_api
def test_nothing_newer_is_overwritten(
    desk_of: Callable[[Assumptions], Office],
    assumed: Assumptions,
    mine: dict[tuple[str, str], str],
    theirs: dict[tuple[str, str], str],
) -> None:
    """A value that was changed in the API after the pull is there after the run."""
    made = office(desk_of, assumed)
    theirs = {place: value for place, value in theirs.items() if value != "<clear>"}
    before = made.stored()
    for (contact_id, field), value in theirs.items():
        made.change(contact_id, field, value)
    made.edit(mine)
    made.run()
    found = made.stored()
    for (contact_id, field), value in theirs.items():
        if before[contact_id][field] != value:
            assert found[contact_id][field] == value


@given(assumed=assumptions, mine=edits, theirs=edits)
@any_api
def test_undo(
    desk_of: Callable[[Assumptions], Office],
    assumed: Assumptions,
    mine: dict[tuple[str, str], str],
    theirs: dict[tuple[str, str], str],
) -> None:
    """Pull, edit, run, undo, run, pull is the first pull, except what others have changed in the meantime."""
    made = office(desk_of, assumed)
    before, first = made.stored(), made.rows()
    made.edit(mine)
    changed = made.run()
    between = made.stored()
    others = {place: value for place, value in theirs.items() if value != "<clear>" and between[place[0]][place[1]] != value}
    for (contact_id, field), value in others.items():
        made.change(contact_id, field, value)
    if not changed.outcomes.get("updated"):
        with pytest.raises(ConfigError, match="No values before are kept"):
            undo(made.settings(), "", made.folder / "undo.csv")
        return
    summary = undo(made.settings(), "", made.folder / "undo.csv")
    assert (summary.run, summary.contacts) == (changed.run, changed.outcomes["updated"])
    age(summary.output)
    made.run(source=summary.output)
    found = made.stored()
    touched = {contact_id for contact_id, _field in others}
    for contact_id, contact in found.items():
        if contact_id not in touched and (assumed.own_number, assumed.omitted) == ("accepted", "kept"):
            assert contact == before[contact_id] or any(len(value) > 32 for value in before[contact_id].values())
        for field, value in contact.items():
            if (contact_id, field) in others:
                assert value == others[contact_id, field]
    if found == before:
        made.pull()
        assert _in_order(made.rows()) == _in_order(first)


def _in_order(rows: list[Contact]) -> list[Contact]:
    """Return the rows without their tokens, by contactId."""
    return sorted((row | {"sync_base": ""} for row in rows), key=lambda row: row[ID])


def test_an_api_that_cannot_be_helped(desk_of: Callable[[Assumptions], Office]) -> None:
    """Fields that an update has emptied and that the API does not take back are reported, and named by the next run."""
    made = office(desk_of, HOPELESS)
    before = made.stored()["C000002"]
    made.edit({("C000002", "phoneNumber"): "+33612345699"})
    summary = made.run()
    assert (summary.outcomes, summary.exit_code) == ({"altered": 1, "unchanged": CONTACTS - 1}, 3)
    assert "SMS Partner refuses them" in " ".join(made.run().warnings)
    with open_existing_ledger(made.settings().account) as ledger:
        assert ledger.trials()["C000002"] == {name: value for name, value in before.items() if value and name != "phoneNumber"}
