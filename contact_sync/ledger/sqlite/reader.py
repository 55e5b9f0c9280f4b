"""The current run read back: the number of rows of each outcome, the causes, and every row for the reports."""

import json
from collections import Counter
from collections.abc import Iterator

from contact_sync.ledger.sqlite.columns import SENTENCE_SEPARATOR, Unsent, packed_text, storable, violation_columns
from contact_sync.ledger.sqlite.database import Database
from contact_sync.ledger.sqlite.outbox import RunOutbox
from contact_sync.model import ROW, Batch, Cause, Line, Outcome, Result, Violation
from contact_sync.packed import unpack


class RunReader:
    """Reader of the tables `block` and `row`, and of the results that the outbox could not make durable."""

    def __init__(self, database: Database, outbox: RunOutbox) -> None:
        self._database = database
        self._outbox = outbox
        self.unsent: Unsent | None = None
        """What pending rows are read as; None while they are pending."""

    @property
    def _lost(self) -> dict[int, Result]:
        """The results that are not durable, by row number."""
        return {result.row.number: result for result in self._outbox.unwritten}

    def report_unsent_as(self, violation: Violation, *, ready: bool) -> None:
        """Read pending rows, and with `ready` also `ready` ones, as `unprocessed`."""
        self.unsent = Unsent(violation, ready)

    def count(self, outcome: Outcome | None, *, without: str | None = None) -> int:
        """Return the number of rows with this outcome (None = pending), except those whose only code is `without`."""
        query = "SELECT count(*) FROM row WHERE outcome IS ? AND code IS NOT ?"
        plain = self._database.number("SELECT ifnull(sum(plain), 0) FROM block WHERE outcome IS ?", outcome)
        return plain + self._database.number(query, outcome, without)

    def clears(self) -> int:
        """Return the number of cells, in rows to send, that would empty a stored field."""
        return self._database.number("SELECT ifnull(sum(clears), 0) FROM row WHERE outcome IS NULL OR outcome = 'ready'")

    def attempts(self) -> tuple[int, int]:
        """Return the number of attempts made for the rows of this run, and how many of them were retries."""
        query = "SELECT ifnull(sum(attempts), 0), ifnull(sum(attempts - 1), 0) FROM row WHERE attempts > 0"
        ((requests, retries),) = self._database.all(query)
        for result in self._outbox.unwritten:  # the attempts of the first pass are in the file
            before = result.row.attempts
            requests += result.attempts - before
            retries += max(result.attempts - 1, 0) - max(before - 1, 0)
        return requests, retries

    def outcomes(self) -> dict[str, int]:
        """Return outcome → number of rows, for each outcome that occurs; the key of pending rows is empty."""
        found: Counter[str] = Counter()
        query = "SELECT outcome, count(*) FROM row GROUP BY 1 UNION ALL SELECT outcome, sum(plain) FROM block GROUP BY 1"
        for outcome, rows in self._database.all(query):
            found[self._read(outcome)] += rows
        lost = sum(not result.row.attempts for result in self._outbox.unwritten)  # in the second pass they are `failed` already
        found[self._read(None)] -= lost
        found[Outcome.FAILED] += lost
        return {outcome: found[outcome] for outcome in (*Outcome, "") if found[outcome]}

    def _read(self, outcome: str | None) -> str:
        """Return an outcome of the file as it is reported."""
        if self.unsent and (outcome is None or (outcome == Outcome.READY and self.unsent.ready)):
            return Outcome.UNPROCESSED
        return outcome or ""

    def causes(self) -> list[Cause]:
        """Return the reasons why rows are not in place, by outcome, code and field, the most frequent first."""
        lost = [*self._lost]
        rows: Counter[tuple[str, str, str]] = Counter()
        first: dict[tuple[str, str, str], tuple[int, str]] = {}
        groups = self._database.all(
            # SQLite takes the message from the row that has the smallest number.
            "SELECT outcome, code, fields, count(*), min(number), message FROM row"
            " WHERE code <> '' AND number NOT IN (SELECT value FROM json_each(?)) GROUP BY 1, 2, 3",
            json.dumps(lost),
        )
        for outcome, joined, fields, count, number, message in groups:
            codes, sentences = joined.split(","), message.split(SENTENCE_SEPARATOR)
            if len(sentences) != len(codes):  # written by a version that did not separate them
                sentences = [""] * len(codes)
            for code, field, sentence in zip(codes, fields.split(","), sentences, strict=True):
                cause = (outcome, code, field)
                rows[cause] += count
                first[cause] = min((number, sentence), first.get(cause, (number, sentence)))
        found = [Cause(*cause, count, *first[cause]) for cause, count in rows.items()]
        return sorted([*found, *self._unwritten_causes(lost)], key=lambda cause: (-cause.rows, cause.first))

    def _unwritten_causes(self, lost: list[int]) -> Iterator[Cause]:
        """Yield the causes that are not in the file: of results that are lost, and of rows that were not sent."""
        if lost:
            yield Cause(Outcome.FAILED, "not-recorded", ROW, len(lost), min(lost), Violation("not-recorded").message)
        if self.unsent:
            query = (
                "SELECT count(*), min(number) FROM row WHERE outcome IS NULL AND number NOT IN (SELECT value FROM json_each(?))"
            )
            ((rows, first),) = self._database.all(query, json.dumps(lost))
            if rows:
                why = self.unsent.violation
                yield Cause(Outcome.UNPROCESSED, why.code, ROW, rows, first, why.message)

    def batches(self) -> Iterator[Batch]:
        """Yield all rows in source order, a block at a time."""
        lost = self._lost
        for (first,) in self._database.all("SELECT first FROM block ORDER BY first"):
            ((texts, cells, outcome),) = self._database.all("SELECT numbers, cells, outcome FROM block WHERE first = ?", first)
            numbers, packed = json.loads(texts), packed_text(cells)
            query = (
                "SELECT number, outcome, code, fields, message, attempts, http_status, api_code, at FROM row"
                " WHERE number BETWEEN ? AND ?"
            )
            own = {number: line for number, *line in self._database.all(query, first, numbers[-1])}
            others = {}
            if own or lost:
                for number, row in zip(numbers, unpack(packed), strict=True):
                    if number in lost:
                        others[number] = _lost_line(row, lost[number])
                    elif number in own:
                        others[number] = self._line(row, number, *own[number])
            yield Batch(numbers, packed, self._line([], 0, outcome), others)

    def _line(  # noqa: PLR0917 - the columns of a row, in their order
        self,
        cells: list[str],
        number: int,
        outcome: str | None,
        code: str = "",
        fields: str = "",
        message: str = "",
        attempts: int = 0,
        http_status: int | None = None,
        api_code: str = "",
        at: str = "",
    ) -> Line:
        read = self._read(outcome)
        if self.unsent and read != outcome:
            code, fields, message = violation_columns([self.unsent.violation])
        fields = ",".join(dict.fromkeys(filter(None, fields.split(","))))
        message = message.replace(SENTENCE_SEPARATOR, " ")
        return Line(cells, number, read, code, fields, message, attempts, http_status, api_code, at)


def _lost_line(cells: list[str], result: Result) -> Line:
    """Return the line of a row whose result could not be made durable."""
    code, fields, message = violation_columns([Violation("not-recorded")])
    sent = (result.attempts, result.http_status, storable(result.api_code), result.at)
    return Line(cells, result.row.number, Outcome.FAILED, code, fields, message, *sent)
