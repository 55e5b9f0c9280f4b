"""What tests of several modules begin with: a run in progress, a disk that is full, a user who may do nothing."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contact_sync.ledger import Ledger
from contact_sync.model import Layout, OutputPaths

REPORT = Path("contacts.results.csv")
LAYOUT = Layout(["contactId", "firstname"], ["A", "B"], {"contactId": 0, "firstname": 1}, ";")

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def begin_run(
    ledger: Ledger, run: str = "run", source: str = "contacts.csv", started: str = "2026-01-02T03:04:05Z", *, keep: bool = True
) -> None:
    """Begin a run of contacts with a name, whose rows take the place of the last one's before any of them is staged."""
    ledger.begin(run, OutputPaths(Path(source), REPORT, None, None, 0o600), started, LAYOUT, keep=keep)
    with ledger.staging():
        pass


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def somebody_else() -> Iterator[None]:
    """Be a user who may do nothing."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
