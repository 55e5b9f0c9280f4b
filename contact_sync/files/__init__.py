"""The craft of safe files: private copies, atomic replacement and locks.

Uses the standard library and the error tree alone; `source`, `report`, `ledger` and `sync` build on it.
"""
