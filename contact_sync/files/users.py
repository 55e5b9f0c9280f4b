"""Users of this machine by name, and the other user who wrote a report: each user has a ledger of their own."""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from contact_sync.i18n import _
from contact_sync.settings import AccountSettings


def user_name(uid: int) -> str:
    """Return the name of a user, or the number of one without a name, as in many containers."""
    import pwd  # noqa: PLC0415 - not on Windows, where the program says that it cannot run

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def this_user() -> str:
    """Return the name of the user whose permissions and ledger this process has."""
    return user_name(os.geteuid())


def uid_of_new_files(folder: Path) -> int | None:
    """Return whose the files are that this process writes into a folder, which a share may decide; None where it cannot."""
    with suppress(OSError), TemporaryFile(dir=folder) as file:
        return os.fstat(file.fileno()).st_uid
    return None


def key_warnings(account: AccountSettings) -> list[str]:
    """Return a warning where the file of the API key is another user's, as it is for root when the job is not root's.

    One that root lends to others is not suspicious, and users of a shared ledger have no other one.
    """
    with suppress(OSError):
        if account.key_file and not account.ledger and (owner := account.key_file.stat().st_uid) not in {0, os.geteuid()}:
            sentence = _(
                "The API key file {path} belongs to {owner}, and this is {user}: each user has a ledger of their own, so run "
                "every command as the user of the job.",
                path=account.key_file,
                owner=user_name(owner),
                user=this_user(),
            )
            return [sentence]
    return []


def report_warning(report: Path, uid: int) -> str:
    """Return the warning about a report that the user `uid` wrote."""
    return _(
        "The report {path} was written by {owner}, and this is {user}: each user has a ledger of their own, so run every "
        "command as the user of the job.",
        path=report,
        owner=user_name(uid),
        user=this_user(),
    )
