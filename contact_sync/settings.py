"""The settings of a run, validated and typed, and the parsers of the values that need more than a type."""

import contextlib
import errno
import ipaddress
import os
import re
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import parse_qsl, urlsplit

from contact_sync.display import keys_in
from contact_sync.errors import ConfigError
from contact_sync.model.fields import MOST_UNDO_DAYS
from contact_sync.names import Purpose

BASE_URL = "https://api.smspartner.fr/v1"

NOWHERE = Path("none")  # the value of `--workbook none`: no workbook is written

_PIPE_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """The source, and how its cells and rows are read."""

    path: Path = Path()  # unused when the last run is resumed
    sheet: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    hidden: str = "refuse"
    renames: Mapping[str, str] = field(default_factory=dict)  # header → field
    blank: Literal["ask", "keep", "clear"] = "ask"
    duplicates: Literal["refuse", "first", "last"] = "refuse"
    region: str = "FR"
    allow_empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSettings:
    """The limits above which nothing is sent."""

    max_invalid: float = 50.0  # percent of the rows
    max_identity_changes: float = 50.0  # percent of the contacts in the ledger
    max_clears: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """The account at the API, and where its ledger is kept."""

    base_url: str = BASE_URL
    key: str = field(default="", repr=False)
    key_file: Path | None = None  # that the key was read from; None for one from the environment
    name: str | None = None  # the name that the ledger knows the account by in place of its key
    state_dir: Path = Path()
    ledger: str | None = None  # address of the database that has the ledger; None for the state folder
    keep_days: int = 180  # retention of the history of runs and contacts


