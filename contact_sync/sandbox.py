"""A local stand-in for SMS Partner's API: what its pages document, and faults on request.

It answers on 127.0.0.1 alone, under `/v1`: `POST contact/update`, `GET contact/detail`, `GET contact/list`, `GET group/list` and
`GET me`. Names, envelopes and codes are those of the API's pages. What the pages leave open is decided here and is an assumption:

* HTTP statuses of errors: 401 for code 10, 403 for 20, 30, 40 and 96, 404 and 429 and 500 for the codes so named, else 400.
* A key left out of `contact` keeps the stored value; `""` and `null` empty it, the phone number included.
* Sending a contact its own number again is no conflict (code 15).
* A date of the form DD-MM-YYYY and a national French number are stored and echoed as YYYY-MM-DD and +33…; any other value is
  stored as it came, however long or wrong.
* A contact that is not an object, and a body that is no object, are codes 2 and 90; a page that is no page is the first.

Faults and scripted behaviours concern `contact/update` alone.
"""

import asyncio
import json
import os
import random
import re
import signal
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from aiohttp import web

from contact_sync.errors import ConfigError
from contact_sync.model import FIELDS

_LOOPBACK = "127.0.0.1"
_PAGE = 20  # contacts a page of contact/list, by its oldest page; never rely on it
_SEEDED = 4000
_REMEMBERED = 10_000  # contacts an open store holds, so that a run of any length fits in memory
_SHUTDOWN = 0.1  # seconds for answers under way when the server stops

_OK, _ID_MISSING, _CONTACT_MISSING, _KEY_WRONG, _NUMBER_TAKEN, _MALFORMED, _UNKNOWN = 200, 1, 2, 10, 15, 90, 404

_MESSAGES = {
    _ID_MISSING: "Le contactId est requis",
    _CONTACT_MISSING: "Les infos du contact sont requises",
    _KEY_WRONG: "Clef API incorrecte",
    _NUMBER_TAKEN: "Le numéro est déjà dans le groupe",
    20: "Le compte est désactivé",
    30: "Le compte est bloqué",
    40: "Accès à l'API refusé",
    _MALFORMED: "Le JSON est mal formé",
    96: "L'adresse IP n'est pas autorisée",
    _UNKNOWN: "Le contact n'existe pas",
    429: "Trop de requêtes",
    500: "Erreur interne",
}
_STATUSES = {_KEY_WRONG: 401, 20: 403, 30: 403, 40: 403, 96: 403, _UNKNOWN: 404, 429: 429, 500: 500}

# What a field is called in a write → in a read.
_READ_NAMES = {name: name for name in FIELDS} | {"phoneNumber": "phone", "shortUrlPartnr": "shortUrl"}
_CREATED = "2025-03-12T13:49:22+01:00"
_NOWHERE = 0  # the group of a contact made on the fly
_BLANK: dict[str, Any] = dict.fromkeys(_READ_NAMES.values(), "") | {"createdAt": _CREATED, "stopSms": False, "groupId": _NOWHERE}

_GROUPS = {6361: "Clients", 6362: "Prospects", 6363: "Adhérents", 6364: "Newsletter", 6365: "Événements"}
_FIRSTNAMES = ("Zoé", "Léa", "Inès", "Noël", "Chloé", "Hugo", "Anaïs", "Théo", "Maëlle", "Jean-Luc", "Camille")
_LASTNAMES = ("Dupré", "Lefèvre", "Martin", "Nuñez", "Le Goff", "D'Arcy", "Garçon", "Moreau", "Aït-Ali", "Roux", "Béranger", "Petit", "Œuvrard")
_TOWNS = ("Lyon", "Nîmes", "Besançon", "Orléans", "Brest", "Saint-Étienne", "Le Mans")

_DAY_FIRST = re.compile(r"[0-9]{2}-[0-9]{2}-[0-9]{4}")
_NATIONAL = re.compile(r"0[1-9][0-9]{8}")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one update is answered. Untouched, it is the documented way; `drop`, `status`, `code` and `body` answer instead."""

    delay: float = 0.0
    """Seconds before anything else happens."""
    drop: bool = False
    """Hang up without an answer."""
    status: int | None = None
    """The HTTP status; of its own, with an error envelope whose code is the same."""
    code: int | None = None
    """The code of an error envelope; of its own, with the status the sandbox gives that code."""
    body: bytes | None = None
    """A body as it is, with status 200 unless `status` says otherwise."""
    content_type: str = "application/json"
    """Of `body`."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent along with the answer given instead (Retry-After, Location)."""
    applied: bool = False
    """Whether the update is applied although something else is answered."""
    alter: Mapping[str, Any] = field(default_factory=dict)
    """What the echo of a successful update says in place of the truth."""

    @property
    def instead(self) -> bool:
        """Whether the documented answer is withheld."""
        return self.drop or self.status is not None or self.code is not None or self.body is not None

    def answer(self) -> web.Response:
        """The answer given instead of the documented one."""
        if self.body is None:
            return _refuse(self.code or self.status or _OK, status=self.status, headers=self.headers)
        return web.Response(body=self.body, status=self.status or _OK, headers={"Content-Type": self.content_type, **self.headers})


