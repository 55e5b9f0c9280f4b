"""The merge of a row with what the API has now."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_sync.model.fields import FIELDS, PHONE
from contact_sync.model.row import Outcome
from contact_sync.settings import SendSettings
from contact_sync.sync.merge import Merged, merge

values = st.sampled_from(["", "a", "b"])
rows = st.dictionaries(st.sampled_from(FIELDS), values)
contacts = st.fixed_dictionaries(dict.fromkeys(FIELDS, values))
policies = st.sampled_from(["hold", "mine", "theirs"])


@given(mine=rows, theirs=contacts, base=contacts, policy=policies)
def test_each_field(mine: dict[str, str], theirs: dict[str, str], base: dict[str, str], policy: Any) -> None:
    """A field is sent where only the row has changed it, and a conflict where both have, to different values."""
    changed = frozenset(field for field in FIELDS if theirs[field] != base[field])
    merged = merge(mine, theirs, changed, SendSettings(conflicts=policy))
    differing = {field for field in mine if mine[field] != theirs[field]}
    assert merged.conflicts == differing & changed
    assert merged.foreign == changed - mine.keys()
    assert merged.wanted == {name: mine[name] for name in differing if policy != "theirs" or name not in changed}
    assert (merged.held is Outcome.CONFLICT) == (policy == "hold" and bool(merged.conflicts))


@pytest.mark.parametrize(("stop", "allowed", "held"), [(True, False, Outcome.INVALID), (True, True, None), (False, False, None)])
def test_stop(stop: bool, allowed: bool, held: Outcome | None) -> None:
    """A number of a person who said STOP holds its row, unless that is allowed."""
    merged = merge({PHONE: "1"}, dict.fromkeys(FIELDS, ""), frozenset(), SendSettings(allow_stop=allowed), stop=stop)
    assert merged.held is held
    assert merge({}, dict.fromkeys(FIELDS, ""), frozenset(), SendSettings(), stop=stop) == Merged({})
