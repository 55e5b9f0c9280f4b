"""A pull: each contact exactly once with its right values, whatever the API does where its pages are silent."""

import asyncio
import csv
import itertools
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from contact_sync.errors import AccessError, BusyError, ConfigError, ContactSyncError, Interrupted, StorageError, UnavailableError
from contact_sync.ledger.state_dir import open_ledger
from contact_sync.model.fields import FIELDS, ID
from contact_sync.model.plan import PullSummary
from contact_sync.model.row import Outcome
from contact_sync.rules.formula import unescape
from contact_sync.sandbox import server
from contact_sync.sandbox.assumptions import Assumptions
from contact_sync.sandbox.server import Sandbox
from contact_sync.sandbox.store import ContactStore
from contact_sync.settings import Settings
from contact_sync.sync import history
from contact_sync.sync.pull import pull
from contact_sync.sync.run import run
from tests.setups import file_size_limit

KEY = "0123456789abcdef0123456789abcdef01234567"
Serve = Callable[..., Sandbox]


class Progress:
    """A watcher that counts, and calls `then` after each page."""

    def __init__(self, then: Callable[[int], None] = lambda _: None) -> None:
        self.rows = 0
        self._then = then

    def loaded(self, rows: int) -> None:
        """Count the rows."""
        self.rows += rows
        self._then(self.rows)

    def paced(self, _pace: object) -> None:
        """Ignore the pace."""

    def sending(self, rows: int) -> None:
        """Ignore it."""

    def reading(self, rows: int) -> None:
        """Ignore it."""

    def sent(self, result: object) -> None:
        """Ignore it."""


class Desk:
    """A folder with a state folder, and the API that it pulls from."""

    def __init__(self, folder: Path, api: Sandbox) -> None:
        self.folder, self.api, self.output = folder, api, folder / "contacts.csv"
        self.progress = Progress()

    def settings(self, **options: Any) -> Settings:
        """Return the settings of a pull or a run."""
        given = {"base_url": self.api.base_url, "key": KEY, "state_dir": self.folder / "state", "rate": 0.0}
        given |= {"max_identity_changes": 100.0}  # a few contacts, of which any number may be edited
        return Settings.of(**given | options)

    def pull(self, *groups: str, **options: Any) -> PullSummary:
        """Pull into `output`."""
        return pull(self.settings(**options), self.output, groups, self.progress)

    def rows(self) -> list[dict[str, str]]:
        """Return the rows that were pulled."""
        with self.output.open(encoding="utf-8-sig", newline="") as file:
            return [{name: unescape(cell) for name, cell in row.items()} for row in csv.DictReader(file, delimiter=";")]

    def spools(self) -> list[Path]:
        """Return what unfinished pulls have left."""
        return list((self.folder / "state").glob("*.pull"))


@pytest.fixture
def desk(tmp_path: Path, sandbox: Serve) -> Desk:
    """Return a desk for an account of 250 contacts."""
    return Desk(tmp_path, sandbox(contacts=250, key=KEY))


READING = ("page_size", "total", "past_end", "order", "groups", "dates", "group_list")
"""Assumptions that are about reading."""


def assumptions() -> Iterator[Assumptions]:
    """Yield every combination of these."""
    hints = get_type_hints(Assumptions)
    for values in itertools.product(*(get_args(hints[name]) for name in READING)):
        yield Assumptions(**dict(zip(READING, values, strict=True)))


def test_assumptions_about_reading() -> None:
    """The other assumptions are about updates."""
    updates = {"omitted", "own_number", "phone_number", "not_clearing"}
    assert {each.name for each in fields(Assumptions)} == {*READING, *updates}


@pytest.mark.unmeasured
@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.soak)])
def test_each_contact_once_with_its_values(tmp_path: Path, sandbox: Serve, step: int) -> None:
    """Under every combination of assumptions each contact is pulled once, with its values and all its groups.

    Each fifth of the 192 combinations has every combination of any three assumptions.

    """
    contacts = 105
    for number, assumed in enumerate(itertools.islice(assumptions(), 0, None, step)):
        desk = Desk(tmp_path / str(number), sandbox(contacts=contacts, key=KEY, assumptions=assumed))
        desk.folder.mkdir()
        summary = desk.pull()
        store, names = desk.api.store, list(desk.api.store.groups.values())
        expected = {}
        for contact_id, contact in store.items():
            values = [contact["phone"], *(contact[field] for field in FIELDS[1:])]
            own = names.index(store.groups[contact["groupId"]])
            is_shared = assumed.groups == "two" and int(contact_id[1:]) % 10 == 1
            groups = sorted([own, (own + 1) % len(names)] if is_shared else [own])
            expected[contact_id] = [*values, ", ".join(names[each] for each in groups), "STOP" if contact["stopSms"] else ""]
        rows = desk.rows()
        assert len(rows) == len({row[ID] for row in rows}) == contacts, assumed
        found = {row[ID]: [row[name] for name in (*FIELDS, "sync_group", "sync_stop")] for row in rows}
        assert found == expected, assumed
        assert (summary.contacts, summary.groups, summary.missing, summary.exit_code) == (contacts, 5, 0, 0), assumed
        assert desk.spools() == []


