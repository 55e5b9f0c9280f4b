"""The first update of an account may empty the fields that it leaves out; a run may be killed before it has read it back."""

import itertools
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from contact_sync.api.client import Client
from contact_sync.api.endpoint import Reply, Request
from contact_sync.errors import ConfigError, Transient
from contact_sync.ledger.state_dir import open_existing_ledger
from contact_sync.model.fields import ID
from contact_sync.model.violation import Violation
from contact_sync.sandbox.assumptions import Assumptions
from contact_sync.sync.history import forget
from contact_sync.sync.live import LiveRowSender
from contact_sync.sync.probe import probe
from contact_sync.sync.run import retry
from contact_sync.sync.undo import undo
from tests.sync.test_round_trip import Contact, Office, desk_of, office
from tests.sync.test_run import age

__all__ = ["desk_of"]


def cut_off(office: Office, monkeypatch: pytest.MonkeyPatch, workers: int = 1) -> None:
    """Run the file in a process of its own, which is killed after the first update, before that was read back."""
    child = os.fork()
    if child == 0:
        try:
            monkeypatch.setattr(LiveRowSender, "_verify", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            office.run(workers=workers)
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


def trials(office: Office) -> dict[str, Contact]:
    """Return the trials that have not ended."""
    with open_existing_ledger(office.settings().account) as ledger:
        return dict(ledger.trials())


def emptied(contact: Contact, **fields: str) -> Contact:
    """Return what an update of these fields leaves where it empties the others."""
    return dict.fromkeys(contact, "") | fields


def ordinary_file(office: Office) -> None:
    """Run a file that was not pulled."""
    source = office.folder / "other.csv"
    source.write_text("contactId;custom4\nC000005;x\n", encoding="utf-8")
    age(source)
    assert office.run(source=source).outcomes == {"updated": 1}


def idle_file(office: Office) -> None:
    """Run a file of which nothing is to be sent."""
    office.pull()
    age(office.output)
    assert office.run().outcomes == {"unchanged": 30}


def the_same_file(office: Office) -> None:
    """Run the file again."""
    summary = office.run()
    assert (summary.outcomes, summary.exit_code) == ({"unchanged": 30}, 0)
    assert "C000003: fields emptied by an update that was cut off were put back" in " ".join(summary.warnings)


def the_rest(office: Office) -> None:
    """Resume the killed run."""
    retry(office.settings(source=office.output), office.progress)


@pytest.mark.parametrize("next_run", [the_same_file, the_rest, ordinary_file, idle_file])
def test_what_a_killed_run_has_emptied_is_put_back(
    desk_of: Callable[[Assumptions], Office], monkeypatch: pytest.MonkeyPatch, next_run: Callable[[Office], None]
) -> None:
    """Whatever the next run is, it puts back the fields that the killed one has emptied, first of all."""
    made = office(desk_of, Assumptions(omitted="emptied"))
    before = made.stored()["C000003"]
    made.edit({("C000003", "firstname"): "Anna"})
    cut_off(made, monkeypatch)
    assert made.stored()["C000003"] == emptied(before, firstname="Anna"), "else this test shows nothing"
    next_run(made)
    assert made.stored()["C000003"] == before | {"firstname": "Anna"}
    assert trials(made) == {}


def test_nothing_is_put_back_where_fields_are_kept(
    desk_of: Callable[[Assumptions], Office], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the API keeps the other fields, the next run finds them, and writes nothing; nor over what others changed since."""
    made = office(desk_of, Assumptions(omitted="kept"))
    before = made.stored()["C000003"]
    made.edit({("C000003", "firstname"): "Anna"})
    cut_off(made, monkeypatch)
    made.change("C000003", "lastname", "Durand")
    assert [*trials(made)] == ["C000003"]
    assert made.run().notes == []
    assert made.stored()["C000003"] == before | {"firstname": "Anna", "lastname": "Durand"}
    assert made.updates == 1
    assert trials(made) == {}


def test_an_api_that_fails_between(desk_of: Callable[[Assumptions], Office], monkeypatch: pytest.MonkeyPatch) -> None:
    """A contact that cannot be read back is `altered`, and put back at the end; undo takes back no more than the edit."""
    made = office(desk_of, Assumptions(omitted="emptied"))
    before = made.stored()
    made.edit({("C000003", "firstname"): "Anna"})
    failure = Transient(Violation("api-error", detail={"reason": "lost"}), None, "")
    with monkeypatch.context() as patched:
        reads = []

        async def read(sender: LiveRowSender, turn: Any) -> Any:
            reads.append(turn)
            if len(reads) > 1:
                raise failure
            return await original(sender, turn)

        original = LiveRowSender._read
        patched.setattr(LiveRowSender, "_read", read)
        assert made.run().outcomes == {"altered": 1, "unchanged": 29}
    assert made.stored()["C000003"] == before["C000003"] | {"firstname": "Anna"}
    path = undo(made.settings(), "", made.folder / "undo.csv").output
    age(path)
    assert made.run(source=path).outcomes == {"updated": 1}
    assert made.stored() == before


def test_an_update_whose_answer_is_lost(desk_of: Callable[[Assumptions], Office], monkeypatch: pytest.MonkeyPatch) -> None:
    """An update that was applied though every answer was lost has emptied the other fields: they are put back before the end."""
    made = office(desk_of, Assumptions(omitted="emptied"))
    before = made.stored()["C000003"]
    made.edit({("C000003", "firstname"): "Anna"})
    with monkeypatch.context() as patched:
        lost: list[Any] = []

        async def send(client: Client, request: Request) -> Reply:
            reply = await original(client, request)
            if request.method == "POST" and len(lost) < 4:
                lost.append(reply)
                raise Transient(Violation("api-error", detail={"reason": "lost"}), maybe_applied=True)
            return reply

        original = Client.send
        patched.setattr(Client, "send", send)
        assert made.run().exit_code == 0
    assert len(lost) == 4
    assert made.stored()["C000003"] == before | {"firstname": "Anna"}


def test_a_run_that_is_stopped(desk_of: Callable[[Assumptions], Office], monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal after the first update ends the run, but not before the contact is whole again."""
    made = office(desk_of, Assumptions(omitted="emptied"))
    before = made.stored()
    made.edit({("C000003", "firstname"): "Anna", ("C000004", "firstname"): "Anna"})
    with monkeypatch.context() as patched:

        async def stopped(sender: LiveRowSender, *of_verify: Any) -> Any:
            sender._shutdown.on_signal(signal.SIGTERM)
            return await original(sender, *of_verify)

        original = LiveRowSender._verify
        patched.setattr(LiveRowSender, "_verify", stopped)
        summary = made.run(workers=1)
    assert (summary.exit_code, summary.outcomes["unprocessed"]) == (143, 1)
    assert made.stored() == before | {"C000003": before["C000003"] | {"firstname": "Anna"}}


def test_one_contact_at_a_time_is_at_risk(desk_of: Callable[[Assumptions], Office], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first row is no update, the others still wait until one was read back."""
    made = office(desk_of, Assumptions(omitted="emptied"))
    before = made.stored()
    edits = {(f"C{number:06}", "firstname"): "Anna" for number in range(1, 20)}
    made.edit(edits)
    made.change(made.rows()[0][ID], "firstname", "Foreign")
    cut_off(made, monkeypatch, workers=8)
    emptied_ones = [key for key, contact in made.stored().items() if contact["lastname"] != before[key]["lastname"]]
    assert len(emptied_ones) <= 1
    made.run()
    assert {key: contact["lastname"] for key, contact in made.stored().items()} == {
        key: contact["lastname"] for key, contact in before.items()
    }


@pytest.mark.parametrize("resumed", [False, True])
def test_an_account_known_to_empty_fields(
    desk_of: Callable[[Assumptions], Office], monkeypatch: pytest.MonkeyPatch, resumed: bool
) -> None:
    """Once that is known, any file is sent whole, also by a retry."""
    made = office(desk_of, Assumptions(omitted="emptied"))
    made.edit({("C000003", "firstname"): "Anna"})
    made.run()
    before = made.stored()["C000007"]
    source = made.folder / "other.csv"
    source.write_text("contactId;firstname\nC000007;Anna\n", encoding="utf-8")
    age(source)
    if resumed:
        with monkeypatch.context() as patched:

            async def failing(*_: Any) -> Any:
                raise Transient(Violation("api-error", detail={"reason": "lost"}), maybe_applied=False)

            patched.setattr(Client, "send", failing)
            assert made.run(source=source, attempts=1).exit_code != 0
        the_rest(made)
    else:
        made.run(source=source)
    assert made.stored()["C000007"] == before | {"firstname": "Anna"}


def test_a_contact_to_forget_is_put_back_first(desk_of: Callable[[Assumptions], Office], monkeypatch: pytest.MonkeyPatch) -> None:
    """A contact is not forgotten before it has its values again."""
    made = office(desk_of, Assumptions(omitted="emptied"))
    made.edit({("C000003", "firstname"): "Anna"})
    cut_off(made, monkeypatch)
    with pytest.raises(ConfigError, match="An update of this contact was cut off"):
        forget(made.settings(), "C000003")
    idle_file(made)
    assert forget(made.settings(), "C000003") > 0
    assert trials(made) == {}


def test_what_a_killed_trial_has_shown_counts_at_once(
    desk_of: Callable[[Assumptions], Office], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run that puts a contact back sends whole contacts, also of an ordinary file."""
    made = office(desk_of, Assumptions(omitted="emptied"))
    before = made.stored()
    made.edit({("C000003", "firstname"): "Anna"})
    cut_off(made, monkeypatch)
    source = made.folder / "other.csv"
    source.write_text("contactId;custom4\nC000005;x\nC000006;x\n", encoding="utf-8")
    age(source)
    assert made.run(source=source).outcomes == {"updated": 2}
    changed = {"C000003": {"firstname": "Anna"}, "C000005": {"custom4": "x"}, "C000006": {"custom4": "x"}}
    assert made.stored() == {key: contact | changed.get(key, {}) for key, contact in before.items()}


@pytest.mark.parametrize("updates", [1, 3, 4])
def test_a_killed_probe(desk_of: Callable[[Assumptions], Office], updates: int) -> None:
    """A probe that is killed leaves the values before to the next run."""
    made = office(desk_of, Assumptions(omitted="emptied"))
    before = made.stored()
    child = os.fork()
    if child == 0:
        sent = itertools.count(1)

        async def send(client: Client, request: Request) -> Reply:
            reply = await original(client, request)
            if request.method == "POST" and next(sent) == updates:
                os.kill(os.getpid(), signal.SIGKILL)
            return reply

        original, Client.send = Client.send, send  # type: ignore[method-assign,assignment]
        try:
            probe(made.settings(), "C000003")
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    ordinary_file(made)
    assert made.stored() == before | {"C000005": before["C000005"] | {"custom4": "x"}}
