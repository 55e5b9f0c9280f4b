"""An installation whose ledgers are in a PostgreSQL database, which any number of hosts share."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from contact_sync.errors import ConfigError
from contact_sync.ledger.accounts import Accounts
from contact_sync.ledger.digests import Fingerprints, read_key
from contact_sync.ledger.folder import SUFFIX, StateFolder, reported
from contact_sync.ledger.postgres import PostgresLedger
from contact_sync.ledger.postgres.database import PostgresDatabase
from contact_sync.ledger.postgres.schema import COMMON, is_installed, ledgers, migrate, put_aside, schema_of
from contact_sync.settings import AccountSettings, ledger_name

KEY_FILE = "ledger.key"  # in the state folder
_ID_BYTES = 8


def ledgers_in(url: str) -> set[str] | None:
    """Return the names of the ledgers in a database, None where it has no installation; nothing is created."""
    with PostgresDatabase(url, COMMON) as database:
        return ledgers(database) if is_installed(database) else None


class AccountsTable:
    """The accounts of a database, as one document (`accounts.Document`)."""

    def __init__(self, url: str) -> None:
        self._url = url

    def read(self) -> bytes:
        """Return the document."""
        with PostgresDatabase(self._url, COMMON) as database:
            return _document(database)

    @contextmanager
    def changed(self) -> Iterator[tuple[bytes, Callable[[bytes], object]]]:
        """Yield the document and a function that replaces it, while no other host changes it."""
        with PostgresDatabase(self._url, COMMON) as database, database.transaction():
            database.lock("accounts")
            yield _document(database), lambda text: database.write("UPDATE accounts SET document = ?", text.decode())


def _document(database: PostgresDatabase) -> bytes:
    return next((str(text).encode() for (text,) in database.all("SELECT document FROM accounts")), b"{}")


class SharedFolder(StateFolder):
    """The ledgers in a database, and the folder where this host keeps the rows of its runs.

    The key of the digests is in the database, unless the hosts hold it in a file. Raises UnavailableError when the database is
    gone, ConfigError for another key than the one it was created with.
    """

    def __init__(self, account: AccountSettings, key: bytes | None = None) -> None:
        self._url = account.ledger or ""
        self.place = ledger_name(self._url)
        file = account.state_dir / KEY_FILE
        given = read_key(file) if os.path.lexists(file) else None
        with PostgresDatabase(self._url, COMMON) as database:
            migrate(database)
            name, self.key = _identity(database, given, file, key)
        self.fingerprints = Fingerprints(self.key)
        self.refuse_other_key(key)
        self.path = account.state_dir / f"postgresql-{name}"
        with reported(self.path):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.accounts = Accounts(AccountsTable(self._url), self.fingerprints, self.ledgers)

    def ledgers(self) -> set[str]:
        with PostgresDatabase(self._url, COMMON) as database:
            return ledgers(database)

    def put_aside(self, name: str) -> None:
        super().put_aside(name)
        with PostgresDatabase(self._url, COMMON) as database:
            put_aside(database, name)

    def _open(self, name: str, sleep: Callable[[float], object] | None, *, read_only: bool) -> PostgresLedger:
        path: Path | None = self.path / f"{name}{SUFFIX}"
        if read_only and path and not path.exists():  # this host has not run yet
            path = None
        database = PostgresDatabase(self._url, schema_of(name))
        return PostgresLedger(path, self.fingerprints, name, database, read_only=read_only, sleep=sleep)


def _identity(database: PostgresDatabase, given: bytes | None, file: Path, initial: bytes | None) -> tuple[str, bytes]:
    """Return the name of an installation and the key of its digests; both are made at first use."""
    with database.transaction():
        database.lock("installation")
        found = database.all("SELECT id, digest_key, proof FROM installation")
        if not found:
            name, key = secrets.token_hex(_ID_BYTES), given or initial or secrets.token_bytes(32)
            proof = Fingerprints(key).proof()
            database.write("INSERT INTO installation VALUES (?, ?, ?)", name, None if given else key, proof)
            return name, key
    ((name, stored, proof),) = found
    key = given or stored
    if key is None:
        raise ConfigError(
            "The key of the ledger {name} is not in the database: copy {path} from another host.", name=database.name, path=file
        )
    if Fingerprints(key).proof() != proof:
        raise ConfigError(
            "{path} is not the key that the ledger {name} was created with: copy it from another host.",
            path=file,
            name=database.name,
        )
    return name, key
