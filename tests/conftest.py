"""What the tests share."""

import asyncio
import gc
import logging
import os
import re
import selectors
import threading
import warnings
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from contact_sync.i18n import set_language
from contact_sync.sandbox.server import Sandbox

_READ = re.compile(r"CONTACT_SYNC_.*|LC_.*|LANG|LANGUAGE|SSL_CERT_(FILE|DIR)|(HTTPS?|ALL|NO)_PROXY")
"""What the program, or Python for it, reads in the environment; a proxy's variable in either case."""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """None of the variables that the program looks at is set, and what a test changes in the process is taken back."""
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
    """French, for one test."""
    set_language("fr")


Wait = Callable[[Coroutine[Any, Any, Any]], Any]


async def _end_the_others() -> None:
    """End what is still at an answer to a client that was killed."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@pytest.fixture(scope="session")
def elsewhere() -> Iterator[Wait]:
    """A function that runs a coroutine in the event loop of another thread and waits for its result."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sandbox")
    thread.start()
    yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result(timeout=10)
    asyncio.run_coroutine_threadsafe(_end_the_others(), loop).result(timeout=10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def sandbox(elsewhere: Wait) -> Iterator[Callable[..., Sandbox]]:
    """A function that takes what `Sandbox` takes and returns one that is served, at its `base_url`, until the test ends."""
    served = AsyncExitStack()

    def serve(**options: Any) -> Sandbox:
        started = Sandbox(**options)
        elsewhere(served.enter_async_context(started.serve()))
        return started

    yield serve
    elsewhere(served.aclose())


class LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still while anything runs and leaps over every wait; there is no real I/O in it."""

    def __init__(self) -> None:
        self._now = 0.0
        self._leaping = selectors.DefaultSelector()
        super().__init__(self._leaping)
        self._leaping.select = self._leap  # type: ignore[method-assign]

    def time(self) -> float:
        """The virtual time, in seconds."""
        return self._now

    def stall(self, seconds: float) -> None:
        """Let time pass while nobody gets to run."""
        self._now += seconds

    def _leap(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits for something that no time will bring"
        self._now += max(0.0, timeout)
        return []


@pytest.fixture(scope="session")
def in_no_time() -> Wait:
    """A function that runs a coroutine in an event loop of its own, in virtual time."""

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=LeapingLoop) as runner:
            return runner.run(coroutine)

    return run
