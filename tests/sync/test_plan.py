"""A plan: what it says is what the run then does, it sends nothing, and a run that is held to it does that or nothing."""

import csv
import itertools
import math
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from contact_sync.api.client import Client
from contact_sync.ledger.state_dir import open_existing_ledger
from contact_sync.model.plan import Change, Effect, Kind, PlanSummary
from contact_sync.sandbox import server
from contact_sync.sandbox.assumptions import Assumptions
from contact_sync.settings import AccountSettings, Settings
from contact_sync.sync.plan import planned
from tests.sync.test_base import CONTACTS, HEADER, Pulled, pulled
from tests.sync.test_round_trip import Office, any_api, assumptions, desk_of, edits, numbers, office
from tests.sync.test_run import KEY

__all__ = ["desk_of", "pulled"]

Edits = dict[tuple[str, str], str]


def plan_with(settings: Settings, watcher: Any, **options: Any) -> tuple[PlanSummary, list[Change]]:
    """Return a plan and its changes."""
    with planned(settings, options.pop("output", None), watcher, **options) as made:
        return made, list(made.listed())


def plan_of(workspace: Pulled, *, output: Path | None = None, **options: Any) -> tuple[PlanSummary, list[Change]]:
    """Return the plan of the source of a workspace, and its changes."""
    own = {name: options.pop(name) for name in ("offline", "expect_no_changes") if name in options}
    given = {"source": workspace.source, "report": workspace.report, "dry_run": True}
    settings = Settings.of(**workspace._options() | given | options)
    return plan_with(settings, workspace.watcher, output=output, **own)


def effects(changes: list[Change]) -> dict[tuple[str, str], tuple[Kind, Effect]]:
    """Return contactId and field → kind and effect."""
    return {(change.contact_id, change.field): (change.kind, change.effect) for change in changes}


@pytest.mark.unmeasured
@given(assumed=assumptions, mine=edits, theirs=edits, numbers=numbers)
@any_api
def test_a_run_does_what_its_plan_says(
    desk_of: Callable[[Assumptions], Office], assumed: Assumptions, mine: Edits, theirs: Edits, numbers: Edits
) -> None:
    """Each field is sent, held or kept as the plan says, which itself sends no update, whatever the API does."""
    made = office(desk_of, assumed)
    for (contact_id, field), value in theirs.items():
        made.change(contact_id, field, "" if value == "<clear>" else value)
    made.edit(mine | numbers)
    before = made.stored()
    settings = made.settings(source=made.output, report=made.folder / "report.csv", dry_run=True)
    plan, changes = plan_with(settings, made.progress)
    assert (made.stored(), made.updates, plan.exit_code) == (before, 0, 0)
    assert all(change.theirs == before[change.contact_id][change.field] for change in changes)
    summary = made.run(plan=plan.number)
    found, outcomes = made.stored(), _outcomes(made.folder / "report.csv")
    assert summary.outcomes.get("conflict", 0) == plan.conflicts
    assert summary.outcomes.get("invalid", 0) == plan.of.outcomes.get("invalid", 0) + plan.stops
    sent = {change.contact_id for change in changes if change.effect == Effect.SENT}
    assert plan.contacts == len(sent)
    assert {contact_id for contact_id, outcome in outcomes.items() if outcome in {"updated", "rejected", "altered"}} == sent
    assert plan.emptied == sum(change.effect == Effect.SENT and not change.mine for change in changes)
    expected = {contact_id: dict(contact) for contact_id, contact in before.items()}
    for change in changes:
        if change.effect == Effect.SENT and change.mine is not None:
            expected[change.contact_id][change.field] = change.mine
    for contact_id, contact in found.items():
        if outcomes[contact_id] == "updated" or contact_id not in sent:
            assert contact == expected[contact_id]


def _outcomes(report: Path) -> dict[str, str]:
    """Return contactId → outcome."""
    with report.open(encoding="utf-8-sig", newline="") as file:
        return {line["contactId"]: line["sync_outcome"] for line in csv.DictReader(file, delimiter=";")}


