"""The rows of a source in the ledger: a block for each chunk, a row for each row that needs one."""

import json
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby

from contact_sync.ledger.sqlite.database import Database
from contact_sync.ledger.sqlite.history import RunHistory
from contact_sync.ledger.sqlite.schema import ROWS_OF_A_CHECK, SENTENCE_SEPARATOR, Wording
from contact_sync.model.fields import ID, MARK
from contact_sync.model.row import Block, Outcome, Staged
from contact_sync.model.source import Layout, OutputPaths
from contact_sync.model.violation import Violation
from contact_sync.packed import pack, unpack


@dataclass
class RunWriter:
    """Writer of the tables `block` and `row`; `fields` names the values of a payload."""

    database: Database
    history: RunHistory
    fields: Sequence[str]
    wording: Wording
    registered: str = ""  # the id of the current run; empty in a dry run

    def begin_run(self, run: str, paths: OutputPaths, started: str, layout: Layout, *, keep: bool, as_of: int) -> None:
        with self.database.transaction() as db:
            if keep:
                self.history.begin_run(run, paths, started, layout, as_of)
            else:
                for statement in ROWS_OF_A_CHECK:
                    db.execute(statement.format(temporary="TEMPORARY"))
        self.registered = run if keep else ""

    @contextmanager
    def staging(self) -> Iterator[None]:
        with self.database.transaction() as db:
            if self.registered:
                self.history.archive_rows()
                db.execute("INSERT INTO meta VALUES ('rows', ?)", (self.registered,))
            yield

    def note_checks(self, warnings: Sequence[str], checks: Sequence[str]) -> None:
        if self.registered:
            self.database.write("INSERT OR REPLACE INTO meta VALUES ('checks', ?)", json.dumps([[*warnings], [*checks]]))

    def stage(self, block: Block) -> None:
        with self.database.transaction() as db:
            texts = (json.dumps(block.numbers), json.dumps(block.ids), block.cells)
            plain = len(block.numbers) - len(block.others)
            db.execute("INSERT INTO block VALUES (?, ?, ?, ?, ?, ?)", (block.numbers[0], *texts, block.outcome, plain))
            db.executemany(
                "INSERT INTO row (number, contact_id, contact, clears, outcome, code, fields, message, as_of, base)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                map(self._columns, block.others),
            )

    def _columns(self, row: Staged) -> tuple[object, ...]:
        contact = None
        if row.outcome is None:
            values = zip(self.fields, row.payload, strict=True)
            contact = _encode({field: value for field, value in values if value is not None})
        return (
            row.number,
            row.contact_id,
            contact,
            row.payload.count(""),
            row.outcome,
            *self.wording.texts(row.violations),
            row.as_of,
            row.base,
        )

    def flag_invalid(self, flags: Sequence[tuple[int, Violation]]) -> None:
        with self.database.transaction() as db:
            self._add_rows([number for number, _ in flags])
            db.executemany(
                "UPDATE row SET outcome = 'invalid', code = CASE WHEN code = '' THEN ? ELSE code || ',' || ? END,"
                " fields = CASE WHEN code = '' THEN ? ELSE fields || ',' || ? END,"
                " message = CASE WHEN code = '' THEN ? ELSE message || ? || ? END WHERE number = ?",
                (
                    (code, code, field, field, sentence, SENTENCE_SEPARATOR, sentence, number)
                    for number, violation in flags
                    for code, field, sentence in [self.wording.texts([violation])]
                ),
            )

    def settle(self, rows: Sequence[tuple[int, Outcome, Violation | None]], counting: Sequence[int] = ()) -> None:
        with self.database.transaction() as db:
            self._add_rows([*(number for number, *_ in rows), *counting])  # the reader looks both up
            db.executemany(
                "UPDATE row SET outcome = ?, code = ?, fields = ?, message = ? WHERE number = ? AND outcome IS NOT 'invalid'",
                ((outcome, *self.wording.texts([violation] if violation else []), number) for number, outcome, violation in rows),
            )

    def _add_rows(self, numbers: Sequence[int]) -> None:
        """Add a `row`, with the outcome of the block, for each of these that has none."""
        for first, members, contact_ids in self._by_block(numbers):
            with self.database.transaction() as db:
                (outcome,) = db.execute("SELECT outcome FROM block WHERE first = ?", (first,)).fetchone()
                added = db.executemany(
                    "INSERT OR IGNORE INTO row (number, contact_id, clears, outcome, code, fields, message)"
                    " VALUES (?, ?, 0, ?, '', '', '')",
                    [(number, contact_ids[number], outcome) for number in members],
                )
                db.execute("UPDATE block SET plain = plain - ? WHERE first = ?", (added.rowcount, first))

    def contact_ids(self, numbers: Sequence[int]) -> dict[int, str]:
        return {number: ids[number] for _, members, ids in self._by_block(numbers) for number in members}

    def _by_block(self, numbers: Sequence[int]) -> Iterator[tuple[int, list[int], dict[int, str]]]:
        """Yield for each block that contains some of these rows its key, these rows, and the contactId of all its rows."""
        firsts = [first for (first,) in self.database.all("SELECT first FROM block ORDER BY first")]
        for position, members in groupby(sorted(numbers), key=lambda number: bisect(firsts, number)):
            first = firsts[position - 1]
            ((texts, ids),) = self.database.all("SELECT numbers, ids FROM block WHERE first = ?", first)
            yield first, list(members), dict(zip(json.loads(texts), json.loads(ids), strict=True))

    def forget(self, contact_id: str, normalise: Callable[[str], str]) -> int:
        erased: list[int] = []
        with self.database.transaction() as db:
            query = """SELECT first, layout FROM block, run WHERE run.id = ? AND (instr(ids, ?) OR instr(ids, '""'))"""
            for first, layout in self.database.all(query, self.history.last_run(), json.dumps(contact_id)):
                id_column = Layout(*json.loads(layout)).mapping[ID]
                ((texts, joined_ids, packed),) = self.database.all("SELECT numbers, ids, cells FROM block WHERE first = ?", first)
                ids, cells = json.loads(joined_ids), unpack(packed)
                found = []
                for position, (number, row) in enumerate(zip(json.loads(texts), cells, strict=True)):
                    # Where cells have moved, any of them may be the id.
                    uncertain = row if MARK in "".join(row) else [row[id_column]]
                    if contact_id == ids[position] or (not ids[position] and contact_id in map(normalise, uncertain)):
                        ids[position], cells[position] = "", [""] * len(row)
                        found.append(number)
                if found:
                    db.execute("UPDATE block SET ids = ?, cells = ? WHERE first = ?", (json.dumps(ids), pack(cells), first))
                    erased += found
            for number in erased:
                db.execute(
                    "UPDATE row SET contact_id = '', contact = NULL, message = '', api_code = '', base = '' WHERE number = ?",
                    (number,),
                )
                db.execute(
                    "UPDATE row SET outcome = 'unprocessed', code = ?, fields = ?, message = ?"
                    " WHERE number = ? AND (outcome IS NULL OR outcome = 'failed')",
                    (*self.wording.texts([Violation("forgotten")]), number),
                )
        return len(erased)


_encode = json.JSONEncoder(ensure_ascii=False).encode
