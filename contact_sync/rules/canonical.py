"""Canonical texts: the value of each cell as it would be sent, so that two spellings of one value are no edit.

A cell that breaks a rule has no such value; its text without surrounding white space stands for it.
"""

from collections.abc import Mapping, Sequence

from contact_sync.model import CONTACT, Schema
from contact_sync.rules.cells import trim


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
            (trim(cells[mapping[field]]) if field in mapping else None) if value is None else value
            for field, value in zip(schema.fields, payload, strict=True)
        ]
    )
