"""The accounts of a state folder: under which keys, names and addresses each ledger was used, as keyed digests.

A ledger belongs to an account, which can be named in several ways: by each of its API keys, by `--account`, by each spelling of
the base URL. Two ledgers of one account would each believe what the other has overwritten. So `accounts.json` remembers every way
in which a ledger was named, and the API is asked whose a key is where the folder has another ledger that may be of its account.

Its answer decides, and a name is only a label: two names of one user share a ledger, with a warning once. To refuse the second
name would leave the rows of a night unsent for a label. Only until the API has named both users are different names believed.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Protocol

from contact_sync.errors import BusyError, ConfigError, StorageError
from contact_sync.files.lock import acquire
from contact_sync.files.private import private
from contact_sync.i18n import _
from contact_sync.ledger.canonical_url import canonical_url
from contact_sync.ledger.digests import Fingerprints
from contact_sync.settings import AccountSettings

_FILE = "accounts.json"
_ATTEMPTS = 30  # to get the lock, each for 0.3 s; another run has it for milliseconds
_SIZE = 1 << 22  # bytes; a ledger takes about 300

Identify = Callable[[], str]
"""Asks the API for the user of the key; returns an empty text where it does not answer."""


@dataclass
class Entry:
    """The ways in which a ledger was named, and when it was last used, as numbers that grow with every use of the folder."""

    url: str = ""  # empty for a ledger of the first release that was not used since
    keys: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    user: str = ""  # empty where the API was not asked
    began: int = 0
    ended: int | None = None  # None while it is used, and after a crash
    successor: str = ""  # the ledger that is used in its place
    labels: list[str] = field(
        default_factory=list
    )  # the `names` as they were given: they are no secret, and operators look for them

    def differs(self, other: "Entry") -> bool:
        """Return True when the accounts differ for certain."""
        return bool((self.url and other.url and self.url != other.url) or (self.user and other.user and self.user != other.user))

    def is_named_apart(self, other: "Entry") -> bool:
        """Return True when an operator has given the accounts different names."""
        return bool(self.names and other.names) and not {*self.names} & {*other.names}

    def absorb(self, other: "Entry") -> None:
        """Take over the ways in which another ledger of the same account was named."""
        self.keys = [*dict.fromkeys([*self.keys, *other.keys])]
        self.names = [*dict.fromkeys([*self.names, *other.names])]
        self.labels = [*dict.fromkeys([*self.labels, *other.labels])]
        self.url, self.user = self.url or other.url, self.user or other.user


@dataclass
class Choice:
    """The ledger of an account, which may not exist yet; `ledger` is its name."""

    ledger: str
    entry: Entry
    is_known: bool  # False when nothing shows that the account was used before
    warnings: list[str]
    replaced: list[str]  # other ledgers of the same account
    rivals: list[str]  # ledgers, perhaps of the same account, that may have been used since this one was


class Document(Protocol):
    """A small text that several processes read and replace."""

    def read(self) -> bytes:
        """Return the text; empty where there is none."""

    def changed(self) -> AbstractContextManager[tuple[bytes, Callable[[bytes], object]]]:
        """Yield the text and a function that replaces it durably, while no other process changes it."""


class AccountsFile:
    """The file `accounts.json` of a state folder. Its methods raise StorageError, and BusyError while another run changes it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE

    def read(self) -> bytes:
        """Return the content."""
        with self._reported(), suppress(FileNotFoundError), private(self._path, os.O_RDONLY) as descriptor:
            return os.read(descriptor, _SIZE)
        return b""

    @contextmanager
    def changed(self) -> Iterator[tuple[bytes, Callable[[bytes], object]]]:
        """Yield the content, and a function that replaces it."""
        with self._reported(), ExitStack() as stack:
            draft = self._path.with_name(f"{_FILE}.draft")
            locks = (acquire(draft) for _attempt in range(_ATTEMPTS))
            lock = next((lock for lock in locks if lock is not None), None)
            if lock is None:
                raise BusyError("The file {path} is in use by another program: run again later.", path=draft)
            stack.callback(os.close, lock)

            def write(text: bytes) -> None:
                os.write(lock, text)
                os.fsync(lock)
                draft.replace(self._path)

            yield self.read(), write

    def _reported(self) -> AbstractContextManager[None]:
        return StorageError.from_os_error("The file {path} cannot be used ({reason}): check the state folder.", path=self._path)


