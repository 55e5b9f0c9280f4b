"""A pull: every contact of the account, with its id, in a file that a run reads.

The pages are kept in a spool as they come, so that memory does not grow with the values, and a pull that was killed goes on at
its page. The file is written from the spool at the end.
"""

import asyncio
import tempfile
import time
import unicodedata
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, contextmanager
from datetime import datetime
from itertools import count, islice
from math import ceil
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, TypeVar

from contact_sync import __version__
from contact_sync.api.client import Client
from contact_sync.api.endpoint import Endpoint
from contact_sync.api.limiter import Pace
from contact_sync.api.smspartner.contact_list import ContactList, ContactPage, ListedContact, PageOf
from contact_sync.api.smspartner.group_list import Group, GroupList
from contact_sync.api.smspartner.me import Me
from contact_sync.errors import ATTENTION_CODE, ConfigError, Rejected, Transient, UnavailableError
from contact_sync.files.atomic import AtomicFile, open_atomic, writing
from contact_sync.ledger.base_token import BaseTokens
from contact_sync.ledger.spool import Spool
from contact_sync.ledger.state_dir import open_pull_spool, open_sandbox_tokens, open_tokens
from contact_sync.model.pace import Watcher
from contact_sync.model.plan import PullSummary
from contact_sync.report.pulled import WRITERS
from contact_sync.rules.canonical import Canonicaliser
from contact_sync.rules.cells import normalise_id
from contact_sync.rules.columns import Policy
from contact_sync.settings import Settings
from contact_sync.sync.delivery import Delivery
from contact_sync.sync.shutdown import Shutdown, Stopped, handle_signals
from contact_sync.sync.sweep import Contacts, GroupReading, Sweep

_BATCH = 1000  # rows
_SHOWN_GROUPS = 10
_STOP = "STOP"  # in the column of a person who asked for no more SMS

_ArgumentT = TypeVar("_ArgumentT")
_ValueT = TypeVar("_ValueT")


def pull(settings: Settings, output: Path, groups: Sequence[str], watcher: Watcher) -> PullSummary:
    """Write every contact of the account, or of the `groups` by name or id, into `output`.

    Raises ConfigError for an unknown group, AccessError when the API refuses the key, UnavailableError when it does not answer or
    shows no contact, BusyError when another pull has the spool, StorageError, and the reason of a shutdown; then what was read is
    kept for a day.
    """
    shutdown = Shutdown()
    with handle_signals(shutdown), open_atomic(output, 0o600) as draft, _open_spool(settings) as spool:
        reader = Reader(settings, spool, shutdown, watcher)
        asyncio.run(reader.read(groups))
        if shutdown.reasons:
            raise shutdown.reasons[0]
        if not reader.contacts:  # which would replace an earlier file
            spool.delete()
            raise UnavailableError("The API shows no contact, so nothing is written: if there are any, pull again later.")
        code = ATTENTION_CODE if reader.missing else 0
        summary = PullSummary(len(reader.contacts), len(reader.groups), reader.requests, reader.missing, output, code)
        tokens = _tokens(settings, reader.user)
        with shutdown.raised(), writing(output):
            write: Callable[[AtomicFile, Iterator[Sequence[str]]], None] = resolve_name(WRITERS[output.suffix.lower()])
            write(draft, reader.rows(tokens))
        draft.commit()
        spool.delete()
    return summary._replace(output=draft.path)


@contextmanager
def _open_spool(settings: Settings) -> Iterator[Spool]:
    """Open the spool of the account; a rehearsal has one of its own."""
    if settings.send.sandbox:
        with tempfile.TemporaryFile() as file:
            yield Spool(file)
    else:
        with open_pull_spool(settings.account) as spool:
            yield spool


def _tokens(settings: Settings, user: str) -> BaseTokens:
    if settings.send.sandbox:
        return open_sandbox_tokens(settings.account)
    return open_tokens(settings.account, lambda: user)


