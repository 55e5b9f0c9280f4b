"""The connection to a PostgreSQL database, with every error as a ContactSyncError that names no secret."""

import re
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, NoReturn, Self

import psycopg

from contact_sync.errors import ConfigError, StorageError, UnavailableError
from contact_sync.i18n import N_
from contact_sync.settings import ledger_name

_TIMEOUT_S = 10  # for a connection, a lock, or an acknowledgement of the network
_ANSWER_S = 40  # for the answer to a statement, which the server itself gives up after 30

# A machine that has gone without a word is noticed by either side, long before the two hours of the system; and what is idle
# for long, as in a pause of the API, stays known to a firewall on the way.
_KEEPALIVES: dict[str, Any] = {"keepalives_idle": 20, "keepalives_interval": 5, "keepalives_count": 4}

_SETTINGS = (
    *(f"SET tcp_{name} = {value}" for name, value in _KEEPALIVES.items()),
    "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'",  # from PostgreSQL 14 on
    "SET statement_timeout = '30s'",
    "SET lock_timeout = '10s'",
    "SET idle_in_transaction_session_timeout = '60s'",
    # What was withdrawn must survive a crash of the server; where more is asked for (standbys), that stays.
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
)

# A connection that fails has no SQLSTATE, only a text: that of libpq is English, that of the server in its own language.
_TO_CORRECT = (
    (
        r"authentication failed|authentification .* échouée|no password supplied|no such user",
        N_(
            "The ledger {name} refuses the password ({reason}): correct it in ~/.pgpass, PGPASSWORD or the service file, or the "
            "role in --ledger."
        ),
    ),
    (
        r"(database|base de données) .*(does not exist|n'existe pas)|no such database",
        N_("The ledger {name} cannot be opened ({reason}): correct the database in --ledger, or create it."),
    ),
    (
        r"(role|rôle) .*(not exist|not permitted|n'existe pas|n'est pas autorisé)|pg_hba\.conf|permission denied|droit refusé",
        N_(
            "The ledger {name} does not admit this role ({reason}): correct the role in --ledger, or let it connect "
            "(pg_hba.conf, CONNECT, LOGIN)."
        ),
    ),
    (
        r"connection is bad: (invalid|definition)|unrecognized configuration parameter|certificate|not support SSL",
        N_("The ledger {name} cannot be opened ({reason}): correct the parameters in --ledger."),
    ),
)

_GONE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.IdleInTransactionSessionTimeout,
)

Answer = Callable[[], list[tuple[Any, ...]]]
"""Returns the rows that a statement has found."""


