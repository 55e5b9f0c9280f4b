"""Keyed digests, and the key they are made with."""

import errno
import multiprocessing
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_sync.errors import StorageError
from contact_sync.ledger.digests import NOTHING, Fingerprints, _create, agree, installation, renewed, without
from contact_sync.model import FIELDS

PRINTS = Fingerprints(bytes(32))

values = st.none() | st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=4)
payloads = st.tuples(*[values] * len(FIELDS))
similar = st.tuples(*[st.sampled_from([None, "", "a"])] * len(FIELDS)) | st.sampled_from([None, "a"]).map(
    lambda v: (v,) * len(FIELDS)
)
ids = st.text("AB1", min_size=1, max_size=3)


def split(digests: bytes) -> list[bytes]:
    """The digests of the fields one by one."""
    return [digests[start : start + 8] for start in range(0, len(digests), 8)]


@given(ids, payloads, ids, payloads)
def test_equal_digests_mean_equal_rows(
    one: str, first: tuple[str | None, ...], other: str, second: tuple[str | None, ...]
) -> None:
    """Two rows have one digest exactly when contact and payload are equal, whatever stands where."""
    assert (PRINTS.row(one, first) == PRINTS.row(other, second)) is ((one, first) == (other, second))


@given(ids, payloads)
def test_fields_of_a_payload(contact_id: str, payload: tuple[str | None, ...]) -> None:
    """A field that is carried has a digest, an emptied one too; one that is not carried is unknown."""
    digests = PRINTS.fields(contact_id, payload)
    assert len(digests) == len(NOTHING) == 8 * len(FIELDS)
    assert [digest == bytes(8) for digest in split(digests)] == [value is None for value in payload]


def test_a_digest_belongs_to_its_place() -> None:
    """The same value has another digest in another field, for another contact, and under another key."""
    same = ("Zoé",) * len(FIELDS)
    found = {
        digest for prints in (PRINTS, Fingerprints(b"k" * 32)) for one in ("A", "B") for digest in split(prints.fields(one, same))
    }
    assert len(found) == 4 * len(FIELDS)


@given(ids, similar, similar)
def test_agreement(contact_id: str, carried: tuple[str | None, ...], known: tuple[str | None, ...]) -> None:
    """Digests agree exactly when every value that is carried is known to be so; others may be known or not."""
    agreed = all(value in (None, other) for value, other in zip(carried, known, strict=True))
    assert agree(PRINTS.fields(contact_id, carried), PRINTS.fields(contact_id, known)) is agreed


@given(ids, payloads)
def test_what_agrees_with_what(contact_id: str, payload: tuple[str | None, ...]) -> None:
    """A payload agrees with itself, one that carries nothing agrees with all, and with nothing agrees that one alone."""
    digests = PRINTS.fields(contact_id, payload)
    assert agree(digests, digests)
    assert agree(NOTHING, digests)
    assert agree(digests, NOTHING) is (digests == NOTHING)


@given(ids, payloads, st.sets(st.sampled_from(FIELDS)))
def test_what_is_withdrawn(contact_id: str, payload: tuple[str | None, ...], carried: set[str]) -> None:
    """What is left without some fields is what is known of the others alone."""
    rest = tuple(None if field in carried else value for field, value in zip(FIELDS, payload, strict=True))
    assert without(PRINTS.fields(contact_id, payload), carried) == PRINTS.fields(contact_id, rest)


@given(ids, similar, similar)
def test_what_is_renewed(contact_id: str, known: tuple[str | None, ...], carried: tuple[str | None, ...]) -> None:
    """What is carried takes the place of what was known of the same fields, and the rest stays known."""
    both = tuple(old if new is None else new for old, new in zip(known, carried, strict=True))
    assert renewed(PRINTS.fields(contact_id, known), PRINTS.fields(contact_id, carried)) == PRINTS.fields(contact_id, both)


def test_accounts() -> None:
    """An account is told by base URL and key together, in 16 hex digits that give neither away."""
    names = [("https://a", "k"), ("https://a", "l"), ("https://b", "k"), ("https://ak", "")]
    accounts = [PRINTS.account(*name) for name in names]
    assert len(set(accounts)) == len(names)
    assert accounts[0] == PRINTS.account("https://a", "k") != Fingerprints(b"k" * 32).account("https://a", "k")
    assert all(len(account) == 16 and int(account, 16) >= 0 for account in accounts)


def test_an_account_named_in_bytes() -> None:
    """The name of an account may hold bytes that are no UTF-8, as a command line can."""
    assert PRINTS.account("https://a", os.fsdecode(b"caf\xe9")) != PRINTS.account("https://a", "café")


def test_the_installation_key(tmp_path: Path) -> None:
    """The key is random, made once, 32 bytes, and its owner's alone; nothing else is left in the folder."""
    (tmp_path / "other").mkdir()
    os.umask(0)
    first, other = installation(tmp_path), installation(tmp_path / "other")
    key = tmp_path / "digest.key"
    assert first.account("u", "k") == installation(tmp_path).account("u", "k") != other.account("u", "k")
    assert (key.stat().st_size, stat.S_IMODE(key.stat().st_mode)) == (32, 0o600)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["digest.key"]


def test_a_key_is_private_from_the_first_moment(tmp_path: Path) -> None:
    """A key is its owner's alone as soon as it is in its place, whatever the umask."""
    os.umask(0)
    _create(tmp_path / "digest.key")
    assert stat.S_IMODE((tmp_path / "digest.key").stat().st_mode) == 0o600


def test_a_key_others_can_read(tmp_path: Path) -> None:
    """A key that a copy made readable for others is taken away from them."""
    before = installation(tmp_path).account("u", "k")
    (tmp_path / "digest.key").chmod(0o644)
    assert installation(tmp_path).account("u", "k") == before
    assert stat.S_IMODE((tmp_path / "digest.key").stat().st_mode) == 0o600


def _account(folder: Path) -> str:
    return installation(folder).account("u", "k")


def test_two_processes_make_one_key(tmp_path: Path) -> None:
    """Processes that start together on an empty folder end up with one key."""
    pool = multiprocessing.get_context("spawn").Pool(4)
    try:
        assert len(set(pool.map(_account, [tmp_path] * 8, chunksize=1))) == 1
    finally:
        pool.close()
        pool.join()


def test_quicker_by_a_moment(tmp_path: Path) -> None:
    """A key that another process put in place first is the one that counts, and no draft is left."""
    theirs = os.urandom(32)
    key = tmp_path / "digest.key"
    key.write_bytes(theirs)
    _create(key)
    assert key.read_bytes() == theirs
    assert [path.name for path in tmp_path.iterdir()] == ["digest.key"]


def test_no_room_for_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that could not be written leaves no piece behind."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"digest\.key cannot be read or made \(No space left on device\)"):
        installation(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"k" * 31, b"k" * 33])
def test_a_damaged_key(tmp_path: Path, content: bytes) -> None:
    """A key of the wrong length is refused, with what to do, and not replaced."""
    (tmp_path / "digest.key").write_bytes(content)
    with pytest.raises(StorageError, match=r"digest\.key is damaged: restore it, or delete it"):
        installation(tmp_path)
    assert (tmp_path / "digest.key").read_bytes() == content


def test_no_place_for_the_key(tmp_path: Path) -> None:
    """A folder that cannot hold the key is an error with a sentence."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"digest\.key cannot be read or made \(Not a directory\): check the folder"):
        installation(tmp_path / "file")
