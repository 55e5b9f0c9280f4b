"""A local stand-in for SMS Partner's API: what its pages document, and faults on request.

It answers on 127.0.0.1 alone, under `/v1`: POST contact/update, GET contact/detail, contact/list, group/list and me. Names,
envelopes and codes are those of the API's pages. What the pages leave open is decided here, and is an assumption:

* The HTTP statuses of errors are undocumented: `_ERRORS` has the sandbox's, each comes with the envelope.
* A key left out of `contact` keeps the stored value; `""` and `null` empty it, the phone number included.
* A contact that is sent its own number again does not conflict with itself (code 15).
* A date DD-MM-YYYY is stored and echoed as YYYY-MM-DD, a national French number as +33…; any other value is kept as it came,
  however long or wrong, and a key that is not a field is echoed and forgotten.
* A JSON body that is not an object is malformed (code 90), whatever its Content-Type says. One over 1 MiB gets HTTP 413.

Faults and scripts concern contact/update alone.
"""

import asyncio
import json
import os
import random
import re
import signal
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from aiohttp import web

from contact_sync.errors import ConfigError
from contact_sync.model import FIELDS

_LOOPBACK = "127.0.0.1"
_PAGE = 20  # contacts a page of contact/list
_REMEMBERED = 10_000  # contacts an open store holds, so that a run of any length fits in memory
_SHUTDOWN = 0.1  # seconds granted to answers under way when the server stops

_OK = 200
# code → HTTP status, message
_ERRORS = {
    1: (400, "Le contactId est requis"),
    2: (400, "Les infos du contact sont requises"),
    10: (401, "Clef API incorrecte"),
    15: (400, "Le numéro est déjà dans le groupe"),
    20: (403, "Le compte est désactivé"),
    30: (403, "Le compte est bloqué"),
    40: (403, "L'accès à l'API est refusé"),
    90: (400, "Le JSON est mal formé"),
    96: (403, "L'adresse IP n'est pas autorisée"),
    404: (404, "Le contact n'existe pas"),
    429: (429, "Trop de requêtes effectuées en une minute"),
    500: (500, "Une erreur est survenue"),
}

# The name of a field in a write → its name in a read.
_READ_NAMES = {name: name for name in FIELDS} | {"phoneNumber": "phone", "shortUrlPartnr": "shortUrl"}
_CREATED = {"createdAt": "2025-03-12T13:49:22+01:00"}
_NOWHERE = 0  # the group of a contact that an open store made up
_BLANK: dict[str, Any] = dict.fromkeys(_READ_NAMES.values(), "") | _CREATED | {"stopSms": False, "groupId": _NOWHERE}

_GROUPS = {6361: "Clients", 6362: "Prospects", 6363: "Adhérents", 6364: "Newsletter", 6365: "Événements"}
_FIRSTNAMES = ("Zoé", "Léa", "Inès", "Noël", "Chloé", "Hugo", "Anaïs", "Théo", "Maëlle", "Jean-Luc", "Camille")
_LASTNAMES = ("Dupré", "Lefèvre", "Martin", "Nuñez", "D'Arcy", "Garçon", "Aït-Ali", "Roux", "Cœuret", "Le Goff")
_USER = {"username": "camille@example.com", "firstname": "Camille", "lastname": "Martin"}
_CREDITS = {"creditSms": 1000, "creditHlr": 500, "toSend": 0, "solde": "45.000", "currency": "EUR", "balance": "45.000"}

_DAY_FIRST = re.compile(r"[0-9]{2}-[0-9]{2}-[0-9]{4}")
_NATIONAL = re.compile(r"0[1-9][0-9]{8}")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one update is answered: as documented, unless `drop`, `status`, `code` or `body` puts something else in place of it."""

    delay: float = 0.0
    """Seconds before anything else happens."""
    drop: bool = False
    """Hang up without an answer."""
    status: int | None = None
    """This HTTP status; when nothing else is given, with an error envelope of the same code."""
    code: int | None = None
    """An error envelope with this code; when `status` is not given, with the status the sandbox has for it."""
    body: bytes | None = None
    """This body as it is; with HTTP 200 when `status` is not given."""
    content_type: str = "application/json"
    """The Content-Type of `body`."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of what is answered instead (Retry-After, Location)."""
    applied: bool = False
    """Whether the update is applied although something else is answered."""
    alter: Mapping[str, Any] = field(default_factory=dict)
    """What a documented success echoes in place of the truth."""

    @property
    def instead(self) -> bool:
        """Whether something else takes the place of the documented answer."""
        return self.drop or self.status is not None or self.code is not None or self.body is not None

    def answer(self) -> web.Response:
        """Return what takes its place."""
        if self.body is None:
            return _refuse(self.code or self.status or 0, status=self.status, headers=self.headers)
        return web.Response(
            body=self.body, status=self.status or _OK, headers={"Content-Type": self.content_type, **self.headers}
        )


