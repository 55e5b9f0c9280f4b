"""The checks of `doctor`: key, API, clock, state folder, last run, cron's environment; each finding is ok, or says what to do."""

import asyncio
import datetime as dt
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from contact_sync.api.client import Client
from contact_sync.api.smspartner.me import Account, Me
from contact_sync.errors import ConfigError, ContactSyncError, Transient
from contact_sync.i18n import _
from contact_sync.ledger.state_dir import accounts, is_locked, open_existing_ledger
from contact_sync.settings import AccountSettings, Settings

_API_TIMEOUT_S = 15.0
_MAX_CLOCK_SKEW_S = 60
_MIN_FREE_BYTES = 100 << 20
_MAX_AGE = dt.timedelta(hours=26)  # age of the last successful run: a day, and the length of a run
_CRON_PATH = "/usr/bin:/bin"


class Finding(NamedTuple):
    """The result of one check."""

    ok: bool
    sentence: str


def examine(build: Callable[[], Settings], program: str) -> list[Finding]:
    """Return the findings of all checks; `build` returns the settings or raises ConfigError, `program` is `sys.argv[0]`."""
    try:
        account = build().account
    except ContactSyncError as error:
        return [_problem(str(error)), *_environment(program)]
    return [*_api(account), *_folder(account.state_dir), *_ledger(account), *_environment(program)]


def _api(account: AccountSettings) -> Iterator[Finding]:
    if not account.key:
        yield _problem(_("There is no API key: give the file that contains it with --api-key-file, or set CONTACT_SYNC_API_KEY."))
        return
    try:
        found = asyncio.run(_fetch(account))
    except Transient:
        sentence = _("The API at {url} does not answer: check --base-url, the network and the proxy.", url=account.base_url)
        yield _problem(sentence)
        return
    except ContactSyncError as error:
        yield _problem(str(error))
        return
    yield _ok(_("The API at {url} answers, and the key is valid.", url=account.base_url))
    if found.credit:
        yield _ok(_("Credit: {credit} SMS.", credit=found.credit))
    if found.date:
        yield _clock(found.date)


async def _fetch(account: AccountSettings) -> Account:
    client = Client(account.base_url, rate=0, connections=1, timeout=_API_TIMEOUT_S, clock=time.monotonic, sleep=asyncio.sleep)
    async with client:
        return await client.call(Me(account.key), None)


def _clock(theirs: dt.datetime) -> Finding:
    skew = round((dt.datetime.now(dt.UTC) - theirs).total_seconds())
    if abs(skew) > _MAX_CLOCK_SKEW_S:
        return _problem(_("The clock differs from the API's by {seconds} s: synchronise it (NTP).", seconds=skew))
    return _ok(_("The clock is correct."))


def _folder(folder: Path) -> Iterator[Finding]:
    existing = folder
    while not os.path.exists(existing) and existing != existing.parent:  # noqa: PTH110 - which does not raise
        existing = existing.parent
    if not os.access(existing, os.W_OK | os.X_OK):
        yield _problem(_("The state folder {path} cannot be written: check its permissions, or --state-dir.", path=folder))
        return
    if existing == folder and folder.stat().st_mode & 0o077:
        yield _problem(_("The state folder {path} can be read by others: run chmod 700 on it.", path=folder))
    free = shutil.disk_usage(existing).free
    if free < _MIN_FREE_BYTES:
        yield _problem(_("The disk of {path} has only {free} MB left: free some space.", path=folder, free=free >> 20))
    else:
        yield _ok(_("The state folder {path} can be written; {free} MB are free.", path=folder, free=free >> 20))


def _ledger(account: AccountSettings) -> Iterator[Finding]:
    exactly = bool(account.key or account.name)
    try:
        yield from _runs(account, exactly=exactly)
    except ConfigError as error:
        if not exactly:
            yield _problem(str(error))
            return
        # A new key is not a fault, but a forgotten --account has the same effect, and would hide every earlier run.
        sentence = _(
            "{path} has no ledger for this key, --account and --base-url: the next run will send every row, "
            "unless you give the --account of earlier runs.",
            path=account.state_dir,
        )
        yield _problem(sentence)
    except ContactSyncError as error:
        yield _problem(str(error))


def _runs(account: AccountSettings, *, exactly: bool) -> Iterator[Finding]:
    runs = []
    if accounts(account.state_dir):
        with open_existing_ledger(account, locked=False, exact=exactly) as ledger:
            runs = ledger.runs(1000)
        if is_locked(account, exact=exactly):
            yield _ok(_("A run is in progress."))
            if runs and runs[0].finished is None:
                del runs[0]
            if not runs:
                return
    if not runs:
        yield _ok(_("There is no ledger yet: the first run will send every row."))
        return
    last = runs[0]
    if last.finished is None:
        yield _problem(
            _("The last run ({started}) was interrupted: the next one continues where it stopped.", started=last.started)
        )
    elif last.exit_code:
        yield _problem(
            _("The last run ({started}) ended with exit code {code}: see its report.", started=last.started, code=last.exit_code)
        )
    succeeded = next((run for run in runs if run.exit_code == 0), None)
    if succeeded is None:
        yield _problem(_("No run has succeeded yet."))
    elif dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(succeeded.started) > _MAX_AGE:
        yield _problem(_("Last successful run: {started}. Check that the schedule is active.", started=succeeded.started))
    else:
        yield _ok(_("Last successful run: {started}.", started=succeeded.started))


def _environment(program: str) -> Iterator[Finding]:
    program = shutil.which(Path(program).name) or program
    path = os.path.abspath(program)  # noqa: PTH100 - a link stays one
    if shutil.which(Path(program).name, path=_CRON_PATH):
        yield _ok(_("The program is on cron's PATH: {path}.", path=path))
    else:
        yield _ok(_("The program is not on cron's PATH: use the full path {path} in the crontab.", path=path))
    yield _ok(_("Time zone: {zone}.", zone=time.strftime("%Z (UTC%z)")))
    yield _ok(_("Messages are in English; --lang fr for French."))


def _ok(sentence: str) -> Finding:
    return Finding(ok=True, sentence=sentence)


def _problem(sentence: str) -> Finding:
    return Finding(ok=False, sentence=sentence)
