"""A run in the log: its start, the result of each row that was sent, and its end, whatever the end is."""

from collections.abc import Iterator
from contextlib import contextmanager

from contact_sync.errors import ContactSyncError
from contact_sync.events import log_event, within_run
from contact_sync.model.report import Summary
from contact_sync.model.row import Result


@contextmanager
def logged(summary: Summary) -> Iterator[None]:
    """Log that the run of `summary` has started, and what it says at the end; an error that ends the run is noted in it."""
    with within_run(summary.run):
        log_event("run.started", source=summary.source, purpose=summary.purpose.name.lower())
        try:
            yield
        except ContactSyncError as error:
            error.end_run(summary)
            raise
        except Exception:
            summary.exit_code = ContactSyncError.exit_code
            raise
        finally:
            log_event(
                "run.finished",
                exit_code=summary.exit_code,
                rows=summary.rows,
                outcomes=summary.outcomes,
                requests=summary.requests,
                retries=summary.retries,
                seconds=summary.seconds,
                reason=" ".join(summary.reasons),
            )


def log_result(result: Result) -> None:
    """Log the result of a row."""
    log_event(
        "row.finished",
        row=result.row.number,
        contact=result.row.contact_id,
        outcome=result.outcome,
        code=",".join(violation.code for violation in result.violations),
        fields=",".join(filter(None, (violation.field for violation in result.violations))),
        attempts=result.attempts,
        http_status=result.http_status,
    )
