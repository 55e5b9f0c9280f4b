"""One ledger for each account, however it is named; what another ledger may have overwritten is not believed."""

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from contact_sync.errors import ConfigError, StorageError
from contact_sync.ledger.canonical_url import canonical_url
from contact_sync.ledger.digests import installation
from contact_sync.ledger.folder import accounts
from contact_sync.ledger.state_dir import open_existing_ledger, open_ledger
from contact_sync.settings import BASE_URL, AccountSettings
from tests.ledger.rows import block, ended, payload, row
from tests.ledger.test_upgrade import ACCOUNT, FILES
from tests.setups import begin_run

K1, K2, K3 = "first-key-1", "second-key-2", "third-key-3"


@dataclass
class Installation:
    """A state folder and one contact; `stored` is what the API has, `users` names the user of each key."""

    folder: Path
    users: dict[str, str] = field(default_factory=dict)
    stored: str = ""
    asked: int = 0
    warnings: list[str] = field(default_factory=list)

    def run(self, value: str, key: str = K1, name: str | None = None, url: str = BASE_URL, *, dry: bool = False) -> bool:
        """Run with a value for the contact, and return True when it was sent; what is not sent must be in place."""
        account = AccountSettings(base_url=url, key=key, name=name, state_dir=self.folder)

        def identify() -> str:
            self.asked += 1
            return self.users.get(key, "")

        with open_ledger(account, sends=not dry, identify=None if dry else identify) as ledger:
            self.warnings = list(ledger.warnings)
            (in_place,) = ledger.compare([("C1", payload(firstname=value))]).in_place
            if in_place:
                assert self.stored == value, "a row counts as unchanged although the API has another value"
            elif not dry:
                begin_run(ledger, f"run-{os.urandom(4).hex()}")
                with ledger.staging():
                    ledger.stage(block(row(2, "C1", firstname=value)))
                ledger.release(ledger.last_run())
                (claimed,) = ledger.claim(-1)
                self.stored = value
                ledger.record(ended(claimed))
                ledger.flush()
        return not in_place


@pytest.fixture
def state(tmp_path: Path) -> Installation:
    """Return an empty installation."""
    return Installation(tmp_path / "state")


SAME = [
    ("https://api.smspartner.fr/v1", "HTTPS://API.SmsPartner.fr/v1/"),
    ("https://api.smspartner.fr/v1", "https://api.smspartner.fr.:443/v1"),
    ("https://api.smspartner.fr/v1", "https://api.smspartner.fr/%761"),
    ("https://api.smspartner.fr/v1", "https://api.smspartner.fr/x/../v1"),
    ("https://a.example/v%2f1", "https://a.example/v%2F1"),
    ("https://a.example//v1", "https://a.example/v1"),
    ("http://localhost/v1", "http://LOCALHOST.:80/v1"),
    ("http://[::1]:8080/v1", "http://[0:0:0:0:0:0:0:1]:8080/v1/"),
    ("https://bücher.example/v1", "https://XN--Bcher-kva.example/v1"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_an_address(state: Installation, one: str, other: str) -> None:
    """An account has one ledger, however its address is spelled."""
    assert canonical_url(one) == canonical_url(other)
    assert state.run("A", url=one)
    assert state.run("B", url=other)
    assert state.run("A", url=one)
    assert len(accounts(state.folder)) == 1
    assert state.warnings == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://a.example/v1", "https://b.example/v1"),
        ("https://a.example/v1", "https://a.example/v2"),
        ("https://a.example/v1", "https://a.example/V1"),
        ("https://a.example/a%2Fb", "https://a.example/a/b"),
        ("http://127.0.0.1:80/v1", "http://127.0.0.1:81/v1"),
        ("http://127.0.0.1/v1", "https://127.0.0.1/v1"),
        ("https://straße.example/v1", "https://strasse.example/v1"),
    ],
)
def test_other_addresses(state: Installation, one: str, other: str) -> None:
    """Addresses that may lead elsewhere have ledgers of their own, without a warning or a question."""
    assert state.run("A", url=one)
    assert state.run("A", url=other)
    assert not state.run("A", url=one)
    assert not state.run("A", url=other)
    assert (len(accounts(state.folder)), state.warnings, state.asked) == (2, [], 0)


def test_a_name_that_is_left_out(state: Installation) -> None:
    """A key that was used with `--account` is known without it, and the other way round."""
    assert state.run("A", name="shop")
    assert state.run("B")
    assert state.run("A", name="shop")
    assert state.run("B", name="other")
    assert not state.run("B")
    assert (len(accounts(state.folder)), state.warnings, state.asked) == (1, [], 0)


