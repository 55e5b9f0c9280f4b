"""The sending stage against an API that is down, throttles or fails some rows; in virtual time."""

import random
from collections import Counter, deque
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import httpx
import pytest

from contact_sync.errors import UnavailableError
from contact_sync.ledger.store import Ledger
from contact_sync.model.pace import MAX_PAUSE_S
from contact_sync.model.report import lines_of
from contact_sync.sandbox.server import Call
from contact_sync.sync import breaker
from contact_sync.sync.pool import MAX_CANARIES
from tests.sync.sending import (
    FAILED,
    PENDING,
    UPDATED,
    Api,
    SendRows,
    answered,
    broken,
    confirmed,
    count,
    row,
    stage,
    within_budget,
)

pytestmark = pytest.mark.unmeasured

# ---- the canary


def test_canary_is_sent_alone(ledger: Ledger, api: Api, send_rows: SendRows) -> None:
    """No second request is sent before the API itself has answered the first; then all workers start."""
    stage(ledger, 30)
    api.latency = 1.0
    sending = send_rows(workers=8)
    assert count(ledger) == {UPDATED: 30}
    assert [call.at for call in api.calls[:2]] == [0.0, 1.0]
    assert api.most == 8
    assert sending.seconds == pytest.approx(1 + 4)


def test_canary_is_retried_alone(ledger: Ledger, api: Api, send_rows: SendRows) -> None:
    """Until the API itself answers, rows and their attempts are sent one at a time."""
    stage(ledger, 30)
    api.latency = 1.0
    api.answer = lambda call: broken() if row(call) in {1, 30} else confirmed(call)
    send_rows(workers=8, attempts=3)
    alone = api.calls[:7]
    assert [row(call) for call in alone] == [1, 1, 1, 30, 30, 30, 16]  # from different parts of the source
    assert all(later.at - earlier.at > 0.999 for earlier, later in pairwise(api.calls[:8]))
    assert count(ledger) == {UPDATED: 28, FAILED: 2}


@pytest.mark.parametrize(
    ("document", "status"),
    [({"success": False, "code": 404}, 404), ({"success": False, "code": 500}, 500), ({"success": True}, 200)],
)
def test_any_response_of_the_api_ends_the_canary(
    ledger: Ledger, api: Api, send_rows: SendRows, document: dict[str, Any], status: int
) -> None:
    """A refusal, an error in the API's format or an odd success of the first row show that it is the API."""
    stage(ledger, 30)
    api.latency = 1.0
    api.answer = lambda call: answered(document, status) if row(call) == 1 else confirmed(call)
    send_rows(workers=8)
    assert len({call.at for call in api.calls if 2 <= row(call) <= 9}) == 1


# ---- an API that is down


def down(until: float, since: float = 0.0) -> Callable[[Api], Callable[[Call], httpx.Response]]:
    """Answers of an API that is down for a while."""
    return lambda api: lambda call: broken(503) if since <= api.now < until else confirmed(call)


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 6, 20, 700])
@pytest.mark.parametrize("refused", [False, True])
def test_api_that_stays_down(ledger: Ledger, api: Api, send_rows: SendRows, rows: int, refused: bool) -> None:
    """An API that is down ends the run within a minute, after probing; most rows are left for the next run."""
    stage(ledger, rows)
    if refused:
        api.answer = lambda _: (_ for _ in ()).throw(httpx.ConnectError("refused"))
    else:
        api.answer = lambda _: broken()
    sending = send_rows(workers=8)
    assert sending.reasons == [UnavailableError]
    assert "check --base-url" in str(sending.shutdown.reasons[0])
    assert UPDATED not in count(ledger)
    assert breaker.PROBE_INTERVAL_S <= sending.seconds <= 60
    assert within_budget(sending, min(rows, count(ledger)[FAILED]))
    assert sending.requests <= 20 + 50
    assert len(api.calls) == sending.requests == ledger.attempts()[0]
    if rows >= 20:
        assert sending.seconds >= breaker.PROBE_TIMEOUT_S
        assert count(ledger)[PENDING] >= rows - 20


