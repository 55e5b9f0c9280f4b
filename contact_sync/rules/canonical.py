"""Canonical texts: the value of each cell as it would be sent, so that two spellings of one value are no edit.

A cell that breaks a rule has no such value; its text without surrounding white space stands for it.
"""

from collections.abc import Iterator, Mapping, Sequence

from contact_sync.model import CONTACT, Schema
from contact_sync.rules.cells import trim
from contact_sync.rules.columns import Verdicts


def canonical_texts(
    verdicts: Verdicts, rows: Sequence[Sequence[str]], mapping: Mapping[str, int], schema: Schema = CONTACT
) -> Iterator[tuple[str | None, ...]]:
    """Yield for each of the `rows` that `verdicts` are on the text of each field of `schema`, None for one without a column.

    The cells of a row as read are in the order of `mapping`; the text of an empty cell is empty.
    """
    places = [mapping.get(field) for field in schema.fields]
    for payload, cells in zip(verdicts.payloads, rows, strict=True):
        if None in payload:
            yield tuple(
                [
                    (None if place is None else trim(cells[place]) if cells[place] else "") if value is None else value
                    for value, place in zip(payload, places, strict=True)
                ]
            )
        else:
            yield payload
