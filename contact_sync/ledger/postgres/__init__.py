"""The ledger of an account that several hosts share: in a PostgreSQL database, but for the rows of a run.

Those stay in a SQLite file of the host that has read them, as in a ledger of one host; all that is remembered beyond a run is in
the database. `database` is the connection, `schema` the tables; `installation` opens a ledger.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from contact_sync.errors import BusyError
from contact_sync.i18n import _
from contact_sync.ledger.digests import Fingerprints
from contact_sync.ledger.postgres.confirmed import SharedConfirmed
from contact_sync.ledger.postgres.database import PostgresDatabase
from contact_sync.ledger.postgres.history import SharedHistory
from contact_sync.ledger.postgres.schema import migrate, origin_of
from contact_sync.ledger.postgres.slots import Slots
from contact_sync.ledger.sqlite import SqliteLedger
from contact_sync.ledger.sqlite.confirmed import ConfirmedState
from contact_sync.ledger.sqlite.history import RunHistory
from contact_sync.model.fields import FIELDS


class PostgresLedger(SqliteLedger):
    """A `Ledger` in a `shared` database, with the rows of a run in the file `path`."""

    _confirmed: SharedConfirmed
    _confirmed_kind: type[ConfirmedState] = SharedConfirmed

    def __init__(
        self,
        path: Path | None,
        fingerprints: Fingerprints,
        account: str,
        shared: PostgresDatabase,
        *,
        fields: Sequence[str] = FIELDS,
        read_only: bool = False,
        **more: Any,
    ) -> None:
        self._remote = shared
        with ExitStack() as unless_opened:
            unless_opened.callback(shared.close)
            migrate(shared)
            if not read_only:
                self._use("_shared")
            super().__init__(path, fingerprints, account, fields=fields, read_only=read_only, **more)
            unless_opened.callback(self.database.close)
            self.slots = Slots(shared)
            if not read_only:
                self._distrust_copy()
                self._confirmed.record_kept()
            unless_opened.pop_all()

    def _distrust_copy(self) -> None:
        """Believe nothing of a database that was set back to an earlier state."""
        name, origin = self._remote.name, origin_of(self._remote)
        with self._remote.transaction():
            if self._confirmed.is_older_copy(origin):
                warning = _(
                    "The ledger {name} lost its last changes, or is an older copy: every row is sent once more.", name=name
                )
                self.distrust(warning, durably=True)

    def _open_shared(self) -> PostgresDatabase:
        return self._remote

    def _open_history(self) -> RunHistory:
        return SharedHistory(self.database, self._remote)

    def release(self, run: str) -> None:
        self._confirmed.note_forgotten()
        super().release(run)

    def resume_last(self) -> bool:
        self._confirmed.resume()
        return super().resume_last()

    def exclude_others(self) -> None:
        self._use("")

    def _use(self, mode: str) -> None:
        query = f"SELECT pg_try_advisory_lock{mode}(hashtextextended(?, 0))::int"
        if not self._remote.number(query, self._remote.schema):
            raise BusyError("The ledger {name} is used or moved by another host: wait for that to end.", name=self._remote.name)

    def __exit__(self, *_: object) -> None:
        self._remote.close()
        super().__exit__()
