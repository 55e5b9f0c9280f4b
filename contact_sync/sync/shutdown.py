"""The order to stop: given by a signal, or by whoever finds that going on is useless; obeyed by all who send or wait."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from contact_sync.errors import ContactSyncError, Interrupted


class Stopped(Exception):  # noqa: N818 - no error: the row's turn does not come
    """The run is to stop; raised in those who wait."""


class Shutdown:
    """The order to take no new row. What is in flight is awaited; whoever waits is sent away with Stopped."""

    def __init__(self) -> None:
        self.reasons: list[ContactSyncError] = []
        """Why, in the order the reasons came up; empty while nothing is wrong."""
        self._sleepers: set[asyncio.Future[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def request(self, reason: ContactSyncError) -> None:
        """Give the order; may be called from a signal. A reason that all workers come back with is noted once."""
        if str(reason) not in map(str, self.reasons):
            self.reasons.append(reason)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_exception(Stopped())

    async def sleep(self, seconds: float) -> None:
        """Sleep, or raise Stopped as soon as the order is given."""
        self._loop = asyncio.get_running_loop()  # before the look at `reasons`: a signal may come between any two lines
        if self.reasons:
            raise Stopped
        sleeper = self._loop.create_future()
        timer = self._loop.call_later(seconds, lambda: None if sleeper.done() else sleeper.set_result(None))
        self._sleepers.add(sleeper)
        try:
            await sleeper
        finally:
            timer.cancel()
            self._sleepers.discard(sleeper)


@contextmanager
def handle_signals(shutdown: Shutdown) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM stop the run in good order, and the second end it at once."""

    def order(signum: int, _: FrameType | None) -> None:
        if any(isinstance(reason, Interrupted) for reason in shutdown.reasons):
            os._exit(128 + signum)  # the ledger survives that; nothing else is worth waiting for
        shutdown.request(Interrupted(signum))

    before = {signum: signal.signal(signum, order) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
