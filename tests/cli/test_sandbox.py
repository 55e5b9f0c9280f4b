"""`sandbox`."""

from collections.abc import Callable
from typing import Any

import pytest

from contact_sync.sandbox.assumptions import Assumptions
from contact_sync.sandbox.server import Sandbox

from .program import Main


def test_sandbox_command(main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox is served on the given port with the given faults; invalid faults are exit 2."""
    seen: list[Any] = []

    def serve(sandbox: Sandbox, port: int, announce: Callable[[str], None]) -> None:
        seen.append((port, sandbox.faults.errors, len(sandbox.store), sandbox.store.assumptions))
        announce("http://127.0.0.1:1/v1")

    monkeypatch.setattr("contact_sync.sandbox.server.serve_forever", serve)
    assert main("sandbox") == 0
    main.env["CONTACT_SYNC_PORT"] = "9"
    more = ["--contacts", "1200000", "--assume", "total=page", "--assume", "page-size=500,not-clearing=date+url"]
    assert main("sandbox", "--faults", "500=5%", *more) == 0
    assumed = Assumptions(total="page", page_size="500", not_clearing="date+url")
    assert seen == [(8080, 0, 4000, Assumptions()), (9, 0.05, 1_200_000, assumed)]
    shown = "The sandbox is at http://127.0.0.1:1/v1 with {} contacts, C000001 to {}"
    shown += "; any key of 8 characters or more works (Ctrl-C ends it).\n"
    assert main.read() == ("", shown.format(4000, "C004000") + shown.format(1_200_000, "C1200000"))
    main.env["LANG"] = "fr_FR.UTF-8"
    assert main("sandbox", "--contacts", "1") == 0
    assert main.read().err.startswith("Le bac à sable est à l’adresse http://127.0.0.1:1/v1, avec 1 contact, C000001")
    del main.env["LANG"]
    assert main("sandbox", "--assume", "total=both") == 2
    assert main("sandbox", "--faults", "lots") == 2
