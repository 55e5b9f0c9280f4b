"""The ledger in one SQLite file for each account; the only SQL of the project. It imports what `contact_sync.ledger` may."""

from contact_sync.ledger.sqlite.ledger import SqliteLedger

__all__ = ["SqliteLedger"]
