"""The program with a ledger in PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import Mock

import psycopg
import pytest

from contact_sync.errors import StorageError
from contact_sync.sandbox.server import Sandbox
from tests.postgres import Server

from .program import Main, write

Served = tuple[Sandbox, list[str]]
ALL = ["--rate", "0", "-q"]


Host = Callable[[str], list[str]]


@pytest.fixture
def host(postgres: Server, database: str, served: Served) -> Host:
    """Return a function that gives the options of a host, each with a state folder of its own."""
    _, options = served
    return lambda name: [*options[:2], "--ledger", postgres.url(database), "--state-dir", name]


def test_hosts_know_what_each_has_sent(main: Main, served: Served, host: Host) -> None:
    """What one host has sent, another host does not send again; both are in one history."""
    sandbox, _ = served
    file = write("C000001;Zoé", "C000002;Léa")
    assert main("run", file, *host("a"), *ALL) == 0
    assert main("run", file, *host("b"), *ALL) == 0
    assert len(sandbox.calls) == 2
    assert main("run", write("C000001;Zoé", "C000002;Eva", name="other.csv"), *host("b"), *ALL) == 0
    assert [call.contact_id for call in sandbox.calls] == ["C000001", "C000002", "C000002"]
    main.read()
    assert main("history", *host("a"), "--contact", "C000002") == 0
    assert "other.csv" in main.read().out
    assert main("run", file, *host("a"), *ALL) in {0, 3}


def test_password_in_the_address(main: Main, served: Served) -> None:
    """An address with a password is refused, and repeated nowhere; so is one of another kind."""
    _, options = served
    file = write("C000001;Zoé")
    for url in (
        "postgresql://me:very-secret@127.0.0.1/x",
        "postgresql://127.0.0.1/x?password=very-secret",
        "mysql://very-secret",
    ):
        assert main("run", file, *options, "--ledger", url) == 2
        assert "very-secret" not in "".join(main.read())


def test_database_that_is_gone(main: Main, served: Served, postgres: Server) -> None:
    """Without the database nothing is sent, and the exit code is 6."""
    sandbox, options = served
    file = write("C000001;Zoé")
    assert main("run", file, *options, "--ledger", "postgresql://127.0.0.1:1/x") == 6
    assert "The ledger postgresql://127.0.0.1:1/x is not available" in main.read().err
    assert sandbox.requests == 0
    assert list(Path().glob("*.results.csv")) == []


REFUSALS = {
    "wrong password": ("closed", "", "refuses the password"),
    "no such database": ("owner", "_absent", "correct the database in --ledger"),
    "no such role": ("absent", "", "correct the role in --ledger"),
    "role that may not log in": ("nologin", "", "correct the role in --ledger"),
    "role that pg_hba.conf refuses": ("rejected", "", "pg_hba.conf"),
    "misspelt parameter": ("owner", "?sslmod=require", "PostgreSQL does not know (sslmod)"),
    "wrong value of a parameter": ("owner", "?sslmode=requires", "correct the parameters"),
    "server without SSL": ("owner", "?sslmode=require", "correct the parameters"),
    "half a bracket": ("owner", "?host=%", "must be the address"),
}


@pytest.fixture(scope="module")
def strict(postgres: Server) -> Iterator[Server]:
    """Return a server with roles that it does not admit."""
    roles = ("closed LOGIN PASSWORD 'right'", "nologin NOLOGIN", "rejected LOGIN")
    with psycopg.connect(postgres.url(), autocommit=True) as admin, postgres.admitting("closed scram-sha-256", "rejected reject"):
        for role in roles:
            admin.execute(f"CREATE ROLE {role}".encode())
        yield postgres
        for role in roles:
            admin.execute(f"DROP ROLE {role.split()[0]}".encode())


@pytest.mark.parametrize("kind", REFUSALS)
def test_connection_that_is_refused(
    main: Main, served: Served, strict: Server, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an operator has to correct is exit code 2, in one sentence that names it and never the password."""
    sandbox, options = served
    role, rest, words = REFUSALS[kind]
    monkeypatch.setenv("PGPASSWORD", "wrong-and-secret")
    assert main("run", write("C000001;Zoé"), *options, "--ledger", strict.url(user=role) + rest) == 2
    printed = main.read()
    assert words in printed.err
    assert "wrong-and-secret" not in "".join(printed)
    assert sandbox.requests == 0


@pytest.mark.parametrize("refusal", ["too many connections", "unknown host"])
def test_server_that_may_come_back(main: Main, served: Served, strict: Server, refusal: str) -> None:
    """A server that takes no more connections, or whose name is not resolved, may do so later: exit code 6, and it is named."""
    _, options = served
    url = "postgresql://db.invalid/x" if refusal == "unknown host" else strict.url(user="busy")
    with psycopg.connect(strict.url(), autocommit=True) as admin:
        admin.execute("CREATE ROLE busy LOGIN CONNECTION LIMIT 0")
        assert main("run", write("C000001;Zoé"), *options, "--ledger", url) == 6
        admin.execute("DROP ROLE busy")
    assert ("failed to resolve host 'db.invalid'" if refusal == "unknown host" else "too many connections") in main.read().err


