"""The history in the ledger: earlier runs, one contact's events, and their deletion on request."""

from contact_sync.errors import ConfigError
from contact_sync.ledger.spool import delete_spools
from contact_sync.ledger.state_dir import meant_ledgers, open_existing_ledger
from contact_sync.model.report import Event, PastRun
from contact_sync.rules.cells import normalise_id
from contact_sync.settings import Settings


def past_runs(settings: Settings, count: int) -> tuple[list[PastRun], set[str]]:
    """Return the last `count` runs, newest first, and the ids of those in progress; those of all ledgers where none is named.

    Raises ConfigError when there is no ledger, StorageError when one cannot be read.
    """
    runs: list[PastRun] = []
    in_progress = set[str]()
    for known in meant_ledgers(settings.account):
        with known.open() as ledger:
            found = ledger.runs(count)
        runs += [run._replace(account=known.label) for run in found]
        in_progress |= {run.id for run in found[:1] if known.is_held()}
    return sorted(runs, key=lambda run: (run.started, run.id), reverse=True)[:count], in_progress


def events_of(settings: Settings, contact_id: str) -> list[Event]:
    """Return what happened to a contact in earlier runs, as `past_runs` has them. Raises what that does."""
    events: list[Event] = []
    for known in meant_ledgers(settings.account):
        with known.open() as ledger:
            events += ledger.history(normalise_id(contact_id))
    return sorted(events, key=lambda event: (event.started, event.run), reverse=True)


def forget(settings: Settings, contact_id: str) -> int:
    """Delete everything stored about a contact, and return the number of records.

    Raises ConfigError for an empty id, what `past_runs` does, and BusyError while a run is in progress.
    """
    contact_id = normalise_id(contact_id)
    if not contact_id:
        raise ConfigError("There is no contactId: give the contact to forget.")
    delete_spools(settings.account.state_dir, all_of_them=True)
    with open_existing_ledger(settings.account) as ledger:
        if contact_id in ledger.trials():
            raise ConfigError(
                "An update of this contact was cut off, and may have emptied some of its fields: the next run puts them back; "
                "forget the contact after that."
            )
        return ledger.forget(contact_id, normalise_id)