@dataclass(frozen=True, slots=True)
class Faults:
    """What share of the updates goes wrong, from 0 to 1, and how; never two things at once."""

    errors: float = 0.0
    """Answered with HTTP 500, not applied."""
    throttled: float = 0.0
    """Answered with HTTP 429 and Retry-After, not applied."""
    drops: float = 0.0
    """Connections closed without an answer, half of them before the update is applied and half after."""
    altered: float = 0.0
    """Applied and confirmed, with the longest value of the echo cut by a character."""
    retry_after: float = 1.0
    """Seconds that Retry-After asks for."""
    latency: float = 0.0
    """Seconds before every answer."""
    seed: float = 1.0
    """Where the draws start from; the same seed and order of requests meet the same faults."""

    def draw(self, chance: random.Random, sent: Mapping[str, Any]) -> Behaviour:
        """Return what happens to one update that sends `sent`."""
        half = self.drops / 2
        shares = (self.errors, self.throttled, half, half, self.altered)
        kinds = ("error", "throttle", "drop before", "drop after", "alter", "none")
        match chance.choices(kinds, (*shares, max(0.0, 1 - sum(shares))))[0]:
            case "error":
                return Behaviour(delay=self.latency, status=500)
            case "throttle":
                return Behaviour(delay=self.latency, status=429, headers={"Retry-After": f"{self.retry_after:g}"})
            case "drop before":
                return Behaviour(delay=self.latency, drop=True)
            case "drop after":
                return Behaviour(delay=self.latency, drop=True, applied=True)
            case "alter" if sent:
                name, value = max(sent.items(), key=lambda item: len(str(item[1])))
                return Behaviour(delay=self.latency, alter={name: str(value)[:-1]})
            case _:
                return Behaviour(delay=self.latency)


@dataclass(slots=True)
class Call:
    """A `contact/update` that was received, and how it was answered."""

    at: float
    """When it arrived, in seconds of the monotonic clock."""
    contact_id: str
    """Empty when there was none."""
    contact: dict[str, Any]
    """As sent; empty when there was none."""
    key_accepted: bool
    status: int = 0
    """The HTTP status that was answered; 0 until then, and when the connection was dropped."""
    applied: bool = False
    """Whether the store has the update."""


class Sandbox:
    """The stand-in: its contacts, and what it was asked.

    `key` is the only API key taken; None takes any but an empty one. `open_store` has every contactId exist: blank at first, in no
    group, the last 10,000 remembered, and no contacts of its own. `record` fills `calls`, which grow with every update.
    """

    def __init__(
        self, *, key: str | None = None, faults: Faults | None = None, open_store: bool = False, record: bool = True
    ) -> None:
        self.key, self.faults, self.open_store, self.record = key, faults or Faults(), open_store, record
        self.base_url = ""
        """Where it is served; empty before."""
        self.store: OrderedDict[str, dict[str, Any]] = OrderedDict() if open_store else OrderedDict(_seeded())
        """contactId → the contact in the words of `contact/detail` (`phone`, `shortUrl`)."""
        self.script: dict[str, list[Behaviour]] = {}
        """contactId → how its next attempts are answered, one each; then `faults` count again."""
        self.calls: list[Call] = []
        """Every update received, in order of arrival."""
        self.requests = 0
        """How many updates were received."""
        self.applied = 0
        """How many of them the store has taken."""
        self._owners = {(contact["groupId"], contact["phone"]): contact_id for contact_id, contact in self.store.items()}
        self._chance = random.Random(self.faults.seed)  # noqa: S311 - faults must repeat, nothing here is a secret
        self._reads: dict[str, Callable[[Mapping[str, str]], web.Response]] = {
            "/v1/contact/detail": self._detail,
            "/v1/contact/list": self._list,
            "/v1/group/list": self._groups,
            "/v1/me": self._me,
        }

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[str]:
        """Serve on a loopback port (0 = any free one) and yield the base URL; `ConfigError` when the port cannot be opened."""
        runner = web.ServerRunner(web.Server(self._answer, access_log=None), shutdown_timeout=_SHUTDOWN)
        await runner.setup()
        try:
            await web.TCPSite(runner, _LOOPBACK, port).start()
            self.base_url = f"http://{_LOOPBACK}:{runner.addresses[0][1]}/v1"
            yield self.base_url
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if request.method == "POST" and request.path == "/v1/contact/update":
            return await self._update(request)
        read = self._reads.get(request.path)
        if request.method != "GET" or read is None:
            return web.Response(status=404, text="Not Found")
        return read(request.query) if self._accepts(request.query.get("apiKey")) else _refuse(_KEY_WRONG)

    def _accepts(self, key: object) -> bool:
        return key == self.key if self.key is not None else isinstance(key, str) and key != ""

    async def _update(self, request: web.BaseRequest) -> web.Response:
        at = time.monotonic()
        self.requests += 1
        body = _parse(await request.read())
        call = _call(at, body or {}, self._accepts)
        ...
