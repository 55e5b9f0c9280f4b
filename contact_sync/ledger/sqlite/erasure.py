"""The erasure of a contact from the rows of the last run."""

import json
from collections.abc import Callable

from contact_sync.ledger.sqlite.columns import pack_cells, packed_text
from contact_sync.ledger.sqlite.database import Database
from contact_sync.model import ID, MARK, Layout, Violation
from contact_sync.packed import unpack


def blank_rows(database: Database, run: str, contact_id: str, normalise: Callable[[str], str]) -> int:
    """Empty the cells of a contact's rows in the run, also where their id is uncertain, and return the number of rows.

    None of them is sent any more.
    """
    numbers: list[int] = []
    with database.transaction() as db:
        query = """SELECT first, layout FROM block, run WHERE run.id = ? AND (instr(ids, ?) OR instr(ids, '""'))"""
        for first, layout in database.all(query, run, json.dumps(contact_id)):
            id_column = Layout(*json.loads(layout)).mapping[ID]
            ((texts, joined_ids, packed),) = database.all("SELECT numbers, ids, cells FROM block WHERE first = ?", first)
            ids, cells = json.loads(joined_ids), unpack(packed_text(packed))
            found = [
                position
                for position, row in enumerate(cells)
                if contact_id == ids[position]
                # Where cells have moved, any of them may be the id.
                or (not ids[position] and contact_id in map(normalise, row if MARK in "".join(row) else [row[id_column]]))
            ]
            for position in found:
                ids[position], cells[position] = "", [""] * len(cells[position])
            if found:
                db.execute("UPDATE block SET ids = ?, cells = ? WHERE first = ?", (json.dumps(ids), pack_cells(cells), first))
                numbers += map(json.loads(texts).__getitem__, found)
        db.executemany(
            "UPDATE row SET contact_id = '', contact = NULL, message = '', api_code = '' WHERE number = ?",
            [(number,) for number in numbers],
        )
        forgotten = Violation("forgotten")
        db.executemany(
            "UPDATE row SET outcome = 'unprocessed', code = ?, fields = ?, message = ?"
            " WHERE number = ? AND (outcome IS NULL OR outcome = 'failed')",
            [(forgotten.code, forgotten.field, forgotten.message, number) for number in numbers],
        )
    return len(numbers)
