"""`--verify`: updated contacts are read back at the end of the run."""

from pathlib import Path

import pytest

from contact_sync.sandbox.server import Sandbox
from tests.sync.test_run import Row, Serve, Workspace, balanced

ROWS: tuple[Row, ...] = tuple((f"C{number:06}", f"Anna {number}", "1980-02-01") for number in range(1, 41))


@pytest.fixture
def workspace(tmp_path: Path, sandbox: Serve) -> Workspace:
    """Return a workspace with rows to send."""
    workspace = Workspace(tmp_path, sandbox())
    workspace.write(*ROWS)
    return workspace


def forgetful(api: Sandbox, contact_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the API confirm a name of a contact that it does not store."""
    apply = api.store.apply

    def forget(sent_to: str, sent: dict[str, str]) -> int:
        return apply(sent_to, {name: value for name, value in sent.items() if sent_to != contact_id or name != "firstname"})

    monkeypatch.setattr(api.store, "apply", forget)


def test_every_contact_is_read_back(workspace: Workspace) -> None:
    """All updated contacts are read back, and counted as requests but not as attempts of their rows."""
    summary = workspace.run(verify=100)
    assert (summary.outcomes, summary.exit_code, summary.requests, summary.retries) == ({"updated": 40}, 0, 80, 0)
    assert summary.notes == ["40 updated contacts were read back at the end."]
    assert workspace.run(verify=100).requests == 0


def test_a_share_is_read_back(workspace: Workspace) -> None:
    """About the asked share is read back."""
    assert 40 < workspace.run(verify=50).requests < 80


def test_a_value_that_was_not_stored(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A contact that the API shows otherwise than confirmed is altered, and is sent again next time."""
    forgetful(workspace.sandbox, "C000007", monkeypatch)
    summary = workspace.run(verify=100)
    assert (summary.outcomes, summary.exit_code) == ({"updated": 39, "altered": 1}, 3)
    assert balanced(summary, workspace)
    assert summary.notes == ["40 updated contacts were read back at the end. Not as sent: 1."]
    (line,) = [line for line in workspace.lines() if line["sync_code"]]
    assert (line["contactId"], line["sync_code"], line["sync_fields"]) == ("C000007", "verified-differs", "firstname")
    monkeypatch.undo()
    assert workspace.run().outcomes == {"updated": 1, "unchanged": 39}


def test_without_it_nothing_is_read(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default a confirmation is believed."""
    forgetful(workspace.sandbox, "C000007", monkeypatch)
    assert (workspace.run().outcomes, workspace.run().requests) == ({"updated": 40}, 0)


def test_after_reading_first(workspace: Workspace) -> None:
    """A run that reads before it writes reads back at the end, too."""
    summary = workspace.run(live=True, verify=100)
    assert (summary.outcomes, summary.exit_code) == ({"updated": 40}, 0)
