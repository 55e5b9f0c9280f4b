"""The checks of `doctor`: key, API, clock, state folder, last run, cron's environment; each finding is ok, or says what to do."""

import asyncio
import datetime as dt
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from contact_sync.api.client import Client
from contact_sync.api.limiter import Pace
from contact_sync.api.smspartner.me import Account, Me
from contact_sync.cli import cron
from contact_sync.cli.api_key import require_key
from contact_sync.cli.heartbeat import Ping
from contact_sync.cli.logging import check_log
from contact_sync.errors import ConfigError, ContactSyncError, Transient
from contact_sync.files.atomic import former_user
from contact_sync.files.users import key_warnings, report_warning, uid_of_new_files
from contact_sync.i18n import _
from contact_sync.ledger.state_dir import KnownLedger, folder_warnings, is_locked, known_ledgers, open_existing_ledger
from contact_sync.model.report import PastRun
from contact_sync.names import Purpose, report_beside
from contact_sync.settings import AccountSettings, Settings

_API_TIMEOUT_S = 15.0
_MAX_CLOCK_SKEW_S = 60
_MIN_FREE_BYTES = 100 << 20
_MAX_AGE = dt.timedelta(hours=26)  # age of the last successful run: a day, and the length of a run
_MOST_SOURCES = 10  # that are listed, those of the last runs


class Finding(NamedTuple):
    """The result of one check, which has a stable name."""

    check: str
    ok: bool
    sentence: str
    is_note: bool = False  # True for advice that is neither


def _ok(check: str, sentence: str) -> Finding:
    return Finding(check, True, sentence)


def _problem(check: str, sentence: str) -> Finding:
    return Finding(check, False, sentence)


def examine(
    build: Callable[[], Settings], program: str, *, key_place: str, log_file: Path | None, ping: str | None
) -> list[Finding]:
    """Return the findings of all checks; `build` returns the settings or raises ConfigError, `program` is `sys.argv[0]`."""
    checks = (("account", _account(build, key_place)), ("log", _log(log_file)), ("ping", _ping(ping)))
    findings = [finding for name, check in checks for finding in _with_error(name, check)]
    return [*findings, *_environment(program), *_mail(ping)]


