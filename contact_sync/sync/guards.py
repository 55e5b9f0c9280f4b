"""Guards before the first request: a source that looks damaged as a whole is not sent at all."""

from contact_sync.errors import SourceError
from contact_sync.i18n import _, ngettext
from contact_sync.ledger import Ledger
from contact_sync.model import Outcome
from contact_sync.settings import Settings

NOTHING_TO_SEND = "nothing-to-send"
"""A row that holds nothing but a contactId is no sign of a damaged source."""

FEW = 20
"""Fewer known contacts than this tell nothing about their column."""


def guard(settings: Settings, ledger: Ledger, rows: int) -> list[SourceError]:
    """Why nothing is to be sent: most rows are invalid, many become somebody else, or many fields would be emptied."""
    found = []
    invalid = ledger.count(Outcome.INVALID, without=NOTHING_TO_SEND)
    if invalid * 100 > settings.max_invalid * rows:
        sentence = ngettext(
            "{count} of {rows} rows is invalid, more than {most} %, so nothing was sent: correct the source, or allow more "
            "with --max-invalid.",
            "{count} of {rows} rows are invalid, more than {most} %, so nothing was sent: correct the source, or allow more "
            "with --max-invalid.",
            invalid,
            rows=rows,
            most=f"{settings.max_invalid:g}",
        )
        if others := ledger.count(Outcome.INVALID) - invalid:
            sentence = _(
                "{sentence} (Rows with nothing but a contactId are not counted: {others}.)", sentence=sentence, others=others
            )
        found.append(SourceError(sentence))
    known = ledger.same + ledger.identity_changes
    if known >= FEW and ledger.identity_changes * 100 > settings.max_identity_changes * known:
        sentence = _(
            "{changed} of {known} known contacts change first name, last name and phone number at once, more than {most} %, as "
            "when one column is sorted alone, so nothing was sent: check that each contactId is beside its own person, or "
            "allow more with --max-identity-changes.",
            changed=ledger.identity_changes,
            known=known,
            most=f"{settings.max_identity_changes:g}",
        )
        found.append(SourceError(sentence))
    clears = ledger.clears()
    if clears > settings.max_clears:
        sentence = ngettext(
            "{count} cell would empty a stored field, more than {most}, so nothing was sent: check the source, or allow more "
            "with --max-clears.",
            "{count} cells would empty a stored field, more than {most}, so nothing was sent: check the source, or allow more "
            "with --max-clears.",
            clears,
            most=settings.max_clears,
        )
        found.append(SourceError(sentence))
    return found