@dataclass(frozen=True, slots=True)
class Faults:
    """The share of updates that go wrong, each 0 to 1 and together 1 at most, and how they do."""

    errors: float = 0.0
    """Answered with HTTP 500; not applied."""
    throttled: float = 0.0
    """Answered with HTTP 429 and Retry-After; not applied."""
    drops: float = 0.0
    """Connections closed without an answer, half of them before the update is applied and half after it."""
    altered: float = 0.0
    """Applied, with the longest value cut by a character in the echo."""
    retry_after: float = 1.0
    """Seconds of Retry-After."""
    latency: float = 0.0
    """Seconds before every answer."""
    seed: float = 1
    """Where the draws start: the same requests in the same order meet the same faults."""

    def draw(self, chance: random.Random, sent: Mapping[str, Any]) -> Behaviour:
        """Return what an update that sends `sent` meets."""
        half = self.drops / 2
        shares = (self.errors, self.throttled, half, half, self.altered)
        kinds = ("error", "throttle", "drop", "drop after", "alter", "none")
        match chance.choices(kinds, (*shares, max(0.0, 1 - sum(shares))))[0]:
            case "error":
                return Behaviour(delay=self.latency, status=500)
            case "throttle":
                return Behaviour(delay=self.latency, status=429, headers={"Retry-After": f"{self.retry_after:g}"})
            case "drop":
                return Behaviour(delay=self.latency, drop=True)
            case "drop after":
                return Behaviour(delay=self.latency, drop=True, applied=True)
            case "alter" if sent:
                name, value = max(sent.items(), key=lambda item: len(str(item[1])))
                return Behaviour(delay=self.latency, alter={name: str(value)[:-1] or "?"})
            case _:
                return Behaviour(delay=self.latency)


_PART = re.compile(r"(?P<name>[a-z0-9-]+)=(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>%|ms|s|)")
_SHARE, _SECONDS, _NUMBER = {"%": 100}, {"ms": 1000, "s": 1, "": 1}, {"": 1}  # unit → what divides the number
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
    """Return the faults of a text such as `500=5%,429=2%,retry-after=2,latency=200ms,drop=1%,alter=1%,seed=7`; none when empty.

    `ConfigError` names the part that is not understood or given twice, or says that the shares are too much together.
    """
    values: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in spec.split(","))):
        match = _PART.fullmatch(part)
        name, units = _PARTS.get(match["name"], ("", {})) if match else ("", {})
        if match is None or match["unit"] not in units or name in values:
            raise ConfigError(
                f"Of the faults, “{part}” is not understood or given twice: write 500=5%, 429=2%, drop=1%, alter=1%, "
                "retry-after=2, latency=200ms or seed=7, each once at most, with commas between."
            )
        values[name] = float(match["number"]) / units[match["unit"]]
    faults = Faults(**values)
    if round(faults.errors + faults.throttled + faults.drops + faults.altered, 9) > 1:
        raise ConfigError(f"Of the faults, the shares in “{spec}” are more than 100% together: lower them.")
    return faults


@dataclass(slots=True)
class Call:
    """An update that was received, and how it was answered."""

    at: float
    """When it arrived, in seconds of `time.monotonic`."""
    contact_id: str
    """Empty when there was none."""
    contact: dict[str, Any]
    """What was sent; empty when there was nothing."""
    key_accepted: bool
    """Whether its API key is one the sandbox takes."""
    status: int = 0
    """The HTTP status of the answer; 0 before it, and for good when the connection was dropped."""
    applied: bool = False
    """Whether the store took the update."""


