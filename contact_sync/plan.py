"""Staging: every row of the source goes into the ledger, settled or pending.

What one row alone cannot tell is settled at the end, over all of them: rows of one contact that disagree, and dates that can be
read two ways in a column that has the month first. Memory for that is 24 bytes a row.
"""

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import compress

import numpy as np
import pandas as pd

from contact_sync.ledger import Ledger
from contact_sync.model import ID, ROW, Chunk, Outcome, Source, Staged, Verdicts, Violation
from contact_sync.validate import Validator

MONTH_FIRST = "date-month-first"
_LISTED = 5
_GROUP = 10_000
"""Rows settled in one transaction."""


@dataclass
class _Seen:
    """What is remembered of each row with a contactId until the whole source is staged: three numbers."""

    numbers: "array[int]" = field(default_factory=lambda: array("q"))
    ids: "array[int]" = field(default_factory=lambda: array("q"))
    payloads: "array[int]" = field(default_factory=lambda: array("q"))

    def add(self, staged: list[Staged]) -> None:
        rows = [row for row in staged if row.contact_id]  # the others are settled, whatever else the source says
        self.numbers.extend(row.number for row in rows)
        self.ids.extend(hash(row.contact_id) for row in rows)
        # An invalid row agrees with no other: once mended it may say something else.
        self.payloads.extend(hash(row.payload) if row.outcome is not Outcome.INVALID else -row.number for row in rows)


def stage(
    source: Source,
    validator: Validator,
    ledger: Ledger,
    *,
    duplicates: str,
    resend: bool,
    sending: bool,
    tick: Callable[[int], None],
) -> int:
    """Write every row of `source` into `ledger` and return how many there are.

    A valid row is `unchanged` when its values are in place (unless `resend`), else pending, or `ready` when not `sending`.
    `duplicates` is `refuse`, `first` or `last`. `tick` is told the number of rows of each chunk. Raises SourceError where the
    source turns out to be damaged.
    """
    seen = _Seen()
    ambiguous = array("q")
    month_first = False
    rows = 0
    for chunk in source.chunks():
        verdicts = validator.validate(chunk)
        staged = _settled(chunk, verdicts, ledger, resend=resend, sending=sending)
        ledger.stage(staged)
        seen.add(staged)
        ambiguous.extend(chunk.numbers[position] for position in verdicts.ambiguous if position not in chunk.skipped)
        month_first = month_first or any(v.code == MONTH_FIRST for found in verdicts.violations.values() for v in found)
        rows += len(staged)
        tick(len(staged))
    if month_first:
        ledger.flag((number, Violation("date-ambiguous", "date")) for number in ambiguous)
    _settle_twins(seen, ledger, duplicates)
    return rows


def _settled(chunk: Chunk, verdicts: Verdicts, ledger: Ledger, *, resend: bool, sending: bool) -> list[Staged]:
    """Each row of a chunk with the outcome it can be given on its own."""
    outcomes: list[Outcome | None] = [None if sending else Outcome.READY] * len(chunk.rows)
    violations: dict[int, list[Violation]] = dict(verdicts.violations)
    ids = list(verdicts.ids)
    for position, found in violations.items():
        outcomes[position] = Outcome.INVALID
        if any(violation.field in (ID, ROW) for violation in found):
            ids[position] = ""  # not known for certain, so it is no other row's twin
    for position in chunk.skipped:
        outcomes[position] = Outcome.UNPROCESSED
        violations[position] = [Violation("hidden")]
        ids[position] = ""
    if not resend:
        valid = [position for position in range(len(ids)) if position not in violations]
        in_place = ledger.in_place([(ids[position], verdicts.payloads[position]) for position in valid])
        for position in compress(valid, in_place):
            outcomes[position] = Outcome.UNCHANGED
    return [
        Staged(number, contact_id, payload, outcome, violations.get(position, ()), cells)
        for position, (number, contact_id, payload, outcome, cells) in enumerate(
            zip(chunk.numbers, ids, verdicts.payloads, outcomes, chunk.rows, strict=True)
        )
    ]


def _settle_twins(seen: _Seen, ledger: Ledger, duplicates: str) -> None:
    """Settle the rows of each contact that has several, so that at most one of them is sent."""
    flags: list[tuple[int, Violation]] = []
    settled: list[tuple[int, Outcome, Violation | None]] = []
    for twins in _twins(seen, ledger):
        agree = len({payload for _, payload in twins}) == 1
        if not agree and duplicates == "refuse":
            flags.extend((number, Violation("duplicate-conflict", ID, {"rows": _listed(twins)})) for number, _ in twins)
        else:
            counting = twins[-1 if duplicates == "last" and not agree else 0]
            reason = Violation("duplicate-ignored", ID, {"row": str(counting[0])})
            settled.extend(
                (number, Outcome.DUPLICATE, None if payload == counting[1] else reason)
                for number, payload in twins
                if number != counting[0]
            )
        if len(flags) + len(settled) >= _GROUP:
            ledger.flag(flags)
            ledger.settle(settled)
            flags, settled = [], []
    ledger.flag(flags)
    ledger.settle(settled)


def _twins(seen: _Seen, ledger: Ledger) -> Iterator[list[tuple[int, int]]]:
    """For each contact with several rows, their numbers and payload hashes in source order."""
    rows = pd.DataFrame({name: np.frombuffer(getattr(seen, f"{name}s"), dtype=np.int64) for name in ("number", "id", "payload")})
    alike = rows[rows["id"].duplicated(keep=False)]
    for _, group in alike.groupby("id", sort=False):
        twins = dict(zip(group["number"].tolist(), group["payload"].tolist(), strict=True))
        # A hash only points at candidates: the ids themselves decide, so that two contacts are never taken for one.
        contacts: dict[str, list[int]] = {}
        for number, contact_id in ledger.contact_ids(list(twins)).items():
            contacts.setdefault(contact_id, []).append(number)
        for numbers in contacts.values():
            if len(numbers) > 1:
                yield [(number, twins[number]) for number in sorted(numbers)]


def _listed(twins: list[tuple[int, int]]) -> str:
    """Their numbers, as "3, 9 and 12", or the first few of many."""
    numbers = [str(number) for number, _ in twins]
    if len(numbers) > _LISTED:
        return f"{', '.join(numbers[:_LISTED])} and {len(numbers) - _LISTED} more"
    return f"{', '.join(numbers[:-1])} and {numbers[-1]}"
