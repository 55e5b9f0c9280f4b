"""Base tokens: the proof of what a row of a pulled file held."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_sync.ledger.base_token import Base, BaseTokens, Fit
from contact_sync.ledger.digests import FIRST_FIELDS, Fingerprints

PRINTS = Fingerprints(bytes(32))
TOKENS = BaseTokens(PRINTS, "0123456789abcdef")
HEAD = TOKENS.new_head()
VALUES = ("+33612345678", "Anna", "Lefèvre", "1980-02-01", "", "gold", "", "", "")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
rows = st.tuples(*[texts] * len(FIRST_FIELDS))
ids = st.text(string.ascii_letters + string.digits, min_size=1, max_size=80)


@given(ids, rows)
def test_an_untouched_row_fits(contact_id: str, values: tuple[str, ...]) -> None:
    """A token fits the row that it was made for, without an edit."""
    assert TOKENS.read(TOKENS.issue(HEAD, contact_id, values), contact_id, values) == Base(Fit.FITS)


@given(ids, rows, rows, st.sets(st.sampled_from(FIRST_FIELDS)))
def test_exactly_the_edited_fields_are_found(
    contact_id: str, before: tuple[str, ...], now: tuple[str, ...], absent: set[str]
) -> None:
    """The fields whose value differs are the edited ones; a field without a column is none of them."""
    token = TOKENS.issue(HEAD, contact_id, before)
    current = [None if field in absent else value for field, value in zip(FIRST_FIELDS, now, strict=True)]
    expected = {f for f, old, new in zip(FIRST_FIELDS, before, current, strict=True) if new is not None and old != new}
    assert TOKENS.read(token, contact_id, current) == Base(Fit.FITS, frozenset(expected))


@given(ids, rows, rows, st.sets(st.sampled_from(FIRST_FIELDS)))
def test_a_revised_token(contact_id: str, before: tuple[str, ...], after: tuple[str, ...], revised: set[str]) -> None:
    """A revised token has other values of some fields, and those of the others as before; it fits no other contact."""
    values = {field: value for field, value in zip(FIRST_FIELDS, after, strict=True) if field in revised}
    token = TOKENS.revise(TOKENS.issue(HEAD, contact_id, before), contact_id, values)
    base = [values.get(field, value) for field, value in zip(FIRST_FIELDS, before, strict=True)]
    assert TOKENS.read(token, contact_id, base) == Base(Fit.FITS)
    changed = {field for field, one, other in zip(FIRST_FIELDS, base, after, strict=True) if one != other}
    assert TOKENS.read(token, contact_id, after).edited == changed
    assert TOKENS.read(token, f"{contact_id}x", base).fit is Fit.MOVED


@given(rows, ids, ids)
def test_another_contact_has_moved(values: tuple[str, ...], made_for: str, beside: str) -> None:
    """A token beside another contactId shows that one of the two columns was moved, also where all values agree."""
    fit = TOKENS.read(TOKENS.issue(HEAD, made_for, values), beside, values).fit
    assert fit is (Fit.FITS if made_for == beside else Fit.MOVED)


@given(st.data())
def test_a_damaged_token_is_never_believed(data: st.DataObject) -> None:
    """A token that was cut, or of which a character was changed, tells nothing."""
    token = TOKENS.issue(HEAD, "C1", VALUES)
    at = data.draw(st.integers(0, len(token) - 1))
    if data.draw(st.booleans()):
        damaged = token[:at]
    else:
        damaged = (
            token[:at]
            + data.draw(st.sampled_from(sorted({*string.ascii_letters, "-", ".", "é"} - {token[at]})))
            + token[at + 1 :]
        )
    edited = TOKENS.read(damaged, "C1", [*VALUES[:-1], "edited"])
    assert edited.fit is not Fit.FITS
    assert edited.fit is not Fit.MOVED
    assert not edited.edited


@pytest.mark.parametrize(
    ("tokens", "fit"),
    [
        (BaseTokens(PRINTS, "another account"), Fit.FOREIGN),
        (BaseTokens(PRINTS, None), Fit.FITS),
        (BaseTokens(Fingerprints(b"another" * 5), "0123456789abcdef"), Fit.FOREIGN),
        (BaseTokens(Fingerprints(b"another" * 5), None), Fit.UNKNOWN),
    ],
)
def test_tokens_belong_to_an_account_and_an_installation(tokens: BaseTokens, fit: Fit) -> None:
    """Neither another account nor another installation takes a token; without an account, those of every account are read."""
    assert tokens.read(TOKENS.issue(HEAD, "C1", VALUES), "C1", VALUES).fit is fit


@pytest.mark.parametrize(
    ("token", "fit"), [("", Fit.MISSING), ("v2.new", Fit.NEWER), ("vache", Fit.UNKNOWN), ("C1", Fit.UNKNOWN)]
)
def test_other_texts_are_no_token(token: str, fit: Fit) -> None:
    """A cell without a token of this version is named as what it is."""
    assert TOKENS.read(token, "C1", VALUES) == Base(fit)


def test_a_token_is_short_and_plain() -> None:
    """A token is 88 characters that no format and no spreadsheet changes."""
    token = TOKENS.issue(HEAD, "C1", VALUES)
    assert len(token) == 88
    assert set(token) <= {*string.ascii_letters, *string.digits, *"+-."}


def test_a_token_is_made_for_an_account() -> None:
    """Tokens of no account cannot be made."""
    with pytest.raises(ValueError, match="belongs to an account"):
        BaseTokens(PRINTS, None).new_head()
