"""The ledger in one SQLite file for each account; the only SQL of the project."""