class Sandbox:
    """The stand-in: its contacts, and what it was asked.

    `key` is the one API key it takes; without it, any that is not empty. With `open_store` every contactId exists, at first
    blank and in no group: nothing else is in such a store, and it remembers the newest 10,000. `record` fills `calls`.
    """

    def __init__(
        self, *, key: str | None = None, faults: Faults | None = None, open_store: bool = False, record: bool = True
    ) -> None:
        self.key, self.faults, self.open_store, self.record = key, faults or Faults(), open_store, record
        self.base_url = ""
        """Where it is served; empty before."""
        self.store = OrderedDict(() if open_store else _made_up_contacts())
        """contactId → the contact, in the words of contact/detail (`phone`, not `phoneNumber`)."""
        self.script: dict[str, list[Behaviour]] = {}
        """contactId → how its next updates are answered, used up one by one; after them `faults` counts again."""
        self.calls: list[Call] = []
        """The updates received, in the order of their arrival."""
        self.requests = self.applied = 0
        """How many updates were received, and how many of them the store took."""
        self._owners = {(contact["groupId"], contact["phone"]): contact_id for contact_id, contact in self.store.items()}
        self._chance = random.Random(self.faults.seed)  # noqa: S311 - must repeat; nothing here is a secret

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[str]:
        """Serve on a loopback port (0: any that is free) and yield the base URL; `ConfigError` when it cannot be opened."""
        runner = web.ServerRunner(web.Server(self._answer, access_log=None), shutdown_timeout=_SHUTDOWN)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, _LOOPBACK, port).start()
            except OSError as error:
                raise ConfigError(f"Port {port} cannot be opened ({os.strerror(error.errno or 0)}): choose another.") from error
            self.base_url = f"http://{_LOOPBACK}:{runner.addresses[0][1]}/v1"
            yield self.base_url
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if request.method == "POST" and request.path == "/v1/contact/update":
            return await self._update(request)
        reads = {
            "/v1/contact/detail": self._detail,
            "/v1/contact/list": self._list,
            "/v1/group/list": _list_groups,
            "/v1/me": _describe_account,
        }
        if request.method != "GET" or request.path not in reads:
            return web.Response(status=404, text="Not Found")
        query = request.query
        return reads[request.path](query) if self._accepts(query.get("apiKey")) else _refuse(10)

    def _accepts(self, key: object) -> bool:
        return key == self.key if self.key is not None else isinstance(key, str) and bool(key)

    async def _update(self, request: web.BaseRequest) -> web.Response:
        at = time.monotonic()
        self.requests += 1
        body = _parse(await request.read())
        call = self._call(at, body or {})
        if self.record:
            self.calls.append(call)
        scripted = self.script.get(call.contact_id)
        behaviour = scripted.pop(0) if scripted else self.faults.draw(self._chance, call.contact)
        if behaviour.delay:
            await asyncio.sleep(behaviour.delay)
        code = 90
        if body is not None and (behaviour.applied or not behaviour.instead):
            code = self._apply(call)
        if behaviour.drop:
            request.protocol.force_close()
            return web.Response()  # goes nowhere
        if behaviour.instead:
            response = behaviour.answer()
        elif code == _OK:
            response = _succeed(contact={**_stored(call.contact), "contactId": call.contact_id, **behaviour.alter})
        else:
            response = _refuse(code)
        call.status = response.status
        return response

    def _call(self, at: float, body: dict[str, Any]) -> Call:
        contact_id, contact, key = body.get("contactId"), body.get("contact"), body.get("apiKey")
        contact_id = contact_id if isinstance(contact_id, str) else ""
        contact = contact if isinstance(contact, dict) else {}
        return Call(at, contact_id, contact, self._accepts(key))

    def _apply(self, call: Call) -> int:
        """Change the store as `call` asks and return 200, or the code of the first thing that is wrong."""
        if not call.key_accepted:
            return 10
        if not call.contact_id:
            return 1
        if not call.contact:
            return 2
        contact = self._find(call.contact_id)
        if contact is None:
            return 404
        sent = _stored(call.contact)
        changes = {_READ_NAMES[name]: "" if sent[name] is None else str(sent[name]) for name in sent if name in _READ_NAMES}
        if not self._own(call.contact_id, contact, changes.get("phone", contact["phone"])):
            return 15
        contact.update(changes)
        call.applied = True
        self.applied += 1
        return _OK

    def _find(self, contact_id: str) -> dict[str, Any] | None:
        contact = self.store.get(contact_id)
        if contact is None and self.open_store:
            contact = self.store[contact_id] = dict(_BLANK)
            if len(self.store) > _REMEMBERED:
                self.store.popitem(last=False)
        return contact

    def _own(self, contact_id: str, contact: dict[str, Any], phone: str) -> bool:
        """Make the contact the owner of `phone`; False when another of its group has it."""
        group = contact["groupId"]
        if group == _NOWHERE or phone == contact["phone"]:
            return True
        if phone and self._owners.setdefault((group, phone), contact_id) != contact_id:
            return False
        self._owners.pop((group, contact["phone"]), None)
        return True

    def _detail(self, query: Mapping[str, str]) -> web.Response:
        contact_id = query.get("contactId")
        if not contact_id:
            return _refuse(1)
        contact = self._find(contact_id)
        return _refuse(404) if contact is None else _succeed(contact={"contactId": contact_id} | contact)

    def _list(self, query: Mapping[str, str]) -> web.Response:
        group, page = query.get("groupId"), query.get("page", "")
        if not group:
            return _refuse(1, message="Le groupId est requis")
        number = max(1, int(page)) if page.isdecimal() else 1
        members = [contact_id for contact_id, contact in self.store.items() if str(contact["groupId"]) == group]
        datas = [{"contactId": each} | self.store[each] for each in members[(number - 1) * _PAGE : number * _PAGE]]
        for contact in datas:
            del contact["groupId"]  # in contact/detail alone
        return _succeed(currentPage=number, total=str(len(members)), datas=datas)


