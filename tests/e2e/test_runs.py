"""Whole runs: the requests, the report and the exit code."""

import csv
import socket
import threading
import time
from collections.abc import Callable

import pytest

from contact_sync.model.row import Outcome
from contact_sync.sandbox.faults import Behaviour, Faults
from contact_sync.sandbox.server import Sandbox

from .workspace import (
    Contact,
    NewWorkspace,
    Workspace,
    assert_consistent,
    assert_refused,
    busiest_second,
    files_in,
    make_contacts,
    show,
)

# ---- ordinary runs


@pytest.mark.parametrize("name", ["contacts.csv", "Clients d'été.xlsx"])
def test_successful_run_and_the_next(workspace: Workspace, name: str) -> None:
    """Every contact is updated once; the next run has nothing to send, and an edit sends only that row."""
    workspace.export(make_contacts(40), name)
    first = workspace.run()
    assert assert_consistent(workspace, first, 0) == {"updated": 40}
    assert first.sent == {contact.contact_id: 1 for contact in workspace.contacts}
    assert {path.name for path in files_in(workspace.folder)} - {path.name for path in files_in(workspace.state)} == {
        workspace.source.name,
        workspace.report.name,
        *([workspace.report.with_suffix(".xlsx").name] if name.endswith(".xlsx") else []),
    }
    second = workspace.run()
    assert assert_consistent(workspace, second, 0) == {"unchanged": 40}
    assert second.calls == []
    workspace.export([*make_contacts(39), make_contacts(40, version="-Roux")[39]], name)
    third = workspace.run()
    assert assert_consistent(workspace, third, 0) == {"unchanged": 39, "updated": 1}
    changed = {"phoneNumber": "+33600000273", "firstname": "Jean-Luc", "lastname": "D'Arcy-Roux"}
    assert [(call.contact_id, call.contact) for call in third.calls] == [("E00039", changed)]


def test_rate_limit(workspace: Workspace) -> None:
    """300 rows at 50 a second: at most 50 in any second (one more by jitter), and not faster in total."""
    workspace.export(make_contacts(300))
    # With one worker only the request in flight can be late, even on a busy machine.
    result = workspace.run("--rate", "50", "--workers", "1")
    assert assert_consistent(workspace, result, 0) == {"updated": 300}
    seconds = result.calls[-1].at - result.calls[0].at
    busiest = busiest_second(result.calls)
    show(f"300 rows at 50/s: {seconds:.2f} s (ideal {299 / 50:.2f}), busiest second {busiest}")
    assert busiest <= 51
    assert seconds >= 299 / 50 - 0.05


def test_rate_limit_includes_retries(workspace: Workspace) -> None:
    """All workers share one rate limit, and retries count."""
    workspace.export(make_contacts(150))
    workspace.sandbox.script = {contact.contact_id: [Behaviour(status=500)] for contact in workspace.contacts[::3]}
    result = workspace.run("--rate", "100", "--workers", "8")
    assert assert_consistent(workspace, result, 0) == {"updated": 150}
    assert len(result.calls) == 200
    busiest = busiest_second(result.calls)
    show(f"200 attempts for 150 rows at 100/s: busiest second {busiest}")
    assert busiest <= 100 + 8  # each worker may have one in flight when the second begins


def test_transient_failures_are_retried(new_workspace: NewWorkspace) -> None:
    """With 5% of requests failing, all rows are updated in the end, and every attempt is counted."""
    workspace = new_workspace(faults=Faults(errors=0.03, drops=0.02, seed=3))
    workspace.export(make_contacts(200))
    result = workspace.run()
    assert assert_consistent(workspace, result, 0) == {"updated": 200}
    assert len(result.calls) > 200


# ---- invalid rows


def test_half_of_the_rows_invalid(workspace: Workspace) -> None:
    """With half of the rows invalid the others are sent, each invalid one is reported, and the run ends with exit 3."""
    workspace.export(make_contacts(60, invalid=30))
    result = workspace.run()
    assert assert_consistent(workspace, result, 3) == {"updated": 30, "invalid": 30}
    assert [(line["sync_row"], line["sync_fields"]) for line in workspace.lines() if line["sync_outcome"] == "invalid"] == [
        (str(row), "phoneNumber") for row in range(3, 62, 2)
    ]
    assert len(result.calls) == 30


def test_more_than_half_of_the_rows_invalid(workspace: Workspace) -> None:
    """With more than half of the rows invalid nothing is sent; exit 4, and the report lists the rows."""
    workspace.export([*make_contacts(60, invalid=30), Contact("E00060", "12", "Zoé", "Roux")])
    result = workspace.run()
    assert assert_consistent(workspace, result, 4) == {"unprocessed": 30, "invalid": 31}
    assert result.calls == []