@pytest.mark.parametrize("rows", [20, 40, 700])
def test_api_that_comes_up_late(ledger: Ledger, api: Api, send_rows: SendRows, rows: int) -> None:
    """An API that is down for the first 30 seconds costs no row: those that failed are sent again at the end."""
    stage(ledger, rows)
    api.answer = down(30.0)(api)
    sending = send_rows(workers=8)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: rows})
    assert within_budget(sending, rows)
    assert sending.seconds < 30 + 2 * breaker.PROBE_INTERVAL_S  # after a successful probe no row waits for another


@pytest.mark.parametrize("outage", [1.0, 10.0, 40.0])
def test_outage_during_the_run(ledger: Ledger, api: Api, send_rows: SendRows, outage: float) -> None:
    """During an outage few requests are sent, and no row is lost."""
    stage(ledger, 700)
    api.answer = down(5.0 + outage, since=5.0)(api)
    sending = send_rows(workers=8, rate=50)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 700})
    assert sum(5.0 < call.at < 5.0 + outage for call in api.calls) <= 20 + 50 + outage / breaker.PROBE_INTERVAL_S


def test_probes_are_sent_one_at_a_time(ledger: Ledger, api: Api, send_rows: SendRows) -> None:
    """Once the breaker is open, one request at a time is sent, with a pause before each."""
    stage(ledger, 700)
    api.answer = down(1e9, since=2.0)(api)
    sending = send_rows(workers=8, rate=50)
    assert sending.reasons == [UnavailableError]
    probes = [call.at for call in api.calls if call.at > 7.0]
    assert 8 <= len(probes) <= 10
    assert min(later - earlier for earlier, later in pairwise(probes)) >= breaker.PROBE_INTERVAL_S


def test_other_rows_probe_the_api(ledger: Ledger, api: Api, send_rows: SendRows, no_backoff: None) -> None:
    """A row of another part of the source probes the API; a failing row is not retried as long as others can probe."""
    stage(ledger, 30)
    silent = {4, 5, 6, 7, 30}
    api.answer = lambda call: broken() if row(call) in silent else confirmed(call)
    send_rows(workers=1, attempts=9)
    asked = [row(call) for call in api.calls][3:]
    assert asked[:23] == [4] * 9 + [5] * 9 + [6] * 2 + [30, 18, 7]
    assert len(asked[:20]) == breaker.MAX_FAILURES


def test_api_that_never_answers(ledger: Ledger, api: Api, send_rows: SendRows) -> None:
    """Attempts that exceed the deadline count like any other failure."""
    stage(ledger, 700)
    api.answer = confirmed
    api.latency = 1e6
    sending = send_rows(workers=8, deadline=1.0)
    assert sending.reasons == [UnavailableError]
    assert sending.seconds < 20 + 10 + breaker.PROBE_TIMEOUT_S + 2 * breaker.PROBE_INTERVAL_S
    assert {line.code for line in lines_of(ledger.batches()) if line.outcome == FAILED} == {"api-no-answer"}


def test_canaries_without_an_api_response_open_the_breaker(ledger: Ledger, api: Api, send_rows: SendRows) -> None:
    """Five rows without a response of the API are enough, even at one attempt each."""
    stage(ledger, 40)
    api.answer = lambda _: answered("<h1>Hotel Wi-Fi: log in</h1>")
    sending = send_rows(workers=8, attempts=1)
    assert sending.reasons == [UnavailableError]
    early = [call for call in api.calls if call.at < breaker.PROBE_INTERVAL_S]
    assert len(early) == MAX_CANARIES
    assert {line.code for line in lines_of(ledger.batches()) if line.outcome == FAILED} == {"api-garbled"}


# ---- rows that the API cannot process


