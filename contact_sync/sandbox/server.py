"""HTTP server of the sandbox: the documented behaviour of SMS Partner's API on 127.0.0.1, under `/v1`.

Names, envelopes and codes are those of the API's pages. The pages leave some things open: some can be chosen (`assumptions`), the
others are assumed here:

* The HTTP statuses of errors are undocumented: `_ERRORS` has the sandbox's; each comes with the envelope.
* `null` is `""`.
* A date DD-MM-YYYY is stored and echoed as YYYY-MM-DD, a national French number as +33…; any other value is stored as sent,
  however long or wrong, and a key that is not a field is echoed and dropped.
* A JSON body that is not an object is malformed (code 90), whatever its Content-Type says. One over 1 MiB gets HTTP 413.

Faults and scripts concern contact/update only.
"""

import asyncio
import json
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from contact_sync.errors import ConfigError, reason_of
from contact_sync.sandbox.assumptions import Assumptions
from contact_sync.sandbox.faults import Behaviour, Faults
from contact_sync.sandbox.store import CREATED, MADE_UP, ContactStore, normalise

_LOOPBACK = "127.0.0.1"
_SHUTDOWN_TIMEOUT_S = 0.1  # for responses in progress when the server stops
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
_GROUP_FLAGS = {"isSpecialFile": False, "isLocationFile": False}
_USER = {"username": "camille@example.com", "firstname": "Camille", "lastname": "Martin"}
_CREDITS = {"creditSms": 1000, "creditHlr": 500, "toSend": 0, "solde": "45.000", "currency": "EUR", "balance": "45.000"}


@dataclass(slots=True)
class Call:
    """An update that was received, and its response."""

    at: float  # time of arrival, in seconds of `time.monotonic`
    contact_id: str  # empty when the update has none
    contact: dict[str, Any]  # fields sent; empty when the update has none
    key_accepted: bool
    status: int = 0  # HTTP status of the response; 0 before it, and for a dropped connection
    applied: bool = False  # True when the store was changed


class Sandbox:
    """A local stand-in for the API, with its contacts and a record of the updates it received.

    `key` is the only API key it accepts; without it, any that is not empty. It has so many `contacts`, or with `open_store`
    every contactId (`ContactStore`). `record` fills `calls`.
    """

    def __init__(
        self,
        *,
        key: str | None = None,
        faults: Faults | None = None,
        contacts: int = MADE_UP,
        assumptions: Assumptions | None = None,
        open_store: bool = False,
        record: bool = True,
    ) -> None:
        self.key, self.faults, self.record = key, faults or Faults(), record
        self.base_url = ""  # while it is served
        self.store = ContactStore(contacts, assumptions, is_open=open_store)
        self.script: dict[str, list[Behaviour]] = {}
        """contactId → behaviours of its next updates, each used once; after them `faults` applies again."""
        self.users: dict[str, str] = {}  # key → the user that it belongs to, where that is not the usual one
        self.calls: list[Call] = []  # updates received, in order of arrival
        self.requests = self.applied = 0  # number of updates received, and of those applied
        self._rng = random.Random(self.faults.seed)  # noqa: S311 - must repeat; nothing here is a secret

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[str]:
        """Serve on a loopback port (0: any free one) and yield the base URL; `ConfigError` when the port cannot be opened."""
        runner = web.ServerRunner(web.Server(self._respond, access_log=None), shutdown_timeout=_SHUTDOWN_TIMEOUT_S)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, _LOOPBACK, port).start()
            except OSError as error:
                reason = reason_of(OSError(error.errno, os.strerror(error.errno or 0)))  # aiohttp's own text has the address
                raise ConfigError("Port {port} cannot be opened ({reason}): choose another.", port=port, reason=reason) from error
            self.base_url = f"http://{_LOOPBACK}:{runner.addresses[0][1]}/v1"
            yield self.base_url
        finally:
            await runner.cleanup()

    def accepts(self, key: object) -> bool:
        """Return True when `key` is valid."""
        return key == self.key if self.key is not None else isinstance(key, str) and bool(key)

    async def _respond(self, request: web.BaseRequest) -> web.Response:
        endpoint = f"{request.method} {request.path}"
        if endpoint == "POST /v1/contact/update":
            return await self._update_contact(request)
        if endpoint == "GET /v1/me":
            return self._me(request.query.get("apiKey", ""))
        if read := _READS.get(endpoint):
            return read(self.store, request.query) if self.accepts(request.query.get("apiKey")) else _error(10)
        return web.Response(status=404, text="Not Found")

    def _me(self, key: str) -> web.Response:
        user = _USER | {"username": self.users.get(key, _USER["username"])}
        return _success(user=user, credits=_CREDITS) if self.accepts(key) else _error(10)

    async def _update_contact(self, request: web.BaseRequest) -> web.Response:
        at = time.monotonic()
        self.requests += 1
        body = _json_object(await request.read())
        call = self._read_call(at, body or {})
        if self.record:
            self.calls.append(call)
        scripted = self.script.get(call.contact_id)
        behaviour = scripted.pop(0) if scripted else self.faults.draw(self._rng, call.contact)
        if behaviour.delay:
            await asyncio.sleep(behaviour.delay)
        code = 90
        if body is not None and (behaviour.applied or not behaviour.replaces_response):
            code = self._apply(call)
        if behaviour.drop:
            request.protocol.force_close()
            return web.Response()  # never sent
        if behaviour.replaces_response:
            response = _replacement(behaviour)
        elif code == _OK:
            response = _success(contact={**normalise(call.contact), "contactId": call.contact_id, **behaviour.alter})
        else:
            response = _error(code)
        call.status = response.status
        return response

    def _read_call(self, at: float, body: dict[str, Any]) -> Call:
        contact_id, contact = body.get("contactId"), body.get("contact")
        contact_id = contact_id if isinstance(contact_id, str) else ""
        return Call(at, contact_id, contact if isinstance(contact, dict) else {}, self.accepts(body.get("apiKey")))

    def _apply(self, call: Call) -> int:
        """Change the store and return 200, or return the code of the first error."""
        for code, given in ((10, call.key_accepted), (1, call.contact_id), (2, call.contact)):
            if not given:
                return code
        code = self.store.apply(call.contact_id, call.contact)
        call.applied = code == _OK
        self.applied += call.applied
        return code


