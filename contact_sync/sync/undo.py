"""Undo: a source that puts back what a run has changed.

Its cells are the values before, and its base tokens say what the run wrote. So the merge of the run that sends it does the rest:
a field that still has what was written is put back, one that somebody has changed since is a conflict.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from pkgutil import resolve_name

from contact_sync.errors import ConfigError
from contact_sync.files.atomic import AtomicFile, open_atomic, writing
from contact_sync.i18n import _
from contact_sync.ledger.state_dir import open_existing_ledger
from contact_sync.ledger.store import Ledger
from contact_sync.model.fields import FIELDS
from contact_sync.model.plan import UndoSummary
from contact_sync.model.report import BeforeImage
from contact_sync.model.row import Outcome
from contact_sync.names import short
from contact_sync.report.pulled import WRITERS, is_pulled
from contact_sync.settings import Settings

_MOST_RUNS = 1_000
_WORKBOOKS = {".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"}
_CLEAR = "<clear>"
_CHANGING = {Outcome.UPDATED, Outcome.ALTERED, Outcome.FAILED}  # outcomes of rows that may have changed a contact
PROBE = "probe-"
"""The beginning of the name under which a probe keeps the values before."""


def undo(settings: Settings, run: str, output: Path | None) -> UndoSummary:
    """Write the values before `run`, by default the last one that changed a contact, into `output`; nothing is sent.

    Without `output` the file is beside the source of the run. Raises ConfigError where nothing is kept of the run, where there is
    no ledger, and for an output that is another file; StorageError.
    """
    with open_existing_ledger(settings.account, locked=False, run=run) as ledger:
        name, started, source = _find(ledger, run)
        others = [] if run else [each for each in _kept(ledger) if each != name]
        path = output or _beside(source)
        if path.exists() and not is_pulled(path):
            raise ConfigError("{path} is no file of undo or pull: give another place with -o.", path=path)
        fields: Counter[str] = Counter()
        contacts = 0
        with open_atomic(path, 0o600) as draft, writing(path):

            def rows() -> Iterator[Sequence[str]]:
                nonlocal contacts
                for image in ledger.before_images(name):
                    contacts += 1
                    fields.update(image.fields.keys())
                    yield _row(image)

            write: Callable[[AtomicFile, Iterable[Sequence[str]], Sequence[str]], None]
            write = resolve_name(WRITERS[path.suffix.lower()])
            write(
                draft,
                rows(),
                [_("Run this file as it is: each filled cell is put back as it was before the run {run}.", run=name)],
            )
            draft.commit()
    return UndoSummary(name, contacts, {name: fields[name] for name in FIELDS if fields[name]}, draft.path, others, started)


def _find(ledger: Ledger, run: str) -> tuple[str, str, Path]:
    """Return the run whose values before are kept, when it started, and its source.

    Without a `run` those that changed nothing are passed over; one that may have, and that cannot be undone, never is.
    """
    if run.startswith(PROBE) and _is_kept(ledger, run):
        return run, "", Path()
    runs = [each for each in ledger.runs(_MOST_RUNS) if run in {"", each.id}]
    if run and not runs:
        raise ConfigError("There is no run {run}: see contact-sync history.", run=run)
    for each in runs:
        if _is_kept(ledger, each.id):
            return each.id, each.started, each.place
        if not run and (each.finished is None or _CHANGING & each.outcomes.keys()) and (kept := _kept(ledger)):
            raise ConfigError(
                "The run {run} ({source}) came last and may have changed contacts, but kept no values before, so it cannot be "
                "undone. To take an earlier one back, name it (contact-sync undo RUN): {runs}.",
                run=each.id,
                source=each.source,
                runs=", ".join(kept[:3]),
            )
    raise ConfigError(
        "No values before are kept: only a run of a pulled file or with --live keeps those that it changes, for --undo-days."
    )


def _kept(ledger: Ledger) -> list[str]:
    """Return the ids of the runs that can be undone, the latest first."""
    return [each.id for each in ledger.runs(_MOST_RUNS) if _is_kept(ledger, each.id)]


def _is_kept(ledger: Ledger, run: str) -> bool:
    return next(ledger.before_images(run), None) is not None


def _beside(source: Path) -> Path:
    if source == Path():
        raise ConfigError("A probe has no source: say where to write with -o.")
    if not source.parent.is_dir():
        raise ConfigError("The folder of {path} does not exist any more: say where to write with -o.", path=source)
    suffix = ".xlsx" if source.suffix.lower() in _WORKBOOKS else ".csv"
    return source.with_name(f"{short(source.stem)}.undo{suffix}")


def _row(image: BeforeImage) -> list[str]:
    """Return the row of a contact in the order of `pulled.COLUMNS`; fields that the run did not change are blank."""
    values = [(image.fields[field] or _CLEAR) if field in image.fields else "" for field in FIELDS]
    return [image.contact_id, *values, "", "", "", image.written]
