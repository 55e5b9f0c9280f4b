"""Staging: every row of the source goes into the ledger, settled or pending.

What one row alone cannot tell is settled at the end, over all of them: rows of one contact that disagree, and dates that can be
read two ways in a column that has the month first. Memory for that is 24 bytes a row.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress

import numpy as np

from contact_sync.i18n import _
from contact_sync.ledger import Ledger
from contact_sync.model import ID, PHONE, ROW, Block, Chunk, Outcome, Source, Staged, Violation
from contact_sync.rules.anomalies import Damage
from contact_sync.rules.columns import Validator, Verdicts

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

    def add(self, block: Block, payloads: Sequence[tuple[str | None, ...]]) -> None:
        hashes = list(map(hash, payloads))
        for row in block.others:
            if row.outcome is Outcome.INVALID:  # agrees with no other: once mended it may say something else
                hashes[bisect_left(block.numbers, row.number)] = -row.number
        known = list(map(bool, block.ids))  # the others are settled, whatever else the source says
        self.numbers.fromlist(list(compress(block.numbers, known)))
        self.ids.fromlist(list(compress(map(hash, block.ids), known)))
        self.payloads.fromlist(list(compress(hashes, known)))


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
    seen, damage = _Seen(), Damage()
    ambiguous = array("q")
    month_first = False
    rows = 0
    for chunk in source.chunks():
        _flag_headers(chunk, source.columns)
        verdicts = validator.validate(chunk)
        block = _settled(chunk, verdicts, ledger, resend=resend, sending=sending)
        ledger.stage(block)
        seen.add(block, verdicts.payloads)
        damage.observe(block.numbers, block.ids, verdicts.payloads)
        ambiguous.extend(chunk.numbers[position] for position in verdicts.ambiguous if position not in chunk.skipped)
        month_first = month_first or any(v.code == MONTH_FIRST for found in verdicts.violations.values() for v in found)
        rows += len(block.numbers)
        tick(len(block.numbers))
    if month_first:
        _flag(ambiguous, Violation("date-ambiguous", "date"), ledger)
    _flag(damage.rounded(), Violation("id-rounded", ID), ledger)
    _resolve_duplicates(seen, ledger, duplicates)
    if PHONE in source.mapping:
        source.warnings += damage.warnings(source.letters[source.mapping[PHONE]])
    return rows


def _flag_headers(chunk: Chunk, columns: list[str]) -> None:
    """Find a row wrong that names the columns again."""
    if columns in chunk.rows:
        for position, row in enumerate(chunk.rows):
            if row == columns:
                chunk.flaws.setdefault(position, []).append(Violation("header-again"))


def _flag(numbers: Sequence[int], violation: Violation, ledger: Ledger) -> None:
    for start in range(0, len(numbers), _GROUP):
        ledger.flag([(number, violation) for number in numbers[start : start + _GROUP]])


def _settled(chunk: Chunk, verdicts: Verdicts, ledger: Ledger, *, resend: bool, sending: bool) -> Block:
    """A chunk with the outcome that each row can be given on its own."""
    ids, payloads, violations = list(verdicts.ids), verdicts.payloads, verdicts.violations
    valid: Sequence[int] = range(len(ids))
    if violations or chunk.skipped:
        valid = [position for position in valid if position not in violations and position not in chunk.skipped]
    in_place = ledger.in_place([(ids[position], payloads[position]) for position in valid])
    unchanged = set() if resend else set(compress(valid, in_place))
    to_send = [position for position in valid if position not in unchanged] if unchanged else valid
    if sending or len(unchanged) > len(to_send):
        outcome, apart = Outcome.UNCHANGED, dict.fromkeys(to_send, None if sending else Outcome.READY)
    else:
        outcome, apart = Outcome.READY, dict.fromkeys(unchanged, Outcome.UNCHANGED)
        apart |= {position: Outcome.READY for position in to_send if "" in payloads[position]}  # whose clears are counted
    others = [Staged(chunk.numbers[p], ids[p], payloads[p], outcome) for p, outcome in apart.items()]
    for position, found in violations.items():
        if any(violation.field in (ID, ROW) for violation in found):
            ids[position] = ""  # not known for certain, so it is no other row's twin
        if position not in chunk.skipped:
            others.append(Staged(chunk.numbers[position], ids[position], payloads[position], Outcome.INVALID, found))
    for position in chunk.skipped:
        ids[position] = ""
        others.append(Staged(chunk.numbers[position], "", payloads[position], Outcome.UNPROCESSED, [Violation("hidden")]))
    return Block(chunk.numbers, ids, chunk.rows, outcome, others)


def _resolve_duplicates(seen: _Seen, ledger: Ledger, duplicates: str) -> None:
    """Settle the rows of each contact that has several, so that at most one of them is sent."""
    flags: list[tuple[int, Violation]] = []
    settled: list[tuple[int, Outcome, Violation | None]] = []
    for rows in _duplicates(seen, ledger):
        agree = len({payload for _, payload in rows}) == 1
        if not agree and duplicates == "refuse":
            flags.extend((number, Violation("duplicate-conflict", ID, {"rows": _listed(rows)})) for number, _ in rows)
        else:
            counting = rows[-1 if duplicates == "last" and not agree else 0]
            reason = Violation("duplicate-ignored", ID, {"row": str(counting[0])})
            settled.extend(
                (number, Outcome.DUPLICATE, None if payload == counting[1] else reason)
                for number, payload in rows
                if number != counting[0]
            )
        if len(flags) + len(settled) >= _GROUP:
            ledger.flag(flags)
            ledger.settle(settled)
            flags, settled = [], []
    ledger.flag(flags)
    ledger.settle(settled)


def _duplicates(seen: _Seen, ledger: Ledger) -> Iterator[list[tuple[int, int]]]:
    """For each contact with several rows, their numbers and payload hashes in source order."""
    ids = np.sort(np.frombuffer(seen.ids, dtype=np.int64))
    if not (ids[1:] == ids[:-1]).any():
        return
    import pandas as pd  # noqa: PLC0415 - most sources name each contact once, and need not wait for it

    columns = {"number": seen.numbers, "id": seen.ids, "payload": seen.payloads}
    rows = pd.DataFrame({name: np.frombuffer(column, dtype=np.int64) for name, column in columns.items()})
    alike = rows[rows["id"].duplicated(keep=False)].sort_values(["id", "number"])
    ends = [*np.flatnonzero(np.diff(alike["id"])) + 1, len(alike)]
    start = 0
    # A hash only points at candidates: the ids themselves decide, so that two contacts are never taken for one.
    for end in ends[_GROUP - 1 :: _GROUP] + ends[-1:]:
        batch = alike[start:end]
        payloads = dict(zip(batch["number"].tolist(), batch["payload"].tolist(), strict=True))
        contacts: dict[str, list[int]] = {}
        for number, contact_id in ledger.contact_ids(list(payloads)).items():
            contacts.setdefault(contact_id, []).append(number)
        yield from ([(number, payloads[number]) for number in numbers] for numbers in contacts.values() if len(numbers) > 1)
        start = end


def _listed(duplicates: list[tuple[int, int]]) -> str:
    """Their numbers, as "3, 9 and 12", or the first few of many."""
    numbers = [str(number) for number, _ in duplicates]
    if len(numbers) > _LISTED:
        return _("{rows} and {more} more", rows=", ".join(numbers[:_LISTED]), more=len(numbers) - _LISTED)
    return _("{rows} and {last}", rows=", ".join(numbers[:-1]), last=numbers[-1])
