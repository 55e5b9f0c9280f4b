"""The orderly shutdown of a run: requested by a signal or by code that cannot go on, observed by all that send or wait."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from contact_sync.errors import ContactSyncError, Interrupted


class Stopped(Exception):  # noqa: N818 - a request, not an error
    """A shutdown was requested; raised in everything that waits."""


class Shutdown:
    """A request to start nothing new. Attempts in flight are awaited; what waits to start one gets Stopped."""

    def __init__(self) -> None:
        self.reasons: list[ContactSyncError] = []  # in the order of the requests; empty while the run goes on
        self._requested = asyncio.Event()
        self._raises = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def request(self, reason: ContactSyncError) -> None:
        """Request the shutdown; signal handlers may call it. A reason that several workers give is noted once."""
        if str(reason) not in map(str, self.reasons):
            self.reasons.append(reason)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._requested.set)

    @contextmanager
    def raised(self) -> Iterator[None]:
        """Raise the reason of a shutdown as soon as a signal requests it: for long work that leaves nothing behind."""
        self._raises = True
        try:
            if self.reasons:
                raise self.reasons[0]
            yield
        finally:
            self._raises = False

    def on_signal(self, signum: int) -> None:
        """Request the shutdown for a signal."""
        self.request(Interrupted(signum))
        if self._raises:
            raise self.reasons[0]

    async def sleep(self, seconds: float) -> None:
        """Sleep; raises Stopped as soon as the shutdown is requested."""
        loop = asyncio.get_running_loop()
        if self._loop not in {None, loop}:  # a run has several, one after the other, and an event belongs to one of them
            self._requested = asyncio.Event()
        self._loop = loop  # before `reasons` is read: a signal may arrive between any two lines
        if self.reasons:
            raise Stopped
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._requested.wait()
        if self._requested.is_set():
            raise Stopped


@contextmanager
def handle_signals(shutdown: Shutdown) -> Iterator[None]:
    """Request the shutdown at the first SIGINT, SIGTERM or SIGHUP, and exit at once at the second.

    A SIGHUP that was ignored at the start, as under nohup, stays ignored.
    """

    def on_signal(signum: int, _: FrameType | None) -> None:
        if any(isinstance(reason, Interrupted) for reason in shutdown.reasons):
            os._exit(Interrupted(signum).exit_code)  # the ledger survives that; nothing else is worth waiting for
        shutdown.on_signal(signum)

    heeded = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        heeded.append(signal.SIGHUP)
    before = {signum: signal.signal(signum, on_signal) for signum in heeded}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