def test_missing_source(workspace: Workspace) -> None:
    """A missing source is exit 4, and the report of an earlier run is not changed."""
    workspace.export(make_contacts(3))
    assert_consistent(workspace, workspace.run(), 0)
    report = workspace.report.read_bytes()
    workspace.source.unlink()
    result = workspace.run()
    assert_refused(workspace, result, 4, report=report)


# ---- refusals by the API


def test_refused_key(new_workspace: NewWorkspace) -> None:
    """A refused key costs one request and ends the run with exit 5."""
    workspace = new_workspace(key="another")
    workspace.export(make_contacts(50))
    result = workspace.run()
    assert assert_consistent(workspace, result, 5) == {"failed": 1, "unprocessed": 49}
    assert len(result.calls) == 1


@pytest.mark.parametrize("status", [301, 307])
def test_redirect(workspace: Workspace, sandbox: Callable[..., Sandbox], status: int) -> None:
    """A redirect is exit 2 after one request, and is not followed."""
    target = sandbox(open_store=True)
    workspace.export(make_contacts(20))
    workspace.sandbox.script["E00000"] = [Behaviour(status=status, headers={"Location": f"{target.base_url}/contact/update"})]
    result = workspace.run()
    assert assert_consistent(workspace, result, 2) == {"failed": 1, "unprocessed": 19}
    assert (len(result.calls), target.requests) == (1, 0)


def test_max_duration(workspace: Workspace) -> None:
    """At --max-duration the run ends with exit 6, and the next one sends the rest."""
    workspace.export(make_contacts(400))
    result = workspace.run("--rate", "20", "--max-duration", "8")  # which includes the start of the program
    outcomes = assert_consistent(workspace, result, 6)
    assert 0 < outcomes["updated"] <= 161
    assert outcomes.keys() == {"updated", "unprocessed"}
    rest = workspace.run()
    assert assert_consistent(workspace, rest, 0) == {"unchanged": outcomes["updated"], "updated": outcomes["unprocessed"]}
    assert not rest.sent.keys() & result.sent.keys()


@pytest.mark.soak
def test_closed_port(workspace: Workspace) -> None:
    """With the API down the run gives up after its probes with exit 6, and the next run sends everything."""
    workspace.export(make_contacts(100))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    started = time.monotonic()
    result = workspace.run("--base-url", f"http://127.0.0.1:{port}/v1", "--account", "one")
    show(f"API down: {result.at - started:.1f} s, {result.summary['requests']} requests")
    assert result.code == 6
    assert result.at - started < 75
    assert workspace.contacts_with(Outcome.FAILED, Outcome.UNPROCESSED) == {contact.contact_id for contact in workspace.contacts}
    assert assert_consistent(workspace, workspace.run("--account", "one"), 0) == {"updated": 100}


@pytest.mark.soak
def test_recovery_from_an_outage(new_workspace: NewWorkspace) -> None:
    """An outage of half a minute delays the run, and no row fails."""
    workspace = new_workspace(faults=Faults(drops=1))
    workspace.export(make_contacts(100))
    running = workspace.start()
    time.sleep(30)
    down = len(running.arrived())
    workspace.sandbox.faults = Faults()
    result = running.finish()
    assert assert_consistent(workspace, result, 0) == {"updated": 100}
    show(f"{down} requests while the API was down for 30 s")
    assert down < 20 + 8 + 7


# ---- a source that is being written


def _append(workspace: Workspace, contacts: list[Contact], stop: threading.Event) -> None:
    for contact in contacts:
        with workspace.source.open("a", encoding="cp1252", newline="") as file:
            csv.writer(file, delimiter=";").writerow((contact.contact_id, contact.phone, contact.firstname, contact.lastname))
        if stop.wait(0.3):
            return


def test_growing_source(workspace: Workspace) -> None:
    """A source that grows while the run starts is read when it is complete."""
    contacts = make_contacts(14)
    workspace.export(contacts[:4])
    writer = threading.Thread(target=_append, args=[workspace, contacts[4:], threading.Event()])
    writer.start()
    started = time.monotonic()
    workspace.contacts = contacts
    result = workspace.run()
    writer.join()
    assert assert_consistent(workspace, result, 0) == {"updated": 14}
    assert result.at - started > 4


@pytest.mark.soak
def test_source_that_keeps_changing(workspace: Workspace) -> None:
    """A source that still changes after half a minute is exit 75 without a request."""
    contacts = make_contacts(200)
    workspace.export(contacts[:4])
    stop = threading.Event()
    writer = threading.Thread(target=_append, args=[workspace, contacts[4:], stop])
    writer.start()
    try:
        assert_refused(workspace, workspace.run(), 75)
    finally:
        stop.set()
        writer.join()
