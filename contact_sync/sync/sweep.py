"""The reading of a list in pages whose size, order and end are not documented, so that no contact is missed."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from contact_sync.api.smspartner.contact_list import ContactPage

MAX_SWEEPS = 3  # of a group: one, one more where the list moved, and one that confirms it where the API gives no total


@dataclass(slots=True)
class Sweep:
    """One reading of a group from its first page to the page that brings no new contact."""

    seen: set[str] = field(default_factory=set)
    page: int = 1  # the next one
    size: int = 0  # contacts of the largest page
    total: int = 0  # the largest that the API gave, of the group or of a page
    moved: bool = False  # True when a contact was on two pages: then another may have been on none
    is_over: bool = False
    _last: list[str] = field(default_factory=list)

    def add(self, page: ContactPage) -> None:
        """Add the next page."""
        ids = [contact.id for contact in page.contacts]
        fresh = set(ids) - self.seen
        self.is_over = not fresh
        if len(fresh) < len(ids) and ids != self._last:  # the last page again is what a page after it may return
            self.moved = True
        self.seen |= fresh
        self.size, self.total = max(self.size, len(ids)), max(self.total, page.total)
        self.page += 1
        self._last = ids


@dataclass(slots=True)
class GroupReading:
    """The sweeps of one group."""

    members: set[str] = field(default_factory=set)
    sweeps: int = 0
    missing: int = 0  # contacts that no sweep has found, at least
    is_complete: bool = False

    def add(self, sweep: Sweep) -> None:
        """Add a sweep that is over.

        The total counts the group where it is larger than every page. Where it says nothing, a list that moved is complete when
        a whole further sweep has found nothing new.
        """
        new = len(sweep.seen - self.members)
        self.members |= sweep.seen
        self.sweeps += 1
        short = max(0, sweep.total - len(self.members))
        is_counted = sweep.total > sweep.size
        self.is_complete = not short and (is_counted or not sweep.moved or (self.sweeps > 1 and not new))
        self.missing = 0 if self.is_complete else short or 1

    @property
    def needs_sweep(self) -> bool:
        """True when another sweep may find more."""
        return not self.is_complete and self.sweeps < MAX_SWEEPS


class Contacts:
    """The contacts that were read, each with the groups that it is in."""

    def __init__(self) -> None:
        self._groups: dict[str, tuple[str, ...]] = {}
        self._shared: dict[tuple[str, ...], tuple[str, ...]] = {}  # one object for all contacts of the same groups

    def __len__(self) -> int:
        return len(self._groups)

    def add(self, ids: Iterable[str], group: str) -> None:
        """Note contacts of a group."""
        for contact_id in ids:
            groups = self._groups.get(contact_id, ())
            if group not in groups:
                joined = (*groups, group)
                self._groups[contact_id] = self._shared.setdefault(joined, joined)

    def take(self, contact_id: str) -> tuple[str, ...] | None:
        """Return the groups of a contact the first time that it is asked for, then None."""
        return self._groups.pop(contact_id, None)