def test_pulled_file_can_be_run(desk: Desk) -> None:
    """A pulled file that nobody touched changes nothing, and of an edited one the edited cells are sent."""
    desk.pull()
    os.utime(desk.output, (0, 0))
    report = desk.folder / "r.csv"
    source = desk.settings(source=desk.output, report=report)
    assert run(source, desk.progress).outcomes == {Outcome.UNCHANGED: 250}
    text = desk.output.read_text(encoding="utf-8-sig")
    desk.output.write_text(text.replace(";Lefèvre;", ";Lefebvre;", 1), encoding="utf-8")
    os.utime(desk.output, (0, 0))
    assert run(source, desk.progress).outcomes == {Outcome.UPDATED: 1, Outcome.UNCHANGED: 249}
    assert [call.contact for call in desk.api.calls] == [{"lastname": "Lefebvre"}]


def test_requests(desk: Desk) -> None:
    """A pull takes two requests for the account, one for each page, and one more to see the end of each group."""
    assert desk.pull().requests == 2 + 5 * (3 + 1)
    assert desk.progress.rows == 250


@pytest.mark.parametrize(("total", "most"), [("group", 3), ("page", 1)])
def test_pages_are_read_ahead(tmp_path: Path, sandbox: Serve, monkeypatch: pytest.MonkeyPatch, total: str, most: int) -> None:
    """Where the total promises further pages, several are in flight, so that a slow API does not slow the pace."""
    original, flying, seen = Sandbox._respond, list[Any](), [0]

    async def respond(served: Sandbox, request: Any) -> Any:
        flying.append(request)
        seen.append(len(flying))
        await asyncio.sleep(0.02)
        flying.remove(request)
        return await original(served, request)

    monkeypatch.setattr(Sandbox, "_respond", respond)
    assumed = Assumptions(total=total)  # type: ignore[arg-type] # a parameter
    desk = Desk(tmp_path, sandbox(contacts=500, key=KEY, assumptions=assumed))
    summary = desk.pull(workers=3)
    assert (max(seen), summary.requests, summary.contacts) == (most, 2 + 5 * (5 + 1), 500)


@pytest.mark.parametrize("group", ["Adhérents", "adhérents ", "Adhe\u0301rents", "6363"])
def test_one_group(desk: Desk, group: str) -> None:
    """A group is chosen by its name, in any spelling of its letters, or its id."""
    assert desk.pull(group).contacts == 50
    assert {row["sync_group"] for row in desk.rows()} == {"Adhérents"}


def test_unknown_group(desk: Desk) -> None:
    """An unknown group is refused with those there are."""
    with pytest.raises(ConfigError, match="There is no group “Amis”: choose one of Clients, Prospects"):
        desk.pull("Clients", "Amis")
    assert not desk.output.exists()


def test_refused_key(desk: Desk) -> None:
    """A key that the API refuses ends the pull, and no file is written."""
    desk.api.key = "another"
    with pytest.raises(AccessError):
        desk.pull()
    assert not desk.output.exists()


