"""What a run is told: checked, and in the types that the rest of the program works with."""

import contextlib
import ipaddress
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from contact_sync.errors import ConfigError
from contact_sync.i18n import _

BASE_URL = "https://api.smspartner.fr/v1"

NOWHERE = Path("none")
"""What `--workbook none` means."""

_MINUTE = 60.0

_SHORTEST = 8
"""Characters of a key at least: what is shorter is none, and could not be kept out of a sentence without spoiling it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a run or a check is told: the options of the command line, and what follows from the command."""

    source: Path = Path()
    """Not looked at where the last run is taken up again."""
    run: str = ""
    """Which run is taken up again; empty for the last."""
    report: Path = Path()
    """Empty for the place of the last run's own report."""
    report_mode: int | None = None
    """None for 600, or, where the last run is taken up again, what it had."""
    workbook: Path | None = None
    """Where the workbook goes; None for beside the report when the source is a workbook, `NOWHERE` for none at all."""
    page: Path | None = None
    show_phones: bool = False
    """Whether the page shows phone numbers whole."""
    send: bool = True
    """False for `check` and `--dry-run`."""
    remember: bool = True
    """False for `check`, which knows no account and no ledger."""

    key: str = field(default="", repr=False)
    base_url: str = BASE_URL
    sandbox: bool = False
    account: str | None = None
    state_dir: Path = Path()
    rate: float = 5.0
    """Attempts a second; 0 = no limit."""
    workers: int = 8
    attempts: int = 4
    timeout: float = 30.0
    """Seconds."""
    resend: bool = False
    limit: int | None = None
    max_duration: float | None = None
    """Seconds."""

    sheet: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    hidden: str = "refuse"
    renames: Mapping[str, str] = field(default_factory=dict)
    blank: Literal["keep", "clear"] = "keep"
    duplicates: Literal["refuse", "first", "last"] = "refuse"
    region: str = "FR"
    max_invalid: float = 50.0
    """Percent of the rows."""
    max_identity_changes: float = 50.0
    """Percent of the contacts that the ledger knows."""
    max_clears: int = 100
    allow_empty: bool = False
    keep_days: int = 180
    """How long the history of runs and contacts is kept."""

    def __post_init__(self) -> None:
        with contextlib.suppress(OSError):  # one of them does not exist, or is out of reach
            if self.source != Path() and self.report.samefile(self.source):
                raise ConfigError(_("The report would overwrite the source {path}: correct --report.", path=self.source))


def rate(text: str) -> float:
    """Read "5", "2.5", "300/min" or "5/s" as attempts a second; ValueError for anything else."""
    number, _, unit = text.strip().partition("/")
    divisor = {"": 1.0, "s": 1.0, "sec": 1.0, "min": _MINUTE, "m": _MINUTE}.get(unit.strip())
    value = float(number)
    if divisor is None or not math.isfinite(value) or value < 0:
        raise ValueError(text)
    return value / divisor


def base_url(text: str) -> str:
    """Check the API's address: https, or http for a loopback host alone, since the key travels in the body."""
    text = text.rstrip("/")
    try:
        parts = urlsplit(text)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    if not host or parts.scheme not in {"http", "https"} or "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError(_("The base URL must be an address such as https://api.smspartner.fr/v1: correct --base-url."))
    if parts.scheme == "http" and not _is_loopback(host):
        sentence = _(
            "The base URL must begin with https://, or the API key would be sent unencrypted to {host}: correct --base-url.",
            host=host,
        )
        raise ConfigError(sentence)
    return parts.geturl()  # with the scheme in lower case


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def api_key(text: str, where: str) -> str:
    """Check the key that was found in `where`; the text of an error never holds it."""
    key = text.strip()
    if len(key) < _SHORTEST or not key.isascii() or not key.isprintable() or " " in key:
        raise _no_key(where)
    return key


def _no_key(where: str) -> ConfigError:
    return ConfigError(
        _(
            "{where} does not contain an API key: it must be at least {least} characters, without spaces or accents.",
            where=where,
            least=_SHORTEST,
        )
    )


def api_key_file(path: Path) -> str:
    """Read the key from a file that nobody but its owner can read."""
    try:
        with path.open(encoding="ascii") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise ConfigError(_("The API key file {path} can be read by others: run chmod 600 on it.", path=path))
            return api_key(file.read(1000), str(path))
    except OSError as error:
        sentence = _("The API key file {path} cannot be read ({reason}): check --api-key-file.", path=path, reason=error.strerror)
        raise ConfigError(sentence) from error
    except UnicodeDecodeError as error:
        raise _no_key(str(path)) from error