@pytest.mark.parametrize("answer", [broken, lambda: answered({"success": False, "code": 500}, 500)])
def test_failed_rows_do_not_make_the_api_look_down(
    ledger: Ledger, api: Api, send_rows: SendRows, answer: Callable[[], httpx.Response]
) -> None:
    """The second pass consists of failed rows only: when too many fail in a row it ends, and they stay failed."""
    stage(ledger, 600)
    api.answer = lambda call: answer() if row(call) % 20 == 0 else confirmed(call)
    sending = send_rows(workers=8, attempts=1)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 570, FAILED: 30})
    assert 600 + 20 <= sending.requests <= 600 + 30
    assert sending.seconds < breaker.PROBE_INTERVAL_S


def test_adjacent_failing_rows_do_not_end_the_run(ledger: Ledger, api: Api, send_rows: SendRows) -> None:
    """A failing row for every worker opens the breaker; other rows then probe the API, which is healthy."""
    stage(ledger, 100)
    api.answer = lambda call: broken() if 40 < row(call) <= 48 else confirmed(call)
    sending = send_rows(workers=8)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 92, FAILED: 8})


def test_api_that_is_down_at_the_end(ledger: Ledger, api: Api, send_rows: SendRows) -> None:
    """An API that was down when the first pass ended is probed in the second, and given up unless it recovers."""
    stage(ledger, 100)
    api.answer = lambda call: confirmed(call) if row(call) <= 70 else broken()
    sending = send_rows(workers=8)
    assert sending.reasons == [UnavailableError]
    assert "The API is down" in str(sending.shutdown.reasons[0])
    assert count(ledger)[UPDATED] == 70


def test_api_that_recovers_at_the_end(ledger: Ledger, api: Api, send_rows: SendRows, no_backoff: None) -> None:
    """An API that recovers in the second pass is healthy from then on."""
    stage(ledger, 4)
    api.answer = down(7.0)(api)
    sending = send_rows(workers=8)
    assert sending.reasons == []
    assert count(ledger) == {UPDATED: 3, FAILED: 1}


def gateway_error(_: Call) -> httpx.Response:
    """Return an error of a server before the API."""
    return answered("<h1>Internal Server Error</h1>", 500)


def row_error(_: Call | None = None) -> httpx.Response:
    """Return an error in the API's own words."""
    return answered({"success": False, "code": 500, "message": "Erreur interne"}, 500)


@pytest.mark.parametrize("error", [row_error, gateway_error])
@pytest.mark.parametrize("bad", [range(1, 61), range(1, 301), range(5, 540), range(200, 560)])
@pytest.mark.parametrize("workers", [1, 8])
def test_rows_with_errors_do_not_stop_the_others(
    *, ledger: Ledger, api: Api, send_rows: SendRows, error: Callable[..., httpx.Response], bad: range, workers: int
) -> None:
    """Hundreds of adjacent rows of a file always get an error: all others are sent in the same run."""
    rows = 600
    stage(ledger, rows)
    api.answer = lambda call: error(call) if row(call) in bad else confirmed(call)
    sending = send_rows(workers=workers)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: rows - len(bad), FAILED: len(bad)})
    assert within_budget(sending, rows)


def test_api_that_answers_every_row_with_an_error(ledger: Ledger, api: Api, send_rows: SendRows) -> None:
    """An API that answers hundreds of rows with an error, and none with anything else, counts as down."""
    stage(ledger, 3000)
    api.answer = row_error
    sending = send_rows(workers=8)
    assert sending.reasons == [UnavailableError]
    assert breaker.MAX_ROW_ERRORS <= sending.requests <= breaker.MAX_ROW_ERRORS + 20
    assert count(ledger)[PENDING] >= 3000 - breaker.MAX_ROW_ERRORS


@pytest.mark.parametrize("answer", [{"success": False, "code": 503}, {"success": False, "code": 429}])
@pytest.mark.parametrize("status", [200, 503])
def test_api_that_says_it_is_unavailable(
    ledger: Ledger, api: Api, send_rows: SendRows, answer: dict[str, Any], status: int
) -> None:
    """An API that says in its own words that it is unavailable or busy counts as down after the usual number of failures."""
    stage(ledger, 700)
    api.answer = lambda _: answered(answer, status)
    sending = send_rows(workers=8)
    assert sending.reasons == [UnavailableError]
    assert sending.requests <= breaker.MAX_FAILURES + 50


