"""The log: the events of a run as lines of text or JSON, with ids and counts and without values."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from contact_sync.sandbox.faults import Behaviour

from .workspace import KEY, Workspace, make_contacts


def events(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a log in JSON; each has a time with its zone."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert all(datetime.fromisoformat(line["time"]).tzinfo for line in lines)
    return lines


def facts(line: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return some of the fields of an event."""
    return {name: line[name] for name in names}


def assert_no_values(workspace: Workspace, text: str) -> None:
    """Assert that a log has no value of a contact and no key."""
    valid = [contact for contact in workspace.contacts if not contact.invalid]
    values = [value for contact in valid for value in (contact.phone, *contact.stored.values())]
    assert [value for value in [KEY, *values] if value in text] == []


def test_events_of_a_run(workspace: Workspace) -> None:
    """A quiet run logs its start, the source, each row that was sent, when it was throttled, and its end, all with its id."""
    log = workspace.folder / "run.log"
    log.touch(mode=0o644)
    workspace.export(make_contacts(5, invalid=1))
    workspace.sandbox.script["E00003"] = [Behaviour(status=429, headers={"Retry-After": "1"})]
    result = workspace.run("-q", "--log-file", str(log), "--log-format", "json", "--rate", "50")
    assert result.code == 3
    started, loaded, *others, finished = events(log)
    rows = {line["row"]: line for line in others if line["event"] == "row.finished"}
    (throttled,) = [line for line in others if line["event"] == "api.throttled"]
    assert {line["run"] for line in events(log)} == {result.summary["run"]}
    assert facts(started, "event", "source", "purpose") == {
        "event": "run.started",
        "source": str(workspace.source),
        "purpose": "real",
    }
    assert facts(loaded, "event", "rows", "to_send", "invalid") == {
        "event": "source.loaded",
        "rows": 5,
        "to_send": 4,
        "invalid": 1,
    }
    assert facts(rows[5], "contact", "outcome", "code", "attempts") == {
        "contact": "E00003",
        "outcome": "updated",
        "code": "",
        "attempts": 2,
    }
    assert len(rows) == 4
    assert facts(throttled, "http_status", "pause", "pace", "rate", "throttled", "why") == {
        "http_status": 429,
        "pause": 1.0,
        "pace": 50.0,
        "rate": 50.0,
        "throttled": 1,
        "why": "pause",
    }
    names = ("exit_code", "rows", "outcomes", "requests", "retries")
    assert finished["event"] == "run.finished"
    assert facts(finished, *names) == facts(result.summary, *names)
    assert_no_values(workspace, log.read_text(encoding="utf-8"))
    assert log.stat().st_mode & 0o077 == 0


def test_text_has_the_same_facts(workspace: Workspace) -> None:
    """As text an event is one line with the names and values of its fields, on stderr as in the file."""
    log = workspace.folder / "run.log"
    workspace.export(make_contacts(2))
    result = workspace.run("-v", "--log-file", str(log), "--rate", "0")
    lines = log.read_text(encoding="utf-8").splitlines()
    run = result.summary["run"]
    assert [line.split(maxsplit=3)[1:3] for line in lines] == [
        ["INFO", "run.started"],
        ["INFO", "source.loaded"],
        ["INFO", "row.finished"],
        ["INFO", "row.finished"],
        ["INFO", "run.finished"],
    ]
    assert any(f" run={run} row=3 contact=E00001 outcome=updated attempts=1 http_status=200" in line for line in lines)
    assert f" run={run} exit_code=0 rows=2 outcomes=updated:2 requests=2 retries=0 seconds=" in lines[-1]
    assert all(datetime.fromisoformat(line.split()[0]).tzinfo for line in lines)
    assert set(lines) <= set(result.stderr.decode().splitlines())
    assert_no_values(workspace, "\n".join(lines))


@pytest.mark.parametrize(
    ("problem", "code", "reason"),
    [("missing", 4, "contacts.csv does not exist"), ("key", 5, "The API refused"), ("state", 7, "state folder")],
)
def test_end_of_a_run_that_failed(workspace: Workspace, problem: str, code: int, reason: str) -> None:
    """A run that was refused or stopped logs its exit code and why, and no other line says it again."""
    log = workspace.folder / "run.log"
    workspace.export(make_contacts(3))
    if problem == "missing":
        workspace.source.unlink()
    elif problem == "key":
        workspace.sandbox.key = "another"
    else:
        workspace.state.write_text("in the way", encoding="ascii")
    assert workspace.run("-q", "--log-file", str(log), "--log-format", "json").code == code
    started, *_others, finished = events(log)
    assert (started["event"], finished["event"], finished["exit_code"]) == ("run.started", "run.finished", code)
    assert reason in finished["reason"]
    assert "command.failed" not in log.read_text(encoding="utf-8")


def test_command_that_never_began_a_run(workspace: Workspace) -> None:
    """A command that ends before a run begins logs why."""
    log = workspace.folder / "run.log"
    workspace.export(make_contacts(3))
    del workspace.environment["CONTACT_SYNC_API_KEY"]
    assert workspace.run("-q", "--log-file", str(log), "--log-format", "json").code == 2
    (failed,) = events(log)
    assert facts(failed, "event", "run", "exit_code") == {"event": "command.failed", "run": "", "exit_code": 2}
    assert failed["reason"].startswith("There is no API key")