@dataclass(frozen=True, slots=True, kw_only=True)
class SendSettings:
    """Pace and limits of the sending."""

    sandbox: bool = False
    rate: float = 5.0  # attempts per second; 0: no limit
    workers: int = 8
    attempts: int = 4
    timeout: float = 30.0  # seconds
    resend: bool = False
    limit: int | None = None  # rows
    max_duration: float | None = None  # seconds
    wait: float | None = None  # seconds until another run ends; None: not at all
    live: bool = False  # True: each contact is read before it is written, as those of a pulled file are
    conflicts: Literal["hold", "mine", "theirs"] = "hold"
    max_conflicts: float = 10.0  # percent of the rows to send
    allow_stop: bool = False
    allow_forgotten: bool = False
    undo_days: int = MOST_UNDO_DAYS  # that the values before are kept
    verify: float = 0.0  # percent of the updated contacts that are read back at the end

    def reads_first(self, *, is_pulled: bool) -> bool:
        """Return True when each contact of a source is read before it is written; the sandbox does not know them."""
        return self.live or (is_pulled and not self.sandbox)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    """Paths, permissions and content of the reports."""

    path: Path = Path()  # of the CSV report; empty for the path of the last run's own report
    mode: int | None = None  # None for 600 or, when the last run is resumed, the mode it had
    outputs: Mapping[str, Path] = field(default_factory=dict)
    """Name of another report format → where its report goes, `NOWHERE` for nowhere.

    Without an entry a workbook is written beside the report when the source is a workbook, other formats are not.
    """
    show_phones: bool = False  # True when the page shows phone numbers in full


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a command by concern. Raises ConfigError when the report would overwrite the source."""

    source: SourceSettings = field(default_factory=SourceSettings)
    guards: GuardSettings = field(default_factory=GuardSettings)
    account: AccountSettings = field(default_factory=AccountSettings)
    send: SendSettings = field(default_factory=SendSettings)
    report: ReportSettings = field(default_factory=ReportSettings)
    run: str = ""  # the run to resume; empty for the last
    plan: str = ""  # the number of the plan that a run is held to; empty for none
    dry_run: bool = False  # true for `check` and `--dry-run`: nothing is sent
    remember: bool = True  # false for `check`, which uses no account and no ledger

    def __post_init__(self) -> None:
        with contextlib.suppress(OSError):  # one of them does not exist, or cannot be accessed
            if self.source.path != Path() and self.report.path.samefile(self.source.path):
                raise ConfigError("The report would overwrite the source {path}: correct --report.", path=self.source.path)

    @property
    def purpose(self) -> Purpose:
        """The purpose of the run, by which its reports are named."""
        return Purpose.of(sandbox=self.send.sandbox, dry_run=self.dry_run)

    @classmethod
    def of(cls, **options: Any) -> Self:
        """Return the settings that options give, by the names of their parameters; others keep their defaults."""
        values: dict[str, dict[str, Any]] = {concern: {} for concern in ("", *_CONCERNS)}
        for option, value in options.items():
            concern, name = FIELDS.get(option, ("", option))
            values[concern][name] = value
        return cls(**values.pop(""), **{concern: _CONCERNS[concern](**given) for concern, given in values.items()})


_CONCERNS: dict[str, Any] = {each.name: each.default_factory for each in fields(Settings) if callable(each.default_factory)}
FIELDS = {each.name: (concern, each.name) for concern, kind in _CONCERNS.items() for each in fields(kind)} | {
    "source": ("source", "path"),
    "account": ("account", "name"),
    "report": ("report", "path"),
    "report_mode": ("report", "mode"),
}
"""Name of an option → the concern that it belongs to, and its name there."""

OPTIONS = {*FIELDS, "run", "plan", "dry_run"}  # names of the options that are settings

SLOWEST_RATE, FASTEST_RATE = 0.001, 10_000.0  # attempts a second, where there is a limit

MAX_WORKERS = 256
"""Requests in flight at most. At 30 s an answer, the slowest that is waited for, they are 8 a second, more than the default pace;
each is a connection, which is a descriptor here and a process at many servers."""

_NUMBER = r"[0-9]{1,20}(?:\.[0-9]{1,20})?"
_RATE = re.compile(rf"({_NUMBER})(?: ?/ ?(s|sec|min|m))?")
_PERCENT = re.compile(rf"({_NUMBER})(?: ?%)?")


def at_home(path: str) -> str:
    """Return a path with the home of this user in place of `~`, as no shell does in a config file or after `--option=`."""
    return os.path.expanduser(path) if path.startswith("~/") else path  # noqa: PTH111 - which raises without a home


def number(text: str) -> float:
    """Parse a decimal number in its plain spelling, "5" or "2.5". Raises ValueError for any other that Python would accept.

    Among these are `1_0`, ` 5 `, `1e3`, `nan` and digits of other scripts: more likely a slip than meant.
    """
    if not re.fullmatch(_NUMBER, text):
        raise ValueError(text)
    return float(text)


def rate(text: str) -> float:
    """Parse "5", "2.5", "300/min" or "5/s" as attempts per second. Raises ValueError for anything else."""
    match = _RATE.fullmatch(text)
    if not match:
        raise ValueError(text)
    value = float(match[1]) / (60 if match[2] in {"min", "m"} else 1)
    if not (value == 0 or SLOWEST_RATE <= value <= FASTEST_RATE):
        raise ValueError(text)
    return value


def region(text: str) -> str:
    """Parse a country code of two letters. Raises ValueError for anything else."""
    code = text.strip()
    if len(code) != 2 or not code.isascii() or not code.isalpha():  # noqa: PLR2004 - as ISO 3166 has them
        raise ValueError(text)
    return code.upper()


def percent(text: str) -> float:
    """Parse "50", "2.5" or "50%" as a share from 0 to 100. Raises ValueError for anything else."""
    match = _PERCENT.fullmatch(text)
    if not match or float(match[1]) > 100:  # noqa: PLR2004 - of a hundred
        raise ValueError(text)
    return float(match[1])


def base_url(text: str) -> str:
    """Return the API's base URL without a final slash.

    Raises ConfigError unless it is https, or http to a loopback host: the key is part of every request.
    """
    text = text.rstrip("/")
    try:
        parts = urlsplit(text)
        host, _port = parts.hostname or "", parts.port
        has_more = "@" in parts.netloc or parts.query or parts.fragment or keys_in(parts.path.replace("/", " "))
    except ValueError:
        host = ""
    if not host or parts.scheme not in {"http", "https"} or has_more:
        raise ConfigError("The base URL must be an address such as https://api.smspartner.fr/v1: correct --base-url.")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ConfigError(
            "The base URL must begin with https://, or the API key would be sent unencrypted to {host}: correct --base-url.",
            host=host,
        )
    return parts.geturl()  # with the scheme in lower case


def ledger_url(text: str) -> str:
    """Return the address of a PostgreSQL database. Raises ConfigError, which repeats nothing of it."""
    try:
        parts = urlsplit(text)
        names = {name for name, _value in parse_qsl(parts.query)}
        has_password = parts.password is not None or bool({"password", "sslpassword"} & names)
    except ValueError:
        parts, has_password = urlsplit(""), False
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ConfigError("--ledger must be the address of a PostgreSQL database (contact-sync help operations): correct it.")
    if has_password:
        raise ConfigError(
            "--ledger has a password, which others could read: put it into ~/.pgpass, a service file or PGPASSWORD instead."
        )
    return text


def ledger_name(url: str) -> str:
    """Return the host and the database of an address, as they are shown."""
    parts = urlsplit(url)
    return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host.removesuffix(".") == "localhost"


def read_small(path: Path, most: int) -> tuple[bytes, int]:
    """Return the first bytes of a small file, one more than `most` at most, and its permissions.

    A pipe is waited for, but not for long, as one without a writer would be for ever. Raises OSError.
    """
    deadline = time.monotonic() + _PIPE_TIMEOUT_S
    content = b""
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb", buffering=0) as file:
        mode = os.fstat(file.fileno()).st_mode
        while len(content) <= most:
            part = file.read(most + 1 - len(content))  # None: the writer pauses
            if part:
                content += part
            elif part is not None and (content or not stat.S_ISFIFO(mode)):
                break
            elif time.monotonic() < deadline:
                time.sleep(0.01)
            else:
                raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        return content, stat.S_IMODE(mode)
