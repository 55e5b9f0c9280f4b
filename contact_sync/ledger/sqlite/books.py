"""The run read back: how many rows came to what, why, and every row for the reports."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from contact_sync.ledger.sqlite.database import storable
from contact_sync.ledger.sqlite.memory import Memory
from contact_sync.model import ROW, Batch, Cause, Line, Outcome, Result, Summary, Violation
from contact_sync.packed import unpack

BETWEEN = "\n"
"""Stands between the sentences of a row; each is one line, for what the API says is put on one (`envelope.quoted`)."""


class _Rest(NamedTuple):
    """What is told of the rows whose turn did not come."""

    violation: Violation
    ready: bool
    """Whether it is told of those that are `ready`, too."""


class Books(Memory):
    """What the file says of the run under way, and what it could not be told any more."""

    _results: list[Result]
    """Not yet durable; lost when they cannot be made so."""
    _rest: _Rest | None

    def report_unsent_as(self, rest: Violation, *, ready: bool) -> None:
        """Read the rows that are still pending as `unprocessed` for the reason `rest`, and with `ready` those that are `ready`.

        Nothing is written, so that also a ledger on a full disk can be reported from. A result that could not be made durable
        counts as `failed`: the next run sends the row again.
        """
        self._rest = _Rest(rest, ready)

    def count(self, outcome: Outcome | None, *, without: str | None = None) -> int:
        """How many rows have this outcome (None = pending), not counting those whose one code is `without`."""
        own = self._number("SELECT count(*) FROM row WHERE outcome IS ? AND code IS NOT ?", outcome, without)
        return own + self._number("SELECT ifnull(sum(plain), 0) FROM block WHERE outcome IS ?", outcome)

    def clears(self) -> int:
        """How many cells of the rows to send would empty a stored field."""
        return self._number("SELECT ifnull(sum(clears), 0) FROM row WHERE outcome IS NULL OR outcome = 'ready'")

    def attempts(self) -> tuple[int, int]:
        """How many attempts were made for the rows of this run, and how many of them were repetitions."""
        with self._in_words():
            query = "SELECT ifnull(sum(attempts), 0), ifnull(sum(attempts - 1), 0) FROM row WHERE attempts > 0"
            requests, retries = self._db.execute(query).fetchone()
        for result in self._results:  # which are lost; but what the first pass came to stands in the file
            before = result.row.attempts
            requests += result.attempts - before
            retries += max(result.attempts - 1, 0) - max(before - 1, 0)
        return requests, retries

    def outcomes(self) -> dict[str, int]:
        """How many rows ended in each outcome that occurred."""
        found: Counter[str] = Counter()
        with self._in_words():
            for outcome, rows in self._db.execute(
                "SELECT outcome, count(*) FROM row GROUP BY 1 UNION ALL SELECT outcome, sum(plain) FROM block GROUP BY 1"
            ):
                found[self._read(outcome)] += rows
        lost = sum(not result.row.attempts for result in self._results)  # in the second pass they are `failed` already
        found[self._read(None)] -= lost
        found[Outcome.FAILED] += lost
        return {outcome: found[outcome] for outcome in (*Outcome, "") if found[outcome]}

    def _read(self, outcome: str | None) -> str:
        """What an outcome in the file is read as, after `report_unsent_as`."""
        if self._rest and (outcome is None or (outcome == Outcome.READY and self._rest.ready)):
            return Outcome.UNPROCESSED
        return outcome or ""

    def causes(self) -> list[Cause]:
        """Why rows are not in place: for each outcome, code and field how many rows, the most frequent first."""
        lost = [result.row.number for result in self._results]
        rows: Counter[tuple[str, str, str]] = Counter()
        first: dict[tuple[str, str, str], tuple[int, str]] = {}
        with self._in_words():
            groups = self._db.execute(
                # SQLite takes the message from the row that has the smallest number.
                "SELECT outcome, code, fields, count(*), min(number), message FROM row"
                " WHERE code <> '' AND number NOT IN (SELECT value FROM json_each(?)) GROUP BY 1, 2, 3",
                (json.dumps(lost),),
            ).fetchall()
        for outcome, codes, fields, count, number, message in groups:
            every, sentences = codes.split(","), message.split(BETWEEN)
            if len(sentences) != len(every):  # of a version that did not keep them apart
                sentences = [""] * len(every)
            for code, field, sentence in zip(every, fields.split(","), sentences, strict=True):
                cause = (outcome, code, field)
                rows[cause] += count
                first[cause] = min((number, sentence), first.get(cause, (number, sentence)))
        found = [Cause(*cause, count, *first[cause]) for cause, count in rows.items()]
        return sorted([*found, *self._causes_of_the_rest(lost)], key=lambda cause: (-cause.rows, cause.first))

    def _causes_of_the_rest(self, lost: list[int]) -> Iterator[Cause]:
        """Why rows are not in place of which the file does not say it: their results are `lost`, or their turn did not come."""
        if lost:
            yield Cause(Outcome.FAILED, "not-recorded", ROW, len(lost), min(lost), Violation("not-recorded").message)
        if self._rest:
            query = (
                "SELECT count(*), min(number) FROM row WHERE outcome IS NULL AND number NOT IN (SELECT value FROM json_each(?))"
            )
            with self._in_words():
                left, number = self._db.execute(query, (json.dumps(lost),)).fetchone()
            if left:
                why = self._rest.violation
                yield Cause(Outcome.UNPROCESSED, why.code, ROW, left, number, why.message)

    def batches(self) -> Iterator[Batch]:
        """Every row of the run in source order, many at a time."""
        with self._in_words():
            firsts = self._db.execute("SELECT first FROM block ORDER BY first").fetchall()
        lost = {result.row.number: result for result in self._results}
        for (first,) in firsts:
            with self._in_words():
                query = "SELECT numbers, cells, outcome FROM block WHERE first = ?"
                packed_numbers, packed_cells, outcome = self._db.execute(query, (first,)).fetchone()
                numbers, cells = json.loads(packed_numbers), packed_cells.decode(errors="surrogatepass")
                query = (
                    "SELECT number, outcome, code, fields, message, attempts, http_status, api_code, at FROM row"
                    " WHERE number BETWEEN ? AND ?"
                )
                own = {number: line for number, *line in self._db.execute(query, (first, numbers[-1]))}
            others = {}
            if own or lost:
                for number, texts in zip(numbers, unpack(cells), strict=True):
                    if number in lost:
                        others[number] = self._lost(texts, lost[number])
                    elif number in own:
                        others[number] = self._line(texts, number, *own[number])
            yield Batch(numbers, cells, self._line([], 0, outcome), others)

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
        if self._rest and read != outcome:
            code, fields, message = as_text([self._rest.violation])
        fields = ",".join(dict.fromkeys(filter(None, fields.split(","))))
        message = message.replace(BETWEEN, " ")
        return Line(cells, number, read, code, fields, message, attempts, http_status, api_code, at)

    def _lost(self, cells: list[str], result: Result) -> Line:
        """A row whose result could not be made durable."""
        code, fields, message = as_text([Violation("not-recorded")])
        sent = (result.attempts, result.http_status, storable(result.api_code), result.at)
        return Line(cells, result.row.number, Outcome.FAILED, code, fields, message, *sent)

    def finish(self, summary: Summary, finished: str) -> None:
        """Close the book on the run."""
        rest = ""
        if self._rest:
            rest = json.dumps([self._rest.violation.code, self._rest.violation.detail, self._rest.ready])
        values = (finished, summary.exit_code, json.dumps(summary.outcomes), summary.requests, summary.retries, summary.seconds)
        closing = (
            "UPDATE run SET finished = ?, exit_code = ?, outcomes = ?, requests = requests + ?, retries = retries + ?,"
            " seconds = seconds + ?, rest = ? WHERE id = ?"
        )
        with self._transaction() as db:
            db.execute(closing, (*values, rest, summary.run))


def as_text(violations: Sequence[Violation]) -> tuple[str, str, str]:
    """Codes, fields and sentences of a row's violations, each as one text; the three in step."""
    if not violations:
        return "", "", ""
    return (
        ",".join(v.code for v in violations),
        ",".join(v.field for v in violations),
        storable(BETWEEN.join(v.message for v in violations)),
    )
