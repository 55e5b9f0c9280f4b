"""A probe: what the API's pages leave open, found out on one contact, which is then put back as it was.

Only fields that have a value are tried, because a value can always be sent again, while the API may not empty a field at all.
What was found is noted for the account; runs that read before they write go by it.
"""

import asyncio
import re
import secrets
import time
from contextlib import suppress
from datetime import UTC, datetime

from contact_sync.api.client import Client
from contact_sync.api.limiter import SharedPace
from contact_sync.api.smspartner.contact_detail import ContactDetail
from contact_sync.api.smspartner.contact_update import ContactUpdate
from contact_sync.errors import AttemptError, ConfigError, Rejected, UnavailableError
from contact_sync.ledger.base_token import BaseTokens
from contact_sync.ledger.state_dir import open_ledger, open_tokens
from contact_sync.ledger.store import Ledger
from contact_sync.model.fields import FIELDS, PHONE, stamp
from contact_sync.model.plan import ProbeSummary
from contact_sync.model.report import BeforeImage
from contact_sync.model.row import Pending
from contact_sync.rules.cells import DATE, LIMITS, normalise_id
from contact_sync.settings import Settings
from contact_sync.sync.budget import Budget
from contact_sync.sync.delivery import Delivery
from contact_sync.sync.open_questions import EMPTIED, KEPT, NUMBER, OMITTED, REQUIRED, clear_of
from contact_sync.sync.send import Sender
from contact_sync.sync.shutdown import Shutdown, handle_signals
from contact_sync.sync.trial import restore
from contact_sync.sync.undo import PROBE

OWN_NUMBER, LONG_NAME = "own number", "long name"
_NUMBER_TAKEN, _MISSING = "15", "2"  # codes of contact/update
_NEVER = "\x1f"  # which no field has


def probe(settings: Settings, contact_id: str) -> ProbeSummary:
    """Try the open questions on a contact, note the answers, and put it back; a signal ends it after that.

    Raises ConfigError for a contact that does not exist, AccessError, UnavailableError, StorageError, BusyError.
    """
    shutdown = Shutdown()
    sender = Sender(settings, shutdown, Budget.of(settings.send))
    with handle_signals(shutdown), open_ledger(settings.account, identify=sender.identify) as ledger:
        sender.finish_trials(ledger)
        tokens = open_tokens(settings.account, sender.identify)
        try:
            summary = asyncio.run(_Probe(settings, normalise_id(contact_id), ledger, tokens, shutdown).run())
        except AttemptError as failure:
            raise UnavailableError(
                "The probe was stopped: {reason} Look at the contact in SMS Partner.", reason=failure.violation.sentence()
            ) from failure
    if shutdown.reasons:
        raise shutdown.reasons[0]
    return summary


