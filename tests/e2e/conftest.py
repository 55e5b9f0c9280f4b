"""Fixtures of the end-to-end tests."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contact_sync.sandbox.server import Sandbox

from .workspace import NewWorkspace, Workspace


@pytest.fixture
def new_workspace(tmp_path: Path, sandbox: Callable[..., Sandbox]) -> Iterator[NewWorkspace]:
    """Return a function that takes the options of `Sandbox` and returns a workspace; its processes end with the test."""
    workspaces: list[Workspace] = []

    def create(**options: Any) -> Workspace:
        folder = tmp_path / f"workspace-{len(workspaces)}"
        folder.mkdir()
        workspaces.append(Workspace(folder, sandbox(**{"open_store": True} | options)))
        return workspaces[-1]

    yield create
    for process in [process for workspace in workspaces for process in workspace.processes]:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def workspace(new_workspace: NewWorkspace) -> Workspace:
    """Return a workspace whose sandbox has every contact and no faults."""
    return new_workspace()
