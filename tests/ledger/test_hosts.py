"""Two hosts with one ledger: whose confirmation counts, whose contact is in flight, and what is kept in an outage."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest

from contact_sync.errors import BusyError, StorageError, UnavailableError
from contact_sync.ledger.digests import pack
from contact_sync.ledger.postgres import schema
from contact_sync.ledger.postgres.database import PostgresDatabase
from contact_sync.ledger.postgres.schema import COMMON
from contact_sync.ledger.sqlite import SqliteLedger
from contact_sync.model.pace import MAX_PAUSE_S
from contact_sync.model.row import Outcome, Pending, Result
from tests.ledger.rows import PRINTS, Engine, block, ended, in_place, row
from tests.postgres import Proxy, Server
from tests.setups import begin_run

OpenHost = Callable[[str], SqliteLedger]


@pytest.fixture
def host(tmp_path: Path, postgres: Server) -> OpenHost:
    """Return a function that opens the ledger of a host by its name, and begins a run."""
    engine = Engine(postgres.url())

    def open_host(name: str) -> SqliteLedger:
        ledger = engine(tmp_path / f"{name}.sqlite3")
        begin_run(ledger, f"run-{name}")
        return ledger

    return open_host


def claimed(ledger: SqliteLedger, contact_id: str = "C1", number: int = 2, **values: Any) -> Pending:
    """Stage and claim a row."""
    ledger.stage(block(row(number, contact_id, **values)))
    (taken,) = ledger.claim(number - 1)
    return taken


def send(ledger: SqliteLedger, taken: Pending) -> Pending:
    """Hold a row's contact, as for an attempt, and let it go."""
    held = ledger.hold(taken)
    assert isinstance(held, Pending)
    ledger.let_go(taken.contact_id)
    return held


def confirm(ledger: SqliteLedger, sent: Pending) -> None:
    """Record the yes of the API."""
    ledger.record(ended(sent))
    ledger.flush()


def test_claimed_first_and_sent_last(host: OpenHost) -> None:
    """A row that was claimed before another host has sent the same field withdraws it again: what was sent last counts."""
    with host("a") as one, host("b") as two:
        early = claimed(one, firstname="A")
        confirm(two, send(two, claimed(two, firstname="B")))
        assert in_place(one, "C1", firstname="B")
        late = send(one, early)
        assert not in_place(two, "C1", firstname="B")
        confirm(one, late)
        assert in_place(two, "C1", firstname="A")


def test_confirmation_that_comes_late(host: OpenHost) -> None:
    """What another host has withdrawn since is not confirmed; a field that it does not carry is."""
    with host("a") as one, host("b") as two:
        sent = send(one, claimed(one, firstname="A", lastname="Roux"))
        claimed(two, firstname="B")
        confirm(one, sent)
        assert not in_place(two, "C1", firstname="A")
        assert in_place(two, "C1", lastname="Roux")


def test_row_that_is_claimed_twice(host: OpenHost) -> None:
    """A row that was claimed once more, before its result was durable, is confirmed."""
    with host("a") as one:
        sent = send(one, claimed(one, firstname="A"))
        one.record(ended(sent))
        assert one.claim(1)
        one.flush()
        assert in_place(one, "C1", firstname="A")


def test_disjoint_fields(host: OpenHost) -> None:
    """Hosts that send different fields of a contact at once confirm both."""
    with host("a") as one, host("b") as two:
        first, second = claimed(one, firstname="A"), claimed(two, lastname="Roux")
        for ledger, taken in ((one, first), (two, second)):
            confirm(ledger, send(ledger, taken))
        assert in_place(one, "C1", firstname="A", lastname="Roux")


def test_contact_in_flight(host: OpenHost) -> None:
    """A contact that one host sends is not held by another, until it is let go, or its host has gone."""
    with host("a") as one, host("b") as two:
        first, second = claimed(one, firstname="A"), claimed(two, firstname="B")
        assert one.hold(first)
        assert two.hold(second) is None
        one.let_go("C1")
        one.record(ended(first, Outcome.FAILED))
        one.flush()
        assert two.hold(second)
        assert one.hold(first) is None
    with host("c") as three:
        assert three.hold(claimed(three, firstname="C"))


def test_contacts_held_ahead(host: OpenHost) -> None:
    """The contacts of coming rows are held, too, but by no host that waits: two cannot wait for each other for ever."""
    with host("a") as one, host("b") as two:
        first, second, third = (claimed(one, f"C{number}", number, firstname="A") for number in (2, 3, 4))
        here, there = (claimed(two, f"C{number}", number, firstname="A") for number in (3, 4))
        assert one.hold(first, [second])
        assert two.hold(here) is None
        assert two.hold(there)
        assert one.hold(third) is None
        held = two.hold(here)
        assert isinstance(held, Pending)
        confirm(two, held)
        assert in_place(one, "C3", firstname="A")


