"""The ledger: what every row of this run came to, what the API last confirmed for each contact, and how earlier runs went.

One SQLite file for each account (WAL), in the state folder. Nothing else in the project knows SQL. `database` opens the file,
`memory` is what outlives a run, `rows` is the run, and `books` what is told of it.

Two promises live here. A row is in exactly one state: its `outcome` is NULL while it is pending, and then one of the outcomes.
And what stands under `confirmed` is never newer than the API's own yes: the digests of the fields that an attempt carries are
durably withdrawn before it may leave (`take`), and only the API's confirmation puts new ones in (`record`).
"""

from contact_sync.ledger.sqlite.database import VERSION
from contact_sync.ledger.sqlite.rows import Ledger

__all__ = ["VERSION", "Ledger"]
