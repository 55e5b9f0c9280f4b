"""Fixtures of all tests, and the settings of property tests."""

import asyncio
import gc
import logging
import os
import re
import secrets
import selectors
import threading
import warnings
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest

from contact_sync.i18n import set_language
from contact_sync.sandbox.server import Sandbox
from tests.postgres import Server, binaries, serve

# A busy machine must not fail a property test: no deadline, and no check of how fast examples are generated.
# `make soak` takes the thorough profile.
for profile, examples in (("any machine", 50), ("thorough", 500)):
    hypothesis.settings.register_profile(
        profile, max_examples=examples, deadline=None, print_blob=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
hypothesis.settings.load_profile("any machine")

_UNMEASURED = ("e2e", "i18n")  # folders of tests that are all so marked

_TIMEOUT_S = 60  # for anything in the other thread; far more than it takes
_READ = re.compile(r"CONTACT_SYNC_.*|LC_.*|LANG|LANGUAGE|SSL_CERT_(FILE|DIR)|(HTTPS?|ALL|NO)_PROXY")
"""Variables that the program or its libraries read; a proxy's in either case."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of whole folders."""
    for item in items:
        if item.path.relative_to(Path(__file__).parent).parts[0] in _UNMEASURED:
            item.add_marker("unmeasured")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Unset the environment variables that the program reads, and restore what a test changes in the process."""
    for name in filter(lambda name: _READ.fullmatch(name.upper()), list(os.environ)):
        monkeypatch.delenv(name)
    umask = os.umask(0o022)
    root, ours = logging.getLogger(), logging.getLogger("contact_sync")
    handlers, levels, raising, showing = root.handlers[:], (root.level, ours.level), logging.raiseExceptions, warnings.showwarning
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:], logging.raiseExceptions, warnings.showwarning = handlers, raising, showing
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    os.umask(umask)
    gc.enable()
    set_language("en")


@pytest.fixture
def french() -> None:
    """Use French in one test."""
    set_language("fr")


RunCoroutine = Callable[[Coroutine[Any, Any, Any]], Any]


async def _cancel_other_tasks() -> None:
    """Cancel the responses that are still in progress after their client was killed."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture(scope="session")
def in_server_thread() -> Iterator[RunCoroutine]:
    """Return a function that runs a coroutine in the event loop of another thread and waits for its result."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sandbox")
    thread.start()
    yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result(timeout=_TIMEOUT_S)
    asyncio.run_coroutine_threadsafe(_cancel_other_tasks(), loop).result(timeout=_TIMEOUT_S)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Serve a PostgreSQL server, or skip the test where none is installed; the checks of a change never skip it."""
    if binaries() is None:
        assert "CI" not in os.environ, "PostgreSQL is not installed"
        pytest.skip("PostgreSQL (initdb) is not installed")
    with serve() as server:
        yield server


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    """Return the name of a new database."""
    name = f"d{secrets.token_hex(6)}"
    with psycopg.connect(postgres.url(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    yield name
    with psycopg.connect(postgres.url(), autocommit=True) as admin:  # a test may have restarted the server
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def sandbox(in_server_thread: RunCoroutine) -> Iterator[Callable[..., Sandbox]]:
    """Return a function that takes the options of `Sandbox` and returns one that is served until the test ends."""
    served = AsyncExitStack()

    def serve(**options: Any) -> Sandbox:
        started = Sandbox(**options)
        in_server_thread(served.enter_async_context(started.serve()))
        return started

    yield serve
    in_server_thread(served.aclose())


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time: its clock stops while code runs and jumps over every wait. It does no real I/O."""

    def __init__(self) -> None:
        self._now = 0.0
        self._selector = selectors.DefaultSelector()
        super().__init__(self._selector)
        self._selector.select = self._jump  # type: ignore[method-assign]

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Advance the clock while no task runs, as when the machine sleeps."""
        self._now += seconds

    def _jump(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "deadlock: every task waits, and no timer is set"
        self._now += max(0.0, timeout)
        return []


@pytest.fixture(scope="session")
def in_virtual_time() -> RunCoroutine:
    """Return a function that runs a coroutine in virtual time, in an event loop of its own."""

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            return runner.run(coroutine)

    return run
