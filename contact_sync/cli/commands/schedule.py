"""A crontab line, and a systemd service and timer, for this machine and a file; only printed."""

import getpass
import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from contact_sync.errors import ConfigError
from contact_sync.i18n import _

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")

_FILES = {"--api-key-file", "--config", "--state-dir", "--report", "--workbook", "--page", "--log-file"}

_UNITS = """\
# /etc/systemd/system/contact-sync.service
[Unit]
Description=contact-sync: {source}
[Service]
Type=oneshot
User={user}
ExecStart={systemd}

# /etc/systemd/system/contact-sync.timer
[Timer]
OnCalendar=*-*-* {at}
Persistent=true
[Install]
WantedBy=timers.target
# then: systemctl daemon-reload && systemctl enable --now contact-sync.timer
"""


def lines(source: Path, at: str, rest: Sequence[str]) -> str:
    """What to put where, so that `source` is run every day `at` HH:MM with the options in `rest`.

    Raises ConfigError for a time that is none, or that one night a year does not exist.
    """
    match = _TIME.fullmatch(at)
    if not match:
        raise ConfigError(_("--at {time} is not a time of day: write it as 01:30.", time=at))
    if match[1] == "02":
        raise ConfigError(_("Times between 02:00 and 03:00 are skipped or repeated when the clocks change: choose another."))
    program = [os.path.abspath(shutil.which(sys.argv[0]) or sys.argv[0])]  # noqa: PTH100 - a link stays one
    if program[0].endswith("__main__.py"):
        program = [sys.executable, "-m", "contact_sync"]
    path = os.path.abspath(source)  # noqa: PTH100
    command = [*program, "run", path, *_absolute(rest), "--quiet"]
    # cron takes a % for a line break; systemd replaces what follows one, and what follows a $.
    crontab = f"{int(match[2])} {int(match[1])} * * *  {shlex.join(command).replace('%', chr(92) + '%')}"
    systemd = " ".join(_quoted(part) for part in command)
    user = _user()
    units = _UNITS.format(source=path.replace("%", "%%"), user=user, systemd=systemd, at=at)
    heading = _("crontab -e, as {user}:", user=user)
    return f"# {heading}\nMAILTO=ops@example.org\n{crontab}\n\n{units}"


def _user() -> str:
    """The name of this user, or the number where, as in many a container, there is no name to it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _absolute(rest: Sequence[str]) -> list[str]:
    """The options, those that name a file named from the root."""
    parts = [piece for part in rest for piece in (part.split("=", 1) if part.partition("=")[0] in _FILES else [part])]
    named = [
        before in _FILES and (before, part) != ("--workbook", "none") for before, part in zip(["", *parts], parts, strict=False)
    ]
    return [os.path.abspath(part) if is_file else part for part, is_file in zip(parts, named, strict=True)]  # noqa: PTH100


def _quoted(part: str) -> str:
    if not part:
        return '""'
    part = part.replace("%", "%%").replace("$", "$$").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{part}"' if re.search(r"[\s'\"\\;]", part) else part
