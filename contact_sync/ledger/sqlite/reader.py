"""The current run read back: the number of rows of each outcome, the causes, and every row for the reports."""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from contact_sync.ledger.sqlite.database import Database
from contact_sync.ledger.sqlite.history import Unsent
from contact_sync.ledger.sqlite.outbox import RunOutbox
from contact_sync.ledger.sqlite.schema import SENTENCE_SEPARATOR
from contact_sync.model.fields import ROW, stamp
from contact_sync.model.report import Batch, Cause, Line
from contact_sync.model.row import ATTENTION, IN_PLACE, REPEATS_LEFT, REPEATS_WRONG, Outcome
from contact_sync.model.violation import CONFLICTING, LISTED, Violation, conflict_of
from contact_sync.packed import unpack

_LOST = Violation("not-recorded")  # the reason why a row is `failed` whose result could not be made durable


@dataclass
class RunReader:
    """Reader of the tables `block` and `row`, and of the results that the outbox could not make durable."""

    database: Database
    outbox: RunOutbox
    unsent: Unsent | None = None  # what pending rows are read as; None while they are pending
    before: str = ""  # id of the complete run of the same source before; empty where there is none to compare with

    def report_unsent_as(self, violation: Violation, *, ready: bool) -> None:
        self.unsent = Unsent(violation, ready)

    def count(self, outcome: Outcome | None, *, without: str | None = None) -> int:
        query = "SELECT count(*) FROM row WHERE outcome IS ? AND code IS NOT ?"
        plain = self.database.number("SELECT ifnull(sum(plain), 0) FROM block WHERE outcome IS ?", outcome)
        return plain + self.database.number(query, outcome, without)

    def clears(self) -> int:
        return self.database.number("SELECT ifnull(sum(clears), 0) FROM row WHERE outcome IS NULL OR outcome = 'ready'")

    def attempts(self) -> tuple[int, int]:
        query = "SELECT ifnull(sum(attempts), 0), ifnull(sum(attempts - 1), 0) FROM row WHERE attempts > 0"
        ((requests, retries),) = self.database.all(query)
        for result in self.outbox.unwritten:  # the attempts of the first pass are in the file
            before = result.row.attempts
            requests += result.attempts - before
            retries += max(result.attempts - 1, 0) - max(before - 1, 0)
        return requests, retries

    def outcomes(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        query = "SELECT outcome, count(*) FROM row GROUP BY 1 UNION ALL SELECT outcome, sum(plain) FROM block GROUP BY 1"
        for outcome, rows in self.database.all(query):
            found[self._read(outcome)] += rows
        lost = sum(not result.row.attempts for result in self.outbox.unwritten)  # in the second pass they are `failed` already
        found[self._read(None)] -= lost
        found[Outcome.FAILED] += lost
        return {outcome: found[outcome] for outcome in (*Outcome, "") if found[outcome]}

    def repeats(self) -> dict[str, int]:
        return Counter(outcome for _number, _counting, outcome in self._open_duplicates())

    def _open_duplicates(self) -> Iterator[tuple[int, int, str]]:
        """Yield, in source order, each duplicate whose row that counts is not in place, with that row and its outcome as read.

        Of several other rows of the contact, those that are invalid count only where all are.
        """
        if not self.database.number("SELECT EXISTS (SELECT 1 FROM row WHERE outcome = ?)", Outcome.DUPLICATE):
            return
        lost = {result.row.number for result in self.outbox.unwritten}
        query = (
            "SELECT one.number, other.number, other.outcome FROM row AS one JOIN row AS other USING (contact_id)"
            " WHERE one.outcome = 'duplicate' AND contact_id <> '' AND other.outcome IS NOT 'duplicate'"
            " ORDER BY one.number, other.outcome IS 'invalid', other.number"
        )
        last = None
        for number, counting, outcome in self.database.each(query):
            read = Outcome.FAILED if counting in lost else self._read(outcome)
            if number != last and read and read not in IN_PLACE:  # a pending row has no fate yet
                yield number, counting, read
            last = number

    def _read(self, outcome: str | None) -> str:
        """Return an outcome of the file as it is reported."""
        if self.unsent and (outcome is None or (outcome == Outcome.READY and self.unsent.ready)):
            return Outcome.UNPROCESSED
        return outcome or ""

    def causes(self) -> list[Cause]:
        rows: Counter[tuple[str, str, str]] = Counter()
        first: dict[tuple[str, str, str], tuple[int, str]] = {}
        shared: dict[tuple[str, str, str], bool] = {}
        for outcome, joined, fields, count, number, message, is_shared in self._groups():
            codes = joined.split(",")
            sentences = message.split(SENTENCE_SEPARATOR) if len(codes) > 1 else [message]
            if len(sentences) != len(codes):  # written by a version that did not separate them
                sentences = [""] * len(codes)
            for code, field, sentence in zip(codes, fields.split(","), sentences, strict=True):
                cause = (outcome, code, field)
                rows[cause] += count
                shared[cause] = bool(is_shared) and (cause not in first or (shared[cause] and first[cause][1] == sentence))
                first[cause] = min((number, sentence), first.get(cause, (number, sentence)))
        columns, fresh = self.outbox.wording.columns, self._fresh() if self.before else {}
        found = [Cause(*key, count, *first[key], shared[key], columns.get(key[2]), fresh.get(key)) for key, count in rows.items()]
        found = [cause if cause.code != CONFLICTING or cause.is_shared else self._with_all_contacts(cause) for cause in found]
        return sorted(found, key=lambda cause: (not cause.fresh, -cause.rows, cause.first))

    def _fresh(self) -> dict[tuple[str, str, str], int]:
        """Return, by cause, the number of rows whose contact did not have its code in its field in the run before.

        Of rows without a contactId, the number by which there are more. Rows that were not sent, and duplicates, have no events
        to compare with.
        """
        query = """
            WITH event AS (
                SELECT contact_id, group_concat(code) AS codes, group_concat(fields) AS fields FROM history
                WHERE run = ? AND code <> '' GROUP BY contact_id
            )
            SELECT row.contact_id = '', outcome, code, row.fields, codes, event.fields, count(*)
            FROM row LEFT JOIN event USING (contact_id)
            WHERE code <> '' AND outcome IN (SELECT value FROM json_each(?)) GROUP BY 1, 2, 3, 4, 5, 6
        """
        fresh: Counter[tuple[str, str, str]] = Counter()
        compared = json.dumps([*ATTENTION, Outcome.FAILED])
        for is_nameless, outcome, codes, fields, *event, count in self.database.all(query, self.before, compared):
            former = Counter(zip(*((joined or "").split(",") for joined in event), strict=False))
            for problem in zip(codes.split(","), fields.split(","), strict=True):
                known = former[problem] if is_nameless else count * bool(former[problem])
                fresh[outcome, *problem] += max(0, count - known)
        return dict(fresh)

    def _with_all_contacts(self, cause: Cause) -> Cause:
        """Return the cause of rows that disagree with a message that names the rows of every contact, not of the first alone."""
        rows = "FROM row WHERE outcome = 'invalid' AND instr(code, ?)"
        listed = f"SELECT group_concat(number) {rows} GROUP BY contact_id ORDER BY min(number) LIMIT ?"
        contacts = [sorted(map(int, numbers.split(","))) for (numbers,) in self.database.each(listed, CONFLICTING, LISTED)]
        total = self.database.number(f"SELECT count(DISTINCT contact_id) {rows}", CONFLICTING)
        return cause._replace(message=conflict_of(contacts, total - len(contacts)).sentence())

    def _groups(self) -> Iterator[tuple[Any, ...]]:
        """Yield what rows have in common (outcome, codes, fields), their number, the first, its message, and if all have it."""
        lost = [result.row.number for result in self.outbox.unwritten]
        yield from self.database.all(
            # SQLite takes the message from the row that has the smallest number.
            "SELECT outcome, code, fields, count(*), min(number), message, count(DISTINCT message) = 1 FROM row"
            " WHERE code <> '' AND number NOT IN (SELECT value FROM json_each(?)) GROUP BY 1, 2, 3",
            json.dumps(lost),
        )
        if lost:
            yield Outcome.FAILED, _LOST.code, ROW, len(lost), min(lost), _LOST.sentence(), True
        if self.unsent:
            why = self.unsent.violation
            query = (
                "SELECT count(*), min(number) FROM row"
                " WHERE outcome IS NULL AND number NOT IN (SELECT value FROM json_each(?)) GROUP BY outcome"
            )
            for rows, first in self.database.all(query, json.dumps(lost)):
                yield Outcome.UNPROCESSED, why.code, ROW, rows, first, why.sentence(), True

    def batches(self) -> Iterator[Batch]:
        lost = [dataclasses.replace(result, outcome=Outcome.FAILED, violations=[_LOST]) for result in self.outbox.unwritten]
        query = (
            "SELECT number, as_of, outcome, code, fields, message, attempts, http_status, api_code, at, base"
            " FROM row WHERE number BETWEEN ? AND ?"
        )
        duplicates = self._open_duplicates()
        upcoming = next(duplicates, None)
        for (first,) in self.database.all("SELECT first FROM block ORDER BY first"):
            ((texts, cells, outcome),) = self.database.all("SELECT numbers, cells, outcome FROM block WHERE first = ?", first)
            numbers = json.loads(texts)
            own: dict[int, Sequence[Any]] = {number: columns for number, *columns in self.database.all(query, first, numbers[-1])}
            own |= {
                result.row.number: (own.get(result.row.number, (None,))[0], *self.outbox.result_columns(result), "")
                for result in lost
                if first <= result.row.number <= numbers[-1]
            }
            others = {}
            if own:
                rows = zip(numbers, unpack(cells), strict=True)
                others = {number: self._line(row, number, own[number]) for number, row in rows if number in own}
            while upcoming and upcoming[0] <= numbers[-1]:
                number, counting, read = upcoming
                others[number] = _with_fate(others[number], counting, read)
                upcoming = next(duplicates, None)
            yield Batch(numbers, cells, self._line([], 0, (None, outcome, "", "", "", 0, None, "", "", "")), others)

    def _line(self, cells: list[str], number: int, columns: Sequence[Any]) -> Line:
        """Return the line of a row whose columns `as_of` and from `outcome` to `base` are these."""
        as_of, outcome, code, fields, message, attempts, http_status, api_code, at, base = columns
        read = self._read(outcome)
        if self.unsent and read != outcome:
            code, fields, message = self.outbox.wording.texts([self.unsent.violation])
        text, concerned = message.replace(SENTENCE_SEPARATOR, " "), fields.split(",")
        fields = ",".join(dict.fromkeys(filter(None, concerned)))
        sent = (attempts, http_status, api_code, at, self._source_at(as_of))
        about = _sentences(concerned, message.split(SENTENCE_SEPARATOR))
        return Line(cells, number, read, code, fields, text, *sent, base, about)

    def _source_at(self, as_of: int | None) -> str:
        moment = self.outbox.confirmed.as_of if as_of is None else as_of
        return _stamped(moment) if moment else ""


def _sentences(fields: Sequence[str], sentences: Sequence[str]) -> dict[str, str]:
    """Return field → its sentences where there are several; none where an earlier version did not separate them."""
    found: dict[str, str] = {}
    if len(fields) > 1 and len(fields) == len(sentences):
        for field, sentence in zip(fields, sentences, strict=True):
            found[field] = f"{found[field]} {sentence}" if field in found else sentence
    return found


@lru_cache(maxsize=64)  # nearly all rows have the same
def _stamped(moment: int) -> str:
    return stamp(datetime.fromtimestamp(moment, UTC))


def _with_fate(line: Line, counting: int, outcome: str) -> Line:
    """Return the line of a duplicate with what the outcome of row `counting` means for it."""
    if outcome == Outcome.READY:
        return line
    name = REPEATS_WRONG if outcome in ATTENTION else REPEATS_LEFT
    repeats = Violation(name, detail={"row": str(counting), "outcome": Outcome(outcome).named})
    code, message = filter(None, (line.code, repeats.code)), filter(None, (line.message, repeats.sentence()))
    return line._replace(code=",".join(code), message=" ".join(message))
