"""Cells of the report cannot run as formulas, and are restored unchanged."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contact_sync.packed import pack
from contact_sync.rules.formula import escape, harmless, unescape

TRIGGERS = "=+-@\t\r\n\0＝＋－＠"


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_formula_gets_an_apostrophe(trigger: str) -> None:
    """Text that begins with a character that starts a formula gets a leading apostrophe."""
    assert escape(f"{trigger}SUM(A1)") == f"'{trigger}SUM(A1)"
    assert escape(trigger) == f"'{trigger}"


@pytest.mark.parametrize("text", ["", "Zoé", "007", " =1", "a=b", "12-34", "+33600000001", "+123456", "+123456789012345"])
def test_plain_text_is_not_escaped(text: str) -> None:
    """Text that starts no formula is not changed, nor is a phone number."""
    assert escape(text) == text


@pytest.mark.parametrize(
    "text", ["+12345", "+1234567890123456", "+33600000001+1", "+33 600000001", "+33600000001\n", "+٣٣٦٠٠٠٠٠٠٠"]
)
def test_near_phone_number_is_escaped(text: str) -> None:
    """Text that is not exactly a + and 6 to 15 ASCII digits is not a phone number."""
    assert escape(text) == f"'{text}"


@given(st.text() | st.text("=+-@'\t0123", max_size=8))
@example("'")
@example("''=1")
@example("'+33600000001")
def test_unescape_is_the_inverse(text: str) -> None:
    """Every text is restored by `unescape`."""
    assert unescape(escape(text)) == text


@pytest.mark.parametrize("text", ["'t Hooft", "'", "'x", "'+33600000001"])
def test_an_apostrophe_that_escape_does_not_write_stays(text: str) -> None:
    """A workbook of texts as they are may have lost the column that says so: only what `escape` writes is undone."""
    assert unescape(text) == text


@given(st.text() | st.text("=+-@'\t0123", max_size=8))
def test_escaped_text_starts_no_formula(text: str) -> None:
    """Escaped text never starts a formula: only a plain phone number keeps its +."""
    escaped = escape(text)
    assert escaped[:1] not in TRIGGERS or not escaped or escaped[1:].isdigit()


CELLS = st.text() | st.text("=+-@'\t\r\n0123", max_size=8) | st.sampled_from(["+33600000001", "Zoé", "", "a+b"])


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=5))
@example([["a+33600000001", "+x"]])
@example([["+33600000001", "+33600000001+"]])
def test_harmless_agrees_with_escape(rows: list[list[str]]) -> None:
    """Packed cells are harmless exactly when `escape` changes none of them."""
    assert harmless(pack(rows)) == all(escape(cell) == cell for row in rows for cell in row)