def lose(ledger: SqliteLedger, results: list[Pending]) -> None:
    """Lose the database before the yes of the API to these rows was recorded."""
    assert isinstance(ledger.shared, PostgresDatabase)
    ledger.shared.close()
    for sent in results:
        ledger.record(ended(sent))
    for _ in range(2):
        with pytest.raises(UnavailableError):
            ledger.flush()
    assert ledger.outcomes() == {"failed": len(results)}


def test_confirmed_while_the_database_was_gone(host: OpenHost) -> None:
    """What the API confirmed before a host could record it is recorded first by its next run; no row was called updated."""
    with host("a") as one:
        lose(one, [send(one, claimed(one, firstname="A"))])
    with host("b") as two:
        assert not in_place(two, "C1", firstname="A")
        with host("a"):
            assert in_place(two, "C1", firstname="A")


def test_confirmed_too_late(host: OpenHost) -> None:
    """Where another host has sent the field meanwhile, nothing is believed: nobody knows what came last."""
    with host("a") as one:
        lose(one, [send(one, claimed(one, firstname="A"))])
    with host("b") as two:
        confirm(two, send(two, claimed(two, firstname="B")))
        with host("a"):
            assert not in_place(two, "C1", firstname="A")
            assert not in_place(two, "C1", firstname="B")


def test_database_that_lost_something(host: OpenHost) -> None:
    """A database that does not know a withdrawal any more, as after a failover or a restore, is not believed, with a warning."""
    with host("a") as one:
        confirm(one, send(one, claimed(one, firstname="A")))
        assert isinstance(one.shared, PostgresDatabase)
        one.shared.write("UPDATE withdrawal SET number = number - 1")
    with host("b") as two:
        assert in_place(two, "C1", firstname="A")
        with host("a") as one:
            assert ["lost its last changes" in warning for warning in one.warnings] == [True]
            assert not in_place(two, "C1", firstname="A")
            confirm(one, send(one, claimed(one, firstname="A")))
    with host("a") as one:
        assert in_place(one, "C1", firstname="A")


def test_first_runs_at_once(tmp_path: Path, postgres: Server) -> None:
    """Hosts that find an empty database at the same moment all run: one makes the tables, the others see them."""
    engine = Engine(postgres.url())

    def open_and_close(name: str) -> None:
        with engine(tmp_path / f"{name}.sqlite3"):
            pass

    with psycopg.connect(postgres.url()) as other, ThreadPoolExecutor() as pool:
        other.execute("SELECT pg_advisory_xact_lock(hashtext('contact_sync.migration'))")
        opened = [pool.submit(open_and_close, name) for name in ("a", "b")]
        time.sleep(0.5)  # until both have seen no table, and wait
        other.commit()
        for each in opened:
            each.result()


