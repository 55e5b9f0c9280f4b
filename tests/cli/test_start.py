"""What the program imports before it is needed: the start of every command waits for it."""

import subprocess
import sys

import pytest

from tests.ledger.rows import UNMEASURED


@pytest.mark.parametrize(
    ("module", "spared"),
    [
        ("contact_sync.cli.main", {"contact_sync.model", "logging", "platformdirs", "json"}),
        (
            "contact_sync.cli.runner",
            {"aiohttp", "http.client", "httpx", "numpy", "pandas", "openpyxl", "tqdm", "contact_sync.sandbox.server"},
        ),
        ("contact_sync.sync.send", {"aiohttp", "numpy", "pandas", "contact_sync.sandbox.server"}),
    ],
)
def test_what_is_not_needed_is_not_imported(module: str, spared: set[str]) -> None:
    """The version needs neither nouns nor a log, a check no HTTP client, a night without a change no connection."""
    script = f"import sys, {module}; print(*sys.modules)"
    command = [sys.executable, "-c", script]
    imported = subprocess.run(command, check=True, capture_output=True, text=True, env=UNMEASURED).stdout.split()
    assert spared & set(imported) == set()