class Accounts:
    """The accounts in a `document`; `ledgers` returns the names of the ledgers there are.

    Every method raises StorageError, those that write also BusyError.
    """

    def __init__(self, document: Document, fingerprints: Fingerprints, ledgers: Callable[[], set[str]]) -> None:
        self._document = document
        self._fingerprints = fingerprints
        self._ledgers = ledgers

    def choose(self, account: AccountSettings, identify: Identify | None = None) -> Choice:
        """Return the ledger of an account. Raises ConfigError when its key and its name certainly belong to two accounts."""
        return _Search(self._read(), self._fingerprints, account, canonical_url(account.base_url), identify).choose()

    def user(self, account: AccountSettings, identify: Identify) -> str:
        """Return the digest of the user of an account, which is remembered; empty where the API does not answer."""
        choice = self.choose(account, identify)
        if not choice.entry.user and (name := identify()):
            url = canonical_url(account.base_url)
            with self._changed() as entries:
                entry = entries.setdefault(choice.ledger, replace(choice.entry, ended=0))
                entry.user = choice.entry.user = _digest_of_user(self._fingerprints, url, name)
        return choice.entry.user

    def current(self) -> dict[str, list[str]]:
        """Return the ledgers that have no successor: name → the names of --account that each was used with."""
        entries = self._read()
        return {name: entries[name].labels for name in sorted(self._ledgers()) if not entries[name].successor}

    def replace(self, others: "Accounts") -> None:
        """Take over the accounts of another installation with the same key."""
        with self._document.changed() as (_text, write):
            write(others._document.read() or b"{}")  # noqa: SLF001 - of the same class

    def begin(self, choice: Choice, is_held: Callable[[str], bool]) -> None:
        """Record that a ledger is used from now on, and how it is named; `is_held` returns True for one that is in use."""
        with self._changed() as entries:
            now = _latest(entries) + 1
            for name in choice.rivals:
                if name in entries and entries[name].ended is None and not is_held(name):
                    entries[name].ended = now  # its run crashed, and sends nothing any more
            for name in choice.replaced:
                entries[name].successor = choice.ledger
            entries[choice.ledger] = replace(choice.entry, began=now + 1, ended=None, successor="")

    def end(self, choice: Choice) -> None:
        """Record that a ledger is not used any more."""
        with self._changed() as entries:
            if choice.ledger in entries:
                entries[choice.ledger].ended = _latest(entries) + 1

    def _read(self) -> dict[str, Entry]:
        return self._parse(self._document.read())

    def _parse(self, text: bytes) -> dict[str, Entry]:
        """Return the entry of each ledger, also of a deleted one; without the document each is known by its own name alone."""
        found: dict[str, Entry] = {}
        with suppress(ValueError, TypeError, AttributeError):
            found = {name: Entry(**entry) for name, entry in json.loads(text).items()}
        return {name: Entry() for name in self._ledgers()} | found

    @contextmanager
    def _changed(self) -> Iterator[dict[str, Entry]]:
        """Read the entries, and write them back, while no other run does."""
        with self._document.changed() as (text, write):
            entries = self._parse(text)
            yield entries
            write(json.dumps({name: asdict(entry) for name, entry in entries.items()}).encode())


def _latest(entries: dict[str, Entry]) -> int:
    return max((number for each in entries.values() for number in (each.began, each.ended or 0)), default=0)


def _digest_of_user(fingerprints: Fingerprints, url: str, name: str) -> str:
    return fingerprints.account("user", f"{url}\x1f{name}")


