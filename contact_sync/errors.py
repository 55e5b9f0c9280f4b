"""The tree of errors, by what to do next: each kind that ends a run has its exit code.

One attempt at a request fails with one of two others: `Transient` (retry) or `Rejected` (final for this row). A row that breaks a
rule is a value (`contact_sync.model.violation.Violation`), never one of these.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

from contact_sync.i18n import _

if TYPE_CHECKING:  # the nouns take as long to import as click, and the command line needs errors only
    from contact_sync.model.report import Summary
    from contact_sync.model.violation import Violation


class ContactSyncError(Exception):
    """The run cannot continue: one sentence for the operator, translated here, says what is wrong, where, and what to do.

    `values` fill the sentence's placeholders.
    """

    exit_code = 1
    is_of_file = False
    """True when the reason lies in one source or its reports, so that a command can go on with its other sources."""
    is_before_request = False
    """True when the reason kept a request from being made, so that its row is as it was."""
    summary: "Summary | None" = None  # of the run that it has ended, where there is no report

    def __init__(self, sentence: str, /, **values: object) -> None:
        super().__init__(_(sentence, **values))

    def end_run(self, summary: "Summary") -> None:
        """Note in the summary of a run that this error has ended it."""
        self.summary, summary.exit_code, summary.reasons = summary, self.exit_code, [str(self)]

    @classmethod
    @contextmanager
    def from_os_error(cls, sentence: str, /, **values: object) -> Iterator[None]:
        """Raise an OSError of the body as an error of this kind; its text is the sentence's `{reason}`."""
        try:
            yield
        except OSError as error:
            raise cls(sentence, reason=reason_of(error), **values) from error


def reason_of(error: OSError) -> str:
    """Return what the system says of an error, translated where `contact_sync.i18n.catalogue` knows it."""
    return _(error.strerror) if error.strerror else type(error).__name__


class ConfigError(ContactSyncError):
    """Options, key file, certificate, proxy or base URL are wrong."""

    exit_code = 2


class SourceError(ContactSyncError):
    """The source was refused for its structure, or by a guard; nothing was sent."""

    exit_code = 4


class MissingError(SourceError):
    """The source does not exist."""


class AccessError(ContactSyncError):
    """The API refused the key or the account; a retry cannot succeed."""

    exit_code = 5


class UnavailableError(ContactSyncError):
    """The API is unavailable or throttling, or the time budget is used up; run again later."""

    exit_code = 6


class StorageError(ContactSyncError):
    """The ledger or the report cannot be read or written."""

    exit_code = 7


class BusyError(ContactSyncError):
    """Another run holds the lock, another program the ledger, or the source is still being written or cannot be read now."""

    exit_code = 75


class Interrupted(ContactSyncError):  # noqa: N818 - a signal, not an error
    """SIGINT, SIGTERM or SIGHUP was received."""

    def __init__(self, signum: int) -> None:
        super().__init__(_("Interrupted ({signal}).", signal=signal.Signals(signum).name))
        # A lost terminal has the exit code of SIGTERM: scripts know of no 129.
        self.exit_code = 128 + (signum if signum == signal.SIGINT else signal.SIGTERM)


@dataclass(eq=False)
class AttemptError(Exception):
    """One attempt at a request failed; `violation` says so to the operator."""

    violation: "Violation"
    http_status: int | None = None
    api_code: str = ""

    def __str__(self) -> str:
        return self.violation.code


class Rejected(AttemptError):  # noqa: N818 - the row's outcome is called so
    """The API refused this contact, and would refuse it again."""


@dataclass(eq=False)
class Transient(AttemptError):  # noqa: N818 - it is about time, not about an error
    """Another attempt may succeed."""

    _: KW_ONLY
    is_api_response: bool = False
    """True when the API itself answered (a JSON object with a boolean `success`), not a server in front of it."""
    maybe_applied: bool = True  # False when the request certainly had no effect
    throttled: bool = False  # True when the API asked for fewer requests
    pause: float | None = None  # seconds for which the API asked for no request at all


CHANGES_CODE = 8  # exit code of a plan that has changes where none are expected
ATTENTION_CODE = 3  # exit code of a finished run of which rows need attention or failed

PRECEDENCE = (1, 7, 5, 2, 4, 130, 143, 6, BusyError.exit_code, ATTENTION_CODE, CHANGES_CODE)
"""Exit codes of one run by precedence, when several apply (a shutdown, then a report that cannot be written)."""
RANK = (1, 7, 5, 2, 4, 130, 143, 6, ATTENTION_CODE, BusyError.exit_code, 0)  # exit codes of several runs by precedence
