"""contact-sync: push spreadsheet edits of contacts through SMS Partner's HTTP API."""

__version__ = "0.1.0"
