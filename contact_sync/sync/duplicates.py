"""Duplicates: the rows of one contact, found by hashes once the whole source is staged. Memory for that is 24 bytes a row."""

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import TypeAlias

from contact_sync.ledger.store import Ledger
from contact_sync.model.fields import ID
from contact_sync.model.row import Block, Outcome
from contact_sync.model.violation import Violation, conflict_of
from contact_sync.rules.anomalies import has_repeated

GROUP = 10_000  # rows or contacts written in one transaction

_Rows: TypeAlias = list[tuple[int, int]]  # row numbers and payload hashes of the rows of one contact, in source order


@dataclass
class RowHashes:
    """Number, hashed contactId and hashed payload of each row with a contactId, until the whole source is staged."""

    numbers: "array[int]" = field(default_factory=lambda: array("q"))
    ids: "array[int]" = field(default_factory=lambda: array("q"))
    payloads: "array[int]" = field(default_factory=lambda: array("q"))

    def add(self, block: Block, payloads: Sequence[tuple[str | None, ...]], untouched: Collection[int]) -> None:
        """Add the rows of a block but the `untouched` ones, by position: they contradict no other row of their contact."""
        hashes = list(map(hash, payloads))
        for row in block.others:
            if row.outcome is Outcome.INVALID:  # agrees with no other: once corrected it may have other values
                hashes[bisect_left(block.numbers, row.number)] = -row.number
        numbers, ids = block.numbers, list(map(hash, block.ids))
        if untouched or not all(block.ids):
            known = list(map(bool, block.ids))  # the other rows are settled, whatever the rest of the source says
            for position in untouched:
                known[position] = False
            numbers, ids, hashes = (list(compress(values, known)) for values in (numbers, ids, hashes))
        self.numbers.fromlist(numbers)
        self.ids.fromlist(ids)
        self.payloads.fromlist(hashes)


def resolve_duplicates(hashes: RowHashes, ledger: Ledger, duplicates: str) -> None:
    """Settle rows of contacts that have several, so that at most one row of each contact is sent."""
    for contacts in _contacts_with_duplicates(hashes, ledger):
        flags: list[tuple[int, Violation]] = []
        settled: list[tuple[int, Outcome, Violation | None]] = []
        counting: list[int] = []
        for rows in contacts:
            if len({payload for _, payload in rows}) == 1:
                settled += _settled(rows, rows[0])
                counting.append(rows[0][0])
            elif duplicates == "refuse":
                conflict = conflict_of([[number for number, _ in rows]])
                flags += [(number, conflict) for number, _ in rows]
            else:
                settled += _settled(rows, rows[-1 if duplicates == "last" else 0])
                counting.append(rows[-1 if duplicates == "last" else 0][0])
        ledger.flag_invalid(flags)
        ledger.settle(settled, counting)


def _settled(rows: _Rows, counting: tuple[int, int]) -> Iterator[tuple[int, Outcome, Violation | None]]:
    """Yield the outcome of all rows but the `counting` one, with a reason where the row disagrees with it."""
    ignored = Violation("duplicate-ignored", ID, {"row": str(counting[0])})
    for number, payload in rows:
        if number != counting[0]:
            yield number, Outcome.DUPLICATE, None if payload == counting[1] else ignored


def _contacts_with_duplicates(hashes: RowHashes, ledger: Ledger) -> Iterator[list[_Rows]]:
    """Yield the rows of each contact that has several, for up to `GROUP` contacts at a time."""
    if not has_repeated(hashes.ids):
        return
    import numpy as np  # noqa: PLC0415 - most sources name each contact once and need not wait for them
    import pandas as pd  # noqa: PLC0415

    columns = {"number": hashes.numbers, "id": hashes.ids, "payload": hashes.payloads}
    rows = pd.DataFrame({name: np.frombuffer(column, dtype=np.int64) for name, column in columns.items()})
    repeated = rows[rows["id"].duplicated(keep=False)].sort_values(["id", "number"])
    ends = [*np.flatnonzero(np.diff(repeated["id"])) + 1, len(repeated)]
    start = 0
    # Equal hashes only make candidates: the ids themselves decide, so that two contacts are never taken for one.
    for end in ends[GROUP - 1 :: GROUP] + ends[-1:]:
        batch = repeated[start:end]
        payloads = dict(zip(batch["number"].tolist(), batch["payload"].tolist(), strict=True))
        contacts: dict[str, _Rows] = {}
        for number, contact_id in ledger.contact_ids(list(payloads)).items():
            contacts.setdefault(contact_id, []).append((number, payloads[number]))
        yield [rows for rows in contacts.values() if len(rows) > 1]
        start = end