def test_kinds_and_effects(pulled: Pulled) -> None:
    """Own edits, those of others and conflicts are told apart; old values are those that SMS Partner has now."""
    rows = pulled.rows()
    rows[0][HEADER.index("lastname")], rows[0][HEADER.index("custom1")] = "Martin", "<clear>"
    rows[1][HEADER.index("firstname")] = "Eva"
    pulled.save(rows)
    pulled.change("C000001", lastname="Durand", firstname="Chloé")
    plan, changes = plan_of(pulled)
    assert effects(changes) == {
        ("C000001", "firstname"): (Kind.FOREIGN, Effect.KEPT),
        ("C000001", "lastname"): (Kind.CONFLICT, Effect.HELD),
        ("C000001", "custom1"): (Kind.OWN, Effect.HELD),
        ("C000002", "firstname"): (Kind.OWN, Effect.SENT),
    }
    assert (changes[1].theirs, changes[1].mine, changes[1].name) == ("Durand", "Martin", "Chloé Durand")
    assert (plan.contacts, plan.fields, plan.conflicts, plan.emptied) == (1, {"firstname": 1}, 1, 0)
    plan, changes = plan_of(pulled, conflicts="mine")
    assert effects(changes)["C000001", "lastname"] == (Kind.CONFLICT, Effect.SENT)
    assert (plan.contacts, plan.fields, plan.emptied) == (2, {"firstname": 1, "lastname": 1, "custom1": 1}, 1)
    plan, changes = plan_of(pulled, conflicts="theirs")
    assert effects(changes)["C000001", "lastname"] == (Kind.CONFLICT, Effect.KEPT)
    assert pulled.sent == []


def test_a_number_of_requests(pulled: Pulled) -> None:
    """The plan says how many requests the run takes, and how long at --rate, with the first update read back."""
    pulled.edit("C000001", lastname="Martin", custom1="<clear>")
    for _time in range(2):
        plan, _changes = plan_of(pulled, rate=50)
        assert (plan.requests, plan.seconds) == (3, 0.06)
        assert pulled.run().requests == plan.requests
        pulled.change("C000001", lastname="Dupré", custom3="007")
        pulled.edit("C000001", lastname="Roux", custom3="<clear>")
    pulled.edit("C000002", lastname="Martin")
    plan, _changes = plan_of(pulled)
    assert plan.requests == pulled.run().requests == 2


def test_a_run_is_held_to_its_plan(pulled: Pulled) -> None:
    """After a change in SMS Partner the run sends nothing, names the row, and is not resumed; planned again, it is run."""
    rows = pulled.rows()
    rows[0][HEADER.index("lastname")] = rows[1][HEADER.index("firstname")] = "Martin"
    pulled.save(rows)
    plan, _changes = plan_of(pulled)
    pulled.change("C000002", firstname="Eva")
    summary = pulled.run(plan=plan.number)
    assert (summary.outcomes, summary.exit_code, pulled.sent) == ({"unchanged": 2, "unprocessed": 2}, 4, [])
    assert "Rows that differ: 3." in summary.reasons[0]
    with pytest.raises(Exception, match="ended before anything was sent"):
        pulled.retry()
    again, _changes = plan_of(pulled)
    assert again.number != plan.number
    assert pulled.run(plan=again.number).outcomes == {"updated": 1, "conflict": 1, "unchanged": 2}
    assert pulled.sent == [("C000001", {"lastname": "Martin"})]


def test_what_makes_another_plan(pulled: Pulled) -> None:
    """An edit, a row more or less, and an option make another plan; the order of rows and another's field do not."""
    rows = pulled.rows()
    rows[0][HEADER.index("lastname")] = rows[2][HEADER.index("lastname")] = "Martin"
    pulled.save(rows)
    plan, _changes = plan_of(pulled)
    pulled.change("C000001", custom2="theirs")
    pulled.save(rows[::-1])
    assert plan_of(pulled)[0].number == plan.number
    rows[1][HEADER.index("firstname")] = "Eva"
    pulled.save(rows)
    assert "Rows that differ: 3." in pulled.run(plan=plan.number).reasons[0]
    pulled.save(rows[1:])
    assert "Rows that differ: 2 and 5." in pulled.run(plan=plan.number).reasons[0]
    assert "There is no plan 0000-0000-0000 of this account" in pulled.run(plan="0000-0000-0000").reasons[0]
    pulled.change("C000003", lastname="Durand")
    pulled.save(rows[2:])
    plan, _changes = plan_of(pulled)
    assert "Rows that differ: 2." in pulled.run(plan=plan.number, conflicts="theirs").reasons[0]
    assert pulled.sent == []


def test_a_change_between_plan_and_update(pulled: Pulled, monkeypatch: pytest.MonkeyPatch) -> None:
    """A contact that changes after the run was compared with its plan is not sent, also where --conflicts would overwrite it."""
    pulled.edit("C000001", lastname="Martin")
    plan, _changes = plan_of(pulled, conflicts="mine")
    release = "contact_sync.ledger.sqlite.SqliteLedger.release"
    monkeypatch.setattr(release, lambda *_: pulled.change("C000001", lastname="Durand"))
    assert pulled.run(plan=plan.number, conflicts="mine").outcomes == {"conflict": 1, "unchanged": 3}
    assert (pulled.codes()["C000001"], pulled.sent) == ("plan-differs", [])


