"""Keyed digests, and the key they are made with."""

import errno
import hmac
import multiprocessing
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_sync.errors import StorageError
from contact_sync.ledger.digests import (
    FIRST_FIELDS,
    Fingerprints,
    _create,
    agree,
    changes_identity,
    from_first_release,
    installation,
    pack,
    unpack,
)
from contact_sync.model.fields import FIELDS

PRINTS = Fingerprints(bytes(32))

NAMES = (*FIELDS, "custom5", "email")
"""The fields of today, and two of a later release."""

texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=4)
rows = st.dictionaries(st.sampled_from(NAMES), texts)
similar = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["", "a"])) | st.just(dict.fromkeys(NAMES, "a"))
ids = st.text("AB1", min_size=1, max_size=3)


def row_digest(contact_id: str, values: dict[str, str], names: Sequence[str] = NAMES) -> bytes:
    """Return the digest of a row whose values are in the order of `names`."""
    return PRINTS.row(contact_id, {name: values[name] for name in names if name in values})


@given(ids, rows, ids, rows)
def test_equal_digests_mean_equal_rows(one: str, first: dict[str, str], other: str, second: dict[str, str]) -> None:
    """Two rows have the same digest exactly when contact and values are equal."""
    assert (row_digest(one, first) == row_digest(other, second)) is ((one, first) == (other, second))


@given(ids, rows, st.permutations(NAMES))
def test_row_digests_survive_other_fields(contact_id: str, values: dict[str, str], names: list[str]) -> None:
    """The digest of a row is the same in whatever order the fields are, and when fields that it does not carry are unknown."""
    assert row_digest(contact_id, values, names) == row_digest(contact_id, values)
    assert row_digest(contact_id, values, [name for name in names if name in values] or ["url"]) == row_digest(contact_id, values)


@given(ids, rows)
def test_each_carried_field_has_a_digest(contact_id: str, values: dict[str, str]) -> None:
    """A field that is carried has a digest, an emptied one too; one that is not carried has none."""
    digests = PRINTS.fields(contact_id, values)
    assert digests.keys() == values.keys()
    assert {len(digest) for digest in digests.values()} <= {8}


def test_digests_differ_by_field_contact_and_key() -> None:
    """The same value has another digest in another field, for another contact, and under another key."""
    same = dict.fromkeys(NAMES, "Zoé")
    found = {
        digest
        for prints in (PRINTS, Fingerprints(b"k" * 32))
        for contact_id in ("A", "B")
        for digest in prints.fields(contact_id, same).values()
    }
    assert len(found) == 4 * len(NAMES)


@given(ids, similar, similar)
def test_agreement(contact_id: str, carried: dict[str, str], known: dict[str, str]) -> None:
    """Digests agree exactly when every value that is carried is known to be so; others may be known or not."""
    agreed = all(known.get(field) == value for field, value in carried.items())
    assert agree(PRINTS.fields(contact_id, carried), PRINTS.fields(contact_id, known)) is agreed


@given(ids, rows)
def test_agreement_with_nothing(contact_id: str, values: dict[str, str]) -> None:
    """A row agrees with itself, a row without values agrees with all, and only that one agrees with nothing known."""
    digests = PRINTS.fields(contact_id, values)
    assert agree(digests, digests)
    assert agree({}, digests)
    assert agree(digests, {}) is (values == {})


@given(ids, similar, similar)
def test_a_change_of_identity(contact_id: str, carried: dict[str, str], known: dict[str, str]) -> None:
    """An identity changes when both names and the number do; it is unknown unless all three are carried and known."""
    person = {"phoneNumber", "firstname", "lastname"}
    expected = None
    if person <= carried.keys() and person <= known.keys():
        expected = all(carried[field] != known[field] for field in person)
    assert changes_identity(PRINTS.fields(contact_id, carried), PRINTS.fields(contact_id, known)) is expected


@given(ids, rows)
def test_stored_digests_are_read_back(contact_id: str, values: dict[str, str]) -> None:
    """Digests are read as they were stored."""
    digests = PRINTS.fields(contact_id, values)
    assert unpack(pack(digests)) == digests


def test_stored_digests_of_another_version_are_unknown() -> None:
    """What another version of the digests wrote is not known, so that the contact is sent again; nor is nothing at all."""
    stored = pack(PRINTS.fields("C1", {"firstname": "Zoé"}))
    assert unpack(b"\x02" + stored[1:]) == unpack(b"") == {}


