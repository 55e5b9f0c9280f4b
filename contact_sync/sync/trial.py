"""Trials: updates that find out whether the API empties the fields that they leave out.

Before a trial the contact's values are kept durably, and until it was read back: a run that is killed in between leaves them to
the next one, which puts back what has been emptied.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

from contact_sync.api.smspartner.contact_detail import ContactDetail
from contact_sync.api.smspartner.contact_update import ContactUpdate
from contact_sync.errors import AttemptError, Rejected
from contact_sync.i18n import _
from contact_sync.ledger.store import Outbox
from contact_sync.model.fields import PHONE
from contact_sync.model.row import Answer, Pending
from contact_sync.rules.cells import LIMITS
from contact_sync.sync.delivery import Attempts, Delivery
from contact_sync.sync.open_questions import EMPTIED, OMITTED

_T = TypeVar("_T")


class UnfinishedTrials:
    """The trials of earlier runs that were cut off before the contact was read back."""

    def __init__(self, ledger: Outbox, delivery: Delivery, key: str) -> None:
        self._ledger, self._delivery = ledger, delivery
        self._detail, self._update = ContactDetail(key), ContactUpdate(key)
        self.requests = 0
        self.notes: list[str] = []

    async def finish(self, max_attempts: int) -> None:
        """Put back what they have emptied; what fails is left to the next run."""
        for contact_id, values in self._ledger.trials().items():
            attempts = Attempts()
            if self._ledger.hold(Pending(0, contact_id, {}, 0, b"")) is None:
                continue  # another host sends the contact: this is left to the next run
            try:
                await self._finish(contact_id, values, max_attempts, attempts)
            except AttemptError:
                return
            finally:
                self.requests += attempts.made
                self._ledger.let_go(contact_id)
            self._ledger.end_trial(contact_id)

    async def _finish(self, contact_id: str, values: Mapping[str, str], max_attempts: int, attempts: Attempts) -> None:
        try:
            stored = await self._delivery.call(self._detail, contact_id, max_attempts, attempts)
        except Rejected:  # the contact is gone
            return
        now = stored.values(contact_id)
        if emptied := {field: value for field, value in values.items() if not now[field] or is_tried(now[field])}:
            # A probe empties others itself, but never the number.
            if PHONE in emptied or not any(now[field] for field in values):
                self._ledger.note_answer(OMITTED, EMPTIED, "contact/update, read back")
            try:
                await restore(partial(self._send, contact_id, max_attempts, attempts), now | emptied)
            except Rejected:
                note = _(
                    "Contact {contact}: an update emptied fields, and SMS Partner refuses them: type them there.",
                    contact=contact_id,
                )
                self.notes.append(note)
                raise
            note = _("Contact {contact}: fields emptied by an update that was cut off were put back.", contact=contact_id)
            self.notes.append(note)

    async def _send(self, contact_id: str, max_attempts: int, attempts: Attempts, contact: dict[str, str]) -> Answer:
        return await self._delivery.call(self._update, Pending(0, contact_id, contact, 0, b""), max_attempts, attempts)


def is_tried(text: str) -> bool:
    """Return True for the long name that a probe sends."""
    return len(text) >= LIMITS["lastname"] and not text.strip("x")


async def restore(send: Callable[[dict[str, str]], Awaitable[_T]], contact: dict[str, str]) -> _T:
    """Send a whole contact whose fields were emptied; where its own number is refused, once more after that is gone."""
    try:
        return await send(contact)
    except Rejected:
        await send({field: value for field, value in contact.items() if field != PHONE})
        return await send(contact)
