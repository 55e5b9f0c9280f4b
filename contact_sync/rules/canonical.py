"""Canonical texts: the value of each cell as it would be sent, so that two spellings of one value are no edit.

A cell that breaks a rule has no such value; its text without surrounding white space stands for it. Programs that save a file
write other line breaks.
"""

from collections.abc import Mapping, Sequence

from contact_sync.model.fields import CONTACT, Schema
from contact_sync.model.source import Chunk
from contact_sync.rules.cells import trim
from contact_sync.rules.columns import Policy, Validator


def canonical_texts(
    payload: Sequence[str | None], cells: Sequence[str], mapping: Mapping[str, int], schema: Schema = CONTACT
) -> tuple[str | None, ...]:
    """Return for a row of a verdict with this `payload` the text of each field of `schema`, None for one without a column.

    The `cells` of the row as read are in the order of `mapping`; the text of an empty cell is empty.
    """
    if None not in payload:
        return tuple(payload)
    return tuple(
        [
            (_text(cells[mapping[field]]) if field in mapping else None) if value is None else value
            for field, value in zip(schema.fields, payload, strict=True)
        ]
    )


def _text(cell: str) -> str:
    return trim(cell).replace("\r\n", "\n").replace("\r", "\n") if cell else ""


class Canonicaliser:
    """Turns contacts as the API shows them into canonical texts; `policy` is that of the run."""

    def __init__(self, policy: Policy, schema: Schema = CONTACT) -> None:
        self._mapping = {field: place for place, field in enumerate(schema.all_fields)}
        self._validator = Validator(self._mapping, policy, schema)

    def texts(self, contacts: Sequence[tuple[str, Sequence[str]]]) -> list[tuple[str, ...]]:
        """Return the canonical texts of contacts, each a contactId and its values in the order of the schema's fields."""
        rows = [[contact_id, *values] for contact_id, values in contacts]
        verdicts = self._validator.validate(Chunk(list(range(len(rows))), rows))
        found = (canonical_texts(payload, row, self._mapping) for payload, row in zip(verdicts.payloads, rows, strict=True))
        return [tuple(text or "" for text in texts) for texts in found]
