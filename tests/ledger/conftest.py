"""A ledger in a temporary folder."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from contact_sync.ledger.sqlite import SqliteLedger
from tests.ledger.rows import PRINTS, Open
from tests.setups import begin_run


@pytest.fixture
def where(tmp_path: Path) -> Path:
    """Return the path of the ledger."""
    return tmp_path / "account.sqlite3"


@pytest.fixture
def opened(where: Path) -> Iterator[Open]:
    """Return a function that opens the ledger and, by default, begins a run."""
    with ExitStack() as stack:
        count = 0

        def open_(*, begin: bool = True, keep: bool = True, read_only: bool = False) -> SqliteLedger:
            nonlocal count
            count += 1
            ledger = stack.enter_context(SqliteLedger(where, PRINTS, "account", read_only=read_only))
            if begin:
                begin_run(ledger, f"run-{count}", keep=keep)
            return ledger

        yield open_