def test_a_rotated_key_with_a_name(state: Installation) -> None:
    """A name keeps the ledger when the key changes, with a warning the first time."""
    state.run("A", name="shop")
    assert not state.run("A", K2, "shop")
    assert ["another API key before" in each for each in state.warnings] == [True]
    assert state.run("B", K2)
    assert state.run("A", K1)
    assert (len(accounts(state.folder)), state.warnings) == (1, [])


def test_two_keys_of_one_account(state: Installation) -> None:
    """Two keys of one account share a ledger as soon as the API has named the user of both; each is asked about once."""
    state.users = dict.fromkeys((K1, K2, K3), "camille@example.com")
    assert state.run("A", K1)
    assert state.asked == 0, "there is nothing to decide"
    assert state.run("B", K2)
    assert "give every run the same --account" in state.warnings[0]
    assert state.run("A", K1)
    assert state.run("B", K2)
    assert not state.run("B", K1)
    assert not state.run("B", K3)
    assert (state.asked, state.warnings) == (3, [])


def test_keys_of_two_accounts(state: Installation) -> None:
    """Keys of two users keep two ledgers, and after the first nights without a warning."""
    state.users = {K1: "one@example.com", K2: "two@example.com"}
    state.run("A", K1)
    for _night in range(2):
        state.run("B", K2)
        state.stored = "A"
        state.run("A", K1)
        state.stored = "B"
    state.warnings.append("")
    assert not state.run("B", K2)
    state.stored = "A"
    assert not state.run("A", K1)
    assert (state.asked, state.warnings) == (2, [])


@pytest.mark.parametrize("name", [None, "shop"])
def test_an_api_that_does_not_say_whose_a_key_is(state: Installation, name: str | None) -> None:
    """Where two ledgers may be of one account, each does not believe what it knew before the other was used."""
    state.run("A", K1)
    for value in ("B", "C", "B"):
        assert state.run(value, K2, name)
        assert state.run("A", K1)
        assert "Another ledger" in state.warnings[0]
    assert not state.run("A", K1), "the other was not used since"


def test_named_accounts_are_taken_apart(state: Installation) -> None:
    """An operator who gives every account a name is believed where the API does not answer."""
    state.run("A", K1, "one")
    state.run("B", K2, "two")
    state.stored = "A"
    assert not state.run("A", K1, "one")
    assert state.warnings == []


def test_two_names_of_one_account(state: Installation) -> None:
    """Two keys with two names share a ledger when the API names one user for both, and this is said once."""
    state.users = dict.fromkeys((K1, K2), "camille@example.com")
    assert state.run("A", K1, "one")
    assert state.run("B", K2, "two")
    assert state.warnings == []
    assert state.run("A", K1, "one")
    assert ["Two names of --account" in each for each in state.warnings] == [True]
    assert state.run("B", K2, "two")
    assert not state.run("B", K1)
    assert not state.run("B", K2)
    assert not state.run("B", K1, "one")
    assert (state.asked, state.warnings) == (2, [])


def test_a_second_name_of_a_known_user(state: Installation) -> None:
    """A new key with a new name uses the ledger of its user at once, where the API has named that user before."""
    state.users = {K1: "one@example.com", K2: "two@example.com", K3: "one@example.com"}
    state.run("A", K1, "one")
    state.run("B", K2, "two")
    state.stored = "A"
    assert not state.run("A", K1, "one")
    assert not state.run("A", K3, "three")
    assert ["Two names" in each for each in state.warnings] == [True]
    assert not state.run("A", K3, "three")
    assert state.warnings == []
    state.stored = "B"
    assert not state.run("B", K2, "two"), "its account is another"
    assert (state.asked, state.warnings) == (3, [])


def test_an_api_that_says_later_whose_a_key_is(state: Installation) -> None:
    """Names are believed only until the API has named the user of both keys."""
    state.run("A", K1, "one")
    state.run("B", K2, "two")
    state.users = dict.fromkeys((K1, K2), "camille@example.com")
    assert not state.run("B", K2, "two")
    assert state.run("A", K1, "one")
    assert state.run("B", K2, "two")
    assert state.run("A", K1, "one")


def test_a_key_and_a_name_of_two_accounts(state: Installation) -> None:
    """A key with the name of another account is refused where the API says so."""
    state.users = {K1: "one@example.com", K2: "two@example.com"}
    state.run("A", K1, "one")
    state.run("B", K2)
    state.stored = "A"
    state.run("A", K1, "one")
    with pytest.raises(ConfigError, match="The API key and --account one belong to two accounts: correct one of them"):
        state.run("C", K2, "one")
    assert state.stored == "A"


