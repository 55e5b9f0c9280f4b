"""Fixtures for the sending of rows."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contact_sync.ledger.sqlite import SqliteLedger
from tests.sync.sending import FINGERPRINTS, URL, Api, Run, Sending, send_pending


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    """Open an empty ledger in a file."""
    with SqliteLedger(tmp_path / "ledger.sqlite3", FINGERPRINTS) as opened:
        yield opened


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backoff is drawn at random from 0 up: always draw 0."""
    monkeypatch.setattr(random, "uniform", lambda low, _: low)


@pytest.fixture
def api() -> Api:
    """Return a made-up API."""
    return Api()


@pytest.fixture
def send_rows(ledger: SqliteLedger, api: Api, in_virtual_time: Run) -> Callable[..., Sending]:
    """Return a function that sends the pending rows to the made-up API."""

    def perform(**options: Any) -> Sending:
        sending: Sending = in_virtual_time(send_pending(ledger, URL, transport=api, **options))
        return sending

    return perform