def test_move_and_back(main: Main, served: Served, host: Host, postgres: Server, database: str) -> None:
    """A ledger moves to a database and back with all that it knows; what is left behind is not used any more."""
    sandbox, options = served
    file = write("C000001;Zoé", "C000002;Léa")
    assert main("run", file, *options, *ALL) == 0
    assert main("forget", "C000002", *options) == 0
    main.read()
    url = postgres.url(database)
    assert main("ledger", "move", *options, "--to", url, "--json") == 0
    assert main.read_json()["contacts"] == 1
    there = [*options, "--ledger", url]
    assert main("ledger", "move", *options, "--to", url) == 2
    assert main("run", file, *there, *ALL) == 0
    assert len(sandbox.calls) == 2
    assert list(Path("state").glob("*.moved")) != []
    assert main("history", *there, "--contact", "C000001") == 0
    assert main("ledger", "move", *there, "--to", "sqlite") == 0
    assert main("run", file, *options, *ALL) == 0
    assert len(sandbox.calls) == 2
    main.read()
    assert main("history", *options, "--json") == 0
    assert len(main.read_json()) == 3
    assert main("ledger", "move", *there, "--to", "sqlite") == 2


def test_move_to_a_database_in_use(main: Main, served: Served, host: Host, postgres: Server, database: str) -> None:
    """A database that has ledgers takes no others, and nothing is changed."""
    sandbox, options = served
    file = write("C000001;Zoé")
    assert main("run", file, *host("a"), *ALL) == 0
    assert main("run", file, *options, *ALL) == 0
    assert main("ledger", "move", *options, "--to", postgres.url(database)) == 2
    assert main("run", file, *options, *ALL) == 0
    assert len(sandbox.calls) == 2


def test_key_in_a_file(main: Main, served: Served, host: Host, postgres: Server, database: str) -> None:
    """With ledger.key in the state folders the database does not get the key; a host without it, or with another, is refused."""
    file = write("C000001;Zoé")
    for name, key in (("a", b"1" * 32), ("c", b"2" * 32)):
        Path(name).mkdir(mode=0o700)
        (Path(name) / "ledger.key").write_bytes(key)
        (Path(name) / "ledger.key").chmod(0o600)
    assert main("run", file, *host("a"), *ALL) == 0
    with psycopg.connect(postgres.url(database)) as db:
        assert db.execute("SELECT digest_key FROM contact_sync.installation").fetchall() == [(None,)]
    for name, words in (("b", "is not in the database: copy"), ("c", "is not the key that the ledger")):
        assert main("run", file, *host(name), *ALL) == 2
        assert words in main.read().err