def test_missing_contacts(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the pages show fewer contacts than the API counts, the file is written and the difference counted."""
    original = ContactStore.page

    def page(store: Any, group: str, number: int) -> Any:
        found, total = original(store, group, number) or ([], 0)
        return found, total + 2 * (group == "6361")

    monkeypatch.setattr(ContactStore, "page", page)
    summary = desk.pull()
    assert (summary.contacts, summary.missing, summary.exit_code) == (250, 2, 3)
    assert len(desk.rows()) == 250


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_pull_goes_on(desk: Desk, signum: signal.Signals) -> None:
    """A signal ends the pull without a file; the next one goes on at its page."""
    desk.progress = Progress(lambda rows: os.kill(os.getpid(), signum) if rows >= 120 else None)
    with pytest.raises(Interrupted) as interrupted:
        desk.pull(workers=1)
    assert interrupted.value.exit_code == 128 + signum
    assert not desk.output.exists()
    assert list(desk.folder.iterdir()) == [desk.folder / "state"]
    desk.progress = Progress()
    summary = desk.pull()
    assert (summary.contacts, summary.missing, desk.progress.rows) == (250, 0, 250)
    assert summary.requests <= 2 + 5 * 4 - 8
    assert {row[ID] for row in desk.rows()} == set(desk.api.store)
    assert desk.spools() == []


def interrupt(desk: Desk) -> None:
    """Pull a part of the contacts."""
    desk.progress = Progress(lambda _: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted):
        desk.pull()
    desk.progress = Progress()
    assert len(desk.spools()) == 1


def test_pull_of_other_groups_begins_anew(desk: Desk) -> None:
    """What was read of other groups is not used."""
    interrupt(desk)
    desk.pull("6362")
    members = {contact_id for contact_id, contact in desk.api.store.items() if contact["groupId"] == 6362}
    assert {row[ID] for row in desk.rows()} == members


@pytest.mark.parametrize("damage", [b"garbage", b"\xff\xfe\n", b"null\n", b"[]\n"])
def test_damaged_spool(desk: Desk, damage: bytes) -> None:
    """What an unfinished pull has left is read again where it is damaged."""
    interrupt(desk)
    (spool,) = desk.spools()
    spool.write_bytes(spool.read_bytes()[:1000] + damage)
    assert desk.pull().contacts == 250
    assert {row[ID] for row in desk.rows()} == set(desk.api.store)


@pytest.mark.parametrize("size", [1, 100, 2000, 20_000])
@pytest.mark.parametrize("name", ["contacts.csv", "contacts.xlsx"])
def test_full_disk(desk: Desk, name: str, size: int) -> None:
    """A full disk ends the pull with its reason, whatever was about to be written, and keeps the earlier file."""
    desk.output = desk.folder / name
    desk.output.write_bytes(b"earlier")
    with pytest.raises(StorageError, match=r"too large|No space"), file_size_limit(size):
        desk.pull()
    assert desk.output.read_bytes() == b"earlier"
    desk.pull()
    assert desk.spools() == []


@pytest.mark.parametrize("missing", ["groups", "contacts"])
def test_api_that_shows_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """An API that shows no group or no contact leaves the earlier file as it is, and the next pull asks again."""
    desk.pull()
    earlier = desk.output.read_bytes()
    with monkeypatch.context() as patched:
        if missing == "groups":
            patched.setattr(desk.api.store, "groups", {})
        else:
            patched.setattr(ContactStore, "page", lambda *_: ([], 0))
        with pytest.raises(UnavailableError, match="shows no contact"):
            desk.pull()
    assert desk.output.read_bytes() == earlier
    assert desk.pull().contacts == 250


def test_forget_deletes_unfinished_pulls(desk: Desk) -> None:
    """What an unfinished pull has left is deleted when a contact is to be forgotten."""
    interrupt(desk)
    with open_ledger(desk.settings().account):
        pass
    assert len(desk.spools()) == 1
    history.forget(desk.settings(), "C000001")
    assert desk.spools() == []


def test_one_pull_at_a_time(desk: Desk) -> None:
    """A second pull with the same key is refused while the first is in progress."""
    errors: list[ContactSyncError] = []

    def pull_again(_rows: int) -> None:
        try:
            pull(desk.settings(), desk.folder / "other.csv", [], Progress())
        except BusyError as error:
            errors.append(error)

    desk.progress = Progress(pull_again)
    assert desk.pull("6361").contacts == 50
    assert len(errors) > 0


@pytest.mark.parametrize("fault", ["unreachable", "broken"])
def test_api_that_is_down(desk: Desk, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """An API that is down, or breaks down, is probed for a while; then the pull ends, and what was read is kept."""
    monkeypatch.setattr("contact_sync.sync.breaker.PROBE_TIMEOUT_S", 0.2)
    monkeypatch.setattr("contact_sync.sync.delivery.PROBE_INTERVAL_S", 0.05)
    if fault == "broken":
        monkeypatch.setattr(ContactStore, "page", lambda *_: 1 / 0)
    else:
        desk.api.base_url = "http://127.0.0.1:9/v1"
    with pytest.raises(UnavailableError):
        desk.pull(attempts=2)
    assert not desk.output.exists()
    assert len(desk.spools()) == 1


def test_api_that_recovers(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API that is down for a moment costs no page."""
    monkeypatch.setattr("contact_sync.sync.delivery.PROBE_INTERVAL_S", 0.05)
    original, failures = ContactStore.page, iter(range(12))

    def page(store: Any, group: str, number: int) -> Any:
        if number == 2 and next(failures, None) is not None:
            raise OSError
        return original(store, group, number)

    monkeypatch.setattr(ContactStore, "page", page)
    summary = desk.pull(attempts=2)
    assert (summary.contacts, summary.missing) == (250, 0)


def test_refused_page(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that the API refuses for another reason than its number ends the pull."""
    monkeypatch.setitem(server._READS, "GET /v1/contact/list", lambda *_: server._error(1))
    with pytest.raises(UnavailableError, match="refused to show its contacts"):
        desk.pull()


def test_rehearsal(tmp_path: Path) -> None:
    """A rehearsal pulls made-up contacts without a network, and leaves nothing but the key of the tokens."""
    settings = Settings.of(sandbox=True, rate=0.0, key="sandbox", state_dir=tmp_path / "state")
    summary = pull(settings, tmp_path / "c.csv", ["Clients"], Progress())
    assert (summary.contacts, summary.exit_code) == (800, 0)
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["digest.key"]
    os.utime(tmp_path / "c.csv", (0, 0))
    rehearsal = Settings.of(
        sandbox=True, rate=0.0, key="sandbox", state_dir=tmp_path / "state", source=tmp_path / "c.csv", report=tmp_path / "r.csv"
    )
    assert run(rehearsal, Progress()).outcomes == {Outcome.UNCHANGED: 800}
