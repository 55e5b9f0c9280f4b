"""The shutdown, by itself and while rows are sent; in virtual time."""

import asyncio
import random
import signal
from collections.abc import Callable

import httpx
import pytest

from contact_sync.errors import AccessError, Interrupted, UnavailableError
from contact_sync.ledger.store import Ledger
from contact_sync.model.report import lines_of
from contact_sync.model.row import Result
from contact_sync.sandbox.server import Call
from contact_sync.sync.shutdown import Shutdown, Stopped
from tests.sync.sending import (
    FAILED,
    PENDING,
    UPDATED,
    URL,
    Api,
    Run,
    Sending,
    SendRows,
    answered,
    broken,
    confirmed,
    count,
    outcomes,
    payload,
    row,
    send_pending,
    stage,
)

# ---- while rows are sent


def at(seconds: float, act: Callable[[], None]) -> Callable[[Result], None]:
    """Return a tick that calls `act` some seconds after the first result."""
    pending = [act]

    def tick(_: Result) -> None:
        if pending:
            asyncio.get_running_loop().call_later(seconds, pending.pop())

    return tick


def test_shutdown_ends_backoff(ledger: Ledger, api: Api, send_rows: SendRows, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that wait for another attempt fail at once with their last failure."""
    stage(ledger, 100)
    monkeypatch.setattr(random, "uniform", lambda _low, _high: 1000.0)
    api.answer = lambda call: confirmed(call) if row(call) == 1 else broken(502)
    sending = Sending()
    send_rows(sending=sending, workers=8, tick=at(2.0, lambda: sending.shutdown.request(Interrupted(15))))
    assert sending.reasons == [Interrupted]
    assert sending.seconds == pytest.approx(2.0 + api.latency)
    assert count(ledger) == {UPDATED: 1, FAILED: 8, PENDING: 91}
    assert {(r.attempts, r.http_status) for r in sending.results if r.outcome is FAILED} == {(1, 502)}


def test_shutdown_with_many_rows_waiting(ledger: Ledger, api: Api, send_rows: SendRows) -> None:
    """Attempts in flight are awaited and recorded; rows that wait for the limiter stay pending."""
    stage(ledger, 600)
    api.latency = 3.0
    sending = Sending()
    send_rows(sending=sending, workers=8, rate=2, tick=at(5.25, lambda: sending.shutdown.request(Interrupted(15))))
    ordered = 3.0 + 5.25
    assert sending.reasons == [Interrupted]
    assert [call for call in api.calls if call.at > ordered] == []
    assert ordered < sending.seconds <= ordered + api.latency
    assert count(ledger) == {UPDATED: len(api.calls), PENDING: 600 - len(api.calls)}
    assert ledger.attempts() == (len(api.calls), 0)
    assert sending.requests == len(api.calls)


def test_shutdown_during_a_pause(ledger: Ledger, api: Api, send_rows: SendRows) -> None:
    """A pause does not delay the end, and an attempt that was still waiting for it is not counted."""
    stage(ledger, 100)
    api.answer = lambda call: confirmed(call) if row(call) < 9 else answered({"success": False}, 429, retry_after="200")
    sending = Sending()
    send_rows(sending=sending, workers=8, tick=at(10, lambda: sending.shutdown.request(Interrupted(2))))
    assert sending.reasons == [Interrupted]
    assert sending.seconds < 11
    assert PENDING in count(ledger)
    assert ledger.attempts()[0] == len(api.calls)


def test_shutdown_while_the_breaker_is_open(ledger: Ledger, api: Api, send_rows: SendRows) -> None:
    """Rows that wait to probe are not sent, though the probe before them succeeds."""
    stage(ledger, 100)
    api.latency = 1.0
    sending = Sending()

    def answer(call: Call) -> httpx.Response:
        if api.now < 20:
            return confirmed(call) if row(call) < 20 else broken()
        sending.shutdown.request(Interrupted(15))
        return confirmed(call)

    api.answer = answer
    send_rows(sending=sending, workers=8)
    assert sending.reasons == [Interrupted]
    assert len([call for call in api.calls if call.at > 19]) == 1


def test_shutdown_before_the_start(ledger: Ledger, api: Api, send_rows: SendRows) -> None:
    """A run that is stopped beforehand sends nothing, keeps all digests, and has only the given reason."""
    stage(ledger, 10)
    send_rows()
    api.calls.clear()
    stage(ledger, 10, "Léa")
    sending = Sending()
    sending.shutdown.request(Interrupted(15))
    send_rows(sending=sending)
    assert (sending.reasons, api.calls, count(ledger)) == ([Interrupted], [], {PENDING: 10})
    assert ledger.compare([(f"C{number:06}", payload(number)) for number in range(1, 11)]).in_place == [True] * 10


def test_shutdown_during_the_canary(ledger: Ledger, api: Api, send_rows: SendRows) -> None:
    """A shutdown while the first rows fail does not make the API look down."""
    stage(ledger, 10)
    api.answer = lambda _: broken()
    sending = Sending()
    send_rows(sending=sending, attempts=1, tick=at(0, lambda: sending.shutdown.request(Interrupted(15))))
    assert sending.reasons == [Interrupted]
    assert len(api.calls) <= 2


def test_shutdown_before_a_verification(ledger: Ledger, api: Api, send_rows: SendRows, no_backoff: None) -> None:
    """A shutdown leaves a row whose number is taken failed, and it is not verified any more."""
    stage(ledger, 2)
    sending, asked = Sending(), []

    def taken(call: Call) -> httpx.Response:
        if row(call) != 2:
            return confirmed(call)
        sending.shutdown.request(Interrupted(signal.SIGTERM))
        return answered({"success": False, "code": 15}, 400)

    def detail() -> httpx.Response:
        asked.append(1)
        return broken()

    api.answer, api.detail = taken, detail
    send_rows(sending=sending, rate=10)
    assert (sending.reasons, outcomes(ledger), asked) == ([Interrupted], {1: UPDATED, 2: FAILED}, [])
    assert ledger.attempts() == (2, 0)
    _, line = lines_of(ledger.batches())
    assert (line.code, line.http_status, line.api_code) == ("api-number-taken", 400, "15")


# ---- the time budget


@pytest.mark.parametrize("seconds", [10.0, 1e9])
def test_time_budget(ledger: Ledger, api: Api, send_rows: SendRows, seconds: float) -> None:
    """When the time is used up, attempts in flight are awaited and the rest stays pending."""
    stage(ledger, 100)
    sending = send_rows(workers=8, rate=5, seconds=seconds)
    if seconds > 100:
        assert (sending.reasons, count(ledger)) == ([], {UPDATED: 100})
        return
    assert sending.reasons == [UnavailableError]
    assert "--max-duration" in str(sending.shutdown.reasons[0])
    assert sending.seconds == pytest.approx(seconds, abs=0.1)
    assert 48 <= count(ledger)[UPDATED] <= 52
    assert count(ledger)[UPDATED] + count(ledger)[PENDING] == 100


def test_short_time_budget(ledger: Ledger, api: Api, send_rows: SendRows) -> None:
    """A time budget of less than a second is used."""
    stage(ledger, 100)
    sending = send_rows(rate=5, seconds=0.9)
    assert sending.reasons == [UnavailableError]
    assert 4 <= count(ledger)[UPDATED] <= 5


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_time_budget_that_is_already_used_up(ledger: Ledger, api: Api, send_rows: SendRows, seconds: float) -> None:
    """When loading took all the time, nothing is sent."""
    stage(ledger, 10)
    sending = send_rows(seconds=seconds)
    assert (sending.reasons, api.calls, count(ledger)) == ([UnavailableError], [], {PENDING: 10})


# ---- cancellation


def test_cancelled_run(ledger: Ledger, api: Api, in_virtual_time: Run) -> None:
    """Cancelling sends no further row, ends at once, and keeps the confirmed results."""
    stage(ledger, 100)
    sending = Sending()

    async def cancelled() -> None:
        working = asyncio.create_task(send_pending(ledger, URL, transport=api, sending=sending, workers=8, rate=10))
        await asyncio.sleep(3.005)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        assert len(asyncio.all_tasks()) <= 2  # this one, and the flusher that is about to end
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    in_virtual_time(cancelled())
    assert sending.seconds == pytest.approx(3.005)
    assert sending.reasons == []
    assert count(ledger) == {UPDATED: len(sending.results), PENDING: 100 - len(sending.results)}
    assert len(sending.results) >= 25


# ---- the request itself


def test_request_wakes_every_sleeper(in_virtual_time: Run) -> None:
    """Sleepers are woken at once, later ones do not fall asleep, and sleeps that have ended are not affected."""

    async def sleepers() -> list[object]:
        shutdown = Shutdown()
        loop = asyncio.get_running_loop()
        loop.call_later(1.0, shutdown.request, UnavailableError("Enough."))
        ended = await asyncio.gather(shutdown.sleep(0.5), shutdown.sleep(1000), shutdown.sleep(2000), return_exceptions=True)
        assert loop.time() == pytest.approx(1.0)
        with pytest.raises(Stopped):
            await shutdown.sleep(1000)
        assert loop.time() == pytest.approx(1.0)
        return [type(each) for each in ended]

    assert in_virtual_time(sleepers()) == [type(None), Stopped, Stopped]


@pytest.mark.parametrize("order_first", [True, False])
def test_request_at_the_end_of_a_sleep(in_virtual_time: Run, order_first: bool) -> None:
    """A request in the moment when a sleep ends stops it, whichever of the two comes first."""

    async def together() -> tuple[BaseException | None, list[object]]:
        shutdown = Shutdown()
        loop = asyncio.get_running_loop()
        mishaps: list[object] = []
        loop.set_exception_handler(lambda _, context: mishaps.append(context))
        if order_first:
            loop.call_at(1.0, shutdown._requested.set)
        sleeping = asyncio.create_task(shutdown.sleep(1.0))
        await asyncio.sleep(0)
        if not order_first:
            loop.call_at(1.0, shutdown._requested.set)
        await asyncio.wait([sleeping])
        return sleeping.exception(), mishaps

    ended, mishaps = in_virtual_time(together())
    assert isinstance(ended, Stopped)
    assert mishaps == []


def test_equal_reasons_are_noted_once() -> None:
    """A reason that several workers give is noted once; another one is noted as well."""
    shutdown = Shutdown()
    for text in ("one", "two", "one"):
        shutdown.request(AccessError(text))
    assert [str(reason) for reason in shutdown.reasons] == ["one", "two"]


def test_request_after_the_loop_has_ended(in_virtual_time: Run) -> None:
    """A signal that arrives while the report is written is noted."""
    shutdown = Shutdown()
    in_virtual_time(shutdown.sleep(0.1))
    shutdown.request(Interrupted(15))
    assert len(shutdown.reasons) == 1


def test_one_event_loop_after_the_other() -> None:
    """A shutdown is waited for in each of the event loops that a run has."""
    shutdown = Shutdown()
    for _ in range(2):
        asyncio.run(shutdown.sleep(0.01))
    shutdown.request(AccessError("Stop."))
    with pytest.raises(Stopped):
        asyncio.run(shutdown.sleep(60))
