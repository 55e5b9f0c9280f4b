"""The erasure of a contact."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from contact_sync.ledger.sqlite import SqliteLedger
from contact_sync.model.report import lines_of
from contact_sync.model.row import Block, Outcome, Staged
from contact_sync.model.violation import Violation
from contact_sync.packed import pack
from contact_sync.rules.cells import normalise_id
from tests.ledger.rows import Open, block, confirm, payload, row
from tests.setups import begin_run


def cells_left(ledger: SqliteLedger) -> dict[int, list[str]]:
    """Return the cells of each row that are not empty."""
    return {line.number: list(filter(None, line.cells)) for line in lines_of(ledger.batches())}


def of_cells(*rows: list[str], ids: Sequence[str] = ()) -> Block:
    """Return a chunk of invalid rows with these cells, from row 2 on; those without an entry in `ids` have an uncertain id."""
    ids = [*ids, *[""] * (len(rows) - len(ids))]
    wrong = Violation("text-control", "firstname")
    staged = [Staged(number, contact_id, payload(), Outcome.INVALID, [wrong]) for number, contact_id in enumerate(ids, 2)]
    return Block([row.number for row in staged], ids, pack(list(rows)), Outcome.UNCHANGED, staged)


def test_erased_records_are_counted(opened: Open) -> None:
    """Erasure counts the confirmed record, each run of the history, and each row of the last run."""
    ledger = opened()
    confirm(ledger, 2, "C1", firstname="A")
    begin_run(ledger, "second")
    confirm(ledger, 2, "C1", firstname="B")
    begin_run(ledger, "third")
    ledger.stage(block(row(2, "C1"), row(3, "C1"), row(4, "C2")))
    assert ledger.forget("C1", normalise_id) == 1 + 2 + 2
    assert ledger.forget("C1", normalise_id) == 0


def test_erasure_while_another_process_reads(opened: Open, where: Path) -> None:
    """What is erased is gone from the folder at once, also while another process has the ledger open."""
    with closing(sqlite3.connect(where)) as another:
        ledger = opened()
        ledger.stage(block(row(2, "ERASED")))
        another.execute("SELECT count(*) FROM run").fetchone()
        assert ledger.forget("ERASED", normalise_id)
        assert [path.name for path in where.parent.iterdir() if b"ERASED" in path.read_bytes()] == []


def test_contacts_of_one_chunk_are_erased_one_by_one(opened: Open) -> None:
    """Contacts of the same chunk can be erased one after the other."""
    ledger = opened()
    ledger.stage(of_cells(["C1", "Zoé"], ["C2", "Max"], ["C3", "Léa"], ids=["C1", "C2", "C3"]))
    assert [ledger.forget(contact, normalise_id) for contact in ("C1", "C3", "C1")] == [1, 1, 0]
    assert cells_left(ledger) == {2: [], 3: ["C2", "Max"], 4: []}


def test_erasure_spares_other_contacts(opened: Open) -> None:
    """A contact with that id as a name, or as a part of its id, is kept, whether or not its id is certain."""
    ledger = opened()
    rows = [["C1", "Zoé"], ["C2", "C1"], ["C11", "Léa"], ["C 3", "C1"], ["", "C1"]]
    ledger.stage(of_cells(*rows, ids=["C1", "C2", "C11"]))
    assert ledger.forget("C1", normalise_id) == 1
    assert cells_left(ledger) == {2: [], 3: rows[1], 4: rows[2], 5: rows[3], 6: rows[4][1:]}


@pytest.mark.parametrize("cell", ["C1", " C1 ", "C\u200b1", "\ufeffC1", "'C1", '="C1"', "C\uff11"])
def test_erasure_of_a_row_with_an_uncertain_id(opened: Open, where: Path, cell: str) -> None:
    """A row with an uncertain id is erased by its id cell, whatever surrounds or separates its characters."""
    ledger = opened()
    ledger.stage(of_cells(["C2", "Max"], [cell, "Zoé"], ids=["C2"]))
    assert ledger.forget("C1", normalise_id) == 1
    assert cells_left(ledger) == {2: ["C2", "Max"], 3: []}
    assert "Zoé".encode() not in where.read_bytes()


def test_erasure_of_a_row_whose_cells_have_moved(opened: Open) -> None:
    """Where cells have moved, any of them may be the id."""
    ledger = opened()
    ledger.stage(of_cells(["Zoé", "C1", "<?>"], ["Max", "C2 <?> more"], ["Léa", "C1"]))
    assert ledger.forget("C1", normalise_id) == 1
    assert cells_left(ledger) == {2: [], 3: ["Max", "C2 <?> more"], 4: ["Léa", "C1"]}
