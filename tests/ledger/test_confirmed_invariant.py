"""The invariant of the ledger: what it takes to be in place, the API has stored, whatever happens."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from contact_sync.model.row import Outcome, Result, Staged
from tests.ledger.rows import Engine, block, payload
from tests.setups import begin_run

pytestmark = pytest.mark.unmeasured

CONTACTS = ("C1", "C2")
VALUES = {"firstname": ("", "a", "b"), "lastname": ("a", "b")}


class Runs(RuleBasedStateMachine):
    """Runs with edits, confirmations, silences, altered echoes, refusals and crashes; the store of the API is the truth."""

    url = ""

    @initialize()
    def begin(self) -> None:
        """Start with an empty store and an empty ledger."""
        self.folder = tempfile.TemporaryDirectory()
        self.where = Path(self.folder.name) / "account.sqlite3"
        self.store: dict[str, dict[str, str]] = {contact_id: {} for contact_id in CONTACTS}
        self.wanted: dict[str, dict[str, str]] = {contact_id: {"firstname": "a"} for contact_id in CONTACTS}
        self.runs = 0
        self.engine = Engine(self.url)
        self.open()

    def open(self) -> None:
        """Open the ledger, as the next run does."""
        self.ledger = self.engine(self.where)

    @rule(
        contact_id=st.sampled_from(CONTACTS),
        values=st.fixed_dictionaries({}, optional={name: st.sampled_from(options) for name, options in VALUES.items()}),
    )
    def edit(self, contact_id: str, values: dict[str, str]) -> None:
        """Edit the source, or export it with other columns."""
        if values:
            self.wanted[contact_id] = values

    @rule(
        result=st.sampled_from(
            ["yes", "applied without an answer", "lost", "altered", "refused", "killed", "killed after the yes"]
        ),
        resend=st.booleans(),
        flushed=st.booleans(),
    )
    def run(self, result: str, *, resend: bool, flushed: bool) -> None:
        """Run once: send what is not in place, with this result."""
        self.runs += 1
        begin_run(self.ledger, f"run-{self.runs}")
        asked = [(contact_id, payload(**values)) for contact_id, values in self.wanted.items()]
        settled = [False] * len(asked) if resend else self.ledger.compare(asked).in_place
        rows = zip(asked, settled, strict=True)
        to_send = [
            Staged(number, contact_id, values, None) for number, ((contact_id, values), done) in enumerate(rows) if not done
        ]
        self.ledger.stage(block(*to_send, plain=range(len(asked))))
        for pending in self.ledger.claim(-1):
            values = self.wanted[pending.contact_id]
            if result not in {"lost", "refused", "killed"}:
                self.store[pending.contact_id] |= {
                    name: f"{value}!" if result == "altered" else value for name, value in values.items()
                }
            if result != "killed":
                ends = {"yes": Outcome.UPDATED, "killed after the yes": Outcome.UPDATED, "altered": Outcome.ALTERED}
                self.ledger.record(Result(pending, ends.get(result, Outcome.FAILED)))
            if flushed:
                self.ledger.flush()
        if not result.startswith("killed"):
            self.ledger.flush()
        if result == "yes":
            assert all(self.ledger.compare(asked).in_place)
        self.ledger.__exit__()
        self.open()

    @invariant()
    def in_place_is_the_truth(self) -> None:
        """Assert that the API has stored what the ledger takes to be in place."""
        payloads = [
            {},
            *({"firstname": value} for value in VALUES["firstname"]),
            *({"lastname": value} for value in VALUES["lastname"]),
        ]
        payloads += [{"firstname": one, "lastname": other} for one in VALUES["firstname"] for other in VALUES["lastname"]]
        for contact_id, store in self.store.items():
            for values, answer in zip(
                payloads, self.ledger.compare([(contact_id, payload(**values)) for values in payloads]).in_place, strict=True
            ):
                assert not answer or store | values == store

    def teardown(self) -> None:
        """Delete the ledger."""
        self.ledger.__exit__()
        self.folder.cleanup()


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_runs(request: pytest.FixtureRequest, engine: str) -> None:
    """What is in place, the API has, on each engine."""

    class OnEngine(Runs):
        url = "" if engine == "sqlite" else request.getfixturevalue("postgres").url()

    run_state_machine_as_test(OnEngine, settings=settings(max_examples=40, stateful_step_count=15))
