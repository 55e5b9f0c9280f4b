"""Staging: every row of the source goes into the ledger, settled or pending.

What a single row cannot show is resolved at the end, over all rows: rows of one contact that disagree, and dates that can be read
two ways where the month may come first. Memory for that is 40 bytes a row.
"""

import os
from array import array
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import compress
from typing import NamedTuple, TypeAlias, TypeVar

from contact_sync.i18n import local_time
from contact_sync.ledger.base_token import Fit
from contact_sync.ledger.store import Ledger
from contact_sync.model.fields import ID, ROW
from contact_sync.model.row import Block, Outcome, Staged
from contact_sync.model.source import Chunk, Source
from contact_sync.model.violation import NO_COLUMNS, Column, Violation
from contact_sync.packed import checksums, pack
from contact_sync.rules.anomalies import Damage
from contact_sync.rules.columns import NOTHING_TO_SEND, Validator, Verdicts
from contact_sync.rules.date_order import DateOrder
from contact_sync.rules.deletion import DELETED, DeletionMarks
from contact_sync.settings import Settings
from contact_sync.source.second_header import HeaderSearch
from contact_sync.sync.base import Bases
from contact_sync.sync.duplicates import GROUP, RowHashes, resolve_duplicates

_ValueT = TypeVar("_ValueT")
EDITED_LATE = "edited-late"
_Ages: TypeAlias = dict[int, int]  # position of a row → time of its values (seconds since 1970, UTC)


class StageResult(NamedTuple):
    """Numbers of staged rows and cells, as the guards need them."""

    rows: int
    to_send: int  # pending rows, or `ready` ones in a dry run
    invalid: int
    nothing_to_send: int  # other invalid rows, which have nothing but a contactId
    clears: int  # cells that would empty a stored field
    same_identity: int  # rows of known contacts that keep their name or phone number
    identity_changes: int  # rows of known contacts that change first name, last name and phone number at once
    superseded: int  # rows that a newer source has overtaken
    no_value_words: dict[str, int]  # field → cells with a word for no value, such as NULL, where there are many
    pulled: int  # rows of a pulled file
    edits: Mapping[str, int]  # field → rows of a pulled file in which it was edited
    hidden: Sequence[int]  # numbers of the rows for which the source is refused; they are not counted as invalid
    columns: Mapping[str, Column] = NO_COLUMNS  # those of the fields
    checks: Sequence[str] = ()  # sentences on what only a person can judge