def _contact_detail(store: ContactStore, query: Mapping[str, str]) -> web.Response:
    contact_id = query.get("contactId")
    if not contact_id:
        return _error(1)
    return _error(404) if store.find(contact_id) is None else _success(contact=store.shown(contact_id))


def _contact_list(store: ContactStore, query: Mapping[str, str]) -> web.Response:
    group, page = query.get("groupId"), query.get("page", "")
    if not group:
        return _error(1, message="Le groupId est requis")
    number = max(1, int(page)) if page.isdecimal() else 1
    found = store.page(group, number)
    if found is None:
        return _error(404)
    datas, total = found
    for contact in datas:
        del contact["groupId"]  # only contact/detail has it
    return _success(currentPage=number, total=str(total), datas=datas)


def _group_list(store: ContactStore, _query: Mapping[str, str]) -> web.Response:
    groups = [{"id": str(number), "name": name} | CREATED | _GROUP_FLAGS for number, name in store.groups.items()]
    if store.assumptions.group_list == "failure":
        return _json_response({"success": False, "groups": groups})
    return _success(groups=groups)


_READS: dict[str, Callable[[ContactStore, Mapping[str, str]], web.Response]] = {
    "GET /v1/contact/detail": _contact_detail,
    "GET /v1/contact/list": _contact_list,
    "GET /v1/group/list": _group_list,
}
"""Endpoint → its handler, called with the contacts and the query once the API key is accepted."""


def serve_forever(sandbox: Sandbox, port: int, announce: Callable[[str], None]) -> None:
    """Serve `sandbox` until SIGINT or SIGTERM, and call `announce` with its base URL; raises `ConfigError` like `serve`."""

    async def until_stopped() -> None:
        stopped = asyncio.Event()
        for signum in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signum, stopped.set)
        async with sandbox.serve(port) as base_url:
            announce(base_url)
            await stopped.wait()

    asyncio.run(until_stopped())


def _json_object(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object of a body; None when it is anything else."""
    with suppress(ValueError, RecursionError):
        document = json.loads(body)
        return document if isinstance(document, dict) else None
    return None


def _replacement(behaviour: Behaviour) -> web.Response:
    """Return the response that replaces the documented one."""
    if behaviour.body is None:
        return _error(behaviour.code or behaviour.status or 0, status=behaviour.status, headers=behaviour.headers)
    headers = {"Content-Type": behaviour.content_type, **behaviour.headers}
    return web.Response(body=behaviour.body, status=behaviour.status or _OK, headers=headers)


def _success(**document: Any) -> web.Response:
    return _json_response({"success": True, "code": _OK} | document)


def _error(code: int, *, message: str = "", status: int | None = None, headers: Mapping[str, str] | None = None) -> web.Response:
    default_status, sentence = _ERRORS.get(code, (400, "Une erreur est survenue"))
    return _json_response({"success": False, "code": code, "message": message or sentence}, status or default_status, headers)


def _json_response(document: dict[str, Any], status: int = _OK, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=json.dumps(document).encode(), status=status, headers=headers, content_type="application/json")