def test_an_ordinary_file(pulled: Pulled, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without reading, the plan has the fields of rows that are not in place, and no old values; with --live it has both."""
    pulled.write(("C000001", "Chloé"), ("C000002", "Eva"), header=("contactId", "firstname"))
    pulled.run()
    pulled.write(("C000001", "Chloé"), ("C000002", "Léo"), header=("contactId", "firstname"))
    with monkeypatch.context() as patch:
        patch.setattr(Client, "send", lambda *_: pytest.fail("a request was made"))
        plan, changes = plan_of(pulled)
    assert [(change.contact_id, change.mine, change.theirs) for change in changes] == [("C000002", "Léo", None)]
    assert (plan.contacts, plan.requests) == (1, 1)
    _plan, changes = plan_of(pulled, live=True)
    assert [(change.contact_id, change.mine, change.theirs) for change in changes] == [("C000002", "Léo", "Eva")]
    assert pulled.run(plan=plan.number).outcomes == {"updated": 1, "unchanged": 1}


def test_nothing_is_kept_of_a_plan_but_digests(pulled: Pulled) -> None:
    """The rows of the last run stay, what was confirmed is still believed, and no value enters the ledger."""
    pulled.edit("C000001", lastname="Martin")
    pulled.run()
    pulled.edit("C000002", lastname="Verysecret")
    plan_of(pulled)
    assert b"Verysecret" not in b"".join(path.read_bytes() for path in (pulled.folder / "state").iterdir())
    pulled.rewrite()
    assert pulled.codes()["C000002"] == ""
    assert pulled.run().requests == 2


def test_forgotten_and_expired(pulled: Pulled, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forgotten contact is in no plan that is kept, and no plan is kept for longer than a week."""
    pulled.edit("C000001", lastname="Martin")
    plan, _changes = plan_of(pulled)
    account = AccountSettings(base_url=pulled.sandbox.base_url, key=KEY, state_dir=pulled.folder / "state")
    with open_existing_ledger(account) as ledger:
        assert ledger.plans.differing(plan.number) == [2]
        assert ledger.forget("C000001", str) > 0
        assert ledger.plans.differing(plan.number) is None
    monkeypatch.setattr("contact_sync.ledger.sqlite.plans.PLAN_DAYS", 0)
    plan, _changes = plan_of(pulled)
    with open_existing_ledger(account) as ledger:
        assert ledger.plans.differing(plan.number) is None


def test_offline(pulled: Pulled, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offline nothing is requested: edited fields are known from the tokens, without a number of a plan."""
    pulled.edit("C000001", lastname="Martin", custom1="<clear>")
    monkeypatch.setattr(Client, "send", lambda *_: pytest.fail("a request was made"))
    plan, changes = plan_of(pulled, offline=True, remember=False, key="")
    assert [(change.field, change.mine, change.theirs) for change in changes] == [
        ("lastname", "Martin", None),
        ("custom1", "", None),
    ]
    assert (plan.number, plan.contacts, plan.emptied, plan.requests) == ("", 1, 1, 3)


@pytest.mark.parametrize("expected", [False, True])
def test_expected_changes(pulled: Pulled, *, expected: bool) -> None:
    """With --expect-no-changes, changes and conflicts are exit code 8; a file without any is 0."""
    assert plan_of(pulled, expect_no_changes=expected)[0].exit_code == 0
    pulled.edit("C000001", lastname="Martin")
    assert plan_of(pulled, expect_no_changes=expected)[0].exit_code == (8 if expected else 0)
    pulled.change("C000001", lastname="Durand")
    assert plan_of(pulled, expect_no_changes=expected)[0].exit_code == (8 if expected else 0)


def test_a_guard(pulled: Pulled) -> None:
    """What a guard refuses is not read, has no number, and is exit code 4; the file of an earlier plan stays."""
    pulled.edit("C000001", lastname="Martin", custom1="<clear>")
    output = pulled.folder / "plan.csv"
    plan, _changes = plan_of(pulled, output=output)
    assert plan.output == output
    earlier = output.read_bytes()
    plan, changes = plan_of(pulled, max_clears=0, output=output)
    assert (plan.number, plan.exit_code, changes, plan.output) == ("", 4, [], None)
    assert output.read_bytes() == earlier


def test_an_old_export(pulled: Pulled) -> None:
    """Too many conflicts end the plan as they would the run."""
    tokens = pulled.tokens()
    head, rows = tokens.new_head(), []
    for number in range(101, 131):
        base = tuple(pulled.stored(f"C{number:06}").values())
        rows.append([f"C{number:06}", *base, tokens.issue(head, f"C{number:06}", base)])
        rows[-1][HEADER.index("custom1")] = "Mine"
        pulled.change(f"C{number:06}", custom1="Theirs")
    pulled.save(rows)
    plan, _changes = plan_of(pulled, workers=1)
    assert (plan.exit_code, plan.number) == (4, "")
    assert "as in an old export" in plan.of.reasons[0]
    plan, _changes = plan_of(pulled, max_conflicts=100)
    assert (plan.conflicts, plan.exit_code) == (30, 0)


def test_an_unknown_contact(pulled: Pulled) -> None:
    """A contact that the API does not know is part of the plan, as a row that is not sent."""
    rows, tokens = pulled.rows(), pulled.tokens()
    rows.append(["C999999", *CONTACTS["C000001"], tokens.issue(tokens.new_head(), "C999999", CONTACTS["C000001"])])
    rows[-1][2] = "Chloé"
    pulled.save(rows)
    plan, changes = plan_of(pulled)
    assert (plan.rejected, plan.contacts, effects(changes)) == (1, 0, {("C999999", "firstname"): (Kind.OWN, Effect.HELD)})
    assert pulled.run(plan=plan.number).outcomes == {"rejected": 1, "unchanged": 4}


def _edit_all(pulled: Pulled) -> None:
    """Edit every row of the file."""
    rows = pulled.rows()
    for row in rows:
        row[HEADER.index("custom2")] = "new"
    pulled.save(rows)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal(pulled: Pulled, signum: int, code: int) -> None:
    """A signal ends the reading: the plan has no number, and no file is written."""
    _edit_all(pulled)
    pulled.watcher.then = lambda: os.kill(os.getpid(), signum)
    plan, changes = plan_of(pulled, workers=1, rate=50, output=pulled.folder / "plan.html")
    assert (plan.exit_code, plan.number, len(changes)) == (code, "", 1)
    assert not (pulled.folder / "plan.html").exists()
    assert pulled.run(plan="0000-0000-0000", workers=1, rate=50).exit_code == code
    assert pulled.sent == []


def test_an_api_that_is_down(pulled: Pulled, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API that shows no contact is probed for a while, then the exit code is 6; a run that is held to a plan sends nothing."""
    monkeypatch.setattr("contact_sync.sync.breaker.PROBE_TIMEOUT_S", 0.2)
    monkeypatch.setattr("contact_sync.sync.delivery.PROBE_INTERVAL_S", 0.05)
    _edit_all(pulled)
    number = plan_of(pulled)[0].number
    with monkeypatch.context() as patch:
        patch.setitem(server._READS, "GET /v1/contact/detail", lambda *_: 1 / 0)
        plan, _changes = plan_of(pulled, attempts=2)
        assert (plan.exit_code, plan.number) == (6, "")
        assert pulled.run(plan=number, attempts=2).outcomes == {"unprocessed": 4}
    assert pulled.run(plan=number).outcomes == {"updated": 4}


def test_a_contact_that_cannot_be_read(pulled: Pulled, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read once more at the end; where that fails, the plan shows the others, has no number, and is exit code 3."""
    _edit_all(pulled)
    number, failures = plan_of(pulled)[0].number, itertools.count()
    original = server._READS["GET /v1/contact/detail"]

    def detail(store: Any, query: Any, most: float = math.inf) -> Any:
        if query["contactId"] == "C000002" and next(failures) < most:
            return server._error(9, status=500)
        return original(store, query)

    with monkeypatch.context() as patch:
        patch.setitem(server._READS, "GET /v1/contact/detail", detail)
        plan, changes = plan_of(pulled, attempts=1)
        assert (plan.unread, plan.contacts, plan.number, plan.exit_code) == (1, 3, "", 3)
        assert {change.contact_id for change in changes} == {"C000001", "C000003", "C000004"}
        assert "Rows that differ: 3." in pulled.run(plan=number, attempts=1).reasons[0]
        assert pulled.sent == []
        failures = itertools.count()
        patch.setitem(server._READS, "GET /v1/contact/detail", partial(detail, most=1))
        plan, _changes = plan_of(pulled, attempts=1)
        assert (plan.unread, plan.number) == (0, number)
