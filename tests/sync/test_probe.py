"""A probe: what it finds out under every assumption, and that the contact is as it was."""

import os
import signal
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings

from contact_sync.errors import BusyError, ConfigError, Interrupted
from contact_sync.ledger.state_dir import open_ledger
from contact_sync.model.fields import FIELDS
from contact_sync.sandbox.assumptions import Assumptions
from contact_sync.sync.probe import probe
from contact_sync.sync.undo import undo
from tests.sync.test_round_trip import CONTACTS, Office, assumptions, desk_of

__all__ = ["desk_of"]

FULL = {"phoneNumber": "+33612345678", "firstname": "Anna", "lastname": "Lefèvre", "date": "1980-02-01", "url": "https://a.fr"}
FULL |= {f"custom{number}": f"text {number}" for number in range(1, 5)}


def filled(office: Office, contact_id: str = "C000002") -> Office:
    """Return the office after every field of a contact was given a value."""
    for field, value in FULL.items():
        office.change(contact_id, field, value)
    return office


@given(assumed=assumptions)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_assumption_is_found_out(desk_of: Callable[[Assumptions], Office], assumed: Assumptions) -> None:
    """The answers are those of the API, and the contact is as it was, where the API lets it be put back."""
    office = filled(desk_of(assumed))
    before = office.stored()
    summary = probe(office.settings(), "C000002")
    answers = summary.answers
    assert (answers["phoneNumber"], answers["date"]) == (assumed.phone_number, assumed.dates)
    assert answers["own number"] == assumed.own_number
    is_helpless = assumed.own_number == "refused" and (assumed.omitted == "emptied" or assumed.phone_number == "required")
    if not is_helpless:
        assert answers["omitted"] == assumed.omitted
        assert {question for question in answers if question.startswith("clear")} == {f"clear {field}" for field in FIELDS[1:]}
        assert answers["long name"] == "stored"
    assert (office.stored() == before) == (summary.different == [])
    assert is_helpless or summary.different == []


def test_fields_that_cannot_be_emptied(desk_of: Callable[[Assumptions], Office]) -> None:
    """A field that is not emptied by an empty value is named."""
    office = filled(desk_of(Assumptions(not_clearing="date+url")))
    answers = probe(office.settings(), "C000002").answers
    assert {question: answer for question, answer in answers.items() if answer == "kept" and "clear" in question} == {
        "clear date": "kept",
        "clear url": "kept",
    }


def test_runs_go_by_the_answers(desk_of: Callable[[Assumptions], Office]) -> None:
    """After a probe, the first update of a run need not be read back."""
    office = filled(desk_of(Assumptions()))
    probe(office.settings(), "C000002")
    office.pull()
    office.edit({("C000003", "lastname"): "Anna"})
    assert office.run().requests == 2
    assert office.stored()["C000003"]["lastname"] == "Anna"


def test_an_empty_contact_shows_nothing(desk_of: Callable[[Assumptions], Office]) -> None:
    """Fields without a value are not tried, and nothing is written to a contact without any."""
    office = desk_of(Assumptions())
    for field in FIELDS:
        office.change("C000002", field, "")
    assert (probe(office.settings(), "C000002").answers, office.updates) == ({}, 0)


def test_an_unknown_contact(desk_of: Callable[[Assumptions], Office]) -> None:
    """A contact that does not exist is a ConfigError, before anything is sent."""
    office = desk_of(Assumptions())
    with pytest.raises(ConfigError, match="no contact with this contactId"):
        probe(office.settings(), f"C{CONTACTS + 1:06}")
    assert office.updates == 0


def test_a_signal_puts_the_contact_back(desk_of: Callable[[Assumptions], Office], monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal in the middle ends the probe once the contact is as it was."""
    office = filled(desk_of(Assumptions()))
    before = office.stored()
    apply = office.api.store.apply

    def interrupt(contact_id: str, sent: dict[str, str]) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        return apply(contact_id, sent)

    monkeypatch.setattr(office.api.store, "apply", interrupt)
    with pytest.raises(Interrupted):
        probe(office.settings(), "C000002")
    assert office.stored() == before


def test_values_before_a_probe_are_kept(desk_of: Callable[[Assumptions], Office]) -> None:
    """What a killed probe has left is put back by undo, whatever the fields have become."""
    office = filled(desk_of(Assumptions()))
    before = office.stored()
    run = probe(office.settings(), "C000002").run
    for field in ("custom1", "lastname"):
        office.change("C000002", field, "x" * 33)
    with pytest.raises(ConfigError, match="A probe has no source"):
        undo(office.settings(), run, None)
    path = undo(office.settings(), run, office.folder / "back.csv").output
    assert office.run(source=path, conflicts="mine").outcomes == {"updated": 1}
    assert office.stored() == before


def test_not_beside_a_run(desk_of: Callable[[Assumptions], Office]) -> None:
    """A probe and a run of one account exclude each other."""
    office = filled(desk_of(Assumptions()))
    with open_ledger(office.settings().account), pytest.raises(BusyError):
        probe(office.settings(), "C000002")
    assert office.updates == 0