def stage(
    source: Source,
    validator: Validator,
    ledger: Ledger,
    settings: Settings,
    *,
    bases: Bases | None = None,
    pending: bool = True,
    tick: Callable[[int], None],
) -> StageResult:
    """Write every row of `source` into `ledger` and count them.

    A valid row is `unchanged` when its values are in place (unless all are to be resent), else `pending`, or `ready`.
    With `bases` only edited fields are sent. `tick` is called with the number of rows of each chunk. Raises SourceError where the
    source turns out to be damaged.
    """
    hashes, damage = RowHashes(), Damage(validator.schema)
    reads_first = settings.send.reads_first(is_pulled=bases is not None)
    headers, deletions = HeaderSearch(source.columns, source.mapping), DeletionMarks(source.mapping, source.letters)
    ambiguous = array("q")
    order = DateOrder(source.columns, source.mapping)
    rows = same_identity = identity_changes = superseded = 0
    for chunk in source.chunks():
        headers.flag(chunk, source.path.name)
        cells = pack(chunk.rows)
        deletions.flag(chunk, cells)
        ages, edited = _ages(chunk, cells, settings.send.conflicts)
        verdicts = validator.validate(chunk)
        _skip_forgotten(chunk, verdicts, ledger, settings)
        verdicts, untouched, stale = bases.apply(chunk, verdicts) if bases else (verdicts, set[int](), dict[int, list[str]]())
        cells = pack(chunk.rows) if bases else cells  # which has put new base tokens into them
        valid = _valid(chunk, verdicts, untouched | stale.keys())
        values = _selected(list(zip(verdicts.ids, verdicts.payloads, strict=True)), valid)
        comparison = ledger.compare(values)
        same_identity += comparison.same_identity
        identity_changes += comparison.identity_changes
        unchanged = untouched
        overtaken = _overtaken("base-stale", stale)
        to_send = valid
        if not (settings.send.resend or reads_first):
            in_place = list(compress(valid, comparison.in_place))
            ledger.note_in_place(list(compress(values, comparison.in_place)), list(map(ages.get, in_place)))
            unchanged = untouched | set(in_place)
            if in_place:
                to_send = [position for position in valid if position not in unchanged]
            overtaken |= _newer(verdicts, to_send, ages, edited, ledger)
        superseded += sum(reasons[0].code != EDITED_LATE for reasons in overtaken.values())
        block = _block_of(
            chunk,
            verdicts,
            to_send,
            unchanged,
            overtaken,
            cells=cells,
            may_clear=bases is not None or settings.source.blank == "clear" or b"<" in cells,  # of `<clear>`
            ages=ages,
            base=source.base_position if bases else None,
            sending=pending,
        )
        ledger.stage(block)
        hashes.add(block, verdicts.payloads, untouched | stale.keys())
        damage.observe(block.numbers, block.ids, verdicts.payloads, to_send)
        ambiguous.extend(chunk.numbers[position] for position in verdicts.ambiguous if position not in chunk.skipped)
        order.observe(chunk, verdicts.violations)
        rows += len(block.numbers)
        tick(len(block.numbers))
    if bases:
        bases.refuse_foreign()
    if order.is_doubtful:
        _flag(ambiguous, order.violation, ledger)
    _flag(damage.rounded(), Violation("id-rounded", ID), ledger)
    resolve_duplicates(hashes, ledger, settings.source.duplicates)
    warnings, checks = damage.signs(source.layout.columns_of_fields)
    source.warnings += warnings
    if not bases:
        source.warnings += validator.no_value_words.warnings(rows, source.layout.columns_of_fields)
    invalid = ledger.count(Outcome.INVALID, without=NOTHING_TO_SEND)
    return StageResult(
        rows,
        ledger.count(None) + ledger.count(Outcome.READY),
        max(0, invalid - len(source.hidden)),
        ledger.count(Outcome.INVALID) - invalid,
        ledger.clears(),
        same_identity,
        identity_changes,
        superseded,
        {} if bases else validator.no_value_words.counts(rows),  # cells that were not edited are not judged
        bases.fits[Fit.FITS] if bases else 0,
        bases.edits if bases else {},
        source.hidden,
        source.layout.columns_of_fields,
        checks,
    )


def _skip_forgotten(chunk: Chunk, verdicts: Verdicts, ledger: Ledger, settings: Settings) -> None:
    """Leave out the rows of forgotten contacts, also the invalid ones: nothing in them is to be corrected."""
    if not settings.send.allow_forgotten and (forgotten := ledger.forgotten(verdicts.ids)):
        rows = [position for position, contact_id in enumerate(verdicts.ids) if contact_id in forgotten]
        chunk.skipped = dict.fromkeys(rows, "forgotten") | chunk.skipped


def _flag(numbers: Sequence[int], violation: Violation, ledger: Ledger) -> None:
    for start in range(0, len(numbers), GROUP):
        ledger.flag_invalid([(number, violation) for number in numbers[start : start + GROUP]])


def _valid(chunk: Chunk, verdicts: Verdicts, untouched: Collection[int]) -> Sequence[int]:
    """Return the positions of the valid rows that have a field to send."""
    valid = range(len(verdicts.ids))
    if verdicts.violations or chunk.skipped or untouched:
        return [at for at in valid if not (at in verdicts.violations or at in chunk.skipped or at in untouched)]
    return valid


def _selected(rows: list[_ValueT], positions: Sequence[int]) -> list[_ValueT]:
    return rows if len(positions) == len(rows) else [rows[position] for position in positions]


def _overtaken(code: str, fields: Mapping[int, Sequence[str]]) -> dict[int, list[Violation]]:
    """Return the reason why each of these rows, by position, is not sent: some of its fields were overtaken."""
    return {position: [Violation(code, detail={"fields": ", ".join(names)})] for position, names in fields.items()}


