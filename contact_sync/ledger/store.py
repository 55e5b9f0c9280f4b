"""The interface of the ledger: the rows of the current run, what the API last confirmed, and the history of runs.

Two promises apply to every storage engine: `Ledger.claim` durably withdraws the digests of the fields that an attempt carries
before it may leave, and only the API's confirmation (`Ledger.record`) puts new ones in. Every method raises StorageError when the
store cannot be read or written, and then has written nothing.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from contact_sync.model.fields import MOST_UNDO_DAYS
from contact_sync.model.pace import SlotStore
from contact_sync.model.plan import Change, PlannedRow
from contact_sync.model.report import Batch, BeforeImage, Cause, Event, PastRun, Summary, Workload
from contact_sync.model.row import Block, Outcome, Pending, Result
from contact_sync.model.source import Layout, OutputPaths
from contact_sync.model.violation import Violation

Payload = tuple[str | None, ...]
"""The value of each field, in the order of the fields that the ledger was opened with; None = not sent."""


class Comparison(NamedTuple):
    """Rows compared with what the API last confirmed."""

    in_place: list[bool]  # for each row, True when every field that it carries equals the confirmed one
    same_identity: int  # rows of known contacts that keep their name or phone number
    identity_changes: int  # rows of known contacts that change first name, last name and phone number at once


class PlanStore(Protocol):
    """The rows of a plan that is being made, and digests of earlier plans by their numbers."""

    def add(self, rows: Sequence[PlannedRow]) -> None:
        """Add rows to the plan; their values are kept until the ledger is closed."""

    def changes(self) -> Iterator[Change]:
        """Yield the changes of all rows of the plan in source order."""

    def number(self) -> str:
        """Return the number of the plan, which depends on the account and on the facts of each row, not on their order."""

    def keep(self, at: datetime) -> str:
        """Keep a digest of each row durably for a week, and return the number of the plan."""

    def differing(self, number: str) -> list[int] | None:
        """Return the numbers of the rows that the plan `number` does not have alike; None where it is not kept."""

    def agrees(self, row: PlannedRow) -> bool:
        """Return True when the plan has this row alike."""


class Outbox(Protocol):
    """The rows to send, and where their results go."""

    def pending(self) -> int:
        """Return the number of rows to send."""

    def last_pending(self) -> int:
        """Return the row number of the last row to send; 0 when there is none."""

    def defer_failed(self) -> bool:
        """Defer the rows to send that failed last time, in this run or in the last one that sent their contact.

        Returns False when there is none.
        """

    def only_known_failures(self) -> bool:
        """Return True when each row that is pending or failed was deferred, and failed in a run that was not an outage.

        That is a run in which the API accepted or refused other rows, or that was complete.
        """

    def claim(
        self,
        after: int,
        most: int | None = None,
        *,
        failed: bool = False,
        until: int | None = None,
        deferred: bool = False,
        withdraw: bool = True,
    ) -> list[Pending]:
        """Return the next rows to send, in source order, and durably withdraw what was confirmed of the fields they carry.

        Without `withdraw` the rows are only read, and must not be sent.

        These are pending rows (with `failed` failed ones; in a resumed run both) with `after` < number <= `until`, at most
        `most` and at most a few hundred; those that are `deferred` or those that are not. The list is empty when there are no
        more.
        """

    def record(self, result: Result) -> None:
        """Record the end of a row. It becomes durable with the next `flush`, which runs by itself every few hundred results."""

    def flush(self) -> None:
        """Make all results durable, and the digests of updated rows with them."""

    def trials(self) -> dict[str, dict[str, str]]:
        """Return the trials that have not ended: contactId → values before."""

    def end_trial(self, contact_id: str) -> None:
        """Delete the values before a trial, because the contact has them again."""

    def note_answer(self, question: str, answer: str, how: str) -> None:
        """Note an answer durably, with the time, and in `how` what has shown it."""

    def hold(self, row: Pending, coming: Iterable[Pending] = (), /) -> Pending | Result | None:
        """Keep other hosts from sending this contact until `let_go`, and return the row; None while another host has it.

        The first of the `coming` rows may be held, too, so that the database is not asked for each.
        What another host has withdrawn or sent since the row was claimed is withdrawn once more. For a contact that another host
        has forgotten since the run began, the result of the row is returned: it is not sent.
        """

    def let_go(self, contact_id: str) -> None:
        """Let other hosts send the contact. Never raises."""

    def updated(self, after: int) -> list[Pending]:
        """Return the next updated rows with number > `after`, at most a few hundred, in source order."""


class Ledger(Outbox, Protocol):
    """The rows of the current run, by their numbers, and the memory of one account."""

    plans: PlanStore
    slots: SlotStore | None
    """The pace that all hosts share; None where there is only this one."""
    warnings: list[str]
    """Sentences for the operator about the ledger itself; those that are about the past stay until a run was released."""

    def distrust(self, warning: str, *, durably: bool) -> None:
        """Take nothing for confirmed any more, and add a warning that says why, unless nothing was confirmed.

        Without `durably` this lasts until the ledger is closed.
        """

    def begin_run(self, run: str, paths: OutputPaths, started: str, layout: Layout, *, keep: bool, as_of: int = 0) -> None:
        """Start the run with the id `run` at `started` (UTC, ISO 8601 with Z).

        `as_of` is the time of the source's values in seconds since 1970 (UTC), 0 where it is not known. With `keep` the run is
        registered, and its rows replace the last run's; without (a dry run) they are dropped at the end.
        """

    def staging(self) -> AbstractContextManager[None]:
        """Open the transaction in which all rows are staged: they replace those of the last run together, or not at all."""

    def compare(self, rows: Sequence[tuple[str, Payload]]) -> Comparison:
        """Compare contactIds and payloads with what the API last confirmed."""

    def note_in_place(self, rows: Sequence[tuple[str, Payload]], ages: Sequence[int | None]) -> None:
        """Note rows that are in place: the run's source repeats their values, from the moment on that it is released.

        `ages` has the time of the values of each row, None for that of the source.
        """

    def has_newer(self, ages: Collection[int]) -> bool:
        """Return True when a run had a newer source than the current one, or one newer than one of these times."""

    def overtaken(self, rows: Sequence[tuple[str, Payload, int | None]]) -> list[dict[str, int]]:
        """Return, for each row, those of its fields that a newer source has sent to the API or repeated since, and its time.

        A row is a contactId, a payload, and the time of its values, None for that of the run's source.
        """

    def source_of(self, moment: int) -> str:
        """Return the name of the source whose values are of this time (seconds since 1970); empty where no run had one."""

    def stage(self, block: Block) -> None:
        """Write a chunk of the source. Chunks arrive in ascending order of their row numbers."""

    def flag_invalid(self, flags: Sequence[tuple[int, Violation]]) -> None:
        """Set rows to `invalid` and append a violation to those that they have."""

    def settle(self, rows: Sequence[tuple[int, Outcome, Violation | None]], counting: Sequence[int] = ()) -> None:
        """Replace the outcome of rows; a row that is `invalid` stays so. `counting` are the rows that these duplicate."""

    def note_checks(self, warnings: Sequence[str], checks: Sequence[str]) -> None:
        """Keep, as long as the rows of the run, the sentences that its source gave rise to (`Summary`); a dry run keeps none."""

    def contact_ids(self, numbers: Sequence[int]) -> dict[int, str]:
        """Return row number → contactId of these rows."""

    def release(self, run: str) -> None:
        """Record that no guard stopped the run: from now on its rows may be sent, by this run or by `resume_last`."""

    def cells_size(self) -> int:
        """Return the approximate size of the cells of this run's rows, in bytes."""

    def check_room(self, rows: int) -> None:
        """Raise StorageError when the disk has no room for the results of this number of rows."""

    def count(self, outcome: Outcome | None, *, without: str | None = None) -> int:
        """Return the number of rows with this outcome (None = pending), except those whose only code is `without`."""

    def clears(self) -> int:
        """Return the number of cells, in rows to send, that would empty a stored field."""

    def report_unsent_as(self, violation: Violation, *, ready: bool) -> None:
        """Make the methods below read pending rows, and with `ready` also `ready` ones, as `unprocessed` because of `violation`.

        Nothing is written: a full disk can be reported from. A result that could not be made durable is read as `failed`.
        """

    def outcomes(self) -> dict[str, int]:
        """Return outcome → number of rows, for each outcome that occurs; the key of pending rows is empty."""

    def repeats(self) -> dict[str, int]:
        """Return the number of duplicates by the outcome of the row that counts for them, where that is not in place."""

    def causes(self) -> list[Cause]:
        """Return the reasons why rows are not in place, by outcome, code and field, the most frequent first."""

    def attempts(self) -> tuple[int, int]:
        """Return the number of attempts made for the rows of this run, and how many of them were retries."""

    def batches(self) -> Iterator[Batch]:
        """Yield all rows in source order, many at a time."""

    def finish_run(self, summary: Summary, finished: str) -> None:
        """Record the exit code and the counts of the run; `finished` is UTC, ISO 8601 with Z."""

    def note_refusal(self, summary: Summary, started: str) -> None:
        """Register the run, unless `begin_run` has, with the reason for which it has no rows; `finish_run` completes it."""

    def last_run(self) -> str:
        """Return the id of the run whose rows are in the ledger; empty when there is none."""

    def reopen_last(self) -> tuple[OutputPaths, Layout, float]:
        """Make the last run, which must exist, the current one, and return its paths, its layout and its seconds so far."""

    def checks(self) -> tuple[list[str], list[str]]:
        """Return the warnings and the checks that the last run has noted."""

    def resume_last(self) -> bool:
        """Make the failed rows of the reopened run pending again; return False when the run was never released."""

    def runs(self, most: int) -> list[PastRun]:
        """Return the last runs, the latest first."""

    def last_source_of(self, report: Path) -> Path | None:
        """Return the absolute path of the source whose run, one of the last that this host made, wrote `report`."""

    def workloads(self, source: str, most: int) -> list[Workload]:
        """Return the last runs, the latest first, that were not stopped and whose source has this name except for its digits."""

    def history(self, contact_id: str) -> list[Event]:
        """Return the events of a contact, the latest first; rows that were already in place leave none."""

    def note_move(self, source: Path, place: Path) -> None:
        """Record that `source` and its reports have been moved to `place`; ignored unless the last run read `source`."""

    def forget(self, contact_id: str, normalise: Callable[[str], str]) -> int:
        """Erase all traces of a contact and return their number; rows with an uncertain id are searched with `normalise`.

        `normalise` returns the contactId in a cell. Erased rows are not sent. The contact is one of the `forgotten` ones from now
        on.
        """

    def forgotten(self, contact_ids: Sequence[str]) -> set[str]:
        """Return those contacts that were forgotten, and of which no row was claimed since."""

    def expire(self, now: datetime, *, history_days: int | None = None, undo_days: int = MOST_UNDO_DAYS) -> None:
        """Delete what is too old: the last run's rows after a week, the history after `history_days`, before images, too."""

    def note_live(self) -> None:
        """Record durably that the current run reads each contact before it is written."""

    def was_live(self) -> bool:
        """Return True when the last run did."""

    def answers(self) -> dict[str, str]:
        """Return what was found out about the API of the account: open question → answer."""

    def keep_before(self, run: str, image: BeforeImage, at: str) -> None:
        """Keep the values of a contact durably before `run` changes them, in place of those that it has kept of it."""

    def values_before(self, run: str, contact_id: str) -> dict[str, str]:
        """Return field → value of a contact as kept before `run` changed it; empty where nothing is."""

    def begin_trial(self, contact_id: str, values: Mapping[str, str], at: str) -> None:
        """Keep the values of a contact durably before an update that may empty them; those of an earlier trial stay."""

    def successors(self, tokens: Sequence[str]) -> dict[str, list[str]]:
        """Return, for each base token whose row was sent since, the tokens of what the API had each time, the last one last."""

    def before_images(self, run: str) -> Iterator[BeforeImage]:
        """Yield the values before `run` changed them, by contactId; none once they are too old."""
