"""The pace of an account: one row, from which every host takes the moments when its attempts may start.

One statement grants several slots in a row. The clock is the server's; a host learns how far away its slots are.
"""

from dataclasses import dataclass

from contact_sync.ledger.postgres.database import PostgresDatabase
from contact_sync.model.pace import MAX_PAUSE_S

_SLOW_S = 5.0  # for which the lower pace of one host is that of all
_TURN_S = 1.0  # that one host's slots reach ahead at most, or one gap where that is more

# A clock that was set back leaves moments far ahead, which nobody has asked for: they count as over.
_HELD = f"CASE WHEN held_until < clock_timestamp() + make_interval(secs => {MAX_PAUSE_S + 1}) THEN held_until ELSE 'epoch' END"
_IS_SLOW = f"slow_until BETWEEN clock_timestamp() AND clock_timestamp() + make_interval(secs => {_SLOW_S})"
_FREE = f"greatest({_HELD}, clock_timestamp())"
_GAP = f"greatest(asked.gap, CASE WHEN {_IS_SLOW} THEN slow_gap ELSE 0 END)"
# Each host has one connection, and takes slots again when those that it has are used.
_LAST = f"{_FREE} + make_interval(secs => current_setting('max_connections')::int * greatest({_TURN_S}, {_GAP}))"

# A slot that a crash of the server forgets is long over when it is back: no grant waits for the disk.
_TAKE = f"""
    UPDATE pace SET slot = greatest(CASE WHEN slot < {_LAST} THEN slot ELSE 'epoch' END, {_FREE})
        + make_interval(secs => asked.most * {_GAP})
    FROM (SELECT ?::float8 AS gap, ?::int AS most, set_config('synchronous_commit', 'off', true)) AS asked
    RETURNING extract(epoch FROM slot - clock_timestamp())::float8, {_GAP}
"""  # noqa: S608 - fixed text

_PAUSE = f"""
    WITH paused AS (
        UPDATE pace SET held_until = greatest({_HELD}, clock_timestamp() + make_interval(secs => ?)) RETURNING slot
    ) SELECT pg_notify(?, '') FROM paused
"""  # noqa: S608 - fixed text


@dataclass
class Slots:
    """The table `pace` (`model.pace.SlotStore`)."""

    database: PostgresDatabase
    is_listening: bool = False  # True once the connection is notified of each pause, so that none has to be looked for

    def take(self, gap: float, most: int) -> list[float]:
        if not self.is_listening:
            self.database.send(f"LISTEN {self.database.schema}")
            self.is_listening = True
        ((end, granted),) = self.database.all(_TAKE, gap, most)
        return [end - (most - number) * granted for number in range(most)]

    def pause(self, seconds: float) -> None:
        self.database.all(_PAUSE, seconds, self.database.schema)

    def pause_left(self) -> float:
        if self.is_listening and not self.database.take_notification():
            return 0.0
        query = f"SELECT extract(epoch FROM {_FREE} - clock_timestamp())::float8 FROM pace"  # noqa: S608 - fixed text
        ((left,),) = self.database.all(query)
        return max(0.0, float(left))

    def slow(self, gap: float) -> None:
        statement = (
            f"UPDATE pace SET slow_gap = CASE WHEN {_IS_SLOW} THEN greatest(slow_gap, ?) ELSE ? END,"  # noqa: S608
            " slow_until = clock_timestamp() + make_interval(secs => ?)"
        )
        self.database.write(statement, gap, gap, _SLOW_S)
