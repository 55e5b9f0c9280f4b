"""The events of a run, for the log: a name and its facts, which are never a value of a contact and never the key.

=================  ======================================================================================================
run.started        `source`, `purpose`
source.loaded      `rows`, `to_send`, `invalid`, `fields`
row.finished       `row`, `contact`, `outcome`, `code`, `fields`, `attempts`, `http_status`; again when a later pass changes it
api.throttled      `http_status`, `pause` (seconds that the API asked for), `pace` (requests a second from now on), `rate` (asked
                   for), `throttled` (answers with 429 so far), `why`: pause, share (of 429s: lowers the pace) or tolerated
run.finished       `exit_code`, `rows`, `outcomes`, `requests`, `retries`, `seconds`, `reason`
command.failed     `exit_code`, `reason`: a command that ended before a run began
=================  ======================================================================================================

`contact_sync.cli.logging` writes them, with the run that is going on.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_run: ContextVar[str] = ContextVar("run", default="")

_log = logging.getLogger(__name__)


@contextmanager
def within_run(run: str) -> Iterator[None]:
    """Make `run` the one that all lines of the log are of."""
    token = _run.set(run)
    try:
        yield
    finally:
        _run.reset(token)


def current_run() -> str:
    """Return the id of the run that is going on; empty outside of one."""
    return _run.get()


def log_event(event: str, **facts: object) -> None:
    """Log an event."""
    _log.info(event, extra={"facts": facts})
