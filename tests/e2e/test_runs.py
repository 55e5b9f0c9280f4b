"""Whole nights: what is sent, what is reported, and with which code the program ends."""

import csv
import socket
import threading
import time
from collections.abc import Callable

import pytest

from contact_sync.model import Outcome
from contact_sync.sandbox.faults import Behaviour, Faults
from contact_sync.sandbox.server import Sandbox

from .workspace import Contact, Workspace, assert_books, assert_refused, busiest_second, files_in, made_up, show

Nightly = Callable[..., Workspace]


# ---- a night like any other


@pytest.mark.parametrize("name", ["contacts.csv", "Clients d'été.xlsx"])
def test_a_happy_night_and_the_one_after(workspace: Workspace, name: str) -> None:
    """Every contact is updated once; the night after there is nothing to send, and an edit sends that row alone."""
    workspace.export(made_up(40), name)
    first = workspace.run()
    assert assert_books(workspace, first, 0) == {"updated": 40}
    assert first.sent == {contact.contact_id: 1 for contact in workspace.contacts}
    assert {path.name for path in files_in(workspace.folder)} - {path.name for path in files_in(workspace.state)} == {
        workspace.source.name,
        workspace.report.name,
        *([workspace.report.with_suffix(".xlsx").name] if name.endswith(".xlsx") else []),
    }
    second = workspace.run()
    assert assert_books(workspace, second, 0) == {"unchanged": 40}
    assert second.calls == []
    workspace.export([*made_up(39), made_up(40, version="-Roux")[39]], name)
    third = workspace.run()
    assert assert_books(workspace, third, 0) == {"unchanged": 39, "updated": 1}
    changed = {"phoneNumber": "+33600000273", "firstname": "Jean-Luc", "lastname": "D'Arcy-Roux"}
    assert [(call.contact_id, call.contact) for call in third.calls] == [("E00039", changed)]


def test_the_pace(workspace: Workspace) -> None:
    """300 rows at 50 a second: no second with more than 50 (one more by jitter), and no sooner than that takes."""
    workspace.export(made_up(300))
    # With one worker nothing is late but the one request that is on its way, however busy the machine is.
    finished = workspace.run("--rate", "50", "--workers", "1")
    assert assert_books(workspace, finished, 0) == {"updated": 300}
    seconds = finished.calls[-1].at - finished.calls[0].at
    busiest = busiest_second(finished.calls)
    show(f"300 rows at 50/s: {seconds:.2f} s (ideal {299 / 50:.2f}), busiest second {busiest}")
    assert busiest <= 51
    assert seconds >= 299 / 50 - 0.05


def test_the_pace_of_all_attempts(workspace: Workspace) -> None:
    """All workers share one pace, and attempts that are made again are counted as well."""
    workspace.export(made_up(150))
    workspace.served.script = {contact.contact_id: [Behaviour(status=500)] for contact in workspace.contacts[::3]}
    finished = workspace.run("--rate", "100", "--workers", "8")
    assert assert_books(workspace, finished, 0) == {"updated": 150}
    assert len(finished.calls) == 200
    busiest = busiest_second(finished.calls)
    show(f"200 attempts for 150 rows at 100/s: busiest second {busiest}")
    assert busiest <= 100 + 8  # each worker may have one on its way when the second begins


def test_transient_failures_are_overcome(nightly: Nightly) -> None:
    """With one request in twenty failing, all rows are updated in the end, and every attempt is counted."""
    workspace = nightly(faults=Faults(errors=0.03, drops=0.02, seed=3))
    workspace.export(made_up(200))
    finished = workspace.run()
    assert assert_books(workspace, finished, 0) == {"updated": 200}
    assert len(finished.calls) > 200


# ---- wrong rows


def test_half_the_rows_wrong(workspace: Workspace) -> None:
    """Half of the rows wrong is still a night: the others are sent, each wrong one is named, exit 3."""
    workspace.export(made_up(60, wrong=30))
    finished = workspace.run()
    assert assert_books(workspace, finished, 3) == {"updated": 30, "invalid": 30}
    assert [(line["sync_row"], line["sync_fields"]) for line in workspace.lines() if line["sync_outcome"] == "invalid"] == [
        (str(row), "phoneNumber") for row in range(3, 62, 2)
    ]
    assert len(finished.calls) == 30


def test_more_than_half_of_the_rows_wrong(workspace: Workspace) -> None:
    """More than half of the rows wrong is a damaged source: nothing is sent, exit 4, and the report says which."""
    workspace.export([*made_up(60, wrong=30), Contact("E00060", "12", "Zoé", "Roux")])
    finished = workspace.run()
    assert assert_books(workspace, finished, 4) == {"unprocessed": 30, "invalid": 31}
    assert finished.calls == []


