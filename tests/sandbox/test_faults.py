"""Faults: their draws, their list on the command line, and their effect on updates."""

import random
import time

import httpx
import pytest

from contact_sync.errors import ConfigError
from contact_sync.sandbox.faults import Behaviour, Faults, parse_faults

from .clients import Post, Serve, error_of


def test_draws_repeat_with_their_seed() -> None:
    """Draws repeat with their seed, keep to their shares, and differ with another seed."""
    faults = Faults(errors=0.2, throttled=0.1, drops=0.2, altered=0.1)

    def drawn(seed: float) -> list[Behaviour]:
        chance = random.Random(seed)
        return [faults.draw(chance, {"firstname": "Ada"}) for _ in range(2000)]

    assert drawn(1) == drawn(1) != drawn(2)
    shares = {
        "errors": sum(one.status == 500 for one in drawn(1)),
        "throttled": sum(one.status == 429 for one in drawn(1)),
        "drops": sum(one.drop for one in drawn(1)),
        "altered": sum(bool(one.alter) for one in drawn(1)),
        "none": drawn(1).count(Behaviour()),
    }
    assert shares == pytest.approx({"errors": 400, "throttled": 200, "drops": 400, "altered": 200, "none": 800}, rel=0.2)


@pytest.mark.parametrize(
    ("spec", "faults"),
    [
        ("", Faults()),
        (
            "500=5%,429=2%,retry-after=2,latency=200ms,drop=1%,alter=1%,seed=7",
            Faults(errors=0.05, throttled=0.02, drops=0.01, altered=0.01, retry_after=2, latency=0.2, seed=7),
        ),
        (" 500=0.5% , latency=1.5s,", Faults(errors=0.005, latency=1.5)),
        ("500=10%,429=20%,drop=70%", Faults(errors=0.1, throttled=0.2, drops=0.7)),
        ("latency=2", Faults(latency=2)),
    ],
)
def test_parse_faults(spec: str, faults: Faults) -> None:
    """A list of faults is parsed with its units; each part is optional."""
    assert parse_faults(spec) == faults


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        ("500=5", "500=5"),
        ("500=5%,latency=5%", "latency=5%"),
        ("503=5%", "503=5%"),
        ("seed=7s", "seed=7s"),
        ("drop=-1%", "drop=-1%"),
        ("drop", "drop"),
        ("latency=nan", "latency=nan"),
        ("429=1%,429=2%", "429=2%"),
        ("500=60%,429=41%", "500=60%,429=41%"),
        ("500=101%", "500=101%"),
    ],
)
def test_invalid_faults_are_refused(spec: str, part: str) -> None:
    """An invalid part is named in one sentence that lists the valid ones."""
    with pytest.raises(ConfigError) as refused:
        parse_faults(spec)
    assert f"“{part}”" in str(refused.value)
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)


def test_share_of_errors(sandbox: Serve, post: Post) -> None:
    """With 500=100% every update fails and none is applied."""
    served = sandbox(faults=Faults(errors=1))
    assert error_of(post(served, firstname="A")) == (500, 500)
    assert served.applied == 0


def test_share_of_throttling(sandbox: Serve, post: Post) -> None:
    """With 429=100% every response has a Retry-After."""
    served = sandbox(faults=Faults(throttled=1, retry_after=2))
    response = post(served, firstname="A")
    assert error_of(response) == (429, 429)
    assert response.headers["retry-after"] == "2"


def test_share_of_drops(sandbox: Serve, post: Post) -> None:
    """With drop=100% no update gets a response, and about half of them are applied."""
    served = sandbox(faults=Faults(drops=1))
    for _ in range(40):
        with pytest.raises(httpx.RemoteProtocolError):
            post(served, firstname="A")
    assert 10 <= served.applied <= 30
    assert served.requests == 40


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        ({"firstname": "Ada", "url": ""}, {"firstname": "Ad", "url": ""}),
        ({"url": ""}, {"url": "?"}),
        ({"url": "h"}, {"url": "?"}),
    ],
)
def test_share_of_altered_echoes(sandbox: Serve, post: Post, sent: dict[str, str], echoed: dict[str, str]) -> None:
    """With alter=100% every update is applied and echoed with one value that differs."""
    served = sandbox(faults=Faults(altered=1))
    assert post(served, **sent).json()["contact"] == echoed | {"contactId": "C000001"}
    assert served.applied == 1


def test_update_without_fields_cannot_be_altered(sandbox: Serve, post: Post) -> None:
    """An update without a field is refused as usual, whatever the faults."""
    assert error_of(post(sandbox(faults=Faults(altered=1)))) == (400, 2)


def test_latency(sandbox: Serve, post: Post) -> None:
    """Latency comes before every response."""
    served = sandbox(faults=Faults(latency=0.03))
    started = time.monotonic()
    assert post(served, firstname="A").status_code == 200
    assert time.monotonic() - started >= 0.03


def test_faults_of_a_sandbox_follow_its_seed(sandbox: Serve, post: Post) -> None:
    """Two sandboxes with one seed respond alike, and one with another seed does not."""
    served = [sandbox(faults=Faults(errors=0.5, seed=seed)) for seed in (1, 1, 2)]
    first, second, other = ([post(one, firstname="A").status_code for _ in range(40)] for one in served)
    assert first == second != other
