"""A plan: what a run would do, old → new; and a run that is held to a plan.

It is a run from which the writes are taken out: its rows are staged, guarded, read and merged as they would be, then added to the
plan instead of being sent. Its number is a keyed digest of that, by which a later run proves that it would do the same.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from pkgutil import resolve_name

from contact_sync.errors import ATTENTION_CODE, CHANGES_CODE, PRECEDENCE, SourceError
from contact_sync.files.atomic import open_atomic, writing
from contact_sync.model.fields import FIELDS, NAMES
from contact_sync.model.pace import Watcher
from contact_sync.model.plan import Change, Kind, PlannedRow, PlanSummary
from contact_sync.model.report import Summary
from contact_sync.model.row import Outcome, Pending, Result
from contact_sync.model.source import OutputPaths
from contact_sync.model.violation import Violation, listed
from contact_sync.report.plan import WRITERS, Writer
from contact_sync.settings import Settings
from contact_sync.sync.live import Live, LiveContact
from contact_sync.sync.merge import Merged
from contact_sync.sync.open_questions import OMITTED, clear_of
from contact_sync.sync.opening import blaming_the_file, load, new_id, open_ledger, open_sender, open_source
from contact_sync.sync.send import Sender
from contact_sync.sync.shutdown import Shutdown, handle_signals
from contact_sync.sync.steps import Steps

_DIFFERS = (Violation("plan-differs"),)


class Planner:
    """The plan of the rows to send; an outbox from which they are taken without being sent (`store.Outbox`).

    `is_read` is True when the run reads each contact before it writes it.
    """

    def __init__(self, steps: Steps, *, is_read: bool) -> None:
        self._steps, self._ledger, self._is_read = steps, steps.ledger, is_read
        self.pending, self.last_pending = steps.ledger.pending, steps.ledger.last_pending
        self.defer_failed, self.only_known_failures = steps.ledger.defer_failed, steps.ledger.only_known_failures
        self.failed: dict[int, Pending] = {}  # rows whose contact could not be read
        self._known = {*steps.ledger.answers()}
        self._requests = 0
        self.fields: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()

    def make(self, sender: Sender | None, live: Live | None) -> None:
        """Add each row to the plan, after its contact was read where that is possible; requests the shutdown as a run would."""
        if sender and live:
            notes = sender.send(self, self._steps.watcher, replace(live, decide=self._decide), begin=self._steps.watcher.reading)
            self._steps.summary.notes += notes
            sender.add_pace(self._steps.summary)
            return
        after = -1
        while rows := self.claim(after):
            after = rows[-1].number
            self._ledger.plans.add([self._counted(row, Merged(row.contact)) for row in rows])

    def _decide(self, row: Pending, merged: Merged, now: LiveContact) -> Merged:
        """Add a row that was read to the plan, and hold it."""
        self._ledger.plans.add([self._counted(row, merged, now)])
        return merged if merged.held else merged._replace(held=Outcome.READY)

    def _counted(self, row: Pending, merged: Merged, now: LiveContact | None = None) -> PlannedRow:
        """Count what becomes of a row, and return its plan."""
        self._requests += self._is_read
        self.counts[merged.held or Outcome.UPDATED] += bool(merged.held or merged.wanted)
        if not merged.held and merged.wanted:
            self.fields.update(merged.wanted.keys())
            cleared = {clear_of(field) for field, value in merged.wanted.items() if not value}
            self.counts["emptied"] += len(cleared)
            has_others = now is None or any(value for field, value in now.values.items() if field not in merged.wanted)
            asked = (cleared | ({OMITTED} if has_others else set())) - self._known
            self._known |= asked
            self._requests += 1 + bool(self._is_read and asked)  # the first updates are read back
        return _plan_of(row, merged, now)

    def claim(
        self, after: int, most: int | None = None, *, failed: bool = False, deferred: bool = False, **_: object
    ) -> list[Pending]:
        """Return the next rows, or those whose contact could not be read."""
        if not failed:
            return self._ledger.claim(after, most, deferred=deferred, withdraw=False)
        return [] if deferred else [row for number, row in sorted(self.failed.items()) if number > after][:most]

    def record(self, result: Result) -> None:
        """Take a row whose contact was not read, or was read at last."""
        row = self.failed.pop(result.row.number, result.row)
        if result.outcome is Outcome.FAILED:
            self.failed[row.number] = row
        elif result.outcome is Outcome.REJECTED:
            self._ledger.plans.add([self._counted(row, Merged(row.contact, held=Outcome.REJECTED))])

    def hold(self, row: Pending, _coming: Iterable[Pending] = (), /) -> Pending | None:
        """Return the row: nothing is sent that another host could be sending."""
        return row

    def let_go(self, _contact_id: str) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing: the plan is kept when it is complete."""

    def trials(self) -> dict[str, dict[str, str]]:
        """Return none: a plan finishes no trial."""
        return {}

    def end_trial(self, _contact_id: str) -> None:
        """Do nothing."""

    def note_answer(self, _question: str, _answer: str, _how: str) -> None:
        """Do nothing."""

    def updated(self, _after: int) -> list[Pending]:
        """Return no row."""
        return []

    def summary(self) -> PlanSummary:
        """Return the numbers of the plan."""
        send, outcomes = self._steps.settings.send, self.counts
        return PlanSummary(
            self._steps.summary,
            {field: self.fields[field] for field in FIELDS if self.fields[field]},
            outcomes[Outcome.UPDATED],
            outcomes[Outcome.CONFLICT],
            outcomes["emptied"],
            outcomes[Outcome.INVALID],
            outcomes[Outcome.REJECTED],
            len(self.failed),
            self._requests,
            self._requests / send.rate if send.rate else 0.0,
            self._ledger.plans.changes,
        )


