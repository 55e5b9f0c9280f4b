"""Guards before the first request: nothing of a source that seems damaged as a whole is sent."""

from collections.abc import Iterator

from contact_sync.errors import SourceError
from contact_sync.i18n import _, ngettext
from contact_sync.model.fields import NAMES, PHONE
from contact_sync.model.violation import listed, place_of
from contact_sync.settings import GuardSettings
from contact_sync.sync.stage import StageResult

MIN_KNOWN = 20  # known contacts below which identity changes are not judged


def guard(limits: GuardSettings, staged: StageResult) -> Iterator[SourceError]:
    """Yield a refusal for hidden rows, and for each limit that is exceeded: invalid rows, identity changes, emptied fields."""
    if staged.hidden:
        sentence = ngettext(
            "A filter hides {count} row, or it was hidden by hand (row {rows}), so nothing is sent: clear the filter and show "
            "the row, or choose --hidden include or --hidden skip.",
            "A filter hides {count} rows, or they were hidden by hand (rows {rows}), so nothing is sent: clear the filter and "
            "show all rows, or choose --hidden include or --hidden skip.",
            len(staged.hidden),
            rows=listed(staged.hidden),
        )
        yield SourceError(sentence)
    if staged.invalid * 100 > limits.max_invalid * staged.rows:
        sentence = ngettext(
            "{count} of {rows} rows is invalid, more than {most} %, so nothing is sent: correct the source, or allow more "
            "with --max-invalid.",
            "{count} of {rows} rows are invalid, more than {most} %, so nothing is sent: correct the source, or allow more "
            "with --max-invalid.",
            staged.invalid,
            rows=staged.rows,
            most=f"{limits.max_invalid:g}",
        )
        if others := staged.nothing_to_send:
            sentence = _(
                "{sentence} (Rows with nothing but a contactId are not counted: {others}.)", sentence=sentence, others=others
            )
        yield SourceError(sentence)
    for field, count in staged.no_value_words.items():
        if count * 100 > limits.max_invalid * staged.rows:
            yield SourceError(
                "{count} of {rows} rows have a word for no value (such as NULL) in {field}, more than {most} %, so nothing is "
                "sent: empty these cells, or allow more with --max-invalid.",
                count=count,
                rows=staged.rows,
                field=place_of(field, staged.columns),
                most=f"{limits.max_invalid:g}",
            )
    known = staged.same_identity + staged.identity_changes
    if known >= MIN_KNOWN and staged.identity_changes * 100 > limits.max_identity_changes * known:
        yield SourceError(
            "{changed} of {known} known contacts change first name, last name and phone number at once, more than {most} %, as "
            "when one column is sorted alone, so nothing is sent: check that each contactId is beside its own person, or "
            "allow more with --max-identity-changes.",
            changed=staged.identity_changes,
            known=known,
            most=f"{limits.max_identity_changes:g}",
        )
    for field in (*NAMES, PHONE):
        count = staged.edits.get(field, 0)
        if staged.pulled >= MIN_KNOWN and count * 100 > limits.max_identity_changes * staged.pulled:
            yield SourceError(
                "{count} of {rows} rows have another {field} than when the file was pulled, more than {most} %, as when one "
                "column was sorted or moved alone, so nothing was sent: check it, or allow more with --max-identity-changes.",
                count=count,
                rows=staged.pulled,
                field=place_of(field, staged.columns),
                most=f"{limits.max_identity_changes:g}",
            )
    if staged.clears > limits.max_clears:
        sentence = ngettext(
            "{count} cell would empty a stored field, more than {most}, so nothing is sent: check the source, or allow more "
            "with --max-clears.",
            "{count} cells would empty a stored field, more than {most}, so nothing is sent: check the source, or allow more "
            "with --max-clears.",
            staged.clears,
            most=limits.max_clears,
        )
        yield SourceError(sentence)
