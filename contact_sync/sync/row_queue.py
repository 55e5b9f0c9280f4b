"""The order in which rows are sent: rows that failed last time come last, and rows from all parts of a source probe the API."""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from contact_sync.ledger.store import Outbox
from contact_sync.model.row import Pending


class Position(NamedTuple):
    """A row in the order of sending: rows that did not fail last time first, each group in source order."""

    deferred: bool  # True for a row that failed last time
    number: int


class RowQueue:
    """The `rows` of one pass in the order of sending, claimed a few hundred at a time; workers share the iterator.

    One pass takes pending rows, at most `limit`; another one takes those of the `first` one that failed.
    """

    def __init__(self, ledger: Outbox, *, limit: int | None = None, first: "RowQueue | None" = None) -> None:
        self._ledger = ledger
        self._limit = limit
        self._first = first
        self.rows = self._claim()
        self.claimed: deque[Pending] = deque()  # rows that no worker has taken yet
        self.taken = 0  # rows
        self._position = Position(deferred=False, number=-1)  # of the row that was taken last in order
        self._taken_elsewhere: set[Position] = set()
        self._end = -1  # the last row that was claimed in order

    def _claim(self) -> Iterator[Pending]:
        last = self._first.last if self._first else None
        has_deferred = last.deferred if last else self._ledger.defer_failed()
        for deferred in (False, True)[: 1 + has_deferred]:
            self._position, self._end = Position(deferred, -1), -1
            until = last.number if last and deferred == last.deferred else None
            while rows := self._ledger.claim(self._end, self._left, failed=bool(last), until=until, deferred=deferred):
                self._end = rows[-1].number
                self.claimed.extend(filter(self._is_wanted, rows))
                while self.claimed and self._left != 0:
                    row = self.claimed.popleft()
                    self._position, self.taken = Position(deferred, row.number), self.taken + 1
                    yield row
        self.claimed.clear()  # rows beyond the limit, in whose place others were taken

    def _is_wanted(self, row: Pending) -> bool:
        """Return True for a row that this pass has not taken, and the first one has."""
        position = self._position._replace(number=row.number)
        return position not in self._taken_elsewhere and (self._first is None or self._first.has_taken(position))

    def has_taken(self, position: Position) -> bool:
        """Return True when a row has been taken."""
        return position <= self._position or position in self._taken_elsewhere

    @property
    def last(self) -> Position:
        """The last row that was taken."""
        return max({self._position, *self._taken_elsewhere})

    @property
    def _left(self) -> int | None:
        return None if self._limit is None else max(0, self._limit - self.taken)

    def take_elsewhere(self, count: int) -> Pending | None:
        """Take a pending row from another part of the source for each `count` from 0 on; return None when none is left.

        Rows that the API cannot process often stand together, and do not show that it is down.
        """
        share = _share(count)
        if self._left == 0:
            return None
        row = self._claim_elsewhere(share)
        if row is None and self.claimed:
            position = round(share * (len(self.claimed) - 1))
            row = self.claimed[position]
            del self.claimed[position]
        if row is not None:
            self.taken += 1
            self._taken_elsewhere.add(self._position._replace(number=row.number))
        return row

    def _claim_elsewhere(self, share: float) -> Pending | None:
        """Claim the row that lies behind this share of the rows that were not claimed in order, or the first of them."""
        distance = self._ledger.last_pending() - self._end
        for after in (self._end + int(share * distance) - 1, self._end):
            for row in self._ledger.claim(max(after, self._end), 1, deferred=self._position.deferred):
                if self._is_wanted(row):
                    return row
        return None


def _share(count: int) -> float:
    """Return the first numbers of the sequence 1, 1/2, 3/4, 1/4, 7/8, 3/8, 5/8, 1/8, 15/16 and so on, by their position."""
    return 1 - int(f"{count:b}"[::-1], 2) / (1 << count.bit_length())