@contextmanager
def planned(
    settings: Settings, output: Path | None, watcher: Watcher, *, offline: bool = False, expect_no_changes: bool = False
) -> Iterator[PlanSummary]:
    """Make the plan of a source, write it into `output`, and yield its summary, whose changes can be read until the end.

    The settings are those of a dry run. Nothing but GET requests is sent, and none when `offline`. A plan that ends early is not
    written and has no number: the reasons say why. Raises what `run` does where there is nothing to report on.
    """
    begun, started, shutdown = time.monotonic(), datetime.now(UTC), Shutdown()
    sender = None if offline else open_sender(settings, shutdown)
    with handle_signals(shutdown), open_ledger(settings, shutdown, sender) as ledger, ExitStack() as opened:
        if sender:
            opened.enter_context(sender.sharing(ledger.slots))
        summary = Summary(new_id(started), settings.source.path, None)
        steps = Steps(settings, watcher, shutdown, begun, ledger, summary)
        with blaming_the_file():
            source = opened.enter_context(open_source(settings, shutdown))
            draft = opened.enter_context(open_atomic(output, 0o600)) if output else None
        staged, live = load(steps, source, OutputPaths(source.path, {}), started, sender, pending=True)
        is_read = settings.send.reads_first(is_pulled=source.base_position is not None)
        plan = Planner(steps, is_read=is_read)
        if steps.pass_guards(staged):
            plan.make(sender, live)
        steps.count()
        made = plan.summary()
        made.columns = staged.columns
        if not (shutdown.reasons or plan.failed or (is_read and offline)):
            made.number = ledger.plans.keep(started)
        if draft and output and not shutdown.reasons:
            with shutdown.raised(), writing(output):
                write: Writer = resolve_name(WRITERS[output.suffix.lower()])
                write(draft, ledger.plans.changes(), made)
            draft.commit()
            made.output = draft.path
        codes = {reason.exit_code for reason in shutdown.reasons} | ({ATTENTION_CODE} if plan.failed else set())
        codes |= {CHANGES_CODE} if expect_no_changes and made.changes else set()
        made.exit_code, summary.reasons = min(codes, key=PRECEDENCE.index, default=0), [str(each) for each in shutdown.reasons]
        yield made


def hold_to_plan(steps: Steps, sender: Sender, live: Live | None) -> Live | None:
    """Request the shutdown unless the run would do what its plan says; return what sends its rows, each only as planned."""
    plan, number, ledger = Planner(steps, is_read=live is not None), steps.settings.plan, steps.ledger
    plan.make(sender, live)
    if not steps.shutdown.reasons and (plan.failed or ledger.plans.number() != number):
        differing = ledger.plans.differing(number)
        if differing is None:
            reason = SourceError(
                "There is no plan {plan} of this account that is still kept, so nothing was sent: correct --plan, or plan again.",
                plan=number,
            )
        else:
            reason = SourceError(
                "The plan {plan} does not hold any more: SMS Partner, the file or an option has changed since. Rows that differ: "
                "{rows}. Nothing was sent: plan again.",
                plan=number,
                rows=listed(sorted({*differing, *plan.failed})),
            )
        steps.shutdown.request(reason)

    def decide(row: Pending, merged: Merged, now: LiveContact) -> Merged:
        # What an attempt without an answer may have written is no change of others.
        if row.attempts or ledger.plans.agrees(_plan_of(row, merged, now)):
            return merged
        return merged._replace(held=Outcome.CONFLICT, violations=_DIFFERS)

    return replace(live, decide=decide) if live else None


def _plan_of(row: Pending, merged: Merged, now: LiveContact | None) -> PlannedRow:
    """Return the plan of a row; `now` is its contact, None where it was not read.

    Fields that others have changed and that the row leaves alone are shown, and are no part of the number of the plan.
    """
    name = " ".join(filter(None, (now.values[field] for field in NAMES))) if now else ""
    facts, changes = [], []
    for field in FIELDS:
        effect, mine = merged.effect(field), row.contact.get(field)
        if mine is not None:
            facts.append([field, mine, effect or "", *([now.texts[field]] if now else [])])
        if effect:
            kind = Kind.CONFLICT if field in merged.conflicts else Kind.FOREIGN if mine is None else Kind.OWN
            theirs = now.values[field] if now else None
            changes.append(Change(row.number, row.contact_id, name, field, kind, effect, mine, theirs))
    return PlannedRow(row.number, row.contact_id, facts, changes)
