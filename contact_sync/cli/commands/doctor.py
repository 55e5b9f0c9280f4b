"""Looking whether all is well for the night, without changing anything: each finding is well, or says what to do."""

import asyncio
import datetime as dt
import email.utils
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from contact_sync.api.client import Client, Reply
from contact_sync.api.smspartner import me
from contact_sync.errors import ConfigError, ContactSyncError, Transient
from contact_sync.i18n import _
from contact_sync.ledger.state_dir import accounts, is_locked, kept_ledger
from contact_sync.settings import Settings

_API_TIMEOUT_S = 15.0  # seconds for the API's answer
_ASTRAY = 60  # seconds that the clock may differ
_ROOM = 100 << 20
_FRESH = dt.timedelta(hours=26)
_CRON_PATH = "/usr/bin:/bin"


class Finding(NamedTuple):
    """One thing that was looked at."""

    well: bool
    sentence: str


def examine(settings: Callable[[], Settings]) -> list[Finding]:
    """Look at everything; `settings` gives what the command was told, or raises ConfigError."""
    try:
        found = settings()
    except ContactSyncError as error:
        return [Finding(False, str(error)), *_environment()]
    return [*_api(found), *_folder(found.state_dir), *_ledger(found), *_environment()]


def _api(settings: Settings) -> Iterator[Finding]:
    if not settings.key:
        yield _ill(_("There is no API key: give the file that contains it with --api-key-file, or set CONTACT_SYNC_API_KEY."))
        return
    try:
        reply = asyncio.run(_ask(settings))
        credit = me.credit(reply, settings.key)
    except Transient:
        sentence = _(
            "The API at {url} does not answer: check --base-url, the network and the proxy.",
            url=settings.base_url,
        )
        yield _ill(sentence)
        return
    except ContactSyncError as error:
        yield _ill(str(error))
        return
    yield _well(_("The API at {url} answers, and the key is valid.", url=settings.base_url))
    if credit:
        yield _well(_("Credit: {credit} SMS.", credit=credit))
    yield from _clock(reply)


async def _ask(settings: Settings) -> Reply:
    client = Client(settings.base_url, rate=0, connections=1, timeout=_API_TIMEOUT_S, clock=time.monotonic, sleep=asyncio.sleep)
    async with client:
        return await client.get(me.PATH, me.query(settings.key))


def _clock(reply: Reply) -> Iterator[Finding]:
    try:
        theirs = email.utils.parsedate_to_datetime(reply.headers.get("date", ""))
    except ValueError:
        return
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=dt.UTC)
    astray = round((dt.datetime.now(dt.UTC) - theirs).total_seconds())
    if abs(astray) > _ASTRAY:
        yield _ill(_("The clock differs from the API's by {seconds} s: synchronise it (NTP).", seconds=astray))
    else:
        yield _well(_("The clock is correct."))


def _folder(folder: Path) -> Iterator[Finding]:
    place = folder
    while not os.path.exists(place) and place != place.parent:  # noqa: PTH110 - which does not raise
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        yield _ill(_("The state folder {path} cannot be written: check its permissions, or --state-dir.", path=folder))
        return
    if place == folder and folder.stat().st_mode & 0o077:
        yield _ill(_("The state folder {path} can be read by others: run chmod 700 on it.", path=folder))
    free = shutil.disk_usage(place).free
    if free < _ROOM:
        yield _ill(_("The disk of {path} has only {free} MB left: free some space.", path=folder, free=free >> 20))
    else:
        yield _well(_("The state folder {path} can be written; {free} MB are free.", path=folder, free=free >> 20))


def _ledger(settings: Settings) -> Iterator[Finding]:
    exactly = bool(settings.key or settings.account)
    try:
        yield from _runs(settings, exactly=exactly)
    except ConfigError as error:
        if not exactly:
            yield _ill(str(error))
            return
        # A key that is simply new is no fault; but an --account left out looks the same, and would hide how every run went.
        sentence = _(
            "{path} has no ledger for this key, --account and --base-url: the next run will send every row, "
            "unless you give the --account of earlier runs.",
            path=settings.state_dir,
        )
        yield _ill(sentence)
    except ContactSyncError as error:
        yield _ill(str(error))


def _runs(settings: Settings, *, exactly: bool) -> Iterator[Finding]:
    runs = []
    if accounts(settings.state_dir):
        with kept_ledger(settings, alone=False, exactly=exactly) as ledger:
            runs = ledger.runs(1000)
        if is_locked(settings, exactly=exactly):
            yield _well(_("A run is in progress."))
            if runs and runs[0].finished is None:
                del runs[0]
            if not runs:
                return
    if not runs:
        yield _well(_("There is no ledger yet: the first run will send every row."))
        return
    last = runs[0]
    if last.finished is None:
        yield _ill(_("The last run ({started}) was interrupted: the next one continues where it stopped.", started=last.started))
    elif last.exit_code:
        yield _ill(
            _("The last run ({started}) ended with exit code {code}: see its report.", started=last.started, code=last.exit_code)
        )
    succeeded = next((run for run in runs if run.exit_code == 0), None)
    if succeeded is None:
        yield _ill(_("No run has succeeded yet."))
    elif dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(succeeded.started) > _FRESH:
        yield _ill(_("Last successful run: {started}. Check that the schedule is active.", started=succeeded.started))
    else:
        yield _well(_("Last successful run: {started}.", started=succeeded.started))


def _environment() -> Iterator[Finding]:
    program = shutil.which(Path(sys.argv[0]).name) or sys.argv[0]
    where = os.path.abspath(program)  # noqa: PTH100 - a link stays one
    if shutil.which(Path(program).name, path=_CRON_PATH):
        yield _well(_("The program is on cron's PATH: {path}.", path=where))
    else:
        yield _well(_("The program is not on cron's PATH: use the full path {path} in the crontab.", path=where))
    yield _well(_("Time zone: {zone}.", zone=time.strftime("%Z (UTC%z)")))
    yield _well(_("Messages are in English; --lang fr for French."))


def _well(sentence: str) -> Finding:
    return Finding(well=True, sentence=sentence)


def _ill(sentence: str) -> Finding:
    return Finding(well=False, sentence=sentence)
