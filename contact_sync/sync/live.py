"""Read before write: a contact is read, merged with its row field by field, and only then updated.

base: the row's token; mine: the row's value; theirs: the value read now. A field that both have changed, to different values, is
a conflict. The API has no conditional write, so a change between the read and the write, one round trip, is not seen.

The API's pages leave open what an update does to fields that it leaves out, and to fields that it sends empty. The first update
that can show it is read back; what it has shown is noted for the account, and decides what later updates carry.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from contact_sync.api.smspartner.contact_detail import StoredContact
from contact_sync.errors import AttemptError, Rejected
from contact_sync.ledger.base_token import BaseTokens
from contact_sync.ledger.store import Ledger
from contact_sync.model.fields import FIELDS, PHONE, stamp
from contact_sync.model.report import BeforeImage
from contact_sync.model.row import Answer, Outcome, Pending
from contact_sync.model.violation import Violation
from contact_sync.rules.canonical import Canonicaliser
from contact_sync.settings import SendSettings
from contact_sync.sync.delivery import Attempts
from contact_sync.sync.merge import Merged, merge
from contact_sync.sync.open_questions import EMPTIED, KEPT, NUMBER, OMITTED, REQUIRED, clear_of
from contact_sync.sync.row_sender import RowSender
from contact_sync.sync.shutdown import Stopped
from contact_sync.sync.trial import restore

_NUMBER_MISSING = "2"  # code of contact/update for a required part that is missing


@dataclass(frozen=True, slots=True)
class Live:
    """The parts that reading before writing needs."""

    tokens: BaseTokens
    canonicaliser: Canonicaliser
    ledger: Ledger
    decide: Callable[[Pending, Merged, "LiveContact"], Merged] = lambda _row, merged, _now: merged
    """Has the last word on a row that was merged."""


class _Turn(NamedTuple):
    """A row that is being sent."""

    row: Pending
    attempts: Attempts
    max_attempts: int


class LiveContact:
    """A contact as the API has it now."""

    def __init__(self, stored: StoredContact, row: Pending, canonicaliser: Canonicaliser) -> None:
        self.stored, self.values = stored, stored.values(row.contact_id)
        ((*texts,),) = canonicaliser.texts([(row.contact_id, tuple(self.values.values()))])
        self.texts = dict(zip(FIELDS, texts, strict=True))


class LiveRowSender(RowSender):
    """Sends the rows that differ from the contact."""

    def __init__(self, live: Live, settings: SendSettings, *of_row_sender: Any) -> None:
        super().__init__(*of_row_sender)
        self._live, self._settings = live, settings
        self._head = live.tokens.new_head()
        self._answers = live.ledger.answers()
        self._trial = asyncio.Lock()

    async def update_contact(self, row: Pending, attempts: Attempts, max_attempts: int) -> Answer:
        """Read the contact, and send what differs from it and is no conflict."""
        turn = _Turn(row, attempts, max_attempts)
        now = await self._read(turn)
        merged = self._merge(row, now)
        if merged.held:
            # A conflict that is run again is decided: its fields have been seen. Those of others are as they were pulled.
            seen = merged.conflicts if merged.held is Outcome.CONFLICT else ()
            return self._answer(row, now, merged.held, merged.violations, {field: now.texts[field] for field in seen})
        agreed = {field: value for field, value in row.contact.items() if field in merged.wanted or value == now.texts[field]}
        if not merged.wanted:  # an earlier attempt without an answer may have been applied
            outcome = Outcome.UPDATED if attempts.made else Outcome.UNCHANGED
            return self._answer(row, now, outcome, (), agreed)._replace(confirmed=agreed)
        if not self._is_trial(now, merged.wanted):
            answer = await self._write(turn, dict(merged.wanted), now)
        elif self._trial.locked():  # one contact at a time is at risk; then this one is read again
            async with self._trial:
                pass
            return await self.update_contact(row, attempts, max_attempts)
        else:
            async with self._trial:
                answer = await self._write(turn, dict(merged.wanted), now)
        base = self._revised(row, agreed) if answer.outcome is Outcome.UPDATED else row.base
        return answer._replace(base=base, confirmed=agreed)

    def _is_trial(self, now: LiveContact, sent: Mapping[str, str]) -> bool:
        """Return True when an update shows what the API does to the fields that it leaves out."""
        return OMITTED not in self._answers and any(value and field not in sent for field, value in now.values.items())

    def _merge(self, row: Pending, now: LiveContact) -> Merged:
        changed = self._live.tokens.read(row.base, row.contact_id, [*now.texts.values()]).edited
        merged = merge(row.contact, now.texts, changed, self._settings, stop=now.stored.stop)
        return self._live.decide(row, merged, now)

    async def _read(self, turn: _Turn) -> LiveContact:
        reading = Attempts()
        try:
            stored = await self.delivery.call(self.detail, turn.row.contact_id, turn.max_attempts, reading)
        finally:
            self.reads += reading.made
        return LiveContact(stored, turn.row, self._live.canonicaliser)

    def _answer(
        self, row: Pending, now: LiveContact, outcome: Outcome, violations: Sequence[Violation], known: Mapping[str, str]
    ) -> Answer:
        """Return an answer without an update; the values that are `known` become the base of the row's next edit."""
        return Answer(outcome, [*violations], now.stored.http_status, now.stored.api_code, self._revised(row, known))

    def _revised(self, row: Pending, values: Mapping[str, str]) -> str:
        """Return the row's token with these values as its base.

        Fields that the row leaves alone keep theirs: its cells are as they were pulled, and others may have changed the API.
        """
        if not row.base:
            return ""
        sent = self._live.ledger.successors([row.base]).get(row.base, [row.base])
        return self._live.tokens.revise(sent[-1], row.contact_id, values)

    def _token(self, row: Pending, texts: Mapping[str, str]) -> str:
        return self._live.tokens.issue(self._head, row.contact_id, [texts.get(field, "") for field in FIELDS])

    async def _write(self, turn: _Turn, wanted: dict[str, str], now: LiveContact) -> Answer:
        """Send what is `wanted`, in the form that keeps the other fields, and check that they are kept where that is open."""
        row, attempts, max_attempts = turn
        sent = wanted
        if self._answers.get(OMITTED) == EMPTIED:
            sent = now.values | wanted
        elif self._answers.get(NUMBER) == REQUIRED:
            sent = {PHONE: now.values[PHONE]} | wanted
        self._keep_before(row, wanted, now, row.contact)
        if is_trial := self._is_trial(now, sent):
            others = {field: value for field, value in now.values.items() if value and field not in wanted}
            self._live.ledger.begin_trial(row.contact_id, others, stamp(datetime.now(UTC)))
        try:
            answer = await super().update_contact(row._replace(contact=sent), attempts, max_attempts)
        except Rejected as refusal:
            if refusal.api_code != _NUMBER_MISSING or PHONE in sent or not now.values[PHONE]:
                raise
            sent = {PHONE: now.values[PHONE]} | wanted
            answer = await super().update_contact(row._replace(contact=sent), attempts, max_attempts)
            self._note(NUMBER, REQUIRED)
        clears = [field for field, value in wanted.items() if not value]
        if {*map(clear_of, clears)} - self._answers.keys() or is_trial:
            answer = await self._verify(turn, wanted, now, answer)
        if kept := [field for field in clears if self._answers.get(clear_of(field)) == KEPT]:
            answer = answer._replace(outcome=Outcome.ALTERED, violations=[Violation("not-cleared", field) for field in kept])
        elif answer.outcome is Outcome.ALTERED:
            with suppress(AttemptError, Stopped):
                self._keep_before(row, wanted, now, (await self._read(turn)).texts)
        return answer

    def _keep_before(self, row: Pending, wanted: Mapping[str, str], now: LiveContact, written: Mapping[str, str]) -> None:
        """Keep the values that an update replaces, and tokens of what is `written` and of what an undo puts back.

        An earlier attempt of the run may have been applied: of fields that are not wanted any more, what it found stays. A number
        where there was none cannot be taken back, as none can be emptied.
        """
        if not self._settings.undo_days:
            return
        run = self._live.ledger.last_run()
        before = self._live.ledger.values_before(run, row.contact_id)
        before |= {field: now.values[field] for field in wanted if field != PHONE or now.values[field]}
        if not before:
            return
        values = tuple(before.get(field, "") for field in FIELDS)
        ((*texts,),) = self._live.canonicaliser.texts([(row.contact_id, values)])
        tokens = (
            self._token(row, {field: written.get(field, "") for field in before}),
            self._token(row, dict(zip(FIELDS, texts, strict=True))),
        )
        self._live.ledger.keep_before(run, BeforeImage(row.contact_id, before, " ".join(tokens)), stamp(datetime.now(UTC)))

    async def _verify(self, turn: _Turn, wanted: dict[str, str], before: LiveContact, answer: Answer) -> Answer:
        """Read the contact again, note what the update has shown about the API, and send back what it has emptied."""
        try:
            after = await self._read(turn)
            for field, value in wanted.items():
                if not value:
                    self._note(clear_of(field), KEPT if after.values[field] else EMPTIED)
            others = [field for field, value in before.values.items() if value and field not in wanted]
            if not all(after.values[field] for field in others):
                self._note(OMITTED, EMPTIED)
                answer = await restore(partial(self._send_whole, turn), before.values | wanted)
            elif others and OMITTED not in self._answers:
                self._note(OMITTED, KEPT)
            self._live.ledger.end_trial(turn.row.contact_id)
        except (AttemptError, Stopped):
            return answer._replace(outcome=Outcome.ALTERED, violations=[Violation("api-unverified")])
        return answer

    async def _send_whole(self, turn: _Turn, contact: dict[str, str]) -> Answer:
        return await super().update_contact(turn.row._replace(contact=contact), turn.attempts, turn.max_attempts)

    def _note(self, question: str, answer: str) -> None:
        self._answers[question] = answer
        self._live.ledger.note_answer(question, answer, "contact/update, read back")
