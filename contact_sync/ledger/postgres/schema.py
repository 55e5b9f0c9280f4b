"""The tables of a PostgreSQL ledger, and their migrations.

A schema `contact_sync` has what all accounts share, a schema `contact_sync_NAME` the ledger of one account. The table
`contact_sync.migration` has the version of each.
"""

import secrets
from contextlib import suppress

from contact_sync.errors import ConfigError, StorageError
from contact_sync.ledger.postgres.database import PostgresDatabase

COMMON = "contact_sync"

_COMMON = (
    (
        "CREATE TABLE installation (id text NOT NULL, digest_key bytea, proof bytea NOT NULL)",
        "CREATE TABLE accounts (document text NOT NULL)",
        "INSERT INTO accounts VALUES ('{}')",
    ),
)
"""`digest_key` is null where the hosts hold the key in a file; `proof` is a digest that shows if it is the same."""

_OF_AN_ACCOUNT = (
    (
        """CREATE TABLE confirmed (
            contact_id text COLLATE "C" PRIMARY KEY, row bytea, fields bytea NOT NULL DEFAULT '',
            moments bytea NOT NULL DEFAULT '', claims bytea NOT NULL DEFAULT ''
        )""",
        """CREATE TABLE in_place (
            digest bytea PRIMARY KEY, as_of bigint NOT NULL, contacts integer NOT NULL, fields text NOT NULL, ids bytea NOT NULL
        )""",
        "CREATE TABLE forgotten (digest bytea PRIMARY KEY)",
        "CREATE TABLE answer (question text PRIMARY KEY, answer text NOT NULL, at text NOT NULL, how text NOT NULL)",
        "CREATE TABLE successor (token text PRIMARY KEY, contact_id text NOT NULL, base text NOT NULL, at text NOT NULL)",
        "CREATE INDEX successor_of_contact ON successor (contact_id)",
        """CREATE TABLE before_image (
            contact_id text COLLATE "C" NOT NULL, run text NOT NULL, fields text NOT NULL, written text NOT NULL,
            at text NOT NULL, PRIMARY KEY (contact_id, run)
        )""",
        """CREATE TABLE run (
            id text COLLATE "C" PRIMARY KEY, host text NOT NULL, source text NOT NULL, place text NOT NULL,
            started text COLLATE "C" NOT NULL, as_of bigint NOT NULL, finished text, exit_code integer,
            outcomes text NOT NULL DEFAULT '{}', requests integer NOT NULL DEFAULT 0, retries integer NOT NULL DEFAULT 0,
            seconds double precision NOT NULL DEFAULT 0, reason text NOT NULL DEFAULT ''
        )""",
        """CREATE TABLE history (
            run text NOT NULL, contact_id text NOT NULL, number integer NOT NULL, outcome text NOT NULL, code text NOT NULL,
            fields text NOT NULL, sent text NOT NULL, at text NOT NULL, PRIMARY KEY (run, number)
        )""",
        "CREATE INDEX history_of_contact ON history (contact_id)",
        """CREATE TABLE pace (
            slot timestamptz NOT NULL, held_until timestamptz NOT NULL, slow_gap double precision NOT NULL,
            slow_until timestamptz NOT NULL
        )""",
        "CREATE TABLE withdrawal (number bigint NOT NULL)",
        "INSERT INTO pace VALUES ('epoch', 'epoch', 0, 'epoch')",
    ),
    (
        "DROP FUNCTION IF EXISTS hold(bigint[], bigint, text)",
        "DROP TABLE withdrawal",
        "CREATE TABLE withdrawal (host text PRIMARY KEY, number bigint NOT NULL)",
        "CREATE TABLE origin (place text NOT NULL)",
        "INSERT INTO origin VALUES ('')",
        # Each statement of a function sees what was committed before it: the claims are those under the lock.
        """CREATE FUNCTION hold(released bigint[], keys bigint[], contacts text[])
            RETURNS TABLE (contact text, fields bytea, claims bytea) LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM pg_advisory_unlock(each) FROM unnest(released) AS each;
                FOR place IN 1 .. cardinality(keys) LOOP
                    IF pg_try_advisory_lock(keys[place]) THEN
                        contact := contacts[place];
                        SELECT confirmed.fields, confirmed.claims INTO fields, claims FROM confirmed WHERE contact_id = contact;
                        RETURN NEXT;
                    ELSIF place = 1 THEN
                        RETURN;
                    END IF;
                END LOOP;
            END $$""",
    ),
)
"""`claims` has, by field, who has withdrawn it last: only that host may confirm it. `pace` has one row,
`withdrawal` the number of withdrawals of each host, `origin` one row: where the tables were when they were used last."""