def _newer(
    verdicts: Verdicts, to_send: Sequence[int], ages: _Ages, edited: Collection[int], ledger: Ledger
) -> dict[int, list[Violation]]:
    """Return the reasons why each row, by position, is not sent that a newer source has overtaken.

    One that was `edited` after that source holds news, too, among cells that may be older: an operator decides.
    """
    if not ledger.has_newer(ages.values()):
        return {}

    def overtaken(positions: Sequence[int], ages: _Ages) -> dict[int, dict[str, int]]:
        rows = [(verdicts.ids[position], verdicts.payloads[position], ages.get(position)) for position in positions]
        return {position: fields for position, fields in zip(positions, ledger.overtaken(rows), strict=True) if fields}

    found = overtaken(to_send, ages)
    candidates = [position for position in found if position in edited]
    old = overtaken(candidates, {})  # also by the time of their file
    late = {position: found.pop(position) for position in candidates if position not in old}
    files = {moment: _file_of(moment, ledger) for fields in late.values() for moment in fields.values()}
    conflicts = {
        position: [Violation(EDITED_LATE, name, {"file": files[moment]}) for name, moment in fields.items()]
        for position, fields in late.items()
    }
    return _overtaken("superseded", {position: list(fields) for position, fields in found.items()}) | conflicts


def _file_of(moment: int, ledger: Ledger) -> str:
    """Return the name, where the ledger knows it, and the time of a source whose values are of this time."""
    name, time = os.path.basename(ledger.source_of(moment)), local_time(datetime.fromtimestamp(moment, UTC))  # noqa: PTH119
    return f"{name}, {time}" if name else time


def _ages(chunk: Chunk, cells: bytes, conflicts: str) -> tuple[_Ages, set[int]]:
    """Return, of the rows of a report that is fed back, the time of their values and the positions of edited ones.

    A row without a time is as old as the source. So is an edited one when `conflicts` are decided for the source, as `mine`.
    """
    edited, ages = set[int](), {}
    if chunk.checksums and conflicts != "theirs":
        written = zip(chunk.checksums, checksums(cells), strict=True)
        edited = {position for position, (old, new) in enumerate(written) if old.strip() not in ("", new)}
    for position, text in enumerate(chunk.source_at):
        if conflicts == "mine" and position in edited:
            continue
        with suppress(ValueError, OverflowError):
            ages[position] = max(0, int(datetime.fromisoformat(text.strip()).astimezone(UTC).timestamp()))
    return ages, edited


def _block_of(
    chunk: Chunk,
    verdicts: Verdicts,
    to_send: Sequence[int],
    unchanged: set[int],
    overtaken: Mapping[int, list[Violation]],
    *,
    cells: bytes,
    may_clear: bool,
    ages: _Ages,
    base: int | None,
    sending: bool,
) -> Block:
    """Return a chunk with the outcome of each row as far as the row by itself and the ledger decide it.

    `base` is the position of the column of base tokens, None without one.
    """
    ids, payloads, violations = list(verdicts.ids), verdicts.payloads, verdicts.violations
    if overtaken:
        to_send = [position for position in to_send if position not in overtaken]
    if sending or len(unchanged) > len(to_send):
        outcome, apart = Outcome.UNCHANGED, dict.fromkeys(to_send, None if sending else Outcome.READY)
    else:
        outcome, apart = Outcome.READY, dict.fromkeys(unchanged, Outcome.UNCHANGED)
        if may_clear:  # and these are counted
            apart |= {position: Outcome.READY for position in to_send if "" in payloads[position]}
    # The report repeats the age of each row: a report of a report must not make its values look newer.
    apart |= dict.fromkeys(ages.keys() - apart.keys() - overtaken.keys() - violations.keys() - chunk.skipped.keys(), outcome)
    others = [
        Staged(
            chunk.numbers[p],
            ids[p],
            payloads[p],
            outcome,
            (),
            ages.get(p),
            "" if base is None else chunk.rows[p][base].strip().partition(" ")[0],
        )
        for p, outcome in apart.items()
    ]
    for position, reasons in overtaken.items():
        others.append(
            Staged(
                chunk.numbers[position],
                ids[position],
                payloads[position],
                Outcome.CONFLICT if reasons[0].code == EDITED_LATE else Outcome.UNPROCESSED,
                reasons,
                ages.get(position),
            )
        )
    for position, found in violations.items():
        if any(violation.field in (ID, ROW) or violation.code == DELETED for violation in found):
            ids[position] = ""  # not certain, so the row duplicates no other
        if position not in chunk.skipped:
            others.append(
                Staged(chunk.numbers[position], ids[position], payloads[position], Outcome.INVALID, found, ages.get(position))
            )
    for position, code in chunk.skipped.items():
        ids[position] = ""
        others.append(Staged(chunk.numbers[position], "", payloads[position], Outcome.UNPROCESSED, [Violation(code)]))
    return Block(chunk.numbers, ids, cells, outcome, others)
