"""The round trip as a state machine: pulls, edits of both sides, runs, kills, undo, retry, forget; the API is the truth."""

import os
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from contact_sync.errors import ConfigError
from contact_sync.ledger.state_dir import open_existing_ledger
from contact_sync.model.fields import ID
from contact_sync.model.report import Summary
from contact_sync.sandbox.assumptions import Assumptions
from contact_sync.sync.history import forget
from contact_sync.sync.run import retry
from contact_sync.sync.undo import undo
from tests.sync.test_pull import Serve
from tests.sync.test_round_trip import Contact, Office
from tests.sync.test_run import age

pytestmark = pytest.mark.unmeasured

CONTACTS = 6
FIELDS = ["firstname", "lastname", "custom1"]
ids = st.integers(1, CONTACTS).map("C{:06}".format)
fields = st.sampled_from(FIELDS)
words = st.sampled_from(["Anna", "Éva", "x", "'t Hooft", "=1+1"])


def edits(base: Contact, sent: list[Contact], mine: Contact) -> Contact:
    """Return the fields of a row that are neither as they were pulled nor as they were ever sent."""
    return {field: value for field, value in mine.items() if value not in [base[field], *(values[field] for values in sent)]}


def merged(base: Contact, sent: list[Contact], mine: Contact, theirs: Contact) -> tuple[str, Contact]:
    """Return the outcome of a row, and its contact afterwards; `sent` are its values each time that some of it was sent."""
    edited = edits(base, sent, mine)
    if sent and not edited and mine != sent[-1]:
        return "unprocessed", theirs  # its file may be an older copy
    wanted = {field: value for field, value in edited.items() if value != theirs[field]}
    if any(theirs[field] != base[field] for field in wanted):
        return "conflict", theirs
    return ("updated" if wanted else "unchanged"), theirs | wanted


def copied(contacts: dict[str, Contact]) -> dict[str, Contact]:
    """Return a copy."""
    return {key: dict(contact) for key, contact in contacts.items()}