_ORIGIN = (
    "SELECT concat_ws('/', 'confirmed'::regclass::oid, (SELECT oid FROM pg_database WHERE datname = current_database()))",
    "SELECT system_identifier FROM pg_control_system()",
    "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)",  # the timeline
)


def schema_of(account: str) -> str:
    """Return the schema of an account."""
    return f"{COMMON}_{account}"


def origin_of(database: PostgresDatabase) -> str:
    """Return where the tables of an account are: it changes when they are restored or recovered, and by a failover.

    What a server does not say is left out.
    """
    found = []
    for query in _ORIGIN:
        with suppress(ConfigError, StorageError):
            found += [str(part) for (part,) in database.all(query)]
    return "/".join(found)


def is_installed(database: PostgresDatabase) -> bool:
    """Return True when the common schema is there, with an installation."""
    return _has_table(database, "installation") and bool(database.number("SELECT count(*) FROM installation"))


def ledgers(database: PostgresDatabase) -> set[str]:
    """Return the accounts that have a ledger in the database."""
    if not _has_table(database, "migration"):
        return set()
    found = database.all(f"SELECT schema FROM {COMMON}.migration WHERE schema <> ?", COMMON)  # noqa: S608 - a fixed name
    return {schema.removeprefix(f"{COMMON}_") for (schema,) in found}


def put_aside(database: PostgresDatabase, account: str) -> None:
    """Rename the schema of an account, so that nothing uses it any more."""
    schema = schema_of(account)
    with database.transaction() as db:
        db.execute(f"DELETE FROM {COMMON}.migration WHERE schema = ?", (schema,))  # noqa: S608 - a fixed name
        db.execute(f"ALTER SCHEMA {schema} RENAME TO {schema}_moved_{secrets.token_hex(4)}")


def migrate(database: PostgresDatabase) -> None:
    """Create or migrate the tables of the schema of a connection. Raises StorageError when they are newer."""
    schema = database.schema
    migrations = _COMMON if schema == COMMON else _OF_AN_ACCOUNT
    if _version(database) == len(migrations):
        return
    with database.transaction() as db:
        db.execute("SELECT pg_advisory_xact_lock(hashtext('contact_sync.migration'))")
        version = _version(database)
        if version > len(migrations):
            name = database.name
            raise StorageError("The ledger {name} was written by a newer contact-sync: install that version.", name=name)
        if version == 0:
            db.execute(f"CREATE SCHEMA IF NOT EXISTS {COMMON}")
            db.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            db.execute(f"CREATE TABLE IF NOT EXISTS {COMMON}.migration (schema text PRIMARY KEY, version integer NOT NULL)")
        for statements in migrations[version:]:
            for statement in statements:
                db.execute(statement)
        db.execute(
            f"INSERT INTO {COMMON}.migration VALUES (?, ?) ON CONFLICT (schema) DO UPDATE SET version = excluded.version",  # noqa: S608
            (schema, len(migrations)),
        )


def _version(database: PostgresDatabase) -> int:
    if not _has_table(database, "migration"):
        return 0
    query = f"SELECT coalesce(max(version), 0) FROM {COMMON}.migration WHERE schema = ?"  # noqa: S608 - a fixed name
    return database.number(query, database.schema)


def _has_table(database: PostgresDatabase, name: str) -> bool:
    # Not to_regclass, which may not see what was committed while a lock was waited for.
    query = "SELECT count(*) FROM pg_tables WHERE schemaname = ? AND tablename = ?"
    return bool(database.number(query, COMMON, name))
