"""Setups that tests of several folders share: a run in progress, a full disk, an unprivileged user."""

import os
import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from contact_sync.ledger.sqlite.database import Database
from contact_sync.ledger.store import Ledger
from contact_sync.model.source import Layout, OutputPaths

REPORT = Path("contacts.results.csv")
LAYOUT = Layout(["contactId", "firstname"], ["A", "B"], {"contactId": 0, "firstname": 1}, ";")

requires_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can switch to another user")


def begin_run(
    ledger: Ledger, run: str = "run", source: str = "contacts.csv", started: str = "2026-01-02T03:04:05Z", *, keep: bool = True
) -> None:
    """Begin a run of contacts with a first name; its rows replace those of the last run."""
    ledger.begin_run(run, OutputPaths(Path(source), {"report": REPORT}, 0o600), started, LAYOUT, keep=keep)
    with ledger.staging():
        pass


def edit(ledger: Path, statement: str, *values: object) -> None:
    """Change a ledger as the program would, so that it is not taken for damaged."""
    with closing(Database(ledger, ledger.stem)) as database:
        database.write(statement, *values)


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Limit the size of every file to `size` bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def unprivileged_user() -> Iterator[None]:
    """Be a user without permissions."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