def serve_forever(port: int, faults: Faults, announce: Callable[[str], None]) -> None:
    """Serve a sandbox until SIGINT or SIGTERM; `announce` gets the base URL. `ConfigError` when the port cannot be opened."""

    async def until_stopped() -> None:
        stopped = asyncio.Event()
        for signum in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signum, stopped.set)
        async with Sandbox(faults=faults, record=False).serve(port) as base_url:
            announce(base_url)
            await stopped.wait()

    asyncio.run(until_stopped())


def _made_up_contacts() -> Iterator[tuple[str, dict[str, Any]]]:
    groups = list(_GROUPS)
    for number in range(4000):
        made_up = {
            "phone": f"+3363998{number:04}",  # a range that ARCEP keeps for fiction
            "firstname": _FIRSTNAMES[number % len(_FIRSTNAMES)],
            "lastname": _LASTNAMES[number % len(_LASTNAMES)],
            "date": str(date(1940, 1, 1) + timedelta(days=number * 6)),
            "stopSms": number % 50 == 0,
            "groupId": groups[number % len(groups)],
        }
        yield f"C{number + 1:06}", _BLANK | made_up


def _parse(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object, None when it is anything else."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _stored(contact: dict[str, Any]) -> dict[str, Any]:
    """Return what was sent in the way it is stored and echoed."""
    stored = dict(contact)
    day, phone = stored.get("date"), stored.get("phoneNumber")
    if isinstance(day, str) and _DAY_FIRST.fullmatch(day):
        stored["date"] = "-".join(reversed(day.split("-")))
    if isinstance(phone, str) and _NATIONAL.fullmatch(phone):
        stored["phoneNumber"] = "+33" + phone[1:]
    return stored


def _list_groups(_: Mapping[str, str]) -> web.Response:
    flags = {"isSpecialFile": False, "isLocationFile": False}
    return _succeed(groups=[{"id": str(number), "name": name} | _CREATED | flags for number, name in _GROUPS.items()])


def _describe_account(_: Mapping[str, str]) -> web.Response:
    return _succeed(user=_USER, credits=_CREDITS)


def _succeed(**document: Any) -> web.Response:
    return _respond({"success": True, "code": _OK} | document)


def _refuse(code: int, *, message: str = "", status: int | None = None, headers: Mapping[str, str] | None = None) -> web.Response:
    usual, sentence = _ERRORS.get(code, (400, "Une erreur est survenue"))
    return _respond({"success": False, "code": code, "message": message or sentence}, status or usual, headers)


def _respond(document: dict[str, Any], status: int = _OK, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=json.dumps(document).encode(), status=status, headers=headers, content_type="application/json")