def _with_error(check: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """Yield the findings, and the error that ends them, if any."""
    try:
        yield from findings
    except ContactSyncError as error:
        yield _problem(check, str(error))


def _account(build: Callable[[], Settings], key_place: str) -> Iterator[Finding]:
    account = build().account  # fails where the key cannot be read
    if key_place:
        yield _ok("key", _("The API key is read from {place}.", place=key_place))
    yield from (_problem("user", warning) for warning in key_warnings(account))
    user: list[str] = []  # of the key, as soon as the API has named it
    checks = (("api", partial(_api, user)), ("state", _folder), ("ledger", _ledgers), ("last-run", partial(_ledger, user)))
    for name, check in checks:
        yield from _with_error(name, check(account))


def _log(path: Path | None) -> Iterator[Finding]:
    """Check that the log can be written."""
    if path:
        check_log(path)
        yield _ok("log", _("The log {path} can be written.", path=path))


def _ping(url: str | None) -> Iterator[Finding]:
    if url:
        if reason := Ping(url).reach_host():
            raise ConfigError("The server of --ping does not answer ({reason}): check --ping and the network.", reason=reason)
        yield _ok("ping", _("The server of --ping answers."))


def _api(user: list[str], account: AccountSettings) -> Iterator[Finding]:
    require_key(account.key)
    try:
        found = asyncio.run(_fetch(account))
    except Transient as error:
        url = account.base_url
        if error.http_status:
            answer = error.violation.detail.get("reason", error.http_status)
            raise ConfigError(
                "The API at {url} gave no usable answer ({answer}): ask who runs it.", url=url, answer=answer
            ) from error
        raise ConfigError("The API at {url} does not answer: check --base-url, the network and the proxy.", url=url) from error
    user.append(found.user)
    yield _ok("api", _("The API at {url} answers, and the key is valid.", url=account.base_url))
    if found.credit:
        yield _ok("credit", _("Credit: {credit} SMS.", credit=found.credit))
    if found.date:
        skew = round((dt.datetime.now(dt.UTC) - found.date).total_seconds())
        if abs(skew) > _MAX_CLOCK_SKEW_S:
            yield _problem("clock", _("The clock differs from the API's by {seconds} s: synchronise it (NTP).", seconds=skew))
        else:
            yield _ok("clock", _("The clock is correct."))


async def _fetch(account: AccountSettings) -> Account:
    pace = Pace(0, clock=time.monotonic)
    client = Client(account.base_url, pace=pace, connections=1, timeout=_API_TIMEOUT_S, sleep=asyncio.sleep)
    async with client:
        return await client.call(Me(account.key), None)


def _folder(account: AccountSettings) -> Iterator[Finding]:
    folder = account.state_dir
    existing = next(filter(os.path.exists, [folder, *folder.parents]), folder)  # which does not raise
    if not os.access(existing, os.W_OK | os.X_OK):
        raise ConfigError("The state folder {path} cannot be written: check its permissions, or --state-dir.", path=folder)
    if existing == folder:
        yield from (_problem("state", warning) for warning in folder_warnings(folder))
    if existing == folder and folder.stat().st_mode & 0o077 and not folder.stat().st_mode & 0o022:
        yield _problem("state", _("The state folder {path} can be read by others: run chmod 700 on it.", path=folder))
    free = shutil.disk_usage(existing).free
    if free < _MIN_FREE_BYTES:
        yield _problem("disk", _("The disk of {path} has only {free} MB left: free some space.", path=folder, free=free >> 20))
    else:
        yield _ok("state", _("The state folder {path} can be written; {free} MB are free.", path=folder, free=free >> 20))


def _ledgers(account: AccountSettings) -> Iterator[Finding]:
    for ledger in known_ledgers(account):
        yield from _with_error("ledger", _last_of(ledger))


def _last_of(known: KnownLedger) -> Iterator[Finding]:
    with known.open() as ledger:
        for run in ledger.runs(1):
            about = {"ledger": known.label, "started": run.started, "source": run.source}
            yield _ok("ledger", _("Ledger {ledger}: last run {started}, {source}.", **about))


def _ledger(user: list[str], account: AccountSettings) -> Iterator[Finding]:
    runs, in_progress = _runs(account, lambda: "".join(user)) if known_ledgers(account) else ([], False)
    if in_progress:
        yield _ok("last-run", _("A run is in progress."))
        runs = runs[1:] if runs and runs[0].finished is None else runs
    elif not runs:
        yield _ok("last-run", _("There is no ledger yet: the first run will send every row."))
    if not runs:
        return
    last = runs[0]
    if last.finished is None:
        yield _problem(
            "last-run",
            _("The last run ({started}) was interrupted: the next one continues where it stopped.", started=last.started),
        )
    elif last.exit_code:
        yield _problem(
            "last-run",
            _("The last run ({started}) ended with exit code {code}: see its report.", started=last.started, code=last.exit_code),
        )
    succeeded = next((run for run in runs if run.exit_code == 0), None)
    if succeeded is None:
        yield _problem("schedule", _("No run has succeeded yet."))
    elif dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(succeeded.started) > _MAX_AGE:
        yield _problem(
            "schedule", _("Last successful run: {started}. Check that the schedule is active.", started=succeeded.started)
        )
    else:
        yield _ok("schedule", _("Last successful run: {started}.", started=succeeded.started))
    yield from _sources(runs)


def _sources(runs: Sequence[PastRun]) -> Iterator[Finding]:
    """Yield the last success of each source; one without a success is a note, since a wrong file need not come again."""
    latest = {run.source: run for run in reversed(runs)}
    for source in list(dict.fromkeys(run.source for run in runs))[:_MOST_SOURCES]:
        run = latest[source]
        yield from _written_by_others(run)
        succeeded = next((run.started for run in runs if run.source == source and run.exit_code == 0), None)
        if succeeded:
            yield _ok("source", _("{source}: last successful run {started}.", source=source, started=succeeded))
        else:
            yield Finding("source", True, _without_success(source, run.place), is_note=True)


def _without_success(source: str, place: Path) -> str:
    if os.path.exists(place):  # noqa: PTH110 - which does not raise
        return _("{source}: no run has succeeded yet.", source=source)
    return _("{source}: no run has succeeded, and there is no such file: check its name in the schedule.", source=source)


def _written_by_others(run: PastRun) -> Iterator[Finding]:
    """Yield a problem where another user wrote the report of a source that this user has run, and so has another ledger."""
    report = report_beside(run.place, Purpose.REAL)
    former = former_user(report, uid_of_new_files(report.parent))
    if former is not None:
        yield _problem("user", report_warning(report, former))


def _runs(account: AccountSettings, identify: Callable[[], str]) -> tuple[list[PastRun], bool]:
    """Return the runs of the account, newest first; True when one is in progress."""
    exactly = bool(account.key or account.name)
    try:
        with open_existing_ledger(account, locked=False, exact=exactly, identify=identify) as ledger:
            return ledger.runs(1000), is_locked(account, exact=exactly, identify=identify)
    except ConfigError as error:
        if not exactly:
            raise
        # A new key is not a fault, but a forgotten --account has the same effect, and would hide every earlier run.
        raise ConfigError(
            "{path} has no ledger for this key, --account and --base-url: the next run will send every row, "
            "unless you give the --account of earlier runs.",
            path=account.state_dir,
        ) from error


def _environment(program: str) -> Iterator[Finding]:
    program = shutil.which(Path(program).name) or program
    path = os.path.abspath(program)  # noqa: PTH100 - a link stays one
    if shutil.which(Path(program).name, path=cron.PATH):
        yield _ok("path", _("The program is on cron's PATH: {path}.", path=path))
    else:
        advice = _("The program is not on cron's PATH: use the full path {path} in the crontab.", path=path)
        yield Finding("path", True, advice, is_note=True)
    yield _ok("time-zone", _("Time zone: {zone}.", zone=time.strftime("%Z (UTC%z)")))
    yield _ok("language", _("Messages are in English; --lang fr for French."))


def _mail(ping: str | None) -> Iterator[Finding]:
    """Yield advice where nobody would hear of a failed run."""
    if not ping and (advice := cron.mail_advice()):
        yield Finding("mail", True, advice, is_note=True)
