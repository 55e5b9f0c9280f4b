"""The readers of source files: from a CSV file or a workbook to chunks of text with row numbers, or one `SourceError`.

A module here reads one kind of file, or is shared by several readers. It may import `files`, `rules` and the modules below them,
and never `api`, `ledger`, `report`, `sync` or `cli`.
"""

from contact_sync.source.opening import SourceOptions, open_source

__all__ = ["SourceOptions", "open_source"]