def test_a_source_that_is_not_there(workspace: Workspace) -> None:
    """A missing source is exit 4, and the report of an earlier night stays as it was."""
    workspace.export(made_up(3))
    assert_books(workspace, workspace.run(), 0)
    report = workspace.report.read_bytes()
    workspace.source.unlink()
    finished = workspace.run()
    assert_refused(workspace, finished, 4, report=report)


# ---- the API says no


def test_a_wrong_key(nightly: Nightly) -> None:
    """A refused key costs one request and ends the run with exit 5."""
    workspace = nightly(key="another")
    workspace.export(made_up(50))
    finished = workspace.run()
    assert assert_books(workspace, finished, 5) == {"failed": 1, "unprocessed": 49}
    assert len(finished.calls) == 1


@pytest.mark.parametrize("status", [301, 307])
def test_a_redirect(workspace: Workspace, sandbox: Callable[..., Sandbox], status: int) -> None:
    """A redirect is exit 2 after one request, and where it points to nothing arrives."""
    elsewhere = sandbox(open_store=True)
    workspace.export(made_up(20))
    workspace.served.script["E00000"] = [Behaviour(status=status, headers={"Location": f"{elsewhere.base_url}/contact/update"})]
    finished = workspace.run()
    assert assert_books(workspace, finished, 2) == {"failed": 1, "unprocessed": 19}
    assert (len(finished.calls), elsewhere.requests) == (1, 0)


def test_a_time_budget(workspace: Workspace) -> None:
    """When the time budget is used up the run ends with exit 6, and the next one sends the rest."""
    workspace.export(made_up(100))
    # It begins with the program, which on a busy machine takes a while to come to the first row.
    finished = workspace.run("--rate", "20", "--max-duration", "3")
    outcomes = assert_books(workspace, finished, 6)
    assert 0 < outcomes["updated"] <= 61
    assert outcomes.keys() == {"updated", "unprocessed"}
    rest = workspace.run()
    assert assert_books(workspace, rest, 0) == {"unchanged": outcomes["updated"], "updated": outcomes["unprocessed"]}
    assert not rest.sent.keys() & finished.sent.keys()


@pytest.mark.soak
def test_a_port_that_nobody_listens_at(workspace: Workspace) -> None:
    """With the API down the run gives up after its probes with exit 6, and the next night sends everything."""
    workspace.export(made_up(100))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    started = time.monotonic()
    finished = workspace.run("--base-url", f"http://127.0.0.1:{port}/v1", "--account", "one")
    show(f"API down: {finished.at - started:.1f} s, {finished.told['requests']} requests")
    assert finished.code == 6
    assert finished.at - started < 75
    assert workspace.ended(Outcome.FAILED, Outcome.UNPROCESSED) == {contact.contact_id for contact in workspace.contacts}
    assert assert_books(workspace, workspace.run("--account", "one"), 0) == {"updated": 100}


@pytest.mark.soak
def test_an_outage_of_half_a_minute(nightly: Nightly) -> None:
    """An API that comes back after half a minute costs time, and no row."""
    workspace = nightly(faults=Faults(errors=1))
    workspace.export(made_up(100))
    running = workspace.start()
    time.sleep(30)
    down = len(running.arrived())
    workspace.served.faults = Faults()
    finished = running.finish()
    assert assert_books(workspace, finished, 0) == {"updated": 100}
    show(f"{down} requests while the API was down for 30 s")
    assert down < 20 + 8 + 7


# ---- a source that is being written


def _append(workspace: Workspace, contacts: list[Contact], stop: threading.Event) -> None:
    for contact in contacts:
        with workspace.source.open("a", encoding="cp1252", newline="") as file:
            csv.writer(file, delimiter=";").writerow((contact.contact_id, contact.phone, contact.firstname, contact.lastname))
        if stop.wait(0.3):
            return


def test_a_source_that_is_still_being_written(workspace: Workspace) -> None:
    """A source that grows while the run starts is read when it is complete."""
    contacts = made_up(14)
    workspace.export(contacts[:4])
    writer = threading.Thread(target=_append, args=[workspace, contacts[4:], threading.Event()])
    writer.start()
    started = time.monotonic()
    workspace.contacts = contacts
    finished = workspace.run()
    writer.join()
    assert assert_books(workspace, finished, 0) == {"updated": 14}
    assert finished.at - started > 4


@pytest.mark.soak
def test_a_source_that_never_stops_changing(workspace: Workspace) -> None:
    """A source that still grows after half a minute is left for another time, with exit 75 and no request."""
    contacts = made_up(200)
    workspace.export(contacts[:4])
    stop = threading.Event()
    writer = threading.Thread(target=_append, args=[workspace, contacts[4:], stop])
    writer.start()
    try:
        assert_refused(workspace, workspace.run(), 75)
    finally:
        stop.set()
        writer.join()
