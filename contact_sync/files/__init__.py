"""Safe handling of files: snapshots, atomic replacement and exclusive locks.

May import only `errors`, `model` and `i18n`; `source`, `report`, `ledger` and `sync` build on it.
"""
