"""The first update of an account may empty the fields that it leaves out; a run may be killed before it has read it back."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from contact_sync.errors import Transient
from contact_sync.ledger.state_dir import open_existing_ledger
from contact_sync.model import Violation
from contact_sync.sandbox.assumptions import Assumptions
from contact_sync.sync.history import forget
from contact_sync.sync.live import LiveRowSender
from contact_sync.sync.run import retry
from contact_sync.sync.undo import undo
from tests.sync.test_round_trip import Contact, Office, desk_of, office
from tests.sync.test_run import age

__all__ = ["desk_of"]


def cut_off(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the file in a process of its own, which is killed after the first update, before that was read back."""
    child = os.fork()
    if child == 0:
        try:
            monkeypatch.setattr(LiveRowSender, "_verify", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            office.run(workers=1)
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
    assert "C000003: fields emptied by an update that was cut off were put back" in " ".join(summary.notes)


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
    """A contact that cannot be read back is `altered`; the next run puts it back, and undo takes back no more than the edit."""
    made = office(desk_of, Assumptions(omitted="emptied"))
    before = made.stored()
    made.edit({("C000003", "firstname"): "Anna"})
    failure = Transient(Violation("api-timeout"), None, "")
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
    assert made.stored()["C000003"]["lastname"] == ""
    path = undo(made.settings(), "", made.folder / "undo.csv").output
    age(path)
    assert made.run(source=path).outcomes == {"updated": 1}
    assert made.stored() == before


def test_a_forgotten_contact_is_not_put_back(desk_of: Callable[[Assumptions], Office], monkeypatch: pytest.MonkeyPatch) -> None:
    """The values before a trial are erased with the contact."""
    made = office(desk_of, Assumptions(omitted="emptied"))
    made.edit({("C000003", "firstname"): "Anna"})
    cut_off(made, monkeypatch)
    forget(made.settings(), "C000003")
    assert trials(made) == {}
