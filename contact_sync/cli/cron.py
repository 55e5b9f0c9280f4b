"""This machine as cron finds it: when its clocks change, and whether it can mail."""

import datetime as dt
import shutil

from contact_sync.i18n import _

PATH = "/usr/bin:/bin"  # of a job
_SBIN = "/usr/sbin:/usr/lib:/usr/local/sbin"  # where cron looks for sendmail, too
_MOST_DAYS = 366


def clock_change(time: dt.time) -> dt.date | None:
    """Return the next day on which this local time is skipped or repeated; None where that does not happen within a year."""
    today = dt.datetime.now().astimezone().date()
    days = (today + dt.timedelta(days=count) for count in range(_MOST_DAYS))
    return next((day for day in days if _changes(dt.datetime.combine(day, time))), None)


def _changes(local: dt.datetime) -> bool:
    """Return True for a local time that does not exist, or that exists twice."""
    first, second = (local.replace(fold=fold).astimezone().utcoffset() for fold in (0, 1))
    return first != second


def mail_advice() -> str:
    """Return advice where cron is installed and cannot mail what a job prints; empty where it can, or where there is no cron."""
    if not shutil.which("crontab") or shutil.which("sendmail") or shutil.which("sendmail", path=f"{PATH}:{_SBIN}"):
        return ""
    return _(
        "cron cannot mail a failed run, since this machine has no sendmail: install a mail program, or let a monitor watch with "
        "--ping."
    )