# ---- the retry budget


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 9))])
def test_retry_budget(*, ledger: Ledger, api: Api, send_rows: SendRows, no_backoff: None, share: float, seed: int) -> None:
    """Whatever share of the attempts fails, retries are at most a tenth of the requests and 50; at a tenth no row is lost."""
    stage(ledger, 1000)
    chance = random.Random(seed)
    api.answer = lambda call: broken(503) if chance.random() < share else confirmed(call)
    sending = send_rows(workers=8)
    assert sending.reasons == []
    assert within_budget(sending, 1000)
    assert ledger.attempts() == (sending.requests, sending.requests - 1000)
    if share == 0.1:
        assert count(ledger) == {UPDATED: 1000}
    else:
        assert sending.requests - 1000 >= 45 + 0.1 * sending.requests


# ---- throttling


def test_pause_applies_to_all_workers(ledger: Ledger, api: Api, send_rows: SendRows) -> None:
    """Between a 429 and the end of its Retry-After no worker sends a request."""
    stage(ledger, 100)

    def answer(call: Call) -> httpx.Response:
        if row(call) == 50 and sum(row(other) == 50 for other in api.calls) == 1:
            silences.append(api.now)
            return answered({"success": False, "code": 429}, 429, retry_after="20")
        return confirmed(call)

    silences: list[float] = []
    api.answer = answer
    sending = send_rows(workers=8, rate=50)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 100})
    (since,) = silences
    assert not [call for call in api.calls if since < call.at < since + 20]
    assert [call for call in api.calls if call.at >= since + 20]


@pytest.mark.parametrize("asked", ["301", "86400"])
def test_pause_that_is_too_long(ledger: Ledger, api: Api, send_rows: SendRows, asked: str) -> None:
    """A pause of more than five minutes ends the run."""
    stage(ledger, 100)
    api.answer = lambda call: confirmed(call) if row(call) < 50 else answered({"success": False}, 429, retry_after=asked)
    sending = send_rows(workers=8)
    assert sending.reasons == [UnavailableError]
    assert "asks to wait another" in str(sending.shutdown.reasons[0])
    assert sending.seconds < 10
    assert count(ledger)[PENDING] >= 100 - 49 - 8
    assert {result.http_status for result in sending.results if result.outcome is FAILED} == {429}


def test_longest_pause(ledger: Ledger, api: Api, send_rows: SendRows) -> None:
    """A pause of five minutes is waited for, once, by all workers that got it."""
    stage(ledger, 100)
    api.answer = lambda call: (
        confirmed(call) if api.now > 100 else answered({"success": False}, 503, retry_after=f"{MAX_PAUSE_S:.0f}")
    )
    sending = send_rows(workers=8)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 100})
    assert 300 <= sending.seconds < 310


def test_pauses_with_answers_between_them(ledger: Ledger, api: Api, send_rows: SendRows) -> None:
    """An API that throttles repeatedly but answers in between is waited for, however long that takes in total."""
    stage(ledger, 100)
    throttled: set[int] = set()

    def answer(call: Call) -> httpx.Response:
        if row(call) % 20 or row(call) in throttled:
            return confirmed(call)
        throttled.add(row(call))
        return answered({"success": False, "code": 429}, 429, retry_after="200")

    api.answer = answer
    sending = send_rows(workers=2)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 100})
    assert sending.seconds > 3 * MAX_PAUSE_S


