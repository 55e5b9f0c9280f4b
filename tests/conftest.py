"""What the tests share."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from contact_sync.sandbox import Sandbox

Wait = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(scope="session")
def elsewhere() -> Iterator[Wait]:
    """A function that runs a coroutine in the event loop of another thread and waits for its result."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sandbox")
    thread.start()
    yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result(timeout=10)
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