def test_a_key_and_a_name_that_were_used_apart(state: Installation) -> None:
    """A key and a name that are used together are one account from then on, where the API does not say that they are two."""
    state.run("A", K1, "one")
    state.run("B", K2)
    assert state.run("A", K2, "one")
    assert "used apart" in state.warnings[0]
    assert not state.run("A", K1)
    assert state.run("B", K1, "one")
    assert state.run("A", K2)
    assert state.warnings == []


def test_a_run_that_crashed(state: Installation) -> None:
    """The ledger of a run that crashed counts as used once, not for ever."""
    state.run("A", K2)
    registry = state.folder / "accounts.json"
    entries = json.loads(registry.read_text())
    for entry in entries.values():
        entry["ended"] = None
    registry.write_text(json.dumps(entries))
    state.run("A", K1)
    assert not state.run("A", K1)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"x": 3}', '{"x": {"y": 1}}'])
def test_a_lost_registry(state: Installation, content: str) -> None:
    """Without `accounts.json` each ledger is known by its own name alone, and nothing is believed too easily."""
    state.run("A", K1)
    state.run("B", K2)
    (state.folder / "accounts.json").write_text(content)
    assert state.run("A", K1)
    assert state.run("B", K2)
    assert not state.run("B", K2)


def test_a_dry_run_changes_nothing(state: Installation) -> None:
    """A dry run asks nothing and remembers nothing, and does not believe what another ledger may have overwritten."""
    state.run("A", K1)
    state.run("B", K2)
    before = (state.folder / "accounts.json").read_bytes()
    asked = state.asked
    for _ in range(2):
        assert state.run("A", K1, dry=True)
        assert "Another ledger" in state.warnings[0]
    assert ((state.folder / "accounts.json").read_bytes(), state.asked) == (before, asked)
    assert state.run("A", K1)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8099/v1", "http://127.0.0.1:08099/v1/"])
def test_a_ledger_of_the_first_release(tmp_path: Path, url: str) -> None:
    """A ledger of the first release is found, however its address is spelled now, and remembered under its key."""
    for file in ("digest.key", f"{ACCOUNT}.sqlite3"):
        shutil.copy(FILES / file, tmp_path / file)
    for name in (None, "shop"):
        account = AccountSettings(base_url=url, key="made-up-key-1234", name=name, state_dir=tmp_path)
        with open_ledger(account) as ledger:
            assert ledger.compare([("C000001", payload(firstname="Zoé"))]).in_place == [True]
            assert ledger.warnings == []
    with open_existing_ledger(AccountSettings(key="other-key-99", base_url=url, name="shop", state_dir=tmp_path), locked=False):
        assert accounts(tmp_path) == {ACCOUNT}


def test_a_former_ledger_under_another_spelling(state: Installation) -> None:
    """A ledger of the first release whose name was made of a spelling that is still used is found under that spelling."""
    url = "https://API.smspartner.fr:443/v1"
    state.run("A")
    (former,) = accounts(state.folder)
    other = installation(state.folder).account(url, K1)
    for suffix in ("sqlite3", "lock", "seal"):
        (state.folder / f"{former}.{suffix}").rename(state.folder / f"{other}.{suffix}")
    (state.folder / "accounts.json").unlink()
    with pytest.raises(StorageError, match="belongs to another account"):
        state.run("A", url=url)  # it was found: only its content has the other name


def test_digests_only(state: Installation) -> None:
    """The state folder contains neither key nor user; the name of an account is no secret, and operators look for it."""
    state.users = {K1: "camille@example.com", K2: "camille@example.com"}
    state.run("A", K1, "shop")
    state.run("B", K2)
    state.run("B", K1)
    content = b"".join(path.read_bytes() for path in state.folder.iterdir())
    assert [word for word in (K1, K2, "shop", "camille", "smspartner") if word.encode() in content] == ["shop"]


def test_a_lost_installation_key(state: Installation) -> None:
    """A missing `digest.key` beside ledgers is noticed before anything is sent."""
    state.run("A")
    key = state.folder / "digest.key"
    content = key.read_bytes()
    key.unlink()
    with pytest.raises(StorageError, match=r"digest\.key is missing, but there are ledgers beside it: restore it"):
        state.run("A")
    assert not key.exists()
    key.write_bytes(content)
    assert not state.run("A")