def test_digests_keep_their_meaning() -> None:
    """Digests are those of the first release: other ones would send every confirmed row again."""
    values = {"phoneNumber": "+33600000001", "firstname": "Zoé", "custom4": ""}
    assert row_digest("C1", values, FIELDS).hex() == "03a16268a1ba5a7739e08954ab36296f"
    assert {field: digest.hex() for field, digest in PRINTS.fields("C1", values).items()} == {
        "phoneNumber": "37825cb9b3a03026",
        "firstname": "a8017c2ee3509d89",
        "custom4": "f6907ca3e0f28068",
    }
    first = bytes.fromhex(
        "37825cb9b3a03026a8017c2ee3509d89000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000f6907ca3e0f28068"
    )
    assert from_first_release(first) == pack(PRINTS.fields("C1", values))


def test_accounts() -> None:
    """An account is named after base URL and key together, in 16 hex digits that reveal neither."""
    names = [("https://a", "k"), ("https://a", "l"), ("https://b", "k"), ("https://ak", "")]
    accounts = [PRINTS.account(*name) for name in names]
    assert len(set(accounts)) == len(names)
    assert accounts[0] == PRINTS.account("https://a", "k") != Fingerprints(b"k" * 32).account("https://a", "k")
    assert all(len(account) == 16 and int(account, 16) >= 0 for account in accounts)


def test_an_account_named_in_bytes() -> None:
    """The name of an account may contain bytes that are not UTF-8, as a command line can."""
    assert PRINTS.account("https://a", os.fsdecode(b"caf\xe9")) != PRINTS.account("https://a", "café")


def test_the_installation_key(tmp_path: Path) -> None:
    """The key is random, created once, has 32 bytes and mode 0600; nothing else is left in the folder."""
    (tmp_path / "other").mkdir()
    os.umask(0)
    first, other = installation(tmp_path), installation(tmp_path / "other")
    key = tmp_path / "digest.key"
    assert first.account("u", "k") == installation(tmp_path).account("u", "k") != other.account("u", "k")
    assert (key.stat().st_size, stat.S_IMODE(key.stat().st_mode)) == (32, 0o600)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["digest.key"]


def test_a_key_is_private_from_the_first_moment(tmp_path: Path) -> None:
    """A key has mode 0600 as soon as it has its name, whatever the umask."""
    os.umask(0)
    _create(tmp_path / "digest.key", bytes(32))
    assert stat.S_IMODE((tmp_path / "digest.key").stat().st_mode) == 0o600


def test_a_readable_key_is_made_private(tmp_path: Path) -> None:
    """A key that a copy made readable for others is restricted to its owner."""
    before = installation(tmp_path).account("u", "k")
    (tmp_path / "digest.key").chmod(0o644)
    assert installation(tmp_path).account("u", "k") == before
    assert stat.S_IMODE((tmp_path / "digest.key").stat().st_mode) == 0o600


def _account(folder: Path) -> str:
    return installation(folder).account("u", "k")


def test_two_processes_make_one_key(tmp_path: Path) -> None:
    """Processes that start together in an empty folder use the same key."""
    pool = multiprocessing.get_context("spawn").Pool(4)
    try:
        assert len(set(pool.map(_account, [tmp_path] * 8, chunksize=1))) == 1
    finally:
        pool.close()
        pool.join()


def test_another_process_creates_the_key_first(tmp_path: Path) -> None:
    """A key that another process put in place first is the one that counts, and no draft is left."""
    theirs = os.urandom(32)
    key = tmp_path / "digest.key"
    key.write_bytes(theirs)
    _create(key, bytes(32))
    assert key.read_bytes() == theirs
    assert [path.name for path in tmp_path.iterdir()] == ["digest.key"]


def test_no_room_for_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that could not be written leaves no file."""

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


def test_a_key_that_cannot_be_created(tmp_path: Path) -> None:
    """A folder in which the key cannot be created is an error with a sentence."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"digest\.key cannot be read or made \(Not a directory\): check the folder"):
        installation(tmp_path / "file")


@given(st.lists(st.none() | st.text("abé +\x1e", max_size=5), min_size=len(FIRST_FIELDS), max_size=len(FIRST_FIELDS)))
def test_payload_has_the_digest_of_its_row(payload: list[str | None]) -> None:
    """The digest of a payload is that of the values that it carries, by name."""
    digests = Fingerprints(bytes(32))
    values = {name: value for name, value in zip(FIRST_FIELDS, payload, strict=True) if value is not None}
    assert digests.payloads([("C1", payload)]) == [digests.row("C1", values)]


@given(st.binary(min_size=32, max_size=32), st.text(st.characters(exclude_categories=["Cs"]), max_size=99))
def test_digests_are_hmacs(key: bytes, text: str) -> None:
    """A digest is HMAC-SHA256 under the key of the installation."""
    assert Fingerprints(key).base("row", text) == hmac.digest(key, f"base-row\x1f{text}".encode(), "sha256")
