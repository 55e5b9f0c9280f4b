"""`sandbox`."""

from collections.abc import Callable
from typing import Any

import pytest

from .program import Main


def test_sandbox_command(main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox is served on the given port with the given faults; invalid faults are exit 2."""
    seen: list[Any] = []

    def serve(port: int, faults: Any, announce: Callable[[str], None]) -> None:
        seen.append((port, faults.errors))
        announce("http://127.0.0.1:1/v1")

    monkeypatch.setattr("contact_sync.sandbox.server.serve_forever", serve)
    assert main("sandbox") == 0
    main.env["CONTACT_SYNC_PORT"] = "9"
    assert main("sandbox", "--faults", "500=5%") == 0
    assert seen == [(8080, 0), (9, 0.05)]
    assert main.read() == (
        "",
        "The sandbox is at http://127.0.0.1:1/v1 with 4000 contacts, C000001 to C004000 (Ctrl-C ends it).\n" * 2,
    )
    assert main("sandbox", "--faults", "lots") == 2
