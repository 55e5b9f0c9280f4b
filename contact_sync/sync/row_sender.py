"""Sending one row: the update, the verification of a refusal, and the result for the ledger."""

from datetime import UTC, datetime

from contact_sync.api.smspartner.contact_detail import ContactDetail
from contact_sync.api.smspartner.contact_update import ContactUpdate
from contact_sync.errors import AttemptError, ContactSyncError, Rejected, Transient
from contact_sync.model.fields import stamp
from contact_sync.model.row import Answer, Outcome, Pending, Result
from contact_sync.model.violation import Violation
from contact_sync.sync.delivery import Attempts, Delivery
from contact_sync.sync.shutdown import Shutdown, Stopped


class RowSender:
    """Sends rows through `delivery` with the API `key`; requests the shutdown when every row would fail in the same way."""

    def __init__(self, delivery: Delivery, key: str, shutdown: Shutdown) -> None:
        self.delivery = delivery
        self._update = ContactUpdate(key)
        self.detail = ContactDetail(key)
        self._shutdown = shutdown
        self.reads = 0  # requests that read a contact before or after its update

    async def send(self, row: Pending, max_attempts: int) -> Result | None:
        """Send `row` and return its result; None when no attempt was made before the shutdown."""
        attempts = Attempts(made=row.attempts)
        try:
            answer = await self.update_contact(row, attempts, max_attempts)
        except AttemptError as error:
            answer = _answer_of(error)
        except Stopped:
            if attempts.failure is None:
                return None
            answer = _answer_of(attempts.failure)
        except ContactSyncError as reason:
            self._shutdown.request(reason)
            if reason.is_before_request:
                return None
            status, code = (attempts.reply.status, self._update.api_code(attempts.reply)) if attempts.reply else (None, "")
            answer = Answer(Outcome.FAILED, [Violation("api-stopped")], status, code)
        outcome, violations, status, code, base, confirmed = answer
        if confirmed is not None:
            row = row._replace(contact=dict(confirmed))
        return Result(row, outcome, violations, attempts.made, status, code, stamp(datetime.now(UTC)), base)

    async def update_contact(self, row: Pending, attempts: Attempts, max_attempts: int) -> Answer:
        """Send `row`; a refusal that an earlier attempt may have caused is verified first."""
        try:
            return await self.delivery.call(self._update, row, max_attempts, attempts)
        except Rejected as refusal:
            if not self._update.needs_verification(refusal):
                raise
            # Until it is verified, the row is as uncertain as one without an answer.
            attempts.failure = Transient(refusal.violation, refusal.http_status, refusal.api_code)
            try:
                stored = await self.delivery.call(self.detail, row.contact_id, max_attempts, attempts)
            except Rejected:
                raise refusal from None
            answer = self._update.interpret_verification(stored, row)
            if answer is None:
                raise
            return answer


def _answer_of(error: AttemptError) -> Answer:
    outcome = Outcome.REJECTED if isinstance(error, Rejected) else Outcome.FAILED
    return Answer(outcome, [error.violation], error.http_status, error.api_code)