def test_role_that_only_runs(main: Main, served: Served, host: Host, postgres: Server, database: str) -> None:
    """A role with the documented privileges runs, and may not change the schema; without them the exit code is 2."""
    _, options = served
    runner = f"runner_{database}"
    with psycopg.connect(postgres.url(database), autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {runner} LOGIN".encode())
    there = [*options, "--ledger", postgres.url(database, user=runner)]
    file = write("C000001;Zoé")
    assert main("run", file, *there, *ALL) == 2
    assert "does not allow this role enough" in main.read().err
    pages = Path(__file__).parents[2] / "contact_sync/docs/operations.md"
    grants = [line for line in pages.read_text(encoding="utf-8").splitlines() if line.startswith("ALTER DEFAULT PRIVILEGES")]
    assert len(grants) == 2
    with psycopg.connect(postgres.url(database), autocommit=True) as admin:
        for grant in grants:
            admin.execute(grant.replace("contacts_owner", "owner").replace("contacts_run", runner).encode())
    assert main("run", file, *host("a"), *ALL) == 0
    assert main("run", file, *there, *ALL) == 0
    with psycopg.connect(postgres.url(database), autocommit=True) as admin:
        admin.execute(f"DROP OWNED BY {runner}".encode())
        admin.execute(f"ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM {runner}".encode())
        admin.execute(f"ALTER DEFAULT PRIVILEGES REVOKE ALL ON SCHEMAS FROM {runner}".encode())
        admin.execute(f"DROP ROLE {runner}".encode())


def test_commands_that_read(main: Main, served: Served, host: Host) -> None:
    """The commands that read use the shared ledger, also on a host that has not run yet; without the database they say so."""
    file = write("C000001;Zoé")
    assert main("run", file, *host("a"), *ALL) == 0
    main.read()
    assert main("history", *host("b"), "--json") == 0
    assert [run["source"].endswith("contacts.csv") for run in main.read_json()] == [True]
    assert main("doctor", *host("b")) == 0
    assert "contacts.csv: last successful run" in main.read().out
    assert main("report", *host("a")) == 0
    assert main("retry", *host("a")) == 0
    gone = [*host("a"), "--ledger", "postgresql://127.0.0.1:1/x"]
    assert main("doctor", *gone) == 2
    assert "is not available" in main.read().out
    assert main("history", *gone) == 6


def test_commands_that_read_an_empty_database(main: Main, served: Served, host: Host, postgres: Server, database: str) -> None:
    """The commands that read create nothing in an empty database, and say that there is no ledger yet, as without a database."""
    for command in (["history"], ["retry"], ["report"], ["forget", "C000001"]):
        assert main(*command, *host("a")) == 2
        assert f"There is no ledger in postgresql://127.0.0.1:{postgres.port}/{database}: run a file first" in main.read().err
    assert main("doctor", *host("a")) == 0
    assert "There is no ledger yet: the first run will send every row." in main.read().out
    with psycopg.connect(postgres.url(database)) as db:
        assert db.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'contact%'").fetchall() == []


def test_retry_of_forgotten_contacts(main: Main, served: Served, host: Host) -> None:
    """A retry sends what its run was allowed to send, and no contact that was forgotten since."""
    sandbox, _ = served
    file = write("C000001;Zoé", "C000002;Léa", "C000003;Eva", "C000004;Ida")
    for contact in ("C000002", "C000003"):
        assert main("run", write(f"{contact};Zoé", name="first.csv"), *host("a"), *ALL) == 0
        assert main("forget", contact, *host("a")) == 0
    sandbox.calls.clear()
    assert main("run", file, *host("a"), *ALL, "--allow-forgotten", "--limit", "1") == 0
    assert main("forget", "C000004", *host("b")) == 0
    main.read()
    assert main("retry", *host("a"), "--rate", "0", "--json") == 0
    assert main.read_json()["outcomes"] == {"updated": 3, "unprocessed": 1}
    assert [call.contact_id for call in sandbox.calls] == ["C000001", "C000002", "C000003"]


def test_password_is_in_no_output(main: Main, served: Served, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password from the environment is in no message, log or file."""
    monkeypatch.setenv("PGPASSWORD", "very-secret-word")
    file = write("C000001;Zoé")
    assert main("run", file, *host("a"), "--rate", "0", "-v", "--log-file", "log.txt") == 0
    assert main("run", file, *host("a"), "--ledger", "postgresql://127.0.0.1:1/x", "-v", "--log-file", "log.txt") == 6
    assert "very-secret-word" not in "".join(main.read())
    files = [path for path in Path().rglob("*") if path.is_file()]
    assert [path for path in files if b"very-secret-word" in path.read_bytes()] == []


def test_move_that_was_cut_off(
    main: Main, served: Served, postgres: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A move that ended before the old ledger was put aside, or before all was copied, is completed by another one."""
    sandbox, options = served
    file = write("C000001;Zoé", "C000002;Léa")
    assert main("run", file, *options, *ALL) == 0
    url = postgres.url(database)
    for place in ("contact_sync.ledger.sqlite.records.Records.add", "contact_sync.ledger.folder.StateFolder.put_aside"):
        with monkeypatch.context() as patch:
            patch.setattr(place, Mock(side_effect=StorageError("cut off")))
            assert main("ledger", "move", *options, "--to", url) == 7
    assert main("ledger", "move", *options, "--to", url) == 0
    assert main("run", file, *options, "--ledger", url, *ALL) == 0
    assert len(sandbox.calls) == 2


def test_move_to_a_copy_that_is_older(
    main: Main, served: Served, postgres: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A move that was cut off is not completed when the old ledger was used since: what was copied is out of date."""
    _, options = served
    assert main("run", write("C000001;Zoé"), *options, *ALL) == 0
    with monkeypatch.context() as patch:
        patch.setattr("contact_sync.ledger.folder.StateFolder.put_aside", Mock(side_effect=StorageError("cut off")))
        assert main("ledger", "move", *options, "--to", postgres.url(database)) == 7
    assert main("run", write("C000001;Léa"), *options, *ALL) == 0
    assert main("ledger", "move", *options, "--to", postgres.url(database)) == 2


def test_move_while_another_host_runs(main: Main, host: Host, postgres: Server, database: str) -> None:
    """A ledger that another host uses is not moved, and one that is being moved is not used."""
    file = write("C000001;Zoé")
    assert main("run", file, *host("a"), *ALL) == 0
    with psycopg.connect(postgres.url(database), autocommit=True) as other:
        ((schema,),) = other.execute("SELECT schema FROM contact_sync.migration WHERE schema <> 'contact_sync'").fetchall()
        other.execute("SELECT pg_advisory_lock_shared(hashtextextended(%s, 0))", [schema])
        assert main("run", file, *host("b"), *ALL) == 0
        assert main("ledger", "move", *host("b"), "--to", "sqlite") == 75
        assert "used or moved by another host" in main.read().err
        other.execute("SELECT pg_advisory_unlock_all()")
        other.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [schema])
        assert main("run", file, *host("b"), *ALL) == 75
        assert main("history", *host("b")) == 0
    assert main("ledger", "move", *host("b"), "--to", "sqlite") == 0