def test_older_database(tmp_path: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database with the first tables is migrated, and what was confirmed there stays."""
    engine = Engine(postgres.url())
    with monkeypatch.context() as older, engine.database() as database:
        older.setattr(schema, "_OF_AN_ACCOUNT", schema._OF_AN_ACCOUNT[:1])
        schema.migrate(database)
        fields = pack(PRINTS.fields("C1", {"firstname": "A"}))
        database.write("INSERT INTO confirmed (contact_id, fields) VALUES ('C1', ?)", fields)
    with engine(tmp_path / "a.sqlite3") as ledger:
        begin_run(ledger, "run-a")
        assert in_place(ledger, "C1", firstname="A")
        confirm(ledger, send(ledger, claimed(ledger, firstname="B")))
        assert in_place(ledger, "C1", firstname="B")


def test_ledger_that_cannot_be_opened_is_closed(tmp_path: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that fails while it is opened leaves no connection behind, and the next one opens."""
    engine, fault = Engine(postgres.url()), StorageError("Because.")

    def fail(_confirmed: object) -> None:
        raise fault

    with monkeypatch.context() as broken, engine.database() as database:
        broken.setattr("contact_sync.ledger.postgres.confirmed.SharedConfirmed.record_kept", fail)
        broken.setattr(engine, "database", lambda: database)
        with pytest.raises(StorageError, match="Because"):
            engine(tmp_path / "a.sqlite3")
        assert database.connection.closed
    with engine(tmp_path / "a.sqlite3"):
        pass


def test_newer_database(host: OpenHost) -> None:
    """A database of a newer version is refused."""
    with host("a") as one:
        assert isinstance(one.shared, PostgresDatabase)
        one.shared.write(f"UPDATE {COMMON}.migration SET version = 99 WHERE schema = ?", one.shared.schema)
    with pytest.raises((StorageError, BusyError), match="newer contact-sync"):
        host("b")


def test_slots(host: OpenHost) -> None:
    """Slots of two hosts are apart; a pause of one moves those of the other; a lower pace of one is that of both for a while."""
    with host("a") as one, host("b") as two:
        assert one.slots
        assert two.slots
        first, second = one.slots.take(1.0, 3), two.slots.take(1.0, 1)
        assert [round(later - earlier, 3) for earlier, later in pairwise(first)] == [1.0, 1.0]
        assert 0.5 < second[0] - first[-1] <= 1.0
        one.slots.pause(30)
        time.sleep(0.1)  # until the server has notified the other host
        assert 29 < two.slots.pause_left() <= 30
        assert two.slots.pause_left() == 0.0  # as long as nothing new is known, nothing is asked
        assert 29 < two.slots.take(0.1, 1)[0] <= 30
        one.slots.slow(2.0)
        slow = two.slots.take(0.1, 2)
        assert round(slow[1] - slow[0], 3) == 2.0


@pytest.mark.parametrize("hour", ["slot", "held_until", "slow_until"])
def test_clock_that_was_set_back(host: OpenHost, hour: str) -> None:
    """A server's clock that steps back by an hour, also by a failover, makes no host wait until it has caught up."""
    with host("a") as one:
        assert one.slots
        assert isinstance(one.shared, PostgresDatabase)
        one.shared.write(f"UPDATE pace SET slow_gap = 9, {hour} = clock_timestamp() + interval '1 hour'")
        first, second, third = one.slots.take(0.2, 3)
        assert abs(first) < 0.1
        assert [round(second - first, 3), round(third - second, 3)] == [0.2, 0.2]
        assert one.slots.pause_left() == 0
        one.slots.slow(1.0)
        first, second = one.slots.take(0.2, 2)
        assert round(second - first, 3) == 1.0


def test_queue_of_many_hosts(host: OpenHost) -> None:
    """Slots of as many hosts as the server can have, and behind the longest pause, are believed: nobody starts before them."""
    with host("a") as one, host("b") as two:
        assert one.slots
        assert two.slots
        ((most,),) = one.shared.all("SELECT current_setting('max_connections')::int")
        one.slots.pause(MAX_PAUSE_S)
        for _other in range(most - 1):
            one.slots.take(0.2, 5)
        assert two.slots.take(0.2, 1)[0] > MAX_PAUSE_S - 1 + most - 1


def test_database_that_does_not_answer(tmp_path: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that leaves a statement without an answer, with the connection open, is gone after a while."""
    monkeypatch.setattr("contact_sync.ledger.postgres.database._ANSWER_S", 1)
    with closing(Proxy(postgres.port)) as proxy, Engine(postgres.url(port=proxy.port))(tmp_path / "a.sqlite3") as ledger:
        begin_run(ledger, "run-a")
        sent = send(ledger, claimed(ledger, firstname="A"))
        proxy.is_stalled = True
        ledger.record(ended(sent))
        with pytest.raises(UnavailableError, match="no answer for 1 s"):
            ledger.flush()
        with pytest.raises(UnavailableError):
            ledger.hold(sent)
        proxy.is_stalled = False


def test_forgotten_by_another_host(host: OpenHost) -> None:
    """A row that was staged before another host has forgotten its contact is not sent, and the contact stays forgotten."""
    with host("a") as one, host("b") as two:
        early = claimed(one, firstname="A")
        one.stage(block(row(3, "C2", firstname="A")))
        for contact_id in ("C1", "C2"):
            two.forget(contact_id, str)
        (late,) = one.claim(2)
        for taken in (early, late):
            held = one.hold(taken)
            assert isinstance(held, Result)
            assert (held.outcome, [each.code for each in held.violations]) == (Outcome.UNPROCESSED, ["forgotten"])
            one.let_go(taken.contact_id)
            one.record(held)
        one.flush()
        assert one.outcomes() == {"unprocessed": 2}
        assert two.forgotten(["C1", "C2"]) == {"C1", "C2"}
        begin_run(one, "run-c")  # which stages them although they are forgotten
        send(one, claimed(one, firstname="A"))
        assert two.forgotten(["C1", "C2"]) == {"C2"}


def test_attempt_of_which_nothing_is_known(host: OpenHost) -> None:
    """After an outage nothing is believed of a row that failed meanwhile and that another host has sent: either came last."""
    with host("a") as one, host("b") as two:
        sent = send(one, claimed(one, firstname="A"))
        assert isinstance(one.shared, PostgresDatabase)
        one.shared.close()
        one.record(ended(sent, Outcome.FAILED))
        with pytest.raises(UnavailableError):
            one.flush()
        confirm(two, send(two, claimed(two, firstname="B")))
        assert in_place(two, "C1", firstname="B")
        with host("a"):
            assert not in_place(two, "C1", firstname="B")


@pytest.mark.parametrize("setting", ["default_transaction_read_only = on", "idle_in_transaction_session_timeout = 1"])
def test_database_that_takes_nothing(host: OpenHost, setting: str) -> None:
    """A database that writes nothing any more is gone: what was confirmed is kept."""
    with host("a") as one:
        sent = send(one, claimed(one, firstname="A"))
        assert isinstance(one.shared, PostgresDatabase)
        one.shared.write(f"SET {setting}")
        one.record(ended(sent))
        with ExitStack() as stack:
            stack.enter_context(pytest.raises(UnavailableError))
            stack.enter_context(one.shared.transaction())
            one.shared.write("SELECT 1")  # it begins with the first answer that is waited for
            time.sleep(0.1)
            one.flush()
    with host("a") as one:
        assert in_place(one, "C1", firstname="A")
