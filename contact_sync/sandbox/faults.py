"""Faults of the sandbox: a scripted behaviour for one update, or shares of random faults for all of them."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contact_sync.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Response to one update: as documented, unless `drop`, `status`, `code` or `body` replaces it."""

    delay: float = 0.0  # seconds before anything else happens
    drop: bool = False  # close the connection without a response
    status: int | None = None  # of the replacement; when nothing else is given, with an error envelope of the same code
    code: int | None = None  # of an error envelope; when `status` is not given, with the status the sandbox has for it
    body: bytes | None = None  # raw; with HTTP 200 when `status` is not given
    content_type: str = "application/json"  # of `body`
    headers: Mapping[str, str] = field(default_factory=dict)  # of the replacement (Retry-After, Location)
    applied: bool = False  # apply the update although the response is replaced
    alter: Mapping[str, Any] = field(default_factory=dict)  # fields that a success echoes with another value than the stored one

    @property
    def replaces_response(self) -> bool:
        """True when the documented response is not sent."""
        return self.drop or self.status is not None or self.code is not None or self.body is not None


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares of updates that go wrong, each 0 to 1 and at most 1 in total, and the parameters of the faults."""

    errors: float = 0.0  # responses with HTTP 500; not applied
    throttled: float = 0.0  # responses with HTTP 429 and Retry-After; not applied
    drops: float = 0.0  # connections closed without a response, half of them before the update is applied and half after it
    altered: float = 0.0  # updates applied, with the longest value one character shorter in the echo
    retry_after: float = 1.0  # seconds of Retry-After
    latency: float = 0.0  # seconds before every response
    seed: float = 1  # of the draws: the same requests in the same order get the same faults

    def draw(self, rng: random.Random, sent: Mapping[str, Any]) -> Behaviour:
        """Return the behaviour for an update of the fields `sent`."""
        longest = max(sent, key=lambda name: len(str(sent[name])), default="")
        behaviours = (
            Behaviour(self.latency, status=500),
            Behaviour(self.latency, status=429, headers={"Retry-After": f"{self.retry_after:g}"}),
            Behaviour(self.latency, drop=True),
            Behaviour(self.latency, drop=True, applied=True),
            Behaviour(self.latency, alter={longest: str(sent[longest])[:-1] or "?"} if sent else {}),
            Behaviour(self.latency),
        )
        shares = (self.errors, self.throttled, self.drops / 2, self.drops / 2, self.altered)
        return rng.choices(behaviours, (*shares, max(0.0, 1 - sum(shares))))[0]


_PART = re.compile(r"(?P<name>[a-z0-9-]+)=(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>%|ms|s|)")
_SHARE, _SECONDS, _NUMBER = {"%": 100}, {"ms": 1000, "s": 1, "": 1}, {"": 1}  # unit → divisor of the number
_PARTS = {
    "500": ("errors", _SHARE),
    "429": ("throttled", _SHARE),
    "drop": ("drops", _SHARE),
    "alter": ("altered", _SHARE),
    "retry-after": ("retry_after", _SECONDS),
    "latency": ("latency", _SECONDS),
    "seed": ("seed", _NUMBER),
}


def parse_faults(spec: str) -> Faults:
    """Parse a list such as `500=5%,429=2%,retry-after=2,latency=200ms,drop=1%,alter=1%,seed=7`; empty means no faults.

    Raises `ConfigError` for a part that is unknown or repeated, and for shares of more than 100% in total.
    """
    values: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in spec.split(","))):
        match = _PART.fullmatch(part)
        name, units = _PARTS.get(match["name"], ("", {})) if match else ("", {})
        if match is None or match["unit"] not in units or name in values:
            raise ConfigError(
                "--faults: “{part}” is unknown or repeated: write 500=5%, 429=2%, drop=1%, alter=1%, retry-after=2, "
                "latency=200ms or seed=7, each at most once, separated by commas.",
                part=part,
            )
        values[name] = float(match["number"]) / units[match["unit"]]
    faults = Faults(**values)
    if round(faults.errors + faults.throttled + faults.drops + faults.altered, 9) > 1:
        raise ConfigError("--faults: the shares in “{spec}” add up to more than 100%: lower them.", spec=spec)
    return faults