class _Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that is closed when the server leaves a statement without an answer."""

    def wait(self, gen: Generator[Any, Any, Any], *given: Any, **options: Any) -> Any:
        """Wait for what `gen` waits for. Raises OperationalError when that takes too long."""
        return super().wait(self._in_time(gen), *given, **options)

    def _in_time(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        end = time.monotonic() + _ANSWER_S
        try:
            awaited = next(gen)
            while True:
                ready = yield awaited  # nothing is ready several times a second
                if not ready and time.monotonic() > end:
                    self.close()
                    raise psycopg.OperationalError(f"no answer for {_ANSWER_S} s")
                awaited = gen.send(ready)
        except StopIteration as end_of_wait:
            return end_of_wait.value


class PostgresDatabase:
    """A connection to the database of `url`, whose tables without a schema are those of `schema`.

    Every method raises UnavailableError when the server is gone, ConfigError when the role may not do it, and StorageError. After
    an UnavailableError nothing more is tried.
    """

    members = "(SELECT json_array_elements_text(?::json))"

    def __init__(self, url: str, schema: str) -> None:
        self.name = ledger_name(url)
        self.schema = schema
        self._gone: UnavailableError | None = None
        self._answers: psycopg.Pipeline | None = None  # of the transaction that is open
        self._is_notified = False
        with self._translated_errors(), self._explained():
            self.connection = _Connection.connect(
                url,
                autocommit=True,
                **_KEEPALIVES,
                connect_timeout=_TIMEOUT_S,
                tcp_user_timeout=_TIMEOUT_S * 1000,
                application_name="contact-sync",
                client_encoding="utf8",
                target_session_attrs="read-write",
            )
            self.connection.execute("; ".join((*_SETTINGS, f'SET search_path = "{schema}"')).encode())
            self.connection.add_notify_handler(self._note)

    def close(self) -> None:
        """Close the connection, which ends the locks of contacts."""
        with suppress(psycopg.Error):
            self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        if self._gone:
            raise self._gone
        try:
            yield
        except psycopg.Error as error:
            self._raise(error)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise ConfigError for a connection that fails until an operator corrects something; leave other errors."""
        try:
            yield
        except psycopg.ProgrammingError as error:
            if error.sqlstate:  # of a statement
                raise
            unknown = re.search(r'invalid URI query parameter: "(.*)"', str(error))
            if unknown:
                raise ConfigError(
                    "--ledger has a parameter that PostgreSQL does not know ({name}): correct it.", name=unknown[1]
                ) from None
            raise ConfigError(  # the text of the error repeats the address
                "--ledger must be the address of a PostgreSQL database (contact-sync help operations): correct it."
            ) from None
        except psycopg.OperationalError as error:
            reason = _reason_of(error)
            for pattern, sentence in _TO_CORRECT:
                if re.search(pattern, reason):
                    raise ConfigError(sentence, name=self.name, reason=reason) from error
            raise

    def _raise(self, error: psycopg.Error) -> NoReturn:
        reason = _reason_of(error)
        if isinstance(error, _GONE) and not isinstance(error, psycopg.errors.DiskFull):
            self._gone = UnavailableError(
                "The ledger {name} is not available ({reason}): run again later.", name=self.name, reason=reason
            )
            raise self._gone from error
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            raise ConfigError(
                "The ledger {name} does not allow this role enough ({reason}): see contact-sync help operations.",
                name=self.name,
                reason=reason,
            ) from error
        raise StorageError("The ledger {name} cannot be used ({reason}).", name=self.name, reason=reason) from error

    @contextmanager
    def transaction(self) -> Iterator["_Cursor"]:
        """Write all that is written within, or nothing; within another transaction it is a part of that one."""
        with self._translated_errors():
            if self._answers:
                yield _Cursor(self.connection)
                return
            try:
                # What is not asked for is not waited for: a journey for each answer, not for each statement.
                with self.connection.pipeline() as self._answers:
                    self.connection.execute(b"BEGIN")
                    yield _Cursor(self.connection)
                    self.connection.execute(b"COMMIT")
            except BaseException:
                with suppress(psycopg.Error):
                    self.connection.rollback()
                raise
            finally:
                self._answers = None

    def lock(self, table: str) -> None:
        """Keep others from writing a table until the transaction ends; they can read it."""
        self.send(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")

    def send(self, statement: str, *values: object) -> Answer:
        """Execute a statement and return a function that returns its rows; within a transaction they are not waited for."""
        with self._translated_errors():
            cursor = self.connection.execute(translated(statement), values)

        def answer() -> list[tuple[Any, ...]]:
            with self._translated_errors():
                return cursor.fetchall()

        return answer

    def write(self, statement: str, *values: object) -> int:
        """Execute a statement and return the number of rows that it changed."""
        with self._translated_errors():
            cursor = self.connection.execute(translated(statement), values)
            if self._answers:
                self._answers.sync()
            return cursor.rowcount

    def _note(self, _notification: object) -> None:
        self._is_notified = True

    def take_notification(self) -> bool:
        """Return True when another connection has notified this one since the last call; nothing is asked or waited for."""
        with self._translated_errors():
            self.connection.pgconn.consume_input()
            while self.connection.pgconn.notifies():
                self._is_notified = True
        is_notified, self._is_notified = self._is_notified, False
        return is_notified

    def all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows that a query finds."""
        with self._translated_errors():
            return self.connection.execute(translated(query), values).fetchall()

    def each(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """Yield the rows that a query finds."""
        yield from self.all(query, *values)

    def number(self, query: str, *values: object) -> int:
        """Return the number that a query computes."""
        ((number,),) = self.all(query, *values)
        return int(number)


def _reason_of(error: psycopg.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class _Cursor:
    """A transaction of a connection (`store.Cursor`)."""

    def __init__(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        self._connection = connection

    def execute(self, statement: str, values: Sequence[object] = ()) -> None:
        """Execute a statement."""
        self._connection.execute(translated(statement), values)

    def executemany(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Execute a statement with the values of each row."""
        if rows := [*rows]:
            with self._connection.cursor() as cursor:
                cursor.executemany(translated(statement), rows)


@lru_cache(maxsize=256)
def translated(statement: str) -> bytes:
    """Return a statement with the placeholders of psycopg."""
    return statement.replace("%", "%%").replace("?", "%s").encode()
