"""What the end-to-end tests share."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contact_sync.sandbox.server import Sandbox

from .night import Night


@pytest.fixture
def nightly(tmp_path: Path, sandbox: Callable[..., Sandbox]) -> Iterator[Callable[..., Night]]:
    """A function that takes what `Sandbox` takes and returns a night; its processes end with the test."""
    nights: list[Night] = []

    def begin(**options: Any) -> Night:
        folder = tmp_path / f"night-{len(nights)}"
        folder.mkdir()
        nights.append(Night(folder, sandbox(**{"open_store": True} | options)))
        return nights[-1]

    yield begin
    for process in [process for night in nights for process in night.processes]:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def night(nightly: Callable[..., Night]) -> Night:
    """A night with a sandbox that knows everyone and does as documented."""
    return nightly()
