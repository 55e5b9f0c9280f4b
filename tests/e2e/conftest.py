"""What the end-to-end tests share."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contact_sync.sandbox.server import Sandbox

from .workspace import Workspace


@pytest.fixture
def nightly(tmp_path: Path, sandbox: Callable[..., Sandbox]) -> Iterator[Callable[..., Workspace]]:
    """A function that takes what `Sandbox` takes and returns a night; its processes end with the test."""
    workspaces: list[Workspace] = []

    def begin(**options: Any) -> Workspace:
        folder = tmp_path / f"night-{len(workspaces)}"
        folder.mkdir()
        workspaces.append(Workspace(folder, sandbox(**{"open_store": True} | options)))
        return workspaces[-1]

    yield begin
    for process in [process for workspace in workspaces for process in workspace.processes]:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def workspace(nightly: Callable[..., Workspace]) -> Workspace:
    """A night with a sandbox that knows everyone and does as documented."""
    return nightly()
