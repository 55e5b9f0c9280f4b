"""Rows of cells packed into one text."""

from hypothesis import example, given
from hypothesis import strategies as st

from contact_sync.packed import CELL_MARK, ROW_MARK, pack, unpack

MARKS = "\x1d\x1e\x1f012"


@given(st.lists(st.lists(st.text() | st.text(MARKS), min_size=1, max_size=4), min_size=1, max_size=4))
@example([[""]])
@example([["\x1d1", "\x1d\x1e"], ["\x1f", "\ud800"]])
def test_unpack_is_the_inverse(rows: list[list[str]]) -> None:
    """Unpacked cells equal those that were packed, whatever characters they contain."""
    assert unpack(pack(rows)) == rows


@given(st.lists(st.lists(st.text(MARKS), min_size=1, max_size=4), min_size=1, max_size=4))
def test_a_mark_precedes_each_cell(rows: list[list[str]]) -> None:
    """Exactly one mark precedes each cell, whatever characters it contains."""
    text = pack(rows)
    assert text.count(ROW_MARK) == len(rows)
    assert text.count(ROW_MARK) + text.count(CELL_MARK) == sum(map(len, rows))