@pytest.mark.parametrize("asked", ["0", "1", "2", "60", "300", "soon", "-1"])
def test_api_that_only_throttles(ledger: Ledger, api: Api, send_rows: SendRows, asked: str) -> None:
    """However long each pause, an API that only throttles ends the run within minutes."""
    stage(ledger, 700)
    api.answer = lambda _: answered({"success": False, "code": 429}, 429, retry_after=asked)
    sending = send_rows(workers=8, rate=5)
    assert sending.reasons == [UnavailableError]
    assert sending.seconds < 2 * MAX_PAUSE_S + 60
    assert count(ledger)[PENDING] > 600


@pytest.mark.parametrize("asked", ["0", "1", "-1", "soon", "9" * 30, "1e9", "Sat, 21 Oct 2023 07:28:00 GMT", ""])
@pytest.mark.parametrize("sent", [(1, 0), (8, 0), (700, 0), (8, 5), (700, 5), (700, 20), (700, 300)])
def test_api_that_throttles_without_a_useful_pause(
    ledger: Ledger, api: Api, send_rows: SendRows, asked: str, sent: tuple[int, float]
) -> None:
    """An API that asks for fewer requests and never says when it will answer is down after about a minute."""
    rows, rate = sent
    stage(ledger, rows)
    api.answer = lambda _: answered({"success": False, "code": 429}, 429, **({"retry_after": asked} if asked else {}))
    sending = send_rows(workers=8, rate=rate)
    assert UPDATED not in count(ledger)
    assert sending.reasons == ([UnavailableError] if rows > 1 else [])
    assert sending.seconds <= breaker.MAX_THROTTLED_S + breaker.PROBE_TIMEOUT_S + 2 * breaker.PROBE_INTERVAL_S


def test_limit_for_a_minute(ledger: Ledger, api: Api, send_rows: SendRows) -> None:
    """An API that accepts a number of updates in each minute, and does not say when the next one begins, costs no row."""
    stage(ledger, 120)
    taken: Counter[int] = Counter()

    def limit(call: Call) -> httpx.Response:
        minute = int(call.at // 60)
        if taken[minute] == 50:
            return answered({"success": False, "code": 429}, 429)
        taken[minute] += 1
        return confirmed(call)

    api.answer = limit
    sending = send_rows(workers=8, rate=5)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 120})


def test_rate_adapts_to_an_api_that_throttles(ledger: Ledger, api: Api, send_rows: SendRows) -> None:
    """An API that accepts three updates a second of twenty gets fewer and fewer requests, and no row is lost."""
    stage(ledger, 200)
    taken: deque[float] = deque(maxlen=3)

    def throttle(call: Call) -> httpx.Response:
        if len(taken) == 3 and taken[0] > call.at - 1:
            return answered({"success": False, "code": 429, "message": "Trop de requêtes"}, 429)
        taken.append(call.at)
        return confirmed(call)

    api.answer = throttle
    sending = send_rows(rate=20, workers=8)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 200})
    assert within_budget(sending, 200)
    assert sending.seconds < 90


@pytest.mark.parametrize("asked", ["3600000", "9" * 30, "1697873285"])
def test_absurd_pause(ledger: Ledger, api: Api, send_rows: SendRows, asked: str) -> None:
    """A pause that cannot be meant (years, or a Unix time without a clock to compare with) costs a retry and half the pace."""
    stage(ledger, 100)
    throttled = iter([True] * 3)
    api.answer = lambda call: (
        answered({"success": False}, 429, retry_after=asked) if row(call) > 50 and next(throttled, False) else confirmed(call)
    )
    sending = send_rows(workers=8)
    assert (sending.reasons, count(ledger)) == ([], {UPDATED: 100})


def test_foreign_answer_is_named(ledger: Ledger, api: Api, send_rows: SendRows) -> None:
    """A server whose successes are not the API's is named by its answer when the run gives up."""
    stage(ledger, 30)
    api.answer = lambda _: answered(["ok"], 200)
    sending = send_rows(workers=8)
    assert sending.reasons == [UnavailableError]
    assert "(HTTP 200, not the API's JSON)" in str(sending.shutdown.reasons[0])
    assert "--base-url" not in str(sending.shutdown.reasons[0])
