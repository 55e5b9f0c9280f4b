"""Canonical texts: what counts as an edit."""

import datetime as dt

import pytest

from contact_sync.model.fields import FIELDS, ID
from contact_sync.model.source import Chunk
from contact_sync.rules.canonical import canonical_texts
from contact_sync.rules.columns import Policy, Validator


def canonical(**cells: str) -> dict[str, str | None]:
    """Return the canonical text of each field of one row with these cells."""
    mapping = {ID: 0} | {field: at for at, field in enumerate(cells, 1)}
    chunk = Chunk([2], [["C1", *cells.values()]])
    verdicts = Validator(mapping, Policy(today=dt.date(2026, 11, 29))).validate(chunk)
    texts = canonical_texts(verdicts.payloads[0], chunk.rows[0], mapping)
    return dict(zip(FIELDS, texts, strict=True))


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("phoneNumber", "+33612345678", "06 12 34 56 78"),
        ("date", "1980-02-01", "01/02/1980"),
        ("lastname", "Lefèvre", " Lefe\u0300vre "),
        ("url", "https://a.fr", "HTTPS://a.fr"),
        ("custom1", "", " "),
        ("firstname", "x" * 40, f" {'x' * 40}\t"),
    ],
)
def test_spellings_of_one_value(field: str, one: str, other: str) -> None:
    """Two spellings of one value are the same, also of a value that breaks a rule."""
    assert canonical(**{field: one}) == canonical(**{field: other})


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [("lastname", "Lefevre", "Lefèvre"), ("custom1", "", "0"), ("phoneNumber", "12", "13"), ("firstname", "x" * 40, "x" * 41)],
)
def test_values_that_differ(field: str, one: str, other: str) -> None:
    """Two values are never the same, valid or not."""
    assert canonical(**{field: one})[field] != canonical(**{field: other})[field]


def test_fields_without_a_column() -> None:
    """A field without a column has no text, an empty cell an empty one, and a cell that empties its field, too."""
    texts = canonical(firstname="", lastname="<clear>", custom1="gold")
    assert texts == dict.fromkeys(FIELDS) | {"firstname": "", "lastname": "", "custom1": "gold"}
