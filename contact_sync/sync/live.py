"""Read before write: a contact is read, merged with its row field by field, and only then updated.

base: the row's token; mine: the row's value; theirs: the value read now. A field that both have changed, to different values, is
a conflict. The API has no conditional write, so a change between the read and the write, one round trip, is not seen.

The API's pages leave open what an update does to fields that it leaves out, and to fields that it sends empty. The first update
that can show it is read back; what it has shown is noted for the account, and decides what later updates carry.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from contact_sync.api.smspartner.contact_detail import StoredContact
from contact_sync.errors import AttemptError, Rejected
from contact_sync.ledger.base_token import BaseTokens
from contact_sync.ledger.store import Ledger
from contact_sync.model import FIELDS, PHONE, Answer, BeforeImage, LiveRead, Outcome, Pending, Violation, stamp
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
        answer = await self._write(turn, dict(merged.wanted), now)
        if answer.outcome is Outcome.UPDATED and answer.live:
            answer = answer._replace(live=answer.live._replace(base=self._revised(row, agreed)))
        return answer._replace(confirmed=agreed)

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
        live = LiveRead(self._revised(row, known))
        return Answer(outcome, [*violations], now.stored.http_status, now.stored.api_code, live)

    def _revised(self, row: Pending, values: Mapping[str, str]) -> str:
        """Return the row's token with these values as its base.

        Fields that the row leaves alone keep theirs: its cells are as they were pulled, and others may have changed the API.
        """
        return self._live.tokens.revise(row.base, row.contact_id, values) if row.base else ""

    def _token(self, row: Pending, texts: Mapping[str, str]) -> str:
        return self._live.tokens.issue(self._head, row.contact_id, [texts.get(field, "") for field in FIELDS])

    async def _write(self, turn: _Turn, wanted: dict[str, str], now: LiveContact) -> Answer:
        """Send what is `wanted`, in the form that keeps the other fields, and check that they are kept where that is open."""
        row, attempts, max_attempts = turn
        others = {field: value for field, value in now.values.items() if value and field not in wanted}
        sent, at = wanted, stamp(datetime.now(UTC))
        if self._answers.get(OMITTED) == EMPTIED:
            sent = now.values | wanted
        elif self._answers.get(NUMBER) == REQUIRED:
            sent = {PHONE: now.values[PHONE]} | wanted
        live = LiveRead(row.base)
        if self._settings.undo_days:
            image = BeforeImage(row.contact_id, {field: now.values[field] for field in wanted}, self._written(row, wanted, now))
            self._live.ledger.keep_before(self._live.ledger.last_run(), image, at)
            live = LiveRead(row.base, image.fields, image.written)
        attempts.live = live
        is_trial = OMITTED not in self._answers and not others.keys() <= sent.keys()
        if is_trial:
            self._live.ledger.begin_trial(row.contact_id, others, at)
        try:
            answer = await super().update_contact(row._replace(contact=sent), attempts, max_attempts)
        except Rejected as refusal:
            if refusal.api_code != _NUMBER_MISSING or PHONE in sent or not now.values[PHONE]:
                raise
            sent = {PHONE: now.values[PHONE]} | wanted
            answer = await super().update_contact(row._replace(contact=sent), attempts, max_attempts)
            self._note(NUMBER, REQUIRED, row)
        clears = [field for field, value in wanted.items() if not value]
        if {*map(clear_of, clears)} - self._answers.keys() or is_trial:
            answer = await self._verify(turn, wanted, now, answer)
        if kept := [field for field in clears if self._answers.get(clear_of(field)) == KEPT]:
            answer = answer._replace(outcome=Outcome.ALTERED, violations=[Violation("not-cleared", field) for field in kept])
        return answer._replace(live=live)

    def _written(self, row: Pending, wanted: Mapping[str, str], now: LiveContact) -> str:
        """Return the base of an undo: the token of what is written, and the one of what it puts back."""
        return f"{self._token(row, wanted)} {self._token(row, {field: now.texts[field] for field in wanted})}"

    async def _verify(self, turn: _Turn, wanted: dict[str, str], before: LiveContact, answer: Answer) -> Answer:
        """Read the contact again, note what the update has shown about the API, and send back what it has emptied."""
        try:
            after = await self._read(turn)
            for field, value in wanted.items():
                if not value:
                    self._note(clear_of(field), KEPT if after.values[field] else EMPTIED, turn.row)
            others = [field for field, value in before.values.items() if value and field not in wanted]
            if not all(after.values[field] for field in others):
                self._note(OMITTED, EMPTIED, turn.row)
                answer = await restore(partial(self._send_whole, turn), before.values | wanted)
            elif others and OMITTED not in self._answers:
                self._note(OMITTED, KEPT, turn.row)
            self._live.ledger.end_trial(turn.row.contact_id)
        except (AttemptError, Stopped):
            return answer._replace(outcome=Outcome.ALTERED, violations=[Violation("api-unverified")])
        return answer

    async def _send_whole(self, turn: _Turn, contact: dict[str, str]) -> Answer:
        return await super().update_contact(turn.row._replace(contact=contact), turn.attempts, turn.max_attempts)

    def _note(self, question: str, answer: str, row: Pending) -> None:
        self._answers[question] = answer
        self._live.ledger.note_answer(question, answer, f"contact/update of {row.contact_id}, read back")
