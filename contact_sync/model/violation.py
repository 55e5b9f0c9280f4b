"""A broken rule and its sentence, in the words of the file."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from contact_sync.i18n import _, labelled
from contact_sync.i18n.catalogue import CATALOGUE
from contact_sync.model.fields import ID, ROW


class Column(NamedTuple):
    """The column of a field in the source, as an operator sees it."""

    name: str  # its header, shortened
    letter: str

    @property
    def place(self) -> str:
        """The column as part of a sentence."""
        return _("“{name}” (column {letter})", name=self.name, letter=self.letter)

    def left_off(self, sentence: str) -> str:
        """Return a sentence about a cell without the column at its beginning, for where that is shown beside it."""
        return sentence.removeprefix(labelled(self.place, ""))


NO_COLUMNS: Mapping[str, Column] = MappingProxyType({})  # of the fields of a row that is not from a source


def place_of(field: str, columns: Mapping[str, Column]) -> str:
    """Return the column of a field as part of a sentence, or only the field where that is its header, or it has no column."""
    return columns[field].place if field in columns and columns[field].name != field else field


def with_place(sentence: str, code: str, field: str, columns: Mapping[str, Column]) -> str:
    """Return the sentence of a code with the column before it, unless it names its field itself."""
    place = place_of(field, columns)
    return sentence if place == field or "{field}" in CATALOGUE.get(code, "") else labelled(place, sentence)


FIELDS_OF_DETAIL = "fields"  # the placeholder of a sentence about several fields; its value joins them by ", "


@dataclass(frozen=True, slots=True)
class Violation:
    """A problem of one row for the operator: a stable code, the field, and the values of the sentence's placeholders."""

    code: str  # a key of `contact_sync.i18n.catalogue.CATALOGUE`
    field: str = ROW  # `ID`, one of `FIELDS`, or `ROW`
    detail: dict[str, str] = dataclasses.field(default_factory=dict)  # placeholder → its value

    def sentence(self, columns: Mapping[str, Column] = NO_COLUMNS) -> str:
        """Return one sentence that says what is wrong and what to do; it names each field by its column of the source."""
        detail = dict(self.detail)
        if fields := detail.get(FIELDS_OF_DETAIL):
            detail[FIELDS_OF_DETAIL] = ", ".join(place_of(field, columns) for field in fields.split(", "))
        sentence = _(CATALOGUE[self.code], field=place_of(self.field, columns), **detail)
        return with_place(sentence, self.code, self.field, columns)


CONFLICTING = "duplicate-conflict"

LISTED = 5  # rows of a contact, or contacts, that a sentence lists


def conflict_of(contacts: Sequence[Sequence[int]], others: int = 0) -> Violation:
    """Return the violation of rows with one contactId and different values, by contact; `others` are contacts not listed."""
    return Violation(CONFLICTING, ID, {"rows": f" ({listed_groups(contacts, others)})"})


def listed_groups(groups: Sequence[Sequence[int]], others: int = 0) -> str:
    """Return groups of row numbers as "3 and 9; 5, 6 and 12"; `others` are groups that are not listed."""
    rows = _("; ").join(map(listed, groups))
    return _("{rows} and {more} more", rows=rows, more=others) if others else rows


def listed(numbers: Sequence[int]) -> str:
    """Return row numbers as "3, 9 and 12", or the first few of many."""
    *first, last = map(str, numbers[: LISTED + 1])
    if len(numbers) > LISTED:
        return _("{rows} and {more} more", rows=", ".join(first), more=len(numbers) - LISTED)
    return _("{rows} and {last}", rows=", ".join(first), last=last) if first else last