class Reader:
    """Reads the groups and their contacts into `spool`, and makes rows of them; requests the shutdown when the API is down."""

    def __init__(self, settings: Settings, spool: Spool, shutdown: Shutdown, watcher: Watcher) -> None:
        self._settings = settings
        self._spool = spool
        self._shutdown = shutdown
        self._watcher = watcher
        self.contacts = Contacts()
        self.groups: list[Group] = []
        self.user = ""  # of the key, as the API says
        self.requests = self.missing = 0
        self._client = None if self._settings.send.sandbox else self._open_client(self._settings.account.base_url)

    def _open_client(self, base_url: str) -> Client:
        send = self._settings.send
        pace = Pace(send.rate, clock=time.monotonic)
        self._watcher.paced(pace)
        return Client(base_url, pace=pace, connections=send.workers, timeout=send.timeout, sleep=self._shutdown.sleep)

    async def read(self, wanted: Sequence[str]) -> None:
        """Read everything, unless the shutdown is requested; raises what the endpoints raise about the account."""
        async with AsyncExitStack() as stack:
            client = self._client
            if client is None:
                from contact_sync.sandbox.server import Sandbox  # noqa: PLC0415 - a server, which a real pull need not load

                client = self._open_client(await stack.enter_async_context(Sandbox(record=False).serve()))
            client = await stack.enter_async_context(client)
            self._delivery = Delivery(client, self._shutdown)
            try:
                await self._read(self._settings.account.key, wanted)
            except Stopped:
                pass
            finally:
                self.requests = client.limiter.acquired

    async def _read(self, key: str, wanted: Sequence[str]) -> None:
        self.groups = _choose(await self._call(GroupList(key), None), wanted)
        if not self._settings.send.sandbox:
            self.user = (await self._call(Me(key), None)).user
        stored = self._resume()
        for group in self.groups:
            reading = GroupReading()
            while reading.needs_sweep:
                sweep = Sweep()
                async with aclosing(self._pages(ContactList(key), group, sweep, stored)) as pages:
                    async for page in pages:
                        sweep.add(page)
                        before = len(self.contacts)
                        self.contacts.add([contact.id for contact in page.contacts], group.name or group.id)
                        self._watcher.loaded(len(self.contacts) - before)
                        if sweep.is_over:
                            break
                reading.add(sweep)
            self.missing += reading.missing

    def _resume(self) -> Iterator[ContactPage]:
        """Return the pages of an unfinished pull of the same groups."""
        documents = self._spool.documents()
        beginning = [__version__, [list(group) for group in self.groups]]
        if next(documents, None) == beginning:
            return map(_unpacked, documents)
        self._spool.clear()
        self._spool.append(beginning)
        return iter(())

    async def _pages(
        self, endpoint: ContactList, group: Group, sweep: Sweep, stored: Iterator[ContactPage]
    ) -> AsyncGenerator[ContactPage, None]:
        """Yield the pages of a group in order: first those in the spool, then the API's.

        Those that the total promises are read ahead. Without it, they are read one after the other.
        """
        while page := next(stored, None):
            yield page
        ahead: deque[asyncio.Task[ContactPage]] = deque()
        try:
            for number in count(sweep.page):
                promised = ceil(sweep.total / sweep.size) + 1 if sweep.size else number  # with the page that shows the end
                for each in range(number + len(ahead), min(max(promised, number), number + self._settings.send.workers - 1) + 1):
                    ahead.append(asyncio.create_task(self._call(endpoint, PageOf(group.id, each))))
                page = await ahead.popleft()
                self._spool.append(page)
                yield page
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    async def _call(self, endpoint: Endpoint[_ArgumentT, _ValueT], argument: _ArgumentT) -> _ValueT:
        """Return the value of `endpoint`, which nothing can replace: one that fails for long is one of an API that is down."""
        while True:
            try:
                return await self._delivery.call(endpoint, argument, self._settings.send.attempts)
            except Transient:
                self._delivery.breaker.assume_down()  # which probes it, and gives it up unless it recovers
            except Rejected as refusal:
                raise UnavailableError(
                    "The API refused to show its contacts: {reason}", reason=refusal.violation.sentence()
                ) from refusal

    def rows(self, tokens: BaseTokens) -> Iterator[Sequence[str]]:
        """Yield the row of each contact, once, in the order of `report.pulled.COLUMNS`."""
        today = datetime.now().astimezone().date()
        head, canonicaliser = tokens.new_head(), Canonicaliser(Policy(region=self._settings.source.region, today=today))
        contacts = self._contacts()
        while batch := list(islice(contacts, _BATCH)):
            texts = canonicaliser.texts([(contact.id, contact.values) for contact, _groups in batch])
            for (contact, groups), values in zip(batch, texts, strict=True):
                token = tokens.issue(head, normalise_id(contact.id), values)
                stop = _STOP if contact.stop else ""
                yield [contact.id, *contact.values, ", ".join(groups), stop, contact.created, token]

    def _contacts(self) -> Iterator[tuple[ListedContact, tuple[str, ...]]]:
        """Yield each contact once, with its groups."""
        documents = self._spool.documents()
        next(documents)
        for page in map(_unpacked, documents):
            for contact in page.contacts:
                if groups := self.contacts.take(contact.id):
                    yield contact, groups


def _choose(groups: Sequence[Group], wanted: Sequence[str]) -> list[Group]:
    """Return the groups that are wanted, each by its id or its name, or all. Raises ConfigError for an unknown one."""
    found: dict[str, Group] = {}
    for name in wanted:
        matches = [group for group in groups if name == group.id or _folded(name) == _folded(group.name)]
        if not matches:
            shown = ", ".join(group.name or group.id for group in groups[:_SHOWN_GROUPS])
            raise ConfigError("There is no group “{name}”: choose one of {groups}.", name=name, groups=shown)
        found.update((group.id, group) for group in matches)
    return list(found.values()) if wanted else list(groups)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip().casefold()


def _unpacked(document: Any) -> ContactPage:
    contacts, total = document
    return ContactPage([ListedContact(each[0], tuple(each[1]), each[2], each[3]) for each in contacts], total)