class RoundTrip(RuleBasedStateMachine):
    """A file that is pulled, edited and run while others change the same contacts."""

    serve: Serve  # set by the test

    @initialize(omitted=st.sampled_from(["kept", "emptied"]))
    def open(self, omitted: Any) -> None:
        """Open an office with an API."""
        self.folder = tempfile.TemporaryDirectory()
        api = self.serve(contacts=CONTACTS, assumptions=Assumptions(omitted=omitted))
        self.office = Office(Path(self.folder.name), api)
        self.model = self.office.stored()
        self.base: dict[str, Contact] = {}  # as it was pulled
        self.mine: dict[str, Contact] = {}  # the cells of the file
        self.last: dict[str, Contact] | None = None  # the cells of the last run that may be resumed
        self.last_base: dict[str, Contact] = {}
        self.emptied: dict[str, Contact] = {}  # by an update that was not read back: the values that are to be put back
        self.sent: dict[str, list[Contact]] = {}  # the values of rows each time that some of them was sent
        self.last_sent: dict[str, list[Contact]] = {}
        self.tokens: dict[str, str] = {}  # of the file: contactId → token
        self.known: dict[str, list[str]] = {}  # token → those that have succeeded it
        self.forgotten: set[str] = set()  # contacts whose rows are not sent any more

    def teardown(self) -> None:
        """Delete the folder."""
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule()
    def pull(self) -> None:
        """Pull again, over the edited file."""
        self.office.pull()
        self.base, self.mine = copied(self.model), copied(self.model)
        self.tokens = {row[ID]: row["sync_base"] for row in self.office.rows()}
        self.last, self.sent = None, {}

    @precondition(lambda self: self.base)
    @rule(contact=ids, field=fields, word=words)
    def edit(self, contact: str, field: str, word: str) -> None:
        """Edit a cell of the file."""
        self.office.edit({(contact, field): word})
        self.mine[contact][field] = word

    @rule(contact=ids, field=fields, word=words)
    def change(self, contact: str, field: str, word: str) -> None:
        """Change a field in the API."""
        self.office.change(contact, field, word)
        self.model[contact][field] = word

    @precondition(lambda self: self.base)
    @rule()
    def run(self) -> None:
        """Run the file: the merge decides each row."""
        age(self.office.output)
        self._put_back()
        summary = self.office.run()
        self._check(summary)
        self._remember()
        self._learn(self.mine)

    @precondition(lambda self: self.base)
    @rule(calls=st.integers(0, 3))
    def kill(self, calls: int) -> None:
        """Kill a run once the API has received some updates: each row is as before, or as after."""
        age(self.office.output)
        before, earlier = self._last_run(), self.model
        self._put_back()
        kill_after(calls, self.office)
        self._take_stored(self.base, self.sent, self._sendable(), earlier)
        if self._last_run() != before:  # else it was killed before its rows replaced those of the last run
            self._remember()
            self._learn(self.mine)

    def _last_run(self) -> str:
        with suppress(ConfigError), open_existing_ledger(self.office.settings().account) as ledger:
            return ledger.last_run()
        return ""

    def _remember(self) -> None:
        self.last, self.last_base, self.last_sent = (
            self._sendable(),
            copied(self.base),
            {key: [*sent] for key, sent in self.sent.items()},
        )

    def _sendable(self) -> dict[str, Contact]:
        """Return the cells of the file, those of forgotten contacts as if none were edited."""
        return copied(self.mine | {key: self.base[key] for key in self.forgotten & self.base.keys()})

    def _learn(self, mine: dict[str, Contact]) -> None:
        """Take what was recorded as sent; what a kill has lost was not recorded."""
        with open_existing_ledger(self.office.settings().account) as ledger:
            found = ledger.successors([*self.tokens.values()])
        for key, token in self.tokens.items():
            if found.get(token) != self.known.get(token):
                sent = self.sent.setdefault(key, [])
                sent.append((sent[-1] if sent else self.base[key]) | edits(self.base[key], sent, mine[key]))
        self.known = found

    @precondition(lambda self: self.last)
    @rule()
    def retry(self) -> None:
        """Resume the last run, whatever the file has become: its rows that are left are merged with what the API has now."""
        assert self.last is not None
        earlier = self.model
        self._put_back()
        with suppress(ConfigError):  # it was killed before a row could be sent
            retry(self.office.settings(source=self.office.output), self.office.progress)
        self._take_stored(self.last_base, self.last_sent, self.last, earlier)
        self._learn(self.last)

    def _put_back(self) -> None:
        """Expect what a run does first: to put back what an update that was not read back has emptied."""
        self.model = copied(self.model)
        for key, values in self.emptied.items():
            self.model[key] |= {field: value for field, value in values.items() if not self.model[key][field]}

    def _take_stored(
        self, base: dict[str, Contact], sent: dict[str, list[Contact]], mine: dict[str, Contact], earlier: dict[str, Contact]
    ) -> None:
        """Take what the API has for the model, after a run that may have been cut off anywhere.

        Each contact is as it was, as it was after what had been emptied was put back, or as the merge makes it of that; one at
        most, of which that is not known yet, has lost the fields that its update left out.
        """
        found = self.office.stored()
        for key, contact in found.items():
            before = self.model[key]
            after = merged(base[key], sent.get(key, []), mine[key], before)[1] if key in base else before
            changed = {field: value for field, value in after.items() if value != before[field]}
            if contact in (before, after):
                self.emptied.pop(key, None)
            elif contact != earlier[key]:
                assert contact == dict.fromkeys(contact, "") | changed
                assert changed
                self.emptied[key] = {field: value for field, value in before.items() if value and field not in changed}
        assert len(self.emptied) <= 1
        self.model = found

    @rule()
    def undo(self) -> None:
        """Put back what the last run has changed that kept its values before: nothing newer is overwritten."""
        try:
            path = undo(self.office.settings(), "", self.office.folder / "undo.csv").output
        except ConfigError:
            return
        age(path)
        self._put_back()
        before = self.model
        summary = self.office.run(source=path)
        self.last = None
        self.model = self.office.stored()
        self.emptied = {}
        assert summary.outcomes.keys() <= {"updated", "unchanged", "conflict", "invalid"}
        assert summary.outcomes.get("updated", 0) == sum(before[key] != self.model[key] for key in before)

    @rule(contact=ids)
    def forget(self, contact: str) -> None:
        """Forget a contact: nothing of it can be put back or is sent any more, and nothing in the API changes."""
        try:
            forget(self.office.settings(), contact)
        except ConfigError:  # there is no ledger yet, or what the contact has lost is not put back yet
            return
        self.forgotten.add(contact)
        with suppress(ConfigError):
            undo(self.office.settings(), "", self.office.folder / "undo.csv")
            assert contact not in (self.office.folder / "undo.csv").read_text(encoding="utf-8")
        if self.base:
            self.sent.pop(contact, None)  # as it was pulled is all that is known of it now
            self.known.pop(self.tokens[contact], None)
        if self.last:
            self.last[contact] = dict(self.last_base[contact])  # nothing of it is sent any more
        assert self.office.stored() == self.model

    def _check(self, summary: Summary) -> None:
        rows = {key: merged(self.base[key], self.sent.get(key, []), self.mine[key], self.model[key]) for key in self.base}
        rows |= {key: ("unprocessed", self.model[key]) for key in self.forgotten & rows.keys()}
        found = self.office.stored()
        assert found == {key: contact for key, (_outcome, contact) in rows.items()}
        outcomes = [outcome for outcome, _contact in rows.values()]
        assert summary.outcomes == {outcome: outcomes.count(outcome) for outcome in outcomes}
        self.model, self.emptied = found, {}


def kill_after(calls: int, office: Office) -> None:
    """Run the file in a process of its own, which is killed once the API has received so many more updates, or has ended."""
    wanted = office.updates + calls
    child = os.fork()
    if child == 0:
        try:
            office.run()
        finally:
            os._exit(0)
    deadline = time.monotonic() + 20
    while office.updates < wanted and os.waitpid(child, os.WNOHANG) == (0, 0):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    settled = -1
    while settled != office.updates:  # what was on its way arrives
        settled = office.updates
        time.sleep(0.02)


@pytest.mark.parametrize("examples", [8, pytest.param(600, marks=pytest.mark.soak)])
def test_any_order_of_events(sandbox: Callable[..., Any], examples: int) -> None:
    """Whatever happens in whatever order, the API has what the merge of both sides says."""
    RoundTrip.serve = staticmethod(sandbox)
    run_state_machine_as_test(RoundTrip, settings=settings(max_examples=examples, stateful_step_count=20))
