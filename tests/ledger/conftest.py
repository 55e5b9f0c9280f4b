"""A ledger in a temporary folder, on each engine; and a PostgreSQL server."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from contact_sync.ledger.sqlite import SqliteLedger
from tests.ledger.rows import Engine, Open
from tests.postgres import Server
from tests.setups import begin_run


@pytest.fixture
def where(tmp_path: Path) -> Path:
    """Return the path of the ledger."""
    return tmp_path / "account.sqlite3"


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Return each engine."""
    if request.param == "sqlite":
        return Engine()
    server: Server = request.getfixturevalue("postgres")
    return Engine(server.url())


@pytest.fixture
def opened(where: Path, engine: Engine) -> Iterator[Open]:
    """Return a function that opens the ledger and, by default, begins a run."""
    with ExitStack() as stack:
        count = 0

        def open_(*, begin: bool = True, keep: bool = True, read_only: bool = False) -> SqliteLedger:
            nonlocal count
            count += 1
            ledger = stack.enter_context(engine(where, read_only=read_only))
            if begin:
                begin_run(ledger, f"run-{count}", keep=keep)
            return ledger

        yield open_