@dataclass
class _Search:
    """The search for the ledger of `account`."""

    entries: dict[str, Entry]
    fingerprints: Fingerprints
    account: AccountSettings
    url: str  # the one spelling of its address
    identify: Identify | None

    def _digests(self, kind: str, text: str | None) -> list[str]:
        """Return the digest of a text at the address of the account, in a list; an empty one for no text."""
        return [self.fingerprints.account(kind, f"{self.url}\x1f{text}")] if text else []

    def choose(self) -> Choice:
        """Return the ledger that was used last of those that certainly are of this account."""
        account, known = self.account, self.entries
        keys, names = self._digests("key", account.key), self._digests("name", account.name)
        this = Entry(
            self.fingerprints.account("url", f"{self.url}\x1f"), keys, names, labels=[account.name] if account.name else []
        )
        by_key, by_name = self._find(keys, account.key), self._find(names, account.name)
        named = dict.fromkeys(filter(None, (by_name, by_key))).keys()
        for ledger in named:
            this.absorb(known[ledger])
        is_new_key = bool(keys) and not by_key
        others = [ledger for ledger in known if ledger not in named and not known[ledger].differs(this)]
        user = ""
        # One request at most, and only where the answer decides something.
        if keys and self.identify and (len(named) > 1 or (is_new_key and this.user) or (others and not this.user)):
            name = self.identify()
            user = _digest_of_user(self.fingerprints, self.url, name) if name else ""
        if user and any(known[ledger].user not in {"", user} for ledger in named):
            raise ConfigError(
                "The API key and --account {name} belong to two accounts: correct one of them.", name=account.name or _("unknown")
            )
        this.user = user or this.user
        same = {self._current(ledger) for ledger in known if user and known[ledger].user == user}
        warnings = []
        if any(known[ledger].is_named_apart(this) for ledger in same):
            warnings.append(_("Two names of --account are of one account, as the API says: they share a ledger from now on."))
        if len(named) > 1 and not named <= same:
            warnings.append(
                _("--account {name} and this API key were used apart: from now on they are one account.", name=account.name)
            )
        elif by_name and by_name not in same and is_new_key and known[by_name].keys:
            warnings.append(
                _(
                    "--account {name} was used with another API key before: if they are of two accounts, change the name.",
                    name=account.name,
                )
            )
        certain = sorted(named | same, key=lambda ledger: known[ledger].began)
        for ledger in certain:
            this.absorb(known[ledger])
        chosen = certain.pop() if certain else ""
        if chosen:
            this.began = known[chosen].began
        possible = {
            ledger: each
            for ledger, each in known.items()
            if ledger != chosen and not each.differs(this) and not each.is_named_apart(this)
        }
        if possible and not chosen:
            warnings.append(
                _(
                    "The state folder has another ledger, but none of this API key or --account: every row is sent. If both are "
                    "of one account, give every run the same --account."
                )
            )
        rivals = [ledger for ledger, each in possible.items() if each.ended is None or each.ended > this.began]
        name = chosen or self.fingerprints.account(self.url, account.name or account.key)
        return Choice(name, this, bool(chosen), warnings, certain, rivals)

    def _find(self, digests: list[str], text: str | None) -> str:
        """Return the ledger that was used under this digest of `text`; one of the first release has a name made of the text."""
        for ledger, entry in self.entries.items():
            if digests and digests[0] in (*entry.keys, *entry.names):
                return self._current(ledger)
        for url in (self.url, self.account.base_url) if text else ():
            former = self.fingerprints.account(url, text or "")
            if former in self.entries and not self.entries[former].url:
                return former
        return ""

    def _current(self, ledger: str) -> str:
        """Return the ledger that is used in place of this one, or this one."""
        seen = {ledger}
        while (successor := self.entries[ledger].successor) in self.entries and successor not in seen:
            ledger = successor
            seen.add(ledger)
        return ledger