class _Probe:
    """The probe of one contact."""

    def __init__(self, settings: Settings, contact_id: str, ledger: Ledger, tokens: BaseTokens, shutdown: Shutdown) -> None:
        self._settings, self._id, self._ledger, self._tokens, self._shutdown = settings, contact_id, ledger, tokens, shutdown
        self._detail, self._update = ContactDetail(settings.account.key), ContactUpdate(settings.account.key)
        self._before: dict[str, str] = {}
        self.answers: dict[str, str] = {}

    async def run(self) -> ProbeSummary:
        send = self._settings.send
        quiet = Shutdown()  # that no signal requests: the contact is put back first
        pace = SharedPace(send.rate, clock=time.monotonic)
        pace.slots = self._ledger.slots
        client = Client(self._settings.account.base_url, pace=pace, connections=1, timeout=send.timeout, sleep=quiet.sleep)
        async with client:
            self._delivery = Delivery(client, quiet)
            self._before = await self._first_read()
            run = self._keep()
            try:
                for ask in (self._ask_omitted, self._ask_own_number, self._ask_clears, self._ask_long_name):
                    if not self._shutdown.reasons:
                        await ask()
            finally:
                different = await self._put_back()
        return ProbeSummary(run, self._id, dict(self.answers), different, client.limiter.acquired)

    async def _first_read(self) -> dict[str, str]:
        try:
            stored = await self._delivery.call(self._detail, self._id, self._settings.send.attempts)
        except Rejected as refusal:
            raise ConfigError("SMS Partner has no contact with this contactId: give another one.") from refusal
        values = stored.values(self._id)
        if text := str(stored.contact.get(DATE) or ""):
            self._note(DATE, "iso" if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else "day-first")
        return values

    def _keep(self) -> str:
        """Keep the values before durably: a probe that is killed can be taken back."""
        now = datetime.now(UTC)
        run = f"{PROBE}{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
        never = [_NEVER] * len(FIELDS)  # so that every field counts as edited
        written = self._tokens.issue(self._tokens.new_head(), self._id, never)
        self._ledger.keep_before(run, BeforeImage(self._id, {f: v for f, v in self._before.items() if v}, written), stamp(now))
        self._ledger.begin_trial(self._id, {f: v for f, v in self._before.items() if v}, stamp(now))
        return run

    async def _read(self) -> dict[str, str]:
        return (await self._delivery.call(self._detail, self._id, self._settings.send.attempts)).values(self._id)

    async def _send(self, fields: dict[str, str]) -> None:
        """Send fields in the form that keeps the others, as far as that is known."""
        if self.answers.get(OMITTED) == EMPTIED:
            fields = self._before | fields
        elif self.answers.get(NUMBER) == REQUIRED:
            fields = {PHONE: self._before[PHONE]} | fields
        await self._send_exactly(fields)

    async def _send_exactly(self, contact: dict[str, str]) -> None:
        row = Pending(0, self._id, contact, 0, b"")
        await self._delivery.call(self._update, row, self._settings.send.attempts)

    async def _is_accepted(self, fields: dict[str, str]) -> bool:
        """Send fields; return False when they are refused, and note when that is for the contact's own number."""
        try:
            await self._send(fields)
        except Rejected as refusal:
            if refusal.api_code == _NUMBER_TAKEN:
                self._note(OWN_NUMBER, "refused")
            return False
        return True

    def _valued(self, *fields: str) -> dict[str, str]:
        """Return those of the fields that have a value."""
        return {field: self._before[field] for field in fields if self._before[field]}

    async def _ask_omitted(self) -> None:
        """Send one field as it is, and see whether the others are still there, and whether the number has to be there."""
        texts = self._valued(*(field for field in FIELDS if field != PHONE))
        if not texts or len(texts) + bool(self._before[PHONE]) == 1:
            return
        field, value = texts.popitem()
        try:
            await self._send_exactly({field: value})
            self._note(NUMBER, "optional")
        except Rejected as refusal:
            if refusal.api_code != _MISSING or not self._before[PHONE]:
                return
            self._note(NUMBER, REQUIRED)
            if not await self._is_accepted({field: value}):
                return
        now = await self._read()
        others = [name for name, text in self._before.items() if text and name not in {field, PHONE}]
        if others:
            self._note(OMITTED, EMPTIED if any(not now[name] for name in others) else KEPT)
        if now != self._before:
            await restore(self._send_exactly, self._before)

    async def _ask_own_number(self) -> None:
        """Send the number that the contact has."""
        if (number := self._valued(PHONE)) and await self._is_accepted(number):
            self._note(OWN_NUMBER, "accepted")

    async def _ask_clears(self) -> None:
        """Empty each field but the number."""
        values = self._valued(*(field for field in FIELDS if field != PHONE))
        if values and await self._is_accepted(dict.fromkeys(values, "")):
            now = await self._read()
            for field in values:
                self._note(clear_of(field), KEPT if now[field] else EMPTIED)
            await self._send(values)

    async def _ask_long_name(self) -> None:
        """Send a name with one character more than the page allows."""
        for field in self._valued("firstname", "lastname"):
            name = "x" * (LIMITS[field] + 1)
            if await self._is_accepted({field: name}):
                now = await self._read()
                self._note(LONG_NAME, "stored" if now[field] == name else "cut")
            elif OWN_NUMBER not in self.answers or self.answers[OWN_NUMBER] == "accepted":
                self._note(LONG_NAME, "refused")
            return

    async def _put_back(self) -> list[str]:
        """Put the contact back as it was, and return the fields that are different all the same."""
        now = await self._read()
        changed = {field: value for field, value in self._before.items() if now[field] != value}
        if changed:
            try:
                await self._send(changed)
            except Rejected:
                with suppress(Rejected):
                    await restore(self._send_exactly, self._before)
            now = await self._read()
        different = [field for field, value in self._before.items() if now[field] != value]
        if not different:
            self._ledger.end_trial(self._id)
        return different

    def _note(self, question: str, answer: str) -> None:
        self.answers[question] = answer
        self._ledger.note_answer(question, answer, "probe")
