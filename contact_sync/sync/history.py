"""The history in the ledger: earlier runs, one contact's events, and their deletion on request."""

from contact_sync.errors import ConfigError
from contact_sync.ledger.spool import delete_spools
from contact_sync.ledger.state_dir import is_locked, open_existing_ledger
from contact_sync.model.report import Event, PastRun
from contact_sync.rules.cells import normalise_id
from contact_sync.settings import Settings


def past_runs(settings: Settings, count: int) -> tuple[list[PastRun], bool]:
    """Return the last `count` runs, newest first, and True when a run is in progress.

    Raises ConfigError when there is no ledger, StorageError when it cannot be read.
    """
    with open_existing_ledger(settings.account, locked=False) as ledger:
        return ledger.runs(count), is_locked(settings.account)


def events_of(settings: Settings, contact_id: str) -> list[Event]:
    """Return what happened to a contact in earlier runs. Raises what `past_runs` does."""
    with open_existing_ledger(settings.account, locked=False) as ledger:
        return ledger.history(normalise_id(contact_id))


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
