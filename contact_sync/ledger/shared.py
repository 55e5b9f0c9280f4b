"""The interface of the database of what all hosts of an account share."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Cursor(Protocol):
    """A transaction that executes statements, whose values are at each `?`."""

    def execute(self, statement: str, values: Sequence[object] = (), /) -> object:
        """Execute a statement."""

    def executemany(self, statement: str, rows: Iterable[Sequence[object]], /) -> object:
        """Execute a statement with the values of each row."""


class Tables(Protocol):
    """A database of the tables that all hosts of an account share, in the SQL that engines have in common.

    Every method raises StorageError or, where a server is gone, UnavailableError.
    """

    members: str
    """The texts in a JSON list at one `?`, for `IN`."""

    def transaction(self) -> AbstractContextManager[Cursor]:
        """Write all that is written within, or nothing; within another transaction it is a part of that one."""

    def lock(self, table: str) -> None:
        """Keep others from writing a table until the transaction ends."""

    def write(self, statement: str, *values: object) -> int:
        """Execute a statement and return the number of rows that it changed."""

    def all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows that a query finds."""

    def each(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """Yield the rows that a query finds."""

    def number(self, query: str, *values: object) -> int:
        """Return the number that a query computes."""
