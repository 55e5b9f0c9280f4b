"""Rows that fail every night, and the budget that the runs of one command share."""

from collections import Counter
from pathlib import Path

import pytest

from contact_sync.sandbox.faults import Behaviour
from contact_sync.sync.budget import Budget
from tests.sync.test_run import Row, Serve, Workspace

pytestmark = pytest.mark.unmeasured


@pytest.fixture
def workspace(tmp_path: Path, sandbox: Serve) -> Workspace:
    """Return a workspace without a source."""
    return Workspace(tmp_path, sandbox())


def fail_always(workspace: Workspace, *numbers: int) -> None:
    """Answer the updates of these contacts with an error of the API, whenever they come."""
    for number in numbers:
        workspace.sandbox.script[f"C{number:06}"] = [Behaviour(status=500)] * 99


def numbered(rows: int) -> list[Row]:
    """Return rows of the contacts 1 to `rows`."""
    return [(f"C{number:06}", f"Zoé {number}") for number in range(1, rows + 1)]


def test_rows_that_failed_come_last(workspace: Workspace) -> None:
    """With --limit, rows that fail every night do not keep the others from being sent."""
    workspace.write(*numbered(25))
    fail_always(workspace, *range(1, 11))
    for updated in (0, 10, 5, 0):
        summary = workspace.run(limit=10, attempts=1)
        assert summary.outcomes.get("updated", 0) == updated
    assert Counter(workspace.outcomes()) == {"unchanged": 15, "failed": 10}


def test_rows_that_failed_in_another_file_come_last(workspace: Workspace) -> None:
    """A row counts as failed by its contact, until another run has sent it."""
    fail_always(workspace, 1, 2)
    workspace.write(*numbered(2))
    workspace.run(attempts=1)
    other = workspace.folder / "other.csv"
    workspace.write(*reversed(numbered(4)), ("C000009", "Max"))
    workspace.source.rename(other)
    workspace.sandbox.script.clear()
    workspace.watcher.results.clear()
    workspace.run(source=other, workers=1)
    sent = [result.row.contact_id for result in workspace.watcher.results]
    assert sent == ["C000004", "C000003", "C000009", "C000002", "C000001"]
    workspace.watcher.results.clear()
    workspace.run(source=other, workers=1, resend=True)
    assert [result.row.contact_id for result in workspace.watcher.results] == [f"C{number:06}" for number in (4, 3, 2, 1, 9)]


def test_retry_sends_failed_rows_last(workspace: Workspace) -> None:
    """A resumed run sends the rows that were not sent first, and a limit counts both kinds."""
    workspace.write(*numbered(6))
    fail_always(workspace, 1, 2, 3)
    workspace.run(limit=3, attempts=1)
    workspace.watcher.results.clear()
    assert workspace.retry(workers=1, attempts=1, limit=4).outcomes == {"updated": 3, "failed": 3}
    tried = [result.row.number for result in workspace.watcher.results]
    assert tried == [5, 6, 7, 2, 2]  # row 2 once more in the second pass, row 3 and 4 not at all


def test_a_budget_is_shared(workspace: Workspace) -> None:
    """Runs of one command share its rows and its time; a file after the end of the budget is reported, and not sent."""
    budget = Budget.begin(rate=0, limit=4, max_duration=None)
    workspace.write(*numbered(3))
    assert workspace.run_within(budget, limit=4).outcomes == {"updated": 3}
    workspace.write(*[(contact_id, "Max") for contact_id, _ in numbered(3)])
    assert workspace.run_within(budget, limit=4).outcomes == {"updated": 1, "unprocessed": 2}
    assert workspace.run_within(budget, limit=4).outcomes == {"unchanged": 1, "unprocessed": 2}
    assert {line["sync_code"] for line in workspace.lines()} == {"", "limit"}
    budget.locks.close()
    budget = Budget.begin(rate=0, limit=None, max_duration=1e-9)
    assert workspace.run_within(budget, max_duration=1e-9).exit_code == 6
    budget.locks.close()


def test_failing_rows_within_the_limit(workspace: Workspace) -> None:
    """With --limit, first rows that always fail are not all of the rows that are tried, and never more than the limit are."""
    workspace.write(*numbered(100))
    for number in range(1, 61):
        workspace.sandbox.script[f"C{number:06}"] = [Behaviour(drop=True)] * 99
    assert workspace.run(limit=20, attempts=1).outcomes["unprocessed"] == 80
    assert "updated" in workspace.outcomes()


def close_always(workspace: Workspace, *numbers: int) -> None:
    """Answer no update of these contacts: close the connection."""
    for number in numbers:
        workspace.sandbox.script[f"C{number:06}"] = [Behaviour(drop=True)] * 99


@pytest.fixture
def short_probing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probe an API that seems to be down for a tenth of a second instead of 45 s."""
    monkeypatch.setattr("contact_sync.sync.delivery.PROBE_INTERVAL_S", 0.01)
    monkeypatch.setattr("contact_sync.sync.breaker.PROBE_TIMEOUT_S", 0.1)


@pytest.mark.usefixtures("short_probing")
@pytest.mark.parametrize("bad", [2, 60])
def test_rows_that_fail_every_night_alone(workspace: Workspace, bad: int) -> None:
    """Where only rows are left that failed beside good ones, an API that answers other requests is not down: each is tried."""
    workspace.write(*numbered(bad + 40))
    close_always(workspace, *range(1, bad + 1))
    assert workspace.run(attempts=1).exit_code == 3
    for _night in range(2):
        summary = workspace.run(attempts=1)
        assert (summary.exit_code, summary.outcomes) == (3, {"failed": bad, "unchanged": 40})
        assert any("SMS Partner answers other requests" in note for note in summary.notes)
    assert workspace.retry(attempts=1).exit_code == 3


@pytest.mark.usefixtures("short_probing")
def test_hundreds_of_rows_that_fail_every_night_alone(workspace: Workspace) -> None:
    """The same holds for more rows than an API with a fault of its own is asked for, whose errors may be in its own words."""
    workspace.write(*numbered(500))
    fail_always(workspace, *range(1, 451))
    assert workspace.run(attempts=1).exit_code == 3
    assert workspace.run(attempts=1).outcomes == {"failed": 450, "unchanged": 50}


@pytest.mark.usefixtures("short_probing")
def test_outage_of_updates_alone(workspace: Workspace) -> None:
    """While no update is answered the API is down, also when it answers other requests, night after night."""
    workspace.write(*numbered(6))
    close_always(workspace, *range(1, 7))
    for _night in range(3):
        assert workspace.run(attempts=1).exit_code == 6


@pytest.mark.usefixtures("short_probing")
def test_outage_with_a_row_that_has_not_failed(workspace: Workspace) -> None:
    """One row that did not fail last time is enough for an outage to be one."""
    workspace.write(*numbered(6))
    close_always(workspace, 1, 2)
    assert workspace.run(attempts=1).exit_code == 3
    workspace.write(*numbered(2), ("C000003", "Max"))
    close_always(workspace, 3)
    assert workspace.run(attempts=1).exit_code == 6


@pytest.mark.usefixtures("short_probing")
def test_outage_of_everything(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """When other requests are not answered either, the API is down, whatever has failed before."""
    workspace.write(*numbered(6))
    close_always(workspace, 1, 2)
    assert workspace.run(attempts=1).exit_code == 3
    monkeypatch.setattr(workspace.sandbox, "accepts", lambda _key: False)
    assert workspace.run(attempts=1).exit_code == 6
